//! A load generator for the whole server, over real sockets.
//!
//! `cargo bench --bench load -- [scenario ...]` starts the release server as a process, plays each
//! scenario against it, prints one table, and writes all figures to `bench.json` in the target
//! directory. `--seconds N` sets how long, `--only NAME` selects rows of the table, and `--peer
//! NAME=COMMAND` adds another server. `CHINWAG_BIN` names another program than the one that was
//! built.
//!
//! Below each row is its ratio to that of a program that only sends the same bytes, and to those of
//! the peers: other servers of the plain dialect, which print `WebSocket: ws://ADDRESS/` when they
//! listen.
//!
//! One thread drives all clients. It is pinned to one core, and the server to another. All traffic
//! stays on the loopback interface, so the figures exclude the network: they compare servers, and
//! versions of a server, on one machine. The generator checks only that the deliveries come. The
//! tests check that they are right.

mod closed_loop;
mod cores;
mod first_page;
mod floor;
mod idle;
mod join;
mod join_storm;
mod measurement;
mod open_loop;
mod report;
mod server;
mod syscalls;
mod target;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use cores::Cores;
use open_loop::Plan;
use report::Row;
use target::{Program, Target};
use testkit::{Dialect, Outcome};

/// Every scenario, in the order of the table.
const SCENARIOS: [&str; 10] =
    ["start", "idle", "join", "storm", "quiet", "busy", "fanout", "rooms", "saturated", "growth"];
/// Default for how long each scenario with messages is measured.
const SECONDS: u32 = 4;

const QUIET: Plan = Plan { name: "quiet", clients: 20, rooms: 1, senders: 20, per_second: 40 };
const BUSY: Plan = Plan { name: "busy", clients: 200, rooms: 1, senders: 200, per_second: 200 };
const FANOUT: Plan = Plan { name: "fanout", clients: 1_000, rooms: 1, senders: 1, per_second: 10 };
const ROOMS: Plan =
    Plan { name: "rooms", clients: 1_000, rooms: 100, senders: 1_000, per_second: 1_000 };

/// Sizes of the scenario `growth`: clients in one room, and rooms of 1,000 clients.
const GROWING_CLIENTS: [usize; 7] = [10, 30, 100, 300, 1_000, 3_000, 9_000];
const GROWING_ROOMS: [usize; 6] = [4, 10, 40, 100, 250, 1_000];
/// Deliveries a second in the scenario `growth`, about.
const GROWTH_DELIVERIES: usize = 20_000;

/// The arguments.
struct Arguments {
    scenarios: Vec<String>,
    seconds: u32,
    /// The name of the only rows to measure.
    only: Option<String>,
    peers: Vec<Program>,
    /// Set by cargo when it runs benchmarks, and not when it runs tests.
    bench: bool,
}

