//! The history in real files.

use std::fs;
use std::num::NonZero;
use std::path::Path;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rusqlite::TransactionBehavior;

use super::clock::{FileClock, Reading};
use super::file::{Use, connect, open_private};
use super::retention::Retention;
use super::*;
use crate::broadcaster::history::HistoryWriter as _;
use crate::chat::{
    Chat, Delivery, Id, Kind, Level, Message, Nickname, Notice, RoomName, Rules, Text, Turn,
};

/// A folder that is gone when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("chinwag-store-{:016x}", rand::random::<u64>());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self) -> PathBuf {
        self.0.join("chat.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn open(path: &Path) -> Result<Store, HistoryError> {
    Store::open(&HistoryConfig::new(path), HistoryLimits::default())
}

fn epoch(path: &Path) -> String {
    open(path).unwrap().epoch
}

fn message(room: &str, seq: u64) -> Arc<Message> {
    Arc::new(Message {
        room: RoomName::parse(room).unwrap(),
        seq,
        time: seq,
        nickname: Nickname::parse("ana").unwrap(),
        text: Text::parse(&format!("number {seq}"), 100).unwrap(),
        id: Id::parse(&format!("id-{seq}")),
        kind: Kind::Say,
    })
}

fn chat() -> Chat {
    Chat::new(Rules { has_archive: true, grace: Duration::ZERO, ..Rules::simple() })
}

/// Changes a file behind the back of everybody.
fn change(path: &Path, sql: &str) {
    connect(path, Use::Write).unwrap().execute_batch(sql).unwrap();
}

