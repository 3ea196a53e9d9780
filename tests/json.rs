//! The JSON dialect, over real sockets: requests, their answers, and what the others are told.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod support;

use std::num::NonZero;
use std::time::Duration;

use chinwag::{Event, Limits, RoomName};
use serde_json::{Value, json};
use support::json::{Scene, error};
use support::{House, config, frame};
use tungstenite::Message;
use tungstenite::protocol::frame::coding::{Data, OpCode};

#[test]
fn who_says_hello_is_welcome() {
    let mut scene = Scene::new();
    scene.play(
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
    assert_eq!(scene.known("version"), env!("CARGO_PKG_VERSION"));
    assert_ne!(scene.known("ana"), scene.known("bo"));
    for word in ["given", "given too"] {
        let given = scene.known(word);
        assert!(given.starts_with("user-") && given != "user-1", "{given}");
    }
}

#[test]
fn nothing_is_answered_before_hello_and_hello_is_said_once() {
    let mut house = House::open();
    let mut ana = house.open_json();
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
        // Whatever else is wrong with it.
        json!({"type": "search", "query": "hi"}),
        json!({"type": "join", "room": "a room"}),
        json!({"type": "say", "room": "lobby", "text": "", "id": "1"}),
    ] {
        assert_eq!(error(&ana.asked(&request)), "not_ready", "{request}");
    }
    let hello = json!({"type": "hello", "nick": "ana"});
    assert_eq!(ana.asked(&hello)["type"], "welcome");
    assert_eq!(error(&ana.asked(&hello)), "bad_request");
    ana.has_heard_all();
}

#[test]
fn an_answer_carries_the_ref_of_its_request_and_no_other() {
    let mut scene = Scene::new();
    scene.play("ana enters lobby");
    let ana = scene.client("ana");
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
        let told = ana.asked(&request);
        assert_eq!((&told["type"], told.get("ref")), (&json!(answer), None), "{request}");
        request["ref"] = json!("r-1");
        let told = ana.asked(&request);
        assert_eq!((&told["type"], &told["ref"]), (&json!(answer), &json!("r-1")), "{request}");
    }
    scene.play(
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
fn members_that_nobody_knows_are_ignored() {
    Scene::new().play(
        r#"ana opens
        ana > {"type":"hello","nick":"ana","colour":{"deep":["blue",{}]},"session":null}
        ana < {"type":"welcome","nick":"ana",...}
        ana > { "mood": 1e3, "type" : "ping", "mood": "good", "after": 7 }
        ana < {"type":"pong"}"#,
    );
}

#[test]
fn what_is_no_request_is_answered_and_the_connection_stays() {
    let mut scene = Scene::new();
    scene.play("ana enters lobby");
    let ana = scene.client("ana");
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
        ana.say(text);
        assert_eq!(error(&ana.told()), "bad_request", "{text}");
    }
    ana.has_heard_all();
}

#[test]
fn every_refusal_has_its_code() {
    let mut scene = Scene::new();
    let long = "é".repeat(4097);
    scene.play(
        r#"ana enters lobby
        bo joins
        ana < {"type":"arrived","room":"lobby","nick":"bo"}"#,
    );
    let ana = scene.client("ana");
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
        let told = ana.asked(&request);
        assert_eq!((error(&told), told.get("id")), (code, None), "{request}");
        request["ref"] = json!("r");
        assert_eq!(ana.asked(&request)["ref"], "r");
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
        let told = ana.asked(&request);
        assert_eq!((error(&told), &told["id"]), (code, &json!("1")), "{request}");
    }
    // Nothing of that was taken for said.
    let said = json!({"type": "say", "room": "lobby", "text": "x".repeat(8192), "id": "1"});
    assert_eq!(ana.asked(&said)["seq"], 1);
}

