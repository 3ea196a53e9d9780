//! Rooms with clients of both dialects, and the history of the rooms.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::collections::BTreeSet;
use std::time::Duration;

use chinwag::{HistoryLimits, Limits, Nickname};
use serde_json::json;
use testkit::{
    Script, error_code,
    frames::{frame, text_frame},
    seqs,
};
use tungstenite::protocol::frame::coding::{Data, OpCode};

#[test]
fn a_client_is_in_sixteen_rooms_at_once_and_not_in_more() {
    let mut script = Script::new();
    let rooms: BTreeSet<String> = (0..16).map(|number| format!("room-{number}")).collect();
    for room in &rooms {
        script.play(&format!(
            r#"ana enters {room}
            bo enters {room}
            ana < {{"type":"arrived","room":"{room}","nick":"bo"}}"#
        ));
    }
    let ana = script.client("ana");
    let seventeenth = json!({"type": "join", "room": "room-17"});
    assert_eq!(error_code(&ana.request(&seventeenth)), "too_many_rooms");
    assert_eq!(ana.request(&json!({"type": "join", "room": "ROOM-3"}))["room"], "room-3");
    for (room, id) in rooms.iter().zip(1..) {
        let id = id.to_string();
        ana.send_json(&json!({"type": "say", "room": room, "text": "hi", "id": id}));
    }
    for who in ["ana", "bo"] {
        // There is no order between rooms.
        let told = (0..16).map(|_| script.client(who).receive_json());
        let told: BTreeSet<String> = told.map(|it| it["room"].as_str().unwrap().into()).collect();
        assert!(told.iter().eq(&rooms), "each once");
    }
    let ana = script.client("ana");
    assert_eq!(ana.request(&json!({"type": "part", "room": "room-0"}))["type"], "parted");
    assert_eq!(ana.request(&seventeenth)["type"], "joined");
}

#[test]
fn both_dialects_receive_the_same_messages() {
    Script::new().play(
        r#"ana enters lobby
        bo joins
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        bo > hello
        bo < bo: hello
        ana < {"type":"message","room":"lobby","seq":1,"time":<time>,"nick":"bo","text":"hello","id":"<made>","kind":"say"}
        ana > {"type":"say","room":"Lobby","text":"two\r\nlines \"quoted\"","id":"1"}
        ana < {"type":"message","room":"lobby","seq":2,"text":"two\nlines \"quoted\"","id":"1",...}
        bo < ana: two lines "quoted"
        ana > {"type":"say","room":"lobby","text":"waves","id":"2","kind":"me"}
        ana < {"type":"message","seq":3,"text":"waves","kind":"me",...}
        bo < ana: /me waves
        ana > {"type":"typing","room":"lobby"}
        ana > {"type":"nick","nick":"anne"}
        ana < {"type":"renamed","from":"ana","to":"anne","rooms":["lobby"]}
        cy enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"cy"}
        cy leaves
        ana < {"type":"left","room":"lobby","nick":"cy","reason":"closed"}
        bo <  .... cy has left.
        bo > 
        bo < bo: 
        ana < {"type":"message","seq":4,"nick":"bo","text":"",...}
        bo leaves
        ana < {"type":"left","room":"lobby","nick":"bo","reason":"closed"}"#,
    );
}

