//! Connections of the JSON dialect that break and are resumed: unseen by the others, with no
//! message lost and none twice.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::time::{Duration, Instant};

use chinwag::{Event, HistoryLimits, Limits};
use serde_json::{Value, json};
use testkit::{Client, DEADLINE, Script, TestServer, error_code, frames::text_frame, seqs};
use tungstenite::Message;

#[test]
fn a_newer_connection_of_a_session_takes_over_unseen() {
    Script::new().play(
        r#"ana enters lobby
        bo enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        bo enters attic
        cy joins
        ana < {"type":"arrived","room":"lobby","nick":"cy"}
        bo < {"type":"arrived","room":"lobby","nick":"cy"}
        newer-bo opens
        newer-bo > {"type":"hello","session":"<bo>","nick":"another"}
        newer-bo < {"type":"welcome","session":"<bo>","epoch":"<epoch>","nick":"bo","resumed":true,...}
        bo ends 4001
        ana > {"type":"say","room":"lobby","text":"are you there?","id":"1"}
        ana < {"type":"message","seq":1,...}
        cy < ana: are you there?
        newer-bo > {"type":"say","room":"lobby","text":"not before I join","id":"1"}
        newer-bo < {"type":"error","code":"not_in_room","message":"<any>","id":"1"}
        newer-bo > {"type":"join","room":"lobby","epoch":"<epoch>","after":0}
        newer-bo < {"type":"joined","seq":1,"recovered":true,"messages":[{"seq":1,"text":"are you there?",...}],"members":["ana","bo","cy"],"members_count":3,...}
        newer-bo > {"type":"say","room":"lobby","text":"I am","id":"1"}
        newer-bo < {"type":"message","seq":2,"nick":"bo","text":"I am",...}
        ana < {"type":"message","seq":2,"nick":"bo","text":"I am",...}
        cy < bo: I am"#,
    );
}

#[test]
fn a_broken_connection_is_resumed_unseen_and_completely() {
    Script::new().play(
        r#"ana enters lobby
        bo enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        ana > {"type":"say","room":"lobby","text":"one","id":"1"}
        ana < {"type":"message","seq":1,...}
        bo < {"type":"message","seq":1,...}
        bo breaks
        ana > {"type":"say","room":"lobby","text":"two","id":"2"}
        ana < {"type":"message","seq":2,...}
        ana > {"type":"say","room":"lobby","text":"three","id":"3"}
        ana < {"type":"message","seq":3,...}
        ana > {"type":"nick","nick":"bo"}
        ana < {"type":"error","code":"nick_taken","message":"<any>"}
        ana > {"type":"join","room":"lobby"}
        ana < {"type":"joined","members":["ana","bo"],"members_count":2,...}
        bo opens
        bo > {"type":"hello","session":"<bo>"}
        bo < {"type":"welcome","session":"<bo>","nick":"bo","resumed":true,...}
        bo > {"type":"join","room":"lobby","epoch":"<epoch>","after":1,"ref":"j"}
        bo < {"type":"joined","room":"lobby","epoch":"<epoch>","seq":3,"recovered":true,"messages":[{"seq":2,"text":"two",...},{"seq":3,"text":"three",...}],"members":["ana","bo"],"members_count":2,"ref":"j"}
        ana > {"type":"say","room":"lobby","text":"four","id":"4"}
        ana < {"type":"message","seq":4,...}
        bo < {"type":"message","seq":4,"text":"four",...}"#,
    );
}

#[test]
fn a_client_that_does_not_resume_in_time_has_left_once() {
    let grace = Duration::from_millis(300);
    let mut script = Script::with_limits(Limits::default().grace(grace));
    script.play(
        r#"ana enters lobby
        bo enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        bo > {"type":"say","room":"lobby","text":"one","id":"1"}
        ana < {"type":"message","seq":1,...}
        bo < {"type":"message","seq":1,...}"#,
    );
    let since = Instant::now();
    script.play(
        r#"bo breaks
        ana < {"type":"left","room":"lobby","nick":"bo","reason":"error"}"#,
    );
    assert!(since.elapsed() >= grace, "after {:?}", since.elapsed());
    // The session is remembered, and the others see it come back.
    script.play(
        r#"bo opens
        bo > {"type":"hello","session":"<bo>"}
        bo < {"type":"welcome","session":"<bo>","nick":"bo","resumed":true,...}
        bo > {"type":"join","room":"lobby","epoch":"<epoch>","after":1}
        bo < {"type":"joined","seq":1,"recovered":true,"messages":[],...}
        ana < {"type":"arrived","room":"lobby","nick":"bo"}"#,
    );
}

