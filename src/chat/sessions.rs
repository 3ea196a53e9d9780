//! Sessions of people: how one begins, loses its connection, is resumed, and ends.

use std::time::Instant;

use super::command::CommandError;
use super::delivery::Delivery;
use super::nickname::Nickname;
use super::notice::{LeaveReason, Notice};
use super::person::{Person, Presence};
use super::recent_sessions::EndedSession;
use super::session::Token;
use super::{Chat, ClientId, Now, PersonId, Requester, Turn};

impl Chat {
    /// Begins or resumes a session, and welcomes the client.
    pub(super) fn hello(
        &mut self,
        client: ClientId,
        wish: Option<Nickname>,
        session: Option<Token>,
        turn: &mut Turn<'_>,
    ) -> Result<(), CommandError> {
        let granted_session = self.grants.get(&client).and_then(|grant| grant.session);
        let session = granted_session.or(session);
        if let Some(person) = session.and_then(|token| self.by_token.get(&token).copied()) {
            self.resume(client, person, wish, turn);
            return Ok(());
        }
        let network = self.network_of(client);
        let held = session.and_then(|token| self.take_held(token, turn));
        if held.is_some() || session.is_some_and(|token| self.recent_sessions.contains(token)) {
            self.free_place(network, turn)?;
        } else {
            self.admit_session(network, turn)?;
        }
        let ended = session.and_then(|token| self.recent_sessions.take(token, turn.now.instant));
        let resumed = ended.is_some();
        // A session for which a nickname is held keeps its token, too: if the answer is lost, the
        // client can still resume it.
        let token = granted_session.or(session.filter(|_| resumed || held.is_some()));
        let token = token.unwrap_or_else(|| Token::new(turn.random));
        let before = held.or_else(|| ended.as_ref().map(|ended| ended.nickname.clone()));
        let wish = wish.filter(|wish| self.is_free(wish)).or(before);
        let nickname = match self.granted_nickname(client)? {
            Some(granted) => granted,
            None => self.choose_nickname(wish, turn.random)?,
        };
        let mut person = Person::new(nickname.clone(), client, network, Some(token));
        person.receipts = ended.map(|ended| ended.receipts).unwrap_or_default();
        let person = self.add_person(person, turn.now);
        self.by_token.insert(token, person);
        self.record_name(person);
        let notice = Notice::Welcome { session: token, nickname, resumed };
        turn.out.push(Delivery::Reply { client, notice });
        self.join_granted_rooms(Requester { client, person }, turn);
        Ok(())
    }

    /// Gives a person another connection. It must join its rooms again. Until then, and at most for
    /// the grace, the person stays a member.
    fn resume(
        &mut self,
        client: ClientId,
        id: PersonId,
        wish: Option<Nickname>,
        turn: &mut Turn<'_>,
    ) {
        let network = self.network_of(client);
        self.mark_away(id, LeaveReason::Closed, turn);
        if self.people[&id].network != network {
            // If the network is full, the session is resumed nevertheless: the client is connected.
            let _ = self.free_place_in(network, turn);
            self.networks.add_person(network, turn.now.instant);
            let before = std::mem::replace(&mut self.person_mut(id).network, network);
            self.networks.remove_person(before);
        }
        // A client that had closed is in no room, so no member needs to know of another nickname.
        let had_closed = std::mem::take(&mut self.person_mut(id).has_closed);
        if let Some(wish) = wish.filter(|wish| had_closed && self.is_free_for(id, wish)) {
            self.change_nickname(id, wish);
        }
        let person = self.person_mut(id);
        let nickname = person.nickname.clone();
        let Some(session) = person.session else { return };
        if let Some(old) = person.client.replace(client) {
            turn.out.push(Delivery::Replaced { client: old });
            self.by_client.remove(&old);
        }
        self.by_client.insert(client, id);
        let notice = Notice::Welcome { session, nickname: nickname.clone(), resumed: true };
        turn.out.push(Delivery::Reply { client, notice });
        let requester = Requester { client, person: id };
        let granted = self.grants.get(&client).and_then(|grant| grant.nickname.clone());
        if let Some(granted) = granted.filter(|granted| *granted != nickname) {
            // The embedder has given this user another nickname since. If it is taken, the user
            // keeps the one that it has.
            let _ = self.rename(requester, granted, turn);
        }
        self.join_granted_rooms(requester, turn);
    }

