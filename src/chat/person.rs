//! Who is there: coming, going, being away for a moment, and coming back.

use std::time::Instant;

use rand::{Rng, RngExt as _};

use super::session::Receipts;
use super::{
    Chat, ClientId, Delivery, Departure, Ended, GIVEN_NAMES, Listener, Nickname, Notice, Now,
    PersonId, RoomName, Token,
};

/// Somebody under a nickname.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) nickname: Nickname,
    /// The connection, if there is one.
    pub(super) client: Option<ClientId>,
    /// A plain client has none.
    pub(super) session: Option<Token>,
    pub(super) stays: Vec<Stay>,
    /// Until when nickname and places are kept, after a connection broke or was replaced.
    kept_until: Option<Instant>,
    pub(super) receipts: Receipts,
}

/// That somebody is in a room.
#[derive(Debug)]
pub(super) struct Stay {
    pub(super) room: RoomName,
    /// By which the room knows the seat.
    pub(super) place: u64,
    /// Why nobody is on the seat, while it is kept.
    pub(super) away: Option<Departure>,
    /// When it was last passed on that somebody is writing.
    pub(super) typed: Option<Instant>,
}

impl Person {
    pub(super) fn new(nickname: Nickname, client: ClientId, session: Option<Token>) -> Self {
        Self {
            nickname,
            client: Some(client),
            session,
            stays: Vec::new(),
            kept_until: None,
            receipts: Receipts::default(),
        }
    }

    pub(super) fn stay(&self, room: &RoomName) -> Option<&Stay> {
        self.stays.iter().find(|stay| stay.room == *room)
    }

    pub(super) fn stay_mut(&mut self, room: &RoomName) -> Option<&mut Stay> {
        self.stays.iter_mut().find(|stay| stay.room == *room)
    }

    pub(super) fn is_here(&self, room: &RoomName) -> bool {
        self.stay(room).is_some_and(|stay| stay.away.is_none())
    }
}

impl Chat {
    pub(super) fn hello(
        &mut self,
        client: ClientId,
        wish: Option<Nickname>,
        session: Option<Token>,
        now: Now,
        random: &mut impl Rng,
        out: &mut Vec<Delivery>,
    ) {
        if let Some(person) = session.and_then(|token| self.by_token.get(&token).copied()) {
            return self.take_over(client, person, now, out);
        }
        let remembered =
            session.and_then(|token| Some((token, self.memory.take(token, now.instant)?)));
        let resumed = remembered.is_some();
        let (token, ended) = match remembered {
            Some((token, ended)) => (token, Some(ended)),
            None => (Token::new(random), None),
        };
        let wish = wish.or_else(|| ended.as_ref().map(|ended| ended.nickname.clone()));
        let nickname = self.free_or_fresh(wish, random);
        let mut person = Person::new(nickname.clone(), client, Some(token));
        person.receipts = ended.map(|ended| ended.receipts).unwrap_or_default();
        let person = self.add(person);
        self.by_token.insert(token, person);
        let notice = Notice::Welcome { session: token, nickname, resumed };
        out.push(Delivery::Reply { client, notice });
    }

    /// Another connection of somebody who is here. It has to join its rooms again; until then, and
    /// no longer than the grace, they are kept for it.
    fn take_over(&mut self, client: ClientId, me: PersonId, now: Now, out: &mut Vec<Delivery>) {
        self.step_away(me, Departure::Closed, now, out);
        let person = self.person(me);
        let nickname = person.nickname.clone();
        let Some(session) = person.session else { return };
        if let Some(old) = person.client.replace(client) {
            out.push(Delivery::Replaced { client: old });
            self.by_client.remove(&old);
        }
        self.by_client.insert(client, me);
        let notice = Notice::Welcome { session, nickname, resumed: true };
        out.push(Delivery::Reply { client, notice });
    }

    /// A connection has ended. Somebody with a session whose connection broke keeps nickname and
    /// places for a while. Nothing happens when another connection has taken its place.
    pub(crate) fn leave(
        &mut self,
        client: ClientId,
        departure: Departure,
        now: Now,
        out: &mut Vec<Delivery>,
    ) -> Option<Nickname> {
        let me = self.by_client.remove(&client)?;
        let person = self.person(me);
        person.client = None;
        let nickname = person.nickname.clone();
        let keeps_places = person.session.is_some()
            && departure != Departure::Closed
            && !self.rules.grace.is_zero();
        if keeps_places {
            self.step_away(me, departure, now, out);
        } else {
            self.leave_all_rooms(me, departure, out);
        }
        self.end_if_gone(me, now);
        Some(nickname)
    }

    /// Those whose grace is over are there no longer, and old sessions are forgotten.
    pub(crate) fn tick(&mut self, now: Now, out: &mut Vec<Delivery>) {
        self.memory.forget(now.instant);
        while let Some((at, me)) = self.away.first().copied().filter(|(at, _)| *at <= now.instant) {
            self.away.remove(&(at, me));
            let person = self.person(me);
            person.kept_until = None;
            let away = |stay: &Stay| Some((stay.room.clone(), stay.away?));
            let over: Vec<_> = person.stays.iter().filter_map(away).collect();
            for (room, departure) in over {
                self.leave_room(me, &room, departure, out);
            }
            self.end_if_gone(me, now);
        }
    }

