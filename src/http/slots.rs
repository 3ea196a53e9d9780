//! Limits on the number of connections, in total and per address. The addresses of one IPv6 network
//! count as one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::chat::Network;

/// Counts connections of one kind. It is behind a mutex because the thread of each connection needs
/// the result at once; a channel would need one more thread that counts, and a way back.
#[derive(Debug)]
pub(crate) struct ConnectionLimiter {
    max: usize,
    per_network_max: Option<NonZeroUsize>,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    per_network: HashMap<Network, usize>,
}

/// The permission for one connection. Dropping it makes it available again.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    limiter: &'a ConnectionLimiter,
    network: Network,
}

/// The limit that refuses a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LimitReached {
    Total,
    PerAddress,
}

impl ConnectionLimiter {
    /// With a `per_network_max` of `None`, networks are not counted.
    pub(crate) fn new(max: usize, per_network_max: Option<NonZeroUsize>) -> Self {
        Self { max, per_network_max, counts: Mutex::default() }
    }

    pub(crate) fn slot(&self, address: IpAddr) -> Result<Slot<'_>, LimitReached> {
        let network = Network::of(address);
        let mut counts = self.lock();
        if counts.total >= self.max {
            return Err(LimitReached::Total);
        }
        if let Some(max) = self.per_network_max {
            let count = counts.per_network.entry(network).or_default();
            if *count >= max.get() {
                return Err(LimitReached::PerAddress);
            }
            *count += 1;
        }
        counts.total += 1;
        Ok(Slot { limiter: self, network })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut counts = self.limiter.lock();
        counts.total -= 1;
        if let Some(count) = counts.per_network.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                counts.per_network.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn limiter(max: usize, per_network_max: usize) -> ConnectionLimiter {
        ConnectionLimiter::new(max, NonZeroUsize::new(per_network_max))
    }

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    #[test]
    fn a_dropped_slot_is_available_again() {
        let limiter = limiter(3, 2);
        let first = limiter.slot(address(1)).unwrap();
        let _second = limiter.slot(address(1)).unwrap();
        assert_eq!(limiter.slot(address(1)).unwrap_err(), LimitReached::PerAddress);
        let _third = limiter.slot(address(2)).unwrap();
        assert_eq!(limiter.slot(address(3)).unwrap_err(), LimitReached::Total);
        drop(first);
        assert!(limiter.slot(address(1)).is_ok());
    }

    #[test]
    fn addresses_are_removed_with_their_last_slot() {
        let limiter = limiter(10, 2);
        drop((limiter.slot(address(1)), limiter.slot(address(1))));
        assert!(limiter.lock().per_network.is_empty());
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_counted_together() {
        let limiter = limiter(10, 2);
        let slots = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"]
            .map(|address| limiter.slot(address.parse().unwrap()));
        assert_eq!(slots.each_ref().map(Result::is_ok), [true, true, false, true]);
    }

    #[test]
    fn without_a_limit_addresses_are_not_counted() {
        let limiter = limiter(100, 0);
        let slots: Vec<_> = (0..100).map(|_| limiter.slot(address(1)).unwrap()).collect();
        assert!(limiter.lock().per_network.is_empty());
        assert_eq!(limiter.slot(address(1)).unwrap_err(), LimitReached::Total);
        drop(slots);
        assert!(limiter.slot(address(1)).is_ok());
    }
}
