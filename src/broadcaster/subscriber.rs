//! A client as the fan-out sees it: its outbox, and the frames that wait for an answer of the history.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use super::close_reason::CloseReason;
use super::outbox::{Frames, Outbox};
use crate::protocol::Dialect;

/// Maximum number of pending queries of one client. Further ones are refused.
const QUERIES_MAX: usize = 32;
/// Maximum number of pending queries of one client that are searches or parts of a resume.
const HEAVY_QUERIES_MAX: usize = 2;
/// Capacity for the frames of one client that wait for an answer of the history (bytes). A client
/// with more is closed, and has to resume.
const PENDING_BYTES_MAX: usize = 512 * 1024;

/// A client as the fan-out sees it.
pub(crate) struct Subscriber {
    pub(super) dialect: Dialect,
    pub(super) address: IpAddr,
    /// When it connected.
    pub(super) since: SystemTime,
    pub(super) outbox: Arc<Outbox>,
    /// The client gets the frames of this turn, and nothing after them.
    pub(super) is_leaving: bool,
    /// Answers and frames that wait, in their order. The first is an answer.
    pending: VecDeque<Pending>,
    pending_bytes: usize,
}

enum Pending {
    Answer(PendingAnswer),
    Frames(Frames),
}

/// An answer of the history. It has not come, or waits for an earlier one.
struct PendingAnswer {
    number: u64,
    is_heavy: bool,
    frames: Option<Frames>,
}

impl Subscriber {
    pub(super) fn new(
        dialect: Dialect,
        address: IpAddr,
        since: SystemTime,
        outbox: Arc<Outbox>,
    ) -> Self {
        let pending = VecDeque::new();
        Self { dialect, address, since, outbox, is_leaving: false, pending, pending_bytes: 0 }
    }

    /// Sends frames, after those that are pending.
    pub(super) fn send(&mut self, frames: &Frames) {
        if self.pending.is_empty() {
            return self.outbox.push(frames);
        }
        self.pending_bytes += frames.len();
        if self.pending_bytes > PENDING_BYTES_MAX {
            return self.outbox.request_close(CloseReason::TooSlow);
        }
        self.pending.push_back(Pending::Frames(frames.clone()));
    }

    /// Returns whether the client may query the history once more.
    pub(super) fn may_query(&self, is_heavy: bool) -> bool {
        let heavy = self.pending_answers().filter(|answer| answer.is_heavy).count();
        self.pending_answers().count() < QUERIES_MAX && (!is_heavy || heavy < HEAVY_QUERIES_MAX)
    }

    fn pending_answers(&self) -> impl Iterator<Item = &PendingAnswer> {
        self.pending.iter().filter_map(|pending| match pending {
            Pending::Answer(answer) => Some(answer),
            Pending::Frames(_) => None,
        })
    }

    /// Makes all further frames wait for the answer of this number.
    pub(super) fn await_answer(&mut self, number: u64, is_heavy: bool) {
        let answer = PendingAnswer { number, is_heavy, frames: None };
        self.pending.push_back(Pending::Answer(answer));
    }

    /// Takes an answer. Sends it, and the frames that waited for it, if no earlier answer is pending.
    pub(super) fn complete(&mut self, number: u64, frames: &Frames) {
        for pending in &mut self.pending {
            match pending {
                Pending::Answer(answer) if answer.number == number => {
                    answer.frames = Some(frames.clone());
                }
                _ => {}
            }
        }
        loop {
            match self.pending.front() {
                Some(Pending::Answer(PendingAnswer { frames: Some(frames), .. })) => {
                    self.outbox.push(frames);
                }
                Some(Pending::Frames(frames)) => {
                    self.outbox.push(frames);
                    self.pending_bytes -= frames.len();
                }
                _ => return,
            }
            self.pending.pop_front();
        }
    }

    /// Ends the subscription. Pending frames are dropped: a client that got a message without the
    /// messages before it would resume after it, and never get them.
    pub(super) fn release(self, reason: Option<CloseReason>) {
        if let Some(reason) = reason {
            self.outbox.request_close(reason);
        }
        self.outbox.release();
    }
}
