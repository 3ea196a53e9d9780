//! Encodes notices and errors as JSON.

use serde::Serialize;
use serde_json::{to_string, to_writer};

use super::event::{Event, ServerInfo};
use super::request::RequestTags;
use super::request_error::RequestError;
use crate::chat::{Id, Notice};

/// Appends a notice without tags to `text`. Every message takes this path, so it has to be fast.
pub(crate) fn write(notice: &Notice, server: &ServerInfo, text: &mut Vec<u8>) {
    to_writer(text, &Event::of(notice, server)).expect(INFALLIBLE);
}

/// Encodes a notice without tags.
pub(crate) fn render(notice: &Notice, server: &ServerInfo) -> String {
    json(&Event::of(notice, server))
}

/// Encodes the direct answer to a request, with its tags.
pub(crate) fn reply(notice: &Notice, tags: &RequestTags, server: &ServerInfo) -> String {
    tagged(Event::of(notice, server), tags)
}

/// Encodes the error for a request that is malformed, or above the rate limit.
pub(crate) fn error(error: &RequestError, tags: &RequestTags) -> String {
    let retry_ms = match error {
        RequestError::RateLimited { retry_ms } => Some(*retry_ms),
        _ => None,
    };
    let (code, message) = (error.code(), error.to_string());
    tagged(Event::Error { code, message, id: None, retry_ms }, tags)
}

fn tagged<'a>(mut event: Event<'a>, tags: &'a RequestTags) -> String {
    if let Event::Error { id, .. } | Event::Handled { id, .. } = &mut event {
        *id = tags.id.as_ref().map(Id::as_str);
    }
    match &tags.reference {
        Some(reference) => json(&Reply { event, reference: reference.as_str() }),
        None => json(&event),
    }
}

/// Why encoding an event does not fail.
const INFALLIBLE: &str = "events have string keys, strings are UTF-8, and memory takes all";

fn json(event: &impl Serialize) -> String {
    to_string(event).expect(INFALLIBLE)
}

#[derive(Serialize)]
struct Reply<'a> {
    #[serde(flatten)]
    event: Event<'a>,
    #[serde(rename = "ref")]
    reference: &'a str,
}
