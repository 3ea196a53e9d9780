//! Clients that send as much as they can of the frames that cost most.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use testkit::{
    Load, LoadGroup, ServerProcess, connect,
    frames::{frame, text_frame},
};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

const MEMBERS: usize = 50;
const TALK: Load = Load { per_second: 40, seconds: 3, text_bytes: 50 };
/// Maximum growth of memory during a flood (bytes).
const GROWTH_MAX: usize = 4 * 1024 * 1024;

/// Starts a server with a group of quiet clients that have talked before.
fn start_quiet() -> (ServerProcess, LoadGroup) {
    let program = ServerProcess::with(["--max-clients-per-address", "0"]);
    let mut group = LoadGroup::join(program.websocket(), MEMBERS);
    group.run(Load { seconds: 1, ..TALK });
    (program, group)
}

/// Connects a client whose stream is used below the WebSocket.
fn enter(address: SocketAddr) -> TcpStream {
    connect(address, "/").unwrap().into_inner()
}

/// Sends `unit` up to `times` times, until the server takes no more. Returns how many bytes it
/// took.
fn pour(mut stream: &TcpStream, unit: &[u8], times: usize) -> usize {
    /// Size of a write, which takes a few thousand units at once.
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

/// Returns the code of the last close frame.
fn last_close_code(mut stream: &TcpStream) -> Option<u16> {
    let _ = stream.shutdown(Shutdown::Write);
    let mut got = Vec::new();
    // A reset ends it, too, after the bytes that came before.
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

/// Floods with one client while the group talks. Returns the close code of the client.
fn flood(name: &str, attack: impl FnOnce(&TcpStream) -> usize + Send) -> Option<u16> {
    let (program, mut group) = start_quiet();
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
    // The group loses no member and no text.
    group.run(Load { seconds: 1, ..TALK });
    code
}

fn fragment(opcode: Data, payload: &[u8]) -> Vec<u8> {
    frame(OpCode::Data(opcode), false, payload)
}

#[test]
fn pings_whose_answers_are_not_read() {
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

    // A final text frame with a mask, whose length is in the next eight bytes.
    let mut announced = vec![0x81, 0x80 | 127];
    announced.extend((1_u64 << 62).to_be_bytes());
    announced.extend([1, 2, 3, 4]);
    let code = flood("a frame of 2^62 bytes, announced", |stream| pour(stream, &announced, 1));
    assert_eq!(code, Some(1009));
}

#[test]
fn clients_that_send_without_end_do_not_delay_others() {
    const FLOODERS: usize = 10;
    const LATENCY_MAX: Duration = Duration::from_millis(50);
    /// A busy machine may be slow once or twice. A harmful flood is slow every time.
    const ATTEMPTS: usize = 3;
    let (program, mut group) = start_quiet();
    let resident = program.resident_bytes();
    // The bursts of all are less than the backlog of a client that gets no processor for a moment.
    let text = text_frame(&"x".repeat(4096));
    let flooders: Vec<_> = (0..FLOODERS).map(|_| enter(program.websocket())).collect();
    std::thread::scope(|scope| {
        for flooder in &flooders {
            let text = &text;
            let mut reader = flooder;
            scope.spawn(move || while pour(flooder, text, 100) > 0 {});
            // It also reads, so that it is not cut as too slow.
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
            "{FLOODERS} clients that send without end: 99 of 100 texts of the others are heard within \
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

/// Connects a JSON client that is in the lobby.
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
    let program = start_quiet().0;
    let stream = enter_in_json(&program, "ana");
    pour(&stream, &text_frame(&" ".repeat(64 * 1024 + 1)), 1);
    assert_eq!(last_close_code(&stream), Some(1009));
}

#[test]
fn private_messages_without_end_cut_no_client() {
    const FLOODERS: usize = 64;
    const EACH: usize = 10;
    let (program, mut group) = start_quiet();
    // It reads nothing until they have sent all.
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
    let received = crate::connection_storm::read_until(&victim, &[r#""ref":"last""#]);
    let delivered = received.matches(r#""type":"private""#).count();
    println!("{} private messages: {delivered} are delivered, {refused} refused", FLOODERS * EACH);
    assert!(received.contains(r#""pong""#), "the victim is cut");
    assert!(
        delivered > 0 && delivered + refused == FLOODERS * EACH,
        "each is delivered or refused"
    );
    group.run(Load { seconds: 1, ..TALK });
}

#[test]
fn joining_and_renaming_are_rate_limited() {
    const FLOODERS: usize = 32;
    const REQUESTS: usize = 40;
    let program = ServerProcess::with(["--bind", "127.0.0.1"]);
    let observer = enter_in_json(&program, "observer");
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
    (&observer).write_all(&text_frame(r#"{"type":"ping","ref":"last"}"#)).unwrap();
    let received = crate::connection_storm::read_until(&observer, &[r#""ref":"last""#]);
    let events = received.matches(r#""arrived""#).count() + received.matches(r#""left""#).count();
    println!("{FLOODERS} clients ask {REQUESTS} times each to come or go: {events} events");
    // A burst of ten from each client, and a few more while they send.
    assert!(events <= FLOODERS * (10 + 6), "{events} events");
}
