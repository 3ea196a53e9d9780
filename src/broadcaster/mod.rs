//! The one thread that owns the chat.
//!
//! In one turn it takes everything that waits in its inbox and applies it to the chat. The
//! deliveries go to the [`Fanout`], which encodes each notice once, and sends the frames when the
//! turn ends. The busier the server is, the more messages share one turn and its cost.

pub(crate) mod bans;
pub(crate) mod calls;
pub(crate) mod close_reason;
pub(crate) mod event;
pub(crate) mod fanout;
pub(crate) mod handle;
pub(crate) mod history;
pub(crate) mod inbox;
pub(crate) mod outbox;
pub(crate) mod reading;
mod subscriber;

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rand::rngs::StdRng;

use crate::chat::{
    Chat, ClientId, Delivery, Level, Message, Network, Notice, Now, PAGES_PER_ANSWER, Quota, Rules,
    Text, Turn,
};
use crate::limits::Limits;
use crate::protocol::json::{ParsedRequest, RequestTags, ServerInfo};
use crate::protocol::{ECHOES, Handshake};
use close_reason::CloseReason;
use event::{Event, EventSink};
use fanout::Fanout;
use history::{HistoryWriter, OpenedHistory, RestoredRoom, random_epoch};
use inbox::{Arrival, ClientMessage, Input};
use subscriber::Subscriber;

