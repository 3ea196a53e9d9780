//! The page, served by tiny_http.
//!
//! tiny_http 0.12 is not made for hostile networks. A huge `Content-Length` aborts the process, one
//! failed `accept` ends its loop, its pool panics without a thread, and it has no time-outs. So it
//! accepts a single connection, which is made when it starts. On this connection it gets a fixed
//! request for each request that the front end has parsed. The parsed request goes to the page
//! thread through a channel, and the response returns through another. So serving the page takes
//! neither a descriptor nor a new thread.
//!
//! If tiny_http dies anyway, a new instance replaces it.

mod assets;
mod private_connection;
mod response;

use std::io::{self, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::catch_unwind;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::net::{Shutdown, shutdown};
use tiny_http::Server;

use super::head::PageRequest;
use super::rejection::Rejection;
use assets::{Asset, asset};
use private_connection::private_connection;
use response::render;

/// Capacity of the queue of parsed requests: as many as the front end serves at once.
const QUEUE_MAX: usize = 64;
/// How long an instance of tiny_http may take to respond before it counts as dead.
const RESPONSE_WITHIN: Duration = Duration::from_secs(3);
/// Number of instances that are tried for one request.
const ATTEMPTS: u32 = 2;
/// The request that tiny_http gets for each queued one.
const WAKEUP_REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const UNAVAILABLE: Rejection =
    Rejection::Full("The page is not available just now. Please try again in a moment.");

/// The running instance of tiny_http, and `None` once the server stops.
///
/// It is behind a mutex because each connection thread that finds it dead replaces it for all.
#[derive(Debug)]
pub(crate) struct Page {
    instance: Mutex<Option<Arc<Instance>>>,
}

/// A running tiny_http, with its only connection.
struct Instance {
    server: Server,
    /// The listener of tiny_http, by which its accept loop is ended.
    listener: UnixListener,
    /// The connection that tiny_http reads.
    connection: UnixStream,
    queue: Sender<QueuedRequest>,
    queued: Receiver<QueuedRequest>,
}

struct QueuedRequest {
    request: PageRequest,
    asset: &'static Asset,
    response: Sender<Vec<u8>>,
}

impl Page {
    /// # Errors
    /// When the process has no descriptor or thread left, or no directory for temporary files.
    pub(crate) fn new() -> io::Result<Self> {
        let instance = Arc::new(Instance::new()?);
        Ok(Self { instance: Mutex::new(Some(instance)) })
    }

    /// Runs the page thread until [`Page::stop`] is called.
    pub(crate) fn serve(&self) {
        while let Some(instance) = self.instance() {
            instance.serve();
        }
    }

    /// Ends [`Page::serve`].
    pub(crate) fn stop(&self) {
        let stopped = self.lock().take();
        if let Some(instance) = stopped {
            instance.server.unblock();
        }
    }

    /// Returns the complete response to a request.
    ///
    /// # Errors
    /// When the page has no such asset, or when neither tiny_http nor a new instance responds.
    pub(crate) fn fetch(&self, request: &PageRequest) -> Result<Vec<u8>, Rejection> {
        let asset = asset(&request.path).ok_or(Rejection::NotFound)?;
        for _ in 0..ATTEMPTS {
            let instance = self.instance().ok_or(UNAVAILABLE)?;
            match instance.fetch(request, asset) {
                Ok(response) => return Ok(response),
                Err(error) => self.replace(&instance, &error),
            }
        }
        Err(UNAVAILABLE)
    }

    /// Replaces a dead instance, unless another thread has done so.
    #[cold]
    fn replace(&self, dead: &Arc<Instance>, error: &io::Error) {
        let mut instance = self.lock();
        if !instance.as_ref().is_some_and(|it| Arc::ptr_eq(it, dead)) {
            return;
        }
        log::warn!("the page does not respond ({error}); tiny_http is restarted");
        match Instance::new() {
            Ok(new) => *instance = Some(Arc::new(new)),
            Err(error) => log::warn!("tiny_http cannot be restarted: {error}"),
        }
        // The page thread goes on with the new instance.
        dead.server.unblock();
    }

    fn instance(&self) -> Option<Arc<Instance>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Arc<Instance>>> {
        self.instance.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Instance {
    fn new() -> io::Result<Self> {
        let (listener, connection) = private_connection()?;
        connection.set_nonblocking(true)?;
        let accepting = listener.try_clone()?;
        // It panics if the process gets no thread.
        let server = catch_unwind(|| Server::from_listener(accepting, None))
            .map_err(|_| io::Error::other("there is no thread for it"))?
            .map_err(io::Error::other)?;
        let (queue, queued) = bounded(QUEUE_MAX);
        Ok(Self { server, listener, connection, queue, queued })
    }

    /// Responds to requests until tiny_http is unblocked, or its accept loop ends.
    fn serve(&self) {
        loop {
            let wakeup = self.server.recv();
            for QueuedRequest { request, asset, response } in self.queued.try_iter() {
                // The connection thread may have stopped waiting.
                let _ = response.send(render(asset, &request));
            }
            match wakeup {
                // tiny_http would write a response to a request that is dropped.
                Ok(request) => drop(request.into_writer()),
                Err(_) => return,
            }
        }
    }

    fn fetch(&self, request: &PageRequest, asset: &'static Asset) -> io::Result<Vec<u8>> {
        let (response, rendered) = bounded(1);
        let queued = QueuedRequest { request: request.clone(), asset, response };
        self.queue.try_send(queued).map_err(|_| io::Error::other("the queue is full"))?;
        (&self.connection).write_all(WAKEUP_REQUEST)?;
        rendered.recv_timeout(RESPONSE_WITHIN).map_err(io::Error::other)
    }
}

/// Ends the accept loop, which tiny_http then logs as an error. tiny_http itself would connect to its
/// path for that, which is removed. On a system where `shutdown` does not end `accept`, the thread of
/// the loop remains.
impl Drop for Instance {
    fn drop(&mut self) {
        let _ = shutdown(&self.listener, Shutdown::Both);
    }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").finish_non_exhaustive()
    }
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
        page.fetch(&request).map(|response| String::from_utf8(response).unwrap())
    }

    fn field_of<'a>(response: &'a str, name: &str) -> &'a str {
        let start = format!("{name}: ");
        let line = response.lines().find_map(|line| line.strip_prefix(&start));
        line.unwrap_or_else(|| panic!("no {name} in {response}"))
    }

    fn with_page(test: impl FnOnce(&Page)) {
        with_instance(Instance::new().unwrap(), test);
    }

    /// Serves the page while `test` runs.
    fn with_instance(instance: Instance, test: impl FnOnce(&Page)) {
        struct StopOnDrop<'a>(&'a Page);
        impl Drop for StopOnDrop<'_> {
            fn drop(&mut self) {
                self.0.stop();
            }
        }
        let page = Page { instance: Mutex::new(Some(Arc::new(instance))) };
        std::thread::scope(|scope| {
            scope.spawn(|| page.serve());
            let _stop = StopOnDrop(&page);
            test(&page);
        });
    }

    #[test]
    fn an_asset_has_its_header_fields() {
        with_page(|page| {
            let response = get(page, "/", None).unwrap();
            assert!(response.starts_with("HTTP/1.1 200 OK\r\n"));
            assert_eq!(field_of(&response, "Connection"), "close");
            assert_eq!(field_of(&response, "Server"), "chinwag");
            assert!(field_of(&response, "Date").ends_with(" GMT"));
            assert_eq!(field_of(&response, "Content-Type"), "text/html; charset=utf-8");
            assert_eq!(field_of(&response, "X-Content-Type-Options"), "nosniff");
            assert_eq!(field_of(&response, "Referrer-Policy"), "no-referrer");
            let policy = field_of(&response, "Content-Security-Policy");
            assert!(policy.starts_with("default-src 'none'; "));
            assert!(policy.contains("connect-src 'self' ws://chat.lan:8080 wss://chat.lan:8080;"));
            assert!(response.ends_with(include_str!("../../../web/index.html")));
            assert!(get(page, "/healthz", None).unwrap().ends_with("\r\n\r\nok\n"));
            assert_eq!(get(page, "/nothing", None), Err(Rejection::NotFound));
        });
    }

    #[test]
    fn content_types_follow_the_file_names() {
        with_page(|page| {
            for (path, content_type) in [
                ("/", "text/html; charset=utf-8"),
                ("/main.js", "text/javascript; charset=utf-8"),
                ("/style.css", "text/css; charset=utf-8"),
                ("/icon.svg", "image/svg+xml"),
                ("/healthz", "text/plain; charset=utf-8"),
            ] {
                let response = get(page, path, None).unwrap();
                assert_eq!(field_of(&response, "Content-Type"), content_type, "{path}");
            }
        });
    }

    #[test]
    fn a_cached_asset_is_not_sent_again() {
        with_page(|page| {
            let etag = field_of(&get(page, "/main.js", None).unwrap(), "ETag").to_owned();
            for cached in [etag.clone(), format!("\"x\", W/{etag}"), "*".to_owned()] {
                let response = get(page, "/main.js", Some(&cached)).unwrap();
                assert!(response.starts_with("HTTP/1.1 304 Not Modified\r\n"), "{response}");
                assert!(response.ends_with("\r\n\r\n"), "{response}");
            }
            assert!(get(page, "/main.js", Some("\"x\"")).unwrap().contains("200 OK"));
        });
    }

    #[test]
    fn concurrent_requests_get_their_own_responses() {
        const PATHS: [&str; 4] = ["/", "/main.js", "/style.css", "/icon.svg"];
        with_page(|page| {
            std::thread::scope(|scope| {
                for path in PATHS.repeat(8) {
                    scope.spawn(move || {
                        let expected = asset(path).unwrap().form(false).content;
                        for _ in 0..20 {
                            let response = get(page, path, None).unwrap();
                            assert!(response.as_bytes().ends_with(expected), "{path}");
                        }
                    });
                }
            });
        });
    }

    #[test]
    fn a_dead_instance_is_replaced() {
        with_page(|page| {
            let dead = page.instance().unwrap();
            get(page, "/", None).unwrap();
            // tiny_http sees the end of its only connection, and no request after it.
            shutdown(&dead.connection, Shutdown::Both).unwrap();
            assert!(get(page, "/", None).unwrap().contains("200 OK"));
            assert!(!Arc::ptr_eq(&dead, &page.instance().unwrap()));
        });
    }

    #[test]
    fn a_silent_instance_is_replaced() {
        let (connection, _unread) = UnixStream::pair().unwrap();
        let mut silent = Instance::new().unwrap();
        silent.connection = connection;
        with_instance(silent, |page| assert!(get(page, "/", None).unwrap().contains("200 OK")));
    }
}
