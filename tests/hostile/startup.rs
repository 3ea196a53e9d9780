//! System calls that fail when the program starts.

use std::fs;

use testkit::{
    FREE_PORTS, ServerProcess, TempDir, chinwag_under,
    probes::{chat, ports},
    stderr_of, wait_for_exit, wait_until,
};

/// Returns the arguments of strace, which starts the program with this injection and logs the
/// calls.
fn strace(folder: &TempDir, call: &str, injection: &str) -> Vec<String> {
    let calls = folder.file("calls");
    let (trace, inject) = (format!("trace={call}"), format!("inject={call}:{injection}"));
    // With -D the program is the child of the test, and strace is not.
    let arguments = ["strace", "-D", "-f", "-e", "signal=none", "-e", &trace, "-e", &inject, "-o"];
    arguments.iter().map(ToString::to_string).chain([calls.display().to_string()]).collect()
}

fn injected(folder: &TempDir) -> usize {
    fs::read_to_string(folder.file("calls")).unwrap().matches("(INJECTED)").count()
}

/// A kernel without IPv6. Both ports try IPv6 first.
#[test]
fn a_kernel_without_ipv6() {
    for (injection, bind, expected) in [
        ("error=EAFNOSUPPORT:when=1", &[][..], 1),
        ("error=EAFNOSUPPORT:when=1..3+2", &[], 2),
        ("error=EAFNOSUPPORT:when=1..3+2", &["--bind", "::"], 2),
    ] {
        let folder = TempDir::new();
        let wrapper = strace(&folder, "socket", injection);
        let wrapper: Vec<_> = wrapper.iter().map(String::as_str).collect();
        let program = ServerProcess::start(chinwag_under(&wrapper).args(FREE_PORTS).args(bind));
        for port in ports(&program) {
            chat(port);
        }
        wait_until("the calls are written down", || injected(&folder) == expected);
    }
}

#[test]
fn a_failing_call_is_named() {
    for error in ["ENOSYS", "EPERM"] {
        let folder = TempDir::new();
        let wrapper = strace(&folder, "eventfd2", &format!("error={error}"));
        let wrapper: Vec<_> = wrapper.iter().map(String::as_str).collect();
        let mut child = chinwag_under(&wrapper).args(FREE_PORTS).spawn().unwrap();
        assert_eq!(wait_for_exit(&mut child).code(), Some(1));
        let sentence = stderr_of(&mut child);
        assert!(sentence.contains("chinwag: cannot start: eventfd: "), "{sentence}");
        wait_until("the calls are written down", || injected(&folder) > 0);
    }
}
