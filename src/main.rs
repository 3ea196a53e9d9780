//! The program: arguments to a configuration, a banner, logs, signals, and an exit code.

#[cfg(feature = "history")]
mod history;
mod logger;
#[expect(dead_code, reason = "the library uses the rest")]
#[path = "chat/token_bucket.rs"]
mod token_bucket;

use std::io::{self, Write as _};
use std::net::{IpAddr, SocketAddr};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use chinwag::{Config, Handle, HistoryLimits, HostName, Limits, Origin, Server, StartError};
use clap::Parser;
use log::LevelFilter;
use rustix::process::{Resource, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::register_conditional_shutdown;
use signal_hook::iterator::Signals;

use logger::log_to_stderr;

/// Chat for your LAN. Start it, and open the address that it prints in a browser.
#[derive(Debug, Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    #[cfg(feature = "history")]
    #[command(subcommand)]
    command: Option<history::Command>,

    /// Address to listen on; may be given more than once [default: every interface]
    #[arg(long, value_name = "ADDR", env = "CHINWAG_BIND", value_delimiter = ',')]
    bind: Vec<IpAddr>,

    /// Port of the page; 0 takes a free one
    #[arg(long, value_name = "PORT", env = "CHINWAG_PORT", default_value_t = 8080)]
    port: u16,

    /// Port for WebSocket clients; 0 takes a free one
    #[arg(long, value_name = "PORT", env = "CHINWAG_WS_PORT", default_value_t = 12345)]
    ws_port: u16,

    /// Another name by which people reach this machine; may be given more than once
    #[arg(long, value_name = "NAME", env = "CHINWAG_HOST_NAME", value_delimiter = ',')]
    host_name: Vec<HostName>,

    /// Origin whose pages may talk to this server, as in https://example.org; may be given more
    /// than once
    #[arg(long, value_name = "ORIGIN", env = "CHINWAG_ALLOW_ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<Origin>,

    /// Most clients at once [default: as many as there are descriptors for]
    #[arg(long, value_name = "N", env = "CHINWAG_MAX_CLIENTS", value_parser = at_least_one)]
    max_clients: Option<usize>,

    /// Most clients at once from one address; 0 for no limit
    #[arg(long, value_name = "N", env = "CHINWAG_MAX_CLIENTS_PER_ADDRESS", default_value_t = 64)]
    max_clients_per_address: usize,

    /// Texts that a client may say at once, before the rate counts
    #[arg(long, value_name = "N", env = "CHINWAG_BURST", default_value_t = Limits::default().burst)]
    burst: u32,

    /// Texts that a client may say in a second, in the long run; 0 for no limit
    #[arg(long, value_name = "N", env = "CHINWAG_RATE", default_value_t = Limits::default().per_second)]
    rate: u32,

    /// Messages that are held in each room, for those who come later or come back; 0 for none
    #[arg(long, value_name = "N", env = "CHINWAG_HISTORY_LINES",
        default_value_t = HistoryLimits::default().lines_max)]
    history_lines: usize,

    /// Rooms with nobody in them that are held for what was said there
    #[arg(long, value_name = "N", env = "CHINWAG_IDLE_ROOMS",
        default_value_t = HistoryLimits::default().idle_rooms_max)]
    idle_rooms: usize,

    #[cfg(feature = "history")]
    #[command(flatten)]
    history: history::Flags,

    /// For how many seconds somebody whose connection broke keeps nickname and place; 0 for not
    /// at all
    #[arg(long, value_name = "SECONDS", env = "CHINWAG_GRACE",
        default_value_t = Limits::default().grace.as_secs())]
    grace: u64,

    /// What is logged to stderr: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", env = "CHINWAG_LOG_LEVEL", default_value = "info")]
    log_level: LevelFilter,
}

