//! Parses requests. Unknown members are ignored; the known ones must have the right type.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::request_error::RequestError;
use crate::chat::{
    Command, CustomCommand, Id, Kind, NewMessage, NewPrivateMessage, Nickname, Query, RoomName,
    Search, Since, Text,
};

/// Maximum number of messages in one answer to `history` or `search`, and of rooms in one to `rooms`.
pub(crate) const LIMIT_MAX: usize = 100;
/// Number of messages in an answer if the request names none.
const HISTORY_DEFAULT: usize = 50;
/// Maximum length of the name of a command of the embedder (characters).
pub(crate) const COMMAND_NAME_CHARS_MAX: usize = 32;
/// Maximum length of the parser's message in an error (characters).
const ERROR_CHARS_MAX: usize = 200;

/// The tags by which a client knows the answer to its request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct RequestTags {
    /// The member `ref`. Every direct answer carries it.
    pub(crate) reference: Option<Id>,
    /// The `id` of the message to be sent. An error carries it.
    pub(crate) id: Option<Id>,
}

/// A parsed request, or its error.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ParsedRequest {
    pub(crate) tags: RequestTags,
    pub(crate) command: Result<Command, RequestError>,
}

/// The members of all requests.
#[derive(Debug, Default, Deserialize)]
struct Members<'a> {
    #[serde(borrow, rename = "type")]
    type_name: Option<Str<'a>>,
    #[serde(borrow, rename = "ref")]
    reference: Option<Str<'a>>,
    #[serde(borrow)]
    nick: Option<Str<'a>>,
    #[serde(borrow)]
    session: Option<Str<'a>>,
    #[serde(borrow)]
    room: Option<Str<'a>>,
    #[serde(borrow)]
    epoch: Option<Str<'a>>,
    #[serde(borrow)]
    after: Option<After<'a>>,
    #[serde(borrow)]
    text: Option<Str<'a>>,
    #[serde(borrow)]
    id: Option<Str<'a>>,
    #[serde(borrow)]
    kind: Option<Str<'a>>,
    #[serde(borrow)]
    to: Option<Str<'a>>,
    #[serde(borrow)]
    query: Option<Str<'a>>,
    before: Option<u64>,
    limit: Option<u64>,
}

/// The tags of a malformed request. Each is parsed by itself, because the other may be malformed.
#[derive(Deserialize)]
struct ReferenceTag {
    #[serde(rename = "ref")]
    reference: Value,
}

#[derive(Deserialize)]
struct IdTag {
    id: Value,
}

/// A string of the frame, copied only if it has escapes. (serde always copies a `Cow` in an `Option`.)
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Str<'a>(#[serde(borrow)] Cow<'a, str>);

/// The member `after`: the number of a message, or the name of a room or a member.
#[derive(Debug)]
enum After<'a> {
    Number(u64),
    Name(Cow<'a, str>),
}

impl<'de: 'a, 'a> Deserialize<'de> for After<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AfterVisitor)
    }
}

struct AfterVisitor;

impl<'de> Visitor<'de> for AfterVisitor {
    type Value = After<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a name")
    }

    fn visit_u64<E>(self, number: u64) -> Result<After<'de>, E> {
        Ok(After::Number(number))
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<After<'de>, E> {
        Ok(After::Name(name.into()))
    }

    fn visit_str<E>(self, name: &str) -> Result<After<'de>, E> {
        Ok(After::Name(name.to_owned().into()))
    }
}

impl Deref for Str<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Parses a text frame. `text_bytes_max` is the maximum length of a text in it.
pub(crate) fn parse(frame: &str, text_bytes_max: usize) -> ParsedRequest {
    // serde would take an array of the values for an object.
    if !frame.trim_start().starts_with('{') {
        let error = RequestError::BadRequest("a request is a JSON object".into());
        return ParsedRequest { tags: RequestTags::default(), command: Err(error) };
    }
    match serde_json::from_str::<Members<'_>>(frame) {
        Ok(members) => {
            let tags = RequestTags::read(members.reference.as_deref(), members.id.as_deref());
            let command = members.command(&tags, text_bytes_max);
            ParsedRequest { tags, command }
        }
        Err(error) => malformed(frame, &error),
    }
}

