//! A program that contains a chat, without an async runtime: `cargo run --example embed`.
//!
//! Prints the events of the chat, and stops when the last client has left.

use std::collections::HashSet;
use std::error::Error;

use chinwag::{Config, Event, Events, Server};

fn main() -> Result<(), Box<dyn Error>> {
    // Port 0 takes a free port.
    let server = Server::bind(&Config::default().page_port(0).websocket_port(0))?;
    // Subscribed before the start, so that no event is missed. The chat never waits for this
    // program: if it is too slow, events are lost, and `Event::Lost` has their number.
    let events = server.events(1024);
    let running = server.start()?;
    println!("open http://localhost:{}/", running.handle().page_addresses()[0].port());
    print(events);
    // Returns when all threads of the server have ended.
    running.stop()?;
    Ok(())
}

/// Prints events until the last client has left.
fn print(events: Events) {
    let mut clients = HashSet::new();
    for event in events {
        match event {
            Event::Open { client, address, .. } => {
                clients.insert(client);
                println!("open: client {client} from {address}");
            }
            Event::Joined { nickname, room, .. } => println!("joined: {nickname}, in {room}"),
            Event::Left { nickname, room, .. } => println!("left: {nickname}, from {room}"),
            Event::Message { nickname, text, .. } => println!("message: {nickname}: {text}"),
            Event::Error { client, error, .. } => println!("error: client {client}: {error}"),
            Event::Close { client, code, reason, .. } => {
                println!("close: client {client} with {code} {reason}");
                clients.remove(&client);
                if clients.is_empty() {
                    return;
                }
            }
            Event::Lost { count, .. } => println!("lost: {count} events"),
            // Later versions may have more events.
            _ => {}
        }
    }
}
