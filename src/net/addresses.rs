//! The addresses by which other machines reach the server. They are read from the operating system,
//! without any network traffic, so a firewall may still block them.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Returns the addresses by which the server is reached now. Those for other machines come first.
pub(crate) fn reachable_addresses(listening: &[SocketAddr]) -> Vec<SocketAddr> {
    addresses_for(listening, &addresses_of_this_machine())
}

/// Returns whether other machines reach this machine by this address. Link-local addresses of IPv6 do
/// not count: they need the name of an interface behind them, which browsers do not accept.
pub(crate) fn is_for_others(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => false,
        ip => !(ip.is_loopback() || ip.is_unspecified()),
    }
}

fn addresses_for(listening: &[SocketAddr], machine: &[IpAddr]) -> Vec<SocketAddr> {
    let mut reachable = Vec::new();
    for address in listening {
        let is_wildcard = address.ip().is_unspecified();
        // `::` accepts IPv4, too, unless IPv4 has a separate listener.
        let is_dual_stack = address.is_ipv6() && !listening.iter().any(SocketAddr::is_ipv4);
        for ip in machine.iter().filter(|ip| is_dual_stack || ip.is_ipv6() == address.is_ipv6()) {
            if is_wildcard {
                reachable.push(SocketAddr::new(*ip, address.port()));
            }
        }
        if !is_wildcard {
            reachable.push(*address);
        }
    }
    reachable.sort_by_key(|address| !is_for_others(address.ip()));
    reachable
}

/// Returns one address of each interface that is up, IPv4 rather than IPv6, and loopback last. Leaves
/// out link-local addresses.
fn addresses_of_this_machine() -> Vec<IpAddr> {
    let mut interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.retain(|it| it.is_loopback() || !(it.is_link_local() || is_down(it)));
    interfaces.sort_by_key(|it| (it.is_loopback(), it.index, it.ip().is_ipv6()));
    interfaces.dedup_by(|next, first| next.name == first.name);
    let mut addresses: Vec<_> = interfaces.iter().map(if_addrs::Interface::ip).collect();
    if !addresses.iter().any(IpAddr::is_loopback) {
        addresses.push(Ipv6Addr::LOCALHOST.into());
    }
    addresses
}

fn is_down(interface: &if_addrs::Interface) -> bool {
    use if_addrs::IfOperStatus::{Unknown, Up};
    !matches!(interface.oper_status, Up | Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(listening: &[&str], machine: &[&str]) -> Vec<String> {
        let listening: Vec<_> = listening.iter().map(|it| it.parse().unwrap()).collect();
        let machine: Vec<_> = machine.iter().map(|it| it.parse().unwrap()).collect();
        addresses_for(&listening, &machine).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_listener_for_all_interfaces_is_reached_by_each_address() {
        let machine = ["192.168.1.20", "fd00::2", "127.0.0.1"];
        let all = ["192.168.1.20:80", "[fd00::2]:80", "127.0.0.1:80"];
        assert_eq!(addresses(&["[::]:80"], &machine), all);
        assert_eq!(addresses(&["0.0.0.0:80"], &machine), ["192.168.1.20:80", "127.0.0.1:80"]);
        assert_eq!(addresses(&["[::]:80", "0.0.0.0:80"], &machine), [all[1], all[0], all[2]]);
        assert_eq!(addresses(&["[::]:80"], &["127.0.0.1"]), ["127.0.0.1:80"]);
    }

    #[test]
    fn addresses_for_others_come_first() {
        let listening = ["127.0.0.1:80", "10.0.0.2:80", "[::1]:80", "[fd00::2]:80"];
        let expected = ["10.0.0.2:80", "[fd00::2]:80", "127.0.0.1:80", "[::1]:80"];
        assert_eq!(addresses(&listening, &["192.168.1.20"]), expected);
    }

    #[test]
    fn loopback_link_local_and_wildcard_addresses_are_not_for_others() {
        for ip in ["192.168.1.20", "169.254.1.2", "203.0.113.7", "fd00::2", "2001:db8::1"] {
            assert!(is_for_others(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["127.0.0.1", "127.1.2.3", "0.0.0.0", "::", "::1", "::ffff:127.0.0.1", "fe80::1"]
        {
            assert!(!is_for_others(ip.parse().unwrap()), "{ip}");
        }
    }
}