fn at_least_one(number: &str) -> Result<usize, String> {
    match number.parse() {
        Ok(0) => Err("at least one".to_owned()),
        Ok(number) => Ok(number),
        Err(_) => Err("not a number".to_owned()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let served = log_to_stderr(arguments.log_level)
        .map_err(|error| format!("cannot start: {error}"))
        .and_then(|()| run(&arguments));
    log::logger().flush();
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            let _ = writeln!(io::stderr(), "chinwag: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), String> {
    #[cfg(feature = "history")]
    if let Some(command) = &arguments.command {
        return command.run();
    }
    serve(arguments)
}

fn serve(arguments: &Arguments) -> Result<(), String> {
    raise_descriptor_limit();
    let server = Server::bind(&arguments.config()).map_err(|error| arguments.remedy(&error))?;
    // Signals that come from here on find somebody who listens.
    let signals = Signals::new([SIGINT, SIGTERM]).map_err(|error| error.to_string())?;
    let handle = server.handle();
    stop_on_signal(signals, handle.clone())?;
    print_banner(&handle);
    server.run().map_err(|error| error.to_string())
}

impl Arguments {
    fn config(&self) -> Config {
        let default = Config::default();
        Config {
            bind: if self.bind.is_empty() { default.bind } else { self.bind.clone() },
            page_port: self.port,
            websocket_port: self.ws_port,
            host_names: self.host_name.clone(),
            allowed_origins: self.allow_origin.clone(),
            clients_max: self.max_clients,
            clients_per_address_max: self.max_clients_per_address,
            limits: self.limits(),
            #[cfg(feature = "history")]
            history: self.history.config(),
        }
    }

    fn limits(&self) -> Limits {
        let default = Limits::default();
        Limits {
            burst: self.burst,
            per_second: self.rate,
            history: HistoryLimits {
                lines_max: self.history_lines,
                idle_rooms_max: self.idle_rooms,
                ..default.history
            },
            grace: Duration::from_secs(self.grace),
            ..default
        }
    }

    /// What went wrong, and what to do about it, in one sentence.
    fn remedy(&self, error: &StartError) -> String {
        let flag = |address: &SocketAddr| {
            if address.port() == self.port { "--port" } else { "--ws-port" }
        };
        match error {
            StartError::PortInUse(address) => {
                format!("{error}; choose another with {} (0 takes a free one)", flag(address))
            }
            StartError::NoPermission(address) => {
                format!("{error}; choose one above 1023 with {}", flag(address))
            }
            #[cfg(feature = "history")]
            StartError::History(error) => history::remedy(error),
            StartError::NotOurAddress(_) => format!("{error}; choose another with --bind"),
            _ => error.to_string(),
        }
    }
}

/// The hard limit is the administrator's word; the soft one is a relic of `select`.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        log::warn!("cannot raise the limit of descriptors: {error}");
    }
}

/// The first signal stops the server, a second ends the process at once.
fn stop_on_signal(mut signals: Signals, handle: Handle) -> Result<(), String> {
    let wait = move || {
        let Some(signal) = signals.forever().next() else { return };
        let stopping = Arc::new(AtomicBool::new(true));
        for second in [SIGINT, SIGTERM] {
            if let Err(error) =
                register_conditional_shutdown(second, 128 + second, stopping.clone())
            {
                log::warn!("a second signal will not end the process at once: {error}");
            }
        }
        log::info!("stopping, after signal {signal}; a second one ends the process at once");
        handle.stop();
    };
    let thread = std::thread::Builder::new().name("signals".into()).spawn(wait);
    thread.map(drop).map_err(|error| format!("cannot listen for signals: {error}"))
}

fn print_banner(handle: &Handle) {
    let text = banner(handle);
    let mut stdout = io::stdout().lock();
    // Nobody may be there to read it, which is no reason not to serve.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn banner(handle: &Handle) -> String {
    let (near, far): (Vec<_>, Vec<_>) =
        handle.reachable_page_addresses().into_iter().partition(|it| it.ip().is_loopback());
    let websocket = handle.reachable_websocket_addresses();
    let lines = far
        .iter()
        .map(|address| ("Open in a browser:", format!("http://{address}/")))
        .chain(near.first().map(|address| ("On this machine:", format!("http://{address}/"))))
        .chain(websocket.first().map(|address| ("WebSocket:", format!("ws://{address}/"))));
    let mut text = format!("chinwag {} · chat for your LAN\n\n", env!("CARGO_PKG_VERSION"));
    let mut last_label = "";
    for (label, url) in lines {
        let shown = if label == last_label { "" } else { label };
        text.push_str(&format!("  {shown:<19} {url}\n"));
        last_label = label;
    }
    let clients_max = handle.clients_max();
    text.push_str(&format!("\n  Room for {clients_max} people at once. Ctrl+C stops.\n"));
    text
}
