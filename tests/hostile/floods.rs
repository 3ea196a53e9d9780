//! Clients that send as much as they can, of what costs most.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use testkit::{
    FREE_PORTS, Load, LoadGroup, ServerProcess, chinwag, connect,
    frames::{frame, text_frame},
};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

const QUIET_PEOPLE: usize = 50;
const TALK: Load = Load { per_second: 40, seconds: 3, text_bytes: 50 };
/// What a flood may cost at its peak (bytes).
const GROWTH_MAX: usize = 4 * 1024 * 1024;

/// A server with quiet people in it, who have talked before.
fn house() -> (ServerProcess, LoadGroup) {
    let program =
        ServerProcess::start(chinwag().args(FREE_PORTS).args(["--max-clients-per-address", "0"]));
    let mut group = LoadGroup::join(program.websocket(), QUIET_PEOPLE);
    group.run(Load { seconds: 1, ..TALK });
    (program, group)
}

/// A client past its handshake, to be used below the WebSocket.
fn enter(address: SocketAddr) -> TcpStream {
    connect(address, "/").unwrap().into_inner()
}

/// Sends `unit` so often, or until the server takes no more. How many bytes it took.
fn pour(mut stream: &TcpStream, unit: &[u8], times: usize) -> usize {
    /// A write of this size takes a few thousand units at once.
    const CHUNK_BYTES: usize = 64 * 1024;
    let per_chunk = (CHUNK_BYTES / unit.len()).clamp(1, times);
    let chunk = unit.repeat(per_chunk);
    let mut taken = 0;
    for _ in 0..times.div_ceil(per_chunk) {
        match stream.write(&chunk) {
            Ok(bytes) => taken += bytes,
            Err(_) => break,
        }
    }
    taken
}

/// The code of the close frame at the end of what the server sent, after `texts` of the chat.
fn last_close_code(mut stream: &TcpStream) -> Option<u16> {
    let _ = stream.shutdown(Shutdown::Write);
    let mut got = Vec::new();
    // A reset ends it, too, with what had come before.
    let _ = stream.read_to_end(&mut got);
    let mut rest = &got[..];
    let mut code = None;
    while let Some((first, payload, after)) = testkit::frames::split_frame(rest) {
        if first == testkit::frames::CLOSE {
            code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
        }
        rest = after;
    }
    code
}

/// One client floods while the others talk: how it ended.
fn flood(name: &str, attack: impl FnOnce(&TcpStream) -> usize + Send) -> Option<u16> {
    let (program, mut group) = house();
    let resident = program.resident_bytes();
    let attacker = enter(program.websocket());
    let (taken, code, grown) = std::thread::scope(|scope| {
        let flooding = scope.spawn(|| {
            let taken = attack(&attacker);
            (taken, last_close_code(&attacker))
        });
        let mut grown = 0;
        let talk = Load { seconds: 1, ..TALK };
        testkit::run_together([&mut group], talk, |_| {
            grown = grown.max(program.resident_bytes().saturating_sub(resident));
        });
        let (taken, code) = flooding.join().unwrap();
        (taken, code, grown)
    });
    println!("{name}: {taken} bytes were taken, memory grew by {} KiB, {code:?}", grown / 1024);
    assert!(grown <= GROWTH_MAX, "{name}: memory grew by {grown} bytes");
    // Nobody else was cut or missed anything, or this fails.
    group.run(Load { seconds: 1, ..TALK });
    code
}

fn fragment(opcode: Data, payload: &[u8]) -> Vec<u8> {
    frame(OpCode::Data(opcode), false, payload)
}

#[test]
fn pings_whose_answers_nobody_reads() {
    let ping = frame(OpCode::Control(Control::Ping), true, &[b'x'; 125]);
    let code = flood("50 MB of pings", |stream| pour(stream, &ping, 50_000_000 / ping.len()));
    assert_eq!(code, Some(4008));
}

#[test]
fn empty_fragments_without_end() {
    let code = flood("1,000,000 empty fragments", |mut stream| {
        stream.write_all(&fragment(Data::Text, b"")).unwrap();
        pour(stream, &fragment(Data::Continue, b""), 1_000_000)
    });
    assert_eq!(code, Some(1009));
}

#[test]
fn fragments_of_one_byte() {
    let code = flood("1,000,000 fragments of a byte", |mut stream| {
        stream.write_all(&fragment(Data::Text, b"x")).unwrap();
        pour(stream, &fragment(Data::Continue, b"x"), 1_000_000)
    });
    assert_eq!(code, Some(1009));
}

#[test]
fn a_byte_too_many() {
    const TOO_MANY: usize = 16 * 1024 + 1;
    let whole = text_frame(&"x".repeat(TOO_MANY));
    let code = flood("16 KiB and a byte in one frame", |stream| pour(stream, &whole, 1));
    assert_eq!(code, Some(1009));

    let halves = [
        fragment(Data::Text, &[b'x'; TOO_MANY / 2]),
        frame(OpCode::Data(Data::Continue), true, &[b'x'; TOO_MANY / 2 + 1]),
    ];
    let code = flood("the same in two fragments", |stream| pour(stream, &halves.concat(), 1));
    assert_eq!(code, Some(1009));

    // Final, a text, masked, and with the length in the eight bytes that follow.
    let mut announced = vec![0x81, 0x80 | 127];
    announced.extend((1_u64 << 62).to_be_bytes());
    announced.extend([1, 2, 3, 4]);
    let code = flood("a frame of 2^62 bytes, announced", |stream| pour(stream, &announced, 1));
    assert_eq!(code, Some(1009));
}