fn number(path: &Path, sql: &str) -> i64 {
    connect(path, Use::Read).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// As the first version of the format had it, with three messages in two rooms.
fn first_version(path: &Path) {
    drop(open_private(path).unwrap());
    let mut connection = connect(path, Use::Write).unwrap();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    schema::migrate(&transaction, 0, 1).unwrap();
    transaction
        .execute_batch(
            "INSERT INTO room (id, name) VALUES (1, 'lobby'), (2, 'kitchen');
             INSERT INTO message VALUES (1, 1, 1, 10, 'ana', 'one', 'a', 0),
                (2, 2, 1, 20, 'bo', 'two', NULL, 1), (3, 1, 2, 30, 'ana', 'three', NULL, 0);",
        )
        .unwrap();
    transaction.commit().unwrap();
}

/// Posts a message, and returns it.
fn post(
    chat: &mut Chat,
    room: &RoomName,
    nickname: Nickname,
    text: Text,
    now: crate::chat::Now,
) -> Arc<Message> {
    let (mut random, mut out) = (StdRng::seed_from_u64(1), vec![]);
    let turn = &mut Turn { now, random: &mut random, out: &mut out };
    chat.post(room, nickname, text, turn).unwrap();
    match &out[..] {
        [Delivery::Room { notice: Notice::Message(message), .. }] => message.clone(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_history_of_the_first_version_is_brought_up_to_date() {
    let folder = Folder::new();
    first_version(&folder.file());
    assert_eq!(number(&folder.file(), "PRAGMA user_version"), 1);
    let before = connect(&folder.file(), Use::Read).unwrap();
    let epoch_before: String =
        before.query_row("SELECT epoch FROM history", [], |row| row.get(0)).unwrap();
    drop(before);
    let store = open(&folder.file()).unwrap();
    assert_eq!(store.epoch, epoch_before);
    let rooms: Vec<_> = store.left.rooms.iter().map(|it| (it.room.as_str(), it.seq)).collect();
    assert_eq!(rooms, [("kitchen", 1), ("lobby", 2)]);
    let texts = store.left.rooms.iter().flat_map(|it| &it.messages).map(|it| it.text.as_str());
    assert_eq!(texts.collect::<Vec<_>>(), ["two", "one", "three"]);
    drop(store);
    assert_eq!(number(&folder.file(), "PRAGMA user_version"), schema::VERSION);
    assert!(number(&folder.file(), "SELECT time FROM history") > 0, "the file has a clock now");
    assert_eq!(verify(&folder.file()).unwrap(), Report { messages: 3, problems: vec![] });
}

#[test]
fn the_epoch_changes_when_something_may_be_missing() {
    let folder = Folder::new();
    let file = folder.file();
    let first = epoch(&file);
    assert_eq!(epoch(&file), first, "after an orderly end");
    change(&file, "UPDATE history SET opened_in = 'another boot'");
    let second = epoch(&file);
    assert_ne!(second, first, "the machine went down");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let kill = |opened_in: &str| {
        change(&file, &format!("UPDATE history SET opened_in = '{opened_in}'"));
        // A server that is killed leaves its log.
        fs::write(folder.0.join("chat.db-wal"), "x").unwrap();
    };
    kill(boot.trim());
    assert_eq!(epoch(&file), second, "the process was killed");
    kill("full");
    assert_eq!(epoch(&file), second, "every message was on the disk");
    kill("full");
    fs::remove_file(folder.0.join("chat.db-wal")).unwrap();
    let without_log = epoch(&file);
    assert_ne!(without_log, second, "its log was removed");
    let second = without_log;
    drop(open_private(&folder.0.join("chat.db-incomplete")).unwrap());
    let third = epoch(&file);
    assert_ne!(third, second, "it could not be written");
    assert_eq!(epoch(&file), third, "once");
}

#[test]
fn what_is_no_history_of_ours_is_left_as_it_is() {
    let folder = Folder::new();
    let file = folder.file();
    let other = folder.0.join("other.db");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    drop(open(&file).unwrap());
    for (sql, expected) in [
        ("PRAGMA user_version = 99", "was written by a newer chinwag"),
        ("PRAGMA user_version = 2; PRAGMA application_id = 7", "is no history of chinwag"),
    ] {
        change(&file, sql);
        let before = fs::read(&file).unwrap();
        assert!(open(&file).unwrap_err().to_string().contains(expected));
        assert!(fs::read(&file).unwrap() == before);
    }
    let short = folder.0.join("short");
    fs::write(&short, "x").unwrap();
    for other in [other, short] {
        let before = fs::read(&other).unwrap();
        assert!(matches!(open(&other), Err(HistoryError::Foreign(_))));
        assert!(fs::read(&other).unwrap() == before);
    }
}

#[test]
fn one_server_has_it_at_a_time() {
    let folder = Folder::new();
    let store = open(&folder.file()).unwrap();
    assert!(matches!(open(&folder.file()), Err(HistoryError::Locked(_))));
    drop(store);
    assert!(open(&folder.file()).is_ok());
}

#[test]
fn rooms_are_taken_up_as_far_as_memory_may_hold_them() {
    let folder = Folder::new();
    let mut store = open(&folder.file()).unwrap();
    let chat = chat();
    for room in ["attic", "lobby", "kitchen"] {
        (1..=300).for_each(|seq| store.writer.take(&message(room, seq)));
        assert_eq!(store.writer.end_turn(&chat, std::time::Instant::now()), None);
    }
    drop(store);
    let limits = HistoryLimits::default().idle_rooms_max(2);
    let store = Store::open(&HistoryConfig::new(folder.file()), limits).unwrap();
    let rooms = store.left.rooms.iter().map(|it| (it.room.as_str(), it.seq, it.messages.len()));
    let expected = [("attic", 300, 0), ("lobby", 300, 100), ("kitchen", 300, 100)];
    assert_eq!(rooms.collect::<Vec<_>>(), expected);
    let newest: Vec<_> = store.left.rooms[1].messages.iter().map(|it| it.seq).collect();
    assert_eq!(newest, (201..=300).collect::<Vec<_>>());
}

/// The end of the history is gone with the power, and the index has it still.
#[test]
fn an_index_that_knows_more_than_the_history_is_made_anew() {
    let folder = Folder::new();
    let store = open(&folder.file()).unwrap();
    let index = store.index.open().unwrap();
    index::set_up_to(&index, 1000).unwrap();
    drop((index, store));
    let mut store = open(&folder.file()).unwrap();
    store.writer.take(&message("lobby", 1));
    store.writer.end_turn(&chat(), std::time::Instant::now());
    let Store { writer, file, index, bell, .. } = store;
    // The work is done once more before the end.
    drop(writer);
    maintenance::run_maintenance(&file, &index, &bell, false);
    let connection = index.connect(Use::Read).unwrap().unwrap();
    assert_eq!(index::up_to(&connection).unwrap(), 1);
    let query = crate::chat::Query::parse("number").unwrap();
    let mut found = vec![];
    let all = |number| {
        found.push(number);
        Ok(true)
    };
    index::find(&connection, &query, None, None, all).unwrap();
    assert_eq!(found, [1]);
}

#[test]
fn the_index_of_another_history_is_made_anew() {
    let folder = Folder::new();
    let store = open(&folder.file()).unwrap();
    let other = Index::at(&folder.file(), "another");
    assert!(other.connect(Use::Read).unwrap().is_none());
    let connection = other.open().unwrap();
    assert_eq!(index::up_to(&connection).unwrap(), 0);
    assert!(store.index.connect(Use::Read).unwrap().is_none());
}

/// More rooms than are remembered: a number must not mean two messages there.
#[test]
fn rooms_that_are_not_taken_up_go_on_counting_behind_all_their_numbers() {
    let folder = Folder::new();
    drop(open(&folder.file()).unwrap());
    change(
        &folder.file(),
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10002)
            INSERT INTO room (id, name) SELECT i, 'room-' || i FROM n;
         INSERT INTO message (number, room, seq, time, nick, text)
            SELECT id, id, CASE id WHEN 1 THEN 70 WHEN 2 THEN 7 ELSE 1 END, 0, 'ana', 'x' FROM room;",
    );
    let mut store = open(&folder.file()).unwrap();
    assert_eq!((store.left.rooms.len(), store.left.floor), (10_000, 70));
    let mut chat = chat();
    chat.count_on_from(store.left.floor);
    let nickname = Nickname::parse("ana").unwrap();
    let now = crate::chat::Now { instant: std::time::Instant::now(), unix_ms: 0 };
    let old = RoomName::parse("room-1").unwrap();
    let text = Text::parse("again", 100).unwrap();
    let message = post(&mut chat, &old, nickname, text, now);
    assert_eq!(message.seq, 71);
    store.writer.take(&message);
    assert_eq!(store.writer.end_turn(&chat, now.instant), None);
}

#[test]
fn pages_of_deleted_messages_are_given_back() {
    let folder = Folder::new();
    let history = HistoryConfig::new(folder.file()).keep_messages(NonZero::new(1));
    let mut store = Store::open(&history, HistoryLimits::default()).unwrap();
    (1..=2000).for_each(|seq| store.writer.take(&message("lobby", seq)));
    let (chat, mut now) = (chat(), std::time::Instant::now());
    for _ in 0..100 {
        assert_eq!(store.writer.end_turn(&chat, now), None);
        now += Duration::from_secs(60);
    }
    drop(store);
    assert_eq!(number(&folder.file(), "SELECT count(*) FROM message"), 1);
    assert_eq!(number(&folder.file(), "PRAGMA freelist_count"), 0);
    assert!(number(&folder.file(), "PRAGMA page_count") < 20);
}

/// Keeps house until everything up to this message is in the index.
fn keep_house_up_to(store: &Store, number: i64) -> i64 {
    let (ring, bell) = bounded(1);
    let Store { file, index, .. } = store;
    std::thread::scope(|scope| {
        scope.spawn(move || maintenance::run_maintenance(file, index, &bell, false));
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        let mut up_to = 0;
        ring.send(()).unwrap();
        while up_to < number && std::time::Instant::now() < deadline {
            let index = index.connect(Use::Read).ok().flatten();
            up_to = index.and_then(|index| index::up_to(&index).ok()).unwrap_or(0);
        }
        drop(ring);
        up_to
    })
}

/// Whatever is in its place.
#[test]
fn a_damaged_index_is_made_anew() {
    let folder = Folder::new();
    let mut store = open(&folder.file()).unwrap();
    (1..=2000).for_each(|seq| store.writer.take(&message("lobby", seq)));
    store.writer.end_turn(&chat(), std::time::Instant::now());
    assert_eq!(keep_house_up_to(&store, 2000), 2000);
    let path = folder.0.join("chat.db-search");
    for (newest, start) in [(2001, 0), (2002, 2 * 4096)] {
        let mut bytes = fs::read(&path).unwrap();
        bytes[start..].fill(7);
        fs::write(&path, bytes).unwrap();
        drop(store);
        store = open(&folder.file()).unwrap();
        store.writer.take(&message("lobby", u64::try_from(newest).unwrap()));
        store.writer.end_turn(&chat(), std::time::Instant::now());
        assert_eq!(keep_house_up_to(&store, newest), newest, "damage from {start}");
        let connection = store.index.connect(Use::Read).unwrap().unwrap();
        let query = crate::chat::Query::parse("number").unwrap();
        let mut found = 0;
        let count = |_| {
            found += 1;
            Ok(true)
        };
        index::find(&connection, &query, None, None, count).unwrap();
        assert_eq!(found, newest, "damage from {start}");
    }
}

/// A history with what was said in it, by a server that runs.
fn running(folder: &Folder, count: u64) -> (Store, Chat) {
    let mut store = open(&folder.file()).unwrap();
    let mut chat = chat_of(&store);
    say(&mut store, &mut chat, count);
    (store, chat)
}

fn chat_of(store: &Store) -> Chat {
    let history = HistoryLimits::default();
    let epoch = store.epoch.clone();
    Chat::new(Rules { epoch, history, has_archive: true, grace: Duration::ZERO, ..Rules::simple() })
}

fn say(store: &mut Store, chat: &mut Chat, count: u64) -> Vec<Option<Level>> {
    say_at(store, chat, count, std::time::Instant::now())
}

/// Says something so often, each in a turn of its own. Returns what people are told.
fn say_at(
    store: &mut Store,
    chat: &mut Chat,
    count: u64,
    instant: std::time::Instant,
) -> Vec<Option<Level>> {
    let (room, ana) = (RoomName::lobby(), Nickname::parse("ana").unwrap());
    let now = crate::chat::Now { instant, unix_ms: 1 };
    let each = (0..count).map(|_| {
        let text = Text::parse("hello", 100).unwrap();
        store.writer.take(&post(chat, &room, ana.clone(), text, now));
        store.writer.end_turn(chat, instant).map(|(_, level)| level)
    });
    each.collect()
}

fn seqs(path: &Path) -> Vec<u64> {
    let mut lines = vec![];
    export(path, &mut lines, |_| {}).unwrap();
    let lines = String::from_utf8(lines).unwrap();
    let seq = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["seq"].as_u64().unwrap()
    };
    lines.lines().map(seq).collect()
}

type Harm = (&'static str, fn(&Folder));

/// All that may be done to the files of a server that runs.
const HARMS: [Harm; 13] = [
    ("removed", |it| fs::remove_file(it.file()).unwrap()),
    ("renamed", |it| fs::rename(it.file(), it.0.join("elsewhere")).unwrap()),
    ("all removed", |it| {
        for file in fs::read_dir(&it.0).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
    }),
    ("the folder replaced", |it| {
        fs::remove_dir_all(&it.0).unwrap();
        fs::create_dir(&it.0).unwrap();
    }),
    ("cut to nothing", |it| cut(&it.file(), 0)),
    ("cut to a page and a half", |it| cut(&it.file(), 6000)),
    ("replaced by an older copy", |it| {
        let copy = it.0.join("copy");
        fs::copy(it.file(), &copy).unwrap();
        fs::rename(copy, it.file()).unwrap();
    }),
    ("replaced by an empty file", |it| {
        fs::write(it.0.join("empty"), "").unwrap();
        fs::rename(it.0.join("empty"), it.file()).unwrap();
    }),
    ("another history copied over it", |it| {
        let other = it.0.join("other");
        drop(open(&other).unwrap());
        fs::write(it.file(), fs::read(other).unwrap()).unwrap();
    }),
    ("the log removed", |it| fs::remove_file(it.0.join("chat.db-wal")).unwrap()),
    ("the log cut", |it| cut(&it.0.join("chat.db-wal"), 0)),
    ("the index of the log removed", |it| fs::remove_file(it.0.join("chat.db-shm")).unwrap()),
    ("the index of the log cut", |it| cut(&it.0.join("chat.db-shm"), 0)),
];

fn cut(path: &Path, length: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// It is told once, and what is held is written again. All of it is held here, so that nothing is
/// missing in the end; but where the file may have had more, the next server has another epoch.
#[test]
fn a_file_that_is_lost_is_noticed_and_written_again() {
    for (name, harm) in HARMS {
        let folder = Folder::new();
        let (mut store, mut chat) = running(&folder, 5);
        harm(&folder);
        let now = std::time::Instant::now();
        assert_eq!(say_at(&mut store, &mut chat, 2, now), [Some(Level::Warning), None], "{name}");
        let is_marked = folder.0.join("chat.db-incomplete").exists();
        assert!(is_marked, "{name}");
        if name == "cut to a page and a half" {
            // Of this nothing can be made. It stays as it is, and the chat goes on.
            let told = say_at(&mut store, &mut chat, 1, now + Duration::from_secs(2));
            assert_eq!(told, [None], "{name}");
            assert_eq!(fs::metadata(folder.file()).unwrap().len(), 6000);
            continue;
        }
        let told = say_at(&mut store, &mut chat, 2, now + Duration::from_secs(2));
        assert!(told[0].is_some() && told[1].is_none(), "{name}: {told:?}");
        assert_eq!(seqs(&folder.file()), (1..=9).collect::<Vec<_>>(), "{name}");
        let told = say_at(&mut store, &mut chat, 1, now + Duration::from_secs(3));
        assert_eq!(told, [None], "{name}");
        let epoch_before = store.epoch.clone();
        drop((store, chat));
        let store = open(&folder.file()).unwrap();
        let is_known = name.contains("log") || name.contains("older copy");
        assert_eq!(store.epoch == epoch_before, is_known, "{name}");
        assert_eq!(store.left.rooms[0].seq, 10, "{name}");
        drop(store);
        let report = verify(&folder.file()).unwrap();
        assert_eq!((report.messages, report.problems), (10, vec![]), "{name}");
    }
}

/// Of what memory does not hold nobody is told that the file has it.
#[test]
fn what_was_lost_with_a_file_gives_it_another_epoch() {
    for (name, harm) in HARMS.iter().filter(|(name, _)| *name != "cut to a page and a half") {
        let folder = Folder::new();
        let (mut store, mut chat) = running(&folder, 700);
        // Messages that nothing but the log has, except the first.
        harm(&folder);
        let now = std::time::Instant::now();
        say_at(&mut store, &mut chat, 1, now);
        say_at(&mut store, &mut chat, 1, now + Duration::from_secs(2));
        let is_whole = seqs(&folder.file()) == (1..=702).collect::<Vec<_>>();
        let epoch_before = store.epoch.clone();
        drop((store, chat));
        let store = open(&folder.file()).unwrap();
        assert_eq!(store.epoch == epoch_before, is_whole, "{name}");
        assert_eq!(store.left.rooms[0].seq, 702, "{name}");
        let keeps_all =
            ["the log removed", "the index of the log removed", "the index of the log cut"];
        assert_eq!(is_whole, keeps_all.contains(name), "{name}");
    }
}

/// It is killed after the harm, before or after something else was said.
#[test]
fn a_killed_server_whose_files_were_harmed_has_another_epoch_or_lacks_nothing() {
    for (name, harm) in HARMS.iter().filter(|(name, _)| *name != "cut to a page and a half") {
        for said_after in [0, 1] {
            let folder = Folder::new();
            let (mut store, mut chat) = running(&folder, 5);
            harm(&folder);
            say(&mut store, &mut chat, said_after);
            let epoch_before = store.epoch.clone();
            // As the end of the process leaves it: nothing is closed in order.
            let copy = Folder::new();
            for file in fs::read_dir(&folder.0).unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), copy.0.join(file.file_name())).unwrap();
            }
            let next = open(&copy.file()).unwrap();
            let seq = next.left.rooms.first().map_or(0, |it| it.seq);
            assert!(next.epoch != epoch_before || seq == 5 + said_after, "{name}: {seq}");
        }
    }
}

/// A pass at every step, and no doubt about the clock.
fn quick(folder: &Folder, keep: Duration) -> HistoryConfig {
    HistoryConfig::new(folder.file()).keep(Some(keep)).deletion_notice(Duration::from_secs(3600))
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// Imports messages of these ages (days). Negative ones are of the future.
fn aged(folder: &Folder, ages: impl IntoIterator<Item = i64>) {
    let lines: String = (1..)
        .zip(ages)
        .map(|(seq, age)| {
            let time = i64::try_from(unix_ms()).unwrap() - age * 24 * 60 * 60 * 1000;
            format!(
                "{{\"room\":\"lobby\",\"seq\":{seq},\"time\":{},\"nick\":\"a\",\"text\":\"x\"}}\n",
                time.max(0)
            )
        })
        .collect();
    import(&folder.file(), &mut lines.as_bytes(), |_| {}).unwrap();
}

/// Runs the server for some hours of the monotonic clock, in which nothing is said. Returns how many
/// messages are left.
fn hours(config: &HistoryConfig, hours: u32) -> i64 {
    let mut store = Store::open(config, HistoryLimits::default()).unwrap();
    let chat = chat_of(&store);
    let start = std::time::Instant::now();
    let mut now = start;
    while now - start < Duration::from_secs(3600) * hours {
        assert_eq!(store.writer.end_turn(&chat, now), None);
        now = store.writer.next_tick().unwrap().max(now + Duration::from_millis(1));
    }
    drop(store);
    number(&config.path, "SELECT count(*) FROM message")
}

/// Wherever they are among the others.
#[test]
fn what_is_too_old_goes_by_its_time_and_much_of_it_at_the_second_look() {
    for count in [250, 1250] {
        what_is_too_old_goes(count);
    }
}

fn what_is_too_old_goes(count: usize) {
    let (new, old) = (vec![0; 2000], vec![40; count]);
    let future = vec![-365; 100];
    for ages in [
        [&old[..], &new].concat(),
        [&new[..], &old].concat(),
        [&future[..], &old, &new].concat(),
        [&new[..], &future, &old].concat(),
    ] {
        let folder = Folder::new();
        let left = i64::try_from(ages.len() - old.len()).unwrap();
        aged(&folder, ages.iter().copied());
        let config = quick(&folder, DAY * 30);
        if count > 1000 {
            let all = i64::try_from(ages.len()).unwrap();
            assert_eq!(hours(&config, 1), all, "after the first look");
            assert_eq!(hours(&config, 1), all, "each server looks twice");
            assert_eq!(hours(&config, 3), left, "{:?}", &ages[..3]);
        } else {
            assert_eq!(hours(&config, 1), left, "{:?}", &ages[..3]);
        }
    }
}

/// The machine was off for two months, or its clock is two months ahead: that is the same.
#[test]
fn a_clock_far_ahead_of_the_file_deletes_nothing_for_a_day() {
    let folder = Folder::new();
    aged(&folder, [65, 64, 63, 62]);
    let config = quick(&folder, DAY * 30);
    // This clock stands still, which is uneven enough.
    assert_eq!(hours(&config, 50), 4);
    let impatient = config.deletion_notice(Duration::ZERO);
    assert_eq!(hours(&impatient, 1), 0);
}

#[test]
fn messages_are_kept_for_an_hour_at_least() {
    let folder = Folder::new();
    for (seconds, is_enough) in [(0, false), (3599, false), (3600, true)] {
        let keep = Some(Duration::from_secs(seconds));
        let config = HistoryConfig::new(folder.file()).keep(keep);
        match Store::open(&config, HistoryLimits::default()) {
            Ok(_) => assert!(is_enough),
            Err(error) => {
                assert!(!is_enough && error.to_string().contains("at least 1 h"), "{error}");
                assert!(!folder.file().exists());
            }
        }
    }
}

/// Just less than a day, which is a step that the clock of the file follows.
#[test]
fn what_was_counted_by_a_clock_that_goes_back_stays() {
    for is_back in [true, false] {
        let folder = Folder::new();
        drop(open(&folder.file()).unwrap());
        let now = unix_ms();
        let (hour, day) = (60 * 60 * 1000, 24 * 60 * 60 * 1000);
        change(
            &folder.file(),
            &format!(
                "INSERT INTO room (id, name) VALUES (1, 'lobby');
                 INSERT INTO message (number, room, seq, time, nick, text)
                    VALUES (1, 1, 1, {}, 'ana', 'x');",
                now - 29 * day - 20 * hour
            ),
        );
        let mut connection = connect(&folder.file(), Use::Write).unwrap();
        let mut clock = FileClock::load(&connection, now, DAY).unwrap();
        let mut retention = Retention::new(&quick(&folder, DAY * 30));
        let start = std::time::Instant::now();
        for minute in 0..130 {
            let instant = start + Duration::from_secs(60) * minute;
            // Right again for a minute before the second look, and wrong at both.
            let is_right = is_back && (30..31).contains(&minute);
            let unix_ms = now + u64::from(minute) * 60_000 + if is_right { 0 } else { 23 * hour };
            clock.look(Reading { instant, unix_ms }, 2);
            for step in 0..3 {
                let instant = instant + Duration::from_millis(100) * step;
                retention.step(&mut connection, &mut clock, instant).unwrap();
            }
            if minute == 119 {
                let left = number(&folder.file(), "SELECT count(*) FROM message");
                assert_eq!(left, i64::from(is_back), "{is_back}");
            }
        }
    }
}
