//! What the clients of one network may say and ask for together, before each has earned it.
//!
//! A client earns what it may say by staying. What it says before that is lent by its network, from
//! a bucket that all of its clients share and that outlives them. So a client that comes back again
//! and again may say no more than one that stays, and a few that come at once may speak at once.

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::chat::{ByNetwork, Network, TokenBucket};
use crate::config::Limits;

/// A network lends as much at once as so many clients may say at once.
const BURSTS: u32 = 8;
/// A network lends as much in the long run as so many clients may say.
const RATES: u32 = 2;
/// What only the server hears may be asked for so many times as often.
pub(crate) const REQUESTS_PER_TEXT: u32 = 10;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// What others hear.
    Texts,
    /// All that a client asks for.
    Requests,
}

/// The buckets of all networks. A mutex joins the connections' threads: each needs its answer at
/// once, and only clients that have just come ask for one.
#[derive(Debug)]
pub(crate) struct Allowances {
    per_second: u32,
    burst: u32,
    /// Those that are not full.
    lent: Mutex<Buckets>,
}

type Buckets = ByNetwork<[TokenBucket; 2]>;

/// The buckets of one network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowance<'a> {
    all: &'a Allowances,
    network: Network,
}

impl Allowances {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (per_second, burst) = (limits.per_second.map_or(0, NonZeroU32::get), limits.burst);
        Self { per_second, burst, lent: Mutex::default() }
    }

    pub(crate) fn of(&self, network: Network) -> Allowance<'_> {
        Allowance { all: self, network }
    }

    fn full(&self, now: Instant) -> Option<[TokenBucket; 2]> {
        let texts = bucket(self.per_second, self.burst, Counted::Texts, now)?;
        Some([texts, bucket(self.per_second, self.burst, Counted::Requests, now)?])
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.lent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bucket(per_second: u32, burst: u32, counted: Counted, now: Instant) -> Option<TokenBucket> {
    let times = match counted {
        Counted::Texts => 1,
        Counted::Requests => REQUESTS_PER_TEXT,
    };
    let (rate, burst) = (per_second.saturating_mul(RATES), burst.saturating_mul(BURSTS));
    TokenBucket::new(rate.saturating_mul(times), burst.saturating_mul(times), now)
}

impl Allowance<'_> {
    /// When the network lends the next, if it does not lend now.
    pub(crate) fn wait_until(&self, counted: Counted, now: Instant) -> Option<Instant> {
        self.all.lock().get(self.network)?[counted as usize].wait_until(now)
    }

    /// Lends one.
    pub(crate) fn count(&self, counted: Counted, now: Instant) {
        let Some(full) = self.all.full(now) else { return };
        let are_full =
            |buckets: &[TokenBucket; 2]| buckets.iter().all(|bucket| bucket.is_full(now));
        self.all.lock().count(self.network, full, are_full)[counted as usize].count(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn buckets_that_are_full_are_forgotten() {
        let allowances = Allowances::new(&Limits::default());
        let now = Instant::now();
        for number in 0..10_000_u32 {
            let network = Network::of(std::net::Ipv4Addr::from(number).into());
            let later = now + Duration::from_secs(number.into());
            allowances.of(network).count(Counted::Texts, later);
        }
        assert!(allowances.lock().counts().len() < 200);
    }
}
