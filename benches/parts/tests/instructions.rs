//! Compares what each part takes with its budget, in instructions and in system calls.
//!
//! callgrind counts both, and finds as many on a busy machine as on an idle one. It does not know
//! times: `make bench` shows the cost of a system call or of a cache miss.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How much a case may exceed its budget (per cent). Randomness, above all in hash tables, accounts
/// for 0.6 at most. The rest is for the compiler, which may build a part differently after a change
/// near it.
const MARGIN: u64 = 2;
/// How far below its budget a case must be to be reported as cheaper (per cent).
const CHEAPER: u64 = 10;
const BUDGET: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/budget.txt");
/// Makes the C library copy long blocks as it copies short ones. callgrind counts one instruction
/// for each byte of a `rep movsb`, which is too many.
const TUNABLES: &str = "glibc.cpu.x86_rep_movsb_threshold=1000000000:\
                        glibc.cpu.x86_rep_stosb_threshold=1000000000";

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cost {
    instructions: u64,
    /// System calls. Reading the clock counts as one under callgrind.
    calls: u64,
}

struct Budget {
    /// The tools that built and counted when the budget was recorded.
    tools: String,
    costs: BTreeMap<String, Cost>,
}

#[test]
#[cfg_attr(debug_assertions, ignore = "the budget is that of the release build")]
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
    assert!(
        measured.tools == budget.tools || std::env::var("TOOLS").is_ok_and(|tools| tools == "any"),
        "the budget was recorded with {}\n\
         this machine has {}\n\
         To compare all the same:  make instructions TOOLS=any\n\
         To record a new budget:   make instructions RECORD=yes",
        budget.tools,
        measured.tools,
    );
    let excesses = excesses(&measured, &budget);
    assert!(
        excesses.is_empty(),
        "{excesses}\n\
         callgrind_annotate {} shows where the instructions go.\n\
         If they are worth it:  make instructions RECORD=yes",
        counts_of("CASE").display(),
    );
}

fn cases() -> Vec<String> {
    let names = output(Command::new(env!("CARGO_BIN_EXE_parts")).arg("cases"));
    names.lines().map(str::to_owned).collect()
}

/// Returns the file in which callgrind leaves the counts between the two marks.
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
    // A file of an earlier run must not pass for that of this run.
    let _ = std::fs::remove_file(&counts);
    output(&mut callgrind);
    let counts = std::fs::read_to_string(&counts).expect("callgrind writes the counts");
    let summary = counts.lines().find_map(|line| line.strip_prefix("summary: "));
    let mut numbers = summary.expect("callgrind sums up").split(' ').map(number);
    let mut next = || numbers.next().unwrap_or(0);
    Cost { instructions: next(), calls: next() }
}

/// Returns the tools on which the counts depend.
fn tools() -> String {
    let rustc = output(Command::new("rustc").arg("--version"));
    let libc = output(Command::new("getconf").arg("GNU_LIBC_VERSION"));
    let valgrind = output(Command::new("valgrind").arg("--version"));
    [rustc, libc, valgrind].map(|it| it.trim().to_owned()).join(", ")
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{errors}", output.status);
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
        let mut text =
            "# The cost of each case: instructions + system calls and readings of the clock.\n\
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
            let _ =
                writeln!(table, "    is cheaper now. To keep it so:  make instructions RECORD=yes");
        }
    }
    table
}

/// Returns a line for each excess over the budget.
fn excesses(measured: &Budget, budget: &Budget) -> String {
    let mut excesses = String::new();
    for (case, cost) in &measured.costs {
        let Some(due) = budget.costs.get(case) else {
            let _ = writeln!(excesses, "{case} has no budget");
            continue;
        };
        if cost.instructions * 100 > due.instructions * (100 + MARGIN) {
            let _ = writeln!(excesses, "{case} takes more instructions than it may");
        }
        if cost.calls > due.calls {
            let _ = writeln!(excesses, "{case} makes more system calls than it may");
        }
    }
    for case in budget.costs.keys().filter(|case| !measured.costs.contains_key(*case)) {
        let _ = writeln!(excesses, "{case} has a budget, but there is no such case");
    }
    excesses
}
