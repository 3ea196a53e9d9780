//! The program, as a process: its banner, its flags, its errors and its end.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

mod support;

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use support::DEADLINE;
use support::program::{FREE_PORTS, Program, address, chinwag, wait};
use tungstenite::Message;

/// Runs a program that does not come to serve: its exit code and what it says.
fn failure(command: &mut Command) -> (i32, String) {
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // One that comes to serve all the same is ended with the deadline.
    let (status, said) = Program { child, banner: String::new() }.end();
    (status.code().unwrap(), said)
}

fn status_of(address: SocketAddr, host: &str, fields: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n").unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).unwrap();
    String::from_utf8_lossy(&status[9..]).into_owned()
}

fn connect(
    address: SocketAddr,
) -> Result<tungstenite::WebSocket<TcpStream>, Box<dyn std::error::Error>> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(DEADLINE))?;
    Ok(tungstenite::client(format!("ws://{address}/"), stream)?.0)
}

#[test]
fn the_banner_says_where_to_go() {
    let program = Program::start(chinwag().args(FREE_PORTS));
    let first = program.banner.lines().next().unwrap();
    assert_eq!(first, format!("chinwag {} · chat for your LAN", env!("CARGO_PKG_VERSION")));
    assert_eq!(status_of(program.page(), "localhost", ""), "200");
    assert!(program.page().ip().is_loopback());
    // A machine without any network prints no address for others.
    for line in program.banner.lines().filter(|line| line.contains("http://")) {
        let url = line.rsplit(' ').next().unwrap();
        let address = address(url);
        assert!(!address.ip().is_unspecified(), "{line}");
        assert_eq!(status_of(address, &address.to_string(), ""), "200", "{line}");
    }
    let mut socket = connect(program.websocket()).unwrap();
    socket.send(Message::text("hello")).unwrap();
    assert!(socket.read().unwrap().to_text().unwrap().ends_with(": hello"));
}

#[test]
fn ipv6_and_ipv4_are_both_served_by_default() {
    let program = Program::start(chinwag().args(FREE_PORTS));
    let port = program.page().port();
    assert_eq!(status_of(SocketAddr::from(([127, 0, 0, 1], port)), "127.0.0.1", ""), "200");
    if TcpListener::bind("[::1]:0").is_ok() {
        let v6 = format!("[::1]:{port}").parse().unwrap();
        assert_eq!(status_of(v6, &format!("[::1]:{port}"), ""), "200");
    }
}

#[test]
fn it_listens_where_it_is_told_to() {
    let bind = ["--bind", "127.0.0.1", "--bind", "127.0.0.2"];
    let program = Program::start(chinwag().args(FREE_PORTS).args(bind));
    let (page, websocket) = (program.page().port(), program.websocket().port());
    for host in [[127, 0, 0, 1], [127, 0, 0, 2]] {
        for port in [page, websocket] {
            assert_eq!(status_of(SocketAddr::from((host, port)), "localhost", ""), "200");
        }
    }
    assert!(TcpStream::connect((Ipv4Addr::new(127, 0, 0, 3), page)).is_err());
}

/// How many sockets of the program listen.
fn listeners(program: &Program) -> usize {
    // In the file system of the kernel each has an inode, and the state 0A.
    let folder = format!("/proc/{}", program.child.id());
    let descriptors = std::fs::read_dir(format!("{folder}/fd")).unwrap();
    let ours: Vec<_> = descriptors
        .filter_map(|it| std::fs::read_link(it.unwrap().path()).ok())
        .filter_map(|it| {
            it.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned)
        })
        .collect();
    let tables = ["tcp", "tcp6"].map(|it| std::fs::read_to_string(format!("{folder}/net/{it}")));
    let lines = tables.iter().flatten().flat_map(|it| it.lines());
    let listening = lines.filter_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        (fields[3] == "0A").then(|| fields[9].to_owned())
    });
    listening.filter(|inode| ours.contains(inode)).count()
}