#[test]
fn both_dialects_receive_one_order() {
    const EACH: usize = 200;
    let mut script = Script::new();
    script.play("ana enters lobby");
    let (mut plain, mut json) = (Vec::new(), Vec::new());
    for name in ["cy", "dee"] {
        plain.push(script.server.join_at(&format!("/?nick={name}")));
    }
    for name in ["bo", "eve"] {
        let mut client = script.server.open_json();
        client.request(&json!({"type": "hello", "nick": name}));
        client.request(&json!({"type": "join", "room": "lobby"}));
        json.push(client);
    }
    // All send at once.
    for number in 0..EACH {
        for client in &mut plain {
            client.send(&number.to_string());
        }
        for client in &mut json {
            let (text, id) = (number.to_string(), format!("id-{number}"));
            client.send_json(&json!({"type": "say", "room": "lobby", "text": text, "id": id}));
        }
    }
    let all = 4 * EACH;
    let expected: Vec<String> = (0..all).map(|_| plain[0].receive()).collect();
    let second: Vec<String> = (0..all).map(|_| plain[1].receive()).collect();
    assert_eq!(second, expected);
    for client in &mut json {
        let messages = std::iter::repeat_with(|| client.receive_json());
        let messages = messages.filter(|event| event["type"] == "message").take(all);
        for (number, (message, line)) in messages.zip(&expected).enumerate() {
            assert_eq!(message["seq"], number + 1);
            let (nick, text) = (message["nick"].as_str().unwrap(), message["text"].as_str());
            assert_eq!(&format!("{nick}: {}", text.unwrap()), line);
        }
    }
}

#[test]
fn an_answer_keeps_its_place_among_the_messages_of_the_room() {
    const TEXTS: u64 = 200;
    let mut script = Script::new();
    script.play("ana enters lobby");
    let epoch = script.value("epoch").to_owned();
    let ana = script.client("ana");
    // In one write, so that the server takes many of them in one turn.
    let requests = (1..=TEXTS).flat_map(|seq| {
        let id = seq.to_string();
        let say = json!({"type": "say", "room": "lobby", "text": "hi", "id": id});
        let join = json!({"type": "join", "room": "lobby", "epoch": epoch, "after": seq});
        [say, json!({"type": "ping"}), join]
    });
    let bytes: Vec<u8> = requests.flat_map(|it| text_frame(&it.to_string())).collect();
    ana.send_bytes(&bytes);
    for seq in 1..=TEXTS {
        assert_eq!(ana.receive_json()["seq"], seq);
        assert_eq!(ana.receive_json()["type"], "pong");
        let joined = ana.receive_json();
        assert_eq!((&joined["seq"], &joined["messages"]), (&json!(seq), &json!([])));
    }
}

#[test]
fn a_room_is_told_of_joins_leaves_typing_and_new_names() {
    Script::new().play(
        r#"ana enters lobby
        bo enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        cy enters attic
        bo > {"type":"typing","room":"lobby"}
        bo > {"type":"typing","room":"lobby"}
        bo > {"type":"nick","nick":"beau"}
        bo < {"type":"renamed","from":"bo","to":"beau","rooms":["lobby"]}
        ana < {"type":"typing","room":"lobby","nick":"bo"}
        ana < {"type":"renamed","from":"bo","to":"beau","rooms":["lobby"]}
        bo > {"type":"join","room":"lobby"}
        bo < {"type":"joined","room":"lobby","epoch":"<epoch>","seq":0,"recovered":false,"messages":[],"members":["ana","beau"],"members_count":2}
        bo > {"type":"part","room":"lobby"}
        bo < {"type":"parted","room":"lobby"}
        ana < {"type":"left","room":"lobby","nick":"beau","reason":"closed"}
        ana > {"type":"say","room":"lobby","text":"alone","id":"1"}
        ana < {"type":"message","seq":1,"text":"alone",...}"#,
    );
}

#[test]
fn the_room_is_told_why_a_member_left() {
    let limits = Limits::default().grace(Duration::ZERO);
    let mut script = Script::with_limits(limits);
    script.play(
        r#"ana enters lobby
        bo enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"bo"}"#,
    );
    script.client("bo").send_bytes(&frame(OpCode::Data(Data::Binary), true, b""));
    script.play(
        r#"bo ends 1003
        ana < {"type":"left","room":"lobby","nick":"bo","reason":"error"}
        cy enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"cy"}
        cy breaks
        ana < {"type":"left","room":"lobby","nick":"cy","reason":"error"}"#,
    );
}

