//! Being in rooms: coming in, catching up, reading back, and going.

use super::rooms::Room;
use super::{
    Chat, ClientId, Delivery, Departure, Listener, Lookup, Notice, PersonId, ROOMS_PER_PERSON_MAX,
    Reading, Refused, RoomName, Search, Since,
};

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
        let reading = self.joined(room, since);
        out.push(self.read(client, reading));
        Ok(())
    }

    /// A room as one finds it who has everything up to a message, or nothing.
    fn joined(&self, name: RoomName, since: Option<Since>) -> Reading {
        let room = self.rooms.get(&name);
        let seats = room.into_iter().flat_map(Room::seats);
        let members = seats.map(|seat| self.people[&seat.person].nickname.clone()).collect();
        let since = since.filter(|since| since.epoch == self.rules.epoch);
        let newest_first = room.into_iter().flat_map(|room| room.before(u64::MAX).cloned());
        let seq = room.map_or(0, Room::seq);
        Reading::joined(name, seq, since.map(|since| since.after), members, newest_first)
    }

    /// Answers at once where everything is held that can be of use.
    fn read(&self, client: ClientId, reading: Reading) -> Delivery {
        if self.rules.has_archive && reading.missing() > 0 {
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
        let before = before.unwrap_or(u64::MAX).min(room.seq().saturating_add(1));
        let reading = Reading::history(name, before, limit, room.before(before).cloned());
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
