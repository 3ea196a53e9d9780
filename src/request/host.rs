//! Whose house is this? Which `Host` is ours, and which `Origin` may come in.
//!
//! A page on the internet can make its own name resolve to an address of the LAN (DNS rebinding),
//! and any page can open a WebSocket to any host. The first is stopped by answering only to names
//! that public DNS does not give away, the second by letting in only pages of the same host.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use http::uri::{Authority, Uri};

use crate::reach;

/// Suffixes under which no name can be registered: reserved by RFC 6761, 6762 and 8375, by ICANN,
/// which does not delegate `.home`, `.corp`, `.mail` and `.internal`, or in use on private networks
/// (RFC 6762, appendix G) and not delegated. A router's own domain need not be one of them:
/// `fritz.box` is not, as `.box` is delegated.
const PRIVATE_SUFFIXES: [&str; 12] = [
    ".local",
    ".localhost",
    ".test",
    ".home.arpa",
    ".home",
    ".corp",
    ".mail",
    ".internal",
    ".intranet",
    ".private",
    ".lan",
    ".localdomain",
];

/// A host: a name or an address, in the one spelling by which two of them can be compared.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostName(String);

/// The text names no host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a host")]
pub struct HostNameError;

impl FromStr for HostName {
    type Err = HostNameError;

    /// Reads a name or an address, without a port. Letter case and a trailing dot do not count;
    /// an IPv6 address may stand in brackets.
    fn from_str(host: &str) -> Result<Self, Self::Err> {
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Ok(address) = address.unwrap_or(host).parse::<Ipv6Addr>() {
            return Ok(Self(address.to_string()));
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let of_a_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let is_label = |label: &str| !label.is_empty() && label.chars().all(of_a_name);
        if name.len() <= 253 && name.split('.').all(is_label) {
            Ok(Self(name))
        } else {
            Err(HostNameError)
        }
    }
}

impl HostName {
    /// Reads what stands in a `Host` field or an origin: a host, and a port perhaps.
    fn of_authority(authority: &Authority) -> Result<Self, HostNameError> {
        let port = authority.as_str().strip_prefix(authority.host()).ok_or(HostNameError)?;
        // A number may have a sign for Rust, and a port has none.
        let is_number = |port: &str| !port.starts_with('+') && port.parse::<u16>().is_ok();
        let is_port = |port: &str| port.is_empty() || is_number(port);
        match port.strip_prefix(':').map(is_port).unwrap_or(port.is_empty()) {
            true => authority.host().parse(),
            false => Err(HostNameError),
        }
    }

    /// Reads the value of a `Host` field (RFC 9110, section 7.2).
    pub(crate) fn of_field(value: &str) -> Result<Self, HostNameError> {
        Self::of_authority(&value.parse().map_err(|_| HostNameError)?)
    }

    fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }

    /// Whether other machines get here by it, as far as that can be seen. Where it is in doubt, an
    /// address of ours does as well.
    pub(crate) fn is_for_others(&self) -> bool {
        if let Some(ip) = self.address() {
            return reach::is_for_others(ip);
        }
        // To a browser `2130706433` and `0x7f000001` are IPv4 addresses, and not the only such.
        let (_, last) = self.0.rsplit_once('.').unwrap_or(("", &self.0));
        let is_number = match last.strip_prefix("0x") {
            Some(rest) => rest.bytes().all(|byte| byte.is_ascii_hexdigit()),
            None => last.bytes().all(|byte| byte.is_ascii_digit()),
        };
        !is_number && !self.0.contains("localhost") && !self.0.contains("loopback")
    }
}

/// The origin of a page (RFC 6454): a scheme, a host and perhaps a port, or `null`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    text: String,
    host: Option<HostName>,
}

/// The text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an origin looks like http://host or http://host:port, or is the word null")]
pub struct OriginError;

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(origin: &str) -> Result<Self, Self::Err> {
        if origin == "null" {
            return Ok(Self { text: origin.to_owned(), host: None });
        }
        let uri: Uri = origin.parse().map_err(|_| OriginError)?;
        let (Some(scheme), Some(authority)) = (uri.scheme(), uri.authority()) else {
            return Err(OriginError);
        };
        let host = HostName::of_authority(authority).map_err(|_| OriginError)?;
        let text = format!("{scheme}://{authority}").to_ascii_lowercase();
        match origin.len() == text.len() {
            true => Ok(Self { text, host: Some(host) }),
            false => Err(OriginError),
        }
    }
}

/// The names that this server answers to, and the pages that it lets in.
#[derive(Debug)]
pub(crate) struct House {
    names: HashSet<HostName>,
    origins: HashSet<Origin>,
}

impl House {
    pub(crate) fn new(names: &[HostName], origins: &[Origin]) -> Self {
        let machine = rustix::system::uname().nodename().to_string_lossy().parse();
        let names = names.iter().cloned().chain(machine.ok()).collect();
        Self { names, origins: origins.iter().cloned().collect() }
    }

