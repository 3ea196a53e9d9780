//! Deliveries: which client is sent which notice.

use super::lookup::Lookup;
use super::notice::Notice;
use super::{ClientId, RoomName};

/// Who is told what. Deliveries are carried out in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// To everybody who listens in a room.
    Room { room: RoomName, notice: Notice },
    /// To everybody who listens in a room, but one.
    Others { room: RoomName, but: ClientId, notice: Notice },
    /// To each of these.
    Clients { clients: Vec<ClientId>, notice: Notice },
    /// To the client that asked.
    Reply { client: ClientId, notice: Notice },
    /// To the client that asked, once it is looked up. What comes after it waits for it.
    Lookup { client: ClientId, lookup: Lookup },
    /// From here on a client listens in a room.
    Enters { client: ClientId, room: RoomName },
    /// Up to here a client has listened in a room.
    Leaves { client: ClientId, room: RoomName },
    /// Another connection has taken the place of this one.
    Replaced { client: ClientId },
}
