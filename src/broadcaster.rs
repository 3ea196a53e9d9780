//! The one thread that owns the chat.
//!
//! In one turn it takes everything that waits in its inbox and applies it to the chat; what
//! follows goes to the [`Fanout`], which encodes it once and pushes it when the turn is over. The
//! busier the server, the more is in one push: the cost of a turn is spread over more and more
//! messages.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use rand::rngs::StdRng;

use crate::chat::{
    Chat, ClientId, Delivery, Listing, Message, Network, Nickname, NicknameTaken, Notice, Now,
    PAGES_PER_ANSWER, Quota, RoomName, Rules, Text,
};
use crate::config::Limits;
use crate::ending::Ending;
use crate::event::{Event, Watcher};
use crate::fanout::Fanout;
use crate::keep::{Keep, Kept, Recalled};
use crate::outbox::{Frames, Outbox};
use crate::protocol::json::{Asked, Tags};
use crate::protocol::{ECHOES, Entry};

/// The inbox holds so many inputs. Full: a connection's thread waits with the next, and so reads
/// its client no further.
pub(crate) const INBOX_MAX: usize = 1024;

/// What the broadcaster is sent.
pub(crate) enum Input {
    /// A client has come in.
    Arrived(Box<Arrival>),
    /// What was read of a client at once, in its order.
    Heard { client: ClientId, words: Vec<Word> },
    /// What was looked up for a client.
    #[cfg_attr(not(feature = "history"), expect(dead_code, reason = "only a kept history has it"))]
    Found {
        client: ClientId,
        number: u64,
        answer: Frames,
        /// There is nothing in it of what the client has missed in a room behind a message.
        barren: Option<(RoomName, u64)>,
    },
    /// A client is gone. Its connection says so exactly once.
    Left { client: ClientId, ending: Ending },
    /// The embedder says something.
    Announced {
        room: RoomName,
        nickname: Nickname,
        text: Text,
        answer: Sender<Result<(), NicknameTaken>>,
    },
    /// The embedder wants a nickname for itself.
    Reserved { nickname: Nickname, answer: Sender<Result<(), NicknameTaken>> },
    /// The embedder wants to be told of events.
    Watched(Watcher),
    /// The embedder wants to know which rooms there are, and who is in them.
    Listed(Sender<Vec<(Listing, Vec<Nickname>)>>),
    /// The door wants to know whether turns are taken.
    Probed(Sender<()>),
    /// Everybody is to be sent home, and nobody let in.
    Stop,
    /// Every connection has ended.
    End,
}

/// One message of a client.
pub(crate) enum Word {
    /// A plain client said something.
    Said(Text),
    /// A client of the JSON dialect asks for something.
    Asked(Asked),
    /// To come back to the client alone; sent in the build for the conformance suite.
    Echoed(Frames),
}

/// A client that has come in.
pub(crate) struct Arrival {
    pub(crate) client: ClientId,
    pub(crate) address: IpAddr,
    pub(crate) entry: Entry,
    pub(crate) outbox: Arc<Outbox>,
}

/// The loop of the broadcaster's thread. It ends with [`Input::End`]. Should it panic, the inbox
/// is gone with it, so that nobody waits for room in it.
#[expect(clippy::needless_pass_by_value, reason = "it is to be dropped with this loop")]
pub(crate) fn broadcast(inbox: Receiver<Input>, limits: &Limits, quota: Quota, kept: Option<Kept>) {
    let mut broadcaster = Broadcaster::new(limits, quota, kept);
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
        // What arrives during the turn waits for the next: a turn ends.
        let waiting = inbox.len();
        for input in first.into_iter().chain(inbox.try_iter().take(waiting)) {
            if matches!(input, Input::End) {
                // The last to leave may be of this turn.
                return broadcaster.end_turn();
            }
            broadcaster.take(input);
        }
        broadcaster.end_turn();
        // Whoever has something for the inbox, and waits for this core, comes first: then more of it
        // is in the next turn.
        std::thread::yield_now();
    }
}

struct Broadcaster {
    chat: Chat,
    fanout: Fanout,
    keeper: Option<Box<dyn Keep + Send>>,
    watchers: Vec<Watcher>,
    /// What they are told when the turn is over.
    events: Vec<Event>,
    random: StdRng,
    /// The time of this turn.
    now: Now,
    /// What follows from the input that is being taken; empty in between.
    deliveries: Vec<Delivery>,
    stopping: bool,
}

