//! Turns the arguments of the program and their environment variables into a configuration.

use std::env::{args_os, var_os};
use std::ffi::OsStr;
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::num::{IntErrorKind, NonZeroU32, NonZeroUsize, ParseIntError};
use std::str::FromStr;
use std::time::Duration;

use chinwag::{BasePath, Config, HistoryLimits, HostName, Limits, Origin, StartError};
use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, Command, CommandFactory as _, Error, FromArgMatches as _, Parser};
use log::LevelFilter;

#[cfg(feature = "history")]
use crate::history_command;
use crate::with_source;

const LISTENING: &str = "Where it listens";
const ACCESS: &str = "Access";
const CLIENTS: &str = "Limits of each client";
const MEMORY: &str = "What is held and kept";

/// Chat for your LAN. Start it, and open the address that it prints in a browser.
#[derive(Debug, Parser)]
#[command(
    version = env!("FULL_VERSION"),
    max_term_width = 100,
    after_long_help = "\
Each option has a variable, as in CHINWAG_PORT. An option comes before its variable, and an empty
variable counts as unset. Options that may be given more than once take a list with commas.

Ctrl+C (SIGINT) and SIGTERM stop the server in order. So does SIGHUP, when the terminal is closed
that started it."
)]
pub(crate) struct Arguments {
    #[cfg(feature = "history")]
    #[command(subcommand)]
    pub(crate) command: Option<history_command::Command>,

    /// Lowest level of the log lines on stderr: off, error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", env = "CHINWAG_LOG_LEVEL", default_value = "info",
        value_parser = log_level)]
    pub(crate) log_level: LevelFilter,

    /// Address to listen on; may be given more than once [default: every interface]
    #[arg(long, value_name = "ADDR", env = "CHINWAG_BIND", help_heading = LISTENING)]
    bind: Vec<List<IpAddr>>,

    /// Port of the page; 0 takes a free one
    ///
    /// Both ports answer both the page and WebSocket clients, and may be the same.
    #[arg(long, value_name = "PORT", env = "CHINWAG_PORT", default_value_t = 8080,
        value_parser = whole_number::<u16>, help_heading = LISTENING)]
    port: u16,

    /// Port for WebSocket clients; 0 takes a free one
    #[arg(long, value_name = "PORT", env = "CHINWAG_WS_PORT", default_value_t = 12345,
        value_parser = whole_number::<u16>, help_heading = LISTENING)]
    ws_port: u16,

    /// Path of the server behind a proxy that forwards it, as in /chat
    ///
    /// Behind a proxy that removes the path, the page works without it.
    #[arg(long, value_name = "PATH", env = "CHINWAG_PATH", help_heading = LISTENING)]
    pub(crate) path: Option<BasePath>,

    /// Another host name of this machine; may be given more than once
    ///
    /// Addresses, localhost and the names that a LAN gives are known without it.
    #[arg(long, value_name = "NAME", env = "CHINWAG_HOST_NAME", help_heading = ACCESS)]
    host_name: Vec<List<HostName>>,

    /// Origin whose pages may connect, as in https://example.org; may be given more than once
    #[arg(long, value_name = "ORIGIN", env = "CHINWAG_ALLOW_ORIGIN", help_heading = ACCESS)]
    allow_origin: Vec<List<Origin>>,

    /// Maximum number of clients [default: as many as the limits of the machine permit]
    #[arg(long, value_name = "N", env = "CHINWAG_MAX_CLIENTS",
        value_parser = at_least_one::<usize>, help_heading = ACCESS)]
    max_clients: Option<usize>,

    /// Maximum number of clients from one address; 0 for no limit
    #[arg(long, value_name = "N", env = "CHINWAG_MAX_CLIENTS_PER_ADDRESS", default_value_t = 64,
        value_parser = whole_number::<usize>, help_heading = ACCESS)]
    max_clients_per_address: usize,

    /// Messages that a client may send at once, before the rate applies
    #[arg(long, value_name = "N", env = "CHINWAG_BURST",
        default_value_t = Limits::default().burst,
        value_parser = at_least_one::<u32>, help_heading = CLIENTS)]
    burst: u32,

    /// Messages per second that a client may send in the long run; 0 for no limit
    #[arg(long, value_name = "N", env = "CHINWAG_RATE",
        default_value_t = Limits::default().per_second.map_or(0, NonZeroU32::get),
        value_parser = whole_number::<u32>, help_heading = CLIENTS)]
    rate: u32,

    /// How many seconds a user keeps nickname and rooms after the connection broke; 0 for none
    #[arg(long, value_name = "SECONDS", env = "CHINWAG_GRACE",
        default_value_t = Limits::default().grace.as_secs(),
        value_parser = whole_number::<u64>, help_heading = CLIENTS)]
    grace: u64,

    /// Messages of each room that are held in memory, for clients that join or come back; 0 for none
    #[arg(long, value_name = "N", env = "CHINWAG_HISTORY_LINES",
        default_value_t = HistoryLimits::default().lines_max,
        value_parser = whole_number::<usize>, help_heading = MEMORY)]
    history_lines: usize,

    /// Empty rooms that are held in memory for their messages
    #[arg(long, value_name = "N", env = "CHINWAG_IDLE_ROOMS",
        default_value_t = HistoryLimits::default().idle_rooms_max,
        value_parser = whole_number::<usize>, help_heading = MEMORY)]
    idle_rooms: usize,

    #[cfg(feature = "history")]
    #[command(flatten, next_help_heading = MEMORY)]
    history: history_command::Options,
}

