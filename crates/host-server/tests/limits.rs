//! A call that exceeds a limit ends with the limit's name, in time, alone, and leaves nothing behind in its host.
//!
//! `cargo run -p marsh-host-server --example limits -- --repeat 400` does the same many times over, and measures.

// cfg: the tests read /proc to count threads, memory and processes
#![cfg(target_os = "linux")]
#![expect(
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a failure here is a failure of the test, and its files hold no state"
)]

#[expect(dead_code, reason = "the command prints more than the test asks for")]
#[path = "../examples/limits/cases.rs"]
mod cases;
#[path = "../examples/limits/runner.rs"]
mod runner;

use cases::CASES;
use runner::Runner;

const REPETITIONS: usize = 2;

#[test]
fn call_that_exceeds_a_limit_ends_alone_and_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let test = std::env::current_exe().unwrap();
    // `cargo test` builds examples beside the tests.
    let target = test.parent().unwrap().parent().unwrap();
    let program = target.join("examples").join(format!("host_process{}", std::env::consts::EXE_SUFFIX));
    let runner = Runner::new(program, Vec::new(), dir.path());
    let host = runner.host();
    for case in CASES {
        let row = runner.run(case, REPETITIONS);
        let most = usize::try_from(cases::LIMITS.output_bytes).expect("it is small") + 100;
        assert!(row.said <= most, "{}: {} bytes", row.name, row.said);
    }
    assert_eq!(runner.host().pid(), host.pid(), "one host has lived through all of it");
}
