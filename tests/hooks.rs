//! The hooks of an embedder: which requests, joins and texts it permits, and as what.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chinwag::{
    Admission, CommandHelp, Draft, Event, Hooks, Invocation, Nickname, Recipient, Refusal,
    Requester, RoomName, Verdict,
};
use serde_json::json;
use testkit::{
    Client, DEADLINE, HttpResponse, Script, TestServer, config, connect, error_code, exchange, tcp,
};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

/// The login of these tests: `/?token=NAME-secret` is the user NAME, in the room `NAME-room`.
struct Login;

impl Login {
    fn token<'a>(requester: &'a Requester<'_>) -> Option<&'a str> {
        requester.request.query()?.strip_prefix("token=")
    }
}

impl Hooks for Login {
    fn admit(&self, requester: &Requester<'_>) -> Result<Admission, Refusal> {
        assert!(requester.nickname.is_none());
        let refusal = Refusal::new(401, "Log in first.").challenge("Basic realm=\"chat\"");
        let token = Self::token(requester).ok_or(refusal)?;
        let name = token.strip_suffix("-secret").ok_or(Refusal::new(200, "A wrong token."))?;
        let room = RoomName::parse(&format!("{name}-room")).unwrap();
        let nickname = Nickname::parse(name).unwrap();
        Ok(Admission::default().nickname(nickname).session(token).rooms([room]))
    }
}

fn open(address: SocketAddr, target: &str, dialect: Option<&str>) -> Result<Client, String> {
    let mut request = format!("ws://{address}{target}").into_client_request().unwrap();
    if let Some(dialect) = dialect {
        request.headers_mut().insert("sec-websocket-protocol", dialect.parse().unwrap());
    }
    let opened = tungstenite::client(request, tcp(address));
    opened.map(|(socket, _)| Client::new(socket)).map_err(|error| error.to_string())
}

fn text(response: &HttpResponse) -> &str {
    std::str::from_utf8(&response.body).unwrap()
}

fn json_client(address: SocketAddr, target: &str) -> Client {
    open(address, target, Some("chinwag.v1")).unwrap()
}

