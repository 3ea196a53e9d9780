//! People: users of the chat, with or without a connection.

use std::time::{Duration, Instant};

use super::ClientId;
use super::network::Network;
use super::nickname::Nickname;
use super::notice::LeaveReason;
use super::private_limit::PrivateLimit;
use super::room_name::RoomName;
use super::session::{Digest, Receipts, Token};

/// A user. A plain client is one person as long as it is connected. A JSON client has a session, and
/// is the same person over several connections.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) nickname: Nickname,
    /// The connection, if there is one.
    pub(super) client: Option<ClientId>,
    /// The session. A plain client has none.
    pub(super) session: Option<Token>,
    /// The network of the connection, or of the last one.
    pub(super) network: Network,
    pub(super) memberships: Vec<Membership>,
    /// When the grace ends. There is one if a connection broke, was closed or was replaced.
    pub(super) grace_until: Option<Instant>,
    /// The client closed its connection. Only the nickname is held.
    pub(super) has_closed: bool,
    pub(super) receipts: Receipts,
    /// Limits the private messages of others. `None` until the first one.
    private_limit: Option<Box<PrivateLimit>>,
    /// The session of an earlier run of the server for which the nickname is held. Such a person is
    /// only a nickname.
    pub(super) held_for: Option<Digest>,
    /// The person is a member of the embedder, which has no connection.
    pub(super) is_of_embedder: bool,
    /// Until when the embedder refuses the texts of this person.
    pub(super) muted_until: Option<Instant>,
}

/// The membership of a person in a room.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) room: RoomName,
    /// Identifies the member in the room.
    pub(super) seat_id: u64,
    pub(super) presence: Presence,
    /// The number of a message after which the history lacks messages that the client missed.
    pub(super) gap_after: Option<u64>,
    /// When the last typing notice was passed on.
    pub(super) typed: Option<Instant>,
}

/// Whether a member gets the messages of a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// The client gets each message.
    Listening,
    /// The client gets the messages that it missed in batches, and no new ones yet.
    CatchingUp,
    /// The person has no connection, or one that has not joined the room again. When the grace ends,
    /// it leaves the room for this reason.
    Away(LeaveReason),
}

impl Person {
    pub(super) fn new(
        nickname: Nickname,
        client: ClientId,
        network: Network,
        session: Option<Token>,
    ) -> Self {
        Self { client: Some(client), session, ..Self::without_client(nickname, network) }
    }

    pub(super) fn without_client(nickname: Nickname, network: Network) -> Self {
        Self {
            nickname,
            client: None,
            session: None,
            network,
            memberships: Vec::new(),
            grace_until: None,
            has_closed: false,
            receipts: Receipts::default(),
            private_limit: None,
            held_for: None,
            is_of_embedder: false,
            muted_until: None,
        }
    }

    /// Returns whether the person has not come back to one of its rooms yet.
    pub(super) fn is_away_from_any_room(&self) -> bool {
        self.memberships.iter().any(|membership| matches!(membership.presence, Presence::Away(_)))
    }

    /// Returns how much longer the person is muted, if it is.
    pub(super) fn muted_for(&self, now: Instant) -> Option<Duration> {
        let wait = self.muted_until?.checked_duration_since(now)?;
        Some(wait).filter(|wait| !wait.is_zero())
    }

    /// Counts a private message to this person, or returns how long the sender has to wait.
    pub(super) fn take_private_message(
        &mut self,
        from: Network,
        bytes: usize,
        now: Instant,
    ) -> Result<(), Duration> {
        if self.private_limit.is_none() {
            self.private_limit = PrivateLimit::new(now).map(Box::new);
        }
        self.private_limit.as_mut().map_or(Ok(()), |limit| limit.take(from, bytes, now))
    }

    pub(super) fn membership(&self, room: &RoomName) -> Option<&Membership> {
        self.memberships.iter().find(|membership| membership.room == *room)
    }

    pub(super) fn membership_mut(&mut self, room: &RoomName) -> Option<&mut Membership> {
        self.memberships.iter_mut().find(|membership| membership.room == *room)
    }

    /// Returns whether the person is a member of a room, and not away.
    pub(super) fn is_here(&self, room: &RoomName) -> bool {
        self.membership(room)
            .is_some_and(|membership| !matches!(membership.presence, Presence::Away(_)))
    }

    pub(super) fn rooms(&self) -> Vec<RoomName> {
        self.memberships.iter().map(|membership| membership.room.clone()).collect()
    }
}
