//! The page, served by tiny_http behind a private socket.
//!
//! tiny_http answers well and defends itself badly: a large `Content-Length` aborts the process,
//! one failed `accept` ends its loop for good, and it has no time-outs. So it listens on a Unix
//! socket that only this process can reach, and sees only requests that the door has checked and
//! written anew. When it dies all the same, it is built anew.

mod answer;
mod assets;
mod private_socket;

use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::panic::catch_unwind;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tiny_http::Server;

use super::head::PageRequest;
use super::rejection::Rejection;
use answer::respond;
use assets::asset;
use private_socket::PrivateSocket;

/// When tiny_http has not answered for so long, it is taken for dead and built anew.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
/// How long its successor has, from its building to its answer. The machine may just be busy.
const SUCCESSOR_WITHIN: Duration = Duration::from_secs(4);
/// The least time from one building to the next: where the last attempt failed, or came to nothing
/// at once, the next may do so, too.
const REBUILD_PAUSE: Duration = Duration::from_millis(200);

/// tiny_http, and the way to it. The thread that serves shares it with those that ask: they need to
/// know which of its lives it is in, and to wait for the next, which a channel cannot tell to many.
#[derive(Debug)]
pub(crate) struct Page {
    generation: Mutex<Generation>,
    rebuilt: Condvar,
}

/// One generation of tiny_http, from its building to its death.
#[derive(Clone)]
struct Generation {
    number: u64,
    instance: Arc<Instance>,
    built: Instant,
    stopping: bool,
}

/// tiny_http is told that it is to end before it is woken, so that these are dropped in their order.
struct Instance {
    server: Server,
    socket: PrivateSocket,
}

impl Generation {
    fn new(number: u64) -> io::Result<Self> {
        let (socket, listener) = PrivateSocket::new()?;
        Self::begin(number, socket, listener)
    }

    fn begin(number: u64, socket: PrivateSocket, listener: UnixListener) -> io::Result<Self> {
        // It panics where there is no thread to be had.
        let server = catch_unwind(|| Server::from_listener(listener, None))
            .map_err(|_| io::Error::other("no thread for it"))?
            .map_err(io::Error::other)?;
        let instance = Arc::new(Instance { server, socket });
        Ok(Self { number, instance, built: Instant::now(), stopping: false })
    }
}

impl Page {
    /// # Errors
    /// When the private socket cannot be made.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { generation: Mutex::new(Generation::new(0)?), rebuilt: Condvar::new() })
    }

    /// The loop of the page's thread. It ends with [`Page::stop`].
    pub(crate) fn serve(&self) {
        loop {
            let Generation { instance, stopping, .. } = self.generation().clone();
            if stopping {
                return;
            }
            while let Ok(request) = instance.server.recv() {
                respond(request);
            }
            self.rebuild();
        }
    }

    /// Ends [`Page::serve`].
    pub(crate) fn stop(&self) {
        let mut generation = self.generation();
        generation.stopping = true;
        generation.instance.server.unblock();
        self.rebuilt.notify_all();
    }

    /// The whole answer to a request.
    ///
    /// # Errors
    /// When the page has no such asset, and when neither tiny_http answers, nor the one that is built
    /// in its place.
    pub(crate) fn fetch(&self, request: &PageRequest) -> Result<Vec<u8>, Rejection> {
        if asset(&request.path).is_none() {
            return Err(Rejection::NotFound);
        }
        const RESTING: Rejection =
            Rejection::Full("The page is not available just now. Please try again in a moment.");
        let generation = self.generation().clone();
        let asked = ask(&generation.instance.socket, request, ANSWER_WITHIN);
        let answer = match asked {
            Err(error) if !is_exhaustion(&error) => {
                log::warn!("the page does not answer ({error}); it is built anew");
                let instance = self.next_life(&generation).ok_or(RESTING)?;
                ask(&instance.socket, request, SUCCESSOR_WITHIN)
            }
            answer => answer,
        };
        answer.map_err(|error| {
            log::warn!("the page does not answer: {error}");
            RESTING
        })
    }

    /// Sends a dead generation away, and waits for the next.
    fn next_life(&self, dead: &Generation) -> Option<Arc<Instance>> {
        dead.instance.server.unblock();
        let is_old =
            |generation: &mut Generation| generation.number == dead.number && !generation.stopping;
        let (generation, _) = self
            .rebuilt
            .wait_timeout_while(self.generation(), SUCCESSOR_WITHIN, is_old)
            .unwrap_or_else(PoisonError::into_inner);
        (generation.number != dead.number).then(|| generation.instance.clone())
    }

    fn rebuild(&self) {
        let mut generation = self.generation();
        let mut pause = REBUILD_PAUSE.saturating_sub(generation.built.elapsed());
        loop {
            let paused = self
                .rebuilt
                .wait_timeout_while(generation, pause, |generation| !generation.stopping);
            generation = paused.unwrap_or_else(PoisonError::into_inner).0;
            if generation.stopping {
                return;
            }
            match Generation::new(generation.number + 1) {
                Ok(next) => {
                    *generation = next;
                    return self.rebuilt.notify_all();
                }
                Err(error) => log::warn!("the page cannot be built anew: {error}"),
            }
            pause = REBUILD_PAUSE;
        }
    }

    fn generation(&self) -> MutexGuard<'_, Generation> {
        self.generation.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generation").field("number", &self.number).finish_non_exhaustive()
    }
}