#[test]
#[cfg(target_os = "linux")]
fn addresses_that_cover_one_another_are_listened_on_once() {
    for (bind, count) in [
        ("127.0.0.1,127.0.0.1", 1),
        ("0.0.0.0,127.0.0.1", 1),
        ("127.0.0.1,0.0.0.0", 1),
        ("::,0.0.0.0", 1),
        ("0.0.0.0,::", 1),
        ("::ffff:127.0.0.1,127.0.0.1,127.0.0.2", 2),
        ("::,127.0.0.1,127.0.0.2", 1),
    ] {
        let program = Program::start(chinwag().args(FREE_PORTS).args(["--bind", bind]));
        assert_eq!(listeners(&program), 2 * count, "{bind}, on two ports");
        assert_eq!(status_of(program.page(), "localhost", ""), "200", "{bind}");
        // The same on ports that are given.
        let ports = [program.page().port(), program.websocket().port()].map(|it| it.to_string());
        program.signal(Signal::TERM);
        let (_, log) = program.end();
        assert!(log.contains("needs no listener of its own beside"), "{bind}: {log}");
        let again = ["--bind", bind, "--port", &ports[0], "--ws-port", &ports[1]];
        let program = Program::start(chinwag().args(again));
        assert_eq!(program.page().port().to_string(), ports[0], "{bind}");
    }
    let covered = ["--bind", "0.0.0.0,203.0.113.77"];
    let (code, sentence) = failure(chinwag().args(FREE_PORTS).args(covered));
    assert!(sentence.contains("203.0.113.77 is no address of this machine"), "{sentence}");
    assert_eq!(code, 1);
}

#[test]
fn any_folder_for_temporary_files_will_do() {
    let too_long = format!("/tmp/{}", "./".repeat(100));
    for folder in ["/nowhere", "/dev/null", "/proc", "", &too_long] {
        let program = Program::start(chinwag().args(FREE_PORTS).env("TMPDIR", folder));
        assert_eq!(status_of(program.page(), "localhost", ""), "200", "{folder}");
    }
}

#[test]
fn every_flag_has_a_variable() {
    let program = Program::start(chinwag().envs([
        ("CHINWAG_BIND", "127.0.0.1,127.0.0.2"),
        ("CHINWAG_PORT", "0"),
        ("CHINWAG_WS_PORT", "0"),
        ("CHINWAG_HOST_NAME", "chat.example.org,talk.example.org"),
        ("CHINWAG_ALLOW_ORIGIN", "https://intra.example.org"),
        ("CHINWAG_MAX_CLIENTS", "2"),
        ("CHINWAG_MAX_CLIENTS_PER_ADDRESS", "1"),
        ("CHINWAG_LOG_LEVEL", "off"),
    ]));
    let page = program.page();
    assert!(program.banner.contains("Room for 2 people"), "{}", program.banner);
    assert_eq!(status_of(page, "talk.example.org", ""), "200");
    assert_eq!(status_of(page, "other.example.org", ""), "421");
    let origin = |origin: &str| status_of(page, "localhost", &format!("Origin: {origin}\r\n"));
    assert_eq!(origin("https://intra.example.org"), "200");
    assert_eq!(origin("https://other.example.org"), "403");
    let _first = connect(program.websocket()).unwrap();
    assert!(connect(program.websocket()).is_err(), "one is enough from one address");
}

#[test]
fn flags_come_before_variables() {
    let command = &mut chinwag();
    command.args(["--max-clients", "3"]).args(FREE_PORTS).env("CHINWAG_MAX_CLIENTS", "2");
    assert!(Program::start(command).banner.contains("Room for 3 people"));
}

#[test]
fn the_flags_for_hosts_and_limits_work() {
    let program = Program::start(chinwag().args(FREE_PORTS).args([
        "--host-name",
        "chat.example.org",
        "--host-name",
        "talk.example.org",
        "--allow-origin",
        "null",
        "--max-clients-per-address",
        "0",
        "--max-clients",
        "70",
        "--log-level",
        "debug",
    ]));
    assert_eq!(status_of(program.page(), "CHAT.example.org:80", ""), "200");
    assert_eq!(status_of(program.page(), "talk.example.org", "Origin: null\r\n"), "200");
    let clients: Vec<_> = (0..70).map(|_| connect(program.websocket()).unwrap()).collect();
    assert!(connect(program.websocket()).is_err(), "the house is full");
    drop(clients);
    program.signal(Signal::TERM);
    let (_, log) = program.end();
    assert!(log.contains("DEBUG"), "{log}");
}