fn main() -> ExitCode {
    let outcome = match std::env::args().nth(1) {
        Some(argument) if argument == server::FLOOR => floor::serve(),
        _ => read_arguments().and_then(|arguments| run(&arguments)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("load: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read_arguments() -> Outcome<Arguments> {
    let (scenarios, peers) = (Vec::new(), Vec::new());
    let mut arguments = Arguments { scenarios, seconds: SECONDS, only: None, peers, bench: false };
    let mut words = std::env::args().skip(1);
    while let Some(argument) = words.next() {
        match argument.as_str() {
            "--bench" => arguments.bench = true,
            "--seconds" => arguments.seconds = read_seconds(words.next())?,
            "--only" => arguments.only = Some(words.next().ok_or("--only takes a NAME")?),
            "--peer" => arguments.peers.push(read_peer(words.next())?),
            name if SCENARIOS.contains(&name) => arguments.scenarios.push(argument),
            other => {
                let known = SCENARIOS.join(", ");
                return Err(format!("there is no {other:?}; the scenarios are {known}").into());
            }
        }
    }
    Ok(arguments)
}

fn read_peer(value: Option<String>) -> Outcome<Program> {
    let value = value.unwrap_or_default();
    let (name, command) = value.split_once('=').ok_or("--peer takes NAME=COMMAND")?;
    let command = command.split_whitespace().map(str::to_owned).collect();
    Ok(Program::Peer { name: name.to_owned(), command })
}

fn read_seconds(value: Option<String>) -> Outcome<u32> {
    match value.and_then(|value| value.parse().ok()) {
        Some(seconds @ 1..=600) => Ok(seconds),
        _ => Err("--seconds takes a whole number from 1 to 600".into()),
    }
}

fn run(arguments: &Arguments) -> Outcome {
    if !arguments.bench && arguments.scenarios.is_empty() {
        println!("nothing was measured: run it with cargo bench");
        return Ok(());
    }
    cores::allow_many_sockets()?;
    let cores = Cores::divide()?;
    let mut rows = Vec::new();
    for name in SCENARIOS {
        if arguments.scenarios.is_empty()
            || arguments.scenarios.iter().any(|selected| selected == name)
        {
            eprintln!("{name} ...");
            rows.extend(play(name, &cores, arguments)?);
        }
    }
    println!("{}\n\n{}", cores.describe(), report::table(&rows));
    let file = json_file();
    let json = report::json(&rows, &cores.describe());
    std::fs::write(&file, format!("{json:#}\n"))?;
    println!("All figures: {}", file.display());
    Ok(())
}

fn play(name: &str, cores: &Cores, arguments: &Arguments) -> Outcome<Vec<Row>> {
    let (chinwag, floor) = (Target::plain(Program::Chinwag), Target::plain(Program::Floor));
    let peers: Vec<Target> = arguments.peers.iter().cloned().map(Target::plain).collect();
    let is_selected =
        |target: &Target| arguments.only.as_ref().is_none_or(|only| *only == target.name());
    let all = [Target::all(), peers.clone()].concat();
    let all: Vec<Target> = all.into_iter().filter(is_selected).collect();
    let open =
        |plan: &Plan, target: &Target| open_loop::run(cores, plan, target, arguments.seconds);
    let closed =
        |(in_flight, target)| closed_loop::run(cores, target, in_flight, arguments.seconds);
    let in_all = |plan| all.iter().map(|target| open(plan, target)).collect();
    match name {
        "start" => first_page::run(cores).map(|row| vec![row]),
        "idle" => {
            let few = std::iter::once(&chinwag).chain(&peers).map(|target| (target, 5_000));
            few.chain([(&chinwag, 9_000)])
                .map(|(target, clients)| idle::run(cores, target, clients))
                .collect()
        }
        "join" => {
            let both = |replayed| [(Dialect::Plain, replayed), (Dialect::Json, replayed)];
            let targets = [false, true].into_iter().flat_map(both);
            targets.map(|(dialect, replayed)| join::run(cores, dialect, replayed)).collect()
        }
        "storm" => {
            let json = Target::new(Program::Chinwag, Dialect::Json);
            let targets = [&chinwag, &floor, &json].into_iter().chain(&peers);
            targets.map(|target| join_storm::run(cores, target)).collect()
        }
        "quiet" => in_all(&QUIET),
        "busy" => in_all(&BUSY),
        "fanout" => in_all(&FANOUT),
        // The peers have only one room.
        "rooms" => Target::all().iter().map(|target| open(&ROOMS, target)).collect(),
        "saturated" => {
            let loops =
                [8, 64].into_iter().flat_map(|it| all.iter().map(move |target| (it, target)));
            loops.map(closed).collect()
        }
        "growth" => {
            let clients = GROWING_CLIENTS.map(|clients| growing(clients, 1));
            let rooms = GROWING_ROOMS.map(|rooms| growing(1_000, rooms));
            let plans = clients.iter().chain(&rooms);
            plans.flat_map(|plan| [&chinwag, &floor].map(|target| open(plan, target))).collect()
        }
        other => unreachable!("{other:?} is not in SCENARIOS"),
    }
}

/// Returns a plan in which all clients send, with about the same number of deliveries for each
/// size.
fn growing(clients: usize, rooms: usize) -> Plan {
    let per_second = (GROWTH_DELIVERIES * rooms).div_ceil(clients);
    let per_second = u32::try_from(per_second).unwrap_or(u32::MAX);
    Plan { name: "growth", clients, rooms, senders: clients, per_second }
}

/// Returns the path of `bench.json` in the target directory.
fn json_file() -> PathBuf {
    let inside_target = Path::new(env!("CARGO_TARGET_TMPDIR"));
    inside_target.parent().unwrap_or(inside_target).join("bench.json")
}
