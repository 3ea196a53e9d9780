//! What is read back is what was said, or nothing: while the disk fails, and where the history has
//! a hole.

use rustix::process::Signal;
use testkit::{
    ROOMS, TempDir, VerifyingClient,
    history::{Message, Transcript, export, serve, serve_with},
    probes::end,
};

use crate::strace::{Strace, threads_of};

/// Some hundred in each room: more than a server takes up into memory.
const TEXTS: usize = 900;
const PAGE: usize = 10;

/// Somebody who says so much.
fn talk(witness: &mut VerifyingClient, texts: usize) {
    for _ in 0..texts {
        witness.say().unwrap();
        witness.wait_for_own();
    }
}

/// Reads every page of every room back: how many could not be read. The others are right.
fn read_all(witness: &mut VerifyingClient) -> usize {
    let seen = witness.seen.clone();
    let mut refused = 0;
    for (room, said) in &seen {
        for end in (PAGE..=said.len()).step_by(PAGE) {
            match witness.read_page(room, end as u64 + 1, PAGE) {
                Some(page) => assert_eq!(page, said[end - PAGE..end], "before {end} of {room}"),
                None => refused += 1,
            }
        }
    }
    refused
}

/// Goes on from every message of every room: how many times all the rest came. It comes only where
/// `kept` has it, and then it is right.
fn go_on_everywhere(witness: &mut VerifyingClient, kept: &Transcript) -> usize {
    let seen = witness.seen.clone();
    let mut recovered = 0;
    for (room, said) in &seen {
        for after in 0..=said.len() {
            let rest = &said[after..];
            if let Some(messages) = witness.rejoin_after(room, after as u64) {
                assert_eq!(messages, rest, "after {after} of {room}");
                assert!(kept[room].ends_with(rest), "more than is kept");
                recovered += 1;
            }
        }
    }
    recovered
}

#[test]
fn what_cannot_be_read_is_refused_and_never_wrong() {
    let folder = TempDir::new();
    let file = folder.file("history");
    let mut witness = VerifyingClient::new(0, 0);
    let program = serve(&file);
    witness.connect(program.websocket());
    talk(&mut witness, TEXTS);
    end(program, Signal::KILL);
    let program = serve(&file);
    assert!(witness.connect(program.websocket()));
    let kept = export(&file);
    let reader = threads_of(&program, "history");
    let all = witness.seen.values().map(|said| said.len() / PAGE).sum::<usize>();
    // Always, and then now and then: each attempt opens the file anew, and nothing of it is held yet.
    for injection in ["pread64:error=EIO", "pread64:error=EIO:when=3+17"] {
        let strace = Strace::of_threads(&reader, &[injection]);
        let refused = read_all(&mut witness);
        let recovered = go_on_everywhere(&mut witness, &kept);
        let failed = strace.detach();
        println!(
            "{injection}: {failed} calls fail; {refused} of {all} pages are refused, and {recovered} \
             of {} who come again have all",
            TEXTS + ROOMS.len()
        );
        assert!(failed > 0 && (1..all).contains(&refused), "nothing, or everything failed");
    }
    assert_eq!(read_all(&mut witness), 0, "it can be read again");
    assert_eq!(go_on_everywhere(&mut witness, &kept), TEXTS + ROOMS.len());
}

/// More is said than memory holds, while it cannot be written: that is lost. Nobody is told that
/// they have all, neither by this server nor by the next.
#[test]
fn a_hole_in_the_history_is_no_secret() {
    let folder = TempDir::new();
    let file = folder.file("history");
    let mut witness = VerifyingClient::new(0, 0);
    let program = serve_with(&file, &["--history-lines", "10"]);
    witness.connect(program.websocket());
    talk(&mut witness, 60);
    let writer = threads_of(&program, "broadcaster");
    let strace = Strace::of_threads(&writer, &["pwrite64:error=EIO"]);
    talk(&mut witness, 120);
    strace.detach();
    witness.wait_for_notices(2);
    talk(&mut witness, 60);
    let kept = export(&file);
    let lost = 240 - kept.values().map(Vec::len).sum::<usize>();
    assert!(lost > 0, "there is no hole");
    let whole: usize = ROOMS.map(|room| behind_the_hole(&kept[room]) + 1).iter().sum();
    assert_eq!(go_on_everywhere(&mut witness, &kept), whole);
    end(program, Signal::KILL);
    let program = serve(&file);
    assert!(witness.connect(program.websocket()), "what it has is right");
    assert_eq!(go_on_everywhere(&mut witness, &export(&file)), whole);
    println!(
        "{lost} messages are lost; who lacks one of them, or an earlier one, is told of a gap"
    );
}

/// How many messages stand behind the last hole.
fn behind_the_hole(said: &[Message]) -> usize {
    let mut pairs = said.windows(2).rev();
    1 + pairs.position(|pair| pair[0].seq + 1 < pair[1].seq).expect("there is a hole")
}
