//! The JSON dialect, `chinwag.v1`. Each text frame is one object, and its member `type` says which.

mod encode;
mod event;
mod request;
mod request_error;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod golden;

pub(crate) use encode::{error, render, reply, write};
pub(crate) use event::{CommandInfo, ServerInfo};
pub(crate) use request::{COMMAND_NAME_CHARS_MAX, LIMIT_MAX, ParsedRequest, RequestTags, parse};
pub(crate) use request_error::RequestError;

/// The name of the dialect in `Sec-WebSocket-Protocol`.
pub(crate) const SUBPROTOCOL: &str = "chinwag.v1";
