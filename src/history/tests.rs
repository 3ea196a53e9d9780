//! Tests of the history with real files.

use std::fs;
use std::num::NonZero;
use std::path::Path;

use rand::SeedableRng as _;
use rand::rngs::StdRng;
use rusqlite::TransactionBehavior;

use super::clock::{ClockReading, FileClock};
use super::open::{Access, connect, open_private};
use super::retention::Retention;
use super::*;
use crate::broadcaster::history::HistoryWriter as _;
use crate::chat::{
    Chat, Delivery, Id, Kind, Level, Message, Nickname, Notice, RoomName, Rules, Text, Turn,
};

/// A new folder, which is removed when this is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let name = format!("chinwag-history-{:016x}", rand::random::<u64>());
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

fn open(path: &Path) -> Result<History, HistoryError> {
    History::open(&HistoryConfig::new(path), HistoryLimits::default())
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

/// Changes a file like another program.
fn execute(path: &Path, sql: &str) {
    connect(path, Access::Write).unwrap().execute_batch(sql).unwrap();
}

/// Returns the number that a query selects.
fn select(path: &Path, sql: &str) -> i64 {
    connect(path, Access::Read).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Creates a history of the first version of the format, with three messages in two rooms.
fn create_version_1(path: &Path) {
    drop(open_private(path).unwrap());
    let mut connection = connect(path, Access::Write).unwrap();
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).unwrap();
    schema::upgrade(&transaction, 0, 1).unwrap();
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
fn a_history_of_the_first_version_is_upgraded() {
    let folder = Folder::new();
    create_version_1(&folder.file());
    assert_eq!(select(&folder.file(), "PRAGMA user_version"), 1);
    let before = connect(&folder.file(), Access::Read).unwrap();
    let epoch_before: String =
        before.query_row("SELECT epoch FROM history", [], |row| row.get(0)).unwrap();
    drop(before);
    let history = open(&folder.file()).unwrap();
    assert_eq!(history.epoch, epoch_before);
    let rooms: Vec<_> =
        history.restored.rooms.iter().map(|it| (it.room.as_str(), it.seq)).collect();
    assert_eq!(rooms, [("kitchen", 1), ("lobby", 2)]);
    let texts =
        history.restored.rooms.iter().flat_map(|it| &it.messages).map(|it| it.text.as_str());
    assert_eq!(texts.collect::<Vec<_>>(), ["two", "one", "three"]);
    drop(history);
    assert_eq!(select(&folder.file(), "PRAGMA user_version"), schema::VERSION);
    assert!(select(&folder.file(), "SELECT time FROM history") > 0, "the file has a clock now");
    assert_eq!(verify(&folder.file()).unwrap(), Report { messages: 3, problems: vec![] });
}

#[test]
fn the_epoch_changes_when_messages_may_be_missing() {
    let folder = Folder::new();
    let file = folder.file();
    let first = epoch(&file);
    assert_eq!(epoch(&file), first, "after an orderly end");
    execute(&file, "UPDATE history SET opened_in = 'another boot'");
    let second = epoch(&file);
    assert_ne!(second, first, "the machine went down");
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    let kill = |opened_in: &str| {
        execute(&file, &format!("UPDATE history SET opened_in = '{opened_in}'"));
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
fn a_file_that_is_not_our_history_is_left_unchanged() {
    let folder = Folder::new();
    let file = folder.file();
    let other = folder.0.join("other.db");
    rusqlite::Connection::open(&other).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    drop(open(&file).unwrap());
    for (sql, expected) in [
        ("PRAGMA user_version = 99", "was written by a newer chinwag"),
        ("PRAGMA user_version = 2; PRAGMA application_id = 7", "is no history of chinwag"),
    ] {
        execute(&file, sql);
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
fn only_one_server_can_open_a_history() {
    let folder = Folder::new();
    let history = open(&folder.file()).unwrap();
    assert!(matches!(open(&folder.file()), Err(HistoryError::Locked(_))));
    drop(history);
    assert!(open(&folder.file()).is_ok());
}

#[test]
fn rooms_are_restored_within_the_limits_of_memory() {
    let folder = Folder::new();
    let mut history = open(&folder.file()).unwrap();
    let chat = chat();
    for room in ["attic", "lobby", "kitchen"] {
        (1..=300).for_each(|seq| history.writer.take(&message(room, seq)));
        assert_eq!(history.writer.end_turn(&chat, std::time::Instant::now()), None);
    }
    drop(history);
    let limits = HistoryLimits::default().idle_rooms_max(2);
    let history = History::open(&HistoryConfig::new(folder.file()), limits).unwrap();
    let rooms =
        history.restored.rooms.iter().map(|it| (it.room.as_str(), it.seq, it.messages.len()));
    let expected = [("attic", 300, 0), ("lobby", 300, 100), ("kitchen", 300, 100)];
    assert_eq!(rooms.collect::<Vec<_>>(), expected);
    let newest: Vec<_> = history.restored.rooms[1].messages.iter().map(|it| it.seq).collect();
    assert_eq!(newest, (201..=300).collect::<Vec<_>>());
}

/// After a power failure the index may have messages that the history has lost.
#[test]
fn an_index_with_more_messages_than_the_history_is_rebuilt() {
    let folder = Folder::new();
    let history = open(&folder.file()).unwrap();
    let index = history.index.open().unwrap();
    index::set_up_to(&index, 1000).unwrap();
    drop((index, history));
    let mut history = open(&folder.file()).unwrap();
    history.writer.take(&message("lobby", 1));
    history.writer.end_turn(&chat(), std::time::Instant::now());
    let History { writer, file, index, wakeups, .. } = history;
    // One wake-up is left, so the maintenance runs once and then ends.
    drop(writer);
    maintenance::run(&file, &index, &wakeups, false);
    let connection = index.connect(Access::Read).unwrap().unwrap();
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
fn the_index_of_another_history_is_rebuilt() {
    let folder = Folder::new();
    let history = open(&folder.file()).unwrap();
    let other = Index::new(&folder.file(), "another");
    assert!(other.connect(Access::Read).unwrap().is_none());
    let connection = other.open().unwrap();
    assert_eq!(index::up_to(&connection).unwrap(), 0);
    assert!(history.index.connect(Access::Read).unwrap().is_none());
}

/// A history has more rooms than memory. There, too, each number means only one message.
#[test]
fn rooms_that_are_not_restored_continue_above_their_numbers() {
    let folder = Folder::new();
    drop(open(&folder.file()).unwrap());
    execute(
        &folder.file(),
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10002)
            INSERT INTO room (id, name) SELECT i, 'room-' || i FROM n;
         INSERT INTO message (number, room, seq, time, nick, text)
            SELECT id, id, CASE id WHEN 1 THEN 70 WHEN 2 THEN 7 ELSE 1 END, 0, 'ana', 'x' FROM room;",
    );
    let mut history = open(&folder.file()).unwrap();
    assert_eq!((history.restored.rooms.len(), history.restored.floor), (10_000, 70));
    let mut chat = chat();
    chat.raise_floor(history.restored.floor);
    let nickname = Nickname::parse("ana").unwrap();
    let now = crate::chat::Now { instant: std::time::Instant::now(), unix_ms: 0 };
    let old = RoomName::parse("room-1").unwrap();
    let text = Text::parse("again", 100).unwrap();
    let message = post(&mut chat, &old, nickname, text, now);
    assert_eq!(message.seq, 71);
    history.writer.take(&message);
    assert_eq!(history.writer.end_turn(&chat, now.instant), None);
}

#[test]
fn pages_of_deleted_messages_are_returned_to_the_file_system() {
    let folder = Folder::new();
    let config = HistoryConfig::new(folder.file()).keep_messages(NonZero::new(1));
    let mut history = History::open(&config, HistoryLimits::default()).unwrap();
    (1..=2000).for_each(|seq| history.writer.take(&message("lobby", seq)));
    let (chat, mut now) = (chat(), std::time::Instant::now());
    for _ in 0..100 {
        assert_eq!(history.writer.end_turn(&chat, now), None);
        now += Duration::from_secs(60);
    }
    drop(history);
    assert_eq!(select(&folder.file(), "SELECT count(*) FROM message"), 1);
    assert_eq!(select(&folder.file(), "PRAGMA freelist_count"), 0);
    assert!(select(&folder.file(), "PRAGMA page_count") < 20);
}

/// Runs the maintenance until all messages up to this one are indexed. Returns the last one.
fn index_up_to(history: &History, number: i64) -> i64 {
    let (wakeup, wakeups) = bounded(1);
    let History { file, index, .. } = history;
    std::thread::scope(|scope| {
        scope.spawn(move || maintenance::run(file, index, &wakeups, false));
        let deadline = std::time::Instant::now() + Duration::from_secs(20);
        let mut up_to = 0;
        wakeup.send(()).unwrap();
        while up_to < number && std::time::Instant::now() < deadline {
            let index = index.connect(Access::Read).ok().flatten();
            up_to = index.and_then(|index| index::up_to(&index).ok()).unwrap_or(0);
        }
        drop(wakeup);
        up_to
    })
}

#[test]
fn a_damaged_index_is_rebuilt() {
    let folder = Folder::new();
    let mut history = open(&folder.file()).unwrap();
    (1..=2000).for_each(|seq| history.writer.take(&message("lobby", seq)));
    history.writer.end_turn(&chat(), std::time::Instant::now());
    assert_eq!(index_up_to(&history, 2000), 2000);
    let path = folder.0.join("chat.db-search");
    for (newest, start) in [(2001, 0), (2002, 2 * 4096)] {
        let mut bytes = fs::read(&path).unwrap();
        bytes[start..].fill(7);
        fs::write(&path, bytes).unwrap();
        drop(history);
        history = open(&folder.file()).unwrap();
        history.writer.take(&message("lobby", u64::try_from(newest).unwrap()));
        history.writer.end_turn(&chat(), std::time::Instant::now());
        assert_eq!(index_up_to(&history, newest), newest, "damage from {start}");
        let connection = history.index.connect(Access::Read).unwrap().unwrap();
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

/// Opens a history and writes some messages to it, like a running server.
fn running(folder: &Folder, count: u64) -> (History, Chat) {
    let mut history = open(&folder.file()).unwrap();
    let mut chat = chat_of(&history);
    say(&mut history, &mut chat, count);
    (history, chat)
}

fn chat_of(history: &History) -> Chat {
    let (epoch, history) = (history.epoch.clone(), HistoryLimits::default());
    Chat::new(Rules { epoch, history, has_archive: true, grace: Duration::ZERO, ..Rules::simple() })
}

fn say(history: &mut History, chat: &mut Chat, count: u64) -> Vec<Option<Level>> {
    say_at(history, chat, count, std::time::Instant::now())
}

/// Writes messages, each in its own turn. Returns the levels of the notices to clients.
fn say_at(
    history: &mut History,
    chat: &mut Chat,
    count: u64,
    instant: std::time::Instant,
) -> Vec<Option<Level>> {
    let (room, ana) = (RoomName::lobby(), Nickname::parse("ana").unwrap());
    let now = crate::chat::Now { instant, unix_ms: 1 };
    let each = (0..count).map(|_| {
        let text = Text::parse("hello", 100).unwrap();
        history.writer.take(&post(chat, &room, ana.clone(), text, now));
        history.writer.end_turn(chat, instant).map(|(_, level)| level)
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

/// Changes of other programs to the files of a running server.
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
    ("truncated to nothing", |it| truncate(&it.file(), 0)),
    ("truncated to a page and a half", |it| truncate(&it.file(), 6000)),
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
    ("the WAL removed", |it| fs::remove_file(it.0.join("chat.db-wal")).unwrap()),
    ("the WAL truncated", |it| truncate(&it.0.join("chat.db-wal"), 0)),
    ("the index of the WAL removed", |it| fs::remove_file(it.0.join("chat.db-shm")).unwrap()),
    ("the index of the WAL truncated", |it| truncate(&it.0.join("chat.db-shm"), 0)),
];

fn truncate(path: &Path, length: u64) {
    fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length).unwrap();
}

/// Clients are told once, and the messages in memory are written again. Here memory has all of them, so
/// that none is missing in the end. If the file may have had more, the next server has another epoch.
#[test]
fn a_file_that_is_lost_is_noticed_and_written_again() {
    for (name, harm) in HARMS {
        let folder = Folder::new();
        let (mut history, mut chat) = running(&folder, 5);
        harm(&folder);
        let now = std::time::Instant::now();
        assert_eq!(say_at(&mut history, &mut chat, 2, now), [Some(Level::Warning), None], "{name}");
        let is_marked = folder.0.join("chat.db-incomplete").exists();
        assert!(is_marked, "{name}");
        if name == "truncated to a page and a half" {
            // This cannot be opened as a history, so it stays unchanged.
            let told = say_at(&mut history, &mut chat, 1, now + Duration::from_secs(2));
            assert_eq!(told, [None], "{name}");
            assert_eq!(fs::metadata(folder.file()).unwrap().len(), 6000);
            continue;
        }
        let told = say_at(&mut history, &mut chat, 2, now + Duration::from_secs(2));
        assert!(told[0].is_some() && told[1].is_none(), "{name}: {told:?}");
        assert_eq!(seqs(&folder.file()), (1..=9).collect::<Vec<_>>(), "{name}");
        let told = say_at(&mut history, &mut chat, 1, now + Duration::from_secs(3));
        assert_eq!(told, [None], "{name}");
        let epoch_before = history.epoch.clone();
        drop((history, chat));
        let history = open(&folder.file()).unwrap();
        let is_known = name.contains("WAL") || name.contains("older copy");
        assert_eq!(history.epoch == epoch_before, is_known, "{name}");
        assert_eq!(history.restored.rooms[0].seq, 10, "{name}");
        drop(history);
        let report = verify(&folder.file()).unwrap();
        assert_eq!((report.messages, report.problems), (10, vec![]), "{name}");
    }
}

/// The file may lack messages that memory does not hold.
#[test]
fn a_file_that_lacks_messages_gets_another_epoch() {
    for (name, harm) in HARMS.iter().filter(|(name, _)| *name != "truncated to a page and a half") {
        let folder = Folder::new();
        let (mut history, mut chat) = running(&folder, 700);
        // Only the WAL has these messages, except the first.
        harm(&folder);
        let now = std::time::Instant::now();
        say_at(&mut history, &mut chat, 1, now);
        say_at(&mut history, &mut chat, 1, now + Duration::from_secs(2));
        let is_whole = seqs(&folder.file()) == (1..=702).collect::<Vec<_>>();
        let epoch_before = history.epoch.clone();
        drop((history, chat));
        let history = open(&folder.file()).unwrap();
        assert_eq!(history.epoch == epoch_before, is_whole, "{name}");
        assert_eq!(history.restored.rooms[0].seq, 702, "{name}");
        let keeps_all =
            ["the WAL removed", "the index of the WAL removed", "the index of the WAL truncated"];
        assert_eq!(is_whole, keeps_all.contains(name), "{name}");
    }
}

/// The server is killed after the harm, before or after the next message.
#[test]
fn after_harm_and_a_kill_the_epoch_is_new_or_no_message_is_missing() {
    for (name, harm) in HARMS.iter().filter(|(name, _)| *name != "truncated to a page and a half") {
        for said_after in [0, 1] {
            let folder = Folder::new();
            let (mut history, mut chat) = running(&folder, 5);
            harm(&folder);
            say(&mut history, &mut chat, said_after);
            let epoch_before = history.epoch.clone();
            // A killed process closes no file in order.
            let copy = Folder::new();
            for file in fs::read_dir(&folder.0).unwrap() {
                let file = file.unwrap();
                fs::copy(file.path(), copy.0.join(file.file_name())).unwrap();
            }
            let next = open(&copy.file()).unwrap();
            let seq = next.restored.rooms.first().map_or(0, |it| it.seq);
            assert!(next.epoch != epoch_before || seq == 5 + said_after, "{name}: {seq}");
        }
    }
}

/// Keeps messages for some time, and announces deletions an hour before.
fn keeping(folder: &Folder, keep: Duration) -> HistoryConfig {
    HistoryConfig::new(folder.file()).keep(Some(keep)).deletion_notice(Duration::from_secs(3600))
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn unix_ms() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// Imports messages of these ages (days). Negative ages are in the future.
fn import_aged(folder: &Folder, ages: impl IntoIterator<Item = i64>) {
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

/// Runs the writer for some hours of the monotonic clock, without new messages. Returns how many
/// messages are left.
fn run_hours(config: &HistoryConfig, hours: u32) -> i64 {
    let mut history = History::open(config, HistoryLimits::default()).unwrap();
    let chat = chat_of(&history);
    let start = std::time::Instant::now();
    let mut now = start;
    while now - start < Duration::from_secs(3600) * hours {
        assert_eq!(history.writer.end_turn(&chat, now), None);
        now = history.writer.next_tick().unwrap().max(now + Duration::from_millis(1));
    }
    drop(history);
    select(&config.path, "SELECT count(*) FROM message")
}

/// Their places among the other messages do not matter.
#[test]
fn old_messages_are_deleted_and_many_only_after_a_notice() {
    for count in [250, 1250] {
        check_deletion(count);
    }
}

fn check_deletion(count: usize) {
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
        import_aged(&folder, ages.iter().copied());
        let config = keeping(&folder, DAY * 30);
        if count > 1000 {
            let all = i64::try_from(ages.len()).unwrap();
            assert_eq!(run_hours(&config, 1), all, "after the first pass");
            assert_eq!(run_hours(&config, 1), all, "each run makes two passes");
            assert_eq!(run_hours(&config, 3), left, "{:?}", &ages[..3]);
        } else {
            assert_eq!(run_hours(&config, 1), left, "{:?}", &ages[..3]);
        }
    }
}

/// A machine that was off for two months looks the same as a clock that is two months ahead.
#[test]
fn a_clock_far_ahead_of_the_file_deletes_nothing_for_a_day() {
    let folder = Folder::new();
    import_aged(&folder, [65, 64, 63, 62]);
    let config = keeping(&folder, DAY * 30);
    // Here the machine's clock stands still, so it is not even.
    assert_eq!(run_hours(&config, 50), 4);
    let without_notice = config.deletion_notice(Duration::ZERO);
    assert_eq!(run_hours(&without_notice, 1), 0);
}

#[test]
fn messages_are_kept_for_at_least_an_hour() {
    let folder = Folder::new();
    for (seconds, is_enough) in [(0, false), (3599, false), (3600, true)] {
        let keep = Some(Duration::from_secs(seconds));
        let config = HistoryConfig::new(folder.file()).keep(keep);
        match History::open(&config, HistoryLimits::default()) {
            Ok(_) => assert!(is_enough),
            Err(error) => {
                assert!(!is_enough && error.to_string().contains("at least 1 h"), "{error}");
                assert!(!folder.file().exists());
            }
        }
    }
}

/// The step is just less than a day, so the time of the file follows it.
#[test]
fn announced_messages_stay_if_the_clock_goes_back() {
    for is_back in [true, false] {
        let folder = Folder::new();
        drop(open(&folder.file()).unwrap());
        let now = unix_ms();
        let (hour, day) = (60 * 60 * 1000, 24 * 60 * 60 * 1000);
        execute(
            &folder.file(),
            &format!(
                "INSERT INTO room (id, name) VALUES (1, 'lobby');
                 INSERT INTO message (number, room, seq, time, nick, text)
                    VALUES (1, 1, 1, {}, 'ana', 'x');",
                now - 29 * day - 20 * hour
            ),
        );
        let mut connection = connect(&folder.file(), Access::Write).unwrap();
        let mut clock = FileClock::load(&connection, now, DAY).unwrap();
        let mut retention = Retention::new(&keeping(&folder, DAY * 30));
        let start = std::time::Instant::now();
        for minute in 0..130 {
            let instant = start + Duration::from_secs(60) * minute;
            // Right for one minute before the deletion, and wrong at both passes.
            let is_right = is_back && (30..31).contains(&minute);
            let unix_ms = now + u64::from(minute) * 60_000 + if is_right { 0 } else { 23 * hour };
            clock.check(ClockReading { instant, unix_ms }, 2);
            for step in 0..3 {
                let instant = instant + Duration::from_millis(100) * step;
                retention.step(&mut connection, &mut clock, instant).unwrap();
            }
            if minute == 119 {
                let left = select(&folder.file(), "SELECT count(*) FROM message");
                assert_eq!(left, i64::from(is_back), "{is_back}");
            }
        }
    }
}
