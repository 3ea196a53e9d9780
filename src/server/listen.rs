//! Opening the ports.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use socket2::{Domain, Protocol, Socket, Type};

use crate::chat::CLIENTS_MAX;
use crate::door::Capacity;

/// Connections that wait for `accept`. std asks for 128, which a room that comes back after a
/// restart fills at once.
const BACKLOG: i32 = 4096;
/// Descriptors for everything that is not a client.
const DESCRIPTORS_SPARE: usize = 128;
/// A client has a socket and a waker.
const DESCRIPTORS_PER_CLIENT: usize = 2;
/// Threads for those at the door, however many descriptors there are.
const CALLERS_MAX: usize = 4096;

/// Why a server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// Another program listens there.
    #[error("port {} is in use on {}", .0.port(), .0.ip())]
    PortInUse(SocketAddr),
    /// Ports below 1024 often need a privilege.
    #[error("no permission to open port {} on {}", .0.port(), .0.ip())]
    NoPermission(SocketAddr),
    /// The address is none of this machine's.
    #[error("{0} is no address of this machine")]
    NotOurAddress(IpAddr),
    /// Any other failure to open a port.
    #[error("cannot listen on {0}: {1}")]
    Listen(SocketAddr, io::Error),
    /// The history that is to be kept cannot be.
    #[cfg(feature = "history")]
    #[error(transparent)]
    History(#[from] crate::store::HistoryError),
    /// A thread, a descriptor or the page's private socket could not be had.
    #[error("cannot start: {0}")]
    Resources(#[from] io::Error),
}

pub(super) fn addresses(listeners: &[TcpListener]) -> io::Result<Arc<[SocketAddr]>> {
    listeners.iter().map(TcpListener::local_addr).collect()
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
        let v6_only = addresses.contains(&Ipv4Addr::UNSPECIFIED.into());
        listeners.push(listen_or_fall_back(SocketAddr::new(*address, port), v6_only)?);
    }
    Ok(listeners)
}

/// Where a machine has no IPv6, every interface means every interface with IPv4.
fn listen_or_fall_back(address: SocketAddr, v6_only: bool) -> Result<TcpListener, StartError> {
    let any_v4 = SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), address.port());
    match listen(address, v6_only) {
        Err(_) if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && !has_ipv6() => {
            listen(any_v4, v6_only).map_err(|error| StartError::listen(any_v4, error))
        }
        result => result.map_err(|error| StartError::listen(address, error)),
    }
}

fn has_ipv6() -> bool {
    TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()
}

fn listen(address: SocketAddr, v6_only: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(v6_only)?;
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

/// As many as there are descriptors for, or fewer clients if that is wished.
pub(super) fn capacity(clients_wish: Option<usize>) -> Capacity {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let clients = limit.saturating_sub(DESCRIPTORS_SPARE) / DESCRIPTORS_PER_CLIENT;
    Capacity {
        clients_max: clients_wish.unwrap_or(usize::MAX).min(clients).clamp(1, CLIENTS_MAX),
        callers_max: (limit / 4).clamp(1, CALLERS_MAX),
    }
}
