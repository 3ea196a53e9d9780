//! Deliveries: notices with their recipients, and changes of the recipients.

use super::ClientId;
use super::lookup::Lookup;
use super::notice::Notice;
use super::room_name::RoomName;

/// An effect of the chat on its clients. The fan-out carries deliveries out in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Sends a notice to all listeners of a room.
    Room { room: RoomName, notice: Notice },
    /// Sends a notice to the JSON listeners of a room, except one.
    Others { room: RoomName, except: ClientId, notice: Notice },
    /// Sends a notice to each of these clients.
    Clients { clients: Vec<ClientId>, notice: Notice },
    /// Sends a notice to the client that requested it.
    Reply { client: ClientId, notice: Notice },
    /// Sends the answer of a lookup to the client that requested it. Later notices for this client
    /// wait for the answer.
    Lookup { client: ClientId, lookup: Lookup },
    /// Makes a client a listener of a room.
    Enters { client: ClientId, room: RoomName },
    /// Ends the listening of a client in a room.
    Leaves { client: ClientId, room: RoomName },
    /// Closes a connection, because another one has resumed its session.
    Replaced { client: ClientId },
}
