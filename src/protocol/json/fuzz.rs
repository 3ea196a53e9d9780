//! Property tests: any frame is parsed or refused, and nothing panics.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::chat::{Command, Id, NewMessage, NewPrivateMessage};

const TEXT_BYTES_MAX: usize = 8192;

/// Members of valid requests, as JSON.
const MEMBERS: [(&str, &str); 13] = [
    ("type", "\"say\""),
    ("ref", "\"r1\""),
    ("nick", "\"ana\""),
    ("session", "\"0123456789abcdef0123456789abcdef\""),
    ("room", "\"lobby\""),
    ("epoch", "\"e1\""),
    ("after", "7"),
    ("text", "\"hello\""),
    ("id", "\"m-1\""),
    ("kind", "\"me\""),
    ("to", "\"bo\""),
    ("before", "9"),
    ("limit", "50"),
];

const TYPES: [&str; 13] = [
    "hello", "join", "part", "say", "tell", "nick", "typing", "history", "search", "rooms", "ping",
    "dance", "",
];

/// Replacements for a value: of another type, too large, too deep, or not JSON.
const VALUES: [&str; 22] = [
    "null",
    "true",
    "-1",
    "-0",
    "1.5",
    "1e999",
    "18446744073709551616",
    "7",
    "[]",
    "{}",
    "[\"a\"]",
    "{\"type\":\"ping\"}",
    "\"\"",
    "\"a b\"",
    "\"\\u0000\"",
    "\"\\ud800\"",
    "\"\\udc00x\"",
    "\"\\x\"",
    "\"open",
    "tru",
    "",
    "\u{feff}",
];

/// One change to the members of a request.
#[derive(Clone, Debug)]
enum Change {
    Remove(usize),
    Repeat(usize),
    Replace(usize, String),
    Retype(usize),
    Unknown(String),
}

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => prop::sample::select(&VALUES[..]).prop_map(str::to_owned),
        1 => (1_usize..5000).prop_map(|depth| "[".repeat(depth) + &"]".repeat(depth)),
        1 => (1_usize..1500).prop_map(|depth| "{\"a\":".repeat(depth) + "1" + &"}".repeat(depth)),
        1 => Just("9".repeat(5000)),
        2 => any::<String>().prop_map(|text| Value::String(text).to_string()),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    let member = || 0..MEMBERS.len();
    prop_oneof![
        member().prop_map(Change::Remove),
        member().prop_map(Change::Repeat),
        (member(), value()).prop_map(|(member, value)| Change::Replace(member, value)),
        (0..TYPES.len()).prop_map(Change::Retype),
        value().prop_map(Change::Unknown),
    ]
}

fn changed(changes: &[Change]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let mut members: Vec<_> = MEMBERS.iter().map(owned).collect();
    for change in changes {
        match change {
            Change::Remove(member) => members.retain(|it| it.0 != MEMBERS[*member].0),
            Change::Repeat(member) => members.push(owned(&MEMBERS[*member])),
            Change::Replace(member, value) => replace(&mut members, MEMBERS[*member].0, value),
            Change::Retype(kind) => replace(&mut members, "type", &format!("\"{}\"", TYPES[*kind])),
            Change::Unknown(value) => members.push(("unknown".to_owned(), value.clone())),
        }
    }
    members
}

fn replace(members: &mut [(String, String)], name: &str, value: &str) {
    members.iter_mut().filter(|it| it.0 == name).for_each(|it| value.clone_into(&mut it.1));
}

/// Parses a frame, and checks the properties of every answer.
fn read(frame: &str) -> ParsedRequest {
    let request = parse(frame, TEXT_BYTES_MAX);
    match &request.command {
        Ok(
            Command::Say(NewMessage { text, .. }) | Command::Tell(NewPrivateMessage { text, .. }),
        ) => {
            assert!((1..=TEXT_BYTES_MAX).contains(&text.as_str().len()));
        }
        Ok(Command::History { limit, .. }) => assert!((1..=100).contains(limit)),
        Ok(_) => {}
        Err(wrong) => {
            let answer = error(wrong, &request.tags);
            let answer: Value = serde_json::from_str(&answer).unwrap();
            assert_eq!(answer["type"], "error");
            assert!(answer["message"].as_str().unwrap().chars().count() < 300, "{answer}");
            assert_eq!(answer["id"].as_str(), request.tags.id.as_ref().map(Id::as_str));
            assert_eq!(answer["ref"].as_str(), request.tags.reference.as_ref().map(Id::as_str));
        }
    }
    request
}

