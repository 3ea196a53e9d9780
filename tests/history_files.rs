//! History files as files: their permissions, and files that the program must not touch.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]
#![cfg(feature = "history")]

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rustix::process::Signal;
use serde_json::json;
use testkit::{
    FREE_PORTS, ServerProcess, TempDir, chinwag, chinwag_under, connect, probes::end, stderr_of,
    wait_for_exit,
};
use tungstenite::Message;

const PAGE_BYTES: usize = 4096;

fn server(mut command: Command, file: &Path) -> Command {
    command.args(FREE_PORTS).args(["--bind", "127.0.0.1", "--history"]).arg(file);
    command
}

fn serve(file: &Path) -> ServerProcess {
    ServerProcess::start(&mut server(chinwag(), file))
}

/// Sends a text and receives it, after which it is stored.
fn say(program: &ServerProcess, text: &str) {
    let mut socket = connect(program.websocket(), "/?nick=ana").unwrap();
    socket.send(Message::text(text)).unwrap();
    assert_eq!(socket.read().unwrap().to_text().unwrap(), format!("ana: {text}"));
}

/// Returns the message of a server that does not start, which is one sentence with exit code 1.
/// Returns `None` if it starts.
fn refusal(file: &Path) -> Option<String> {
    let child = server(chinwag(), file).spawn().unwrap();
    let mut program = ServerProcess { child, banner: String::new() };
    let mut stdout = program.child.stdout.take().unwrap();
    if stdout.read(&mut [0]).unwrap() > 0 {
        end(program, Signal::TERM);
        return None;
    }
    assert_eq!(wait_for_exit(&mut program.child).code(), Some(1));
    let said = stderr_of(&mut program.child);
    let sentence = said.lines().last().unwrap().to_owned();
    assert!(sentence.starts_with("chinwag: "), "{said}");
    Some(sentence)
}

fn history(command: &str, file: &Path) -> Output {
    chinwag().args(["history", command]).arg(file).output().unwrap()
}

fn text_of(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Writes a history of some dozens of pages.
fn some_history(folder: &TempDir) -> PathBuf {
    let (lines, file) = (folder.file("lines"), folder.file("history"));
    let line = |seq: usize| {
        let (room, text) = (["lobby", "attic"][seq % 2], format!("{seq} {}", "x".repeat(400)));
        json!({"room": room, "seq": seq / 2 + 1, "time": seq, "nick": "ana", "text": text})
    };
    let text: String = (0..400).map(|seq| format!("{}\n", line(seq))).collect();
    fs::write(&lines, text).unwrap();
    let mut import = chinwag();
    assert!(import.args(["history", "import"]).args([&file, &lines]).status().unwrap().success());
    end(serve(&file), Signal::TERM);
    file
}

#[test]
fn a_history_belongs_to_its_owner_alone_whatever_the_umask() {
    for umask in ["000", "077", "777"] {
        let folder = TempDir::new();
        let file = folder.file("history");
        let with_umask = format!("umask {umask}; exec \"$0\" \"$@\"");
        let command = chinwag_under(&["sh", "-c", &with_umask]);
        let program = ServerProcess::start(&mut server(command, &file));
        say(&program, "hello");
        let files: Vec<_> = fs::read_dir(folder.path()).unwrap().map(Result::unwrap).collect();
        assert!(files.len() >= 3, "{files:?}");
        for file in &files {
            let mode = file.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode & !0o600, 0, "{file:?} has {mode:o}, with a umask of {umask}");
        }
        end(program, Signal::TERM);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the history and its index");
    }
}

#[test]
fn a_symbolic_link_is_not_followed() {
    let folder = TempDir::new();
    let (link, target) = (folder.file("link"), folder.file("target"));
    symlink(&target, &link).unwrap();
    for is_there in [false, true] {
        let sentence = refusal(&link).expect("it is refused");
        assert!(sentence.contains("is a symbolic link, which is not followed; give"), "{sentence}");
        assert_eq!(target.exists(), is_there);
        fs::write(&target, "mine").unwrap();
    }
    assert_eq!(fs::read(&target).unwrap(), b"mine");
}

