//! Checks that ARCHITECTURE.md has the limits of the source, and no others.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A constant of a folder of `src/`, with its value as the source has it.
type Limit = (String, String, String);

/// Constants that describe a format or the platform and limit nothing.
const OTHERS: [&str; 6] =
    ["APPLICATION_ID", "DEFAULT_STACK_BYTES", "LAST", "LONGEST", "NO_MEMORY_LIMIT", "VERSION"];
/// Files that contain only tests.
const TESTS: [&str; 5] = ["tests", "checks.rs", "fuzz.rs", "golden.rs", "head_mutations.rs"];

fn limits_of_table() -> BTreeSet<Limit> {
    let document = read(&root().join("ARCHITECTURE.md"));
    let section =
        document.split_once("\n## Limits\n").and_then(|(_, rest)| rest.split_once("\n## "));
    let (table, _) = section.expect("there is a section Limits, and one after it");
    let mut limits = BTreeSet::new();
    let mut folder = "";
    for line in table.lines() {
        if let Some((_, rest)) = line.split_once("(`src/") {
            folder = rest.split("/`)").next().unwrap_or_default();
        } else if let Some(row) = line.strip_prefix("| `") {
            let (name, rest) = row.split_once("` | ").expect("a row has a name and a value");
            for value in rest.split(" | ").next().unwrap_or_default().split(", ") {
                limits.insert((
                    folder.to_owned(),
                    name.to_owned(),
                    value.trim_matches('`').to_owned(),
                ));
            }
        }
    }
    limits
}

fn limits_of_source() -> BTreeSet<Limit> {
    let mut limits = BTreeSet::new();
    for folder in [
        "archive",
        "bin/chinwag",
        "broadcaster",
        "chat",
        "connection",
        "history",
        "http",
        "net",
        "protocol",
        "server",
        "store",
    ] {
        read_folder(&root().join("src").join(folder), folder, &mut limits);
    }
    limits
}

fn read_folder(path: &Path, folder: &str, limits: &mut BTreeSet<Limit>) {
    for entry in fs::read_dir(path).expect("the folder can be read") {
        let path = entry.expect("the folder can be read").path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if TESTS.iter().any(|part| name.contains(part)) {
            continue;
        }
        if path.is_dir() {
            read_folder(&path, folder, limits);
            continue;
        }
        let source = read(&path);
        let product = source.split("\nmod tests {").next().unwrap_or_default();
        limits.extend(
            product
                .lines()
                .filter_map(constant)
                .map(|(name, value)| (folder.to_owned(), name, value)),
        );
    }
}

/// Parses a line like `pub(crate) const INBOX_MAX: usize = 1024;`. Other types are no limits.
fn constant(line: &str) -> Option<(String, String)> {
    let (visibility, rest) = line.trim_start().split_once("const ")?;
    let (name, rest) = rest.split_once(": ")?;
    let (kind, value) = rest.split_once(" = ")?;
    let is_limit = ["usize", "u32", "u64", "i32", "i64", "Duration"].contains(&kind)
        && (visibility.is_empty() || visibility.starts_with("pub"))
        && !OTHERS.contains(&name);
    is_limit.then(|| (name.to_owned(), value.trim_end_matches(';').to_owned()))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("the file can be read")
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn architecture_lists_the_limits_of_the_source() {
    let (table, source) = (limits_of_table(), limits_of_source());
    let (outdated, missing): (Vec<_>, Vec<_>) =
        (table.difference(&source).collect(), source.difference(&table).collect());
    assert!(table.len() > 100, "{} limits", table.len());
    assert!(
        outdated.is_empty() && missing.is_empty(),
        "not in src/: {outdated:#?}; not in ARCHITECTURE.md: {missing:#?}"
    );
}
