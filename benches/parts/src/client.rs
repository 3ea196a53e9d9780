//! A client, as far as the parts see one.

use std::io::{self, ErrorKind, Read as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::broadcaster::outbox::Outbox;
use crate::config::Limits;
use crate::net::socket::Transport;
use crate::protocol::Dialect;

/// What is said: about what a person types in one line.
pub(crate) const WORDS: &str = "shall we meet at the usual place, half past seven?";

/// So long is waited for the kernel to bring what was sent.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The way to a client, and the client's end of it.
pub(crate) fn connect() -> io::Result<(Outbox, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let far_end = TcpStream::connect(listener.local_addr()?)?;
    let transport = Transport::new(listener.accept()?.0)?;
    let outbox = Outbox::new(Arc::new(transport), Limits::default().backlog_bytes_max)?;
    Ok((outbox, far_end))
}

/// What a client sends to say something in the room of all these measurements.
pub(crate) fn saying(text: &str, number: usize, dialect: Dialect) -> String {
    match dialect {
        Dialect::Plain => text.to_owned(),
        Dialect::Json => {
            // The page's ids are UUIDs, too.
            let id = format!("5d2c0f9e-7b61-4c0a-9a3e-{number:012}");
            format!(r#"{{"type":"say","room":"lobby","text":"{text}","id":"{id}"}}"#)
        }
    }
}

/// Everything that a client has been sent and not forgotten, up to the end.
pub(crate) fn hear(mut far_end: &TcpStream) -> String {
    far_end.set_nonblocking(false).expect("a socket can be told to block");
    far_end.set_read_timeout(Some(PATIENCE)).expect("a socket can be told for how long");
    let mut heard = Vec::new();
    far_end.read_to_end(&mut heard).expect("the end comes soon");
    String::from_utf8_lossy(&heard).into_owned()
}

/// The client reads what has come. No memory is taken for it: what was taken and given back decides
/// what the next one who wants some costs.
pub(crate) fn forget(mut far_end: &TcpStream) {
    far_end.set_nonblocking(true).expect("a socket can be told not to block");
    let mut buffer = [0; 64 * 1024];
    loop {
        match far_end.read(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return,
            Err(error) => panic!("a client cannot read: {error}"),
        }
    }
}
