//! The HTTP front end of both ports.
//!
//! It reads one request head per connection, within limits of time and size, and checks it. Then it
//! upgrades the connection to a WebSocket, or sends one response and closes the connection. tungstenite's
//! handshake and tiny_http have no such limits, so they never see an unchecked request.

mod head;
#[cfg(test)]
mod head_mutations;
mod host_policy;
mod invitation;
#[cfg_attr(not(feature = "page"), path = "no_page.rs")]
pub(crate) mod page;
mod query;
mod rejection;
mod rejection_log;
mod response;
mod slots;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use tungstenite::handshake::server::write_response;

use crate::broadcaster::bans::Bans;
use crate::broadcaster::event::Request;
use crate::broadcaster::inbox::Input;
use crate::broadcaster::outbox::Outbox;
use crate::chat::{ClientId, Grant, Network, Token};
use crate::config::Config;
use crate::connection::UpgradedConnection;
use crate::connection::rate_limits::ClientRateLimits;
use crate::connection::shared_buckets::SharedBuckets;
use crate::hooks::{ActiveHooks, Admission, Refusal, Requester};
use crate::limits::Limits;
use crate::net::base_path::BasePath;
use crate::net::poll::{Interest, Waker, wait};
use crate::net::socket::{Sent, Transport, drain};
use crate::protocol::{Dialect, Handshake};
use head::{Redirect, Route, Upgrade, end_of_head, is_head_request, parse_request};
use host_policy::HostPolicy;
use invitation::invite;
use page::Page;
use rejection::Rejection;
use rejection_log::RejectionLog;
use response::{PLAIN_TEXT, options_response, redirect_response, response};
use slots::{ConnectionLimiter, LimitReached, Slot};

/// Usual size of the response that accepts a WebSocket (bytes).
const UPGRADE_BYTES: usize = 256;
/// How long the broadcaster may take to respond to a health check.
const PROBE_WITHIN: Duration = Duration::from_secs(1);
/// How long a peer may continue to send after its response.
const DRAIN_WITHIN: Duration = Duration::from_millis(500);

/// Maximum numbers of connections at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionLimits {
    /// Connections of all kinds. Each takes a thread.
    pub(crate) connections_max: usize,
    pub(crate) clients_max: usize,
    /// Connections that are not clients: the server reads their head, or sends its response. Each
    /// takes a thread and a descriptor meanwhile.
    pub(crate) pending_max: usize,
    /// Pending connections from one address: half of those that clients leave free, so that one
    /// address cannot block all others.
    pub(crate) pending_per_address_max: usize,
    /// Responses that are being made, of the page, an invitation or a health check. Further requests
    /// are rejected.
    pub(crate) page_requests_max: usize,
}

/// The parts of the server that requests need.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) limits: Limits,
    pub(crate) inbox: Sender<Input>,
    /// `None` if the server has no page.
    pub(crate) page: Option<Page>,
    pub(crate) page_addresses: Arc<[SocketAddr]>,
    pub(crate) bans: Arc<Bans>,
    /// Whether anything has ever subscribed to events.
    pub(crate) has_listener: Arc<AtomicBool>,
    /// `None`: the embedder has no hooks.
    pub(crate) hooks: Option<ActiveHooks>,
    /// Stack of the thread of a connection (bytes).
    pub(crate) stack_bytes: usize,
    /// Woken when the server stops, and never cleared.
    pub(crate) stopping: Waker,
}

/// Handles the requests of both ports.
#[derive(Debug)]
pub(crate) struct Frontend<'a> {
    context: &'a Context,
    host_policy: HostPolicy,
    base_path: BasePath,
    connections: ConnectionLimiter,
    clients: ConnectionLimiter,
    pending: ConnectionLimiter,
    page_requests: ConnectionLimiter,
    /// `None` if clients are not counted by address.
    shared_buckets: Option<SharedBuckets>,
    rejections: RejectionLog,
    next_client: AtomicU64,
}

/// A connection whose request has not been read yet.
pub(crate) struct PendingConnection<'a> {
    pub(crate) client: ClientId,
    peer: Peer,
    /// Bytes that were read before.
    read: Vec<u8>,
    slot: Slot<'a>,
    pending_slot: Slot<'a>,
}

struct Peer {
    transport: Arc<Transport>,
    address: IpAddr,
}

