//! In which ways a scenario is played: in either dialect, and with a history file or without.

use crate::Outcome;
use crate::cores::Cores;
use crate::dialect::Dialect;
use crate::server::Server;

/// One of the ways.
#[derive(Clone, Copy)]
pub(crate) struct Way {
    pub(crate) dialect: Dialect,
    /// The server keeps what is said in a file.
    is_kept: bool,
}

impl Way {
    /// What is compared stands side by side, and is measured one after the other.
    pub(crate) const ALL: [Self; 4] = [
        Self { dialect: Dialect::Plain, is_kept: false },
        Self { dialect: Dialect::Plain, is_kept: true },
        Self { dialect: Dialect::Json, is_kept: false },
        Self { dialect: Dialect::Json, is_kept: true },
    ];

    /// The name of a scenario that is played in this way.
    pub(crate) fn of_scenario(self, name: &str) -> String {
        let name = self.dialect.of_scenario(name);
        if self.is_kept { format!("{name} kept") } else { name }
    }

    pub(crate) fn start(self, cores: &Cores) -> Outcome<Server> {
        if self.is_kept { Server::start_keeping(cores) } else { Server::start(cores) }
    }
}
