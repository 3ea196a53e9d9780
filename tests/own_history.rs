//! Reading the history from a program that embeds the chat, and a history in storage of its own.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use chinwag::store::{MessageStore, Query, QueryError, StoreError, Stored};
use chinwag::{
    Config, Found, Handle, HistoryLimits, HistoryReadError, Limits, Message, MessageKind, Nickname,
    RoomName, Server, StartError,
};
use serde_json::{Value, json};
use testkit::{Client, DEADLINE, Script, TestServer, config, error_code, seqs};

/// A store in memory that outlives its servers. A test makes its calls fail.
#[derive(Default)]
struct Memory {
    content: Mutex<Content>,
    fails: Mutex<Fails>,
    can_search: bool,
    /// Reads wait for an item of the second channel, after one was sent to the first.
    gate: Mutex<Option<(Sender<()>, Receiver<()>)>>,
}

#[derive(Default)]
struct Content {
    epoch: Option<String>,
    messages: Vec<Arc<Message>>,
}

/// The way in which calls fail.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Failing {
    #[default]
    No,
    /// With an error.
    Error,
    /// With an error, after the first message was stored.
    Partly,
    Panic,
}

#[derive(Clone, Copy, Debug, Default)]
struct Fails {
    append: Failing,
    set_epoch: Failing,
    read: Failing,
    /// Reads return messages in the wrong order.
    is_confused: bool,
}

/// Locks a mutex that a panicking call may have poisoned.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn fail(failing: Failing) -> Result<(), StoreError> {
    match failing {
        Failing::No | Failing::Partly => Ok(()),
        Failing::Error => Err("the test says so".into()),
        Failing::Panic => panic!("the test says so"),
    }
}

impl Memory {
    fn fail(&self, change: impl FnOnce(&mut Fails)) {
        change(&mut lock(&self.fails));
    }

    fn texts(&self) -> Vec<String> {
        lock(&self.content).messages.iter().map(|it| it.text().to_owned()).collect()
    }

    fn read(
        &self,
        is_asked_for: impl Fn(&Message) -> bool,
    ) -> Result<Vec<Arc<Message>>, StoreError> {
        if let Some((entered, may_continue)) = &*lock(&self.gate) {
            entered.send(()).unwrap();
            // The test has ended if this fails.
            let _ = may_continue.recv();
        }
        let Fails { read, is_confused, .. } = *lock(&self.fails);
        fail(read)?;
        let mut messages: Vec<_> =
            lock(&self.content).messages.iter().filter(|it| is_asked_for(it)).cloned().collect();
        if is_confused {
            messages.reverse();
        }
        Ok(messages)
    }
}

impl MessageStore for Memory {
    fn load(&self) -> Result<Stored, StoreError> {
        let Content { epoch, messages } = &*lock(&self.content);
        let mut rooms: Vec<(RoomName, u64)> = Vec::new();
        for message in messages {
            rooms.retain(|(room, _)| room != message.room());
            rooms.push((message.room().clone(), message.seq()));
        }
        Ok(Stored::new(epoch.clone(), rooms))
    }

    fn set_epoch(&self, epoch: &str) -> Result<(), StoreError> {
        fail(lock(&self.fails).set_epoch)?;
        lock(&self.content).epoch = Some(epoch.to_owned());
        Ok(())
    }

    fn append(&self, messages: &[Arc<Message>]) -> Result<(), StoreError> {
        let append = lock(&self.fails).append;
        fail(append)?;
        let mut content = lock(&self.content);
        let key = |message: &Message| (message.room().clone(), message.seq());
        let known: Vec<_> = content.messages.iter().map(|it| key(it)).collect();
        let mut new = messages.iter().filter(|it| !known.contains(&key(it)));
        if append == Failing::Partly {
            content.messages.extend(new.next().cloned());
            return Err("the test says so".into());
        }
        content.messages.extend(new.cloned());
        Ok(())
    }

