//! Histories: a file, and storage of the embedder's own.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};
use std::{env, process};

use chinwag::history::{HistoryConfig, export, import, stats, verify};
use chinwag::store::{MessageStore, Query, StoreError, Stored};
use chinwag::{HistoryLimits, Limits, Message, MessageKind, Nickname, RoomName, Server};

use crate::clients::{Json, Outcome};
use crate::config;

pub fn messages() -> Outcome {
    let nickname = Nickname::recorded("user-1")?;
    let time = UNIX_EPOCH + Duration::from_millis(1_770_000_000_000);
    let message = Message::new(RoomName::lobby(), 7, time, nickname.clone(), "waves at ana")
        .with_kind(MessageKind::Me)
        .with_id("a1")?;
    assert_eq!((message.room(), message.seq(), message.time()), (&RoomName::lobby(), 7, time));
    assert_eq!((message.nickname(), message.kind()), (&nickname, MessageKind::Me));
    assert_eq!((message.id(), message.text()), (Some("a1"), "waves at ana"));
    let line = message.to_json();
    assert_eq!(Message::from_json(&line)?.to_json(), line);
    let query = Query::parse("waves an")?;
    assert!(query.matches(&message) && query.as_str() == "waves an");
    Ok(())
}

pub fn a_file() -> Outcome {
    let folder = env::temp_dir().join(format!("chinwag-embedder-{}", process::id()));
    fs::create_dir(&folder)?;
    let outcome = a_history(&folder.join("chat.db"));
    fs::remove_dir_all(folder)?;
    outcome
}

fn a_history(file: &Path) -> Outcome {
    let line = br#"{"room":"lobby","seq":1,"time":1770000000000,"nick":"ana","text":"hello"}"#;
    assert_eq!(import(file, &mut line.as_slice(), |_| {})?, 1);
    let running = Server::bind(&config().history(HistoryConfig::new(file)))?.start()?;
    running.handle().say(&RoomName::lobby(), &Nickname::parse("clock")?, "ten to two")?;
    running.stop()?;
    assert_eq!(stats(file)?.messages, 2);
    assert!(verify(file)?.problems.is_empty());
    let mut exported = Vec::new();
    assert_eq!(export(file, &mut exported, |_| {})?.written, 2);
    assert!(String::from_utf8(exported)?.contains("ten to two"));
    Ok(())
}

/// Storage in memory.
#[derive(Default)]
struct Memory {
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    epoch: Option<String>,
    messages: Vec<Arc<Message>>,
    /// The methods that were called to read messages.
    reads: Vec<&'static str>,
}

impl Memory {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(
        &self,
        method: &'static str,
        is_asked_for: impl Fn(&Message) -> bool,
    ) -> Vec<Arc<Message>> {
        let mut content = self.content();
        content.reads.push(method);
        content.messages.iter().filter(|it| is_asked_for(it)).cloned().collect()
    }
}

impl MessageStore for Memory {
    fn load(&self) -> Result<Stored, StoreError> {
        let content = self.content();
        let last = content.messages.last().map(|it| (it.room().clone(), it.seq()));
        Ok(Stored::new(content.epoch.clone(), last.into_iter().collect()))
    }

    fn set_epoch(&self, epoch: &str) -> Result<(), StoreError> {
        self.content().epoch = Some(epoch.to_owned());
        Ok(())
    }

    fn append(&self, messages: &[Arc<Message>]) -> Result<(), StoreError> {
        self.content().messages.extend_from_slice(messages);
        Ok(())
    }

    fn before(
        &self,
        room: &RoomName,
        before: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, StoreError> {
        let mut messages = self.read("before", |it| it.room() == room && it.seq() < before);
        Ok(messages.split_off(messages.len().saturating_sub(limit)))
    }

    fn after(
        &self,
        room: &RoomName,
        after: u64,
        limit: usize,
    ) -> Result<Vec<Arc<Message>>, StoreError> {
        let mut messages = self.read("after", |it| it.room() == room && it.seq() > after);
        messages.truncate(limit);
        Ok(messages)
    }

    fn can_search(&self) -> bool {
        true
    }

    fn search(
        &self,
        query: &Query,
        _: Option<&RoomName>,
        _: Option<u64>,
        limit: usize,
    ) -> Result<Vec<(u64, Arc<Message>)>, StoreError> {
        let found = self.read("search", |it| query.matches(it)).into_iter().rev().take(limit);
        Ok(found.map(|message| (message.seq(), message)).collect())
    }
}

/// A server with a store of the embedder's own, which has messages of an earlier run.
pub fn a_store() -> Outcome {
    let (lobby, clock) = (RoomName::lobby(), Nickname::parse("clock")?);
    let earlier = |seq| {
        let text = format!("message {seq}");
        Arc::new(Message::new(RoomName::lobby(), seq, UNIX_EPOCH, clock.clone(), &text))
    };
    let store = Arc::new(Memory::default());
    store.content().messages.extend((1..=100).map(earlier));
    // A single message in memory, so that the others are read from the store.
    let limits = Limits::default().history(HistoryLimits::default().lines_max(1));
    let running = Server::bind(&config().limits(limits).store(store.clone()))?.start()?;
    let handle = running.handle();
    handle.say(&lobby, &clock, "the latest")?;

    let messages = handle.history(&lobby, None, 2)?;
    let texts: Vec<_> = messages.iter().map(|it| it.text()).collect();
    assert_eq!(texts, ["message 100", "the latest"]);
    let found = handle.search("from:clock 42", None, None, 10)?;
    assert_eq!((found.messages[0].seq(), found.messages.len(), found.before), (42, 1, None));

    let epoch = store.content().epoch.clone().ok_or("no epoch was set")?;
    let mut ana = Json::connect(handle.websocket_addresses()[0], "/")?;
    ana.send(r#"{"type":"hello","nick":"ana"}"#)?;
    ana.receive(r#""search":true"#)?;
    ana.send(&format!(r#"{{"type":"join","room":"lobby","epoch":"{epoch}","after":1}}"#))?;
    ana.receive(r#""recovered":true,"messages":[{"room":"lobby","seq":2"#)?;
    running.stop()?;
    let content = store.content();
    for method in ["before", "after", "search"] {
        assert!(content.reads.contains(&method), "{method}");
    }
    assert_eq!(content.messages.len(), 101);
    Ok(())
}
