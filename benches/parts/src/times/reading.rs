//! A whole connection that sends many messages, up to the inbox.

use divan::Bencher;
use divan::counter::ItemsCount;

use crate::protocol::Dialect;
use crate::reading::PreparedConnection;

/// As many as the sockets hold.
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
        .with_inputs(|| PreparedConnection::new(MESSAGES, dialect))
        .bench_local_values(PreparedConnection::read);
}
