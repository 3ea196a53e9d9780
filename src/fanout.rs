//! From deliveries to bytes: each notice is encoded once for each dialect, and pushed in runs.
//!
//! A room's notices of one turn make up a run of frames, which each member gets in a single push.
//! What is for one client alone has its place among them: the client first gets the part of the
//! run that stands before it, and at the end of the turn only the rest.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use crate::chat::{Chat, ClientId, Delivery, Notice, RoomName};
use crate::ending::Ending;
use crate::outbox::{Frames, Outbox};
use crate::protocol::json::{self, Host, Problem, Tags};
use crate::protocol::{Dialect, append_text_frame, plain};

/// A run of frames longer than this goes out before the turn is over (bytes). It bounds what one
/// client can be in the middle of.
const RUN_BYTES_MAX: usize = 64 * 1024;

/// Everybody's ears, and what is on its way to them.
pub(crate) struct Fanout {
    host: Host,
    ears: HashMap<ClientId, Ear>,
    /// Of this turn, for each room that there is anything for.
    runs: HashMap<RoomName, Run>,
}

/// Where a client hears.
struct Ear {
    dialect: Dialect,
    outbox: Arc<Outbox>,
}

#[derive(Default)]
struct Run {
    plain: Vec<u8>,
    json: Vec<u8>,
    /// How much of it, in their own dialect, some have had already, or are not to have.
    heard: HashMap<ClientId, usize>,
}

impl Run {
    fn frames(&self, dialect: Dialect) -> &[u8] {
        match dialect {
            Dialect::Plain => &self.plain,
            Dialect::Json => &self.json,
        }
    }

    fn is_long(&self) -> bool {
        self.plain.len().max(self.json.len()) >= RUN_BYTES_MAX
    }

    /// What a client has yet to hear, which it has heard then.
    fn rest(&mut self, client: ClientId, dialect: Dialect) -> &[u8] {
        let end = self.frames(dialect).len();
        if end == 0 {
            return &[];
        }
        let start = self.heard.insert(client, end).unwrap_or(0);
        &self.frames(dialect)[start..]
    }
}

impl Fanout {
    pub(crate) fn new(host: Host) -> Self {
        Self { host, ears: HashMap::new(), runs: HashMap::new() }
    }

    pub(crate) fn add(&mut self, client: ClientId, dialect: Dialect, outbox: Arc<Outbox>) {
        self.ears.insert(client, Ear { dialect, outbox });
    }

    /// Lets go of a client. What it said last comes back to it before its close frame does.
    pub(crate) fn remove(&mut self, client: ClientId, chat: &Chat) {
        self.catch_up(client, chat.rooms_of(client));
        if let Some(ear) = self.ears.remove(&client) {
            ear.outbox.release();
        }
    }

    /// Whether a client is listened to: not once it was replaced.
    pub(crate) fn has(&self, client: ClientId) -> bool {
        self.ears.contains_key(&client)
    }

    pub(crate) fn close_all(&self, ending: &Ending) {
        self.ears.values().for_each(|ear| ear.outbox.close(ending.clone()));
    }

    /// Carries out a delivery. A direct answer carries the tags of what it answers.
    pub(crate) fn deliver(&mut self, delivery: &Delivery, tags: &Tags, chat: &Chat) {
        match delivery {
            Delivery::Room { room, notice } => {
                let is_long = self.append(room, notice, chat);
                // Who arrives is among the listeners already, and has yet to enter.
                if is_long && !matches!(notice, Notice::Arrived { .. }) {
                    self.split(room, chat);
                }
            }
            Delivery::Others { room, but, notice } => {
                let others = chat.listeners(room).filter(|it| !it.is_plain && it.client != *but);
                let clients: Vec<_> = others.map(|listener| listener.client).collect();
                self.tell(&clients, &json::render(notice, &self.host), chat);
            }
            Delivery::Clients { clients, notice } if !clients.is_empty() => {
                self.tell(clients, &json::render(notice, &self.host), chat);
            }
            Delivery::Clients { .. } => {}
            Delivery::Reply { client, notice } => {
                self.tell(&[*client], &json::reply(notice, tags, &self.host), chat);
            }
            Delivery::Enters { client, room } => {
                if let (Some(run), Some(ear)) = (self.runs.get_mut(room), self.ears.get(client)) {
                    run.rest(*client, ear.dialect);
                }
                if self.runs.get(room).is_some_and(Run::is_long) {
                    self.split(room, chat);
                }
            }
            Delivery::Leaves { client, room } => self.catch_up(*client, [room]),
            Delivery::Replaced { client } => {
                if let Some(ear) = self.ears.remove(client) {
                    ear.outbox.close(Ending::Replaced);
                    ear.outbox.release();
                }
            }
        }
    }

