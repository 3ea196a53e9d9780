//! Makes frames from deliveries. Each notice is encoded once for each dialect, and sent in runs.
//!
//! The notices of a room in one turn make up a run of frames, which each listener gets at once. A
//! frame for one client alone keeps its place among them: the client first gets the part of the run
//! before it, and later only the rest. Frames of a turn are sent at its end, so that its messages are
//! committed to the history first.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use crossbeam_channel::Sender;
use rustc_hash::FxHashMap;

use super::close_reason::CloseReason;
use super::history::{ClientRecipient, HistoryQuery, HistoryQueue, Recipient, from_memory};
use super::inbox::Input;
use super::outbox::{Frames, Identity};
use super::subscriber::Subscriber;
use crate::chat::{Chat, ClientId, CommandError, Delivery, Lookup, Notice, RoomName};
use crate::protocol::json::{self, CommandInfo, RequestError, RequestTags, ServerInfo};
use crate::protocol::{Dialect, append_text_frame, plain, text_frame};

/// Length of a run at which the turn ends (bytes).
const RUN_BYTES_MAX: usize = 128 * 1024;
/// The turn also ends when its answers are as long as this number of full backlogs: 32 MiB, or less if
/// memory is short. When thousands of clients join a room at once, each of them is a notice for each
/// member.
const BACKLOGS_OF_ANSWERS: usize = 32;

/// The subscribers, and the frames of this turn that are on their way to them.
pub(crate) struct Fanout {
    server: Arc<ServerInfo>,
    subscribers: FxHashMap<ClientId, Subscriber>,
    /// The runs of this turn, by room.
    runs: HashMap<RoomName, Run>,
    /// Answers, notices and parts of runs for single clients. They are sent before the runs.
    answers: Vec<(ClientId, Answer)>,
    answers_bytes: usize,
    answers_bytes_max: usize,
    /// A run has reached [`RUN_BYTES_MAX`].
    is_long: bool,
    /// Number of messages that were sent to clients, each counted for each client.
    deliveries: u64,
    /// Bytes of all frames that were sent.
    bytes: u64,
    /// Connections need to know their users, for the hooks of an embedder.
    identifies: bool,
    /// `None`: there is no history.
    queue: Option<HistoryQueue>,
    queries_count: u64,
    /// The broadcaster's own inbox, to which the history sends its answers.
    inbox: Sender<Input>,
}

/// An action for one client at the end of the turn.
enum Answer {
    Frames(Frames),
    /// A query to the history, with its number. The frames after it wait for its answer.
    Query(u64, Box<HistoryQuery>),
    /// The end of the subscription, with the reason if the server closes the connection.
    Release(Option<CloseReason>),
}

#[derive(Default)]
struct Run {
    plain: Vec<u8>,
    json: Vec<u8>,
    /// Length of the part, in the client's dialect, that a client does not get with the run (bytes): it
    /// was sent that part before, or was not in the room yet.
    skipped: FxHashMap<ClientId, usize>,
}

impl Run {
    fn frames(&self, dialect: Dialect) -> &[u8] {
        match dialect {
            Dialect::Plain => &self.plain,
            Dialect::Json => &self.json,
        }
    }

    /// Returns the part that a client has not skipped, and marks all of it as skipped.
    fn rest(&mut self, client: ClientId, dialect: Dialect) -> &[u8] {
        let end = self.frames(dialect).len();
        if end == 0 {
            return &[];
        }
        let start = self.skipped.insert(client, end).unwrap_or(0);
        &self.frames(dialect)[start..]
    }
}

impl Fanout {
    pub(crate) fn new(
        server: ServerInfo,
        queue: Option<HistoryQueue>,
        inbox: Sender<Input>,
        backlog_bytes_max: usize,
    ) -> Self {
        Self {
            server: Arc::new(server),
            subscribers: FxHashMap::default(),
            runs: HashMap::new(),
            answers: Vec::new(),
            answers_bytes: 0,
            answers_bytes_max: backlog_bytes_max.saturating_mul(BACKLOGS_OF_ANSWERS),
            is_long: false,
            deliveries: 0,
            bytes: 0,
            identifies: false,
            queue,
            queries_count: 0,
            inbox,
        }
    }