#[test]
fn a_silent_client_times_out() {
    let (ping_after, pong_within) = (Duration::from_millis(300), Duration::from_millis(500));
    let grace = Duration::ZERO;
    let limits = Limits::default().ping_after(ping_after).pong_within(pong_within).grace(grace);
    let mut script = Script::with_limits(limits);
    script.play(
        r#"ana enters lobby
        bo enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"bo"}"#,
    );
    // It answers pings only while it reads, which it does not do.
    assert_eq!(
        script.client("ana").receive_json(),
        json!({"type": "left", "room": "lobby", "nick": "bo", "reason": "timed_out"})
    );
}

#[test]
fn a_client_that_does_not_read_is_too_slow() {
    let stall_max = Duration::from_millis(500);
    let limits = Limits::default().stall_max(stall_max).grace(Duration::ZERO);
    let mut script = Script::with_limits(limits);
    script.play(
        r#"ana enters lobby
        bo enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"bo"}"#,
    );
    let text = "x".repeat(8000);
    let left = (1..).find_map(|id: u64| {
        let (text, id) = (&text, id.to_string());
        let say = json!({"type": "say", "room": "lobby", "text": text, "id": id});
        Some(script.client("ana").request(&say)).filter(|told| told["type"] != "message")
    });
    let reason = json!({"type": "left", "room": "lobby", "nick": "bo", "reason": "too_slow"});
    assert_eq!(left, Some(reason));
    assert_eq!(script.client("bo").close_frame().0, 4008, "it learns why when it reads again");
}

#[test]
fn a_private_message_reaches_no_third_client() {
    Script::new().play(
        r#"ana enters lobby
        bo enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        cy enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"cy"}
        bo < {"type":"arrived","room":"lobby","nick":"cy"}
        ana > {"type":"tell","to":"BO","text":"psst","id":"1"}
        ana < {"type":"private","from":"ana","to":"bo","time":<time>,"text":"psst","id":"1"}
        bo < {"type":"private","from":"ana","to":"bo","time":<time>,"text":"psst","id":"1"}
        cy > {"type":"history","room":"lobby"}
        cy < {"type":"history","room":"lobby","messages":[],"more":false}
        dee opens
        dee > {"type":"hello","nick":"dee"}
        dee < {"type":"welcome",...}
        dee > {"type":"tell","to":"cy","text":"from nowhere","id":"1"}
        dee < {"type":"private","from":"dee","to":"cy",...}
        cy < {"type":"private","from":"dee","to":"cy","text":"from nowhere",...}"#,
    );
}

#[test]
fn history_is_read_page_by_page() {
    let mut script = Script::new();
    script.play("ana enters lobby");
    let ana = script.client("ana");
    for id in 1..=120 {
        let id = id.to_string();
        ana.request(&json!({"type": "say", "room": "lobby", "text": "hi", "id": id}));
    }
    for (before, limit, pages, more) in [
        (None, None, 71..=120, true),
        (None, Some(100), 21..=120, true),
        (Some(71), Some(3), 68..=70, true),
        (Some(4), Some(3), 1..=3, false),
        (Some(4), Some(2), 2..=3, true),
        (Some(1000), Some(1), 120..=120, true),
    ] {
        let mut request = json!({"type": "history", "room": "lobby"});
        request["before"] = json!(before);
        request["limit"] = json!(limit);
        let told = ana.request(&request);
        assert_eq!(seqs(&told), pages.collect::<Vec<u64>>(), "{request}");
        assert_eq!(told["more"], more, "{request}");
    }
    let none = ana.request(&json!({"type": "history", "room": "lobby", "before": 1}));
    assert_eq!((&none["messages"], &none["more"]), (&json!([]), &json!(false)));
    let joined = ana.request(&json!({"type": "join", "room": "lobby"}));
    assert_eq!(seqs(&joined), (21..=120).collect::<Vec<u64>>());
    assert_eq!((&joined["seq"], &joined["recovered"]), (&json!(120), &json!(false)));
}

