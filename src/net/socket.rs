//! The bytes below a WebSocket: a TCP connection that never blocks.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::poll::{Interest, Waker, wait};

/// Bounds what the kernel keeps for a client that does not read (bytes; Linux doubles it).
const SEND_BUFFER_BYTES: usize = 128 * 1024;
/// Bounds what the kernel keeps of a client that is read slowly (bytes; Linux doubles it).
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;
/// Bytes that nobody acknowledges for so long mean that the peer is gone.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(30);

/// One connection. It is read by one thread and may be written by another; both calls take it
/// by reference and return at once.
#[derive(Debug)]
pub(crate) struct Transport {
    stream: TcpStream,
}

/// How much a socket took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    All,
    /// The socket is full after so many bytes.
    Part(usize),
}

impl Transport {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        let socket = SockRef::from(&stream);
        socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
        socket.set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
        Ok(Self { stream })
    }

    /// Reads what is there, or fails with [`ErrorKind::WouldBlock`]. 0 is the end of the stream.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match (&self.stream).read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Reads what is there and forgets it.
    ///
    /// # Errors
    /// At the end of the stream, whichever way it ended.
    pub(crate) fn discard(&self) -> io::Result<()> {
        // Small, because every thread pays for the pages of its stack that this may touch.
        match self.receive(&mut [0; 512]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes as much as the socket takes now.
    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<Sent> {
        let mut sent = 0;
        while sent < bytes.len() {
            match (&self.stream).write(&bytes[sent..]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(n) => sent += n,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Sent::Part(sent)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Sent::All)
    }

    /// Makes room in the kernel for `bytes` more, so that a close frame gets in behind what a slow
    /// client has not read.
    pub(crate) fn make_room(&self, bytes: usize) {
        let socket = SockRef::from(&self.stream);
        let size = socket.send_buffer_size().unwrap_or(2 * SEND_BUFFER_BYTES);
        // A refusal costs the client its close code, nothing else.
        let _ = socket.set_send_buffer_size(size + bytes);
    }

    /// Tells the peer that nothing more will come. What was sent before still arrives.
    pub(crate) fn finish(&self) {
        // A peer that is gone already needs no telling.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// Waits for the peer's end of the stream, and reads what comes before it to nowhere. Closing with
/// something unread would reset the connection, and the peer might lose what it was sent last.
/// Returns at the deadline, and when `waker` rings.
pub(crate) fn drain_and_close(transport: &Transport, waker: &Waker, deadline: Instant) {
    loop {
        match wait(transport, Interest::READABLE, waker, Some(deadline)) {
            Ok(ready) if ready.readable && !ready.woken => {
                if transport.discard().is_err() {
                    return;
                }
            }
            _ => return,
        }
        if Instant::now() >= deadline {
            // Somebody who never stops sending never lets `wait` run into the deadline.
            return;
        }
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
