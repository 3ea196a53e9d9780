//! Commands about rooms: join, part, history, search, members.

use super::catch_up::{RoomSnapshot, join_from_memory};
use super::command::{CommandError, Search, Since};
use super::delivery::Delivery;
use super::lookup::{HistoryRead, Lookup};
use super::nickname::Nickname;
use super::notice::{Joined, LeaveReason, Members, Notice};
use super::person::Presence;
use super::room::{Member, Room};
use super::room_name::RoomName;
use super::{Chat, ClientId, ROOMS_PER_PERSON_MAX, Requester, Turn};

/// Maximum number of nicknames in one answer.
const MEMBERS_PER_ANSWER_MAX: usize = 500;

/// The answer to a client that joins a room.
enum JoinAnswer {
    FromMemory(Box<Joined>),
    Read(HistoryRead),
}

impl JoinAnswer {
    /// Returns whether it is a batch of the messages that the client missed. Until the client has all
    /// of them, it gets no new ones.
    fn is_batch(&self) -> bool {
        match self {
            Self::FromMemory(joined) => joined.more,
            Self::Read(read) => read.batch_after().is_some(),
        }
    }
}

impl Chat {
    /// Makes a person a member of a room, or brings it back, and sends the messages that it missed.
    pub(super) fn join(
        &mut self,
        requester: Requester,
        room: RoomName,
        since: Option<Since>,
        turn: &mut Turn<'_>,
    ) -> Result<(), CommandError> {
        let Requester { client, person: id } = requester;
        let person = &self.people[&id];
        if person.membership(&room).is_none() {
            if person.memberships.len() >= ROOMS_PER_PERSON_MAX {
                return Err(CommandError::TooManyRooms(ROOMS_PER_PERSON_MAX));
            }
            self.admit_to_room(&room, person.network, turn.now)?;
            self.add_member(id, &room, turn.out);
        }
        // A client that comes back joins its rooms one by one. Each join extends the grace.
        if self.people[&id].is_away_from_any_room() {
            self.start_grace(id, turn.now);
        }
        // If the client is listening, the answer comes after the messages before this command.
        self.stop_listening(id, client, &room, turn.out);
        let gap_after = self.people[&id].membership(&room).and_then(|it| it.gap_after);
        let since = since.filter(|since| gap_after != Some(since.after));
        let answer = self.join_answer(room.clone(), since);
        if !answer.is_batch() {
            self.start_listening(id, client, &room, turn.out);
        }
        turn.out.push(match answer {
            JoinAnswer::FromMemory(joined) => {
                Delivery::Reply { client, notice: Notice::Joined(joined) }
            }
            JoinAnswer::Read(read) => self.answer_or_look_up(client, read),
        });
        Ok(())
    }

    /// Records that the history lacks the messages that a client missed after `after`. When it joins
    /// with that number again, it gets the newest messages instead.
    pub(crate) fn record_gap(&mut self, client: ClientId, room: &RoomName, after: u64) {
        let id = self.by_client.get(&client).copied();
        if let Some(membership) = id.and_then(|id| self.person_mut(id).membership_mut(room)) {
            membership.gap_after = Some(after);
        }
    }

    /// Returns the answer to a client that joins with the messages up to `since`, or with none.
    fn join_answer(&self, name: RoomName, since: Option<Since>) -> JoinAnswer {
        let Some(room) = self.rooms.get(&name) else {
            let members = Members { nicknames: Vec::new(), count: 0 };
            let snapshot = RoomSnapshot { room: name, seq: 0, members };
            return JoinAnswer::Read(HistoryRead::newest(
                snapshot,
                std::iter::empty(),
                &self.rules,
            ));
        };
        let seq = room.seq();
        let nicknames = self.nicknames(room.members_after(None));
        let members = Members { nicknames, count: room.members().len() };
        let snapshot = RoomSnapshot { room: name, seq, members };
        let since = since.filter(|since| since.epoch == self.rules.epoch && since.after <= seq);
        let Some(Since { after, .. }) = since else {
            let newest_first = room.before(u64::MAX).cloned();
            return JoinAnswer::Read(HistoryRead::newest(snapshot, newest_first, &self.rules));
        };
        let in_memory = room.after(after).cloned();
        let has_next = in_memory.clone().next().is_some_and(|next| next.seq == after + 1);
        if after == seq || has_next || !self.rules.has_archive {
            let joined = join_from_memory(snapshot, after, in_memory, &self.rules);
            return JoinAnswer::FromMemory(Box::new(joined));
        }
        JoinAnswer::Read(HistoryRead::missed(snapshot, after, in_memory, &self.rules))
    }

