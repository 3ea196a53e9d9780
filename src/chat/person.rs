//! Who is there: coming, going, being away for a moment, and coming back.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use rand::{Rng, RngExt as _};

use super::session::Receipts;
use super::{
    Chat, ClientId, Delivery, Digest, EndedSession, GIVEN_NAMES, LeaveReason, Listener, Network,
    Nickname, Notice, Now, PersonId, Refused, RoomName, Token, TokenBucket, Turn,
};

/// What may be told to a person in private at once, and in the long run (per second), in units of
/// [`TOLD_UNIT_BYTES`]. In the 10 s in which a client may take nothing, this is far less than what
/// may wait for it, however its JSON is escaped.
const TOLD_BURST: u32 = 40;
const TOLD_PER_SECOND: u32 = 8;
const TOLD_UNIT_BYTES: usize = 1024;
/// How long a newcomer waits where every place is taken and nobody is away.
const WAIT_WHEN_FULL: Duration = Duration::from_secs(1);

/// Somebody under a nickname.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) nickname: Nickname,
    /// The connection, if there is one.
    pub(super) client: Option<ClientId>,
    /// A plain client has none.
    pub(super) session: Option<Token>,
    /// The network of the connection, or of the last one.
    pub(super) network: Network,
    pub(super) memberships: Vec<Membership>,
    /// Until when nickname and places are kept, after a connection broke, was replaced or closed.
    kept_until: Option<Instant>,
    /// The last connection was closed: only the nickname is kept.
    pub(super) has_closed: bool,
    pub(super) receipts: Receipts,
    /// What others told it in private, once there was anything.
    told: Option<Box<Told>>,
    /// It is only a nickname, held for this session of an earlier run of the server.
    pub(super) held_for: Option<Digest>,
}

/// That somebody is in a room.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) room: RoomName,
    /// By which the room knows the member.
    pub(super) seat_id: u64,
    pub(super) presence: Presence,
    /// The message behind which nothing is kept of what the client has missed.
    pub(super) nothing_after: Option<u64>,
    /// When it was last passed on that somebody is writing.
    pub(super) typed: Option<Instant>,
}

/// What others told a person in private: in all, and from each network, which may use up half.
#[derive(Debug)]
struct Told {
    all: TokenBucket,
    by_network: HashMap<Network, TokenBucket>,
}

impl Told {
    fn new(now: Instant) -> Option<Self> {
        let all = TokenBucket::new(TOLD_PER_SECOND, TOLD_BURST, now)?;
        Some(Self { all, by_network: HashMap::new() })
    }

    fn take(&mut self, from: Network, units: usize, now: Instant) -> Result<(), Duration> {
        self.by_network.retain(|_, bucket| !bucket.is_full(now));
        let half = TokenBucket::new(TOLD_PER_SECOND / 2, TOLD_BURST / 2, now);
        let mut share = self.by_network.remove(&from).or(half);
        let waits = [Some(&self.all), share.as_ref()].map(|it| it?.wait_until(now));
        let until = waits.into_iter().flatten().max();
        if until.is_none() {
            for bucket in [Some(&mut self.all), share.as_mut()].into_iter().flatten() {
                (0..units).for_each(|_| bucket.count(now));
            }
        }
        self.by_network.extend(share.map(|share| (from, share)));
        until.map_or(Ok(()), |until| Err(until - now))
    }
}

/// How a person is in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// The client is told what is said.
    Listening,
    /// The client is given what it missed, in parts, and is not told yet what is said.
    CatchingUp,
    /// The member is kept for a while. The leave_reason is what others are told when the time is over.
    Away(LeaveReason),
}

impl Person {
    pub(super) fn new(
        nickname: Nickname,
        client: ClientId,
        network: Network,
        session: Option<Token>,
    ) -> Self {
        Self { client: Some(client), session, ..Self::without_client(nickname, network) }
    }

