//! The answers that the door gives itself.

/// The field that names the methods of every resource.
pub(super) const METHODS: &str = "Allow: GET, HEAD, OPTIONS\r\n";

/// The answer to OPTIONS. It says nothing to pages of other hosts, which is how CORS stays shut.
pub(crate) fn options() -> Vec<u8> {
    answer("200 OK", METHODS, "text/plain; charset=utf-8", "", false)
}

/// A whole answer, the last on its connection, which nobody keeps. `fields` end their lines. One to
/// a HEAD request has no body (RFC 9110, section 9.3.2).
pub(crate) fn answer(
    status: &str,
    fields: &str,
    content_type: &str,
    content: &str,
    to_head: bool,
) -> Vec<u8> {
    let length = content.len();
    let head = format!(
        "HTTP/1.1 {status}\r\n\
         Content-Length: {length}\r\n\
         Content-Type: {content_type}\r\n\
         X-Content-Type-Options: nosniff\r\n\
         Cache-Control: no-store\r\n\
         {fields}Connection: close\r\n\r\n"
    );
    let content = if to_head { "" } else { content };
    [head.as_bytes(), content.as_bytes()].concat()
}
