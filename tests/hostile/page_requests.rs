//! Requests for the page during a shortage.

use std::fs;
use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use testkit::{HttpResponse, ServerProcess, probes::PAGE_REQUEST};

/// Requests the page over accepted connections while the server gets no descriptor or no thread.
/// tiny_http runs, because the page was loaded some seconds before, and needs neither: half of the
/// connections get the page. Then tiny_http is ended and cannot be restarted, and the others get
/// 503.
pub fn request_page_in_shortage(program: &ServerProcess, connections: &mut [TcpStream]) {
    let (served, rejected) = connections.split_at_mut(connections.len() / 2);
    assert_responses(served, 200, "</html>");
    end_tiny_http(program);
    // A connection without a thread gets 503 as well, but with another text.
    assert_responses(rejected, 503, "The page is not available just now.");
}

fn assert_responses(connections: &mut [TcpStream], status: u16, text: &str) {
    for connection in &mut *connections {
        connection.write_all(PAGE_REQUEST).unwrap();
    }
    for connection in connections {
        let response = HttpResponse::read(connection, false);
        let body = String::from_utf8_lossy(&response.body);
        assert_eq!((response.status, body.contains(text)), (status, true), "{body}");
    }
}

/// Ends tiny_http: shuts down its listener and its only connection, which are the sockets of the
/// program that have a path.
fn end_tiny_http(program: &ServerProcess) {
    let pid = Pid::from_child(&program.child);
    let process = pidfd_open(pid, PidfdFlags::empty()).unwrap();
    let mut ended = 0;
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap() {
        let descriptor = entry.unwrap().file_name().into_string().unwrap().parse().unwrap();
        let socket = match pidfd_getfd(&process, descriptor, PidfdGetfdFlags::empty()) {
            Ok(copy) => UnixStream::from(copy),
            // The program has closed it meanwhile.
            Err(Errno::BADF) => continue,
            Err(error) => panic!("descriptor {descriptor} cannot be copied: {error}"),
        };
        if socket.local_addr().is_ok_and(|address| address.as_pathname().is_some()) {
            socket.shutdown(Shutdown::Both).unwrap();
            ended += 1;
        }
    }
    assert!(ended > 0, "tiny_http has no socket");
}
