//! Handlers of events, beside those of a chat server in Common Lisp: `cargo run --example handlers`.
//!
//! Each comment has the Lisp for the line below it, with the library websocket-driver. There a
//! connection is an object with handlers of its own. Here the events of all connections come through
//! one channel, and each names its client. When a message comes as an event, the chat has already
//! sent it to all members of its room.

use std::collections::HashMap;
use std::error::Error;

use chinwag::{ClientId, Config, Event, Handle, Nickname, Server};

struct Visitors {
    handle: Handle,
    host: Nickname,
    // (defvar *messages* (make-hash-table))
    messages: HashMap<ClientId, u32>,
}

impl Visitors {
    // (defun greet (ws)
    //   (setf (gethash ws *messages*) 0))
    fn greet(&mut self, client: ClientId) {
        self.messages.insert(client, 0);
    }

    // (defun count-message (ws)
    //   (let ((count (incf (gethash ws *messages*))))
    //     (send ws (format nil "host: that was message ~d of yours" count))))
    fn count_message(&mut self, client: ClientId) -> Result<(), Box<dyn Error>> {
        let count = self.messages.entry(client).or_default();
        *count += 1;
        self.handle.tell(client, &self.host, &format!("that was message {count} of yours"))?;
        Ok(())
    }

    // (defun report (ws problem)
    //   (format t "~a has failed: ~a~%" ws problem))
    fn report(&self, client: ClientId, error: &str) {
        println!("client {client} has failed: {error}");
    }

    // (defun forget (ws code reason)
    //   (format t "~a has gone after ~d messages: ~d ~a~%"
    //           ws (gethash ws *messages*) code reason)
    //   (remhash ws *messages*))
    fn forget(&mut self, client: ClientId, code: u16, reason: &str) {
        let count = self.messages.remove(&client).unwrap_or_default();
        println!("client {client} has gone after {count} messages: {code} {reason}");
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let server = Server::bind(&Config::default().page_port(0).websocket_port(0))?;
    let host: Nickname = "host".parse()?;
    server.reserve(&host)?;
    let events = server.events(1024);
    // (clack:clackup #'serve :port 12345)
    let running = server.start()?;
    let handle = running.handle();
    println!("open http://localhost:{}/", handle.page_addresses()[0].port());
    let mut visitors = Visitors { handle, host, messages: HashMap::new() };

    // (defun serve (environment)
    //   (let ((ws (make-server environment)))
    for event in events {
        match event {
            // (on :open ws (lambda () (greet ws)))
            Event::Open { client, .. } => visitors.greet(client),
            // (on :message ws (lambda (text) (count-message ws)))
            Event::Message { client, .. } => visitors.count_message(client)?,
            // (on :error ws (lambda (problem) (report ws problem)))
            Event::Error { client, error, .. } => visitors.report(client, &error),
            // (on :close ws (lambda (&key code reason) (forget ws code reason)))
            Event::Close { client, code, reason, .. } => visitors.forget(client, code, &reason),
            // Later versions may have more events.
            _ => {}
        }
    }
    //     (lambda (responder) (start-connection ws))))
    running.join()?;
    Ok(())
}
