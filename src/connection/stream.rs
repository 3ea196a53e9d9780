//! What lies below the WebSocket: the socket, in doses, and a buffer for the answers.

use std::io::{self, Cursor, ErrorKind, Read, Write};
use std::sync::Arc;
use std::time::Instant;

use crate::broadcaster::outbox::Outbox;

/// So many bytes are asked of the socket at once. They are held for no longer than they take.
const CHUNK_BYTES: usize = 8 * 1024;
/// So many bytes are read before the thread looks at its outbox and its clock again, whatever
/// tungstenite makes of them: it reads on through any number of empty fragments.
const READ_BYTES_PER_TURN: usize = 64 * 1024;

/// What tungstenite reads from and writes to: the socket, in doses, and a buffer for its answers.
pub(super) struct Stream {
    outbox: Arc<Outbox>,
    /// What the socket gave, as far as tungstenite has not taken it.
    chunk: Cursor<Vec<u8>>,
    /// When this turn began.
    now: Instant,
    /// How much more may be read in it.
    allowance: usize,
    /// How much was read since the last whole message.
    pub(super) unfinished: usize,
    /// When something was last read.
    pub(super) heard: Instant,
    pub(super) replies: Vec<u8>,
}

impl Stream {
    pub(super) fn new(outbox: Arc<Outbox>) -> Self {
        let now = Instant::now();
        Self {
            outbox,
            chunk: Cursor::default(),
            now,
            allowance: 0,
            unfinished: 0,
            heard: now,
            replies: Vec::new(),
        }
    }

    pub(super) fn begin_turn(&mut self, now: Instant) {
        self.now = now;
        self.allowance = READ_BYTES_PER_TURN;
    }

    /// An idle client holds nothing.
    pub(super) fn end_turn(&mut self) {
        if self.is_empty() {
            self.chunk = Cursor::default();
        }
    }

    fn is_empty(&self) -> bool {
        self.chunk.position() == self.chunk.get_ref().len() as u64
    }

    /// Asks the socket for a chunk. An empty one is the end of the stream.
    fn fill(&mut self) -> io::Result<()> {
        if self.allowance == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let mut chunk = std::mem::take(&mut self.chunk).into_inner();
        chunk.resize(CHUNK_BYTES, 0);
        let length = self.outbox.transport.receive(&mut chunk)?;
        chunk.truncate(length);
        self.chunk = Cursor::new(chunk);
        self.heard = self.now;
        self.allowance = self.allowance.saturating_sub(length);
        if length < CHUNK_BYTES {
            // There is no more for now. Asking the socket to say so would cost a system call; if
            // more has come since, `wait` returns at once.
            self.allowance = 0;
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
