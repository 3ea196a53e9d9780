//! Connecting many clients quickly.
//!
//! Handshakes go in waves: every client of a wave has sent its request before
//! the first answer is awaited, so that the server, not the round trip, sets
//! the pace. The handshake itself is tungstenite's.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tungstenite::HandshakeError;
use tungstenite::client::ClientRequestBuilder;
use tungstenite::handshake::MidHandshake;
use tungstenite::handshake::client::ClientHandshake;
use tungstenite::protocol::WebSocketConfig;

use crate::Outcome;
use crate::dialect::Dialect;

/// Clients that connect at the same time.
const WAVE: usize = 128;
/// How long a server may take to accept or to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What remains to be done for one client of a wave.
enum Greeting {
    Sent(MidHandshake<ClientHandshake<TcpStream>>),
    Answered(TcpStream),
}

/// Connects `count` clients, each to the path that it is given; the streams come back non-blocking.
pub(crate) fn connect_all(
    address: SocketAddr,
    count: usize,
    dialect: Dialect,
    path: impl Fn(usize) -> String,
) -> Outcome<Vec<TcpStream>> {
    let mut streams = Vec::with_capacity(count);
    while streams.len() < count {
        let wave: Vec<Greeting> = (streams.len()..count.min(streams.len() + WAVE))
            .map(|index| greet(address, dialect, &path(index)))
            .collect::<Outcome<_>>()?;
        for greeting in wave {
            streams.push(await_answer(greeting)?);
        }
    }
    Ok(streams)
}

fn greet(address: SocketAddr, dialect: Dialect, path: &str) -> Outcome<Greeting> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let small = WebSocketConfig::default().read_buffer_size(1024);
    let mut request = ClientRequestBuilder::new(format!("ws://{address}{path}").parse()?);
    if let Some(subprotocol) = dialect.subprotocol() {
        request = request.with_sub_protocol(subprotocol);
    }
    match tungstenite::client::client_with_config(request, stream, Some(small)) {
        Ok((socket, _)) => Ok(Greeting::Answered(socket.into_inner())),
        Err(HandshakeError::Interrupted(half)) => Ok(Greeting::Sent(half)),
        Err(HandshakeError::Failure(error)) => Err(error.into()),
    }
}

fn await_answer(greeting: Greeting) -> Outcome<TcpStream> {
    let stream = match greeting {
        Greeting::Answered(stream) => stream,
        Greeting::Sent(half) => {
            let stream = half.get_ref().get_ref();
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            // What the socket may have read past the answer is dropped with
            // it. Nobody is sent anything before somebody speaks or says
            // hello, and nobody does before everybody is connected.
            let (socket, _) = half.handshake()?;
            socket.into_inner()
        }
    };
    stream.set_nonblocking(true)?;
    Ok(stream)
}
