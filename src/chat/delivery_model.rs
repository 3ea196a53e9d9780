//! What deliveries mean, without sockets and turns: the measure of the fan-out.

use std::collections::BTreeSet;

use super::{Chat, ClientId, Delivery, Lookup, Notice, RoomName};

/// Who listens where, as far as the deliveries have said so.
#[derive(Default)]
pub(crate) struct Hearing {
    listens: BTreeSet<(RoomName, ClientId)>,
}

impl Hearing {
    /// Carries out a delivery, and returns who is told what by it.
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
            Delivery::Others { room, but, notice } => {
                let mut others = self.listeners(room, false, chat);
                others.retain(|client| client != but);
                each(others, notice)
            }
            Delivery::Clients { clients, notice } => each(clients.clone(), notice),
            Delivery::Reply { client, notice } => each(vec![*client], notice),
            Delivery::Lookup { client, lookup: Lookup::Reading(reading) } => {
                each(vec![*client], &reading.clone().complete(std::iter::empty()))
            }
            Delivery::Lookup { .. } => vec![],
            Delivery::Enters { client, room } => {
                let is_new = self.listens.insert((room.clone(), *client));
                assert!(is_new, "{client:?} enters {room} twice");
                vec![]
            }
            Delivery::Leaves { client, room } => {
                let was_there = self.listens.remove(&(room.clone(), *client));
                assert!(was_there, "{client:?} leaves {room}, and has not entered");
                vec![]
            }
            Delivery::Replaced { client } => {
                self.remove(*client);
                vec![]
            }
        }
    }

    /// A client is gone.
    pub(crate) fn remove(&mut self, client: ClientId) {
        self.listens.retain(|(_, other)| *other != client);
    }

    pub(crate) fn rooms_of(&self, client: ClientId) -> impl Iterator<Item = &RoomName> {
        let here = self.listens.iter().filter(move |(_, other)| *other == client);
        here.map(|(room, _)| room)
    }

    /// Between two inputs the chat and its deliveries agree on who listens.
    pub(crate) fn agrees_with(&self, chat: &Chat, room: &RoomName) -> bool {
        let said = self.listens.iter().filter(|(other, _)| other == room);
        let said: BTreeSet<_> = said.map(|(_, client)| *client).collect();
        let listeners: Vec<_> = chat.listeners(room).collect();
        let audience = [true, false].map(|plain| listeners.iter().any(|it| it.is_plain == plain));
        said == listeners.iter().map(|it| it.client).collect()
            && said.len() == listeners.len()
            && chat.audience(room) == audience.into()
            && said.iter().all(|client| chat.rooms_of(*client).any(|it| it == room))
    }

    /// The state of the chat is that after the whole input, in which some may be listening who
    /// have not entered yet.
    fn listeners(&self, room: &RoomName, with_plain: bool, chat: &Chat) -> Vec<ClientId> {
        let hears = |client: &ClientId| self.listens.contains(&(room.clone(), *client));
        let listeners = chat.listeners(room).filter(|it| with_plain || !it.is_plain);
        listeners.map(|it| it.client).filter(hears).collect()
    }
}
