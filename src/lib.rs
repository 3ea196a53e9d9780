//! Chat for a LAN in one small binary, and a library to embed it without an async runtime.
//!
//! A program that embeds the chat binds a [`Server`], starts it, and talks to it through a
//! [`Handle`]. Everything is synchronous: the server has threads of its own, and events come through
//! a channel.
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
//! [`Handle::say`] sends a message to a room. From then on no client can take the
//! nickname that it was sent under. [`Server::reserve`] reserves it before the first client connects.
//!
//! ```
//! # use chinwag::{Config, Event, Handle, Nickname, SayError, Server};
//! fn answer(handle: &Handle, bot: &Nickname, event: &Event) -> Result<(), SayError> {
//!     match event {
//!         Event::Message { room, text, .. } if text == "!help" => {
//!             handle.say(room, bot, "I only know !help")
//!         }
//!         _ => Ok(()),
//!     }
//! }
//! ```
//!
//! # Moderate
//!
//! [`Handle::rooms`] lists the rooms and their members. [`Handle::kick`] closes the connection of a
//! client, whose id each [`Event::Message`] has. [`Limits`] bound the rate, the length and the memory of every client from the start.
//!
//! # Put it elsewhere
//!
//! [`Config::one_port`] serves everything on one port. [`Server::with_listeners`] takes listeners of
//! yours, such as those that systemd hands over. [`Handle::adopt`] takes a connection that your own
//! HTTP server has accepted, with the bytes that it has read. [`Config::path`](Config#structfield.path)
//! names the path of the chat then. [`Page`] puts your own files in place of the page, or nothing.
//!
//! # Stop
//!
//! [`Running::stop`] tells every client, waits until all threads have ended, and returns the error if
//! the server had crashed. Dropping the [`Running`] does the same, and logs the error.
//! [`Handle::stop`] asks for the stop from any thread, and [`Running::join`] waits for it.
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
//! # The threads
//!
//! ```text
//!  accept-8080 ─┐ spawns   ┌─────────┐  Input   ┌─────────────┐
//! accept-12345 ─┴────────▶ │ conn-17 │ ───────▶ │ broadcaster │  owns the Chat
//!                          └─────────┘  inbox   └─────────────┘
//!                           │   ▲  ▲ reads            │ pushes one run of frames
//!               page        │   │  │                  ▼ for each room
//!               request     │   │ socket ◀───────  Outbox 17
//!                           ▼   │        writes    │
//!                        ┌──────┴┐ through         │ queues what the socket does not take,
//!                        │ page  │                 ▼ and wakes
//!                        └───────┘ tiny_http     conn-17 drains it
//! ```
//!
//! Data moves in one direction: server → http → connection → broadcaster → socket. To read the
//! source, take the modules in the order of the list below: each imports only from those after it.
//! ARCHITECTURE.md has the map.

mod server;

mod http;

mod connection;

#[cfg(feature = "history")]
pub mod history;

mod broadcaster;

mod protocol;

mod config;

mod chat;

mod net;

pub use broadcaster::event::{Event, Events, NoEvent, Request};
pub use chat::{
    ClientId, HistoryLimits, Kind as MessageKind, NICKNAME_BYTES_MAX, NICKNAME_GRAPHEMES_MAX,
    Nickname, NicknameError, ROOM_NAME_CHARS_MAX, RoomName, RoomNameError, TooLong,
};
#[cfg(feature = "page")]
pub use config::PageFiles;
pub use config::{Config, Limits, Page};
pub use net::base_path::{BasePath, BasePathError};
pub use net::host::{HostName, HostNameError, Origin, OriginError};
pub use protocol::Dialect;
pub use server::{
    AdoptError, Handle, Room, RunError, Running, SayError, Scarcity, Server, StartError, Stopped,
};
