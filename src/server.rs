//! Binding, running and stopping.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded};
use socket2::{Domain, Protocol, Socket, Type};

use crate::broadcaster::{INBOX_MAX, Input, broadcast};
use crate::chat::{CLIENTS_MAX, Nickname, RoomName, Text, TooLong};
use crate::config::Config;
use crate::door::{Caller, Door, turn_away};
use crate::event::{Event, Watcher};
use crate::page::Page;
use crate::transport::Transport;
use crate::wake::{Interest, Waker, wait, wait_for_ring};

/// Connections that wait for `accept`. std asks for 128, which a room that comes back after a
/// restart fills at once.
const BACKLOG: i32 = 4096;
/// A thread of ours needs a fraction of this. Pages of a stack that are never touched cost nothing.
const STACK_BYTES: usize = 256 * 1024;
/// Descriptors for everything that is not a client.
const DESCRIPTORS_SPARE: u64 = 128;
/// A client has a socket and a waker.
const DESCRIPTORS_PER_CLIENT: u64 = 2;

/// A server whose ports are open, and which does not serve yet. Whoever connects before it is
/// started waits.
#[derive(Debug)]
pub struct Server {
    listeners: Vec<TcpListener>,
    door: Door,
    inbox: Receiver<Input>,
    stop: Receiver<()>,
    /// Dropped when the server has ended, which those who wait in [`Handle::stop`] notice.
    ended: Sender<Infallible>,
    handle: Handle,
}

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
    /// A thread, a descriptor or the page's private socket could not be had.
    #[error("cannot start: {0}")]
    Resources(#[from] io::Error),
}

/// Why something could not be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SayError {
    /// Nobody would hear it any more.
    #[error("the server has stopped")]
    Stopped,
    /// It is longer than clients may say.
    #[error(transparent)]
    TooLong(#[from] TooLong),
}

/// The way to a server from any thread. Clones lead to the same server.
#[derive(Clone, Debug)]
pub struct Handle {
    page_addresses: Arc<[SocketAddr]>,
    websocket_addresses: Arc<[SocketAddr]>,
    clients_max: usize,
    text_bytes_max: usize,
    inbox: Sender<Input>,
    /// Holds one request to stop; a second says nothing new.
    stop: Sender<()>,
    /// Nothing is ever sent: it is disconnected when the server has ended.
    ended: Receiver<Infallible>,
}

impl Server {
    /// Opens the ports. The addresses are known from here on, also where port 0 was asked for.
    ///
    /// # Errors
    /// When a port cannot be opened, or the process has no descriptor or thread left.
    pub fn bind(config: &Config) -> Result<Self, StartError> {
        let page = listen_on_all(&config.bind, config.page_port)?;
        let page_addresses = addresses(&page)?;
        // Both ports answer both protocols, so that they may well be one.
        let shared = config.page_port != 0 && config.page_port == config.websocket_port;
        let websocket =
            if shared { Vec::new() } else { listen_on_all(&config.bind, config.websocket_port)? };
        let websocket_addresses =
            if shared { page_addresses.clone() } else { addresses(&websocket)? };
        let (stop, stop_asked) = bounded(1);
        let (ended, end) = bounded(0);
        let (inbox, inbox_out) = bounded(INBOX_MAX);
        let clients_max = clients_max(config.clients_max);
        let handle = Handle {
            page_addresses,
            websocket_addresses,
            clients_max,
            text_bytes_max: config.limits.text_bytes_max,
            inbox: inbox.clone(),
            stop,
            ended: end,
        };
        Ok(Self {
            listeners: page.into_iter().chain(websocket).collect(),
            door: Door::new(config, clients_max, Page::new()?, inbox)?,
            inbox: inbox_out,
            stop: stop_asked,
            ended,
            handle,
        })
    }

    /// The way to this server, to be taken before [`Server::run`].
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves on a thread of its own.
    ///
    /// # Errors
    /// When no thread can be had.
    pub fn start(self) -> Result<Handle, StartError> {
        let handle = self.handle();
        let serve = move || {
            if let Err(error) = self.run() {
                log::error!("{error}");
            }
        };
        thread::Builder::new().name("server".into()).spawn(serve)?;
        Ok(handle)
    }