    /// Answers what was no request.
    pub(crate) fn refuse(&mut self, client: ClientId, problem: &Problem, tags: &Tags, chat: &Chat) {
        self.tell(&[client], &json::problem(problem, tags), chat);
    }

    /// Pushes a frame as it is.
    pub(crate) fn push(&self, client: ClientId, frames: &Frames) {
        if let Some(ear) = self.ears.get(&client) {
            ear.outbox.push(frames);
        }
    }

    /// Hands every run to those who are to hear it.
    pub(crate) fn end_turn(&mut self, chat: &Chat) {
        for (room, run) in std::mem::take(&mut self.runs) {
            self.hand_out(&room, run, chat);
        }
    }

    /// Adds a notice to a room's run, and returns whether that has become long.
    fn append(&mut self, room: &RoomName, notice: &Notice, chat: &Chat) -> bool {
        let (plain_listens, json_listens) = chat.audience(room);
        if !plain_listens && !json_listens {
            return false;
        }
        let run = match self.runs.get_mut(room) {
            Some(run) => run,
            None => self.runs.entry(room.clone()).or_default(),
        };
        if plain_listens {
            plain::render(notice, &mut run.plain);
        }
        if json_listens {
            append_text_frame(&mut run.json, |text| json::write(notice, &self.host, text));
        }
        run.is_long()
    }

    /// A run that has become long goes out.
    fn split(&mut self, room: &RoomName, chat: &Chat) {
        if let Some(run) = self.runs.remove(room) {
            self.hand_out(room, run, chat);
        }
    }

    fn hand_out(&self, room: &RoomName, run: Run, chat: &Chat) {
        let Run { plain, json, heard } = run;
        let (plain, json): (Frames, Frames) = (plain.into(), json.into());
        for listener in chat.listeners(room) {
            let Some(ear) = self.ears.get(&listener.client) else { continue };
            let frames = if ear.dialect == Dialect::Plain { &plain } else { &json };
            match heard.get(&listener.client) {
                Some(heard) if *heard < frames.len() => ear.outbox.push(&frames[*heard..].into()),
                None if !frames.is_empty() => ear.outbox.push(frames),
                _ => {}
            }
        }
    }

    /// Something for these alone, in its place.
    fn tell(&mut self, clients: &[ClientId], text: &str, chat: &Chat) {
        let mut frame = Vec::new();
        append_text_frame(&mut frame, |it| it.extend_from_slice(text.as_bytes()));
        let frame = frame.into();
        for client in clients {
            self.catch_up(*client, chat.rooms_of(*client));
            self.push(*client, &frame);
        }
    }

    /// A client gets what it has yet to hear of the runs of these rooms.
    fn catch_up<'a>(&mut self, client: ClientId, rooms: impl IntoIterator<Item = &'a RoomName>) {
        let Some(ear) = self.ears.get(&client) else { return };
        for room in rooms {
            let Some(run) = self.runs.get_mut(room) else { continue };
            let rest = run.rest(client, ear.dialect);
            if !rest.is_empty() {
                ear.outbox.push(&rest.into());
            }
        }
    }
}

/// Nobody is left to wait for a broadcaster that has panicked. After an orderly end nobody is left
/// at all.
impl Drop for Fanout {
    fn drop(&mut self) {
        for ear in self.ears.values() {
            ear.outbox.close(Ending::Crashed);
            ear.outbox.release();
        }
    }
}