#[test]
fn without_grace_a_broken_connection_has_left_at_once() {
    Script::with_limits(Limits::default().grace(Duration::ZERO)).play(
        r#"ana enters lobby
        bo enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        bo breaks
        ana < {"type":"left","room":"lobby","nick":"bo","reason":"error"}"#,
    );
}

#[test]
fn a_client_that_closes_has_left_at_once_and_can_resume() {
    let grace = DEADLINE * 2;
    Script::with_limits(Limits::default().grace(grace)).play(
        r#"ana enters lobby
        bo enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        bo leaves
        ana < {"type":"left","room":"lobby","nick":"bo","reason":"closed"}
        ana > {"type":"tell","to":"bo","text":"hello?","id":"1"}
        ana < {"type":"error","code":"no_such_nick","message":"<any>","id":"1"}
        bo opens
        bo > {"type":"hello","session":"<bo>"}
        bo < {"type":"welcome","session":"<bo>","nick":"bo","resumed":true,...}
        bo leaves
        cy opens
        cy > {"type":"hello","nick":"bo"}
        cy < {"type":"welcome","nick":"<given>","resumed":false,...}
        cy > {"type":"nick","nick":"bo"}
        cy < {"type":"error","code":"nick_taken","message":"<any>"}
        bo opens
        bo > {"type":"hello","session":"<bo>"}
        bo < {"type":"welcome","session":"<bo>","nick":"bo","resumed":true,...}
        bo leaves
        bo opens
        bo > {"type":"hello","session":"<bo>","nick":"beau"}
        bo < {"type":"welcome","session":"<bo>","nick":"beau","resumed":true,...}"#,
    );
}

#[test]
fn an_absent_client_misses_private_messages() {
    Script::new().play(
        r#"ana enters lobby
        bo enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        bo breaks
        ana > {"type":"tell","to":"bo","text":"psst","id":"1"}
        ana < {"type":"private","from":"ana","to":"bo","text":"psst",...}
        bo opens
        bo > {"type":"hello","session":"<bo>"}
        bo < {"type":"welcome","nick":"bo","resumed":true,...}
        bo > {"type":"join","room":"lobby","epoch":"<epoch>","after":0}
        bo < {"type":"joined","recovered":true,"messages":[],...}"#,
    );
}

#[test]
fn a_message_sent_again_over_another_connection_is_stored_once() {
    Script::new().play(
        r#"ana enters lobby
        bo enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        cy joins
        ana < {"type":"arrived","room":"lobby","nick":"cy"}
        bo < {"type":"arrived","room":"lobby","nick":"cy"}
        bo > {"type":"say","room":"lobby","text":"did this arrive?","id":"1"}
        ana < {"type":"message","seq":1,"time":<time>,"id":"1",...}
        bo > {"type":"tell","to":"ana","text":"and this?","id":"2"}
        ana < {"type":"private","from":"bo","id":"2",...}
        cy < bo: did this arrive?
        bo breaks
        bo opens
        bo > {"type":"hello","session":"<bo>"}
        bo < {"type":"welcome","nick":"bo","resumed":true,...}
        bo > {"type":"join","room":"lobby","epoch":"<epoch>","after":0}
        bo < {"type":"joined","recovered":true,"messages":[{"seq":1,"id":"1",...}],...}
        bo > {"type":"say","room":"lobby","text":"did this arrive?","id":"1","ref":"a"}
        bo < {"type":"message","room":"lobby","seq":1,"time":<time>,"nick":"bo","text":"did this arrive?","id":"1","kind":"say","ref":"a"}
        bo > {"type":"tell","to":"ana","text":"and this?","id":"2","ref":"b"}
        bo < {"type":"private","from":"bo","to":"ana","time":<time>,"text":"and this?","id":"2","ref":"b"}
        ana > {"type":"say","room":"lobby","text":"both did","id":"1"}
        ana < {"type":"message","seq":2,"nick":"ana","text":"both did",...}
        bo < {"type":"message","seq":2,...}
        cy < ana: both did"#,
    );
}

