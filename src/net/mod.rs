//! Sockets, `poll`, host names and addresses. Nothing here knows the chat.

pub(crate) mod addresses;
pub(crate) mod adopt;
pub(crate) mod base_path;
pub(crate) mod host;
pub(crate) mod poll;
pub(crate) mod socket;
