//! Checks that the documents describe the program.

#![allow(clippy::unwrap_used, reason = "a test ends where it fails")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use chinwag::{CommandHelp, Draft, Hooks, Invocation, Limits, Requester, RoomName, Verdict};
use testkit::{Script, config};

/// Returns the text between a fence of this kind and the next fence.
fn fenced<'a>(document: &'a str, kind: &str) -> &'a str {
    let start = document.split_once(&format!("```{kind}\n")).expect("the fence is there").1;
    start.split_once("```").expect("the fence ends").0
}

#[test]
fn the_sessions_in_protocol_md_can_be_replayed() {
    let protocol = include_str!("../PROTOCOL.md");
    Script::new().play(fenced(protocol, "plain-session"));
    // With the default limits, which the welcome names.
    Script::with(&config().limits(Limits::default())).play(fenced(protocol, "json-session"));
    let mut script = Script::with(&config().hooks(Embedder));
    script.server.handle.set_motd(Some("There is cake today.")).unwrap();
    script.play(fenced(protocol, "embedder-session"));
}

/// The embedder of the last session.
struct Embedder;

impl Hooks for Embedder {
    fn join(&self, _: &Requester<'_>, room: &RoomName) -> Result<(), String> {
        if room.as_str() == "attic" { Err("The attic is closed.".to_owned()) } else { Ok(()) }
    }

    fn message(&self, _: &Requester<'_>, draft: &Draft<'_>) -> Verdict {
        match draft.text {
            "heck" => Verdict::Refuse("Please mind your language.".to_owned()),
            "2 + 3" => Verdict::Swallow,
            _ => Verdict::Say,
        }
    }

    fn commands(&self) -> Vec<CommandHelp> {
        let help = |name, help| CommandHelp::new(name, help).unwrap();
        vec![
            help("uptime", "how long the server has run"),
            help("kitchen", "moves you to the kitchen"),
        ]
    }

    fn command(
        &self,
        requester: &Requester<'_>,
        command: &Invocation<'_>,
    ) -> Result<Option<String>, String> {
        if command.name == "uptime" {
            return Ok(Some(format!("3 {}", command.arguments)));
        }
        requester.handle.join(requester.client, &RoomName::parse("kitchen").unwrap()).unwrap();
        requester.handle.part(requester.client, command.room).unwrap();
        Ok(None)
    }
}

fn packages(arguments: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--prefix", "none", "--format", "{p}", "--edges", "no-dev"]);
    let output = tree.args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut packages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let mut words = line.split(' ');
        let (name, version) = (words.next().unwrap(), words.next().unwrap_or_default());
        packages.entry(name.to_owned()).or_default().insert(version.to_owned());
    }
    packages
}

#[test]
fn no_async_runtime_is_in_the_tree() {
    for name in packages(&[]).keys() {
        for runtime in ["tokio", "async-std", "smol", "async-executor", "futures", "mio", "glommio"]
        {
            assert!(name != runtime && !name.starts_with(&format!("{runtime}-")), "{name}");
        }
    }
}

#[test]
fn no_crate_is_there_in_two_versions() {
    for (name, versions) in packages(&[]) {
        assert_eq!(versions.len(), 1, "{name} {versions:?}");
    }
}

#[test]
fn each_dependency_is_argued() {
    let argued = include_str!("../ARCHITECTURE.md").split_once("## Dependencies").unwrap().1;
    for name in packages(&["--depth", "1"]).keys().filter(|name| *name != "chinwag") {
        let name = name.strip_prefix("unicode-").unwrap_or(name);
        let is_named =
            |word: &str| word.trim_start_matches("unicode").trim_start_matches('-') == name;
        let words = argued.split(|c: char| c.is_whitespace() || matches!(c, '|' | ','));
        assert!(words.into_iter().any(is_named), "{name}");
    }
}

#[test]
fn the_tests_that_security_names_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let named = include_str!("../SECURITY.md").split('`').skip(1).step_by(2);
    let files: Vec<_> = named
        .filter_map(|name| match name.strip_prefix("hostile::") {
            Some(test) if !test.starts_with('…') => Some(format!("tests/hostile/{test}.rs")),
            _ => name.starts_with("tests/").then(|| name.to_owned()),
        })
        .collect();
    assert!(files.len() > 20, "{files:?}");
    for file in files {
        assert!(root.join(&file).exists(), "{file}");
    }
}

/// Returns whether the source has this text, and not as the end of a longer name.
fn names(source: &str, text: &str) -> bool {
    let ends_a_name = |c: char| c.is_alphanumeric() || c == '_';
    source.match_indices(text).any(|(at, _)| !source[..at].ends_with(ends_a_name))
}

#[test]
fn the_embedder_outside_the_repository_calls_each_public_function() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside/src");
    let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let source: String = files
        .flat_map(|file| {
            let text = std::fs::read_to_string(file).unwrap();
            text.lines().map(|line| format!("{line}\n")).collect::<Vec<_>>()
        })
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let functions = include_str!("public_api.txt").lines().filter_map(|line| {
        let (_, signature) = line.split_once("fn chinwag::")?;
        signature.split(['(', '<']).next()
    });
    let mut count = 0;
    for function in functions {
        count += 1;
        let (owner, name) = function.rsplit_once("::").unwrap_or(("", function));
        let is_called = match owner {
            // Several of these have a function of the same name.
            "Events" | "Handle" | "Running" | "Server" => {
                names(&source, &format!("{}.{name}(", owner.to_lowercase()))
                    || names(&source, &format!("{owner}::{name}"))
            }
            _ => names(&source, &format!("{name}(")),
        };
        assert!(is_called, "tests/outside/src/ does not call {function}");
    }
    assert!(count > 50, "{count}");
}

#[test]
fn the_calls_and_the_examples_of_embedding_md_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let api = include_str!("public_api.txt");
    let table = include_str!("../docs/EMBEDDING.md").split("\n## ").nth(1).unwrap();
    let mut examples = BTreeSet::new();
    for row in table.lines().filter(|line| line.starts_with("| ")).skip(1) {
        let [_, _, calls, names, _] = row.split('|').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let quoted = |cell: &str| -> Vec<String> {
            cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
        };
        for call in quoted(calls).iter().filter(|call| call.contains("::") && !call.ends_with('!'))
        {
            let ends_a_name = |c: char| c.is_alphanumeric() || c == '_';
            let path = format!("chinwag::{call}");
            let mut places = api.match_indices(&path);
            assert!(
                places.any(|(at, _)| !api[at + path.len()..].starts_with(ends_a_name)),
                "{call}"
            );
        }
        examples.extend(quoted(names));
    }
    for entry in root.join("examples").read_dir().unwrap() {
        let file = entry.unwrap().path();
        let name = file.file_stem().unwrap().to_str().unwrap();
        assert!(file.is_dir() || examples.remove(name), "{name} is not in docs/EMBEDDING.md");
    }
    assert!(examples.is_empty(), "{examples:?}");
}
