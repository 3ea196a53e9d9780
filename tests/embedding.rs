//! The library, as a program uses it that embeds the chat.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::net::{IpAddr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, SystemTime};

use chinwag::{
    CallError, ClientId, Config, Dialect, Event, Events, HistoryLimits, MessageKind, Nickname,
    NoEvent, Room, RoomName, RunError, Server, StartError, Stopped,
};
use serde_json::json;
use testkit::{DEADLINE, TestServer, config, connect, error_code};
use tungstenite::Message;
use tungstenite::client::IntoClientRequest as _;
use tungstenite::protocol::CloseFrame;

fn name(name: &str) -> Nickname {
    name.parse().unwrap()
}

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

/// Waits until the events end.
fn assert_end(events: Events) {
    while let Ok(_event) = events.recv_timeout(DEADLINE) {}
    assert_eq!(events.recv_timeout(DEADLINE), Err(NoEvent::Ended));
}

#[test]
fn addresses_are_known_before_the_start() {
    let server = Server::bind(&config()).unwrap();
    assert_ne!(server.page_addresses()[0].port(), 0);
    let address = server.websocket_addresses()[0];
    assert_ne!(address.port(), 0);
    // A client that connects before the start is served after it.
    let early = thread::spawn(move || connect(address, "/").is_ok());
    let running = server.start().unwrap();
    assert_eq!(running.handle().websocket_addresses()[0], address);
    assert!(early.join().unwrap());
    running.stop().unwrap();
}

#[test]
fn a_port_in_use_on_ipv6_is_an_error() {
    // A machine without IPv6 cannot show it.
    let Ok(taken) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
    let page_port = taken.local_addr().unwrap().port();
    let config = config().bind([Ipv6Addr::UNSPECIFIED]).page_port(page_port);
    let error = Server::bind(&config).unwrap_err();
    let StartError::PortInUse(address) = error else { panic!("{error}") };
    assert_eq!(address, SocketAddr::from((Ipv6Addr::UNSPECIFIED, page_port)));
}

#[test]
fn a_server_needs_an_address() {
    let error = Server::bind(&config().bind(Vec::<IpAddr>::new())).unwrap_err();
    assert_eq!(error.to_string(), "no address to listen on");
}

#[test]
fn run_serves_on_the_calling_thread_until_it_is_stopped() {
    let server = Server::bind(&config()).unwrap();
    let (ready, handle) = mpsc::channel();
    let (ended, end) = mpsc::channel();
    let runner = thread::spawn(move || {
        let result = server.run(|handle| ready.send(handle).unwrap());
        ended.send(result.is_ok()).unwrap();
    });
    let handle = handle.recv_timeout(DEADLINE).unwrap();
    let mut socket = connect(handle.websocket_addresses()[0], "/").unwrap();
    socket.send(Message::text("hello")).unwrap();
    assert!(socket.read().unwrap().to_text().unwrap().ends_with(": hello"));
    handle.stop();
    assert_eq!(end.recv_timeout(DEADLINE), Ok(true));
    runner.join().unwrap();
}

#[test]
fn a_server_may_be_stopped_as_soon_as_it_is_ready() {
    Server::bind(&config()).unwrap().run(|handle| handle.stop()).unwrap();
}

#[test]
fn dropping_a_running_server_stops_it_and_waits() {
    let server = Server::bind(&config()).unwrap();
    let events = server.events(10);
    let running = server.start().unwrap();
    // A handle does not keep the server running.
    let handle = running.handle();
    let address = handle.websocket_addresses()[0];
    let mut socket = connect(address, "/").unwrap();
    assert!(matches!(events.recv_timeout(DEADLINE), Ok(Event::Open { .. })));
    let client = thread::spawn(move || socket.read());
    drop(running);
    let Message::Close(Some(frame)) = client.join().unwrap().unwrap() else { panic!("no close") };
    assert_eq!(u16::from(frame.code), 1001);
    assert!(TcpStream::connect(address).is_err(), "the port is free");
    assert_eq!(handle.rooms(), Err(Stopped));
    assert_end(events);
}

#[test]
fn any_handle_stops_the_server_and_join_waits_for_it() {
    let running = Server::bind(&config()).unwrap().start().unwrap();
    let handle = running.handle().clone();
    let stopping = thread::spawn(move || {
        handle.stop();
        handle.stop();
    });
    running.join().unwrap();
    stopping.join().unwrap();
}

#[test]
fn a_server_that_is_never_started_ends_when_it_is_dropped() {
    let server = Server::bind(&config()).unwrap();
    let (address, events) = (server.page_addresses()[0], server.events(10));
    drop(server);
    assert_end(events);
    assert!(TcpStream::connect(address).is_err());
}

