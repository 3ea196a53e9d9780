//! Opens the ports.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::Arc;

#[cfg(any(target_os = "linux", target_os = "android"))]
use rustix::net::SocketFlags;
use rustix::net::{AddressFamily, SocketType, sockopt};

use super::capacity::{DESCRIPTORS_PER_CLIENT, Scarcity};
use crate::config::Config;
#[cfg(feature = "page")]
use crate::http::page::PageError;
use crate::store::StoreError;

/// Maximum number of connections that wait for `accept`. The 128 of std would be full at once when
/// all clients of a room come back after a restart.
const BACKLOG: i32 = 4096;
/// Minimum number of descriptors with which a server can start, even with a history, and accept the
/// first clients.
const DESCRIPTORS_MIN: usize = 40;

/// The reason why a server cannot start.
///
/// ```
/// # use std::net::Ipv4Addr;
/// # use chinwag::{Config, Server, StartError};
/// # let config = Config::default().bind([Ipv4Addr::LOCALHOST]).page_port(0).websocket_port(0);
/// # let other = Server::bind(&config)?;
/// # let config = config.page_port(other.page_addresses()[0].port());
/// match Server::bind(&config) {
///     Ok(server) => drop(server.start()?),
///     Err(StartError::PortInUse(address)) => println!("choose another port than {}", address.port()),
///     Err(error) => return Err(error),
/// }
/// # Ok::<(), StartError>(())
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// [`Config::bind`](crate::Config::bind) is empty.
    #[error("no address to listen on")]
    NoAddress,
    /// Another program listens on this port.
    #[error("port {} is in use on {}", .0.port(), .0.ip())]
    PortInUse(SocketAddr),
    /// The process may not open this port. Ports below 1024 often need a privilege.
    #[error("no permission to open port {} on {}", .0.port(), .0.ip())]
    NoPermission(SocketAddr),
    /// This machine does not have the address.
    #[error("{0} is no address of this machine")]
    NotOurAddress(IpAddr),
    /// The process may open too few descriptors. The number is their limit.
    #[error(
        "only {0} descriptors may be open, and at least {DESCRIPTORS_MIN} are needed, and \
         {DESCRIPTORS_PER_CLIENT} more for each client; raise the limit (ulimit -n, LimitNOFILE=)"
    )]
    TooFewDescriptors(usize),
    /// Any other failure to open a port.
    #[error("cannot listen on {0}")]
    Listen(SocketAddr, #[source] io::Error),
    /// The history cannot be opened.
    #[cfg(feature = "history")]
    #[error(transparent)]
    History(#[from] crate::history::HistoryError),
    /// The store of [`Config::store`](crate::Config::store) has failed.
    #[error("cannot use the store")]
    Store(#[source] StoreError),
    /// Both [`Config::store`](crate::Config::store) and a history file are set.
    #[cfg(feature = "history")]
    #[error("a history is either in a file or in a store, not in both")]
    TwoHistories,
    /// A file or folder of the page cannot be read.
    #[cfg(feature = "page")]
    #[error("cannot read {} for the page", .0.display())]
    Page(std::path::PathBuf, #[source] io::Error),
    /// The process has too few threads, or too little memory.
    #[error("cannot start")]
    Scarce(#[from] Scarcity),
    /// A thread or a descriptor could not be created.
    #[error("cannot start")]
    Resources(#[from] io::Error),
}

/// The listeners of a server.
pub(super) struct Ports {
    pub(super) listeners: Vec<TcpListener>,
    pub(super) page_addresses: Arc<[SocketAddr]>,
    pub(super) websocket_addresses: Arc<[SocketAddr]>,
}

impl Ports {
    /// Opens the ports of a configuration.
    pub(super) fn open(config: &Config) -> Result<Self, StartError> {
        let bind = distinct(&config.bind)?;
        let mut listeners = listen_on_all(&bind, config.page_port)?;
        let page_addresses = addresses(&listeners)?;
        let Some(port) = websocket_port(config) else {
            let websocket_addresses = page_addresses.clone();
            return Ok(Self { listeners, page_addresses, websocket_addresses });
        };
        let websocket = listen_on_all(&bind, port)?;
        let websocket_addresses = addresses(&websocket)?;
        listeners.extend(websocket);
        Ok(Self { listeners, page_addresses, websocket_addresses })
    }

    /// Takes the listeners of the embedder.
    pub(super) fn of(listeners: Vec<TcpListener>) -> Result<Self, StartError> {
        for listener in &listeners {
            listener.set_nonblocking(true)?;
        }
        let page_addresses = addresses(&listeners)?;
        let websocket_addresses = page_addresses.clone();
        Ok(Self { listeners, page_addresses, websocket_addresses })
    }
}

/// Returns the number of listeners that a configuration asks for.
pub(super) fn listeners_of(config: &Config) -> usize {
    config.bind.len() * if websocket_port(config).is_some() { 2 } else { 1 }
}

/// Returns the port for WebSocket clients, or `None` if it is that of the page. Both serve both
/// protocols, so they may be the same.
fn websocket_port(config: &Config) -> Option<u16> {
    config.websocket_port.filter(|port| *port == 0 || *port != config.page_port)
}

/// Returns the local addresses of the listeners.
fn addresses(listeners: &[TcpListener]) -> io::Result<Arc<[SocketAddr]>> {
    listeners.iter().map(TcpListener::local_addr).collect()
}

/// Returns the addresses without those that another one covers: a second listener for such an address
/// would find the port in use by this server.
///
/// # Errors
/// If this machine does not have one of the covered addresses.
fn distinct(addresses: &[IpAddr]) -> Result<Vec<IpAddr>, StartError> {
    let addresses: Vec<_> = addresses.iter().map(IpAddr::to_canonical).collect();
    let mut distinct = Vec::new();
    for (at, address) in addresses.iter().enumerate() {
        let mut others = addresses.iter().enumerate();
        // Of two equal addresses, the first stays.
        let covering = others.find(|(place, other)| covers(**other, *address, *place < at));
        match covering {
            Some((_, other)) => {
                let tried = listen(SocketAddr::new(*address, 0));
                if tried.is_err_and(|error| error.kind() == io::ErrorKind::AddrNotAvailable) {
                    return Err(StartError::NotOurAddress(*address));
                }
                log::info!("{address} needs no listener of its own beside {other}");
            }
            None => distinct.push(*address),
        }
    }
    Ok(distinct)
}

/// Returns whether a listener on `one` also takes connections for `other`. A listener on `::` takes
/// those of IPv4, too.
fn covers(one: IpAddr, other: IpAddr, counts_equal: bool) -> bool {
    match one {
        _ if one == other => counts_equal,
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => true,
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => other.is_ipv4(),
        _ => false,
    }
}

/// Listens on the same port of all addresses. Tries again if port 0 finds no port that is free on all.
fn listen_on_all(addresses: &[IpAddr], port: u16) -> Result<Vec<TcpListener>, StartError> {
    /// How often a free port is tried: one that is free on the first address may be taken on the next.
    const ATTEMPTS: usize = 16;
    let mut result = listen_on_each(addresses, port);
    for _ in 1..ATTEMPTS {
        match result {
            Err(StartError::PortInUse(_)) if port == 0 => result = listen_on_each(addresses, 0),
            _ => break,
        }
    }
    result
}

/// Listens on the same port of all addresses. For port 0 the first listener chooses it.
fn listen_on_each(addresses: &[IpAddr], port: u16) -> Result<Vec<TcpListener>, StartError> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    for address in addresses {
        let port = listeners.first().map_or(Ok(port), |it| it.local_addr().map(|it| it.port()))?;
        listeners.push(listen_or_fall_back(SocketAddr::new(*address, port))?);
    }
    Ok(listeners)
}

/// Listens on an address. On a machine without IPv6, `::` means `0.0.0.0`.
fn listen_or_fall_back(address: SocketAddr) -> Result<TcpListener, StartError> {
    let any_v4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
    let is_any_v6 = address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED);
    match listen(address) {
        Err(error) if is_any_v6 && (is_unsupported(&error) || !has_ipv6()) => {
            listen(any_v4).map_err(|error| StartError::listen(any_v4, error))
        }
        result => result.map_err(|error| StartError::listen(address, error)),
    }
}

/// Returns whether the kernel has no IPv6, or does not permit it to this process.
fn is_unsupported(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => new_socket(AddressFamily::INET)?,
        SocketAddr::V6(_) => new_socket(AddressFamily::INET6)?,
    };
    if address.is_ipv6() {
        sockopt::set_ipv6_v6only(&socket, false)?;
    }
    // The next server may take the port at once.
    sockopt::set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket.into())
}

/// Returns a socket that no child process inherits.
fn new_socket(family: AddressFamily) -> io::Result<OwnedFd> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let socket = rustix::net::socket_with(family, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let socket = {
        let socket = rustix::net::socket(family, SocketType::STREAM, None)?;
        rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
        socket
    };
    Ok(socket)
}

#[cfg(feature = "page")]
impl From<PageError> for StartError {
    fn from(PageError { path, error }: PageError) -> Self {
        Self::Page(path, error)
    }
}

impl StartError {
    fn listen(address: SocketAddr, error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::PortInUse(address),
            io::ErrorKind::PermissionDenied => Self::NoPermission(address),
            io::ErrorKind::AddrNotAvailable => Self::NotOurAddress(address.ip()),
            _ => Self::Listen(address, error),
        }
    }
}

