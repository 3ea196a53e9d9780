//! Parses one request head, checks it, and finds the route of the request.

use std::sync::Arc;

use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, HeaderMap, HeaderName, HeaderValue,
    IF_NONE_MATCH, ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING, UPGRADE,
};
use http::{Method, Version};
use tungstenite::handshake::server::{Request, Response, create_response};

use super::host_policy::HostPolicy;
use super::query::{JoinParams, param};
use super::rejection::Rejection;
use crate::broadcaster::event::Request as ClientRequest;
use crate::chat::RoomName;
use crate::net::base_path::BasePath;
use crate::net::host::{HostName, Origin};
use crate::protocol::{Handshake, json};

/// Maximum size of a head (bytes). Browsers send the cookies of every service of this machine, of all
/// ports, and these alone can have over 8 KiB.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// Maximum number of fields in a head.
const FIELDS_MAX: usize = 100;
/// Number of fields for which memory is allocated at once: as many as browsers send. glibc does not
/// keep a freed block of this size for the thread.
const FIELDS_USUAL: usize = 12;

/// A request for a WebSocket, with the response that accepts it.
#[derive(Debug)]
pub(crate) struct Upgrade {
    pub(crate) response: Response,
    pub(crate) handshake: Handshake,
    pub(crate) request: Arc<ClientRequest>,
}

/// An accepted request, by its handler.
#[derive(Debug)]
pub(crate) enum Route {
    /// A WebSocket.
    Chat(Upgrade),
    /// A file of the page.
    Page(PageRequest),
    /// The health check.
    Health,
    /// The question whether a WebSocket from this address would be accepted.
    Admission(Box<ClientRequest>),
    /// OPTIONS: the question which methods are allowed.
    Options,
    /// The address of this server for other users.
    Invitation(InvitationRequest),
    /// The path of the server without the slash at its end.
    MissingSlash(Redirect),
}

/// The checked parts of a request for the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PageRequest {
    pub(crate) is_head: bool,
    /// The path below that of the server, without the query.
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) if_none_match: Option<String>,
    pub(crate) accept_encoding: Option<String>,
}

/// A request for the address at which other users reach this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InvitationRequest {
    pub(crate) is_head: bool,
    /// `false`: as text.
    pub(crate) is_qr_code: bool,
    pub(crate) room: RoomName,
    /// The path under which the page was loaded, which a proxy may have removed from this request.
    pub(crate) base_path: Option<BasePath>,
    /// The unchanged `Host`, if other machines can use it.
    pub(crate) host: Option<String>,
}

/// A request for which the target has a slash behind its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Redirect {
    pub(crate) is_head: bool,
    /// The target with the slash.
    pub(crate) target: String,
}

/// Returns where the head ends in the bytes read so far, or `None` if it is incomplete. The first
/// `seen` bytes were checked before, so that a head in many pieces costs no more than a whole one.
///
/// # Errors
/// When no further bytes can make the head valid.
pub(crate) fn end_of_head(read: &[u8], seen: usize) -> Result<Option<usize>, Rejection> {
    const OTHER: Rejection = Rejection::Malformed("Only HTTP/1.1 is spoken here.");
    // TLS begins with 0x16, a method with a letter.
    if read.first().is_some_and(|byte| !byte.is_ascii_alphabetic()) {
        return Err(OTHER);
    }
    let from = seen.saturating_sub(3);
    let is_end = |window: &[u8]| window == b"\r\n\r\n";
    let end = read[from..].windows(4).position(is_end).map(|at| from + at + 4);
    let head = &read[..end.unwrap_or(read.len())];
    let is_bare = |at: usize| head[at] == b'\n' && head[at - 1] != b'\r';
    // Bytes beyond the maximum size are not checked.
    if (from.max(1)..head.len().min(HEAD_BYTES_MAX)).any(is_bare) {
        return Err(Rejection::Malformed("A line of a request ends with CR and LF."));
    }
    if head.len() > HEAD_BYTES_MAX {
        return Err(Rejection::HeadTooLarge { largest: largest_field(&head[..HEAD_BYTES_MAX]) });
    }
    Ok(end)
}

/// Returns the name of the largest field, or `None` if the target is larger.
fn largest_field(head: &[u8]) -> Option<HeaderName> {
    let largest = head.split(|byte| *byte == b'\n').enumerate().max_by_key(|(_, line)| line.len());
    let (_, line) = largest.filter(|(at, _)| *at > 0)?;
    let colon = line.iter().position(|byte| *byte == b':')?;
    HeaderName::from_bytes(&line[..colon]).ok()
}

/// Returns whether this is a HEAD request, even if the head is invalid.
pub(crate) fn is_head_request(read: &[u8]) -> bool {
    read.starts_with(b"HEAD ")
}