/// The same for the files beside it.
#[test]
fn a_symbolic_link_beside_the_history_is_named() {
    for suffix in ["-wal", "-shm", "-search", "-search-wal", "-search-shm", "-incomplete"] {
        let folder = TempDir::new();
        let (link, target) = (folder.file(&format!("history{suffix}")), folder.file("target"));
        symlink(&target, &link).unwrap();
        let sentence = refusal(&folder.file("history")).expect("it is refused");
        let named = format!("history{suffix} is a symbolic link, which is not followed;");
        assert!(sentence.contains(&named), "{sentence}");
        assert!(!target.exists() && !folder.file("history").exists());
    }
}

#[test]
fn a_second_server_is_refused_and_the_first_continues() {
    let folder = TempDir::new();
    let file = folder.file("history");
    let program = serve(&file);
    say(&program, "one");
    let sentence = refusal(&file).expect("it is refused");
    assert!(sentence.contains("is in use by another server; stop that one"), "{sentence}");
    say(&program, "two");
    let log = end(program, Signal::TERM);
    assert!(!log.contains("WARN"), "{log}");
    assert_eq!(text_of(history("export", &file).stdout).lines().count(), 2);
}

#[test]
fn a_file_that_is_no_history_is_refused_and_unchanged() {
    let folder = TempDir::new();
    let file = folder.file("notes");
    // The header of the database of another program, with a table in it.
    let mut foreign = fs::read(some_history(&folder)).unwrap();
    foreign[68..72].copy_from_slice(b"else");
    let mut noise = vec![0; 3 * PAGE_BYTES];
    StdRng::seed_from_u64(1).fill_bytes(&mut noise);
    let text = "Milk, bread and a few eggs.\n".repeat(100).into_bytes();
    for bytes in [b"hi".to_vec(), text, noise, foreign] {
        fs::write(&file, &bytes).unwrap();
        let sentence = refusal(&file).expect("it is refused");
        assert!(sentence.contains("is no history of chinwag; choose another file"), "{sentence}");
        assert!(fs::read(&file).unwrap() == bytes, "the file has changed");
        assert!(!folder.file("notes-wal").exists() && !folder.file("notes-search").exists());
    }
    let sentence = refusal(folder.path()).expect("a folder is refused");
    assert!(sentence.contains("cannot use "), "{sentence}");
}

/// Replaces each page by noise, and sometimes truncates the file in the middle of it. The server
/// either refuses the file or does not need the page, and then `check` finds the damage.
#[test]
fn a_damaged_history_is_reported_and_unchanged() {
    let folder = TempDir::new();
    let whole = fs::read(some_history(&folder)).unwrap();
    let pages = whole.len() / PAGE_BYTES;
    let mut random = StdRng::seed_from_u64(2);
    let (mut refused, mut served) = (0, 0);
    for page in 0..pages {
        let mut bytes = whole.clone();
        random.fill_bytes(&mut bytes[page * PAGE_BYTES..][..PAGE_BYTES]);
        if page % 5 == 0 {
            bytes.truncate(page * PAGE_BYTES + PAGE_BYTES / 2);
        }
        let count = if is_refused(&folder, &bytes, page) { &mut refused } else { &mut served };
        *count += 1;
    }
    println!("{pages} pages: {refused} damages are told of at the start, {served} by check");
    assert!(refused > 10 && served > 10);
}

/// Returns whether a server refuses a file in which this page is damaged.
fn is_refused(folder: &TempDir, bytes: &[u8], page: usize) -> bool {
    let file = folder.file(&format!("damaged-{:016x}", rand::random::<u64>()));
    fs::write(&file, bytes).unwrap();
    let check = history("check", &file);
    let said = text_of([check.stdout, check.stderr].concat());
    assert_eq!(check.status.code(), Some(1), "page {page}: {said}");
    let is_known = |it: &str| it.contains(" is damaged") || it.contains("is no history of chinwag");
    assert!(is_known(&said), "page {page}: {said}");
    let Some(sentence) = refusal(&file) else {
        let now = fs::read(&file).unwrap();
        let place = page * PAGE_BYTES..bytes.len().min((page + 1) * PAGE_BYTES);
        assert!(now[place.clone()] == bytes[place], "page {page} is not as it was");
        return false;
    };
    assert!(is_known(&sentence) && sentence.contains("; "), "page {page}: {sentence}");
    assert!(fs::read(&file).unwrap() == bytes, "page {page}: {sentence}, but not as it was");
    true
}
