//! The policy for the `Host` and the `Origin` of requests.
//!
//! A page on the internet can make its own name resolve to an address of the LAN (DNS rebinding),
//! and any page can open a WebSocket to any host. Against the first, the server accepts only names
//! that cannot be registered in public DNS. Against the second, it accepts only pages of the same host.

use std::collections::HashSet;

use crate::net::host::{HostName, Origin};

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

/// The allowed host names and origins, beside those that every server allows.
#[derive(Debug)]
pub(crate) struct HostPolicy {
    names: HashSet<HostName>,
    origins: HashSet<Origin>,
}

impl HostPolicy {
    pub(crate) fn new(names: &[HostName], origins: &[Origin]) -> Self {
        let machine = rustix::system::uname().nodename().to_string_lossy().parse();
        let names = names.iter().cloned().chain(machine.ok()).collect();
        Self { names, origins: origins.iter().cloned().collect() }
    }

    /// Returns whether this is a name of this server.
    pub(crate) fn allows_host(&self, host: &HostName) -> bool {
        let name = host.as_str();
        let private = |suffix: &&str| name.strip_suffix(*suffix).is_some_and(|it| !it.is_empty());
        host.address().is_some()
            || !name.contains('.')
            || PRIVATE_SUFFIXES.iter().any(private)
            || self.names.contains(host)
    }

    /// Returns whether a page of this origin may connect to `host`.
    pub(crate) fn allows_origin(&self, origin: &Origin, host: &HostName) -> bool {
        origin.host() == Some(host) || self.origins.contains(origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host_policy() -> HostPolicy {
        let names = ["chat.example.org".parse().unwrap()];
        let origins = ["https://intra.example.org".parse().unwrap(), "null".parse().unwrap()];
        HostPolicy::new(&names, &origins)
    }

    fn allows_host(host: &str) -> Option<bool> {
        HostName::of_field(host).ok().map(|host| host_policy().allows_host(&host))
    }

    #[test]
    fn addresses_and_private_names_are_allowed() {
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
            assert_eq!(allows_host(host), Some(true), "{host}");
        }
    }

    #[test]
    fn public_names_are_not_allowed() {
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
            assert_eq!(allows_host(host), Some(false), "{host}");
        }
    }

    #[test]
    fn invalid_hosts_are_errors() {
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
            assert_eq!(allows_host(host), None, "{host}");
        }
    }

    #[test]
    fn pages_of_the_same_host_are_allowed() {
        let host_policy = host_policy();
        let allows_origin = |origin: &str, host: &str| {
            let host = HostName::of_field(host).unwrap();
            origin.parse().is_ok_and(|origin| host_policy.allows_origin(&origin, &host))
        };
        assert!(allows_origin("http://localhost:8080", "localhost:12345"));
        assert!(allows_origin("http://LOCALHOST", "localhost:12345"));
        assert!(allows_origin("http://[::1]:8080", "[::1]:12345"));
        assert!(allows_origin("https://intra.example.org", "chat.lan"));
        assert!(allows_origin("null", "chat.lan"));
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
            assert!(!allows_origin(origin, "localhost:12345"), "{origin}");
        }
    }
}