/// On one thread, and more often than the inbox of the broadcaster has space.
#[test]
fn nothing_waits_for_the_start() {
    const TIMES: u64 = 2000;
    let server = Server::bind(&config()).unwrap();
    let first = server.events(10);
    for number in 0..TIMES {
        server.say(&RoomName::lobby(), &name("kiosk"), &number.to_string()).unwrap();
        drop(server.events(10));
    }
    server.reserve(&name("clock")).unwrap();
    let running = server.start().unwrap();
    let rooms = running.handle().rooms().unwrap();
    assert_eq!(rooms.iter().map(|room| room.name.as_str()).collect::<Vec<_>>(), ["lobby"]);
    let _ana = connect(running.handle().websocket_addresses()[0], "/").unwrap();
    assert!(matches!(first.recv_timeout(DEADLINE), Ok(Event::Open { .. })));
}

#[test]
fn events_come_in_order() {
    let server = TestServer::start();
    let mut socket = connect(server.address(), "/?room=kitchen&nick=ana").unwrap();
    let Event::Open { client, address, dialect, .. } = server.next_event() else {
        panic!("no opening")
    };
    assert!(address.is_loopback());
    assert_eq!(dialect, Dialect::Plain);
    let event = server.next_event();
    let Event::Joined { client: joined, nickname, room, .. } = event else { panic!("{event:?}") };
    assert_eq!(joined, client);
    assert_eq!((nickname.as_str(), room.as_str()), ("ana", "kitchen"));
    for (number, text) in [(1, "one"), (2, "two\u{202e}")] {
        socket.send(Message::text(text)).unwrap();
        let event = server.next_event();
        let Event::Message { client: from, nickname, room, seq, time, id, kind, text, .. } = event
        else {
            panic!("{event:?}")
        };
        assert_eq!((from, nickname.as_str(), room.as_str()), (client, "ana", "kitchen"));
        assert_eq!((seq, id, kind), (number, None, MessageKind::Say));
        assert_eq!(text, ["one", "two"][usize::try_from(seq).unwrap() - 1]);
        assert!(SystemTime::now().duration_since(time).unwrap_or_default() < DEADLINE);
    }
    let frame = CloseFrame { code: 4000.into(), reason: "bye".into() };
    socket.close(Some(frame)).unwrap();
    let event = server.next_event();
    let Event::Left { nickname, room, .. } = event else { panic!("{event:?}") };
    assert_eq!((nickname.as_str(), room.as_str()), ("ana", "kitchen"));
    assert_close(&server.next_event(), client, 4000, "bye");
}

fn assert_close(event: &Event, client: ClientId, code: u16, reason: &str) {
    let Event::Close { client: closed, code: with, reason: because, .. } = event else {
        panic!("{event:?} instead of a close")
    };
    assert_eq!((*closed, *with, because.as_str()), (client, code, reason));
}

#[test]
fn an_event_has_the_request_of_the_client() {
    let server = TestServer::start();
    let url = format!("ws://{}/some/path?room=kitchen&token=%20a", server.address());
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("Cookie", "session=17".parse().unwrap());
    let _socket = tungstenite::client(request, testkit::tcp(server.address())).unwrap();
    let event = server.next_event();
    let Event::Open { request, .. } = event else { panic!("{event:?}") };
    assert_eq!(request.path(), "/some/path");
    assert_eq!(request.query(), Some("room=kitchen&token=%20a"));
    assert_eq!(request.header("cookie"), Some("session=17"));
    assert_eq!(request.header("origin"), None);
    assert!(request.headers().any(|field| field == ("sec-websocket-version", b"13".as_slice())));
}

#[test]
fn events_of_json_clients_have_ids_kinds_and_new_nicknames() {
    let mut server = TestServer::start();
    let mut ana = server.open_json();
    ana.request(&json!({"type": "hello", "nick": "ana"}));
    ana.request(&json!({"type": "join", "room": "attic"}));
    let say = json!({"type": "say", "room": "attic", "text": "waves", "id": "7", "kind": "me"});
    ana.request(&say);
    ana.request(&json!({"type": "nick", "nick": "anna"}));
    ana.request(&json!({"type": "part", "room": "attic"}));
    let mut events = std::iter::from_fn(|| Some(server.next_event()))
        .skip_while(|event| !matches!(event, Event::Message { .. }));
    let Some(Event::Message { client, id, kind, .. }) = events.next() else { panic!() };
    assert_eq!((id.as_deref(), kind), (Some("7"), MessageKind::Me));
    let event = events.next().unwrap();
    let Event::Renamed { client: renamed, from, to, .. } = event else { panic!("{event:?}") };
    assert_eq!((renamed, from.as_str(), to.as_str()), (client, "ana", "anna"));
    let event = events.next().unwrap();
    let Event::Left { nickname, room, .. } = event else { panic!("{event:?}") };
    assert_eq!((nickname.as_str(), room.as_str()), ("anna", "attic"));
}

