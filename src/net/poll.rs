//! Waiting for a descriptor, and being woken from it.
//!
//! Every thread that waits for the network waits here: for its socket, for a [`Waker`] that
//! another thread may ring, and until a deadline. Nothing wakes to look whether there is news.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

/// A bell: once rung, every wait for it returns until it is silenced.
#[derive(Debug)]
pub(crate) struct Waker {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    event: OwnedFd,
    /// An `eventfd` takes one descriptor where a pipe takes two.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pipe: (OwnedFd, OwnedFd),
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Waker {
    /// # Errors
    /// When the process has no descriptor left, or may not call `eventfd`.
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
    /// When the process has no descriptor left.
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
    /// Rings. Never blocks: a bell that cannot take another ring is ringing already.
    pub(crate) fn wake(&self) {
        let one = 1_u64.to_ne_bytes();
        while rustix::io::write(self.ends().1, &one) == Err(Errno::INTR) {}
    }

    /// Silences the bell.
    pub(crate) fn clear(&self) {
        let mut rings = [0; 8];
        while rustix::io::read(self.ends().0, &mut rings) == Err(Errno::INTR) {}
    }
}

/// What a socket is waited for. That it is broken is noticed in any case.
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
    /// There is something to read, or an error or the end of the stream to be found by reading.
    pub(crate) readable: bool,
    /// There is room to write, or an error to be found by writing.
    pub(crate) writable: bool,
    /// The connection is broken, whatever it was waited for.
    pub(crate) broken: bool,
    /// The bell rang.
    pub(crate) woken: bool,
}

impl Ready {
    pub(crate) fn timed_out(self) -> bool {
        self == Self::default()
    }
}

/// Waits until `socket` is ready, `waker` rings or the deadline passes, whichever is first.
pub(crate) fn wait(
    socket: &impl AsFd,
    interest: Interest,
    waker: &Waker,
    deadline: Option<Instant>,
) -> io::Result<Ready> {
    let mut wanted = PollFlags::empty();
    wanted.set(PollFlags::IN, interest.readable);
    wanted.set(PollFlags::OUT, interest.writable);
    // Who does not read does not come upon the end of the stream.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    wanted.set(PollFlags::RDHUP, !interest.readable);
    let bell = waker.ends().0;
    let mut fds = [PollFd::new(socket, wanted), PollFd::new(bell, PollFlags::IN)];
    poll_until(&mut fds, deadline)?;
    let found = fds[0].revents();
    let broken = found.intersects(TROUBLE);
    Ok(Ready {
        readable: interest.readable && (broken || found.contains(PollFlags::IN)),
        writable: interest.writable && (broken || found.contains(PollFlags::OUT)),
        broken,
        woken: !fds[1].revents().is_empty(),
    })
}

#[cfg(any(target_os = "linux", target_os = "android"))]
const TROUBLE: PollFlags =
    PollFlags::ERR.union(PollFlags::HUP).union(PollFlags::NVAL).union(PollFlags::RDHUP);
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const TROUBLE: PollFlags = PollFlags::ERR.union(PollFlags::HUP).union(PollFlags::NVAL);

/// Waits until `waker` rings, or the deadline passes. True when it rang.
pub(crate) fn wait_for_wake(waker: &Waker, deadline: Instant) -> bool {
    let mut fds = [PollFd::new(waker.ends().0, PollFlags::IN)];
    poll_until(&mut fds, Some(deadline)).is_ok_and(|()| !fds[0].revents().is_empty())
}

/// `poll`, once more after an interruption by a signal, for what is left of the time.
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
    fn a_ring_is_heard_until_silenced() {
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
    fn the_end_of_a_stream_can_be_read() {
        let (near, far) = pair();
        let waker = Waker::new().unwrap();
        drop(far);
        let ready = wait(&near, Interest::READABLE, &waker, None).unwrap();
        assert!(ready.readable && !ready.woken);
    }

    #[test]
    fn an_idle_socket_has_room() {
        let (near, _far) = pair();
        let waker = Waker::new().unwrap();
        assert!(wait(&near, Interest::BOTH, &waker, None).unwrap().writable);
    }
}
