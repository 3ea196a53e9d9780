//! The state of the chat, and its rules.
//!
//! Events come in as calls of [`Chat`], with the current time and a source of randomness. Effects come
//! out as [`Delivery`]s. This module knows no socket, thread, channel or clock.
//!
//! A *client* is a connection. A *person* is a user under a nickname. A plain client is a person as
//! long as it is connected. A JSON client has a session, and with it stays the same person, in the
//! same rooms, over several connections.

// The values of a chat.
mod catch_up;
mod command;
mod delivery;
mod lookup;
mod message;
mod network;
mod nickname;
mod notice;
mod query;
mod room_name;
mod session;
mod text;
mod token_bucket;
mod visible;
mod words;

// Its state.
mod forgotten_rooms;
mod person;
mod private_limit;
mod quota;
mod recent_sessions;
mod room;
mod rooms;

// The rules: methods of `Chat`.
mod admission;
mod embedder;
mod held_names;
mod membership;
mod messages;
mod nicknames;
mod reserved;
mod room_commands;
mod sessions;

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

pub(crate) use command::{
    Command, CommandError, CustomCommand, NewMessage, NewPrivateMessage, Search, Since,
};
pub(crate) use delivery::Delivery;
pub(crate) use embedder::Grant;
pub(crate) use held_names::NameChange;
pub(crate) use lookup::{ANSWER_BYTES_MAX, HistoryRead, Lookup, PAGES_PER_ANSWER};
pub(crate) use message::Id;
pub use message::{InvalidId, Kind, Message};
pub(crate) use network::{ByNetwork, Network};
pub use nickname::{NICKNAME_BYTES_MAX, NICKNAME_GRAPHEMES_MAX, Nickname, NicknameError};
pub use notice::LeaveReason;
#[cfg(test)]
pub(crate) use notice::{Joined, Members};
pub(crate) use notice::{Level, Listing, Notice};
pub use query::{Query, QueryError};
pub(crate) use quota::Quota;
pub(crate) use reserved::NicknameTaken;
pub use room_name::{ROOM_NAME_CHARS_MAX, RoomName, RoomNameError};
pub use rooms::HistoryLimits;
pub(crate) use session::{Digest, Token};
pub(crate) use text::Text;
pub use text::TooLong;
pub(crate) use token_bucket::TokenBucket;
#[cfg(feature = "history")]
pub(crate) use words::indexed;

use nickname::GIVEN_NAMES;
use person::{Person, Presence};
use quota::Networks;
use recent_sessions::RecentSessions;
use reserved::Reserved;
use room::{Audience, Listener, Member, Room};
use rooms::Rooms;

/// Maximum number of clients of a chat: half of the random nicknames, so that a free one is found
/// soon.
pub(crate) const CLIENTS_MAX: usize = GIVEN_NAMES as usize / 2;
/// Maximum number of rooms of one person.
pub(crate) const ROOMS_PER_PERSON_MAX: usize = 16;

/// The id of a connected client. Ids grow, and no id is used twice while the server runs. As a text
/// it is a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub(crate) u64);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies a person over several connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct PersonId(u64);

/// The client that sent a command, and its person.
#[derive(Clone, Copy)]
struct Requester {
    client: ClientId,
    person: PersonId,
}

/// The current time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// For durations.
    pub(crate) instant: Instant,
    /// For people: Unix time (ms).
    pub(crate) unix_ms: u64,
}

/// The input of the chat for one turn besides the events, and its output.
pub(crate) struct Turn<'a> {
    pub(crate) now: Now,
    /// For session tokens and random nicknames.
    pub(crate) random: &'a mut dyn Rng,
    /// The deliveries of the turn, in their order.
    pub(crate) out: &'a mut Vec<Delivery>,
}

/// The settings of a chat.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// Identifies the history.
    pub(crate) epoch: String,
    pub(crate) history: HistoryLimits,
    /// There is a history with older messages than those in memory.
    pub(crate) has_archive: bool,
    /// How long a person without a connection keeps its nickname and its rooms.
    pub(crate) grace: Duration,
    pub(crate) quota: Quota,
    /// Maximum length of a text (bytes).
    pub(crate) text_bytes_max: usize,
    /// Maximum weight of one page of messages (bytes).
    pub(crate) page_bytes_max: usize,
}

