//! Clients that violate the protocol. Each receives the right close code, whether it reads at once
//! or after it has sent all.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};

use testkit::{
    FREE_PORTS, ServerProcess, chinwag, connect,
    frames::{self, frame, text_frame},
};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Bytes that a client sends after the violation before it reads.
const MORE_BYTES: usize = 256 * 1024;

fn text(is_final: bool, payload: &[u8]) -> Vec<u8> {
    frame(OpCode::Data(Data::Text), is_final, payload)
}

fn continuation(is_final: bool, payload: &[u8]) -> Vec<u8> {
    frame(OpCode::Data(Data::Continue), is_final, payload)
}

fn close(payload: &[u8]) -> Vec<u8> {
    frame(OpCode::Control(Control::Close), true, payload)
}

/// Replaces a byte of a frame.
fn changed(mut frame: Vec<u8>, byte: usize, value: u8) -> Vec<u8> {
    frame[byte] = value;
    frame
}

fn violations() -> Vec<(&'static str, Vec<u8>, u16)> {
    let hello = || text(true, b"hello");
    vec![
        ("a reserved bit", changed(hello(), 0, 0x81 | 0x40), 1002),
        ("an unknown kind of data", changed(hello(), 0, 0x83), 1002),
        ("an unknown kind of control", changed(hello(), 0, 0x8b), 1002),
        ("a frame without a mask", b"\x81\x05hello".to_vec(), 1002),
        ("a ping in two parts", frame(OpCode::Control(Control::Ping), false, b""), 1002),
        ("a ping of 126 bytes", frame(OpCode::Control(Control::Ping), true, &[0; 126]), 1002),
        ("a continuation of nothing", continuation(true, b"hello"), 1002),
        ("a text within a text", [text(false, b"a"), text(true, b"b")].concat(), 1002),
        ("a close frame of one byte", close(b"x"), 1002),
        ("a close frame with a reserved code", close(&1005_u16.to_be_bytes()), 1002),
        ("binary data", frame(OpCode::Data(Data::Binary), true, b"hello"), 1003),
        ("no UTF-8", text(true, b"\xff"), 1007),
        ("half a character", text(true, "\u{20ac}".as_bytes().split_at(2).0), 1007),
        ("a surrogate", text(true, b"\xed\xa0\x80"), 1007),
        (
            "no UTF-8, in the second part",
            [text(false, b"a"), continuation(true, b"\xff")].concat(),
            1007,
        ),
        ("a text of 8 KiB and a byte", text_frame(&"x".repeat(8193)), 1009),
        ("a frame of 16 KiB and a byte", text_frame(&"x".repeat(16 * 1024 + 1)), 1009),
        (
            "a message of 16 KiB and a byte",
            [text(false, &[b'x'; 16 * 1024]), continuation(true, b"x")].concat(),
            1009,
        ),
    ]
}

/// Returns the code of the close frame that ends the stream.
fn code_at_the_end(got: &[u8]) -> Option<u16> {
    let mut rest = got;
    let mut last = None;
    while let Some((first, payload, after)) = frames::split_frame(rest) {
        last = (first == frames::CLOSE).then(|| payload.first_chunk().copied()).flatten();
        rest = after;
    }
    last.filter(|_| rest.is_empty()).map(u16::from_be_bytes)
}

fn enter(address: SocketAddr) -> TcpStream {
    connect(address, "/").unwrap().into_inner()
}

/// Reads up to the end of the stream. A reset is an error: it may have cost the close frame.
fn read_to_the_end(mut stream: TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    stream.read_to_end(&mut got).expect("the stream ends, and is not reset");
    got
}

fn read_early(address: SocketAddr, violation: &[u8]) -> Vec<u8> {
    let mut stream = enter(address);
    stream.write_all(violation).unwrap();
    read_to_the_end(stream)
}

fn read_late(address: SocketAddr, violation: &[u8]) -> Vec<u8> {
    let mut stream = enter(address);
    stream.write_all(violation).unwrap();
    // The server discards these bytes for as long as it waits for the close frame.
    stream.write_all(&text_frame("more").repeat(MORE_BYTES / 10)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    read_to_the_end(stream)
}

#[test]
fn every_violation_gets_its_close_code() {
    let program = ServerProcess::start(chinwag().args(FREE_PORTS));
    let mut observer = connect(program.websocket(), "/?nick=observer").unwrap();
    // A client that receives its text is in the room.
    observer.send(Message::text("here")).unwrap();
    assert_eq!(observer.read().unwrap(), Message::text("observer: here"));
    let violations = violations();
    for (name, violation, code) in &violations {
        let early = read_early(program.websocket(), violation);
        assert_eq!(code_at_the_end(&early), Some(*code), "{name}, read early");
        let late = read_late(program.websocket(), violation);
        assert_eq!(code_at_the_end(&late), Some(*code), "{name}, read late");
        for _ in 0..2 {
            let line = observer.read().unwrap().into_text().unwrap();
            assert!(line.ends_with(" has left."), "{name}: {line}");
        }
    }
    println!("{} violations, read early and late: each client got its code", violations.len());
}
