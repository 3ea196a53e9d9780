//! A chat with a moderator: `cargo run --example moderate`.
//!
//! The moderator replaces a rude word with stars, and refuses advertisements (`buy …`). After three of them it
//! mutes the user, and after five it bans the address. `/rules` shows the rules.

use std::collections::HashMap;
use std::error::Error;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chinwag::{CommandHelp, Config, Draft, Hooks, Invocation, Requester, Server, Verdict};

/// Number of refused texts after which a user is muted.
const REFUSALS_UNTIL_MUTE: u32 = 3;
/// Number of refused texts after which an address is banned.
const REFUSALS_UNTIL_BAN: u32 = 5;
/// How long a user is muted.
const MUTE: Duration = Duration::from_secs(60);
/// How long an address is banned.
const BAN: Duration = Duration::from_secs(60 * 60);

#[derive(Default)]
struct Moderator {
    /// The number of refused texts of each address. The hooks of several clients run at the same
    /// time, each in the thread of its client.
    refusals: Mutex<HashMap<IpAddr, u32>>,
}

impl Moderator {
    /// Counts a refused text. Returns the number of them from this address.
    fn count(&self, address: IpAddr) -> u32 {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let count = refusals.entry(address).or_default();
        *count += 1;
        *count
    }
}

impl Hooks for Moderator {
    fn message(&self, requester: &Requester<'_>, draft: &Draft<'_>) -> Verdict {
        if draft.text.contains("darn") {
            return Verdict::SayInstead(draft.text.replace("darn", "****"));
        }
        if !draft.text.starts_with("buy ") {
            return Verdict::Say;
        }
        let refusals = self.count(requester.address);
        // These calls fail only if the server has stopped.
        if refusals == REFUSALS_UNTIL_MUTE {
            let _ = requester.handle.mute(requester.client, MUTE);
        } else if refusals >= REFUSALS_UNTIL_BAN {
            let _ = requester.handle.ban(requester.address, Some(BAN));
        }
        Verdict::Refuse("no advertisements, please".to_owned())
    }

    fn commands(&self) -> Vec<CommandHelp> {
        CommandHelp::new("rules", "shows the rules of this chat").into_iter().collect()
    }

    /// Answers `/rules`, which is the only command.
    fn command(&self, _: &Requester<'_>, _: &Invocation<'_>) -> Result<Option<String>, String> {
        Ok(Some("No advertisements. Mind your language.".to_owned()))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::default().page_port(0).websocket_port(0).hooks(Moderator::default());
    let running = Server::bind(&config)?.start()?;
    println!("open http://localhost:{}/", running.handle().page_addresses()[0].port());
    running.join()?;
    Ok(())
}
