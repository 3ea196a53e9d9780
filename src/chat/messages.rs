//! Messages of people, typing notices, and changes of nicknames.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::command::{CommandError, NewMessage, NewPrivateMessage};
use super::delivery::Delivery;
use super::message::{Draft, Id, Kind, Message};
use super::nickname::Nickname;
use super::notice::Notice;
use super::room_name::RoomName;
use super::session::Receipt;
use super::text::Text;
use super::{Chat, ClientId, Requester, Turn};

/// Minimum time between two typing notices of a member that are passed on.
const TYPING_EVERY: Duration = Duration::from_secs(3);

impl Chat {
    /// Sends a message of a plain client to its room.
    pub(crate) fn say(&mut self, client: ClientId, text: Text, turn: &mut Turn<'_>) {
        let Some(requester) = self.requester(client) else { return };
        let person = &self.people[&requester.person];
        let Some(membership) = person.memberships.first() else { return };
        // The dialect has no errors.
        if person.muted_for(turn.now.instant).is_some() {
            return;
        }
        let (room, nickname) = (membership.room.clone(), person.nickname.clone());
        self.store(room, Draft { nickname, text, id: None, kind: Kind::Say }, turn);
    }

    /// Numbers a message, stores it in its room, and delivers it to the listeners.
    pub(super) fn store(
        &mut self,
        room: RoomName,
        draft: Draft,
        turn: &mut Turn<'_>,
    ) -> Arc<Message> {
        let message = self.rooms.push(&room, draft, turn.now.unix_ms);
        turn.out.push(Delivery::Room { room, notice: Notice::Message(message.clone()) });
        message
    }

    /// Sends a message of a JSON client to a room. A repeated request gets the message that it sent.
    pub(super) fn say_as(
        &mut self,
        requester: Requester,
        message: NewMessage,
        turn: &mut Turn<'_>,
    ) -> Result<(), CommandError> {
        let Requester { client, person: person_id } = requester;
        let NewMessage { room, text, id, kind } = message;
        let person = &self.people[&person_id];
        if let Some(receipt) = person.receipts.get(&id) {
            let notice = self.repeat(receipt, text, id, kind);
            turn.out.push(Delivery::Reply { client, notice });
            return Ok(());
        }
        let membership = person.membership(&room).filter(|_| person.is_here(&room));
        let Some(membership) = membership else { return Err(CommandError::NotInRoom(room)) };
        if let Some(wait) = person.muted_for(turn.now.instant) {
            return Err(CommandError::muted(wait));
        }
        // Not the name in the request: all messages of a member share one copy of the name.
        let room = membership.room.clone();
        let nickname = person.nickname.clone();
        let draft = Draft { nickname: nickname.clone(), text, id: Some(id.clone()), kind };
        let message = self.store(room.clone(), draft, turn);
        let receipt = Receipt::Said { room, seq: message.seq, time: message.time, nickname };
        self.person_mut(person_id).receipts.insert(id, receipt);
        Ok(())
    }

    /// Sends a private message. A repeated request gets the message that it sent.
    pub(super) fn tell(
        &mut self,
        requester: Requester,
        message: NewPrivateMessage,
        turn: &mut Turn<'_>,
    ) -> Result<(), CommandError> {
        let Requester { client, person: person_id } = requester;
        let NewPrivateMessage { to, text, id } = message;
        let person = &self.people[&person_id];
        if let Some(receipt) = person.receipts.get(&id) {
            let notice = self.repeat(receipt, text, id, Kind::Say);
            turn.out.push(Delivery::Reply { client, notice });
            return Ok(());
        }
        if let Some(wait) = person.muted_for(turn.now.instant) {
            return Err(CommandError::muted(wait));
        }
        let (from, network) = (person.nickname.clone(), person.network);
        let found = self.holder_of(&to).filter(|other| !self.people[other].has_closed);
        let Some(recipient_id) = found else { return Err(CommandError::NoSuchNick(to)) };
        let recipient = self.person_mut(recipient_id);
        if recipient.session.is_none() && !recipient.is_of_embedder {
            return Err(CommandError::NoPrivateMessages(recipient.nickname.clone()));
        }
        if recipient_id != person_id {
            let bytes = text.as_str().len();
            let taken = recipient.take_private_message(network, bytes, turn.now.instant);
            taken.map_err(CommandError::rate_limited)?;
        }
        let (to, time) = (recipient.nickname.clone(), turn.now.unix_ms);
        let notice =
            Notice::Private { from: from.clone(), to: to.clone(), time, text, id: id.clone() };
        // Private messages are never stored: a person without a connection does not get them.
        let other = recipient.client.filter(|other| *other != client);
        let clients = other.into_iter().collect();
        turn.out.push(Delivery::Clients { clients, notice: notice.clone() });
        turn.out.push(Delivery::Reply { client, notice });
        self.person_mut(person_id).receipts.insert(id, Receipt::Told { to, time, nickname: from });
        Ok(())
    }

    /// Returns a message that was sent before, as it was then. If it is not in memory any more, its
    /// text comes from the repeated request.
    fn repeat(&self, receipt: &Receipt, text: Text, id: Id, kind: Kind) -> Notice {
        match receipt.clone() {
            Receipt::Said { room, seq, time, nickname } => {
                let stored = self.rooms.get(&room).and_then(|room| room.message(seq)).cloned();
                let id = Some(id);
                Notice::Message(stored.unwrap_or_else(|| {
                    Arc::new(Message { room, seq, time, nickname, text, id, kind })
                }))
            }
            Receipt::Told { to, time, nickname } => {
                Notice::Private { from: nickname, to, time, text, id }
            }
        }
    }

    /// Changes the nickname of a person, and notifies the JSON members of its rooms.
    pub(super) fn rename(
        &mut self,
        requester: Requester,
        to: Nickname,
        turn: &mut Turn<'_>,
    ) -> Result<(), CommandError> {
        let Requester { client, person: id } = requester;
        if !self.is_free_for(id, &to) {
            return Err(CommandError::NickTaken(to));
        }
        let from = self.change_nickname(id, to.clone());
        let rooms = self.people[&id].rooms();
        let others: BTreeSet<_> = rooms
            .iter()
            .flat_map(|room| self.rooms.listeners(room))
            .filter(|listener| !listener.is_plain && listener.client != client)
            .map(|listener| listener.client)
            .collect();
        let notice = Notice::Renamed { from, to, rooms };
        let clients = others.into_iter().collect();
        turn.out.push(Delivery::Clients { clients, notice: notice.clone() });
        turn.out.push(Delivery::Reply { client, notice });
        Ok(())
    }

    /// Passes a typing notice on, unless the last one was a moment ago.
    pub(super) fn typing(
        &mut self,
        requester: Requester,
        room: RoomName,
        turn: &mut Turn<'_>,
    ) -> Result<(), CommandError> {
        let Requester { client, person: id } = requester;
        let person = self.person_mut(id);
        let (nickname, is_here) = (person.nickname.clone(), person.is_here(&room));
        let membership = person.membership_mut(&room).filter(|_| is_here);
        let Some(membership) = membership else { return Err(CommandError::NotInRoom(room)) };
        let is_due = |last: Instant| turn.now.instant.duration_since(last) >= TYPING_EVERY;
        if membership.typed.is_none_or(is_due) {
            membership.typed = Some(turn.now.instant);
            let notice = Notice::Typing { room: room.clone(), nickname };
            turn.out.push(Delivery::Others { room, except: client, notice });
        }
        Ok(())
    }
}
