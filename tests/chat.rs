//! Plain clients over real sockets.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::io::Write as _;
use std::num::NonZero;
use std::time::{Duration, Instant};

use chinwag::Limits;
use testkit::{
    Client, TestServer, config,
    frames::{frame, text_frame},
};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

#[test]
fn a_client_receives_its_own_text() {
    let mut server = TestServer::start();
    let mut ana = server.join();
    let nick = ana.nick.clone();
    let number = nick.strip_prefix("user-").expect("the server gives a name");
    assert!(number.parse::<u32>().unwrap() < 100_000);
    ana.send("hello");
    assert_eq!(ana.receive(), format!("user-{number}: hello"));
}

#[test]
fn two_clients_receive_each_others_texts_and_the_goodbye() {
    let mut server = TestServer::start();
    let (mut ana, mut bo) = (server.join(), server.join());
    assert_ne!(ana.nick, bo.nick);
    ana.send("hello");
    let line = format!("{}: hello", ana.nick);
    assert_eq!(ana.receive(), line);
    assert_eq!(bo.receive(), line, "and nothing before it: no greeting, no notice of a join");
    let nick = ana.nick.clone();
    ana.close();
    assert_eq!(bo.receive(), format!(" .... {nick} has left."));
    bo.send_and_receive("alone");
}

#[test]
fn two_hundred_clients_receive_the_same_in_the_same_order() {
    const CLIENTS: usize = 200;
    let mut server = TestServer::start();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| server.join()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        client.send(&format!("this is {number}"));
    }
    let transcripts: Vec<Vec<String>> =
        clients.iter_mut().map(|client| (0..CLIENTS).map(|_| client.receive()).collect()).collect();
    for transcript in &transcripts {
        assert_eq!(transcript, &transcripts[0]);
    }
    let mut said = transcripts[0].clone();
    said.sort();
    let mut expected: Vec<String> = clients
        .iter()
        .enumerate()
        .map(|(number, client)| format!("{}: this is {number}", client.nick))
        .collect();
    expected.sort();
    assert_eq!(said, expected, "everything once");
}

#[test]
fn the_path_does_not_matter_and_the_query_does() {
    let mut server = TestServer::start();
    let mut lobby: Vec<Client> = ["/", "/chat", "/a/b/c?x=y", "/?room=LOBBY", "/%ff?&&=&"]
        .map(|target| server.join_at(target))
        .into_iter()
        .collect();
    let mut kitchen = server.join_at("/?room=kitchen&nick=zo%C3%AB");
    assert_eq!((kitchen.nick.as_str(), kitchen.room.as_str()), ("zoë", "kitchen"));
    kitchen.send_and_receive("soup");
    let line = format!("{}: hello", lobby[0].nick);
    lobby[0].send("hello");
    for client in &mut lobby {
        assert_eq!(client.receive(), line);
    }
}

#[test]
fn an_invalid_or_taken_nickname_is_replaced_by_a_random_one() {
    let mut server = TestServer::start();
    let ana = server.join_at("/?nick=ana");
    assert_eq!(ana.nick, "ana");
    for wish in ["ana", "ANA", "user-1", "", "%20ana", "a%0Ab"] {
        let client = server.join_at(&format!("/?nick={wish}"));
        assert!(client.nick.starts_with("user-"), "{wish} got {}", client.nick);
    }
    ana.close();
    assert_eq!(server.join_at("/?nick=ana").nick, "ana", "the name is free again");
}

#[test]
fn texts_of_every_kind_come_back_as_they_are() {
    let mut server = TestServer::start();
    let mut ana = server.join();
    let long = "x".repeat(8192);
    let wide = "語".repeat(2730);
    for text in ["", "/help", "Grüße 👋🏽 你好 مرحبا", " spaces ", "a\tb", &long, &wide]
    {
        ana.send_and_receive(text);
    }
    ana.send("two\nlines\r\nthree\u{2028}four");
    assert_eq!(ana.receive(), format!("{}: two lines three four", ana.nick));
}

#[test]
fn a_fragmented_message_is_one_message_and_pings_may_come_between() {
    let mut server = TestServer::start();
    let mut ana = server.join();
    let text = "fragmentiert: äöü 👋".as_bytes();
    // Cut in the middle of a character.
    let mut bytes = frame(OpCode::Data(Data::Text), false, &text[..15]);
    bytes.extend(frame(OpCode::Control(Control::Ping), true, b"still there?"));
    bytes.extend(frame(OpCode::Data(Data::Continue), false, b""));
    bytes.extend(frame(OpCode::Data(Data::Continue), true, &text[15..]));
    // A complete text behind it, each byte in a packet of its own.
    bytes.extend(text_frame("next"));
    for byte in bytes {
        ana.send_bytes(&[byte]);
    }
    assert_eq!(ana.socket.read().unwrap(), Message::Pong(b"still there?".to_vec().into()));
    assert_eq!(ana.receive(), format!("{}: fragmentiert: äöü 👋", ana.nick));
    assert_eq!(ana.receive(), format!("{}: next", ana.nick));
}

