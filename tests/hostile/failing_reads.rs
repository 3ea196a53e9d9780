//! A page of the history is right or refused, while the disk fails and where messages are missing.

use rustix::process::Signal;
use testkit::{
    ROOMS, TempDir, VerifyingClient,
    history::{Message, Transcript, export, serve, serve_with},
    probes::end,
};

use crate::strace::{Strace, threads_of};

/// Some hundred in each room: more than a server loads into memory.
const TEXTS: usize = 900;
const PAGE: usize = 10;

fn talk(verifier: &mut VerifyingClient, texts: usize) {
    for _ in 0..texts {
        verifier.say().unwrap();
        verifier.wait_for_own();
    }
}

/// Reads every page of every room. Returns how many are refused. Checks the others.
fn read_all(verifier: &mut VerifyingClient) -> usize {
    let seen = verifier.seen.clone();
    let mut refused = 0;
    for (room, said) in &seen {
        for end in (PAGE..=said.len()).step_by(PAGE) {
            match verifier.read_page(room, end as u64 + 1, PAGE) {
                Some(page) => assert_eq!(page, said[end - PAGE..end], "before {end} of {room}"),
                None => refused += 1,
            }
        }
    }
    refused
}

/// Joins each room after each of its messages. Returns how often the server sent all the rest.
/// Checks that the file has the rest.
fn rejoin_everywhere(verifier: &mut VerifyingClient, kept: &Transcript) -> usize {
    let seen = verifier.seen.clone();
    let mut recovered = 0;
    for (room, said) in &seen {
        for after in 0..=said.len() {
            let rest = &said[after..];
            if let Some(messages) = verifier.rejoin_after(room, after as u64) {
                assert_eq!(messages, rest, "after {after} of {room}");
                assert!(kept[room].ends_with(rest), "more than is kept");
                recovered += 1;
            }
        }
    }
    recovered
}

#[test]
fn a_page_that_cannot_be_read_is_refused_and_never_wrong() {
    let folder = TempDir::new();
    let file = folder.file("history");
    let mut verifier = VerifyingClient::new(0, 0);
    let program = serve(&file);
    verifier.connect(program.websocket());
    talk(&mut verifier, TEXTS);
    end(program, Signal::KILL);
    let program = serve(&file);
    assert!(verifier.connect(program.websocket()));
    let kept = export(&file);
    let reader = threads_of(&program, "history");
    let all = verifier.seen.values().map(|said| said.len() / PAGE).sum::<usize>();
    // All calls, and then some of them. Each attempt opens the file again and holds nothing of it.
    for injection in ["pread64:error=EIO", "pread64:error=EIO:when=3+17"] {
        let strace = Strace::of_threads(&reader, &[injection]);
        let refused = read_all(&mut verifier);
        let recovered = rejoin_everywhere(&mut verifier, &kept);
        let failed = strace.detach();
        println!(
            "{injection}: {failed} calls fail; {refused} of {all} pages are refused, and {recovered} \
             of {} joins have all the rest",
            TEXTS + ROOMS.len()
        );
        assert!(failed > 0 && (1..all).contains(&refused), "nothing, or everything failed");
    }
    assert_eq!(read_all(&mut verifier), 0, "it can be read again");
    assert_eq!(rejoin_everywhere(&mut verifier, &kept), TEXTS + ROOMS.len());
}

/// While the file cannot be written, more is said than memory holds, and messages are lost. Neither
/// this server nor the next tells a client that it has all of them.
#[test]
fn clients_are_told_of_a_gap_in_the_history() {
    let folder = TempDir::new();
    let file = folder.file("history");
    let mut verifier = VerifyingClient::new(0, 0);
    let program = serve_with(&file, &["--history-lines", "10"]);
    verifier.connect(program.websocket());
    talk(&mut verifier, 60);
    let writer = threads_of(&program, "broadcaster");
    let strace = Strace::of_threads(&writer, &["pwrite64:error=EIO"]);
    talk(&mut verifier, 120);
    strace.detach();
    verifier.wait_for_notices(2);
    talk(&mut verifier, 60);
    let kept = export(&file);
    let lost = 240 - kept.values().map(Vec::len).sum::<usize>();
    assert!(lost > 0, "no message is lost");
    let whole: usize = ROOMS.map(|room| after_the_gap(&kept[room]) + 1).iter().sum();
    assert_eq!(rejoin_everywhere(&mut verifier, &kept), whole);
    end(program, Signal::KILL);
    let program = serve(&file);
    assert!(verifier.connect(program.websocket()), "its messages are right");
    assert_eq!(rejoin_everywhere(&mut verifier, &export(&file)), whole);
    println!(
        "{lost} messages are lost; a client that lacks one of them, or an earlier one, is told of a gap"
    );
}

/// Returns the number of messages behind the last gap.
fn after_the_gap(said: &[Message]) -> usize {
    let mut pairs = said.windows(2).rev();
    1 + pairs.position(|pair| pair[0].seq + 1 < pair[1].seq).expect("there is a gap")
}
