//! The whole of a connection that says much, up to the inbox.

use divan::Bencher;
use divan::counter::ItemsCount;

use crate::protocol::Dialect;
use crate::reading::Visit;

/// As much as the sockets hold.
const MESSAGES: usize = 500;

#[divan::bench(sample_size = 1)]
fn plain(bencher: Bencher<'_, '_>) {
    read(bencher, Dialect::Plain);
}

#[divan::bench(sample_size = 1)]
fn json(bencher: Bencher<'_, '_>) {
    read(bencher, Dialect::Json);
}

fn read(bencher: Bencher<'_, '_>, dialect: Dialect) {
    bencher
        .counter(ItemsCount::new(MESSAGES))
        .with_inputs(|| Visit::new(MESSAGES, dialect))
        .bench_local_values(Visit::read);
}
