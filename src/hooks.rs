//! The decisions of an embedder: which requests, joins and texts it permits, and as what.
//!
//! Every hook runs in the thread of the connection that it is about, and never in the broadcaster.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use crate::broadcaster::event::Request;
use crate::broadcaster::handle::Handle;
use crate::chat::{ClientId, Kind, Nickname, RoomName};
use crate::protocol::Dialect;
use crate::protocol::json::COMMAND_NAME_CHARS_MAX;

/// The decisions of an embedder. Each method has a default, which permits everything, so that an
/// embedder writes only those that it needs. [`Config::hooks`](crate::Config::hooks) sets them.
///
/// A hook runs in the thread of the client that it is about. While it runs, this client is not read,
/// and waits; no other client does. If it panics, the connection of this client is closed with 1011.
/// It may use the [`Requester::handle`], but must not wait for the end of the server: the server
/// waits for the hook. A hook has [`Config::hook_stack_bytes`](crate::Config::hook_stack_bytes) of
/// stack.
///
/// ```
/// use chinwag::{Config, Draft, Hooks, Requester, Verdict};
///
/// struct Filter;
///
/// impl Hooks for Filter {
///     fn message(&self, _: &Requester<'_>, draft: &Draft<'_>) -> Verdict {
///         if draft.text.contains("heck") {
///             return Verdict::Refuse("please mind your language".to_owned());
///         }
///         Verdict::Say
///     }
/// }
///
/// let config = Config::default().hooks(Filter);
/// ```
pub trait Hooks: Send + Sync {
    /// Decides whether a request may open a WebSocket, and as which user. Runs before the response.
    /// [`Requester::nickname`] is `None`.
    ///
    /// After a handshake that failed, the page asks for the reason at `/healthz?why`. This hook is
    /// called for that request, too, and its refusal is what the page shows.
    ///
    /// # Errors
    /// If it may not. The client gets the status and the sentence.
    fn admit(&self, requester: &Requester<'_>) -> Result<Admission, Refusal> {
        let _ = requester;
        Ok(Admission::default())
    }

    /// Decides whether a client may join a room, or come back to it. A plain client asks with its
    /// request, before it has a nickname. Rooms of an [`Admission`] and of
    /// [`Handle::join`] are not asked about.
    ///
    /// # Errors
    /// If it may not, with a sentence for the user. A JSON client gets the error `denied`, a plain
    /// client the status 403.
    fn join(&self, requester: &Requester<'_>, room: &RoomName) -> Result<(), String> {
        let _ = (requester, room);
        Ok(())
    }

    /// Decides whether a text may be sent, and as what. It is within the limits of length and rate.
    /// A client that repeats a request, because it got no answer, asks again.
    fn message(&self, requester: &Requester<'_>, draft: &Draft<'_>) -> Verdict {
        let _ = (requester, draft);
        Verdict::Say
    }

    /// Returns the commands of the embedder, which the page offers when a user types `/`. Runs once,
    /// when the server is bound.
    fn commands(&self) -> Vec<CommandHelp> {
        Vec::new()
    }

    /// Carries out one of the [`Hooks::commands`]. Returns a text for the user alone, if there is one.
    ///
    /// # Errors
    /// If it cannot, with a sentence for the user.
    fn command(
        &self,
        requester: &Requester<'_>,
        command: &Invocation<'_>,
    ) -> Result<Option<String>, String> {
        let _ = (requester, command);
        Ok(None)
    }
}

/// Has nothing to show.
impl fmt::Debug for dyn Hooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hooks")
    }
}

/// The client that a hook is about.
#[derive(Debug)]
#[non_exhaustive]
pub struct Requester<'a> {
    /// The id of the client.
    pub client: ClientId,
    /// The address that it connected from.
    pub address: IpAddr,
    /// The dialect that it speaks.
    pub dialect: Dialect,
    /// The request that opened the connection.
    pub request: &'a Request,
    /// Its nickname. `None` before it has one.
    pub nickname: Option<Nickname>,
    /// A handle to the server.
    pub handle: &'a Handle,
}

/// What the embedder knows about a user that it lets in. Without a nickname, a session or rooms, the
/// client chooses them.
///
/// ```
/// use chinwag::{Admission, Nickname, RoomName};
///
/// let admission = Admission::default()
///     .nickname(Nickname::parse("ana")?)
///     .session("the secret cookie of this user")
///     .rooms([RoomName::parse("kitchen")?]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Admission {
    pub(crate) nickname: Option<Nickname>,
    pub(crate) session: Option<String>,
    pub(crate) rooms: Vec<RoomName>,
}