    pub(crate) fn add(&mut self, client: ClientId, subscriber: Subscriber) {
        self.subscribers.insert(client, subscriber);
    }

    pub(crate) fn subscribers(&self) -> impl Iterator<Item = (ClientId, &Subscriber)> {
        self.subscribers.iter().map(|(client, subscriber)| (*client, subscriber))
    }

    /// Returns the numbers of deliveries and of bytes so far.
    pub(crate) fn sent(&self) -> (u64, u64) {
        (self.deliveries, self.bytes)
    }

    /// Sets the commands that `welcome` lists, and tells each connection of its user from now on.
    pub(crate) fn serve_hooks(&mut self, commands: Vec<CommandInfo>) {
        Arc::make_mut(&mut self.server).commands = commands;
        self.identifies = true;
    }

    /// Tells the connection of a client of its user.
    fn identify(&self, client: ClientId, plain_room: Option<&RoomName>, chat: &Chat) {
        if !self.identifies {
            return;
        }
        if let (Some(subscriber), Some(nickname)) =
            (self.subscribers.get(&client), chat.nickname_of(client).cloned())
        {
            let is_plain = subscriber.dialect == Dialect::Plain;
            let plain_room = plain_room.filter(|_| is_plain).cloned();
            subscriber.outbox.identify(Identity { nickname, plain_room });
        }
    }

    /// Removes a client at the end of the turn. It gets its own last messages before its close frame.
    pub(crate) fn remove(&mut self, client: ClientId, chat: &Chat) {
        self.send_rest(client, chat.rooms_of(client));
        self.release_later(client, None);
    }

    fn release_later(&mut self, client: ClientId, reason: Option<CloseReason>) {
        if let Some(subscriber) = self.subscribers.get_mut(&client) {
            subscriber.is_leaving = true;
            self.answers.push((client, Answer::Release(reason)));
        }
    }

    fn is_plain(&self, client: ClientId) -> bool {
        self.subscribers.get(&client).is_some_and(|it| it.dialect == Dialect::Plain)
    }

    /// Returns whether a client may still send requests: not after it was replaced.
    pub(crate) fn has(&self, client: ClientId) -> bool {
        self.subscribers.get(&client).is_some_and(|subscriber| !subscriber.is_leaving)
    }

    /// Returns whether the turn is to end before more input is taken.
    pub(crate) fn is_long(&self) -> bool {
        self.is_long || self.answers_bytes >= self.answers_bytes_max
    }

    pub(crate) fn close_all(&self, reason: &CloseReason) {
        self.subscribers.values().for_each(|it| it.outbox.request_close(reason.clone()));
    }

    /// Closes the connection of a client. Returns false if it is not connected.
    pub(crate) fn close(&self, client: ClientId, reason: CloseReason) -> bool {
        let subscriber = self.subscribers.get(&client).filter(|it| !it.is_leaving);
        subscriber.map(|it| it.outbox.request_close(reason)).is_some()
    }

    /// Prepares the frames of a delivery. A reply gets the tags of its request.
    pub(crate) fn deliver(&mut self, delivery: &Delivery, tags: &RequestTags, chat: &Chat) {
        match delivery {
            Delivery::Room { room, notice } => self.append(room, notice, chat),
            Delivery::Others { room, except, notice } => {
                let others = chat.listeners(room).filter(|it| !it.is_plain && it.client != *except);
                let clients: Vec<_> = others.map(|listener| listener.client).collect();
                self.send_to(&clients, &json::render(notice, &self.server), chat);
            }
            Delivery::Clients { clients, notice } => self.notify(clients, notice, chat),
            Delivery::Reply { client, notice } => {
                if let (Notice::Welcome { .. }, Some(subscriber)) =
                    (notice, self.subscribers.get(client))
                {
                    subscriber.outbox.welcome();
                }
                if matches!(notice, Notice::Welcome { .. } | Notice::Renamed { .. }) {
                    self.identify(*client, chat.rooms_of(*client).next(), chat);
                }
                // The embedder may have changed a plain client, which has asked for nothing.
                if !self.is_plain(*client) {
                    self.send_to(&[*client], &json::reply(notice, tags, &self.server), chat);
                }
            }
            Delivery::Lookup { client, lookup } => self.query(*client, lookup, tags, chat),
            Delivery::Enters { client, room } => {
                self.identify(*client, Some(room), chat);
                if let (Some(run), Some(subscriber)) =
                    (self.runs.get_mut(room), self.subscribers.get(client))
                {
                    // Messages from before it entered are not for it.
                    let _ = run.rest(*client, subscriber.dialect);
                }
            }
            Delivery::Leaves { client, room } => self.send_rest(*client, [room]),
            Delivery::Replaced { client } => {
                self.release_later(*client, Some(CloseReason::Replaced));
            }
        }
    }