    /// Serves on this thread until [`Handle::stop`] is called, and until every thread has ended.
    ///
    /// # Errors
    /// When the server could not go on. Every thread has ended then, too.
    pub fn run(self) -> Result<(), RunError> {
        let Self { listeners, door, inbox, stop, ended, handle } = self;
        let result = thread::scope(|house| {
            let asked_to_stop = AskOnDrop(handle.stop.clone());
            let broadcaster = spawn(house, "broadcaster".into(), move || {
                let _asked_to_stop = asked_to_stop;
                broadcast(&inbox);
            })?;
            let served = thread::scope(|guests| {
                let served = open(guests, &listeners, &door);
                // The order of shutdown. It begins here, and at once when a thread is missing.
                if served.is_ok() {
                    let _ = stop.recv();
                }
                // 1. Nobody is let in any more: the accept loops end, and callers at the door go.
                door.stopping().ring();
                door.page().stop();
                // 2. The broadcaster asks every connection to end.
                let _ = handle.inbox.send(Input::Stop);
                served
                // 3. This scope ends with the last connection.
            });
            // 4. Nothing is left for the broadcaster to do.
            let _ = handle.inbox.send(Input::End);
            let broadcaster = broadcaster.join();
            served?;
            broadcaster.map_err(|_| RunError::Crashed)
        });
        // The ports are free again before anybody is told.
        drop((listeners, door));
        drop(ended);
        result
    }
}

/// Why a server could not go on.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A thread could not be had.
    #[error("cannot serve: {0}")]
    Resources(#[from] io::Error),
    /// The broadcaster panicked. That is a defect of chinwag: please report it.
    #[error("the broadcaster failed")]
    Crashed,
}

/// Asks for the shutdown when the broadcaster ends, which before the shutdown is a panic.
struct AskOnDrop(Sender<()>);

impl Drop for AskOnDrop {
    fn drop(&mut self) {
        let _ = self.0.try_send(());
    }
}

impl Handle {
    /// The addresses on which the page port listens.
    pub fn page_addresses(&self) -> &[SocketAddr] {
        &self.page_addresses
    }

    /// The addresses on which the WebSocket port listens.
    pub fn websocket_addresses(&self) -> &[SocketAddr] {
        &self.websocket_addresses
    }

    /// The most clients at once.
    pub fn clients_max(&self) -> usize {
        self.clients_max
    }

    /// What happens to clients, from now on: or from the beginning, when asked for before the
    /// server is started. At most `capacity` events wait; more are lost, and counted in an
    /// [`Event::Lost`].
    ///
    /// After the server has ended the receiver is disconnected.
    pub fn events(&self, capacity: usize) -> Receiver<Event> {
        let (watcher, events) = Watcher::new(capacity);
        // Without a broadcaster the watcher is dropped here, and the receiver disconnected.
        let _ = self.inbox.send(Input::Watched(watcher));
        events
    }

    /// Says something in a room, under any nickname. It is no event.
    ///
    /// # Errors
    /// When the text is longer than clients may say, and when the server has stopped.
    pub fn say(&self, room: &RoomName, nickname: &Nickname, text: &str) -> Result<(), SayError> {
        let text = Text::parse(text, self.text_bytes_max)?;
        let announced = Input::Announced { room: room.clone(), nickname: nickname.clone(), text };
        self.inbox.send(announced).map_err(|_| SayError::Stopped)
    }

    /// Stops the server: everybody is told with close code 1001, and every thread ends. Returns
    /// when that is done, within some three seconds. To stop it again does nothing.
    pub fn stop(&self) {
        let _ = self.stop.try_send(());
        self.wait();
    }

    /// Waits until the server has ended.
    pub fn wait(&self) {
        let _ = self.ended.recv();
    }
}

fn addresses(listeners: &[TcpListener]) -> io::Result<Arc<[SocketAddr]>> {
    listeners.iter().map(TcpListener::local_addr).collect()
}

