//! The JSON dialect over real sockets: requests, answers, and events for other clients.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::num::NonZero;
use std::time::Duration;

use chinwag::{Event, Limits, RoomName};
use serde_json::{Value, json};
use testkit::{Script, TestServer, config, error_code, frames::frame};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::{Data, OpCode};

#[test]
fn hello_is_answered_with_welcome() {
    let mut script = Script::new();
    script.play(
        r#"ana opens
        ana > {"type":"hello","nick":"ana","ref":"h"}
        ana < {"type":"welcome","ref":"h","server":{"name":"chinwag","version":"<version>"},"epoch":"<epoch>","session":"<ana>","nick":"ana","resumed":false,"search":false,"limits":{"text_bytes":8192,"nick_graphemes":24,"rooms":16,"burst":10,"per_second":0}}
        bo opens
        bo > {"type":"hello","nick":"ANA","session":"<epoch>"}
        bo < {"type":"welcome","epoch":"<epoch>","session":"<bo>","nick":"<given>","resumed":false,...}
        cy opens
        cy > {"type":"hello","nick":"user-1","session":"none"}
        cy < {"type":"welcome","epoch":"<epoch>","session":"<cy>","nick":"<given too>","resumed":false,...}"#,
    );
    assert_eq!(script.value("version"), env!("CARGO_PKG_VERSION"));
    assert_ne!(script.value("ana"), script.value("bo"));
    for word in ["given", "given too"] {
        let given = script.value(word);
        assert!(given.starts_with("user-") && given != "user-1", "{given}");
    }
}

#[test]
fn nothing_is_answered_before_hello_and_hello_is_said_once() {
    let mut server = TestServer::start();
    let mut ana = server.open_json();
    for request in [
        json!({"type": "join", "room": "lobby"}),
        json!({"type": "part", "room": "lobby"}),
        json!({"type": "say", "room": "lobby", "text": "hi", "id": "1"}),
        json!({"type": "tell", "to": "ana", "text": "hi", "id": "1"}),
        json!({"type": "nick", "nick": "ana"}),
        json!({"type": "typing", "room": "lobby"}),
        json!({"type": "history", "room": "lobby"}),
        json!({"type": "rooms"}),
        json!({"type": "ping"}),
        // Whatever else is invalid in it.
        json!({"type": "search", "query": "hi"}),
        json!({"type": "join", "room": "a room"}),
        json!({"type": "say", "room": "lobby", "text": "", "id": "1"}),
    ] {
        assert_eq!(error_code(&ana.request(&request)), "not_ready", "{request}");
    }
    let hello = json!({"type": "hello", "nick": "ana"});
    assert_eq!(ana.request(&hello)["type"], "welcome");
    assert_eq!(error_code(&ana.request(&hello)), "bad_request");
    ana.has_received_all();
}

#[test]
fn an_answer_carries_the_ref_of_its_request_and_no_other() {
    let mut script = Script::new();
    script.play("ana enters lobby");
    let ana = script.client("ana");
    for (mut request, answer) in [
        (json!({"type": "hello"}), "error"),
        (json!({"type": "join", "room": "attic"}), "joined"),
        (json!({"type": "tell", "to": "ana", "text": "hi", "id": "1"}), "private"),
        (json!({"type": "nick", "nick": "ana"}), "renamed"),
        (json!({"type": "history", "room": "attic"}), "history"),
        (json!({"type": "rooms"}), "rooms"),
        (json!({"type": "ping"}), "pong"),
        (json!({"type": "search", "query": "hi"}), "error"),
        (json!({"type": "dance"}), "error"),
        (json!({"type": "say", "room": "attic", "text": "", "id": "2"}), "error"),
        (json!({"type": "typing", "room": "cellar"}), "error"),
        (json!({"type": "history", "room": 7}), "error"),
    ] {
        let told = ana.request(&request);
        assert_eq!((&told["type"], told.get("ref")), (&json!(answer), None), "{request}");
        request["ref"] = json!("r-1");
        let told = ana.request(&request);
        assert_eq!((&told["type"], &told["ref"]), (&json!(answer), &json!("r-1")), "{request}");
    }
    script.play(
        r#"bo enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        ana > {"type":"say","room":"lobby","text":"hi","id":"3","ref":"r-2"}
        ana < {"type":"message","room":"lobby","seq":1,"time":<time>,"nick":"ana","text":"hi","id":"3","kind":"say"}
        bo < {"type":"message","room":"lobby","seq":1,"time":<time>,"nick":"ana","text":"hi","id":"3","kind":"say"}
        ana > {"type":"tell","to":"bo","text":"hi","id":"4","ref":"r-3"}
        ana < {"type":"private","from":"ana","to":"bo","time":<time>,"text":"hi","id":"4","ref":"r-3"}
        bo < {"type":"private","from":"ana","to":"bo","time":<time>,"text":"hi","id":"4"}
        ana > {"type":"nick","nick":"anne","ref":"r-4"}
        ana < {"type":"renamed","from":"ana","to":"anne","rooms":["lobby","attic"],"ref":"r-4"}
        bo < {"type":"renamed","from":"ana","to":"anne","rooms":["lobby","attic"]}
        ana > {"type":"part","room":"lobby","ref":"r-5"}
        ana < {"type":"parted","room":"lobby","ref":"r-5"}
        bo < {"type":"left","room":"lobby","nick":"anne","reason":"closed"}"#,
    );
}