impl Broadcaster {
    fn new(limits: &Limits, quota: Quota, kept: Option<Kept>) -> Self {
        let fresh = || format!("{:016x}", rand::random::<u64>());
        let epoch = kept.as_ref().map_or_else(fresh, |kept| kept.epoch.clone());
        let host = limits.host(&epoch, kept.is_some());
        let mut chat = Chat::new(Rules {
            epoch,
            history: limits.history,
            has_archive: kept.is_some(),
            grace: limits.grace,
            quota,
            text_bytes_max: limits.text_bytes_max,
            page_bytes_max: quota.answer_bytes_max / PAGES_PER_ANSWER,
        });
        let (mut keeper, mut lookups) = (None, None);
        if let Some(kept) = kept {
            chat.count_on_from(kept.floor);
            for Recalled { room, seq, messages } in kept.rooms {
                chat.recall(room, seq, messages);
            }
            let now = now();
            for (session, nickname) in kept.names {
                chat.hold_name(session, nickname, now);
            }
            (keeper, lookups) = (Some(kept.keeper), Some(kept.lookups));
        }
        Self {
            chat,
            fanout: Fanout::new(host, lookups, limits.backlog_bytes_max),
            keeper,
            watchers: Vec::new(),
            events: Vec::new(),
            random: rand::make_rng(),
            now: now(),
            deliveries: Vec::new(),
            stopping: false,
        }
    }

    /// When there is something to do without any input.
    fn next_tick(&self) -> Option<Instant> {
        let keeper = self.keeper.as_ref().and_then(|keeper| keeper.next_tick());
        self.chat.next_tick().into_iter().chain(keeper).min()
    }

    fn begin_turn(&mut self) {
        self.now = now();
        self.chat.tick(self.now, &mut self.deliveries);
        self.carry_out(&Tags::default());
    }

    /// Everybody gets what the turn has brought, once it is kept.
    fn end_turn(&mut self) {
        if let Some(keeper) = &mut self.keeper {
            let changes = self.chat.take_name_changes();
            if !changes.is_empty() {
                keeper.take_names(changes);
            }
            if let Some((text, level)) = keeper.end_turn(&self.chat, self.now.instant) {
                let (clients, notice) = (self.chat.with_sessions(), Notice::Word { text, level });
                let word = Delivery::Clients { clients, notice };
                self.fanout.deliver(&word, &Tags::default(), &self.chat);
            }
        }
        for event in self.events.drain(..) {
            self.watchers.retain_mut(|watcher| watcher.tell(event.clone()));
        }
        self.fanout.end_turn(&self.chat);
    }

    fn end_long_turn(&mut self) {
        if self.fanout.is_long() {
            self.end_turn();
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Heard { client, words } => {
                for word in words {
                    self.hear(client, word);
                    self.end_long_turn();
                }
            }
            Input::Found { client, number, answer, barren } => {
                if let Some((room, after)) = barren {
                    self.chat.note_barren(client, &room, after);
                }
                self.fanout.found(client, number, &answer);
            }
            Input::Arrived(arrival) => self.enter(*arrival),
            Input::Left { client, ending } => self.leave(client, &ending),
            Input::Announced { room, nickname, text, answer } => {
                let message = self.chat.announce(&room, nickname, text, self.now);
                // The thread that asked waits for it.
                let _ = answer.try_send(message.map(|message| self.spread(message, None)));
            }
            Input::Reserved { nickname, answer } => {
                let _ = answer.try_send(self.chat.reserve_for_embedder(&nickname));
            }
            Input::Watched(watcher) => {
                // What was before is nothing to it.
                self.end_turn();
                self.watchers.push(watcher);
            }
            Input::Listed(answer) => {
                let listing = |it: Listing| (self.chat.members(&it.room), it);
                let rooms = self.chat.listings(None).map(listing);
                // Who asked waits for it, or has gone.
                let _ = answer.try_send(rooms.map(|(members, it)| (it, members)).collect());
            }
            Input::Probed(answer) => drop(answer.try_send(())),
            Input::Stop => {
                self.stopping = true;
                self.end_turn();
                self.fanout.close_all(&Ending::Stopping);
            }
            Input::End => {}
        }
        self.end_long_turn();
    }

    fn hear(&mut self, client: ClientId, word: Word) {
        match word {
            Word::Said(text) => {
                if let Some(message) = self.chat.say(client, text, self.now) {
                    self.spread(message, Some(client));
                }
            }
            Word::Asked(asked) => self.answer(client, asked),
            Word::Echoed(frames) => self.fanout.push(client, &frames),
        }
    }

    fn enter(&mut self, arrival: Arrival) {
        let Arrival { client, address, entry, outbox } = arrival;
        if self.stopping {
            outbox.close(Ending::Stopping);
            return outbox.release();
        }
        self.fanout.add(client, entry.dialect(), outbox.clone());
        self.chat.connect(client, Network::of(address));
        self.tell(|| Event::Open { client, address });
        if let Entry::Plain { room, wish } = entry {
            let (now, random, deliveries) = (self.now, &mut self.random, &mut self.deliveries);
            match self.chat.enter(client, room, wish, now, random, deliveries) {
                Ok(nickname) => log::debug!("conn-{} is {nickname}", client.0),
                Err(refused) => outbox.close(Ending::Refused { reason: refused.to_string() }),
            }
            self.carry_out(&Tags::default());
        }
    }

