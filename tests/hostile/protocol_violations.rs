//! Clients that break the rules of the protocol. Each is told which, whether it reads at once or
//! only when it has sent all that it had.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};

use testkit::{
    FREE_PORTS, ServerProcess, chinwag, connect,
    frames::{self, frame, text_frame},
};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// What is sent behind the offence by those who read late.
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

/// With another first byte, or another second.
fn changed(mut frame: Vec<u8>, byte: usize, value: u8) -> Vec<u8> {
    frame[byte] = value;
    frame
}

fn offences() -> Vec<(&'static str, Vec<u8>, u16)> {
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
        ("a close frame with a code that none may send", close(&1005_u16.to_be_bytes()), 1002),
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

/// The code of the close frame that ends what the server sent.
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

/// What comes until the stream ends. A reset is no end: it may have cost the close frame.
fn read_to_the_end(mut stream: TcpStream) -> Vec<u8> {
    let mut got = Vec::new();
    stream.read_to_end(&mut got).expect("the stream ends, and is not reset");
    got
}

fn read_early(address: SocketAddr, offence: &[u8]) -> Vec<u8> {
    let mut stream = enter(address);
    stream.write_all(offence).unwrap();
    read_to_the_end(stream)
}

fn read_late(address: SocketAddr, offence: &[u8]) -> Vec<u8> {
    let mut stream = enter(address);
    stream.write_all(offence).unwrap();
    // The server lets this come for as long as it waits, so that nothing is reset under way.
    stream.write_all(&text_frame("more").repeat(MORE_BYTES / 10)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    read_to_the_end(stream)
}

#[test]
fn every_offender_is_told_the_code() {
    let program = ServerProcess::start(chinwag().args(FREE_PORTS));
    let mut witness = connect(program.websocket(), "/?nick=witness").unwrap();
    // It is in once it hears itself.
    witness.send(Message::text("here")).unwrap();
    assert_eq!(witness.read().unwrap(), Message::text("witness: here"));
    let offences = offences();
    for (name, offence, code) in &offences {
        let early = read_early(program.websocket(), offence);
        assert_eq!(code_at_the_end(&early), Some(*code), "{name}, read early");
        let late = read_late(program.websocket(), offence);
        assert_eq!(code_at_the_end(&late), Some(*code), "{name}, read late");
        for _ in 0..2 {
            let line = witness.read().unwrap().into_text().unwrap();
            assert!(line.ends_with(" has left."), "{name}: {line}");
        }
    }
    println!("{} offences, read early and late: each offender got its code", offences.len());
}
