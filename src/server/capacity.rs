//! The number of connections that the machine can serve, and the memory that each may take.
//!
//! A connection takes a thread, descriptors, mappings, and address space for a stack and for
//! buffers. A failed allocation ends the process. So the memory that clients can make the server
//! allocate is reserved before the first client connects. This module only calculates:
//! [`super::machine`] asks the kernel.

use crate::broadcaster::inbox::INBOX_MAX;
use crate::chat::{ANSWER_BYTES_MAX, CLIENTS_MAX};
use crate::http::ConnectionLimits;
use crate::limits::Limits;

/// Stack of the thread of a connection (bytes). It touches an eighth of this. Pages of a stack that
/// are never touched cost only address space.
pub(super) const CONNECTION_STACK_BYTES: usize = 96 * 1024;
/// Stack of the other threads (bytes). SQLite runs on some of them.
pub(super) const STACK_BYTES: usize = 256 * 1024;
/// Address space of a thread besides its stack (bytes): the stack for signals, and both guards.
const AROUND_A_STACK_BYTES: usize = 24 * 1024;
/// Number of mappings of a thread: its stack, its stack for signals, and the guard of each.
const MAPPINGS_PER_THREAD: usize = 4;
/// Number of mappings for everything else.
const MAPPINGS_SPARE: usize = 1024;
/// Heap of a connection without its backlog (bytes): the input that waits for the inbox, an unfinished
/// message, and a share of the inbox.
const BUFFERS_BYTES: usize = 112 * 1024;
/// Number of connections for each input that the inbox can hold. An input has up to 64 KiB.
const CONNECTIONS_PER_INPUT: usize = 8;
/// Minimum capacity of the inbox (inputs).
const INBOX_MIN: usize = 8;
/// Memory of a connection without its heap (bytes): the touched pages of its stack, and the kernel's
/// memory for its thread and its socket.
const RESIDENT_BYTES: usize = 48 * 1024;
/// Capacity of the backlog of a client if address space or memory is short (bytes).
const BACKLOG_BYTES_MIN: usize = 128 * 1024;
/// Heap of the server itself (bytes): the chat, and the runs and answers of a turn.
const SERVER_BYTES: usize = 6 * 1024 * 1024;
/// Heap of SQLite and the search (bytes).
const HISTORY_HEAP_BYTES: usize = 5 * 1024 * 1024;
/// Number of threads of tiny_http. An instance has one that accepts, and a pool of four. The pool adds
/// a fifth thread if its only connection arrives before the four wait for it. These five may outlive
/// the instance until the next one has started.
const PAGE_THREADS: usize = 11;
/// Minimum number of connections: one client, and one request for the page.
const CONNECTIONS_MIN: usize = 2;
/// Number of descriptors for everything that is not a client.
const DESCRIPTORS_SPARE: usize = 128;
/// Number of descriptors of a client: a socket and a waker.
pub(super) const DESCRIPTORS_PER_CLIENT: usize = 2;
/// Maximum number of pending connections, however many descriptors there are.
const PENDING_MAX: usize = 4096;
/// Number of connections that clients leave free if there are few: for a browser and some more.
const PENDING_MIN: usize = 16;
/// Number of connections of one browser: it opens six at once, and six more while the server still
/// closes the last ones.
const BROWSER_CONNECTIONS: usize = 12;
/// Maximum number of requests for the page or an invitation at once.
const PAGE_REQUESTS_MAX: usize = 64;

/// The rest of a resource, and the limit that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    pub(super) amount: usize,
    /// As in "the limit of descriptors (ulimit -n)".
    pub(super) limit: &'static str,
}

/// Resources of the machine before the server starts its threads. A resource without a limit is not
/// in the lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Maximum number of descriptors of the process.
    pub(super) descriptors: usize,
    /// Numbers of threads that can still be started.
    pub(super) threads: Vec<Left>,
    /// Address space, or a part of it (bytes).
    pub(super) space: Vec<Left>,
    /// Memory (bytes).
    pub(super) memory: Vec<Left>,
    pub(super) mappings: Option<Left>,
    /// Default stack of a thread, which those of tiny_http have (bytes).
    pub(super) default_stack_bytes: usize,
}

