//! The per-client outbound channel.
//!
//! It writes through: while the client keeps up, [`Outbox::push`] writes to the socket in the
//! broadcaster's own thread, and wakes no other thread. The rest, if the socket does not take all, is
//! queued in a bounded channel. The connection's thread, woken once, drains it as the socket allows.
//!
//! Both threads write to the socket, and a lock decides the order of the bytes. A channel could not:
//! it orders the frames, but not two writers of them. The lock is never held across a call that can
//! block.

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
use crate::chat::{Nickname, RoomName};
use crate::net::poll::Waker;
use crate::net::socket::{Sent, Transport};

/// Capacity of the backlog of a client (runs). At a hundred turns per second these are the 10 s after
/// which the connection of a stalled client is closed anyway. So is that of a client with more.
const BACKLOG_RUNS_MAX: usize = 1024;

/// Maximum length of the first run in a backlog, whatever the limit of the backlog is (bytes). The
/// largest answer must fit: a client that resumes gets it.
const FIRST_BYTES_MAX: usize = 1024 * 1024;

/// One or more complete frames, shared by all clients that get them.
pub(crate) type Frames = Arc<[u8]>;

/// The way of frames to one client. The broadcaster pushes frames, and the connection's thread pushes
/// pings and pongs, and drains the backlog.
#[derive(Debug)]
pub(crate) struct Outbox {
    pub(crate) transport: Arc<Transport>,
    /// Wakes the connection's thread to drain the backlog, or to close the connection.
    pub(crate) waker: Waker,
    backlog_bytes_max: usize,
    /// The client has been welcomed. Its thread is not woken for this.
    is_welcome: AtomicBool,
    state: Mutex<State>,
}

/// Small, because one message makes the broadcaster look at thousands of them. Nearly all clients
/// keep up, and have no backlog.
#[derive(Debug, Default)]
struct State {
    /// While there is a backlog, all further frames go into it.
    backlog: Option<Box<Backlog>>,
    /// Why the connection has to close. Set once. All further frames are dropped.
    close_reason: Option<Box<CloseReason>>,
    /// The broadcaster pushes nothing more.
    is_released: bool,
    /// The user of the client. Set only for the hooks of an embedder.
    identity: Option<Box<Identity>>,
}

/// The user of a client, as the hooks of an embedder see it.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) nickname: Nickname,
    /// The room of a plain client.
    pub(crate) plain_room: Option<RoomName>,
}

/// The frames that the socket has not taken.
#[derive(Debug, Default)]
struct Backlog {
    /// The run that the socket has taken in part.
    partial: Option<PartialRun>,
    /// The runs after it.
    queue: Option<RunQueue>,
    /// Length of all runs without the close frame (bytes).
    bytes: usize,
    /// The close frame. It is sent last, and no limit applies to it.
    close_frame: Option<Frames>,
    /// Since when the socket has taken no bytes.
    blocked_since: Option<Instant>,
}

#[derive(Debug)]
struct PartialRun {
    frames: Frames,
    /// How many bytes the socket has taken.
    sent: usize,
}

/// The state of the backlog after [`Outbox::drain`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Drained {
    /// The backlog is empty.
    All,
    /// The socket is full, and has taken no bytes since this time.
    Blocked(Instant),
}

impl Outbox {
    /// # Errors
    /// The process has no descriptor left.
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

    /// Notes the user of the client.
    pub(crate) fn identify(&self, identity: Identity) {
        self.lock().identity = Some(Box::new(identity));
    }

    pub(crate) fn identity(&self) -> Option<Identity> {
        self.lock().identity.as_deref().cloned()
    }