fn listen_on_all(addresses: &[IpAddr], port: u16) -> Result<Vec<TcpListener>, StartError> {
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
        Err(_) if address.ip() == IpAddr::V6(std::net::Ipv6Addr::UNSPECIFIED) && !has_ipv6() => {
            listen(any_v4, v6_only).map_err(|error| StartError::listen(any_v4, error))
        }
        result => result.map_err(|error| StartError::listen(address, error)),
    }
}

fn has_ipv6() -> bool {
    TcpListener::bind((std::net::Ipv6Addr::LOCALHOST, 0)).is_ok()
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

/// As many as there are descriptors for, or fewer if that is wished.
fn clients_max(wish: Option<usize>) -> usize {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let descriptors = limit.unwrap_or(u64::MAX).saturating_sub(DESCRIPTORS_SPARE);
    let clients = usize::try_from(descriptors / DESCRIPTORS_PER_CLIENT).unwrap_or(usize::MAX);
    wish.unwrap_or(usize::MAX).min(clients).clamp(1, CLIENTS_MAX)
}

fn spawn<'scope, 'env, T: Send + 'scope>(
    scope: &'scope Scope<'scope, 'env>,
    name: String,
    work: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<thread::ScopedJoinHandle<'scope, T>> {
    thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn_scoped(scope, work)
}

/// Starts the threads that let people in.
fn open<'scope>(
    guests: &'scope Scope<'scope, '_>,
    listeners: &'scope [TcpListener],
    door: &'scope Door,
) -> io::Result<()> {
    spawn(guests, "page".into(), || door.page().serve())?;
    for listener in listeners {
        let name = format!("accept-{}", listener.local_addr()?.port());
        spawn(guests, name, move || accept_loop(guests, listener, door))?;
    }
    Ok(())
}

/// Accepts until the server stops; no failure ends it before.
fn accept_loop<'scope>(
    guests: &'scope Scope<'scope, '_>,
    listener: &TcpListener,
    door: &'scope Door,
) {
    let mut pause = Pause::default();
    loop {
        match wait(listener, Interest::Readable, door.stopping(), None) {
            Ok(ready) if ready.woken => return,
            Ok(_) => {}
            Err(error) => log::warn!("cannot wait for connections: {error}"),
        }
        match listener.accept() {
            Ok((stream, peer)) => {
                pause = Pause::default();
                if let Ok(transport) = Transport::new(stream) {
                    welcome(guests, transport, peer.ip().to_canonical(), door);
                }
            }
            // The caller hung up, or somebody else's signal came.
            Err(error) if is_passing(&error) => {}
            Err(error) => {
                log::warn!("cannot accept a connection: {error}");
                if pause.wait(door.stopping()) {
                    return;
                }
            }
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionReset, Interrupted, WouldBlock};
    matches!(error.kind(), WouldBlock | Interrupted | ConnectionAborted | ConnectionReset)
}

/// Gives a connection its thread.
fn welcome<'scope>(
    guests: &'scope Scope<'scope, '_>,
    transport: Transport,
    address: IpAddr,
    door: &'scope Door,
) {
    let transport = Arc::new(transport);
    let Some(caller) = door.caller(transport.clone(), address) else {
        return turn_away(&transport);
    };
    let name = format!("conn-{}", caller.client.0);
    if let Err(error) = spawn(guests, name, move || contain(door, caller)) {
        log::warn!("no thread for a connection: {error}");
        turn_away(&transport);
    }
}

/// A panic ends its own connection and nothing else. The panic hook has said where it was.
fn contain(door: &Door, caller: Caller<'_>) {
    let _ = catch_unwind(AssertUnwindSafe(|| door.receive(caller)));
}

/// How long an accept loop rests after a failure: 10 ms, then twice as long each time, to 1 s.
struct Pause(Duration);

impl Default for Pause {
    fn default() -> Self {
        Self(Duration::from_millis(10))
    }
}

impl Pause {
    /// True when the server stops.
    fn wait(&mut self, stopping: &Waker) -> bool {
        let until = Instant::now() + self.0;
        self.0 = (self.0 * 2).min(Duration::from_secs(1));
        wait_for_ring(stopping, until)
    }
}
