//! What a client asks for: an object, read strictly where it matters and forgivingly elsewhere.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::event::{RequestError, RequestTags};
use crate::chat::{
    Command, Id, Kind, NewMessage, NewPrivateMessage, Nickname, Query, RoomName, Search, Since,
    Text,
};

/// The most messages in one answer to `history` or `search`, and the most rooms in one to `rooms`.
const LIMIT_MAX: usize = 100;
/// So many messages without a wish.
const HISTORY_DEFAULT: usize = 50;
/// The most characters of what the parser has to say.
const ERROR_CHARS_MAX: usize = 200;

/// A request, as far as it could be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) tags: RequestTags,
    pub(crate) command: Result<Command, RequestError>,
}

/// All members that any request has. Members that are unknown are ignored.
#[derive(Debug, Default, Deserialize)]
struct Members<'a> {
    #[serde(borrow, rename = "type")]
    kind_of_request: Option<Words<'a>>,
    #[serde(borrow, rename = "ref")]
    reference: Option<Words<'a>>,
    #[serde(borrow)]
    nick: Option<Words<'a>>,
    #[serde(borrow)]
    session: Option<Words<'a>>,
    #[serde(borrow)]
    room: Option<Words<'a>>,
    #[serde(borrow)]
    epoch: Option<Words<'a>>,
    #[serde(borrow)]
    after: Option<After<'a>>,
    #[serde(borrow)]
    text: Option<Words<'a>>,
    #[serde(borrow)]
    id: Option<Words<'a>>,
    #[serde(borrow)]
    kind: Option<Words<'a>>,
    #[serde(borrow)]
    to: Option<Words<'a>>,
    #[serde(borrow)]
    query: Option<Words<'a>>,
    before: Option<u64>,
    limit: Option<u64>,
}

/// What is read of a request that is none, each by itself: one may be spoilt.
#[derive(Deserialize)]
struct Reference {
    #[serde(rename = "ref")]
    reference: Value,
}

#[derive(Deserialize)]
struct Name {
    id: Value,
}

/// A string as it is written, copied only where it has escapes. (Of a `Cow` in an `Option`, serde
/// makes a copy each time.)
#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Words<'a>(#[serde(borrow)] Cow<'a, str>);

/// Where something goes on: behind a message, a room or a member.
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

impl Deref for Words<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Reads a text frame. A text in it has at most `text_bytes_max` bytes.
pub(crate) fn parse(frame: &str, text_bytes_max: usize) -> Asked {
    // An array of all the values would pass for one.
    if !frame.trim_start().starts_with('{') {
        let problem = RequestError::BadRequest("a request is a JSON object".into());
        return Asked { tags: RequestTags::default(), command: Err(problem) };
    }
    match serde_json::from_str::<Members<'_>>(frame) {
        Ok(members) => {
            let tags = RequestTags::read(members.reference.as_deref(), members.id.as_deref());
            let command = members.command(&tags, text_bytes_max);
            Asked { tags, command }
        }
        Err(error) => spoilt(frame, &error),
    }
}

/// What can be said of a frame that is no request.
// Out of the frame of its caller on the stack, as what follows below is: a thread keeps the pages of
// its stack that were once touched.
#[cold]
#[inline(never)]
fn spoilt(frame: &str, error: &serde_json::Error) -> Asked {
    let reference = serde_json::from_str(frame).map(|it: Reference| it.reference);
    let id = serde_json::from_str(frame).map(|it: Name| it.id);
    let (reference, id) = (reference.unwrap_or_default(), id.unwrap_or_default());
    // It may quote a value, which may be long.
    let error: String = error.to_string().chars().take(ERROR_CHARS_MAX).collect();
    let problem = RequestError::BadRequest(format!("this is no request: {error}"));
    Asked { tags: RequestTags::read(reference.as_str(), id.as_str()), command: Err(problem) }
}

impl RequestTags {
    fn read(reference: Option<&str>, id: Option<&str>) -> Self {
        Self { reference: reference.and_then(Id::parse), id: id.and_then(Id::parse) }
    }
}

fn nobody(name: &str) -> RequestError {
    RequestError::NoSuchNick(name.chars().take(64).collect())
}

fn no_id(member: &str) -> RequestError {
    RequestError::BadRequest(format!("{member} is 1 to 64 visible ASCII characters"))
}

impl Members<'_> {
    #[inline(never)]
    fn command(&self, tags: &RequestTags, text_bytes_max: usize) -> Result<Command, RequestError> {
        if self.reference.is_some() && tags.reference.is_none() {
            return Err(no_id("ref"));
        }
        Ok(match self.needed("type", &self.kind_of_request)? {
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
                let (id, to) = (self.id(tags)?, self.needed("to", &self.to)?);
                let to = Nickname::parse_any(to).map_err(|_| nobody(to))?;
                Command::Tell(NewPrivateMessage { to, text: self.text(text_bytes_max)?, id })
            }
            "nick" => Command::Nick {
                nickname: Nickname::parse(self.needed("nick", &self.nick)?)
                    .map_err(RequestError::NickInvalid)?,
            },
            "typing" => Command::Typing { room: self.room()? },
            "history" => {
                let limit = self.limit(HISTORY_DEFAULT)?;
                Command::History { room: self.room()?, before: self.before, limit }
            }
            "search" => Command::Search(Search {
                query: Query::parse(self.needed("query", &self.query)?)
                    .map_err(RequestError::Query)?,
                room: self.room.is_some().then(|| self.room()).transpose()?,
                before: self.before,
                limit: self.limit(HISTORY_DEFAULT)?,
            }),
            "rooms" => {
                // Rooms of a history may have names that an earlier version took.
                let room =
                    |name: &str| RoomName::recorded(name).map_err(|_| RequestError::RoomInvalid);
                let after = self.after_name()?.map(room).transpose()?;
                Command::Rooms { after, limit: self.limit(LIMIT_MAX)? }
            }
            "members" => {
                let member = |name: &str| Nickname::parse_any(name).map_err(|_| nobody(name));
                let after = self.after_name()?.map(member).transpose()?;
                Command::Members { room: self.room()?, after }
            }
            "ping" => Command::Ping,
            other => return Err(RequestError::UnknownType(other.chars().take(64).collect())),
        })
    }

    fn needed<'b>(
        &self,
        member: &str,
        value: &'b Option<Words<'_>>,
    ) -> Result<&'b str, RequestError> {
        value
            .as_deref()
            .ok_or_else(|| RequestError::BadRequest(format!("the member {member} is missing")))
    }

    fn room(&self) -> Result<RoomName, RequestError> {
        RoomName::parse(self.needed("room", &self.room)?).map_err(|_| RequestError::RoomInvalid)
    }

    /// Half of it names nothing.
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

    /// The one that the answer is tagged with.
    fn id(&self, tags: &RequestTags) -> Result<Id, RequestError> {
        self.needed("id", &self.id)?;
        tags.id.clone().ok_or_else(|| no_id("id"))
    }

    fn text(&self, bytes_max: usize) -> Result<Text, RequestError> {
        match Text::parse(self.needed("text", &self.text)?, bytes_max) {
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
    fn only_what_has_escapes_is_copied() {
        let frame = r#"{"type":"say","text":"a\nb"}"#;
        let members: Members<'_> = serde_json::from_str(frame).unwrap();
        assert!(matches!(members.kind_of_request, Some(Words(Cow::Borrowed("say")))));
        assert!(matches!(members.text, Some(Words(Cow::Owned(text))) if text == "a\nb"));
    }
}
