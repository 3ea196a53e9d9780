//! Host names and origins, in HTTP requests and in the configuration.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use http::uri::{Authority, Uri};

use super::addresses;

/// A host: a name or an address, without a port, in a spelling by which two hosts can be compared.
/// Letter case and a trailing dot make no difference. An IPv6 address may be in brackets.
///
/// ```
/// use chinwag::{Config, HostName};
///
/// let host: HostName = "Chat.Example.org.".parse()?;
/// assert_eq!(host.to_string(), "chat.example.org");
/// let config = Config::default().host_names(vec![host]);
/// # Ok::<(), chinwag::HostNameError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HostName(String);

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for HostName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// The text is not the name of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the name of a host")]
pub struct HostNameError;

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(host: &str) -> Result<Self, Self::Err> {
        let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        if let Ok(address) = address.unwrap_or(host).parse::<Ipv6Addr>() {
            return Ok(Self(address.to_string()));
        }
        let name = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        let is_name_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let is_label = |label: &str| !label.is_empty() && label.chars().all(is_name_char);
        if name.len() <= 253 && name.split('.').all(is_label) {
            Ok(Self(name))
        } else {
            Err(HostNameError)
        }
    }
}

impl HostName {
    /// Parses the authority of a `Host` field or an origin: a host, with or without a port.
    fn from_authority(authority: &Authority) -> Result<Self, HostNameError> {
        let port = authority.as_str().strip_prefix(authority.host()).ok_or(HostNameError)?;
        // Rust accepts a sign before a number, and a port has none.
        let is_number = |port: &str| !port.starts_with('+') && port.parse::<u16>().is_ok();
        let is_port = |port: &str| port.is_empty() || is_number(port);
        match port.strip_prefix(':').map(is_port).unwrap_or(port.is_empty()) {
            true => authority.host().parse(),
            false => Err(HostNameError),
        }
    }

    /// Parses the value of a `Host` field (RFC 9110, section 7.2).
    pub(crate) fn of_field(value: &str) -> Result<Self, HostNameError> {
        Self::from_authority(&value.parse().map_err(|_| HostNameError)?)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }

    /// Returns whether other machines reach this machine by this host, as far as its spelling shows.
    /// False is the safe answer: an invitation then has an address of the machine instead.
    pub(crate) fn is_for_others(&self) -> bool {
        if let Some(ip) = self.address() {
            return addresses::is_for_others(ip);
        }
        // Browsers read names like `2130706433` and `0x7f000001` as IPv4 addresses.
        let (_, last) = self.0.rsplit_once('.').unwrap_or(("", &self.0));
        let is_number = match last.strip_prefix("0x") {
            Some(rest) => rest.bytes().all(|byte| byte.is_ascii_hexdigit()),
            None => last.bytes().all(|byte| byte.is_ascii_digit()),
        };
        !is_number && !self.0.contains("localhost") && !self.0.contains("loopback")
    }
}

/// The origin of a page (RFC 6454): a scheme, a host and perhaps a port, or `null`.
///
/// ```
/// use chinwag::{Config, Origin};
///
/// let origin: Origin = "https://intranet.example.org".parse()?;
/// let config = Config::default().allowed_origins(vec![origin]);
/// assert!("intranet.example.org".parse::<Origin>().is_err());
/// # Ok::<(), chinwag::OriginError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin {
    text: String,
    host: Option<HostName>,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl AsRef<str> for Origin {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

/// The text is not an origin.
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
        let host = HostName::from_authority(authority).map_err(|_| OriginError)?;
        let text = format!("{scheme}://{authority}").to_ascii_lowercase();
        match origin.len() == text.len() {
            true => Ok(Self { text, host: Some(host) }),
            false => Err(OriginError),
        }
    }
}

impl Origin {
    /// Returns the host; `None` for `null`.
    pub(crate) fn host(&self) -> Option<&HostName> {
        self.host.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_mean_the_local_machine_are_not_for_others() {
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
}