    /// Sends frames now, or as soon as the client takes them. Never blocks. If the backlog is full,
    /// requests the close of the connection. After such a request the frames are dropped.
    pub(crate) fn push(&self, frames: &Frames) {
        let mut state = self.lock();
        if state.close_reason.is_some() {
            return;
        }
        if let Some(backlog) = &mut state.backlog {
            backlog.bytes += frames.len();
            let queue = backlog.queue.get_or_insert_with(RunQueue::new);
            if backlog.bytes > self.backlog_bytes_max || !queue.push(frames) {
                self.request_close_of(&mut state, CloseReason::TooSlow);
            }
            return;
        }
        match self.transport.send(frames) {
            Ok(Sent::All) => {}
            Ok(Sent::Part(sent)) => {
                let bytes = frames.len() - sent;
                let partial = Some(PartialRun { frames: frames.clone(), sent });
                let blocked_since = Some(Instant::now());
                let backlog = Backlog { partial, blocked_since, bytes, ..Backlog::default() };
                state.backlog = Some(Box::new(backlog));
                if bytes > self.backlog_bytes_max.max(FIRST_BYTES_MAX) {
                    self.request_close_of(&mut state, CloseReason::TooSlow);
                }
                self.waker.wake();
            }
            Err(error) => self.request_close_of(&mut state, CloseReason::lost(error)),
        }
    }

    /// Asks the connection's thread to close the connection. The first reason counts.
    pub(crate) fn request_close(&self, reason: CloseReason) {
        self.request_close_of(&mut self.lock(), reason);
    }

    fn request_close_of(&self, state: &mut State, reason: CloseReason) {
        state.close_reason.get_or_insert_with(|| Box::new(reason));
        self.waker.wake();
    }

    /// Tells the connection's thread that the broadcaster has pushed its last frames.
    pub(crate) fn release(&self) {
        self.lock().is_released = true;
        self.waker.wake();
    }

    pub(crate) fn is_released(&self) -> bool {
        self.lock().is_released
    }

    /// Appends the close frame to the backlog. All further frames are dropped. The backlog of a
    /// client that is too slow is dropped, too, except the run that it has in part. The kernel's
    /// buffer is enlarged for the rest of that run and the close frame, so that both arrive whenever
    /// the client reads again.
    pub(crate) fn push_close_frame(&self, reason: &CloseReason, close_frame: Frames) {
        let mut state = self.lock();
        state.close_reason.get_or_insert_with(|| Box::new(reason.clone()));
        let backlog = state.backlog.get_or_insert_default();
        if *reason == CloseReason::TooSlow {
            backlog.queue = None;
            let partial = backlog.partial.as_ref();
            let rest = partial.map_or(0, |partial| partial.frames.len() - partial.sent);
            self.transport.make_room(rest + close_frame.len());
        }
        backlog.close_frame = Some(close_frame);
    }

    /// Drains the backlog, when the waker has woken the connection's thread or the socket is writable
    /// again. Returns since when the socket has taken no bytes, if frames are left.
    ///
    /// The waker is cleared first, so that a push after the drain wakes the thread again.
    ///
    /// # Errors
    /// The close of the connection was requested, or the connection is broken.
    pub(crate) fn handle_wake(&self) -> Result<Option<Instant>, CloseReason> {
        self.waker.clear();
        if let Some(reason) = self.close_reason() {
            return Err(reason);
        }
        match self.drain().map_err(CloseReason::lost)? {
            Drained::All => Ok(None),
            Drained::Blocked(since) => Ok(Some(since)),
        }
    }

    fn close_reason(&self) -> Option<CloseReason> {
        self.lock().close_reason.as_deref().cloned()
    }

