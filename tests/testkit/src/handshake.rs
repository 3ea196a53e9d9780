//! Connects many clients quickly.
//!
//! Every client of a batch has sent its request before the first answer is read, so that the server
//! sets the pace, not the round trip. tungstenite does the handshake.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use tungstenite::HandshakeError;
use tungstenite::client::ClientRequestBuilder;
use tungstenite::handshake::MidHandshake;
use tungstenite::handshake::client::ClientHandshake;
use tungstenite::protocol::WebSocketConfig;

use crate::{Dialect, Outcome};

/// Clients that connect at the same time.
const BATCH: usize = 128;
/// How long a server may take to accept or to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

enum Handshake {
    Sent(MidHandshake<ClientHandshake<TcpStream>>),
    Answered(TcpStream),
}

/// Connects `count` clients, each with its target. The streams are non-blocking.
pub(crate) fn connect_all(
    address: SocketAddr,
    count: usize,
    dialect: Dialect,
    target: impl Fn(usize) -> String,
) -> Outcome<Vec<TcpStream>> {
    let mut streams = Vec::with_capacity(count);
    while streams.len() < count {
        let batch: Vec<Handshake> = (streams.len()..count.min(streams.len() + BATCH))
            .map(|index| send_request(address, dialect, &target(index)))
            .collect::<Outcome<_>>()?;
        for handshake in batch {
            streams.push(read_answer(handshake)?);
        }
    }
    Ok(streams)
}

fn send_request(address: SocketAddr, dialect: Dialect, target: &str) -> Outcome<Handshake> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let small = WebSocketConfig::default().read_buffer_size(1024);
    let mut request = ClientRequestBuilder::new(format!("ws://{address}{target}").parse()?);
    if let Some(subprotocol) = dialect.subprotocol() {
        request = request.with_sub_protocol(subprotocol);
    }
    match tungstenite::client::client_with_config(request, stream, Some(small)) {
        Ok((socket, _)) => Ok(Handshake::Answered(socket.into_inner())),
        Err(HandshakeError::Interrupted(half)) => Ok(Handshake::Sent(half)),
        Err(HandshakeError::Failure(error)) => Err(error.into()),
    }
}

fn read_answer(handshake: Handshake) -> Outcome<TcpStream> {
    let stream = match handshake {
        Handshake::Answered(stream) => stream,
        Handshake::Sent(half) => {
            let stream = half.get_ref().get_ref();
            stream.set_nonblocking(false)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            // Bytes that the socket has read past the answer are lost. There are none: the server
            // sends nothing before a client says hello or speaks, and no client does before all
            // are connected.
            let (socket, _) = half.handshake()?;
            socket.into_inner()
        }
    };
    stream.set_nonblocking(true)?;
    Ok(stream)
}
