//! The dependencies of each feature, and the table of the features in ARCHITECTURE.md.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::{Value, from_slice};

/// Dependencies of the program alone.
const OF_PROGRAM: [&str; 3] = ["clap", "signal-hook", "simple_logger"];

/// Returns the names of the library with these features and of all its dependencies.
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

/// Returns the features of the library in Cargo.toml, by name.
fn features() -> Vec<String> {
    let arguments = ["metadata", "--locked", "--offline", "--no-deps", "--format-version", "1"];
    let mut metadata = Command::new(env!("CARGO"));
    metadata.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR"));
    let metadata: Value = from_slice(&metadata.output().unwrap().stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|it| it["name"] == "chinwag").unwrap();
    let names = package["features"].as_object().unwrap().keys().cloned();
    let mut features: Vec<_> = names.filter(|name| name != "default" && name != "cli").collect();
    features.sort();
    features
}

/// `make features` writes the table. Its sizes and times are too slow to measure here.
#[test]
fn the_table_of_the_features_is_complete_and_counts_the_crates_of_today() {
    let features = features();
    let all = features.join(",");
    let row = |label: &str, features: &str| (label.to_owned(), dependencies(features).len());
    let mut expected = vec![row("none", "")];
    expected.extend(features.iter().map(|name| row(&format!("`{name}`"), name)));
    expected.push(row("all of these", &all));
    expected.push(row("the program", &format!("{all},cli")));

    let document = include_str!("../ARCHITECTURE.md");
    let (_, table) = document.split_once("<!-- made by `make features` -->").unwrap();
    let (table, _) = table.split_once("<!-- end -->").unwrap();
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2).map(|line| {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        (cells[1].to_owned(), cells[3].parse().unwrap())
    });
    assert_eq!(rows.collect::<Vec<(String, usize)>>(), expected, "run make features");
}
