//! The library, as somebody uses it who has a program already.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod support;

use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;

use chinwag::{
    Config, Event, HistoryLimits, Limits, Nickname, RoomName, SayError, Server, StartError, Stopped,
};
use serde_json::json;
use support::json::error;
use support::{DEADLINE, House, config, connect};
use tungstenite::Message;
use tungstenite::protocol::CloseFrame;

#[test]
fn addresses_are_known_before_the_start() {
    let server = Server::bind(&config()).unwrap();
    let handle = server.handle();
    assert_ne!(handle.page_addresses()[0].port(), 0);
    assert_ne!(handle.websocket_addresses()[0].port(), 0);
    // Who connects before the start is served after it.
    let early = thread::spawn(move || connect(handle.websocket_addresses()[0], "/").is_ok());
    let handle = server.start().unwrap();
    assert!(early.join().unwrap());
    handle.stop();
}

#[test]
fn ipv4_alone_is_no_way_round_a_port_in_use() {
    // Where there is no IPv6, there is nothing to show.
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
    let house = House::open();
    let mut socket = connect(house.address(), "/?room=kitchen&nick=ana").unwrap();
    let Event::Open { client, address } = house.event() else {
        panic!("the first event is the opening");
    };
    assert!(address.is_loopback());
    let Event::Joined { client: who, nickname, room } = house.event() else {
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
    assert_eq!(house.event(), message(1, "one"));
    assert_eq!(house.event(), message(2, "two"));
    let frame = CloseFrame { code: 4000.into(), reason: "bye".into() };
    socket.close(Some(frame)).unwrap();
    assert_eq!(house.event(), Event::Close { client, code: 4000, reason: "bye".into() });
}

#[test]
fn an_error_comes_before_its_close() {
    let house = House::open();
    let mut socket = connect(house.address(), "/").unwrap();
    let Event::Open { client, .. } = house.event() else { panic!("an opening") };
    assert!(matches!(house.event(), Event::Joined { .. }));
    socket.send(Message::binary(vec![1])).unwrap();
    let Event::Error { client: in_error, error } = house.event() else { panic!("an error") };
    assert_eq!(in_error, client);
    assert_eq!(house.event(), Event::Close { client, code: 1003, reason: error });
}

#[test]
fn a_slow_embedder_loses_events_with_a_count_and_slows_nobody() {
    const MESSAGES: u64 = 1000;
    let mut house = House::open();
    let slow = house.handle.events(10);
    let mut ana = house.join();
    for number in 0..MESSAGES {
        ana.say_and_hear(&number.to_string());
    }
    let kept = slow.try_iter().count() as u64;
    assert_eq!(kept, 10);
    ana.say_and_hear("after");
    // An opening, an entry and the messages, of which some were kept.
    let lost = 2 + MESSAGES - kept;
    assert_eq!(slow.recv_timeout(DEADLINE), Ok(Event::Lost { count: lost }));
    let Ok(Event::Message { text, .. }) = slow.recv_timeout(DEADLINE) else { panic!("a message") };
    assert_eq!(text, "after");
}

#[test]
fn the_embedder_speaks_into_a_room() {
    let mut house = House::open();
    let (mut ana, mut bo) = (house.join(), house.join_at("/?room=kitchen"));
    let (cook, kitchen) = (Nickname::parse("cook").unwrap(), RoomName::parse("kitchen").unwrap());
    house.handle.say(&kitchen, &cook, "soup is ready").unwrap();
    assert_eq!(bo.hear(), "cook: soup is ready");
    ana.say_and_hear("nothing of that came here");
    let long = "x".repeat(8193);
    assert!(matches!(house.handle.say(&kitchen, &cook, &long), Err(SayError::TooLong(_))));
    house.handle.say(&RoomName::parse("attic").unwrap(), &cook, "nobody is here").unwrap();
}

#[test]
fn events_end_with_the_server() {
    let house = House::open();
    let events = house.handle.events(10);
    house.handle.stop();
    assert!(events.recv_timeout(DEADLINE).is_err_and(|error| error.is_disconnected()));
    assert!(house.handle.events(10).recv_timeout(DEADLINE).is_err());
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
fn what_the_embedder_says_is_held_for_those_who_come_later() {
    let mut house = House::open();
    for text in ["welcome", "lunch is at noon"] {
        house.handle.say(&room("attic"), &name("kiosk"), text).unwrap();
    }
    assert_eq!(house.handle.rooms().unwrap(), [(room("attic"), Vec::new())]);
    let mut ana = house.open_json();
    ana.asked(&json!({"type": "hello"}));
    let joined = ana.asked(&json!({"type": "join", "room": "attic"}));
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
        let house = House::with(&with_history(limits));
        for number in 0..10 {
            house.handle.say(&room(&format!("room-{number}")), &name("kiosk"), "hello").unwrap();
        }
        let rooms = house.handle.rooms().unwrap();
        let newest: Vec<_> =
            (10 - held..10).map(|number| room(&format!("room-{number}"))).collect();
        assert_eq!(rooms.into_iter().map(|(room, _)| room).collect::<Vec<_>>(), newest);
    }
}

#[test]
fn no_client_passes_for_the_embedder() {
    let mut house = House::open();
    house.handle.say(&RoomName::lobby(), &name("Iris"), "I am a program").unwrap();
    house.handle.reserve(&name("Clock")).unwrap();
    let mut wishes = vec!["Iris", "iRIS", "clock"];
    // Begins with a small L.
    wishes.extend(cfg!(feature = "confusables").then_some("lris"));
    for wish in &wishes {
        let plain = house.join_at(&format!("/?nick={wish}"));
        assert!(plain.nick.starts_with("user-"), "{wish}: {}", plain.nick);
        let mut json = house.open_json();
        let welcome = json.asked(&json!({"type": "hello", "nick": wish}));
        assert!(welcome["nick"].as_str().unwrap().starts_with("user-"), "{welcome}");
        let answer = json.asked(&json!({"type": "nick", "nick": wish}));
        assert_eq!(error(&answer), "nick_taken", "{wish}");
    }
    // The embedder itself goes on.
    house.handle.say(&RoomName::lobby(), &name("Iris"), "still here").unwrap();
    house.handle.say(&RoomName::lobby(), &name("CLOCK"), "ten to two").unwrap();
}

#[test]
fn the_embedder_does_not_pass_for_a_client() {
    let mut house = House::open();
    let (mut ana, mut bo) = (house.join_at("/?nick=ana"), house.join());
    let lobby = RoomName::lobby();
    for nickname in ["ana", "ANA"] {
        let said = house.handle.say(&lobby, &name(nickname), "nothing of this is said");
        assert_eq!(said, Err(SayError::NicknameTaken));
        assert_eq!(house.handle.reserve(&name(nickname)), Err(SayError::NicknameTaken));
    }
    ana.say("hello");
    while bo.hear() != "ana: hello" {}
    let id = ana.id;
    ana.close();
    house.gone(id);
    house.handle.say(&lobby, &name("ana"), "and now it is").unwrap();
    assert_eq!(bo.hear(), " .... ana has left.");
    assert_eq!(bo.hear(), "ana: and now it is");
}

/// On one thread, and more often than the inbox of the broadcaster is large.
#[test]
fn nothing_waits_for_the_start() {
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
    // The receiver of events has not kept it up, and is told.
    while events.recv_timeout(DEADLINE).is_ok() {}
    assert!(events.recv_timeout(DEADLINE).is_err_and(|error| error.is_disconnected()));
}
