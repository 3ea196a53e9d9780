//! Every way to leave. Each is announced exactly once.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::collections::HashSet;
use std::io::Read as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chinwag::{Limits, Nickname, RoomName};
use socket2::SockRef;
use testkit::{Client, TestServer, config, connect, frames::frame};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Lets a client leave and checks that the rest are told once. Returns the close code that the
/// server saw or sent.
fn announced_once(server: &mut TestServer, leave: impl FnOnce(Client)) -> u16 {
    let (mut observer, leaver) = (server.join(), server.join());
    let (nick, id) = (leaver.nick.clone(), leaver.id());
    leave(leaver);
    let (code, _) = server.wait_for_close(id);
    assert_eq!(observer.receive(), format!(" .... {nick} has left."));
    observer.send_and_receive("nothing between the goodbye and this");
    let witness_id = observer.id();
    observer.close();
    server.wait_for_close(witness_id);
    code
}

#[test]
fn a_close_frame() {
    let mut server = TestServer::start();
    assert_eq!(announced_once(&mut server, Client::close), 1005);
    let code = announced_once(&mut server, |mut client| {
        client.send_bytes(&frame(OpCode::Control(Control::Close), true, b"\x0f\xa1see you"));
        assert_eq!(client.close_frame(), (4001, "see you".into()), "the server echoes it");
    });
    assert_eq!(code, 4001);
}

#[test]
fn a_client_that_sends_and_closes_receives_its_text_first() {
    let mut server = TestServer::start();
    for _ in 0..50 {
        let mut client = server.join();
        let mut bytes = testkit::frames::text_frame("last words");
        bytes.extend(frame(OpCode::Control(Control::Close), true, b"\x03\xe8"));
        client.send_bytes(&bytes);
        assert_eq!(client.receive(), format!("{}: last words", client.nick));
        assert_eq!(client.close_frame().0, 1000);
    }
}

#[test]
fn a_reset() {
    let mut server = TestServer::start();
    assert_eq!(announced_once(&mut server, Client::reset), 1006);
}

#[test]
fn an_end_without_a_close_frame() {
    let mut server = TestServer::start();
    assert_eq!(announced_once(&mut server, drop), 1006);
    let code = announced_once(&mut server, |mut client| client.send_bytes(b"\x81\x8fhalf a fr"));
    assert_eq!(code, 1006);
}

/// Sends a violation and returns the code of the close frame.
fn offence(bytes: &[u8]) -> u16 {
    let mut server = TestServer::start();
    let mut told = 0;
    let seen = announced_once(&mut server, |mut client| {
        client.send_bytes(bytes);
        told = client.close_frame().0;
    });
    assert_eq!(told, seen, "the client is told the code that the server saw");
    told
}

#[test]
fn a_protocol_error() {
    assert_eq!(offence(b"\x81\x05hello"), 1002, "not masked");
    assert_eq!(offence(&frame(OpCode::Data(Data::Continue), true, b"of nothing")), 1002);
    assert_eq!(offence(&frame(OpCode::Control(Control::Ping), false, b"")), 1002);
    assert_eq!(offence(b"\xf1\x80\x01\x02\x03\x04"), 1002, "reserved bits");
    assert_eq!(offence(b"\x83\x80\x01\x02\x03\x04"), 1002, "a reserved opcode");
}

#[test]
fn a_binary_frame() {
    assert_eq!(offence(&frame(OpCode::Data(Data::Binary), true, b"\x00")), 1003);
}

#[test]
fn bytes_that_are_not_utf8() {
    assert_eq!(offence(&frame(OpCode::Data(Data::Text), true, b"caf\xe9")), 1007);
}

#[test]
fn a_text_or_a_frame_that_is_too_long() {
    assert_eq!(offence(&frame(OpCode::Data(Data::Text), true, &[b'x'; 8193])), 1009);
    assert_eq!(offence(&frame(OpCode::Data(Data::Text), true, &[b'x'; 16 * 1024 + 1])), 1009);
    let mut huge = b"\x81\xff".to_vec();
    huge.extend((1_u64 << 62).to_be_bytes());
    huge.extend([1, 2, 3, 4]);
    assert_eq!(offence(&huge), 1009);
    let fragments: Vec<u8> = (0..17)
        .flat_map(|n| {
            let opcode = if n == 0 { Data::Text } else { Data::Continue };
            frame(OpCode::Data(opcode), false, &[b'x'; 1024])
        })
        .collect();
    assert_eq!(offence(&fragments), 1009);
}

#[test]
fn fragments_without_an_end() {
    let mut bytes = frame(OpCode::Data(Data::Text), false, b"");
    bytes.extend(frame(OpCode::Data(Data::Continue), false, b"").repeat(30_000));
    assert_eq!(offence(&bytes), 1009);
}

fn with_limits(limits: Limits) -> TestServer {
    TestServer::start_with(&config().limits(limits.per_second(None)))
}

#[test]
fn silence() {
    let (ping_after, pong_within) = (Duration::from_millis(200), Duration::from_millis(300));
    let limits = Limits::default().ping_after(ping_after).pong_within(pong_within);
    let mut server = with_limits(limits);
    let mut observer = server.join();
    // It answers pings only while it reads, which it does not do.
    let mut vanished = server.join();
    let since = Instant::now();
    let announced = format!(" .... {} has left.", vanished.nick);
    assert_eq!(observer.receive(), announced, "and the observer stays");
    assert!(since.elapsed() >= Duration::from_millis(400));
    assert_eq!(server.wait_for_close(vanished.id()), (1006, "no sign of life".into()));
    let mut got = Vec::new();
    vanished.socket.get_mut().read_to_end(&mut got).unwrap();
    assert_eq!(got, b"\x89\x00", "a ping, and no close frame: 1006 is never sent");
    observer.send_and_receive("still here");
}