    pub(super) fn without_client(nickname: Nickname, network: Network) -> Self {
        Self {
            nickname,
            client: None,
            session: None,
            network,
            memberships: Vec::new(),
            kept_until: None,
            has_closed: false,
            receipts: Receipts::default(),
            told: None,
            held_for: None,
        }
    }

    /// Whether places are kept for it to which it has not come back.
    pub(super) fn is_away_from_any_room(&self) -> bool {
        self.memberships.iter().any(|membership| matches!(membership.presence, Presence::Away(_)))
    }

    /// Counts a text that others tell it, or says how long it has to wait. A client is cut when too
    /// much waits for it, and others are not to bring that about.
    pub(super) fn take_told(
        &mut self,
        from: Network,
        bytes: usize,
        now: Instant,
    ) -> Result<(), Duration> {
        if self.told.is_none() {
            self.told = Told::new(now).map(Box::new);
        }
        let units = 1 + bytes / TOLD_UNIT_BYTES;
        self.told.as_mut().map_or(Ok(()), |told| told.take(from, units, now))
    }

    pub(super) fn membership(&self, room: &RoomName) -> Option<&Membership> {
        self.memberships.iter().find(|membership| membership.room == *room)
    }

    pub(super) fn membership_mut(&mut self, room: &RoomName) -> Option<&mut Membership> {
        self.memberships.iter_mut().find(|membership| membership.room == *room)
    }

    pub(super) fn is_here(&self, room: &RoomName) -> bool {
        self.membership(room)
            .is_some_and(|membership| !matches!(membership.presence, Presence::Away(_)))
    }
}

impl Chat {
    pub(super) fn hello(
        &mut self,
        client: ClientId,
        wish: Option<Nickname>,
        session: Option<Token>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        let network = self.network_of(client);
        if let Some(person) = session.and_then(|token| self.by_token.get(&token).copied()) {
            self.take_over(client, person, wish, turn);
            return Ok(());
        }
        let held = session.and_then(|token| self.take_held(token, turn));
        if held.is_some() || session.is_some_and(|token| self.recent_sessions.knows(token)) {
            self.make_place(network, turn)?;
        } else {
            self.admit(network, turn)?;
        }
        let remembered = session
            .and_then(|token| Some((token, self.recent_sessions.take(token, turn.now.instant)?)));
        let resumed = remembered.is_some();
        let (token, ended) = match (remembered, session.filter(|_| held.is_some())) {
            (Some((token, ended)), _) => (token, Some(ended)),
            // It is the same client, also if it does not get to read the answer.
            (None, Some(token)) => (token, None),
            (None, None) => (Token::new(turn.random), None),
        };
        let before = held.or_else(|| ended.as_ref().map(|ended| ended.nickname.clone()));
        let wish = wish.filter(|wish| self.is_free(wish)).or(before);
        let nickname = self.free_or_fresh(wish, turn.random)?;
        let mut person = Person::new(nickname.clone(), client, network, Some(token));
        person.receipts = ended.map(|ended| ended.receipts).unwrap_or_default();
        let person = self.add(person, turn.now);
        self.by_token.insert(token, person);
        self.note_name(person);
        let notice = Notice::Welcome { session: token, nickname, resumed };
        turn.out.push(Delivery::Reply { client, notice });
        Ok(())
    }

    /// Counts a new session of a network, and makes a place for it.
    pub(super) fn admit(&mut self, network: Network, turn: &mut Turn<'_>) -> Result<(), Refused> {
        self.networks.take_session(network, turn.now.instant).map_err(Refused::for_now)?;
        self.make_place(network, turn)
    }

    /// Makes a place for one more person. People who are away count, and make way for those who are
    /// there: the one whose time is over first, of the same network or, where the chat is full, of
    /// all.
    fn make_place(&mut self, network: Network, turn: &mut Turn<'_>) -> Result<(), Refused> {
        self.make_place_in(network, turn)?;
        while self.people.len() >= self.rules.quota.people_max {
            self.end_one_away(None, turn)?;
        }
        Ok(())
    }

    fn make_place_in(&mut self, network: Network, turn: &mut Turn<'_>) -> Result<(), Refused> {
        while self.networks.is_full(network) {
            self.end_one_away(Some(network), turn)?;
        }
        Ok(())
    }

