//! A history in a file, as a person sees it: a server that keeps one, and the commands that read it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use rustix::process::Signal;
use serde::Deserialize;

use crate::support::program::{FREE_PORTS, Program, chinwag};

/// A message, as clients are sent it and as an export has it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Message {
    pub room: String,
    pub seq: u64,
    pub time: u64,
    pub nick: String,
    pub text: String,
    /// Clients see one in what plain clients say, too.
    #[serde(default)]
    pub id: String,
    pub kind: String,
}

/// What was said, by room, and there in its order.
pub type Transcript = BTreeMap<String, Vec<Message>>;

/// A server that keeps its history in this file. People may talk as fast as they like.
pub fn serve(file: &Path) -> Program {
    serve_with(file, &[])
}

pub fn serve_with(file: &Path, arguments: &[&str]) -> Program {
    let mut command = chinwag();
    command.args(FREE_PORTS).args(["--bind", "127.0.0.1", "--max-clients-per-address", "0"]);
    Program::start(command.args(arguments).args(["--rate", "0", "--history"]).arg(file))
}

/// Ends a server by a signal, cleanly unless it is killed. Returns what it logged.
pub fn end(program: Program, signal: Signal) -> String {
    program.signal(signal);
    let (status, log) = program.end();
    assert!(signal == Signal::KILL || status.success(), "{status}: {log}");
    assert!(!log.contains("panicked"), "{log}");
    log
}

/// Puts the lines of an export into a history.
pub fn import(history: &Path, lines: &str) {
    let file = history.with_extension("lines");
    fs::write(&file, lines).unwrap();
    let mut command = chinwag();
    command.args(["history", "import"]).args([history, &file]).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
}

/// All that the file has. Nothing is there twice.
pub fn export(file: &Path) -> Transcript {
    try_export(file).unwrap_or_else(|sentence| panic!("{sentence}"))
}

/// The sentence of the program where it cannot be read.
pub fn try_export(file: &Path) -> Result<Transcript, String> {
    let Output { status, stdout, stderr } = work("export", file);
    if !status.success() {
        return Err(String::from_utf8(stderr).unwrap());
    }
    let mut rooms = Transcript::new();
    let mut ids = BTreeSet::new();
    for line in String::from_utf8(stdout).unwrap().lines() {
        let mut message: Message = serde_json::from_str(line).unwrap();
        match message.id.as_str() {
            "" => message.id = format!("plain-{}", message.seq),
            id => assert!(ids.insert(id.to_owned()), "kept twice: {line}"),
        }
        let room = rooms.entry(message.room.clone()).or_default();
        let before = room.last().map_or(0, |it: &Message| it.seq);
        assert!(message.seq > before, "not after {before}: {line}");
        room.push(message);
    }
    Ok(rooms)
}

/// That `chinwag history check` finds nothing.
pub fn is_sound(file: &Path) {
    let Output { status, stdout, stderr } = work("check", file);
    let said = [stdout, stderr].map(|it| String::from_utf8(it).unwrap()).concat();
    assert!(status.success() && said.contains("is sound"), "{said}");
}

fn work(command: &str, file: &Path) -> Output {
    chinwag().args(["history", command]).arg(file).output().unwrap()
}
