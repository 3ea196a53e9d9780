//! The JSON dialect, `chinwag.v1`: one object in each text frame, whose member `type` says which.

mod event;
mod request;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod golden;

pub(crate) use event::{RequestError, RequestTags, ServerInfo, error, render, reply, write};
pub(crate) use request::{Asked, parse};

/// What a client asks for in `Sec-WebSocket-Protocol`.
pub(crate) const SUBPROTOCOL: &str = "chinwag.v1";
