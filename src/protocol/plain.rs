//! The plain dialect: the tutorial's frames, byte for byte.
//!
//! Every frame of a client is a text: there are no commands. The client is sent `nick: text` and
//! ` .... nick has left.`, each in its own text frame.

use super::append_text_frame;
use crate::chat::{Kind, Message, Nickname, Notice, Text};

/// The line breaks that a text can have.
const LINE_BREAKS: [char; 3] = ['\n', '\u{2028}', '\u{2029}'];

/// Appends the notice as a frame, if it has a form in the plain dialect.
pub(crate) fn render(notice: &Notice, frames: &mut Vec<u8>) {
    match notice {
        Notice::Message(message) => append_text_frame(frames, |line| write(message, line)),
        Notice::Left { nickname, .. } => append_text_frame(frames, |line| {
            line.extend_from_slice(format!(" .... {nickname} has left.").as_bytes());
        }),
        // Only the embedder sends private messages to plain clients.
        Notice::Private { from, text, .. } => render_private(from, text, frames),
        // The tutorial has no other frames.
        _ => {}
    }
}

#[cold]
fn render_private(from: &Nickname, text: &Text, frames: &mut Vec<u8>) {
    // Not `write_in_one_line`, which the compiler inlines into `write` as long as it is used once.
    let text = text.as_str().replace(LINE_BREAKS, " ");
    append_text_frame(frames, |line| line.extend_from_slice(format!("{from}: {text}").as_bytes()));
}

fn write(message: &Message, line: &mut Vec<u8>) {
    let prefix = match message.kind {
        Kind::Say => "",
        Kind::Me => "/me ",
    };
    for part in [message.nickname.as_str(), ": ", prefix] {
        line.extend_from_slice(part.as_bytes());
    }
    write_in_one_line(message.text.as_str(), line);
}

/// Appends a text with each line break as a space, so that no client can forge a second line.
fn write_in_one_line(text: &str, line: &mut Vec<u8>) {
    // Most texts have no byte that can begin a line break, and are copied unchanged.
    let may_break = |byte: u8| (byte == b'\n') | (byte == 0xe2);
    if !text.bytes().fold(false, |any, byte| any | may_break(byte)) {
        return line.extend_from_slice(text.as_bytes());
    }
    for (index, part) in text.split(LINE_BREAKS).enumerate() {
        if index > 0 {
            line.push(b' ');
        }
        line.extend_from_slice(part.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::chat::{LeaveReason, RoomName};

    fn notice(nickname: &str, text: &str, kind: Kind) -> Notice {
        Notice::Message(Arc::new(Message {
            room: RoomName::lobby(),
            seq: 1,
            time: 0,
            nickname: Nickname::parse(nickname).unwrap(),
            text: Text::parse(text, 8192).unwrap(),
            id: None,
            kind,
        }))
    }

    fn frame_of(nickname: &str, text: &str) -> Vec<u8> {
        let mut frames = Vec::new();
        render(&notice(nickname, text, Kind::Say), &mut frames);
        frames
    }

    #[test]
    fn golden_frames() {
        assert_eq!(frame_of("ana", "hello"), b"\x81\x0aana: hello");
        assert_eq!(frame_of("ana", ""), b"\x81\x05ana: ");
        assert_eq!(frame_of("ana", "/help"), b"\x81\x0aana: /help");
        assert_eq!(frame_of("zoë", "👋"), "\u{81}\u{a}zoë: 👋".bytes().skip(1).collect::<Vec<_>>());
        let mut left = Vec::new();
        let nickname = Nickname::parse("ana").unwrap();
        let (room, reason) = (RoomName::lobby(), LeaveReason::TimedOut);
        render(&Notice::Left { room, nickname, reason }, &mut left);
        assert_eq!(left, b"\x81\x13 .... ana has left.");
        let mut doing = Vec::new();
        render(&notice("ana", "waves", Kind::Me), &mut doing);
        assert_eq!(doing, b"\x81\x0eana: /me waves");
    }

    #[test]
    fn other_notices_have_no_frame() {
        let mut frames = Vec::new();
        render(&Notice::Pong, &mut frames);
        let (room, nickname) = (RoomName::lobby(), Nickname::parse("ana").unwrap());
        render(&Notice::Arrived { room, nickname }, &mut frames);
        assert!(frames.is_empty());
    }

    #[test]
    fn a_long_text_gets_the_longer_header() {
        let frame = frame_of("ana", &"x".repeat(8192));
        assert_eq!(&frame[..9], b"\x81\x7e\x20\x05ana: ");
        assert_eq!(frame.len(), 4 + 5 + 8192);
    }

    #[test]
    fn no_text_can_forge_a_second_line() {
        assert_eq!(frame_of("ana", "a\r\nb\rc\nd"), b"\x81\x0cana: a b c d");
        assert_eq!(frame_of("ana", "a\u{2028}b\u{2029}c"), b"\x81\x0aana: a b c");
    }
}
