//! What the smallest parts take, in time. A filter picks some of them: `parts chat`.

mod chat;
mod frames;
mod outbox;
mod reading;
