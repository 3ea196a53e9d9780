//! A chat for users that have logged in elsewhere: `cargo run --example login`.
//!
//! A client shows the token of its user in the query, as in `/?token=…`. The token decides about the
//! nickname, the session and the rooms. A request without a valid token gets the status 401.

use std::collections::HashMap;
use std::error::Error;

use chinwag::{Admission, Config, Hooks, Refusal, Requester, Server};

/// The users with their tokens. The login of a real program makes each token at random: a token must
/// be hard to guess.
const USERS: [(&str, &str); 2] =
    [("ana", "0b54ac13f9a44d5d8ac87bb3b1ba08e6"), ("bo", "5a1d2c6be8f04c0d93e7f4a2d8871c3b")];

struct Login {
    /// The admission of each user, by token.
    admissions: HashMap<&'static str, Admission>,
}

impl Hooks for Login {
    fn admit(&self, requester: &Requester<'_>) -> Result<Admission, Refusal> {
        let mut parameters = requester.request.query().unwrap_or_default().split('&');
        let token = parameters.find_map(|parameter| parameter.strip_prefix("token="));
        let admission = token.and_then(|token| self.admissions.get(token)).cloned();
        admission.ok_or_else(|| Refusal::new(401, "Log in first."))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut admissions = HashMap::new();
    for (name, token) in USERS {
        let rooms = ["lobby".parse()?, format!("{name}s-desk").parse()?];
        // All connections with the same token are the same user.
        let admission = Admission::default().nickname(name.parse()?).session(token).rooms(rooms);
        admissions.insert(token, admission);
    }
    let config = Config::default().page_port(0).websocket_port(0).hooks(Login { admissions });
    let running = Server::bind(&config)?.start()?;
    let port = running.handle().websocket_addresses()[0].port();
    for (name, token) in USERS {
        println!("{name}: ws://localhost:{port}/?token={token}");
    }
    running.join()?;
    Ok(())
}
