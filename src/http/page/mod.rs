//! The page, served by tiny_http.
//!
//! tiny_http 0.12 is not made for hostile networks. A huge `Content-Length` aborts the process, one
//! failed `accept` ends its loop, its pool panics without a thread, and it has no time-outs. So it
//! accepts a single connection, which is made when it starts. The requests
//! that the front end has parsed go to the page thread through a queue, and the responses return
//! through channels. For each batch of them tiny_http gets a fixed request on its connection.
//!
//! The page thread owns tiny_http. It starts an instance for the first request, and drops it when no
//! further request has come for some seconds. If an instance does not respond, a new one replaces it.

mod assets;
mod own_files;
mod private_connection;
mod response;
mod thread_end;

use std::io::{self, ErrorKind, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::catch_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, after, bounded, never, select};
use percent_encoding::percent_decode_str;
use rustix::net::{Shutdown, shutdown};
use tiny_http::Server;

use super::head::PageRequest;
use super::rejection::Rejection;
use crate::config::page::Page as Config;
use assets::{Asset, Assets, built_in};
pub(crate) use own_files::PageError;
use private_connection::private_connection;
use response::render;
pub(crate) use thread_end::wait_for_end;

/// Capacity of the queue of parsed requests: as many as the front end serves at once.
const QUEUE_MAX: usize = 64;
/// How long an instance of tiny_http may take to respond before it counts as dead.
const RESPONSE_WITHIN: Duration = Duration::from_secs(3);
/// Number of instances that are tried for one request.
const ATTEMPTS: u32 = 2;
/// How long a connection waits for its response: for all attempts, and some more.
const RENDERED_WITHIN: Duration = Duration::from_secs(8);
/// How long an instance without a request is kept. It is longer than the threads of an instance
/// outlive it, so that the threads of two instances exist at most.
const IDLE_AFTER: Duration = Duration::from_secs(6);
/// The request that tiny_http gets for each queued one.
const WAKEUP_REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";
const UNAVAILABLE: Rejection =
    Rejection::Full("The page is not available just now. Please try again in a moment.");

/// The files of the page, and the way to the page thread.
#[derive(Debug)]
pub(crate) struct Page {
    assets: Assets,
    queue: Sender<QueuedRequest>,
    /// Holds one request to stop.
    stop: Sender<()>,
}

/// The work of the page thread.
#[derive(Debug)]
pub(crate) struct PageThread {
    name: String,
    queued: Receiver<QueuedRequest>,
    stop: Receiver<()>,
}

#[derive(Debug)]
struct QueuedRequest {
    request: PageRequest,
    asset: Arc<Asset>,
    response: Sender<Result<Vec<u8>, Rejection>>,
}

/// A running tiny_http, with its only connection.
struct Instance {
    server: Server,
    /// The listener of tiny_http, by which its accept loop is ended.
    listener: UnixListener,
    /// The connection that tiny_http reads.
    connection: UnixStream,
}

/// Returns the page and the work of its thread, or `None` if there is to be no page.
///
/// # Errors
/// If a file of the page cannot be read.
pub(crate) fn open(config: &Config) -> Result<Option<(Page, PageThread)>, PageError> {
    match config {
        Config::BuiltIn => Ok(Some(open_with(built_in()))),
        Config::None => Ok(None),
        Config::Files(files) => Ok(Some(open_with(own_files::read(files)?))),
    }
}

