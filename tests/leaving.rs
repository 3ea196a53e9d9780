//! Every way out, and that each is announced exactly once.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod support;

use std::collections::HashSet;
use std::io::Read as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use chinwag::{Limits, Nickname, RoomName};
use socket2::SockRef;
use support::{Client, House, config, connect, frame};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Lets a client go its way and shows that the rest are told once. Returns the code that the
/// server saw, or gave.
fn announced_once(house: &mut House, leave: impl FnOnce(Client)) -> u16 {
    let (mut witness, leaver) = (house.join(), house.join());
    let (nick, id) = (leaver.nick.clone(), leaver.id);
    leave(leaver);
    let (code, _) = house.gone(id);
    assert_eq!(witness.hear(), format!(" .... {nick} has left."));
    witness.say_and_hear("nothing between the goodbye and this");
    let witness_id = witness.id;
    witness.close();
    house.gone(witness_id);
    code
}

#[test]
fn a_close_frame() {
    let mut house = House::open();
    assert_eq!(announced_once(&mut house, Client::close), 1005);
    let code = announced_once(&mut house, |mut client| {
        client.raw(&frame(OpCode::Control(Control::Close), true, b"\x0f\xa1see you"));
        assert_eq!(client.close_frame(), (4001, "see you".into()), "the server echoes it");
    });
    assert_eq!(code, 4001);
}

#[test]
fn who_speaks_and_closes_hears_itself_first() {
    let mut house = House::open();
    for _ in 0..50 {
        let mut client = house.join();
        let mut bytes = support::text_frame("last words");
        bytes.extend(frame(OpCode::Control(Control::Close), true, b"\x03\xe8"));
        client.raw(&bytes);
        assert_eq!(client.hear(), format!("{}: last words", client.nick));
        assert_eq!(client.close_frame().0, 1000);
    }
}

#[test]
fn a_reset() {
    let mut house = House::open();
    assert_eq!(announced_once(&mut house, Client::reset), 1006);
}

#[test]
fn an_end_without_a_close_frame() {
    let mut house = House::open();
    assert_eq!(announced_once(&mut house, drop), 1006);
    let code = announced_once(&mut house, |mut client| client.raw(b"\x81\x8fhalf a fr"));
    assert_eq!(code, 1006);
}

