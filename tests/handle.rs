//! The calls of an embedder on a running server: its own members, and what it does to clients.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::net::Ipv4Addr;
use std::num::NonZeroUsize;
use std::time::{Duration, SystemTime};

use chinwag::{
    CallError, Client as ListedClient, ClientId, Dialect, Event, Handle, LeaveReason, Nickname,
    RoomName, Server,
};
use serde_json::{Value, json};
use testkit::{Client, DEADLINE, Script, TestServer, config, connect_from, error_code, exchange};

/// A time that no test waits for.
const LONG: Duration = Duration::from_secs(3600);

fn name(name: &str) -> Nickname {
    name.parse().unwrap()
}

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

/// Returns the id of the client with this nickname.
fn id(handle: &Handle, nickname: &str) -> ClientId {
    client(handle, nickname).id
}

fn client(handle: &Handle, nickname: &str) -> ListedClient {
    let is_it = |it: &ListedClient| it.nickname.as_ref().is_some_and(|it| it.as_str() == nickname);
    handle.clients().unwrap().into_iter().find(is_it).unwrap()
}

fn members(handle: &Handle, name: &str) -> Vec<String> {
    let rooms = handle.rooms().unwrap();
    let found = rooms.into_iter().find(|it| it.name.as_str() == name);
    found.map_or_else(Vec::new, |it| it.members.iter().map(Nickname::to_string).collect())
}

/// Returns the next event that is of interest.
fn next_event(server: &TestServer, is_of_interest: impl Fn(&Event) -> bool) -> Event {
    std::iter::from_fn(|| Some(server.next_event())).find(is_of_interest).unwrap()
}

#[test]
fn a_member_of_the_embedder_is_in_the_lists_and_gets_private_messages() {
    let mut script = Script::new();
    script.play("ana enters lobby");
    let handle = script.server.handle.clone();
    let bot = name("bot");
    handle.enter(&bot, &room("lobby")).unwrap();
    handle.enter(&bot, &room("attic")).unwrap();
    handle.enter(&bot, &room("lobby")).unwrap();
    handle.say(&room("lobby"), &bot, "hello").unwrap();
    script.play(
        r#"
        ana < {"type":"arrived","room":"lobby","nick":"bot"}
        ana < {"type":"message","nick":"bot","text":"hello",...}
        ana > {"type":"members","room":"lobby"}
        ana < {"type":"members","room":"lobby","members":["ana","bot"],"members_count":2,"more":false}
        ana > {"type":"tell","to":"bot","text":"psst","id":"1"}
        ana < {"type":"private","from":"ana","to":"bot","time":<time>,"text":"psst","id":"1"}
        ana > {"type":"nick","nick":"Bot"}
        ana < {"type":"error","code":"nick_taken","message":"Bot is taken, or looks like a name that is"}
        "#,
    );
    let event = next_event(&script.server, |event| matches!(event, Event::Private { .. }));
    let Event::Private { client, nickname, to, text, .. } = event else { panic!() };
    assert_eq!((nickname.as_str(), to.as_str(), text.as_str()), ("ana", "bot", "psst"));
    assert!(handle.tell(client, &bot, "to you").unwrap());
    assert_eq!(handle.leave(&bot, &room("lobby")), Ok(true));
    assert_eq!(handle.leave(&bot, &room("lobby")), Ok(false));
    script.play(
        r#"
        ana < {"type":"private","from":"bot","to":"ana","time":<time>,"text":"to you","id":"server-1"}
        ana < {"type":"left","room":"lobby","nick":"bot","reason":"closed"}
        "#,
    );
    assert_eq!(members(&handle, "attic"), ["bot"]);
    assert_eq!(handle.leave(&bot, &room("attic")), Ok(true));
    // The nickname stays reserved.
    script.play(
        r#"
        ana > {"type":"nick","nick":"bot"}
        ana < {"type":"error","code":"nick_taken","message":"bot is taken, or looks like a name that is"}
        "#,
    );
    assert_eq!(handle.enter(&name("ana"), &room("lobby")), Err(CallError::NicknameTaken));
    assert_eq!(handle.tell(client, &name("ana"), ""), Err(CallError::NicknameTaken));
}

