//! A chat with a bot: `cargo run --example bot`, then send `!time`.
//!
//! The bot is a member of the lobby. It also adds numbers (`2 + 3`), and removes a client that sends
//! `spam`.

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use chinwag::{Config, Event, Nickname, RoomName, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::bind(&Config::default().page_port(0).websocket_port(0))?;
    let bot: Nickname = "bot".parse()?;
    // Before the first client connects, so that no client can have the nickname.
    server.handle().enter(&bot, &RoomName::lobby())?;
    let events = server.events(1024);
    let running = server.start()?;
    let handle = running.handle();
    println!("open http://localhost:{}/ and send !time", handle.page_addresses()[0].port());

    for event in events {
        let Event::Message { client, room, nickname, text, .. } = event else { continue };
        if text == "!time" {
            handle.say(&room, &bot, &time_of_day())?;
        } else if text == "spam" {
            handle.kick(client, "no spam, please")?;
        } else if let Some(sum) = sum(&text) {
            handle.say(&room, &bot, &format!("{nickname}, that is {sum}"))?;
        }
    }
    // The events end when the server has ended. This returns the error if it has crashed.
    running.join()?;
    Ok(())
}

/// Returns the time of day as a sentence.
fn time_of_day() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let minutes = since.as_secs() / 60;
    format!("it is {:02}:{:02} UTC", minutes / 60 % 24, minutes % 60)
}

/// Returns the sum of a text like `2 + 3`.
fn sum(text: &str) -> Option<i64> {
    let (left, right) = text.split_once('+')?;
    let number = |text: &str| text.trim().parse::<i64>().ok();
    number(left)?.checked_add(number(right)?)
}
