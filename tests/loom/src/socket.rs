//! A model of the socket.

use std::io;

use crate::world::WORLD;

#[derive(Debug)]
pub(crate) struct Transport;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    All,
    Part(usize),
}

impl Transport {
    pub(crate) fn new(free_bytes: usize) -> Self {
        WORLD.change(|world| world.free_bytes = free_bytes);
        Self
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> io::Result<Sent> {
        WORLD.change(|world| {
            let taken = bytes.len().min(world.free_bytes);
            world.free_bytes -= taken;
            world.sent.extend(&bytes[..taken]);
            Ok(if taken == bytes.len() { Sent::All } else { Sent::Part(taken) })
        })
    }

    pub(crate) fn make_room(&self, bytes: usize) {
        WORLD.change(|world| world.free_bytes += bytes);
    }
}
