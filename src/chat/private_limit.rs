//! A limit of the private messages that one person gets.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::network::Network;
use super::token_bucket::TokenBucket;

/// Maximum number of units of private messages to one person at once. In the 10 s that a client may
/// stall, this is far less than its backlog, even if JSON escapes each byte.
const PRIVATE_BURST: u32 = 40;
/// Maximum number of units of private messages to one person in the long run (per second).
const PRIVATE_PER_SECOND: u32 = 8;
/// Length of the text of one more unit (bytes).
const PRIVATE_UNIT_BYTES: usize = 1024;

/// Limits the private messages to one person. Senders of one network may use half of the limit.
///
/// The server cuts a client whose backlog is too long, and other clients must not cause that.
#[derive(Debug)]
pub(super) struct PrivateLimit {
    /// Units from all senders.
    all: TokenBucket,
    /// Units from each network.
    by_network: HashMap<Network, TokenBucket>,
}

impl PrivateLimit {
    pub(super) fn new(now: Instant) -> Option<Self> {
        let all = TokenBucket::new(PRIVATE_PER_SECOND, PRIVATE_BURST, now)?;
        Some(Self { all, by_network: HashMap::new() })
    }

    /// Counts a message with a text of `bytes`, or returns how long its sender has to wait.
    pub(super) fn take(
        &mut self,
        from: Network,
        bytes: usize,
        now: Instant,
    ) -> Result<(), Duration> {
        self.by_network.retain(|_, bucket| !bucket.is_full(now));
        let half = TokenBucket::new(PRIVATE_PER_SECOND / 2, PRIVATE_BURST / 2, now);
        let mut share = self.by_network.remove(&from).or(half);
        let waits = [Some(&self.all), share.as_ref()].map(|it| it?.wait_until(now));
        let until = waits.into_iter().flatten().max();
        if until.is_none() {
            let units = 1 + bytes / PRIVATE_UNIT_BYTES;
            for bucket in [Some(&mut self.all), share.as_mut()].into_iter().flatten() {
                (0..units).for_each(|_| bucket.count(now));
            }
        }
        self.by_network.extend(share.map(|share| (from, share)));
        until.map_or(Ok(()), |until| Err(until - now))
    }
}
