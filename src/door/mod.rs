//! The front door: one request head, and then an upgrade, a page, an invitation or a refusal.
//!
//! Both ports lead here. tungstenite's handshake and tiny_http meet no stranger: what reaches them
//! has come in time, is bounded, and has been checked. Neither bounds any of that itself.

mod census;
mod invitation;
mod refusals;

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, bounded};
use tungstenite::handshake::server::{Response, write_response};

use crate::allowance::Allowances;
use crate::broadcaster::Input;
use crate::chat::{ClientId, Network, Quota};
use crate::config::{Config, Limits};
use crate::connection::{self, Guest};
use crate::outbox::Outbox;
use crate::pace::Pace;
use crate::page::Page;
use crate::protocol::Entry;
use crate::request::{
    House, Refusal, Wanted, answer, end_of_head, is_to_head, options, understand,
};
use crate::transport::{Sent, Transport, linger};
use crate::wake::{Interest, Waker, wait};

pub(crate) use census::Place;
use census::{Census, NoPlace};
use invitation::invite;
use refusals::RefusalLog;

/// About as many make up an answer that lets a client in.
const UPGRADE_BYTES: usize = 256;
/// How long the broadcaster may take to answer before the server is not well.
const TURNS_WITHIN: Duration = Duration::from_secs(1);
/// How long a visitor who has been answered may go on sending.
const LINGER: Duration = Duration::from_millis(500);

/// What every connection finds at the door.
#[derive(Debug)]
pub(crate) struct Door {
    house: House,
    page: Page,
    page_addresses: Arc<[SocketAddr]>,
    limits: Limits,
    inbox: Sender<Input>,
    /// Rung once, when the server stops, and never silenced.
    stopping: Waker,
    connections: Census,
    clients: Census,
    /// `None`: networks are not counted.
    allowances: Option<Allowances>,
    quota: Quota,
    page_requests: Census,
    callers: Census,
    refusals: RefusalLog,
    next_client: AtomicU64,
}

/// The numbers of connections that there is room for, and the limits of their memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Capacity {
    /// Connections, clients and callers alike. Each costs a thread.
    pub(crate) connections_max: usize,
    pub(crate) clients_max: usize,
    /// Connections that are no clients: that have not sent their head yet, or are being answered.
    /// Each costs a thread and a descriptor for as long as that may take.
    pub(crate) callers_max: usize,
    /// Callers from one address: half of the connections that clients leave free, so that one address
    /// does not keep all others out.
    pub(crate) callers_per_address_max: usize,
    /// Requests for the page or an invitation at once. One more is told to come again.
    pub(crate) page_requests_max: usize,
    /// Inputs that wait for the broadcaster.
    pub(crate) inbox_max: usize,
    /// Memory for the messages in all rooms (bytes).
    pub(crate) history_bytes_max: usize,
    /// The most that waits for one client (bytes).
    pub(crate) backlog_bytes_max: usize,
    /// What one answer may take, to a client that comes back (bytes).
    pub(crate) answer_bytes_max: usize,
    /// The limit of the machine that permits fewer clients than descriptors and wish do.
    pub(crate) limit: Option<&'static str>,
}

/// A connection at the door.
pub(crate) struct Caller<'a> {
    pub(crate) client: ClientId,
    pub(crate) address: IpAddr,
    pub(crate) transport: Arc<Transport>,
    place: Place<'a>,
}

impl Door {
    pub(crate) fn new(
        config: &Config,
        capacity: Capacity,
        page: Page,
        page_addresses: Arc<[SocketAddr]>,
        inbox: Sender<Input>,
    ) -> std::io::Result<Self> {
        let limits = config.limits.sane();
        let quota = Quota {
            people_max: capacity.clients_max,
            people_per_network_max: NonZeroUsize::new(config.clients_per_address_max),
            answer_bytes_max: capacity.answer_bytes_max,
        };
        Ok(Self {
            house: House::new(&config.host_names, &config.allowed_origins),
            page,
            page_addresses,
            allowances: quota.people_per_network_max.map(|_| Allowances::new(&limits)),
            quota,
            limits,
            inbox,
            stopping: Waker::new()?,
            connections: Census::new(capacity.connections_max, 0),
            clients: Census::new(capacity.clients_max, config.clients_per_address_max),
            page_requests: Census::new(capacity.page_requests_max, 0),
            callers: Census::new(capacity.callers_max, capacity.callers_per_address_max),
            refusals: RefusalLog::default(),
            next_client: AtomicU64::new(1),
        })
    }