/// The resource that is too scarce to serve even one client and its page. It is the source of
/// [`StartError::Scarce`](crate::StartError::Scarce).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Scarcity {
    /// Threads.
    #[non_exhaustive]
    #[error(
        "{needed} more threads are needed, and {limit} leaves {left}; raise that limit, or end \
         other programs that count for it"
    )]
    Threads {
        /// Number of threads that serving one client and one page request takes.
        needed: usize,
        /// Number of threads that can be started.
        left: usize,
        /// The limit, and how it is set.
        limit: &'static str,
    },
    /// Address space, memory or mappings.
    #[non_exhaustive]
    #[error("{limit} leaves too little to serve; raise that limit")]
    Space {
        /// The limit, and how it is set.
        limit: &'static str,
    },
}

/// Numbers of connections, and the limits of their memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Capacity {
    pub(super) connections: ConnectionLimits,
    /// Capacity of the broadcaster's inbox (inputs).
    pub(super) inbox_max: usize,
    /// Memory for the messages of all rooms (bytes).
    pub(super) history_bytes_max: usize,
    /// Maximum size of the backlog of one client (bytes).
    pub(super) backlog_bytes_max: usize,
    /// Maximum size of one answer to a client that resumes (bytes).
    pub(super) answer_bytes_max: usize,
    /// The limit of the machine that permits fewer clients than descriptors and configuration do.
    pub(super) limit: Option<&'static str>,
}

/// Resources that a server takes before the first connection.
pub(super) struct Needs {
    threads: usize,
    stack_bytes: usize,
    /// Stack of the thread of a connection (bytes).
    connection_stack_bytes: usize,
    heap_bytes: usize,
}

impl Needs {
    pub(super) fn of(
        facts: &Facts,
        listeners: usize,
        has_history: bool,
        has_page: bool,
        connection_stack_bytes: usize,
    ) -> Self {
        // `broadcaster` and `signals`; `history`, `search` and `maintenance`; `page`.
        let ours = listeners + 2 + if has_history { 3 } else { 0 } + usize::from(has_page);
        let of_tiny_http = if has_page { PAGE_THREADS } else { 0 };
        Self {
            threads: ours + of_tiny_http,
            stack_bytes: ours * (STACK_BYTES + AROUND_A_STACK_BYTES)
                + of_tiny_http * (facts.default_stack_bytes + AROUND_A_STACK_BYTES),
            connection_stack_bytes,
            heap_bytes: SERVER_BYTES + if has_history { HISTORY_HEAP_BYTES } else { 0 },
        }
    }
}

/// Divides the resources. A larger limit never means fewer clients.
///
/// # Errors
/// If there is too little for one client and one page request.
pub(super) fn capacity(
    facts: &Facts,
    clients_wish: Option<usize>,
    limits: &Limits,
    needs: &Needs,
) -> Result<Capacity, Scarcity> {
    let bounds = Bounds::of(facts, limits, needs)?;
    let (connections, limit) =
        bounds.tightest().map_or((usize::MAX, None), |it| (it.amount, Some(it.limit)));
    let reserve = reserve(connections);
    let descriptors = facts.descriptors.saturating_sub(DESCRIPTORS_SPARE) / DESCRIPTORS_PER_CLIENT;
    let wish = clients_wish.unwrap_or(usize::MAX).min(descriptors).min(CLIENTS_MAX);
    let clients_max = wish.min(connections.saturating_sub(reserve)).max(1);
    let pending_max = (facts.descriptors / 4).clamp(1, PENDING_MAX).min(connections);
    let backlog_bytes_max = bounds.backlog(connections, clients_max, limits);
    Ok(Capacity {
        connections: ConnectionLimits {
            connections_max: connections.min(clients_max.saturating_add(pending_max)),
            clients_max,
            pending_max,
            pending_per_address_max: (reserve.min(pending_max) / 2).max(BROWSER_CONNECTIONS),
            page_requests_max: (reserve / 2).clamp(BROWSER_CONNECTIONS, PAGE_REQUESTS_MAX),
        },
        inbox_max: (connections / CONNECTIONS_PER_INPUT).clamp(INBOX_MIN, INBOX_MAX),
        history_bytes_max: bounds.history_bytes,
        backlog_bytes_max,
        // An answer must fit into a small backlog.
        answer_bytes_max: if backlog_bytes_max < limits.backlog_bytes_max {
            backlog_bytes_max / 4 * 3
        } else {
            ANSWER_BYTES_MAX
        },
        limit: limit.filter(|_| clients_max < wish),
    })
}

