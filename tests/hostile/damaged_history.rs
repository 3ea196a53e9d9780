//! The files of a history are removed, replaced, cut or overwritten under the server. It notices,
//! people are told once, and no client is told of a history that is not the one it knew.

use std::fs::{self, OpenOptions};
use std::path::Path;

use rustix::process::Signal;
use testkit::{
    TempDir, VerifyingClient,
    history::{assert_sound, export, serve},
    probes::end,
};

/// Texts in each part of a test: fewer than a newcomer is told of a room.
const TEXTS: usize = 25;

struct Harm {
    name: &'static str,
    /// Of a folder that has the history, and nothing else.
    does: fn(&TempDir),
    /// Nothing is lost that only a file had, so that the history goes on under its name.
    is_known: bool,
}

const HARMS: [Harm; 10] = [
    Harm { name: "removed", does: |it| fs::remove_file(history(it)).unwrap(), is_known: false },
    Harm {
        name: "renamed",
        does: |it| fs::rename(history(it), it.file("elsewhere")).unwrap(),
        is_known: false,
    },
    Harm { name: "all of the folder removed", does: empty, is_known: false },
    Harm {
        name: "replaced by an empty file",
        does: |it| {
            fs::write(it.file("empty"), "").unwrap();
            fs::rename(it.file("empty"), history(it)).unwrap();
        },
        is_known: false,
    },
    Harm {
        name: "another history copied over it",
        does: |it| {
            let other = TempDir::new();
            end(serve(&other.file("other")), Signal::TERM);
            fs::write(history(it), fs::read(other.file("other")).unwrap()).unwrap();
        },
        is_known: false,
    },
    Harm { name: "cut to nothing", does: |it| cut(&history(it)), is_known: false },
    Harm {
        name: "its log removed",
        does: |it| fs::remove_file(it.file("history-wal")).unwrap(),
        is_known: true,
    },
    Harm {
        name: "its log cut to nothing",
        does: |it| cut(&it.file("history-wal")),
        is_known: true,
    },
    Harm {
        name: "the index of its log removed",
        does: |it| fs::remove_file(it.file("history-shm")).unwrap(),
        is_known: true,
    },
    Harm {
        name: "the index of its log cut to nothing",
        does: |it| cut(&it.file("history-shm")),
        is_known: true,
    },
];

fn history(folder: &TempDir) -> std::path::PathBuf {
    folder.file("history")
}

fn empty(folder: &TempDir) {
    for file in fs::read_dir(folder.path()).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
}

fn cut(path: &Path) {
    OpenOptions::new().write(true).open(path).unwrap().set_len(0).unwrap();
}

fn talk(witness: &mut VerifyingClient) {
    for _ in 0..TEXTS {
        witness.say().unwrap();
        witness.wait_for_own();
    }
}

#[test]
fn a_file_that_is_harmed_is_written_again() {
    for Harm { name, does, is_known } in HARMS {
        let folder = TempDir::new();
        let program = serve(&history(&folder));
        let mut witness = VerifyingClient::new(1, 1);
        witness.connect(program.websocket());
        talk(&mut witness);
        does(&folder);
        talk(&mut witness);
        assert_eq!(witness.notices[0], "warning", "{name}");
        witness.wait_for_notices(2);
        talk(&mut witness);
        assert_eq!(witness.notices.len(), 2, "{name}: {:?}", witness.notices);
        assert!(export(&history(&folder)) == witness.seen, "{name}: not all that was seen is kept");
        witness.disconnect();
        let log = end(program, Signal::KILL);
        assert_eq!(log.matches("the chat goes on in memory").count(), 1, "{name}: {log}");
        assert_eq!(log.matches("is written again").count(), 1, "{name}: {log}");
        let program = serve(&history(&folder));
        assert_eq!(witness.connect(program.websocket()), is_known, "{name}");
        talk(&mut witness);
        assert!(export(&history(&folder)) == witness.seen, "{name}");
        witness.disconnect();
        end(program, Signal::TERM);
        assert_sound(&history(&folder));
        println!("{name}: noticed, written again, and {}", if is_known { "known" } else { "new" });
    }
}

/// It is killed before it can write again: what was said after the harm, if anything was, is lost.
/// The witness holds the next server to its word: under the same epoch it has all that was seen.
#[test]
fn a_server_whose_file_was_harmed_is_killed() {
    for Harm { name, does, .. } in HARMS {
        for texts in [0, 1] {
            let folder = TempDir::new();
            let program = serve(&history(&folder));
            let mut witness = VerifyingClient::new(1, 1);
            witness.connect(program.websocket());
            talk(&mut witness);
            does(&folder);
            for _ in 0..texts {
                witness.say().unwrap();
                witness.wait_for_own();
            }
            witness.disconnect();
            end(program, Signal::KILL);
            let program = serve(&history(&folder));
            let goes_on = witness.connect(program.websocket());
            witness.disconnect();
            end(program, Signal::TERM);
            println!("{name}, {texts} said, killed: the same epoch: {goes_on}");
        }
    }
}

/// The folder is gone, and nothing can be made there. The chat goes on, and the history is made as
/// soon as the folder is back.
#[test]
fn the_folder_is_gone_for_a_while() {
    let folder = TempDir::new();
    let inner = folder.file("inner");
    fs::create_dir(&inner).unwrap();
    let file = inner.join("history");
    let program = serve(&file);
    let mut witness = VerifyingClient::new(1, 1);
    witness.connect(program.websocket());
    talk(&mut witness);
    fs::remove_dir_all(&inner).unwrap();
    talk(&mut witness);
    assert_eq!(witness.notices, ["warning"]);
    fs::create_dir(&inner).unwrap();
    witness.wait_for_notices(2);
    talk(&mut witness);
    assert!(export(&file) == witness.seen);
    witness.disconnect();
    end(program, Signal::TERM);
    assert_sound(&file);
}
