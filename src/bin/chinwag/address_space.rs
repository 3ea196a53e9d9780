//! Makes the program take little address space, for machines and services that limit it.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::Arc;

use rustix::fs::{Access, access};
use signal_hook::consts::SIGPIPE;
use signal_hook::flag::register;

/// Number of heaps ("arenas") of the C library: one, instead of one of 64 MiB for each of the first
/// threads. It is read from the environment when a process starts. To set it later takes `unsafe`.
const ARENAS: (&str, &str) = ("MALLOC_ARENA_MAX", "1");
/// Default stack of a thread, which those of tiny_http have (bytes). Without the variable it is 2 MiB.
const STACKS: (&str, &str) = ("RUST_MIN_STACK", "262144");

/// Starts the program once more, in this process, with variables that make it take little address
/// space: 12 MiB at the start instead of 745. Variables that are set already are kept. If the program
/// cannot be started once more, it continues as it is.
pub(crate) fn take_little_address_space() {
    if !cfg!(all(target_os = "linux", target_env = "gnu")) || env::var_os(ARENAS.0).is_some() {
        return;
    }
    let Ok(program) = env::current_exe() else { return };
    // The file may have been replaced since the start. Then it has another name.
    if access(&program, Access::EXEC_OK).is_err() {
        return;
    }
    let mut arguments = env::args_os();
    let mut command = Command::new(program);
    if let Some(name) = arguments.next() {
        command.arg0(name);
    }
    command.args(arguments).env(ARENAS.0, ARENAS.1);
    if env::var_os(STACKS.0).is_none() {
        command.env(STACKS.0, STACKS.1);
    }
    // `exec` returns only when it has failed. By then std has reset SIGPIPE, which would end the
    // process at the first write to a closed pipe.
    let _ = command.exec();
    let _ = register(SIGPIPE, Arc::default());
}