#[test]
fn a_message_in_fifteen_thousand_fragments_is_one_message() {
    let mut server = TestServer::start();
    let mut ana = server.join();
    let text = "x".repeat(8192);
    let mut bytes = frame(OpCode::Data(Data::Text), false, b"");
    bytes.extend(frame(OpCode::Data(Data::Continue), false, b"").repeat(7000));
    bytes.extend(frame(OpCode::Data(Data::Continue), false, b"x").repeat(8192));
    bytes.extend(frame(OpCode::Data(Data::Continue), true, b""));
    ana.send_bytes(&bytes);
    assert_eq!(ana.receive(), format!("{}: {text}", ana.nick));
}

const HANDSHAKE: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn a_text_sent_with_the_handshake_is_delivered_at_once() {
    let server = TestServer::start();
    let mut stream = testkit::tcp(server.address());
    stream.write_all(&[HANDSHAKE, &text_frame("early")].concat()).unwrap();
    assert!(matches!(server.next_event(), chinwag::Event::Open { .. }));
    assert!(matches!(server.next_event(), chinwag::Event::Joined { .. }));
    let chinwag::Event::Message { text, .. } = server.next_event() else { panic!("a message") };
    assert_eq!(text, "early");
}

#[test]
fn frames_sent_with_the_handshake_are_not_lost() {
    let server = TestServer::start();
    let mut stream = testkit::tcp(server.address());
    let mut bytes = HANDSHAKE.to_vec();
    for number in 0..1000 {
        bytes.extend(text_frame(&format!("early {number}")));
    }
    stream.write_all(&bytes).unwrap();
    for number in 0..1000 {
        loop {
            match server.next_event() {
                chinwag::Event::Message { text, .. } => {
                    assert_eq!(text, format!("early {number}"));
                    break;
                }
                chinwag::Event::Open { .. } | chinwag::Event::Joined { .. } => {}
                event => panic!("{event:?} instead of a message"),
            }
        }
    }
}

#[test]
fn both_ports_lead_into_the_same_room() {
    let mut server = TestServer::start();
    let mut ana = server.join();
    let mut bo = testkit::connect(server.page_address(), "/").unwrap();
    bo.send(Message::text("from the other port")).unwrap();
    assert!(ana.receive().ends_with(": from the other port"));
}

#[test]
fn two_servers_in_one_process_know_nothing_of_each_other() {
    let (mut here, mut there) = (TestServer::start(), TestServer::start());
    let (mut ana, mut bo) = (here.join(), there.join());
    ana.send_and_receive("here");
    bo.send_and_receive("there");
    here.stop();
    assert_eq!(ana.close_frame().0, 1001);
    bo.send_and_receive("still there");
}

#[test]
fn one_port_is_enough() {
    let free = TestServer::start().address().port();
    let config = config().page_port(free).websocket_port(free);
    let mut server = TestServer::start_with(&config);
    assert_eq!(server.address(), server.page_address());
    server.join().send_and_receive("hello");
    assert!(
        testkit::exchange_text(server.address(), "GET /healthz HTTP/1.1\nHost: localhost\n\n")
            .ends_with("ok\n")
    );
}

#[test]
fn a_client_that_sends_too_fast_is_read_more_slowly_and_loses_nothing() {
    let limits = Limits::default().burst(5).per_second(NonZero::new(50));
    let mut server = TestServer::start_with(&config().limits(limits));
    let mut ana = server.join();
    let since = Instant::now();
    for number in 0..30 {
        ana.send(&number.to_string());
    }
    ana.socket.close(None).unwrap();
    for number in 0..30 {
        assert_eq!(ana.receive(), format!("{}: {number}", ana.nick));
    }
    let steady = Duration::from_secs(25) / 50;
    assert!(since.elapsed() >= steady, "30 texts took only {:?}", since.elapsed());
    assert_eq!(
        server.wait_for_close(ana.id()).0,
        1005,
        "its close frame is read, too, in its turn"
    );
}

#[test]
fn a_client_that_was_slowed_can_be_cut() {
    let limits = Limits::default().burst(1).per_second(NonZero::new(1));
    let mut server = TestServer::start_with(&config().limits(limits));
    let (mut ana, mut bo) = (server.join(), server.join());
    for _ in 0..1000 {
        ana.send("again and again");
    }
    assert_eq!(bo.receive(), format!("{}: again and again", ana.nick));
    let id = ana.id();
    ana.reset();
    // Long before the rate limit would have let all its texts through.
    server.wait_for_close(id);
}
