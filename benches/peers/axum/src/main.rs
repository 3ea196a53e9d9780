//! A chat on axum and tokio, written for speed: it sends each text frame unchanged to all clients,
//! including its sender.
//!
//! It does nothing else: it has no rooms, nicknames, pings, time limits or other limits.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use axum::serve::ListenerExt;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::net::TcpSocket;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::sync::broadcast::{self, Receiver, Sender};

/// Maximum number of clients that are about to connect.
const BACKLOG: u32 = 4096;
/// Texts that are held for slow clients. A client further behind misses some. The senders of the
/// load generator have at most 1,280 in flight.
const HELD: usize = 4096;
/// Axum's own 128 KiB, allocated for each client, would be most of the memory.
const READ_BUFFER_BYTES: usize = 4096;

/// The program has one core. On the runtime with a pool of threads, which is one thread more then, a
/// delivery in a full room takes 2 to 20 % more time, and everything else takes the same.
#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    let listener = socket.listen(BACKLOG)?;
    println!("WebSocket: ws://{}/", listener.local_addr()?);

    let listener = listener.tap_io(|stream| {
        // It fails only for a client that is gone.
        let _ = stream.set_nodelay(true);
    });
    let (said, _) = broadcast::channel(HELD);
    axum::serve(listener, Router::new().route("/", get(enter)).with_state(said)).await
}

async fn enter(upgrade: WebSocketUpgrade, State(said): State<Sender<Utf8Bytes>>) -> Response {
    upgrade.read_buffer_size(READ_BUFFER_BYTES).on_upgrade(|socket| async {
        // An error is a client that is gone.
        let _ = attend(socket, said).await;
    })
}

/// Serves one client in one task. A second task for writing would share the socket through a lock,
/// and a delivery in a full room would take 25 to 40 % more time.
async fn attend(mut socket: WebSocket, said: Sender<Utf8Bytes>) -> Result<(), axum::Error> {
    let mut heard = said.subscribe();
    loop {
        tokio::select! {
            // Reading first means that more texts wait for the next write.
            biased;
            message = socket.next() => {
                let mut message = Some(message);
                while let Some(next) = message {
                    match next.transpose()? {
                        Some(Message::Text(text)) => {
                            // There is a receiver: this client's.
                            let _ = said.send(text);
                        }
                        // tungstenite has answered pings and close frames.
                        Some(_) => {}
                        None => return Ok(()),
                    }
                    message = socket.next().now_or_never();
                }
            }
            text = heard.recv() => {
                if let Ok(text) = text {
                    socket.feed(Message::Text(text)).await?;
                }
                feed_the_rest(&mut socket, &mut heard).await?;
                socket.flush().await?;
            }
        }
    }
}

/// Sends all texts that wait in one write, without copying them first.
async fn feed_the_rest(
    socket: &mut WebSocket,
    heard: &mut Receiver<Utf8Bytes>,
) -> Result<(), axum::Error> {
    loop {
        match heard.try_recv() {
            Ok(text) => socket.feed(Message::Text(text)).await?,
            Err(TryRecvError::Lagged(_)) => {}
            Err(_) => return Ok(()),
        }
    }
}