/// Parses and checks a complete head.
// Stack pages: see ARCHITECTURE.
#[inline(never)]
pub(crate) fn parse_request(
    head: &[u8],
    host_policy: &HostPolicy,
    base_path: &BasePath,
) -> Result<Route, Rejection> {
    Head::parse(head)?.check(host_policy, base_path)
}

struct Head {
    /// The method, the version and the fields, as tungstenite takes them. The target is not set.
    request: Request,
    target: String,
    /// Length of the path of the server, with which the target begins.
    base_bytes: usize,
}

// Stack pages: see ARCHITECTURE.
impl Head {
    #[inline(never)]
    fn parse(head: &[u8]) -> Result<Box<Self>, Rejection> {
        const MALFORMED: Rejection = Rejection::Malformed("This is not a request of HTTP/1.1.");
        // On the heap, to touch fewer pages of the stack.
        let mut fields = vec![httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut parsed = httparse::Request::new(&mut fields);
        match parsed.parse(head) {
            Ok(httparse::Status::Complete(_)) => {}
            Err(httparse::Error::TooManyHeaders) => return Err(Rejection::TooManyFields),
            _ => return Err(MALFORMED),
        }
        let (Some(method), Some(target), Some(minor)) =
            (parsed.method, parsed.path, parsed.version)
        else {
            return Err(MALFORMED);
        };
        let mut request = Request::new(());
        *request.method_mut() = method.parse().map_err(|_| MALFORMED)?;
        *request.version_mut() = if minor == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
        request.headers_mut().reserve(FIELDS_USUAL);
        for field in parsed.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| MALFORMED)?;
            let value = HeaderValue::from_bytes(field.value).map_err(|_| MALFORMED)?;
            request.headers_mut().append(name, value);
        }
        Ok(Box::new(Self { request, target: target.to_owned(), base_bytes: 0 }))
    }

    fn check(
        mut self: Box<Self>,
        host_policy: &HostPolicy,
        base_path: &BasePath,
    ) -> Result<Route, Rejection> {
        let fields = self.request.headers();
        let host_field = self.host_field()?.to_owned();
        let host = HostName::of_field(&host_field)
            .map_err(|_| Rejection::Malformed("The Host of this request is no name of a host."))?;
        let is_of_server = self.request.method() == Method::OPTIONS && self.target == "*";
        if !is_of_server && !self.target.starts_with('/') {
            return Err(Rejection::Malformed("The target of a request begins with a slash."));
        }
        let has_body = has_body(fields)?;
        if !host_policy.allows_host(&host) {
            return Err(Rejection::ForeignHost);
        }
        if fields.contains_key(ORIGIN) && !allows_origin(fields, &host, host_policy) {
            return Err(Rejection::ForeignOrigin);
        }
        if has_body {
            return Err(Rejection::HasBody);
        }
        if !is_of_server {
            self.base_bytes = base_path.length_in(&self.target).ok_or(Rejection::OutsidePath)?;
        }
        match *self.request.method() {
            Method::GET if is_for_websocket(self.request.headers()) => self.chat_route(),
            Method::GET | Method::HEAD => self.content_route(&host_field, &host, host_policy),
            Method::OPTIONS => Ok(Route::Options),
            _ => Err(Rejection::MethodNotAllowed),
        }
    }

    /// Returns the value of `Host`, which HTTP/1.0 does not require. The check protects users of
    /// browsers, which always send it. So an HTTP/1.0 request without it counts as for `localhost`.
    fn host_field(&self) -> Result<&str, Rejection> {
        let mut hosts = self.request.headers().get_all(HOST).iter();
        match (hosts.next(), hosts.next()) {
            (None, _) if self.request.version() == Version::HTTP_10 => Ok("localhost"),
            (Some(host), None) => host.to_str().map_err(|_| {
                Rejection::Malformed(
                    "The Host of this request is not in ASCII; an international name is sent in \
                     the form that begins with xn--.",
                )
            }),
            _ => Err(Rejection::Malformed("A request names exactly one Host.")),
        }
    }

    #[inline(never)]
    fn content_route(
        &self,
        host_field: &str,
        host: &HostName,
        host_policy: &HostPolicy,
    ) -> Result<Route, Rejection> {
        let fields = self.request.headers();
        let is_head = self.request.method() == Method::HEAD;
        let (path, query) = self.path_and_query();
        if path.is_empty() {
            let mut target = self.target.clone();
            target.insert(self.base_bytes, '/');
            return Ok(Route::MissingSlash(Redirect { is_head, target }));
        }
        if matches!(path, "/invite" | "/invite.svg") {
            return Ok(Route::Invitation(InvitationRequest {
                is_head,
                is_qr_code: path == "/invite.svg",
                room: JoinParams::parse(query)?.room,
                base_path: param(query, "path").and_then(|path| path.parse().ok()),
                host: host.is_for_others().then(|| host_field.to_owned()),
            }));
        }
        if let Some(origin) = origin_of_admission_check(path, query) {
            // A browser sends `Origin` with the handshake, and not with this request.
            let is_allowed = |origin: Origin| host_policy.allows_origin(&origin, host);
            return match origin.is_empty() || origin.parse().is_ok_and(is_allowed) {
                true => {
                    let headers = self.request.headers().clone();
                    Ok(Route::Admission(Box::new(ClientRequest::new(self.target.clone(), headers))))
                }
                false => Err(Rejection::ForeignOrigin),
            };
        }
        if path == "/healthz" {
            return Ok(Route::Health);
        }
        Ok(Route::Page(PageRequest {
            is_head,
            path: path.to_owned(),
            host: host_field.to_owned(),
            if_none_match: joined(fields, &IF_NONE_MATCH),
            accept_encoding: joined(fields, &ACCEPT_ENCODING),
        }))
    }

    /// Checks a handshake. Any path below that of the server leads to the chat.
    #[inline(never)]
    fn chat_route(mut self: Box<Self>) -> Result<Route, Rejection> {
        const INVALID_HANDSHAKE: Rejection =
            Rejection::Malformed("This is not a handshake of WebSocket (RFC 6455).");
        let fields = self.request.headers_mut();
        if only(fields, &SEC_WEBSOCKET_VERSION) != Some("13") {
            return Err(Rejection::WebSocketVersion);
        }
        let lists =
            |name, token: &str| listed(fields, name).any(|it| it.eq_ignore_ascii_case(token));
        let upgrades = lists(&CONNECTION, "upgrade") && lists(&UPGRADE, "websocket");
        if !upgrades || only(fields, &SEC_WEBSOCKET_KEY).is_none() {
            return Err(INVALID_HANDSHAKE);
        }
        // tungstenite understands neither lists nor several fields with the same name.
        fields.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        fields.insert(UPGRADE, HeaderValue::from_static("websocket"));
        let mut response = create_response(&self.request).map_err(|_| INVALID_HANDSHAKE)?;
        if listed(self.request.headers(), &SEC_WEBSOCKET_PROTOCOL).any(|it| it == json::SUBPROTOCOL)
        {
            let selected = HeaderValue::from_static(json::SUBPROTOCOL);
            response.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, selected);
            return Ok(self.accepted(response, Handshake::Json));
        }
        let JoinParams { room, nickname } = JoinParams::parse(self.path_and_query().1)?;
        Ok(self.accepted(response, Handshake::Plain { room, wish: nickname }))
    }

    // Stack pages: see ARCHITECTURE.
    #[inline(never)]
    fn accepted(self: Box<Self>, response: Response, handshake: Handshake) -> Route {
        let request = ClientRequest::new(self.target, self.request.into_parts().0.headers);
        Route::Chat(Upgrade { response, handshake, request: Arc::new(request) })
    }

    /// Returns the path below that of the server, and the query.
    fn path_and_query(&self) -> (&str, &str) {
        let target = &self.target[self.base_bytes..];
        target.split_once('?').unwrap_or((target, ""))
    }
}