/// Returns the error for a frame that is not a request, with the tags that can be read.
// Stack pages: see ARCHITECTURE.
#[cold]
#[inline(never)]
fn malformed(frame: &str, error: &serde_json::Error) -> ParsedRequest {
    let reference = serde_json::from_str(frame).map(|it: ReferenceTag| it.reference);
    let id = serde_json::from_str(frame).map(|it: IdTag| it.id);
    let (reference, id) = (reference.unwrap_or_default(), id.unwrap_or_default());
    // The message may quote a long value.
    let error: String = error.to_string().chars().take(ERROR_CHARS_MAX).collect();
    let error = RequestError::BadRequest(format!("this is no request: {error}"));
    ParsedRequest { tags: RequestTags::read(reference.as_str(), id.as_str()), command: Err(error) }
}

impl RequestTags {
    fn read(reference: Option<&str>, id: Option<&str>) -> Self {
        Self { reference: reference.and_then(Id::parse), id: id.and_then(Id::parse) }
    }
}

fn no_such_nick(name: &str) -> RequestError {
    RequestError::NoSuchNick(name.chars().take(64).collect())
}

fn invalid_id(member: &str) -> RequestError {
    RequestError::BadRequest(format!("{member} is 1 to 64 visible ASCII characters"))
}

impl Members<'_> {
    // Stack pages: see ARCHITECTURE.
    #[inline(never)]
    fn command(&self, tags: &RequestTags, text_bytes_max: usize) -> Result<Command, RequestError> {
        if self.reference.is_some() && tags.reference.is_none() {
            return Err(invalid_id("ref"));
        }
        Ok(match self.required("type", &self.type_name)? {
            "hello" => Command::Hello {
                wish: self.nick.as_deref().and_then(|nick| Nickname::parse(nick).ok()),
                session: self.session.as_deref().and_then(|session| session.parse().ok()),
            },
            "join" => Command::Join { room: self.room()?, since: self.since()? },
            "part" => Command::Part { room: self.room()? },
            "say" => Command::Say(NewMessage {
                room: self.room()?,
                text: self.text(text_bytes_max)?,
                id: self.id(tags)?,
                kind: self.kind()?,
            }),
            "tell" => {
                let (id, to) = (self.id(tags)?, self.required("to", &self.to)?);
                let to = Nickname::parse_any(to).map_err(|_| no_such_nick(to))?;
                Command::Tell(NewPrivateMessage { to, text: self.text(text_bytes_max)?, id })
            }
            "nick" => Command::Nick {
                nickname: Nickname::parse(self.required("nick", &self.nick)?)
                    .map_err(RequestError::NickInvalid)?,
            },
            "typing" => Command::Typing { room: self.room()? },
            "history" => {
                let limit = self.limit(HISTORY_DEFAULT)?;
                Command::History { room: self.room()?, before: self.before, limit }
            }
            "search" => Command::Search(Box::new(Search {
                query: Query::parse(self.required("query", &self.query)?)
                    .map_err(RequestError::Query)?,
                room: self.room.is_some().then(|| self.room()).transpose()?,
                before: self.before,
                limit: self.limit(HISTORY_DEFAULT)?,
            })),
            "rooms" => {
                // A history may have room names that only earlier versions allowed.
                let room =
                    |name: &str| RoomName::recorded(name).map_err(|_| RequestError::RoomInvalid);
                let after = self.after_name()?.map(room).transpose()?;
                Command::Rooms { after, limit: self.limit(LIMIT_MAX)? }
            }
            "members" => {
                let member = |name: &str| Nickname::parse_any(name).map_err(|_| no_such_nick(name));
                let after = self.after_name()?.map(member).transpose()?;
                Command::Members { room: self.room()?, after }
            }
            "command" => {
                self.id(tags)?;
                Command::Custom(Box::new(self.custom_command(text_bytes_max)?))
            }
            "ping" => Command::Ping,
            other => return Err(RequestError::UnknownType(other.chars().take(64).collect())),
        })
    }

    #[cold]
    fn custom_command(&self, text_bytes_max: usize) -> Result<CustomCommand, RequestError> {
        let text = self.text(text_bytes_max)?;
        let line = text.as_str().trim_start();
        let (name, arguments) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let arguments =
            Text::parse(arguments.trim(), text_bytes_max).map_err(RequestError::TooLong)?;
        // No command has a longer name.
        let name = name.chars().take(COMMAND_NAME_CHARS_MAX + 1).collect();
        Ok(CustomCommand { room: self.room()?, name, arguments })
    }

    fn required<'b>(
        &self,
        member: &str,
        value: &'b Option<Str<'_>>,
    ) -> Result<&'b str, RequestError> {
        value
            .as_deref()
            .ok_or_else(|| RequestError::BadRequest(format!("the member {member} is missing")))
    }

    fn room(&self) -> Result<RoomName, RequestError> {
        RoomName::parse(self.required("room", &self.room)?).map_err(|_| RequestError::RoomInvalid)
    }

    /// Returns `epoch` and `after`; `None` if either is missing.
    fn since(&self) -> Result<Option<Since>, RequestError> {
        let after = match &self.after {
            None => None,
            Some(After::Number(after)) => Some(*after),
            Some(After::Name(_)) => {
                return Err(RequestError::BadRequest("after is the number of a message".into()));
            }
        };
        let epoch = self.epoch.as_deref().map(str::to_owned);
        Ok(epoch.zip(after).map(|(epoch, after)| Since { epoch, after }))
    }

    fn after_name(&self) -> Result<Option<&str>, RequestError> {
        match &self.after {
            None => Ok(None),
            Some(After::Name(name)) => Ok(Some(name)),
            Some(After::Number(_)) => Err(RequestError::BadRequest("after is a name".into())),
        }
    }

    /// Returns the required id of a message.
    fn id(&self, tags: &RequestTags) -> Result<Id, RequestError> {
        self.required("id", &self.id)?;
        tags.id.clone().ok_or_else(|| invalid_id("id"))
    }

    fn text(&self, bytes_max: usize) -> Result<Text, RequestError> {
        match Text::parse(self.required("text", &self.text)?, bytes_max) {
            Err(error) => Err(RequestError::TooLong(error)),
            Ok(text) if text.is_blank() => Err(RequestError::Empty),
            Ok(text) => Ok(text),
        }
    }

    fn kind(&self) -> Result<Kind, RequestError> {
        match self.kind.as_deref() {
            None | Some("say") => Ok(Kind::Say),
            Some("me") => Ok(Kind::Me),
            Some(_) => Err(RequestError::BadRequest("kind is say or me".into())),
        }
    }

    fn limit(&self, default: usize) -> Result<usize, RequestError> {
        let limit = self.limit.map_or(Some(default), |limit| usize::try_from(limit).ok());
        let fits = |limit: &usize| (1..=LIMIT_MAX).contains(limit);
        limit.filter(fits).ok_or_else(|| RequestError::BadRequest("limit is 1 to 100".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strings_with_escapes_are_copied() {
        let frame = r#"{"type":"say","text":"a\nb"}"#;
        let members: Members<'_> = serde_json::from_str(frame).unwrap();
        assert!(matches!(members.type_name, Some(Str(Cow::Borrowed("say")))));
        assert!(matches!(members.text, Some(Str(Cow::Owned(text))) if text == "a\nb"));
    }
}
