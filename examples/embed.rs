//! A program that contains a chat, without an async runtime: `cargo run --example embed`.
//!
//! Prints the events of the chat, and stops when the last client has left.

use std::collections::HashSet;

use chinwag::{Config, Event, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Port 0 takes a free port. `handle.page_addresses()` returns it.
    let config = Config { page_port: 0, websocket_port: 0, ..Config::default() };
    let server = Server::bind(&config)?;
    // Subscribed before the start, so that no event is missed. The chat never waits for this
    // program: if the channel is full, events are lost, and `Event::Lost` has their number.
    let events = server.handle().events(1024);
    let handle = server.start()?;
    println!("open http://localhost:{}/", handle.page_addresses()[0].port());

    let mut present = HashSet::new();
    for event in &events {
        match event {
            Event::Open { client, address } => {
                present.insert(client);
                println!("open: client {} from {address}", client.0);
            }
            Event::Joined { nickname, room, .. } => println!("joined: {nickname}, in {room}"),
            Event::Message { nickname, text, .. } => println!("message: {nickname}: {text}"),
            Event::Error { client, error } => println!("error: client {}: {error}", client.0),
            Event::Close { client, code, reason } => {
                present.remove(&client);
                println!("close: client {} with {code} {reason}", client.0);
                if present.is_empty() {
                    break;
                }
            }
            Event::Lost { count } => println!("lost: {count} events"),
        }
    }
    // Returns when all threads of the server have ended.
    handle.stop();
    Ok(())
}
