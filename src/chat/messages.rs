//! What people say: to a room, to one person, and by writing; and what they call themselves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{
    Chat, ClientId, Delivery, Id, Kind, Message, NewMessage, NewPrivateMessage, Nickname, Notice,
    PersonId, Receipt, Refused, RoomName, Text, Turn,
};

/// How often it is passed on that somebody is writing.
const TYPING_EVERY: Duration = Duration::from_secs(3);

impl Chat {
    pub(super) fn say_as(
        &mut self,
        client: ClientId,
        me: PersonId,
        message: NewMessage,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        let NewMessage { room, text, id, kind } = message;
        let person = &self.people[&me];
        if let Some(receipt) = person.receipts.get(&id) {
            let notice = self.repeat(receipt, text, id, kind);
            turn.out.push(Delivery::Reply { client, notice });
            return Ok(());
        }
        let membership = person.membership(&room).filter(|_| person.is_here(&room));
        let Some(membership) = membership else { return Err(Refused::NotInRoom(room)) };
        // All messages of a member share one copy of the name of the room.
        let room = membership.room.clone();
        let nickname = person.nickname.clone();
        let message =
            self.store(room.clone(), nickname.clone(), text, Some(id.clone()), kind, turn);
        let receipt = Receipt::Said { room, seq: message.seq, time: message.time, nickname };
        self.person(me).receipts.keep(id, receipt);
        Ok(())
    }

    pub(super) fn tell(
        &mut self,
        client: ClientId,
        me: PersonId,
        message: NewPrivateMessage,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        let NewPrivateMessage { to, text, id } = message;
        let person = &self.people[&me];
        if let Some(receipt) = person.receipts.get(&id) {
            let notice = self.repeat(receipt, text, id, Kind::Say);
            turn.out.push(Delivery::Reply { client, notice });
            return Ok(());
        }
        let (from, network) = (person.nickname.clone(), person.network);
        let found = self.holder_of(&to).filter(|other| !self.people[other].has_closed);
        let Some(other) = found else { return Err(Refused::NoSuchNick(to)) };
        let is_another = other != me;
        let other = self.person(other);
        if other.session.is_none() {
            return Err(Refused::CannotHear(other.nickname.clone()));
        }
        if is_another {
            let bytes = text.as_str().len();
            other.take_told(network, bytes, turn.now.instant).map_err(Refused::for_now)?;
        }
        let (to, time) = (other.nickname.clone(), turn.now.unix_ms);
        let notice =
            Notice::Private { from: from.clone(), to: to.clone(), time, text, id: id.clone() };
        // A private message is never stored: a person whose connection is broken does not get it.
        let other = other.client.filter(|other| *other != client);
        let clients = other.into_iter().collect();
        turn.out.push(Delivery::Clients { clients, notice: notice.clone() });
        turn.out.push(Delivery::Reply { client, notice });
        self.person(me).receipts.keep(id, Receipt::Told { to, time, nickname: from });
        Ok(())
    }

    /// What was sent already, as it was then. The text of a message that nobody holds any more is
    /// taken from the sender, who has it.
    fn repeat(&self, receipt: &Receipt, text: Text, id: Id, kind: Kind) -> Notice {
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

    pub(super) fn rename(
        &mut self,
        client: ClientId,
        me: PersonId,
        to: Nickname,
        out: &mut Vec<Delivery>,
    ) -> Result<(), Refused> {
        if !self.is_free_for(me, &to) {
            return Err(Refused::NickTaken(to));
        }
        let from = self.change_nickname(me, to.clone());
        let rooms: Vec<_> =
            self.people[&me].memberships.iter().map(|membership| membership.room.clone()).collect();
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

    pub(super) fn typing(
        &mut self,
        client: ClientId,
        me: PersonId,
        room: RoomName,
        turn: &mut Turn<'_>,
    ) -> Result<(), Refused> {
        let person = self.person(me);
        let (nickname, is_here) = (person.nickname.clone(), person.is_here(&room));
        let membership = person.membership_mut(&room).filter(|_| is_here);
        let Some(membership) = membership else { return Err(Refused::NotInRoom(room)) };
        let passed = |last: Instant| turn.now.instant.duration_since(last) >= TYPING_EVERY;
        if membership.typed.is_none_or(passed) {
            membership.typed = Some(turn.now.instant);
            let notice = Notice::Typing { room: room.clone(), nickname };
            turn.out.push(Delivery::Others { room, but: client, notice });
        }
        Ok(())
    }
}
