//! A workflow that is killed at random instants and resumed: what had finished is not done again, what is said of it is
//! true, and nothing stands in the way of going on. 500 instants: `cargo run --release -p marsh-testkit --example
//! workflow_kill -- --kills 500`.

use marsh_testkit::WorkflowKills;

use crate::support::BINARY;

#[test]
fn a_killed_workflow_goes_on_where_it_was() {
    let report = WorkflowKills { binary: BINARY.into(), kills: 15, seed: 20_261_125 }.run();
    assert!(report.violations.is_empty(), "{report}");
    assert_eq!(report.killed, 15);
    assert!(report.finished > 0, "{report}");
}
