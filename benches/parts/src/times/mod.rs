//! The times of the smallest parts. A filter selects some of them: `parts chat`.

mod chat;
mod frames;
mod outbox;
mod reading;