/// An argument or variable with several values: `a, b`. Items may have blanks around them, and a comma
/// at the end adds no item.
#[derive(Clone, Debug)]
struct List<T>(Vec<T>);

impl<T: FromStr<Err: Display>> FromStr for List<T> {
    type Err = String;

    fn from_str(list: &str) -> Result<Self, Self::Err> {
        let items: Vec<_> = list.split(',').map(str::trim).filter(|it| !it.is_empty()).collect();
        let parse = |item: &&str| {
            item.parse().map_err(|error| match items.len() {
                1 => format!("{error}"),
                _ => format!("{item}: {error}"),
            })
        };
        match items.is_empty() {
            true => Err("nothing is in it".to_owned()),
            false => items.iter().map(parse).collect::<Result<_, _>>().map(Self),
        }
    }
}

/// Returns the items of all lists, in their order, each once.
fn items<T: Clone + PartialEq>(lists: &[List<T>]) -> Vec<T> {
    lists.iter().flat_map(|list| &list.0).fold(Vec::new(), |mut items, item| {
        if !items.contains(item) {
            items.push(item.clone());
        }
        items
    })
}

fn whole_number<N: FromStr<Err = ParseIntError>>(number: &str) -> Result<N, &'static str> {
    number.trim().parse().map_err(|error: ParseIntError| match error.kind() {
        IntErrorKind::PosOverflow => "too large",
        IntErrorKind::Empty => "nothing is in it",
        _ => "not a whole number",
    })
}

fn at_least_one<N: FromStr<Err = ParseIntError> + Default + PartialEq>(
    number: &str,
) -> Result<N, &'static str> {
    let number = whole_number(number)?;
    if number == N::default() { Err("at least one is needed") } else { Ok(number) }
}

fn log_level(level: &str) -> Result<LevelFilter, &'static str> {
    level.trim().parse().map_err(|_| "not one of off, error, warn, info, debug and trace")
}

impl Arguments {
    /// Parses the arguments and the variables. An error, `--help` and `--version` end the process.
    pub(crate) fn read() -> Self {
        let mut command = Self::command().mut_args(without_empty_variable);
        let matches = command.try_get_matches_from_mut(args_os());
        let read = matches.and_then(|matches| Self::from_arg_matches(&matches));
        read.unwrap_or_else(|error| name_variable(error, &command).exit())
    }