#[test]
fn a_recovery_is_complete_or_refused() {
    let history = HistoryLimits::default().lines_max(3);
    let mut script = Script::with_limits(Limits::default().history(history));
    script.play("ana enters lobby");
    let epoch = script.value("epoch").to_owned();
    let ana = script.client("ana");
    for id in 1..=5 {
        let id = id.to_string();
        ana.request(&json!({"type": "say", "room": "lobby", "text": "hi", "id": id}));
    }
    for (since, recovered, messages) in [
        (json!({"epoch": epoch, "after": 5}), true, vec![]),
        (json!({"epoch": epoch, "after": 4}), true, vec![5]),
        (json!({"epoch": epoch, "after": 2}), true, vec![3, 4, 5]),
        (json!({"epoch": epoch, "after": 1}), false, vec![3, 4, 5]),
        (json!({"epoch": epoch, "after": 0}), false, vec![3, 4, 5]),
        (json!({"epoch": epoch, "after": 6}), false, vec![3, 4, 5]),
        (json!({"epoch": "another", "after": 4}), false, vec![3, 4, 5]),
        (json!({"after": 4}), false, vec![3, 4, 5]),
        (json!({"epoch": epoch}), false, vec![3, 4, 5]),
    ] {
        let mut request = since.clone();
        request["type"] = json!("join");
        request["room"] = json!("lobby");
        let joined = ana.request(&request);
        assert_eq!((&joined["recovered"], seqs(&joined)), (&json!(recovered), messages), "{since}");
        assert_eq!((&joined["seq"], &joined["epoch"]), (&json!(5), &json!(epoch)), "{since}");
    }
}

#[test]
fn one_answer_has_all_messages_of_a_room() {
    const TEXTS: u64 = 500;
    let mut script = Script::new();
    script.play("ana enters lobby");
    let epoch = script.value("epoch").to_owned();
    let ana = script.client("ana");
    let text = "x".repeat(1400);
    for id in 1..=TEXTS {
        ana.request(&json!({"type": "say", "room": "lobby", "text": text, "id": id.to_string()}));
    }
    let join = json!({"type": "join", "room": "lobby", "epoch": epoch, "after": 0});
    let joined = ana.request(&join);
    assert_eq!(joined["recovered"], true);
    assert!(seqs(&joined).into_iter().eq(1..=TEXTS));
    ana.has_received_all();
}

#[test]
fn a_gap_too_large_for_one_answer_comes_in_parts() {
    const TEXTS: u64 = 200;
    let mut script = Script::new();
    script.play("ana enters lobby");
    let epoch = script.value("epoch").to_owned();
    let ana = script.client("ana");
    // A quotation mark takes two bytes on the wire.
    let texts = ["x".repeat(8192), "\"".repeat(8192)];
    for id in 1..=TEXTS {
        let text = &texts[usize::from(id > TEXTS / 2)];
        let id = id.to_string();
        ana.request(&json!({"type": "say", "room": "lobby", "text": text, "id": id}));
    }
    let (mut got, mut parts) = (Vec::new(), Vec::new());
    loop {
        let after = got.last().copied().unwrap_or(0);
        let join = json!({"type": "join", "room": "lobby", "epoch": epoch, "after": after});
        ana.send_json(&join);
        let frame = ana.receive();
        parts.push(frame.len());
        let part: Value = serde_json::from_str(&frame).unwrap();
        assert_eq!((&part["recovered"], &part["seq"]), (&json!(true), &json!(TEXTS)));
        got.extend(seqs(&part));
        if part["more"] == true {
            continue;
        }
        assert_eq!(part.get("more"), None);
        break;
    }
    assert!(got.into_iter().eq(1..=TEXTS));
    // Each but the last is as full as possible.
    const FULL: std::ops::RangeInclusive<usize> = 768 * 1024 - 17 * 1024..=768 * 1024;
    let (_, full) = parts.split_last().unwrap();
    assert!(full.len() >= 3 && full.iter().all(|bytes| FULL.contains(bytes)), "{parts:?}");
    ana.has_received_all();
}

