//! A model of the fan-out: the meaning of deliveries, without sockets and turns.

use std::collections::BTreeSet;

use super::delivery::Delivery;
use super::lookup::Lookup;
use super::notice::Notice;
use super::room::Audience;
use super::room_name::RoomName;
use super::{Chat, ClientId};

/// The listeners of each room according to the deliveries so far.
#[derive(Default)]
pub(crate) struct DeliveryModel {
    listening: BTreeSet<(RoomName, ClientId)>,
}

impl DeliveryModel {
    /// Carries out a delivery, and returns the notices that each client gets.
    pub(crate) fn carry_out(
        &mut self,
        delivery: &Delivery,
        chat: &Chat,
    ) -> Vec<(ClientId, Notice)> {
        let each = |clients: Vec<ClientId>, notice: &Notice| {
            clients.into_iter().map(|client| (client, notice.clone())).collect()
        };
        match delivery {
            Delivery::Room { room, notice } => {
                let in_plain = matches!(notice, Notice::Message(_) | Notice::Left { .. });
                each(self.listeners(room, in_plain, chat), notice)
            }
            Delivery::Others { room, except, notice } => {
                let mut others = self.listeners(room, false, chat);
                others.retain(|client| client != except);
                each(others, notice)
            }
            Delivery::Clients { clients, notice } => each(clients.clone(), notice),
            Delivery::Reply { client, notice } => each(vec![*client], notice),
            Delivery::Lookup { client, lookup: Lookup::Read(read) } => {
                each(vec![*client], &read.clone().complete(std::iter::empty()))
            }
            Delivery::Lookup { .. } => vec![],
            Delivery::Enters { client, room } => {
                let is_new = self.listening.insert((room.clone(), *client));
                assert!(is_new, "{client:?} enters {room} twice");
                vec![]
            }
            Delivery::Leaves { client, room } => {
                let was_listening = self.listening.remove(&(room.clone(), *client));
                assert!(was_listening, "{client:?} leaves {room}, and has not entered");
                vec![]
            }
            Delivery::Replaced { client } => {
                self.remove(*client);
                vec![]
            }
        }
    }

    /// Removes a client.
    pub(crate) fn remove(&mut self, client: ClientId) {
        self.listening.retain(|(_, other)| *other != client);
    }

    pub(crate) fn rooms_of(&self, client: ClientId) -> impl Iterator<Item = &RoomName> {
        let here = self.listening.iter().filter(move |(_, other)| *other == client);
        here.map(|(room, _)| room)
    }

    /// Returns whether the chat has the listeners that its deliveries made. It must between two
    /// inputs.
    pub(crate) fn agrees_with(&self, chat: &Chat, room: &RoomName) -> bool {
        let expected = self.listening.iter().filter(|(other, _)| other == room);
        let expected: BTreeSet<_> = expected.map(|(_, client)| *client).collect();
        let listeners: Vec<_> = chat.listeners(room).collect();
        let of = |plain: bool| listeners.iter().filter(|it| it.is_plain == plain).count();
        expected == listeners.iter().map(|listener| listener.client).collect()
            && expected.len() == listeners.len()
            && chat.audience(room) == Audience { plain: of(true), json: of(false) }
            && expected.iter().all(|client| chat.rooms_of(*client).any(|it| it == room))
    }

    /// Returns the listeners of a room that have entered by now. The state of the chat is that after
    /// the whole input, so it may have more.
    fn listeners(&self, room: &RoomName, with_plain: bool, chat: &Chat) -> Vec<ClientId> {
        let listens = |client: &ClientId| self.listening.contains(&(room.clone(), *client));
        let listeners = chat.listeners(room).filter(|it| with_plain || !it.is_plain);
        listeners.map(|listener| listener.client).filter(listens).collect()
    }
}
