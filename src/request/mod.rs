//! A request: read from bytes, and understood or refused. No socket is known here.

mod head;
mod host;
mod refusal;

pub(crate) use head::{PageRequest, Wanted, end_of_head, understand};
pub(crate) use host::House;
pub use host::{HostName, HostNameError, Origin, OriginError};
pub(crate) use refusal::Refusal;
