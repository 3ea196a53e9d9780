//! Golden tests of the JSON dialect: the exact encoding of each event, and each request parsed.

use std::sync::Arc;

use super::*;
use crate::chat::{
    Command, CommandError, Id, Joined, Kind, LeaveReason, Listing, Members, Message, NewMessage,
    NewPrivateMessage, Nickname, NicknameError, Notice, QueryError, RoomName, Since, Text, Token,
    TooLong,
};
use crate::limits::Limits;

fn server() -> ServerInfo {
    ServerInfo::new(&Limits::default(), "e1", false)
}

fn id(text: &str) -> Id {
    Id::parse(text).unwrap()
}

fn nick(name: &str) -> Nickname {
    Nickname::parse_any(name).unwrap()
}

fn text(text: &str) -> Text {
    Text::parse(text, 8192).unwrap()
}

fn token() -> Token {
    "0123456789abcdef0123456789abcdef".parse().unwrap()
}

fn lobby() -> RoomName {
    RoomName::lobby()
}

fn kitchen() -> RoomName {
    RoomName::parse("kitchen").unwrap()
}

fn plain_message() -> Arc<Message> {
    Arc::new(Message {
        room: lobby(),
        seq: 7,
        time: 1_700_000_000_123,
        nickname: nick("zoë"),
        text: text("a \"quote\"\n\\ and \u{2028}"),
        id: None,
        kind: Kind::Say,
    })
}

fn own_message() -> Arc<Message> {
    Arc::new(Message {
        room: lobby(),
        seq: 8,
        time: 1_700_000_000_124,
        nickname: nick("bo"),
        text: text("waves 👋"),
        id: Some(id("m-1")),
        kind: Kind::Me,
    })
}

const PLAIN_MESSAGE: &str = "\"room\":\"lobby\",\"seq\":7,\"time\":1700000000123,\"nick\":\"zoë\",\
    \"text\":\"a \\\"quote\\\"\\n\\\\ and \u{2028}\",\"id\":\"plain-7\",\"kind\":\"say\"";
const OWN_MESSAGE: &str = "\"room\":\"lobby\",\"seq\":8,\"time\":1700000000124,\"nick\":\"bo\",\
    \"text\":\"waves 👋\",\"id\":\"m-1\",\"kind\":\"me\"";

/// The event, but for the braces.
#[track_caller]
fn written(notice: &Notice, expected: &str) {
    assert_eq!(render(notice, &server()), format!("{{{expected}}}"));
    let with_reference = format!("{{{expected},\"ref\":\"r1\"}}");
    let tags = RequestTags { reference: Some(id("r1")), id: None };
    assert_eq!(reply(notice, &tags, &server()), with_reference);
    assert_eq!(reply(notice, &RequestTags::default(), &server()), render(notice, &server()));
}

#[test]
fn welcome_tells_the_limits() {
    let (session, nickname) = (token(), nick("ana"));
    let expected = format!(
        "\"type\":\"welcome\",\"server\":{{\"name\":\"chinwag\",\"version\":\"{}\"}},\
         \"epoch\":\"e1\",\"session\":\"0123456789abcdef0123456789abcdef\",\"nick\":\"ana\",\
         \"resumed\":true,\"search\":false,\"limits\":{{\"text_bytes\":8192,\"nick_graphemes\":24,\"rooms\":16,\
         \"burst\":10,\"per_second\":4}}",
        env!("CARGO_PKG_VERSION")
    );
    written(&Notice::Welcome { session, nickname, resumed: true }, &expected);
}

#[test]
fn messages_are_encoded() {
    let said = |message| Notice::Message(message);
    written(&said(plain_message()), &format!("\"type\":\"message\",{PLAIN_MESSAGE}"));
    written(&said(own_message()), &format!("\"type\":\"message\",{OWN_MESSAGE}"));
    let (from, to, text, id) = (nick("ana"), nick("bo"), text("psst"), id("m-2"));
    written(
        &Notice::Private { from, to, time: 5, text, id },
        r#""type":"private","from":"ana","to":"bo","time":5,"text":"psst","id":"m-2""#,
    );
    let messages = vec![plain_message(), own_message()];
    written(
        &Notice::History { room: lobby(), messages, more: true },
        &format!(
            "\"type\":\"history\",\"room\":\"lobby\",\
             \"messages\":[{{{PLAIN_MESSAGE}}},{{{OWN_MESSAGE}}}],\"more\":true"
        ),
    );
}

