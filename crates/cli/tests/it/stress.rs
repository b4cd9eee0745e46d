//! Fifty processes at once on one installed set. At full size: `docs/internals/concurrency.md`.

use marsh_testkit::{DataStress, Stress};

use crate::support::BINARY;

fn stress(rounds: usize) -> Stress {
    Stress { binary: BINARY.into(), rounds, processes: 50, seed: 20_260_101, kills: 0, least_killed: 0 }
}

/// Defects 1, 2, 8 and 13: no interleaving of commands shows anything but a whole state.
#[test]
fn defect_01_fifty_processes_at_once_leave_and_show_only_whole_states() {
    let report = stress(10).run();
    println!("{report}");
    assert!(report.violations.is_empty(), "{report}");
    assert_eq!(report.processes, 500);
    // The watcher must have had something to watch.
    assert!(report.generations > 150 && report.looks > 200, "{report}");
    assert!(report.views_compared > 50 && report.types_compared > 3, "{report}");
}

#[test]
fn defect_13_processes_killed_at_any_moment_leave_a_state_that_the_next_command_can_use() {
    let report = Stress { kills: 80, least_killed: 200, ..stress(6) }.run();
    println!("{report}");
    assert!(report.violations.is_empty(), "{report}");
    assert!(report.killed >= 200, "{report}");
}

/// At full size: `docs/guides/data.md`.
#[test]
fn fifty_processes_at_once_leave_no_half_version_and_a_catalog_that_equals_the_disk() {
    let report = DataStress { binary: BINARY.into(), rounds: 4, processes: 50, seed: 20_260_101 }.run();
    println!("{report}");
    assert!(report.violations.is_empty(), "{report}");
    assert_eq!(report.processes, 200);
    assert!(report.looks > 20 && report.versions > 100 && report.compared > 8, "{report}");
    for must_happen in ["run: ok", "delete: ok", "rename: ok", "gc: ok", "get: ok", "search: ok"] {
        assert!(report.endings.contains_key(must_happen), "{must_happen}: {report}");
    }
}