#[test]
fn a_private_message_to_a_plain_client_is_a_line() {
    let mut script = Script::new();
    script.play("ana joins\nbo joins");
    let handle = script.server.handle.clone();
    assert!(handle.tell(id(&handle, "ana"), &name("bot"), "two\nlines").unwrap());
    assert!(!handle.notify(id(&handle, "ana"), "unseen").unwrap());
    handle.announce(None, "unseen").unwrap();
    script.play("ana < bot: two lines\nbo > hi\nbo < bo: hi\nana < bo: hi");
}

#[test]
fn notices_go_to_a_client_a_room_or_all() {
    let mut script = Script::new();
    let handle = script.server.handle.clone();
    handle.set_motd(Some("welcome to the attic")).unwrap();
    script.play(
        r#"
        ana opens
        ana > {"type":"hello","nick":"ana"}
        ana < {"type":"welcome",...}
        ana < {"type":"notice","text":"welcome to the attic","level":"info"}
        ana > {"type":"join","room":"attic"}
        ana < {"type":"joined",...}
        "#,
    );
    handle.set_motd(None).unwrap();
    script.play("bo enters lobby");
    assert!(handle.notify(id(&handle, "ana"), "to ana").unwrap());
    handle.announce(Some(&room("lobby")), "to the lobby").unwrap();
    handle.announce(None, "to all").unwrap();
    script.play(
        r#"
        ana < {"type":"notice","text":"to ana","level":"info"}
        ana < {"type":"notice","text":"to all","level":"info"}
        bo < {"type":"notice","text":"to the lobby","level":"info"}
        bo < {"type":"notice","text":"to all","level":"info"}
        "#,
    );
    let long = "x".repeat(8193);
    assert!(matches!(handle.announce(None, &long), Err(CallError::TooLong(_))));
    assert!(matches!(handle.set_motd(Some(&long)), Err(CallError::TooLong(_))));
}

#[test]
fn a_connection_is_closed_with_a_code_and_a_reason() {
    let mut script = Script::new();
    script.play("ana joins\nbo joins");
    let handle = script.server.handle.clone();
    let (ana, bo) = (id(&handle, "ana"), id(&handle, "bo"));
    for code in [0, 999, 1001, 1005, 2999, 5000] {
        assert_eq!(handle.close(ana, code, ""), Err(CallError::CloseCode(code)));
    }
    assert_eq!(handle.close(ana, 4321, "lunch"), Ok(true));
    script.play("ana ends 4321\nbo <  .... ana has left.");
    let event = next_event(&script.server, |event| matches!(event, Event::Close { .. }));
    let Event::Close { nickname, code, reason, .. } = event else { panic!() };
    assert_eq!((nickname, code, reason.as_str()), (Some(name("ana")), 4321, "lunch"));
    assert_eq!(handle.close(ana, 4321, "lunch"), Ok(false));
    assert_eq!(handle.close(bo, 1000, "bye"), Ok(true));
    script.play("bo ends 1000");
}

