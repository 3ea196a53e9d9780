//! The view of each client: the state of its rooms according to the notices that it got.

use super::super::*;
use super::model::{Model, View};

const JOINED: &str = "the client has joined the room";

impl Model {
    /// Checks a notice that a client gets, alone (`direct`) or with its room, and updates its view.
    pub(super) fn receive(&mut self, client: ClientId, notice: &Notice, direct: bool) {
        let user = self.users.iter().position(|user| user.client == Some(client));
        let user = user.unwrap_or_else(|| panic!("{client:?} is gone, and gets {notice:?}"));
        let key = |room: &RoomName| (client, room.clone());
        match notice {
            Notice::Message(_) if direct => {}
            Notice::Message(message) => {
                let view = self.views.get_mut(&key(&message.room)).expect(JOINED);
                assert_eq!(view.newest + 1, message.seq);
                view.newest = message.seq;
                self.users[user].newest.insert(message.room.clone(), message.seq);
            }
            Notice::Arrived { room, nickname } => {
                let members = &mut self.views.get_mut(&key(room)).expect(JOINED).members;
                members.as_mut().expect("in JSON").push(nickname.clone());
            }
            Notice::Left { room, nickname, .. } => {
                let view = self.views.get_mut(&key(room)).expect(JOINED);
                view.members.iter_mut().for_each(|it| it.retain(|other| other != nickname));
            }
            Notice::Typing { room, .. } => {
                assert!(self.views.get_mut(&key(room)).is_some(), "{JOINED}");
            }
            Notice::Renamed { from, to, rooms } => {
                let mut is_due = direct;
                for room in rooms {
                    let members = self.views.get_mut(&key(room)).and_then(|it| it.members.as_mut());
                    if let Some(member) = members.into_iter().flatten().find(|it| *it == from) {
                        *member = to.clone();
                        is_due = true;
                    }
                }
                assert!(is_due, "the client shares a room with the person");
            }
            Notice::Joined(joined) => {
                let room = &joined.room;
                let listens = self.delivery_model.rooms_of(client).any(|it| it == room);
                assert!(direct && listens != joined.more);
                self.check_joined(joined);
                let person = self.person(client);
                let membership = self.people[person].memberships.get_mut(room).expect(JOINED);
                membership.is_catching_up = joined.more;
                if joined.more {
                    self.views.remove(&key(room));
                    let last = joined.messages.last().map(|it| it.seq);
                    self.users[user].newest.extend(last.map(|seq| (room.clone(), seq)));
                    return;
                }
                self.users[user].newest.insert(room.clone(), joined.seq);
                let members = Some(joined.members.nicknames.clone());
                let view = View { newest: joined.seq, members };
                self.views.insert(key(room), view);
            }
            _ => assert!(direct),
        }
    }
}