    pub(crate) fn page(&self) -> &Page {
        &self.page
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// How many people there may be.
    pub(crate) fn quota(&self) -> Quota {
        self.quota
    }

    /// Rings once the server stops.
    pub(crate) fn stopping(&self) -> &Waker {
        &self.stopping
    }

    /// A place for the thread of one more connection, for as long as it lasts.
    pub(crate) fn connection(&self, address: IpAddr) -> Option<Place<'_>> {
        let place = self.connections.place(address);
        place.inspect_err(|_| self.refusals.log(address, &FULL)).ok()
    }

    /// Counts a new connection in, if there is room at the door.
    pub(crate) fn caller(&self, transport: Arc<Transport>, address: IpAddr) -> Option<Caller<'_>> {
        let place = self.callers.place(address);
        let place = place.inspect_err(|_| self.refusals.log(address, &FULL)).ok()?;
        let client = ClientId(self.next_client.fetch_add(1, Ordering::Relaxed));
        Some(Caller { client, address, transport, place })
    }

    /// Sees a connection through, from its head to its end.
    pub(crate) fn receive(&self, caller: Caller<'_>) {
        if let Some(guest) = self.greet(caller) {
            connection::run(guest, &self.inbox, &self.limits);
        }
    }

    /// Answers a caller. One who came to talk is a guest from then on.
    // A thread keeps the pages of its stack that were once touched. So that they are few, this has
    // its frame where that of the connection will be, not above it.
    #[inline(never)]
    fn greet(&self, caller: Caller<'_>) -> Option<Box<Guest<'_>>> {
        let Caller { client, address, transport, place } = caller;
        let mut read = Vec::new();
        let end = self.read_head(&transport, &mut read)?;
        let wanted = end.and_then(|end| understand(&read[..end], &self.house).map(|it| (it, end)));
        match wanted {
            Ok((Wanted::Chat { answer, entry }, end)) => {
                drop(place);
                self.admit(client, address, transport, &answer, entry, &read[end..])
            }
            other => {
                let other = other.as_ref().map(|(wanted, _)| wanted);
                self.see_off(address, &transport, other, is_to_head(&read));
                None
            }
        }
    }

    /// Answers a caller that is no guest.
    #[inline(never)]
    fn see_off(
        &self,
        address: IpAddr,
        transport: &Transport,
        wanted: Result<&Wanted, &Refusal>,
        to_head: bool,
    ) {
        match wanted {
            Ok(Wanted::Page(request)) => {
                let fetch = || self.page.fetch(request);
                self.show(address, transport, request.is_head, fetch);
            }
            Ok(Wanted::Health(request)) => {
                let fetch = || self.turns().and_then(|()| self.page.fetch(request));
                self.show(address, transport, request.is_head, fetch);
            }
            Ok(Wanted::Admission { is_head }) => {
                self.show(address, transport, *is_head, || self.would_admit(address, *is_head));
            }
            Ok(Wanted::Invitation(request)) => {
                let invite = || invite(request, &self.page_addresses);
                self.show(address, transport, request.is_head, invite);
            }
            // A guest is let in before.
            Ok(Wanted::Options | Wanted::Chat { .. }) => self.answer(transport, &options()),
            Err(refusal) => self.refuse(address, transport, refusal, to_head),
        }
    }

    /// Reads until the head is whole, and says where it ends in what was `read`. `None` when the
    /// caller went away, said nothing, or the server stops.
    #[inline(never)]
    fn read_head(
        &self,
        transport: &Transport,
        read: &mut Vec<u8>,
    ) -> Option<Result<usize, Refusal>> {
        const CHUNK_BYTES: usize = 2 * 1024;
        let deadline = Instant::now() + self.limits.head_within;
        loop {
            let ready = wait(transport, Interest::READABLE, &self.stopping, Some(deadline)).ok()?;
            if ready.woken || (ready.timed_out() && read.is_empty()) {
                return None;
            }
            if ready.timed_out() {
                return Some(Err(Refusal::TooLate));
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
                Err(refusal) => return Some(Err(refusal)),
            }
        }
    }

    #[inline(never)]
    fn admit(
        &self,
        client: ClientId,
        address: IpAddr,
        transport: Arc<Transport>,
        answer: &Response,
        entry: Entry,
        early: &[u8],
    ) -> Option<Box<Guest<'_>>> {
        let place = match self.clients.place(address) {
            Ok(place) => place,
            Err(refused) => {
                self.refuse(address, &transport, &refusal(refused), false);
                return None;
            }
        };
        let Ok(outbox) = Outbox::new(transport.clone(), self.limits.backlog_bytes_max) else {
            self.refuse(address, &transport, &FULL, false);
            return None;
        };
        let mut upgrade = Vec::with_capacity(UPGRADE_BYTES);
        write_response(&mut upgrade, answer).expect("writing to memory does not fail");
        outbox.push(&upgrade.into());
        let outbox = Arc::new(outbox);
        let allowance = self.allowances.as_ref().map(|all| all.of(Network::of(address)));
        let pace = Pace::boxed(&self.limits, allowance, Instant::now());
        Some(Box::new(Guest { client, address, entry, outbox, early: early.into(), pace, place }))
    }

    /// Answers with what is to be shown, if there is room for one more who looks at something.
    #[inline(never)]
    fn show(
        &self,
        address: IpAddr,
        transport: &Transport,
        to_head: bool,
        shown: impl FnOnce() -> Result<Vec<u8>, Refusal>,
    ) {
        let answer = match self.page_requests.place(address) {
            Ok(_place) => shown(),
            Err(refused) => Err(refusal(refused)),
        };
        match answer {
            Ok(answer) => self.answer(transport, &answer),
            Err(refusal) => self.refuse(address, transport, &refusal, to_head),
        }
    }

    /// Waits for a turn of the broadcaster.
    fn turns(&self) -> Result<(), Refusal> {
        let deadline = Instant::now() + TURNS_WITHIN;
        let (answer, turned) = bounded(1);
        let asked = self.inbox.send_deadline(Input::Probed(answer), deadline);
        let turned = asked.is_ok() && turned.recv_deadline(deadline).is_ok();
        turned.then_some(()).ok_or(Refusal::Full("The broadcaster does not turn."))
    }

    /// Whether a client from this address would be let in just now, for browsers, which do not show
    /// the answer to a handshake.
    fn would_admit(&self, address: IpAddr, to_head: bool) -> Result<Vec<u8>, Refusal> {
        self.clients.place(address).map_err(refusal)?;
        Ok(answer("200 OK", "", "text/plain; charset=utf-8", "ok\n", to_head))
    }

    fn refuse(&self, address: IpAddr, transport: &Transport, refusal: &Refusal, to_head: bool) {
        self.refusals.log(address, refusal);
        self.answer(transport, &refusal.answer(to_head));
    }

    /// Sends an answer, the last thing that is sent, and lets go of the caller.
    fn answer(&self, transport: &Transport, answer: &[u8]) {
        let deadline = Instant::now() + self.limits.head_within;
        let mut rest = answer;
        loop {
            match transport.send(rest) {
                Ok(Sent::All) => break,
                Ok(Sent::Part(sent)) => rest = &rest[sent..],
                Err(_) => return,
            }
            match wait(transport, Interest::WRITABLE, &self.stopping, Some(deadline)) {
                Ok(ready) if ready.writable && !ready.woken => {}
                _ => return,
            }
        }
        transport.finish();
        linger(transport, &self.stopping, Instant::now() + LINGER);
    }
}

