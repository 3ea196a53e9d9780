//! Which program is measured, and in which way: in either dialect, with a history file or without.

use crate::cores::Cores;
use crate::server::Server;
use testkit::Outcome;
use testkit::{Dialect, JSON_BYTES, PLAIN_BYTES, TEXT_BYTES};

/// A program that can be measured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Chinwag,
    /// The [bare program](crate::floor) that does nothing but send.
    Floor,
    /// Another server, which speaks the plain dialect.
    Peer {
        name: String,
        /// Program and arguments.
        command: Vec<String>,
    },
}

/// One of the targets to play a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) program: Program,
    /// Others than chinwag are spoken to in plain, and only send as many bytes as this dialect has.
    pub(crate) dialect: Dialect,
    /// The server keeps what is said in a file.
    pub(crate) keeps_history: bool,
}

impl Target {
    pub(crate) fn new(program: Program, dialect: Dialect) -> Self {
        Self { program, dialect, keeps_history: false }
    }

    pub(crate) fn plain(program: Program) -> Self {
        Self::new(program, Dialect::Plain)
    }

    /// Every way of chinwag, and the floor beside it. What is compared is measured one after the
    /// other.
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

    /// The dialect in which the server is spoken to.
    pub(crate) fn wire_dialect(&self) -> Dialect {
        if self.program == Program::Chinwag { self.dialect } else { Dialect::Plain }
    }

    /// Bytes of the text of a message. chinwag puts a nickname before it, and in JSON more than
    /// that; others are given what makes their deliveries as long as its own.
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

    /// What the row of this way is called.
    pub(crate) fn name(&self) -> String {
        let dialect = if self.dialect == Dialect::Json { " json" } else { "" };
        let kept = if self.keeps_history { " kept" } else { "" };
        format!("{}{dialect}{kept}", self.server())
    }
}