/// Returns the number of connections that clients leave free for page requests and rejections: a
/// quarter of all, at least [`PENDING_MIN`], at most half.
fn reserve(connections: usize) -> usize {
    (connections / 4).max(PENDING_MIN.min(connections / 2)).clamp(1, PENDING_MAX)
}

/// The connections that each limit permits.
struct Bounds {
    /// Numbers of connections.
    counts: Vec<Left>,
    /// Bytes for connections, and the bytes of one without its backlog.
    bytes: Vec<(usize, usize)>,
    history_bytes: usize,
}

impl Bounds {
    fn of(facts: &Facts, limits: &Limits, needs: &Needs) -> Result<Self, Scarcity> {
        let mut bounds =
            Self { counts: Vec::new(), bytes: Vec::new(), history_bytes: limits.history.bytes_max };
        for threads in &facts.threads {
            bounds.add_threads(*threads, needs)?;
        }
        if let Some(Left { amount, limit }) = facts.mappings {
            let taken = MAPPINGS_SPARE + needs.threads * MAPPINGS_PER_THREAD;
            let connections = amount.saturating_sub(taken) / MAPPINGS_PER_THREAD;
            bounds.add(connections, limit)?;
        }
        let backlog = BACKLOG_BYTES_MIN.min(limits.backlog_bytes_max);
        let thread = needs.connection_stack_bytes + AROUND_A_STACK_BYTES;
        for space in &facts.space {
            let left = space.amount.saturating_sub(needs.stack_bytes);
            bounds.add_bytes(left, space.limit, thread + BUFFERS_BYTES, backlog, needs)?;
        }
        for memory in &facts.memory {
            let each = RESIDENT_BYTES + BUFFERS_BYTES;
            bounds.add_bytes(memory.amount, memory.limit, each, backlog, needs)?;
        }
        Ok(bounds)
    }

    fn add(&mut self, amount: usize, limit: &'static str) -> Result<(), Scarcity> {
        self.counts.push(Left { amount, limit });
        if amount < CONNECTIONS_MIN { Err(Scarcity::Space { limit }) } else { Ok(()) }
    }

    fn add_threads(&mut self, threads: Left, needs: &Needs) -> Result<(), Scarcity> {
        let Left { amount: left, limit } = threads;
        let connections = left.saturating_sub(needs.threads);
        if connections < CONNECTIONS_MIN {
            let needed = needs.threads + CONNECTIONS_MIN;
            return Err(Scarcity::Threads { needed, left, limit });
        }
        self.add(connections, limit)
    }

    /// Subtracts the needs of the server. A quarter of the rest is for the messages in the rooms, up
    /// to their own limit; connections get all else.
    fn add_bytes(
        &mut self,
        left: usize,
        limit: &'static str,
        each: usize,
        backlog: usize,
        needs: &Needs,
    ) -> Result<(), Scarcity> {
        let left = left.saturating_sub(needs.heap_bytes);
        self.history_bytes = self.history_bytes.min(left / 4);
        let bytes = left - (left / 4).min(self.history_bytes);
        self.bytes.push((bytes, each));
        self.add(connections_in(bytes, each, backlog), limit)
    }

