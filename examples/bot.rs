//! A chat with a bot that adds numbers: run `cargo run --example bot`, then send `2 + 3`.

use chinwag::{Config, Event, Nickname, Server};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let config = Config { page_port: 0, websocket_port: 0, ..Config::default() };
    let server = Server::bind(&config)?;
    let bot = Nickname::parse("bot")?;
    // Reserved before the first client connects, so that no client can have the nickname.
    server.handle().reserve(&bot)?;
    let events = server.handle().events(1024);
    let handle = server.start()?;
    println!("open http://localhost:{}/ and send 2 + 3", handle.page_addresses()[0].port());

    for event in &events {
        if let Event::Message { room, nickname, text, .. } = event {
            if let Some(sum) = sum(&text) {
                handle.say(&room, &bot, &format!("{nickname}, that is {sum}"))?;
            }
        }
    }
    Ok(())
}

/// Returns the sum of a text like `2 + 3`.
fn sum(text: &str) -> Option<i64> {
    let (left, right) = text.split_once('+')?;
    let number = |text: &str| text.trim().parse::<i64>().ok();
    number(left)?.checked_add(number(right)?)
}
