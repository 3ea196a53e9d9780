//! The program as a process: its banner, flags, errors and end.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use testkit::{
    FREE_PORTS, ServerProcess, TempDir, chinwag, chinwag_under, connect, exchange_text,
    url_address, wait_for_exit,
};
use tungstenite::Message;

/// Runs a program that must not start to serve. Returns its exit code and its stderr.
fn failure(command: &mut Command) -> (i32, String) {
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // A program that serves all the same is killed at the deadline.
    let (status, said) = ServerProcess { child, banner: String::new() }.end();
    (status.code().unwrap(), said)
}

fn status_of(address: SocketAddr, host: &str, fields: &str) -> String {
    exchange_text(address, &format!("GET / HTTP/1.1\nHost: {host}\n{fields}\n"))[9..12].to_owned()
}

#[test]
fn the_banner_has_the_addresses() {
    let program = ServerProcess::start(chinwag().args(FREE_PORTS));
    let first = program.banner.lines().next().unwrap();
    assert_eq!(first, format!("chinwag {} · chat for your LAN", env!("CARGO_PKG_VERSION")));
    assert_eq!(status_of(program.page(), "localhost", ""), "200");
    assert!(program.page().ip().is_loopback());
    // A machine without a network prints no address for others.
    for line in program.banner.lines().filter(|line| line.contains("http://")) {
        let url = line.rsplit(' ').next().unwrap();
        let address = url_address(url);
        assert!(!address.ip().is_unspecified(), "{line}");
        assert_eq!(status_of(address, &address.to_string(), ""), "200", "{line}");
    }
    let mut socket = connect(program.websocket(), "/").unwrap();
    socket.send(Message::text("hello")).unwrap();
    assert!(socket.read().unwrap().to_text().unwrap().ends_with(": hello"));
}

#[test]
fn ipv6_and_ipv4_are_both_served_by_default() {
    let program = ServerProcess::start(chinwag().args(FREE_PORTS));
    let port = program.page().port();
    assert_eq!(status_of(SocketAddr::from(([127, 0, 0, 1], port)), "127.0.0.1", ""), "200");
    if TcpListener::bind("[::1]:0").is_ok() {
        let v6 = format!("[::1]:{port}").parse().unwrap();
        assert_eq!(status_of(v6, &format!("[::1]:{port}"), ""), "200");
    }
}

#[test]
fn it_listens_on_the_addresses_of_bind() {
    let bind = ["--bind", "127.0.0.1", "--bind", "127.0.0.2"];
    let program = ServerProcess::with(bind);
    let (page, websocket) = (program.page().port(), program.websocket().port());
    for host in [[127, 0, 0, 1], [127, 0, 0, 2]] {
        for port in [page, websocket] {
            assert_eq!(status_of(SocketAddr::from((host, port)), "localhost", ""), "200");
        }
    }
    assert!(TcpStream::connect((Ipv4Addr::new(127, 0, 0, 3), page)).is_err());
}

/// Returns how many sockets of the program listen.
fn listeners(program: &ServerProcess) -> usize {
    // `/proc` lists each with its inode and the state 0A.
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
        let program = ServerProcess::with(["--bind", bind]);
        assert_eq!(listeners(&program), 2 * count, "{bind}, on two ports");
        assert_eq!(status_of(program.page(), "localhost", ""), "200", "{bind}");
        // The same on ports that are given.
        let ports = [program.page().port(), program.websocket().port()].map(|it| it.to_string());
        program.signal(Signal::TERM);
        let (_, log) = program.end();
        // An address that is only given twice is no error.
        let is_said_twice = bind == "127.0.0.1,127.0.0.1";
        let is_told = log.contains("needs no listener of its own beside");
        assert!(is_told || is_said_twice, "{bind}: {log}");
        let again = ["--bind", bind, "--port", &ports[0], "--ws-port", &ports[1]];
        let program = ServerProcess::start(chinwag().args(again));
        assert_eq!(program.page().port().to_string(), ports[0], "{bind}");
    }
    let covered = ["--bind", "0.0.0.0,203.0.113.77"];
    let (code, sentence) = failure(chinwag().args(FREE_PORTS).args(covered));
    assert!(sentence.contains("203.0.113.77 is no address of this machine"), "{sentence}");
    assert_eq!(code, 1);
}