    /// Sends a client the error for a request that is refused before it reaches the chat.
    pub(crate) fn refuse(
        &mut self,
        client: ClientId,
        error: &RequestError,
        tags: &RequestTags,
        chat: &Chat,
    ) {
        self.send_to(&[client], &json::error(error, tags), chat);
    }

    /// Sends frames to one client at the end of the turn.
    pub(crate) fn push(&mut self, client: ClientId, frames: &Frames) {
        self.answers_bytes += frames.len();
        self.bytes += frames.len() as u64;
        self.answers.push((client, Answer::Frames(frames.clone())));
    }

    /// Sends everything of this turn.
    pub(crate) fn end_turn(&mut self, chat: &Chat) {
        for (client, answer) in std::mem::take(&mut self.answers) {
            self.send_answer(client, answer);
        }
        for (room, run) in std::mem::take(&mut self.runs) {
            self.send_run(&room, run, chat);
        }
        self.answers_bytes = 0;
        self.is_long = false;
    }

    fn send_answer(&mut self, client: ClientId, answer: Answer) {
        match answer {
            Answer::Frames(frames) => {
                if let Some(subscriber) = self.subscribers.get_mut(&client) {
                    subscriber.send(&frames);
                }
            }
            Answer::Query(number, query) => self.pass_query(client, number, query),
            Answer::Release(reason) => {
                if let Some(subscriber) = self.subscribers.remove(&client) {
                    subscriber.release(reason);
                }
            }
        }
    }

    /// Prepares a query to the history, to be passed on at the end of the turn.
    fn query(&mut self, client: ClientId, lookup: &Lookup, tags: &RequestTags, chat: &Chat) {
        self.send_rest(client, chat.rooms_of(client));
        let Some(subscriber) = self.subscribers.get(&client) else { return };
        self.queries_count += 1;
        let number = self.queries_count;
        let recipient = Recipient::Client(ClientRecipient {
            client,
            number,
            tags: tags.clone(),
            server: self.server.clone(),
            outbox: Arc::downgrade(&subscriber.outbox),
            inbox: self.inbox.clone(),
        });
        let query = HistoryQuery { lookup: lookup.clone(), recipient };
        self.answers.push((client, Answer::Query(number, Box::new(query))));
    }

    /// Passes a query on, or answers it from memory if the history takes no more.
    fn pass_query(&mut self, client: ClientId, number: u64, query: Box<HistoryQuery>) {
        let Some(subscriber) = self.subscribers.get_mut(&client) else { return };
        let is_heavy = query.is_heavy();
        let query = match self.queue.as_ref().filter(|_| subscriber.may_query(is_heavy)) {
            Some(queue) => match queue.pass(query) {
                Ok(()) => return subscriber.await_answer(number, is_heavy),
                Err(query) => query,
            },
            None => query,
        };
        let HistoryQuery { lookup, recipient } = *query;
        if let Recipient::Client(client) = recipient {
            subscriber.send(&client.encode(&from_memory(lookup)));
        }
    }

    /// Answers a query of the embedder, or passes it on if the history is needed. The messages of
    /// this turn must have been committed.
    pub(crate) fn query_for_embedder(&self, lookup: Lookup, answer: Sender<Notice>) {
        let query = HistoryQuery { lookup, recipient: Recipient::Embedder(answer) };
        let Some(queue) = self.queue.as_ref().filter(|_| query.needs_history()) else {
            let notice = match query.lookup.clone() {
                Lookup::Read(read) => read.complete(std::iter::empty()),
                Lookup::Search(_) => Notice::Error(CommandError::NoHistory),
            };
            return query.answer(Some(notice));
        };
        if let Err(query) = queue.pass(Box::new(query)) {
            query.answer(None);
        }
    }

