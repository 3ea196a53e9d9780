//! The state of the chat, and the rules by which it changes.
//!
//! Nothing here knows a socket, a thread, a channel, a clock or a source of random numbers: what
//! happens comes in as a call, with the time and the randomness that it needs, and what follows
//! from it goes out as [`Delivery`]s.
//!
//! A *client* is a connection. A *person* is who is there under a nickname: for a plain client the
//! two are one, while a JSON client has a session, and with it memberships the same person over several
//! connections.

mod command;
mod delivery;
mod held_names;
mod lookup;
mod message;
mod messages;
mod network;
mod nickname;
mod notice;
mod person;
mod query;
mod quota;
mod reserved;
mod room;
mod room_commands;
mod rooms;
mod session;
mod text;
mod token_bucket;
mod visible;

#[cfg(test)]
pub(crate) mod delivery_model;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;
use rustc_hash::FxHashMap;

pub(crate) use command::{Command, NewMessage, NewPrivateMessage, Search, Since};
pub(crate) use delivery::Delivery;
pub(crate) use held_names::NameChange;
pub(crate) use lookup::{ANSWER_BYTES_MAX, Lookup, PAGES_PER_ANSWER, Reading};
pub use message::Kind;
pub(crate) use message::{Id, Message};
pub(crate) use network::{ByNetwork, Network};
pub use nickname::{NICKNAME_BYTES_MAX, NICKNAME_GRAPHEMES_MAX, Nickname, NicknameError};
pub(crate) use notice::{Joined, LeaveReason, Level, Listing, Members, Notice, Refused};
#[cfg(feature = "history")]
pub(crate) use query::indexed;
pub(crate) use query::{Query, QueryError};
pub(crate) use quota::Quota;
pub(crate) use reserved::NicknameTaken;
pub use room::{ROOM_NAME_CHARS_MAX, RoomName, RoomNameError};
pub use rooms::HistoryLimits;
pub(crate) use rooms::Listener;
pub(crate) use session::{Digest, Token};
pub(crate) use text::Text;
pub use text::TooLong;
pub(crate) use token_bucket::TokenBucket;

use nickname::GIVEN_NAMES;
use person::{Person, Presence};
use quota::Networks;
use reserved::Reserved;
use rooms::Rooms;
use session::{EndedSession, Receipt, RecentSessions};

/// Maximum number of clients of a chat: half of the names that can be given, so that a free one is
/// found soon.
pub(crate) const CLIENTS_MAX: usize = GIVEN_NAMES as usize / 2;
/// The most rooms that one person is in.
pub(crate) const ROOMS_PER_PERSON_MAX: usize = 16;
/// Maximum number of nicknames in one answer.
const MEMBERS_PER_ANSWER_MAX: usize = 500;

/// The id of a connected client. Ids grow, and no id is used twice while the server runs. As a text
/// it is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub(crate) u64);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Somebody, whichever connection they use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct PersonId(u64);

/// When something happens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// For durations.
    pub(crate) instant: Instant,
    /// For people: Unix time (ms).
    pub(crate) unix_ms: u64,
}

/// What the chat needs of the outside for one turn, and what follows for the outside.
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    /// For session tokens and given nicknames.
    pub(crate) random: &'a mut dyn Rng,
    /// The deliveries that follow, in their order.
    pub(crate) out: &'a mut Vec<Delivery>,
}

/// What a chat is set to.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The name of this history of the whole server.
    pub(crate) epoch: String,
    pub(crate) history: HistoryLimits,
    /// Whether older messages are kept than are held here.
    pub(crate) has_archive: bool,
    /// How long somebody with a session keeps nickname and place when the connection breaks.
    pub(crate) grace: Duration,
    pub(crate) quota: Quota,
    /// Maximum length of a text (bytes).
    pub(crate) text_bytes_max: usize,
    /// The most that one page of messages weighs (bytes).
    pub(crate) page_bytes_max: usize,
}

#[cfg(test)]
impl Rules {
    /// Of a chat that counts no networks and has no archive.
    pub(crate) fn simple() -> Self {
        Self {
            epoch: "e1".to_owned(),
            history: HistoryLimits::default(),
            has_archive: false,
            grace: Duration::from_secs(10),
            quota: Quota {
                people_max: 5000,
                people_per_network_max: None,
                answer_bytes_max: ANSWER_BYTES_MAX,
            },
            text_bytes_max: 8192,
            page_bytes_max: ANSWER_BYTES_MAX / PAGES_PER_ANSWER,
        }
    }
}

