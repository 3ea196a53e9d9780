//! The options of the history, its errors with their remedies, and `chinwag history`.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal as _, Write as _};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use chinwag::history::{
    Durability, Exported, HistoryConfig, HistoryError, Stats, TransferError, export, import, stats,
    verify,
};
use clap::{Args, Subcommand, ValueEnum};
use humantime::{format_rfc3339_seconds, parse_duration};

use crate::with_source;

/// The options of a server that keeps a history.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Keep all messages in this file, across restarts, and make them searchable
    #[arg(long, value_name = "FILE", env = "CHINWAG_HISTORY")]
    history: Option<PathBuf>,

    /// The failures that a message in the file survives: the end of the process, or with full also a
    /// power failure, at the cost of waiting for the disk
    #[arg(
        long,
        value_name = "WHEN",
        env = "CHINWAG_HISTORY_SYNC",
        default_value = "process",
        requires = "history"
    )]
    history_sync: DurabilityArgument,

    /// How long messages are kept in the file, as in 30d or 1y; at least 1h [default: for ever]
    #[arg(long, value_name = "TIME", env = "CHINWAG_KEEP", value_parser = at_least_an_hour,
        requires = "history")]
    keep: Option<Duration>,

    /// Messages of each room that are kept in the file [default: all]
    #[arg(long, value_name = "N", env = "CHINWAG_KEEP_MESSAGES", requires = "history",
        value_parser = clap::value_parser!(u64).range(1..))]
    keep_messages: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum DurabilityArgument {
    Process,
    Full,
}

fn at_least_an_hour(time: &str) -> Result<Duration, String> {
    let time = parse_duration(time).map_err(|error| error.to_string())?;
    let hour = Duration::from_secs(60 * 60);
    if time < hour { Err("messages are kept for at least 1h".to_owned()) } else { Ok(time) }
}

impl Options {
    pub(crate) fn config(&self) -> Option<HistoryConfig> {
        let durability = match self.history_sync {
            DurabilityArgument::Process => Durability::Process,
            DurabilityArgument::Full => Durability::Machine,
        };
        let keep_messages = self.keep_messages.and_then(NonZeroU64::new);
        self.history.as_ref().map(|path| {
            HistoryConfig::new(path)
                .durability(durability)
                .keep(self.keep)
                .keep_messages(keep_messages)
        })
    }
}

/// Returns the message of an error and its remedy, in one sentence.
pub(crate) fn remedy(error: &HistoryError) -> String {
    let message = with_source(error);
    let remedy = match error {
        HistoryError::Locked(_) => "stop that one first, or choose another file",
        HistoryError::SymbolicLink(_) => "give the file itself, or remove the link",
        HistoryError::Io { error, .. } if error.kind() == io::ErrorKind::StorageFull => {
            "make room there, or choose a file on another disk"
        }
        HistoryError::Foreign(_) => "choose another file",
        HistoryError::Newer { .. } => "use that one, or choose another file",
        HistoryError::Damaged { .. } => {
            "it is left as it is: save what can be read with chinwag history export, and move it \
             away to start a new one"
        }
        _ => return message,
    };
    format!("{message}; {remedy}")
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Work on a history file
    #[command(subcommand)]
    History(Task),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Write all messages to the standard output, as JSON, one per line
    Export {
        /// The history; a server may have it open
        file: PathBuf,
    },
    /// Add messages to a history, and create it if necessary; in case of an error none is added
    Import {
        /// The history; no server may have it open
        file: PathBuf,
        /// The output of `export` [default: the standard input]
        lines: Option<PathBuf>,
    },
    /// Read all of a history, and print its defects
    Check {
        /// The history; a server may have it open
        file: PathBuf,
    },
    /// Print the numbers and sizes of a history
    Stats {
        /// The history; a server may have it open
        file: PathBuf,
    },
}