#[test]
fn a_broken_json_client_leaves_its_rooms_when_the_grace_is_over() {
    let limits = config().limits.grace(Duration::from_millis(100));
    let mut server = TestServer::start_with(&config().limits(limits));
    let mut ana = server.open_json();
    ana.request(&json!({"type": "hello", "nick": "ana"}));
    ana.request(&json!({"type": "join", "room": "attic"}));
    ana.reset();
    let events = std::iter::from_fn(|| Some(server.next_event()));
    let order: Vec<_> = events
        .filter_map(|event| match event {
            Event::Close { .. } => Some("close"),
            Event::Left { .. } => Some("left"),
            _ => None,
        })
        .take(2)
        .collect();
    assert_eq!(order, ["close", "left"]);
}

#[test]
fn an_error_comes_before_its_close() {
    let server = TestServer::start();
    let mut socket = connect(server.address(), "/").unwrap();
    let Event::Open { client, .. } = server.next_event() else { panic!("no opening") };
    assert!(matches!(server.next_event(), Event::Joined { .. }));
    socket.send(Message::binary(vec![1])).unwrap();
    assert!(matches!(server.next_event(), Event::Left { .. }));
    let Event::Error { client: in_error, error, .. } = server.next_event() else {
        panic!("no error")
    };
    assert_eq!(in_error, client);
    assert_close(&server.next_event(), client, 1003, &error);
}

#[test]
fn a_slow_embedder_loses_events_with_a_count_and_slows_no_client() {
    const MESSAGES: u64 = 1000;
    let mut server = TestServer::start();
    let slow = server.handle.events(10);
    let mut ana = server.join();
    for number in 0..MESSAGES {
        ana.send_and_receive(&number.to_string());
    }
    let kept = std::iter::from_fn(|| slow.try_next().ok()).count() as u64;
    assert_eq!(kept, 10);
    ana.send_and_receive("after");
    let event = slow.recv_timeout(DEADLINE).unwrap();
    let Event::Lost { count, .. } = event else { panic!("{event:?}") };
    // There were `Open`, `Joined` and the messages.
    assert_eq!(count, 2 + MESSAGES - kept);
    let Ok(Event::Message { text, .. }) = slow.recv_timeout(DEADLINE) else { panic!("no message") };
    assert_eq!(text, "after");
}

#[test]
fn events_end_with_the_server() {
    let server = TestServer::start();
    let events = server.handle.events(10);
    server.stop();
    assert_end(events);
    assert_eq!(server.handle.events(10).recv_timeout(DEADLINE), Err(NoEvent::Ended));
}

#[test]
fn the_embedder_sends_messages_to_a_room() {
    let mut server = TestServer::start();
    let (mut ana, mut bo) = (server.join(), server.join_at("/?room=kitchen"));
    server.handle.say(&room("kitchen"), &name("cook"), "soup is ready").unwrap();
    assert_eq!(bo.receive(), "cook: soup is ready");
    ana.send_and_receive("nothing of that came here");
    let too_long = server.handle.say(&room("kitchen"), &name("cook"), &"x".repeat(8193));
    assert!(matches!(too_long, Err(CallError::TooLong(_))));
    server.handle.say(&room("attic"), &name("cook"), "this room is empty").unwrap();
}

#[test]
fn messages_of_the_embedder_are_held_for_clients_that_join_later() {
    let mut server = TestServer::start();
    for text in ["welcome", "lunch is at noon"] {
        server.handle.say(&room("attic"), &name("kiosk"), text).unwrap();
    }
    assert_eq!(names(&server.handle.rooms().unwrap()), [room("attic")]);
    let mut ana = server.open_json();
    ana.request(&json!({"type": "hello", "nick": "ana"}));
    let joined = ana.request(&json!({"type": "join", "room": "attic"}));
    let message = |index: usize| {
        let message = &joined["messages"][index];
        (message["seq"].as_u64(), message["nick"].as_str(), message["text"].as_str())
    };
    assert_eq!(message(0), (Some(1), Some("kiosk"), Some("welcome")));
    assert_eq!(message(1), (Some(2), Some("kiosk"), Some("lunch is at noon")));
    assert_eq!(server.handle.rooms().unwrap()[0].members, [name("ana")]);
}

fn names(rooms: &[Room]) -> Vec<RoomName> {
    rooms.iter().map(|room| room.name.clone()).collect()
}

fn with_history(history: HistoryLimits) -> Config {
    let limits = config().limits.history(history);
    config().limits(limits)
}

