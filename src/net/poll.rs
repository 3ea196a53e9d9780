//! Waits for a socket, a [`Waker`] and a deadline at once.
//!
//! Every thread that waits for the network waits here. Another thread wakes it through its waker. No
//! thread wakes up to look for work.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// Wakes a thread that waits. After [`Waker::wake`] every wait returns at once, until
/// [`Waker::clear`].
#[derive(Debug)]
pub(crate) struct Waker {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    event: OwnedFd,
    /// A pipe takes two descriptors. An `eventfd` takes one.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pipe: (OwnedFd, OwnedFd),
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Waker {
    /// # Errors
    /// The process has no descriptor left, or may not call `eventfd`.
    pub(crate) fn new() -> io::Result<Self> {
        use rustix::event::{EventfdFlags, eventfd};
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| io::Error::new(error.kind(), format!("eventfd: {error}")))?;
        Ok(Self { event })
    }

    fn ends(&self) -> (&OwnedFd, &OwnedFd) {
        (&self.event, &self.event)
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl Waker {
    /// # Errors
    /// The process has no descriptor left.
    pub(crate) fn new() -> io::Result<Self> {
        let pipe = rustix::pipe::pipe()?;
        for end in [&pipe.0, &pipe.1] {
            rustix::io::ioctl_fionbio(end, true)?;
            rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
        }
        Ok(Self { pipe })
    }

    fn ends(&self) -> (&OwnedFd, &OwnedFd) {
        (&self.pipe.0, &self.pipe.1)
    }
}

impl Waker {
    /// Wakes the thread that waits. Never blocks: a write that would block finds the waker woken.
    pub(crate) fn wake(&self) {
        let one = 1_u64.to_ne_bytes();
        while rustix::io::write(self.ends().1, &one) == Err(Errno::INTR) {}
    }

    /// Makes further waits wait for the next wake-up.
    pub(crate) fn clear(&self) {
        let mut wakes = [0; 8];
        while rustix::io::read(self.ends().0, &mut wakes) == Err(Errno::INTR) {}
    }
}

/// The conditions of a socket to wait for. A broken connection ends every wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}

impl Interest {
    pub(crate) const READABLE: Self = Self { readable: true, writable: false };
    pub(crate) const WRITABLE: Self = Self { readable: false, writable: true };
    pub(crate) const BOTH: Self = Self { readable: true, writable: true };
}

/// Why a wait ended. All are false when the deadline passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ready {
    /// A read returns bytes, an error or the end of the stream.
    pub(crate) readable: bool,
    /// A write takes bytes, or returns an error.
    pub(crate) writable: bool,
    /// The connection is broken, whatever the interest was.
    pub(crate) broken: bool,
    /// The waker was woken.
    pub(crate) woken: bool,
}

impl Ready {
    pub(crate) fn timed_out(self) -> bool {
        self == Self::default()
    }
}

/// Waits until `socket` is ready, `waker` is woken or the deadline passes.
pub(crate) fn wait(
    socket: &impl AsFd,
    interest: Interest,
    waker: &Waker,
    deadline: Option<Instant>,
) -> io::Result<Ready> {
    let mut wanted = PollFlags::empty();
    wanted.set(PollFlags::IN, interest.readable);
    wanted.set(PollFlags::OUT, interest.writable);
    // A thread that does not read does not find the end of the stream.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    wanted.set(PollFlags::RDHUP, !interest.readable);
    let waker = waker.ends().0;
    let mut fds = [PollFd::new(socket, wanted), PollFd::new(waker, PollFlags::IN)];
    poll_until(&mut fds, deadline)?;
    let found = fds[0].revents();
    let broken = found.intersects(BROKEN);
    Ok(Ready {
        readable: interest.readable && (broken || found.contains(PollFlags::IN)),
        writable: interest.writable && (broken || found.contains(PollFlags::OUT)),
        broken,
        woken: !fds[1].revents().is_empty(),
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const BROKEN: PollFlags =
    PollFlags::ERR.union(PollFlags::HUP).union(PollFlags::NVAL).union(PollFlags::RDHUP);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const BROKEN: PollFlags = PollFlags::ERR.union(PollFlags::HUP).union(PollFlags::NVAL);

/// Waits until `waker` is woken or the deadline passes. Returns whether it was woken.
pub(crate) fn wait_for_wake(waker: &Waker, deadline: Instant) -> bool {
    let mut fds = [PollFd::new(waker.ends().0, PollFlags::IN)];
    poll_until(&mut fds, Some(deadline)).is_ok_and(|()| !fds[0].revents().is_empty())
}

/// Calls `poll`. After an interruption by a signal, calls it again for the rest of the time.
fn poll_until(fds: &mut [PollFd<'_>], deadline: Option<Instant>) -> io::Result<()> {
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let timeout = left.map(|left| Timespec::try_from(left).unwrap_or(FOREVER));
        match poll(fds, timeout.as_ref()) {
            Ok(_) => return Ok(()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

const FOREVER: Timespec = Timespec { tv_sec: i32::MAX as _, tv_nsec: 0 };

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (near, listener.accept().unwrap().0)
    }

    #[test]
    fn a_woken_waker_ends_every_wait_until_it_is_cleared() {
        let (near, _far) = pair();
        let waker = Waker::new().unwrap();
        waker.wake();
        waker.wake();
        for _ in 0..2 {
            let ready = wait(&near, Interest::READABLE, &waker, None).unwrap();
            assert_eq!(ready, Ready { woken: true, ..Ready::default() });
        }
        waker.clear();
        let soon = Instant::now() + Duration::from_millis(1);
        assert!(wait(&near, Interest::READABLE, &waker, Some(soon)).unwrap().timed_out());
    }

    #[test]
    fn the_end_of_a_stream_makes_the_socket_readable() {
        let (near, far) = pair();
        let waker = Waker::new().unwrap();
        drop(far);
        let ready = wait(&near, Interest::READABLE, &waker, None).unwrap();
        assert!(ready.readable && !ready.woken);
    }

    #[test]
    fn an_idle_socket_is_writable() {
        let (near, _far) = pair();
        let waker = Waker::new().unwrap();
        assert!(wait(&near, Interest::BOTH, &waker, None).unwrap().writable);
    }
}
