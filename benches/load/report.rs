//! One row for each scenario, as a table for people and as JSON for programs.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::window::Spent;

/// What one scenario has shown.
pub(crate) struct Row {
    name: String,
    clients: usize,
    /// Named figures. The unit is in the name; the table picks some of them.
    figures: Vec<(&'static str, f64)>,
    notes: Vec<String>,
}

/// A column of the table: its title, the figure it shows, and how.
type Column = (&'static str, &'static str, fn(f64) -> String);

/// Other programs that use more than so many percent of a core make a row
/// worthless.
const DISTURBED: f64 = 10.0;

/// The bytes are those of a delivery on the wire; the three behind them are the
/// shares of a core that the server, the load generator and everybody else have
/// used.
const COLUMNS: [Column; 13] = [
    ("deliveries/s", "deliveries_per_second", rate),
    ("CPU/delivery", "cpu_ns_per_delivery", time),
    ("bytes", "bytes_per_delivery", count),
    ("server", "server_core_percent", percent),
    ("load", "load_core_percent", percent),
    ("others", "others_core_percent", percent),
    ("waits/delivery", "waits_per_delivery", waits),
    ("p50", "latency_p50_ns", time),
    ("p99", "latency_p99_ns", time),
    ("p99.9", "latency_p999_ns", time),
    ("last receiver", "last_receiver_p50_ns", time),
    ("broadcaster", "broadcaster_cpu_p50_ns", time),
    ("KiB/client", "resident_kib_per_client", kib),
];

impl Row {
    pub(crate) fn new(name: &str, clients: usize) -> Self {
        Self { name: name.to_owned(), clients, figures: Vec::new(), notes: Vec::new() }
    }

    pub(crate) fn figure(&mut self, name: &'static str, value: f64) {
        self.figures.push((name, value));
    }

    pub(crate) fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Deliveries and what they cost. A wait is a thread giving up its core
    /// because it has nothing to do.
    pub(crate) fn rate(&mut self, deliveries: u64, spent: &Spent) {
        let count = deliveries as f64;
        let cpu = spent.server.cpu.as_nanos() as f64;
        self.figure("deliveries", count);
        self.figure("deliveries_per_second", count / spent.elapsed.as_secs_f64());
        self.figure("cpu_ns_per_delivery", cpu / count);
        self.figure("waits_per_delivery", spent.server.waits as f64 / count);
        self.spent(spent);
    }

    /// Who used the cores, and how much of one.
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

    /// Latencies, which are sorted on the way.
    pub(crate) fn latency(&mut self, latencies: &mut [Duration]) {
        latencies.sort_unstable();
        self.figure("latency_samples", latencies.len() as f64);
        self.figure("latency_p50_ns", percentile(latencies, 500));
        self.figure("latency_p99_ns", percentile(latencies, 990));
        self.figure("latency_p999_ns", percentile(latencies, 999));
    }

    /// For each message, when the last receiver had it.
    pub(crate) fn last_receiver(&mut self, last: &mut [Duration]) {
        last.sort_unstable();
        self.figure("last_receiver_p50_ns", percentile(last, 500));
        self.figure("last_receiver_p99_ns", percentile(last, 990));
    }

    /// For each time that something was done, how long the broadcaster was on
    /// its core for it.
    pub(crate) fn broadcaster(&mut self, cpu: &mut [Duration]) {
        cpu.sort_unstable();
        self.figure("broadcaster_cpu_p50_ns", percentile(cpu, 500));
        self.figure("broadcaster_cpu_p99_ns", percentile(cpu, 990));
    }

    /// Deliveries that never came; a good run has none.
    pub(crate) fn missing(&mut self, count: usize) {
        self.bad_news("missing_deliveries", count, "deliveries never came");
    }

    /// Clients that the server has dropped; a good run has none.
    pub(crate) fn lost(&mut self, count: usize) {
        self.bad_news("lost_clients", count, "clients were dropped");
    }

    fn bad_news(&mut self, figure: &'static str, count: usize, what: &str) {
        self.figure(figure, count as f64);
        if count > 0 {
            self.note(format!("{count} {what}!"));
        }
    }

    fn shown(&self, &(_, figure, show): &Column) -> String {
        let found = self.figures.iter().find(|(name, _)| *name == figure);
        found.map_or_else(String::new, |&(_, value)| show(value))
    }

    fn cells(&self) -> Vec<String> {
        let mut cells = vec![self.name.clone(), self.clients.to_string()];
        cells.extend(COLUMNS.iter().map(|column| self.shown(column)));
        cells
    }

    fn json(&self) -> Value {
        let mut object = Map::new();
        object.insert("scenario".to_owned(), json!(self.name));
        object.insert("clients".to_owned(), json!(self.clients));
        for (name, value) in &self.figures {
            object.insert((*name).to_owned(), json!(value));
        }
        object.insert("notes".to_owned(), json!(self.notes));
        Value::Object(object)
    }
}

/// The table, with the notes of a row behind its last column.
pub(crate) fn table(rows: &[Row]) -> String {
    let mut lines = vec![titles()];
    lines.extend(rows.iter().map(Row::cells));
    let widths = widths(&lines);
    let notes = std::iter::once(String::new()).chain(rows.iter().map(|row| row.notes.join("; ")));
    let mut table = String::new();
    for (cells, notes) in lines.iter().zip(notes) {
        let mut line = format!("{:<1$}", cells[0], widths[0]);
        for (cell, width) in cells.iter().zip(&widths).skip(1) {
            write!(line, "  {cell:>width$}").expect("a String takes every write");
        }
        table.push_str(format!("{line}  {notes}").trim_end());
        table.push('\n');
    }
    table
}

/// The same, and all the figures that the table leaves out.
pub(crate) fn json(rows: &[Row], cores: &str) -> Value {
    let rows: Vec<Value> = rows.iter().map(Row::json).collect();
    json!({ "cores": cores, "scenarios": rows })
}

fn titles() -> Vec<String> {
    let titles = COLUMNS.iter().map(|&(title, _, _)| title);
    ["scenario", "clients"].into_iter().chain(titles).map(str::to_owned).collect()
}

fn widths(lines: &[Vec<String>]) -> Vec<usize> {
    let width = |column: usize| lines.iter().map(|cells| cells[column].chars().count()).max();
    (0..lines[0].len()).map(|column| width(column).unwrap_or(0)).collect()
}

/// The smallest value, in ns, that so many in a thousand do not exceed.
fn percentile(sorted: &[Duration], permille: usize) -> f64 {
    let rank = (sorted.len() * permille).div_ceil(1_000);
    let value = sorted.get(rank.saturating_sub(1));
    value.map_or(f64::NAN, |value| value.as_nanos() as f64)
}

/// A number of nanoseconds in the unit that suits it.
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

fn waits(count: f64) -> String {
    format!("{count:.3}")
}

fn kib(amount: f64) -> String {
    format!("{amount:.1}")
}
