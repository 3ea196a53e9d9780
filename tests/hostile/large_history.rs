//! A history of a million messages: how long a start, a page and a search take, and how much
//! memory.

use std::fmt::Write as _;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rustix::process::Signal;
use serde_json::{Value, json};
use testkit::{
    Client, FREE_PORTS, ServerProcess, TempDir, becomes_true, chinwag, seqs, wait_for_exit,
};

const MESSAGES: usize = 1_000_000;
/// Half of the messages are in the first room.
const ROOMS: usize = 1_000;
const WORDS: usize = 50_000;

const START_MAX: Duration = Duration::from_millis(300);
const SEARCH_MAX: Duration = Duration::from_millis(50);
const PAGE_MAX: Duration = Duration::from_millis(5);
const RESIDENT_MAX: usize = 16 * 1024 * 1024;
/// How long the index may take, which has the lowest priority.
const INDEX_MAX: Duration = Duration::from_secs(120);

/// Generates texts with a realistic distribution of words: few are very common, most are rare.
struct TextGenerator {
    random: StdRng,
    words: Vec<String>,
}

impl TextGenerator {
    fn new() -> Self {
        let mut random = StdRng::seed_from_u64(6);
        let syllables: Vec<_> = "bcdfghjklmnprstvwz"
            .chars()
            .flat_map(|c| "aeiou".chars().map(move |v| format!("{c}{v}")))
            .collect();
        let word = |random: &mut StdRng| {
            let length = random.random_range(1..5);
            (0..length).map(|_| &*syllables[random.random_range(0..syllables.len())]).collect()
        };
        let words = (0..WORDS).map(|_| word(&mut random)).collect();
        Self { random, words }
    }

    fn rank(&mut self, count: usize) -> usize {
        // At each step the smaller half is as likely as the larger.
        let mut range = count;
        while range > 1 && self.random.random() {
            range /= 2;
        }
        self.random.random_range(0..range)
    }

    fn text(&mut self, text: &mut String) {
        let in_chinese = self.random.random_ratio(1, 4);
        for _ in 0..self.random.random_range(2..16) {
            if in_chinese {
                let rank = u32::try_from(self.rank(3000)).unwrap();
                text.push(char::from_u32(0x4e00 + rank).unwrap());
            } else {
                let rank = self.rank(WORDS);
                text.push_str(&self.words[rank]);
                text.push(' ');
            }
        }
    }
}

