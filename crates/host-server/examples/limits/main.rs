//! Everything an extension can do wrong, many times over, against one host:
//!
//! ```text
//! cargo run -p marsh-host-server --example limits -- --repeat 400
//! ```
//!
//! prints a table; the program itself is the host. `--only TEXT` takes the cases whose name contains it, or that end
//! so. Linux only: it looks into `/proc`. Ends with an error at the first call that did not end as it must, or that left
//! a process behind; what the memory did is in the table, and more than `--grow` KiB (4096) a case is an error too.

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program for people who test; its scratch files hold no state"
)]

mod cases;
mod runner;

use std::process::ExitCode;
use std::time::Instant;

use cases::{CASES, LIMITS};
use runner::{Runner, rss_kib};

/// With this argument the program is the host itself.
const HOST: &str = "host";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(HOST) {
        return marsh_host_server::main();
    }
    let (mut repeat, mut only, mut grow) = (400, String::new(), 4096);
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        let value = arguments.next().unwrap_or_else(|| panic!("{flag} needs a value"));
        match flag.as_str() {
            "--repeat" => repeat = value.parse().expect("--repeat takes a number"),
            "--grow" => grow = value.parse().expect("--grow takes a number"),
            "--only" => only = value,
            _ => panic!("unknown: {flag}; there are --repeat --only --grow"),
        }
    }
    let dir = tempfile::tempdir().expect("a scratch directory");
    let own = std::env::current_exe().expect("a running program has a path");
    let runner = Runner::new(own, vec![HOST.to_owned()], dir.path());
    let host = runner.host();
    println!(
        "{repeat} repetitions each, one host; memory {} MiB, stack {} KiB, output {} KiB\n",
        LIMITS.memory_bytes >> 20,
        LIMITS.stack_bytes >> 10,
        LIMITS.output_bytes >> 10
    );
    println!("| case | ends with | slowest call | beyond its deadline | RSS before | after | grown |");
    println!("| --- | --- | ---: | ---: | ---: | ---: | ---: |");
    let (started, mut grown_most) = (Instant::now(), 0);
    let mut first = None;
    for case in CASES.iter().filter(|case| case.name.contains(&only) || cases::ending(case.ends) == only) {
        let row = runner.run(case, repeat);
        let grown = i64::try_from(row.after_kib).unwrap_or(0) - i64::try_from(row.before_kib).unwrap_or(0);
        grown_most = grown_most.max(grown);
        first.get_or_insert(row.before_kib);
        println!(
            "| {} | {} | {} ms | {} ms | {} KiB | {} KiB | {grown:+} KiB |",
            row.name,
            cases::ending(case.ends),
            row.slowest.as_millis(),
            row.overrun.as_millis(),
            row.before_kib,
            row.after_kib,
        );
    }
    println!(
        "\nall in {} s; the host: {} KiB after the first case's first calls, {} KiB at the end; this process: {} KiB",
        started.elapsed().as_secs(),
        first.unwrap_or(0),
        rss_kib(host.pid()),
        rss_kib(std::process::id()),
    );
    if grown_most <= grow { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