#[test]
fn rooms_of_the_embedder_are_bounded_like_all_others() {
    for (limits, held) in [
        (HistoryLimits::default().idle_rooms_max(3), 3),
        (HistoryLimits::default().idle_rooms_max(0), 0),
        (HistoryLimits::default().lines_max(0), 0),
    ] {
        let server = TestServer::start_with(&with_history(limits));
        for number in 0..10 {
            server.handle.say(&room(&format!("room-{number}")), &name("kiosk"), "hello").unwrap();
        }
        let newest: Vec<_> =
            (10 - held..10).map(|number| room(&format!("room-{number}"))).collect();
        assert_eq!(names(&server.handle.rooms().unwrap()), newest);
    }
}

#[test]
fn no_client_can_take_a_nickname_of_the_embedder() {
    let mut server = TestServer::start();
    server.handle.say(&RoomName::lobby(), &name("Iris"), "I am a program").unwrap();
    server.handle.reserve(&name("Clock")).unwrap();
    let mut wishes = vec!["Iris", "iRIS", "clock"];
    // Begins with a small L.
    wishes.extend(cfg!(feature = "confusables").then_some("lris"));
    for wish in &wishes {
        let plain = server.join_at(&format!("/?nick={wish}"));
        assert!(plain.nick.starts_with("user-"), "{wish}: {}", plain.nick);
        let mut json = server.open_json();
        let welcome = json.request(&json!({"type": "hello", "nick": wish}));
        assert!(welcome["nick"].as_str().unwrap().starts_with("user-"), "{welcome}");
        let answer = json.request(&json!({"type": "nick", "nick": wish}));
        assert_eq!(error_code(&answer), "nick_taken", "{wish}");
    }
    // The embedder itself can still use them.
    server.handle.say(&RoomName::lobby(), &name("Iris"), "still here").unwrap();
    server.handle.say(&RoomName::lobby(), &name("CLOCK"), "ten to two").unwrap();
}

#[test]
fn the_embedder_cannot_take_the_nickname_of_a_client() {
    let mut server = TestServer::start();
    let (mut ana, mut bo) = (server.join_at("/?nick=ana"), server.join());
    let lobby = RoomName::lobby();
    for nickname in ["ana", "ANA"] {
        let result = server.handle.say(&lobby, &name(nickname), "nothing of this is sent");
        assert_eq!(result, Err(CallError::NicknameTaken));
        assert_eq!(server.handle.reserve(&name(nickname)), Err(CallError::NicknameTaken));
    }
    ana.send("hello");
    while bo.receive() != "ana: hello" {}
    let id = ana.id();
    ana.close();
    server.wait_for_close(id);
    server.handle.say(&lobby, &name("ana"), "and now it is").unwrap();
    assert_eq!(bo.receive(), " .... ana has left.");
    assert_eq!(bo.receive(), "ana: and now it is");
}

#[test]
fn the_embedder_removes_a_client() {
    let mut server = TestServer::start();
    let (mut ana, mut bo) = (server.join_at("/?nick=ana"), server.join());
    bo.send_and_receive("before");
    assert_eq!(server.handle.kick(ana.id(), "no advertisements"), Ok(true));
    // It is first sent everything from before.
    while ana.receive() != format!("{}: before", bo.nick) {}
    assert_eq!(ana.close_frame(), (4009, "no advertisements".to_owned()));
    assert_eq!(server.wait_for_close(ana.id()), (4009, "no advertisements".to_owned()));
    assert_eq!(bo.receive(), " .... ana has left.");
    assert_eq!(server.handle.kick(ana.id(), "again"), Ok(false));
    // It may come back.
    server.join_at("/?nick=ana").send_and_receive("sorry");
}

#[test]
fn errors_have_sources_and_do_not_repeat_them() {
    fn assert_sources(error: &dyn std::error::Error) {
        let source = error.source().expect("it has a source").to_string();
        assert!(!error.to_string().contains(&source), "{error}: {source}");
    }
    let failure = || std::io::Error::other("no descriptor");
    assert_sources(&StartError::Resources(failure()));
    assert_sources(&StartError::Listen(([127, 0, 0, 1], 1).into(), failure()));
    assert_sources(&RunError::Resources(failure()));
    #[cfg(feature = "history")]
    {
        use std::error::Error as _;
        let error = chinwag::history::stats(std::path::Path::new("/no/such/file")).unwrap_err();
        assert_sources(&error);
        // A transparent error shows the message of its source, and has the source of that.
        let message = error.to_string();
        let error = StartError::from(error);
        assert_eq!(error.to_string(), message);
        assert!(error.source().unwrap().is::<std::io::Error>());
    }
}