/// A connection after its upgrade to a WebSocket, with the slots that it holds until it ends.
pub(crate) type Upgraded<'a> = (Box<UpgradedConnection<'a>>, [Slot<'a>; 2]);

impl<'a> Frontend<'a> {
    pub(crate) fn new(context: &'a Context, config: &Config, limits: &ConnectionLimits) -> Self {
        let clients_per_address_max = config.clients_per_address_max;
        let pending_per_address_max = NonZeroUsize::new(limits.pending_per_address_max);
        Self {
            context,
            host_policy: HostPolicy::new(&config.host_names, &config.allowed_origins),
            base_path: config.path.clone(),
            connections: ConnectionLimiter::new(limits.connections_max, None),
            clients: ConnectionLimiter::new(limits.clients_max, clients_per_address_max),
            pending: ConnectionLimiter::new(limits.pending_max, pending_per_address_max),
            page_requests: ConnectionLimiter::new(limits.page_requests_max, None),
            shared_buckets: clients_per_address_max.map(|_| SharedBuckets::new(&context.limits)),
            rejections: RejectionLog::default(),
            next_client: AtomicU64::new(1),
        }
    }

    /// Returns a new connection with its slots, or `None` if a limit is reached.
    pub(crate) fn admit(
        &self,
        transport: Arc<Transport>,
        address: IpAddr,
        read: Vec<u8>,
    ) -> Option<PendingConnection<'_>> {
        let slot = self.connections.slot(address);
        let slots = slot.and_then(|slot| Ok((slot, self.pending.slot(address)?)));
        let (slot, pending_slot) = slots.inspect_err(|_| self.report(address, &FULL)).ok()?;
        let client = ClientId(self.next_client.fetch_add(1, Ordering::Relaxed));
        let peer = Peer { transport, address };
        Some(PendingConnection { client, peer, read, slot, pending_slot })
    }

    /// Reads the request and responds to it. Returns the connection if it is now a WebSocket.
    // Stack pages: see ARCHITECTURE.
    #[inline(never)]
    pub(crate) fn handle_request<'b>(
        &'b self,
        connection: PendingConnection<'b>,
    ) -> Option<Upgraded<'b>> {
        let PendingConnection { client, peer, mut read, slot, pending_slot } = connection;
        let route = match self.read_head(&peer.transport, &mut read)? {
            Ok(end) => parse_request(&read[..end], &self.host_policy, &self.base_path)
                .map(|route| (route, end)),
            Err(rejection) => Err(rejection),
        };
        match route {
            Ok((Route::Chat(upgrade), end)) => {
                drop(pending_slot);
                let (connection, client_slot) =
                    self.upgrade(client, peer, upgrade, &read[end..])?;
                Some((connection, [slot, client_slot]))
            }
            other => {
                let route = other.map(|(route, _)| route);
                self.respond(client, &peer, route, is_head_request(&read));
                None
            }
        }
    }

    /// Responds to a request that is not for a WebSocket.
    #[inline(never)]
    fn respond(
        &self,
        client: ClientId,
        peer: &Peer,
        route: Result<Route, Rejection>,
        is_head: bool,
    ) {
        let Context { page, page_addresses, .. } = self.context;
        match route {
            Ok(Route::Page(request)) => {
                let fetch = || page.as_ref().ok_or(Rejection::NoPage)?.fetch(&request);
                self.respond_within_limit(peer, is_head, fetch);
            }
            Ok(Route::Health) => {
                let probe = || self.probe().map(|()| ok(is_head));
                self.respond_within_limit(peer, is_head, probe);
            }
            Ok(Route::Admission(request)) => {
                let check = || self.check_admission(client, peer.address, &request, is_head);
                self.respond_within_limit(peer, is_head, check);
            }
            Ok(Route::Invitation(request)) => {
                let invite = || invite(&request, page_addresses, &self.base_path);
                self.respond_within_limit(peer, is_head, invite);
            }
            Ok(Route::MissingSlash(Redirect { is_head, target })) => {
                self.send(&peer.transport, &redirect_response(&target, is_head));
            }
            Ok(Route::Options) => self.send(&peer.transport, &options_response()),
            // `handle_request` upgrades it before.
            Ok(Route::Chat(_)) => {}
            Err(rejection) => self.reject(peer, &rejection, is_head),
        }
    }

    /// Reads until the head in `read` is complete, and returns where it ends. Returns `None` if the
    /// peer closes the connection or sends nothing, or if the server stops.
    #[inline(never)]
    fn read_head(
        &self,
        transport: &Transport,
        read: &mut Vec<u8>,
    ) -> Option<Result<usize, Rejection>> {
        const CHUNK_BYTES: usize = 2 * 1024;
        let Context { stopping, limits, .. } = self.context;
        let deadline = Instant::now() + limits.head_within;
        let mut checked = 0;
        loop {
            if read.len() > checked {
                match end_of_head(read, checked) {
                    Ok(Some(end)) => return Some(Ok(end)),
                    Ok(None) => checked = read.len(),
                    Err(rejection) => return Some(Err(rejection)),
                }
            }
            let ready = wait(transport, Interest::READABLE, stopping, Some(deadline)).ok()?;
            if ready.woken || (ready.timed_out() && read.is_empty()) {
                return None;
            }
            if ready.timed_out() {
                return Some(Err(Rejection::RequestTimeout));
            }
            read.resize(checked + CHUNK_BYTES, 0);
            match transport.receive(&mut read[checked..]) {
                Ok(0) => return None,
                Ok(length) => read.truncate(checked + length),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    read.truncate(checked);
                }
                Err(_) => return None,
            }
        }
    }

    /// Accepts a WebSocket, unless there are too many clients. `early` was read after the head.
    #[inline(never)]
    fn upgrade(
        &self,
        client: ClientId,
        peer: Peer,
        mut upgrade: Upgrade,
        early: &[u8],
    ) -> Option<(Box<UpgradedConnection<'_>>, Slot<'_>)> {
        let limits = &self.context.limits;
        let slot = match self.clients.slot(peer.address) {
            Ok(slot) => slot,
            Err(reached) => {
                self.reject(&peer, &rejection(reached), false);
                return None;
            }
        };
        let grant = match self.grant(client, peer.address, &mut upgrade) {
            Ok(grant) => grant,
            Err(rejection) => {
                self.reject(&peer, &rejection, false);
                return None;
            }
        };
        let Ok(outbox) = Outbox::new(peer.transport.clone(), limits.backlog_bytes_max) else {
            self.reject(&peer, &FULL, false);
            return None;
        };
        let Peer { address, .. } = peer;
        let Upgrade { response, handshake, request } = upgrade;
        let mut accepted = Vec::with_capacity(UPGRADE_BYTES);
        write_response(&mut accepted, &response).expect("writing to memory does not fail");
        outbox.push(&accepted.into());
        let outbox = Arc::new(outbox);
        let lender = self.shared_buckets.as_ref().map(|it| it.lender(Network::of(address)));
        let rate_limits = ClientRateLimits::boxed(limits, lender, Instant::now());
        let early = early.into();
        let connection = UpgradedConnection {
            client,
            address,
            handshake,
            request,
            grant,
            hooks: self.context.hooks.as_ref(),
            outbox,
            early,
            rate_limits,
        };
        Some((Box::new(connection), slot))
    }

    /// Asks the hooks whether a client may connect, and as which user. A plain client also asks for its
    /// room, which the answer may replace.
    #[inline(never)]
    fn grant(
        &self,
        client: ClientId,
        address: IpAddr,
        upgrade: &mut Upgrade,
    ) -> Result<Option<Box<Grant>>, Rejection> {
        if self.context.bans.contains(address) {
            return Err(Rejection::Banned);
        }
        let Some(active) = &self.context.hooks else { return Ok(None) };
        let dialect = upgrade.handshake.dialect();
        let requester = active.visitor(client, address, dialect, &upgrade.request);
        let Admission { nickname, session, mut rooms } = admission(active, &requester)?;
        if let Handshake::Plain { room, .. } = &mut upgrade.handshake {
            match rooms.drain(..).next() {
                Some(granted) => *room = granted,
                None => contained(|| active.hooks.join(&requester, room))?
                    .map_err(|sentence| Rejection::Refused(Refusal::new(403, sentence).into()))?,
            }
        }
        let session = session.map(|secret| Token::of_secret(&secret));
        Ok(Some(Box::new(Grant { nickname, session, rooms })))
    }

    /// Sends the response that `make` returns, unless there are too many such requests.
    #[inline(never)]
    fn respond_within_limit(
        &self,
        peer: &Peer,
        is_head: bool,
        make: impl FnOnce() -> Result<Vec<u8>, Rejection>,
    ) {
        let response = match self.page_requests.slot(peer.address) {
            Ok(_slot) => make(),
            Err(reached) => Err(rejection(reached)),
        };
        match response {
            Ok(response) => self.send(&peer.transport, &response),
            Err(rejection) => self.reject(peer, &rejection, is_head),
        }
    }

    /// Waits for a turn of the broadcaster.
    fn probe(&self) -> Result<(), Rejection> {
        let deadline = Instant::now() + PROBE_WITHIN;
        let (probe, turn) = bounded(1);
        let sent = self.context.inbox.send_deadline(Input::Probe(probe), deadline);
        let has_turned = sent.is_ok() && turn.recv_deadline(deadline).is_ok();
        has_turned.then_some(()).ok_or(Rejection::Full("The broadcaster does not turn."))
    }

    /// Returns whether a WebSocket from this address would be accepted now. The page asks this,
    /// because browsers hide the response to a handshake.
    fn check_admission(
        &self,
        client: ClientId,
        address: IpAddr,
        request: &Request,
        is_head: bool,
    ) -> Result<Vec<u8>, Rejection> {
        let _slot = self.clients.slot(address).map_err(rejection)?;
        if self.context.bans.contains(address) {
            return Err(Rejection::Banned);
        }
        if let Some(active) = &self.context.hooks {
            admission(active, &active.visitor(client, address, Dialect::Json, request))?;
        }
        Ok(ok(is_head))
    }

    fn reject(&self, peer: &Peer, rejection: &Rejection, is_head: bool) {
        self.report(peer.address, rejection);
        self.send(&peer.transport, &rejection.response(is_head));
    }

    /// Logs a rejection, and passes it on if the embedder gets events. A flood of rejections must not
    /// delay the chat, so the inbox takes only those for which it has space.
    fn report(&self, address: IpAddr, rejection: &Rejection) {
        self.rejections.log(address, rejection);
        if self.context.has_listener.load(Ordering::Relaxed) {
            let (status, reason) = (rejection.status().0, rejection.reason().to_owned());
            let _ = self.context.inbox.try_send(Input::Refused { address, status, reason });
        }
    }

    /// Sends the response, and closes the connection.
    fn send(&self, transport: &Transport, response: &[u8]) {
        let Context { stopping, limits, .. } = self.context;
        let deadline = Instant::now() + limits.head_within;
        let mut rest = response;
        loop {
            match transport.send(rest) {
                Ok(Sent::All) => break,
                Ok(Sent::Part(sent)) => rest = &rest[sent..],
                Err(_) => return,
            }
            match wait(transport, Interest::WRITABLE, stopping, Some(deadline)) {
                Ok(ready) if ready.writable && !ready.woken => {}
                _ => return,
            }
        }
        transport.finish();
        drain(transport, stopping, Instant::now() + DRAIN_WITHIN);
    }
}