/// Returns the value of a field if it occurs once and is text.
fn only<'a>(fields: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = fields.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn allows_origin(fields: &HeaderMap, host: &HostName, host_policy: &HostPolicy) -> bool {
    let origin = only(fields, &ORIGIN).and_then(|origin| origin.parse::<Origin>().ok());
    origin.is_some_and(|origin| host_policy.allows_origin(&origin, host))
}

/// Returns whether the request has a body. Contradictory lengths permit request smuggling
/// (RFC 9112, section 6.3) and make the head malformed.
fn has_body(fields: &HeaderMap) -> Result<bool, Rejection> {
    const AMBIGUOUS: Rejection = Rejection::Malformed("The length of this request is in doubt.");
    let chunked = fields.contains_key(TRANSFER_ENCODING);
    if !fields.contains_key(CONTENT_LENGTH) {
        return Ok(chunked);
    }
    let length = only(fields, &CONTENT_LENGTH).ok_or(AMBIGUOUS)?;
    if chunked || length.is_empty() || !length.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(AMBIGUOUS);
    }
    Ok(length.bytes().any(|digit| digit != b'0'))
}

/// Returns the members of a list in one or several fields (RFC 9110, section 5.3). Blanks also
/// separate members.
fn listed<'a>(fields: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let separates = |byte: &u8| matches!(byte, b',' | b' ' | b'\t');
    let values = fields.get_all(name).iter();
    let listed = values.flat_map(move |value| value.as_bytes().split(separates));
    listed.filter_map(|token| std::str::from_utf8(token).ok()).filter(|token| !token.is_empty())
}

