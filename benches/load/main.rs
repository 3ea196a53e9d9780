//! A load generator for the whole server, over real sockets.
//!
//! `cargo bench --bench load -- [scenario ...] [--seconds N]` starts the
//! release server as a process of its own, plays each scenario against it,
//! prints one table, and writes all figures to `bench.json` in the target
//! directory. `CHINWAG_BIN` names another program to measure.
//!
//! One thread drives all clients, pinned to one core; the server is pinned to
//! another. Everything stays on the loopback address, so the figures hold no
//! network: they compare servers, and versions of a server, on one machine.
//! It deliberately checks nothing but that the deliveries come; whether they
//! are right is for the tests.

mod closed_loop;
mod cores;
mod dialect;
mod first_page;
mod frames;
mod handshake;
mod idle;
mod join;
mod open_loop;
mod report;
mod server;
mod swarm;
mod way;
mod window;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cores::Cores;
use dialect::Dialect;
use open_loop::Plan;
use report::Row;
use way::Way;

/// A failure ends the run; its sentence is all that anybody needs.
type Outcome<T = ()> = Result<T, Box<dyn Error>>;

/// Every scenario, in the order of the table.
const SCENARIOS: [&str; 7] = ["start", "idle", "join", "quiet", "busy", "fanout", "saturated"];
/// How long each scenario with messages is measured, if nobody says.
const SECONDS: u32 = 4;

const QUIET: Plan = Plan { name: "quiet", clients: 20, senders: 20, per_second: 40 };
const BUSY: Plan = Plan { name: "busy", clients: 200, senders: 200, per_second: 200 };
const FANOUT: Plan = Plan { name: "fanout", clients: 1_000, senders: 1, per_second: 10 };

/// What the command line asks for.
struct Wish {
    scenarios: Vec<String>,
    seconds: u32,
    /// Cargo says so when it runs benches, and not when it runs tests.
    bench: bool,
}

fn main() -> ExitCode {
    match read_arguments().and_then(|wish| run(&wish)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read_arguments() -> Outcome<Wish> {
    let mut wish = Wish { scenarios: Vec::new(), seconds: SECONDS, bench: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--bench" => wish.bench = true,
            "--seconds" => wish.seconds = read_seconds(arguments.next())?,
            name if SCENARIOS.contains(&name) => wish.scenarios.push(argument),
            other => {
                let known = SCENARIOS.join(", ");
                return Err(format!("there is no {other:?}; the scenarios are {known}").into());
            }
        }
    }
    Ok(wish)
}

fn read_seconds(value: Option<String>) -> Outcome<u32> {
    match value.and_then(|value| value.parse().ok()) {
        Some(seconds @ 1..=600) => Ok(seconds),
        _ => Err("--seconds takes a whole number from 1 to 600".into()),
    }
}

fn run(wish: &Wish) -> Outcome {
    if !wish.bench && wish.scenarios.is_empty() {
        println!("nothing was measured: run it with cargo bench");
        return Ok(());
    }
    cores::allow_many_sockets()?;
    let cores = Cores::divide()?;
    let mut rows = Vec::new();
    for name in SCENARIOS {
        if wish.scenarios.is_empty() || wish.scenarios.iter().any(|wished| wished == name) {
            eprintln!("{name} ...");
            rows.extend(play(name, &cores, wish.seconds)?);
        }
    }
    println!("{}\n\n{}", cores.describe(), report::table(&rows));
    let file = json_file();
    let json = report::json(&rows, &cores.describe());
    std::fs::write(&file, format!("{json:#}\n"))?;
    println!("All figures: {}", file.display());
    Ok(())
}

fn play(name: &str, cores: &Cores, seconds: u32) -> Outcome<Vec<Row>> {
    let open = |plan| Way::ALL.map(|way| open_loop::run(cores, plan, way, seconds));
    let saturated = |in_flight| Way::ALL.map(|it| closed_loop::run(cores, it, in_flight, seconds));
    let both = [Dialect::Plain, Dialect::Json];
    let join = |replayed| both.map(|dialect| join::run(cores, dialect, replayed));
    let rows = match name {
        "start" => vec![first_page::run(cores)],
        "idle" => vec![idle::run(cores)],
        "join" => [join(false), join(true)].into_iter().flatten().collect(),
        "quiet" => open(&QUIET).into(),
        "busy" => open(&BUSY).into(),
        "fanout" => open(&FANOUT).into(),
        "saturated" => [saturated(8), saturated(64)].into_iter().flatten().collect(),
        other => unreachable!("{other:?} is not in SCENARIOS"),
    };
    rows.into_iter().collect()
}

/// `bench.json` in the target directory, wherever that is.
fn json_file() -> PathBuf {
    let inside_target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    inside_target.parent().unwrap_or(inside_target).join("bench.json")
}
