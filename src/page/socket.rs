//! The way to tiny_http, for this process alone.

use std::fs;
use std::io;
#[cfg(target_os = "linux")]
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

/// A socket that only this process can reach.
///
/// It is bound in a directory that only this user can enter. On Linux the directory is gone again
/// before anybody else could look: a descriptor stays as the way to the socket, and nothing is left
/// behind, however the process ends. Elsewhere the directory stays until the socket is dropped.
#[derive(Debug)]
pub(super) struct PrivateSocket {
    listener: UnixListener,
    path: PathBuf,
    #[cfg(target_os = "linux")]
    _descriptor: OwnedFd,
    #[cfg(not(target_os = "linux"))]
    directory: PathBuf,
}

impl PrivateSocket {
    /// # Errors
    /// When there is no place for temporary files, or no descriptor.
    pub(super) fn new() -> io::Result<Self> {
        let name = format!("chinwag-{}-{:016x}", std::process::id(), rand::random::<u64>());
        let directory = std::env::temp_dir().join(name);
        fs::DirBuilder::new().mode(0o700).create(&directory)?;
        let bound = Self::bind(directory.clone());
        if cfg!(target_os = "linux") || bound.is_err() {
            fs::remove_dir_all(&directory)?;
        }
        bound
    }

    pub(super) fn listener(&self) -> io::Result<UnixListener> {
        self.listener.try_clone()
    }

    pub(super) fn connect(&self) -> io::Result<UnixStream> {
        UnixStream::connect(&self.path)
    }

    /// Makes every `accept` fail, which ends the accept loop of tiny_http. It would otherwise
    /// connect to itself for that.
    pub(super) fn end(&self) {
        let _ = rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both);
    }

    #[cfg(target_os = "linux")]
    fn bind(directory: PathBuf) -> io::Result<Self> {
        use rustix::fs::{Mode, OFlags, open};
        let path = directory.join("page");
        let listener = UnixListener::bind(&path)?;
        let descriptor = open(&path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let path = PathBuf::from(format!("/proc/self/fd/{}", descriptor.as_raw_fd()));
        Ok(Self { listener, path, _descriptor: descriptor })
    }

    #[cfg(not(target_os = "linux"))]
    fn bind(directory: PathBuf) -> io::Result<Self> {
        let path = directory.join("page");
        Ok(Self { listener: UnixListener::bind(&path)?, path, directory })
    }
}

impl Drop for PrivateSocket {
    fn drop(&mut self) {
        self.end();
        #[cfg(not(target_os = "linux"))]
        let _ = fs::remove_dir_all(&self.directory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_leaves_nothing_behind() {
        let socket = PrivateSocket::new().unwrap();
        assert!(socket.connect().is_ok());
        if cfg!(target_os = "linux") {
            let bound = socket.listener.local_addr().unwrap();
            assert!(!bound.as_pathname().unwrap().parent().unwrap().exists());
        }
    }
}