    /// Returns the nicknames of the first members, as many as one answer holds.
    fn nicknames<'a>(&self, members: impl Iterator<Item = &'a Member>) -> Vec<Nickname> {
        let nickname = |member: &Member| self.people[&member.person].nickname.clone();
        members.take(MEMBERS_PER_ANSWER_MAX).map(nickname).collect()
    }

    /// Returns the answer if memory has all messages of use, or else a lookup.
    fn answer_or_look_up(&self, client: ClientId, read: HistoryRead) -> Delivery {
        if self.rules.has_archive && read.is_incomplete() {
            return Delivery::Lookup { client, lookup: Lookup::Read(Box::new(read)) };
        }
        Delivery::Reply { client, notice: read.complete(std::iter::empty()) }
    }

    /// Removes a person from a room.
    pub(super) fn part(
        &mut self,
        requester: Requester,
        room: RoomName,
        turn: &mut Turn<'_>,
    ) -> Result<(), CommandError> {
        if !self.end_membership(requester, &room, turn) {
            return Err(CommandError::NotInRoom(room));
        }
        let notice = Notice::Parted { room };
        turn.out.push(Delivery::Reply { client: requester.client, notice });
        Ok(())
    }

    /// Removes a person from a room. Returns whether it was there.
    pub(super) fn end_membership(
        &mut self,
        requester: Requester,
        room: &RoomName,
        turn: &mut Turn<'_>,
    ) -> bool {
        let Requester { client, person: id } = requester;
        let Some(membership) = self.people[&id].membership(room) else { return false };
        if membership.presence == Presence::Listening {
            turn.out.push(Delivery::Leaves { client, room: room.clone() });
        }
        self.leave_room(id, room, LeaveReason::Closed, turn.out);
        true
    }

    /// Sends a page of older messages.
    pub(super) fn history(
        &self,
        requester: Requester,
        name: RoomName,
        before: Option<u64>,
        limit: usize,
        turn: &mut Turn<'_>,
    ) -> Result<(), CommandError> {
        if self.joined_room(requester, &name).is_none() {
            return Err(CommandError::NotInRoom(name));
        }
        let read = self.history_page(name, before, limit);
        turn.out.push(self.answer_or_look_up(requester.client, read));
        Ok(())
    }

    /// Returns a page of older messages, with those in memory. The room may be unknown.
    pub(crate) fn history_page(
        &self,
        name: RoomName,
        before: Option<u64>,
        limit: usize,
    ) -> HistoryRead {
        let room = self.rooms.get(&name);
        let end = room.map_or(u64::MAX, |room| room.seq().saturating_add(1));
        let before = before.unwrap_or(u64::MAX).min(end);
        let newest_first = room.into_iter().flat_map(|room| room.before(before)).cloned();
        HistoryRead::history(name, before, limit, newest_first, &self.rules)
    }

    /// Hands out a search, which the history answers.
    pub(super) fn search(
        &self,
        client: ClientId,
        search: Search,
        turn: &mut Turn<'_>,
    ) -> Result<(), CommandError> {
        if !self.rules.has_archive {
            return Err(CommandError::NoHistory);
        }
        turn.out.push(Delivery::Lookup { client, lookup: Lookup::Search(search) });
        Ok(())
    }

    /// Sends a page of the members of a room.
    pub(super) fn list_members(
        &self,
        requester: Requester,
        name: RoomName,
        after: Option<Nickname>,
        turn: &mut Turn<'_>,
    ) -> Result<(), CommandError> {
        let Some(room) = self.joined_room(requester, &name) else {
            return Err(CommandError::NotInRoom(name));
        };
        let seat_of = |nickname: Nickname| {
            let holder = self.holder_of(&nickname);
            let membership = holder.and_then(|holder| self.people[&holder].membership(&name));
            membership.map(|it| it.seat_id).ok_or(CommandError::NoSuchNick(nickname))
        };
        let after = after.map(seat_of).transpose()?;
        let nicknames = self.nicknames(room.members_after(after));
        let more = room.members_after(after).nth(nicknames.len()).is_some();
        let members = Members { nicknames, count: room.members().len() };
        let notice = Notice::Members { room: name, members, more };
        turn.out.push(Delivery::Reply { client: requester.client, notice });
        Ok(())
    }

    /// Returns a room if the requester is in it.
    fn joined_room(&self, requester: Requester, name: &RoomName) -> Option<&Room> {
        let person = &self.people[&requester.person];
        self.rooms.get(name).filter(|_| person.is_here(name))
    }

    /// Sends a page of the list of rooms.
    pub(super) fn list_rooms(
        &self,
        client: ClientId,
        after: Option<&RoomName>,
        limit: usize,
        turn: &mut Turn<'_>,
    ) {
        let mut listings = self.listings(after);
        let rooms = listings.by_ref().take(limit).collect();
        let notice = Notice::Rooms { rooms, more: listings.next().is_some() };
        turn.out.push(Delivery::Reply { client, notice });
    }
}
