//! The freshness checker at any size:
//!
//! ```text
//! cargo build --release -p marsh
//! cargo run --release -p marsh-testkit --example fresh -- --clients 50 --calls 2000
//! cargo run --release -p marsh-testkit --example fresh -- --clients 50 --calls 2000 --watch
//! cargo run --release -p marsh-testkit --example fresh -- --clients 50 --calls 2000 --alone
//! ```
//!
//! `--clients` processes make `--calls` calls each against one `marsh serve` while an editor replaces the source every
//! `--pause` milliseconds and asks for a reload after every second edit; with `--alone` there is no server, and every call
//! is a command of its own. `--binary` names
//! another marsh than the one of the same profile. Prints what was seen, violations in full, and exits 1 when there was
//! one.

#![expect(clippy::expect_used, clippy::print_stdout, reason = "a program for people who test")]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use marsh_testkit::{Freshness, freshness_client};

/// The argument under which this program is one of the clients.
const CLIENT: &str = "__client";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, socket, counters, calls, clients, index] = arguments.as_slice()
        && first == CLIENT
    {
        let number = |text: &String| text.parse().expect("a number");
        let (calls, clients, index) = (number(calls), number(clients), number(index));
        println!("{}", freshness_client(socket.as_ref(), counters.as_ref(), calls, clients, index));
        return ExitCode::SUCCESS;
    }
    let own = std::env::current_exe().expect("a running program has a path");
    let mut checker = Freshness {
        binary: sibling(&own),
        clients: 50,
        calls: 100,
        pause: Duration::from_millis(50),
        serve: Some(&[]),
        client: Some((own, vec![CLIENT.to_owned()])),
    };
    let mut arguments = arguments.into_iter();
    while let Some(flag) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_else(|| panic!("{flag} needs a value"));
        let number = |text: String| text.parse::<usize>().unwrap_or_else(|_| panic!("a number is needed"));
        match flag.as_str() {
            "--clients" => checker.clients = number(value()),
            "--calls" => checker.calls = number(value()),
            "--pause" => checker.pause = Duration::from_millis(number(value()) as u64),
            "--watch" => checker.serve = Some(&["--watch"]),
            "--alone" => checker.serve = None,
            "--binary" => checker.binary = PathBuf::from(value()),
            _ => panic!("unknown: {flag}; there are --clients --calls --pause --watch --alone --binary"),
        }
    }
    let report = checker.run();
    for violation in &report.violations {
        println!("violation: {violation}");
    }
    println!(
        "{} calls, {} edits, {} reloads, {} versions seen, {} violations",
        report.calls,
        report.edits,
        report.reloads,
        report.versions_seen,
        report.violations.len()
    );
    if report.violations.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The binary of the profile that this example was built in.
fn sibling(own: &std::path::Path) -> PathBuf {
    let profile =
        own.parent().and_then(|examples| examples.parent()).expect("it is in target/<profile>/examples");
    profile.join(format!("marsh{}", std::env::consts::EXE_SUFFIX))
}
