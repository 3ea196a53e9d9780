//! The calls of the embedder: its own messages and members, and what it does to clients.
//!
//! A member of the embedder is a person with neither a connection nor a session. It stays until the
//! embedder makes it leave its last room.

use std::time::Instant;

use super::command::CommandError;
use super::delivery::Delivery;
use super::message::{Draft, Id, Kind};
use super::network::Network;
use super::nickname::Nickname;
use super::notice::{LeaveReason, Level, Notice};
use super::person::Person;
use super::reserved::NicknameTaken;
use super::room_name::RoomName;
use super::rooms::HistoryLimits;
use super::session::Token;
use super::text::Text;
use super::{Chat, ClientId, Requester, Turn};

/// What the embedder decided about a client before it connected.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grant {
    /// The nickname of the client, which it cannot change.
    pub(crate) nickname: Option<Nickname>,
    /// The session of a JSON client, whatever session it names.
    pub(crate) session: Option<Token>,
    /// The rooms that it joins at once. A plain client is in the first alone.
    pub(crate) rooms: Vec<RoomName>,
}

impl Chat {
    /// Stores a grant for a client that connects.
    pub(crate) fn grant(&mut self, client: ClientId, grant: Grant) {
        self.grants.insert(client, grant);
    }

    /// Makes a JSON client join the rooms of its grant, unless it is a member already.
    pub(super) fn join_granted_rooms(&mut self, requester: Requester, turn: &mut Turn<'_>) {
        let Some(grant) = self.grants.get(&requester.client) else { return };
        for room in grant.rooms.clone() {
            if self.people[&requester.person].membership(&room).is_some() {
                continue;
            }
            if let Err(error) = self.join(requester, room, None, turn) {
                let notice = Notice::Error(error);
                turn.out.push(Delivery::Reply { client: requester.client, notice });
            }
        }
    }

