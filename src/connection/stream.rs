//! The byte stream below the WebSocket. It reads the socket in bounded portions, and collects the
//! frames that tungstenite writes.

use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::sync::Arc;

use crate::broadcaster::outbox::Outbox;

/// Maximum number of bytes that are read from the socket at once. The chunk is freed once it is
/// used up.
const CHUNK_BYTES: usize = 8 * 1024;
/// Maximum number of bytes that are read before the thread checks its outbox and its deadlines
/// again. tungstenite would read any number of empty fragments.
const READ_BYTES_PER_TURN: usize = 64 * 1024;

/// The stream that tungstenite reads from and writes to.
pub(super) struct Stream {
    outbox: Arc<Outbox>,
    /// Bytes from the socket. tungstenite has taken those before the cursor.
    chunk: Cursor<Vec<u8>>,
    /// How many more bytes may be read in this turn.
    readable_bytes: usize,
    /// How many bytes were read since the last complete message.
    pub(super) unfinished: usize,
    /// Frames of tungstenite: pongs, and the answer to a close frame.
    pub(super) replies: Vec<u8>,
}

impl Stream {
    pub(super) fn new(outbox: Arc<Outbox>) -> Self {
        Self {
            outbox,
            chunk: Cursor::default(),
            readable_bytes: 0,
            unfinished: 0,
            replies: Vec::new(),
        }
    }

    pub(super) fn begin_turn(&mut self) {
        self.readable_bytes = READ_BYTES_PER_TURN;
    }

    /// Frees the chunk if it is used up. Returns whether bytes came in this turn.
    pub(super) fn end_turn(&mut self) -> bool {
        if self.is_empty() {
            self.chunk = Cursor::default();
        }
        self.readable_bytes < READ_BYTES_PER_TURN
    }

    fn is_empty(&self) -> bool {
        self.chunk.position() == self.chunk.get_ref().len() as u64
    }

    /// Reads a chunk from the socket. At the end of the stream the chunk is empty.
    fn fill(&mut self) -> io::Result<()> {
        if self.readable_bytes == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut chunk = std::mem::take(&mut self.chunk).into_inner();
        chunk.resize(CHUNK_BYTES, 0);
        let length = self.outbox.transport.receive(&mut chunk)?;
        chunk.truncate(length);
        self.chunk = Cursor::new(chunk);
        self.readable_bytes = self.readable_bytes.saturating_sub(length);
        if length < CHUNK_BYTES {
            // The socket is empty. Another read would only cost a system call. If more bytes have
            // come since, `wait` returns at once.
            self.readable_bytes = 0;
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_empty() {
            self.fill()?;
        }
        let length = self.chunk.read(buffer)?;
        self.unfinished += length;
        Ok(length)
    }
}

impl Write for Stream {
    fn write(&mut self, frames: &[u8]) -> io::Result<usize> {
        self.replies.extend_from_slice(frames);
        Ok(frames.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