#[test]
fn a_request_is_refused_with_a_status_and_a_sentence() {
    let server = TestServer::start_with(&config().hooks(Login));
    let handshake = |target: &str| {
        let request = format!(
            "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        exchange(server.address(), request.as_bytes())
    };
    let refused = handshake("/");
    assert_eq!((refused.status, text(&refused)), (401, "Log in first.\n"));
    assert_eq!(refused.header("www-authenticate"), Some("Basic realm=\"chat\""));
    // A status that is no error becomes one.
    let refused = handshake("/?token=bo");
    assert_eq!((refused.status, text(&refused)), (403, "A wrong token.\n"));
    // The page, whose browser hides the response to a handshake, asks for the reason.
    let why = exchange(server.address(), b"GET /healthz?why HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((why.status, text(&why)), (401, "Log in first.\n"));
    let page = exchange(server.address(), b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(page.status, 200);
    let refusals = std::iter::from_fn(|| Some(server.next_event())).take(3);
    let statuses = refusals.map(|event| match event {
        Event::Refused { status, reason, .. } => (status, reason),
        other => panic!("{other:?}"),
    });
    let sentence = |status, sentence: &str| (status, sentence.to_owned());
    let expected = [
        sentence(401, "Log in first."),
        sentence(403, "A wrong token."),
        sentence(401, "Log in first."),
    ];
    assert!(statuses.eq(expected));
}

#[test]
fn a_user_gets_its_nickname_session_and_rooms() {
    let server = TestServer::start_with(&config().hooks(Login));
    server.handle.reserve(&Nickname::parse("ana").unwrap()).unwrap();
    let mut ana = json_client(server.address(), "/?token=ana-secret");
    let welcome = ana.request(&json!({"type": "hello", "nick": "somebody"}));
    assert_eq!((&welcome["nick"], &welcome["resumed"]), (&json!("ana"), &json!(false)));
    let joined = ana.receive_json();
    assert_eq!((&joined["type"], &joined["room"]), (&json!("joined"), &json!("ana-room")));
    let renamed = ana.request(&json!({"type": "nick", "nick": "anna"}));
    assert_eq!(error_code(&renamed), "denied");
    // Another connection with the same secret is the same user.
    let mut again = json_client(server.address(), "/?token=ana-secret");
    let welcome_again = again.request(&json!({"type": "hello"}));
    assert_eq!(welcome_again["nick"], "ana");
    assert_eq!(welcome_again["session"], welcome["session"]);
    assert_eq!(ana.close_frame().0, 4001);
    // Without a secret of its own, a client cannot resume that session.
    let mut bo = json_client(server.address(), "/?token=bo-secret");
    let welcome_of_bo = bo.request(&json!({"type": "hello", "session": welcome["session"]}));
    assert_eq!(welcome_of_bo["nick"], "bo");
    // A plain client is in the first room.
    let mut carl = open(server.address(), "/?token=carl-secret", None).unwrap();
    carl.send("hello");
    assert_eq!(carl.receive(), "carl: hello");
    let rooms = server.handle.rooms().unwrap();
    let rooms: Vec<_> = rooms.iter().map(|room| room.name.as_str()).collect();
    assert_eq!(rooms, ["ana-room", "bo-room", "carl-room"]);
    // The nickname of a user is given to no other connection without the session.
    let mut second = open(server.address(), "/?token=carl-secret", None).unwrap();
    assert_eq!(second.close_frame().0, 1013);
}

/// Texts say what is to become of them.
struct Filter;

impl Hooks for Filter {
    fn join(&self, requester: &Requester<'_>, room: &RoomName) -> Result<(), String> {
        let nickname = requester.nickname.as_ref().map_or("a visitor", Nickname::as_str);
        if room.as_str() == "attic" {
            return Err(format!("{nickname} may not join {room}"));
        }
        Ok(())
    }

    fn message(&self, requester: &Requester<'_>, draft: &Draft<'_>) -> Verdict {
        let nickname = requester.nickname.as_ref().expect("the user has said hello");
        let to = match draft.to {
            Recipient::Room(room) => room.as_str(),
            Recipient::User(nickname) => nickname.as_str(),
            _ => panic!("another recipient"),
        };
        match draft.text {
            "refuse" => Verdict::Refuse(format!("not here, {nickname}")),
            "swallow" => Verdict::Swallow,
            "rewrite" => Verdict::SayInstead(format!("{nickname} to {to}")),
            "lengthen" => Verdict::SayInstead("x".repeat(8193)),
            "empty" => Verdict::SayInstead(" ".to_owned()),
            _ => Verdict::Say,
        }
    }
}

#[test]
fn a_join_is_refused_with_a_sentence() {
    let mut script = Script::with(&config().hooks(Filter));
    script.play(
        r#"
        ana enters lobby
        ana > {"type":"join","room":"attic"}
        ana < {"type":"error","code":"denied","message":"ana may not join attic"}
        ana > {"type":"say","room":"attic","text":"hi","id":"1"}
        ana < {"type":"error","code":"not_in_room","message":"you are not in attic","id":"1"}
        "#,
    );
    let refused = open(script.server.address(), "/?room=attic", None).err().unwrap();
    assert!(refused.contains("403"), "{refused}");
    let rooms = script.server.handle.rooms().unwrap();
    assert_eq!(rooms.len(), 1);
}

#[test]
fn a_text_is_refused_rewritten_or_swallowed() {
    Script::with(&config().hooks(Filter)).play(
        r#"
        ana enters lobby
        bo joins
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        ana > {"type":"say","room":"lobby","text":"refuse","id":"1"}
        ana < {"type":"error","code":"denied","message":"not here, ana","id":"1"}
        ana > {"type":"say","room":"lobby","text":"swallow","id":"2","ref":"r"}
        ana < {"type":"handled","id":"2","ref":"r"}
        ana > {"type":"say","room":"lobby","text":"lengthen","id":"3"}
        ana < {"type":"error","code":"too_long","message":"the text is longer than 8192 bytes","id":"3"}
        ana > {"type":"say","room":"lobby","text":"empty","id":"4"}
        ana < {"type":"error","code":"empty","message":"there is nothing in it","id":"4"}
        ana > {"type":"say","room":"lobby","text":"rewrite","id":"5"}
        ana < {"type":"message","room":"lobby","seq":1,"time":<time>,"nick":"ana","text":"ana to lobby","id":"5","kind":"say"}
        bo < ana: ana to lobby
        ana > {"type":"tell","to":"ana","text":"rewrite","id":"6"}
        ana < {"type":"private","from":"ana","to":"ana","time":<time>,"text":"ana to ana","id":"6"}
        bo > refuse
        bo > swallow
        bo > lengthen
        bo > rewrite
        bo < bo: bo to lobby
        ana < {"type":"message","text":"bo to lobby",...}
        "#,
    );
}

/// The first request of a client is on its way when its first text comes.
#[test]
fn a_hook_knows_the_user_of_each_text() {
    let mut server = TestServer::start_with(&config().hooks(Filter));
    for round in 0..20 {
        let mut client = server.open_json();
        client.send_json(&json!({"type": "hello", "nick": format!("ana{round}")}));
        client.send_json(&json!({"type": "join", "room": "lobby"}));
        let say = json!({"type": "say", "room": "lobby", "text": "rewrite", "id": "1"});
        client.send_json(&say);
        let message =
            client.receive_where(|event| event["type"] == "message" && event["id"] == "1");
        assert_eq!(message["text"], format!("ana{round} to lobby"));
        client.close();
    }
}

/// Knows `/echo` and `/fail`, and says what it is asked through the handle.
struct Commands;

impl Hooks for Commands {
    fn commands(&self) -> Vec<CommandHelp> {
        let help = |name, help| CommandHelp::new(name, help).unwrap();
        vec![help("echo", "says it to you"), help("fail", "fails"), help("quiet", "does nothing")]
    }

    fn command(
        &self,
        requester: &Requester<'_>,
        command: &Invocation<'_>,
    ) -> Result<Option<String>, String> {
        match command.name {
            "echo" => {
                let bot = Nickname::parse("bot").unwrap();
                requester.handle.say(command.room, &bot, "an echo").unwrap();
                Ok(Some(command.arguments.to_owned()))
            }
            "fail" => Err("it has failed".to_owned()),
            _ => Ok(None),
        }
    }
}

#[test]
fn a_command_of_the_embedder_is_listed_and_answered() {
    let mut script = Script::with(&config().hooks(Commands));
    script.play(
        r#"
        ana opens
        ana > {"type":"hello","nick":"ana"}
        ana < {"type":"welcome","commands":[{"name":"echo","help":"says it to you"},{"name":"fail","help":"fails"},{"name":"quiet","help":"does nothing"}],...}
        ana > {"type":"join","room":"lobby"}
        ana < {"type":"joined",...}
        ana > {"type":"command","room":"lobby","text":" echo  a  b ","id":"1"}
        ana < {"type":"message","room":"lobby","seq":1,"time":<time>,"nick":"bot","text":"an echo","id":"plain-1","kind":"say"}
        ana < {"type":"handled","id":"1","text":"a  b"}
        ana > {"type":"command","room":"lobby","text":"fail","id":"2"}
        ana < {"type":"error","code":"denied","message":"it has failed","id":"2"}
        ana > {"type":"command","room":"lobby","text":"quiet","id":"3"}
        ana < {"type":"handled","id":"3"}
        ana > {"type":"command","room":"lobby","text":"uptime","id":"4"}
        ana < {"type":"error","code":"unknown_command","message":"there is no command /uptime here","id":"4"}
        ana > {"type":"command","room":"lobby","id":"5"}
        ana < {"type":"error","code":"bad_request","message":"the member text is missing","id":"5"}
        ana > {"type":"command","room":"lobby","text":" ","id":"6"}
        ana < {"type":"error","code":"empty","message":"there is nothing in it","id":"6"}
        "#,
    );
    for name in ["", "Echo", "a b", "/x", &"x".repeat(33)] {
        assert_eq!(CommandHelp::new(name, ""), None, "{name:?}");
    }
}

#[test]
fn without_hooks_there_are_no_commands() {
    Script::new().play(
        r#"
        ana enters lobby
        ana > {"type":"command","room":"lobby","text":"echo","id":"1"}
        ana < {"type":"error","code":"unknown_command","message":"there is no command /echo here","id":"1"}
        "#,
    );
}

/// Panics at the text `panic`, and in `admit` at `/?panic`.
struct Panics;

impl Hooks for Panics {
    fn admit(&self, requester: &Requester<'_>) -> Result<Admission, Refusal> {
        assert_ne!(requester.request.query(), Some("panic"), "as asked");
        Ok(Admission::default())
    }

    fn message(&self, _: &Requester<'_>, draft: &Draft<'_>) -> Verdict {
        assert_ne!(draft.text, "panic", "as asked");
        Verdict::Say
    }
}

#[test]
fn a_panic_closes_the_connection_of_its_client_and_no_other() {
    let mut script = Script::with(&config().hooks(Panics));
    script.play(
        r#"
        ana enters lobby
        bo joins
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        bo > before
        ana < {"type":"message","text":"before",...}
        bo < bo: before
        bo > panic
        bo ends 1011
        ana < {"type":"left","room":"lobby","nick":"bo","reason":"error"}
        "#,
    );
    let refused = open(script.server.address(), "/?panic", None).err().unwrap();
    assert!(refused.contains("500"), "{refused}");
    script.play(
        r#"
        cy joins
        ana < {"type":"arrived","room":"lobby","nick":"cy"}
        cy > after
        cy < cy: after
        ana < {"type":"message","text":"after",...}
        "#,
    );
}

/// Waits at the text `wait` until a client sends `go on`.
struct Waits {
    go_on: Sender<()>,
    may_go_on: Mutex<Receiver<()>>,
}

impl Hooks for Waits {
    fn message(&self, _: &Requester<'_>, draft: &Draft<'_>) -> Verdict {
        match draft.text {
            "wait" => self.may_go_on.lock().unwrap().recv_timeout(DEADLINE).unwrap(),
            "go on" => {
                self.go_on.send(()).unwrap();
                return Verdict::Swallow;
            }
            _ => {}
        }
        Verdict::Say
    }
}

#[test]
fn a_hook_that_waits_delays_its_client_and_no_other() {
    let (go_on, may_go_on) = channel();
    let hooks = Waits { go_on, may_go_on: Mutex::new(may_go_on) };
    // Messages of others also come to the client whose hook waits.
    Script::with(&config().hooks(hooks)).play(
        "
        ana joins
        bo joins
        ana > wait
        ana > after
        bo > meanwhile
        bo < bo: meanwhile
        ana < bo: meanwhile
        cy joins
        cy leaves
        bo <  .... cy has left.
        ana <  .... cy has left.
        bo > go on
        ana < ana: wait
        ana < ana: after
        bo < ana: wait
        bo < ana: after
        ",
    );
}

/// Takes 50 ms for each text of a user called `slow…`.
struct Slow;

/// How long [`Slow`] takes.
const SLOW: Duration = Duration::from_millis(50);

impl Hooks for Slow {
    fn message(&self, requester: &Requester<'_>, _: &Draft<'_>) -> Verdict {
        if requester.nickname.as_ref().is_some_and(|nickname| nickname.as_str().starts_with("slow"))
        {
            std::thread::sleep(SLOW);
        }
        Verdict::Say
    }
}

/// Prints how long the texts of quick clients take while others are in a slow hook all the time.
#[test]
fn texts_of_others_are_not_delayed_by_a_slow_hook() {
    const SLOW_CLIENTS: usize = 10;
    const TEXTS: usize = 400;
    fn receive(socket: &mut WebSocket<TcpStream>, text: &str) {
        while socket.read().unwrap().to_text().unwrap() != text {}
    }
    let server = TestServer::start_with(&config().hooks(Slow));
    let join = |nickname: &str, room: &str| {
        connect(server.address(), &format!("/?nick={nickname}&room={room}")).unwrap()
    };
    let mut quick = join("quick", "lobby");
    let mut percentile_99 = |id: &str| {
        let mut waits: Vec<_> = (0..TEXTS)
            .map(|number| {
                let since = Instant::now();
                quick.send(Message::text(format!("{id}{number}"))).unwrap();
                receive(&mut quick, &format!("quick: {id}{number}"));
                since.elapsed()
            })
            .collect();
        waits.sort_unstable();
        waits[TEXTS * 99 / 100]
    };
    let alone = percentile_99("alone");
    let is_over = Arc::new(Mutex::new(false));
    let (together, said) = std::thread::scope(|scope| {
        let slow: Vec<_> = (0..SLOW_CLIENTS)
            .map(|number| {
                let (mut socket, is_over) = (join(&format!("slow{number}"), "attic"), &is_over);
                scope.spawn(move || {
                    let mut said = 0;
                    while !*is_over.lock().unwrap() {
                        let text = format!("text {said}");
                        socket.send(Message::text(text.clone())).unwrap();
                        receive(&mut socket, &format!("slow{number}: {text}"));
                        said += 1;
                    }
                    said
                })
            })
            .collect();
        let together = percentile_99("together");
        *is_over.lock().unwrap() = true;
        (together, slow.into_iter().map(|it| it.join().unwrap()).sum::<usize>())
    });
    println!(
        "99 % of {TEXTS} texts are heard within {alone:.2?} alone, and within {together:.2?} while \
         {SLOW_CLIENTS} others send {said} texts, each through a hook of {SLOW:?}"
    );
    assert!(said > 0, "no slow client has sent a text meanwhile");
    assert!(together < alone + SLOW, "{together:?}");
}
