//! Rejections of requests: the status, a sentence for the user, and the level in the log.

use std::borrow::Cow;

use http::StatusCode;
use http::header::{COOKIE, HeaderName};
use log::Level;

use super::response::{ALLOWED_METHODS, PLAIN_TEXT, response};
use crate::hooks::Refusal;

/// The reason why a request is rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The head is not HTTP/1.x, or contradicts itself.
    Malformed(&'static str),
    /// The `Origin` is not allowed.
    ForeignOrigin,
    /// The path does not exist.
    NotFound,
    /// The path is not below that of the server.
    OutsidePath,
    /// The server has no page.
    NoPage,
    /// Other machines cannot reach this server at any address.
    Unreachable,
    /// The method is not GET, HEAD or OPTIONS.
    MethodNotAllowed,
    /// The head did not arrive in time.
    RequestTimeout,
    /// The request has a body.
    HasBody,
    /// The `Host` is not a name of this server.
    ForeignHost,
    /// The version of WebSocket is not 13.
    WebSocketVersion,
    /// The head is larger than 16 KiB. `largest` is its largest field, or `None` for the target.
    HeadTooLarge { largest: Option<HeaderName> },
    /// The head has more than 100 fields.
    TooManyFields,
    /// A limit is reached, or a part of the server does not respond.
    Full(&'static str),
    /// The embedder has banned the address.
    Banned,
    /// A hook of the embedder refuses the request.
    Refused(Box<Refusal>),
    /// A hook of the embedder panicked.
    HookPanicked,
}

impl Rejection {
    pub(crate) fn status(&self) -> (u16, &'static str) {
        match self {
            Self::Malformed(_) => (400, "Bad Request"),
            Self::ForeignOrigin => (403, "Forbidden"),
            Self::NotFound | Self::OutsidePath | Self::NoPage | Self::Unreachable => {
                (404, "Not Found")
            }
            Self::MethodNotAllowed => (405, "Method Not Allowed"),
            Self::RequestTimeout => (408, "Request Timeout"),
            Self::HasBody => (413, "Content Too Large"),
            Self::ForeignHost => (421, "Misdirected Request"),
            Self::WebSocketVersion => (426, "Upgrade Required"),
            Self::HeadTooLarge { .. } | Self::TooManyFields => {
                (431, "Request Header Fields Too Large")
            }
            Self::Full(_) => (503, "Service Unavailable"),
            Self::Banned => (403, "Forbidden"),
            Self::Refused(refusal) => {
                let status = StatusCode::from_u16(refusal.status).ok();
                let phrase = status.and_then(|status| status.canonical_reason());
                (refusal.status, phrase.unwrap_or("Refused"))
            }
            Self::HookPanicked => (500, "Internal Server Error"),
        }
    }

    /// Returns a sentence for the user, without anything of the request.
    pub(crate) fn reason(&self) -> &str {
        match self {
            Self::Malformed(sentence) | Self::Full(sentence) => sentence,
            Self::ForeignOrigin => {
                "Pages of another host may not talk to this server; --allow-origin permits one."
            }
            Self::NotFound => "There is nothing here. The chat is at /.",
            Self::OutsidePath => "There is nothing here. The chat is below another path.",
            Self::NoPage => "This server has no page. It serves WebSocket clients.",
            Self::Unreachable => {
                "Others have no way in: this server is on no network, or listens on loopback alone."
            }
            Self::MethodNotAllowed => "Only GET, HEAD and OPTIONS are answered here.",
            Self::RequestTimeout => "The request did not come in time.",
            Self::HasBody => "Requests have no body here.",
            Self::ForeignHost => {
                "This server does not go by that name; --host-name gives it another."
            }
            Self::Banned => "This server has banned your address.",
            Self::Refused(refusal) => &refusal.sentence,
            Self::HookPanicked => "The program around this server failed.",
            Self::WebSocketVersion => "Only version 13 of WebSocket is spoken here.",
            Self::HeadTooLarge { .. } => "The head of a request has at most 16 KiB here.",
            Self::TooManyFields => "The head of a request has at most 100 fields here.",
        }
    }

    /// Returns the level of its line in the log. Browsers request files that do not exist, which an
    /// operator need not see.
    pub(crate) fn level(&self) -> Level {
        match self {
            Self::Full(_) | Self::HookPanicked => Level::Warn,
            Self::NotFound | Self::OutsidePath | Self::NoPage | Self::Unreachable => Level::Debug,
            _ => Level::Info,
        }
    }

    fn sentence(&self) -> String {
        let reason = self.reason();
        match self {
            Self::HeadTooLarge { largest: Some(name) } if *name == COOKIE => format!(
                "{reason} The largest part of this one is Cookie: delete the cookies of this host \
                 in the browser, or open the page by another name or the address of this machine."
            ),
            Self::HeadTooLarge { largest: Some(name) } => {
                format!("{reason} The largest part of this one is the field {name}.")
            }
            Self::HeadTooLarge { largest: None } => {
                format!("{reason} The largest part of this one is its target.")
            }
            _ => reason.to_owned(),
        }
    }

    fn fields(&self) -> Cow<'static, str> {
        let fixed = match self {
            Self::Refused(refusal) => match &refusal.challenge {
                Some(challenge) => return format!("WWW-Authenticate: {challenge}\r\n").into(),
                None => "",
            },
            Self::MethodNotAllowed => ALLOWED_METHODS,
            Self::WebSocketVersion => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            Self::Full(_) => "Retry-After: 5\r\n",
            _ => "",
        };
        fixed.into()
    }

    /// Returns the complete response, with a sentence for the user.
    pub(crate) fn response(&self, is_head: bool) -> Vec<u8> {
        let (code, phrase) = self.status();
        let sentence = format!("{}\n", self.sentence());
        response(&format!("{code} {phrase}"), &self.fields(), PLAIN_TEXT, &sentence, is_head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head_and_body(rejection: &Rejection, is_head: bool) -> (String, String) {
        let response = String::from_utf8(rejection.response(is_head)).unwrap();
        let (head, body) = response.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    #[test]
    fn a_response_is_complete() {
        let (head, body) = head_and_body(&Rejection::MethodNotAllowed, false);
        assert!(head.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
        assert!(head.contains("Allow: GET, HEAD, OPTIONS\r\n"));
        assert!(head.ends_with("Connection: close"));
    }

    #[test]
    fn the_response_to_head_has_no_body() {
        let (head, body) = head_and_body(&Rejection::NotFound, true);
        assert!(head.contains("Content-Length: 4"));
        assert_eq!(body, "");
    }
}
