//! An answer of HTTP, read to its end and shown to be complete.

use std::io::Read;

pub struct Answer {
    pub status: u16,
    pub body: Vec<u8>,
    fields: Vec<(String, String)>,
}

impl Answer {
    /// All that comes until the stream ends. `to_head`: to a request with the method HEAD.
    pub fn read(stream: &mut impl Read, to_head: bool) -> Self {
        let mut bytes = Vec::new();
        let read = stream.read_to_end(&mut bytes);
        read.unwrap_or_else(|error| panic!("{error} behind {}", String::from_utf8_lossy(&bytes)));
        Self::parse(&bytes, to_head)
    }

    /// One whole answer, with nothing behind it, and the last on its connection.
    pub fn parse(bytes: &[u8], to_head: bool) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let mut fields = [httparse::EMPTY_HEADER; 32];
        let mut parsed = httparse::Response::new(&mut fields);
        let head_bytes = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            other => panic!("{other:?} in the answer {text:?}"),
        };
        let owned = |field: &httparse::Header<'_>| {
            (field.name.to_owned(), String::from_utf8(field.value.to_vec()).unwrap())
        };
        let answer = Self {
            status: parsed.code.unwrap(),
            body: bytes[head_bytes..].to_vec(),
            fields: parsed.headers.iter().map(owned).collect(),
        };
        if answer.status != 101 {
            assert_eq!(answer.field("Connection"), Some("close"), "{text}");
            let length = answer.field("Content-Length").expect("a length").parse().unwrap();
            let has_body = !to_head && answer.status != 304;
            assert_eq!(answer.body.len(), if has_body { length } else { 0 }, "{text}");
        }
        answer
    }

    /// The value of a field that stands there at most once.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut values = self.fields.iter().filter(|(it, _)| it.eq_ignore_ascii_case(name));
        let value = values.next().map(|(_, value)| value.as_str());
        assert!(values.next().is_none(), "{name} stands there twice");
        value
    }
}