    fn tightest(&self) -> Option<Left> {
        self.counts.iter().copied().min_by_key(|it| it.amount)
    }

    /// Returns the capacity of the backlog of a client: as configured if there is enough memory, else
    /// the minimum.
    fn backlog(&self, connections: usize, clients: usize, limits: &Limits) -> usize {
        let shares = self.bytes.iter().map(|(bytes, each)| {
            let slots = connections.min(clients.saturating_add(reserve(connections)));
            bytes.saturating_sub(slots.saturating_mul(*each)) / clients
        });
        let wish = limits.backlog_bytes_max;
        if shares.min().is_some_and(|share| share < wish) {
            BACKLOG_BYTES_MIN.min(wish)
        } else {
            wish
        }
    }
}

/// Returns the maximum number of connections that fit into these bytes, if each connection takes `each`
/// and each client also a backlog.
fn connections_in(bytes: usize, each: usize, backlog: usize) -> usize {
    let fits = |n: usize| {
        let backlogs = n.saturating_sub(reserve(n)).saturating_mul(backlog);
        n.saturating_mul(each).saturating_add(backlogs) <= bytes
    };
    // The sum grows with each connection, so `fits` is true up to one number and false above it.
    let (mut fitting, mut beyond) = (0, bytes / each + 1);
    while beyond - fitting > 1 {
        let middle = fitting.midpoint(beyond);
        *(if fits(middle) { &mut fitting } else { &mut beyond }) = middle;
    }
    fitting
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIB: usize = 1024;
    const MIB: usize = 1024 * KIB;

    /// Returns a machine whose only limit is that of descriptors.
    fn facts(descriptors: usize) -> Facts {
        Facts { descriptors, default_stack_bytes: 256 * KIB, ..Facts::default() }
    }

    fn limited(change: impl FnOnce(&mut Facts)) -> Facts {
        let mut facts = facts(20_000);
        change(&mut facts);
        facts
    }

    fn left(amount: usize) -> Vec<Left> {
        vec![Left { amount, limit: "it" }]
    }

    fn divide(facts: &Facts, wish: Option<usize>) -> Result<Capacity, Scarcity> {
        capacity(facts, wish, &Limits::default(), &needs(facts))
    }

    #[test]
    fn descriptors_bound_a_machine_without_other_limits() {
        for (descriptors, clients, pending) in [
            (20_000, 9_936, 4_096),
            (1024, 448, 256),
            (256, 64, 64),
            (130, 1, 32),
            (1 << 30, CLIENTS_MAX, 4_096),
        ] {
            let capacity = divide(&facts(descriptors), None).unwrap();
            let expected = Capacity {
                connections: ConnectionLimits {
                    connections_max: clients + pending,
                    clients_max: clients,
                    pending_max: pending,
                    pending_per_address_max: pending / 2,
                    page_requests_max: 64,
                },
                inbox_max: 1024,
                history_bytes_max: 64 * MIB,
                backlog_bytes_max: MIB,
                answer_bytes_max: ANSWER_BYTES_MAX,
                limit: None,
            };
            assert_eq!(capacity, expected, "{descriptors}");
        }
    }

    fn needs(facts: &Facts) -> Needs {
        Needs::of(facts, 2, false, true, CONNECTION_STACK_BYTES)
    }

    /// Expects numbers of clients, of other connections, and of page requests.
    #[test]
    fn threads_are_divided() {
        let cases = [
            // All threads are needed for the server itself.
            (17, None),
            (18, Some((1, 1, 12))),
            (19, Some((2, 1, 12))),
            (24, Some((4, 4, 12))),
            (44, Some((14, 14, 12))),
            (104, Some((66, 22, 12))),
            (204, Some((141, 47, 23))),
            (100_000, Some((9_936, 4_096, 64))),
        ];
        for (threads, expected) in cases {
            let divided = divide(&limited(|it| it.threads = left(threads)), None);
            let Some((clients, reserve, page_requests)) = expected else {
                let scarcity = Scarcity::Threads { needed: 18, left: threads, limit: "it" };
                assert_eq!(divided, Err(scarcity), "{threads}");
                continue;
            };
            let divided = divided.unwrap();
            assert_eq!(divided.connections.clients_max, clients, "{threads}");
            assert_eq!(
                divided.connections.connections_max - divided.connections.clients_max,
                reserve,
                "{threads}"
            );
            assert_eq!(divided.connections.page_requests_max, page_requests, "{threads}");
            assert_eq!(divided.limit.is_some(), clients < 9_936, "{threads}");
        }
    }

    #[test]
    fn the_scarcest_resource_decides() {
        let facts = limited(|it| {
            it.threads = vec![
                Left { amount: 500, limit: "many" },
                Left { amount: 100, limit: "few" },
                Left { amount: 5000, limit: "a lot" },
            ];
            it.mappings = Some(Left { amount: 65_000, limit: "mappings" });
        });
        assert_eq!(divide(&facts, None).unwrap().limit, Some("few"));
        let wish = divide(&facts, Some(7)).unwrap();
        assert_eq!((wish.connections.clients_max, wish.limit), (7, None));
        let mappings = limited(|it| it.mappings = Some(Left { amount: 5000, limit: "mappings" }));
        let mappings = divide(&mappings, None).unwrap();
        assert_eq!((mappings.connections.clients_max, mappings.limit), (734, Some("mappings")));
    }

    #[test]
    fn all_memory_that_clients_can_take_is_within_the_limit() {
        for mib in (16..=2048).step_by(4) {
            let facts = limited(|it| it.space = left(mib * MIB));
            let needs = needs(&facts);
            let divided = divide(&facts, None).unwrap();
            let thread = CONNECTION_STACK_BYTES + AROUND_A_STACK_BYTES + BUFFERS_BYTES;
            let taken = needs.stack_bytes
                + needs.heap_bytes
                + divided.history_bytes_max
                + divided
                    .connections
                    .connections_max
                    .min(divided.connections.clients_max + PENDING_MIN)
                    * thread
                + divided.connections.clients_max * divided.backlog_bytes_max;
            assert!(taken <= mib * MIB, "{mib} MiB: {divided:?} take {taken} bytes");
            assert!(divided.backlog_bytes_max >= BACKLOG_BYTES_MIN);
        }
    }

    #[test]
    fn a_larger_limit_never_means_fewer_clients() {
        type Set = fn(&mut Facts, usize);
        let limits: [(Set, usize); 4] = [
            (|it, n| it.threads = left(n), 1),
            (|it, n| it.mappings = Some(Left { amount: n, limit: "it" }), 10),
            (|it, n| it.space = left(n), 256 * KIB),
            (|it, n| it.memory = left(n), 256 * KIB),
        ];
        for (set, step) in limits {
            let mut before = (0, 0);
            for n in 0..20_000 {
                let now = divide(&limited(|it| set(it, n * step)), None);
                let now = now.map_or((0, 0), |it| {
                    (it.connections.clients_max, it.connections.connections_max)
                });
                assert!(before.0 <= now.0 && before.1 <= now.1, "{before:?}, {n}: {now:?}");
                before = now;
            }
            assert!(before.0 > 4_000, "{before:?}");
        }
    }

    #[test]
    fn the_largest_number_counts_as_no_limit() {
        let facts = limited(|it| {
            it.space = left(usize::MAX);
            it.memory = left(usize::MAX);
            it.threads = left(usize::MAX);
        });
        assert_eq!(divide(&facts, None), divide(&limited(|_| {}), None));
    }

    #[test]
    fn too_little_space_is_an_error_with_a_remedy() {
        let facts = limited(|it| it.space = left(8 * MIB));
        let scarcity = divide(&facts, None).unwrap_err();
        assert_eq!(scarcity, Scarcity::Space { limit: "it" });
        let told = "it leaves too little to serve; raise that limit";
        assert_eq!(scarcity.to_string(), told);
    }
}
