//! From deliveries to bytes: each notice is encoded once for each dialect, and pushed in runs.
//!
//! A room's notices of one turn make up a run of frames, which each member gets in a single push.
//! What is for one client alone has its place among them: the client first gets the part of the
//! run that stands before it, and then only the rest. Nothing is pushed before the turn ends, so
//! that what was said can be kept before anybody has it.

mod ear;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;

use crate::chat::{Chat, ClientId, Delivery, Notice, RoomName};
use crate::ending::Ending;
use crate::keep::{Job, Lookups};
use crate::outbox::{Frames, Outbox};
use crate::protocol::json::{self, Host, Problem, Tags};
use crate::protocol::{Dialect, append_text_frame, plain, text_frame};
use ear::Ear;

/// The turn is over when a run of frames is longer than this (bytes). It bounds what one client
/// can be in the middle of.
const RUN_BYTES_MAX: usize = 128 * 1024;
/// The turn is over, too, when the answers in it have the bytes of 32 full backlogs: 32 MiB, or less
/// where memory is short. When thousands come into a room at once, each turn tells
/// everybody there of all who came in it.
const BACKLOGS_OF_ANSWERS: usize = 32;

/// Everybody's ears, and what is on its way to them.
pub(crate) struct Fanout {
    host: Host,
    ears: FxHashMap<ClientId, Ear>,
    /// Of this turn, for each room that there is anything for.
    runs: HashMap<RoomName, Run>,
    /// What is for one client alone, and goes out before the rest of the runs.
    answers: Vec<(ClientId, Answer)>,
    answers_bytes: usize,
    answers_bytes_max: usize,
    /// The turn has become long.
    is_long: bool,
    /// To whoever can look up what the chat does not hold.
    lookups: Option<Lookups>,
    lookups_count: u64,
}

/// What one client gets at the end of the turn.
enum Answer {
    Frames(Frames),
    /// To be looked up. What comes behind it waits.
    Job(Box<Job>),
    /// To be let go of, after it was told why if there is anything to tell.
    Goodbye(Option<Ending>),
}

#[derive(Default)]
struct Run {
    plain: Vec<u8>,
    json: Vec<u8>,
    /// How much of it, in their own dialect, some have had already, or are not to have.
    heard: FxHashMap<ClientId, usize>,
}

impl Run {
    fn frames(&self, dialect: Dialect) -> &[u8] {
        match dialect {
            Dialect::Plain => &self.plain,
            Dialect::Json => &self.json,
        }
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
    pub(crate) fn new(host: Host, lookups: Option<Lookups>, backlog_bytes_max: usize) -> Self {
        Self {
            host,
            ears: FxHashMap::default(),
            runs: HashMap::new(),
            answers: Vec::new(),
            answers_bytes: 0,
            answers_bytes_max: backlog_bytes_max.saturating_mul(BACKLOGS_OF_ANSWERS),
            is_long: false,
            lookups,
            lookups_count: 0,
        }
    }

    pub(crate) fn add(&mut self, client: ClientId, dialect: Dialect, outbox: Arc<Outbox>) {
        self.ears.insert(client, Ear::new(dialect, outbox));
    }

    /// Lets go of a client. What it said last comes back to it before its close frame does.
    pub(crate) fn remove(&mut self, client: ClientId, chat: &Chat) {
        self.catch_up(client, chat.rooms_of(client));
        self.let_go(client, None);
    }

    fn let_go(&mut self, client: ClientId, ending: Option<Ending>) {
        if let Some(ear) = self.ears.get_mut(&client) {
            ear.is_leaving = true;
            self.answers.push((client, Answer::Goodbye(ending)));
        }
    }

    /// Whether a client is listened to: not once it was replaced.
    pub(crate) fn has(&self, client: ClientId) -> bool {
        self.ears.get(&client).is_some_and(|ear| !ear.is_leaving)
    }

    /// Whether the turn is to end before more is taken.
    pub(crate) fn is_long(&self) -> bool {
        self.is_long || self.answers_bytes >= self.answers_bytes_max
    }

    pub(crate) fn close_all(&self, ending: &Ending) {
        self.ears.values().for_each(|ear| ear.outbox.close(ending.clone()));
    }

    /// Carries out a delivery. A direct answer carries the tags of what it answers.
    pub(crate) fn deliver(&mut self, delivery: &Delivery, tags: &Tags, chat: &Chat) {
        match delivery {
            Delivery::Room { room, notice } => self.append(room, notice, chat),
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
                if let (Notice::Welcome { .. }, Some(ear)) = (notice, self.ears.get(client)) {
                    ear.outbox.welcome();
                }
                self.tell(&[*client], &json::reply(notice, tags, &self.host), chat);
            }
            Delivery::Lookup { client, lookup } => {
                self.catch_up(*client, chat.rooms_of(*client));
                let Some(ear) = self.ears.get(client) else { return };
                self.lookups_count += 1;
                let (number, outbox) = (self.lookups_count, Arc::downgrade(&ear.outbox));
                let (client, tags, lookup) = (*client, tags.clone(), lookup.clone());
                let job = Job { client, number, tags, lookup, outbox };
                self.answers.push((client, Answer::Job(Box::new(job))));
            }
            Delivery::Enters { client, room } => {
                if let (Some(run), Some(ear)) = (self.runs.get_mut(room), self.ears.get(client)) {
                    run.rest(*client, ear.dialect);
                }
            }
            Delivery::Leaves { client, room } => self.catch_up(*client, [room]),
            Delivery::Replaced { client } => self.let_go(*client, Some(Ending::Replaced)),
        }
    }