#[test]
fn a_client_that_catches_up_is_present_but_gets_no_new_messages() {
    const TEXTS: u64 = 150;
    let mut script = Script::new();
    script.play("ana enters lobby");
    let epoch = script.value("epoch").to_owned();
    let ana = script.client("ana");
    for id in 1..=TEXTS {
        let (id, text) = (id.to_string(), "x".repeat(8000));
        ana.request(&json!({"type": "say", "room": "lobby", "text": text, "id": id}));
    }
    script.play(
        r#"bo opens
        bo > {"type":"hello","nick":"bo"}
        bo < {"type":"welcome",...}"#,
    );
    let join = |after| json!({"type": "join", "room": "lobby", "epoch": epoch, "after": after});
    let part = script.client("bo").request(&join(0));
    assert_eq!((&part["recovered"], &part["more"]), (&json!(true), &json!(true)));
    let last = *seqs(&part).last().unwrap();
    script.play(
        r#"ana < {"type":"arrived","room":"lobby","nick":"bo"}
        ana > {"type":"say","room":"lobby","text":"meanwhile","id":"m"}
        ana < {"type":"message","seq":151,"nick":"ana",...}
        bo > {"type":"say","room":"lobby","text":"mine","id":"m"}
        ana < {"type":"message","seq":152,"nick":"bo",...}
        ana > {"type":"members","room":"lobby"}
        ana < {"type":"members","room":"lobby","members":["ana","bo"],"members_count":2,"more":false}"#,
    );
    let rest = script.client("bo").request(&join(last));
    assert_eq!((&rest["recovered"], rest.get("more")), (&json!(true), None));
    assert!(seqs(&rest).into_iter().eq(last + 1..=152));
    script.play(
        r#"ana > {"type":"say","room":"lobby","text":"now","id":"n"}
        ana < {"type":"message","seq":153,...}
        bo < {"type":"message","seq":153,"text":"now",...}"#,
    );
}

