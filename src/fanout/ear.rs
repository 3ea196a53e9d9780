//! Where one client hears, and the place in line of what is being looked up for it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ending::Ending;
use crate::outbox::{Frames, Outbox};
use crate::protocol::Dialect;

/// The most lookups that are under way for one client. It is refused any more.
const PLACES_MAX: usize = 32;
/// The most bytes that wait for a lookup. A client of which more wait is cut: it is to come back,
/// rather than to have what others say kept for it here.
const HELD_BYTES_MAX: usize = 512 * 1024;

/// Where a client hears.
pub(super) struct Ear {
    pub(super) dialect: Dialect,
    pub(super) outbox: Arc<Outbox>,
    /// It hears the end of this turn, and nothing after it.
    pub(super) is_leaving: bool,
    /// In its order. Begins with a place, if there is anything.
    held: VecDeque<Held>,
    held_bytes: usize,
    places: usize,
}

enum Held {
    /// That of an answer which is being looked up.
    Place(u64),
    Frames(Frames),
}

impl Ear {
    pub(super) fn new(dialect: Dialect, outbox: Arc<Outbox>) -> Self {
        Self { dialect, outbox, is_leaving: false, held: VecDeque::new(), held_bytes: 0, places: 0 }
    }

    /// Sends the frames, in their place.
    pub(super) fn hear(&mut self, frames: &Frames) {
        if self.places == 0 {
            return self.outbox.push(frames);
        }
        self.held_bytes += frames.len();
        if self.held_bytes > HELD_BYTES_MAX {
            return self.outbox.close(Ending::TooSlow);
        }
        self.held.push_back(Held::Frames(frames.clone()));
    }

    /// Whether one more answer may be looked up.
    pub(super) fn has_place(&self) -> bool {
        self.places < PLACES_MAX
    }

    /// Holds a place for an answer.
    pub(super) fn hold_place(&mut self, number: u64) {
        self.held.push_back(Held::Place(number));
        self.places += 1;
    }

    /// The first answer that was held a place for, and what waited for it. Answers come in the
    /// order in which they were asked for.
    pub(super) fn found(&mut self, number: u64, answer: &Frames) {
        if !matches!(self.held.front(), Some(Held::Place(first)) if *first == number) {
            return;
        }
        self.held.pop_front();
        self.places -= 1;
        self.outbox.push(answer);
        while let Some(Held::Frames(frames)) = self.held.front() {
            self.outbox.push(frames);
            self.held_bytes -= frames.len();
            self.held.pop_front();
        }
    }

    /// The last word. What waited for a lookup goes out without it.
    pub(super) fn let_go(self, ending: Option<Ending>) {
        for held in self.held {
            if let Held::Frames(frames) = held {
                self.outbox.push(&frames);
            }
        }
        if let Some(ending) = ending {
            self.outbox.close(ending);
        }
        self.outbox.release();
    }
}
