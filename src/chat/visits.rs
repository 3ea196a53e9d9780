//! Being in rooms: coming in, catching up, reading back, and going.

use std::sync::Arc;

use super::{
    Chat, ClientId, Delivery, Departure, Joined, Listener, Message, Notice, PersonId,
    ROOMS_PER_PERSON_MAX, Refused, RoomName, Since,
};

/// What somebody gets who comes into a room and was not there before.
const MESSAGES_FOR_A_NEWCOMER: usize = 100;
/// The most that one page of history weighs (bytes).
const PAGE_BYTES_MAX: usize = 128 * 1024;
/// The most that all that somebody missed in a room weighs (bytes), if it is to come in one answer.
/// That is more than 500 texts of 1 KiB, and, as JSON, still a message that clients take: many
/// refuse one of over 1 MiB.
const MISSED_BYTES_MAX: usize = 768 * 1024;

impl Chat {
    pub(super) fn join(
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

    pub(super) fn part(
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
        let older = room.before(before.unwrap_or(u64::MAX));
        let held = older.len();
        let messages = newest_first(older.take(limit));
        let more = messages.len() < held;
        let notice = Notice::History { room: name, messages, more };
        out.push(Delivery::Reply { client, notice });
        Ok(())
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
