//! The connection between the front end and tiny_http.

use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Returns a listener, and a connection that waits to be accepted there. No other connection is
/// possible: the listener is bound in a directory that only this user can enter, and which is removed
/// before this returns.
///
/// # Errors
/// When no directory for temporary files is usable, or the process has no descriptor left.
pub(super) fn private_connection() -> io::Result<(UnixListener, UnixStream)> {
    connect_in_first_of(&temporary_directories())
}

fn connect_in_first_of(parents: &[PathBuf]) -> io::Result<(UnixListener, UnixStream)> {
    let mut failures = String::new();
    for parent in parents {
        match connect_in(parent) {
            Ok(connected) => return Ok(connected),
            Err(error) => failures.push_str(&format!("; {}: {error}", parent.display())),
        }
    }
    Err(io::Error::other(format!(
        "no folder for the private socket of the page (TMPDIR can name one){failures}"
    )))
}

fn connect_in(parent: &Path) -> io::Result<(UnixListener, UnixStream)> {
    let name = format!("chinwag-{}-{:016x}", std::process::id(), rand::random::<u64>());
    let directory = parent.join(name);
    fs::DirBuilder::new().mode(0o700).create(&directory)?;
    let path = directory.join("page");
    let listener = UnixListener::bind(&path);
    let connected = listener.and_then(|listener| Ok((listener, UnixStream::connect(&path)?)));
    // `remove_dir_all` would need a descriptor. There is no file if `bind` failed.
    let _ = fs::remove_file(&path);
    fs::remove_dir(&directory)?;
    connected
}

/// Returns the directories that are tried. `TMPDIR` may be wrong, or too long for the address of a
/// socket. A container with a read-only file system still has `/dev/shm`. An abstract socket would
/// need no directory, but every user of the machine could connect to it.
fn temporary_directories() -> Vec<PathBuf> {
    let shared = ["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from);
    let own = ["XDG_RUNTIME_DIR", "RUNTIME_DIRECTORY"].into_iter().filter_map(std::env::var_os);
    [std::env::temp_dir()].into_iter().chain(shared).chain(own.map(PathBuf::from)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unusable_directory_is_passed_over() {
        let tmp = std::env::temp_dir();
        let missing = tmp.join("chinwag-is-not-here");
        let too_long = PathBuf::from("/tmp").join("./".repeat(60));
        let no_directory = PathBuf::from("/dev/null");
        let unusable = [missing, too_long, no_directory];
        assert!(connect_in_first_of(&[&unusable[..], &[tmp]].concat()).is_ok());
        let error = connect_in_first_of(&unusable).unwrap_err().to_string();
        for named in ["TMPDIR", "chinwag-is-not-here: No such file", "/dev/null: Not a directory"] {
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn no_other_connection_is_possible() {
        let (listener, _connection) = private_connection().unwrap();
        let address = listener.local_addr().unwrap();
        let path = address.as_pathname().unwrap();
        assert!(UnixStream::connect(path).is_err());
        assert!(!path.parent().unwrap().exists());
    }
}
