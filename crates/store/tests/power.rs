//! After a power failure, acknowledged changes are on disk, and others are whole or missing. Needs `failpoints`.

use std::collections::VecDeque;

use marsh_testkit::{Disk, Loss};

use crate::support::*;

struct Step {
    script: &'static str,
    /// The failpoint at which the step's process dies, without an acknowledgement.
    dies: Option<&'static str>,
    /// The installed set afterwards.
    set: &'static str,
}

fn step(script: &'static str, set: &'static str) -> Step {
    Step { script, dies: None, set }
}

/// Runs the steps one after the other, each in its own process, and simulates every kind of power failure after each of their
/// changes. Only the steps sync the disk. Returns the number of states that were checked.
fn fail_everywhere(steps: &[Step]) -> usize {
    let repo = Repo::new();
    let (root, installation) = (repo.root(), repo.open());
    let traces = tempfile::tempdir().unwrap();
    let mut disk = Disk::of(&root);
    let (mut states, mut set) = (0, "");
    for (number, step) in steps.iter().enumerate() {
        let trace = traces.path().join(number.to_string());
        let mut env = vec![("MARSH_FS_TRACE", trace.to_str().unwrap())];
        env.extend(step.dies.map(|rule| ("MARSH_FAILPOINT", rule)));
        assert_eq!(run(&root, step.script, &env), step.dies.is_none(), "{}", step.script);
        assert_eq!(installed(&installation), step.set, "{}", step.script);
        let history = installation.history().unwrap();
        let mutations = Disk::mutations(&trace);
        assert!(!mutations.is_empty(), "{}", step.script);
        let mut left: VecDeque<serde_json::Value> = mutations.into();
        let mut at = 0;
        while let Some(mutation) = left.pop_front() {
            let mut steps = disk.steps(&mutation);
            let mutation = steps.remove(0);
            steps.into_iter().rev().for_each(|step| left.push_front(step));
            disk.apply(&mutation);
            at += 1;
            let is_acknowledged = left.is_empty() && step.dies.is_none();
            // The states while many private files are written are alike, so most are skipped.
            if mutation["path"].as_str().unwrap().contains("/parts/") {
                continue;
            }
            for loss in disk.losses() {
                disk.restore(&loss);
                states += 1;
                let when = format!("{}, power lost after {at} ({mutation:.200}): {loss:?}", step.script);
                assert_sound(&installation, &when);
                assert_store_is_whole(&installation, &when);
                let now = installed(&installation);
                assert!(now == step.set || now == set && !is_acknowledged, "{when}: {now}");
                if is_acknowledged {
                    assert_eq!(installation.history().unwrap(), history, "{when}");
                    for generation in &history {
                        installation.target_of_rollback(Some(generation.number)).unwrap();
                    }
                }
                // The next command works.
                if matches!(loss, Loss::Data | Loss::Names) {
                    pull(&installation, "@s/next", 1).unwrap_or_else(|error| panic!("{when}: {error}"));
                    installation.derive_views(LONG).unwrap_or_else(|error| panic!("{when}: {error}"));
                    assert_settled(&installation, &when);
                }
            }
        }
        disk.restore(&Loss::Nothing);
        assert_eq!(installed(&installation), step.set, "the record is complete");
        assert_eq!(installation.history().unwrap(), history, "the record is complete");
        // After a process that died, either state is right.
        if step.dies.is_none() {
            set = step.set;
        }
    }
    states
}

#[test]
fn power_failure_at_any_point_keeps_acknowledged_commits() {
    let states = fail_everywhere(&[
        step("pull @s/a 1; views", "@s/a 1"),
        step("pull @s/b 1", "@s/a 1, @s/b 1"),
        step("pull @s/a 2; views", "@s/a 2, @s/b 1"),
        step("rollback", "@s/a 1, @s/b 1"),
        step("rm @s/b; views", "@s/a 1"),
        step("collect 2", "@s/a 1"),
        step("rollback", "@s/a 1, @s/b 1"),
    ]);
    println!("{states} states after a power failure");
    assert!(states > 300, "only {states} states");
}

/// A process may die after it made a change visible and before it synced it. The next process must not acknowledge a commit
/// that needs the change without syncing it.
#[test]
fn commit_after_a_dead_process_survives_a_power_failure() {
    let states = fail_everywhere(&[
        // A process dies before it syncs the name of a published tree. The next one finds the tree and leases it.
        Step { script: "publish @s/a 1", dies: Some("fs.sync_dir=abort@1"), set: "" },
        step("pull @s/a 1", "@s/a 1"),
        // A process dies before it syncs the lockfile's name. The next one finds nothing to change.
        Step { script: "rm @s/a", dies: Some("fs.sync_dir=abort@1"), set: "" },
        step("rm @s/a", ""),
    ]);
    println!("{states} states after a power failure");
    assert!(states > 60, "only {states} states");
}

#[test]
fn power_failure_after_publishing_many_files_keeps_them() {
    let states = fail_everywhere(&[step("pull @s/big 1", "@s/big 1")]);
    assert!(states > 60, "only {states} states");
}
