//! Messages are removed from a history, as an insult may be. Every other message keeps its number,
//! and a text that is sent again is not stored again.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, from_str, json};
use testkit::{
    Client, TempDir, chinwag,
    history::{assert_sound, export, import, serve},
    probes::end,
};

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// More than a `joined` has.
const TEXTS: u64 = 120;

/// Returns whether a number is removed. The last one stays, because it determines the next number.
type IsRemoved = fn(u64) -> bool;

const REMOVALS: [(&str, IsRemoved); 6] = [
    ("every second", |seq| seq % 2 == 1),
    ("one in the middle", |seq| seq == TEXTS / 2),
    ("a run", |seq| (30..90).contains(&seq)),
    ("the first", |seq| seq <= 10),
    ("all but three", |seq| !matches!(seq, 3 | 77 | TEXTS)),
    ("here and there", |seq| seq * seq % 7 > 1),
];

/// Writes another file without the removed messages.
fn remove(is_removed: IsRemoved, from: &Path, to: &Path) {
    let exported = chinwag().args(["history", "export"]).arg(from).output().unwrap();
    let is_left = |line: &&str| {
        let message: Value = from_str(line).unwrap();
        !is_removed(message["seq"].as_u64().unwrap())
    };
    let lines = String::from_utf8(exported.stdout).unwrap();
    let left: Vec<_> = lines.lines().filter(is_left).collect();
    import(to, &left.join("\n"));
}

/// Returns the texts of an event by their numbers.
fn texts(messages: &Value) -> BTreeMap<u64, String> {
    let messages = messages["messages"].as_array().expect("there are messages").iter();
    messages
        .map(|it| (it["seq"].as_u64().unwrap(), it["text"].as_str().unwrap().to_owned()))
        .collect()
}

#[test]
fn messages_keep_their_numbers_when_others_are_removed() {
    let folder = TempDir::new();
    let whole = folder.file("whole");
    let program = serve(&whole);
    let mut ana = Client::enter(&program, HERE, "ana");
    for number in 1..=TEXTS {
        assert_eq!(ana.say(&format!("a{number}"), &format!("number {number}"))["seq"], number);
    }
    end(program, Signal::TERM);
    for (name, is_removed) in REMOVALS {
        let file = folder.file(&name.replace(' ', "-"));
        remove(is_removed, &whole, &file);
        let left: BTreeMap<u64, String> = (1..=TEXTS)
            .filter(|seq| !is_removed(*seq))
            .map(|seq| (seq, format!("number {seq}")))
            .collect();
        let program = serve(&file);
        let (mut ana, mut bo) =
            (Client::enter(&program, HERE, "ana"), Client::enter(&program, HERE, "bo"));
        // New messages come after the gap, and are recognized when they are sent again.
        let mine: Vec<_> = (0..20)
            .map(|number| {
                bo.say(&format!("b{number}"), "of bo");
                ana.say(&format!("m{number}"), &format!("mine {number}"))
            })
            .collect();
        for (number, said) in mine.iter().enumerate() {
            let again = ana.say(&format!("m{number}"), &format!("mine {number}"));
            assert_eq!((&again["seq"], &again["text"]), (&said["seq"], &said["text"]), "{name}");
        }
        // The pages of the history have every message that is left under its number.
        let (mut read, mut before) = (BTreeMap::new(), TEXTS + 1);
        loop {
            let page = json!({"type": "history", "room": "lobby", "before": before, "limit": 7});
            let page = texts(&ana.call(&page));
            let Some((first, _)) = page.first_key_value() else { break };
            before = *first;
            read.extend(page);
        }
        assert_eq!(read, left, "{name}");
        // A client that joins after any message receives the messages that follow, up to the last.
        let epoch = ana.call(&json!({"type": "join", "room": "lobby"}))["epoch"].clone();
        let all: BTreeMap<u64, String> = export(&file)["lobby"]
            .iter()
            .map(|message| (message.seq, message.text.clone()))
            .collect();
        let last = *all.last_key_value().unwrap().0;
        for start in 0..last {
            let mut after = start;
            // In parts. A part may be empty, which means a gap or the end.
            for _ in 0..TEXTS {
                ana.call(&json!({"type": "part", "room": "lobby"}));
                let join = json!({"type": "join", "room": "lobby", "epoch": epoch, "after": after});
                let joined = ana.call(&join);
                let part = texts(&joined);
                assert!(part.iter().all(|(seq, text)| all.get(seq) == Some(text)), "{name}");
                after = part.last_key_value().map_or(after, |(seq, _)| *seq);
                if joined["more"] != true {
                    break;
                }
            }
            assert_eq!(after, last, "{name}, after {start}");
        }
        end(program, Signal::TERM);
        assert_sound(&file);
        println!("{name}: {} of {TEXTS} messages left, each found under its number", left.len());
    }
}
