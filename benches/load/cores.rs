//! Who runs where: the server on one core, the load generator on another.
//!
//! Left to itself the scheduler puts a server beside its load, and the figures
//! of the two can no longer be told apart.

use std::fs;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

use testkit::Outcome;

/// The cores of this run; `None` where there is only one to be had.
pub(crate) struct Cores {
    pair: Option<Pair>,
}

struct Pair {
    server: usize,
    load: usize,
}

impl Cores {
    /// Takes the first allowed core for the load, and moves there; the last
    /// becomes the server's, because the first tends to serve interrupts.
    pub(crate) fn divide() -> Outcome<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        let pair = cores.next().zip(cores.next_back());
        let pair = pair.map(|(load, server)| Pair { server, load });
        if let Some(pair) = &pair {
            move_to(pair.load)?;
        }
        Ok(Self { pair })
    }

    /// Runs `start` on the server's core, which a child inherits.
    pub(crate) fn for_server<T>(&self, start: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let Some(pair) = &self.pair else {
            return start();
        };
        move_to(pair.server)?;
        let started = start();
        move_to(pair.load)?;
        started
    }

    /// How many cores the two of them have.
    pub(crate) fn count(&self) -> u32 {
        if self.pair.is_some() { 2 } else { 1 }
    }

    /// How long these cores have had nothing to do since the machine started.
    /// The kernel tells it in hundredths of a second.
    pub(crate) fn idle(&self) -> Outcome<Duration> {
        let stat = fs::read_to_string("/proc/stat")?;
        let ticks = match &self.pair {
            Some(Pair { server, load }) => idle_ticks(&stat, *server)? + idle_ticks(&stat, *load)?,
            None => idle_ticks(&stat, sched_getcpu())?,
        };
        let tick = Duration::from_secs(1).div_f64(clock_ticks_per_second() as f64);
        Ok(tick.mul_f64(ticks as f64))
    }

    /// One sentence for the report.
    pub(crate) fn describe(&self) -> String {
        match &self.pair {
            Some(Pair { server, load }) => {
                format!("server pinned to core {server}, load generator to core {load}")
            }
            None => "one core only: server and load share it, and the figures suffer".to_owned(),
        }
    }
}

fn move_to(core: usize) -> Outcome {
    let mut only = CpuSet::new();
    only.set(core);
    Ok(sched_setaffinity(None, &only)?)
}

/// `/proc/stat` gives user, nice, system, idle and iowait ticks, in this order.
fn idle_ticks(stat: &str, core: usize) -> Outcome<u64> {
    let name = format!("cpu{core} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name));
    let line = line.ok_or_else(|| format!("no core {core} in /proc/stat"))?;
    let idle = line.split_whitespace().skip(3).take(2);
    Ok(idle.map(str::parse::<u64>).sum::<Result<_, _>>()?)
}

/// Descriptors that the generator and the server may have, each: what many systems give.
const DESCRIPTORS_MAX: u64 = 20_000;

/// Raises the limit of open files, for the server too: a child inherits it.
pub(crate) fn allow_many_sockets() -> Outcome {
    let hard = getrlimit(Resource::Nofile).maximum;
    let limit = Some(hard.map_or(DESCRIPTORS_MAX, |hard| hard.min(DESCRIPTORS_MAX)));
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit })?)
}
