//! Histories in files: restarts, pages, searches and deletion.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![cfg(feature = "history")]

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use chinwag::history::{HistoryConfig, export, import, stats, verify};
use chinwag::{Config, HistoryLimits, Limits, RoomName};
use serde_json::{Value, from_str, json};
use testkit::{Client, DEADLINE, Script, TempDir, TestServer, config, error_code, seqs};

/// Returns a configuration with a history file and at most `lines_max` messages of a room in
/// memory.
fn kept(file: &Path, lines_max: usize) -> Config {
    let history = HistoryLimits::default().lines_max(lines_max);
    let limits = Limits::default().per_second(None).history(history);
    config().limits(limits).history(Some(HistoryConfig::new(file)))
}

fn folder_and_file() -> (TempDir, PathBuf) {
    let folder = TempDir::new();
    let file = folder.file("chat.db");
    (folder, file)
}

/// Connects a client that is in a room.
fn enter(server: &mut TestServer, room: &str) -> Client {
    let mut client = server.open_json();
    client.request(&json!({"type": "hello"}));
    client.request(&json!({"type": "join", "room": room}));
    client
}

fn say(client: &mut Client, room: &str, text: &str, id: &str) -> Value {
    client.request(&json!({"type": "say", "room": room, "text": text, "id": id}))
}

/// Says texts with these numbers.
fn count(client: &mut Client, room: &str, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        let id = format!("{number}-{}", room.len());
        assert_eq!(say(client, room, &format!("number {number}"), &id)["seq"], number);
    }
}

/// Repeats a request until its answer matches: the server indexes and deletes a moment later.
fn until(client: &mut Client, request: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let answer = client.request(request);
        if is_so(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "{request}: {answer}");
    }
}

fn search(client: &mut Client, query: &str) -> Vec<String> {
    texts(&client.request(&json!({"type": "search", "query": query})))
}

