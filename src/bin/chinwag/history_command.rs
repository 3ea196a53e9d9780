//! The program's words about the history: flags, remedies, and the commands that work on a file.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use chinwag::{
    Exported, HistoryConfig, HistoryError, Stats, Sync, TransferError, check, export, import, stats,
};
use clap::{Args, Subcommand, ValueEnum};
use humantime::{format_rfc3339_seconds, parse_duration};

/// The flags.
#[derive(Debug, Args)]
pub(crate) struct Flags {
    /// Keep everything that is said in this file, through restarts, and let it be searched
    #[arg(long, value_name = "FILE", env = "CHINWAG_HISTORY")]
    history: Option<PathBuf>,

    /// What a message in the file outlives: the end of the process, or with full also that of the
    /// machine, at the price of waiting for the disk
    #[arg(
        long,
        value_name = "WHEN",
        env = "CHINWAG_HISTORY_SYNC",
        default_value = "process",
        requires = "history"
    )]
    history_sync: SyncArgument,

    /// For how long messages are kept in the file, as in 30d or 1y, and 1h at least [default: for
    /// ever]
    #[arg(long, value_name = "TIME", env = "CHINWAG_KEEP", value_parser = at_least_an_hour,
        requires = "history")]
    keep: Option<Duration>,

    /// Messages that are kept in the file for each room [default: all]
    #[arg(long, value_name = "N", env = "CHINWAG_KEEP_MESSAGES", requires = "history",
        value_parser = clap::value_parser!(u64).range(1..))]
    keep_messages: Option<u64>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SyncArgument {
    Process,
    Full,
}

fn at_least_an_hour(time: &str) -> Result<Duration, String> {
    let time = parse_duration(time).map_err(|error| error.to_string())?;
    let hour = Duration::from_secs(60 * 60);
    if time < hour { Err("messages are kept for at least 1h".to_owned()) } else { Ok(time) }
}

impl Flags {
    pub(crate) fn config(&self) -> Option<HistoryConfig> {
        let sync = match self.history_sync {
            SyncArgument::Process => Sync::Process,
            SyncArgument::Full => Sync::Full,
        };
        let (keep, keep_messages) = (self.keep, self.keep_messages);
        self.history.as_ref().map(|path| HistoryConfig {
            sync,
            keep,
            keep_messages,
            ..HistoryConfig::new(path)
        })
    }
}

/// What went wrong with a history, and what to do about it, in one sentence.
pub(crate) fn remedy(error: &HistoryError) -> String {
    let what_to_do = match error {
        HistoryError::Locked(_) => "stop that one first, or choose another file",
        HistoryError::SymbolicLink(_) => "give the file itself, or remove the link",
        HistoryError::Io { error, .. } if error.kind() == io::ErrorKind::StorageFull => {
            "make room there, or choose a file on another disk"
        }
        HistoryError::Foreign(_) => "choose another file",
        HistoryError::Newer { .. } => "use that one, or choose another file",
        HistoryError::Damaged { .. } => {
            "it is left as it is: save what can be read with chinwag history export, and move it \
             away to begin anew"
        }
        _ => return error.to_string(),
    };
    format!("{error}; {what_to_do}")
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Work on a history file
    #[command(subcommand)]
    History(Work),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Work {
    /// Write every message to the standard output, as JSON, one a line
    Export {
        /// The history; a server may have it open
        file: PathBuf,
    },
    /// Add messages to a history, which is made if there is none; all of them or, if anything is
    /// wrong, none
    Import {
        /// The history; no server may have it open
        file: PathBuf,
        /// What `export` wrote [default: the standard input]
        lines: Option<PathBuf>,
    },
    /// Read all of a history, and say what is wrong with it
    Check {
        /// The history; a server may have it open
        file: PathBuf,
    },
    /// Say what is in a history
    Stats {
        /// The history; a server may have it open
        file: PathBuf,
    },
}

impl Command {
    pub(crate) fn run(&self) -> Result<(), String> {
        let Self::History(work) = self;
        match work {
            Work::Export { file } => run_export(file),
            Work::Import { file, lines } => run_import(file, lines.as_deref()),
            Work::Check { file } => run_check(file),
            Work::Stats { file } => {
                stats(file).map(|stats| say(&in_table(&stats))).map_err(|error| remedy(&error))
            }
        }
    }
}

fn run_export(file: &Path) -> Result<(), String> {
    let exported = export(file, &mut BufWriter::new(io::stdout().lock()), progress("written"));
    let Exported { written, unreadable } = match exported {
        // Who reads it has had enough.
        Err(TransferError::Io(error)) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
        exported => exported.map_err(in_words)?,
    };
    whisper(&format!("{written} messages written"));
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
                error => in_words(error),
            })?
        }
        None => import(file, &mut io::stdin().lock(), progress).map_err(in_words)?,
    };
    whisper(&format!("{added} messages added"));
    Ok(())
}

fn in_words(error: TransferError) -> String {
    match error {
        TransferError::History(error) => remedy(&error),
        error => error.to_string(),
    }
}

fn run_check(file: &Path) -> Result<(), String> {
    let findings = check(file).map_err(|error| remedy(&error))?;
    let (file, messages) = (file.display(), findings.messages);
    if findings.problems.is_empty() {
        say(&format!("{file} is sound: {messages} messages\n"));
        return Ok(());
    }
    say(&(findings.problems.join("\n") + "\n"));
    Err(format!(
        "{file} is damaged; {messages} messages can be read, and saved with chinwag history export"
    ))
}

fn in_table(stats: &Stats) -> String {
    // The end of the year 9999 is the last moment that has a name.
    let named = |ms: u64| UNIX_EPOCH + Duration::from_millis(ms.min(253_402_300_799_000));
    let day = |ms: u64| format_rfc3339_seconds(named(ms)).to_string();
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

#[expect(clippy::cast_precision_loss, reason = "it is for people")]
fn in_mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

/// Who reads it may have gone, which is no matter.
fn say(text: &str) {
    let mut stdout = io::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// For the person, not for the pipe.
fn whisper(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// Says on a terminal how far a long work has come.
fn progress(done: &'static str) -> impl FnMut(u64) {
    let is_watched = io::stderr().is_terminal();
    move |count| {
        if is_watched {
            let mut stderr = io::stderr();
            let _ = write!(stderr, "\r{count} messages {done}\r").and_then(|()| stderr.flush());
        }
    }
}
