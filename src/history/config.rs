//! The settings of a history that is kept in a file.

use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

use crate::limits::setters;

/// A history that is kept in a file.
///
/// ```
/// use std::time::Duration;
/// use chinwag::Config;
/// use chinwag::history::{Durability, HistoryConfig};
///
/// let month = Duration::from_secs(30 * 24 * 60 * 60);
/// let history = HistoryConfig::new("chat.db").durability(Durability::Machine).keep(month);
/// let config = Config::default().history(history);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryConfig {
    /// The file. It is created if it does not exist. Next to it are `FILE-wal` and `FILE-shm`, which
    /// belong to SQLite, and `FILE-search`, which can be rebuilt from the file.
    pub path: PathBuf,
    /// The failures that a message in the file survives. The default, [`Durability::Process`], is
    /// enough for everything but a machine that loses power.
    pub durability: Durability,
    /// How long messages are kept, at least 1 h. `None`, the default, means for ever.
    pub keep: Option<Duration>,
    /// How long before messages are deleted for their age the log announces their number; 1 h by
    /// default. If the clock goes back meanwhile, they stay. A clock that is more than a day off the
    /// last time in the file is trusted after 24 times as long.
    pub deletion_notice: Duration,
    /// Maximum number of messages that are kept of each room. `None`, the default, means all.
    pub keep_messages: Option<NonZeroU64>,
}

impl HistoryConfig {
    /// Returns the configuration of a history that keeps all messages in this file.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            durability: Durability::default(),
            keep: None,
            deletion_notice: Duration::from_secs(60 * 60),
            keep_messages: None,
        }
    }
}

/// The failures that a message in the file survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// Any end of the process. When the machine loses power, the last seconds may be lost. The next
    /// run notices that, so that no client takes the history for the one that it knew.
    #[default]
    Process,
    /// A power failure of the machine, too. Each turn of the broadcaster waits for the disk.
    Machine,
}

setters!(HistoryConfig:
    durability: Durability,
    keep: impl Into<Option<Duration>>,
    deletion_notice: Duration,
    keep_messages: impl Into<Option<NonZeroU64>>,
);
