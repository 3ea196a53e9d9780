//! Clients of both dialects, and waiting for events.

use std::error::Error;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use chinwag::{Event, Events};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

/// Maximum time for an event or a frame, however busy the machine is.
pub const DEADLINE: Duration = Duration::from_secs(20);

pub type Outcome<T = ()> = Result<T, Box<dyn Error>>;

pub fn tcp(address: SocketAddr) -> Outcome<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(stream)
}

/// Connects a plain client.
pub fn connect(address: SocketAddr, target: &str) -> Outcome<WebSocket<TcpStream>> {
    Ok(tungstenite::client(format!("ws://{address}{target}"), tcp(address)?)?.0)
}

/// A JSON client.
pub struct Json(WebSocket<TcpStream>);

impl Json {
    pub fn connect(address: SocketAddr, target: &str) -> Outcome<Self> {
        let mut request = format!("ws://{address}{target}").into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", "chinwag.v1".parse()?);
        Ok(Self(tungstenite::client(request, tcp(address)?)?.0))
    }

    pub fn send(&mut self, request: &str) -> Outcome {
        Ok(self.0.send(Message::text(request))?)
    }

    /// Checks that the next event has a part.
    pub fn receive(&mut self, part: &str) -> Outcome {
        let message = self.0.read()?;
        let event = message.to_text()?;
        if event.contains(part) { Ok(()) } else { Err(format!("{event}, not {part}").into()) }
    }

    pub fn close_frame(&mut self) -> Outcome<(u16, String)> {
        let Message::Close(Some(frame)) = self.0.read()? else {
            return Err("no close frame".into());
        };
        Ok((frame.code.into(), frame.reason.to_string()))
    }
}

/// Returns the next event of this kind.
pub fn event_where(events: &Events, is_it: impl Fn(&Event) -> bool) -> Outcome<Event> {
    loop {
        let event = events.recv_timeout(DEADLINE)?;
        if is_it(&event) {
            return Ok(event);
        }
    }
}