#[test]
fn a_port_in_use_is_one_sentence_with_a_remedy() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (flag, other) in [("--port", "--ws-port"), ("--ws-port", "--port")] {
        let arguments = ["--bind", "127.0.0.1", flag, &port, other, "0"];
        let (code, sentence) = failure(chinwag().args(arguments));
        let expected = format!(
            "chinwag: port {port} is in use on 127.0.0.1; choose another with {flag} (0 takes a free one)\n"
        );
        assert_eq!((code, sentence), (1, expected));
    }
}

#[test]
fn an_address_of_another_machine_is_one_sentence_with_a_remedy() {
    let (code, sentence) = failure(chinwag().args(FREE_PORTS).args(["--bind", "203.0.113.77"]));
    let expected =
        "chinwag: 203.0.113.77 is no address of this machine; choose another with --bind\n";
    assert_eq!((code, sentence.as_str()), (1, expected));
}

#[test]
fn a_port_without_permission_is_one_sentence_with_a_remedy() {
    if rustix::process::geteuid().is_root() {
        // Root may open every port; somebody else asks for it.
        return without_permission_as_nobody();
    }
    let (code, sentence) = failure(chinwag().args(["--bind", "127.0.0.1", "--port", "1"]));
    assert_no_permission(code, &sentence);
}

fn without_permission_as_nobody() {
    // The build folder may be closed to others, so the program is handed over as a descriptor.
    let program = File::open(env!("CARGO_BIN_EXE_chinwag")).unwrap();
    let mut setpriv = Command::new("setpriv");
    setpriv
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--bounding-set=-all"])
        .args(["/proc/self/fd/0", "--bind", "127.0.0.1", "--port", "1"])
        .stdin(program);
    let (code, sentence) = failure(&mut setpriv);
    assert_no_permission(code, &sentence);
}

fn assert_no_permission(code: i32, sentence: &str) {
    let expected =
        "chinwag: no permission to open port 1 on 127.0.0.1; choose one above 1023 with --port\n";
    assert_eq!((code, sentence), (1, expected));
}

#[test]
fn bad_usage_is_told_and_ends_with_2() {
    for (arguments, hint) in [
        (vec!["--port", "70000"], "--port"),
        (vec!["--bind", "here"], "--bind"),
        (vec!["--host-name", "a b"], "not the name of a host"),
        (vec!["--allow-origin", "intra.example.org"], "http://host"),
        (vec!["--max-clients", "0"], "at least one"),
        (vec!["--log-level", "loud"], "--log-level"),
        (vec!["--prot", "1"], "--port"),
        (vec!["extra"], "extra"),
    ] {
        let (code, message) = failure(chinwag().args(&arguments));
        assert_eq!(code, 2, "{arguments:?}: {message}");
        assert!(message.contains(hint), "{arguments:?}: {message}");
    }
    let (code, message) = failure(chinwag().env("CHINWAG_PORT", "many"));
    assert_eq!((code, message.contains("many")), (2, true), "{message}");
}

#[test]
fn help_names_every_flag_and_its_variable() {
    let output = chinwag().arg("--help").output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for flag in [
        "bind",
        "port",
        "ws-port",
        "host-name",
        "allow-origin",
        "max-clients",
        "max-clients-per-address",
        "burst",
        "rate",
        "history-lines",
        "idle-rooms",
        "grace",
        "log-level",
    ] {
        let variable = format!("CHINWAG_{}", flag.to_uppercase().replace('-', "_"));
        assert!(
            help.contains(&format!("--{flag} <")) && help.contains(&variable),
            "{flag}: {help}"
        );
    }
    let version = chinwag().arg("--version").output().unwrap().stdout;
    assert_eq!(version, format!("chinwag {}\n", env!("CARGO_PKG_VERSION")).as_bytes());
}

#[test]
fn both_signals_tell_everybody_and_end_with_0() {
    for signal in [Signal::INT, Signal::TERM] {
        let program = Program::start(chinwag().args(FREE_PORTS));
        let mut socket = connect(program.websocket()).unwrap();
        let since = Instant::now();
        program.signal(signal);
        let Message::Close(Some(frame)) = socket.read().unwrap() else { panic!("a close frame") };
        assert_eq!(u16::from(frame.code), 1001);
        // The client does not answer, and is not waited for beyond the bound.
        let (status, log) = program.end();
        assert!(since.elapsed() < Duration::from_secs(3), "it took {:?}", since.elapsed());
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("stopping"), "{log}");
    }
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut program = Program::start(chinwag().args(FREE_PORTS));
    let mut socket = connect(program.websocket()).unwrap();
    program.signal(Signal::TERM);
    // The first has been taken when its notice is on the log; the client keeps the server waiting.
    let mut log = BufReader::new(program.child.stderr.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    assert!(line.contains("stopping"), "{line}");
    program.signal(Signal::INT);
    let status = wait(&mut program.child);
    assert_eq!((status.code(), status.signal()), (Some(130), None));
    while socket.read().is_ok() {}
}