/// Imports a million messages with the command of the program.
fn import(generator: &mut TextGenerator, file: &std::path::Path) {
    let mut command = chinwag();
    command.args(["history", "import"]).arg(file).stdin(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = std::io::BufWriter::new(child.stdin.take().unwrap());
    let (mut seqs, mut line) = (vec![0; ROOMS], String::new());
    for number in 0..MESSAGES {
        let room = if number % 2 == 0 { 0 } else { generator.random.random_range(0..ROOMS) };
        seqs[room] += 1;
        line.clear();
        let (seq, time, nick) = (seqs[room], 1_700_000_000_000 + number, generator.rank(1000));
        write!(line, "{{\"room\":\"room-{room}\",\"seq\":{seq},\"time\":{time},").unwrap();
        write!(line, "\"nick\":\"person {nick}\",\"text\":\"").unwrap();
        generator.text(&mut line);
        line.push_str("\",\"id\":\"0123456789\"}\n");
        lines.write_all(line.as_bytes()).unwrap();
    }
    drop(lines);
    assert!(wait_for_exit(&mut child).success());
}

fn start(arguments: &[&std::ffi::OsStr]) -> (ServerProcess, Duration) {
    let mut command = chinwag();
    command.args(FREE_PORTS).args(["--rate", "0"]).args(arguments);
    let before = Instant::now();
    let program = ServerProcess::start(&mut command);
    (program, before.elapsed())
}

/// Measures the time of requests.
struct Reader(Client);

impl Reader {
    fn enter(program: &ServerProcess) -> Self {
        let mut client = Client::open_json(program.websocket(), Ipv4Addr::LOCALHOST);
        client.request(&json!({"type": "hello"}));
        client.request(&json!({"type": "join", "room": "room-0"}));
        Self(client)
    }

    /// Returns the median and the maximum time of these requests.
    fn time(&mut self, requests: impl Iterator<Item = Value>) -> (Duration, Duration) {
        let mut times: Vec<_> = requests
            .map(|request| {
                let before = Instant::now();
                let answer = self.0.request(&request);
                assert_ne!(answer["type"], "error", "{request}: {answer}");
                before.elapsed()
            })
            .collect();
        times.sort_unstable();
        (times[times.len() / 2], times[times.len() - 1])
    }
}

#[test]
fn a_million_messages_cost_little_time_and_memory() {
    let (folder, mut generator) = (TempDir::new(), TextGenerator::new());
    let file = folder.file("chat.db");
    let before = Instant::now();
    import(&mut generator, &file);
    println!("imported in {:.1?}", before.elapsed());
    let arguments = [std::ffi::OsStr::new("--history"), file.as_os_str()];

    let (program, _) = start(&arguments);
    let mut reader = Reader::enter(&program);
    let before = Instant::now();
    let anything = json!({"type": "search", "query": "from:\"person 0\""});
    assert!(
        becomes_true(INDEX_MAX, || reader.0.request(&anything)["type"] == "results"),
        "no index"
    );
    println!("indexed within {:.1?}", before.elapsed());
    // The index is complete when the server has stopped.
    drop(reader);
    program.signal(Signal::TERM);
    assert!(program.end().0.success());

    let starts = [(); 5].map(|()| start(&arguments).1);
    let bare = start(&[]).0;
    let (program, _) = start(&arguments);
    let at_start = program.resident_bytes().saturating_sub(bare.resident_bytes());
    let mut reader = Reader::enter(&program);
    let newest =
        *seqs(&reader.0.request(&json!({"type": "history", "room": "room-0"}))).last().unwrap();
    let mut random = StdRng::seed_from_u64(7);
    let pages = (0..200).map(|_| {
        let before = random.random_range(1..newest);
        json!({"type": "history", "room": "room-0", "before": before, "limit": 100})
    });
    let (page, longest_page) = reader.time(pages);
    let (search, longest_search) = search(&mut reader, &generator.words);
    let resident = program.resident_bytes().saturating_sub(bare.resident_bytes());
    let start = *starts.iter().min().unwrap();
    println!(
        "started in {start:.1?} (of {starts:.1?}); a page of 100 in {page:.1?}, {longest_page:.1?} \
         at most; a search in {search:.1?}, {longest_search:.1?} at most; resident + {} KiB at the \
         start, + {} KiB in the end",
        at_start / 1024,
        resident / 1024
    );
    assert!(start < START_MAX && page < PAGE_MAX && search < SEARCH_MAX);
    assert!(resident < RESIDENT_MAX, "{resident} bytes");
}

/// Searches for common, rare and missing words, prefixes, phrases and combinations. Returns the
/// median of the slowest kind and the maximum of all.
fn search(reader: &mut Reader, words: &[String]) -> (Duration, Duration) {
    let [common, second, rare] = [&words[0], &words[1], &words[WORDS - 2]];
    let chinese = |ranks: &[u32]| -> String {
        ranks.iter().map(|rank| char::from_u32(0x4e00 + rank).unwrap()).collect()
    };
    let queries = [
        common.clone(),
        format!("{common} {second} "),
        format!("{rare} "),
        format!("{common} {rare} "),
        "b".to_owned(),
        "ba".to_owned(),
        "bari".to_owned(),
        format!("{common} b"),
        "zzz".to_owned(),
        format!("\"{second} {common} {second}\""),
        chinese(&[0]),
        chinese(&[1, 0]),
        chinese(&[4, 5, 6, 7]),
        chinese(&[0, 1, 2, 3, 4, 5, 6, 7]),
        "from:\"person 0\"".to_owned(),
        format!("from:\"person 999\" {common}"),
        words[..10].join(" "),
    ];
    let mut slowest = (Duration::ZERO, Duration::ZERO);
    for query in queries {
        for room in [None, Some("room-0"), Some("room-999")] {
            let request = json!({"type": "search", "query": query, "room": room});
            let times = reader.time(std::iter::repeat_n(request, 5));
            if times.0 > slowest.0 {
                println!("a search for {query:?} in {room:?}: {:.1?}", times.0);
            }
            slowest = (slowest.0.max(times.0), slowest.1.max(times.1));
        }
    }
    slowest
}
