//! The library, as somebody uses it who has a program already.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod support;

use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::sync::mpsc;
use std::thread;

use chinwag::{Config, Event, Nickname, RoomName, SayError, Server, StartError};
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
    handle.clone().stop();
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