    pub(crate) fn config(&self) -> Config {
        let bind = items(&self.bind);
        let config = Config::default()
            .page_port(self.port)
            .websocket_port(self.ws_port)
            .path(self.path.clone().unwrap_or_default())
            .host_names(items(&self.host_name))
            .allowed_origins(items(&self.allow_origin))
            .clients_max(self.max_clients.and_then(NonZeroUsize::new))
            .clients_per_address_max(NonZeroUsize::new(self.max_clients_per_address))
            .limits(self.limits());
        #[cfg(feature = "history")]
        let config = config.history(self.history.config());
        if bind.is_empty() { config } else { config.bind(bind) }
    }

    fn limits(&self) -> Limits {
        let history =
            HistoryLimits::default().lines_max(self.history_lines).idle_rooms_max(self.idle_rooms);
        Limits::default()
            .burst(self.burst)
            .per_second(NonZeroU32::new(self.rate))
            .history(history)
            .grace(Duration::from_secs(self.grace))
    }

    /// Returns the message of an error and its remedy, in one sentence.
    pub(crate) fn remedy(&self, error: &StartError) -> String {
        let flag = |address: &SocketAddr| {
            if address.port() == self.port { "--port" } else { "--ws-port" }
        };
        match error {
            StartError::PortInUse(address) => {
                format!("{error}; choose another with {} (0 takes a free one)", flag(address))
            }
            StartError::NoPermission(address) => {
                format!("{error}; choose one above 1023 with {}", flag(address))
            }
            #[cfg(feature = "history")]
            StartError::History(error) => history_command::remedy(error),
            StartError::NotOurAddress(_) => format!("{error}; choose another with --bind"),
            _ => with_source(error),
        }
    }
}

/// Ignores an empty variable. Scripts and container platforms set many of them.
fn without_empty_variable(arg: Arg) -> Arg {
    let Some(value) = arg.get_env().and_then(var_os) else { return arg };
    let is_list = matches!(arg.get_action(), ArgAction::Append);
    let is_nothing = |c: char| c.is_whitespace() || (is_list && c == ',');
    match value.to_str() {
        Some(value) if value.chars().all(is_nothing) => arg.env(None::<&'static str>),
        _ => arg,
    }
}

/// Adds the name of the variable to an error whose value comes from a variable.
fn name_variable(mut error: Error, command: &Command) -> Error {
    let variables: Vec<_> =
        command.get_arguments().filter_map(|arg| Some((arg, variable_of(arg)?))).collect();
    let invalid = error.get(ContextKind::InvalidArg).map(ToString::to_string);
    let is_to_blame = |arg: &Arg, variable: &str| match error.kind() {
        // This error does not name the argument.
        ErrorKind::InvalidUtf8 => var_os(variable).is_some_and(|value| value.to_str().is_none()),
        _ => invalid == Some(arg.to_string()),
    };
    let tip = match variables.iter().find(|(arg, variable)| is_to_blame(arg, variable)) {
        Some((arg, variable)) => {
            let flag = arg.get_long().unwrap_or_default();
            let value = var_os(variable).unwrap_or_default();
            let of_container = match value.to_string_lossy().contains("://") && flag == "port" {
                true => "a container platform sets it for a service called chinwag: ",
                false => "",
            };
            error.insert(ContextKind::InvalidArg, ContextValue::String(variable.clone()));
            format!(
                "{of_container}correct or unset the variable {variable}, or give --{flag}, which \
                 comes before it"
            )
        }
        None if error.kind() == ErrorKind::MissingRequiredArgument && !variables.is_empty() => {
            let names: Vec<_> = variables.into_iter().map(|(_, name)| name).collect();
            format!("these variables are set: {}", names.join(", "))
        }
        None => return error,
    };
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    error
}

/// Returns the variable that an argument takes its value from, if it does.
fn variable_of(arg: &Arg) -> Option<String> {
    let variable = arg.get_env().filter(|name| var_os(name).is_some())?;
    let flag = format!("--{}", arg.get_long()?);
    let is_flag = |given: &OsStr| {
        let given = given.to_string_lossy();
        given == flag || given.strip_prefix(&flag).is_some_and(|rest| rest.starts_with('='))
    };
    let is_given = args_os().any(|given| is_flag(&given));
    (!is_given).then(|| variable.to_string_lossy().into_owned())
}
