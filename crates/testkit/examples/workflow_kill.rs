//! Kills of a workflow at random instants, at any number:
//!
//! ```text
//! cargo build --release -p marsh
//! cargo run --release -p marsh-testkit --example workflow_kill -- --kills 500
//! ```
//!
//! `--seed` makes other instants, `--binary` names another marsh than the one of the same profile. Exits 1 when a
//! finished step ran again, a status was not true, or a run could not be brought to its end.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program for people who test")]

use std::path::PathBuf;
use std::process::ExitCode;

use marsh_testkit::WorkflowKills;

fn main() -> ExitCode {
    let mut kills = WorkflowKills { binary: sibling(), kills: 500, seed: 1 };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{flag} needs a value"));
        let number = || value.parse::<u64>().unwrap_or_else(|_| panic!("{flag} needs a number"));
        match flag.as_str() {
            "--kills" => kills.kills = number(),
            "--seed" => kills.seed = number(),
            "--binary" => kills.binary = PathBuf::from(&value),
            _ => panic!("unknown: {flag}; there are --kills --seed --binary"),
        }
    }
    let report = kills.run();
    println!("seed {}: {report}", kills.seed);
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The binary of the profile that this example was built in.
fn sibling() -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    let profile =
        own.parent().and_then(|examples| examples.parent()).expect("it is in target/<profile>/examples");
    profile.join(format!("marsh{}", std::env::consts::EXE_SUFFIX))
}