    fn before(
        &self,
        room: &RoomName,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, StoreError> {
        let mut messages = self.read(|it| it.room() == room && it.seq() < before)?;
        Ok(messages.split_off(messages.len().saturating_sub(limit)))
    }

    fn after(
        &self,
        room: &RoomName,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, StoreError> {
        let mut messages = self.read(|it| it.room() == room && it.seq() > after)?;
        messages.truncate(limit);
        Ok(messages)
    }

    fn can_search(&self) -> bool {
        self.can_search
    }

    fn search(
        &self,
        query: &Query,
        room: Option<&RoomName>,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Arc<Message>)>, StoreError> {
        fail(lock(&self.fails).read)?;
        let messages = lock(&self.content).messages.clone();
        let numbered = (1_u64..).zip(messages).collect::<Vec<_>>().into_iter().rev();
        let found = numbered.filter(|(number, message)| {
            before.is_none_or(|before| *number < before)
                && room.is_none_or(|room| message.room() == room)
                && query.matches(message)
        });
        Ok(found.take(limit).collect())
    }
}

/// Returns a configuration with at most `lines_max` messages of a room in memory.
fn limited(lines_max: usize) -> Config {
    let history = HistoryLimits::default().lines_max(lines_max);
    config().limits(Limits::default().per_second(None).history(history))
}

fn stored(store: &Arc<Memory>, lines_max: usize) -> Config {
    limited(lines_max).store(store.clone())
}

fn enter(server: &mut TestServer) -> (Client, Value) {
    let mut client = server.open_json();
    let welcome = client.request(&json!({"type": "hello", "nick": "ana"}));
    client.request(&json!({"type": "join", "room": "lobby"}));
    (client, welcome)
}

fn say(client: &mut Client, texts: &[&str]) {
    for text in texts {
        client.say(text, text);
    }
}

fn resume(server: &mut TestServer, epoch: &Value, after: u64) -> Value {
    let mut client = server.open_json();
    client.request(&json!({"type": "hello"}));
    client.request(&json!({"type": "join", "room": "lobby", "epoch": epoch, "after": after}))
}

fn lobby() -> RoomName {
    RoomName::lobby()
}

fn texts(messages: &[Arc<Message>]) -> Vec<&str> {
    messages.iter().map(|it| it.text()).collect()
}

fn numbers(messages: &[Arc<Message>]) -> Vec<u64> {
    messages.iter().map(|it| it.seq()).collect()
}

fn post(handle: &Handle, texts: impl IntoIterator<Item = impl AsRef<str>>) {
    let clock = Nickname::parse("clock").unwrap();
    for text in texts {
        handle.say(&lobby(), &clock, text.as_ref()).unwrap();
    }
}

#[test]
fn clients_resume_over_a_restart() {
    let store = Arc::new(Memory::default());
    let mut script = Script::with(&stored(&store, 500));
    script.play(
        r#"ana enters lobby
        ana > {"type":"say","room":"lobby","text":"one","id":"a1"}
        ana < {"type":"message","seq":1,...}
        ana > {"type":"say","room":"lobby","text":"two\nlines","id":"a2","kind":"me"}
        ana < {"type":"message","seq":2,...}"#,
    );
    let epoch = script.value("epoch").to_owned();
    drop(script);
    let script = r#"ana opens
        ana > {"type":"hello","nick":"ana"}
        ana < {"type":"welcome","epoch":"EPOCH","resumed":false,"search":false,...}
        ana > {"type":"join","room":"lobby","epoch":"EPOCH","after":1}
        ana < {"type":"joined","room":"lobby","epoch":"EPOCH","seq":2,"recovered":true,"messages":[{"room":"lobby","seq":2,"time":<time>,"nick":"ana","text":"two\nlines","id":"a2","kind":"me"}],"members":["ana"],"members_count":1}
        ana > {"type":"say","room":"lobby","text":"three","id":"a3"}
        ana < {"type":"message","seq":3,...}"#;
    Script::with(&stored(&store, 500)).play(&script.replace("EPOCH", &epoch));
    assert_eq!(store.texts(), ["one", "two\nlines", "three"]);
}

#[test]
fn messages_that_are_not_in_memory_come_from_the_store() {
    let store = Arc::new(Memory::default());
    let mut server = TestServer::start_with(&stored(&store, 2));
    let (mut ana, welcome) = enter(&mut server);
    let texts: Vec<_> = (1..=150).map(|number| number.to_string()).collect();
    say(&mut ana, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    // More than the store is asked for at once.
    let joined = resume(&mut server, &welcome["epoch"], 7);
    assert_eq!((seqs(&joined), &joined["recovered"]), ((8..=150).collect(), &json!(true)));
    let joined = ana.call(&json!({"type": "join", "room": "lobby"}));
    assert_eq!(seqs(&joined), (51..=150).collect::<Vec<_>>());
    let page = ana.call(&json!({"type": "history", "room": "lobby", "before": 4, "limit": 2}));
    assert_eq!((seqs(&page), &page["more"]), (vec![2, 3], &json!(true)));
}

#[test]
fn an_append_that_fails_is_repeated_until_it_succeeds() {
    for append in [Failing::Error, Failing::Partly, Failing::Panic] {
        let store = Arc::new(Memory::default());
        let mut server = TestServer::start_with(&stored(&store, 500));
        let (mut ana, welcome) = enter(&mut server);
        say(&mut ana, &["one"]);
        store.fail(|fails| fails.append = append);
        ana.send_json(&json!({"type": "say", "room": "lobby", "text": "two", "id": "2"}));
        let mut events = [ana.receive_json(), ana.receive_json()];
        events.sort_by_key(|event| event["type"].to_string());
        let [message, notice] = events;
        assert_eq!(message["text"], "two", "clients get it nevertheless");
        assert_eq!((&notice["type"], &notice["level"]), (&json!("notice"), &json!("warning")));
        say(&mut ana, &["three"]);
        let during = lock(&store.content).epoch.clone();
        assert_ne!(json!(during), welcome["epoch"], "{append:?}: the store is marked");
        store.fail(|fails| fails.append = Failing::No);
        let notice = ana.receive_where(|event| event["type"] == "notice");
        assert_eq!(notice["level"], "info", "{append:?}");
        assert_eq!(store.texts(), ["one", "two", "three"], "{append:?}");
        assert_eq!(json!(lock(&store.content).epoch), welcome["epoch"], "{append:?}");
        server.stop();
        let mut server = TestServer::start_with(&stored(&store, 500));
        let joined = resume(&mut server, &welcome["epoch"], 1);
        assert_eq!((seqs(&joined), &joined["recovered"]), (vec![2, 3], &json!(true)));
    }
}

#[test]
fn the_last_messages_are_appended_when_the_server_stops() {
    let store = Arc::new(Memory::default());
    let mut server = TestServer::start_with(&stored(&store, 500));
    let (mut ana, welcome) = enter(&mut server);
    store.fail(|fails| fails.append = Failing::Error);
    say(&mut ana, &["one"]);
    // Without clients the server stops before the next attempt.
    ana.close();
    store.fail(|fails| fails.append = Failing::No);
    server.stop();
    assert_eq!(store.texts(), ["one"]);
    assert_eq!(json!(lock(&store.content).epoch), welcome["epoch"]);
}

#[test]
fn messages_that_were_never_stored_change_the_epoch() {
    // The store can be marked at once, or only when the server stops.
    for is_marked_at_once in [false, true] {
        let store = Arc::new(Memory::default());
        let mut server = TestServer::start_with(&stored(&store, 500));
        let (mut ana, welcome) = enter(&mut server);
        say(&mut ana, &["one"]);
        let set_epoch = if is_marked_at_once { Failing::No } else { Failing::Panic };
        store.fail(|fails| (fails.append, fails.set_epoch) = (Failing::Error, set_epoch));
        say(&mut ana, &["two"]);
        ana.close();
        store.fail(|fails| {
            fails.set_epoch = if is_marked_at_once { Failing::Error } else { Failing::No }
        });
        server.stop();
        store.fail(|fails| *fails = Fails::default());
        let mut server = TestServer::start_with(&stored(&store, 500));
        let joined = resume(&mut server, &welcome["epoch"], 1);
        assert_ne!(joined["epoch"], welcome["epoch"]);
        assert_eq!((seqs(&joined), &joined["recovered"]), (vec![1], &json!(false)));
    }
}

#[test]
fn messages_beyond_the_memory_for_a_failing_store_are_lost_and_clients_are_told() {
    let store = Arc::new(Memory::default());
    let mut server = TestServer::start_with(&stored(&store, 500));
    // Ana is in no room: the messages are more than she would read in time.
    let mut ana = server.open_json();
    let welcome = ana.request(&json!({"type": "hello"}));
    store.fail(|fails| fails.append = Failing::Error);
    let long = "x".repeat(8000);
    // 4 MiB hold 511 of them.
    post(&server.handle, (0..600).map(|_| &long));
    store.fail(|fails| fails.append = Failing::No);
    let notices = [(); 2].map(|()| ana.receive_where(|event| event["type"] == "notice"));
    for notice in &notices {
        assert_eq!(notice["level"], "warning", "{notice}");
    }
    assert_ne!(notices[0]["text"], notices[1]["text"]);
    assert_eq!(store.texts().len(), 511);
    assert_ne!(json!(lock(&store.content).epoch), welcome["epoch"]);
}

#[test]
fn a_read_that_fails_is_an_error_and_the_next_succeeds() {
    let store = Arc::new(Memory { can_search: true, ..Memory::default() });
    let mut server = TestServer::start_with(&stored(&store, 1));
    let (mut ana, welcome) = enter(&mut server);
    say(&mut ana, &["one", "two", "three"]);
    let history = json!({"type": "history", "room": "lobby"});
    let search = json!({"type": "search", "query": "two"});
    for (read, is_confused) in
        [(Failing::Error, false), (Failing::Panic, false), (Failing::No, true)]
    {
        store.fail(|fails| (fails.read, fails.is_confused) = (read, is_confused));
        assert_eq!(error_code(&ana.call(&history)), "unavailable", "{read:?}");
        let read = server.handle.history(&lobby(), None, 100);
        assert_eq!(read, Err(HistoryReadError::Unreadable));
        if !is_confused {
            // The messages in memory are still of use for a join.
            let joined = resume(&mut server, &welcome["epoch"], 1);
            assert_eq!((seqs(&joined), &joined["recovered"]), (vec![3], &json!(false)));
            assert_eq!(error_code(&ana.call(&search)), "unavailable", "{read:?}");
            let found = server.handle.search("two", None, None, 100);
            assert_eq!(found, Err(HistoryReadError::Unreadable));
        }
    }
    store.fail(|fails| *fails = Fails::default());
    assert_eq!(seqs(&ana.call(&history)), [1, 2, 3]);
    assert_eq!(seqs(&ana.call(&search)), [2]);
    assert_eq!(numbers(&server.handle.history(&lobby(), None, 100).unwrap()), [1, 2, 3]);
}

#[test]
fn a_store_that_fails_at_the_start_is_an_error() {
    let store = Arc::new(Memory::default());
    store.fail(|fails| fails.set_epoch = Failing::Error);
    let error = Server::bind(&stored(&store, 1)).unwrap_err();
    let StartError::Store(source) = &error else { panic!("{error}") };
    assert_eq!(source.to_string(), "the test says so");
    store.fail(|fails| *fails = Fails::default());
    for epoch in ["", "no spaces", &"e".repeat(65)] {
        lock(&store.content).epoch = Some(epoch.to_owned());
        assert!(matches!(Server::bind(&stored(&store, 1)), Err(StartError::Store(_))), "{epoch}");
    }
}

#[cfg(feature = "history")]
#[test]
fn a_history_is_in_a_file_or_in_a_store() {
    let folder = testkit::TempDir::new();
    let file = chinwag::history::HistoryConfig::new(folder.file("chat.db"));
    let config = stored(&Arc::default(), 1).history(file);
    assert!(matches!(Server::bind(&config), Err(StartError::TwoHistories)));
}

/// Checks what an embedder reads of 150 messages in the lobby, of which memory has at least the last
/// two.
fn assert_pages(handle: &Handle, oldest: u64) {
    let history = |before, limit| handle.history(&lobby(), before, limit).unwrap();
    assert_eq!(numbers(&history(None, 3)), [148, 149, 150]);
    assert_eq!(numbers(&history(Some(151), 1)), [150]);
    assert_eq!(numbers(&history(None, 1000)), (51..=150).collect::<Vec<_>>());
    assert_eq!(numbers(&history(None, 0)), [150]);
    assert_eq!(numbers(&history(Some(150), 100)), (oldest.max(50)..=149).collect::<Vec<_>>());
    assert_eq!(numbers(&history(Some(oldest), 100)), [0; 0]);
    assert_eq!(numbers(&history(Some(u64::MAX), 1)), [150]);
    assert_eq!(handle.history(&"nowhere".parse().unwrap(), None, 10), Ok(vec![]));
    let message = &history(None, 1)[0];
    assert_eq!((message.room(), message.nickname().as_str()), (&lobby(), "clock"));
    assert_eq!((message.text(), message.id(), message.kind()), ("150", None, MessageKind::Say));
    assert!(message.time().elapsed().unwrap() < DEADLINE);
}

fn post_150(handle: &Handle) {
    post(handle, (1..=150).map(|number| number.to_string()));
}

#[test]
fn an_embedder_reads_the_messages_in_memory_without_a_history() {
    let server = TestServer::start_with(&limited(500));
    post_150(&server.handle);
    assert_pages(&server.handle, 1);
    let found = server.handle.search("150", None, None, 10);
    assert_eq!(found, Err(HistoryReadError::NoSearch));
    let server = TestServer::start_with(&limited(120));
    post_150(&server.handle);
    assert_pages(&server.handle, 31);
}

#[test]
fn an_embedder_reads_and_searches_a_store() {
    for lines_max in [0, 2] {
        let store = Arc::new(Memory { can_search: true, ..Memory::default() });
        let server = TestServer::start_with(&stored(&store, lines_max));
        post_150(&server.handle);
        assert_pages(&server.handle, 1);
        assert_found(|query, room, before, limit| server.handle.search(query, room, before, limit));
    }
    let server = TestServer::start_with(&stored(&Arc::default(), 1));
    let found = server.handle.search("150", None, None, 10);
    assert_eq!(found, Err(HistoryReadError::NoSearch));
}

#[cfg(feature = "history")]
#[test]
fn an_embedder_reads_and_searches_a_file() {
    for lines_max in [0, 2] {
        let folder = testkit::TempDir::new();
        let file = chinwag::history::HistoryConfig::new(folder.file("chat.db"));
        let server = TestServer::start_with(&limited(lines_max).history(file));
        post_150(&server.handle);
        assert_pages(&server.handle, 1);
        until_indexed(&server.handle, "150", 1);
        assert_found(|query, room, before, limit| server.handle.search(query, room, before, limit));
    }
}

/// Waits until a query finds this number of messages: the index follows a moment later.
#[cfg(feature = "history")]
fn until_indexed(handle: &Handle, query: &str, count: usize) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let found = handle.search(query, None, None, 100);
        if found.as_ref().is_ok_and(|found| found.messages.len() == count) {
            return;
        }
        assert!(Instant::now() < deadline, "{query}: {found:?}");
    }
}

/// Checks searches in the 150 messages of the lobby.
fn assert_found(
    search: impl Fn(&str, Option<&RoomName>, Option<u64>, usize) -> Result<Found, HistoryReadError>,
) {
    let found = search("14", None, None, 4).unwrap();
    assert_eq!(texts(&found.messages), ["149", "148", "147", "146"]);
    let found = search("14", Some(&lobby()), found.before, 100).unwrap();
    assert_eq!(texts(&found.messages), ["145", "144", "143", "142", "141", "140", "14"]);
    assert_eq!(found.before, None);
    let nowhere = "nowhere".parse().unwrap();
    assert_eq!(search("14", Some(&nowhere), None, 100).unwrap().messages, []);
    assert_eq!(search(" ", None, None, 1), Err(HistoryReadError::Query(QueryError::Empty)));
    let long = search(&"x".repeat(257), None, None, 1);
    assert_eq!(long, Err(HistoryReadError::Query(QueryError::TooLong)));
}

#[cfg(feature = "history")]
#[test]
fn a_query_matches_the_messages_that_a_history_file_finds() {
    let folder = testkit::TempDir::new();
    let file = chinwag::history::HistoryConfig::new(folder.file("chat.db"));
    let server = TestServer::start_with(&config().history(file));
    let said = [
        "The kettle boils",
        "Don't touch the kettle",
        "l'été là-bas",
        "touch THE don",
        "Straße und Café",
        "東京の天気",
        "a_b c-d e.f",
        "kettles",
    ];
    post(&server.handle, said);
    let iris = Nickname::parse("Iris Ann").unwrap();
    server.handle.say(&lobby(), &iris, "the kettle").unwrap();
    until_indexed(&server.handle, "the kettle ", 3);
    let messages = server.handle.history(&lobby(), None, 100).unwrap();
    for query in [
        "kettle",
        "kettle ",
        "\"the kettle\"",
        "\"kettle the\"",
        "dont",
        "don't",
        "don t",
        "t",
        "ete",
        "l'ete la",
        "\"touch the\"",
        "\"touch t",
        "strasse",
        "CAFE",
        "天気",
        "京の",
        "京天",
        "a_b",
        "\"a b c\"",
        "e f",
        "from:\"iris ann\"",
        "from:clock kettle",
        "from:iris",
        "from:\"IRIS ANN\" the",
        "x'y",
        "\"don t\"",
        "bas",
        "la-bas",
    ] {
        let parsed = Query::parse(query).unwrap();
        assert_eq!(parsed.as_str(), query);
        let matching: Vec<_> =
            messages.iter().rev().filter(|it| parsed.matches(it)).map(|it| it.text()).collect();
        let found = server.handle.search(query, None, None, 100).unwrap();
        assert_eq!(matching, texts(&found.messages), "{query}");
    }
}

#[test]
fn a_bound_server_reads_the_messages_of_an_earlier_run() {
    let store = Arc::new(Memory { can_search: true, ..Memory::default() });
    let server = TestServer::start_with(&stored(&store, 500));
    post(&server.handle, ["one", "two"]);
    server.stop();
    let server = Server::bind(&stored(&store, 0)).unwrap();
    let (answer, answered) = channel();
    let reading = thread::spawn(move || {
        let history = server.handle().history(&lobby(), None, 100);
        answer.send((history, server.handle().search("two", None, None, 100))).unwrap();
    });
    let (history, found) = answered.recv_timeout(DEADLINE).unwrap();
    assert_eq!(texts(&history.unwrap()), ["one", "two"]);
    let found = found.unwrap();
    assert_eq!((texts(&found.messages), found.before), (vec!["two"], None));
    reading.join().unwrap();
}

#[test]
fn a_read_ends_when_the_server_stops() {
    let store = Arc::new(Memory::default());
    let server = TestServer::start_with(&stored(&store, 0));
    post(&server.handle, ["one"]);
    let (entered, is_reading) = channel();
    let (may_continue, gate) = channel();
    *lock(&store.gate) = Some((entered, gate));
    let handle = server.handle.clone();
    let (answer, answered) = channel();
    let reading = thread::spawn(move || answer.send(handle.history(&lobby(), None, 1)).unwrap());
    is_reading.recv_timeout(DEADLINE).unwrap();
    // The store is slow, and other calls do not wait for it.
    post(&server.handle, ["two"]);
    server.handle.stop();
    let stopped = answered.recv_timeout(DEADLINE).unwrap();
    assert_eq!(stopped, Err(HistoryReadError::Stopped));
    reading.join().unwrap();
    drop(may_continue);
    server.wait().unwrap();
    assert_eq!(server.handle.history(&lobby(), None, 1), Err(HistoryReadError::Stopped));
    let found = server.handle.search("one", None, None, 1);
    assert_eq!(found, Err(HistoryReadError::Stopped));
}

#[test]
fn a_full_queue_of_searches_is_an_error() {
    /// One search is in progress, and 16 wait.
    const SEARCHES: usize = 17;
    let store = Arc::new(Gated::default());
    let (entered, is_searching) = channel();
    let (may_continue, gate) = channel();
    *lock(&store.gate) = Some((entered, gate));
    let server = TestServer::start_with(&limited(0).store(store.clone()));
    let searching: Vec<_> = (0..SEARCHES + 1)
        .map(|index| {
            let handle = server.handle.clone();
            let thread = thread::spawn(move || handle.search("x", None, None, 1));
            if index == 0 {
                // The next ones wait in the queue.
                is_searching.recv_timeout(DEADLINE).unwrap();
            }
            thread
        })
        .collect();
    // One of them is refused, and returns while the others wait.
    let deadline = Instant::now() + DEADLINE;
    while !searching.iter().any(thread::JoinHandle::is_finished) {
        assert!(Instant::now() < deadline, "all searches wait");
        thread::yield_now();
    }
    store.is_open.store(true, Ordering::SeqCst);
    drop(may_continue);
    let results: Vec<_> = searching.into_iter().map(|it| it.join().unwrap()).collect();
    let refused = results.iter().filter(|it| **it == Err(HistoryReadError::Unreadable)).count();
    let found = results.iter().filter(|it| it.is_ok()).count();
    assert_eq!((found, refused), (SEARCHES, 1));
}

/// An empty store whose searches wait for the test.
#[derive(Default)]
struct Gated {
    gate: Mutex<Option<(Sender<()>, Receiver<()>)>>,
    is_open: AtomicBool,
}

impl MessageStore for Gated {
    fn load(&self) -> Result<Stored, StoreError> {
        Ok(Stored::default())
    }

