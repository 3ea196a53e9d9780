//! Chat for a LAN in one small binary, and a library to embed it without an async runtime.
//!
//! A program that embeds the chat binds a [`Server`], starts it, and talks to it through a
//! [`Handle`]. Everything is synchronous: the server has threads of its own, and events come through
//! a channel. docs/EMBEDDING.md lists the calls for each purpose, and `examples/` has a program for
//! most of them.
//!
//! # Embed
//!
//! A [`Config`] says where to listen and which limits apply. [`Server::bind`] opens the ports, and
//! [`Server::start`] serves. The [`Running`] server stops when it is dropped.
//!
//! ```
//! use std::net::Ipv4Addr;
//! use chinwag::{Config, Server};
//!
//! // Port 0 takes a free port. Without `bind`, the server listens on every interface.
//! let config = Config::default().bind([Ipv4Addr::LOCALHOST]).page_port(0).websocket_port(0);
//! let running = Server::bind(&config)?.start()?;
//! println!("open http://{}/", running.handle().page_addresses()[0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Listen
//!
//! [`Server::events`] subscribes before the start, so that no event is missed. [`Handle::events`]
//! subscribes later. The chat never waits for the receiver.
//!
//! ```no_run
//! # use chinwag::{Config, Event, Server};
//! # let config = Config::default();
//! let server = Server::bind(&config)?;
//! let events = server.events(1024);
//! let running = server.start()?;
//! for event in events {
//!     match event {
//!         Event::Open { client, request, .. } => println!("{client} asks for {}", request.path()),
//!         Event::Message { nickname, text, .. } => println!("{nickname}: {text}"),
//!         Event::Close { .. } => break,
//!         _ => {}
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Answer
//!
//! [`Handle::say`] sends a message to a room. From then on no client can take the nickname that it
//! was sent under. [`Handle::enter`] also shows it in the member list. [`Handle::tell`] answers one
//! client, and [`Handle::announce`] is a notice of the server.
//!
//! ```
//! # use chinwag::{CallError, Event, Handle, Nickname};
//! fn answer(handle: &Handle, bot: &Nickname, event: &Event) -> Result<(), CallError> {
//!     match event {
//!         Event::Message { room, text, .. } if text == "!help" => {
//!             handle.say(room, bot, "I only know !help")
//!         }
//!         _ => Ok(()),
//!     }
//! }
//! ```
//!
//! # Decide
//!
//! [`Hooks`] decide about requests, joins and texts before the chat acts on them, and carry out
//! commands of the embedder, such as `/uptime`. A hook runs in the thread of its client, so that a
//! slow one delays no other client.
//!
//! ```
//! use chinwag::{Admission, Config, Draft, Hooks, Refusal, Requester, Verdict};
//!
//! struct Policy;
//!
//! impl Hooks for Policy {
//!     fn admit(&self, requester: &Requester<'_>) -> Result<Admission, Refusal> {
//!         match requester.request.header("authorization") {
//!             Some("Bearer sesame") => Ok(Admission::default()),
//!             _ => Err(Refusal::new(401, "Log in first.")),
//!         }
//!     }
//!
//!     fn message(&self, _: &Requester<'_>, draft: &Draft<'_>) -> Verdict {
//!         Verdict::SayInstead(draft.text.replace("darn", "****"))
//!     }
//! }
//!
//! let config = Config::default().hooks(Policy);
//! ```
//!
//! # Act
//!
//! A [`Handle`] lists clients and rooms, counts messages, reads the history and searches it. It
//! kicks, mutes, bans and renames clients, and moves them between rooms.
//!
//! ```
//! use std::time::Duration;
//! use chinwag::{Handle, RoomName, Stopped};
//!
//! /// Mutes all clients in a room for a minute.
//! fn mute_all(handle: &Handle, room: &RoomName) -> Result<(), Stopped> {
//!     for client in handle.clients()?.iter().filter(|client| client.rooms.contains(room)) {
//!         handle.mute(client.id, Duration::from_secs(60))?;
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Where it lives
//!
//! The server listens on ports of its own. [`Config::one_port`] serves everything on one port.
//! [`Server::with_listeners`] takes listeners of the embedder, such as those that systemd hands over.
//! [`Handle::adopt`] takes a connection that an HTTP server of the embedder has accepted, with the
//! bytes that it has read; [`Config::path`](Config#structfield.path) names the path of the chat then.
//! [`Page`] puts files of the embedder in place of the page, or nothing. Messages are in memory only,
//! unless the configuration names a history file or a [`store`] of the embedder.
//!
//! ```
//! # use chinwag::Config;
//! use chinwag::Page;
//!
//! let config = Config::default().one_port(8080).page(Page::None);
//! # #[cfg(feature = "history")]
//! let config = config.history(chinwag::history::HistoryConfig::new("chat.db"));
//! ```
//!
//! # Stop
//!
//! [`Running::stop`] tells every client, waits until all threads have ended, and returns the error if
//! the server had crashed. Dropping the [`Running`] does the same, and logs the error.
//! [`Handle::stop`] asks for the stop from any thread, and [`Running::join`] waits for it.
//!
//! ```
//! # use chinwag::{Config, Server};
//! # let config = Config::default().bind([std::net::Ipv4Addr::LOCALHOST]).page_port(0).websocket_port(0);
//! let running = Server::bind(&config)?.start()?;
//! let handle = running.handle();
//! std::thread::spawn(move || handle.stop());
//! running.join()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features
//!
//! - `history` (default): keeps all messages in a file and searches them, with SQLite. The module
//!   `history` also exports, imports and verifies such files.
//! - `confusables` (default): takes nicknames that only look alike, such as `Iris` and `lris`, for
//!   the same (Unicode Technical Standard 39).
//! - `page` (default): the page for browsers, built in or of your own ([`Page`]), and the QR code of
//!   an invitation.
//! - `cli` (default): the dependencies of the program `chinwag`. A library does not need them:
//!   `chinwag = { version = "0.1", default-features = false, features = ["history", "confusables", "page"] }`.
//!
//! Log lines go to the [`log`] crate. The library is for Unix, and needs Rust 1.85.
//!
//! # The source
//!
//! Data moves in one direction: server → http → connection → broadcaster → socket. To read the
//! source, take the modules in the order of the list in `src/lib.rs`: each imports only from those
//! after it. ARCHITECTURE.md has the map and the threads.