#[cfg(test)]
impl Rules {
    /// Returns the settings of a chat without a history, which does not count networks.
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

/// A chat: its people, their nicknames, the rooms and the messages.
///
/// The maps by id use a fast hash without a defence against chosen keys, because no client chooses
/// an id.
#[derive(Debug)]
pub(crate) struct Chat {
    rules: Rules,
    people: FxHashMap<PersonId, Person>,
    /// Number of people so far.
    people_count: u64,
    /// The clients, with their networks.
    connected: FxHashMap<ClientId, Network>,
    by_client: FxHashMap<ClientId, PersonId>,
    by_token: HashMap<Token, PersonId>,
    /// People that hold a nickname for a session of an earlier run of the server.
    held: HashMap<Digest, PersonId>,
    /// Changes of nicknames that the history has not got yet.
    name_changes: Vec<NameChange>,
    /// The keys of all nicknames in use ([`Nickname::lookalike_keys`]), with their holders.
    taken: HashMap<String, PersonId>,
    networks: Networks,
    /// Nicknames of the embedder.
    reserved: Reserved,
    /// What the embedder decided about clients before they connected.
    grants: FxHashMap<ClientId, Grant>,
    /// Number of private messages of the embedder so far.
    told_for_embedder: u64,
    rooms: Rooms,
    recent_sessions: RecentSessions,
    /// The people with a grace, in the order in which the graces end.
    graces: BTreeSet<(Instant, PersonId)>,
}

impl Chat {
    pub(crate) fn new(rules: Rules) -> Self {
        let rooms = Rooms::new(rules.history);
        let networks = Networks::new(rules.quota.people_per_network_max);
        Self {
            rules,
            people: FxHashMap::default(),
            people_count: 0,
            connected: FxHashMap::default(),
            by_client: FxHashMap::default(),
            by_token: HashMap::new(),
            held: HashMap::new(),
            name_changes: Vec::new(),
            taken: HashMap::new(),
            networks,
            reserved: Reserved::default(),
            grants: FxHashMap::default(),
            told_for_embedder: 0,
            rooms,
            recent_sessions: RecentSessions::default(),
            graces: BTreeSet::new(),
        }
    }

    /// Restores a room of an earlier run of the server, with its `seq` and its newest messages. Rooms
    /// must be restored in the order of their last use.
    pub(crate) fn restore(&mut self, room: RoomName, seq: u64, messages: Vec<Arc<Message>>) {
        self.rooms.restore(room, seq, messages.into());
    }

    /// Makes rooms that are not restored start above the `seq` `floor`.
    pub(crate) fn raise_floor(&mut self, floor: u64) {
        self.rooms.raise_floor(floor);
    }

    /// Returns every known room, with its `seq` and its messages in memory.
    #[cfg(feature = "history")]
    pub(crate) fn known(
        &self,
    ) -> impl Iterator<Item = (&RoomName, u64, impl Iterator<Item = &Arc<Message>>)> {
        self.rooms.known()
    }

    /// Adds a client, which is not a person yet.
    pub(crate) fn connect(&mut self, client: ClientId, network: Network) {
        self.connected.insert(client, network);
    }

    /// Makes a plain client a person in a room, and returns its nickname: the wished one, or a random
    /// one if that is taken or there is no wish.
    pub(crate) fn enter(
        &mut self,
        client: ClientId,
        room: RoomName,
        wish: Option<Nickname>,
        turn: &mut Turn<'_>,
    ) -> Result<Nickname, CommandError> {
        let network = self.network_of(client);
        self.admit_session(network, turn)?;
        self.admit_to_room(&room, network, turn.now)?;
        let nickname = match self.granted_nickname(client)? {
            Some(granted) => granted,
            None => self.choose_nickname(wish, turn.random)?,
        };
        let person = Person::new(nickname.clone(), client, network, None);
        let id = self.add_person(person, turn.now);
        self.add_member(id, &room, turn.out);
        self.start_listening(id, client, &room, turn.out);
        Ok(nickname)
    }

