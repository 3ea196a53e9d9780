//! What the clients of one network may do and take up, however many connections they use for it.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use super::{ByNetwork, Network, ROOMS_PER_PERSON_MAX, TokenBucket};

/// What clients may take up. People who are away count as people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    /// Maximum number of people in all.
    pub(crate) people_max: usize,
    /// Maximum number of people of each network. `None`: networks are not counted, and nothing here
    /// applies to them.
    pub(crate) people_per_network_max: Option<NonZeroUsize>,
    /// Maximum length of one answer to a client that comes back (bytes of JSON).
    pub(crate) answer_bytes_max: usize,
}

/// New people of a network in the long run (per second). As many as may be there at once, twice,
/// may come without a pause.
const SESSIONS_PER_SECOND: u32 = 4;
/// Arrivals in rooms of a network in the long run (per second). As many as it has people, each in
/// as many rooms as there may be, may come without a pause.
const ARRIVALS_PER_SECOND: u32 = 16;
/// Maximum number of rooms that one network has opened and that are still there.
pub(super) const ROOMS_PER_NETWORK_MAX: usize = 256;

/// The count for each network that has anything to count.
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

    /// Whether a network has as many people as it may have.
    pub(super) fn is_full(&self, network: Network) -> bool {
        let people = self.usages.get(network).map_or(0, |usage| usage.people);
        self.people_max.is_some_and(|max| people >= max.get())
    }

    /// Counts a new session, or says how long it has to wait.
    pub(super) fn take_session(&mut self, network: Network, now: Instant) -> Result<(), Duration> {
        self.usage(network, now).map_or(Ok(()), |usage| usage.sessions.take(now))
    }

    /// Counts an arrival in a room, or says how long it has to wait.
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
        Some(self.usages.count(network, new, |usage| usage.is_like_new(now)))
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

    fn is_like_new(&self, now: Instant) -> bool {
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
    fn new_sessions_are_bounded_by_network_and_in_time() {
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
    fn networks_without_anything_to_count_are_forgotten() {
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