#[test]
fn it_runs_without_a_usable_tmpdir() {
    let too_long = format!("/tmp/{}", "./".repeat(100));
    for folder in ["/nowhere", "/dev/null", "/proc", "", &too_long] {
        let program = ServerProcess::start(chinwag().args(FREE_PORTS).env("TMPDIR", folder));
        assert_eq!(status_of(program.page(), "localhost", ""), "200", "{folder}");
    }
}

#[test]
fn every_flag_has_a_variable() {
    let program = ServerProcess::start(chinwag().envs([
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
    let origin = |origin: &str| status_of(page, "localhost", &format!("Origin: {origin}\n"));
    assert_eq!(origin("https://intra.example.org"), "200");
    assert_eq!(origin("https://other.example.org"), "403");
    let _first = connect(program.websocket(), "/").unwrap();
    assert!(connect(program.websocket(), "/").is_err(), "one is enough from one address");
}

#[test]
fn flags_override_variables() {
    let command = &mut chinwag();
    command.args(["--max-clients", "3"]).args(FREE_PORTS).env("CHINWAG_MAX_CLIENTS", "2");
    assert!(ServerProcess::start(command).banner.contains("Room for 3 people"));
}

#[test]
fn the_flags_for_hosts_and_limits_work() {
    let program = ServerProcess::with([
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
    ]);
    assert_eq!(status_of(program.page(), "CHAT.example.org:80", ""), "200");
    assert_eq!(status_of(program.page(), "talk.example.org", "Origin: null\n"), "200");
    let clients: Vec<_> = (0..70).map(|_| connect(program.websocket(), "/").unwrap()).collect();
    assert!(connect(program.websocket(), "/").is_err(), "the server is full");
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
        // Root may open every port, so another user runs the program.
        return without_permission_as_nobody();
    }
    let (code, sentence) = failure(chinwag().args(["--bind", "127.0.0.1", "--port", "1"]));
    assert_no_permission(code, &sentence);
}

fn without_permission_as_nobody() {
    // That user may have no access to the build folder, so it gets the program as a descriptor.
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
fn bad_usage_is_reported_and_ends_with_2() {
    for (arguments, hint) in [
        (vec!["--port", "70000"], "--port"),
        (vec!["--bind", "here"], "--bind"),
        (vec!["--host-name", "a b"], "not the name of a host"),
        (vec!["--path", "chat"], "a path looks like /chat"),
        (vec!["--allow-origin", "intra.example.org"], "http://host"),
        (vec!["--max-clients", "0"], "at least one"),
        (vec!["--burst", "0"], "at least one"),
        (vec!["--bind", ""], "nothing is in it"),
        (vec!["--host-name", " , "], "nothing is in it"),
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
    assert!(help.starts_with("Chat for your LAN. Start it,"), "{help}");
    for heading in ["Where it listens:", "Access:", "Limits of each client:"] {
        assert!(help.contains(&format!("\n{heading}\n")), "{heading}: {help}");
    }
    let short = String::from_utf8(chinwag().arg("-h").output().unwrap().stdout).unwrap();
    assert!(short.lines().count() < help.lines().count() / 2, "{short}");
}

#[test]
fn the_version_names_features_target_and_commit() {
    let version = chinwag().arg("--version").output().unwrap().stdout;
    let version = String::from_utf8(version).unwrap();
    let head = format!("chinwag {} (", env!("CARGO_PKG_VERSION"));
    let parts = version.strip_prefix(&head).and_then(|rest| rest.strip_suffix(")\n"));
    let mut parts: Vec<_> = parts.unwrap_or_else(|| panic!("{version}")).split(", ").collect();
    let target = parts.pop().unwrap();
    assert!(target.starts_with(std::env::consts::ARCH), "{version}");
    let features =
        [("history", cfg!(feature = "history")), ("confusables", cfg!(feature = "confusables"))];
    let named: Vec<_> = features.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
    let named = if named.is_empty() { "no features".to_owned() } else { named.join(" ") };
    assert_eq!(parts.pop(), Some(named.as_str()), "{version}");
    // A source without its repository has no commit.
    if let Some(commit) = parts.pop() {
        let commit = commit.strip_prefix("commit ").unwrap_or_else(|| panic!("{version}"));
        assert!(commit.len() == 9 && commit.chars().all(|c| c.is_ascii_hexdigit()), "{version}");
    }
    assert!(parts.is_empty(), "{version}");
}

/// The variables that a container platform sets for a service called chinwag, and others.
#[test]
fn an_error_in_a_variable_names_the_variable() {
    let mut cases = vec![
        ("PORT", "tcp://172.17.0.2:8080", "a service called chinwag"),
        ("PORT", "many", "not a whole number"),
        ("WS_PORT", "70000", "too large"),
        ("BIND", "127.0.0.1, here", "here: "),
        ("HOST_NAME", "a b", "not the name of a host"),
        ("ALLOW_ORIGIN", "intra.example.org", "http://host"),
        ("MAX_CLIENTS", "0", "at least one"),
        ("MAX_CLIENTS_PER_ADDRESS", "-1", "not a whole number"),
        ("BURST", "0", "at least one"),
        ("RATE", "0.5", "not a whole number"),
        ("HISTORY_LINES", "all", "not a whole number"),
        ("IDLE_ROOMS", "1e3", "not a whole number"),
        ("GRACE", "10s", "not a whole number"),
        ("LOG_LEVEL", "loud", "debug"),
    ];
    if cfg!(feature = "history") {
        cases.push(("HISTORY_SYNC", "sometimes", "full"));
        cases.push(("KEEP_MESSAGES", "0", "1"));
        cases.push(("KEEP", "soon", "number"));
    }
    for (name, value, hint) in cases {
        let variable = format!("CHINWAG_{name}");
        let (code, message) = failure(chinwag().env(&variable, value));
        assert_eq!(code, 2, "{variable}: {message}");
        let first = message.lines().next().unwrap();
        assert!(first.contains(&format!("'{value}' for '{variable}'")), "{message}");
        let flag = format!("--{}", name.to_lowercase().replace('_', "-"));
        let remedy = format!("correct or unset the variable {variable}, or give {flag}");
        assert!(message.contains(&remedy) && message.contains(hint), "{message}");
    }
    let (code, message) =
        failure(chinwag().env("CHINWAG_PORT", OsStr::from_bytes(b"\xff")).env("CHINWAG_RATE", "1"));
    assert!(code == 2 && message.contains("unset the variable CHINWAG_PORT"), "{message}");
    // The message for an argument does not name a variable.
    let (_, message) = failure(chinwag().args(["--rate", "x"]).env("CHINWAG_RATE", "y"));
    assert!(message.contains("'x' for '--rate <N>'") && !message.contains("CHINWAG"), "{message}");
}

#[cfg(feature = "history")]
#[test]
fn a_variable_that_needs_another_is_named() {
    let (code, message) = failure(chinwag().env("CHINWAG_KEEP", "30d").env("CHINWAG_HISTORY", ""));
    assert_eq!(code, 2);
    assert!(message.contains("--history <FILE>") && message.contains("CHINWAG_KEEP"), "{message}");
}

#[test]
fn empty_variables_count_as_unset() {
    const NAMES: [&str; 17] = [
        "BIND",
        "PORT",
        "WS_PORT",
        "HOST_NAME",
        "ALLOW_ORIGIN",
        "MAX_CLIENTS",
        "MAX_CLIENTS_PER_ADDRESS",
        "BURST",
        "RATE",
        "HISTORY_LINES",
        "IDLE_ROOMS",
        "GRACE",
        "LOG_LEVEL",
        "HISTORY",
        "HISTORY_SYNC",
        "KEEP",
        "KEEP_MESSAGES",
    ];
    for nothing in ["", " ", "\r"] {
        let variables = NAMES.map(|name| (format!("CHINWAG_{name}"), nothing));
        // It has passed the arguments, and has not opened the default ports.
        let (code, message) = failure(chinwag().envs(variables).args(["--bind", "203.0.113.77"]));
        assert!(code == 1 && message.contains("no address of this machine"), "{message}");
    }
    let nothing =
        ["BIND", "HOST_NAME", "ALLOW_ORIGIN"].map(|name| (format!("CHINWAG_{name}"), " , "));
    ServerProcess::start(chinwag().envs(nothing).args(FREE_PORTS));
}

#[test]
fn lists_and_numbers_may_have_blanks() {
    let program = ServerProcess::start(
        chinwag()
            .envs([
                ("CHINWAG_BIND", " 127.0.0.1, 127.0.0.2 ,127.0.0.1,"),
                ("CHINWAG_PORT", " 0\r"),
                ("CHINWAG_WS_PORT", "0 "),
                ("CHINWAG_HOST_NAME", "chat.example.org, talk.example.org,"),
                ("CHINWAG_LOG_LEVEL", "Off "),
            ])
            .args(["--allow-origin", "https://a.example.org, https://b.example.org,"]),
    );
    let page = program.page();
    assert_eq!(status_of(SocketAddr::from(([127, 0, 0, 2], page.port())), "localhost", ""), "200");
    for name in ["chat", "talk"] {
        assert_eq!(status_of(page, &format!("{name}.example.org"), ""), "200");
    }
    for name in ["a", "b"] {
        let origin = format!("Origin: https://{name}.example.org\n");
        assert_eq!(status_of(page, "localhost", &origin), "200");
    }
}

#[test]
fn huge_numbers_do_no_harm() {
    let most = usize::MAX.to_string();
    let program = ServerProcess::with([
        "--max-clients",
        &most,
        "--max-clients-per-address",
        &most,
        "--history-lines",
        &most,
        "--idle-rooms",
        &most,
        "--grace",
        &most,
        "--rate",
        "4294967295",
        "--burst",
        "4294967295",
    ]);
    assert_serves(&program, 30);
    let program = ServerProcess::with([
        "--history-lines",
        "0",
        "--idle-rooms",
        "0",
        "--grace",
        "0",
        "--rate",
        "0",
    ]);
    assert_serves(&program, 30);
}

/// Connects a client and checks that its texts come back.
fn assert_serves(program: &ServerProcess, texts: usize) {
    let mut socket = connect(program.websocket(), "/").unwrap();
    for _ in 0..texts {
        socket.send(Message::text("still here?")).unwrap();
        assert!(socket.read().unwrap().to_text().unwrap().ends_with(": still here?"));
    }
    // It closes, so that the server does not wait for it.
    socket.close(None).unwrap();
    while socket.read().is_ok() {}
}

#[test]
fn every_line_of_the_log_has_its_time() {
    let program = ServerProcess::start(chinwag().args(FREE_PORTS));
    program.signal(Signal::TERM);
    let (_, log) = program.end();
    let shape = |c: char| if c.is_ascii_digit() { '0' } else { c };
    for line in log.lines() {
        let time: String = line.chars().take(31).map(shape).collect();
        assert_eq!(time, "0000-00-00T00:00:00.000Z INFO  ", "{log}");
    }
    assert!(log.contains("stopping"), "{log}");
}

/// The journal of systemd records the time of each line itself.
#[test]
fn lines_for_the_journal_have_no_time() {
    let folder = TempDir::new();
    let path = folder.file("log");
    let file = File::create(&path).unwrap();
    let its = file.metadata().unwrap();
    for (journal, begin) in [(its.ino(), "INFO  [chinwag"), (its.ino() + 1, "20")] {
        let command = &mut chinwag();
        command.env("JOURNAL_STREAM", format!("{}:{journal}", its.dev())).args(FREE_PORTS);
        file.set_len(0).unwrap();
        let mut program = ServerProcess::start(command.stderr(File::create(&path).unwrap()));
        program.signal(Signal::TERM);
        assert_eq!(wait_for_exit(&mut program.child).code(), Some(0));
        let log = std::fs::read_to_string(&path).unwrap();
        assert!(log.starts_with(begin) && log.contains("stopping"), "{log}");
    }
}

#[test]
fn both_signals_tell_all_clients_and_end_with_0() {
    for signal in [Signal::INT, Signal::TERM] {
        let program = ServerProcess::start(chinwag().args(FREE_PORTS));
        let mut socket = connect(program.websocket(), "/").unwrap();
        let since = Instant::now();
        program.signal(signal);
        let Message::Close(Some(frame)) = socket.read().unwrap() else { panic!("a close frame") };
        assert_eq!(u16::from(frame.code), 1001);
        // The client does not answer, and the server waits only for the maximum time.
        let (status, log) = program.end();
        assert!(since.elapsed() < Duration::from_secs(3), "it took {:?}", since.elapsed());
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("stopping"), "{log}");
    }
}

/// Also the real-time signals, and those that only some systems have.
#[test]
fn signals_without_a_meaning_end_nothing() {
    let program = ServerProcess::start(chinwag().args(FREE_PORTS));
    let mut numbers: Vec<i32> = [
        Signal::USR1,
        Signal::USR2,
        Signal::ALARM,
        Signal::VTALARM,
        Signal::PROF,
        Signal::IO,
        Signal::XFSZ,
        Signal::XCPU,
        Signal::PIPE,
        Signal::WINCH,
        Signal::URG,
        Signal::CHILD,
        Signal::CONT,
    ]
    .map(Signal::as_raw)
    .to_vec();
    if cfg!(target_os = "linux") {
        numbers.extend([16, 30]);
        numbers.extend(34..=64);
    }
    for number in numbers {
        let kill = format!("kill -{number} {}", program.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
        assert_serves(&program, 1);
    }
    program.signal(Signal::TERM);
    assert_eq!(program.end().0.code(), Some(0));
}

#[test]
fn sigquit_ends_it_at_once() {
    let without_dump = ["sh", "-c", "ulimit -c 0 && exec \"$0\" \"$@\""];
    let program = ServerProcess::start(chinwag_under(&without_dump).args(FREE_PORTS));
    program.signal(Signal::QUIT);
    assert_eq!(program.end().0.signal(), Some(Signal::QUIT.as_raw()));
}

/// Opens a pseudo-terminal: this end, and that of the program.
fn terminal() -> (OwnedFd, File) {
    // A program that another test starts meanwhile must not inherit it.
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let terminal = openpt(flags).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let path = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
    let far_end = File::options().read(true).write(true).open(path).unwrap();
    (terminal, far_end)
}

#[test]
fn closing_the_terminal_stops_it_cleanly() {
    let (terminal, far_end) = terminal();
    let mut command = chinwag_under(&["setsid", "--ctty"]);
    let program = ServerProcess::start(command.args(FREE_PORTS).stdin(far_end));
    let mut socket = connect(program.websocket(), "/").unwrap();
    drop(terminal);
    let Message::Close(Some(frame)) = socket.read().unwrap() else { panic!("a close frame") };
    assert_eq!(u16::from(frame.code), 1001);
    // A shell passes the signal on, too. It must not count as a second one, which ends the program
    // at once.
    program.signal(Signal::HUP);
    let (status, log) = program.end();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("stopping, after SIGHUP"), "{log}");
}

#[test]
fn sighup_is_ignored_without_a_terminal() {
    let program = ServerProcess::start(chinwag_under(&["setsid"]).args(FREE_PORTS));
    assert_ignores_hangup(program, |program| program.signal(Signal::HUP));
}

#[test]
fn nohup_outlives_the_terminal() {
    let (terminal, far_end) = terminal();
    let mut command = chinwag_under(&["setsid", "--ctty", "nohup"]);
    let program = ServerProcess::start(command.args(FREE_PORTS).stdin(far_end));
    assert_ignores_hangup(program, |_| drop(terminal));
}

fn assert_ignores_hangup(mut program: ServerProcess, hang_up: impl FnOnce(&ServerProcess)) {
    hang_up(&program);
    let mut log = BufReader::new(program.child.stderr.take().unwrap());
    let mut lines = String::new();
    while !lines.contains("SIGHUP is ignored") {
        assert_ne!(log.read_line(&mut lines).unwrap(), 0, "{lines}");
    }
    assert_serves(&program, 1);
    program.signal(Signal::TERM);
    let status = wait_for_exit(&mut program.child);
    log.read_to_string(&mut lines).unwrap();
    assert_eq!(status.code(), Some(0), "{lines}");
}

/// A limit of the size of files is a failing disk.
#[cfg(feature = "history")]
#[test]
fn a_limit_of_the_size_of_files_does_not_end_the_chat() {
    const TEXTS: usize = 100;
    let folder = TempDir::new();
    let mut command = chinwag_under(&["prlimit", "--fsize=200000"]);
    command.args(FREE_PORTS).args(["--rate", "0", "--history"]).arg(folder.file("history"));
    let program = ServerProcess::start(&mut command);
    let mut socket = connect(program.websocket(), "/").unwrap();
    for number in 0..TEXTS {
        let text = format!("{number} {}", "x".repeat(4000));
        socket.send(Message::text(&text)).unwrap();
        assert!(socket.read().unwrap().to_text().unwrap().ends_with(&text));
    }
    socket.close(None).unwrap();
    while socket.read().is_ok() {}
    program.signal(Signal::TERM);
    let (status, log) = program.end();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("the chat goes on in memory"), "{log}");
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let mut program = ServerProcess::start(chinwag().args(FREE_PORTS));
    let mut socket = connect(program.websocket(), "/").unwrap();
    program.signal(Signal::TERM);
    // The server has taken the first signal when its notice is in the log. The client keeps it
    // waiting.
    let mut log = BufReader::new(program.child.stderr.take().unwrap());
    let mut line = String::new();
    log.read_line(&mut line).unwrap();
    assert!(line.contains("stopping"), "{line}");
    program.signal(Signal::INT);
    let status = wait_for_exit(&mut program.child);
    assert_eq!((status.code(), status.signal()), (Some(130), None));
    while socket.read().is_ok() {}
}

#[test]
fn the_program_runs_without_a_reader_of_its_output() {
    let mut program = ServerProcess::with(["--log-level", "debug"]);
    // `ServerProcess::start` has dropped its end of stdout.
    drop(program.child.stderr.take());
    // They stay to the end, so that no goodbye comes before a text.
    let mut sockets = Vec::new();
    for _ in 0..3 {
        let mut socket = connect(program.websocket(), "/").unwrap();
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

/// Returns the program with this limit of descriptors, and a lower soft limit.
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
fn the_number_of_clients_follows_from_the_descriptors() {
    let program = ServerProcess::start(&mut chinwag_with_descriptors(328));
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
    let program = ServerProcess::start(&mut chinwag_with_descriptors(40));
    assert_eq!(status_of(program.page(), "localhost", ""), "200");
    let mut socket = connect(program.websocket(), "/").unwrap();
    socket.send(Message::text("hello")).unwrap();
    assert!(socket.read().unwrap().to_text().unwrap().ends_with(": hello"));
}

#[test]
fn a_refused_connection_leaves_a_line_at_info() {
    let program = ServerProcess::with(["--bind", "127.0.0.1"]);
    let page = program.page();
    for _ in 0..3 {
        assert_eq!(status_of(page, "evil.example", ""), "421");
    }
    assert_eq!(status_of(page, "localhost", "Origin: http://evil.example\n"), "403");
    assert_eq!(status_of(page, "", ""), "400");
    assert_eq!(status_of(page, "localhost", "Transfer-Encoding: chunked\n"), "413");
    let forged = format!("X-Forged: {}\n", "x".repeat(20_000));
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
