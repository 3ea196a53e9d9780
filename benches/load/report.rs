//! One row for each scenario, as a table for people and as JSON for programs.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::measurement::Spent;
use crate::target::{Program, Target};

/// The figures of one scenario with one target.
pub(crate) struct Row {
    scenario: String,
    target: Target,
    clients: usize,
    /// Named figures. The name has the unit. The table shows some of them.
    figures: Vec<(&'static str, f64)>,
    notes: Vec<String>,
}

/// A column of the table: its title, its figure, and its format.
type Column = (&'static str, &'static str, fn(f64) -> String);

/// If other programs use more than this share of a core (percent), the row is marked as disturbed.
const DISTURBED: f64 = 10.0;

/// The bytes are those of a delivery on the wire. The last three columns are the shares of a core
/// that the server, the load generator and all others have used.
const COLUMNS: [Column; 14] = [
    ("deliveries/s", "deliveries_per_second", rate),
    ("CPU/delivery", "cpu_ns_per_delivery", time),
    ("bytes", "bytes_per_delivery", count),
    ("p50", "latency_p50_ns", time),
    ("p99", "latency_p99_ns", time),
    ("p99.9", "latency_p999_ns", time),
    ("last receiver", "last_receiver_p50_ns", time),
    ("broadcaster", "broadcaster_cpu_p50_ns", time),
    ("KiB/client", "resident_kib_per_client", tenths),
    ("switches", "switches_per_delivery", thousandths),
    ("syscalls", "syscalls_per_delivery", thousandths),
    ("server", "server_core_percent", percent),
    ("load", "load_core_percent", percent),
    ("others", "others_core_percent", percent),
];

impl Row {
    pub(crate) fn new(scenario: &str, target: &Target, clients: usize) -> Self {
        let (scenario, target) = (scenario.to_owned(), target.clone());
        Self { scenario, target, clients, figures: Vec::new(), notes: Vec::new() }
    }

    pub(crate) fn figure(&mut self, name: &'static str, value: f64) {
        self.figures.push((name, value));
    }

    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Adds the deliveries and their cost. A switch means that a thread gives up its core, because
    /// it waits or is preempted.
    pub(crate) fn rate(&mut self, deliveries: u64, spent: &Spent) {
        let count = deliveries as f64;
        let cpu = spent.server.cpu.as_nanos() as f64;
        self.figure("deliveries", count);
        self.figure("deliveries_per_second", count / spent.elapsed.as_secs_f64());
        self.figure("cpu_ns_per_delivery", cpu / count);
        let switches = spent.server.waits + spent.server.preemptions;
        self.figure("switches_per_delivery", switches as f64 / count);
        self.spent(spent);
    }

    /// Adds the use of the cores.
    pub(crate) fn spent(&mut self, spent: &Spent) {
        let percent = |part: Duration| 100.0 * part.as_secs_f64() / spent.elapsed.as_secs_f64();
        self.figure("seconds", spent.elapsed.as_secs_f64());
        self.figure("threads", spent.server.threads as f64);
        self.figure("server_core_percent", percent(spent.server.cpu));
        self.figure("load_core_percent", percent(spent.load));
        self.figure("others_core_percent", percent(spent.others));
        if percent(spent.others) > DISTURBED {
            self.note("disturbed by other programs".to_owned());
        }
    }

    /// Adds system calls, counted during this many deliveries.
    pub(crate) fn syscalls(&mut self, count: u64, deliveries: u64) {
        self.figure("syscalls_per_delivery", count as f64 / deliveries as f64);
    }

    /// Adds the memory with all clients and without any.
    pub(crate) fn resident(&mut self, full_kib: u64, empty_kib: u64) {
        let more = full_kib.saturating_sub(empty_kib) as f64;
        self.figure("resident_kib", full_kib as f64);
        self.figure("resident_kib_per_client", more / self.clients as f64);
    }

    /// Adds latencies, and sorts them.
    pub(crate) fn latency(&mut self, latencies: &mut [Duration]) {
        latencies.sort_unstable();
        self.figure("latency_samples", latencies.len() as f64);
        self.figure("latency_p50_ns", percentile(latencies, 500));
        self.figure("latency_p99_ns", percentile(latencies, 990));
        self.figure("latency_p999_ns", percentile(latencies, 999));
    }

    /// Adds the time at which the last receiver had each message.
    pub(crate) fn last_receiver(&mut self, last: &mut [Duration]) {
        last.sort_unstable();
        self.figure("last_receiver_p50_ns", percentile(last, 500));
        self.figure("last_receiver_p99_ns", percentile(last, 990));
    }

    /// Adds the time of the broadcaster on its core for each action.
    pub(crate) fn broadcaster(&mut self, cpu: &mut [Duration]) {
        cpu.sort_unstable();
        self.figure("broadcaster_cpu_p50_ns", percentile(cpu, 500));
        self.figure("broadcaster_cpu_p99_ns", percentile(cpu, 990));
    }

    /// Adds deliveries that never came. A good run has none.
    pub(crate) fn missing(&mut self, count: usize) {
        self.bad_news("missing_deliveries", count, "deliveries never came");
    }

    /// Adds clients that the server has dropped. A good run has none.
    pub(crate) fn lost(&mut self, count: usize) {
        self.bad_news("lost_clients", count, "clients were dropped");
    }

    fn bad_news(&mut self, figure: &'static str, count: usize, what: &str) {
        self.figure(figure, count as f64);
        if count > 0 {
            self.note(format!("{count} {what}!"));
        }
    }

    fn value(&self, figure: &str) -> Option<f64> {
        self.figures.iter().find(|(name, _)| *name == figure).map(|&(_, value)| value)
    }

