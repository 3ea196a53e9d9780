//! The calls of the embedder, as the broadcaster carries them out.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use super::Broadcaster;
use super::close_reason::CloseReason;
use super::event::EventSink;
use super::subscriber::Subscriber;
use crate::chat::{Chat, ClientId, Network, Nickname, RoomName, Text, Turn};
use crate::protocol::json::{CommandInfo, RequestTags};
use crate::protocol::{Dialect, close_code};

/// A connected client, as [`Handle::clients`](crate::Handle::clients) lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Its nickname. A JSON client has none before it says hello.
    pub nickname: Option<Nickname>,
    /// The rooms that it is in, in the order in which it joined them.
    pub rooms: Vec<RoomName>,
    /// The address that it connected from.
    pub address: IpAddr,
    /// The dialect that it speaks.
    pub dialect: Dialect,
    /// When it connected.
    pub since: SystemTime,
}

/// Numbers of a running server, as [`Handle::counts`](crate::Handle::counts) returns them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Number of connected clients.
    pub clients: usize,
    /// Number of users: clients that have a nickname, users whose connection broke a moment ago, and
    /// members of the embedder.
    pub users: usize,
    /// Number of rooms with members or messages.
    pub rooms: usize,
    /// Number of messages in rooms since the server was bound, private ones excepted.
    pub messages: u64,
    /// Number of times that one of these messages was sent to a client.
    pub deliveries: u64,
    /// Bytes of WebSocket frames of the chat that were handed to connections. Pings, pongs and close
    /// frames are not counted.
    pub bytes: u64,
}

/// A room, as [`Handle::rooms`](crate::Handle::rooms) lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// The name of the room.
    pub name: RoomName,
    /// The nicknames of its members, in the order of their arrival.
    pub members: Vec<Nickname>,
}

impl Broadcaster {
    /// Changes the chat for the embedder, and carries out what follows from it.
    pub(super) fn change<T>(&mut self, change: impl FnOnce(&mut Chat, &mut Turn<'_>) -> T) -> T {
        let result = self.change_chat(change);
        self.carry_out(None, &RequestTags::default());
        result
    }

    /// Closes the connection of a client. Returns whether it was connected.
    pub(super) fn close(&mut self, client: ClientId, code: u16, reason: String) -> bool {
        // The client is sent what came before.
        self.end_turn();
        self.fanout.close(client, CloseReason::Kicked { code, reason })
    }

    /// Closes the connections of all clients of a network.
    pub(super) fn close_network(&mut self, network: Network, reason: &str) {
        self.end_turn();
        let reason = CloseReason::Kicked { code: close_code::KICKED, reason: reason.to_owned() };
        for (client, it) in self.fanout.subscribers() {
            if Network::of(it.address) == network {
                self.fanout.close(client, reason.clone());
            }
        }
    }

    /// Mutes a client for a time. Returns whether it is known.
    pub(super) fn mute(&mut self, client: ClientId, time: Duration) -> bool {
        // A time that the clock cannot add lasts as long as the server.
        const LONGEST: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);
        self.chat.mute(client, Some(self.now.instant + time.min(LONGEST)))
    }

    pub(super) fn unmute(&mut self, client: ClientId) -> bool {
        self.chat.mute(client, None)
    }

    pub(super) fn subscribe(&mut self, sink: EventSink) {
        // A new sink gets no events from before.
        self.end_turn();
        self.sinks.push(sink);
    }

    pub(super) fn rooms(&self) -> Vec<Room> {
        let room = |name: RoomName| Room { members: self.chat.members(&name), name };
        self.chat.listings(None).map(|listing| room(listing.room)).collect()
    }

    pub(super) fn clients(&self) -> Vec<Client> {
        let client = |(id, it): (ClientId, &Subscriber)| Client {
            id,
            nickname: self.chat.nickname_of(id).cloned(),
            rooms: self.chat.memberships_of(id),
            address: it.address,
            dialect: it.dialect,
            since: it.since,
        };
        let mut clients: Vec<_> = self.fanout.subscribers().map(client).collect();
        clients.sort_unstable_by_key(|client| client.id);
        clients
    }

    pub(super) fn counts(&self) -> Counts {
        let (users, rooms) = self.chat.sizes();
        let clients = self.fanout.subscribers().count();
        let (deliveries, bytes) = self.fanout.sent();
        Counts { clients, users, rooms, messages: self.messages, deliveries, bytes }
    }

    /// Sets the message of the day, which each JSON client gets after its welcome.
    pub(super) fn set_motd(&mut self, motd: Option<Text>) {
        self.motd = motd;
    }

    /// Prepares for hooks, which have these commands.
    pub(crate) fn serve_hooks(&mut self, commands: Vec<CommandInfo>) {
        self.fanout.serve_hooks(commands);
    }
}
