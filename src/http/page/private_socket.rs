//! The way to tiny_http, for this process alone.

use std::fs;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// The way to a socket that only this process can reach.
///
/// It is bound in a directory that only this user can enter. On Linux the directory is gone again
/// before anybody else could look: a descriptor stays as the way to the socket, and nothing is left
/// behind, however the process ends. Elsewhere the directory stays until this is dropped.
///
/// Who listens is the only one to hold the listener. When it dies, all who wait for it know.
#[derive(Debug)]
pub(super) struct PrivateSocket {
    path: PathBuf,
    /// For one last call, made beforehand: when it is due, there may be no descriptor left.
    wakeup_socket: Socket,
    #[cfg(target_os = "linux")]
    _descriptor: OwnedFd,
    #[cfg(not(target_os = "linux"))]
    directory: PathBuf,
}

impl PrivateSocket {
    /// # Errors
    /// When no folder for temporary files will do, or there is no descriptor.
    pub(super) fn new() -> io::Result<(Self, UnixListener)> {
        Self::in_first_of(&folders())
    }

    /// Binds in the first folder in which that succeeds.
    fn in_first_of(folders: &[PathBuf]) -> io::Result<(Self, UnixListener)> {
        let mut failures = String::new();
        for folder in folders {
            match Self::in_folder(folder) {
                // It is not for the folder that this fails.
                Err(error) if super::is_exhaustion(&error) => return Err(error),
                Err(error) => failures.push_str(&format!("; {}: {error}", folder.display())),
                bound => return bound,
            }
        }
        Err(io::Error::other(format!(
            "no folder for the private socket of the page (TMPDIR can name one){failures}"
        )))
    }

    fn in_folder(folder: &Path) -> io::Result<(Self, UnixListener)> {
        let name = format!("chinwag-{}-{:016x}", std::process::id(), rand::random::<u64>());
        let directory = folder.join(name);
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let bound = Self::bind(directory.clone());
        if cfg!(target_os = "linux") || bound.is_err() {
            remove(&directory)?;
        }
        bound
    }

    pub(super) fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.path)
    }

    #[cfg(target_os = "linux")]
    fn bind(directory: PathBuf) -> io::Result<(Self, UnixListener)> {
        use rustix::fs::{Mode, OFlags, open};
        let path = directory.join(NAME);
        let listener = UnixListener::bind(&path)?;
        let descriptor = open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()));
        Ok((Self { path, wakeup_socket: wakeup_socket()?, _descriptor: descriptor }, listener))
    }

    #[cfg(not(target_os = "linux"))]
    fn bind(directory: PathBuf) -> io::Result<(Self, UnixListener)> {
        let path = directory.join(NAME);
        let listener = UnixListener::bind(&path)?;
        Ok((Self { path, wakeup_socket: wakeup_socket()?, directory }, listener))
    }
}

/// Where the socket may be bound. `TMPDIR` may be wrong, or too long for the path of a socket, and a
/// container with a file system that is read-only has `/dev/shm` all the same. (An abstract socket
/// would need no folder, and be open to every user of the machine.)
fn folders() -> Vec<PathBuf> {
    let shared = ["/tmp", "/var/tmp", "/dev/shm"].map(PathBuf::from);
    let own = ["XDG_RUNTIME_DIR", "RUNTIME_DIRECTORY"].into_iter().filter_map(std::env::var_os);
    let mut folders = vec![std::env::temp_dir()];
    folders.extend(shared.into_iter().chain(own.map(PathBuf::from)));
    folders.dedup();
    folders
}

fn wakeup_socket() -> io::Result<Socket> {
    let wakeup_socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    wakeup_socket.set_nonblocking(true)?;
    Ok(wakeup_socket)
}

const NAME: &str = "page";

/// Removes the directory and the socket in it, if it came to that. `remove_dir_all` would want a
/// descriptor, and where `bind` has failed there may be none.
fn remove(directory: &Path) -> io::Result<()> {
    match fs::remove_file(directory.join(NAME)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => fs::remove_dir(directory),
    }
}

/// Wakes whoever still listens, to find that nobody will come any more. tiny_http would connect to
/// itself for that, by a name that is gone.
impl Drop for PrivateSocket {
    fn drop(&mut self) {
        let _ = SockAddr::unix(&self.path).and_then(|address| self.wakeup_socket.connect(&address));
        #[cfg(not(target_os = "linux"))]
        let _ = remove(&self.directory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_folder_does_where_one_does_not() {
        let tmp = std::env::temp_dir();
        let missing = tmp.join("chinwag-is-not-here");
        let too_long = PathBuf::from("/tmp").join("./".repeat(60));
        let no_folder = PathBuf::from("/dev/null");
        let folders = [missing, too_long, no_folder];
        let (socket, _listener) =
            PrivateSocket::in_first_of(&[&folders[..], &[tmp]].concat()).unwrap();
        assert!(socket.connect().is_ok());
        let error = PrivateSocket::in_first_of(&folders).unwrap_err().to_string();
        for named in ["TMPDIR", "chinwag-is-not-here: No such file", "/dev/null: Not a directory"] {
            assert!(error.contains(named), "{error}");
        }
    }

    #[test]
    fn the_socket_leaves_nothing_behind() {
        let (socket, listener) = PrivateSocket::new().unwrap();
        assert!(socket.connect().is_ok());
        if cfg!(target_os = "linux") {
            let bound = listener.local_addr().unwrap();
            assert!(!bound.as_pathname().unwrap().parent().unwrap().exists());
        }
    }
}