mod server;

mod http;

mod config;

mod connection;

mod hooks;

#[cfg(feature = "history")]
pub mod history;

mod archive;

mod broadcaster;

mod protocol;

mod limits;

pub mod store;

mod chat;

mod net;

pub use broadcaster::calls::{Client, Counts, Room};
pub use broadcaster::event::{Event, Events, NoEvent, Request};
pub use broadcaster::handle::{CallError, Handle, Stopped};
pub use broadcaster::reading::{Found, HistoryReadError};
pub use chat::{
    ClientId, HistoryLimits, Kind as MessageKind, LeaveReason, Message, NICKNAME_BYTES_MAX,
    NICKNAME_GRAPHEMES_MAX, Nickname, NicknameError, ROOM_NAME_CHARS_MAX, RoomName, RoomNameError,
    TooLong,
};
pub use config::Config;
pub use config::Page;
#[cfg(feature = "page")]
pub use config::PageFiles;
/// The channels of [`Events::receiver`].
pub use crossbeam_channel;
pub use hooks::{
    Admission, CommandHelp, Draft, Hooks, Invocation, Recipient, Refusal, Requester, Verdict,
};
pub use limits::Limits;
pub use net::adopt::AdoptError;
pub use net::base_path::{BasePath, BasePathError};
pub use net::host::{HostName, HostNameError, Origin, OriginError};
pub use protocol::Dialect;
pub use server::{RunError, Running, Scarcity, Server, StartError};
