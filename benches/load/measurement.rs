//! The time in which a scenario is measured, and the use of the cores in it.

use std::fs;
use std::time::{Duration, Instant};

use crate::cores::Cores;
use crate::server::{Server, Usage};
use testkit::Outcome;

/// A running measurement.
pub(crate) struct Measurement<'a> {
    server: &'a Server,
    cores: &'a Cores,
    server_before: Usage,
    load_before: Duration,
    idle_before: Duration,
    start: Instant,
}

/// The use of the cores during a measurement.
pub(crate) struct Spent {
    pub(crate) elapsed: Duration,
    pub(crate) server: Usage,
    /// Time of the generator on its core.
    pub(crate) load: Duration,
    /// Time of other programs on these cores. The kernel takes a little in every run. A browser or
    /// a compiler beside the benchmark spoils it.
    pub(crate) others: Duration,
}

impl<'a> Measurement<'a> {
    pub(crate) fn begin(server: &'a Server, cores: &'a Cores) -> Outcome<Self> {
        Ok(Self {
            server,
            cores,
            server_before: server.usage()?,
            load_before: own_cpu()?,
            idle_before: cores.idle()?,
            start: Instant::now(),
        })
    }

    pub(crate) fn end(self) -> Outcome<Spent> {
        let elapsed = self.start.elapsed();
        let idle = self.cores.idle()?.saturating_sub(self.idle_before);
        let load = own_cpu()?.saturating_sub(self.load_before);
        let server = self.server.usage()?.since(&self.server_before);
        let available = elapsed * self.cores.count();
        let others = available.saturating_sub(idle + load + server.cpu);
        Ok(Spent { elapsed, server, load, others })
    }
}

/// Returns the time of this thread, the only one of the generator, on its core.
fn own_cpu() -> Outcome<Duration> {
    let schedstat = fs::read_to_string("/proc/thread-self/schedstat")?;
    let ns = schedstat.split_whitespace().next().ok_or("no schedstat")?;
    Ok(Duration::from_nanos(ns.parse()?))
}
