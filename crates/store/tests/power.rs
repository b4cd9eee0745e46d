//! After a power failure, what was acknowledged is there, and what was not is there whole or not at all. Needs
//! `failpoints`.

use std::collections::VecDeque;

use marsh_testkit::{Disk, Loss};

use crate::support::*;

struct Step {
    script: &'static str,
    /// The step's process dies at this point, and acknowledges nothing.
    dies: Option<&'static str>,
    /// The installed set afterwards.
    set: &'static str,
}

fn step(script: &'static str, set: &'static str) -> Step {
    Step { script, dies: None, set }
}

/// Runs the steps one after the other, each in a process of its own, on a disk of which nothing gets synced but what they
/// sync; after every mutation the power fails in every way. Returns how many states were looked at.
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
            // What happens to each of many files in private is much the same.
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
        // Of a process that died, either may be what the next one finds.
        if step.dies.is_none() {
            set = step.set;
        }
    }
    states
}

#[test]
fn what_is_acknowledged_survives_and_nothing_is_ever_torn() {
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

/// What one process made visible and did not live to sync, the next one must not build its promise on.
#[test]
fn a_promise_does_not_rest_on_what_the_dead_did_not_sync() {
    let states = fail_everywhere(&[
        // Published, and dead before the name of the tree was synced: the next one finds the tree and leases it.
        Step { script: "publish @s/a 1", dies: Some("fs.sync_dir=abort@1"), set: "" },
        step("pull @s/a 1", "@s/a 1"),
        // Committed, and dead before the lockfile's name was synced: to the next one there is nothing left to do.
        Step { script: "rm @s/a", dies: Some("fs.sync_dir=abort@1"), set: "" },
        step("rm @s/a", ""),
    ]);
    println!("{states} states after a power failure");
    assert!(states > 60, "only {states} states");
}

#[test]
fn more_files_than_are_synced_one_by_one_are_synced_too() {
    let states = fail_everywhere(&[step("pull @s/big 1", "@s/big 1")]);
    assert!(states > 60, "only {states} states");
}
