//! The program: arguments to a configuration, a banner, logs, signals, and an exit code.

mod address_space;
mod arguments;
#[cfg(feature = "history")]
mod history_command;
mod logger;
mod signals;
#[allow(dead_code, reason = "the library uses the rest")]
#[path = "../../chat/token_bucket.rs"]
mod token_bucket;

use std::io::{self, Write as _};
use std::process::ExitCode;

use chinwag::{Handle, Server};
use rustix::process::{Resource, getrlimit, setrlimit};

use arguments::Arguments;
use logger::log_to_stderr;

fn main() -> ExitCode {
    let arguments = Arguments::read();
    address_space::take_little_address_space();
    signals::endure_meaningless();
    let served = log_to_stderr(arguments.log_level)
        .map_err(|error| no_thread(&error))
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
    let signals = signals::Listening::new()?;
    let handle = server.handle();
    signals.stop(handle.clone())?;
    print_banner(&handle);
    server.run().map_err(|error| error.to_string())
}

/// A thread of the program itself could not be had: these come before the server, which counts.
fn no_thread(error: &io::Error) -> String {
    format!(
        "cannot start a thread ({error}): the server needs {THREADS_MIN} threads; raise the limit of \
         threads (ulimit -u, TasksMax= of a systemd unit, --pids-limit of a container), or end \
         other programs that count for it"
    )
}

/// With both ports on one address, and one connection.
const THREADS_MIN: usize = 13;

/// The hard limit is the administrator's word; the soft one is a relic of `select`.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        log::warn!("cannot raise the limit of descriptors: {error}");
    }
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