#[test]
fn texts_of_a_muted_user_are_refused_over_all_its_connections() {
    let mut script = Script::new();
    script.play("ana enters lobby\nbo joins\nana < {\"type\":\"arrived\",...}");
    let handle = script.server.handle.clone();
    assert_eq!(handle.mute(id(&handle, "ana"), LONG), Ok(true));
    let bo = id(&handle, "bo");
    assert_eq!(handle.mute(bo, Duration::MAX), Ok(true));
    script.play("ana breaks\nana opens");
    script.play(
        r#"
        ana > {"type":"hello","session":"<ana>"}
        ana < {"type":"welcome","nick":"ana","resumed":true,...}
        ana > {"type":"join","room":"lobby"}
        ana < {"type":"joined",...}
        ana > {"type":"say","room":"lobby","text":"hi","id":"1"}
        ana < {"type":"error","code":"muted","id":"1",...}
        ana > {"type":"tell","to":"ana","text":"hi","id":"2"}
        ana < {"type":"error","code":"muted","id":"2",...}
        bo > hi
        "#,
    );
    assert_eq!(handle.unmute(id(&handle, "ana")), Ok(true));
    assert_eq!(handle.unmute(bo), Ok(true));
    script.play(
        r#"
        ana > {"type":"say","room":"lobby","text":"again","id":"3"}
        ana < {"type":"message","text":"again",...}
        bo < ana: again
        bo > again
        bo < bo: again
        ana < {"type":"message","text":"again",...}
        "#,
    );
    script.play("bo leaves\nana < {\"type\":\"left\",...}");
    assert_eq!(handle.mute(bo, LONG), Ok(false));
}