/// Runs the loop of the broadcaster's thread, until [`Input::End`]. If it panics, it drops the inbox,
/// so that no thread waits to send into it. `sender` sends to the same inbox: the history
/// answers there.
#[expect(clippy::needless_pass_by_value, reason = "the inbox must be dropped with this loop")]
pub(crate) fn broadcast(
    inbox: Receiver<Input>,
    sender: Sender<Input>,
    limits: &Limits,
    quota: Quota,
    history: Option<OpenedHistory>,
) {
    let mut broadcaster = Broadcaster::new(limits, quota, history, sender);
    loop {
        let next = match broadcaster.next_tick() {
            Some(tick) => inbox.recv_deadline(tick),
            None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        broadcaster.begin_turn();
        let first = match next {
            Ok(first) => Some(first),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return,
        };
        // Input that arrives during the turn waits for the next one, so that a turn ends.
        let waiting = inbox.len();
        for input in first.into_iter().chain(inbox.try_iter().take(waiting)) {
            if matches!(input, Input::End) {
                // The last client may have left in this turn.
                return broadcaster.end_turn();
            }
            broadcaster.take(input);
        }
        broadcaster.end_turn();
        // Yield, so that connection threads queue more input and the next batch is larger.
        std::thread::yield_now();
    }
}

pub(crate) struct Broadcaster {
    chat: Chat,
    fanout: Fanout,
    writer: Option<Box<dyn HistoryWriter + Send>>,
    sinks: Vec<EventSink>,
    /// The message of the day.
    motd: Option<Text>,
    /// Number of messages in rooms so far.
    messages: u64,
    /// Events of this turn, for the sinks.
    events: Vec<Event>,
    random: StdRng,
    /// The time of this turn.
    now: Now,
    /// Deliveries of the current input. Empty between two inputs.
    deliveries: Vec<Delivery>,
    is_stopping: bool,
}

impl Broadcaster {
    fn new(
        limits: &Limits,
        quota: Quota,
        history: Option<OpenedHistory>,
        inbox: Sender<Input>,
    ) -> Self {
        let epoch = history.as_ref().map_or_else(random_epoch, |history| history.epoch.clone());
        let can_search = history.as_ref().is_some_and(|history| history.can_search);
        let server = ServerInfo::new(limits, &epoch, can_search);
        let mut chat = Chat::new(Rules {
            epoch,
            history: limits.history,
            has_archive: history.is_some(),
            grace: limits.grace,
            quota,
            text_bytes_max: limits.text_bytes_max,
            page_bytes_max: quota.answer_bytes_max / PAGES_PER_ANSWER,
        });
        let (mut writer, mut queue) = (None, None);
        if let Some(history) = history {
            chat.raise_floor(history.floor);
            for RestoredRoom { room, seq, messages } in history.rooms {
                chat.restore(room, seq, messages);
            }
            let now = now();
            for (session, nickname) in history.names {
                chat.hold_name(session, nickname, now);
            }
            (writer, queue) = (Some(history.writer), Some(history.queue));
        }
        Self {
            chat,
            fanout: Fanout::new(server, queue, inbox, limits.backlog_bytes_max),
            writer,
            sinks: Vec::new(),
            motd: None,
            messages: 0,
            events: Vec::new(),
            random: rand::make_rng(),
            now: now(),
            deliveries: Vec::new(),
            is_stopping: false,
        }
    }

    /// Returns when the next turn is due without any input.
    fn next_tick(&self) -> Option<Instant> {
        let writer = self.writer.as_ref().and_then(|writer| writer.next_tick());
        self.chat.next_tick().into_iter().chain(writer).min()
    }

    fn begin_turn(&mut self) {
        self.now = now();
        self.change_chat(Chat::tick);
        self.carry_out(None, &RequestTags::default());
    }

    /// Commits the messages of the turn to the history, and then sends them.
    fn end_turn(&mut self) {
        if let Some(writer) = &mut self.writer {
            let changes = self.chat.take_name_changes();
            if !changes.is_empty() {
                writer.take_names(changes);
            }
            if let Some((text, level)) = writer.end_turn(&self.chat, self.now.instant) {
                let text = text.into();
                let (clients, notice) =
                    (self.chat.with_sessions(), Notice::Announcement { text, level });
                let announcement = Delivery::Clients { clients, notice };
                self.fanout.deliver(&announcement, &RequestTags::default(), &self.chat);
            }
        }
        for event in self.events.drain(..) {
            self.sinks.retain_mut(|sink| sink.send(event.clone()));
        }
        self.fanout.end_turn(&self.chat);
    }

    fn end_turn_if_long(&mut self) {
        if self.fanout.is_long() {
            self.end_turn();
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Messages { client, messages } => {
                for message in messages {
                    self.take_message(client, message);
                    self.end_turn_if_long();
                }
            }
            Input::LookupDone { client, number, answer, gap_after } => {
                if let Some((room, after)) = gap_after {
                    self.chat.record_gap(client, &room, after);
                }
                self.fanout.complete_lookup(client, number, &answer);
            }
            Input::Connected(arrival) => self.connect(*arrival),
            Input::Disconnected { client, reason } => self.disconnect(client, &reason),
            Input::Call(call) => call(self),
            Input::Refused { address, status, reason } => {
                self.report(|| Event::Refused { address, status, reason });
            }
            Input::Probe(answer) => drop(answer.try_send(())),
            Input::Stop => {
                self.is_stopping = true;
                self.end_turn();
                self.fanout.close_all(&CloseReason::Stopping);
            }
            Input::End => {}
        }
        self.end_turn_if_long();
    }

    fn take_message(&mut self, client: ClientId, message: ClientMessage) {
        match message {
            ClientMessage::Text(text) => {
                self.change_chat(|chat, turn| chat.say(client, text, turn));
                self.carry_out(Some(client), &RequestTags::default());
            }
            ClientMessage::Request(request) => self.take_request(client, request),
            #[cfg(conformance)]
            ClientMessage::Echo(frames) => self.fanout.push(client, &frames),
        }
    }

    fn take_request(&mut self, client: ClientId, request: ParsedRequest) {
        let ParsedRequest { tags, command } = request;
        if !self.fanout.has(client) {
            // Another connection took over its session while this request was on its way.
            return;
        }
        match command {
            Ok(command) => {
                self.change_chat(|chat, turn| chat.apply(client, command, turn));
                self.carry_out(Some(client), &tags);
            }
            Err(error) => {
                let is_known = self.chat.nickname_of(client).is_some();
                self.fanout.refuse(client, &error.reported_to(is_known), &tags, &self.chat);
            }
        }
    }

    fn connect(&mut self, arrival: Arrival) {
        let Arrival { client, address, handshake, request, grant, outbox } = arrival;
        if self.is_stopping {
            outbox.request_close(CloseReason::Stopping);
            return outbox.release();
        }
        let dialect = handshake.dialect();
        let since = UNIX_EPOCH + Duration::from_millis(self.now.unix_ms);
        self.fanout.add(client, Subscriber::new(dialect, address, since, outbox.clone()));
        self.chat.connect(client, Network::of(address));
        if let Some(grant) = grant {
            self.chat.grant(client, *grant);
        }
        self.report(|| Event::Open { client, address, dialect, request });
        if let Handshake::Plain { room, wish } = handshake {
            match self.change_chat(|chat, turn| chat.enter(client, room, wish, turn)) {
                Ok(nickname) => log::debug!("conn-{} is {nickname}", client.0),
                Err(refused) => {
                    outbox.request_close(CloseReason::Refused { reason: refused.to_string() });
                }
            }
            self.carry_out(None, &RequestTags::default());
        }
    }

    fn disconnect(&mut self, client: ClientId, reason: &CloseReason) {
        self.fanout.remove(client, &self.chat);
        let leave_reason = reason.leave_reason();
        let nickname = self.change_chat(|chat, turn| chat.leave(client, leave_reason, turn));
        if self.is_stopping || ECHOES {
            // All clients are about to close, or get only their echoes.
            self.deliveries.clear();
        }
        self.carry_out(None, &RequestTags::default());
        let away = nickname.clone().filter(|it| !self.is_stopping && self.chat.is_away(it));
        if reason.is_error() {
            let error = || reason.reason().to_owned();
            self.report(|| Event::Error { client, nickname: nickname.clone(), error: error() });
        }
        let (code, text) = (reason.code(), || reason.reason().to_owned());
        self.report(|| Event::Close { client, nickname, code, reason: text() });
        if let Some(nickname) = away {
            self.report(|| Event::Away { client, nickname });
        }
    }

    /// Changes the chat. Its deliveries are for [`carry_out`](Self::carry_out).
    fn change_chat<T>(&mut self, change: impl FnOnce(&mut Chat, &mut Turn<'_>) -> T) -> T {
        let Self { chat, now, random, deliveries, .. } = self;
        change(chat, &mut Turn { now: *now, random, out: deliveries })
    }

    /// Carries out the deliveries of one input, in their order. `from` is the client that sent it.
    fn carry_out(&mut self, from: Option<ClientId>, tags: &RequestTags) {
        let mut deliveries = std::mem::take(&mut self.deliveries);
        for delivery in deliveries.drain(..) {
            if let Delivery::Room { notice: Notice::Message(message), .. } = &delivery {
                self.messages += 1;
                if let Some(writer) = &mut self.writer {
                    writer.take(message);
                }
            }
            self.report_delivery(&delivery, from);
            self.fanout.deliver(&delivery, tags, &self.chat);
            if self.motd.is_some() {
                self.greet(&delivery);
            }
        }
        self.deliveries = deliveries;
    }

    /// Sends the message of the day to a client that is welcomed.
    fn greet(&mut self, delivery: &Delivery) {
        if let (Some(motd), Delivery::Reply { client, notice: Notice::Welcome { .. } }) =
            (&self.motd, delivery)
        {
            let notice = Notice::Announcement { text: motd.clone().into(), level: Level::Info };
            let greeting = Delivery::Clients { clients: vec![*client], notice };
            self.fanout.deliver(&greeting, &RequestTags::default(), &self.chat);
        }
    }

    /// Reports a delivery if it is an event. `from` is the client that sent the input.
    fn report_delivery(&mut self, delivery: &Delivery, from: Option<ClientId>) {
        if self.sinks.is_empty() {
            return;
        }
        let event = match delivery {
            Delivery::Room { notice: Notice::Message(message), .. } => {
                from.map(|client| message_event(client, message))
            }
            Delivery::Room { notice: Notice::Left { room, nickname, reason }, .. } => {
                let (nickname, room) = (nickname.clone(), room.clone());
                Some(Event::Left { nickname, room, reason: *reason })
            }
            Delivery::Reply { client, notice: Notice::Welcome { nickname, resumed: true, .. } } => {
                Some(Event::Back { client: *client, nickname: nickname.clone() })
            }
            Delivery::Reply { client, notice: Notice::Private { from, to, text, .. } }
                if self.chat.is_of_embedder(to) =>
            {
                Some(Event::Private {
                    client: *client,
                    nickname: from.clone(),
                    to: to.clone(),
                    text: text.as_str().to_owned(),
                })
            }
            Delivery::Reply { client, notice: Notice::Renamed { from, to, .. } } => {
                Some(Event::Renamed { client: *client, from: from.clone(), to: to.clone() })
            }
            Delivery::Enters { client, room } => {
                let nickname = self.chat.nickname_of(*client).cloned();
                nickname.map(|nickname| Event::Joined {
                    client: *client,
                    nickname,
                    room: room.clone(),
                })
            }
            _ => None,
        };
        self.events.extend(event);
    }

    fn report(&mut self, event: impl FnOnce() -> Event) {
        if !self.sinks.is_empty() {
            self.events.push(event());
        }
    }
}

fn message_event(client: ClientId, message: &Message) -> Event {
    Event::Message {
        client,
        nickname: message.nickname.clone(),
        room: message.room.clone(),
        seq: message.seq,
        time: UNIX_EPOCH + Duration::from_millis(message.time),
        id: message.id.as_ref().map(|id| id.as_str().to_owned()),
        kind: message.kind,
        text: message.text.as_str().to_owned(),
    }
}

fn now() -> Now {
    let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Now { instant: Instant::now(), unix_ms: u64::try_from(unix.as_millis()).unwrap_or(u64::MAX) }
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::net::{Ipv4Addr, TcpListener, TcpStream};
    use std::sync::Arc;

    use http::HeaderMap;

    use super::event::Request;
    use super::outbox::Outbox;
    use super::*;
    use crate::net::socket::Transport;
    use crate::protocol::json::parse;

    fn broadcaster() -> Broadcaster {
        let (inbox, _) = crossbeam_channel::bounded(1);
        Broadcaster::new(&Limits::default(), Rules::simple().quota, None, inbox)
    }

    fn connect(broadcaster: &mut Broadcaster, client: ClientId) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far_end = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let transport = Transport::new(listener.accept().unwrap().0).unwrap();
        let outbox = Arc::new(Outbox::new(Arc::new(transport), 1024).unwrap());
        let address = Ipv4Addr::LOCALHOST.into();
        let request = Arc::new(Request::new("/".to_owned(), HeaderMap::new()));
        let (handshake, grant) = (Handshake::Json, None);
        let arrival = Arrival { client, address, handshake, request, grant, outbox };
        broadcaster.take(Input::Connected(Box::new(arrival)));
        far_end
    }

    fn request(broadcaster: &mut Broadcaster, client: ClientId, request: &str) {
        let messages = vec![ClientMessage::Request(parse(request, 100))];
        broadcaster.take(Input::Messages { client, messages });
    }

    #[test]
    fn requests_of_a_replaced_client_are_ignored() {
        let mut broadcaster = broadcaster();
        let [old, new] = [ClientId(1), ClientId(2)];
        let _far_ends = [old, new].map(|client| connect(&mut broadcaster, client));
        request(&mut broadcaster, old, r#"{"type":"hello","nick":"ana"}"#);
        let token = broadcaster.chat.tokens().next().unwrap();
        let take_over = format!(r#"{{"type":"hello","session":"{token}"}}"#);
        request(&mut broadcaster, new, &take_over);
        // The old client sent this before it was replaced.
        request(&mut broadcaster, old, &take_over);
        assert!(broadcaster.fanout.has(new) && !broadcaster.fanout.has(old));
        assert!(broadcaster.chat.nickname_of(new).is_some());
        broadcaster.take(Input::Disconnected { client: old, reason: CloseReason::Replaced });
        assert!(broadcaster.chat.nickname_of(new).is_some());
    }
}
