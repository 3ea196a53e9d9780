//! The addresses that the embedder has banned.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::chat::Network;

/// Maximum number of bans. The one that ends first makes place for another.
const BANS_MAX: usize = 10_000;

/// The banned addresses. Those of one IPv6 network count as one.
///
/// It is behind a mutex because the thread of each handshake reads it while any thread of the embedder
/// changes it; a channel would need a thread in between.
#[derive(Debug, Default)]
pub(crate) struct Bans {
    by_network: Mutex<HashMap<Network, Ban>>,
}

#[derive(Clone, Copy, Debug)]
struct Ban {
    address: IpAddr,
    /// `None`: until the server ends.
    until: Option<Instant>,
}

impl Bans {
    pub(crate) fn add(&self, address: IpAddr, until: Option<Instant>) {
        let mut bans = self.lock();
        let network = Network::of(address);
        if bans.len() >= BANS_MAX && !bans.contains_key(&network) {
            let now = Instant::now();
            bans.retain(|_, ban| ban.lasts(now));
            let rest = |ban: &Ban| (ban.until.is_none(), ban.until);
            let first = bans.iter().min_by_key(|(_, ban)| rest(ban)).map(|(network, _)| *network);
            if let Some(first) = first.filter(|_| bans.len() >= BANS_MAX) {
                bans.remove(&first);
            }
        }
        bans.insert(network, Ban { address, until });
    }

    /// Returns whether the address was banned.
    pub(crate) fn remove(&self, address: IpAddr) -> bool {
        let removed = self.lock().remove(&Network::of(address));
        removed.is_some_and(|ban| ban.lasts(Instant::now()))
    }

    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let bans = self.lock();
        // Nearly every server has none.
        !bans.is_empty()
            && bans.get(&Network::of(address)).is_some_and(|ban| ban.lasts(Instant::now()))
    }

    /// Returns the banned addresses, and how long each ban lasts; `None` until the server ends.
    pub(crate) fn list(&self) -> Vec<(IpAddr, Option<Duration>)> {
        let now = Instant::now();
        let bans = self.lock();
        let lasting = bans.values().filter(|ban| ban.lasts(now));
        let rest = |ban: &Ban| ban.until.map(|until| until.saturating_duration_since(now));
        let mut list: Vec<_> = lasting.map(|ban| (ban.address, rest(ban))).collect();
        list.sort_unstable();
        list
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Network, Ban>> {
        self.by_network.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ban {
    fn lasts(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(number: u32) -> IpAddr {
        std::net::Ipv4Addr::from(number).into()
    }

    #[test]
    fn a_ban_ends_at_its_time_or_when_it_is_removed() {
        let bans = Bans::default();
        let now = Instant::now();
        bans.add(address(1), None);
        bans.add(address(2), Some(now));
        bans.add("2001:db8::1".parse().unwrap(), Some(now + Duration::from_secs(60)));
        let others = ["2001:db8::2", "2001:db8:0:1::1"].map(|it| it.parse().unwrap());
        assert!(bans.contains(address(1)) && !bans.contains(address(2)));
        assert_eq!(others.map(|other| bans.contains(other)), [true, false]);
        assert_eq!(bans.list().len(), 2);
        assert!(bans.remove(address(1)) && !bans.remove(address(1)) && !bans.remove(address(2)));
        assert!(!bans.contains(address(1)));
    }

    #[test]
    fn the_ban_that_ends_first_makes_place() {
        let bans = Bans::default();
        let now = Instant::now();
        bans.add(address(0), Some(now + Duration::from_secs(60)));
        (1..=10_000).for_each(|number| bans.add(address(number), None));
        assert!(!bans.contains(address(0)) && bans.contains(address(1)));
        assert_eq!(bans.list().len(), BANS_MAX);
    }
}
