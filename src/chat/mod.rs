//! The state of the chat, and the rules by which it changes.
//!
//! Nothing here knows a socket, a thread, a channel, a clock or a source of random numbers: what
//! happens comes in as a call, with the time and the randomness that it needs, and what follows
//! from it goes out as [`Delivery`]s.
//!
//! A *client* is a connection. A *person* is who is there under a nickname: for a plain client the
//! two are one, while a JSON client has a session, and with it stays the same person over several
//! connections.

mod nickname;
mod notice;
mod person;
mod room;
mod rooms;
mod session;
mod text;

#[cfg(test)]
pub(crate) mod hearing;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;

pub use nickname::{NICKNAME_BYTES_MAX, NICKNAME_GRAPHEMES_MAX, Nickname, NicknameError};
pub(crate) use notice::{
    Command, Delivery, Departure, Id, Joined, Kind, Listing, Message, Notice, Refused, Since,
};
pub use room::{ROOM_NAME_CHARS_MAX, RoomName, RoomNameError};
pub use rooms::HistoryLimits;
pub(crate) use rooms::Listener;
pub(crate) use session::Token;
pub(crate) use text::Text;
pub use text::TooLong;

use nickname::GIVEN_NAMES;
use person::Person;
use rooms::Rooms;
use session::{Ended, Memory, Receipt};

/// The most clients that a chat can hold: as many as there are names to give.
pub(crate) const CLIENTS_MAX: usize = GIVEN_NAMES as usize;
/// The most rooms that one person is in.
pub(crate) const ROOMS_PER_PERSON_MAX: usize = 16;
/// What somebody gets who comes into a room and was not there before.
const MESSAGES_FOR_A_NEWCOMER: usize = 100;
/// The most that one page of history weighs (bytes).
const PAGE_BYTES_MAX: usize = 128 * 1024;
/// The most that all that somebody missed in a room weighs (bytes), if it is to come in one answer.
/// That is more than 500 texts of 1 KiB, and, as JSON, still a message that clients take: many
/// refuse one of over 1 MiB.
const MISSED_BYTES_MAX: usize = 768 * 1024;
/// How often it is passed on that somebody is writing.
const TYPING_EVERY: Duration = Duration::from_secs(3);

/// A client, for as long as the server runs. Ids only grow, and none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

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

/// What a chat is set to.
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The name of this history of the whole server.
    pub(crate) epoch: String,
    pub(crate) history: HistoryLimits,
    /// How long somebody with a session keeps nickname and place when the connection breaks.
    pub(crate) grace: Duration,
}

/// Who is here, under which name, in which rooms, and what was said there.
#[derive(Debug)]
pub(crate) struct Chat {
    rules: Rules,
    people: HashMap<PersonId, Person>,
    people_count: u64,
    by_client: HashMap<ClientId, PersonId>,
    by_token: HashMap<Token, PersonId>,
    /// Every form of every nickname in use ([`Nickname::forms`]), and whose it is.
    taken: HashMap<String, PersonId>,
    rooms: Rooms,
    memory: Memory,
    /// Those who are away from some room, and when they are there no longer.
    away: BTreeSet<(Instant, PersonId)>,
}

impl Chat {
    pub(crate) fn new(rules: Rules) -> Self {
        let rooms = Rooms::new(rules.history);
        Self {
            rules,
            people: HashMap::new(),
            people_count: 0,
            by_client: HashMap::new(),
            by_token: HashMap::new(),
            taken: HashMap::new(),
            rooms,
            memory: Memory::default(),
            away: BTreeSet::new(),
        }
    }

    /// A plain client comes into a room. It gets the nickname it wishes for, or a random one where
    /// that is taken or none was wished for. The nickname is returned.
    pub(crate) fn enter(
        &mut self,
        client: ClientId,
        room: RoomName,
        wish: Option<Nickname>,
        random: &mut impl Rng,
        out: &mut Vec<Delivery>,
    ) -> Nickname {
        let nickname = self.free_or_fresh(wish, random);
        let person = self.add(Person::new(nickname.clone(), client, None));
        self.take_seat(person, client, room, out);
        nickname
    }

