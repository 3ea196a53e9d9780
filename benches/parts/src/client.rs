//! A client for the measured parts.

use std::io::{self, ErrorKind, Read as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use crate::broadcaster::outbox::Outbox;
use crate::limits::Limits;
use crate::net::socket::Transport;
use crate::protocol::Dialect;

/// The text of a message. It is about as long as a line that a person types.
pub(crate) const TEXT: &str = "shall we meet at the usual place, half past seven?";

/// How long the kernel may take to deliver bytes.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(10);

/// Returns the outbox of a client, and the client's end of the connection.
pub(crate) fn connect() -> io::Result<(Outbox, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let far_end = TcpStream::connect(listener.local_addr()?)?;
    let transport = Transport::new(listener.accept()?.0)?;
    let outbox = Outbox::new(Arc::new(transport), Limits::default().backlog_bytes_max)?;
    Ok((outbox, far_end))
}

/// Returns a message to the lobby as a client sends it.
pub(crate) fn encode_message(text: &str, number: usize, dialect: Dialect) -> String {
    match dialect {
        Dialect::Plain => text.to_owned(),
        Dialect::Json => {
            // The ids of the page are UUIDs, too.
            let id = format!("5d2c0f9e-7b61-4c0a-9a3e-{number:012}");
            format!(r#"{{"type":"say","room":"lobby","text":"{text}","id":"{id}"}}"#)
        }
    }
}

/// Returns the bytes that the client has been sent and not discarded, up to the end of the stream.
pub(crate) fn read_all(mut far_end: &TcpStream) -> String {
    far_end.set_nonblocking(false).expect("a socket can be told to block");
    far_end.set_read_timeout(Some(TIMEOUT)).expect("a socket can be told for how long");
    let mut heard = Vec::new();
    far_end.read_to_end(&mut heard).expect("the end comes soon");
    String::from_utf8_lossy(&heard).into_owned()
}

/// Reads and discards all bytes that have come. Allocates no memory, because that would change the
/// cost of the next allocation.
pub(crate) fn discard(mut far_end: &TcpStream) {
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