fn is_bad(request: &ParsedRequest) -> bool {
    matches!(request.command, Err(RequestError::BadRequest(_)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_bytes_are_parsed_or_refused(bytes in vec(any::<u8>(), 0..300)) {
        let frame = String::from_utf8_lossy(&bytes);
        let request = read(&frame);
        let is_object = serde_json::from_str::<Value>(&frame).is_ok_and(|it| it.is_object());
        prop_assert!(is_object || is_bad(&request));
    }

    #[test]
    fn anything_but_an_object_is_refused(
        values in vec(value(), 0..16),
        start in prop::sample::select(vec!["", " ", "\n\t"]),
    ) {
        let request = read(&format!("{start}[{}]", values.join(",")));
        prop_assert!(is_bad(&request));
        prop_assert_eq!(request.tags.reference, None);
    }

    #[test]
    fn a_changed_request_is_read_as_it_is_written(changes in vec(change(), 0..6)) {
        let members = changed(&changes);
        let written = members.iter().map(|(name, value)| format!("\"{name}\":{value}"));
        let frame = format!("{{{}}}", written.collect::<Vec<_>>().join(","));
        let request = read(&frame);
        let values = |name: &str| {
            let values = members.iter().filter(|it| it.0 == name).map(|it| it.1.as_str());
            values.collect::<Vec<_>>()
        };
        let known = |name: &str| MEMBERS.iter().any(|member| member.0 == name);
        let is_wrong = |(name, written): &(String, String)| {
            let is_number = matches!(name.as_str(), "after" | "before" | "limit");
            // Its value depends on the request.
            let is_either = name == "after";
            match serde_json::from_str::<Value>(written) {
                Ok(Value::Null) => false,
                Ok(Value::Number(number)) => !is_number || number.as_u64().is_none(),
                Ok(Value::String(_)) => is_number && !is_either,
                _ => true,
            }
        };
        let doubled = |name: &str| values(name).len() > 1;
        let malformed = members.iter().any(|it| known(&it.0) && (is_wrong(it) || doubled(&it.0)));
        prop_assert!(!malformed || is_bad(&request), "{frame}: {request:?}");
        // A tag is readable where it is one, and the rest is JSON.
        for (tag, read) in [("ref", &request.tags.reference), ("id", &request.tags.id)] {
            if serde_json::from_str::<Value>(&frame).is_ok() && !doubled(tag) {
                let written = values(tag).first().and_then(|it| serde_json::from_str(it).ok());
                let written = written.and_then(|it: String| Id::parse(&it));
                prop_assert_eq!(read, &written, "{}", frame);
            }
        }
    }
}

#[test]
fn brackets_without_an_end_are_refused() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [127, 128, 129, 3000, 10_000] {
            let nested = open.repeat(depth.min(16 * 1024 / open.len()));
            assert!(is_bad(&read(&nested)));
            read(&format!("{nested}1{}", close.repeat(depth)));
            let request = read(&format!("{{\"type\":\"ping\",\"ref\":\"r1\",\"x\":{nested}"));
            assert!(is_bad(&request));
        }
    }
}

#[test]
fn an_array_of_members_is_refused() {
    let values: Vec<_> = MEMBERS.iter().map(|(_, value)| *value).collect();
    for count in 0..=values.len() {
        let request = read(&format!("[{}]", values[..count].join(",")));
        assert!(is_bad(&request));
        assert_eq!(request.tags.reference, None);
    }
    assert_eq!(read("[\"r1\"]").tags, RequestTags::default());
}

#[test]
fn a_lone_surrogate_invalidates_its_own_member_only() {
    let request = read(r#"{"ref":"r1","type":"say","room":"lobby","id":"1","text":"\ud800"}"#);
    assert!(is_bad(&request));
    assert_eq!(request.tags, RequestTags { reference: Id::parse("r1"), id: Id::parse("1") });
    let request = read(r#"{"ref":"\ud800","type":"ping"}"#);
    assert!(is_bad(&request));
    assert_eq!(request.tags.reference, None);
}