    fn set_epoch(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }

    fn append(&self, _: &[Arc<Message>]) -> Result<(), StoreError> {
        Ok(())
    }

    fn before(&self, _: &RoomName, _: u64, _: usize) -> Result<Vec<Arc<Message>>, StoreError> {
        Ok(Vec::new())
    }

    fn after(&self, _: &RoomName, _: u64, _: usize) -> Result<Vec<Arc<Message>>, StoreError> {
        Ok(Vec::new())
    }

    fn can_search(&self) -> bool {
        true
    }

    fn search(
        &self,
        _: &Query,
        _: Option<&RoomName>,
        _: Option<u64>,
        _: usize,
    ) -> Result<Vec<(u64, Arc<Message>)>, StoreError> {
        if !self.is_open.load(Ordering::SeqCst) {
            if let Some((entered, may_continue)) = &*lock(&self.gate) {
                let _ = entered.send(());
                let _ = may_continue.recv();
            }
        }
        Ok(Vec::new())
    }
}

#[test]
fn a_message_is_a_line_of_json_and_back() {
    let message = |text: &str| {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_millis(1_750_000_000_123);
        let nickname = Nickname::recorded("user-7").unwrap();
        Message::new("küche".parse().unwrap(), 7, time, nickname, text)
    };
    let me = message("a\nb").with_kind(MessageKind::Me).with_id("i-1").unwrap();
    for message in [message(&"x".repeat(20_000)), message("\"\\\t\u{202e}"), me] {
        let line = message.to_json();
        assert!(!line.contains('\n'));
        assert_eq!(Message::from_json(&line), Ok(message));
    }
    for id in ["", "a b", "é", &"x".repeat(65)] {
        assert!(message("").with_id(id).is_err(), "{id}");
    }
    for line in ["", "[]", "{}", r#"{"room":"a b","seq":1,"time":0,"nick":"ana","text":""}"#] {
        assert!(Message::from_json(line).is_err(), "{line}");
    }
}
