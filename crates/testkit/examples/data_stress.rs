//! The stress of stored data at any size, for figures and for hunting:
//!
//! ```text
//! cargo build --release -p marsh
//! cargo run --release -p marsh-testkit --example data_stress -- --rounds 50 --processes 50
//! ```
//!
//! `--binary` names another marsh than the one of the same profile. Prints what was seen, and exits 1 on a violation.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program for people who test")]

use std::path::PathBuf;
use std::process::ExitCode;

use marsh_testkit::DataStress;

fn main() -> ExitCode {
    let mut stress = DataStress { binary: sibling(), rounds: 50, processes: 50, seed: 1 };
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{flag} needs a value"));
        let number = || value.parse::<u64>().unwrap_or_else(|_| panic!("{flag} needs a number"));
        match flag.as_str() {
            "--rounds" => stress.rounds = usize::try_from(number()).unwrap_or(usize::MAX),
            "--processes" => stress.processes = usize::try_from(number()).unwrap_or(usize::MAX),
            "--seed" => stress.seed = number(),
            "--binary" => stress.binary = PathBuf::from(&value),
            _ => panic!("unknown: {flag}; there are --rounds --processes --seed --binary"),
        }
    }
    let report = stress.run();
    println!("seed {}: {report}", stress.seed);
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The binary of the profile that this example was built in.
fn sibling() -> PathBuf {
    let own = std::env::current_exe().expect("a running program has a path");
    let profile =
        own.parent().and_then(|examples| examples.parent()).expect("it is in target/<profile>/examples");
    profile.join(format!("marsh{}", std::env::consts::EXE_SUFFIX))
}
