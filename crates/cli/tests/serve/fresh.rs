//! The freshness checker, at the size of a suite; `cargo run -p marsh-testkit --example fresh` runs it at any size.

use std::time::Duration;

use marsh_testkit::Freshness;

use super::BINARY;

fn check(serve: Option<&'static [&'static str]>, clients: usize, calls: usize) {
    let checker = Freshness {
        binary: BINARY.into(),
        clients,
        calls,
        pause: Duration::from_millis(20),
        serve,
        client: None,
    };
    let report = checker.run();
    assert_eq!(report.violations, [] as [String; 0], "{report:?}");
    assert_eq!(report.calls, clients * calls);
    assert!(report.edits > 3 && report.versions_seen > 1, "edits and calls were to meet: {report:?}");
}

#[test]
fn no_call_runs_code_older_than_what_was_acknowledged() {
    check(Some(&[]), 10, 40);
}

#[test]
fn nor_does_it_when_sources_are_watched() {
    check(Some(&["--watch"]), 10, 40);
}

#[test]
fn nor_across_processes_without_a_server() {
    check(None, 4, 8);
}
