//! A request: read from bytes, and understood or refused. No socket is known here.

mod answer;
mod head;
mod host;
#[cfg(test)]
mod mutations;
mod refusal;

pub(crate) use answer::{answer, options};
pub(crate) use head::{
    InvitationRequest, PageRequest, Wanted, end_of_head, is_to_head, understand,
};
pub(crate) use host::House;
pub use host::{HostName, HostNameError, Origin, OriginError};
pub(crate) use refusal::Refusal;