#[test]
fn unknown_members_of_a_request_are_ignored() {
    Script::new().play(
        r#"ana opens
        ana > {"type":"hello","nick":"ana","colour":{"deep":["blue",{}]},"session":null}
        ana < {"type":"welcome","nick":"ana",...}
        ana > { "mood": 1e3, "type" : "ping", "mood": "good", "after": 7 }
        ana < {"type":"pong"}"#,
    );
}

#[test]
fn an_invalid_request_is_answered_and_the_connection_stays() {
    let mut script = Script::new();
    script.play("ana enters lobby");
    let ana = script.client("ana");
    let long = format!(r#"{{"type":"ping","ref":"{}"}}"#, "r".repeat(65));
    let deep = format!(r#"{{"type":"ping","x":{}}}"#, "[".repeat(5000));
    for text in [
        "",
        "hello",
        "{",
        "[]",
        "null",
        "{}",
        r#"{"type":5}"#,
        r#"{"type":null}"#,
        r#"{"type":"ping"} and more"#,
        r#"{"type":"ping","type":"ping"}"#,
        "{\"type\":\"p\u{0}ing\"}",
        r#"{"type":"ping","ref":""}"#,
        r#"{"type":"ping","ref":"a b"}"#,
        r#"{"type":"ping","ref":5}"#,
        r#"{"type":"\ud800"}"#,
        &long,
        &deep,
        r#"{"type":"join"}"#,
        r#"{"type":"join","room":["lobby"]}"#,
        r#"{"type":"join","room":"lobby","epoch":"e","after":-1}"#,
        r#"{"type":"history","room":"lobby","limit":0}"#,
        r#"{"type":"history","room":"lobby","limit":101}"#,
        r#"{"type":"history","room":"lobby","limit":1.5}"#,
        r#"{"type":"history","room":"lobby","before":99999999999999999999}"#,
        r#"{"type":"say","room":"lobby","text":"hi"}"#,
        r#"{"type":"say","room":"lobby","text":"hi","id":""}"#,
        r#"{"type":"say","room":"lobby","text":"hi","id":"ä"}"#,
        r#"{"type":"say","room":"lobby","text":"hi","id":"1","kind":"shout"}"#,
        r#"{"type":"say","room":"lobby","id":"1"}"#,
        r#"{"type":"tell","text":"hi","id":"1"}"#,
        r#"{"type":"nick"}"#,
    ] {
        ana.send(text);
        assert_eq!(error_code(&ana.receive_json()), "bad_request", "{text}");
    }
    ana.has_received_all();
}

#[test]
fn every_refusal_has_its_code() {
    let mut script = Script::new();
    let long = "é".repeat(4097);
    script.play(
        r#"ana enters lobby
        bo joins
        ana < {"type":"arrived","room":"lobby","nick":"bo"}"#,
    );
    let ana = script.client("ana");
    for (mut request, code) in [
        (json!({"type": "dance"}), "unknown_type"),
        (json!({"type": "nick", "nick": "bo"}), "nick_taken"),
        (json!({"type": "nick", "nick": "ВО"}), "nick_taken"),
        (json!({"type": "nick", "nick": ""}), "nick_invalid"),
        (json!({"type": "nick", "nick": "user-5"}), "nick_invalid"),
        (json!({"type": "nick", "nick": "x".repeat(25)}), "nick_invalid"),
        (json!({"type": "nick", "nick": "Jos\u{fffd}"}), "nick_invalid"),
        (json!({"type": "nick", "nick": "bo\u{2800}"}), "nick_invalid"),
        (json!({"type": "nick", "nick": "bo∶ send"}), "nick_invalid"),
        (json!({"type": "join", "room": "a room"}), "room_invalid"),
        (json!({"type": "part", "room": "attic"}), "not_in_room"),
        (json!({"type": "typing", "room": "attic"}), "not_in_room"),
        (json!({"type": "history", "room": "attic"}), "not_in_room"),
        (json!({"type": "search", "query": "hi"}), "unavailable"),
    ] {
        let told = ana.request(&request);
        assert_eq!((error_code(&told), told.get("id")), (code, None), "{request}");
        request["ref"] = json!("r");
        assert_eq!(ana.request(&request)["ref"], "r");
    }
    for (request, code) in [
        (json!({"type": "say", "room": "lobby", "text": long, "id": "1"}), "too_long"),
        (json!({"type": "tell", "to": "ana", "text": long, "id": "1"}), "too_long"),
        (json!({"type": "say", "room": "attic", "text": "hi", "id": "1"}), "not_in_room"),
        (json!({"type": "say", "room": "", "text": "hi", "id": "1"}), "room_invalid"),
        (
            json!({"type": "say", "room": "lobby", "text": "hi", "id": "1", "kind": 7}),
            "bad_request",
        ),
        (json!({"type": "say", "room": "lobby", "text": "", "id": "1"}), "empty"),
        (json!({"type": "say", "room": "lobby", "text": "\u{202e}\u{0}", "id": "1"}), "empty"),
        (json!({"type": "say", "room": "lobby", "text": " \n\t", "id": "1"}), "empty"),
        (json!({"type": "say", "room": "lobby", "text": "\u{200b}", "id": "1"}), "empty"),
        (json!({"type": "say", "room": "lobby", "text": "\u{2800}\u{fe0f}", "id": "1"}), "empty"),
        (json!({"type": "tell", "to": "ana", "text": "\u{3164}", "id": "1"}), "empty"),
        (json!({"type": "tell", "to": "cy", "text": "hi", "id": "1"}), "no_such_nick"),
        (json!({"type": "tell", "to": "a\nb", "text": "hi", "id": "1"}), "no_such_nick"),
        (json!({"type": "tell", "to": "bo", "text": "hi", "id": "1"}), "unavailable"),
    ] {
        let told = ana.request(&request);
        assert_eq!((error_code(&told), &told["id"]), (code, &json!("1")), "{request}");
    }
    // No text of these was accepted.
    let said = json!({"type": "say", "room": "lobby", "text": "x".repeat(8192), "id": "1"});
    assert_eq!(ana.request(&said)["seq"], 1);
}

#[test]
fn a_protocol_violation_ends_the_connection() {
    for (bytes, code) in [
        (frame(OpCode::Data(Data::Binary), true, br#"{"type":"ping"}"#), 1003),
        (frame(OpCode::Data(Data::Text), true, b"{\"type\":\"\xe9\"}"), 1007),
        (frame(OpCode::Data(Data::Text), true, &[b' '; 64 * 1024 + 1]), 1009),
        (frame(OpCode::Data(Data::Continue), true, b"{}"), 1002),
    ] {
        let mut server = TestServer::start();
        let mut ana = server.open_json();
        ana.send_bytes(&bytes);
        assert_eq!(ana.close_frame().0, code);
        assert_eq!(server.wait_for_close(ana.id()).0, code);
    }
}

#[test]
fn a_server_that_stops_tells_json_clients() {
    let mut server = TestServer::start();
    let mut clients = [server.open_json(), server.open_json()];
    clients[0].request(&json!({"type": "hello"}));
    clients[0].request(&json!({"type": "join", "room": "lobby"}));
    let handle = server.handle.clone();
    let stopping = std::thread::spawn(move || handle.stop());
    for client in &mut clients {
        let closing = client.socket.read().unwrap();
        assert!(
            matches!(&closing, Message::Close(Some(it)) if u16::from(it.code) == 1001),
            "{closing}"
        );
        // Sends the answer and reads the end.
        while client.socket.read().is_ok() {}
    }
    stopping.join().unwrap();
}

#[test]
fn a_client_without_a_hello_in_time_is_closed() {
    let limits = Limits::default().hello_within(Duration::from_millis(500));
    let mut server = TestServer::start_with_limits(limits);
    let mut polite = server.open_json();
    assert_eq!(polite.request(&json!({"type": "hello"}))["type"], "welcome");
    let mut rude = server.open_json();
    assert_eq!(error_code(&rude.request(&json!({"type": "ping"}))), "not_ready");
    assert_eq!(rude.close_frame().0, 4002);
    assert_eq!(server.wait_for_close(rude.id()).0, 4002);
    polite.has_received_all();
}

#[test]
fn a_client_over_its_rate_limit_is_told_and_then_closed() {
    let limits = Limits::default().burst(2).per_second(NonZero::new(1));
    let mut server = TestServer::start_with(&config().limits(limits));
    let mut ana = server.open_json();
    ana.request(&json!({"type": "hello", "nick": "ana"}));
    ana.request(&json!({"type": "join", "room": "lobby"}));
    for id in 0..100 {
        let (id, text) = (id.to_string(), "more and more");
        ana.send_json(&json!({"type": "say", "room": "lobby", "text": text, "id": id, "ref": id}));
    }
    let (mut said, mut refused) = (0, 0);
    let code = loop {
        match ana.socket.read().unwrap() {
            Message::Text(text) => {
                let event: Value = serde_json::from_str(&text).unwrap();
                if event["type"] == "message" {
                    said += 1;
                    assert_eq!(event["seq"], said, "a refused message has no number");
                    continue;
                }
                refused += 1;
                assert_eq!(error_code(&event), "rate_limited");
                assert!((1..=1000).contains(&event["retry_ms"].as_u64().unwrap()), "{event}");
                assert_eq!(event["id"], event["ref"]);
            }
            Message::Close(frame) => break u16::from(frame.unwrap().code),
            _ => {}
        }
    };
    assert_eq!(code, 4029);
    // The join was the second request of the burst.
    assert!(said >= 1 && refused >= 20, "{said} said, {refused} refused");
}

#[test]
fn the_embedder_is_told_of_clients_of_both_dialects() {
    let mut server = TestServer::start();
    let mut ana = server.open_json();
    let (client, lobby) = (ana.id(), RoomName::lobby());
    ana.request(&json!({"type": "hello", "nick": "ana"}));
    ana.request(&json!({"type": "join", "room": "lobby"}));
    let event = server.next_event();
    let Event::Joined { client: of, nickname, room, .. } = event else { panic!("{event:?}") };
    assert_eq!((of, nickname.as_str(), &room), (client, "ana", &lobby));
    let say = json!({"type": "say", "room": "lobby", "text": "hi", "id": "1"});
    for _ in 0..2 {
        assert_eq!(ana.request(&say)["seq"], 1);
    }
    ana.request(&json!({"type": "tell", "to": "ana", "text": "nobody else's", "id": "2"}));
    ana.request(&json!({"type": "say", "room": "lobby", "text": "again", "id": "3"}));
    for message in [(1, "hi"), (2, "again")] {
        let event = server.next_event();
        let Event::Message { client: of, nickname, seq, text, .. } = event else {
            panic!("{event:?}")
        };
        assert_eq!((of, nickname.as_str(), (seq, text.as_str())), (client, "ana", message));
    }
    ana.close();
    assert!(matches!(server.next_event(), Event::Left { .. }));
    let event = server.next_event();
    let Event::Close { client: of, code, reason, .. } = event else { panic!("{event:?}") };
    assert_eq!((of, code, reason.as_str()), (client, 1005, ""));
}