#[test]
fn a_banned_address_is_closed_and_refused() {
    let server = TestServer::start();
    let from = |last| Ipv4Addr::new(127, 0, 0, last);
    let handle = &server.handle;
    let mut ana = Client::open_json(server.address(), from(2));
    ana.request(&json!({"type": "hello", "nick": "ana"}));
    let mut bo = Client::open_json(server.address(), from(3));
    bo.request(&json!({"type": "hello", "nick": "bo"}));
    handle.ban(from(2).into(), Some(LONG)).unwrap();
    assert_eq!(ana.close_frame(), (4009, "banned".to_owned()));
    bo.has_received_all();
    let handshake = |last| {
        let stream = connect_from(from(last), server.address());
        testkit::connect_json(stream).is_some()
    };
    assert!(!handshake(2) && handshake(3));
    let why = {
        use std::io::Write as _;
        let mut stream = connect_from(from(2), server.address());
        stream.write_all(b"GET /healthz?why HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        testkit::HttpResponse::read(&mut stream, false)
    };
    assert_eq!(
        (why.status, why.body.as_slice()),
        (403, &b"This server has banned your address.\n"[..])
    );
    let [(banned, Some(rest))] = handle.bans()[..] else { panic!("{:?}", handle.bans()) };
    assert_eq!(banned, from(2));
    assert!(rest <= LONG && rest > LONG - DEADLINE);
    assert!(handle.unban(from(2).into()) && !handle.unban(from(2).into()));
    assert!(handshake(2));
    let refused = next_event(&server, |event| matches!(event, Event::Refused { .. }));
    let Event::Refused { address, status, .. } = refused else { panic!() };
    assert_eq!((address, status), (from(2).into(), 403));
}

#[test]
fn a_client_is_renamed() {
    let mut script = Script::new();
    script.play("ana enters lobby\nbo enters lobby\nana < {\"type\":\"arrived\",...}");
    let handle = script.server.handle.clone();
    let ana = id(&handle, "ana");
    assert_eq!(handle.rename(ana, &name("bo")), Err(CallError::NicknameTaken));
    assert_eq!(handle.rename(ana, &name("anna")), Ok(true));
    script.play(
        r#"
        ana < {"type":"renamed","from":"ana","to":"anna","rooms":["lobby"]}
        bo < {"type":"renamed","from":"ana","to":"anna","rooms":["lobby"]}
        "#,
    );
    let event = next_event(&script.server, |event| matches!(event, Event::Renamed { .. }));
    let Event::Renamed { client, to, .. } = event else { panic!() };
    assert_eq!((client, to), (ana, name("anna")));
    // A plain client is told nothing, and its next line has the nickname.
    script.play("cy joins\nana < {\"type\":\"arrived\",...}\nbo < {\"type\":\"arrived\",...}");
    assert_eq!(handle.rename(id(&handle, "cy"), &name("carl")), Ok(true));
    script.play(
        r#"
        ana < {"type":"renamed","from":"cy","to":"carl","rooms":["lobby"]}
        bo < {"type":"renamed","from":"cy","to":"carl","rooms":["lobby"]}
        cy > hi
        cy < carl: hi
        ana < {"type":"message","nick":"carl",...}
        bo < {"type":"message","nick":"carl",...}
        "#,
    );
}

#[test]
fn clients_are_moved_between_rooms() {
    let mut script = Script::new();
    script.play(
        r#"
        ana enters lobby
        bo joins
        cy joins
        ana < {"type":"arrived",...}
        ana < {"type":"arrived",...}
        "#,
    );
    let handle = script.server.handle.clone();
    let (ana, bo) = (id(&handle, "ana"), id(&handle, "bo"));
    let game = room("game");
    assert_eq!(handle.join(ana, &game), Ok(true));
    assert_eq!(handle.join(ana, &game), Ok(true));
    assert_eq!(handle.part(ana, &room("lobby")), Ok(true));
    assert_eq!(handle.part(ana, &room("lobby")), Ok(false));
    assert_eq!(handle.join(bo, &game), Ok(true));
    script.play(
        r#"
        ana < {"type":"joined","room":"game","members":["ana"],...}
        ana < {"type":"parted","room":"lobby"}
        ana < {"type":"arrived","room":"game","nick":"bo"}
        bo <  .... ana has left.
        cy <  .... ana has left.
        cy <  .... bo has left.
        bo > in the game
        bo < bo: in the game
        ana < {"type":"message","room":"game","text":"in the game",...}
        "#,
    );
    assert_eq!(client(&handle, "bo").rooms, std::slice::from_ref(&game));
    for number in 0..15 {
        handle.join(ana, &room(&format!("room{number}"))).unwrap();
    }
    assert!(matches!(handle.join(ana, &room("one-more")), Err(CallError::NoRoom(_))));
    assert_eq!(handle.part(bo, &game), Ok(true));
    assert_eq!(client(&handle, "bo").rooms, []);
}

#[test]
fn clients_are_listed_and_counted() {
    let since = SystemTime::now() - Duration::from_secs(1);
    let mut script = Script::new();
    let handle = script.server.handle.clone();
    let before = handle.counts().unwrap();
    assert_eq!((before.clients, before.users, before.messages, before.bytes), (0, 0, 0, 0));
    script.play("ana enters lobby\nbo joins\nana < {\"type\":\"arrived\",...}\ncy opens");
    script.play("bo > hi\nbo < bo: hi\nana < {\"type\":\"message\",...}");
    let clients = handle.clients().unwrap();
    let described: Vec<_> = clients
        .iter()
        .map(|it| {
            assert!(it.address.is_loopback() && it.since >= since && it.since <= SystemTime::now());
            let rooms: Vec<_> = it.rooms.iter().map(RoomName::as_str).collect();
            (it.nickname.as_ref().map(Nickname::as_str), it.dialect, rooms)
        })
        .collect();
    let lobby = || vec!["lobby"];
    let expected = [
        (Some("ana"), Dialect::Json, lobby()),
        (Some("bo"), Dialect::Plain, lobby()),
        (None, Dialect::Json, vec![]),
    ];
    assert_eq!(described, expected);
    assert!(clients.is_sorted_by_key(|it| it.id));
    let counts = handle.counts().unwrap();
    assert_eq!((counts.clients, counts.users, counts.rooms), (3, 2, 1));
    assert_eq!((counts.messages, counts.deliveries), (1, 2));
    assert!(counts.bytes > 100);
    // A message of the embedder counts, too.
    handle.say(&room("lobby"), &name("bot"), "hi").unwrap();
    let later = handle.counts().unwrap();
    assert_eq!((later.messages, later.deliveries), (2, 4));
    script.play("bo < bot: hi\nana < {\"type\":\"message\",...}");
    // Exactly the frame of the plain client and that of the JSON client.
    let json = r#"{"type":"message","room":"lobby","seq":2,"time":1700000000000,"nick":"bot","text":"hi","id":"plain-2","kind":"say"}"#;
    assert_eq!(later.bytes - counts.bytes, (2 + "bot: hi".len() + 2 + json.len()) as u64);
}

#[test]
fn events_tell_that_a_user_is_away_and_back() {
    let mut script = Script::new();
    script.play("ana enters lobby\nana breaks");
    let away = next_event(&script.server, |event| matches!(event, Event::Away { .. }));
    let Event::Away { nickname, .. } = away else { panic!() };
    assert_eq!(nickname, name("ana"));
    script.play(
        r#"
        ana opens
        ana > {"type":"hello","session":"<ana>"}
        ana < {"type":"welcome",...}
        "#,
    );
    let back = next_event(&script.server, |event| matches!(event, Event::Back { .. }));
    let Event::Back { client: again, nickname, .. } = back else { panic!() };
    assert_eq!((again, nickname), (id(&script.server.handle, "ana"), name("ana")));
    script.play("ana leaves");
    let left = next_event(&script.server, |event| matches!(event, Event::Left { .. }));
    let Event::Left { nickname, reason, .. } = left else { panic!() };
    assert_eq!((nickname, reason), (name("ana"), LeaveReason::Closed));
}

#[test]
fn an_event_tells_of_a_client_for_which_there_is_no_place() {
    let mut server = TestServer::start_with(&config().clients_max(NonZeroUsize::new(1)));
    let _ana = server.join();
    assert!(testkit::connect(server.address(), "/").is_err());
    let refused = next_event(&server, |event| matches!(event, Event::Refused { .. }));
    let Event::Refused { status, reason, .. } = refused else { panic!() };
    assert_eq!(status, 503);
    assert!(reason.contains("full"), "{reason}");
    let page = exchange(server.address(), b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(page.status, 404);
}

/// The `select!` is that of the crate, so that an embedder needs no dependency on crossbeam.
#[test]
fn the_events_of_two_servers_are_selected_together() {
    use chinwag::crossbeam_channel::select;
    let [mut one, mut two] = [TestServer::start(), TestServer::start()];
    let mut clients = [two.join(), one.join()];
    for client in &mut clients {
        client.send_and_receive("hi");
    }
    let mut from = Vec::new();
    while from.len() < 2 {
        select! {
            recv(one.events.receiver()) -> event => from.push((1, event.unwrap())),
            recv(two.events.receiver()) -> event => from.push((2, event.unwrap())),
            default(DEADLINE) => panic!("no event"),
        }
    }
    from.sort_unstable_by_key(|(server, _)| *server);
    assert!(matches!(from[..], [(1, Event::Message { .. }), (2, Event::Message { .. })]));
}

/// Nothing of this waits for the start.
#[test]
fn a_handle_acts_before_the_start() {
    let server = Server::bind(&config()).unwrap();
    let handle = server.handle();
    handle.enter(&name("bot"), &room("lobby")).unwrap();
    handle.set_motd(Some("hello")).unwrap();
    assert_eq!(handle.clients(), Ok(Vec::new()));
    assert_eq!(members(&handle, "lobby"), ["bot"]);
    let running = server.start().unwrap();
    let mut ana = Client::open_json(handle.websocket_addresses()[0], Ipv4Addr::LOCALHOST);
    let welcome: Value = ana.request(&json!({"type": "hello", "nick": "bot"}));
    assert_ne!(welcome["nick"], "bot");
    assert_eq!(ana.receive_json()["text"], "hello");
    assert_eq!(error_code(&ana.request(&json!({"type": "nick", "nick": "bot"}))), "nick_taken");
    drop(ana);
    running.stop().unwrap();
}
