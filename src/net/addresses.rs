//! At which addresses a server is reached: those of this machine, where it listens on all of them.
//! Nothing is asked of the network, so that nobody knows here whether a firewall lets people in.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// The addresses that people can use just now. Those for other machines come first.
pub(crate) fn reachable_addresses(listening: &[SocketAddr]) -> Vec<SocketAddr> {
    reachable_with(listening, &addresses_of_this_machine())
}

/// Whether another machine that asks for this address gets here. One that needs the name of an
/// interface behind it is of no use to a browser.
pub(crate) fn is_for_others(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => false,
        ip => !(ip.is_loopback() || ip.is_unspecified()),
    }
}

fn reachable_with(listening: &[SocketAddr], ours: &[IpAddr]) -> Vec<SocketAddr> {
    let mut reachable_addresses = Vec::new();
    for address in listening {
        let everywhere = address.ip().is_unspecified();
        // `::` takes IPv4, too, unless that has a listener of its own.
        let both = address.is_ipv6() && !listening.iter().any(SocketAddr::is_ipv4);
        for ip in ours.iter().filter(|ip| both || ip.is_ipv6() == address.is_ipv6()) {
            if everywhere {
                reachable_addresses.push(SocketAddr::new(*ip, address.port()));
            }
        }
        if !everywhere {
            reachable_addresses.push(*address);
        }
    }
    reachable_addresses.sort_by_key(|address| !is_for_others(address.ip()));
    reachable_addresses
}

/// One address for each interface that is up, IPv4 before IPv6, and loopback last. Addresses that
/// only work with the name of an interface behind them are left out.
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

    fn shown(listening: &[&str], ours: &[&str]) -> Vec<String> {
        let listening: Vec<_> = listening.iter().map(|it| it.parse().unwrap()).collect();
        let ours: Vec<_> = ours.iter().map(|it| it.parse().unwrap()).collect();
        reachable_with(&listening, &ours).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_listener_for_all_interfaces_is_reached_at_each() {
        let ours = ["192.168.1.20", "fd00::2", "127.0.0.1"];
        let all = ["192.168.1.20:80", "[fd00::2]:80", "127.0.0.1:80"];
        assert_eq!(shown(&["[::]:80"], &ours), all);
        assert_eq!(shown(&["0.0.0.0:80"], &ours), ["192.168.1.20:80", "127.0.0.1:80"]);
        assert_eq!(shown(&["[::]:80", "0.0.0.0:80"], &ours), [all[1], all[0], all[2]]);
        assert_eq!(shown(&["[::]:80"], &["127.0.0.1"]), ["127.0.0.1:80"]);
    }

    #[test]
    fn addresses_for_others_come_first() {
        let listening = ["127.0.0.1:80", "10.0.0.2:80", "[::1]:80", "[fd00::2]:80"];
        let expected = ["10.0.0.2:80", "[fd00::2]:80", "127.0.0.1:80", "[::1]:80"];
        assert_eq!(shown(&listening, &["192.168.1.20"]), expected);
    }

    #[test]
    fn some_addresses_lead_others_to_themselves_or_nowhere() {
        for ip in ["192.168.1.20", "169.254.1.2", "203.0.113.7", "fd00::2", "2001:db8::1"] {
            assert!(is_for_others(ip.parse().unwrap()), "{ip}");
        }
        for ip in ["127.0.0.1", "127.1.2.3", "0.0.0.0", "::", "::1", "::ffff:127.0.0.1", "fe80::1"]
        {
            assert!(!is_for_others(ip.parse().unwrap()), "{ip}");
        }
    }
}
