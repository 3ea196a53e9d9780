//! The programs that are measured, in either dialect, with a history file or without.

use crate::cores::Cores;
use crate::server::Server;
use testkit::Outcome;
use testkit::{Dialect, JSON_BYTES, PLAIN_BYTES, TEXT_BYTES};

/// A program that can be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Chinwag,
    /// The [bare program](crate::floor) that only sends.
    Floor,
    /// Another server of the plain dialect.
    Peer {
        name: String,
        /// Program and arguments.
        command: Vec<String>,
    },
}

/// A program and its configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) program: Program,
    /// Other programs than chinwag use the plain dialect. This determines how many bytes they send.
    pub(crate) dialect: Dialect,
    /// The server keeps a history in a file.
    pub(crate) keeps_history: bool,
}

impl Target {
    pub(crate) fn new(program: Program, dialect: Dialect) -> Self {
        Self { program, dialect, keeps_history: false }
    }

    pub(crate) fn plain(program: Program) -> Self {
        Self::new(program, Dialect::Plain)
    }

    /// Returns all configurations of chinwag, each beside the floor. Targets to compare are
    /// measured one after the other.
    pub(crate) fn all() -> Vec<Self> {
        let of = |dialect| {
            let chinwag = Self::new(Program::Chinwag, dialect);
            let kept = Self { keeps_history: true, ..chinwag.clone() };
            [chinwag, Self::new(Program::Floor, dialect), kept]
        };
        [of(Dialect::Plain), of(Dialect::Json)].into_iter().flatten().collect()
    }

    pub(crate) fn start(&self, cores: &Cores) -> Outcome<Server> {
        Server::start(cores, &self.program, self.keeps_history)
    }

    /// Returns the dialect of the connections.
    pub(crate) fn wire_dialect(&self) -> Dialect {
        if self.program == Program::Chinwag { self.dialect } else { Dialect::Plain }
    }

    /// Returns the length of a text. chinwag adds a nickname, and more in JSON. Texts for other
    /// programs are longer, so that their deliveries have the same length.
    pub(crate) fn text_bytes(&self) -> usize {
        match (&self.program, self.dialect) {
            (Program::Chinwag, _) => TEXT_BYTES,
            (_, Dialect::Plain) => PLAIN_BYTES,
            (_, Dialect::Json) => JSON_BYTES,
        }
    }

    /// The name of the program.
    pub(crate) fn server(&self) -> &str {
        match &self.program {
            Program::Chinwag => "chinwag",
            Program::Floor => "floor",
            Program::Peer { name, .. } => name,
        }
    }

    /// Returns the name of the row.
    pub(crate) fn name(&self) -> String {
        let dialect = if self.dialect == Dialect::Json { " json" } else { "" };
        let kept = if self.keeps_history { " kept" } else { "" };
        format!("{}{dialect}{kept}", self.server())
    }
}
