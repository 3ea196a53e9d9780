//! The examples for embedders, each run as a process of its own.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::env;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use serde_json::{Value, json};
use testkit::{Client, DEADLINE, connect, connect_from, connect_json, error_code, exchange};

/// An example that runs. It is killed when this is dropped.
struct Example {
    child: Child,
    lines: Receiver<String>,
}

impl Example {
    fn start(name: &str, arguments: &[&Path]) -> Self {
        let this = env::current_exe().unwrap();
        let program = this.parent().unwrap().with_file_name("examples").join(name);
        let mut command = Command::new(&program);
        let spawned = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        let mut child = spawned.unwrap_or_else(|error| {
            panic!("{}: {error}: cargo build --examples", program.display())
        });
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Self { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(DEADLINE).expect("a line comes in time")
    }

    /// Reads a line with an address of the example.
    fn address(&self) -> SocketAddr {
        let line = self.line();
        let (_, rest) = line.split_once("//localhost:").expect(&line);
        (Ipv4Addr::LOCALHOST, rest.split('/').next().unwrap().parse().unwrap()).into()
    }

    /// Waits for the end of the output, and so of the example. Returns whether it was a success.
    fn ends_well(mut self) -> bool {
        while self.lines.recv_timeout(DEADLINE).is_ok() {}
        self.child.wait().unwrap().success()
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Connects a plain client.
fn join(address: SocketAddr, nickname: &str) -> Client {
    let mut client = open(address, &format!("/?nick={nickname}"));
    nickname.clone_into(&mut client.nick);
    client
}

fn open(address: SocketAddr, target: &str) -> Client {
    Client::new(connect(address, target).unwrap())
}

/// Reads until a line comes, and checks that it comes.
fn receive_line(client: &mut Client, line: &str) {
    while client.receive() != line {}
}

/// Connects a JSON client and joins the lobby.
fn enter(stream: TcpStream, nickname: &str) -> Client {
    let mut client = Client::new(connect_json(stream).unwrap());
    client.call(&json!({"type": "hello", "nick": nickname}));
    assert_eq!(client.call(&json!({"type": "join", "room": "lobby"}))["type"], "joined");
    client
}

#[test]
fn embed_prints_events_until_the_last_client_has_left() {
    let example = Example::start("embed", &[]);
    let mut ana = join(example.address(), "ana");
    ana.send_and_receive("hello");
    ana.close();
    for start in
        ["open: client 1 from ", "joined: ana, in lobby", "message: ana: hello", "left: ana, from "]
    {
        let line = example.line();
        assert!(line.starts_with(start), "{line}");
    }
    assert_eq!(example.line().trim_end(), "close: client 1 with 1005");
    assert!(example.ends_well());
}

#[test]
fn the_bot_is_a_member_and_answers_and_removes_a_client_that_sends_spam() {
    let example = Example::start("bot", &[]);
    let address = example.address();
    let mut ana = join(address, "ana");
    ana.send_and_receive("!time");
    let answer = ana.receive();
    let time = answer.strip_prefix("bot: it is ").and_then(|rest| rest.strip_suffix(" UTC"));
    let (hours, minutes) = time.expect(&answer).split_once(':').unwrap();
    assert!(hours.parse::<u8>().unwrap() < 24 && minutes.parse::<u8>().unwrap() < 60, "{answer}");
    ana.send_and_receive("2 + 3");
    assert_eq!(ana.receive(), "bot: ana, that is 5");
    let mut bo = enter(testkit::tcp(address), "bo");
    let members = bo.call(&json!({"type": "members", "room": "lobby"}));
    assert_eq!(members["members"], json!(["bot", "ana", "bo"]));
    ana.send("spam");
    assert_eq!(ana.close_frame(), (4009, "no spam, please".to_owned()));
}

#[test]
#[cfg(feature = "history")]
fn the_history_survives_the_example() {
    let folder = env::temp_dir().join(format!("chinwag-example-{:016x}", rand::random::<u64>()));
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("chat.db");
    for messages in 0..2 {
        let example = Example::start("history", &[&file]);
        assert_eq!(example.line(), format!("the file has {messages} messages"));
        join(example.address(), "ana").send_and_receive("hello");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn a_login_decides_about_the_nickname_the_session_and_the_rooms() {
    let example = Example::start("login", &[]);
    let lines = [example.line(), example.line()];
    let target = |line: &str| line[line.find("/?token=").expect(line)..].to_owned();
    let [ana, bo] = [target(&lines[0]), target(&lines[1])];
    let (_, rest) = lines[0].split_once("localhost:").unwrap();
    let port: u16 = rest.split('/').next().unwrap().parse().unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));

    for query in ["", "?nick=ana", "?token=", "?token=wrong"] {
        let request = format!(
            "GET /{query} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        let refused = exchange(address, request.as_bytes());
        assert_eq!((refused.status, &refused.body[..]), (401, &b"Log in first.\n"[..]), "{query}");
    }
    let open_json = |target: &str| {
        use tungstenite::client::IntoClientRequest as _;
        let mut request = format!("ws://{address}{target}").into_client_request().unwrap();
        request.headers_mut().insert("sec-websocket-protocol", "chinwag.v1".parse().unwrap());
        Client::new(tungstenite::client(request, testkit::tcp(address)).unwrap().0)
    };
    let mut first = open_json(&ana);
    let welcome = first.request(&json!({"type": "hello", "nick": "bo"}));
    assert_eq!(welcome["nick"], "ana");
    let rooms = [first.receive_json(), first.receive_json()].map(|joined| joined["room"].clone());
    assert_eq!(rooms, ["lobby", "anas-desk"]);
    // The same token is the same user, and another is another.
    let again = open_json(&ana).request(&json!({"type": "hello"}));
    assert_eq!((&again["session"], &again["nick"]), (&welcome["session"], &json!("ana")));
    let mut plain = open(address, &bo);
    plain.send("hello");
    assert_eq!(plain.receive(), "bo: hello");
}

#[test]
fn a_moderator_rewrites_refuses_mutes_and_bans() {
    let example = Example::start("moderate", &[]);
    let address = example.address();
    let from = |last| connect_from(Ipv4Addr::new(127, 0, 0, last), address);
    let mut ana = enter(from(2), "ana");
    let say = |client: &mut Client, id: &str, text: &str| -> Value {
        client.request(&json!({"type": "say", "room": "lobby", "id": id, "text": text}))
    };
    let rules =
        ana.request(&json!({"type": "command", "room": "lobby", "text": "rules", "id": "r"}));
    assert_eq!(rules["text"], "No advertisements. Mind your language.");
    assert_eq!(say(&mut ana, "1", "darn it")["text"], "**** it");
    for id in ["2", "3"] {
        let refused = say(&mut ana, id, "buy gold");
        assert_eq!(refused["message"], "no advertisements, please");
        assert_eq!(error_code(&refused), "denied");
    }
    assert_eq!(say(&mut ana, "4", "sorry")["text"], "sorry");
    assert_eq!(error_code(&say(&mut ana, "5", "buy gold")), "denied");
    assert_eq!(error_code(&say(&mut ana, "6", "sorry")), "muted");
    assert_eq!(error_code(&say(&mut ana, "7", "buy gold")), "denied");
    ana.send_json(&json!({"type": "say", "room": "lobby", "id": "8", "text": "buy gold"}));
    assert_eq!(ana.close_frame(), (4009, "banned".to_owned()));
    assert!(connect_json(from(2)).is_none());
    assert!(connect_json(from(3)).is_some());
}

#[test]
fn players_are_paired_in_rooms_of_their_own() {
    let example = Example::start("game", &[]);
    let address = example.address();
    let mut ana = join(address, "ana");
    let mut bo = join(address, "bo");
    for player in [&mut ana, &mut bo] {
        receive_line(player, "referee: what is 7 x 8?");
    }
    let refused = connect(address, "/?nick=cy&room=match-1").unwrap_err();
    assert!(refused.contains("403"), "{refused}");
    bo.send("57");
    bo.send("56");
    for player in [&mut ana, &mut bo] {
        receive_line(player, "bo: 57");
        receive_line(player, "bo: 56");
        receive_line(player, "referee: bo has won match-1");
        receive_line(player, "referee: what is 8 x 9?");
    }
    bo.close();
    receive_line(&mut ana, "referee: bo has left match-2");
    let _cy = join(address, "cy");
    receive_line(&mut ana, "referee: what is 9 x 10?");
}

/// Joins a chat, and waits until the client is a member.
fn join_and_wait(address: SocketAddr, nickname: &str) -> Client {
    let mut client = join(address, nickname);
    client.send("here");
    receive_line(&mut client, &format!("{nickname}: here"));
    client
}

#[test]
fn messages_cross_the_bridge_once() {
    let example = Example::start("bridge", &[]);
    let mut north = join_and_wait(example.address(), "ana");
    let mut south = join_and_wait(example.address(), "ana");
    receive_line(&mut north, "ana@south: here");
    north.send_and_receive("from the north");
    receive_line(&mut south, "ana@north: from the north");
    south.send_and_receive("from the south");
    assert_eq!(north.receive(), "ana@south: from the south");
    // No message comes twice.
    north.send_and_receive("the end");
    assert_eq!(south.receive(), "ana@north: the end");
}

#[test]
fn a_long_nickname_crosses_the_bridge_in_short() {
    let example = Example::start("bridge", &[]);
    let mut north = join_and_wait(example.address(), "a-nickname-that-is-24-ch");
    let mut south = join_and_wait(example.address(), "bo");
    north.send("hello");
    receive_line(&mut south, "user@north: hello");
}

#[test]
fn handlers_are_called_for_each_event_of_a_connection() {
    let example = Example::start("handlers", &[]);
    let mut ana = join(example.address(), "ana");
    for count in ["1", "2"] {
        ana.send_and_receive("hello");
        assert_eq!(ana.receive(), format!("host: that was message {count} of yours"));
    }
    ana.close();
    assert_eq!(example.line().trim_end(), "client 1 has gone after 2 messages: 1005");
}

#[test]
fn a_connection_that_fails_is_reported_to_its_handler() {
    let example = Example::start("handlers", &[]);
    let mut ana = join(example.address(), "ana");
    // A frame of a reserved kind.
    ana.send_bytes(&[0x83, 0x80, 0, 0, 0, 0]);
    let line = example.line();
    assert!(line.starts_with("client 1 has failed: "), "{line}");
    let line = example.line();
    assert!(line.starts_with("client 1 has gone after 0 messages: 1002 "), "{line}");
}

#[test]
#[cfg(feature = "page")]
fn the_kiosk_has_its_own_page_and_one_room_and_numbers_its_visitors() {
    let example = Example::start("kiosk", &[]);
    let address = example.address();
    let page = exchange(address, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((page.status, page.header("Content-Type")), (200, Some("text/html; charset=utf-8")));
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("<title>Kiosk</title>"), "{page}");
    let mut first = open(address, "/?nick=ana&room=kitchen");
    let mut second = Client::new(connect_json(testkit::tcp(address)).unwrap());
    let welcome = second.request(&json!({"type": "hello", "nick": "bo"}));
    assert_eq!(welcome["nick"], "visitor 2");
    let joined = second.receive_json();
    assert_eq!((&joined["type"], &joined["room"]), (&json!("joined"), &json!("kiosk")));
    first.send("hello");
    assert_eq!(first.receive(), "visitor 1: hello");
    let message = second.receive_where(|event| event["type"] == "message");
    assert_eq!((&message["nick"], &message["text"]), (&json!("visitor 1"), &json!("hello")));
    let refused = second.request(&json!({"type": "join", "room": "kitchen"}));
    assert_eq!(refused["message"], "the only room is kiosk");
    let renamed = second.request(&json!({"type": "nick", "nick": "bo"}));
    assert_eq!(error_code(&renamed), "denied");
}
