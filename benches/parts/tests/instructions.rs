//! What each part takes, in instructions and in calls of the kernel, is within its budget.
//!
//! callgrind counts both, and finds as many on a busy machine as on an idle one. How long anything
//! takes it does not know: what a call of the kernel costs, or a cache that misses, is for
//! `make bench` to show.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A case may take so much more than its budget (per cent). What is random in the program, above
/// all where hash tables put things, makes for 0.6 at most; the rest is left to the compiler, which
/// may build a part otherwise when something near it has changed.
const MARGIN: u64 = 2;
/// Of a case that takes so much less (per cent) it is said that its budget could be lower.
const CHEAPER: u64 = 10;
const BUDGET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/budget.txt");
/// A copy by `rep movsb` would count as one instruction for each byte, which it is not. So the C
/// library is to copy as it does what is shorter.
const TUNABLES: &str = "glibc.cpu.x86_rep_movsb_threshold=1000000000:\
                        glibc.cpu.x86_rep_stosb_threshold=1000000000";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cost {
    instructions: u64,
    /// Looks at the clock are among them, which without callgrind are none.
    calls: u64,
}

/// What there is to compare with.
struct Budget {
    /// What builds and counts, as it was when this was recorded.
    tools: String,
    costs: BTreeMap<String, Cost>,
}

#[test]
#[cfg_attr(debug_assertions, ignore = "what counts is the release build")]
#[cfg_attr(
    not(all(target_arch = "x86_64", target_os = "linux")),
    ignore = "the budget is that of x86_64 and Linux"
)]
fn every_part_is_within_its_budget() {
    let costs = cases().into_iter().map(|case| (case.clone(), count(&case))).collect();
    let measured = Budget { tools: tools(), costs };
    if std::env::var("RECORD").is_ok_and(|record| record == "yes") {
        std::fs::write(BUDGET, measured.write()).expect("the budget can be written");
    }
    let budget = Budget::read(&std::fs::read_to_string(BUDGET).expect("there is a budget"));
    println!("\n{}", table(&measured, &budget));
    let complaints = complaints(&measured, &budget);
    if measured.tools != budget.tools {
        println!("recorded with {}; here it is {},\n", budget.tools, measured.tools);
        println!("so that nothing is made of the difference:\n{complaints}");
        return;
    }
    assert!(
        complaints.is_empty(),
        "{complaints}\n\
        callgrind_annotate {} shows where the instructions go.\n\
        If they are worth it:  make instructions RECORD=yes",
        counts_of("CASE").display(),
    );
}

/// The names of the cases.
fn cases() -> Vec<String> {
    let names = output(Command::new(env!("CARGO_BIN_EXE_parts")).arg("cases"));
    names.lines().map(str::to_owned).collect()
}

/// Where callgrind leaves what it counted between the two marks.
fn counts_of(case: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{case}.out.1"))
}

fn count(case: &str) -> Cost {
    let counts = counts_of(case);
    let mut callgrind = Command::new("timeout");
    callgrind
        .args(["120", "valgrind", "--tool=callgrind", "--collect-systime=yes"])
        .args(["--zero-before=*counting_begins*", "--dump-before=*counting_ends*"])
        .arg(format!("--callgrind-out-file={}", counts.with_extension("").display()))
        .args([env!("CARGO_BIN_EXE_parts"), "count", case])
        .env("GLIBC_TUNABLES", TUNABLES);
    // What an earlier run has left would pass for this one's.
    let _ = std::fs::remove_file(&counts);
    output(&mut callgrind);
    let counts = std::fs::read_to_string(&counts).expect("callgrind has counted");
    let summary = counts.lines().find_map(|line| line.strip_prefix("summary: "));
    let mut numbers = summary.expect("callgrind sums up").split(' ').map(number);
    let mut next = || numbers.next().unwrap_or(0);
    Cost { instructions: next(), calls: next() }
}

/// What the budget depends on, besides the source.
fn tools() -> String {
    let rustc = output(Command::new("rustc").arg("--version"));
    let libc = output(Command::new("getconf").arg("GNU_LIBC_VERSION"));
    let valgrind = output(Command::new("valgrind").arg("--version"));
    [rustc, libc, valgrind].map(|it| it.trim().to_owned()).join(", ")
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{said}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn number(digits: &str) -> u64 {
    digits.trim().parse().unwrap_or_else(|error| panic!("{digits:?}: {error}"))
}

impl Budget {
    fn read(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let mut members = lines.filter_map(|line| line.split_once(" = "));
        let (_, tools) = members.next().expect("it begins with the tools");
        let cost = |(case, cost): (&str, &str)| {
            let (instructions, calls) = cost.split_once(" + ").expect("there are two numbers");
            (case.to_owned(), Cost { instructions: number(instructions), calls: number(calls) })
        };
        Self { tools: tools.to_owned(), costs: members.map(cost).collect() }
    }

    fn write(&self) -> String {
        let mut text = "# What each case takes: instructions + calls of the kernel or the clock.\n\
                        # Recorded by `make instructions RECORD=yes`.\n"
            .to_owned();
        let _ = writeln!(text, "tools = {}\n", self.tools);
        for (case, Cost { instructions, calls }) in &self.costs {
            let _ = writeln!(text, "{case} = {instructions} + {calls}");
        }
        text
    }
}

fn table(measured: &Budget, budget: &Budget) -> String {
    let mut table = format!(
        "{:<24}{:>14}{:>14}{:>9}{:>8}{:>8}\n",
        "case", "instructions", "budget", "%", "calls", "budget"
    );
    for (case, cost) in &measured.costs {
        let due = budget.costs.get(case).copied().unwrap_or_default();
        let per_cent = match (cost.instructions * 1000).checked_div(due.instructions) {
            Some(per_mille) => format!("{}.{}", per_mille / 10, per_mille % 10),
            None => "-".to_owned(),
        };
        let _ = writeln!(
            table,
            "{case:<24}{:>14}{:>14}{per_cent:>9}{:>8}{:>8}",
            cost.instructions, due.instructions, cost.calls, due.calls
        );
        if cost.instructions * 100 < due.instructions * (100 - CHEAPER) {
            let _ = writeln!(table, "    is cheaper now. For it to stay so, record it.");
        }
    }
    table
}

/// What is over its budget, a line each.
fn complaints(measured: &Budget, budget: &Budget) -> String {
    let mut complaints = String::new();
    for (case, cost) in &measured.costs {
        let Some(due) = budget.costs.get(case) else {
            let _ = writeln!(complaints, "{case} has no budget");
            continue;
        };
        if cost.instructions * 100 > due.instructions * (100 + MARGIN) {
            let _ = writeln!(complaints, "{case} takes more instructions than it may");
        }
        if cost.calls > due.calls {
            let _ = writeln!(complaints, "{case} calls the kernel more often than it may");
        }
    }
    for case in budget.costs.keys().filter(|case| !measured.costs.contains_key(*case)) {
        let _ = writeln!(complaints, "{case} has a budget, and is no case");
    }
    complaints
}
