//! Being in rooms: coming in, catching up, reading back, and going.

use super::lookup::missed;
use super::person::Presence;
use super::rooms::Member;
use super::{
    Chat, ClientId, Delivery, Joined, LeaveReason, Lookup, MEMBERS_PER_ANSWER_MAX, Members,
    Nickname, Notice, PersonId, ROOMS_PER_PERSON_MAX, Reading, Refused, RoomName, Search, Since,
    Turn,
};

/// What a client gets that joins a room.
enum Answer {
    Held(Box<Joined>),
    Reading(Reading),
}

impl Answer {
    /// Whether it is a part of what the client missed. The client is not told yet what is said.
    fn is_part(&self) -> bool {
        match self {
            Self::Held(joined) => joined.more,
            Self::Reading(reading) => reading.part_after().is_some(),
        }
    }
}

impl Chat {
    pub(super) fn join(
        &mut self,
        client: ClientId,
        me: PersonId,
        room: RoomName,
        since: Option<Since>,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        let person = &self.people[&me];
        if person.membership(&room).is_none() {
            if person.memberships.len() >= ROOMS_PER_PERSON_MAX {
                return Err(Refused::TooManyRooms(ROOMS_PER_PERSON_MAX));
            }
            self.admit_to_room(&room, person.network, turn.now)?;
            self.arrive(me, &room, turn.out);
        }
        // While it comes back to one room after the other, its other places are kept.
        if self.people[&me].is_away_from_any_room() {
            self.keep_for_the_grace(me, turn.now);
        }
        // Where the client is here, and asks once more, the answer has its place behind what it was
        // told so far.
        self.stop_listening(me, client, &room, turn.out);
        let membership = self.people[&me].membership(&room);
        let is_barren =
            |since: &Since| membership.is_some_and(|it| it.nothing_after == Some(since.after));
        let answer = self.joined(room.clone(), since.filter(|since| !is_barren(since)));
        if !answer.is_part() {
            self.listen(me, client, &room, turn.out);
        }
        turn.out.push(match answer {
            Answer::Held(joined) => Delivery::Reply { client, notice: Notice::Joined(joined) },
            Answer::Reading(reading) => self.read(client, reading),
        });
        Ok(())
    }

    /// Nothing is kept of what a client has missed behind a message. When it asks again, it gets the
    /// newest there is.
    pub(crate) fn note_nothing_after(&mut self, client: ClientId, room: &RoomName, after: u64) {
        let me = self.by_client.get(&client).copied();
        if let Some(membership) = me.and_then(|me| self.person(me).membership_mut(room)) {
            membership.nothing_after = Some(after);
        }
    }

    /// A room as a client finds it that has everything up to a message, or nothing.
    fn joined(&self, name: RoomName, since: Option<Since>) -> Answer {
        let Some(room) = self.rooms.get(&name) else {
            let nobody = Members { nicknames: Vec::new(), count: 0 };
            return Answer::Reading(Reading::newest(
                name,
                0,
                nobody,
                std::iter::empty(),
                &self.rules,
            ));
        };
        let count = room.members().len();
        let members = Members { nicknames: self.nicknames(room.members_after(None)), count };
        let seq = room.seq();
        let since = since.filter(|since| since.epoch == self.rules.epoch && since.after <= seq);
        let Some(Since { after, .. }) = since else {
            let newest_first = room.before(u64::MAX).cloned();
            return Answer::Reading(Reading::newest(name, seq, members, newest_first, &self.rules));
        };
        let held = room.after(after).cloned();
        let all_is_held = after == seq || held.clone().next().is_some_and(|it| it.seq == after + 1);
        if all_is_held || !self.rules.has_archive {
            return Answer::Held(Box::new(missed(name, seq, after, members, held, &self.rules)));
        }
        Answer::Reading(Reading::missed(name, seq, after, members, held, &self.rules))
    }

    /// As many nicknames as one answer holds.
    fn nicknames<'a>(&self, members: impl Iterator<Item = &'a Member>) -> Vec<Nickname> {
        let nickname = |member: &Member| self.people[&member.person].nickname.clone();
        members.take(MEMBERS_PER_ANSWER_MAX).map(nickname).collect()
    }

    pub(super) fn list_members(
        &self,
        client: ClientId,
        me: PersonId,
        name: RoomName,
        after: Option<Nickname>,
        out: &mut Vec<Delivery>,
    ) -> Result<(), Refused> {
        let room = self.rooms.get(&name).filter(|_| self.people[&me].is_here(&name));
        let Some(room) = room else { return Err(Refused::NotInRoom(name)) };
        let place_of = |nickname: Nickname| {
            let holder = self.holder_of(&nickname);
            let membership = holder.and_then(|holder| self.people[&holder].membership(&name));
            membership.map(|membership| membership.seat_id).ok_or(Refused::NoSuchNick(nickname))
        };
        let after = after.map(place_of).transpose()?;
        let nicknames = self.nicknames(room.members_after(after));
        let more = room.members_after(after).nth(nicknames.len()).is_some();
        let members = Members { nicknames, count: room.members().len() };
        let notice = Notice::Members { room: name, members, more };
        out.push(Delivery::Reply { client, notice });
        Ok(())
    }

    /// Answers at once where everything is held that can be of use.
    fn read(&self, client: ClientId, reading: Reading) -> Delivery {
        if self.rules.has_archive && reading.is_incomplete() {
            return Delivery::Lookup { client, lookup: Lookup::Reading(Box::new(reading)) };
        }
        Delivery::Reply { client, notice: reading.complete(std::iter::empty()) }
    }

    pub(super) fn part(
        &mut self,
        client: ClientId,
        me: PersonId,
        room: RoomName,
        out: &mut Vec<Delivery>,
    ) -> Result<(), Refused> {
        let Some(membership) = self.people[&me].membership(&room) else {
            return Err(Refused::NotInRoom(room));
        };
        if membership.presence == Presence::Listening {
            out.push(Delivery::Leaves { client, room: room.clone() });
        }
        self.leave_room(me, &room, LeaveReason::Closed, out);
        out.push(Delivery::Reply { client, notice: Notice::Parted { room } });
        Ok(())
    }

    pub(super) fn history(
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
        let before = before.unwrap_or(u64::MAX).min(room.seq().saturating_add(1));
        let reading =
            Reading::history(name, before, limit, room.before(before).cloned(), &self.rules);
        out.push(self.read(client, reading));
        Ok(())
    }

    pub(super) fn search(
        &self,
        client: ClientId,
        search: Search,
        out: &mut Vec<Delivery>,
    ) -> Result<(), Refused> {
        if !self.rules.has_archive {
            return Err(Refused::NothingKept);
        }
        out.push(Delivery::Lookup { client, lookup: Lookup::Search(search) });
        Ok(())
    }
}
