//! Connections that the embedder has accepted and hands over.

use std::net::TcpStream;

use crossbeam_channel::TrySendError;

/// Capacity of the queue of adopted connections. The server takes one in some microseconds.
pub(crate) const ADOPTED_MAX: usize = 64;

/// A connection that was handed over, with the bytes that the embedder has read.
#[derive(Debug)]
pub(crate) struct Adopted {
    pub(crate) stream: TcpStream,
    pub(crate) read: Vec<u8>,
}

/// The reason why [`Handle::adopt`](crate::Handle::adopt) does not take a connection, with the
/// connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptError {
    /// The queue is full: 64 connections wait. Before the start none is taken from it.
    #[error("too many connections wait")]
    Full(TcpStream),
    /// The server has stopped.
    #[error("the server has stopped")]
    Stopped(TcpStream),
}

impl AdoptError {
    pub(crate) fn of(error: TrySendError<Adopted>) -> Self {
        match error {
            TrySendError::Full(adopted) => Self::Full(adopted.stream),
            TrySendError::Disconnected(adopted) => Self::Stopped(adopted.stream),
        }
    }

    /// Returns the connection.
    pub fn into_stream(self) -> TcpStream {
        match self {
            Self::Full(stream) | Self::Stopped(stream) => stream,
        }
    }
}
