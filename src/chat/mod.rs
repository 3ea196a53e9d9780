//! The state of the chat, and the rules by which it changes.
//!
//! Nothing here knows a socket, a thread, a channel, a clock or a source of random numbers: what
//! happens comes in as a call, and what follows from it goes out as a [`Delivery`].

mod nickname;
mod room;
mod text;

#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use rand::{Rng, RngExt as _};

pub use nickname::{NICKNAME_BYTES_MAX, NICKNAME_GRAPHEMES_MAX, Nickname, NicknameError};
pub use room::{ROOM_NAME_CHARS_MAX, RoomName, RoomNameError};
pub(crate) use text::Text;
pub use text::TooLong;

use nickname::GIVEN_NAMES;
use room::Room;

/// The most clients that a chat can hold: as many as there are names to give.
pub(crate) const CLIENTS_MAX: usize = GIVEN_NAMES as usize;

/// A client, for as long as the server runs. Ids only grow, and none is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

/// Something that the members of a room are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Somebody said something.
    Message {
        /// Who said it.
        nickname: Nickname,
        /// What was said.
        text: Text,
    },
    /// Somebody is gone.
    Left {
        /// Who is gone.
        nickname: Nickname,
    },
}

/// A notice, and the room whose members get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    /// The room that is told.
    pub(crate) room: RoomName,
    /// What it is told.
    pub(crate) notice: Notice,
}

/// Who is here, under which name, and in which room.
#[derive(Debug, Default)]
pub(crate) struct Chat {
    members: HashMap<ClientId, Member>,
    /// A room is born with its first member and gone with its last.
    rooms: HashMap<RoomName, Room>,
    /// Every form of every nickname in use ([`Nickname::forms`]).
    taken: HashSet<String>,
}

#[derive(Debug)]
struct Member {
    nickname: Nickname,
    room: RoomName,
}

impl Chat {
    /// A client comes into a room. It gets the nickname it wishes for, or a random one where that
    /// is taken or none was wished for. The nickname is returned.
    pub(crate) fn enter(
        &mut self,
        client: ClientId,
        room: RoomName,
        wish: Option<Nickname>,
        random: &mut impl Rng,
    ) -> Nickname {
        let free_wish = wish.filter(|nickname| self.is_free(nickname));
        let nickname = free_wish.unwrap_or_else(|| self.fresh_nickname(random));
        self.taken.extend(nickname.forms());
        self.rooms.entry(room.clone()).or_default().members.insert(client);
        self.members.insert(client, Member { nickname: nickname.clone(), room });
        nickname
    }

    /// A client says something to its room. Nothing follows when the client is gone already.
    pub(crate) fn say(&self, client: ClientId, text: Text) -> Option<Delivery> {
        let Member { nickname, room } = self.members.get(&client)?;
        let notice = Notice::Message { nickname: nickname.clone(), text };
        Some(Delivery { room: room.clone(), notice })
    }

    /// A client is gone. The rest of its room is told, once however often this is called.
    pub(crate) fn leave(&mut self, client: ClientId) -> Option<Delivery> {
        let Member { nickname, room } = self.members.remove(&client)?;
        for form in nickname.forms() {
            self.taken.remove(&form);
        }
        let members = &mut self.rooms.get_mut(&room)?.members;
        members.remove(&client);
        if members.is_empty() {
            self.rooms.remove(&room);
        }
        Some(Delivery { room, notice: Notice::Left { nickname } })
    }

    /// The members of a room, in the order in which they came.
    pub(crate) fn members(&self, room: &RoomName) -> impl Iterator<Item = ClientId> {
        self.rooms.get(room).into_iter().flat_map(|room| room.members.iter().copied())
    }

    /// The room that a client is in, while it is here.
    pub(crate) fn room_of(&self, client: ClientId) -> Option<&RoomName> {
        self.members.get(&client).map(|member| &member.room)
    }

    fn is_free(&self, nickname: &Nickname) -> bool {
        !nickname.forms().iter().any(|form| self.taken.contains(form))
    }

    /// A random name, or the next free one after it, so that the search ends even when nearly all
    /// are taken.
    fn fresh_nickname(&self, random: &mut impl Rng) -> Nickname {
        let start = random.random_range(0..GIVEN_NAMES);
        (start..GIVEN_NAMES)
            .chain(0..start)
            .map(Nickname::given)
            .find(|nickname| self.is_free(nickname))
            .expect("the server takes fewer clients than there are names (CLIENTS_MAX)")
    }
}
