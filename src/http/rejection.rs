//! The short answers of the door: complete, and with a sentence that says what was wrong.

use http::header::{COOKIE, HeaderName};
use log::Level;

use super::response::{METHODS, answer};

/// Why a request is not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Rejection {
    /// The head is not HTTP/1.x, or says two things at once.
    Malformed(&'static str),
    /// The `Origin` is a stranger's.
    ForeignOrigin,
    /// Nothing is here under that path.
    NotFound,
    /// This server has no address that others could use.
    NoWayIn,
    /// None of GET, HEAD and OPTIONS.
    Method,
    /// The head did not come in time.
    TooLate,
    /// There is a body, or one is announced.
    Body,
    /// The `Host` is not ours.
    ForeignHost,
    /// The version of WebSocket is not 13.
    Version,
    /// The head is larger than 16 KiB. Most of it is in this field, or in the target.
    HeadTooLarge { largest: Option<HeaderName> },
    /// The head has more than 100 fields.
    TooManyFields,
    /// There is no room for one more.
    Full(&'static str),
}

impl Rejection {
    pub(crate) fn status(&self) -> (u16, &'static str) {
        match self {
            Self::Malformed(_) => (400, "Bad Request"),
            Self::ForeignOrigin => (403, "Forbidden"),
            Self::NotFound | Self::NoWayIn => (404, "Not Found"),
            Self::Method => (405, "Method Not Allowed"),
            Self::TooLate => (408, "Request Timeout"),
            Self::Body => (413, "Content Too Large"),
            Self::ForeignHost => (421, "Misdirected Request"),
            Self::Version => (426, "Upgrade Required"),
            Self::HeadTooLarge { .. } | Self::TooManyFields => {
                (431, "Request Header Fields Too Large")
            }
            Self::Full(_) => (503, "Service Unavailable"),
        }
    }

    /// For a person, without anything of the request.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(sentence) | Self::Full(sentence) => sentence,
            Self::ForeignOrigin => {
                "Pages of another host may not talk to this server; --allow-origin permits one."
            }
            Self::NotFound => "There is nothing here. The chat is at /.",
            Self::NoWayIn => {
                "Others have no way in: this server is on no network, or listens on loopback alone."
            }
            Self::Method => "Only GET, HEAD and OPTIONS are answered here.",
            Self::TooLate => "The request did not come in time.",
            Self::Body => "Requests have no body here.",
            Self::ForeignHost => {
                "This server does not go by that name; --host-name gives it another."
            }
            Self::Version => "Only version 13 of WebSocket is spoken here.",
            Self::HeadTooLarge { .. } => "The head of a request has at most 16 KiB here.",
            Self::TooManyFields => "The head of a request has at most 100 fields here.",
        }
    }

    /// Returns the level of its line in the log. Browsers look for files that do not exist, which is
    /// no refusal to an operator.
    pub(crate) fn level(&self) -> Level {
        match self {
            Self::Full(_) => Level::Warn,
            Self::NotFound | Self::NoWayIn => Level::Debug,
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

    fn field(&self) -> &'static str {
        match self {
            Self::Method => METHODS,
            Self::Version => "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            Self::Full(_) => "Retry-After: 5\r\n",
            _ => "",
        }
    }

    /// The whole answer, with a sentence for a person.
    pub(crate) fn answer(&self, to_head: bool) -> Vec<u8> {
        let (code, phrase) = self.status();
        let sentence = format!("{}\n", self.sentence());
        let kind = "text/plain; charset=utf-8";
        answer(&format!("{code} {phrase}"), self.field(), kind, &sentence, to_head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(refusal: &Rejection, to_head: bool) -> (String, String) {
        let answer = String::from_utf8(refusal.answer(to_head)).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.to_owned(), body.to_owned())
    }

    #[test]
    fn an_answer_is_complete() {
        let (head, body) = parts(&Rejection::Method, false);
        assert!(head.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"));
        assert!(head.contains(&format!("Content-Length: {}\r\n", body.len())));
        assert!(head.contains("Allow: GET, HEAD, OPTIONS\r\n"));
        assert!(head.ends_with("Connection: close"));
    }

    #[test]
    fn head_gets_no_body() {
        let (head, body) = parts(&Rejection::NotFound, true);
        assert!(head.contains("Content-Length: 4"));
        assert_eq!(body, "");
    }
}
