//! The files of a history are removed, replaced, truncated or overwritten while the server runs.
//! The server notices, tells the clients once, and never takes another history for the one that a
//! client knows.

use std::fs::{self, OpenOptions};
use std::path::Path;

use rustix::process::Signal;
use testkit::{
    TempDir, VerifyingClient,
    history::{assert_sound, export, serve},
    probes::end,
};

/// Texts in each part of a test: fewer than a `joined` has.
const TEXTS: usize = 25;

struct Damage {
    name: &'static str,
    /// Does the damage in a folder that has only the history.
    does: fn(&TempDir),
    /// Whether the server continues the history under the same epoch, because nothing is lost that
    /// only a file had.
    keeps_epoch: bool,
}

const DAMAGES: [Damage; 10] = [
    Damage {
        name: "removed",
        does: |it| fs::remove_file(history(it)).unwrap(),
        keeps_epoch: false,
    },
    Damage {
        name: "renamed",
        does: |it| fs::rename(history(it), it.file("elsewhere")).unwrap(),
        keeps_epoch: false,
    },
    Damage { name: "all of the folder removed", does: empty, keeps_epoch: false },
    Damage {
        name: "replaced by an empty file",
        does: |it| {
            fs::write(it.file("empty"), "").unwrap();
            fs::rename(it.file("empty"), history(it)).unwrap();
        },
        keeps_epoch: false,
    },
    Damage {
        name: "another history copied over it",
        does: |it| {
            let other = TempDir::new();
            end(serve(&other.file("other")), Signal::TERM);
            fs::write(history(it), fs::read(other.file("other")).unwrap()).unwrap();
        },
        keeps_epoch: false,
    },
    Damage { name: "cut to nothing", does: |it| cut(&history(it)), keeps_epoch: false },
    Damage {
        name: "its log removed",
        does: |it| fs::remove_file(it.file("history-wal")).unwrap(),
        keeps_epoch: true,
    },
    Damage {
        name: "its log cut to nothing",
        does: |it| cut(&it.file("history-wal")),
        keeps_epoch: true,
    },
    Damage {
        name: "the index of its log removed",
        does: |it| fs::remove_file(it.file("history-shm")).unwrap(),
        keeps_epoch: true,
    },
    Damage {
        name: "the index of its log cut to nothing",
        does: |it| cut(&it.file("history-shm")),
        keeps_epoch: true,
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

fn talk(verifier: &mut VerifyingClient) {
    for _ in 0..TEXTS {
        verifier.say().unwrap();
        verifier.wait_for_own();
    }
}

#[test]
fn a_damaged_file_is_written_again() {
    for Damage { name, does, keeps_epoch } in DAMAGES {
        let folder = TempDir::new();
        let program = serve(&history(&folder));
        let mut verifier = VerifyingClient::new(1, 1);
        verifier.connect(program.websocket());
        talk(&mut verifier);
        does(&folder);
        talk(&mut verifier);
        assert_eq!(verifier.notices[0], "warning", "{name}");
        verifier.wait_for_notices(2);
        talk(&mut verifier);
        assert_eq!(verifier.notices.len(), 2, "{name}: {:?}", verifier.notices);
        assert!(
            export(&history(&folder)) == verifier.seen,
            "{name}: not all that was seen is kept"
        );
        verifier.disconnect();
        let log = end(program, Signal::KILL);
        assert_eq!(log.matches("the chat goes on in memory").count(), 1, "{name}: {log}");
        assert_eq!(log.matches("is written again").count(), 1, "{name}: {log}");
        let program = serve(&history(&folder));
        assert_eq!(verifier.connect(program.websocket()), keeps_epoch, "{name}");
        talk(&mut verifier);
        assert!(export(&history(&folder)) == verifier.seen, "{name}");
        verifier.disconnect();
        end(program, Signal::TERM);
        assert_sound(&history(&folder));
        println!(
            "{name}: noticed, written again, and {}",
            if keeps_epoch { "known" } else { "new" }
        );
    }
}

/// The server is killed before it can write again. Texts after the damage may be lost. The verifier
/// checks that under the same epoch the next server has all messages that it has seen.
#[test]
fn a_server_with_a_damaged_file_is_killed() {
    for Damage { name, does, .. } in DAMAGES {
        for texts in [0, 1] {
            let folder = TempDir::new();
            let program = serve(&history(&folder));
            let mut verifier = VerifyingClient::new(1, 1);
            verifier.connect(program.websocket());
            talk(&mut verifier);
            does(&folder);
            for _ in 0..texts {
                verifier.say().unwrap();
                verifier.wait_for_own();
            }
            verifier.disconnect();
            end(program, Signal::KILL);
            let program = serve(&history(&folder));
            let goes_on = verifier.connect(program.websocket());
            verifier.disconnect();
            end(program, Signal::TERM);
            println!("{name}, {texts} said, killed: the same epoch: {goes_on}");
        }
    }
}

/// The folder is removed, so that no file can be made. The chat continues, and the server writes
/// the history as soon as the folder is back.
#[test]
fn the_folder_is_missing_for_a_while() {
    let folder = TempDir::new();
    let inner = folder.file("inner");
    fs::create_dir(&inner).unwrap();
    let file = inner.join("history");
    let program = serve(&file);
    let mut verifier = VerifyingClient::new(1, 1);
    verifier.connect(program.websocket());
    talk(&mut verifier);
    fs::remove_dir_all(&inner).unwrap();
    talk(&mut verifier);
    assert_eq!(verifier.notices, ["warning"]);
    fs::create_dir(&inner).unwrap();
    verifier.wait_for_notices(2);
    talk(&mut verifier);
    assert!(export(&file) == verifier.seen);
    verifier.disconnect();
    end(program, Signal::TERM);
    assert_sound(&file);
}
