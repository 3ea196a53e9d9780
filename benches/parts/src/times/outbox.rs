//! Frames that go to a client, or into its backlog.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

use crate::broadcaster::outbox::Frames;
use crate::client::{connect, discard};

/// A message, and the deliveries of a busy turn (bytes).
const RUNS: [usize; 2] = [185, 12_000];
/// Number of pushes of one message that almost fill a backlog.
const PUSHES: usize = 1000;
/// More than any socket takes (bytes).
const TOO_MUCH: usize = 16 * 1024 * 1024;

fn run_of(bytes: usize) -> Frames {
    vec![b'x'; bytes].into()
}

/// The client has read all earlier frames.
#[divan::bench(args = RUNS, sample_size = 1, sample_count = 2000)]
fn push_to_one_who_reads(bencher: Bencher<'_, '_>, bytes: usize) {
    let (outbox, far_end) = connect().expect("there is a socket");
    let run = run_of(bytes);
    bencher
        .counter(BytesCount::new(bytes))
        .with_inputs(|| discard(&far_end))
        .bench_local_values(|()| outbox.push(&run));
}

#[divan::bench(sample_size = 1)]
fn push_to_one_who_does_not(bencher: Bencher<'_, '_>) {
    let (run, too_much) = (run_of(RUNS[0]), run_of(TOO_MUCH));
    bencher
        .counter(ItemsCount::new(PUSHES))
        .with_inputs(|| {
            let (outbox, far_end) = connect().expect("there is a socket");
            outbox.push(&too_much);
            (outbox, far_end)
        })
        .bench_local_refs(|(outbox, _far_end)| {
            for _ in 0..PUSHES {
                outbox.push(&run);
            }
        });
}
