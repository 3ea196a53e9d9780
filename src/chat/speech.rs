//! What people say: to a room, to one person, and by writing; and what they call themselves.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{
    Chat, ClientId, Delivery, Id, Kind, Message, Nickname, Notice, Now, PersonId, Receipt, Refused,
    RoomName, Text,
};

/// How often it is passed on that somebody is writing.
const TYPING_EVERY: Duration = Duration::from_secs(3);

impl Chat {
    #[expect(clippy::too_many_arguments, reason = "they are the members of one command")]
    pub(super) fn say_as(
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
        let stay = person.stay(&room).filter(|_| person.is_here(&room));
        let Some(stay) = stay else { return Err(Refused::NotInRoom(room)) };
        // One copy of the name for all that somebody says there, not one for each message.
        let room = stay.room.clone();
        let nickname = person.nickname.clone();
        let message = self.keep(&room, nickname.clone(), text, Some(id.clone()), kind, now);
        let receipt =
            Receipt::Said { room: room.clone(), seq: message.seq, time: message.time, nickname };
        self.person(me).receipts.keep(id, receipt);
        out.push(Delivery::Room { room, notice: Notice::Message(message) });
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "they are the members of one command")]
    pub(super) fn tell(
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
        let (nickname, network) = (person.nickname.clone(), person.network);
        let found = self.holder_of(to).filter(|other| !self.people[other].has_closed);
        let Some(other) = found else { return Err(Refused::NoSuchNick(to.clone())) };
        let is_another = other != me;
        let other = self.person(other);
        if other.session.is_none() {
            return Err(Refused::CannotHear(other.nickname.clone()));
        }
        if is_another {
            other.take_told(network, text.as_str().len(), now.instant).map_err(Refused::for_now)?;
        }
        let (from, to, time) = (nickname, other.nickname.clone(), now.unix_ms);
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
        let rooms: Vec<_> = self.people[&me].stays.iter().map(|stay| stay.room.clone()).collect();
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
        now: Now,
        out: &mut Vec<Delivery>,
    ) -> Result<(), Refused> {
        let person = self.person(me);
        let (nickname, is_here) = (person.nickname.clone(), person.is_here(&room));
        let stay = person.stay_mut(&room).filter(|_| is_here);
        let Some(stay) = stay else { return Err(Refused::NotInRoom(room)) };
        let passed = |last: Instant| now.instant.duration_since(last) >= TYPING_EVERY;
        if stay.typed.is_none_or(passed) {
            stay.typed = Some(now.instant);
            let notice = Notice::Typing { room: room.clone(), nickname };
            out.push(Delivery::Others { room, but: client, notice });
        }
        Ok(())
    }
}
