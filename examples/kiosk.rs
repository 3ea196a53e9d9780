//! A kiosk: one room, and no names to choose: `cargo run --example kiosk`.

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};

use chinwag::{Admission, Config, Hooks, Nickname, Refusal, Requester, RoomName, Server};

struct Kiosk {
    room: RoomName,
    visitors: AtomicU64,
}

impl Hooks for Kiosk {
    /// Numbers the visitors, and puts them into the room.
    fn admit(&self, _: &Requester<'_>) -> Result<Admission, Refusal> {
        let number = self.visitors.fetch_add(1, Ordering::Relaxed) + 1;
        let nickname = Nickname::parse(&format!("visitor {number}"));
        let nickname = nickname.map_err(|error| Refusal::new(500, error.to_string()))?;
        Ok(Admission::default().nickname(nickname).rooms([self.room.clone()]))
    }

    fn join(&self, _: &Requester<'_>, room: &RoomName) -> Result<(), String> {
        if *room == self.room { Ok(()) } else { Err(format!("the only room is {}", self.room)) }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let kiosk = Kiosk { room: "kiosk".parse()?, visitors: AtomicU64::new(0) };
    let config = Config::default().page_port(0).websocket_port(0).hooks(kiosk);
    let running = Server::bind(&config)?.start()?;
    println!("open http://localhost:{}/", running.handle().page_addresses()[0].port());
    running.join()?;
    Ok(())
}