    /// Applies a command of a JSON client.
    pub(crate) fn apply(&mut self, client: ClientId, command: Command, turn: &mut Turn<'_>) {
        let requester = self.requester(client);
        let result = match (command, requester) {
            (Command::Hello { wish, session }, None) => self.hello(client, wish, session, turn),
            (Command::Hello { .. }, Some(_)) => Err(CommandError::HelloAgain),
            (_, None) => Err(CommandError::NotReady),
            (Command::Join { room, since }, Some(by)) => self.join(by, room, since, turn),
            (Command::Part { room }, Some(by)) => self.part(by, room, turn),
            (Command::Say(message), Some(by)) => self.say_as(by, message, turn),
            (Command::Tell(message), Some(by)) => self.tell(by, message, turn),
            (Command::Nick { nickname }, Some(by)) => match self.has_granted_nickname(client) {
                true => Err(CommandError::NickGranted),
                false => self.rename(by, nickname, turn),
            },
            (Command::Typing { room }, Some(by)) => self.typing(by, room, turn),
            (Command::History { room, before, limit }, Some(by)) => {
                self.history(by, room, before, limit, turn)
            }
            (Command::Search(search), Some(_)) => self.search(client, *search, turn),
            (Command::Rooms { after, limit }, Some(_)) => {
                self.list_rooms(client, after.as_ref(), limit, turn);
                Ok(())
            }
            (Command::Members { room, after }, Some(by)) => {
                self.list_members(by, room, after, turn)
            }
            (Command::Custom(custom), Some(_)) => Err(CommandError::UnknownCommand(custom.name)),
            (Command::Handled { text }, Some(_)) => {
                turn.out.push(Delivery::Reply { client, notice: Notice::Handled { text } });
                Ok(())
            }
            (Command::Ping, Some(_)) => {
                turn.out.push(Delivery::Reply { client, notice: Notice::Pong });
                Ok(())
            }
        };
        if let Err(error) = result {
            turn.out.push(Delivery::Reply { client, notice: Notice::Error(error) });
        }
    }

    /// Returns the clients that have said hello.
    pub(crate) fn with_sessions(&self) -> Vec<ClientId> {
        let people = self.people.values().filter(|person| person.session.is_some());
        people.filter_map(|person| person.client).collect()
    }

    /// Returns the rooms with members or messages, sorted by name: all, or those after a name.
    pub(crate) fn listings(&self, after: Option<&RoomName>) -> impl Iterator<Item = Listing> {
        self.rooms.after(after).map(|(room, it)| Listing {
            room: room.clone(),
            members: it.members().len(),
            seq: it.seq(),
        })
    }

    /// Returns the nicknames of the members of a room, in the order of their arrival.
    pub(crate) fn members(&self, room: &RoomName) -> Vec<Nickname> {
        let members = self.rooms.get(room).map(Room::members);
        let nickname = |member: &Member| self.people[&member.person].nickname.clone();
        members.into_iter().flatten().map(nickname).collect()
    }

    /// Returns the listeners of a room, in the order of arrival of their people.
    pub(crate) fn listeners(&self, room: &RoomName) -> impl Iterator<Item = Listener> {
        self.rooms.listeners(room)
    }

    /// Returns the dialects that have listeners in a room.
    pub(crate) fn audience(&self, room: &RoomName) -> Audience {
        self.rooms.audience(room)
    }

    /// Returns the rooms in which a client listens.
    pub(crate) fn rooms_of(&self, client: ClientId) -> impl Iterator<Item = &RoomName> {
        let person = self.by_client.get(&client).and_then(|person| self.people.get(person));
        let memberships = person.into_iter().flat_map(|person| &person.memberships);
        memberships
            .filter(|membership| membership.presence == Presence::Listening)
            .map(|membership| &membership.room)
    }

    /// Returns the nickname of a client, if it is a person.
    pub(crate) fn nickname_of(&self, client: ClientId) -> Option<&Nickname> {
        Some(&self.people.get(self.by_client.get(&client)?)?.nickname)
    }

    #[cfg(test)]
    pub(crate) fn tokens(&self) -> impl Iterator<Item = Token> {
        self.by_token.keys().copied()
    }

    /// Returns a client with its person, if it is one.
    fn requester(&self, client: ClientId) -> Option<Requester> {
        let person = *self.by_client.get(&client)?;
        Some(Requester { client, person })
    }

    fn network_of(&self, client: ClientId) -> Network {
        self.connected.get(&client).copied().unwrap_or(Network::UNKNOWN)
    }

    fn person_mut(&mut self, id: PersonId) -> &mut Person {
        self.people.get_mut(&id).expect("each id in a map is that of a person")
    }
}
