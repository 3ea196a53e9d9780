//! A program with hooks, for the tests of the page (`tests/browser/embedder.test.js`).
//!
//! It takes the options of the program that it needs, and ignores the others. It prints the
//! addresses as the program does. It has two more options: with `--login` a request needs the cookie
//! `login=NICKNAME`, and with `--motd TEXT` there is a message of the day.

use std::env;
use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;
use std::time::Duration;

use chinwag::{
    Admission, CommandHelp, Config, Draft, Hooks, Invocation, Limits, Nickname, Refusal, Requester,
    RoomName, Server, Verdict,
};
use signal_hook::consts::SIGTERM;
use signal_hook::iterator::Signals;

fn main() -> Result<(), Box<dyn Error>> {
    let port = |name| option(name).map_or(Ok(0), |port| port.parse::<u16>());
    let config = Config::default()
        .bind([Ipv4Addr::LOCALHOST])
        .page_port(port("--port")?)
        .websocket_port(port("--ws-port")?)
        .clients_per_address_max(None)
        .limits(Limits::default().per_second(None))
        .hooks(Embedder { needs_login: env::args().any(|argument| argument == "--login") });
    // Before the first address is printed, after which the test may end this program.
    let mut signals = Signals::new([SIGTERM])?;
    let server = Server::bind(&config)?;
    server.handle().set_motd(option("--motd").as_deref())?;
    // `run` does not wait for the threads of tiny_http, which end with this program.
    server.run(|handle| {
        let port = |addresses: &[SocketAddr]| addresses[0].port();
        println!("On this machine: http://localhost:{}/", port(handle.page_addresses()));
        println!("WebSocket: ws://localhost:{}/", port(handle.websocket_addresses()));
        thread::spawn(move || {
            signals.forever().next();
            handle.stop();
        });
    })?;
    Ok(())
}

/// Returns the argument after an option.
fn option(name: &str) -> Option<String> {
    env::args().skip_while(|argument| argument != name).nth(1)
}

struct Embedder {
    needs_login: bool,
}

impl Hooks for Embedder {
    /// A user that has logged in gets its nickname and a room.
    fn admit(&self, requester: &Requester<'_>) -> Result<Admission, Refusal> {
        let cookies = requester.request.header("cookie").unwrap_or_default();
        let login = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("login="));
        match login {
            _ if !self.needs_login => Ok(Admission::default()),
            Some("panic") => panic!("as asked"),
            Some(name) => {
                let wrong = |_| Refusal::new(403, "This login has ended.");
                let nickname = Nickname::parse(name).map_err(wrong)?;
                let room = RoomName::parse("members").expect("it is a name");
                let admission = Admission::default().nickname(nickname);
                Ok(admission.session(format!("secret of {name}")).rooms([room]))
            }
            None => Err(Refusal::new(401, "Log in first.")),
        }
    }

    fn join(&self, _: &Requester<'_>, room: &RoomName) -> Result<(), String> {
        let is_closed =
            room.as_str() == "attic" || (self.needs_login && *room == RoomName::lobby());
        if is_closed { Err(format!("{room} is closed")) } else { Ok(()) }
    }

    fn message(&self, _: &Requester<'_>, draft: &Draft<'_>) -> Verdict {
        match draft.text {
            "refuse" => Verdict::Refuse("Please mind your language.".to_owned()),
            "swallow" => Verdict::Swallow,
            _ => Verdict::Say,
        }
    }

    fn commands(&self) -> Vec<CommandHelp> {
        [
            ("echo", "shows you the text"),
            ("fail", "fails"),
            ("enter", "puts you into a room"),
            ("exit", "takes you out of a room"),
            ("mute", "mutes you for an hour"),
            ("close", "closes your connection with a code and a reason"),
            // The page has a command of this name.
            ("who", "is not offered"),
        ]
        .into_iter()
        .filter_map(|(name, help)| CommandHelp::new(name, help))
        .collect()
    }

    fn command(
        &self,
        requester: &Requester<'_>,
        command: &Invocation<'_>,
    ) -> Result<Option<String>, String> {
        let Requester { client, handle, .. } = *requester;
        let room = || RoomName::parse(command.arguments).map_err(|error| error.to_string());
        let done = match command.name {
            "echo" => return Ok(Some(format!("{} in {}", command.arguments, command.room))),
            "fail" => return Err("This always fails.".to_owned()),
            "enter" => handle.join(client, &room()?),
            "exit" => handle.part(client, &room()?).map_err(Into::into),
            "mute" => handle.mute(client, Duration::from_secs(3600)).map_err(Into::into),
            _ => {
                let (code, reason) = command.arguments.split_once(' ').unwrap_or_default();
                handle.close(client, code.parse().unwrap_or_default(), reason)
            }
        };
        done.map(|_| None).map_err(|error| error.to_string())
    }
}
