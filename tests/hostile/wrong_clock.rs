//! The clock of the machine is wrong. The server deletes no message because of that, and in the end
//! deletes messages that are too old. libfaketime sets the clock of the program.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::process::Signal;
use serde_json::json;
use testkit::{
    DEADLINE, FREE_PORTS, ServerProcess, TempDir, chinwag, connect,
    history::{self, export},
    probes::end,
    wait_until,
};
use tungstenite::Message;

const LIBRARY: &str = "/usr/$LIB/faketime/libfaketime.so.1";
/// How long clients talk while the clock is wrong. A server that trusts the clock deletes the
/// history within two seconds.
const WRONG_TIME: Duration = Duration::from_secs(3);
const DAY: i64 = 24 * 60 * 60;

/// A clock that can be set while the server runs.
struct Clock {
    _folder: TempDir,
    file: PathBuf,
}

impl Clock {
    fn new(time: &str) -> Self {
        let folder = TempDir::new();
        let clock = Self { file: folder.file("time"), _folder: folder };
        clock.set(time);
        clock
    }

    /// Takes times as in `+3d`, or `@1970-01-01 00:00:00`.
    fn set(&self, time: &str) {
        let next = self.file.with_extension("next");
        fs::write(&next, time).unwrap();
        fs::rename(next, &self.file).unwrap();
    }

    /// Starts a server that keeps messages for 30 days.
    fn serve(&self, history: &Path, fakes_monotonic: bool) -> ServerProcess {
        let mut command = chinwag();
        command.args(FREE_PORTS).args(["--bind", "127.0.0.1", "--rate", "0", "--keep", "30d"]);
        command.args(["--max-clients-per-address", "0"]);
        command.arg("--history").arg(history).env("LD_PRELOAD", LIBRARY).env("TZ", "UTC");
        command.env("FAKETIME_TIMESTAMP_FILE", &self.file).env("FAKETIME_NO_CACHE", "1");
        if !fakes_monotonic {
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
        }
        ServerProcess::start(&mut command)
    }
}

fn say(program: &ServerProcess, text: &str) {
    let mut socket = connect(program.websocket(), "/?nick=ana").unwrap();
    socket.send(Message::text(text)).unwrap();
    // An earlier client may still have the nickname.
    let echo = format!(": {text}");
    while !socket.read().unwrap().to_text().unwrap().ends_with(&echo) {}
}

fn talk_for(program: &ServerProcess, time: Duration) -> usize {
    let (start, mut said) = (Instant::now(), 0);
    while start.elapsed() < time {
        said += 1;
        say(program, &format!("talk {said}"));
    }
    said
}

/// Returns the texts in a history.
fn texts(history: &Path) -> Vec<String> {
    let mut command = chinwag();
    let output = command.args(["history", "export"]).arg(history).output().unwrap();
    let text = |line: &str| {
        let line: serde_json::Value = serde_json::from_str(line).unwrap();
        line["text"].as_str().unwrap().to_owned()
    };
    String::from_utf8(output.stdout).unwrap().lines().map(text).collect()
}

fn count_of(history: &Path, text: &str) -> usize {
    texts(history).iter().filter(|it| *it == text).count()
}

/// Imports messages of an age in days. A negative age is in the future.
fn import(history: &Path, messages: &[(&str, i64)]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    let lines: String = (1..)
        .zip(messages)
        .map(|(seq, (text, days))| {
            let time = (now - days * DAY) * 1000;
            let line =
                json!({"room": "lobby", "seq": seq, "time": time, "nick": "a", "text": text});
            format!("{line}\n")
        })
        .collect();
    history::import(history, &lines);
}

/// Fails where the library is missing, without which the other tests would show nothing.
#[test]
fn the_clock_of_the_program_can_be_set() {
    let clock = Clock::new("@2031-05-05 05:05:05");
    let mut date = Command::new("date");
    date.arg("+%Y").env("LD_PRELOAD", LIBRARY).env("FAKETIME_TIMESTAMP_FILE", &clock.file);
    assert_eq!(date.output().unwrap().stdout, b"2031\n");
}

#[test]
fn a_clock_that_is_wrong_at_the_start_deletes_nothing() {
    for wrong in ["+365d", "+730d", "-365d", "@1970-01-01 00:00:00", "@2200-01-01 00:00:00"] {
        let folder = TempDir::new();
        let history = folder.file("history");
        let right = Clock::new("+0");
        let program = right.serve(&history, false);
        (0..20).for_each(|_| say(&program, "kept"));
        end(program, Signal::TERM);
        let clock = Clock::new(wrong);
        let program = clock.serve(&history, false);
        let said = talk_for(&program, WRONG_TIME);
        let log = end(program, Signal::TERM);
        assert!(log.contains("the last time that"), "{wrong}: {log}");
        let program = right.serve(&history, false);
        talk_for(&program, WRONG_TIME);
        end(program, Signal::TERM);
        let messages = texts(&history);
        let kept = messages.iter().filter(|it| *it == "kept").count();
        assert_eq!(kept, 20, "{wrong}");
        assert!(messages.len() > 20 + said, "{wrong}");
        println!("a clock at {wrong}: {} of {0} messages are left", messages.len());
    }
}