impl Command {
    pub(crate) fn run(&self) -> Result<(), String> {
        let Self::History(task) = self;
        match task {
            Task::Export { file } => run_export(file),
            Task::Import { file, lines } => run_import(file, lines.as_deref()),
            Task::Check { file } => run_check(file),
            Task::Stats { file } => {
                stats(file).map(|stats| print(&table(&stats))).map_err(|error| remedy(&error))
            }
        }
    }
}

fn run_export(file: &Path) -> Result<(), String> {
    let exported = export(file, &mut BufWriter::new(io::stdout().lock()), progress("written"));
    let Exported { written, unreadable, .. } = match exported {
        // The reader of the pipe has closed it.
        Err(TransferError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        exported => exported.map_err(message)?,
    };
    print_to_stderr(&format!("{written} messages written"));
    if unreadable > 0 {
        return Err(format!("{unreadable} messages cannot be read, and were left out"));
    }
    Ok(())
}

fn run_import(file: &Path, lines: Option<&Path>) -> Result<(), String> {
    let progress = progress("read");
    let added = match lines {
        Some(lines) => {
            let named = |error: io::Error| format!("cannot read {}: {error}", lines.display());
            let mut lines = BufReader::new(File::open(lines).map_err(named)?);
            import(file, &mut lines, progress).map_err(|error| match error {
                TransferError::Io(error) => named(error),
                error => message(error),
            })?
        }
        None => import(file, &mut io::stdin().lock(), progress).map_err(message)?,
    };
    print_to_stderr(&format!("{added} messages added"));
    Ok(())
}

fn message(error: TransferError) -> String {
    match error {
        TransferError::History(error) => remedy(&error),
        error => with_source(&error),
    }
}

fn run_check(file: &Path) -> Result<(), String> {
    let report = verify(file).map_err(|error| remedy(&error))?;
    let (file, messages) = (file.display(), report.messages);
    if report.problems.is_empty() {
        print(&format!("{file} is sound: {messages} messages\n"));
        return Ok(());
    }
    print(&(report.problems.join("\n") + "\n"));
    Err(format!(
        "{file} is damaged; {messages} messages can be read, and saved with chinwag history export"
    ))
}

fn table(stats: &Stats) -> String {
    // Times after the year 9999 cannot be formatted.
    let bounded = |ms: u64| UNIX_EPOCH + Duration::from_millis(ms.min(253_402_300_799_000));
    let day = |ms: u64| format_rfc3339_seconds(bounded(ms)).to_string();
    let times = stats
        .times
        .map_or("never".to_owned(), |(first, last)| format!("{} to {}", day(first), day(last)));
    let mut table = format!(
        "messages      {}\nrooms         {}\nsaid          {times}\nfile          {:.1} MB\n\
         search index  {:.1} MB\nformat        version {}, epoch {}\n",
        stats.messages,
        stats.rooms,
        in_mb(stats.bytes),
        in_mb(stats.index_bytes),
        stats.version,
        stats.epoch
    );
    if !stats.largest.is_empty() {
        table.push_str("\n  messages  numbers             room\n");
    }
    for room in &stats.largest {
        let (first, last) = room.numbers;
        let numbers = format!("{first}-{last}");
        table.push_str(&format!("{:>10}  {numbers:<18}  {}\n", room.messages, room.room));
    }
    table
}

#[expect(clippy::cast_precision_loss, reason = "people read it")]
fn in_mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Prints to the standard output. A reader that has closed the pipe is not an error.
fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Prints a line for the user, not for the pipe.
fn print_to_stderr(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Returns a function that shows the progress on a terminal.
fn progress(done: &'static str) -> impl FnMut(u64) {
    let is_terminal = io::stderr().is_terminal();
    move |count| {
        if is_terminal {
            let mut stderr = io::stderr();
            let _ = write!(stderr, "\r{count} messages {done}\r").and_then(|()| stderr.flush());
        }
    }
}