#[test]
fn nobody_has_to_read_what_it_prints() {
    let mut program = Program::start(chinwag().args(FREE_PORTS).args(["--log-level", "debug"]));
    // Program::start has dropped its end of stdout already.
    drop(program.child.stderr.take());
    // They stay to the end, so that nobody's goodbye comes before somebody's own words.
    let mut sockets = Vec::new();
    for _ in 0..3 {
        let mut socket = connect(program.websocket()).unwrap();
        socket.send(Message::text("still here?")).unwrap();
        assert!(socket.read().unwrap().to_text().unwrap().ends_with(": still here?"));
        sockets.push(socket);
    }
    drop(sockets);
    program.signal(Signal::TERM);
    let mut child = Command::new("true").stderr(Stdio::piped()).spawn().unwrap();
    program.child.stderr = child.stderr.take();
    child.wait().unwrap();
    assert_eq!(program.end().0.code(), Some(0));
}

/// The program, with no more than so many descriptors, and fewer than that unless it asks.
fn chinwag_with_descriptors(most: u32) -> Command {
    let mut command = chinwag();
    let program = std::mem::replace(&mut command, Command::new("sh"));
    let soft = most.min(50);
    let limits = format!("ulimit -S -n {soft} && ulimit -H -n {most} && exec \"$0\" \"$@\"");
    command.args(["-c", &limits]);
    command.arg(program.get_program()).args(FREE_PORTS);
    for (name, _) in program.get_envs() {
        command.env_remove(name);
    }
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn it_has_room_for_as_many_as_there_are_descriptors_for() {
    let program = Program::start(&mut chinwag_with_descriptors(328));
    assert!(program.banner.contains("Room for 100 people"), "{}", program.banner);
}

#[test]
fn too_few_descriptors_are_one_sentence_with_a_remedy() {
    for most in [8, 20, 39] {
        let command = &mut chinwag_with_descriptors(most);
        let expected = format!(
            "chinwag: only {most} descriptors may be open, and at least 40 are needed, and 2 more \
             for each client; raise the limit (ulimit -n, LimitNOFILE=)\n"
        );
        let (code, sentence) = failure(command);
        assert_eq!((code, sentence), (1, expected));
    }
    let program = Program::start(&mut chinwag_with_descriptors(40));
    assert_eq!(status_of(program.page(), "localhost", ""), "200");
    let mut socket = connect(program.websocket()).unwrap();
    socket.send(Message::text("hello")).unwrap();
    assert!(socket.read().unwrap().to_text().unwrap().ends_with(": hello"));
}

#[test]
fn a_refused_caller_leaves_a_line_at_info() {
    let program = Program::start(chinwag().args(FREE_PORTS).args(["--bind", "127.0.0.1"]));
    let page = program.page();
    for _ in 0..3 {
        assert_eq!(status_of(page, "evil.example", ""), "421");
    }
    assert_eq!(status_of(page, "localhost", "Origin: http://evil.example\r\n"), "403");
    assert_eq!(status_of(page, "", ""), "400");
    assert_eq!(status_of(page, "localhost", "Transfer-Encoding: chunked\r\n"), "413");
    let forged = format!("X-Forged: {}\r\n", "x".repeat(20_000));
    assert_eq!(status_of(page, "localhost", &forged), "431");
    program.signal(Signal::TERM);
    let (_, log) = program.end();
    for refused in [
        "127.0.0.1 is refused with 400: The Host of this request is no name of a host.",
        "127.0.0.1 is refused with 403: Pages of another host may not talk to this server",
        "127.0.0.1 is refused with 413: Requests have no body here.",
        "127.0.0.1 is refused with 421: This server does not go by that name; --host-name",
        "127.0.0.1 is refused with 431: The head of a request has at most 16 KiB here.",
    ] {
        assert!(log.contains(refused), "{refused}: {log}");
    }
    assert!(!log.to_lowercase().contains("forged") && !log.contains("evil"), "{log}");
}