    /// A client says something to a room that it is in, and gave no name to it.
    pub(crate) fn say(&mut self, client: ClientId, text: Text, now: Now) -> Option<Arc<Message>> {
        let person = self.people.get(self.by_client.get(&client)?)?;
        let room = person.stays.first()?.room.clone();
        let nickname = person.nickname.clone();
        Some(self.keep(&room, nickname, text, None, Kind::Say, now))
    }

    /// Somebody speaks who is not there: the embedder.
    pub(crate) fn announce(
        &mut self,
        room: &RoomName,
        nickname: Nickname,
        text: Text,
        now: Now,
    ) -> Arc<Message> {
        self.keep(room, nickname, text, None, Kind::Say, now)
    }

    fn keep(
        &mut self,
        room: &RoomName,
        nickname: Nickname,
        text: Text,
        id: Option<Id>,
        kind: Kind,
        now: Now,
    ) -> Arc<Message> {
        let time = now.unix_ms;
        let draft = |seq| Message { room: room.clone(), seq, time, nickname, text, id, kind };
        self.rooms.keep(draft, room)
    }

    /// A client of the JSON dialect asks for something.
    pub(crate) fn apply(
        &mut self,
        client: ClientId,
        command: Command,
        now: Now,
        random: &mut impl Rng,
        out: &mut Vec<Delivery>,
    ) {
        let done = match (command, self.by_client.get(&client).copied()) {
            (Command::Hello { wish, session }, None) => {
                self.hello(client, wish, session, now, random, out);
                Ok(())
            }
            (Command::Hello { .. }, Some(_)) => Err(Refused::HelloAgain),
            (_, None) => Err(Refused::NotReady),
            (Command::Join { room, since }, Some(me)) => self.join(client, me, room, since, out),
            (Command::Part { room }, Some(me)) => self.part(client, me, room, out),
            (Command::Say { room, text, id, kind }, Some(me)) => {
                self.say_as(client, me, room, text, id, kind, now, out)
            }
            (Command::Tell { to, text, id }, Some(me)) => {
                self.tell(client, me, &to, text, id, now, out)
            }
            (Command::Nick { nickname }, Some(me)) => self.rename(client, me, nickname, out),
            (Command::Typing { room }, Some(me)) => self.typing(client, me, room, now, out),
            (Command::History { room, before, limit }, Some(me)) => {
                self.history(client, me, room, before, limit, out)
            }
            (Command::Rooms, Some(_)) => {
                let notice = Notice::Rooms(self.listings());
                out.push(Delivery::Reply { client, notice });
                Ok(())
            }
            (Command::Ping, Some(_)) => {
                out.push(Delivery::Reply { client, notice: Notice::Pong });
                Ok(())
            }
        };
        if let Err(refused) = done {
            out.push(Delivery::Reply { client, notice: Notice::Refused(refused) });
        }
    }

    fn join(
        &mut self,
        client: ClientId,
        me: PersonId,
        room: RoomName,
        since: Option<Since>,
        out: &mut Vec<Delivery>,
    ) -> Result<(), Refused> {
        let person = &self.people[&me];
        match person.stay(&room) {
            None if person.stays.len() >= ROOMS_PER_PERSON_MAX => {
                return Err(Refused::TooManyRooms(ROOMS_PER_PERSON_MAX));
            }
            None => self.take_seat(me, client, room.clone(), out),
            Some(stay) => {
                if stay.away.is_none() {
                    // It is here, and asks once more. The answer has its place behind what it was
                    // told so far.
                    out.push(Delivery::Leaves { client, room: room.clone() });
                }
                out.push(Delivery::Enters { client, room: room.clone() });
                let listener = Listener { client, is_plain: false };
                self.rooms.listen(&room, stay.place, Some(listener));
                self.come_back(me, &room);
            }
        }
        let notice = Notice::Joined(Box::new(self.joined(room, since)));
        out.push(Delivery::Reply { client, notice });
        Ok(())
    }