/// Who is here, under which name, in which rooms, and what was said there.
///
/// Ids are given here and chosen by nobody, so that their maps need no defence against those who
/// would have all keys fall together, and use a faster hash.
#[derive(Debug)]
pub(crate) struct Chat {
    rules: Rules,
    people: FxHashMap<PersonId, Person>,
    people_count: u64,
    /// The clients, and where each comes from.
    connected: FxHashMap<ClientId, Network>,
    by_client: FxHashMap<ClientId, PersonId>,
    by_token: HashMap<Token, PersonId>,
    /// Whose nickname is held for a session of an earlier run of the server.
    held: HashMap<Digest, PersonId>,
    /// What is to be kept of nicknames.
    name_changes: Vec<NameChange>,
    /// Every form of every nickname in use ([`Nickname::lookalike_keys`]), and whose it is.
    taken: HashMap<String, PersonId>,
    /// What the clients of each network have and do.
    networks: Networks,
    /// The nicknames of the embedder, which is no person here.
    reserved: Reserved,
    rooms: Rooms,
    recent_sessions: RecentSessions,
    /// People for whom places or a nickname are kept, and until when.
    away: BTreeSet<(Instant, PersonId)>,
}

impl Chat {
    pub(crate) fn new(rules: Rules) -> Self {
        let rooms = Rooms::new(rules.history);
        let networks = Networks::new(rules.quota.people_per_network_max);
        Self {
            rules,
            networks,
            people: FxHashMap::default(),
            people_count: 0,
            connected: FxHashMap::default(),
            by_client: FxHashMap::default(),
            by_token: HashMap::new(),
            held: HashMap::new(),
            name_changes: Vec::new(),
            taken: HashMap::new(),
            reserved: Reserved::default(),
            rooms,
            recent_sessions: RecentSessions::default(),
            away: BTreeSet::new(),
        }
    }

    /// Takes up a room as an earlier run of the server left it: the number of the last message,
    /// and the newest messages. Those that were used last come last.
    pub(crate) fn restore(&mut self, room: RoomName, seq: u64, messages: Vec<Arc<Message>>) {
        self.rooms.restore(room, seq, messages.into());
    }

    /// Rooms that are not taken up go on counting from here.
    pub(crate) fn count_on_from(&mut self, floor: u64) {
        self.rooms.count_on_from(floor);
    }

    /// Every room of which anything is known, with the number of its last message and all that is
    /// held of it.
    #[cfg(feature = "history")]
    pub(crate) fn known(
        &self,
    ) -> impl Iterator<Item = (&RoomName, u64, impl Iterator<Item = &Arc<Message>>)> {
        self.rooms.known().map(|(room, seq, held)| (room, seq, held.into_iter().flatten()))
    }

    /// Those who have said hello.
    pub(crate) fn with_sessions(&self) -> Vec<ClientId> {
        let people = self.people.values().filter(|person| person.session.is_some());
        people.filter_map(|person| person.client).collect()
    }

    /// A client has connected from a network, and is nobody yet.
    pub(crate) fn connect(&mut self, client: ClientId, network: Network) {
        self.connected.insert(client, network);
    }

    fn network_of(&self, client: ClientId) -> Network {
        self.connected.get(&client).copied().unwrap_or(Network::UNKNOWN)
    }

    /// A plain client comes into a room. It gets the nickname it wishes for, or a random one where
    /// that is taken or none was wished for. The nickname is returned.
    pub(crate) fn enter(
        &mut self,
        client: ClientId,
        room: RoomName,
        wish: Option<Nickname>,
        turn: &mut Turn<'_>,
    ) -> Result<Nickname, Refused> {
        let network = self.network_of(client);
        self.admit(network, turn)?;
        self.admit_to_room(&room, network, turn.now)?;
        let nickname = self.free_or_fresh(wish, turn.random)?;
        let person = self.add(Person::new(nickname.clone(), client, network, None), turn.now);
        self.arrive(person, &room, turn.out);
        self.listen(person, client, &room, turn.out);
        Ok(nickname)
    }

    /// Says something for a plain client, in the room that it is in.
    pub(crate) fn say(&mut self, client: ClientId, text: Text, turn: &mut Turn<'_>) {
        let person = self.by_client.get(&client).and_then(|person| self.people.get(person));
        let Some((person, membership)) = person.and_then(|it| Some((it, it.memberships.first()?)))
        else {
            return;
        };
        let (room, nickname) = (membership.room.clone(), person.nickname.clone());
        self.store(room, nickname, text, None, Kind::Say, turn);
    }

    /// Posts a message for the embedder, which is in no room. A room without members stores it only
    /// if such rooms are kept at all. No client can take the nickname from then on.
    pub(crate) fn post(
        &mut self,
        room: &RoomName,
        nickname: Nickname,
        text: Text,
        turn: &mut Turn<'_>,
    ) -> Result<(), NicknameTaken> {
        self.reserve_for_embedder(&nickname)?;
        let HistoryLimits { lines_max, idle_rooms_max, .. } = self.rules.history;
        if self.rules.has_archive || (lines_max > 0 && idle_rooms_max > 0) {
            self.rooms.open(room);
        }
        self.store(room.clone(), nickname, text, None, Kind::Say, turn);
        Ok(())
    }

