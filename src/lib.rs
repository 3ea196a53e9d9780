//! Chat for a LAN in one small binary, and a library to embed it without an async runtime.
//!
//! ```no_run
//! use chinwag::{Config, Event, Server};
//!
//! let server = Server::bind(&Config::default())?;
//! let events = server.handle().events(1024);
//! let handle = server.start()?;
//! for event in &events {
//!     match event {
//!         Event::Message { nickname, text, .. } => println!("{nickname}: {text}"),
//!         Event::Close { .. } => break,
//!         _ => {}
//!     }
//! }
//! handle.stop();
//! # Ok::<(), chinwag::StartError>(())
//! ```
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
//!                        │ page  │                 ▼ and rings
//!                        └───────┘ tiny_http     conn-17 drains it
//! ```
//!
//! Data moves one way: door → connection → broadcaster → outbox → socket. To read the source, take
//! the modules in the order in which they stand below.

mod server;

mod http;

mod connection;

#[cfg(feature = "history")]
mod history;

mod broadcaster;

mod protocol;

mod config;

mod chat;

mod net;

pub use broadcaster::event::Event;
pub use chat::{
    ClientId, HistoryLimits, NICKNAME_BYTES_MAX, NICKNAME_GRAPHEMES_MAX, Nickname, NicknameError,
    ROOM_NAME_CHARS_MAX, RoomName, RoomNameError, TooLong,
};
pub use config::{Config, Limits};
#[cfg(feature = "history")]
pub use config::{HistoryConfig, Sync};
#[cfg(feature = "history")]
pub use history::{
    Exported, Findings, HistoryError, RoomStats, Stats, TransferError, check, export, import, stats,
};
pub use net::host::{HostName, HostNameError, Origin, OriginError};
pub use server::{Handle, RunError, SayError, Scarcity, Server, StartError, Stopped};