#[test]
fn a_clock_that_jumps_deletes_nothing() {
    for wrong in ["+365d", "+23h", "-365d", "@1970-01-01 00:00:00"] {
        let folder = TempDir::new();
        let history = folder.file("history");
        let clock = Clock::new("+0");
        let program = clock.serve(&history, false);
        let mut said = talk_for(&program, WRONG_TIME / 3);
        for time in [wrong, "+0"] {
            clock.set(time);
            said += talk_for(&program, WRONG_TIME);
        }
        let log = end(program, Signal::TERM);
        assert_eq!(texts(&history).len(), said, "{wrong}");
        let is_small = wrong == "+23h";
        assert_eq!(log.contains("is right again"), !is_small, "{wrong}: {log}");
        println!("a jump to {wrong} and back: {said} of {said} messages are left");
    }
}

/// A board without a battery starts in 1970. The age of a message counts from when the server
/// learned the time.
#[test]
fn messages_of_1970_are_kept_until_they_are_old() {
    let folder = TempDir::new();
    let history = folder.file("history");
    let clock = Clock::new("@1970-01-01 00:00:10");
    let program = clock.serve(&history, false);
    (0..5).for_each(|_| say(&program, "early"));
    end(program, Signal::TERM);
    let clock = Clock::new("+0");
    let program = clock.serve(&history, true);
    say_some(&program);
    // From here on all clocks advance together.
    for (time, left) in [("+26h", 5), ("+28h", 5), ("+29d", 5), ("+703h", 5)] {
        clock.set(time);
        say_some(&program);
        assert_eq!(count_of(&history, "early"), left, "{time}");
    }
    until_gone(&program, &clock, 795, &history, "early");
    let log = end(program, Signal::TERM);
    assert!(log.contains("is believed now") && log.contains("are older than 30days"), "{log}");
}

/// The machine was off for two months.
#[test]
fn old_messages_are_counted_in_the_log_before_they_are_deleted() {
    let folder = TempDir::new();
    let history = folder.file("history");
    let old = [("old", 70), ("old", 62), ("old", 61)];
    import(&history, &old);
    let clock = Clock::new("+0");
    let program = clock.serve(&history, true);
    for time in ["+0", "+2h", "+12h", "+23h"] {
        clock.set(time);
        say_some(&program);
        assert_eq!(count_of(&history, "old"), 3, "{time}");
    }
    for time in ["+25h", "+27h"] {
        clock.set(time);
        say_some(&program);
    }
    until_gone(&program, &clock, 27, &history, "old");
    let log = end(program, Signal::TERM);
    let said = log.find("3 of ").expect("how many they are is logged");
    assert!(log[said..].contains("are older than 30days: they are deleted in 1h"), "{log}");
}

/// A message of next year does not protect the messages behind it.
#[test]
fn messages_are_deleted_by_their_time_wherever_they_are() {
    let folder = TempDir::new();
    let history = folder.file("history");
    let mut messages = vec![("new", -365); 100];
    messages.extend([("new", 0); 150]);
    messages.extend([("old", 300); 50]);
    messages.extend([("new", 1); 10]);
    import(&history, &messages);
    let clock = Clock::new("+0");
    let program = clock.serve(&history, true);
    // They are few, and too old by the clock and by the file, so that no time has to pass.
    wait_until("the old messages are deleted", || {
        say(&program, "a turn");
        count_of(&history, "old") == 0
    });
    let log = end(program, Signal::TERM);
    let said = log.find("50 of ").expect("how many they are is logged");
    assert!(log[said..].contains("messages are older than 30days, and are deleted"), "{log}");
    assert_eq!(count_of(&history, "new"), 260);
    assert!(!export(&history).is_empty());
}

/// Sends few texts: each costs a little time below.
fn say_some(program: &ServerProcess) {
    (0..3).for_each(|number| say(program, &format!("some {number}")));
}

/// Advances the clock hour by hour until a text is gone.
fn until_gone(program: &ServerProcess, clock: &Clock, hour: u64, history: &Path, text: &str) {
    let deadline = Instant::now() + DEADLINE;
    for hour in hour.. {
        clock.set(&format!("+{hour}h"));
        say_some(program);
        if count_of(history, text) == 0 {
            return;
        }
        assert!(Instant::now() < deadline, "{text} is still there at +{hour}h");
    }
}

#[test]
fn less_than_an_hour_is_a_usage_error() {
    for keep in ["0d", "59m", "1ms"] {
        let mut command = chinwag();
        let output = command.args(["--history", "h", "--keep", keep]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{keep}: {said}");
        assert!(said.contains("messages are kept for at least 1h"), "{keep}: {said}");
    }
}
