//! What the broadcaster asks of whoever keeps the history, and what it asks to be looked up there.

use std::sync::{Arc, Weak};
use std::time::Instant;

use crossbeam_channel::{Sender, TrySendError};

use crate::chat::{
    Chat, ClientId, Digest, Level, Lookup, Message, NameChange, Nickname, Notice, Refused, RoomName,
};
use crate::outbox::{Frames, Outbox};
use crate::protocol::json::{self, Host, Tags};
use crate::protocol::text_frame;

/// Capacity of the queue of readings, each with what is held of its answer. When it is full, a client
/// that joins a room gets what is held in memory, and any other is told to try again.
#[cfg(feature = "history")]
pub(crate) const READINGS_MAX: usize = 4096;
/// Capacity of the search queue. A hostile query can take a few tenths of a second. When the queue is
/// full, the client is told to try again.
#[cfg(feature = "history")]
pub(crate) const SEARCHES_MAX: usize = 16;

/// A history that is kept, and taken up again.
pub(crate) struct Kept {
    /// The name of this history.
    pub(crate) epoch: String,
    /// The rooms, those that were used last in the end.
    pub(crate) rooms: Vec<Recalled>,
    /// The largest number that any other room has used.
    pub(crate) floor: u64,
    /// The nicknames of sessions, which are held for them for a while.
    pub(crate) names: Vec<(Digest, Nickname)>,
    pub(crate) keeper: Box<dyn Keep + Send>,
    pub(crate) lookups: Lookups,
}

/// To those who look something up.
pub(crate) struct Lookups {
    pub(crate) readings: Sender<Box<Job>>,
    pub(crate) searches: Sender<Box<Job>>,
}

impl Lookups {
    /// Passes a job on, or gives it back if too many wait.
    pub(crate) fn pass(&self, job: Box<Job>) -> Result<(), Box<Job>> {
        let to = if job.is_search() { &self.searches } else { &self.readings };
        to.try_send(job).map_err(TrySendError::into_inner)
    }
}

/// A room as an earlier run of the server left it.
#[derive(Debug)]
pub(crate) struct Recalled {
    pub(crate) room: RoomName,
    pub(crate) seq: u64,
    /// The newest messages.
    pub(crate) messages: Vec<Arc<Message>>,
}

/// Keeps what is said. It is the broadcaster's own, and must not make it wait for long.
pub(crate) trait Keep {
    /// Takes a message of this turn.
    fn take(&mut self, message: &Arc<Message>);

    /// Takes what changed in this turn of the nicknames of sessions.
    fn take_names(&mut self, changes: Vec<NameChange>);

    /// Keeps what was taken in this turn, before anybody is sent it, and does whatever else is due.
    /// Returns what people are to be told: that what they say is kept no longer, or is again.
    fn end_turn(&mut self, chat: &Chat, now: Instant) -> Option<(&'static str, Level)>;

    /// When there is something to do next, without anything being said.
    fn next_tick(&self) -> Option<Instant>;
}

/// Something to be looked up for a client.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) client: ClientId,
    /// By which the client's place for the answer is known.
    pub(crate) number: u64,
    pub(crate) tags: Tags,
    pub(crate) lookup: Lookup,
    /// Gone when the client is: nothing needs to be looked up then.
    #[cfg_attr(not(feature = "history"), expect(dead_code, reason = "only a kept history has it"))]
    pub(crate) outbox: Weak<Outbox>,
}

impl Job {
    pub(crate) fn is_search(&self) -> bool {
        matches!(self.lookup, Lookup::Search(_))
    }

    /// Whether the answer may be large or take long, so that few are under way for one client.
    pub(crate) fn is_heavy(&self) -> bool {
        match &self.lookup {
            Lookup::Search(_) => true,
            Lookup::Reading(reading) => reading.part_after().is_some(),
        }
    }

    /// The answer when nothing can be looked up: with what is held.
    pub(crate) fn without_looking(self, host: &Host) -> Frames {
        let notice = match self.lookup {
            Lookup::Reading(reading) if reading.is_of_use_alone() => {
                reading.complete(std::iter::empty())
            }
            _ => Notice::Refused(Refused::CannotRead),
        };
        text_frame(&json::reply(&notice, &self.tags, host))
    }
}