    /// When somebody's grace is over next.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        self.away.first().map(|(at, _)| *at)
    }

    /// Keeps somebody's places, without anybody on them.
    fn step_away(&mut self, me: PersonId, departure: Departure, now: Now, out: &mut Vec<Delivery>) {
        if self.rules.grace.is_zero() {
            return self.leave_all_rooms(me, departure, out);
        }
        let until = now.instant + self.rules.grace;
        let Some(person) = self.people.get_mut(&me) else { return };
        for stay in &mut person.stays {
            stay.away.get_or_insert(departure);
            self.rooms.listen(&stay.room, stay.place, None);
        }
        if let Some(before) = person.kept_until.replace(until) {
            self.away.remove(&(before, me));
        }
        self.away.insert((until, me));
    }

    pub(super) fn come_back(&mut self, me: PersonId, room: &RoomName) {
        if let Some(stay) = self.person(me).stay_mut(room) {
            stay.away = None;
        }
    }

    fn leave_all_rooms(&mut self, me: PersonId, departure: Departure, out: &mut Vec<Delivery>) {
        let person = self.person(me);
        let rooms: Vec<_> = person.stays.iter().map(|stay| stay.room.clone()).collect();
        // Nothing is kept any more that was kept since a take-over.
        if let Some(until) = person.kept_until.take() {
            self.away.remove(&(until, me));
        }
        for room in rooms {
            self.leave_room(me, &room, departure, out);
        }
    }

    pub(super) fn leave_room(
        &mut self,
        me: PersonId,
        room: &RoomName,
        reason: Departure,
        out: &mut Vec<Delivery>,
    ) {
        let person = self.person(me);
        let nickname = person.nickname.clone();
        let Some(index) = person.stays.iter().position(|stay| stay.room == *room) else { return };
        let stay = person.stays.remove(index);
        self.rooms.leave(room, stay.place);
        let notice = Notice::Left { room: room.clone(), nickname, reason };
        out.push(Delivery::Room { room: room.clone(), notice });
    }

    pub(super) fn take_seat(
        &mut self,
        me: PersonId,
        client: ClientId,
        room: RoomName,
        out: &mut Vec<Delivery>,
    ) {
        let person = self.person(me);
        let (nickname, is_plain) = (person.nickname.clone(), person.session.is_none());
        let notice = Notice::Arrived { room: room.clone(), nickname };
        out.push(Delivery::Room { room: room.clone(), notice });
        let place = self.rooms.enter(&room, me, Listener { client, is_plain });
        out.push(Delivery::Enters { client, room: room.clone() });
        self.person(me).stays.push(Stay { room, place, away: None, typed: None });
    }

    pub(super) fn add(&mut self, person: Person) -> PersonId {
        self.people_count += 1;
        let id = PersonId(self.people_count);
        self.by_client.extend(person.client.map(|client| (client, id)));
        self.reserve(id, &person.nickname);
        self.people.insert(id, person);
        id
    }

    /// Somebody without a connection and without a place is gone, and only remembered.
    fn end_if_gone(&mut self, me: PersonId, now: Now) {
        let person = &self.people[&me];
        if person.client.is_some() || person.kept_until.is_some() {
            return;
        }
        let Some(person) = self.people.remove(&me) else { return };
        self.release(&person.nickname);
        if let Some(token) = person.session {
            self.by_token.remove(&token);
            let ended = Ended { nickname: person.nickname, receipts: person.receipts };
            self.memory.keep(token, ended, now.instant);
        }
    }

    pub(super) fn person(&mut self, me: PersonId) -> &mut Person {
        self.people.get_mut(&me).expect("every id in the maps is somebody's who is there")
    }

    pub(super) fn reserve(&mut self, me: PersonId, nickname: &Nickname) {
        self.taken.extend(nickname.forms().map(|form| (form, me)));
    }

    pub(super) fn release(&mut self, nickname: &Nickname) {
        for form in nickname.forms() {
            self.taken.remove(&form);
        }
    }

    /// The nickname that was wished for, if nobody has it, or a random one.
    pub(super) fn free_or_fresh(&self, wish: Option<Nickname>, random: &mut impl Rng) -> Nickname {
        let free_wish = wish.filter(|nickname| self.is_free(nickname));
        free_wish.unwrap_or_else(|| self.fresh_nickname(random))
    }

    fn is_free(&self, nickname: &Nickname) -> bool {
        !nickname.forms().iter().any(|form| self.taken.contains_key(form))
    }

    /// A random name, or the next free one after it, so that the search ends even when nearly all
    /// are taken.
    fn fresh_nickname(&self, random: &mut impl Rng) -> Nickname {
        let start = random.random_range(0..GIVEN_NAMES);
        (start..GIVEN_NAMES)
            .chain(0..start)
            .map(Nickname::given)
            .find(|nickname| self.is_free(nickname))
            .expect("the server takes fewer clients than there are names (CLIENTS_MAX)")
    }
}
