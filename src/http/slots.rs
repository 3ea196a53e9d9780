//! How many clients there are, in all and from each address. IPv6 counts by network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::chat::Network;

/// Counts the clients. Each thread counts its own client in and out and needs the answer at once;
/// a channel would need a thread that owns the count, and a way back.
#[derive(Debug)]
pub(crate) struct ConnectionLimiter {
    clients_max: usize,
    clients_per_address_max: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    clients: usize,
    per_network: HashMap<Network, usize>,
}

/// The slot of one client, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    limiter: &'a ConnectionLimiter,
    network: Network,
}

/// Why there is no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LimitReached {
    /// The server is full.
    #[error("the server is full")]
    Full,
    /// Enough clients have come from this address.
    #[error("enough are here from its address")]
    AddressFull,
}

impl ConnectionLimiter {
    /// `clients_per_address_max` of 0 means that addresses are not counted.
    pub(crate) fn new(clients_max: usize, clients_per_address_max: usize) -> Self {
        Self { clients_max, clients_per_address_max, counts: Mutex::default() }
    }

    pub(crate) fn slot(&self, address: IpAddr) -> Result<Slot<'_>, LimitReached> {
        let network = Network::of(address);
        let mut counts = self.lock();
        if counts.clients >= self.clients_max {
            return Err(LimitReached::Full);
        }
        if self.clients_per_address_max > 0 {
            let count = counts.per_network.entry(network).or_default();
            if *count >= self.clients_per_address_max {
                return Err(LimitReached::AddressFull);
            }
            *count += 1;
        }
        counts.clients += 1;
        Ok(Slot { limiter: self, network })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut counts = self.limiter.lock();
        counts.clients -= 1;
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

    fn address(last: u8) -> IpAddr {
        Ipv4Addr::new(192, 0, 2, last).into()
    }

    #[test]
    fn a_place_can_be_taken_again() {
        let limiter = ConnectionLimiter::new(3, 2);
        let first = limiter.slot(address(1)).unwrap();
        let _second = limiter.slot(address(1)).unwrap();
        assert_eq!(limiter.slot(address(1)).unwrap_err(), LimitReached::AddressFull);
        let _third = limiter.slot(address(2)).unwrap();
        assert_eq!(limiter.slot(address(3)).unwrap_err(), LimitReached::Full);
        drop(first);
        assert!(limiter.slot(address(1)).is_ok());
    }

    #[test]
    fn addresses_are_forgotten_with_their_last_client() {
        let limiter = ConnectionLimiter::new(10, 2);
        drop((limiter.slot(address(1)), limiter.slot(address(1))));
        assert!(limiter.lock().per_network.is_empty());
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_counted_together() {
        let limiter = ConnectionLimiter::new(10, 2);
        let places = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"]
            .map(|address| limiter.slot(address.parse().unwrap()));
        assert_eq!(places.each_ref().map(Result::is_ok), [true, true, false, true]);
    }

    #[test]
    fn zero_counts_no_addresses() {
        let limiter = ConnectionLimiter::new(100, 0);
        let places: Vec<_> = (0..100).map(|_| limiter.slot(address(1)).unwrap()).collect();
        assert_eq!(limiter.slot(address(1)).unwrap_err(), LimitReached::Full);
        drop(places);
        assert!(limiter.slot(address(1)).is_ok());
    }
}
