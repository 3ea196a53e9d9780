//! What an embedder is told: the tutorial's open, message, close and error events.

use std::net::IpAddr;

use crossbeam_channel::{Receiver, Sender, bounded};

use crate::chat::{ClientId, Nickname, RoomName};

/// Something that happened to a client. Events come in the order in which the chat saw them: a
/// client's first is [`Event::Open`], its last [`Event::Close`]. A client is in no room before
/// [`Event::Joined`], which for a plain client follows at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A client has come in.
    Open {
        /// Who.
        client: ClientId,
        /// From where.
        address: IpAddr,
    },
    /// A client has come into a room.
    Joined {
        /// Who.
        client: ClientId,
        /// The nickname that it goes by.
        nickname: Nickname,
        /// The room that it is in now.
        room: RoomName,
    },
    /// A client said something to a room.
    Message {
        /// Who.
        client: ClientId,
        /// Its nickname.
        nickname: Nickname,
        /// The room that was told.
        room: RoomName,
        /// The number of the message in its room. The first is 1, and there are no holes.
        seq: u64,
        /// What was said, as it was broadcast: without characters that disturb.
        text: String,
    },
    /// Something went wrong with a client. [`Event::Close`] follows.
    Error {
        /// Who.
        client: ClientId,
        /// What went wrong, in a sentence.
        error: String,
    },
    /// A client is gone.
    Close {
        /// Who.
        client: ClientId,
        /// The close code (RFC 6455, section 7.4): the one that the client sent, or that it was
        /// sent; 1005 for a close frame without one, 1006 when there was no close frame at all.
        code: u16,
        /// The reason, in the words of the side that closed.
        reason: String,
    },
    /// The receiver was full, and so many events before this one were lost.
    Lost {
        /// How many.
        count: u64,
    },
}

/// An embedder's channel. When it is full, events are counted instead of sent: a slow embedder
/// never slows the chat.
#[derive(Debug)]
pub(crate) struct EventSink {
    events: Sender<Event>,
    lost: u64,
}

impl EventSink {
    pub(crate) fn new(capacity: usize) -> (Self, Receiver<Event>) {
        // Room for one event and the notice of the loss before it.
        let (events, receiver) = bounded(capacity.max(2));
        (Self { events, lost: 0 }, receiver)
    }

    /// False when nobody holds the receiver any more.
    pub(crate) fn send(&mut self, event: Event) -> bool {
        if self.lost > 0 && self.events.try_send(Event::Lost { count: self.lost }).is_ok() {
            self.lost = 0;
        }
        if self.lost > 0 {
            self.lost += 1;
            return true;
        }
        match self.events.try_send(event) {
            Ok(()) => true,
            Err(crossbeam_channel::TrySendError::Full(_)) => {
                self.lost = 1;
                true
            }
            Err(crossbeam_channel::TrySendError::Disconnected(_)) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(code: u16) -> Event {
        Event::Close { client: ClientId(1), code, reason: String::new() }
    }

    #[test]
    fn a_slow_embedder_learns_how_much_it_lost() {
        let (mut sink, events) = EventSink::new(2);
        for code in 1..=5 {
            assert!(sink.send(close(code)));
        }
        assert_eq!(events.try_iter().collect::<Vec<_>>(), [close(1), close(2)]);
        assert!(sink.send(close(6)));
        assert_eq!(events.try_iter().collect::<Vec<_>>(), [Event::Lost { count: 3 }, close(6)]);
    }

    #[test]
    fn an_embedder_that_left_is_forgotten() {
        let (mut sink, events) = EventSink::new(2);
        drop(events);
        assert!(!sink.send(close(1)));
    }
}