/// Offends, and reads the close frame.
fn offence(bytes: &[u8]) -> u16 {
    let mut house = House::open();
    let mut told = 0;
    let seen = announced_once(&mut house, |mut client| {
        client.raw(bytes);
        told = client.close_frame().0;
    });
    assert_eq!(told, seen, "the client is told what the server saw");
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

fn with_limits(limits: Limits) -> House {
    House::with(&config().limits(limits.per_second(None)))
}

#[test]
fn silence() {
    let (ping_after, pong_within) = (Duration::from_millis(200), Duration::from_millis(300));
    let limits = Limits::default().ping_after(ping_after).pong_within(pong_within);
    let mut house = with_limits(limits);
    let mut witness = house.join();
    // It answers pings only while it reads, which it does not.
    let mut vanished = house.join();
    let since = Instant::now();
    let announced = format!(" .... {} has left.", vanished.nick);
    assert_eq!(witness.hear(), announced, "and the witness, who reads, stays");
    assert!(since.elapsed() >= Duration::from_millis(400));
    assert_eq!(house.gone(vanished.id), (1006, "no sign of life".into()));
    let mut got = Vec::new();
    vanished.socket.get_mut().read_to_end(&mut got).unwrap();
    assert_eq!(got, b"\x89\x00", "a ping, and no close frame: 1006 is never sent");
    witness.say_and_hear("still here");
}

#[test]
fn a_reader_that_stops_is_cut_and_delays_nobody() {
    let limits = Limits::default().stall_max(Duration::from_millis(500));
    let mut house = with_limits(limits);
    let (mut talker, mut stalled) = (house.join(), house.join());
    let (nick, text) = (stalled.nick.clone(), "x".repeat(8000));
    // It reads nothing from here on. The talker goes on until it is gone, and hears all it says.
    let goodbye = format!(" .... {nick} has left.");
    let mut said = 0;
    loop {
        talker.say(&text);
        said += 1;
        let heard = talker.hear();
        if heard == goodbye {
            break;
        }
        assert_eq!(heard, format!("{}: {text}", talker.nick));
        assert!(said < 1_000_000, "the stalled client is never cut");
    }
    assert_eq!(house.gone(stalled.id).0, 4008);
    let (code, reason) = stalled.close_frame();
    assert_eq!((code, reason.contains("slow")), (4008, true), "it learns why when it reads again");
}

#[test]
fn who_falls_behind_and_reads_on_stays() {
    const TEXTS: usize = 60;
    let mut house = House::open();
    let (mut slow, mut witness) = (house.join(), house.join());
    // More than the kernel takes for it, and less than may wait.
    SockRef::from(slow.socket.get_ref()).set_recv_buffer_size(32 * 1024).unwrap();
    let (cook, text) = (Nickname::parse("cook").unwrap(), "x".repeat(8000));
    for _ in 0..TEXTS {
        house.handle.say(&RoomName::lobby(), &cook, &text).unwrap();
    }
    for client in [&mut witness, &mut slow] {
        for _ in 0..TEXTS {
            assert_eq!(client.hear(), format!("cook: {text}"));
        }
    }
    slow.say_and_hear("still here");
}

#[test]
fn who_was_pinged_has_its_time_whatever_it_is_sent_meanwhile() {
    let (ping_after, pong_within) = (Duration::from_millis(100), support::DEADLINE);
    let limits = Limits::default().ping_after(ping_after).pong_within(pong_within);
    let mut house = with_limits(limits);
    let (mut talker, mut silent) = (house.join(), house.join());
    let mut ping = [0; 2];
    silent.socket.get_mut().read_exact(&mut ping).unwrap();
    assert_eq!(&ping, b"\x89\x00");
    // It neither answers nor reads on, and is cut for that which comes first.
    let (goodbye, text) = (format!(" .... {} has left.", silent.nick), "x".repeat(8000));
    loop {
        talker.say(&text);
        if talker.hear() == goodbye {
            break;
        }
    }
    assert_eq!(house.gone(silent.id).0, 4008);
}

#[test]
fn stopping_tells_three_hundred_who_talk() {
    const CLIENTS: usize = 300;
    let house = House::open();
    let address = house.address();
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(move || talk(address))).collect();
        let mut talking = HashSet::new();
        while talking.len() < CLIENTS {
            if let chinwag::Event::Message { client, .. } = house.event() {
                talking.insert(client);
            }
        }
        let since = Instant::now();
        house.stop();
        let took = since.elapsed();
        assert!(took < Duration::from_secs(3), "stopping took {took:?}");
        for client in clients {
            assert_eq!(client.join().unwrap(), 1001);
        }
    });
    assert!(std::net::TcpStream::connect(address).is_err(), "the port is free");
    house.stop();
    let nobody = chinwag::Nickname::parse("nobody").unwrap();
    let said = house.handle.say(&chinwag::RoomName::lobby(), &nobody, "hello?");
    assert_eq!(said, Err(chinwag::SayError::Stopped));
}

#[test]
fn who_is_sent_home_is_listened_to_until_it_goes() {
    let limits = Limits::default().close_within(support::DEADLINE);
    let mut house = with_limits(limits);
    let mut client = house.join();
    std::thread::scope(|scope| {
        let stopped = scope.spawn(|| house.stop());
        assert_eq!(client.close_frame().0, 1001);
        assert_eq!(client.socket.get_mut().read(&mut [0]).unwrap(), 0, "nothing more comes");
        for _ in 0..1000 {
            client.raw(&support::text_frame("it is in the middle of something"));
        }
        let since = Instant::now();
        drop(client);
        stopped.join().unwrap();
        assert!(since.elapsed() < support::DEADLINE / 2, "and no longer");
    });
}

#[test]
fn an_offender_is_not_listened_to_for_long() {
    let limits = Limits::default().close_within(support::DEADLINE);
    let mut house = with_limits(limits);
    let mut client = house.join();
    client.raw(&frame(OpCode::Data(Data::Binary), true, b"\x00"));
    assert_eq!(client.close_frame().0, 1003);
    let since = Instant::now();
    // It does not answer. The server has ended when its connection has.
    house.stop();
    let took = since.elapsed();
    assert!(took < support::DEADLINE / 2, "it took {took:?}");
}

/// Says one thing after the other, each when the one before has come back, until it is sent home.
fn talk(address: SocketAddr) -> u16 {
    let mut socket = connect(address, "/").expect("the server upgrades");
    let mut own = 0_usize;
    socket.send(Message::text(format!("{own}"))).unwrap();
    loop {
        match socket.read() {
            Ok(Message::Text(_)) => {
                own += 1;
                // A send may fail once the server is closing; the code is read all the same.
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
