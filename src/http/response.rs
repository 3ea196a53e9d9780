//! Short responses that the front end writes without tiny_http.

/// The field that names the methods of every resource.
pub(super) const ALLOWED_METHODS: &str = "Allow: GET, HEAD, OPTIONS\r\n";
pub(super) const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// Returns the response to OPTIONS. It has no CORS fields, so that browsers permit pages of other
/// hosts nothing.
pub(super) fn options_response() -> Vec<u8> {
    response("200 OK", ALLOWED_METHODS, PLAIN_TEXT, "", false)
}

/// Returns the response that leads a browser to another target of this server.
pub(super) fn redirect_response(target: &str, is_head: bool) -> Vec<u8> {
    let location = format!("Location: {target}\r\n");
    let content = format!("The chat is at {target}\n");
    response("308 Permanent Redirect", &location, PLAIN_TEXT, &content, is_head)
}

/// Returns a complete response, after which the connection is closed. Each of the `fields` ends with
/// CR and LF. The response to a HEAD request has no content (RFC 9110, section 9.3.2).
pub(super) fn response(
    status: &str,
    fields: &str,
    content_type: &str,
    content: &str,
    is_head: bool,
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
    let content = if is_head { "" } else { content };
    [head.as_bytes(), content.as_bytes()].concat()
}