#[test]
fn those_who_talk_without_end_do_not_drown_the_quiet() {
    const FLOODERS: usize = 10;
    const LATENCY_MAX: Duration = Duration::from_millis(50);
    /// The machine has moments of its own. A flood that drowns the quiet would do so every time.
    const ATTEMPTS: usize = 3;
    let (program, mut group) = house();
    let resident = program.resident_bytes();
    // All their bursts together are less than what may wait for one who has no processor for a
    // moment, as happens on a busy machine.
    let text = text_frame(&"x".repeat(4096));
    let flooders: Vec<_> = (0..FLOODERS).map(|_| enter(program.websocket())).collect();
    std::thread::scope(|scope| {
        for flooder in &flooders {
            let text = &text;
            let mut reader = flooder;
            scope.spawn(move || while pour(flooder, text, 100) > 0 {});
            // It reads, too, or it would be cut for that.
            scope.spawn(move || std::io::copy(&mut reader, &mut std::io::sink()));
        }
        let mut latency = Duration::MAX;
        for _ in 0..ATTEMPTS {
            if latency >= LATENCY_MAX {
                latency = latency.min(group.run(TALK).percentile(99));
            }
        }
        let grown = program.resident_bytes().saturating_sub(resident);
        println!(
            "{FLOODERS} who talk without end: 99 of 100 texts of the others are heard within \
             {latency:.1?}, memory grew by {} KiB",
            grown / 1024
        );
        for flooder in &flooders {
            let _ = flooder.shutdown(Shutdown::Both);
        }
        assert!(latency < LATENCY_MAX, "it took {latency:?}");
        assert!(grown <= GROWTH_MAX, "memory grew by {grown} bytes");
    });
}

/// A client of the JSON dialect that is in the lobby.
fn enter_in_json(program: &ServerProcess, nick: &str) -> TcpStream {
    let begin = [
        format!(r#"{{"type":"hello","nick":"{nick}"}}"#),
        r#"{"type":"join","room":"lobby","ref":"in"}"#.to_owned(),
    ];
    let mut stream = testkit::tcp(program.websocket());
    stream.write_all(&crate::connection_storm::json_request(&begin)).unwrap();
    assert!(crate::connection_storm::read_until(&stream, &[r#""ref":"in""#]).contains("joined"));
    stream
}

#[test]
fn a_byte_too_many_in_json() {
    let program = house().0;
    let stream = enter_in_json(&program, "ana");
    pour(&stream, &text_frame(&" ".repeat(64 * 1024 + 1)), 1);
    assert_eq!(last_close_code(&stream), Some(1009));
}

#[test]
fn private_messages_without_end_cut_nobody() {
    const FLOODERS: usize = 64;
    const EACH: usize = 10;
    let (program, mut group) = house();
    // It reads nothing until they are done.
    let victim = enter_in_json(&program, "victim");
    let text = "\\\"".repeat(4000);
    let flooders: Vec<_> = (0..FLOODERS)
        .map(|number| {
            let mut flooder = enter_in_json(&program, &format!("flooder-{number}"));
            for id in 0..EACH {
                let tell =
                    format!(r#"{{"type":"tell","to":"victim","text":"{text}","id":"{id}"}}"#);
                flooder.write_all(&text_frame(&tell)).unwrap();
            }
            flooder.write_all(&text_frame(r#"{"type":"ping","ref":"last"}"#)).unwrap();
            flooder
        })
        .collect();
    let refused = flooders.iter().map(|flooder| {
        crate::connection_storm::read_until(flooder, &[r#""ref":"last""#])
            .matches("rate_limited")
            .count()
    });
    let refused: usize = refused.sum();
    (&victim).write_all(&text_frame(r#"{"type":"ping","ref":"last"}"#)).unwrap();
    let heard = crate::connection_storm::read_until(&victim, &[r#""ref":"last""#]);
    let told = heard.matches(r#""type":"private""#).count();
    println!("{} private messages: {told} are told, {refused} refused", FLOODERS * EACH);
    assert!(heard.contains(r#""pong""#), "the victim is cut");
    assert!(told > 0 && told + refused == FLOODERS * EACH, "each is told or refused");
    group.run(Load { seconds: 1, ..TALK });
}

#[test]
fn presence_has_its_price() {
    const FLOODERS: usize = 32;
    const REQUESTS: usize = 40;
    let program = ServerProcess::start(chinwag().args(FREE_PORTS).args(["--bind", "127.0.0.1"]));
    let witness = enter_in_json(&program, "witness");
    let flooders: Vec<_> = (0..FLOODERS)
        .map(|number| {
            let mut flooder = enter_in_json(&program, &format!("flooder-{number}"));
            for _ in 0..REQUESTS / 2 {
                for request in ["part", "join"] {
                    let request = format!(r#"{{"type":"{request}","room":"lobby"}}"#);
                    flooder.write_all(&text_frame(&request)).unwrap();
                }
            }
            flooder.write_all(&text_frame(r#"{"type":"ping","ref":"last"}"#)).unwrap();
            flooder
        })
        .collect();
    for flooder in &flooders {
        crate::connection_storm::read_until(flooder, &[r#""ref":"last""#]);
    }
    (&witness).write_all(&text_frame(r#"{"type":"ping","ref":"last"}"#)).unwrap();
    let heard = crate::connection_storm::read_until(&witness, &[r#""ref":"last""#]);
    let events = heard.matches(r#""arrived""#).count() + heard.matches(r#""left""#).count();
    println!("{FLOODERS} clients ask {REQUESTS} times each to come or go: {events} events");
    // Ten of each client at once, and a few more while they ask.
    assert!(events <= FLOODERS * (10 + 6), "{events} events");
}