const FULL: Refusal = Refusal::Full("This server is full. Please try again in a moment.");

fn refusal(reason: NoPlace) -> Refusal {
    match reason {
        NoPlace::Full => FULL,
        NoPlace::AddressFull => Refusal::Full(
            "Too many people are here from your address already; --max-clients-per-address \
             permits more.",
        ),
    }
}

/// Answers a connection that no thread could be had for, as far as that goes without waiting.
pub(crate) fn turn_away(transport: &Transport) {
    // The head, which would otherwise be unread and reset the connection, is there already more
    // often than not.
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
    fn health_is_a_turn_of_the_broadcaster() {
        let (inbox, inputs) = bounded(1);
        let capacity = Capacity {
            connections_max: 1,
            clients_max: 1,
            callers_max: 1,
            callers_per_address_max: 1,
            page_requests_max: 1,
            inbox_max: 1,
            history_bytes_max: 0,
            backlog_bytes_max: 0,
            answer_bytes_max: 0,
            limit: None,
        };
        let (page, addresses) = (Page::new().unwrap(), [].into());
        let door = Door::new(&Config::default(), capacity, page, addresses, inbox).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| match inputs.recv_timeout(Duration::from_secs(20)) {
                Ok(Input::Probed(answer)) => answer.send(()).unwrap(),
                _ => panic!("the broadcaster is asked"),
            });
            assert_eq!(door.turns(), Ok(()));
        });
        let stuck = Err(Refusal::Full("The broadcaster does not turn."));
        // The question waits in the inbox, and the next finds that full.
        assert_eq!([door.turns(), door.turns()], [stuck.clone(), stuck.clone()]);
        drop(inputs);
        assert_eq!(door.turns(), stuck);
    }

    #[test]
    fn who_gets_no_thread_is_told_to_come_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut caller = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        caller.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        caller.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        turn_away(&Transport::new(listener.accept().unwrap().0).unwrap());
        let mut answer = String::new();
        caller.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
}