    fn end_one_away(
        &mut self,
        network: Option<Network>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        let makes_way = |(_, person): &&(Instant, PersonId)| {
            let person = &self.people[person];
            person.client.is_none() && network.is_none_or(|network| person.network == network)
        };
        let found = self.away.iter().find(makes_way).copied();
        let (until, person) = found.ok_or_else(|| Refused::for_now(WAIT_WHEN_FULL))?;
        self.end_grace(until, person, turn);
        Ok(())
    }

    /// Another connection of somebody who is here. It has to join its rooms again; until then, and
    /// no longer than the grace, they are kept for it.
    fn take_over(
        &mut self,
        client: ClientId,
        me: PersonId,
        wish: Option<Nickname>,
        turn: &mut Turn<'_>,
    ) {
        let network = self.network_of(client);
        self.step_away(me, LeaveReason::Closed, turn);
        if self.people[&me].network != network {
            // Where there is no place, a session goes on all the same: its connection has one.
            let _ = self.make_place_in(network, turn);
            self.networks.add_person(network, turn.now.instant);
            let before = std::mem::replace(&mut self.person(me).network, network);
            self.networks.remove_person(before);
        }
        // Whoever closed and comes back may be called something else, which no room has to hear.
        let had_closed = std::mem::take(&mut self.person(me).has_closed);
        if let Some(wish) = wish.filter(|wish| had_closed && self.is_free_for(me, wish)) {
            self.change_nickname(me, wish);
        }
        let person = self.person(me);
        let nickname = person.nickname.clone();
        let Some(session) = person.session else { return };
        if let Some(old) = person.client.replace(client) {
            turn.out.push(Delivery::Replaced { client: old });
            self.by_client.remove(&old);
        }
        self.by_client.insert(client, me);
        let notice = Notice::Welcome { session, nickname, resumed: true };
        turn.out.push(Delivery::Reply { client, notice });
    }

    /// A connection has ended. A person with a session whose connection broke keeps nickname and
    /// places for a while; one whose connection was closed keeps the nickname. Nothing happens when
    /// another connection has taken its place.
    pub(crate) fn leave(
        &mut self,
        client: ClientId,
        leave_reason: LeaveReason,
        turn: &mut Turn<'_>,
    ) -> Option<Nickname> {
        self.connected.remove(&client);
        let me = self.by_client.remove(&client)?;
        let person = self.person(me);
        person.client = None;
        person.has_closed = leave_reason == LeaveReason::Closed;
        let (nickname, has_session) = (person.nickname.clone(), person.session.is_some());
        if leave_reason == LeaveReason::Closed || !has_session {
            self.leave_all_rooms(me, leave_reason, turn.out);
        }
        if has_session {
            self.step_away(me, leave_reason, turn);
        }
        self.end_if_gone(me, turn.now);
        Some(nickname)
    }