    /// Writes as much of the backlog as the socket takes.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn drain(&self) -> io::Result<Drained> {
        let mut state = self.lock();
        let Some(backlog) = &mut state.backlog else { return Ok(Drained::All) };
        while let Some(PartialRun { frames, sent }) = backlog.next() {
            let rest = frames.len() - sent;
            match self.transport.send(&frames[sent..])? {
                Sent::All => {
                    backlog.bytes = backlog.bytes.saturating_sub(rest);
                    backlog.blocked_since = None;
                }
                Sent::Part(more) => {
                    backlog.bytes = backlog.bytes.saturating_sub(more);
                    backlog.partial = Some(PartialRun { frames, sent: sent + more });
                    let unchanged = backlog.blocked_since.filter(|_| more == 0);
                    let since = unchanged.unwrap_or_else(Instant::now);
                    backlog.blocked_since = Some(since);
                    return Ok(Drained::Blocked(since));
                }
            }
        }
        state.backlog = None;
        Ok(Drained::All)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked with the lock is closing the connection already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Backlog {
    /// Takes the run that is to be sent next: the rest of the partial one, a queued one, or at last
    /// the close frame.
    fn next(&mut self) -> Option<PartialRun> {
        if let Some(partial) = self.partial.take() {
            return Some(partial);
        }
        let next = self.queue.as_ref().and_then(RunQueue::pop);
        next.or_else(|| self.close_frame.take()).map(|frames| PartialRun { frames, sent: 0 })
    }
}

/// The channel of a client that has fallen behind.
#[derive(Debug)]
struct RunQueue {
    sender: Sender<Frames>,
    receiver: Receiver<Frames>,
}

impl RunQueue {
    fn new() -> Self {
        let (sender, receiver) = bounded(BACKLOG_RUNS_MAX);
        Self { sender, receiver }
    }

    /// Returns false if the queue is full.
    fn push(&self, frames: &Frames) -> bool {
        self.sender.try_send(frames.clone()).is_ok()
    }

    fn pop(&self) -> Option<Frames> {
        self.receiver.try_recv().ok()
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
        outbox_with(BYTES_MAX)
    }

    fn outbox_with(bytes_max: usize) -> (Outbox, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let transport = Transport::new(listener.accept().unwrap().0).unwrap();
        (Outbox::new(Arc::new(transport), bytes_max).unwrap(), client)
    }

    fn run(byte: u8, length: usize) -> Frames {
        vec![byte; length].into()
    }

    /// Pushes until there is a backlog. Returns how many bytes were pushed.
    fn block(outbox: &Outbox) -> usize {
        let frames = run(b'x', 16 * 1024);
        let mut pushed = 0;
        while outbox.lock().backlog.is_none() {
            outbox.push(&frames);
            pushed += frames.len();
        }
        pushed
    }

    /// Drains while the client reads. Returns the bytes that it got.
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
    fn frames_for_a_client_that_keeps_up_are_written_at_once() {
        let (outbox, mut client) = outbox_and_client();
        outbox.push(&run(b'a', 3));
        let mut got = [0; 3];
        client.read_exact(&mut got).unwrap();
        assert_eq!(&got, b"aaa");
        assert_eq!(outbox.drain().unwrap(), Drained::All);
    }

    #[test]
    fn the_backlog_is_sent_in_order() {
        let (outbox, client) = outbox_and_client();
        let blocked = block(&outbox);
        outbox.push(&run(b'b', 10));
        outbox.push(&run(b'c', 10));
        assert!(matches!(outbox.drain().unwrap(), Drained::Blocked(_)));
        let got = read_to_end(&outbox, client);
        assert_eq!(got.len(), blocked + 20);
        assert_eq!(&got[blocked..], b"bbbbbbbbbbcccccccccc");
        assert!(outbox.lock().backlog.is_none(), "an idle client has no channel");
    }

    #[test]
    fn a_run_that_is_sent_in_many_parts_arrives_unchanged() {
        let (outbox, mut client) = outbox_with(16 * 1024 * 1024);
        let numbers: Frames = (0..1024 * 1024_u32).flat_map(u32::to_be_bytes).collect();
        let mut got = vec![0; numbers.len()];
        outbox.push(&numbers);
        let reader = std::thread::spawn(move || client.read_exact(&mut got).map(|()| got));
        while !reader.is_finished() {
            outbox.drain().unwrap();
            std::thread::yield_now();
        }
        assert!(reader.join().unwrap().unwrap() == *numbers);
    }

