//! The one thread that owns the chat.
//!
//! In one turn it takes everything that waits in its inbox, applies it to the chat, and encodes
//! what follows into one run of frames for each room. Then each member gets that run in a single
//! push. The busier the server, the longer the runs: the cost of a turn is spread over more and
//! more messages. A change of membership ends the run before it, so that a newcomer gets nothing
//! from before its time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use crossbeam_channel::Receiver;
use rand::rngs::StdRng;

use crate::chat::{Chat, ClientId, Delivery, Nickname, Notice, RoomName, Text};
use crate::ending::Ending;
use crate::event::{Event, Watcher};
use crate::outbox::{Frames, Outbox};
use crate::protocol::{ECHOES, plain};

/// The inbox holds so many inputs. Full: a connection's thread waits with the next, and so reads
/// its client no further.
pub(crate) const INBOX_MAX: usize = 4096;
/// A run of frames longer than this goes out before the turn is over (bytes). It bounds what one
/// client can be in the middle of.
const RUN_BYTES_MAX: usize = 64 * 1024;

/// What the broadcaster is sent.
pub(crate) enum Input {
    /// A client has come in.
    Arrived(Box<Arrival>),
    /// A client said something.
    Said { client: ClientId, text: Text },
    /// A client's message, to come back to it alone; sent in the build for the conformance suite.
    Echoed { client: ClientId, frames: Frames },
    /// A client is gone. Its connection says so exactly once.
    Left { client: ClientId, ending: Ending },
    /// The embedder said something.
    Announced { room: RoomName, nickname: Nickname, text: Text },
    /// The embedder wants to be told of events.
    Watched(Watcher),
    /// Everybody is to be sent home, and nobody let in.
    Stop,
    /// Every connection has ended.
    End,
}

/// A client that has come in.
pub(crate) struct Arrival {
    pub(crate) client: ClientId,
    pub(crate) address: IpAddr,
    pub(crate) room: RoomName,
    pub(crate) wish: Option<Nickname>,
    pub(crate) outbox: Arc<Outbox>,
}

/// The loop of the broadcaster's thread. It ends with [`Input::End`]. Should it panic, the inbox
/// is gone with it, so that nobody waits for room in it.
#[expect(clippy::needless_pass_by_value, reason = "it is to be dropped with this loop")]
pub(crate) fn broadcast(inbox: Receiver<Input>) {
    let mut broadcaster = Broadcaster {
        chat: Chat::default(),
        outboxes: HashMap::new(),
        runs: HashMap::new(),
        watchers: Vec::new(),
        random: rand::make_rng(),
        stopping: false,
    };
    while let Ok(first) = inbox.recv() {
        // What arrives during the turn waits for the next: a turn ends.
        let waiting = inbox.len();
        for input in std::iter::once(first).chain(inbox.try_iter().take(waiting)) {
            if matches!(input, Input::End) {
                return;
            }
            broadcaster.take(input);
        }
        broadcaster.end_turn();
    }
}

struct Broadcaster {
    chat: Chat,
    outboxes: HashMap<ClientId, Arc<Outbox>>,
    /// The frames of this turn, for each room that there are any for.
    runs: HashMap<RoomName, Vec<u8>>,
    watchers: Vec<Watcher>,
    random: StdRng,
    stopping: bool,
}

/// Nobody is left to wait for a broadcaster that has panicked. After an orderly end nobody is left
/// at all.
impl Drop for Broadcaster {
    fn drop(&mut self) {
        for outbox in self.outboxes.values() {
            outbox.close(Ending::Crashed);
            outbox.release();
        }
    }
}

impl Broadcaster {
    fn take(&mut self, input: Input) {
        match input {
            Input::Said { client, text } => {
                if let Some(delivery) = self.chat.say(client, text) {
                    self.tell_of_message(client, &delivery);
                    self.deliver(&delivery);
                }
            }
            Input::Echoed { client, frames } => {
                if let Some(outbox) = self.outboxes.get(&client) {
                    outbox.push(&frames);
                }
            }
            Input::Arrived(arrival) => self.enter(*arrival),
            Input::Left { client, ending } => self.leave(client, &ending),
            Input::Announced { room, nickname, text } => {
                self.deliver(&Delivery { room, notice: Notice::Message { nickname, text } });
            }
            Input::Watched(watcher) => self.watchers.push(watcher),
            Input::Stop => {
                self.stopping = true;
                self.end_turn();
                self.outboxes.values().for_each(|outbox| outbox.close(Ending::Stopping));
            }
            Input::End => {}
        }
    }

    fn enter(&mut self, arrival: Arrival) {
        let Arrival { client, address, room, wish, outbox } = arrival;
        if self.stopping {
            outbox.close(Ending::Stopping);
            return outbox.release();
        }
        self.flush(&room);
        self.outboxes.insert(client, outbox);
        let nickname = self.chat.enter(client, room.clone(), wish, &mut self.random);
        log::debug!("conn-{} is {nickname} in {room}", client.0);
        self.tell(|| Event::Open {
            client,
            address,
            nickname: nickname.clone(),
            room: room.clone(),
        });
    }

    fn leave(&mut self, client: ClientId, ending: &Ending) {
        // What it said last comes back to it before its close frame does.
        if let Some(room) = self.chat.room_of(client).cloned() {
            self.flush(&room);
        }
        if let Some(outbox) = self.outboxes.remove(&client) {
            outbox.release();
        }
        let Some(delivery) = self.chat.leave(client) else { return };
        if ending.is_error() {
            self.tell(|| Event::Error { client, error: ending.reason().to_owned() });
        }
        let reason = || ending.reason().to_owned();
        self.tell(|| Event::Close { client, code: ending.code(), reason: reason() });
        // Nobody is there to hear it, or is to hear anything but its own echo.
        if !self.stopping && !ECHOES {
            self.deliver(&delivery);
        }
    }

    /// Appends a notice to the run of its room.
    fn deliver(&mut self, delivery: &Delivery) {
        let run = match self.runs.get_mut(&delivery.room) {
            Some(run) => run,
            None => self.runs.entry(delivery.room.clone()).or_default(),
        };
        plain::render(&delivery.notice, run);
        if run.len() >= RUN_BYTES_MAX {
            self.flush(&delivery.room);
        }
    }

    /// Hands the run of a room to each member.
    fn flush(&mut self, room: &RoomName) {
        if let Some(run) = self.runs.remove(room) {
            self.push(room, run);
        }
    }

    fn end_turn(&mut self) {
        for (room, run) in std::mem::take(&mut self.runs) {
            self.push(&room, run);
        }
    }

    fn push(&self, room: &RoomName, run: Vec<u8>) {
        let frames = run.into();
        for client in self.chat.members(room) {
            if let Some(outbox) = self.outboxes.get(&client) {
                outbox.push(&frames);
            }
        }
    }

    fn tell_of_message(&mut self, client: ClientId, delivery: &Delivery) {
        let Delivery { room, notice } = delivery;
        if let Notice::Message { nickname, text } = notice {
            self.tell(|| Event::Message {
                client,
                nickname: nickname.clone(),
                room: room.clone(),
                text: text.as_str().to_owned(),
            });
        }
    }

    fn tell(&mut self, event: impl Fn() -> Event) {
        self.watchers.retain_mut(|watcher| watcher.tell(event()));
    }
}