    /// Those whose grace is over are there no longer, and old sessions are forgotten.
    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) {
        self.recent_sessions.forget(turn.now.instant);
        while let Some((at, me)) =
            self.away.first().copied().filter(|(at, _)| *at <= turn.now.instant)
        {
            self.end_grace(at, me, turn);
        }
    }

    /// What was kept for a person until a time is kept no longer.
    fn end_grace(&mut self, at: Instant, me: PersonId, turn: &mut Turn<'_>) {
        self.away.remove(&(at, me));
        let person = self.person(me);
        person.kept_until = None;
        let over = person.memberships.iter().filter_map(|membership| match membership.presence {
            Presence::Away(leave_reason) => Some((membership.room.clone(), leave_reason)),
            _ => None,
        });
        let over: Vec<_> = over.collect();
        for (room, leave_reason) in over {
            self.leave_room(me, &room, leave_reason, turn.out);
        }
        self.end_if_gone(me, turn.now);
    }

    /// When somebody's grace is over next.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        self.away.first().map(|(at, _)| *at)
    }

    /// Keeps somebody's places, without anybody on them.
    fn step_away(&mut self, me: PersonId, leave_reason: LeaveReason, turn: &mut Turn<'_>) {
        if self.rules.grace.is_zero() {
            return self.leave_all_rooms(me, leave_reason, turn.out);
        }
        let Some(person) = self.people.get_mut(&me) else { return };
        for membership in &mut person.memberships {
            if !matches!(membership.presence, Presence::Away(_)) {
                membership.presence = Presence::Away(leave_reason);
            }
            self.rooms.listen(&membership.room, membership.seat_id, None);
        }
        self.keep_for_the_grace(me, turn.now);
    }

    pub(super) fn keep_for_the_grace(&mut self, me: PersonId, now: Now) {
        let until = now.instant + self.rules.grace;
        if let Some(before) = self.person(me).kept_until.replace(until) {
            self.away.remove(&(before, me));
        }
        self.away.insert((until, me));
    }

    /// What was held for a session is held no longer.
    pub(super) fn end_held(&mut self, me: PersonId, turn: &mut Turn<'_>) {
        if let Some(until) = self.people[&me].kept_until {
            self.end_grace(until, me, turn);
        }
    }

    fn leave_all_rooms(
        &mut self,
        me: PersonId,
        leave_reason: LeaveReason,
        out: &mut Vec<Delivery>,
    ) {
        let person = self.person(me);
        let rooms: Vec<_> =
            person.memberships.iter().map(|membership| membership.room.clone()).collect();
        // Nothing is kept any more that was kept since a take-over.
        if let Some(until) = person.kept_until.take() {
            self.away.remove(&(until, me));
        }
        for room in rooms {
            self.leave_room(me, &room, leave_reason, out);
        }
    }

    pub(super) fn leave_room(
        &mut self,
        me: PersonId,
        room: &RoomName,
        reason: LeaveReason,
        out: &mut Vec<Delivery>,
    ) {
        let person = self.person(me);
        let nickname = person.nickname.clone();
        let Some(index) = person.memberships.iter().position(|membership| membership.room == *room)
        else {
            return;
        };
        let membership = person.memberships.remove(index);
        self.rooms.leave(room, membership.seat_id);
        let notice = Notice::Left { room: room.clone(), nickname, reason };
        out.push(Delivery::Room { room: room.clone(), notice });
    }

    /// Counts an arrival in a room, which may be a new one.
    pub(super) fn admit_to_room(
        &mut self,
        room: &RoomName,
        network: Network,
        now: Now,
    ) -> Result<(), Refused> {
        self.networks.take_arrival(network, now.instant).map_err(Refused::for_now)?;
        let network = self.counted(network);
        if self.rooms.admits(room, network) { Ok(()) } else { Err(Refused::RoomsFull) }
    }

    fn counted(&self, network: Network) -> Option<Network> {
        self.rules.quota.people_per_network_max.map(|_| network)
    }

    /// A person takes a place in a room, and is not told yet what is said there.
    pub(super) fn arrive(&mut self, me: PersonId, room: &RoomName, out: &mut Vec<Delivery>) {
        let person = &self.people[&me];
        let (nickname, network) = (person.nickname.clone(), self.counted(person.network));
        let notice = Notice::Arrived { room: room.clone(), nickname };
        out.push(Delivery::Room { room: room.clone(), notice });
        let seat_id = self.rooms.enter(room, me, network);
        let (room, presence) = (room.clone(), Presence::CatchingUp);
        let (nothing_after, typed) = (None, None);
        self.person(me).memberships.push(Membership {
            room,
            seat_id,
            presence,
            nothing_after,
            typed,
        });
    }

    /// From here on a client is told what is said in a room in which it has a place.
    pub(super) fn listen(
        &mut self,
        me: PersonId,
        client: ClientId,
        room: &RoomName,
        out: &mut Vec<Delivery>,
    ) {
        let listener = Listener { client, is_plain: self.people[&me].session.is_none() };
        let Some(membership) = self.person(me).membership_mut(room) else { return };
        membership.presence = Presence::Listening;
        let seat_id = membership.seat_id;
        self.rooms.listen(room, seat_id, Some(listener));
        out.push(Delivery::Enters { client, room: room.clone() });
    }

    /// A client that has a place in a room is not told any more what is said there.
    pub(super) fn stop_listening(
        &mut self,
        me: PersonId,
        client: ClientId,
        room: &RoomName,
        out: &mut Vec<Delivery>,
    ) {
        let Some(membership) = self.person(me).membership_mut(room) else { return };
        let before = std::mem::replace(&mut membership.presence, Presence::CatchingUp);
        let seat_id = membership.seat_id;
        if before == Presence::Listening {
            self.rooms.listen(room, seat_id, None);
            out.push(Delivery::Leaves { client, room: room.clone() });
        }
    }

    pub(super) fn add(&mut self, person: Person, now: Now) -> PersonId {
        self.people_count += 1;
        let id = PersonId(self.people_count);
        self.networks.add_person(person.network, now.instant);
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
        self.networks.remove_person(person.network);
        self.note_end(&person);
        if let Some(token) = person.session {
            self.by_token.remove(&token);
            let Person { nickname, receipts, network, .. } = person;
            self.recent_sessions.keep(
                token,
                EndedSession { nickname, receipts, network },
                now.instant,
            );
        }
    }

    pub(super) fn person(&mut self, me: PersonId) -> &mut Person {
        self.people.get_mut(&me).expect("every id in the maps is somebody's who is there")
    }

    /// Gives a person a nickname that is free. Returns the one that it had.
    pub(super) fn change_nickname(&mut self, me: PersonId, to: Nickname) -> Nickname {
        let from = std::mem::replace(&mut self.person(me).nickname, to.clone());
        self.release(&from);
        self.reserve(me, &to);
        self.note_name(me);
        from
    }

    pub(super) fn reserve(&mut self, me: PersonId, nickname: &Nickname) {
        self.taken.extend(nickname.lookalike_keys().map(|form| (form, me)));
    }

    fn release(&mut self, nickname: &Nickname) {
        for form in nickname.lookalike_keys() {
            self.taken.remove(&form);
        }
    }

    /// The nickname that was wished for, if nobody has it, or a random one.
    pub(super) fn free_or_fresh(
        &self,
        wish: Option<Nickname>,
        random: &mut dyn Rng,
    ) -> Result<Nickname, Refused> {
        let free_wish = wish.filter(|nickname| self.is_free(nickname));
        let nickname = free_wish.or_else(|| self.fresh_nickname(random));
        nickname.ok_or_else(|| Refused::for_now(WAIT_WHEN_FULL))
    }

    /// The person with this nickname, or one that looks the same.
    pub(super) fn holder_of(&self, nickname: &Nickname) -> Option<PersonId> {
        nickname.lookalike_keys().iter().find_map(|form| self.taken.get(form)).copied()
    }

    /// Whether a person may have this nickname, which may look like the one that it has.
    pub(super) fn is_free_for(&self, me: PersonId, nickname: &Nickname) -> bool {
        self.is_free_but_for(Some(me), nickname)
    }

    pub(super) fn is_free(&self, nickname: &Nickname) -> bool {
        self.is_free_but_for(None, nickname)
    }

    fn is_free_but_for(&self, me: Option<PersonId>, nickname: &Nickname) -> bool {
        let is_used = |form: &String| {
            self.taken.get(form).is_some_and(|holder| Some(*holder) != me)
                || self.reserved.has(form)
        };
        !nickname.lookalike_keys().iter().any(is_used)
    }

    /// A random name, or the next free one after it, so that the search ends even when nearly all
    /// are taken.
    fn fresh_nickname(&self, random: &mut dyn Rng) -> Option<Nickname> {
        let start = random.random_range(0..GIVEN_NAMES);
        (start..GIVEN_NAMES)
            .chain(0..start)
            .map(Nickname::given)
            .find(|nickname| self.is_free(nickname))
    }
}