#[test]
fn a_server_may_hold_no_messages() {
    let history = HistoryLimits::default().lines_max(0);
    Script::with_limits(Limits::default().history(history)).play(
        r#"ana enters lobby
        ana > {"type":"say","room":"lobby","text":"gone with the wind","id":"1"}
        ana < {"type":"message","seq":1,"time":<time>,"text":"gone with the wind",...}
        ana > {"type":"history","room":"lobby"}
        ana < {"type":"history","room":"lobby","messages":[],"more":false}
        ana > {"type":"join","room":"lobby"}
        ana < {"type":"joined","seq":1,"recovered":false,"messages":[],...}
        ana > {"type":"join","room":"lobby","epoch":"<epoch>","after":1}
        ana < {"type":"joined","seq":1,"recovered":true,"messages":[],...}
        ana > {"type":"join","room":"lobby","epoch":"<epoch>","after":0}
        ana < {"type":"joined","seq":1,"recovered":false,"messages":[],...}
        ana > {"type":"say","room":"lobby","text":"gone with the wind","id":"1"}
        ana < {"type":"message","seq":1,"text":"gone with the wind","id":"1",...}"#,
    );
}

#[test]
fn rooms_are_listed_with_their_members() {
    let mut script = Script::new();
    script.play(
        r#"ana enters lobby
        ana enters attic
        bo joins
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        ana > {"type":"say","room":"attic","text":"dusty","id":"1"}
        ana < {"type":"message","seq":1,...}
        ana > {"type":"rooms"}
        ana < {"type":"rooms","rooms":[{"room":"attic","members":1,"seq":1},{"room":"lobby","members":2,"seq":0}],"more":false}"#,
    );
    let rooms = script.server.handle.rooms().unwrap();
    let rooms: Vec<(&str, Vec<&str>)> = rooms
        .iter()
        .map(|room| (room.name.as_str(), room.members.iter().map(Nickname::as_str).collect()))
        .collect();
    assert_eq!(rooms, [("attic", vec!["ana"]), ("lobby", vec!["ana", "bo"])]);
    script.server.stop();
    assert_eq!(script.server.handle.rooms(), Err(chinwag::Stopped));
}

#[test]
fn an_empty_room_is_held_for_its_history_until_others_are_empty() {
    let history = HistoryLimits::default().idle_rooms_max(1);
    Script::with_limits(Limits::default().history(history)).play(
        r#"ana enters attic
        ana > {"type":"say","room":"attic","text":"dusty","id":"1"}
        ana < {"type":"message","seq":1,...}
        ana > {"type":"part","room":"attic"}
        ana < {"type":"parted","room":"attic"}
        ana enters cellar
        ana > {"type":"rooms"}
        ana < {"type":"rooms","rooms":[{"room":"attic","members":0,"seq":1},{"room":"cellar","members":1,"seq":0}],"more":false}
        ana > {"type":"join","room":"attic"}
        ana < {"type":"joined","seq":1,"messages":[{"text":"dusty",...}],"members":["ana"],"members_count":1,...}
        ana > {"type":"part","room":"attic"}
        ana < {"type":"parted","room":"attic"}
        ana > {"type":"say","room":"cellar","text":"damp","id":"2"}
        ana < {"type":"message","seq":1,...}
        ana > {"type":"part","room":"cellar"}
        ana < {"type":"parted","room":"cellar"}
        ana > {"type":"rooms"}
        ana < {"type":"rooms","rooms":[{"room":"cellar","members":0,"seq":1}],"more":false}
        ana > {"type":"join","room":"attic","epoch":"<epoch>","after":0}
        ana < {"type":"joined","room":"attic","seq":1,"recovered":false,"messages":[],...}"#,
    );
}