    fn cells(&self) -> Vec<String> {
        let shown = |&(_, figure, show): &Column| self.value(figure).map_or_else(String::new, show);
        let mut cells = vec![self.scenario.clone(), self.target.name(), self.clients.to_string()];
        cells.extend(COLUMNS.iter().map(shown));
        cells
    }

    /// Returns the rows to compare this one with: that of the floor, and for chinwag those of its
    /// peers.
    fn compared_with<'a>(&'a self, rows: &'a [Self]) -> impl Iterator<Item = &'a Self> {
        let same = |it: &Self| (&it.scenario, it.clients) == (&self.scenario, self.clients);
        rows.iter().filter(move |it| {
            same(it)
                && match it.target.program {
                    Program::Chinwag => false,
                    Program::Floor => {
                        it.target != self.target && it.target.dialect == self.target.dialect
                    }
                    Program::Peer { .. } => self.target == Target::plain(Program::Chinwag),
                }
        })
    }

    /// Returns the figures as ratios to those of another row.
    fn ratios<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = (&'static str, f64)> + 'a {
        let compared = COLUMNS.iter().filter(|(_, figure, _)| {
            *figure != "bytes_per_delivery" && !figure.ends_with("_core_percent")
        });
        compared.filter_map(|(_, figure, _)| {
            let ratio = self.value(figure)? / other.value(figure).filter(|it| *it > 0.0)?;
            Some((*figure, ratio))
        })
    }

    fn ratio_cells(&self, other: &Self) -> Vec<String> {
        let ratios: Vec<_> = self.ratios(other).collect();
        let mut cells = vec![String::new(), format!("  ÷ {}", other.target.name()), String::new()];
        cells.extend(COLUMNS.iter().map(|(_, figure, _)| {
            let ratio = ratios.iter().find(|(name, _)| name == figure);
            ratio.map_or_else(String::new, |(_, ratio)| format!("{ratio:.2}"))
        }));
        cells
    }

    fn json(&self, rows: &[Self]) -> Value {
        let mut object = Map::new();
        object.insert("scenario".to_owned(), json!(self.scenario));
        object.insert("server".to_owned(), json!(self.target.server()));
        object.insert("dialect".to_owned(), json!(self.target.dialect.name()));
        object.insert("kept".to_owned(), json!(self.target.keeps_history));
        object.insert("clients".to_owned(), json!(self.clients));
        for (name, value) in &self.figures {
            object.insert((*name).to_owned(), json!(value));
        }
        let ratios = |it: &Self| {
            let ratios = self.ratios(it).map(|(name, ratio)| (name.to_owned(), json!(ratio)));
            (it.target.name(), Value::Object(ratios.collect()))
        };
        let ratios: Map<_, _> = self.compared_with(rows).map(ratios).collect();
        object.insert("ratios".to_owned(), Value::Object(ratios));
        object.insert("notes".to_owned(), json!(self.notes));
        Value::Object(object)
    }
}

/// Formats the table. The notes of a row are behind its last column, and its ratios to other rows
/// below it.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut lines = vec![(titles(), String::new())];
    for row in rows {
        lines.push((row.cells(), row.notes.join("; ")));
        lines.extend(row.compared_with(rows).map(|it| (row.ratio_cells(it), String::new())));
    }
    let widths = widths(&lines);
    let mut table = String::new();
    for (cells, notes) in &lines {
        let mut line = format!("{:<2$}  {:<3$}", cells[0], cells[1], widths[0], widths[1]);
        for (cell, width) in cells.iter().zip(&widths).skip(2) {
            write!(line, "  {cell:>width$}").expect("a String takes every write");
        }
        table.push_str(format!("{line}  {notes}").trim_end());
        table.push('\n');
    }
    table
}

/// Returns all figures, also those that are not in the table.
pub(crate) fn json(rows: &[Row], cores: &str) -> Value {
    json!({ "cores": cores, "rows": rows.iter().map(|row| row.json(rows)).collect::<Vec<_>>() })
}

fn titles() -> Vec<String> {
    let titles = COLUMNS.iter().map(|&(title, _, _)| title);
    ["scenario", "server", "clients"].into_iter().chain(titles).map(str::to_owned).collect()
}

fn widths(lines: &[(Vec<String>, String)]) -> Vec<usize> {
    let width = |column: usize| lines.iter().map(|(cells, _)| cells[column].chars().count()).max();
    (0..lines[0].0.len()).map(|column| width(column).unwrap_or(0)).collect()
}

/// Returns the smallest value that is not exceeded by this share of the values (ns).
fn percentile(sorted: &[Duration], permille: usize) -> f64 {
    let rank = (sorted.len() * permille).div_ceil(1_000);
    let value = sorted.get(rank.saturating_sub(1));
    value.map_or(f64::NAN, |value| value.as_nanos() as f64)
}

/// Formats nanoseconds in a suitable unit.
fn time(ns: f64) -> String {
    match ns {
        _ if ns < 1e3 => format!("{ns:.0} ns"),
        _ if ns < 1e6 => format!("{:.1} µs", ns / 1e3),
        _ => format!("{:.1} ms", ns / 1e6),
    }
}

fn rate(per_second: f64) -> String {
    match per_second {
        _ if per_second < 1e6 => format!("{per_second:.0}"),
        _ => format!("{:.1} M", per_second / 1e6),
    }
}

fn count(number: f64) -> String {
    format!("{number:.0}")
}

fn percent(share: f64) -> String {
    format!("{share:.0} %")
}

fn thousandths(count: f64) -> String {
    format!("{count:.3}")
}

fn tenths(amount: f64) -> String {
    format!("{amount:.1}")
}
