//! The program: turns arguments into a configuration, prints the banner, and serves until a signal.
//! It uses only the public library.

mod address_space;
mod arguments;
#[cfg(feature = "history")]
mod history_command;
mod logger;
mod signals;

use std::error::Error;
use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::mpsc;

use chinwag::{BasePath, Handle, Server};
use rustix::process::{Resource, getrlimit, setrlimit};

use arguments::Arguments;
use logger::log_to_stderr;

fn main() -> ExitCode {
    let arguments = Arguments::read();
    address_space::take_little_address_space();
    signals::ignore_meaningless();
    let result = log_to_stderr(arguments.log_level)
        .map_err(|error| no_thread(&error))
        .and_then(|()| run(&arguments));
    log::logger().flush();
    match result {
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
    let (serves, running) = mpsc::channel();
    signals::StopSignals::new()?.stop(running)?;
    let ready = |handle| {
        print_banner(&handle, arguments.path.as_ref());
        let _ = serves.send(handle);
    };
    server.run(ready).map_err(|error| with_source(&error))
}

/// Returns the message of an error and that of its source, as in `cannot serve: out of memory`. The
/// sources further down are part of those messages already.
fn with_source(error: &dyn Error) -> String {
    let source = error.source().map_or(String::new(), |source| format!(": {source}"));
    format!("{error}{source}")
}

/// Returns the message for a thread of the program itself that cannot be started. The limits of the
/// machine have not been read at that point.
fn no_thread(error: &io::Error) -> String {
    format!(
        "cannot start a thread ({error}): the server needs {THREADS_MIN} threads; raise the limit of \
         threads (ulimit -u, TasksMax= of a systemd unit, --pids-limit of a container), or end \
         other programs that count for it"
    )
}

/// Minimum number of threads: with both ports on one address, and one connection.
const THREADS_MIN: usize = 20;

/// Raises the soft limit of descriptors, which exists for programs that use `select`, to the hard
/// limit, which is the administrator's.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        log::warn!("cannot raise the limit of descriptors: {error}");
    }
}

fn print_banner(handle: &Handle, path: Option<&BasePath>) {
    let text = banner(handle, path.map_or("", |path| path.as_ref()));
    let mut stdout = io::stdout().lock();
    // The server runs without a reader of the banner, too.
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn banner(handle: &Handle, path: &str) -> String {
    let (near, far): (Vec<_>, Vec<_>) =
        handle.reachable_page_addresses().into_iter().partition(|it| it.ip().is_loopback());
    let websocket = handle.reachable_websocket_addresses();
    let lines = far
        .iter()
        .map(|address| ("Open in a browser:", format!("http://{address}{path}/")))
        .chain(near.first().map(|address| ("On this machine:", format!("http://{address}{path}/"))))
        .chain(websocket.first().map(|address| ("WebSocket:", format!("ws://{address}{path}/"))));
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
