//! Servers that keep a history in a file, and the commands that read the file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::{Output, Stdio};

use serde::Deserialize;

use crate::{FREE_PORTS, ServerProcess, chinwag};

/// A message as clients receive it, and as it is exported.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Message {
    pub room: String,
    pub seq: u64,
    pub time: u64,
    pub nick: String,
    pub text: String,
    /// An export has none for the messages of plain clients.
    #[serde(default)]
    pub id: String,
    pub kind: String,
}

/// The messages of each room, in their order.
pub type Transcript = BTreeMap<String, Vec<Message>>;

/// Starts a server that keeps its history in this file, without a limit of messages per second.
pub fn serve(file: &Path) -> ServerProcess {
    serve_with(file, &[])
}

pub fn serve_with(file: &Path, arguments: &[&str]) -> ServerProcess {
    let mut command = chinwag();
    command.args(FREE_PORTS).args(["--bind", "127.0.0.1", "--max-clients-per-address", "0"]);
    ServerProcess::start(command.args(arguments).args(["--rate", "0", "--history"]).arg(file))
}

/// Imports the lines of an export into a history.
pub fn import(history: &Path, lines: &str) {
    let file = history.with_extension("lines");
    fs::write(&file, lines).unwrap();
    let mut command = chinwag();
    command.args(["history", "import"]).args([history, &file]).stderr(Stdio::null());
    assert!(command.status().unwrap().success());
}

/// Returns all messages of a file. Checks that the file has none twice.
pub fn export(file: &Path) -> Transcript {
    try_export(file).unwrap_or_else(|error| panic!("{error}"))
}

/// Does the same, or returns the message of the program if it cannot read the file.
pub fn try_export(file: &Path) -> Result<Transcript, String> {
    let Output { status, stdout, stderr } = run("export", file);
    if !status.success() {
        return Err(String::from_utf8(stderr).unwrap());
    }
    let mut rooms = Transcript::new();
    let mut ids = BTreeSet::new();
    for line in String::from_utf8(stdout).unwrap().lines() {
        let mut message: Message = serde_json::from_str(line).unwrap();
        match message.id.as_str() {
            "" => message.id = format!("plain-{}", message.seq),
            id => assert!(ids.insert(id.to_owned()), "stored twice: {line}"),
        }
        let room = rooms.entry(message.room.clone()).or_default();
        let before = room.last().map_or(0, |it: &Message| it.seq);
        assert!(message.seq > before, "not after {before}: {line}");
        room.push(message);
    }
    Ok(rooms)
}

/// Checks that `chinwag history check` finds no error.
pub fn assert_sound(file: &Path) {
    let Output { status, stdout, stderr } = run("check", file);
    let output = [stdout, stderr].map(|it| String::from_utf8(it).unwrap()).concat();
    assert!(status.success() && output.contains("is sound"), "{output}");
}

fn run(command: &str, file: &Path) -> Output {
    chinwag().args(["history", command]).arg(file).output().unwrap()
}
