//! Token buckets that all clients of a network share.
//!
//! A client earns tokens while it is connected. Before it has earned any, it borrows from the buckets
//! of its network, which outlive the connection. So a client that reconnects all the time sends no
//! more than one that stays, and a few clients that connect at once can send at once.

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::chat::{ByNetwork, Network, TokenBucket};
use crate::limits::Limits;

/// Maximum number of client bursts that a network lends at once.
const BURSTS: u32 = 8;
/// Maximum number of client rates that a network lends in the long run.
const RATES: u32 = 2;
/// How many requests a client may send for each text of its limits.
pub(crate) const REQUESTS_PER_TEXT: u32 = 10;

/// The two rates that are limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rate {
    /// Texts, and other requests that reach other clients.
    Texts,
    /// All requests.
    Requests,
}

/// The buckets of all networks. The threads of the connections share them through a mutex: each needs
/// its answer at once, and only clients that connected recently ask.
#[derive(Debug)]
pub(crate) struct SharedBuckets {
    per_second: u32,
    burst: u32,
    /// Buckets that are not full.
    buckets: Mutex<Buckets>,
}

/// The buckets of each network, one for each [`Rate`].
type Buckets = ByNetwork<[TokenBucket; 2]>;

/// Lends the tokens of one network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lender<'a> {
    shared: &'a SharedBuckets,
    network: Network,
}

impl SharedBuckets {
    pub(crate) fn new(limits: &Limits) -> Self {
        let (per_second, burst) = (limits.per_second.map_or(0, NonZeroU32::get), limits.burst);
        Self { per_second, burst, buckets: Mutex::default() }
    }

    pub(crate) fn lender(&self, network: Network) -> Lender<'_> {
        Lender { shared: self, network }
    }

    /// Returns full buckets for a network. `None`: rates are not limited.
    fn full(&self, now: Instant) -> Option<[TokenBucket; 2]> {
        let bucket = |times: u32| {
            let per_second = self.per_second.saturating_mul(RATES).saturating_mul(times);
            let burst = self.burst.saturating_mul(BURSTS).saturating_mul(times);
            TokenBucket::new(per_second, burst, now)
        };
        Some([bucket(1)?, bucket(REQUESTS_PER_TEXT)?])
    }

    fn lock(&self) -> MutexGuard<'_, Buckets> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lender<'_> {
    /// Returns when the network lends its next token. `None`: now.
    pub(crate) fn wait_until(&self, rate: Rate, now: Instant) -> Option<Instant> {
        self.shared.lock().get(self.network)?[rate as usize].wait_until(now)
    }

    /// Takes one token from the bucket of the network.
    pub(crate) fn lend(&self, rate: Rate, now: Instant) {
        let Some(full) = self.shared.full(now) else { return };
        let are_full =
            |buckets: &[TokenBucket; 2]| buckets.iter().all(|bucket| bucket.is_full(now));
        self.shared.lock().count(self.network, full, are_full)[rate as usize].count(now);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn full_buckets_are_removed() {
        let shared = SharedBuckets::new(&Limits::default());
        let now = Instant::now();
        for number in 0..10_000_u32 {
            let network = Network::of(std::net::Ipv4Addr::from(number).into());
            let later = now + Duration::from_secs(number.into());
            shared.lender(network).lend(Rate::Texts, later);
        }
        assert!(shared.lock().counts().len() < 200);
    }
}
