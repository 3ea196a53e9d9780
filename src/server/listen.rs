//! Opening the ports.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use super::capacity::{DESCRIPTORS_PER_CLIENT, Scarcity};

/// Connections that wait for `accept`. std asks for 128, which a room that comes back after a
/// restart fills at once.
const BACKLOG: i32 = 4096;
/// Descriptors with which a server starts, with a history too, and lets in the first clients.
const DESCRIPTORS_MIN: usize = 40;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// [`Config::bind`](crate::Config::bind) is empty.
    #[error("no address to listen on")]
    NoAddress,
    /// Another program listens there.
    #[error("port {} is in use on {}", .0.port(), .0.ip())]
    PortInUse(SocketAddr),
    /// Ports below 1024 often need a privilege.
    #[error("no permission to open port {} on {}", .0.port(), .0.ip())]
    NoPermission(SocketAddr),
    /// The address is none of this machine's.
    #[error("{0} is no address of this machine")]
    NotOurAddress(IpAddr),
    /// The process may open too few descriptors to begin with.
    #[error(
        "only {0} descriptors may be open, and at least {DESCRIPTORS_MIN} are needed, and \
         {DESCRIPTORS_PER_CLIENT} more for each client; raise the limit (ulimit -n, LimitNOFILE=)"
    )]
    TooFewDescriptors(usize),
    /// Any other failure to open a port.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The history that is to be kept cannot be.
    #[cfg(feature = "history")]
    #[error(transparent)]
    History(#[from] crate::history::HistoryError),
    /// There are too few threads, or too little memory.
    #[error("cannot start: {0}")]
    Scarce(#[from] Scarcity),
    /// A thread, a descriptor or the page's private socket could not be had.
    #[error("cannot start: {0}")]
    Resources(#[from] io::Error),
}

pub(super) fn addresses(listeners: &[TcpListener]) -> io::Result<Arc<[SocketAddr]>> {
    listeners.iter().map(TcpListener::local_addr).collect()
}

/// The addresses, without those that another one covers. A second listener for them would find the
/// port in use, by this server itself.
///
/// # Errors
/// When an address that is covered is none of this machine's.
pub(super) fn distinct(addresses: &[IpAddr]) -> Result<Vec<IpAddr>, StartError> {
    let addresses: Vec<_> = addresses.iter().map(IpAddr::to_canonical).collect();
    let mut distinct = Vec::new();
    for (at, address) in addresses.iter().enumerate() {
        let mut others = addresses.iter().enumerate();
        // Of two that are the same, the first stays.
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

/// Whether a listener on `one` takes connections for `other`. That on `::` takes IPv4, too.
fn covers(one: IpAddr, other: IpAddr, counts_equal: bool) -> bool {
    match one {
        _ if one == other => counts_equal,
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => true,
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => other.is_ipv4(),
        _ => false,
    }
}

pub(super) fn listen_on_all(
    addresses: &[IpAddr],
    port: u16,
) -> Result<Vec<TcpListener>, StartError> {
    /// A free port on one address may be taken on the next.
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

/// All on the same port, also when it is 0 and the first may choose.
fn listen_on_each(addresses: &[IpAddr], port: u16) -> Result<Vec<TcpListener>, StartError> {
    let mut listeners: Vec<TcpListener> = Vec::new();
    for address in addresses {
        let port = listeners.first().map_or(Ok(port), |it| it.local_addr().map(|it| it.port()))?;
        listeners.push(listen_or_fall_back(SocketAddr::new(*address, port))?);
    }
    Ok(listeners)
}

/// Where a machine has no IPv6, every interface means every interface with IPv4.
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

/// The kernel knows no IPv6, or does not let this process have it.
fn is_unsupported(error: &io::Error) -> bool {
    error.raw_os_error() == Some(rustix::io::Errno::AFNOSUPPORT.raw_os_error())
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // A port that was just left is free for the next server.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
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
/// When the limit is under the minimum.
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
