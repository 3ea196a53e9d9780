//! A chat that keeps all messages in a file: `cargo run --example history -- chat.db`. Start it
//! again, and the messages are still there.

use std::env;
use std::error::Error;
use std::time::Duration;

use chinwag::history::{HistoryConfig, stats};
use chinwag::{Config, Server};

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args_os().nth(1).unwrap_or("chat.db".into());
    let month = Duration::from_secs(30 * 24 * 60 * 60);
    let history = HistoryConfig::new(&file).keep(month);
    let config = Config::default().page_port(0).websocket_port(0).history(history);
    let running = Server::bind(&config)?.start()?;
    println!("the file has {} messages", stats(file.as_ref())?.messages);
    println!("open http://localhost:{}/", running.handle().page_addresses()[0].port());
    running.join()?;
    Ok(())
}
