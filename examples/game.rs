//! Rooms as matches: `cargo run --example game`.
//!
//! As soon as two users are in the lobby, they are moved to a room of their own, where a referee asks
//! a question. The first right answer wins. Then both are back in the lobby, and the result is
//! announced there.

use std::collections::HashMap;
use std::error::Error;

use chinwag::{
    Client, ClientId, Config, Event, Handle, Hooks, Nickname, Requester, Room, RoomName, Server,
};

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

struct Game {
    handle: Handle,
    referee: Nickname,
    lobby: RoomName,
    /// The right answer of each match that is not over.
    answers: HashMap<RoomName, String>,
    /// Number of matches until now.
    matches: u64,
}

impl Game {
    fn take(&mut self, event: &Event) -> Outcome {
        match event {
            Event::Joined { room, .. } if *room == self.lobby => self.start(),
            Event::Message { room, nickname, text, .. } if self.answers.get(room) == Some(text) => {
                self.end(room, &format!("{nickname} has won {room}"))
            }
            Event::Left { room, nickname, .. } if self.answers.contains_key(room) => {
                self.end(room, &format!("{nickname} has left {room}"))
            }
            _ => Ok(()),
        }
    }

    /// Starts a match if two users are in the lobby.
    fn start(&mut self) -> Outcome {
        let is_waiting = |client: &Client| {
            client.rooms.contains(&self.lobby)
                && !client.rooms.iter().any(|room| self.answers.contains_key(room))
        };
        let waiting: Vec<_> = self.handle.clients()?.into_iter().filter(is_waiting).collect();
        let [one, other, ..] = &waiting[..] else { return Ok(()) };
        self.matches += 1;
        let room: RoomName = format!("match-{}", self.matches).parse()?;
        let (left, right) = (self.matches + 6, self.matches + 7);
        self.answers.insert(room.clone(), (left * right).to_string());
        for client in [one, other] {
            if !self.transfer(client.id, &self.lobby, &room)? {
                return self.end(&room, &format!("an opponent has left {room}"));
            }
        }
        Ok(self.handle.say(&room, &self.referee, &format!("what is {left} x {right}?"))?)
    }

    /// Moves the players back to the lobby, and announces the result there.
    fn end(&mut self, room: &RoomName, result: &str) -> Outcome {
        self.answers.remove(room);
        for client in self.handle.clients()?.iter().filter(|it| it.rooms.contains(room)) {
            self.transfer(client.id, room, &self.lobby)?;
        }
        Ok(self.handle.say(&self.lobby, &self.referee, result)?)
    }

    /// Moves a client. Returns whether it is connected.
    fn transfer(&self, client: ClientId, from: &RoomName, to: &RoomName) -> Outcome<bool> {
        // In this order, because a client that is in 16 rooms can join no other.
        self.handle.part(client, from)?;
        Ok(self.handle.join(client, to)?)
    }
}

/// Keeps all others out of a match.
struct Doors;

impl Hooks for Doors {
    fn join(&self, requester: &Requester<'_>, room: &RoomName) -> Result<(), String> {
        // A player whose connection broke is still a member, and may come back.
        let is_player = |it: &Room| {
            it.name == *room
                && requester.nickname.as_ref().is_some_and(|me| it.members.contains(me))
        };
        let rooms = requester.handle.rooms().unwrap_or_default();
        if room.as_str().starts_with("match-") && !rooms.iter().any(is_player) {
            return Err("a match is for its two players".to_owned());
        }
        Ok(())
    }
}

fn main() -> Outcome {
    let config = Config::default().page_port(0).websocket_port(0).hooks(Doors);
    let server = Server::bind(&config)?;
    let referee: Nickname = "referee".parse()?;
    server.reserve(&referee)?;
    let events = server.events(1024);
    let running = server.start()?;
    let handle = running.handle();
    println!("open http://localhost:{}/ in two windows", handle.page_addresses()[0].port());
    let (lobby, answers) = (RoomName::lobby(), HashMap::new());
    let mut game = Game { handle, referee, lobby, answers, matches: 0 };
    for event in events {
        if let Err(error) = game.take(&event) {
            eprintln!("{error}");
        }
    }
    running.join()?;
    Ok(())
}
