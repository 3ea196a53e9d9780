//! What is looked at after each step.

use std::collections::{BTreeMap, HashMap};

use super::super::*;
use super::world::{Guest, Place, World};
use super::{PEOPLE, ROOMS};

impl World {
    /// Everybody goes, and all times pass.
    pub(super) fn end(&mut self) {
        for who in 0..PEOPLE {
            let leave_reason = if who % 2 == 0 { LeaveReason::Closed } else { LeaveReason::Error };
            if let Some(client) = self.actors[who].client {
                self.leave(client, leave_reason);
            }
        }
        self.wait(600_000);
        self.wait(600_000);
        self.check();
        let chat = &self.chat;
        let nobody = [chat.people.len(), chat.by_client.len(), chat.taken.len(), chat.away.len()];
        assert_eq!((nobody, chat.by_token.len(), chat.recent_sessions.len()), ([0; 4], 0, 0));
        assert_eq!(chat.next_tick(), None);
    }

    /// A recovery is whole, or the beginning of one, or is called none; and it is none only where
    /// something is lost.
    pub(super) fn check_joined(&self, joined: &Joined) {
        let (room, newest) = (&joined.room, self.newest(&joined.room));
        assert_eq!(joined.seq, newest);
        let since = self.since.as_ref().filter(|it| it.epoch == "e1" && it.after <= newest);
        let after = since.map_or(newest, |since| since.after);
        let missed: Vec<_> = self.said_after(room, after).collect();
        let is_next = |(seq, message): &(u64, &&Arc<Message>)| message.seq == *seq;
        let unbroken = (after + 1..).zip(&missed).take_while(is_next).count();
        let is_whole = since.is_some() && unbroken as u64 == newest - after;
        let (count, messages) = (joined.messages.len(), &joined.messages);
        if joined.recovered {
            assert!(since.is_some() && (joined.more || count as u64 == newest - after));
            assert!(count <= unbroken && messages.iter().eq(missed.iter().take(count).copied()));
            // A part of it is some of it, unless an archive is asked for what memory had.
            assert!(
                !joined.more || (count > 0 && (count < missed.len() || self.rules.has_archive))
            );
            return;
        }
        self.check_slice(room, messages, newest);
        let held = self.held.get(room).copied().unwrap_or(0);
        if self.rules.has_archive {
            assert!(!is_whole, "it is kept");
            let said = self.said_after(room, 0).count();
            // Of a gap in a part only what is behind the message is told, and else as much as is known.
            let enough = if joined.more { missed.len() } else { said };
            let few = since.is_some() && !joined.more;
            assert!(count >= enough.min(100) || (few && count >= missed.len()));
        } else {
            assert!(!joined.more && count >= held, "lost too early");
            assert!(since.is_none() || missed.len() > count, "all of it is held");
        }
    }

    /// These are of the one order, without one left out, and up to a number.
    pub(super) fn check_slice(&self, room: &RoomName, messages: &[Arc<Message>], newest: u64) {
        let said: Vec<_> = self.said_after(room, 0).filter(|it| it.seq <= newest).collect();
        let is_slice = messages.iter().eq(said[said.len() - messages.len()..].iter().copied());
        assert!(is_slice, "{messages:?} of {said:?}");
    }

    /// The chat, the book and the clients agree.
    pub(super) fn check(&mut self) {
        assert_eq!(self.due, [], "these did not come");
        let mut open = 0;
        for name in ROOMS {
            let room = RoomName::parse(name).unwrap();
            assert!(self.delivery_model.agrees_with(&self.chat, &room));
            let members = self.guests.iter().filter_map(|guest| {
                Some((guest.places.get(&room)?.arrival, guest.nickname.clone()))
            });
            let members: Vec<_> = members.collect::<BTreeMap<_, _>>().into_values().collect();
            assert_eq!(self.chat.members(&room), members);
            let views = self.views.iter().filter(|((_, other), _)| *other == room);
            for (_, view) in views {
                assert_eq!(view.newest, self.newest(&room));
                assert!(view.members.as_ref().is_none_or(|it| *it == members));
            }
            if members.is_empty() {
                self.held.remove(&room);
            } else {
                open += 1;
            }
        }
        self.check_listening();
        self.check_size(open);
    }

    /// Everybody who is connected listens where it has joined, and nowhere else.
    fn check_listening(&self) {
        for guest in &self.guests {
            let Some(client) = guest.client else { continue };
            let listens = |place: &Place| place.away.is_none() && !place.catches_up;
            let here = guest.places.iter().filter(|(_, place)| listens(place));
            let here: Vec<_> = here.map(|(room, _)| room).collect();
            assert!(self.delivery_model.rooms_of(client).eq(here.iter().copied()));
            let views = self.views.keys().filter(|(other, _)| *other == client);
            assert!(views.map(|(_, room)| room).eq(here), "joined");
        }
    }

    /// Nothing is kept but what is in the book.
    fn check_size(&mut self, open: usize) {
        let history = self.rules.history;
        if history.bytes_max < 1 << 20 {
            self.held.clear();
        }
        let (rooms, idle, bytes) = self.chat.rooms.held();
        assert!(rooms == open + idle && idle <= history.idle_rooms_max);
        let kept = self.chat.rooms.after(None).flat_map(|(_, room)| room.before(u64::MAX));
        let weight: usize = kept.map(|message| message.text.as_str().len() + 200).sum();
        assert!(bytes == weight && bytes <= history.bytes_max);
        let (chat, guests) = (&self.chat, &self.guests);
        let count = |is: fn(&Guest) -> bool| guests.iter().filter(|guest| is(guest)).count();
        assert_eq!(chat.people.len(), guests.len());
        assert_eq!(chat.by_client.len(), count(|it| it.client.is_some()));
        assert_eq!(chat.by_token.len(), count(|it| it.session.is_some()));
        assert_eq!(chat.away.len(), count(|it| it.kept_until.is_some()));
        assert_eq!(chat.recent_sessions.len(), self.ended.len());
        let lookalike_keys: HashMap<_, _> = guests
            .iter()
            .enumerate()
            .flat_map(|(index, guest)| guest.nickname.lookalike_keys().map(|form| (form, index)))
            .collect();
        assert_eq!(lookalike_keys.len(), chat.taken.len());
        assert!(lookalike_keys.keys().all(|form| chat.taken.contains_key(form)));
    }
}
