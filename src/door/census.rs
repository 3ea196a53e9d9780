//! How many clients there are, in all and from each address. IPv6 counts by network.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::chat::Network;

/// Counts the clients. Each thread counts its own client in and out and needs the answer at once;
/// a channel would need a thread that owns the count, and a way back.
#[derive(Debug)]
pub(crate) struct Census {
    clients_max: usize,
    clients_per_address_max: usize,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    clients: usize,
    per_network: HashMap<Network, usize>,
}

/// The place of one client, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    census: &'a Census,
    network: Network,
}

/// Why there is no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoPlace {
    /// The server is full.
    #[error("the server is full")]
    Full,
    /// Enough clients have come from this address.
    #[error("enough are here from its address")]
    AddressFull,
}

impl Census {
    /// `clients_per_address_max` of 0 means that addresses are not counted.
    pub(crate) fn new(clients_max: usize, clients_per_address_max: usize) -> Self {
        Self { clients_max, clients_per_address_max, counts: Mutex::default() }
    }

    pub(crate) fn place(&self, address: IpAddr) -> Result<Place<'_>, NoPlace> {
        let network = Network::of(address);
        let mut counts = self.lock();
        if counts.clients >= self.clients_max {
            return Err(NoPlace::Full);
        }
        if self.clients_per_address_max > 0 {
            let count = counts.per_network.entry(network).or_default();
            if *count >= self.clients_per_address_max {
                return Err(NoPlace::AddressFull);
            }
            *count += 1;
        }
        counts.clients += 1;
        Ok(Place { census: self, network })
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut counts = self.census.lock();
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
        let census = Census::new(3, 2);
        let first = census.place(address(1)).unwrap();
        let _second = census.place(address(1)).unwrap();
        assert_eq!(census.place(address(1)).unwrap_err(), NoPlace::AddressFull);
        let _third = census.place(address(2)).unwrap();
        assert_eq!(census.place(address(3)).unwrap_err(), NoPlace::Full);
        drop(first);
        assert!(census.place(address(1)).is_ok());
    }

    #[test]
    fn addresses_are_forgotten_with_their_last_client() {
        let census = Census::new(10, 2);
        drop((census.place(address(1)), census.place(address(1))));
        assert!(census.lock().per_network.is_empty());
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_counted_together() {
        let census = Census::new(10, 2);
        let places = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8:0:1::1"]
            .map(|address| census.place(address.parse().unwrap()));
        assert_eq!(places.each_ref().map(Result::is_ok), [true, true, false, true]);
    }

    #[test]
    fn zero_counts_no_addresses() {
        let census = Census::new(100, 0);
        let places: Vec<_> = (0..100).map(|_| census.place(address(1)).unwrap()).collect();
        assert_eq!(census.place(address(1)).unwrap_err(), NoPlace::Full);
        drop(places);
        assert!(census.place(address(1)).is_ok());
    }
}
