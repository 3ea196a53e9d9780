//! The checks after each step.

use std::collections::{BTreeMap, HashMap};

use super::super::*;
use super::model::{Model, ModelMember, ModelPerson};
use super::{ROOMS, USERS};

impl Model {
    /// Disconnects all users, lets all times pass, and checks that nothing remains.
    pub(super) fn end(&mut self) {
        for user in 0..USERS {
            let reason = if user % 2 == 0 { LeaveReason::Closed } else { LeaveReason::Error };
            if let Some(client) = self.users[user].client {
                self.leave(client, reason);
            }
        }
        self.wait(600_000);
        self.wait(600_000);
        self.check();
        let chat = &self.chat;
        let sizes = [chat.people.len(), chat.by_client.len(), chat.taken.len(), chat.graces.len()];
        assert_eq!((sizes, chat.by_token.len(), chat.recent_sessions.len()), ([0; 4], 0, 0));
        assert_eq!(chat.next_tick(), None);
    }

    /// Checks the answer to a join. `recovered` is true only if no message is missing so far, and false
    /// only if one is lost.
    pub(super) fn check_joined(&self, joined: &Joined) {
        let (room, newest) = (&joined.room, self.newest(&joined.room));
        assert_eq!(joined.seq, newest);
        let since = self.since.as_ref().filter(|it| it.epoch == "e1" && it.after <= newest);
        let after = since.map_or(newest, |since| since.after);
        let missed: Vec<_> = self.messages_after(room, after).collect();
        let is_next = |(seq, message): &(u64, &&Arc<Message>)| message.seq == *seq;
        let unbroken = (after + 1..).zip(&missed).take_while(is_next).count();
        let is_whole = since.is_some() && unbroken as u64 == newest - after;
        let (count, messages) = (joined.messages.len(), &joined.messages);
        if joined.recovered {
            assert!(since.is_some() && (joined.more || count as u64 == newest - after));
            assert!(count <= unbroken && messages.iter().eq(missed.iter().take(count).copied()));
            // A batch has some of the messages. It may have all of them if it comes from the archive.
            assert!(
                !joined.more || (count > 0 && (count < missed.len() || self.rules.has_archive))
            );
            return;
        }
        self.check_slice(room, messages, newest);
        let in_memory = self.in_memory.get(room).copied().unwrap_or(0);
        if self.rules.has_archive {
            assert!(!is_whole, "the archive has all of it");
            let stored = self.messages_after(room, 0).count();
            // A batch with a gap has only messages after the one that the client named.
            let enough = if joined.more { missed.len() } else { stored };
            let few = since.is_some() && !joined.more;
            assert!(count >= enough.min(100) || (few && count >= missed.len()));
        } else {
            assert!(!joined.more && count >= in_memory, "lost too early");
            assert!(since.is_none() || missed.len() > count, "all of it is in memory");
        }
    }

    /// Checks that these messages of a room follow each other, up to `newest`.
    pub(super) fn check_slice(&self, room: &RoomName, messages: &[Arc<Message>], newest: u64) {
        let all: Vec<_> = self.messages_after(room, 0).filter(|it| it.seq <= newest).collect();
        let is_slice = messages.iter().eq(all[all.len() - messages.len()..].iter().copied());
        assert!(is_slice, "{messages:?} of {all:?}");
    }

    /// Checks that the chat, the model and the views agree.
    pub(super) fn check(&mut self) {
        assert_eq!(self.expected, [], "these were not delivered");
        let mut open = 0;
        for name in ROOMS {
            let room = RoomName::parse(name).unwrap();
            assert!(self.delivery_model.agrees_with(&self.chat, &room));
            let members = self.people.iter().filter_map(|person| {
                Some((person.memberships.get(&room)?.arrival, person.nickname.clone()))
            });
            let members: Vec<_> = members.collect::<BTreeMap<_, _>>().into_values().collect();
            assert_eq!(self.chat.members(&room), members);
            let views = self.views.iter().filter(|((_, other), _)| *other == room);
            for (_, view) in views {
                assert_eq!(view.newest, self.newest(&room));
                assert!(view.members.as_ref().is_none_or(|it| *it == members));
            }
            if members.is_empty() {
                self.in_memory.remove(&room);
            } else {
                open += 1;
            }
        }
        self.check_listening();
        self.check_size(open);
    }

    /// Checks that each client listens in the rooms that it has joined, and in no other.
    fn check_listening(&self) {
        for person in &self.people {
            let Some(client) = person.client else { continue };
            let listens =
                |membership: &ModelMember| membership.away.is_none() && !membership.is_catching_up;
            let here = person.memberships.iter().filter(|(_, membership)| listens(membership));
            let here: Vec<_> = here.map(|(room, _)| room).collect();
            assert!(self.delivery_model.rooms_of(client).eq(here.iter().copied()));
            let views = self.views.keys().filter(|(other, _)| *other == client);
            assert!(views.map(|(_, room)| room).eq(here));
        }
    }

    /// Checks that the chat has nothing in memory that the model does not have.
    fn check_size(&mut self, open: usize) {
        let history = self.rules.history;
        if history.bytes_max < 1 << 20 {
            self.in_memory.clear();
        }
        let (rooms, idle, bytes) = self.chat.rooms.sizes();
        assert!(rooms == open + idle && idle <= history.idle_rooms_max);
        let messages = self.chat.rooms.after(None).flat_map(|(_, room)| room.before(u64::MAX));
        let weight: usize =
            messages.map(|message| message.text.as_str().len() + Message::OVERHEAD_BYTES).sum();
        assert!(bytes == weight && bytes <= history.bytes_max);
        let (chat, people) = (&self.chat, &self.people);
        let count =
            |is: fn(&ModelPerson) -> bool| people.iter().filter(|person| is(person)).count();
        assert_eq!(chat.people.len(), people.len());
        assert_eq!(chat.by_client.len(), count(|it| it.client.is_some()));
        assert_eq!(chat.by_token.len(), count(|it| it.session.is_some()));
        assert_eq!(chat.graces.len(), count(|it| it.grace_until.is_some()));
        assert_eq!(chat.recent_sessions.len(), self.ended.len());
        let keys: HashMap<_, _> = people
            .iter()
            .enumerate()
            .flat_map(|(index, person)| person.nickname.lookalike_keys().map(|key| (key, index)))
            .collect();
        assert_eq!(keys.len(), chat.taken.len());
        assert!(keys.keys().all(|key| chat.taken.contains_key(key)));
    }
}