/// Runs a hook. A panic, which the panic hook has logged, ends nothing but the request.
fn contained<T>(hook: impl FnOnce() -> T) -> Result<T, Rejection> {
    catch_unwind(AssertUnwindSafe(hook)).map_err(|_| Rejection::HookPanicked)
}

fn admission(active: &ActiveHooks, requester: &Requester<'_>) -> Result<Admission, Rejection> {
    let admitted = contained(|| active.hooks.admit(requester))?;
    admitted.map_err(|refusal| Rejection::Refused(refusal.into()))
}

fn ok(is_head: bool) -> Vec<u8> {
    response("200 OK", "", PLAIN_TEXT, "ok\n", is_head)
}

const FULL: Rejection = Rejection::Full("This server is full. Please try again in a moment.");

fn rejection(reached: LimitReached) -> Rejection {
    match reached {
        LimitReached::Total => FULL,
        LimitReached::PerAddress => Rejection::Full(
            "Too many people are here from your address already; --max-clients-per-address \
             permits more.",
        ),
    }
}

/// Rejects a connection that has no thread, without waiting for its head.
pub(crate) fn turn_away(transport: &Transport) {
    // Closing the socket with unread bytes would reset the connection. Most heads have arrived by now,
    // and most are short.
    let _ = transport.discard();
    let _ = transport.send(&FULL.response(false));
    transport.finish();
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_health_check_waits_for_a_turn_of_the_broadcaster() {
        let (inbox, inputs) = bounded(1);
        let context = Context {
            limits: Limits::default(),
            inbox,
            page: None,
            page_addresses: [].into(),
            bans: Arc::default(),
            has_listener: Arc::default(),
            hooks: None,
            stack_bytes: 0,
            stopping: Waker::new().unwrap(),
        };
        let limits = ConnectionLimits {
            connections_max: 1,
            clients_max: 1,
            pending_max: 1,
            pending_per_address_max: 1,
            page_requests_max: 1,
        };
        let frontend = Frontend::new(&context, &Config::default(), &limits);
        std::thread::scope(|scope| {
            scope.spawn(|| match inputs.recv_timeout(Duration::from_secs(20)) {
                Ok(Input::Probe(probe)) => probe.send(()).unwrap(),
                _ => panic!("no probe"),
            });
            assert_eq!(frontend.probe(), Ok(()));
        });
        let stuck = Err(Rejection::Full("The broadcaster does not turn."));
        // The first probe stays in the inbox, and the next finds that full.
        assert_eq!([frontend.probe(), frontend.probe()], [stuck.clone(), stuck.clone()]);
        drop(inputs);
        assert_eq!(frontend.probe(), stuck);
    }

    #[test]
    fn a_connection_without_a_thread_is_rejected() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        peer.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        turn_away(&Transport::new(listener.accept().unwrap().0).unwrap());
        let mut response = String::new();
        peer.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");
    }
}
