//! The library in a program that embeds it.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;

use chinwag::{
    Config, Event, HistoryLimits, Limits, Nickname, RoomName, SayError, Server, StartError, Stopped,
};
use serde_json::json;
use testkit::{DEADLINE, TestServer, config, connect, error_code};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;

#[test]
fn addresses_are_known_before_the_start() {
    let server = Server::bind(&config()).unwrap();
    let handle = server.handle();
    assert_ne!(handle.page_addresses()[0].port(), 0);
    assert_ne!(handle.websocket_addresses()[0].port(), 0);
    // A client that connects before the start is served after it.
    let early = thread::spawn(move || connect(handle.websocket_addresses()[0], "/").is_ok());
    let handle = server.start().unwrap();
    assert!(early.join().unwrap());
    handle.stop();
}

#[test]
fn ipv4_alone_is_no_way_round_a_port_in_use() {
    // Without IPv6 there is nothing to check.
    let Ok(taken) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) else { return };
    let everywhere = vec![Ipv6Addr::UNSPECIFIED.into()];
    let page_port = taken.local_addr().unwrap().port();
    let refused = Server::bind(&Config { bind: everywhere, page_port, ..config() }).unwrap_err();
    let StartError::PortInUse(address) = refused else { panic!("{refused}") };
    assert_eq!(address, SocketAddr::from((Ipv6Addr::UNSPECIFIED, page_port)));
}

#[test]
fn run_serves_on_the_callers_thread_until_it_is_stopped() {
    let server = Server::bind(&config()).unwrap();
    let handle = server.handle();
    let (said, ended) = mpsc::channel();
    let runner = thread::spawn(move || said.send(server.run().is_ok()));
    let mut socket = connect(handle.websocket_addresses()[0], "/").unwrap();
    socket.send(Message::text("hello")).unwrap();
    assert!(socket.read().unwrap().to_text().unwrap().ends_with(": hello"));
    handle.stop();
    assert_eq!(ended.recv_timeout(DEADLINE), Ok(true));
    runner.join().unwrap().unwrap();
}

#[test]
fn a_server_that_is_never_started_can_be_stopped() {
    let server = Server::bind(&config()).unwrap();
    let handle = server.handle();
    drop(server);
    handle.stop();
}

#[test]
fn events_come_in_order() {
    let server = TestServer::start();
    let mut socket = connect(server.address(), "/?room=kitchen&nick=ana").unwrap();
    let Event::Open { client, address } = server.next_event() else {
        panic!("the first event is the opening");
    };
    assert!(address.is_loopback());
    let Event::Joined { client: who, nickname, room } = server.next_event() else {
        panic!("then it is in a room");
    };
    assert_eq!(who, client);
    assert_eq!((nickname.as_str(), room.as_str()), ("ana", "kitchen"));
    for text in ["one", "two\u{202e}"] {
        socket.send(Message::text(text)).unwrap();
    }
    let message = |seq: u64, text: &str| Event::Message {
        client,
        seq,
        nickname: nickname.clone(),
        room: room.clone(),
        text: text.to_owned(),
    };
    assert_eq!(server.next_event(), message(1, "one"));
    assert_eq!(server.next_event(), message(2, "two"));
    let frame = CloseFrame { code: 4000.into(), reason: "bye".into() };
    socket.close(Some(frame)).unwrap();
    assert_eq!(server.next_event(), Event::Close { client, code: 4000, reason: "bye".into() });
}

#[test]
fn an_error_comes_before_its_close() {
    let server = TestServer::start();
    let mut socket = connect(server.address(), "/").unwrap();
    let Event::Open { client, .. } = server.next_event() else { panic!("an opening") };
    assert!(matches!(server.next_event(), Event::Joined { .. }));
    socket.send(Message::binary(vec![1])).unwrap();
    let Event::Error { client: in_error, error } = server.next_event() else { panic!("an error") };
    assert_eq!(in_error, client);
    assert_eq!(server.next_event(), Event::Close { client, code: 1003, reason: error });
}

#[test]
fn a_slow_embedder_loses_events_with_a_count_and_delays_no_client() {
    const MESSAGES: u64 = 1000;
    let mut server = TestServer::start();
    let slow = server.handle.events(10);
    let mut ana = server.join();
    for number in 0..MESSAGES {
        ana.send_and_receive(&number.to_string());
    }
    let kept = slow.try_iter().count() as u64;
    assert_eq!(kept, 10);
    ana.send_and_receive("after");
    // Open, Joined and the messages, some of which were queued.
    let lost = 2 + MESSAGES - kept;
    assert_eq!(slow.recv_timeout(DEADLINE), Ok(Event::Lost { count: lost }));
    let Ok(Event::Message { text, .. }) = slow.recv_timeout(DEADLINE) else { panic!("a message") };
    assert_eq!(text, "after");
}

#[test]
fn the_embedder_speaks_into_a_room() {
    let mut server = TestServer::start();
    let (mut ana, mut bo) = (server.join(), server.join_at("/?room=kitchen"));
    let (cook, kitchen) = (Nickname::parse("cook").unwrap(), RoomName::parse("kitchen").unwrap());
    server.handle.say(&kitchen, &cook, "soup is ready").unwrap();
    assert_eq!(bo.receive(), "cook: soup is ready");
    ana.send_and_receive("nothing of that came here");
    let long = "x".repeat(8193);
    assert!(matches!(server.handle.say(&kitchen, &cook, &long), Err(SayError::TooLong(_))));
    server.handle.say(&RoomName::parse("attic").unwrap(), &cook, "nobody is here").unwrap();
}

