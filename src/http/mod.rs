//! HTTP: one request head for each connection, and then an upgrade to a WebSocket, a page or an error.
//!
//! Both ports lead here. tungstenite's handshake and tiny_http get only requests that came in time,
//! are bounded and have been checked, because neither bounds any of that itself.

mod head;
#[cfg(test)]
mod head_mutations;
mod host_policy;
mod invitation;
pub(crate) mod page;
mod rejection;
mod rejection_log;
mod response;
mod slots;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use tungstenite::handshake::server::{Response, write_response};

use crate::broadcaster::event::Request;
use crate::broadcaster::inbox::Input;
use crate::broadcaster::outbox::Outbox;
use crate::chat::{ClientId, Network};
use crate::config::{Config, Limits};
use crate::connection::UpgradedConnection;
use crate::connection::allowances::Allowances;
use crate::connection::rate_limits::ClientRateLimits;
use crate::net::poll::{Interest, Waker, wait};
use crate::net::socket::{Sent, Transport, drain_and_close};
use crate::protocol::Handshake;
use head::{Route, end_of_head, is_to_head, parse_request};
use host_policy::HostPolicy;
use invitation::invite;
use page::Page;
use rejection::Rejection;
use rejection_log::RejectionLog;
use response::{answer, options};
use slots::{ConnectionLimiter, LimitReached, Slot};

/// Usual size of the response that accepts a WebSocket (bytes).
const UPGRADE_BYTES: usize = 256;
/// How long the broadcaster may take to answer a health check.
const PROBE_WITHIN: Duration = Duration::from_secs(1);
/// How long a peer may go on sending after it has been answered.
const DRAIN_WITHIN: Duration = Duration::from_millis(500);

/// Numbers of connections that the frontend serves at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ConnectionLimits {
    /// Connections of every kind. Each costs a thread.
    pub(crate) connections_max: usize,
    pub(crate) clients_max: usize,
    /// Connections that are not clients: they have not sent their head yet, or are being answered.
    /// Each costs a thread and a descriptor for as long as that may take.
    pub(crate) pending_max: usize,
    /// The same, from one address: half of the connections that clients leave free, so that one
    /// address cannot keep all others out.
    pub(crate) pending_per_address_max: usize,
    /// Requests for the page or an invitation. Further ones are told to come again.
    pub(crate) page_requests_max: usize,
}

/// The parts of the server that requests are passed on to.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) limits: Limits,
    pub(crate) inbox: Sender<Input>,
    pub(crate) page: Page,
    pub(crate) page_addresses: Arc<[SocketAddr]>,
    /// Woken once, when the server stops, and never cleared.
    pub(crate) stopping: Waker,
}

/// Answers the requests of both ports.
#[derive(Debug)]
pub(crate) struct Frontend<'a> {
    context: &'a Context,
    host_policy: HostPolicy,
    connections: ConnectionLimiter,
    clients: ConnectionLimiter,
    pending: ConnectionLimiter,
    page_requests: ConnectionLimiter,
    /// `None`: addresses have no allowances.
    allowances: Option<Allowances>,
    rejections: RejectionLog,
    next_client: AtomicU64,
}

/// A connection whose request has not been read yet.
pub(crate) struct PendingConnection<'a> {
    pub(crate) client: ClientId,
    transport: Arc<Transport>,
    address: IpAddr,
    slot: Slot<'a>,
    pending_slot: Slot<'a>,
}

