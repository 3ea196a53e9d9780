//! The per-client outbound channel.
//!
//! It writes through: while the client keeps up, [`Outbox::push`] writes to the socket in the
//! caller's own thread, and nobody needs to be woken. What the socket does not take is queued in a
//! bounded channel, and the connection's thread, woken once, drains it as the socket allows.
//!
//! A lock joins the two writers where a channel could not: the order of bytes on the socket is
//! decided by who holds it. It is never held across a call that can block.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};
#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};

use super::close_reason::CloseReason;
use crate::net::poll::Waker;
use crate::net::socket::{Sent, Transport};

/// The most runs of frames that wait for one client. At a hundred turns a second this is the ten
/// seconds after which a client without progress is cut anyway. Full: the client is cut.
const BACKLOG_RUNS_MAX: usize = 1024;

/// What may wait of the first run of frames whatever the bound is (bytes): an answer of the largest
/// size, which a client gets that comes back.
const FIRST_BYTES_MAX: usize = 1024 * 1024;

/// One or more whole frames, shared by everybody who gets them.
pub(crate) type Frames = Arc<[u8]>;

/// The way to one client. The broadcaster pushes; the connection's thread drains and closes.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) transport: Arc<Transport>,
    /// Rung when the connection's thread has something to do: to drain, or to end.
    pub(crate) waker: Waker,
    backlog_bytes_max: usize,
    /// The client has been welcomed. Its thread looks when it has something else to do.
    is_welcome: AtomicBool,
    state: Mutex<State>,
}

/// Small, because the broadcaster looks at thousands of them for one message: who keeps up, as
/// nearly all do, has nothing elsewhere.
#[derive(Debug, Default)]
struct State {
    /// While there is anything, everything else waits, too.
    waiting: Option<Box<Waiting>>,
    /// Set once; from then on nothing more is taken.
    reason: Option<Box<CloseReason>>,
    /// The broadcaster has let go: nothing more will be pushed.
    released: bool,
}

/// What the socket has not taken.
#[derive(Debug, Default)]
struct Waiting {
    /// The run that it took a part of.
    unsent: Option<Unsent>,
    /// What is behind it.
    backlog: Option<Backlog>,
    /// How much waits, without the close frame (bytes).
    bytes: usize,
    /// The close frame. It goes last, and past every bound.
    last: Option<Frames>,
    /// Since when the socket has taken nothing.
    blocked_since: Option<Instant>,
}

#[derive(Debug)]
struct Unsent {
    frames: Frames,
    sent: usize,
}

/// What [`Outbox::drain`] left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// Nothing waits any more.
    All,
    /// The socket is full, and has taken nothing since then.
    Blocked(Instant),
}

impl Outbox {
    /// # Errors
    /// When the process has no descriptor left.
    pub(crate) fn new(transport: Arc<Transport>, backlog_bytes_max: usize) -> io::Result<Self> {
        let waker = Waker::new()?;
        let (is_welcome, state) = (AtomicBool::new(false), Mutex::default());
        Ok(Self { transport, waker, backlog_bytes_max, is_welcome, state })
    }

