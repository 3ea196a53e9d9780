//! The part of an address that belongs to one party.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What limits of an address apply to: an IPv4 address, or the /64 prefix of an IPv6 address. A
/// machine chooses the other 64 bits of an IPv6 address by itself (RFC 4291, section 2.5.1), and so
/// has as many addresses as it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Network(IpAddr);

impl Network {
    /// Of a person that is known from an earlier run of the server. No client has this address.
    pub(super) const UNKNOWN: Self = Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED));

    /// The network of an address. An IPv4 address that is written as IPv6 counts as IPv4.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ipv6_counts_by_the_prefix_of_64_bits() {
        let network = |address: &str| Network::of(address.parse().unwrap());
        assert_eq!(network("2001:db8::1"), network("2001:db8::ffff:0:0:2"));
        assert_eq!(network("fe80::1"), network("fe80::2"));
        assert_ne!(network("2001:db8:0:1::1"), network("2001:db8:0:2::1"));
        assert_ne!(network("192.0.2.1"), network("192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("::ffff:192.0.2.1"), network("::ffff:192.0.2.2"));
    }
}