/// A connection that was upgraded to a WebSocket, with the slots that it holds until it ends.
pub(crate) type Upgraded<'a> = (Box<UpgradedConnection<'a>>, [Slot<'a>; 2]);

impl<'a> Frontend<'a> {
    pub(crate) fn new(context: &'a Context, config: &Config, limits: &ConnectionLimits) -> Self {
        let per_address = config.clients_per_address_max.map_or(0, NonZeroUsize::get);
        Self {
            context,
            host_policy: HostPolicy::new(&config.host_names, &config.allowed_origins),
            connections: ConnectionLimiter::new(limits.connections_max, 0),
            clients: ConnectionLimiter::new(limits.clients_max, per_address),
            pending: ConnectionLimiter::new(limits.pending_max, limits.pending_per_address_max),
            page_requests: ConnectionLimiter::new(limits.page_requests_max, 0),
            allowances: (per_address > 0).then(|| Allowances::new(&context.limits)),
            rejections: RejectionLog::default(),
            next_client: AtomicU64::new(1),
        }
    }

    /// Takes a new connection, or returns `None` if there are too many.
    pub(crate) fn take(
        &self,
        transport: Arc<Transport>,
        address: IpAddr,
    ) -> Option<PendingConnection<'_>> {
        let slot = self.connections.slot(address);
        let slots = slot.and_then(|slot| Ok((slot, self.pending.slot(address)?)));
        let (slot, pending_slot) =
            slots.inspect_err(|_| self.rejections.log(address, &FULL)).ok()?;
        let client = ClientId(self.next_client.fetch_add(1, Ordering::Relaxed));
        Some(PendingConnection { client, transport, address, slot, pending_slot })
    }

    /// Reads the request and answers it. Returns the connection if it asked for a WebSocket.
    // Stack pages: see ARCHITECTURE.
    #[inline(never)]
    pub(crate) fn accept<'b>(&'b self, connection: PendingConnection<'b>) -> Option<Upgraded<'b>> {
        let PendingConnection { client, transport, address, slot, pending_slot } = connection;
        let mut read = Vec::new();
        let end = self.read_head(&transport, &mut read)?;
        let parse = |end: usize| parse_request(&read[..end], &self.host_policy);
        let route = end.and_then(|end| parse(end).map(|route| (route, end)));
        match route {
            Ok((Route::Chat { answer, handshake, request }, end)) => {
                drop(pending_slot);
                let early = &read[end..];
                let (connection, client_slot) =
                    self.upgrade(client, address, transport, &answer, (handshake, request), early)?;
                Some((connection, [slot, client_slot]))
            }
            other => {
                let other = other.as_ref().map(|(route, _)| route);
                self.respond(address, &transport, other, is_to_head(&read));
                None
            }
        }
    }

    /// Answers a request that is not for a WebSocket.
    #[inline(never)]
    fn respond(
        &self,
        address: IpAddr,
        transport: &Transport,
        route: Result<&Route, &Rejection>,
        to_head: bool,
    ) {
        let page = &self.context.page;
        match route {
            Ok(Route::Page(request)) => {
                self.show(address, transport, to_head, || page.fetch(request));
            }
            Ok(Route::Health(request)) => {
                let fetch = || self.probe().and_then(|()| page.fetch(request));
                self.show(address, transport, to_head, fetch);
            }
            Ok(Route::Admission) => {
                self.show(address, transport, to_head, || self.would_admit(address, to_head));
            }
            Ok(Route::Invitation(request)) => {
                let invite = || invite(request, &self.context.page_addresses);
                self.show(address, transport, to_head, invite);
            }
            // A chat is upgraded before.
            Ok(Route::Options | Route::Chat { .. }) => self.send(transport, &options()),
            Err(rejection) => self.reject(address, transport, rejection, to_head),
        }
    }

    /// Reads until the head is complete, and returns where it ends in `read`. `None` if the peer went
    /// away or sent nothing, or if the server stops.
    #[inline(never)]
    fn read_head(
        &self,
        transport: &Transport,
        read: &mut Vec<u8>,
    ) -> Option<Result<usize, Rejection>> {
        const CHUNK_BYTES: usize = 2 * 1024;
        let Context { stopping, limits, .. } = self.context;
        let deadline = Instant::now() + limits.head_within;
        loop {
            let ready = wait(transport, Interest::READABLE, stopping, Some(deadline)).ok()?;
            if ready.woken || (ready.timed_out() && read.is_empty()) {
                return None;
            }
            if ready.timed_out() {
                return Some(Err(Rejection::TooLate));
            }
            let seen = read.len();
            read.resize(seen + CHUNK_BYTES, 0);
            match transport.receive(&mut read[seen..]) {
                Ok(0) => return None,
                Ok(length) => read.truncate(seen + length),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    read.truncate(seen);
                    continue;
                }
                Err(_) => return None,
            }
            match end_of_head(read, seen) {
                Ok(Some(end)) => return Some(Ok(end)),
                Ok(None) => {}
                Err(rejection) => return Some(Err(rejection)),
            }
        }
    }

    /// Accepts a WebSocket, if there is a slot for one more client. `early` was read after the head.
    #[inline(never)]
    fn upgrade(
        &self,
        client: ClientId,
        address: IpAddr,
        transport: Arc<Transport>,
        answer: &Response,
        (handshake, request): (Handshake, Arc<Request>),
        early: &[u8],
    ) -> Option<(Box<UpgradedConnection<'_>>, Slot<'_>)> {
        let limits = &self.context.limits;
        let slot = match self.clients.slot(address) {
            Ok(slot) => slot,
            Err(reached) => {
                self.reject(address, &transport, &rejection(reached), false);
                return None;
            }
        };
        let Ok(outbox) = Outbox::new(transport.clone(), limits.backlog_bytes_max) else {
            self.reject(address, &transport, &FULL, false);
            return None;
        };
        let mut upgrade = Vec::with_capacity(UPGRADE_BYTES);
        write_response(&mut upgrade, answer).expect("writing to memory does not fail");
        outbox.push(&upgrade.into());
        let outbox = Arc::new(outbox);
        let allowance = self.allowances.as_ref().map(|all| all.of(Network::of(address)));
        let rate_limits = ClientRateLimits::boxed(limits, allowance, Instant::now());
        let early = early.into();
        let connection =
            UpgradedConnection { client, address, handshake, request, outbox, early, rate_limits };
        Some((Box::new(connection), slot))
    }

    /// Sends the response that `make` returns, unless too many requests are being answered.
    #[inline(never)]
    fn show(
        &self,
        address: IpAddr,
        transport: &Transport,
        to_head: bool,
        make: impl FnOnce() -> Result<Vec<u8>, Rejection>,
    ) {
        let response = match self.page_requests.slot(address) {
            Ok(_slot) => make(),
            Err(reached) => Err(rejection(reached)),
        };
        match response {
            Ok(response) => self.send(transport, &response),
            Err(rejection) => self.reject(address, transport, &rejection, to_head),
        }
    }

    /// Waits for a turn of the broadcaster.
    fn probe(&self) -> Result<(), Rejection> {
        let deadline = Instant::now() + PROBE_WITHIN;
        let (answer, turn) = bounded(1);
        let asked = self.context.inbox.send_deadline(Input::Probe(answer), deadline);
        let is_well = asked.is_ok() && turn.recv_deadline(deadline).is_ok();
        is_well.then_some(()).ok_or(Rejection::Full("The broadcaster does not turn."))
    }

    /// Tells a page whether a WebSocket from this address would be accepted now: browsers hide the
    /// response to a handshake.
    fn would_admit(&self, address: IpAddr, to_head: bool) -> Result<Vec<u8>, Rejection> {
        self.clients.slot(address).map_err(rejection)?;
        Ok(answer("200 OK", "", "text/plain; charset=utf-8", "ok\n", to_head))
    }

    fn reject(&self, address: IpAddr, transport: &Transport, rejection: &Rejection, to_head: bool) {
        self.rejections.log(address, rejection);
        self.send(transport, &rejection.answer(to_head));
    }

    /// Sends the only response of a connection, and closes it.
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
        drain_and_close(transport, stopping, Instant::now() + DRAIN_WITHIN);
    }
}

const FULL: Rejection = Rejection::Full("This server is full. Please try again in a moment.");

fn rejection(reached: LimitReached) -> Rejection {
    match reached {
        LimitReached::Full => FULL,
        LimitReached::AddressFull => Rejection::Full(
            "Too many people are here from your address already; --max-clients-per-address \
             permits more.",
        ),
    }
}

/// Answers a connection that has no thread, without waiting for it.
pub(crate) fn turn_away(transport: &Transport) {
    // Most heads have come by now. One that is left unread would reset the connection.
    let _ = transport.discard();
    let _ = transport.send(&FULL.answer(false));
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
            page: Page::new().unwrap(),
            page_addresses: [].into(),
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
                Ok(Input::Probe(answer)) => answer.send(()).unwrap(),
                _ => panic!("the broadcaster is asked"),
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
    fn a_connection_without_a_thread_is_told_to_come_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        peer.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        turn_away(&Transport::new(listener.accept().unwrap().0).unwrap());
        let mut answer = String::new();
        peer.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
}