    /// Gives a message its number in its room, and delivers it to the listeners there.
    fn store(
        &mut self,
        room: RoomName,
        nickname: Nickname,
        text: Text,
        id: Option<Id>,
        kind: Kind,
        turn: &mut Turn<'_>,
    ) -> Arc<Message> {
        let time = turn.now.unix_ms;
        let draft = |seq| Message { room: room.clone(), seq, time, nickname, text, id, kind };
        let message = self.rooms.keep(draft, &room);
        turn.out.push(Delivery::Room { room, notice: Notice::Message(message.clone()) });
        message
    }

    /// A client of the JSON dialect asks for something.
    pub(crate) fn apply(&mut self, client: ClientId, command: Command, turn: &mut Turn<'_>) {
        let done = match (command, self.by_client.get(&client).copied()) {
            (Command::Hello { wish, session }, None) => self.hello(client, wish, session, turn),
            (Command::Hello { .. }, Some(_)) => Err(Refused::HelloAgain),
            (_, None) => Err(Refused::NotReady),
            (Command::Join { room, since }, Some(me)) => self.join(client, me, room, since, turn),
            (Command::Part { room }, Some(me)) => self.part(client, me, room, turn.out),
            (Command::Say(message), Some(me)) => self.say_as(client, me, message, turn),
            (Command::Tell(message), Some(me)) => self.tell(client, me, message, turn),
            (Command::Nick { nickname }, Some(me)) => self.rename(client, me, nickname, turn.out),
            (Command::Typing { room }, Some(me)) => self.typing(client, me, room, turn),
            (Command::History { room, before, limit }, Some(me)) => {
                self.history(client, me, room, before, limit, turn.out)
            }
            (Command::Search(search), Some(_)) => self.search(client, search, turn.out),
            (Command::Rooms { after, limit }, Some(_)) => {
                let mut rooms = self.listings(after.as_ref());
                let listed = rooms.by_ref().take(limit).collect();
                let notice = Notice::Rooms { rooms: listed, more: rooms.next().is_some() };
                turn.out.push(Delivery::Reply { client, notice });
                Ok(())
            }
            (Command::Members { room, after }, Some(me)) => {
                self.list_members(client, me, room, after, turn.out)
            }
            (Command::Ping, Some(_)) => {
                turn.out.push(Delivery::Reply { client, notice: Notice::Pong });
                Ok(())
            }
        };
        if let Err(refused) = done {
            turn.out.push(Delivery::Reply { client, notice: Notice::Refused(refused) });
        }
    }

    /// The rooms that have members or messages, by name: those after one.
    pub(crate) fn listings(&self, after: Option<&RoomName>) -> impl Iterator<Item = Listing> {
        self.rooms.after(after).map(|(room, it)| Listing {
            room: room.clone(),
            members: it.members().len(),
            seq: it.seq(),
        })
    }

    /// The nicknames of those in a room, in the order in which they came.
    pub(crate) fn members(&self, room: &RoomName) -> Vec<Nickname> {
        let members = self.rooms.get(room).map(rooms::Room::members);
        let nickname = |member: &rooms::Member| self.people[&member.person].nickname.clone();
        members.into_iter().flatten().map(nickname).collect()
    }

    /// The connections that listen in a room, in the order in which their people came.
    pub(crate) fn listeners(&self, room: &RoomName) -> impl Iterator<Item = Listener> {
        self.rooms.listeners(room)
    }

    /// Whether anybody in a room listens in the plain dialect, and in JSON.
    pub(crate) fn audience(&self, room: &RoomName) -> (bool, bool) {
        self.rooms.audience(room)
    }

    /// The rooms in which a client listens.
    pub(crate) fn rooms_of(&self, client: ClientId) -> impl Iterator<Item = &RoomName> {
        let person = self.by_client.get(&client).and_then(|person| self.people.get(person));
        let memberships = person.into_iter().flat_map(|person| &person.memberships);
        memberships
            .filter(|membership| membership.presence == Presence::Listening)
            .map(|membership| &membership.room)
    }

    #[cfg(test)]
    pub(crate) fn tokens(&self) -> impl Iterator<Item = Token> {
        self.by_token.keys().copied()
    }

    /// The nickname of somebody who is here.
    pub(crate) fn nickname_of(&self, client: ClientId) -> Option<&Nickname> {
        Some(&self.people.get(self.by_client.get(&client)?)?.nickname)
    }
}
