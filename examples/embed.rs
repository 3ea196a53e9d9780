//! A program of yours with a chat in it, and no async runtime: `cargo run --example embed`.
//!
//! Prints what happens in the chat, and stops when nobody is left.

use std::collections::HashSet;

use chinwag::{Config, Event, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Port 0 takes a free one; which it is, is known at once.
    let config = Config { page_port: 0, websocket_port: 0, ..Config::default() };
    let server = Server::bind(&config)?;
    // Asked for before the start, so that nothing is missed. If we are slow, we lose events, and
    // learn how many; the chat does not wait for us.
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
    // Returns when every thread has ended.
    handle.stop();
    Ok(())
}
