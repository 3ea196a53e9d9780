//! Quotas: limits for the clients of one network together, over all their connections.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use super::ROOMS_PER_PERSON_MAX;
use super::network::{ByNetwork, Network};
use super::token_bucket::TokenBucket;

/// Limits of a chat. A person without a connection counts until its grace ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    /// Maximum number of people.
    pub(crate) people_max: usize,
    /// Maximum number of people of each network. If it is `None`, the sessions, arrivals and rooms of
    /// a network have no limits either.
    pub(crate) people_per_network_max: Option<NonZeroUsize>,
    /// Maximum length of one answer to a client that resumes (bytes of JSON).
    pub(crate) answer_bytes_max: usize,
}

/// New sessions of a network in the long run (per second). The burst is twice the maximum number of
/// its people.
const SESSIONS_PER_SECOND: u32 = 4;
/// Arrivals in rooms of a network in the long run (per second). The burst is enough for all its
/// people to join all the rooms they may.
const ARRIVALS_PER_SECOND: u32 = 16;
/// Maximum number of rooms opened by one network that exist at once.
pub(super) const ROOMS_PER_NETWORK_MAX: usize = 256;

/// The usage of each network.
#[derive(Debug)]
pub(super) struct Networks {
    people_max: Option<NonZeroUsize>,
    usages: ByNetwork<Usage>,
}

#[derive(Debug)]
struct Usage {
    people: usize,
    sessions: TokenBucket,
    arrivals: TokenBucket,
}

impl Networks {
    pub(super) fn new(people_max: Option<NonZeroUsize>) -> Self {
        Self { people_max, usages: ByNetwork::default() }
    }

    /// Returns whether a network has its maximum number of people.
    pub(super) fn is_full(&self, network: Network) -> bool {
        let people = self.usages.get(network).map_or(0, |usage| usage.people);
        self.people_max.is_some_and(|max| people >= max.get())
    }

    /// Counts a new session, or returns how long the client has to wait.
    pub(super) fn take_session(&mut self, network: Network, now: Instant) -> Result<(), Duration> {
        self.usage(network, now).map_or(Ok(()), |usage| usage.sessions.take(now))
    }

    /// Counts an arrival in a room, or returns how long the client has to wait.
    pub(super) fn take_arrival(&mut self, network: Network, now: Instant) -> Result<(), Duration> {
        self.usage(network, now).map_or(Ok(()), |usage| usage.arrivals.take(now))
    }

    pub(super) fn add_person(&mut self, network: Network, now: Instant) {
        if let Some(usage) = self.usage(network, now) {
            usage.people += 1;
        }
    }

    pub(super) fn remove_person(&mut self, network: Network) {
        if let Some(usage) = self.usages.get_mut(network) {
            usage.people = usage.people.saturating_sub(1);
        }
    }

    fn usage(&mut self, network: Network, now: Instant) -> Option<&mut Usage> {
        let people_max = self.people_max?.get();
        let new = Usage::new(people_max, now)?;
        Some(self.usages.count(network, new, |usage| usage.is_unused(now)))
    }

    #[cfg(test)]
    pub(super) fn people(&self) -> usize {
        self.usages.counts().map(|usage| usage.people).sum()
    }
}

impl Usage {
    fn new(people_max: usize, now: Instant) -> Option<Self> {
        let times =
            |number: usize| u32::try_from(people_max.saturating_mul(number)).unwrap_or(u32::MAX);
        Some(Self {
            people: 0,
            sessions: TokenBucket::new(SESSIONS_PER_SECOND, times(2), now)?,
            arrivals: TokenBucket::new(ARRIVALS_PER_SECOND, times(ROOMS_PER_PERSON_MAX), now)?,
        })
    }

    fn is_unused(&self, now: Instant) -> bool {
        self.people == 0 && self.sessions.is_full(now) && self.arrivals.is_full(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(number: u32) -> Network {
        Network::of(std::net::Ipv4Addr::from(number).into())
    }

    #[test]
    fn new_sessions_are_limited_for_each_network() {
        let mut networks = Networks::new(NonZeroUsize::new(2));
        let now = Instant::now();
        let admitted = |networks: &mut Networks, number, now| {
            (0..100).filter(|_| networks.take_session(network(number), now).is_ok()).count()
        };
        assert_eq!(admitted(&mut networks, 1, now), 4);
        assert_eq!(admitted(&mut networks, 2, now), 4);
        assert_eq!(networks.take_session(network(1), now), Err(Duration::from_millis(250)));
        assert_eq!(admitted(&mut networks, 1, now + Duration::from_millis(500)), 2);
    }

    #[test]
    fn unused_networks_are_removed() {
        let mut networks = Networks::new(NonZeroUsize::new(2));
        let now = Instant::now();
        networks.add_person(network(0), now);
        for number in 1..10_000 {
            networks
                .take_session(network(number), now + Duration::from_secs(number.into()))
                .unwrap();
        }
        assert!(networks.usages.counts().len() < 200, "{}", networks.usages.counts().len());
        assert_eq!(networks.people(), 1);
    }

    #[test]
    fn without_a_maximum_nothing_is_counted() {
        let mut networks = Networks::new(None);
        let now = Instant::now();
        for _ in 0..10_000 {
            networks.add_person(network(1), now);
            assert!(networks.take_session(network(1), now).is_ok());
            assert!(networks.take_arrival(network(1), now).is_ok());
        }
        assert!(!networks.is_full(network(1)) && networks.usages.counts().len() == 0);
    }
}
