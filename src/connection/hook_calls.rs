//! Asks the hooks of the embedder about the texts and requests of one client.

use std::net::IpAddr;
use std::sync::Arc;

use crossbeam_channel::{Sender, bounded};

use crate::broadcaster::event::Request;
use crate::broadcaster::inbox::Input;
use crate::broadcaster::outbox::{Identity, Outbox};
use crate::chat::{ClientId, Command, CustomCommand, Kind, Nickname, Text};
use crate::hooks::{ActiveHooks, Draft, Invocation, Recipient, Requester, Verdict};
use crate::protocol::Dialect;
use crate::protocol::json::RequestError;

/// The hooks, with what they are told about the client of this connection.
pub(super) struct HookCalls<'a> {
    active: &'a ActiveHooks,
    client: ClientId,
    address: IpAddr,
    dialect: Dialect,
    request: Arc<Request>,
    outbox: Arc<Outbox>,
    text_bytes_max: usize,
}

impl<'a> HookCalls<'a> {
    pub(super) fn new(
        active: &'a ActiveHooks,
        upgraded: &super::UpgradedConnection<'_>,
        text_bytes_max: usize,
    ) -> Self {
        Self {
            active,
            client: upgraded.client,
            address: upgraded.address,
            dialect: upgraded.handshake.dialect(),
            request: upgraded.request.clone(),
            outbox: upgraded.outbox.clone(),
            text_bytes_max,
        }
    }

    /// Returns whether the user of the client is not known here yet. It may have said hello a moment
    /// ago.
    pub(super) fn lacks_identity(&self) -> bool {
        self.outbox.identity().is_none()
    }

    /// Waits until the broadcaster has taken everything that was sent to it.
    pub(super) fn wait_for_broadcaster(inbox: &Sender<Input>) {
        let (probe, taken) = bounded(1);
        if inbox.send(Input::Probe(probe)).is_ok() {
            let _ = taken.recv();
        }
    }

    /// Returns the text of a plain client as it may be sent, or `None` if it may not.
    #[inline(never)]
    pub(super) fn decide_text(&self, text: Text) -> Option<Text> {
        let Some(Identity { nickname, plain_room: Some(room) }) = self.outbox.identity() else {
            // The chat refuses the client, or it is in no room.
            return Some(text);
        };
        let to = Recipient::Room(&room);
        match self.message(Some(nickname), to, Kind::Say, &text) {
            Verdict::Say => Some(text),
            Verdict::SayInstead(other) => Text::parse(&other, self.text_bytes_max).ok(),
            Verdict::Refuse(_) | Verdict::Swallow => None,
        }
    }

    /// Returns the command that is carried out in place of one.
    ///
    /// # Errors
    /// If a hook refuses it.
    #[inline(never)]
    pub(super) fn decide(&self, command: Command) -> Result<Command, RequestError> {
        let nickname = self.outbox.identity().map(|identity| identity.nickname);
        match command {
            Command::Join { room, since } => {
                let joined = self.active.hooks.join(&self.requester(nickname), &room);
                joined.map_err(RequestError::Denied)?;
                Ok(Command::Join { room, since })
            }
            Command::Say(mut message) => {
                let to = Recipient::Room(&message.room);
                let verdict = self.message(nickname, to, message.kind, &message.text);
                let Some(text) = self.carry_out(verdict, message.text)? else {
                    return Ok(Command::Handled { text: None });
                };
                message.text = text;
                Ok(Command::Say(message))
            }
            Command::Tell(mut message) => {
                let to = Recipient::User(&message.to);
                let verdict = self.message(nickname, to, Kind::Say, &message.text);
                let Some(text) = self.carry_out(verdict, message.text)? else {
                    return Ok(Command::Handled { text: None });
                };
                message.text = text;
                Ok(Command::Tell(message))
            }
            Command::Custom(custom) if self.active.commands.contains(&custom.name) => {
                let CustomCommand { room, name, arguments } = &*custom;
                let invocation = Invocation { name, arguments: arguments.as_str(), room };
                let answer = self.active.hooks.command(&self.requester(nickname), &invocation);
                let text = answer.map_err(RequestError::Denied)?;
                let parse = |text: String| Text::parse(&text, self.text_bytes_max);
                let text = text.map(parse).transpose().map_err(RequestError::TooLong)?;
                Ok(Command::Handled { text })
            }
            other => Ok(other),
        }
    }

    /// Returns the text to send, or `None` if the embedder has taken it.
    fn carry_out(&self, verdict: Verdict, text: Text) -> Result<Option<Text>, RequestError> {
        match verdict {
            Verdict::Say => Ok(Some(text)),
            Verdict::SayInstead(other) => match Text::parse(&other, self.text_bytes_max) {
                Ok(other) if other.is_blank() => Err(RequestError::Empty),
                other => other.map(Some).map_err(RequestError::TooLong),
            },
            Verdict::Refuse(sentence) => Err(RequestError::Denied(sentence)),
            Verdict::Swallow => Ok(None),
        }
    }

    fn message(
        &self,
        nickname: Option<Nickname>,
        to: Recipient<'_>,
        kind: Kind,
        text: &Text,
    ) -> Verdict {
        let draft = Draft { to, kind, text: text.as_str() };
        self.active.hooks.message(&self.requester(nickname), &draft)
    }

    fn requester(&self, nickname: Option<Nickname>) -> Requester<'_> {
        let Self { active, client, address, dialect, request, .. } = self;
        Requester { nickname, ..active.visitor(*client, *address, *dialect, request) }
    }
}