/// When the process has no descriptor left, it is not tiny_http that is dead.
fn is_exhaustion(error: &io::Error) -> bool {
    let exhaustion = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE];
    exhaustion.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Asks tiny_http, in a request written anew, and reads its answer to the end.
fn ask(socket: &PrivateSocket, request: &PageRequest, patience: Duration) -> io::Result<Vec<u8>> {
    let mut stream = socket.connect()?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    stream.write_all(head_of(request).as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let status_line = answer.windows(2).position(|window| window == b"\r\n");
    let fields = status_line.ok_or(io::ErrorKind::UnexpectedEof)? + 2;
    // tiny_http closes, but does not say so.
    answer.splice(fields..fields, *b"Connection: close\r\n");
    Ok(answer)
}

fn head_of(request: &PageRequest) -> String {
    let PageRequest { is_head, path, host, if_none_match, accept_encoding } = request;
    let method = if *is_head { "HEAD" } else { "GET" };
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n");
    for (name, value) in [("If-None-Match", if_none_match), ("Accept-Encoding", accept_encoding)] {
        if let Some(value) = value {
            let _ = write!(head, "{name}: {value}\r\n");
        }
    }
    head.push_str("Connection: close\r\n\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(page: &Page, path: &str, if_none_match: Option<&str>) -> Result<String, Rejection> {
        let request = PageRequest {
            is_head: false,
            path: path.to_owned(),
            host: "chat.lan:8080".to_owned(),
            if_none_match: if_none_match.map(str::to_owned),
            accept_encoding: None,
        };
        page.fetch(&request).map(|answer| String::from_utf8(answer).unwrap())
    }

    fn field_of<'a>(answer: &'a str, name: &str) -> &'a str {
        let start = format!("{name}: ");
        let line = answer.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {name} in {answer}"))
    }

    fn with_page(test: impl FnOnce(&Page)) {
        serve_while(&Page::new().unwrap(), test);
    }

    /// Serves while `test` runs.
    fn serve_while(page: &Page, test: impl FnOnce(&Page)) {
        struct StopOnDrop<'a>(&'a Page);
        impl Drop for StopOnDrop<'_> {
            fn drop(&mut self) {
                self.0.stop();
            }
        }
        std::thread::scope(|scope| {
            scope.spawn(|| page.serve());
            let _stop = StopOnDrop(page);
            test(page);
        });
    }

    #[test]
    fn a_part_comes_with_its_fields() {
        with_page(|page| {
            let answer = get(page, "/", None).unwrap();
            assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"));
            assert_eq!(field_of(&answer, "Connection"), "close");
            assert_eq!(field_of(&answer, "Content-Type"), "text/html; charset=utf-8");
            assert_eq!(field_of(&answer, "X-Content-Type-Options"), "nosniff");
            assert_eq!(field_of(&answer, "Referrer-Policy"), "no-referrer");
            let policy = field_of(&answer, "Content-Security-Policy");
            assert!(policy.starts_with("default-src 'none'; "));
            assert!(policy.contains("connect-src 'self' ws://chat.lan:8080 wss://chat.lan:8080;"));
            assert!(answer.ends_with(include_str!("../../../web/index.html")));
            assert!(get(page, "/healthz", None).unwrap().ends_with("\r\n\r\nok\n"));
            assert_eq!(get(page, "/nothing", None), Err(Rejection::NotFound));
        });
    }

    #[test]
    fn a_browser_is_told_what_a_part_is() {
        with_page(|page| {
            for (path, kind) in [
                ("/", "text/html; charset=utf-8"),
                ("/main.js", "text/javascript; charset=utf-8"),
                ("/style.css", "text/css; charset=utf-8"),
                ("/icon.svg", "image/svg+xml"),
                ("/healthz", "text/plain; charset=utf-8"),
            ] {
                let answer = get(page, path, None).unwrap();
                assert_eq!(field_of(&answer, "Content-Type"), kind, "{path}");
            }
        });
    }

    #[test]
    fn what_is_known_is_not_sent_again() {
        with_page(|page| {
            let etag = field_of(&get(page, "/main.js", None).unwrap(), "ETag").to_owned();
            for known in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
                let answer = get(page, "/main.js", Some(&known)).unwrap();
                assert!(answer.starts_with("HTTP/1.1 304 Not Modified\r\n"), "{answer}");
                assert!(answer.ends_with("\r\n\r\n"), "{answer}");
            }
            assert!(get(page, "/main.js", Some("\"x\"")).unwrap().contains("200 OK"));
        });
    }

    #[test]
    fn a_dead_page_is_built_anew() {
        let (socket, listener) = PrivateSocket::new().unwrap();
        let hold = listener.try_clone().unwrap();
        let generation = Mutex::new(Generation::begin(0, socket, listener).unwrap());
        serve_while(&Page { generation, rebuilt: Condvar::new() }, |page| {
            get(page, "/", None).unwrap();
            // From now on `accept` fails, and tiny_http dies of it.
            rustix::net::shutdown(&hold, rustix::net::Shutdown::Both).unwrap();
            assert!(get(page, "/", None).unwrap().contains("200 OK"));
            assert!(page.generation().number > 0);
        });
    }
}
