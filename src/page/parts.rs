//! What the page is made of, and the answer that carries a part.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;

use tiny_http::{Header, Response};

/// A part of the page, embedded in the program.
pub(super) struct Part {
    pub(super) path: &'static str,
    content: &'static [u8],
}

macro_rules! parts {
    ($($name:literal),+ $(,)?) => {
        &[
            Part { path: "/", content: include_bytes!("../../web/index.html") },
            Part { path: "/healthz", content: b"ok\n" },
            $(Part { path: concat!("/", $name), content: include_bytes!(concat!("../../web/", $name)) }),+
        ]
    };
}

pub(super) const PARTS: &[Part] = parts![
    "composer.js",
    "connection.js",
    "icon.svg",
    "main.js",
    "nickname.js",
    "outgoing.js",
    "plain.js",
    "storage.js",
    "style.css",
    "timeline.js",
];

impl Part {
    fn content_type(&self) -> &'static str {
        match self.path.rsplit_once('.') {
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ if self.path == "/" => "text/html; charset=utf-8",
            _ => "text/plain; charset=utf-8",
        }
    }
}

/// Answers one request. Whoever asked may have gone; that is no error.
pub(super) fn respond(request: tiny_http::Request) {
    let Some(part) = PARTS.iter().find(|part| part.path == request.url()) else {
        // The door lets nobody in who asks for what there is not.
        let _ = request.respond(Response::empty(404));
        return;
    };
    let etag = etag(part.content);
    let known = field(&request, "If-None-Match").is_some_and(|tags| lists(tags, &etag));
    let policy = content_security_policy(field(&request, "Host").unwrap_or_default());
    let (status, content) = if known { (304, &b""[..]) } else { (200, part.content) };
    let response = Response::from_data(content).with_chunked_threshold(usize::MAX);
    let _ = request.respond(with_fields(
        response,
        status,
        &[
            ("Content-Type", part.content_type()),
            ("Content-Security-Policy", &policy),
            ("ETag", &etag),
            // Kept, and asked for again each time: a new version shows at once.
            ("Cache-Control", "no-cache"),
        ],
    ));
}

fn with_fields<R: io::Read>(
    mut response: Response<R>,
    status: u16,
    fields: &[(&str, &str)],
) -> Response<R> {
    const ALWAYS: [(&str, &str); 3] = [
        ("Server", "chinwag"),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    ];
    for (name, value) in ALWAYS.iter().chain(fields) {
        let field = Header::from_bytes(*name, *value);
        response.add_header(field.expect("the names and values of fields are ASCII"));
    }
    response.with_status_code(status)
}

fn field<'a>(request: &'a tiny_http::Request, name: &'static str) -> Option<&'a str> {
    let found = request.headers().iter().find(|header| header.field.equiv(name));
    found.map(|header| header.value.as_str())
}

/// Everything from here, nothing from elsewhere, nothing inline. The WebSocket is named beside
/// `'self'` for browsers that take that to mean http only.
fn content_security_policy(host: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self' ws://{host} wss://{host}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

/// Changes with the content; nothing else is asked of it.
fn etag(content: &[u8]) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// Whether a list of entity tags has this one (RFC 9110, section 13.1.2).
fn lists(tags: &str, etag: &str) -> bool {
    tags.split(',').map(str::trim).any(|tag| tag == "*" || tag.trim_start_matches("W/") == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_page_is_embedded() {
        for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/web")).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let path = if name == "index.html" { "/".to_owned() } else { format!("/{name}") };
            assert!(PARTS.iter().any(|part| part.path == path), "{path}");
        }
    }
    #[test]
    fn a_new_version_has_another_tag() {
        let tags = [etag(b"ok\n"), etag(b"ok!\n")];
        assert_ne!(tags[0], tags[1]);
        for tag in tags {
            assert!(tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
        }
    }
}