    fn answer(&mut self, client: ClientId, asked: Asked) {
        let Asked { tags, command } = asked;
        if !self.fanout.has(client) {
            // It was replaced, and this was still under way. Its session is another's now.
            return;
        }
        match command {
            Ok(command) => {
                let (random, deliveries) = (&mut self.random, &mut self.deliveries);
                self.chat.apply(client, command, self.now, random, deliveries);
                let said = self.deliveries.iter().find_map(|delivery| match delivery {
                    Delivery::Room { notice: Notice::Message(message), .. } => {
                        Some(message.clone())
                    }
                    _ => None,
                });
                if let Some(message) = said {
                    self.note(&message, Some(client));
                }
                self.carry_out(&tags);
            }
            Err(problem) => {
                let is_known = self.chat.nickname_of(client).is_some();
                self.fanout.refuse(client, &problem.told_to(is_known), &tags, &self.chat);
            }
        }
    }

    fn leave(&mut self, client: ClientId, ending: &Ending) {
        self.fanout.remove(client, &self.chat);
        self.chat.leave(client, ending.departure(), self.now, &mut self.deliveries);
        if ending.is_error() {
            self.tell(|| Event::Error { client, error: ending.reason().to_owned() });
        }
        let reason = || ending.reason().to_owned();
        self.tell(|| Event::Close { client, code: ending.code(), reason: reason() });
        if self.stopping || ECHOES {
            // Nobody is there to hear it, or is to hear anything but its own echo.
            self.deliveries.clear();
        }
        self.carry_out(&Tags::default());
    }

    fn spread(&mut self, message: Arc<Message>, from: Option<ClientId>) {
        self.note(&message, from);
        let room = message.room.clone();
        self.deliveries.push(Delivery::Room { room, notice: Notice::Message(message) });
        self.carry_out(&Tags::default());
    }

    /// Notes that something was said, to be kept and for those who watch clients.
    fn note(&mut self, message: &Arc<Message>, from: Option<ClientId>) {
        if let Some(keeper) = &mut self.keeper {
            keeper.take(message);
        }
        if let Some(client) = from {
            self.tell(|| Event::Message {
                client,
                nickname: message.nickname.clone(),
                room: message.room.clone(),
                seq: message.seq,
                text: message.text.as_str().to_owned(),
            });
        }
    }

    /// Carries out what follows from an input, in its order.
    fn carry_out(&mut self, tags: &Tags) {
        let mut deliveries = std::mem::take(&mut self.deliveries);
        for delivery in deliveries.drain(..) {
            self.fanout.deliver(&delivery, tags, &self.chat);
            if let Delivery::Enters { client, room } = delivery {
                if let Some(nickname) = self.chat.nickname_of(client).cloned() {
                    let (nickname, room) = (&nickname, &room);
                    self.tell(|| Event::Joined {
                        client,
                        nickname: nickname.clone(),
                        room: room.clone(),
                    });
                }
            }
        }
        self.deliveries = deliveries;
    }

    fn tell(&mut self, event: impl FnOnce() -> Event) {
        if !self.watchers.is_empty() {
            self.events.push(event());
        }
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

    use super::*;
    use crate::protocol::json::parse;
    use crate::transport::Transport;

    fn arrive(broadcaster: &mut Broadcaster, client: ClientId) -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far_end = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let transport = Transport::new(listener.accept().unwrap().0).unwrap();
        let outbox = Arc::new(Outbox::new(Arc::new(transport), 1024).unwrap());
        let address = Ipv4Addr::LOCALHOST.into();
        let arrival = Arrival { client, address, entry: Entry::Json, outbox };
        broadcaster.take(Input::Arrived(Box::new(arrival)));
        far_end
    }

    fn ask(broadcaster: &mut Broadcaster, client: ClientId, request: &str) {
        let words = vec![Word::Asked(parse(request, 100))];
        broadcaster.take(Input::Heard { client, words });
    }

    #[test]
    fn who_was_replaced_asks_for_nothing_more() {
        let mut broadcaster = Broadcaster::new(&Limits::default(), Rules::simple().quota, None);
        let [old, new] = [ClientId(1), ClientId(2)];
        let _far_ends = [old, new].map(|client| arrive(&mut broadcaster, client));
        ask(&mut broadcaster, old, r#"{"type":"hello","nick":"ana"}"#);
        let token = broadcaster.chat.tokens().next().unwrap();
        let again = format!(r#"{{"type":"hello","session":"{token}"}}"#);
        ask(&mut broadcaster, new, &again);
        // Was on its way when the other one came.
        ask(&mut broadcaster, old, &again);
        assert!(broadcaster.fanout.has(new) && !broadcaster.fanout.has(old));
        assert!(broadcaster.chat.nickname_of(new).is_some());
        broadcaster.take(Input::Left { client: old, ending: Ending::Replaced });
        assert!(broadcaster.chat.nickname_of(new).is_some());
    }
}
