//! The cases whose instructions are counted.

use std::hint::black_box;

use crate::protocol::Dialect::{Json, Plain};
use crate::reading::read;
use crate::turn::{join, spread};

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) run: fn(),
}

pub(crate) const CASES: [Case; 7] = [
    Case { name: "spread_1_to_100_plain", run: || spread(1, 100, Plain) },
    Case { name: "spread_1_to_100_json", run: || spread(1, 100, Json) },
    Case { name: "spread_64_to_100_plain", run: || spread(64, 100, Plain) },
    Case { name: "spread_64_to_100_json", run: || spread(64, 100, Json) },
    Case { name: "join_1000_json", run: || join(1000) },
    Case { name: "read_1000_plain", run: || read(1000, Plain) },
    Case { name: "read_500_json", run: || read(500, Json) },
];

/// callgrind starts to count here. It knows this function by its name.
#[inline(never)]
pub(crate) fn counting_begins() {
    black_box("so that it is no other function's twin");
}

/// callgrind stops counting here.
#[inline(never)]
pub(crate) fn counting_ends() {
    black_box("and no call of it is left out");
}