#[test]
fn a_text_that_is_all_escapes_fits_its_frame() {
    let mut script = Script::new();
    script.play("ana enters lobby");
    let ana = script.client("ana");
    let id = "x".repeat(64);
    for escape in [r"\u0022", r"\u00e9", r"\u0001"] {
        let bytes = if escape == r"\u00e9" { 2 } else { 1 };
        let text = escape.repeat(8192 / bytes);
        ana.send(&format!(
            r#"{{"type":"say","room":"lobby","text":"{text}","id":"{id}","ref":"{id}"}}"#
        ));
        // Removing all of it leaves nothing.
        let expected = if escape == r"\u0001" { "error" } else { "message" };
        let told = ana.receive_json();
        assert_eq!(told["type"], expected);
        ana.send(&format!(r#"{{"type":"say","room":"lobby","text":"{text}xx","id":"y"}}"#));
        assert_eq!(error_code(&ana.receive_json()), "too_long");
    }
    ana.has_received_all();
}

#[test]
fn a_client_cut_as_too_slow_recovers_all_messages() {
    let history = HistoryLimits::default().lines_max(usize::MAX);
    let limits = Limits::default().history(history).backlog_bytes_max(1);
    let mut script = Script::with_limits(limits);
    script.play(
        r#"ana enters lobby
        bo enters lobby
        ana < {"type":"arrived","room":"lobby","nick":"bo"}"#,
    );
    // It reads nothing from here on.
    let bo = script.client("bo").id();
    let mut said = 0;
    let is_cut = |event| matches!(event, Event::Close { client, code: 4008, .. } if client == bo);
    while !std::iter::from_fn(|| script.server.events.try_next().ok()).any(is_cut) {
        said += 1;
        let say = json!({"type": "say", "room": "lobby", "text": "x", "id": said.to_string()});
        assert_eq!(script.client("ana").request(&say)["seq"], said);
    }
    assert_eq!(script.client("bo").close_frame().0, 4008);
    script.play(
        r#"bo opens
        bo > {"type":"hello","session":"<bo>"}
        bo < {"type":"welcome","nick":"bo","resumed":true,...}"#,
    );
    let join = json!({"type": "join", "room": "lobby", "epoch": script.value("epoch"), "after": 1});
    let joined = script.client("bo").request(&join);
    assert_eq!(joined["recovered"], true);
    assert!(seqs(&joined).into_iter().eq(2..=said));
    script.play("");
}

/// A client that resumes whenever its connection breaks, and records all texts.
struct Returning {
    client: Client,
    session: String,
    epoch: String,
    heard: Vec<String>,
}

impl Returning {
    fn new(server: &mut TestServer) -> Self {
        let mut client = server.open_json();
        let welcome = client.request(&json!({"type": "hello", "nick": "bo"}));
        let text = |member: &str| welcome[member].as_str().unwrap().to_owned();
        let (session, epoch) = (text("session"), text("epoch"));
        let mut bo = Self { client, session, epoch, heard: Vec::new() };
        bo.join();
        bo
    }

    fn join(&mut self) {
        let (epoch, after) = (&self.epoch, self.heard.len());
        let join = json!({"type": "join", "room": "lobby", "epoch": epoch, "after": after});
        let joined = self.client.request(&join);
        assert_eq!(joined["recovered"], true);
        for message in joined["messages"].as_array().unwrap() {
            self.write_down(message);
        }
    }

    fn write_down(&mut self, message: &Value) {
        self.heard.push(message["text"].as_str().unwrap().to_owned());
        assert_eq!(message["seq"], self.heard.len(), "no hole and no repeat");
    }

    /// Replaces the connection, which may still be open when the next one comes. `say` runs while
    /// the client is on its way into the room.
    fn breaks(&mut self, server: &mut TestServer, say: impl FnOnce()) {
        let client = server.open_json();
        std::mem::replace(&mut self.client, client).reset();
        let hello = json!({"type": "hello", "session": self.session});
        let welcome = self.client.request(&hello);
        assert_eq!((&welcome["nick"], &welcome["resumed"]), (&json!("bo"), &json!(true)));
        say();
        self.join();
    }
}

#[test]
fn nothing_is_lost_or_repeated_over_fifty_broken_connections() {
    const BREAKS: usize = 50;
    const TEXTS: usize = 100;
    // Reads all of it, however much comes between two connections.
    let history = HistoryLimits::default().lines_max(usize::MAX);
    let mut server = TestServer::start_with_limits(Limits::default().history(history));
    let mut ana = server.join_at("/?nick=ana");
    let mut bo = Returning::new(&mut server);
    let said: Vec<String> = (0..2 * BREAKS * TEXTS).map(|number| number.to_string()).collect();
    for texts in said.chunks(2 * TEXTS) {
        let (before, after) = texts.split_at(TEXTS);
        let bytes =
            |texts: &[String]| texts.iter().flat_map(|it| text_frame(it)).collect::<Vec<_>>();
        ana.send_bytes(&bytes(before));
        bo.breaks(&mut server, || ana.send_bytes(&bytes(after)));
    }
    while bo.heard.len() < said.len() {
        let message = bo.client.receive_json();
        bo.write_down(&message);
    }
    assert_eq!(bo.heard, said);
    for line in said {
        assert_eq!(ana.receive(), format!("ana: {line}"), "and no word of an outage");
    }
}

#[test]
fn of_many_connections_of_a_session_one_is_left() {
    const CONNECTIONS: usize = 20;
    // The clients that are closed are waited for until the last of them has resumed.
    let limits = Limits::default().close_within(DEADLINE);
    let mut script = Script::with_limits(limits);
    script.play("ana enters lobby");
    let hello = json!({"type": "hello", "session": script.value("ana")});
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| script.server.open_json()).collect();
    // All at once. The server decides which one is last.
    for client in &mut clients {
        client.send_json(&hello);
    }
    script.play("ana ends 4001");
    for client in &mut clients {
        assert_eq!(client.receive_json()["resumed"], true);
    }
    for client in &mut clients {
        client.send_json(&json!({"type": "ping"}));
    }
    let ended = clients.iter_mut().filter_map(|client| match client.socket.read().unwrap() {
        Message::Close(frame) => Some(u16::from(frame.unwrap().code)),
        _ => None,
    });
    assert_eq!(ended.collect::<Vec<_>>(), [4001; CONNECTIONS - 1]);
}
