//! A chat with a bot that adds numbers: run `cargo run --example bot`, then send `2 + 3`. The bot
//! also moderates: it removes a client that sends `spam`.

use std::error::Error;

use chinwag::{Config, Event, Handle, Nickname, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::bind(&Config::default().page_port(0).websocket_port(0))?;
    let bot: Nickname = "bot".parse()?;
    // Reserved before the first client connects, so that no client can have the nickname.
    server.reserve(&bot)?;
    let events = server.events(1024);
    let running = server.start()?;
    let handle = running.handle();
    println!("open http://localhost:{}/ and send 2 + 3", handle.page_addresses()[0].port());

    for event in events {
        answer(&handle, &bot, &event)?;
    }
    // The events end when the server has ended. This returns the error if it has crashed.
    running.join()?;
    Ok(())
}

/// Answers a message, or removes its client.
fn answer(handle: &Handle, bot: &Nickname, event: &Event) -> Result<(), Box<dyn Error>> {
    let Event::Message { client, room, nickname, text, .. } = event else { return Ok(()) };
    if text == "spam" {
        handle.kick(*client, "no spam, please")?;
    } else if let Some(sum) = sum(text) {
        handle.say(room, bot, &format!("{nickname}, that is {sum}"))?;
    }
    Ok(())
}

/// Returns the sum of a text like `2 + 3`.
fn sum(text: &str) -> Option<i64> {
    let (left, right) = text.split_once('+')?;
    let number = |text: &str| text.trim().parse::<i64>().ok();
    number(left)?.checked_add(number(right)?)
}