    /// Notes that the client has said hello and was not refused.
    pub(crate) fn welcome(&self) {
        self.is_welcome.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_welcome(&self) -> bool {
        self.is_welcome.load(Ordering::Relaxed)
    }

    /// Sends the frames, now or as soon as the client takes them. Never blocks. A client whose
    /// backlog is full is asked to go; frames for one that is going are dropped.
    pub(crate) fn push(&self, frames: &Frames) {
        let mut state = self.lock();
        if state.reason.is_some() {
            return;
        }
        if let Some(waiting) = &mut state.waiting {
            waiting.bytes += frames.len();
            let backlog = waiting.backlog.get_or_insert_with(Backlog::new);
            if waiting.bytes > self.backlog_bytes_max || !backlog.push(frames) {
                self.end(&mut state, CloseReason::TooSlow);
            }
            return;
        }
        match self.transport.send(frames) {
            Ok(Sent::All) => {}
            Ok(Sent::Part(sent)) => {
                let bytes = frames.len() - sent;
                let unsent = Some(Unsent { frames: frames.clone(), sent });
                let blocked_since = Some(Instant::now());
                let waiting = Waiting { unsent, blocked_since, bytes, ..Waiting::default() };
                state.waiting = Some(Box::new(waiting));
                if bytes > self.backlog_bytes_max.max(FIRST_BYTES_MAX) {
                    self.end(&mut state, CloseReason::TooSlow);
                }
                self.waker.wake();
            }
            Err(error) => self.end(&mut state, CloseReason::lost(error)),
        }
    }

    /// Asks the connection to end. The first who asks decides why.
    pub(crate) fn close(&self, reason: CloseReason) {
        self.end(&mut self.lock(), reason);
    }

    fn end(&self, state: &mut State, reason: CloseReason) {
        state.reason.get_or_insert_with(|| Box::new(reason));
        self.waker.wake();
    }

    /// The broadcaster's last word on a client: everything that it was due has been pushed.
    pub(crate) fn release(&self) {
        self.lock().released = true;
        self.waker.wake();
    }

    pub(crate) fn is_released(&self) -> bool {
        self.lock().released
    }

    /// Takes nothing more but `close_frame`, which goes out behind what waits. For a client that
    /// is too slow only the run that it has a part of goes before it, and the kernel makes room
    /// for both: they arrive whenever the client reads again.
    pub(crate) fn finish(&self, reason: &CloseReason, close_frame: Frames) {
        let mut state = self.lock();
        state.reason.get_or_insert_with(|| Box::new(reason.clone()));
        let waiting = state.waiting.get_or_insert_default();
        if *reason == CloseReason::TooSlow {
            waiting.backlog = None;
            let unsent = waiting.unsent.as_ref();
            let rest = unsent.map_or(0, |unsent| unsent.frames.len() - unsent.sent);
            self.transport.make_room(rest + close_frame.len());
        }
        waiting.last = Some(close_frame);
    }

    /// What the connection's thread does when the bell rings, or the socket has room again: sends
    /// what waits, and returns since when the socket takes nothing of it.
    ///
    /// The bell is silenced first, so that whatever comes after the look into the queue rings it
    /// again.
    ///
    /// # Errors
    /// When the connection was asked to end, or is broken.
    pub(crate) fn attend(&self) -> Result<Option<Instant>, CloseReason> {
        self.waker.clear();
        if let Some(reason) = self.reason() {
            return Err(reason);
        }
        match self.drain().map_err(CloseReason::lost)? {
            Drained::All => Ok(None),
            Drained::Blocked(since) => Ok(Some(since)),
        }
    }

    /// Why the connection was asked to end, if it was.
    fn reason(&self) -> Option<CloseReason> {
        self.lock().reason.as_deref().cloned()
    }

    /// Writes what waits, as far as the socket takes it.
    ///
    /// # Errors
    /// When the connection is broken.
    pub(crate) fn drain(&self) -> io::Result<Drained> {
        let mut state = self.lock();
        let Some(waiting) = &mut state.waiting else { return Ok(Drained::All) };
        while let Some(Unsent { frames, sent }) = waiting.next() {
            let rest = frames.len() - sent;
            match self.transport.send(&frames[sent..])? {
                Sent::All => {
                    waiting.bytes = waiting.bytes.saturating_sub(rest);
                    waiting.blocked_since = None;
                }
                Sent::Part(more) => {
                    waiting.bytes = waiting.bytes.saturating_sub(more);
                    waiting.unsent = Some(Unsent { frames, sent: sent + more });
                    let same = waiting.blocked_since.filter(|_| more == 0);
                    let since = same.unwrap_or_else(Instant::now);
                    waiting.blocked_since = Some(since);
                    return Ok(Drained::Blocked(since));
                }
            }
        }
        state.waiting = None;
        Ok(Drained::All)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked while it held the lock was a connection's own, and is reason.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// What goes out next.
    fn next(&mut self) -> Option<Unsent> {
        if let Some(unsent) = self.unsent.take() {
            return Some(unsent);
        }
        let next = self.backlog.as_ref().and_then(Backlog::pop);
        next.or_else(|| self.last.take()).map(|frames| Unsent { frames, sent: 0 })
    }
}

/// The channel of a client that has fallen behind.
#[derive(Debug)]
struct Backlog {
    into: Sender<Frames>,
    out: Receiver<Frames>,
}

impl Backlog {
    fn new() -> Self {
        let (into, out) = bounded(BACKLOG_RUNS_MAX);
        Self { into, out }
    }

    /// False when it is full.
    fn push(&self, frames: &Frames) -> bool {
        self.into.try_send(frames.clone()).is_ok()
    }

    fn pop(&self) -> Option<Frames> {
        self.out.try_recv().ok()
    }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    const BYTES_MAX: usize = 512 * 1024;

    fn outbox_and_client() -> (Outbox, TcpStream) {
        outbox_of(BYTES_MAX)
    }

    fn outbox_of(bytes_max: usize) -> (Outbox, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let transport = Transport::new(listener.accept().unwrap().0).unwrap();
        (Outbox::new(Arc::new(transport), bytes_max).unwrap(), client)
    }

    fn run_of(byte: u8, length: usize) -> Frames {
        vec![byte; length].into()
    }

    /// Pushes until something waits in the outbox. Returns how much was pushed.
    fn block(outbox: &Outbox) -> usize {
        let frames = run_of(b'x', 16 * 1024);
        let mut pushed = 0;
        while outbox.lock().waiting.is_none() {
            outbox.push(&frames);
            pushed += frames.len();
        }
        pushed
    }

    /// Drains while the client reads, and returns all that it got.
    fn read_to_end(outbox: &Outbox, mut client: TcpStream) -> Vec<u8> {
        std::thread::scope(|scope| {
            let reader = scope.spawn(move || {
                let mut got = Vec::new();
                client.read_to_end(&mut got).map(|_| got)
            });
            while outbox.drain().unwrap() != Drained::All {
                std::thread::yield_now();
            }
            outbox.transport.finish();
            reader.join().unwrap().unwrap()
        })
    }

    #[test]
    fn a_client_that_keeps_up_is_written_to_at_once() {
        let (outbox, mut client) = outbox_and_client();
        outbox.push(&run_of(b'a', 3));
        let mut got = [0; 3];
        client.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"aaa");
        assert_eq!(outbox.drain().unwrap(), Drained::All);
    }

    #[test]
    fn what_waits_goes_out_in_order() {
        let (outbox, client) = outbox_and_client();
        let blocked = block(&outbox);
        outbox.push(&run_of(b'b', 10));
        outbox.push(&run_of(b'c', 10));
        assert!(matches!(outbox.drain().unwrap(), Drained::Blocked(_)));
        let got = read_to_end(&outbox, client);
        assert_eq!(got.len(), blocked + 20);
        assert_eq!(&got[blocked..], b"bbbbbbbbbbcccccccccc");
        assert!(outbox.lock().waiting.is_none(), "an idle client pays for no channel");
    }

    #[test]
    fn a_run_that_goes_out_in_many_parts_arrives_as_it_is() {
        let (outbox, mut client) = outbox_of(16 * 1024 * 1024);
        let run: Frames = (0..1024 * 1024_u32).flat_map(u32::to_be_bytes).collect();
        let mut got = vec![0; run.len()];
        outbox.push(&run);
        let reader = std::thread::spawn(move || client.read_exact(&mut got).map(|()| got));
        while !reader.is_finished() {
            outbox.drain().unwrap();
            std::thread::yield_now();
        }
        assert!(reader.join().unwrap().unwrap() == *run);
    }

    #[test]
    fn the_clock_of_a_blocked_client_starts_anew_whenever_it_takes_something() {
        let (outbox, mut client) = outbox_of(16 * 1024 * 1024);
        outbox.push(&run_of(b'x', 16 * 1024 * 1024));
        let blocked = (0..100).map(|_| outbox.drain().unwrap()).last().unwrap();
        assert!(matches!(blocked, Drained::Blocked(_)));
        assert_eq!(outbox.drain().unwrap(), blocked, "it has taken nothing since");
        let mut later = blocked;
        while later == blocked {
            client.read_exact(&mut [0; 1024]).unwrap();
            later = outbox.drain().unwrap();
        }
        assert!(matches!(later, Drained::Blocked(_)));
    }

    #[test]
    fn what_has_gone_out_leaves_room_in_the_backlog() {
        let (outbox, client) = outbox_and_client();
        block(&outbox);
        for _ in 0..10 {
            outbox.push(&run_of(b'b', BYTES_MAX - 16 * 1024));
            assert_eq!(outbox.reason(), None);
            let mut some = vec![0; 64 * 1024];
            while outbox.drain().unwrap() != Drained::All {
                let length = (&client).read(&mut some).unwrap();
                assert!(length > 0);
            }
            block(&outbox);
        }
    }

    #[test]
    fn a_full_backlog_ends_the_connection() {
        let (outbox, _client) = outbox_and_client();
        block(&outbox);
        let waiting = outbox.lock().waiting.as_ref().unwrap().bytes;
        outbox.push(&run_of(b'b', BYTES_MAX - waiting));
        assert_eq!(outbox.reason(), None);
        outbox.push(&run_of(b'c', 1));
        assert_eq!(outbox.reason(), Some(CloseReason::TooSlow));
    }

    #[test]
    fn the_first_run_counts_like_any_other() {
        let (outbox, _client) = outbox_and_client();
        outbox.push(&run_of(b'a', 64 * BYTES_MAX));
        assert_eq!(outbox.reason(), Some(CloseReason::TooSlow));
    }

    #[test]
    fn a_backlog_of_too_many_runs_ends_the_connection() {
        let (outbox, _client) = outbox_and_client();
        block(&outbox);
        for _ in 0..BACKLOG_RUNS_MAX {
            outbox.push(&run_of(b'b', 1));
        }
        assert_eq!(outbox.reason(), None);
        outbox.push(&run_of(b'c', 1));
        assert_eq!(outbox.reason(), Some(CloseReason::TooSlow));
    }

    #[test]
    fn a_slow_client_gets_the_close_frame_whenever_it_reads_again() {
        let (outbox, mut client) = outbox_and_client();
        let blocked = block(&outbox);
        outbox.push(&run_of(b'b', 10));
        outbox.close(CloseReason::TooSlow);
        outbox.finish(&CloseReason::TooSlow, run_of(b'!', 5));
        assert_eq!(outbox.drain().unwrap(), Drained::All, "the kernel has it");
        drop(outbox);
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        assert_eq!(got.len(), blocked + 5);
        assert!(got.ends_with(b"x!!!!!"));
    }

    #[test]
    fn other_endings_leave_nothing_behind() {
        let (outbox, client) = outbox_and_client();
        let blocked = block(&outbox);
        outbox.push(&run_of(b'b', 10));
        outbox.close(CloseReason::Stopping);
        outbox.push(&run_of(b'c', 10));
        outbox.finish(&CloseReason::Stopping, run_of(b'!', 5));
        let got = read_to_end(&outbox, client);
        assert_eq!(&got[blocked..], b"bbbbbbbbbb!!!!!");
    }

    #[test]
    fn the_first_ending_stays() {
        let (outbox, _client) = outbox_and_client();
        outbox.close(CloseReason::Stopping);
        outbox.close(CloseReason::TooSlow);
        assert_eq!(outbox.reason(), Some(CloseReason::Stopping));
    }
}