#[test]
fn a_client_that_stops_reading_is_cut_and_delays_no_other() {
    let limits = Limits::default().stall_max(Duration::from_millis(500));
    let mut server = with_limits(limits);
    let (mut talker, mut stalled) = (server.join(), server.join());
    let (nick, text) = (stalled.nick.clone(), "x".repeat(8000));
    // It reads nothing from here on. The other sends until the first is gone, and receives all it
    // sends.
    let goodbye = format!(" .... {nick} has left.");
    let mut said = 0;
    loop {
        talker.send(&text);
        said += 1;
        let heard = talker.receive();
        if heard == goodbye {
            break;
        }
        assert_eq!(heard, format!("{}: {text}", talker.nick));
        assert!(said < 1_000_000, "the stalled client is never cut");
    }
    assert_eq!(server.wait_for_close(stalled.id()).0, 4008);
    let (code, reason) = stalled.close_frame();
    assert_eq!((code, reason.contains("slow")), (4008, true), "it learns why when it reads again");
}

#[test]
fn a_client_that_falls_behind_and_reads_on_stays() {
    const TEXTS: usize = 60;
    let mut server = TestServer::start();
    let (mut slow, mut observer) = (server.join(), server.join());
    // More than the kernel takes for it, and less than its backlog.
    SockRef::from(slow.socket.get_ref()).set_recv_buffer_size(32 * 1024).unwrap();
    let (cook, text) = (Nickname::parse("cook").unwrap(), "x".repeat(8000));
    for _ in 0..TEXTS {
        server.handle.say(&RoomName::lobby(), &cook, &text).unwrap();
    }
    for client in [&mut observer, &mut slow] {
        for _ in 0..TEXTS {
            assert_eq!(client.receive(), format!("cook: {text}"));
        }
    }
    slow.send_and_receive("still here");
}

#[test]
fn a_pinged_client_has_its_time_to_answer_whatever_it_is_sent() {
    let (ping_after, pong_within) = (Duration::from_millis(100), testkit::DEADLINE);
    let limits = Limits::default().ping_after(ping_after).pong_within(pong_within);
    let mut server = with_limits(limits);
    let (mut talker, mut silent) = (server.join(), server.join());
    let mut ping = [0; 2];
    silent.socket.get_mut().read_exact(&mut ping).unwrap();
    assert_eq!(&ping, b"\x89\x00");
    // It neither answers nor reads. The deadline that comes first cuts it.
    let (goodbye, text) = (format!(" .... {} has left.", silent.nick), "x".repeat(8000));
    loop {
        talker.send(&text);
        if talker.receive() == goodbye {
            break;
        }
    }
    assert_eq!(server.wait_for_close(silent.id()).0, 4008);
}

#[test]
fn stopping_tells_three_hundred_clients_that_send() {
    const CLIENTS: usize = 300;
    let server = TestServer::start();
    let address = server.address();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(move || talk(address))).collect();
        let mut talking = HashSet::new();
        while talking.len() < CLIENTS {
            if let chinwag::Event::Message { client, .. } = server.next_event() {
                talking.insert(client);
            }
        }
        let since = Instant::now();
        server.stop();
        let took = since.elapsed();
        assert!(took < Duration::from_secs(3), "stopping took {took:?}");
        for client in clients {
            assert_eq!(client.join().unwrap(), 1001);
        }
    });
    assert!(std::net::TcpStream::connect(address).is_err(), "the port is free");
    server.stop();
    let nobody = chinwag::Nickname::parse("nobody").unwrap();
    let said = server.handle.say(&chinwag::RoomName::lobby(), &nobody, "hello?");
    assert_eq!(said, Err(chinwag::CallError::Stopped));
}

#[test]
fn a_closed_client_is_read_until_it_goes() {
    let limits = Limits::default().close_within(testkit::DEADLINE);
    let mut server = with_limits(limits);
    let mut client = server.join();
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| server.stop());
        assert_eq!(client.close_frame().0, 1001);
        assert_eq!(client.socket.get_mut().read(&mut [0]).unwrap(), 0, "nothing more comes");
        for _ in 0..1000 {
            client.send_bytes(&testkit::frames::text_frame("it is in the middle of something"));
        }
        let since = Instant::now();
        drop(client);
        stopped.join().unwrap();
        assert!(since.elapsed() < testkit::DEADLINE / 2, "and no longer");
    });
}

#[test]
fn a_violating_client_is_not_read_for_long() {
    let limits = Limits::default().close_within(testkit::DEADLINE);
    let mut server = with_limits(limits);
    let mut client = server.join();
    client.send_bytes(&frame(OpCode::Data(Data::Binary), true, b"\x00"));
    assert_eq!(client.close_frame().0, 1003);
    let since = Instant::now();
    // It does not answer. The server has ended when its connection has.
    server.stop();
    let took = since.elapsed();
    assert!(took < testkit::DEADLINE / 2, "it took {took:?}");
}

/// Sends texts, each when the one before has come back, until the server closes.
fn talk(address: SocketAddr) -> u16 {
    let mut socket = connect(address, "/").expect("the server upgrades");
    let mut own = 0_usize;
    socket.send(Message::text(format!("{own}"))).unwrap();
    loop {
        match socket.read() {
            Ok(Message::Text(_)) => {
                own += 1;
                // A send may fail when the server is closing. The code can be read all the same.
                if own % 300 == 0 {
                    let _ = socket.send(Message::text(format!("{own}")));
                }
            }
            Ok(Message::Close(Some(frame))) => return frame.code.into(),
            Ok(_) => {}
            Err(error) => panic!("{error} instead of a close frame"),
        }
    }
}