    /// Whether a request for this host is meant for us.
    pub(crate) fn is_ours(&self, host: &HostName) -> bool {
        let name = host.0.as_str();
        let private = |suffix: &&str| name.strip_suffix(*suffix).is_some_and(|it| !it.is_empty());
        host.address().is_some()
            || !name.contains('.')
            || PRIVATE_SUFFIXES.iter().any(private)
            || self.names.contains(host)
    }

    /// Whether a page of this origin may talk to us as `host`.
    pub(crate) fn lets_in(&self, origin: &Origin, host: &HostName) -> bool {
        origin.host.as_ref() == Some(host) || self.origins.contains(origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn house() -> House {
        let names = ["chat.example.org".parse().unwrap()];
        let origins = ["https://intra.example.org".parse().unwrap(), "null".parse().unwrap()];
        House::new(&names, &origins)
    }

    fn is_ours(host: &str) -> Option<bool> {
        HostName::of_field(host).ok().map(|host| house().is_ours(&host))
    }

    #[test]
    fn a_lan_has_many_names_for_us() {
        for host in [
            "127.0.0.1",
            "192.168.1.20:8080",
            "[::1]",
            "[FE80::1]:12345",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "chat",
            "chat.local",
            "Chat.LAN:8080",
            "a.home.arpa",
            "b.internal",
            "c.localdomain",
            "pc.home",
            "PC.Home.:8080",
            "pc.living-room.home",
            "pc.test",
            "pc.corp",
            "pc.mail",
            "pc.localhost",
            "pc.intranet",
            "pc.private",
            "chat.example.org",
            "CHAT.example.org.",
            "10.0.0.1:",
        ] {
            assert_eq!(is_ours(host), Some(true), "{host}");
        }
    }

    #[test]
    fn names_that_public_dns_gives_away_are_not_ours() {
        for host in [
            "127.0.0.1.evil.example",
            "evil.example",
            "local.evil.example",
            "evil-local.com",
            "lan.com",
            "pc.fritz.box",
            "pc.home.com",
            "pchome.net",
            "pc.example",
            "pc.testing",
            "pc.arpa",
            "home.arpa.evil.example",
            "chat.example.org.evil.example",
            "127.1",
            "0x7f.0.0.1",
        ] {
            assert_eq!(is_ours(host), Some(false), "{host}");
        }
    }

    #[test]
    fn names_that_lead_others_to_themselves_are_known() {
        let is_for_others = |host| HostName::of_field(host).unwrap().is_for_others();
        for host in
            ["192.168.1.20:8080", "[fd00::2]", "Chat.LAN:8080", "chat", "chat.example.org", "7seas"]
        {
            assert!(is_for_others(host), "{host}");
        }
        for host in [
            "localhost",
            "LOCALHOST.:8080",
            "chat.localhost",
            "localhost.localdomain",
            "ip6-loopback",
            "127.0.0.1:8080",
            "127.0.1.1",
            "[::1]:8080",
            "[::ffff:127.0.0.1]",
            "[fe80::1]",
            "0.0.0.0:8080",
            "[::]:8080",
            "2130706433",
            "0x7f000001:8080",
            "0x",
        ] {
            assert!(!is_for_others(host), "{host}");
        }
    }

    #[test]
    fn what_names_no_host_is_an_error() {
        for host in [
            "",
            " ",
            "a b",
            "user@localhost",
            "localhost:port",
            "localhost:99999",
            "localhost:+80",
            "[::1",
            "::1",
            ".local",
            "a..b",
            "http://localhost",
            "localhost/",
            "[::1]x",
            "a,b",
            "ho%73t",
        ] {
            assert_eq!(is_ours(host), None, "{host}");
        }
    }

    #[test]
    fn pages_of_the_same_host_come_in() {
        let house = house();
        let lets_in = |origin: &str, host: &str| {
            let host = HostName::of_field(host).unwrap();
            origin.parse().is_ok_and(|origin| house.lets_in(&origin, &host))
        };
        assert!(lets_in("http://localhost:8080", "localhost:12345"));
        assert!(lets_in("http://LOCALHOST", "localhost:12345"));
        assert!(lets_in("http://[::1]:8080", "[::1]:12345"));
        assert!(lets_in("https://intra.example.org", "chat.lan"));
        assert!(lets_in("null", "chat.lan"));
        for origin in [
            "http://evil.example",
            "http://localhost.evil.example",
            "http://127.0.0.1:8080",
            "http://user@localhost",
            "http://localhost/path",
            "localhost",
            "",
            "http://",
            "https://intra.example.org:444",
            "http://localhost http://localhost",
        ] {
            assert!(!lets_in(origin, "localhost:12345"), "{origin}");
        }
    }
}
