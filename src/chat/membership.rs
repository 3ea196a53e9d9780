//! Memberships: how people join and leave rooms, and when their clients listen there.

use super::delivery::Delivery;
use super::notice::{LeaveReason, Notice};
use super::person::{Membership, Presence};
use super::room::Listener;
use super::room_name::RoomName;
use super::{Chat, ClientId, PersonId};

impl Chat {
    /// Makes a person a member of a room. Its client does not listen there yet.
    pub(super) fn add_member(&mut self, id: PersonId, room: &RoomName, out: &mut Vec<Delivery>) {
        let person = &self.people[&id];
        let (nickname, network) = (person.nickname.clone(), self.counted(person.network));
        let notice = Notice::Arrived { room: room.clone(), nickname };
        out.push(Delivery::Room { room: room.clone(), notice });
        let seat_id = self.rooms.add_member(room, id, network);
        self.person_mut(id).memberships.push(Membership {
            room: room.clone(),
            seat_id,
            presence: Presence::CatchingUp,
            gap_after: None,
            typed: None,
        });
    }

    /// Makes the client of a member listen in the room.
    pub(super) fn start_listening(
        &mut self,
        id: PersonId,
        client: ClientId,
        room: &RoomName,
        out: &mut Vec<Delivery>,
    ) {
        let listener = Listener { client, is_plain: self.people[&id].session.is_none() };
        let Some(membership) = self.person_mut(id).membership_mut(room) else { return };
        membership.presence = Presence::Listening;
        let seat_id = membership.seat_id;
        self.rooms.set_listener(room, seat_id, Some(listener));
        out.push(Delivery::Enters { client, room: room.clone() });
    }

    /// Makes the client of a member stop listening in the room, until it has caught up.
    pub(super) fn stop_listening(
        &mut self,
        id: PersonId,
        client: ClientId,
        room: &RoomName,
        out: &mut Vec<Delivery>,
    ) {
        let Some(membership) = self.person_mut(id).membership_mut(room) else { return };
        let before = std::mem::replace(&mut membership.presence, Presence::CatchingUp);
        let seat_id = membership.seat_id;
        if before == Presence::Listening {
            self.rooms.set_listener(room, seat_id, None);
            out.push(Delivery::Leaves { client, room: room.clone() });
        }
    }

    /// Removes a person from a room.
    pub(super) fn leave_room(
        &mut self,
        id: PersonId,
        room: &RoomName,
        reason: LeaveReason,
        out: &mut Vec<Delivery>,
    ) {
        let person = self.person_mut(id);
        let nickname = person.nickname.clone();
        let position = person.memberships.iter().position(|membership| membership.room == *room);
        let Some(position) = position else { return };
        let membership = person.memberships.remove(position);
        self.rooms.remove_member(room, membership.seat_id);
        let notice = Notice::Left { room: room.clone(), nickname, reason };
        out.push(Delivery::Room { room: room.clone(), notice });
    }

    /// Removes a person from all its rooms, and ends the grace in which it could come back to them.
    pub(super) fn leave_all_rooms(
        &mut self,
        id: PersonId,
        reason: LeaveReason,
        out: &mut Vec<Delivery>,
    ) {
        let person = self.person_mut(id);
        let rooms = person.rooms();
        if let Some(until) = person.grace_until.take() {
            self.graces.remove(&(until, id));
        }
        for room in rooms {
            self.leave_room(id, &room, reason, out);
        }
    }
}