#[test]
fn arrivals_and_departures_are_encoded() {
    let joined = Joined {
        room: lobby(),
        seq: 8,
        recovered: true,
        messages: vec![own_message()],
        more: false,
        members: Members { nicknames: vec![nick("zoë"), nick("user-5")], count: 700 },
    };
    let joined_members = "\"members\":[\"zoë\",\"user-5\"],\"members_count\":700";
    let more = Joined { recovered: false, messages: vec![], more: true, ..joined.clone() };
    written(
        &Notice::Joined(Box::new(more)),
        &format!(
            "\"type\":\"joined\",\"room\":\"lobby\",\"epoch\":\"e1\",\"seq\":8,\
             \"recovered\":false,\"messages\":[],\"more\":true,{joined_members}"
        ),
    );
    written(
        &Notice::Members { room: lobby(), members: joined.members.clone(), more: true },
        &format!("\"type\":\"members\",\"room\":\"lobby\",{joined_members},\"more\":true"),
    );
    written(
        &Notice::Joined(Box::new(joined)),
        &format!(
            "\"type\":\"joined\",\"room\":\"lobby\",\"epoch\":\"e1\",\"seq\":8,\
             \"recovered\":true,\"messages\":[{{{OWN_MESSAGE}}}],{joined_members}"
        ),
    );
    let (room, nickname) = (lobby(), nick("ana"));
    written(&Notice::Parted { room: lobby() }, r#""type":"parted","room":"lobby""#);
    written(&Notice::Arrived { room, nickname }, r#""type":"arrived","room":"lobby","nick":"ana""#);
    for (reason, name) in [
        (LeaveReason::Closed, "closed"),
        (LeaveReason::TimedOut, "timed_out"),
        (LeaveReason::TooSlow, "too_slow"),
        (LeaveReason::Error, "error"),
    ] {
        written(
            &Notice::Left { room: lobby(), nickname: nick("ana"), reason },
            &format!("\"type\":\"left\",\"room\":\"lobby\",\"nick\":\"ana\",\"reason\":\"{name}\""),
        );
    }
    let (from, to, rooms) = (nick("ana"), nick("anne"), vec![lobby(), kitchen()]);
    written(
        &Notice::Renamed { from, to, rooms },
        r#""type":"renamed","from":"ana","to":"anne","rooms":["lobby","kitchen"]"#,
    );
    let (room, nickname) = (lobby(), nick("ana"));
    written(&Notice::Typing { room, nickname }, r#""type":"typing","room":"lobby","nick":"ana""#);
}

#[test]
fn the_size_of_a_message_is_predicted() {
    let texts = ["", "hi", "\"\"\\ \n\t", "你好 👋🏽 \u{2028}\u{7f}", &"\"".repeat(8192)];
    let numbers = [0, 1, 9, 10, 99, 1_750_000_000_000, u64::MAX];
    let names = ["ana", "\"a\\b\"", "zoë"];
    for (text, number) in texts.iter().zip(numbers.iter().cycle()) {
        for (name, own) in names.iter().zip([Some("\"m-1\\"), None, Some("m")]) {
            let message = Message {
                room: RoomName::parse("кухня-2").unwrap(),
                seq: *number,
                time: *number,
                nickname: nick(name),
                text: Text::parse(text, 8192).unwrap(),
                id: own.map(id),
                kind: if own.is_some() { Kind::Me } else { Kind::Say },
            };
            let (bytes, message) = (message.wire_bytes(), Arc::new(message));
            let page = |messages| {
                let notice = Notice::History { room: lobby(), messages, more: false };
                render(&notice, &server()).len()
            };
            let two = page(vec![message.clone(), message.clone()]);
            assert_eq!(bytes, two - page(vec![message.clone()]), "{message:?}");
        }
    }
}

#[test]
fn small_answers_are_encoded() {
    written(&Notice::Pong, r#""type":"pong""#);
    let listing = |room, members, seq| Listing { room, members, seq };
    written(
        &Notice::Rooms {
            rooms: vec![listing(kitchen(), 0, 3), listing(lobby(), 2, 8)],
            more: true,
        },
        "\"type\":\"rooms\",\"rooms\":[{\"room\":\"kitchen\",\"members\":0,\"seq\":3},\
         {\"room\":\"lobby\",\"members\":2,\"seq\":8}],\"more\":true",
    );
}

#[test]
fn every_refusal_has_its_code() {
    for (refused, code, message) in [
        (CommandError::NotReady, "not_ready", "say hello first"),
        (CommandError::HelloAgain, "bad_request", "hello is said once"),
        (
            CommandError::NickTaken(nick("bo")),
            "nick_taken",
            "bo is taken, or looks like a name that is",
        ),
        (CommandError::NotInRoom(lobby()), "not_in_room", "you are not in lobby"),
        (
            CommandError::TooManyRooms(16),
            "too_many_rooms",
            "you are in 16 rooms already, which is as many as can be",
        ),
        (CommandError::NoSuchNick(nick("bo")), "no_such_nick", "nobody here is called bo"),
        (
            CommandError::NoPrivateMessages(nick("bo")),
            "unavailable",
            "bo has a simple client, which cannot get private messages",
        ),
    ] {
        let expected = format!("\"type\":\"error\",\"code\":\"{code}\",\"message\":\"{message}\"");
        let notice = Notice::Error(refused);
        written(&notice, &expected);
        let tags = RequestTags { reference: Some(id("r1")), id: Some(id("m-1")) };
        let tagged = format!("{{{expected},\"id\":\"m-1\",\"ref\":\"r1\"}}");
        assert_eq!(reply(&notice, &tags, &server()), tagged);
    }
}

#[test]
fn every_request_error_has_its_code() {
    for (wrong, expected) in [
        (
            RequestError::BadRequest("limit is 1 to 100".to_owned()),
            r#""code":"bad_request","message":"limit is 1 to 100""#,
        ),
        (
            RequestError::UnknownType("dance".to_owned()),
            r#""code":"unknown_type","message":"there is no request of type \"dance\"""#,
        ),
        (
            RequestError::NickInvalid(NicknameError::Length),
            r#""code":"nick_invalid","message":"a nickname has 1 to 24 characters""#,
        ),
        (
            RequestError::RoomInvalid,
            r#""code":"room_invalid","message":"the name of a room is 1 to 32 letters, digits, - or _""#,
        ),
        (
            RequestError::TooLong(TooLong { max: 8192 }),
            r#""code":"too_long","message":"the text is longer than 8192 bytes""#,
        ),
        (RequestError::Empty, r#""code":"empty","message":"there is nothing in it""#),
        (
            RequestError::NoSuchNick("b:".to_owned()),
            r#""code":"no_such_nick","message":"nobody here is called b:""#,
        ),
        (
            RequestError::Query(QueryError::TooLong),
            r#""code":"too_long","message":"what is searched for is longer than 256 bytes""#,
        ),
        (
            RequestError::RateLimited { retry_ms: 250 },
            r#""code":"rate_limited","message":"too much at once; try again in 250 ms","retry_ms":250"#,
        ),
    ] {
        let plain = format!("{{\"type\":\"error\",{expected}}}");
        assert_eq!(error(&wrong, &RequestTags::default()), plain);
        let (head, retry) = match expected.find(",\"retry_ms\"") {
            Some(at) => expected.split_at(at),
            None => (expected, ""),
        };
        let tags = RequestTags { reference: Some(id("r1")), id: Some(id("m-1")) };
        let tagged = format!("{{\"type\":\"error\",{head},\"id\":\"m-1\"{retry},\"ref\":\"r1\"}}");
        assert_eq!(error(&wrong, &tags), tagged);
    }
}

#[test]
fn every_request_is_parsed() {
    let since = |after| Some(Since { epoch: "e1".to_owned(), after });
    let said =
        |kind| Command::Say(NewMessage { room: lobby(), text: text("hi\n"), id: id("m-1"), kind });
    let history = |before, limit| Command::History { room: lobby(), before, limit };
    let rooms = |after, limit| Command::Rooms { after, limit };
    let members = |after| Command::Members { room: lobby(), after };
    for (frame, command) in [
        (r#"{"type":"hello"}"#, Command::Hello { wish: None, session: None }),
        (
            r#"{"type":"hello","nick":"Ana","session":"0123456789abcdef0123456789abcdef","password":"x"}"#,
            Command::Hello { wish: Some(nick("Ana")), session: Some(token()) },
        ),
        (
            r#"{"type":"hello","nick":"user-1","session":"gone"}"#,
            Command::Hello { wish: None, session: None },
        ),
        (r#"{"type":"join","room":"Lobby"}"#, Command::Join { room: lobby(), since: None }),
        (
            r#"{"type":"join","room":"lobby","epoch":"e1","after":0}"#,
            Command::Join { room: lobby(), since: since(0) },
        ),
        (
            r#"{"after":18446744073709551615,"epoch":"e1","room":"lobby","type":"join"}"#,
            Command::Join { room: lobby(), since: since(u64::MAX) },
        ),
        (
            r#"{"type":"join","room":"lobby","after":5}"#,
            Command::Join { room: lobby(), since: None },
        ),
        (r#"{"type":"part","room":"lobby"}"#, Command::Part { room: lobby() }),
        (r#"{"type":"say","room":"lobby","text":"hi\n","id":"m-1"}"#, said(Kind::Say)),
        (
            r#"{"type":"say","room":"lobby","text":"\u0068i\r\n","id":"m-1","kind":"say"}"#,
            said(Kind::Say),
        ),
        (
            r#" {"type":"say","room":"lobby","text":"hi\n","id":"m-1","kind":"me","to":null} "#,
            said(Kind::Me),
        ),
        (
            r#"{"type":"tell","to":"user-5","text":"psst","id":"m-2"}"#,
            Command::Tell(NewPrivateMessage {
                to: nick("user-5"),
                text: text("psst"),
                id: id("m-2"),
            }),
        ),
        (r#"{"type":"nick","nick":"Zoe\u0308"}"#, Command::Nick { nickname: nick("Zoë") }),
        (r#"{"type":"typing","room":"lobby"}"#, Command::Typing { room: lobby() }),
        (r#"{"type":"history","room":"lobby"}"#, history(None, 50)),
        (r#"{"type":"history","room":"lobby","before":9,"limit":100}"#, history(Some(9), 100)),
        (r#"{"type":"rooms","unknown":[{"deep":1e999}]}"#, rooms(None, 100)),
        (r#"{"type":"rooms","after":"Lobby","limit":7}"#, rooms(Some(lobby()), 7)),
        (r#"{"type":"members","room":"lobby"}"#, members(None)),
        (r#"{"type":"members","room":"lobby","after":"Zoe\u0308"}"#, members(Some(nick("Zoë")))),
        (r#"{"type":"ping"}"#, Command::Ping),
    ] {
        let request = parse(frame, 8192);
        let name = match &command {
            Command::Say(NewMessage { id, .. }) | Command::Tell(NewPrivateMessage { id, .. }) => {
                Some(id.clone())
            }
            _ => None,
        };
        let tags = RequestTags { reference: None, id: name.clone() };
        assert_eq!(request, ParsedRequest { tags, command: Ok(command) }, "{frame}");
        let with_reference = frame.trim().replacen('{', "{\"ref\":\"r1\",", 1);
        let again = parse(&with_reference, 8192);
        assert_eq!(
            again,
            ParsedRequest { tags: RequestTags { reference: Some(id("r1")), id: name }, ..request },
            "{with_reference}"
        );
    }
}

#[test]
fn malformed_requests_get_the_right_error() {
    let bad = |message: &str| RequestError::BadRequest(message.to_owned());
    let long = "x".repeat(11);
    let too_long =
        format!("{{\"type\":\"say\",\"room\":\"lobby\",\"id\":\"m-1\",\"text\":\"{long}\"}}");
    for (frame, expected) in [
        ("{}", bad("the member type is missing")),
        (r#"{"type":"dance"}"#, RequestError::UnknownType("dance".to_owned())),
        (r#"{"type":"join"}"#, bad("the member room is missing")),
        (
            r#"{"type":"join","room":"lobby","epoch":"e1","after":"5"}"#,
            bad("after is the number of a message"),
        ),
        (r#"{"type":"rooms","after":5}"#, bad("after is a name")),
        (r#"{"type":"rooms","after":"a b"}"#, RequestError::RoomInvalid),
        (r#"{"type":"rooms","limit":101}"#, bad("limit is 1 to 100")),
        (
            r#"{"type":"members","room":"lobby","after":""}"#,
            RequestError::NoSuchNick(String::new()),
        ),
        (r#"{"type":"join","room":"a b"}"#, RequestError::RoomInvalid),
        (r#"{"type":"nick","nick":"user-1"}"#, RequestError::NickInvalid(NicknameError::Reserved)),
        (r#"{"type":"nick"}"#, bad("the member nick is missing")),
        (
            r#"{"type":"say","room":"lobby","text":"hi","id":"a b"}"#,
            bad("id is 1 to 64 visible ASCII characters"),
        ),
        (
            r#"{"type":"say","room":"lobby","text":"hi","id":"m-1","kind":"shout"}"#,
            bad("kind is say or me"),
        ),
        (r#"{"type":"say","room":"lobby","text":"\u0007","id":"m-1"}"#, RequestError::Empty),
        (&too_long, RequestError::TooLong(TooLong { max: 10 })),
        (
            r#"{"type":"tell","to":"","text":"hi","id":"m-1"}"#,
            RequestError::NoSuchNick(String::new()),
        ),
        (r#"{"type":"history","room":"lobby","limit":0}"#, bad("limit is 1 to 100")),
        (r#"{"type":"history","room":"lobby","limit":101}"#, bad("limit is 1 to 100")),
        (r#"{"type":"search","query":"?!"}"#, RequestError::Query(QueryError::Empty)),
        (r#"{"type":"ping","ref":""}"#, bad("ref is 1 to 64 visible ASCII characters")),
    ] {
        let request = parse(frame, 10);
        assert_eq!(request.command, Err(expected), "{frame}");
    }
}