    /// Answers what was no request.
    pub(crate) fn refuse(&mut self, client: ClientId, problem: &Problem, tags: &Tags, chat: &Chat) {
        self.tell(&[client], &json::problem(problem, tags), chat);
    }

    /// Answers with frames as they are.
    pub(crate) fn push(&mut self, client: ClientId, frames: &Frames) {
        self.answers_bytes += frames.len();
        self.answers.push((client, Answer::Frames(frames.clone())));
    }

    /// Hands everything to those who are to hear it.
    pub(crate) fn end_turn(&mut self, chat: &Chat) {
        for (client, answer) in std::mem::take(&mut self.answers) {
            self.give(client, answer);
        }
        for (room, run) in std::mem::take(&mut self.runs) {
            self.hand_out(&room, run, chat);
        }
        self.answers_bytes = 0;
        self.is_long = false;
    }

    fn give(&mut self, client: ClientId, answer: Answer) {
        match answer {
            Answer::Frames(frames) => {
                if let Some(ear) = self.ears.get_mut(&client) {
                    ear.hear(&frames);
                }
            }
            Answer::Job(job) => self.look_up(job),
            Answer::Goodbye(ending) => {
                if let Some(ear) = self.ears.remove(&client) {
                    ear.let_go(ending);
                }
            }
        }
    }

    /// Has something looked up, and holds its place. Where that cannot be, there is an answer, too.
    fn look_up(&mut self, job: Box<Job>) {
        let Some(ear) = self.ears.get_mut(&job.client) else { return };
        let (number, is_heavy) = (job.number, job.is_heavy());
        let job = match self.lookups.as_ref().filter(|_| ear.has_place(is_heavy)) {
            Some(lookups) => match lookups.pass(job) {
                Ok(()) => return ear.hold_place(number, is_heavy),
                Err(job) => job,
            },
            None => job,
        };
        ear.hear(&job.without_looking(&self.host));
    }

    /// A client gets what was looked up for it, and what had to wait for that.
    pub(crate) fn found(&mut self, client: ClientId, number: u64, answer: &Frames) {
        if let Some(ear) = self.ears.get_mut(&client) {
            ear.found(number, answer);
        }
    }

    /// Adds a notice to a room's run.
    fn append(&mut self, room: &RoomName, notice: &Notice, chat: &Chat) {
        let (plain_listens, json_listens) = chat.audience(room);
        if !plain_listens && !json_listens {
            return;
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
        self.is_long |= run.plain.len().max(run.json.len()) >= RUN_BYTES_MAX;
    }

    fn hand_out(&mut self, room: &RoomName, run: Run, chat: &Chat) {
        let Run { plain, json, heard } = run;
        let (plain, json): (Frames, Frames) = (plain.into(), json.into());
        for listener in chat.listeners(room) {
            let Some(ear) = self.ears.get_mut(&listener.client) else { continue };
            let frames = if ear.dialect == Dialect::Plain { &plain } else { &json };
            match heard.get(&listener.client) {
                Some(heard) if *heard < frames.len() => ear.hear(&frames[*heard..].into()),
                None if !frames.is_empty() => ear.hear(frames),
                _ => {}
            }
        }
    }

    /// Something for these alone, in its place.
    fn tell(&mut self, clients: &[ClientId], text: &str, chat: &Chat) {
        let frame = text_frame(text);
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
                self.answers_bytes += rest.len();
                self.answers.push((client, Answer::Frames(rest.into())));
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
