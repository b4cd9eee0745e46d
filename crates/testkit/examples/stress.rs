//! The concurrency stress at any size, for figures and for hunting:
//!
//! ```text
//! cargo build --release -p marsh
//! cargo run --release -p marsh-testkit --example stress -- --rounds 50 --processes 50 --runs 50
//! ```
//!
//! `--kills 60 --least-killed 2000` dooms sixty of a hundred processes to be killed at random moments, and goes on until
//! two thousand have been. `--binary` names another marsh than the one
//! of the same profile. Prints one line a run, violations in full, and exits 1 when there was one.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program for people who test")]

use std::path::PathBuf;
use std::process::ExitCode;

use marsh_testkit::Stress;

fn main() -> ExitCode {
    let mut stress =
        Stress { binary: sibling(), rounds: 50, processes: 50, seed: 1, kills: 0, least_killed: 0 };
    let (mut runs, mut killed, mut violations) = (1, 0, 0);
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{flag} needs a value"));
        let number = || value.parse::<u64>().unwrap_or_else(|_| panic!("{flag} needs a number"));
        match flag.as_str() {
            "--rounds" => stress.rounds = usize::try_from(number()).unwrap_or(usize::MAX),
            "--processes" => stress.processes = usize::try_from(number()).unwrap_or(usize::MAX),
            "--runs" => runs = number(),
            "--seed" => stress.seed = number(),
            "--kills" => stress.kills = number(),
            "--least-killed" => stress.least_killed = usize::try_from(number()).unwrap_or(usize::MAX),
            "--binary" => stress.binary = PathBuf::from(&value),
            _ => panic!(
                "unknown: {flag}; there are --rounds --processes --runs --seed --kills --least-killed --binary"
            ),
        }
    }
    for run in 1..=runs {
        let report = stress.run();
        println!("run {run}, seed {}, load {}: {report}", stress.seed, load());
        killed += report.killed;
        violations += report.violations.len();
        stress.seed += 1;
    }
    println!("{runs} runs, {killed} kills, {violations} violations");
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The binary of the profile that this example was built in.
fn sibling() -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    let profile =
        own.parent().and_then(|examples| examples.parent()).expect("it is in target/<profile>/examples");
    profile.join(format!("marsh{}", std::env::consts::EXE_SUFFIX))
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
