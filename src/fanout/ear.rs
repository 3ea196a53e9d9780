//! Where one client hears, and the place in line of what is being looked up for it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::ending::Ending;
use crate::outbox::{Frames, Outbox};
use crate::protocol::Dialect;

/// The most lookups that are under way for one client. It is refused any more.
const PLACES_MAX: usize = 32;
/// Maximum number of them that are searches or parts of what the client missed.
const HEAVY_MAX: usize = 2;
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
}

enum Held {
    Place(Place),
    Frames(Frames),
}

/// That of an answer which is being looked up, or is there and not the first.
struct Place {
    number: u64,
    is_heavy: bool,
    answer: Option<Frames>,
}

impl Ear {
    pub(super) fn new(dialect: Dialect, outbox: Arc<Outbox>) -> Self {
        Self { dialect, outbox, is_leaving: false, held: VecDeque::new(), held_bytes: 0 }
    }

    /// Sends the frames, in their place.
    pub(super) fn hear(&mut self, frames: &Frames) {
        if self.held.is_empty() {
            return self.outbox.push(frames);
        }
        self.held_bytes += frames.len();
        if self.held_bytes > HELD_BYTES_MAX {
            return self.outbox.close(Ending::TooSlow);
        }
        self.held.push_back(Held::Frames(frames.clone()));
    }

    /// Whether one more answer may be looked up.
    pub(super) fn has_place(&self, is_heavy: bool) -> bool {
        let heavy = self.places().filter(|place| place.is_heavy).count();
        self.places().count() < PLACES_MAX && (!is_heavy || heavy < HEAVY_MAX)
    }

    fn places(&self) -> impl Iterator<Item = &Place> {
        self.held.iter().filter_map(|held| match held {
            Held::Place(place) => Some(place),
            Held::Frames(_) => None,
        })
    }

    /// Holds a place for an answer.
    pub(super) fn hold_place(&mut self, number: u64, is_heavy: bool) {
        self.held.push_back(Held::Place(Place { number, is_heavy, answer: None }));
    }

    /// An answer that a place is held for. It goes out once it is the first, and with it what
    /// waited for it.
    pub(super) fn found(&mut self, number: u64, answer: &Frames) {
        for held in &mut self.held {
            match held {
                Held::Place(place) if place.number == number => {
                    place.answer = Some(answer.clone());
                }
                _ => {}
            }
        }
        loop {
            match self.held.front() {
                Some(Held::Place(Place { answer: Some(answer), .. })) => self.outbox.push(answer),
                Some(Held::Frames(frames)) => {
                    self.outbox.push(frames);
                    self.held_bytes -= frames.len();
                }
                _ => return,
            }
            self.held.pop_front();
        }
    }

    /// The last word. What waited for a lookup is dropped with it: a client that got what comes
    /// after a message which it never had would go on from there, and miss that one for good.
    pub(super) fn let_go(self, ending: Option<Ending>) {
        if let Some(ending) = ending {
            self.outbox.close(ending);
        }
        self.outbox.release();
    }
}
