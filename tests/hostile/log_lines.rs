//! A violation leaves one short line in the log, and many leave a bounded number.

use std::io::Read as _;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use testkit::{ServerProcess, connect, exchange_text};
use tungstenite::protocol::CloseFrame;

#[test]
fn ten_thousand_refusals_leave_a_few_lines() {
    const VIOLATIONS: usize = 10_000;
    const THREADS: usize = 4;
    /// Two windows of 600 lines each.
    const LINES_MAX: u64 = 2 * 600;
    let arguments = ["--log-level", "debug", "--max-clients-per-address", "1"];
    let mut program = ServerProcess::with(arguments);
    let mut stderr = program.child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut log = String::new();
        stderr.read_to_string(&mut log).map(|_| log).unwrap()
    });
    let _only_one = connect(program.websocket(), "/").unwrap();
    let since = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for _ in 0..VIOLATIONS / THREADS {
                    assert!(connect(program.websocket(), "/").is_err(), "it is one too many");
                }
            });
        }
    });
    let took = since.elapsed();
    // On a fast machine the second second has yet to begin.
    while since.elapsed() < Duration::from_millis(1500) {
        assert!(connect(program.websocket(), "/").is_err(), "it is one too many");
    }
    program.signal(Signal::TERM);
    assert_eq!(testkit::wait_for_exit(&mut program.child).code(), Some(0));
    let log = reader.join().unwrap();
    println!(
        "{VIOLATIONS} refusals in {took:.1?}: {} lines, {} bytes",
        log.lines().count(),
        log.len()
    );
    assert!(took < Duration::from_secs(60), "the machine is too slow to tell");
    assert!(log.lines().count() as u64 <= LINES_MAX);
    assert!(log.contains("lines left out"), "the rest was counted");
    assert!(log.contains("stopping"), "important lines are not left out");
}

#[test]
fn text_of_a_client_is_one_short_line() {
    let program = ServerProcess::with(["--log-level", "trace"]);
    let mut client = connect(program.websocket(), "/?nick=ana").unwrap();
    let reason = format!("\u{1b}[2Jbye\r\nERROR [forged] {}", "x".repeat(90));
    client.close(Some(CloseFrame { code: 1000.into(), reason: reason.into() })).unwrap();
    while client.read().is_ok() {}
    // A request is not logged at any level.
    exchange_text(program.page(), "GET /\u{7f}forged HTTP/1.1\nHost: forged\u{1b}[2J\n\n");
    program.signal(Signal::TERM);
    let (status, log) = program.end();
    assert_eq!(status.code(), Some(0));
    let lines: Vec<_> = log.lines().filter(|line| line.contains("forged")).collect();
    assert_eq!(lines.len(), 1, "{log}");
    assert!(lines[0].contains(r"\u{1b}[2Jbye\r\nERROR [forged] xxxx"), "{log}");
    assert!(lines[0].chars().count() < 64 + 85, "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}