    /// Posts a message for the embedder, which need not be in the room, and reserves its nickname. A
    /// room without members stores the message only if such rooms are kept at all.
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
        self.store(room.clone(), Draft { nickname, text, id: None, kind: Kind::Say }, turn);
        Ok(())
    }

    /// Makes the embedder a member of a room under a nickname, which it reserves. Does nothing if it
    /// is a member already.
    pub(crate) fn enter_for_embedder(
        &mut self,
        nickname: &Nickname,
        room: &RoomName,
        turn: &mut Turn<'_>,
    ) -> Result<(), NicknameTaken> {
        self.reserve_for_embedder(nickname)?;
        let id = match self.holder_of(nickname) {
            Some(holder) if self.people[&holder].nickname != *nickname => {
                return Err(NicknameTaken);
            }
            Some(holder) => holder,
            None => {
                let mut person = Person::without_client(nickname.clone(), Network::UNKNOWN);
                person.is_of_embedder = true;
                self.add_person(person, turn.now)
            }
        };
        if self.people[&id].membership(room).is_none() {
            self.add_member(id, room, turn.out);
        }
        Ok(())
    }

    /// Makes a member of the embedder leave a room. Returns whether it was a member.
    pub(crate) fn leave_for_embedder(
        &mut self,
        nickname: &Nickname,
        room: &RoomName,
        turn: &mut Turn<'_>,
    ) -> bool {
        let holder = self.holder_of(nickname).filter(|it| self.people[it].is_of_embedder);
        let Some(id) = holder.filter(|it| self.people[it].membership(room).is_some()) else {
            return false;
        };
        self.leave_room(id, room, LeaveReason::Closed, turn.out);
        if self.people[&id].memberships.is_empty() {
            self.remove_if_gone(id, turn.now);
        }
        true
    }

    /// Returns whether a nickname is that of a member of the embedder.
    pub(crate) fn is_of_embedder(&self, nickname: &Nickname) -> bool {
        self.holder_of(nickname).is_some_and(|it| self.people[&it].is_of_embedder)
    }

    /// Sends a private message of the embedder to a client, and reserves its nickname. Returns false
    /// if there is no such client, or it has not said hello yet.
    pub(crate) fn tell_for_embedder(
        &mut self,
        client: ClientId,
        from: Nickname,
        text: Text,
        turn: &mut Turn<'_>,
    ) -> Result<bool, NicknameTaken> {
        self.reserve_for_embedder(&from)?;
        let Some(to) = self.nickname_of(client).cloned() else { return Ok(false) };
        self.told_for_embedder += 1;
        let id = Id::generated("server", self.told_for_embedder);
        let notice = Notice::Private { from, to, time: turn.now.unix_ms, text, id };
        turn.out.push(Delivery::Clients { clients: vec![client], notice });
        Ok(true)
    }

    /// Sends a notice of the server to the JSON clients in a room, or to all.
    pub(crate) fn announce(&self, room: Option<&RoomName>, text: Text, turn: &mut Turn<'_>) {
        let clients = match room {
            None => self.with_sessions(),
            Some(room) => {
                let listeners = self.listeners(room).filter(|listener| !listener.is_plain);
                listeners.map(|listener| listener.client).collect()
            }
        };
        let notice = Notice::Announcement { text: text.into(), level: Level::Info };
        turn.out.push(Delivery::Clients { clients, notice });
    }

    /// Sends a notice of the server to one client. Returns false if it is no JSON client that has
    /// said hello.
    pub(crate) fn notify(&self, client: ClientId, text: Text, turn: &mut Turn<'_>) -> bool {
        let has_session = self.requester(client).is_some_and(|by| self.has_session(by));
        if has_session {
            let notice = Notice::Announcement { text: text.into(), level: Level::Info };
            turn.out.push(Delivery::Clients { clients: vec![client], notice });
        }
        has_session
    }

    /// Refuses the texts of a client's user until a time, or no longer with `None`. Returns false if
    /// there is no such client.
    pub(crate) fn mute(&mut self, client: ClientId, until: Option<Instant>) -> bool {
        let Some(Requester { person, .. }) = self.requester(client) else { return false };
        self.person_mut(person).muted_until = until;
        true
    }

    /// Changes the nickname of a client. Returns `None` if there is no such client.
    pub(crate) fn rename_client(
        &mut self,
        client: ClientId,
        to: Nickname,
        turn: &mut Turn<'_>,
    ) -> Option<Result<(), CommandError>> {
        let requester = self.requester(client)?;
        let renamed = self.rename(requester, to.clone(), turn);
        let granted = self.grants.get_mut(&client).and_then(|grant| grant.nickname.as_mut());
        if let (Ok(()), Some(granted)) = (&renamed, granted) {
            *granted = to;
        }
        Some(renamed)
    }

    /// Makes a client join a room. A plain client, which is in one room, moves there. Returns `None`
    /// if there is no such client.
    pub(crate) fn move_in(
        &mut self,
        client: ClientId,
        room: &RoomName,
        turn: &mut Turn<'_>,
    ) -> Option<Result<(), CommandError>> {
        let requester = self.requester(client)?;
        let person = &self.people[&requester.person];
        if person.is_here(room) {
            return Some(Ok(()));
        }
        if self.has_session(requester) {
            return Some(self.join(requester, room.clone(), None, turn));
        }
        let rooms = person.rooms();
        for before in rooms {
            self.move_out(client, &before, turn);
        }
        self.add_member(requester.person, room, turn.out);
        self.start_listening(requester.person, client, room, turn.out);
        Some(Ok(()))
    }

    /// Makes a client leave a room. Returns whether it was there.
    pub(crate) fn move_out(
        &mut self,
        client: ClientId,
        room: &RoomName,
        turn: &mut Turn<'_>,
    ) -> bool {
        let Some(requester) = self.requester(client) else { return false };
        if self.has_session(requester) {
            return self.part(requester, room.clone(), turn).is_ok();
        }
        self.end_membership(requester, room, turn)
    }

    /// Returns whether the user with this nickname has no connection, but is still in a room.
    pub(crate) fn is_away(&self, nickname: &Nickname) -> bool {
        let holder = self.holder_of(nickname).map(|holder| &self.people[&holder]);
        holder.is_some_and(|it| it.client.is_none() && !it.memberships.is_empty())
    }

    fn has_session(&self, requester: Requester) -> bool {
        self.people[&requester.person].session.is_some()
    }

    /// Returns the rooms of a client's user, in the order in which it joined them.
    pub(crate) fn memberships_of(&self, client: ClientId) -> Vec<RoomName> {
        self.requester(client).map_or_else(Vec::new, |by| self.people[&by.person].rooms())
    }

    /// Returns the numbers of users with a connection or without one, and of rooms.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        (self.people.len(), self.listings(None).count())
    }
}