    /// Removes a client, and returns its nickname. A person with a session stays for the grace: with
    /// its rooms if the connection broke, without them if it was closed. Does nothing if another
    /// connection has resumed the session.
    pub(crate) fn leave(
        &mut self,
        client: ClientId,
        reason: LeaveReason,
        turn: &mut Turn<'_>,
    ) -> Option<Nickname> {
        self.connected.remove(&client);
        self.grants.remove(&client);
        let id = self.by_client.remove(&client)?;
        let person = self.person_mut(id);
        person.client = None;
        person.has_closed = reason == LeaveReason::Closed;
        let (nickname, has_session) = (person.nickname.clone(), person.session.is_some());
        if reason == LeaveReason::Closed || !has_session {
            self.leave_all_rooms(id, reason, turn.out);
        }
        if has_session {
            self.mark_away(id, reason, turn);
        }
        self.remove_if_gone(id, turn.now);
        Some(nickname)
    }

    /// Returns when [`tick`](Self::tick) is due.
    pub(crate) fn next_tick(&self) -> Option<Instant> {
        self.graces.first().map(|(at, _)| *at)
    }

    /// Ends the graces that are over, and forgets old sessions.
    pub(crate) fn tick(&mut self, turn: &mut Turn<'_>) {
        self.recent_sessions.expire(turn.now.instant);
        while let Some((at, id)) =
            self.graces.first().copied().filter(|(at, _)| *at <= turn.now.instant)
        {
            self.end_grace(at, id, turn);
        }
    }

    /// Marks a person as away in all its rooms, or makes it leave them if there is no grace.
    fn mark_away(&mut self, id: PersonId, reason: LeaveReason, turn: &mut Turn<'_>) {
        if self.rules.grace.is_zero() {
            return self.leave_all_rooms(id, reason, turn.out);
        }
        let Some(person) = self.people.get_mut(&id) else { return };
        for membership in &mut person.memberships {
            if !matches!(membership.presence, Presence::Away(_)) {
                membership.presence = Presence::Away(reason);
            }
            self.rooms.set_listener(&membership.room, membership.seat_id, None);
        }
        self.start_grace(id, turn.now);
    }

    /// Starts the grace of a person, or starts it again.
    pub(super) fn start_grace(&mut self, id: PersonId, now: Now) {
        let until = now.instant + self.rules.grace;
        if let Some(before) = self.person_mut(id).grace_until.replace(until) {
            self.graces.remove(&(before, id));
        }
        self.graces.insert((until, id));
    }

    /// Ends a grace: the person leaves the rooms that it has not joined again, and is removed if it
    /// has no connection.
    pub(super) fn end_grace(&mut self, until: Instant, id: PersonId, turn: &mut Turn<'_>) {
        self.graces.remove(&(until, id));
        let person = self.person_mut(id);
        person.grace_until = None;
        let away = person.memberships.iter().filter_map(|membership| match membership.presence {
            Presence::Away(reason) => Some((membership.room.clone(), reason)),
            _ => None,
        });
        for (room, reason) in away.collect::<Vec<_>>() {
            self.leave_room(id, &room, reason, turn.out);
        }
        self.remove_if_gone(id, turn.now);
    }

    pub(super) fn add_person(&mut self, person: Person, now: Now) -> PersonId {
        self.people_count += 1;
        let id = PersonId(self.people_count);
        self.networks.add_person(person.network, now.instant);
        self.by_client.extend(person.client.map(|client| (client, id)));
        self.take_nickname(id, &person.nickname);
        self.people.insert(id, person);
        id
    }

    /// Removes a person that has neither a connection nor a grace, and remembers its session.
    pub(super) fn remove_if_gone(&mut self, id: PersonId, now: Now) {
        let person = &self.people[&id];
        if person.client.is_some() || person.grace_until.is_some() {
            return;
        }
        let Some(person) = self.people.remove(&id) else { return };
        self.release_nickname(&person.nickname);
        self.networks.remove_person(person.network);
        self.record_end(&person);
        if let Some(token) = person.session {
            self.by_token.remove(&token);
            let Person { nickname, receipts, network, .. } = person;
            let ended = EndedSession { nickname, receipts, network };
            self.recent_sessions.insert(token, ended, now.instant);
        }
    }
}