    /// A room as one finds it who has everything up to a message, or nothing.
    fn joined(&self, name: RoomName, since: Option<Since>) -> Joined {
        let Some(room) = self.rooms.get(&name) else {
            return Joined {
                room: name,
                seq: 0,
                recovered: false,
                messages: vec![],
                members: vec![],
            };
        };
        let members = room.seats().map(|seat| self.people[&seat.person].nickname.clone()).collect();
        let since = since.filter(|since| since.epoch == self.rules.epoch);
        let missed = since.and_then(|since| room.since(since.after));
        let missed = missed.map(|missed| missed.cloned().collect::<Vec<_>>());
        let missed = missed.filter(|messages| bytes(messages) <= MISSED_BYTES_MAX);
        let recovered = missed.is_some();
        let newest = || newest_first(room.before(u64::MAX).take(MESSAGES_FOR_A_NEWCOMER));
        let messages = missed.unwrap_or_else(newest);
        Joined { room: name, seq: room.seq(), recovered, messages, members }
    }

    fn part(
        &mut self,
        client: ClientId,
        me: PersonId,
        room: RoomName,
        out: &mut Vec<Delivery>,
    ) -> Result<(), Refused> {
        let Some(stay) = self.people[&me].stay(&room) else {
            return Err(Refused::NotInRoom(room));
        };
        if stay.away.is_none() {
            out.push(Delivery::Leaves { client, room: room.clone() });
        }
        self.leave_room(me, &room, Departure::Closed, out);
        out.push(Delivery::Reply { client, notice: Notice::Parted { room } });
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "they are the members of one command")]
    fn say_as(
        &mut self,
        client: ClientId,
        me: PersonId,
        room: RoomName,
        text: Text,
        id: Id,
        kind: Kind,
        now: Now,
        out: &mut Vec<Delivery>,
    ) -> Result<(), Refused> {
        let person = &self.people[&me];
        if let Some(receipt) = person.receipts.get(&id) {
            let notice = self.once_more(receipt, text, id, kind);
            out.push(Delivery::Reply { client, notice });
            return Ok(());
        }
        if !person.is_here(&room) {
            return Err(Refused::NotInRoom(room));
        }
        let nickname = person.nickname.clone();
        let message = self.keep(&room, nickname.clone(), text, Some(id.clone()), kind, now);
        let receipt =
            Receipt::Said { room: room.clone(), seq: message.seq, time: message.time, nickname };
        self.person(me).receipts.keep(id, receipt);
        out.push(Delivery::Room { room, notice: Notice::Message(message) });
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "they are the members of one command")]
    fn tell(
        &mut self,
        client: ClientId,
        me: PersonId,
        to: &Nickname,
        text: Text,
        id: Id,
        now: Now,
        out: &mut Vec<Delivery>,
    ) -> Result<(), Refused> {
        let person = &self.people[&me];
        if let Some(receipt) = person.receipts.get(&id) {
            let notice = self.once_more(receipt, text, id, Kind::Say);
            out.push(Delivery::Reply { client, notice });
            return Ok(());
        }
        let found = to.forms().iter().find_map(|form| self.taken.get(form)).copied();
        let Some(other) = found.map(|other| &self.people[&other]) else {
            return Err(Refused::NoSuchNick(to.clone()));
        };
        if other.session.is_none() {
            return Err(Refused::CannotHear(other.nickname.clone()));
        }
        let (from, to, time) = (person.nickname.clone(), other.nickname.clone(), now.unix_ms);
        let notice =
            Notice::Private { from: from.clone(), to: to.clone(), time, text, id: id.clone() };
        // Somebody who is away for a moment does not get it: it is never stored.
        let other = other.client.filter(|other| *other != client);
        out.push(Delivery::Clients {
            clients: other.into_iter().collect(),
            notice: notice.clone(),
        });
        out.push(Delivery::Reply { client, notice });
        self.person(me).receipts.keep(id, Receipt::Told { to, time, nickname: from });
        Ok(())
    }

    /// What was sent already, as it was then. The text of a message that nobody holds any more is
    /// taken from the sender, who has it.
    fn once_more(&self, receipt: &Receipt, text: Text, id: Id, kind: Kind) -> Notice {
        match receipt.clone() {
            Receipt::Said { room, seq, time, nickname } => {
                let held = self.rooms.get(&room).and_then(|room| room.message(seq)).cloned();
                let id = Some(id);
                Notice::Message(held.unwrap_or_else(|| {
                    Arc::new(Message { room, seq, time, nickname, text, id, kind })
                }))
            }
            Receipt::Told { to, time, nickname } => {
                Notice::Private { from: nickname, to, time, text, id }
            }
        }
    }

    fn rename(
        &mut self,
        client: ClientId,
        me: PersonId,
        to: Nickname,
        out: &mut Vec<Delivery>,
    ) -> Result<(), Refused> {
        let holder = |form: &String| self.taken.get(form).is_some_and(|holder| *holder != me);
        if to.forms().iter().any(holder) {
            return Err(Refused::NickTaken(to));
        }
        let person = self.person(me);
        let from = std::mem::replace(&mut person.nickname, to.clone());
        let rooms: Vec<_> = person.stays.iter().map(|stay| stay.room.clone()).collect();
        self.release(&from);
        self.reserve(me, &to);
        let others: BTreeSet<_> = rooms
            .iter()
            .flat_map(|room| self.rooms.listeners(room))
            .filter(|listener| !listener.is_plain && listener.client != client)
            .map(|listener| listener.client)
            .collect();
        let notice = Notice::Renamed { from, to, rooms };
        let clients = others.into_iter().collect();
        out.push(Delivery::Clients { clients, notice: notice.clone() });
        out.push(Delivery::Reply { client, notice });
        Ok(())
    }

    fn typing(
        &mut self,
        client: ClientId,
        me: PersonId,
        room: RoomName,
        now: Now,
        out: &mut Vec<Delivery>,
    ) -> Result<(), Refused> {
        let person = self.person(me);
        let nickname = person.nickname.clone();
        let stay = person.stay_mut(&room).filter(|stay| stay.away.is_none());
        let Some(stay) = stay else { return Err(Refused::NotInRoom(room)) };
        let passed = |last: Instant| now.instant.duration_since(last) >= TYPING_EVERY;
        if stay.typed.is_none_or(passed) {
            stay.typed = Some(now.instant);
            let notice = Notice::Typing { room: room.clone(), nickname };
            out.push(Delivery::Others { room, but: client, notice });
        }
        Ok(())
    }

    fn history(
        &self,
        client: ClientId,
        me: PersonId,
        name: RoomName,
        before: Option<u64>,
        limit: usize,
        out: &mut Vec<Delivery>,
    ) -> Result<(), Refused> {
        let room = self.rooms.get(&name).filter(|_| self.people[&me].is_here(&name));
        let Some(room) = room else { return Err(Refused::NotInRoom(name)) };
        let older = room.before(before.unwrap_or(u64::MAX));
        let held = older.len();
        let messages = newest_first(older.take(limit));
        let more = messages.len() < held;
        let notice = Notice::History { room: name, messages, more };
        out.push(Delivery::Reply { client, notice });
        Ok(())
    }

    /// The rooms that have somebody in them or something to read.
    pub(crate) fn listings(&self) -> Vec<Listing> {
        let listing = |(room, it): (&RoomName, &rooms::Room)| Listing {
            room: room.clone(),
            members: it.seats().len(),
            seq: it.seq(),
        };
        let mut listings: Vec<_> = self.rooms.iter().map(listing).collect();
        listings.sort_by(|a, b| a.room.cmp(&b.room));
        listings
    }

    /// The nicknames of those in a room, in the order in which they came.
    pub(crate) fn members(&self, room: &RoomName) -> Vec<Nickname> {
        let seats = self.rooms.get(room).map(rooms::Room::seats);
        let nickname = |seat: &rooms::Seat| self.people[&seat.person].nickname.clone();
        seats.into_iter().flatten().map(nickname).collect()
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
        let stays = person.into_iter().flat_map(|person| &person.stays);
        stays.filter(|stay| stay.away.is_none()).map(|stay| &stay.room)
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

/// The newest messages, oldest first, as many as fit into one answer.
fn newest_first<'a>(messages: impl Iterator<Item = &'a Arc<Message>>) -> Vec<Arc<Message>> {
    let mut left = PAGE_BYTES_MAX;
    let fits = |message: &&Arc<Message>| {
        let next = left.checked_sub(message.weight());
        left = next.unwrap_or(0);
        next.is_some()
    };
    let mut fitting: Vec<_> = messages.take_while(fits).cloned().collect();
    fitting.reverse();
    fitting
}

fn bytes(messages: &[Arc<Message>]) -> usize {
    messages.iter().map(|message| message.weight()).sum()
}
