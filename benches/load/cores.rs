//! Places the server on one core and the load generator on another.
//!
//! Otherwise the scheduler may put both on one core, and the figures of the two cannot be told
//! apart.

use std::fs;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

use testkit::Outcome;

/// The cores of this run. `None` means that only one is available.
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

    /// Returns the number of cores of both.
    pub(crate) fn count(&self) -> u32 {
        if self.pair.is_some() { 2 } else { 1 }
    }

    /// Returns how long these cores have been idle since the machine started, in steps of a
    /// hundredth of a second.
    pub(crate) fn idle(&self) -> Outcome<Duration> {
        let stat = fs::read_to_string("/proc/stat")?;
        let ticks = match &self.pair {
            Some(Pair { server, load }) => idle_ticks(&stat, *server)? + idle_ticks(&stat, *load)?,
            None => idle_ticks(&stat, sched_getcpu())?,
        };
        let tick = Duration::from_secs(1).div_f64(clock_ticks_per_second() as f64);
        Ok(tick.mul_f64(ticks as f64))
    }

    /// Returns a sentence for the report.
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

/// Maximum number of descriptors of the generator, and of the server: a common system limit.
const DESCRIPTORS_MAX: u64 = 20_000;

/// Raises the limit of open files. The server inherits it.
pub(crate) fn allow_many_sockets() -> Outcome {
    let hard = getrlimit(Resource::Nofile).maximum;
    let limit = Some(hard.map_or(DESCRIPTORS_MAX, |hard| hard.min(DESCRIPTORS_MAX)));
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit, maximum: limit })?)
}
