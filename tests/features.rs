//! The dependencies of each feature.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::collections::BTreeSet;
use std::process::Command;

/// Dependencies of the program alone.
const OF_PROGRAM: [&str; 3] = ["clap", "signal-hook", "simple_logger"];

/// Returns the names of all dependencies of the library with these features.
fn dependencies(features: &str) -> BTreeSet<String> {
    let arguments = ["tree", "--locked", "--offline", "--edges", "normal", "--prefix", "none"];
    let output = Command::new(env!("CARGO"))
        .args(arguments)
        .args(["--package", "chinwag", "--no-default-features", "--features", features])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    tree.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn a_library_does_not_compile_the_dependencies_of_the_program() {
    let library = dependencies("");
    assert!(library.contains("tungstenite"), "{library:?}");
    let of_features = ["humantime", "qrcode", "rusqlite", "tiny_http", "unicode-security"];
    for name in OF_PROGRAM.iter().chain(&of_features) {
        assert!(!library.contains(*name), "{name}");
    }
    let with_history = dependencies("history,confusables");
    assert!(with_history.contains("rusqlite") && with_history.contains("unicode-security"));
    for name in OF_PROGRAM {
        assert!(!with_history.contains(name), "{name}");
    }
    let with_page = dependencies("page");
    assert!(with_page.contains("qrcode") && with_page.contains("tiny_http"), "{with_page:?}");
    let program = dependencies("cli");
    for name in OF_PROGRAM {
        assert!(program.contains(name), "{name}");
    }
}