    /// Sends a client the answer of the history, and the frames that waited for it.
    pub(crate) fn complete_lookup(&mut self, client: ClientId, number: u64, answer: &Frames) {
        if let Some(subscriber) = self.subscribers.get_mut(&client) {
            subscriber.complete(number, answer);
        }
    }

    /// Appends a notice to the run of a room, and counts what its listeners get.
    fn append(&mut self, room: &RoomName, notice: &Notice, chat: &Chat) {
        let audience = chat.audience(room);
        let listeners = audience.plain + audience.json;
        if listeners == 0 {
            return;
        }
        let run = match self.runs.get_mut(room) {
            Some(run) => run,
            None => self.runs.entry(room.clone()).or_default(),
        };
        let before = (run.plain.len(), run.json.len());
        if audience.plain > 0 {
            plain::render(notice, &mut run.plain);
        }
        if audience.json > 0 {
            append_text_frame(&mut run.json, |text| json::write(notice, &self.server, text));
        }
        let (plain, json) = (run.plain.len() - before.0, run.json.len() - before.1);
        self.deliveries += if matches!(notice, Notice::Message(_)) { listeners as u64 } else { 0 };
        self.bytes += (plain * audience.plain + json * audience.json) as u64;
        self.is_long |= run.plain.len().max(run.json.len()) >= RUN_BYTES_MAX;
    }

    fn send_run(&mut self, room: &RoomName, run: Run, chat: &Chat) {
        let Run { plain, json, skipped } = run;
        let (plain, json): (Frames, Frames) = (plain.into(), json.into());
        for listener in chat.listeners(room) {
            let Some(subscriber) = self.subscribers.get_mut(&listener.client) else { continue };
            let frames = if subscriber.dialect == Dialect::Plain { &plain } else { &json };
            match skipped.get(&listener.client) {
                Some(start) if *start < frames.len() => subscriber.send(&frames[*start..].into()),
                None if !frames.is_empty() => subscriber.send(frames),
                _ => {}
            }
        }
    }

    /// Sends a notice to these clients alone. A plain client gets a private message of the embedder as
    /// a line, and no other notice.
    fn notify(&mut self, clients: &[ClientId], notice: &Notice, chat: &Chat) {
        let (plain, json): (Vec<_>, Vec<_>) =
            clients.iter().copied().partition(|client| self.is_plain(*client));
        if !json.is_empty() {
            self.send_to(&json, &json::render(notice, &self.server), chat);
        }
        let mut frames = Vec::new();
        if !plain.is_empty() {
            plain::render(notice, &mut frames);
        }
        if !frames.is_empty() {
            self.send_frames_to(&plain, &frames.into(), chat);
        }
    }

    /// Sends a text to these clients alone, in its place among the frames of their rooms.
    fn send_to(&mut self, clients: &[ClientId], text: &str, chat: &Chat) {
        self.send_frames_to(clients, &text_frame(text), chat);
    }

    fn send_frames_to(&mut self, clients: &[ClientId], frames: &Frames, chat: &Chat) {
        for client in clients {
            self.send_rest(*client, chat.rooms_of(*client));
            self.push(*client, frames);
        }
    }

    /// Sends a client the part of the runs of these rooms that it has not been sent.
    fn send_rest<'a>(&mut self, client: ClientId, rooms: impl IntoIterator<Item = &'a RoomName>) {
        let Some(subscriber) = self.subscribers.get(&client) else { return };
        for room in rooms {
            let Some(run) = self.runs.get_mut(room) else { continue };
            let rest = run.rest(client, subscriber.dialect);
            if !rest.is_empty() {
                self.answers_bytes += rest.len();
                self.answers.push((client, Answer::Frames(rest.into())));
            }
        }
    }
}

/// Closes the connections that are left. There are some only after a panic of the broadcaster, and
/// they would wait for ever.
impl Drop for Fanout {
    fn drop(&mut self) {
        for subscriber in self.subscribers.values() {
            subscriber.outbox.request_close(CloseReason::Crashed);
            subscriber.outbox.release();
        }
    }
}
