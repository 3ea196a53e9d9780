//! Networks: addresses as they count for limits.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One IPv4 address, or the /64 prefix of an IPv6 address. A machine chooses the other 64 bits of its
/// IPv6 address (RFC 4291, section 2.5.1), so it can have any number of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Network(IpAddr);

/// Minimum number of counts at which the unused ones are removed.
const SWEEP_AT_MIN: usize = 64;

impl Network {
    /// The network of a person without a connection since the server started. No client has it.
    pub(super) const UNKNOWN: Self = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    /// Returns the network of an address. An IPv4-mapped IPv6 address counts as IPv4.
    pub(crate) fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => address.into(),
            IpAddr::V6(address) => {
                let prefix = u128::from(address) & !u128::from(u64::MAX);
                Ipv6Addr::from(prefix).into()
            }
        })
    }
}

/// A count for each network. Unused counts are removed.
#[derive(Debug)]
pub(crate) struct ByNetwork<T> {
    counts: HashMap<Network, T>,
    /// Number of counts at which the unused ones are removed next.
    sweep_at: usize,
}

impl<T> Default for ByNetwork<T> {
    fn default() -> Self {
        Self { counts: HashMap::new(), sweep_at: SWEEP_AT_MIN }
    }
}

impl<T> ByNetwork<T> {
    pub(crate) fn get(&self, network: Network) -> Option<&T> {
        self.counts.get(&network)
    }

    pub(crate) fn get_mut(&mut self, network: Network) -> Option<&mut T> {
        self.counts.get_mut(&network)
    }

    /// Returns the count of a network, and inserts `new` if there is none. Removes unused counts if
    /// there are many: those for which `is_unused` is true.
    pub(crate) fn count(
        &mut self,
        network: Network,
        new: T,
        is_unused: impl Fn(&T) -> bool,
    ) -> &mut T {
        if self.counts.len() >= self.sweep_at {
            self.counts.retain(|_, count| !is_unused(count));
            self.sweep_at = (2 * self.counts.len()).max(SWEEP_AT_MIN);
        }
        self.counts.entry(network).or_insert(new)
    }

    #[cfg(test)]
    pub(crate) fn counts(&self) -> impl ExactSizeIterator<Item = &T> {
        self.counts.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv6_address_counts_by_its_64_bit_prefix() {
        let network = |address: &str| Network::of(address.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:0:0:2"));
        assert_eq!(network("fe80::1"), network("fe80::2"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("::ffff:192.0.2.1"), network("::ffff:192.0.2.2"));
    }
}