#[test]
fn events_end_with_the_server() {
    let server = TestServer::start();
    let events = server.handle.events(10);
    server.handle.stop();
    assert!(events.recv_timeout(DEADLINE).is_err_and(|error| error.is_disconnected()));
    assert!(server.handle.events(10).recv_timeout(DEADLINE).is_err());
}

fn name(name: &str) -> Nickname {
    Nickname::parse(name).unwrap()
}

fn room(name: &str) -> RoomName {
    RoomName::parse(name).unwrap()
}

fn with_history(history: HistoryLimits) -> Config {
    let config = config();
    Config { limits: Limits { history, ..config.limits }, ..config }
}

#[test]
fn a_server_needs_an_address() {
    let refused = Server::bind(&Config { bind: Vec::new(), ..config() }).unwrap_err();
    assert_eq!(refused.to_string(), "no address to listen on");
}

#[test]
fn messages_of_the_embedder_are_held_for_later_clients() {
    let mut server = TestServer::start();
    for text in ["welcome", "lunch is at noon"] {
        server.handle.say(&room("attic"), &name("kiosk"), text).unwrap();
    }
    assert_eq!(server.handle.rooms().unwrap(), [(room("attic"), Vec::new())]);
    let mut ana = server.open_json();
    ana.request(&json!({"type": "hello"}));
    let joined = ana.request(&json!({"type": "join", "room": "attic"}));
    let said = |index: usize| {
        let message = &joined["messages"][index];
        (message["seq"].as_u64(), message["nick"].as_str(), message["text"].as_str())
    };
    assert_eq!(said(0), (Some(1), Some("kiosk"), Some("welcome")));
    assert_eq!(said(1), (Some(2), Some("kiosk"), Some("lunch is at noon")));
}

#[test]
fn rooms_of_the_embedder_are_bounded_like_all_others() {
    for (limits, held) in [
        (HistoryLimits { idle_rooms_max: 3, ..HistoryLimits::default() }, 3),
        (HistoryLimits { idle_rooms_max: 0, ..HistoryLimits::default() }, 0),
        (HistoryLimits { lines_max: 0, ..HistoryLimits::default() }, 0),
    ] {
        let server = TestServer::start_with(&with_history(limits));
        for number in 0..10 {
            server.handle.say(&room(&format!("room-{number}")), &name("kiosk"), "hello").unwrap();
        }
        let rooms = server.handle.rooms().unwrap();
        let newest: Vec<_> =
            (10 - held..10).map(|number| room(&format!("room-{number}"))).collect();
        assert_eq!(rooms.into_iter().map(|(room, _)| room).collect::<Vec<_>>(), newest);
    }
}

#[test]
fn no_client_can_take_the_name_of_the_embedder() {
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
    // The embedder itself continues.
    server.handle.say(&RoomName::lobby(), &name("Iris"), "still here").unwrap();
    server.handle.say(&RoomName::lobby(), &name("CLOCK"), "ten to two").unwrap();
}

#[test]
fn the_embedder_cannot_take_the_name_of_a_client() {
    let mut server = TestServer::start();
    let (mut ana, mut bo) = (server.join_at("/?nick=ana"), server.join());
    let lobby = RoomName::lobby();
    for nickname in ["ana", "ANA"] {
        let said = server.handle.say(&lobby, &name(nickname), "nothing of this is said");
        assert_eq!(said, Err(SayError::NicknameTaken));
        assert_eq!(server.handle.reserve(&name(nickname)), Err(SayError::NicknameTaken));
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

/// The calls come from one thread, and are more than the inbox of the broadcaster holds.
#[test]
fn no_call_waits_for_the_start() {
    const TIMES: u64 = 2000;
    let server = Server::bind(&config()).unwrap();
    let handle = server.handle();
    let first = handle.events(10);
    for number in 0..TIMES {
        handle.say(&RoomName::lobby(), &name("kiosk"), &number.to_string()).unwrap();
        drop(handle.events(10));
    }
    handle.reserve(&name("clock")).unwrap();
    assert_eq!(handle.rooms().unwrap(), [(RoomName::lobby(), Vec::new())]);
    let handle = server.start().unwrap();
    let _ana = connect(handle.websocket_addresses()[0], "/").unwrap();
    assert!(matches!(first.recv_timeout(DEADLINE), Ok(Event::Open { .. })));
    handle.stop();
}

#[test]
fn a_server_that_is_never_started_ends_when_it_is_dropped() {
    let server = Server::bind(&config()).unwrap();
    let (handle, events) = (server.handle(), server.handle().events(10));
    drop(server);
    assert!(events.recv_timeout(DEADLINE).is_err_and(|error| error.is_disconnected()));
    assert_eq!(handle.rooms(), Err(Stopped));
    assert_eq!(handle.reserve(&name("clock")), Err(SayError::Stopped));
}

#[test]
fn the_last_handle_that_is_dropped_stops_the_server() {
    let server = Server::bind(&config()).unwrap();
    let events = server.handle().events(10);
    let handle = server.start().unwrap();
    let other = handle.clone();
    let address = handle.websocket_addresses()[0];
    drop(handle);
    let mut socket = connect(address, "/").expect("one handle is left");
    assert!(matches!(events.recv_timeout(DEADLINE), Ok(Event::Open { .. })));
    drop(other);
    let Message::Close(Some(frame)) = socket.read().unwrap() else { panic!("a close frame") };
    assert_eq!(u16::from(frame.code), 1001);
    drop(socket);
    // The receiver of events did not block the server, and gets a count.
    while events.recv_timeout(DEADLINE).is_ok() {}
    assert!(events.recv_timeout(DEADLINE).is_err_and(|error| error.is_disconnected()));
}