fn open_with(assets: Assets) -> (Page, PageThread) {
    /// Number of the next page of this process.
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    let (queue, queued) = bounded(QUEUE_MAX);
    let (stop, stop_asked) = bounded(1);
    let name = format!("page-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    (Page { assets, queue, stop }, PageThread { name, queued, stop: stop_asked })
}

impl Page {
    /// Returns the complete response to a request.
    ///
    /// # Errors
    /// When the page has no such file, or when neither tiny_http nor a new instance responds.
    pub(crate) fn fetch(&self, request: &PageRequest) -> Result<Vec<u8>, Rejection> {
        let path = percent_decode_str(&request.path).decode_utf8_lossy();
        let asset = self.assets.get(&*path).ok_or(Rejection::NotFound)?.clone();
        let (response, rendered) = bounded(1);
        let queued = QueuedRequest { request: request.clone(), asset, response };
        self.queue.try_send(queued).map_err(|_| UNAVAILABLE)?;
        rendered.recv_timeout(RENDERED_WITHIN).unwrap_or(Err(UNAVAILABLE))
    }

    /// Ends [`PageThread::serve`].
    pub(crate) fn stop(&self) {
        let _ = self.stop.try_send(());
    }
}

impl PageThread {
    /// Returns the name for the thread. No other page of this process has it, so that the threads of
    /// tiny_http, which inherit it, can be found.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Responds to requests until [`Page::stop`] is called.
    pub(crate) fn serve(&self) {
        self.serve_with(None);
    }

    fn serve_with(&self, mut instance: Option<Instance>) {
        loop {
            let idle = if instance.is_some() { after(IDLE_AFTER) } else { never() };
            select! {
                recv(self.stop) -> _ => return,
                recv(idle) -> _ => instance = None,
                recv(self.queued) -> queued => match queued {
                    Ok(first) => self.respond(first, &mut instance),
                    Err(_) => return,
                }
            }
        }
    }

    /// Responds to a request, and to all that have come until tiny_http has taken it.
    fn respond(&self, first: QueuedRequest, instance: &mut Option<Instance>) {
        let is_available = pass_request(instance);
        let others = self.queued.try_iter().take(QUEUE_MAX);
        for QueuedRequest { request, asset, response } in std::iter::once(first).chain(others) {
            let rendered =
                if is_available { Ok(render(&asset, &request)) } else { Err(UNAVAILABLE) };
            // The connection thread may have stopped waiting.
            let _ = response.send(rendered);
        }
    }
}

/// Passes a request through tiny_http. Starts an instance if there is none, and replaces an instance
/// that does not respond. Returns whether an instance has responded.
fn pass_request(instance: &mut Option<Instance>) -> bool {
    for _ in 0..ATTEMPTS {
        let started = match instance.take() {
            Some(instance) => Ok(instance),
            None => Instance::start(),
        };
        match started.and_then(|it| it.pass_request().map(|()| it)) {
            Ok(responding) => {
                *instance = Some(responding);
                return true;
            }
            Err(error) => log::warn!("tiny_http does not serve the page: {error}"),
        }
    }
    false
}

impl Instance {
    /// # Errors
    /// When the process has no descriptor or thread left, or no directory for temporary files.
    fn start() -> io::Result<Self> {
        let (listener, connection) = private_connection()?;
        connection.set_nonblocking(true)?;
        let accepting = listener.try_clone()?;
        // It panics if the process gets no thread.
        let server = catch_unwind(|| Server::from_listener(accepting, None))
            .map_err(|_| io::Error::other("there is no thread for it"))?
            .map_err(io::Error::other)?;
        Ok(Self { server, listener, connection })
    }

    fn pass_request(&self) -> io::Result<()> {
        (&self.connection).write_all(WAKEUP_REQUEST)?;
        let request = self.server.recv_timeout(RESPONSE_WITHIN)?.ok_or(ErrorKind::TimedOut)?;
        // tiny_http would write a response to a request that is dropped.
        drop(request.into_writer());
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::page::PageFiles;

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
        with_instance(None, test);
    }

    fn with_instance(instance: Option<Instance>, test: impl FnOnce(&Page)) {
        with_pages(built_in(), instance, test);
    }

    /// Serves the page while `test` runs.
    fn with_pages(assets: Assets, instance: Option<Instance>, test: impl FnOnce(&Page)) {
        struct StopOnDrop<'a>(&'a Page);
        impl Drop for StopOnDrop<'_> {
            fn drop(&mut self) {
                self.0.stop();
            }
        }
        let (page, thread) = open_with(assets);
        std::thread::scope(|scope| {
            scope.spawn(move || thread.serve_with(instance));
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
            assert_eq!(get(page, "/nothing", None), Err(Rejection::NotFound));
        });
    }

    #[test]
    fn an_own_file_is_found_by_any_spelling_of_its_path() {
        let files = own_files::read(&PageFiles::embedded([("a b/é.txt", b"1")])).unwrap();
        with_pages(files, None, |page| {
            for path in ["/a%20b/%C3%A9.txt", "/%61%20b/%c3%a9.txt"] {
                let response = get(page, path, None).unwrap();
                assert!(response.ends_with("\r\n\r\n1"), "{response}");
                assert!(!response.contains("Content-Security-Policy"), "{response}");
                assert_eq!(field_of(&response, "X-Content-Type-Options"), "nosniff");
            }
            for path in ["/", "/a%20b/", "/a%2520b/%C3%A9.txt", "/../a%20b/%C3%A9.txt"] {
                assert_eq!(get(page, path, None), Err(Rejection::NotFound), "{path}");
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
                        let expected = page.assets[path].form(false).content;
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
        let dead = Instance::start().unwrap();
        dead.pass_request().unwrap();
        // tiny_http sees the end of its only connection, and no request after it.
        shutdown(&dead.connection, Shutdown::Both).unwrap();
        with_instance(Some(dead), |page| {
            assert!(get(page, "/", None).unwrap().contains("200 OK"));
        });
    }

    #[test]
    fn a_silent_instance_is_replaced() {
        let (connection, _unread) = UnixStream::pair().unwrap();
        let mut silent = Instance::start().unwrap();
        silent.connection = connection;
        with_instance(Some(silent), |page| {
            assert!(get(page, "/", None).unwrap().contains("200 OK"));
        });
    }

    #[test]
    fn a_page_that_has_stopped_is_not_available() {
        let (page, thread) = open_with(built_in());
        drop(thread);
        assert_eq!(get(&page, "/", None), Err(UNAVAILABLE));
    }
}