/// Checks the descriptor limit, before anything fails for lack of descriptors.
///
/// # Errors
/// If the limit is below the minimum.
pub(super) fn check_descriptors() -> Result<(), StartError> {
    let limit = descriptors_max();
    if limit < DESCRIPTORS_MIN { Err(StartError::TooFewDescriptors(limit)) } else { Ok(()) }
}

fn descriptors_max() -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_another_covers_is_dropped() {
        for (bind, expected) in [
            ("127.0.0.1", "127.0.0.1"),
            ("127.0.0.1 127.0.0.2", "127.0.0.1 127.0.0.2"),
            ("127.0.0.1 127.0.0.1", "127.0.0.1"),
            ("127.0.0.1 127.0.0.2 127.0.0.1", "127.0.0.1 127.0.0.2"),
            ("0.0.0.0 127.0.0.1", "0.0.0.0"),
            ("127.0.0.1 0.0.0.0", "0.0.0.0"),
            ("127.0.0.1 0.0.0.0 127.0.0.2 0.0.0.0", "0.0.0.0"),
            (":: ::1", "::"),
            ("::1 ::", "::"),
            (":: 0.0.0.0", "::"),
            ("0.0.0.0 ::", "::"),
            ("127.0.0.1 0.0.0.0 :: ::1", "::"),
            (":: ::", "::"),
            ("0.0.0.0 ::1", "0.0.0.0 ::1"),
            ("::1 127.0.0.1", "::1 127.0.0.1"),
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("::ffff:127.0.0.1 127.0.0.1", "127.0.0.1"),
            ("0.0.0.0 ::ffff:127.0.0.1", "0.0.0.0"),
            ("::ffff:0.0.0.0 127.0.0.1", "0.0.0.0"),
            ("", ""),
        ] {
            let parse = |list: &str| -> Vec<IpAddr> {
                list.split_whitespace().map(|it| it.parse().unwrap()).collect()
            };
            assert_eq!(distinct(&parse(bind)).unwrap(), parse(expected), "{bind}");
        }
    }

    #[test]
    fn an_address_of_another_machine_is_an_error_though_it_is_covered() {
        let bind = ["0.0.0.0", "203.0.113.77"].map(|it| it.parse().unwrap());
        let error = distinct(&bind).unwrap_err();
        assert_eq!(error.to_string(), "203.0.113.77 is no address of this machine");
    }
}