impl Admission {
    /// Gives the client its nickname, which it cannot change. It may be a reserved one. If another
    /// user has it, a JSON client gets the error `nick_taken`, and a plain client is closed with 1013.
    #[must_use]
    pub fn nickname(mut self, nickname: Nickname) -> Self {
        self.nickname = Some(nickname);
        self
    }

    /// Gives a JSON client its session, by a secret of the user, such as a login token. All
    /// connections with the same secret are the same user: the newest replaces the one before it. It
    /// must be hard to guess, because a client can resume a session by a hash of the secret.
    #[must_use]
    pub fn session(mut self, secret: impl Into<String>) -> Self {
        self.session = Some(secret.into());
        self
    }

    /// Puts the client into these rooms, at most 16. A plain client is in the first. The client may
    /// join others, if [`Hooks::join`] permits it.
    #[must_use]
    pub fn rooms(mut self, rooms: impl IntoIterator<Item = RoomName>) -> Self {
        self.rooms = rooms.into_iter().collect();
        self
    }
}

/// The response to a request that is not let in.
///
/// ```
/// use chinwag::Refusal;
///
/// let refusal = Refusal::new(401, "Log in first.").challenge("Basic realm=\"chat\"");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub(crate) status: u16,
    pub(crate) sentence: String,
    pub(crate) challenge: Option<String>,
}

impl Refusal {
    /// Returns a response with this status and a sentence for the user. A status that is not from
    /// 400 to 599 is taken for 403.
    pub fn new(status: u16, sentence: impl Into<String>) -> Self {
        let status = if matches!(status, 400..=599) { status } else { 403 };
        Self { status, sentence: sentence.into(), challenge: None }
    }

    /// Adds the field `WWW-Authenticate` (RFC 9110, section 11.6.1), so that a browser asks for a
    /// password. A value with other characters than visible ASCII and blanks is left out.
    #[must_use]
    pub fn challenge(mut self, challenge: impl Into<String>) -> Self {
        let challenge = challenge.into();
        let is_allowed = challenge.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        self.challenge = Some(challenge).filter(|_| is_allowed);
        self
    }
}

/// A text that a client wants to send.
#[derive(Debug)]
#[non_exhaustive]
pub struct Draft<'a> {
    /// Where it goes.
    pub to: Recipient<'a>,
    /// How it is meant to be shown.
    pub kind: Kind,
    /// The text, without control characters but line feed and tab.
    pub text: &'a str,
}

/// The recipient of a [`Draft`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Recipient<'a> {
    /// All members of a room.
    Room(&'a RoomName),
    /// One user.
    User(&'a Nickname),
}

/// The decision about a text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// It is sent as it is.
    Say,
    /// This text is sent in its place, under the same limit of length.
    SayInstead(String),
    /// It is not sent. A JSON client gets the error `denied` with this sentence for the user. A plain
    /// client gets nothing: its dialect has no errors.
    Refuse(String),
    /// It is not sent, and its user is not told: the embedder has taken it. The page removes it.
    Swallow,
}

/// A command of an embedder, as the page offers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandHelp {
    pub(crate) name: String,
    pub(crate) help: String,
}

impl CommandHelp {
    /// Returns a command with its name, without the slash, and a sentence about it. Returns `None`
    /// if the name is not 1 to 32 of the characters `a` to `z`, digits, `-` and `_`.
    pub fn new(name: impl Into<String>, help: impl Into<String>) -> Option<Self> {
        let (name, help) = (name.into(), help.into());
        let is_allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_');
        let fits = (1..=COMMAND_NAME_CHARS_MAX).contains(&name.len());
        (fits && name.bytes().all(is_allowed)).then_some(Self { name, help })
    }
}

/// A command that a user has typed: `/uptime -s` has the name `uptime` and the arguments `-s`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Invocation<'a> {
    /// The name, one of [`Hooks::commands`].
    pub name: &'a str,
    /// The rest of the line, without the blanks around it.
    pub arguments: &'a str,
    /// The room in which the user typed it. The user need not be a member.
    pub room: &'a RoomName,
}

/// The hooks of a server, with what they need.
#[derive(Debug)]
pub(crate) struct ActiveHooks {
    pub(crate) hooks: Arc<dyn Hooks>,
    pub(crate) handle: Handle,
    /// The names of their commands.
    pub(crate) commands: Vec<String>,
}

impl ActiveHooks {
    /// Describes a client that has not connected yet.
    pub(crate) fn visitor<'a>(
        &'a self,
        client: ClientId,
        address: IpAddr,
        dialect: Dialect,
        request: &'a Request,
    ) -> Requester<'a> {
        Requester { client, address, dialect, request, nickname: None, handle: &self.handle }
    }
}
