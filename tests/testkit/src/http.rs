//! HTTP requests as raw bytes, and complete responses.

use std::io::{Read, Write as _};
use std::net::SocketAddr;

use crate::tcp;

/// A response that was read to its end and is complete.
pub struct HttpResponse {
    pub status: u16,
    pub body: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl HttpResponse {
    /// Reads a response up to the end of the stream. `to_head` says that the request was HEAD.
    pub fn read(stream: &mut impl Read, to_head: bool) -> Self {
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        read.unwrap_or_else(|error| panic!("{error} behind {}", String::from_utf8_lossy(&bytes)));
        Self::parse(&bytes, to_head)
    }

    /// Parses one response and checks that nothing follows it and that it closes the connection.
    pub fn parse(bytes: &[u8], to_head: bool) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Response::new(&mut headers);
        let head_bytes = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            other => panic!("{other:?} in the response {text:?}"),
        };
        let owned = |header: &httparse::Header<'_>| {
            (header.name.to_owned(), String::from_utf8(header.value.to_vec()).unwrap())
        };
        let response = Self {
            status: parsed.code.unwrap(),
            body: bytes[head_bytes..].to_vec(),
            headers: parsed.headers.iter().map(owned).collect(),
        };
        if response.status != 101 {
            assert_eq!(response.header("Connection"), Some("close"), "{text}");
            let length = response.header("Content-Length").expect("a length").parse().unwrap();
            let has_body = !to_head && response.status != 304;
            assert_eq!(response.body.len(), if has_body { length } else { 0 }, "{text}");
        }
        response
    }

    /// Returns the value of a header that appears at most once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} appears twice");
        value
    }
}

/// Sends the bytes of a request and reads the response.
pub fn exchange(address: SocketAddr, request: &[u8]) -> HttpResponse {
    let mut stream = tcp(address);
    stream.write_all(request).unwrap();
    HttpResponse::read(&mut stream, request.starts_with(b"HEAD "))
}

/// Sends a request, with CR LF for each `\n`, and returns the bytes of the response.
pub fn exchange_bytes(address: SocketAddr, request: &str) -> Vec<u8> {
    let mut stream = tcp(address);
    stream.write_all(request.replace('\n', "\r\n").as_bytes()).unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).expect("the response ends");
    response
}

/// Does the same for a response that is text.
pub fn exchange_text(address: SocketAddr, request: &str) -> String {
    String::from_utf8(exchange_bytes(address, request)).expect("the response is text")
}
