//! A TCP connection that never blocks.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use rustix::net::sockopt;

use super::poll::{Interest, Waker, wait};

/// Capacity of the kernel's send buffer for a client that does not read (bytes; Linux doubles it).
const SEND_BUFFER_BYTES: usize = 128 * 1024;
/// Capacity of the kernel's receive buffer for a client that is read slowly (bytes; Linux doubles it).
const RECEIVE_BUFFER_BYTES: usize = 64 * 1024;
/// How long bytes may stay unacknowledged before the peer counts as gone (ms).
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNACKNOWLEDGED_MAX_MS: u32 = 30_000;

/// One connection. One thread reads it, and another may write to it: all methods take it by reference
/// and return at once.
#[derive(Debug)]
pub(crate) struct Transport {
    stream: TcpStream,
}

/// How many bytes a socket took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    All,
    /// This number of bytes. The socket is full.
    Part(usize),
}

impl Transport {
    pub(crate) fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        sockopt::set_socket_send_buffer_size(&stream, SEND_BUFFER_BYTES)?;
        sockopt::set_socket_recv_buffer_size(&stream, RECEIVE_BUFFER_BYTES)?;
        #[cfg(any(target_os = "linux", target_os = "android"))]
        sockopt::set_tcp_user_timeout(&stream, UNACKNOWLEDGED_MAX_MS)?;
        Ok(Self { stream })
    }

    /// Reads the bytes that have come, or fails with [`ErrorKind::WouldBlock`]. Returns 0 at the end
    /// of the stream.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match (&self.stream).read(buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                result => return result,
            }
        }
    }

    /// Reads bytes that have come, and discards them.
    ///
    /// # Errors
    /// The stream has ended or is broken.
    pub(crate) fn discard(&self) -> io::Result<()> {
        // Small buffer. Stack pages: see ARCHITECTURE.
        match self.receive(&mut [0; 512]) {
            Ok(0) => Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(()),
        }
    }

    /// Writes as many bytes as the socket takes now.
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

    /// Enlarges the kernel's send buffer by `bytes`, for a close frame behind the bytes that a slow
    /// client has not read.
    pub(crate) fn make_room(&self, bytes: usize) {
        let size = sockopt::socket_send_buffer_size(&self.stream).unwrap_or(2 * SEND_BUFFER_BYTES);
        // If this fails, the client gets no close code.
        let _ = sockopt::set_socket_send_buffer_size(&self.stream, size + bytes);
    }

    /// Ends the stream to the peer. Bytes that were sent before still arrive.
    pub(crate) fn finish(&self) {
        // This fails only if the peer is gone already.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// Waits until the peer ends the stream, and discards its bytes. Closing a socket with unread bytes
/// would reset the connection, and the peer could lose the last bytes that were sent to it. Returns
/// at the deadline at the latest, or when `waker` is woken.
pub(crate) fn drain(transport: &Transport, waker: &Waker, deadline: Instant) {
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
            // With a peer that never stops sending, `wait` never reaches the deadline.
            return;
        }
    }
}

impl AsFd for Transport {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
