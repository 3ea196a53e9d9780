//! Two chats joined by a bridge: `cargo run --example bridge`.
//!
//! A message of `ana` in the north is also said in the south, under `ana@north`, and the other way
//! round. A message that the bridge says is no event, so none goes round in a loop.

use std::error::Error;

use chinwag::crossbeam_channel::select;
use chinwag::{Config, Event, Handle, Nickname, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::default().page_port(0).websocket_port(0);
    let (north, south) = (Server::bind(&config)?, Server::bind(&config)?);
    let (of_north, of_south) = (north.events(1024), south.events(1024));
    let (north, south) = (north.start()?, south.start()?);
    for (name, running) in [("north", &north), ("south", &south)] {
        println!("{name}: http://localhost:{}/", running.handle().page_addresses()[0].port());
    }
    loop {
        let (event, from, to) = select! {
            recv(of_north.receiver()) -> event => (event, "north", south.handle()),
            recv(of_south.receiver()) -> event => (event, "south", north.handle()),
        };
        // The events of a server end with it.
        let Ok(event) = event else { break };
        if let Err(error) = pass_on(&event, from, &to) {
            eprintln!("{error}");
        }
    }
    north.stop()?;
    south.stop()?;
    Ok(())
}

/// Says a message of one server in the same room of the other.
fn pass_on(event: &Event, from: &str, to: &Handle) -> Result<(), Box<dyn Error>> {
    let Event::Message { nickname, room, text, .. } = event else { return Ok(()) };
    // A nickname that is too long with its suffix is left out.
    let nickname = Nickname::parse(&format!("{nickname}@{from}"));
    let nickname = nickname.or_else(|_| Nickname::parse(&format!("user@{from}")))?;
    Ok(to.say(room, &nickname, text)?)
}