#[test]
fn what_breaks_the_rules_of_the_wire_ends_the_connection() {
    for (bytes, code) in [
        (frame(OpCode::Data(Data::Binary), true, br#"{"type":"ping"}"#), 1003),
        (frame(OpCode::Data(Data::Text), true, b"{\"type\":\"\xe9\"}"), 1007),
        (frame(OpCode::Data(Data::Text), true, &[b' '; 64 * 1024 + 1]), 1009),
        (frame(OpCode::Data(Data::Continue), true, b"{}"), 1002),
    ] {
        let mut house = House::open();
        let mut ana = house.open_json();
        ana.raw(&bytes);
        assert_eq!(ana.close_frame().0, code);
        assert_eq!(house.gone(ana.id).0, code);
    }
}

#[test]
fn a_server_that_stops_says_so_to_clients_of_json() {
    let mut house = House::open();
    let mut clients = [house.open_json(), house.open_json()];
    clients[0].asked(&json!({"type": "hello"}));
    clients[0].asked(&json!({"type": "join", "room": "lobby"}));
    let handle = house.handle.clone();
    let stopping = std::thread::spawn(move || handle.stop());
    for client in &mut clients {
        let closing = client.socket.read().unwrap();
        assert!(
            matches!(&closing, Message::Close(Some(it)) if u16::from(it.code) == 1001),
            "{closing}"
        );
        // Has the answer sent, and sees the end.
        while client.socket.read().is_ok() {}
    }
    stopping.join().unwrap();
}

#[test]
fn who_says_no_hello_in_time_is_sent_home() {
    let limits = Limits::default().hello_within(Duration::from_millis(500));
    let mut house = House::with_limits(limits);
    let mut polite = house.open_json();
    assert_eq!(polite.asked(&json!({"type": "hello"}))["type"], "welcome");
    let mut rude = house.open_json();
    assert_eq!(error(&rude.asked(&json!({"type": "ping"}))), "not_ready");
    assert_eq!(rude.close_frame().0, 4002);
    assert_eq!(house.gone(rude.id).0, 4002);
    polite.has_heard_all();
}

#[test]
fn who_asks_too_much_is_told_and_who_goes_on_is_sent_home() {
    let limits = Limits::default().burst(2).per_second(NonZero::new(1));
    let mut house = House::with(&config().limits(limits));
    let mut ana = house.open_json();
    ana.asked(&json!({"type": "hello", "nick": "ana"}));
    ana.asked(&json!({"type": "join", "room": "lobby"}));
    for id in 0..100 {
        let (id, text) = (id.to_string(), "more and more");
        ana.ask(&json!({"type": "say", "room": "lobby", "text": text, "id": id, "ref": id}));
    }
    let (mut said, mut refused) = (0, 0);
    let code = loop {
        match ana.socket.read().unwrap() {
            Message::Text(text) => {
                let event: Value = serde_json::from_str(&text).unwrap();
                if event["type"] == "message" {
                    said += 1;
                    assert_eq!(event["seq"], said, "what is refused has no number");
                    continue;
                }
                refused += 1;
                assert_eq!(error(&event), "rate_limited");
                assert!((1..=1000).contains(&event["retry_ms"].as_u64().unwrap()), "{event}");
                assert_eq!(event["id"], event["ref"]);
            }
            Message::Close(frame) => break u16::from(frame.unwrap().code),
            _ => {}
        }
    };
    assert_eq!(code, 4029);
    // Joining was the other that may be done at once.
    assert!(said >= 1 && refused >= 20, "{said} said, {refused} refused");
}

#[test]
fn the_embedder_is_told_of_clients_of_both_dialects() {
    let mut house = House::open();
    let mut ana = house.open_json();
    let (client, lobby) = (ana.id, RoomName::lobby());
    ana.asked(&json!({"type": "hello", "nick": "ana"}));
    ana.asked(&json!({"type": "join", "room": "lobby"}));
    let event = house.event();
    let Event::Joined { client: who, nickname, room, .. } = event else { panic!("{event:?}") };
    assert_eq!((who, nickname.as_str(), &room), (client, "ana", &lobby));
    let say = json!({"type": "say", "room": "lobby", "text": "hi", "id": "1"});
    for _ in 0..2 {
        assert_eq!(ana.asked(&say)["seq"], 1);
    }
    ana.asked(&json!({"type": "tell", "to": "ana", "text": "nobody else's", "id": "2"}));
    ana.asked(&json!({"type": "say", "room": "lobby", "text": "again", "id": "3"}));
    for message in [(1, "hi"), (2, "again")] {
        let event = house.event();
        let Event::Message { client: who, nickname, seq, text, .. } = event else {
            panic!("{event:?}")
        };
        assert_eq!((who, nickname.as_str(), (seq, text.as_str())), (client, "ana", message));
    }
    ana.close();
    assert!(matches!(house.event(), Event::Left { .. }));
    let event = house.event();
    let Event::Close { client: who, code, reason, .. } = event else { panic!("{event:?}") };
    assert_eq!((who, code, reason.as_str()), (client, 1005, ""));
}