fn texts(answer: &Value) -> Vec<String> {
    assert_eq!(answer["type"], "results", "{answer}");
    let messages = answer["messages"].as_array().unwrap();
    messages.iter().map(|it| it["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn clients_resume_over_a_restart() {
    let (_folder, file) = folder_and_file();
    let mut script = Script::with(&kept(&file, 500));
    script.play(
        r#"ana enters lobby
        bo joins
        ana < {"type":"arrived","room":"lobby","nick":"bo"}
        ana > {"type":"say","room":"lobby","text":"one","id":"a1"}
        ana < {"type":"message","seq":1,...}
        bo < ana: one
        bo > two
        bo < bo: two
        ana < {"type":"message","seq":2,...}
        ana > {"type":"say","room":"lobby","text":"three\nlines","id":"a2","kind":"me"}
        ana < {"type":"message","seq":3,...}
        bo < ana: /me three lines"#,
    );
    let (epoch, session) = (script.value("epoch").to_owned(), script.value("ana").to_owned());
    drop(script);
    let script = r#"ana opens
        ana > {"type":"hello","nick":"ana","session":"SESSION"}
        ana < {"type":"welcome","epoch":"EPOCH","resumed":false,"search":true,...}
        ana > {"type":"join","room":"lobby","epoch":"EPOCH","after":1}
        ana < {"type":"joined","room":"lobby","epoch":"EPOCH","seq":3,"recovered":true,"messages":[{"room":"lobby","seq":2,"time":<time>,"nick":"bo","text":"two","id":"plain-2","kind":"say"},{"room":"lobby","seq":3,"time":<time>,"nick":"ana","text":"three\nlines","id":"a2","kind":"me"}],"members":["ana"],"members_count":1}
        ana > {"type":"rooms"}
        ana < {"type":"rooms","rooms":[{"room":"lobby","members":1,"seq":3}],"more":false}
        ana > {"type":"say","room":"lobby","text":"four","id":"a3"}
        ana < {"type":"message","seq":4,...}"#;
    let script = script.replace("EPOCH", &epoch).replace("SESSION", &session);
    Script::with(&kept(&file, 500)).play(&script);
}

#[test]
fn a_name_is_held_for_its_session_over_a_restart() {
    let (_folder, file) = folder_and_file();
    let mut script = Script::with(&kept(&file, 500));
    script.play("ana enters lobby");
    let session = script.value("ana").to_owned();
    // The file does not reveal the session.
    drop(script);
    let bytes = std::fs::read(&file).unwrap();
    let has = |secret: &[u8]| bytes.windows(secret.len()).any(|it| it == secret);
    assert!(!has(session.as_bytes()));
    let mut script = Script::with(&kept(&file, 500));
    script.play(
        r#"eve opens
        eve > {"type":"hello","nick":"ana"}
        eve < {"type":"welcome","nick":"<given>","resumed":false,...}
        eve > {"type":"nick","nick":"ANA"}
        eve < {"type":"error","code":"nick_taken","message":"<any>"}
        eve > {"type":"tell","to":"ana","text":"there?","id":"1"}
        eve < {"type":"error","code":"no_such_nick","message":"<any>","id":"1"}"#,
    );
    let lines = r#"ana opens
        ana > {"type":"hello","session":"SESSION"}
        ana < {"type":"welcome","session":"SESSION","nick":"ana","resumed":false,...}"#;
    script.play(&lines.replace("SESSION", &session));
}

#[test]
fn messages_that_are_not_in_memory_are_read_from_the_file() {
    let (_folder, file) = folder_and_file();
    for lines_max in [0, 2] {
        let mut server = TestServer::start_with(&kept(&file, lines_max));
        let mut ana = enter(&mut server, "lobby");
        if lines_max == 0 {
            count(&mut ana, "lobby", 1..=150);
        }
        let mut bo = server.open_json();
        let epoch = bo.request(&json!({"type": "hello"}))["epoch"].clone();
        let joined = bo.request(&json!({"type": "join", "room": "lobby"}));
        assert_eq!((seqs(&joined), &joined["recovered"]), ((51..=150).collect(), &json!(false)));
        let join = json!({"type": "join", "room": "lobby", "epoch": epoch, "after": 7});
        let joined = bo.request(&join);
        assert_eq!((seqs(&joined), &joined["recovered"]), ((8..=150).collect(), &json!(true)));
        for (before, limit, expected, more) in [
            (json!(null), 3, 148..=150, true),
            (json!(149), 100, 49..=148, true),
            (json!(4), 3, 1..=3, false),
            (json!(4), 2, 2..=3, true),
            (json!(u64::MAX), 1, 150..=150, true),
            (json!(2), 1, 1..=1, false),
        ] {
            let asked = json!({"type": "history", "room": "lobby", "before": before,
                "limit": limit, "ref": "h"});
            let page = bo.request(&asked);
            assert_eq!(seqs(&page), expected.collect::<Vec<_>>(), "{asked}");
            assert_eq!((&page["more"], &page["ref"]), (&json!(more), &json!("h")), "{asked}");
        }
    }
}

/// Events do not overtake the answer to an earlier request, even if another thread looks it up.
#[test]
fn answers_from_the_file_keep_their_place() {
    let (_folder, file) = folder_and_file();
    let mut server = TestServer::start_with(&kept(&file, 1));
    let mut ana = enter(&mut server, "lobby");
    count(&mut ana, "lobby", 1..=20);
    for round in 0..50_u64 {
        let text = format!("after {round}");
        for request in [
            json!({"type": "history", "room": "lobby", "before": 10, "limit": 3}),
            json!({"type": "say", "room": "lobby", "text": text, "id": format!("r{round}")}),
            json!({"type": "search", "query": "nothing"}),
            json!({"type": "join", "room": "lobby"}),
            json!({"type": "ping"}),
            json!({"type": "part", "room": "lobby"}),
            json!({"type": "join", "room": "lobby"}),
        ] {
            ana.send_json(&request);
        }
        let seq = 21 + round;
        assert_eq!(seqs(&ana.receive_json()), [7, 8, 9]);
        assert_eq!(ana.receive_json()["seq"], seq);
        assert_eq!(ana.receive_json()["type"], "results");
        assert_eq!(seqs(&ana.receive_json()).last(), Some(&seq));
        assert_eq!(ana.receive_json(), json!({"type": "pong"}));
        assert_eq!(ana.receive_json()["type"], "parted");
        assert_eq!(seqs(&ana.receive_json()).last(), Some(&seq));
    }
}

#[test]
fn results_are_sorted_from_new_to_old() {
    let (_folder, file) = folder_and_file();
    let mut server = TestServer::start_with(&kept(&file, 500));
    let mut ana = server.open_json();
    ana.request(&json!({"type": "hello", "nick": "Ana B"}));
    for room in ["lobby", "kitchen"] {
        ana.request(&json!({"type": "join", "room": room}));
    }
    let said = [
        ("lobby", "The Crème brûlée is in the fridge"),
        ("kitchen", "今日は日本語で話します"),
        ("lobby", "fridge magnets"),
        ("kitchen", "我们明天去图书馆"),
        ("lobby", "คุณอยู่ที่ไหน"),
        ("kitchen", "Ёлка and a party 🎉"),
    ];
    for (number, (room, text)) in said.iter().enumerate() {
        say(&mut ana, room, text, &format!("id-{number}"));
    }
    let mut bo = enter(&mut server, "lobby");
    say(&mut bo, "lobby", "which fridge?", "b1");
    let newest = json!({"type": "search", "query": "which"});
    until(&mut bo, &newest, |answer| !texts(answer).is_empty());
    let [creme, today, magnets, library, where_, party] = said.map(|(_, text)| text);
    for (query, found) in [
        ("fridge", &["which fridge?", magnets, creme][..]),
        ("FRI", &["which fridge?", magnets, creme]),
        ("fri ", &[]),
        ("\"fri\"", &[]),
        ("creme BRULEE", &[creme]),
        ("\"in the fridge\"", &[creme]),
        ("\"the in fridge\"", &[]),
        ("fridge from:\"ana b\"", &[magnets, creme]),
        ("from:\"ANA B\" mag", &[magnets]),
        ("from:nobody", &[]),
        ("from:ana", &[]),
        ("日本", &[today]),
        ("本語で", &[today]),
        ("日語", &[]),
        ("图书馆", &[library]),
        ("明", &[library]),
        ("ไหน", &[where_]),
        ("елка", &[party]),
        ("🎉", &[party]),
        ("nowhere", &[]),
        ("fridge OR party", &[]),
        ("words : fridge", &[]),
        ("fridge* AND (", &[]),
        ("\" NEAR(", &[]),
    ] {
        assert_eq!(search(&mut bo, query), found, "{query}");
    }
    let in_kitchen = json!({"type": "search", "query": "from:\"ana b\"", "room": "kitchen"});
    assert_eq!(texts(&bo.request(&in_kitchen)), [party, library, today]);
    let in_no_room = json!({"type": "search", "query": "fridge", "room": "attic"});
    assert!(texts(&bo.request(&in_no_room)).is_empty());
}

/// A text, and queries that must find it. Each text has a room of its own, so that no other is
/// found.
#[test]
fn queries_find_the_texts_they_mean() {
    let (_folder, file) = folder_and_file();
    let mut server = TestServer::start_with(&kept(&file, 500));
    let mut ana = server.open_json();
    ana.request(&json!({"type": "hello", "nick": "Ana"}));
    let table: &[(&str, &[&str])] = &[
        ("I don’t know", &["don't", "don’t", "donʼt", "DON`T", "dont", "don", "\"I don't know\""]),
        ("I can't see", &["can’t", "can＇t", "cant", "“can't see”"]),
        ("l’été", &["l'été", "été", "ete"]),
        ("Hauptstraße 5", &["HAUPTSTRASSE", "hauptstraße", "HAUPTSTRAẞE", "Hauptstras"]),
        ("ΟΔΟΣ", &["οδός", "οδος", "οδοσ"]),
        ("שָׁלוֹם", &["שלום", "שָׁלוֹם", "לום"]),
        ("السَّلام", &["السلام", "السَّلام", "سلام"]),
        ("سـلام عليكم", &["سلام", "ســلام"]),
        ("أحمد", &["احمد", "أحمد", "إحمد"]),
        ("احمد", &["أحمد"]),
        ("می\u{200c}خواهم", &["میخواهم", "می\u{200c}خواهم", "ميخواهم"]),
        ("Donau\u{ad}dampfschiff", &["donaudampfschiff"]),
        ("KBS방송", &["kbs", "방송", "kbs방송"]),
        ("किताब", &["किताब"]),
        (
            "fridge",
            &["from: ana", "FROM:ana", "from:@ana", "from:ana,", "from:ana, fridge", "from：ANA"],
        ),
    ];
    for (number, (text, _)) in table.iter().enumerate() {
        let room = format!("room-{}", number % 8);
        ana.request(&json!({"type": "join", "room": room}));
        say(&mut ana, &room, text, &format!("id-{number}"));
    }
    let newest = json!({"type": "search", "query": "fridge"});
    until(&mut ana, &newest, |answer| !texts(answer).is_empty());
    for (text, queries) in table {
        for query in *queries {
            let found = search(&mut ana, query);
            assert!(found.iter().any(|it| it == text), "{query}: {found:?}");
        }
    }
    for query in ["कताब", "\"fri\"", "from:bo", "from:\"ana,\"", "from:@bo,"] {
        assert_eq!(search(&mut ana, query), [""; 0], "{query}");
    }
}

/// Messages may have nicknames that are not valid today.
#[test]
fn a_history_with_names_that_are_invalid_today_can_be_read() {
    let (_folder, file) = folder_and_file();
    let old = "{\"room\":\"a\u{301}\u{332}\",\"seq\":1,\"time\":1,\"nick\":\"ana\u{2800}\",\"text\":\"long ago\"}";
    assert_eq!(import(&file, &mut old.as_bytes(), |_| {}).unwrap(), 1);
    let mut server = TestServer::start_with(&kept(&file, 0));
    let mut ana = enter(&mut server, "lobby");
    let search = json!({"type": "search", "query": "long from:ana\u{2800}"});
    let found = until(&mut ana, &search, |answer| !texts(answer).is_empty());
    assert_eq!(found["messages"][0]["nick"], "ana\u{2800}");
    let mut written = vec![];
    assert_eq!(export(&file, &mut written, |_| {}).unwrap().unreadable, 0);
}

/// An index of an older version has other words.
#[test]
fn an_index_of_another_version_is_rebuilt() {
    let (folder, file) = folder_and_file();
    let line = r#"{"room":"lobby","seq":1,"time":1,"nick":"ana","text":"Hauptstraße"}"#;
    import(&file, &mut line.as_bytes(), |_| {}).unwrap();
    let asked = json!({"type": "search", "query": "hauptstrasse"});
    let found = |file: &Path| {
        let mut server = TestServer::start_with(&kept(file, 0));
        let mut ana = enter(&mut server, "lobby");
        until(&mut ana, &asked, |answer| !texts(answer).is_empty());
    };
    found(&file);
    let index = rusqlite::Connection::open(folder.file("chat.db-search")).unwrap();
    index.pragma_update(None, "user_version", 1).unwrap();
    index.execute_batch("DELETE FROM entry WHERE rowid > 0;").unwrap();
    drop(index);
    found(&file);
}

#[test]
fn results_come_in_pages() {
    let (_folder, file) = folder_and_file();
    let mut server = TestServer::start_with(&kept(&file, 500));
    let mut ana = enter(&mut server, "lobby");
    count(&mut ana, "lobby", 1..=25);
    let all = json!({"type": "search", "query": "number", "limit": 100});
    until(&mut ana, &all, |answer| texts(answer).len() == 25);
    let (mut found, mut before) = (vec![], json!(null));
    for (length, more) in [(10, true), (10, true), (5, false)] {
        let page = ana.request(
            &json!({"type": "search", "query": "num", "limit": 10, "before": before, "ref": "s"}),
        );
        assert_eq!(
            (seqs(&page).len(), &page["more"], &page["ref"]),
            (length, &more.into(), &json!("s"))
        );
        assert_eq!(page.get("before").is_some(), more);
        found.extend(seqs(&page));
        before = page["before"].clone();
    }
    assert_eq!(found, (1..=25).rev().collect::<Vec<_>>());
    let exactly = ana.request(&json!({"type": "search", "query": "number", "limit": 25}));
    assert_eq!(exactly["more"], false);
}

#[test]
fn an_invalid_query_is_reported() {
    let (_folder, file) = folder_and_file();
    let mut server = TestServer::start_with(&kept(&file, 500));
    let mut ana = enter(&mut server, "lobby");
    let long = "x".repeat(257);
    for (query, code) in [("?!", "empty"), (&long, "too_long")] {
        let answer = ana.request(&json!({"type": "search", "query": query, "ref": "s"}));
        assert_eq!((error_code(&answer), &answer["ref"]), (code, &json!("s")));
    }
    let mut server = TestServer::start();
    let mut ana = enter(&mut server, "lobby");
    let answer = ana.request(&json!({"type": "search", "query": "x"}));
    assert_eq!(error_code(&answer), "unavailable");
}

/// The embedder may post to an empty room.
#[test]
fn messages_of_the_embedder_are_stored() {
    let (_folder, file) = folder_and_file();
    let server = TestServer::start_with(&kept(&file, 500));
    let room = RoomName::parse("attic").unwrap();
    let nickname = chinwag::Nickname::parse("bot").unwrap();
    server.handle.say(&room, &nickname, "is anybody here?").unwrap();
    drop(server);
    let mut server = TestServer::start_with(&kept(&file, 500));
    let mut ana = server.open_json();
    ana.request(&json!({"type": "hello"}));
    let joined = ana.request(&json!({"type": "join", "room": "attic"}));
    assert_eq!(joined["messages"][0]["text"], "is anybody here?");
}

/// Also if no empty room is held in memory.
#[test]
fn the_embedder_continues_the_numbers() {
    let (_folder, file) = folder_and_file();
    let history = HistoryLimits::default().idle_rooms_max(0);
    let config = kept(&file, 500);
    let limits = config.limits.clone().history(history);
    let config = config.limits(limits);
    let server = TestServer::start_with(&config);
    let nickname = chinwag::Nickname::parse("bot").unwrap();
    for room in ["attic", "attic", "cellar", "attic"] {
        server.handle.say(&RoomName::parse(room).unwrap(), &nickname, "hello?").unwrap();
    }
    drop(server);
    let numbers: Vec<_> = lines(&file).iter().map(|it| it["seq"].clone()).collect();
    assert_eq!(numbers, [1, 2, 1, 3]);
}

#[test]
fn unreadable_messages_are_left_out_of_an_export_and_counted() {
    let (_folder, file) = folder_and_file();
    let line = |seq: u64| {
        format!("{{\"room\":\"lobby\",\"seq\":{seq},\"time\":1,\"nick\":\"ana\",\"text\":\"x\"}}\n")
    };
    let all: String = (1..=3).map(line).collect();
    import(&file, &mut all.as_bytes(), |_| {}).unwrap();
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.execute("UPDATE message SET nick = '' WHERE seq = 2", []).unwrap();
    let mut written = vec![];
    let exported = export(&file, &mut written, |_| {}).unwrap();
    assert_eq!((exported.written, exported.unreadable), (2, 1));
    let findings = verify(&file).unwrap();
    assert_eq!((findings.messages, findings.problems.len()), (2, 1));
}

fn lines(file: &Path) -> Vec<Value> {
    let mut lines = vec![];
    export(file, &mut lines, |_| {}).unwrap();
    String::from_utf8(lines).unwrap().lines().map(|line| from_str(line).unwrap()).collect()
}

#[test]
fn a_room_keeps_as_many_messages_as_it_may() {
    let (_folder, file) = folder_and_file();
    let mut server = TestServer::start_with(&kept(&file, 500));
    let mut ana = enter(&mut server, "lobby");
    count(&mut ana, "lobby", 1..=250);
    say(&mut ana, "lobby", "the last word", "last");
    drop((ana, server));
    let few = HistoryConfig::new(&file).keep_messages(NonZero::new(10));
    let mut server = TestServer::start_with(&kept(&file, 0).history(Some(few)));
    let mut ana = enter(&mut server, "lobby");
    let page = json!({"type": "history", "room": "lobby"});
    let page = until(&mut ana, &page, |page| seqs(page).len() == 10);
    assert_eq!((seqs(&page), &page["more"]), ((242..=251).collect(), &json!(false)));
    let search = json!({"type": "search", "query": "number", "limit": 100});
    until(&mut ana, &search, |answer| texts(answer).len() == 9);
}

#[test]
fn old_messages_are_deleted_and_their_numbers_are_not_used_again() {
    let (_folder, file) = folder_and_file();
    let old = r#"{"room":"lobby","seq":1,"time":1000,"nick":"ana","text":"long ago","kind":"say"}
        {"room":"lobby","seq":2,"time":2000,"nick":"ana","text":"long ago, too"}"#;
    assert_eq!(import(&file, &mut old.as_bytes(), |_| {}).unwrap(), 2);
    let month = Duration::from_secs(30 * 24 * 60 * 60);
    // Without a notice they are deleted at once. Otherwise it lasts an hour, and a clock that is so
    // far ahead of the file is trusted after a day.
    let recent = HistoryConfig::new(&file).keep(Some(month)).deletion_notice(Duration::ZERO);
    let recent = kept(&file, 0).history(Some(recent));
    let mut server = TestServer::start_with(&recent);
    let mut ana = enter(&mut server, "lobby");
    let page = json!({"type": "history", "room": "lobby"});
    until(&mut ana, &page, |page| seqs(page).is_empty());
    drop((ana, server));
    let mut server = TestServer::start_with(&recent);
    let mut ana = enter(&mut server, "lobby");
    assert_eq!(say(&mut ana, "lobby", "today", "t")["seq"], 3);
    drop((ana, server));
    assert_eq!(lines(&file).len(), 1);
}

#[test]
fn export_and_import_give_the_same_history() {
    let (folder, file) = folder_and_file();
    let mut server = TestServer::start_with(&kept(&file, 500));
    let mut ana = enter(&mut server, "lobby");
    ana.request(&json!({"type": "join", "room": "küche"}));
    count(&mut ana, "lobby", 1..=20);
    count(&mut ana, "küche", 1..=20);
    ana.request(
        &json!({"type": "say", "room": "lobby", "text": "a\n\"b\"\t你好", "id": "!", "kind": "me"}),
    );
    let mut bo = server.join();
    bo.send("of a plain client");
    bo.receive();
    let mut first = vec![];
    assert_eq!(
        export(&file, &mut first, |_| {}).unwrap().written,
        42,
        "while a server has it open"
    );
    let other = folder.file("other.db");
    assert_eq!(import(&other, &mut first.as_slice(), |_| {}).unwrap(), 42);
    assert_eq!(import(&other, &mut first.as_slice(), |_| {}).unwrap(), 0, "it has them already");
    let mut second = vec![];
    export(&other, &mut second, |_| {}).unwrap();
    assert_eq!(String::from_utf8(first).unwrap(), String::from_utf8(second).unwrap());
    let (here, there) = (stats(&file).unwrap(), stats(&other).unwrap());
    assert_eq!((here.messages, here.rooms, here.largest), (42, there.rooms, there.largest));
}

#[test]
fn an_import_adds_all_or_nothing() {
    let (folder, file) = folder_and_file();
    let line = |seq: u64, text: &str| {
        format!(
            "{{\"room\":\"lobby\",\"seq\":{seq},\"time\":1,\"nick\":\"ana\",\"text\":\"{text}\"}}\n"
        )
    };
    import(&file, &mut line(1, "one").as_bytes(), |_| {}).unwrap();
    for (wrong, reason) in [
        (line(1, "another"), "the history has another message 1 of lobby"),
        (line(0, "zero"), "seq is 1 to 4503599627370496"),
        ("{}\n".to_owned(), "missing field"),
        ("hello\n".to_owned(), "expected an object"),
        ("[\"lobby\",1,1750000000000,\"ana\",\"x\"]\n".to_owned(), "expected an object"),
        (line((1 << 52) + 1, "x"), "seq is 1 to 4503599627370496"),
        (line(3, "x").replace("\"time\":1", "\"time\":9007199254740992"), "time 0 to"),
        (line(3, &"x".repeat(8193)), "the text is longer than 8192 bytes"),
        (line(3, &"x".repeat(3_000_000)), "line is longer than 1 MiB"),
        (
            line(3, "x").replace("ana", &"n".repeat(25)),
            "\"nnnnnnnnnnnnnnnnnnnnnnnnn\" is no nickname: a nickname has 1 to 24",
        ),
        (line(3, "x").replace("ana", "a  b"), "\"a  b\" is no nickname: a nickname has only"),
        ("\u{feff}".to_owned() + &line(3, "x"), "expected an object"),
        (line(3, "x").replace("lobby", "a b"), "the name of a room"),
        (line(3, "x").replace("ana", ""), "nickname"),
        (line(3, "x").replace("\"text\"", "\"txt\""), "unknown field"),
    ] {
        let lines = line(2, "two") + &wrong;
        let told = import(&file, &mut lines.as_bytes(), |_| {}).unwrap_err().to_string();
        assert!(told.starts_with("line 2: ") && told.contains(reason), "{told}");
    }
    let not_utf_8 = [line(2, "two").as_bytes(), b"{\"room\":\"caf\xe9\"}\n"].concat();
    let told = import(&file, &mut not_utf_8.as_slice(), |_| {}).unwrap_err().to_string();
    assert_eq!(told, "line 2: not UTF-8, at byte 13");
    assert_eq!(stats(&file).unwrap().messages, 1);
    assert!(!folder.file("chat.db-search").exists());
}

/// Windows uses the name Unicode for two encodings.
#[test]
fn a_byte_order_mark_is_skipped_and_utf_16_is_reported() {
    let (_folder, file) = folder_and_file();
    let line = "{\"room\":\"lobby\",\"seq\":1,\"time\":1,\"nick\":\"ana\",\"text\":\"x\"}\r\n";
    let marked = [b"\xef\xbb\xbf", line.as_bytes()].concat();
    assert_eq!(import(&file, &mut marked.as_slice(), |_| {}).unwrap(), 1);
    for mark in ["\u{feff}", ""] {
        let units: Vec<_> = mark.encode_utf16().chain(line.encode_utf16()).collect();
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            let utf_16: Vec<u8> = units.iter().flat_map(|unit| bytes(*unit)).collect();
            let told = import(&file, &mut utf_16.as_slice(), |_| {}).unwrap_err().to_string();
            assert!(told.starts_with("line 1: this is UTF-16") && told.contains("iconv"), "{told}");
        }
    }
}

/// The largest of every value, and times without a date.
#[test]
fn an_export_of_extremes_can_be_imported() {
    let (folder, file) = folder_and_file();
    let longest = "x".repeat(8192);
    let lines: String = [(1_u64, 0_u64), (2, 253_402_300_800_000), (1 << 52, (1 << 53) - 1)]
        .iter()
        .map(|(seq, time)| {
            json!({"room": "lobby", "seq": seq, "time": time, "nick": "ana", "text": longest})
                .to_string()
                + "\n"
        })
        .collect();
    assert_eq!(import(&file, &mut lines.as_bytes(), |_| {}).unwrap(), 3);
    let mut server = TestServer::start_with(&kept(&file, 500));
    let mut ana = enter(&mut server, "lobby");
    assert_eq!(say(&mut ana, "lobby", "on", "i")["seq"], (1_u64 << 52) + 1);
    drop((ana, server));
    let mut exported = vec![];
    export(&file, &mut exported, |_| {}).unwrap();
    // The number after the largest that may be imported is the one that the server refuses.
    let told = import(&folder.file("other.db"), &mut exported.as_slice(), |_| {});
    assert!(told.unwrap_err().to_string().starts_with("line 4: seq is 1 to"));
    stats(&file).unwrap();
}

/// A line is removed from an export, as an insult may be, and the rest is imported.
#[test]
fn a_message_sent_again_is_recognized_in_spite_of_a_gap() {
    let (folder, file) = folder_and_file();
    let mut server = TestServer::start_with(&kept(&file, 500));
    let mut ana = enter(&mut server, "lobby");
    count(&mut ana, "lobby", 1..=20);
    drop((ana, server));
    let mut exported = vec![];
    export(&file, &mut exported, |_| {}).unwrap();
    let holes = ["number 7\"", "number 11\"", "number 12\""];
    let rest: String = String::from_utf8(exported)
        .unwrap()
        .lines()
        .filter(|line| !holes.iter().any(|hole| line.contains(hole)))
        .map(|line| line.to_owned() + "\n")
        .collect();
    let other = folder.file("other.db");
    assert_eq!(import(&other, &mut rest.as_bytes(), |_| {}).unwrap(), 17);
    let mut server = TestServer::start_with(&kept(&other, 500));
    let mut ana = enter(&mut server, "lobby");
    let said = say(&mut ana, "lobby", "mine", "mine");
    let mut bo = enter(&mut server, "lobby");
    for number in 0..5 {
        say(&mut bo, "lobby", "bo's", &format!("b{number}"));
    }
    ana.send_json(&json!({"type": "say", "room": "lobby", "text": "mine", "id": "mine"}));
    ana.send_json(&json!({"type": "ping"}));
    let told: Vec<_> =
        std::iter::from_fn(|| Some(ana.receive_json()).filter(|it| it["type"] != "pong")).collect();
    assert_eq!(told.last(), Some(&said));
}

/// A pipe whose reader pauses.
struct Still<'a> {
    file: &'a Path,
    written: usize,
    longest: u64,
}

impl std::io::Write for Still<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.written += bytes.len();
        // While the reader pauses, another connection can checkpoint the whole log.
        let connection = rusqlite::Connection::open(self.file).unwrap();
        let busy: i64 =
            connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).unwrap();
        assert_eq!(busy, 0, "the export holds the log");
        self.longest =
            self.longest.max(std::fs::metadata(self.file.with_extension("db-wal")).unwrap().len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn an_export_that_waits_for_its_reader_holds_no_lock() {
    let (_folder, file) = folder_and_file();
    let line = |seq: u64| {
        json!({"room": "lobby", "seq": seq, "time": 1, "nick": "ana", "text": "x".repeat(8000)})
            .to_string()
            + "\n"
    };
    let lines: String = (1..=200).map(line).collect();
    import(&file, &mut lines.as_bytes(), |_| {}).unwrap();
    let mut still = Still { file: &file, written: 0, longest: 0 };
    assert_eq!(export(&file, &mut still, |_| {}).unwrap().written, 200);
    assert!(still.written > 200 * 8000 && still.longest == 0, "{}", still.longest);
}
