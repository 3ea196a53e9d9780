//! Sockets, waiting, host names and addresses: what the other modules need of the operating system's
//! network. Nothing here knows the chat.

pub(crate) mod addresses;
pub(crate) mod host;
pub(crate) mod poll;
pub(crate) mod socket;