/// Joins the values of all fields with this name to one list.
fn joined(fields: &HeaderMap, name: &HeaderName) -> Option<String> {
    let lines = fields.get_all(name).iter().filter_map(|value| value.to_str().ok());
    lines.map(str::to_owned).reduce(|list, line| list + ", " + &line)
}

/// Returns the value of `why` in `/healthz?why`: the origin of a page, or an empty string.
fn origin_of_admission_check(path: &str, query: &str) -> Option<String> {
    if path == "/healthz" { param(query, "why") } else { None }
}

fn is_for_websocket(fields: &HeaderMap) -> bool {
    listed(fields, &UPGRADE).any(|protocol| protocol.eq_ignore_ascii_case("websocket"))
        || fields.contains_key(SEC_WEBSOCKET_KEY)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::super::head_mutations::head_gone_wrong;
    use super::*;

    fn parse(head: &str) -> Result<Route, Rejection> {
        parse_below("/", head)
    }

    fn parse_below(base_path: &str, head: &str) -> Result<Route, Rejection> {
        let base_path = base_path.parse().unwrap();
        let head = head.replace('\n', "\r\n");
        let host_policy = HostPolicy::new(&[], &[]);
        let end = end_of_head(head.as_bytes(), 0)?.expect("the head is complete");
        parse_request(&head.as_bytes()[..end], &host_policy, &base_path)
    }

    fn page(head: &str) -> PageRequest {
        match parse(head) {
            Ok(Route::Page(page)) => page,
            other => panic!("{other:?}"),
        }
    }

    const HANDSHAKE: &str = "Host: localhost:12345\nConnection: keep-alive, Upgrade\n\
        Upgrade: websocket\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n";

    fn handshake(target: &str, fields: &str) -> Result<Route, Rejection> {
        parse(&format!("GET {target} HTTP/1.1\n{HANDSHAKE}{fields}\n"))
    }

    fn chat(target: &str) -> (String, Option<String>) {
        match handshake(target, "Sec-WebSocket-Version: 13\n") {
            Ok(Route::Chat(upgrade)) => {
                let Handshake::Plain { room, wish } = upgrade.handshake else { panic!() };
                (room.to_string(), wish.map(|wish| wish.to_string()))
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_page_request_keeps_the_checked_fields() {
        let request = page("GET /style.css?v=1 HTTP/1.1\nHost: chat.lan:8080\n\n");
        assert_eq!((request.path.as_str(), request.is_head), ("/style.css", false));
        assert_eq!((request.host.as_str(), request.if_none_match), ("chat.lan:8080", None));
        assert_eq!(request.accept_encoding, None);
        let request = page("HEAD / HTTP/1.0\nHost: localhost\nIf-None-Match: \"1\"\n\n");
        assert_eq!((request.is_head, request.if_none_match), (true, Some("\"1\"".to_owned())));
        let request = page("GET / HTTP/1.1\nHost: localhost\nAccept-Encoding: gzip, br\n\n");
        assert_eq!(request.accept_encoding.as_deref(), Some("gzip, br"));
        page("GET / HTTP/1.1\nHost: localhost\nContent-Length: 0\nUpgrade: h2c\n\n");
    }

    #[test]
    fn only_targets_below_the_path_are_served() {
        let get = |target: &str| {
            parse_below("/chat", &format!("GET {target} HTTP/1.1\nHost: chat.lan\n\n"))
        };
        for (target, path) in
            [("/chat/", "/"), ("/chat/?x=1", "/"), ("/chat/view/side.js", "/view/side.js")]
        {
            let Ok(Route::Page(request)) = get(target) else { panic!("{target}") };
            assert_eq!(request.path, path, "{target}");
        }
        assert!(matches!(get("/chat/healthz"), Ok(Route::Health)));
        assert!(matches!(get("/chat/invite"), Ok(Route::Invitation(_))));
        for (target, expected) in [("/chat", "/chat/"), ("/chat?a=/chat", "/chat/?a=/chat")] {
            let Ok(Route::MissingSlash(redirect)) = get(target) else { panic!("{target}") };
            assert_eq!(redirect.target, expected);
        }
        for target in ["/", "/healthz", "/chats", "/chat.js", "/x/chat/", "/invite"] {
            assert_eq!(get(target).unwrap_err(), Rejection::OutsidePath, "{target}");
        }
        let websocket = |target: &str| {
            let fields = format!("{HANDSHAKE}Sec-WebSocket-Version: 13\n\n");
            parse_below("/chat", &format!("GET {target} HTTP/1.1\n{fields}"))
        };
        for target in ["/chat?room=den", "/chat/?room=den", "/chat/any/path?room=den"] {
            let Ok(Route::Chat(upgrade)) = websocket(target) else { panic!("{target}") };
            let Handshake::Plain { room, .. } = upgrade.handshake else { panic!() };
            assert_eq!(room.as_str(), "den");
        }
        assert_eq!(websocket("/?room=den").unwrap_err(), Rejection::OutsidePath);
    }

    #[test]
    fn lists_may_be_in_several_fields() {
        let request = page(
            "GET / HTTP/1.1\nHost: localhost\nAccept-Encoding: br\nIf-None-Match: \"1\"\n\
             Accept-Encoding: gzip;q=0.5, *;q=0\nIf-None-Match: W/\"2\", \"3\"\n\n",
        );
        assert_eq!(request.accept_encoding.as_deref(), Some("br, gzip;q=0.5, *;q=0"));
        assert_eq!(request.if_none_match.as_deref(), Some("\"1\", W/\"2\", \"3\""));
        const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n";
        for (fields, is_handshake) in [
            ("Connection: Upgrade\nUpgrade: websocket\n", true),
            ("Connection: keep-alive\nConnection: Upgrade\nUpgrade: websocket\n", true),
            ("Connection: Upgrade\nConnection: keep-alive\nUpgrade: websocket\n", true),
            ("connection: a,,b\nCONNECTION:\tx , upgrade\nUpgrade: websocket\n", true),
            ("Connection: \nConnection: Upgrade,\nUpgrade: WebSocket\n", true),
            ("Connection: Upgrade\nUpgrade: h2c\nUpgrade: websocket\n", true),
            ("Connection: Upgrade\nUpgrade: websocket, h2c\n", true),
            ("Connection: é\nConnection: é, Upgrade\nUpgrade: é, websocket\n", true),
            ("Connection: keep-alive\nConnection: close\nUpgrade: websocket\n", false),
            ("Connection: Upgraded\nConnection: not-upgrade\nUpgrade: websocket\n", false),
            ("Connection: Upgrade\nUpgrade: web\nUpgrade: socket\n", false),
            ("Upgrade: websocket\n", false),
            ("Connection: Upgrade\n", false),
        ] {
            let version = "Sec-WebSocket-Version: 13\n";
            let head = format!("GET / HTTP/1.1\nHost: localhost\n{version}{KEY}{fields}\n");
            match parse(&head) {
                Ok(Route::Chat(upgrade)) if is_handshake => {
                    let response = upgrade.response;
                    assert_eq!(
                        response.headers()["sec-websocket-accept"],
                        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
                    );
                    assert_eq!(response.headers().get_all("connection").iter().count(), 1);
                }
                Err(Rejection::Malformed(_)) if !is_handshake => {}
                other => panic!("{other:?} to {head}"),
            }
        }
        // These are not lists and must not be repeated (RFC 6455, section 11.3).
        for (repeated, expected) in [
            ("Sec-WebSocket-Version: 13\n", Rejection::WebSocketVersion),
            (KEY, Rejection::Malformed("This is not a handshake of WebSocket (RFC 6455).")),
        ] {
            let fields = if repeated == KEY { "Sec-WebSocket-Version: 13\n" } else { repeated };
            assert_eq!(handshake("/", &format!("{fields}{repeated}")).unwrap_err(), expected);
        }
    }

    #[test]
    fn load_balancers_and_http_1_0_are_supported() {
        for (line, fields) in [
            ("GET /healthz HTTP/1.0", ""),
            ("HEAD /healthz HTTP/1.0", ""),
            ("GET /healthz HTTP/1.1", "Host: 10.0.0.2\n"),
        ] {
            let route = parse(&format!("{line}\n{fields}\n"));
            assert!(matches!(route, Ok(Route::Health)), "{line}: {route:?}");
        }
        let request = page("GET / HTTP/1.0\n\n");
        assert_eq!((request.path.as_str(), request.host.as_str()), ("/", "localhost"));
        for (line, fields) in [
            ("OPTIONS / HTTP/1.0", ""),
            ("OPTIONS * HTTP/1.0", ""),
            ("OPTIONS * HTTP/1.1", "Host: localhost\n"),
            ("OPTIONS /healthz HTTP/1.1", "Host: localhost\nOrigin: http://localhost\n"),
        ] {
            let route = parse(&format!("{line}\n{fields}\n"));
            assert!(matches!(route, Ok(Route::Options)), "{line}: {route:?}");
        }
        let of_foreign_page =
            parse("OPTIONS / HTTP/1.1\nHost: localhost\nOrigin: http://evil.example\n\n");
        assert_eq!(of_foreign_page.unwrap_err(), Rejection::ForeignOrigin);
        assert_eq!(
            parse("GET / HTTP/1.0\nHost: evil.example\n\n").unwrap_err(),
            Rejection::ForeignHost
        );
    }

    #[test]
    fn a_page_may_ask_why_its_handshake_failed() {
        let why =
            |query: &str| parse(&format!("GET /healthz?{query} HTTP/1.1\nHost: chat.lan:8080\n\n"));
        for query in
            ["why", "why=", "x=1&why", "why=http%3A%2F%2Fchat.lan", "why=http://chat.lan:1"]
        {
            let route = why(query);
            assert!(matches!(route, Ok(Route::Admission(_))), "{query}: {route:?}");
        }
        for query in ["why=http%3A%2F%2Fchat.example.org", "why=null", "why=chat.lan", "why=%FF"] {
            assert_eq!(why(query).unwrap_err(), Rejection::ForeignOrigin, "{query}");
        }
        assert!(matches!(why("who"), Ok(Route::Health)));
        page("GET /?why HTTP/1.1\nHost: localhost\n\n");
    }

    #[test]
    fn the_rejection_of_a_host_has_a_reason() {
        for (fields, reason) in [
            ("Host: pc.münchen\n", "not in ASCII"),
            ("Host: 聊天\n", "not in ASCII"),
            ("", "exactly one Host"),
            ("Host: a\nHost: a\n", "exactly one Host"),
            ("Host: ü\nHost: a\n", "exactly one Host"),
            ("Host: a b\n", "no name of a host"),
        ] {
            let rejection = parse(&format!("GET / HTTP/1.1\n{fields}\n")).unwrap_err();
            assert!(
                matches!(rejection, Rejection::Malformed(it) if it.contains(reason)),
                "{rejection:?}"
            );
        }
    }

    #[test]
    fn an_invitation_has_a_room_and_perhaps_a_host() {
        let invitation = |head: &str| match parse(head) {
            Ok(Route::Invitation(invitation)) => invitation,
            other => panic!("{other:?}"),
        };
        let request = invitation("GET /invite?x=1&room=Kitchen HTTP/1.1\nHost: Chat.lan:8080\n\n");
        assert_eq!((request.is_head, request.is_qr_code), (false, false));
        assert_eq!(
            (request.room.as_str(), request.host.as_deref()),
            ("kitchen", Some("Chat.lan:8080"))
        );
        let request = invitation("HEAD /invite.svg HTTP/1.1\nHost: localhost:8080\n\n");
        assert_eq!((request.is_head, request.is_qr_code), (true, true));
        assert_eq!((request.room.as_str(), request.host), ("lobby", None));
        for query in ["room=a.b", "room=", "room=%FF", "room=kitchen&room=a%20b"] {
            let rejection = parse(&format!("GET /invite?{query} HTTP/1.1\nHost: chat.lan\n\n"));
            assert!(matches!(rejection, Err(Rejection::Malformed(_))), "{query}");
        }
        page("GET /invite.png?room=kitchen HTTP/1.1\nHost: chat.lan\n\n");
        page("GET /invite/?room=a.b HTTP/1.1\nHost: chat.lan\n\n");
        assert!(matches!(handshake("/invite", "Sec-WebSocket-Version: 13\n"), Ok(Route::Chat(_))));
    }

    #[test]
    fn the_json_dialect_is_selected_if_offered() {
        for offer in ["chinwag.v1", "soap, chinwag.v1", "soap\nSec-WebSocket-Protocol: chinwag.v1"]
        {
            let fields = format!("Sec-WebSocket-Version: 13\nSec-WebSocket-Protocol: {offer}\n");
            let Ok(Route::Chat(upgrade)) = handshake("/", &fields) else { panic!() };
            let Upgrade { response, handshake, .. } = upgrade;
            assert_eq!(handshake, Handshake::Json);
            assert_eq!(response.headers()[SEC_WEBSOCKET_PROTOCOL], "chinwag.v1");
        }
        let fields = "Sec-WebSocket-Version: 13\nSec-WebSocket-Protocol: chinwag.v2\n";
        let Ok(Route::Chat(upgrade)) = handshake("/", fields) else { panic!() };
        let Upgrade { response, handshake, .. } = upgrade;
        assert!(matches!(handshake, Handshake::Plain { .. }));
        assert!(!response.headers().contains_key(SEC_WEBSOCKET_PROTOCOL));
    }

    #[test]
    fn any_path_leads_to_the_chat() {
        assert_eq!(chat("/"), ("lobby".into(), None));
        assert_eq!(chat("/chat"), ("lobby".into(), None));
        assert_eq!(chat("/a/b?x=1&room=Kitchen"), ("kitchen".into(), None));
        assert_eq!(chat("/?nick=zo%C3%AB+b"), ("lobby".into(), Some("zoë b".into())));
        assert_eq!(chat("/?nick=user-1"), ("lobby".into(), None));
        // Latin-1, Shift_JIS, incomplete UTF-8, a surrogate, and the replacement character.
        for nickname in ["Jos%E9", "%82%A0", "ana%C3", "%FFana", "%ED%A0%80", "Jos%EF%BF%BD"] {
            assert_eq!(
                chat(&format!("/?room=a&nick={nickname}")),
                ("a".into(), None),
                "{nickname}"
            );
        }
        for target in ["/?room=a%20b", "/?room=caf%E9", "/?room=caf%EF%BF%BD"] {
            let rejected = handshake(target, "Sec-WebSocket-Version: 13\n");
            assert!(matches!(rejected, Err(Rejection::Malformed(_))), "{target}");
        }
    }

    #[test]
    fn the_response_to_a_handshake_is_that_of_the_rfc() {
        let Ok(Route::Chat(upgrade)) = handshake("/", "Sec-WebSocket-Version: 13\n") else {
            panic!("the handshake is valid");
        };
        assert_eq!(upgrade.response.status(), 101);
        assert_eq!(
            upgrade.response.headers()["sec-websocket-accept"],
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
    }

    #[test]
    fn each_error_has_its_status() {
        const HOST: &str = "Host: localhost\n";
        let cases = [
            ("GET / HTTP/1.1\nHost: evil.example\n\n".to_owned(), 421),
            (format!("GET / HTTP/1.1\n{HOST}Origin: http://evil.example\n\n"), 403),
            (format!("GET / HTTP/1.1\n{HOST}Origin: null\n\n"), 403),
            (
                format!(
                    "GET / HTTP/1.1\n{HOST}Origin: http://localhost\nOrigin: http://localhost\n\n"
                ),
                403,
            ),
            (format!("POST / HTTP/1.1\n{HOST}\n"), 405),
            (format!("POST / HTTP/1.1\n{HOST}Content-Length: 1000000000000000\n\n"), 413),
            (format!("GET / HTTP/1.1\n{HOST}Content-Length: 18446744073709551616\n\n"), 413),
            (format!("GET / HTTP/1.1\n{HOST}Transfer-Encoding: chunked\n\n"), 413),
            (format!("GET / HTTP/1.1\n{HOST}{}\n", "A: b\n".repeat(100)), 431),
        ];
        for (head, code) in cases {
            let rejection = parse(&head).expect_err(&head);
            assert!(
                rejection.response(false).starts_with(format!("HTTP/1.1 {code} ").as_bytes()),
                "{head}"
            );
        }
        assert_eq!(
            handshake("/", "Sec-WebSocket-Version: 8\n").unwrap_err(),
            Rejection::WebSocketVersion
        );
        assert_eq!(handshake("/", "").unwrap_err(), Rejection::WebSocketVersion);
    }

    #[test]
    fn malformed_heads_are_rejected() {
        for head in [
            "GET / HTTP/1.1\n\n",
            "GET / HTTP/1.1\nHost: localhost\nHost: localhost\n\n",
            "GET / HTTP/1.1\nHost: user@localhost\n\n",
            "GET http://localhost/ HTTP/1.1\nHost: localhost\n\n",
            "GET * HTTP/1.1\nHost: localhost\n\n",
            "GET / HTTP/2.0\nHost: localhost\n\n",
            "PRI * HTTP/2.0\n\n",
            "GET /\n\n",
            "GET / HTTP/1.1\nHost: localhost\n folded\n\n",
            "GET / HTTP/1.1\nHost: local\0host\n\n",
            "GET / HTTP/1.1\nHost : localhost\n\n",
            "GET / HTTP/1.1\nHost: localhost\nContent-Length: 0\nContent-Length: 0\n\n",
            "GET / HTTP/1.1\nHost: localhost\nContent-Length: +0\n\n",
            "GET / HTTP/1.1\nHost: localhost\nContent-Length: 0\nTransfer-Encoding: chunked\n\n",
            "GET / HTTP/1.1\nHost: localhost\nSec-WebSocket-Version: 13\nUpgrade: websocket\n\n",
        ] {
            assert!(
                matches!(parse(head), Err(Rejection::Malformed(_))),
                "{head}: {:?}",
                parse(head)
            );
        }
    }

    #[test]
    fn an_invalid_head_is_rejected_before_its_end() {
        assert!(matches!(end_of_head(b"\x16\x03\x01", 0), Err(Rejection::Malformed(_))));
        assert!(matches!(end_of_head(b"GET / HTTP/1.1\nHo", 0), Err(Rejection::Malformed(_))));
        assert_eq!(end_of_head(b"GET / HTTP/1.1\r\nHo", 0), Ok(None));
        assert_eq!(end_of_head(&[b'a'; HEAD_BYTES_MAX], 0), Ok(None));
        let too_large = Rejection::HeadTooLarge { largest: None };
        assert_eq!(end_of_head(&[b'a'; HEAD_BYTES_MAX + 1], 0), Err(too_large.clone()));
        let line_feed_beyond = [&[b'a'; HEAD_BYTES_MAX][..], b"\n"].concat();
        assert_eq!(end_of_head(&line_feed_beyond, 0), Err(too_large));
        assert_eq!(end_of_head(b"GET / HTTP/1.1\r\n\r\nmore", 0), Ok(Some(18)));
    }

    #[test]
    fn a_head_of_16_kib_and_100_fields_is_accepted() {
        let start = "GET / HTTP/1.1\nHost: localhost\n".to_owned() + &"A: b\n".repeat(98);
        let rest = 16_384 - start.replace('\n', "\r\n").len() - "B: \r\n\r\n".len();
        page(&format!("{start}B: {}\n\n", "c".repeat(rest)));
        let rejection = parse(&format!("{start}B: {}\n\n", "c".repeat(rest + 1))).unwrap_err();
        assert!(matches!(rejection, Rejection::HeadTooLarge { .. }), "{rejection:?}");
    }

    #[test]
    fn the_rejection_of_a_large_head_names_its_largest_part() {
        let many = "x".repeat(9000);
        let rejection = |line: &str, fields: &str| {
            let head = format!("GET /{line} HTTP/1.1\nHost: localhost\n{fields}\n");
            String::from_utf8(parse(&head).unwrap_err().response(false)).unwrap()
        };
        for fields in [
            format!("Cookie: {many}{many}\n"),
            format!("cookie: {many}\nX-Other: {}\n", &many[..8000]),
            // Bytes beyond the first 16 KiB do not count.
            format!("Accept: */*\nCOOKIE: a={many}\nX-Other: {many}{many}\n"),
        ] {
            let response = rejection("", &fields);
            assert!(response.contains("Cookie: delete the cookies of this host"), "{response}");
        }
        for (line, fields, named) in [
            ("", format!("X-Large: {many}{many}\n"), "the field x-large."),
            ("", format!("Authorization: {many}{many}\n"), "the field authorization."),
            (&format!("{many}{many}"), String::new(), "its target."),
            ("", format!("no field but {many}{many}\n"), "its target."),
        ] {
            let response = rejection(line, &fields);
            assert!(response.ends_with(&format!("{named}\n")), "{response}");
        }
    }

    /// Reads the head in pieces that end at these offsets.
    fn end_in_pieces(bytes: &[u8], ends: impl IntoIterator<Item = usize>) -> HeadEnd {
        let mut seen = 0;
        for end in ends.into_iter().chain([bytes.len()]) {
            match end_of_head(&bytes[..end], seen) {
                Ok(None) => seen = end,
                head_end => return head_end,
            }
        }
        Ok(None)
    }

    type HeadEnd = Result<Option<usize>, Rejection>;

    proptest! {
        #[test]
        fn no_head_causes_a_panic(bytes in head_gone_wrong()) {
            let host_policy = HostPolicy::new(&[], &[]);
            if let Ok(Some(end)) = end_of_head(&bytes, 0) {
                let _ = parse_request(&bytes[..end], &host_policy, &BasePath::default());
            }
            let _ = parse_request(&bytes, &host_policy, &BasePath::default());
        }

        #[test]
        fn a_head_may_arrive_in_any_pieces(bytes in head_gone_wrong(), at in any::<Index>()) {
            let at_once = end_of_head(&bytes, 0);
            prop_assert_eq!(end_in_pieces(&bytes, [at.index(bytes.len() + 1)]), at_once.clone());
            prop_assert_eq!(end_in_pieces(&bytes, 1..bytes.len()), at_once);
        }

        #[test]
        fn no_fields_cause_a_panic(target in "[ -~é]{0,40}", fields in "([A-Za-z-]{1,12}: ?[ -~]{0,30}\n){0,6}") {
            let _ = parse(&format!("GET /{target} HTTP/1.1\nHost: localhost\n{fields}\n"));
            let _ = handshake(&format!("/?{target}"), &fields);
        }
    }
}