    #[test]
    fn the_time_of_a_blocked_socket_starts_again_when_it_takes_a_byte() {
        let (outbox, mut client) = outbox_with(16 * 1024 * 1024);
        outbox.push(&run(b'x', 16 * 1024 * 1024));
        let blocked = (0..100).map(|_| outbox.drain().unwrap()).last().unwrap();
        assert!(matches!(blocked, Drained::Blocked(_)));
        assert_eq!(outbox.drain().unwrap(), blocked, "it has taken no byte since");
        let mut later = blocked;
        while later == blocked {
            client.read_exact(&mut [0; 1024]).unwrap();
            later = outbox.drain().unwrap();
        }
        assert!(matches!(later, Drained::Blocked(_)));
    }

    #[test]
    fn sent_bytes_free_their_place_in_the_backlog() {
        let (outbox, client) = outbox_and_client();
        block(&outbox);
        for _ in 0..10 {
            outbox.push(&run(b'b', BYTES_MAX - 16 * 1024));
            assert_eq!(outbox.close_reason(), None);
            let mut some = vec![0; 64 * 1024];
            while outbox.drain().unwrap() != Drained::All {
                let length = (&client).read(&mut some).unwrap();
                assert!(length > 0);
            }
            block(&outbox);
        }
    }

    #[test]
    fn a_full_backlog_closes_the_connection() {
        let (outbox, _client) = outbox_and_client();
        block(&outbox);
        let bytes = outbox.lock().backlog.as_ref().unwrap().bytes;
        outbox.push(&run(b'b', BYTES_MAX - bytes));
        assert_eq!(outbox.close_reason(), None);
        outbox.push(&run(b'c', 1));
        assert_eq!(outbox.close_reason(), Some(CloseReason::TooSlow));
    }

    #[test]
    fn a_first_run_above_all_limits_closes_the_connection() {
        let (outbox, _client) = outbox_and_client();
        outbox.push(&run(b'a', 64 * BYTES_MAX));
        assert_eq!(outbox.close_reason(), Some(CloseReason::TooSlow));
    }

    #[test]
    fn a_backlog_of_too_many_runs_closes_the_connection() {
        let (outbox, _client) = outbox_and_client();
        block(&outbox);
        for _ in 0..BACKLOG_RUNS_MAX {
            outbox.push(&run(b'b', 1));
        }
        assert_eq!(outbox.close_reason(), None);
        outbox.push(&run(b'c', 1));
        assert_eq!(outbox.close_reason(), Some(CloseReason::TooSlow));
    }

    #[test]
    fn a_slow_client_gets_the_close_frame_whenever_it_reads_again() {
        let (outbox, mut client) = outbox_and_client();
        let blocked = block(&outbox);
        outbox.push(&run(b'b', 10));
        outbox.request_close(CloseReason::TooSlow);
        outbox.push_close_frame(&CloseReason::TooSlow, run(b'!', 5));
        assert_eq!(outbox.drain().unwrap(), Drained::All, "the kernel has both");
        drop(outbox);
        let mut got = Vec::new();
        client.read_to_end(&mut got).unwrap();
        assert_eq!(got.len(), blocked + 5);
        assert!(got.ends_with(b"x!!!!!"));
    }

    #[test]
    fn the_backlog_of_other_clients_is_sent_before_the_close_frame() {
        let (outbox, client) = outbox_and_client();
        let blocked = block(&outbox);
        outbox.push(&run(b'b', 10));
        outbox.request_close(CloseReason::Stopping);
        outbox.push(&run(b'c', 10));
        outbox.push_close_frame(&CloseReason::Stopping, run(b'!', 5));
        let got = read_to_end(&outbox, client);
        assert_eq!(&got[blocked..], b"bbbbbbbbbb!!!!!");
    }

    #[test]
    fn the_first_close_reason_counts() {
        let (outbox, _client) = outbox_and_client();
        outbox.request_close(CloseReason::Stopping);
        outbox.request_close(CloseReason::TooSlow);
        assert_eq!(outbox.close_reason(), Some(CloseReason::Stopping));
    }
}
