//! A process that is killed, or whose disk fails, at any step has made its change or has not, and leaves nothing to clean
//! up. Needs `failpoints`.

use marsh_store::{GenerationRetention, Installation};
use marsh_testkit::{Disk, Loss};

use crate::support::*;

struct Scenario {
    script: &'static str,
    /// The installed set before and after.
    old: &'static str,
    new: &'static str,
    /// The smallest number of failpoints that the operation must pass.
    at_least: u64,
    /// The smallest number of them at which bytes are written.
    writes: u64,
}

/// Creates three generations, two extensions, views, and a tree that nothing names.
fn set_the_scene(installation: &Installation) {
    pull(installation, "@s/a", 1).unwrap();
    pull(installation, "@s/b", 1).unwrap();
    pull(installation, "@s/a", 2).unwrap();
    publish(installation, "@s/garbage", 1).unwrap();
    installation.derive_views(LONG).unwrap();
}

const BEFORE: &str = "@s/a 2, @s/b 1";

fn at_every_point(scenario: &Scenario) -> [u64; 2] {
    let points = ["abort", "error"].map(|action| {
        let repo = Repo::new();
        let (root, installation) = (repo.root(), repo.open());
        set_the_scene(&installation);
        assert_eq!(installed(&installation), scenario.old);
        let scene = Disk::of(&root);
        let generations = installation.history().unwrap().len();
        let mut points = 0;
        loop {
            scene.restore(&Loss::Nothing);
            let rule = format!("*={action}@{}", points + 1);
            let done = run(&root, scenario.script, &[("MARSH_FAILPOINT", &rule)]);
            let when = format!("{} with {rule}", scenario.script);
            check(&installation, scenario, done, generations, &when);
            if done {
                break;
            }
            points += 1;
            assert!(points < 1000, "never got through");
        }
        assert!(points >= scenario.at_least, "{}: only {points} points were passed", scenario.script);
        points
    });
    short_of_space(scenario, points[0]);
    points
}

/// Runs with a disk that is full after half of the bytes of a write, and with writes that take a part of their bytes.
fn short_of_space(scenario: &Scenario, points: u64) {
    let repo = Repo::new();
    let (root, installation) = (repo.root(), repo.open());
    set_the_scene(&installation);
    let scene = Disk::of(&root);
    let generations = installation.history().unwrap().len();
    let mut failed = 0;
    for point in 1..=points {
        scene.restore(&Loss::Nothing);
        let rule = format!("*=short@{point}");
        let done = run(&root, scenario.script, &[("MARSH_FAILPOINT", &rule)]);
        failed += u64::from(!done);
        check(&installation, scenario, done, generations, &format!("{} with {rule}", scenario.script));
    }
    assert!(failed >= scenario.writes, "{}: only {failed} writes could fall short", scenario.script);
    scene.restore(&Loss::Nothing);
    let done = run(&root, scenario.script, &[("MARSH_FAILPOINT", "*=trickle")]);
    assert!(done, "{}: a write in pieces is a write", scenario.script);
    check(&installation, scenario, done, generations, &format!("{} in pieces", scenario.script));
}

fn check(installation: &Installation, scenario: &Scenario, done: bool, generations: usize, when: &str) {
    assert_sound(installation, when);
    assert_store_is_whole(installation, when);
    let now = installed(installation);
    assert!(now == scenario.new || now == scenario.old && !done, "{when}: {now}");
    assert_no_lock_is_held(installation, when);
    let history = installation.history().unwrap();
    if !scenario.script.starts_with("collect") {
        let expected = generations + usize::from(now != scenario.old);
        assert_eq!(history.len(), expected, "{when}: neither forgotten nor made up");
    }
    for generation in &history {
        installation
            .target_of_rollback(Some(generation.number))
            .unwrap_or_else(|error| panic!("{when}: {error}"));
    }
    // The next command works.
    let next = pull(installation, "@s/next", 1).unwrap_or_else(|error| panic!("{when}: {error}"));
    assert_eq!(next.generation.unwrap().number, history.last().unwrap().number + 1, "{when}");
    assert_settled(installation, when);
    rollback(installation, None).unwrap();
    assert_eq!(installed(installation), now, "{when}: back again");
    installation.derive_views(LONG).unwrap();
    let report = installation.check_views(&installation.snapshot().unwrap()).unwrap();
    assert_eq!(report, Default::default(), "{when}");
    // A collection removes the leftovers of the dead process.
    let keep = GenerationRetention { generations: 1 };
    installation.collect(keep, true, "gc", LONG).unwrap();
    let digests = installation.snapshot().unwrap().lockfile.digests().count();
    assert_eq!(installation.trees().list().unwrap().len(), digests, "{when}");
    let is_left =
        |name: &str| name.starts_with(".tmp-") || name.ends_with(".tmp") || marsh_fs::is_leftover(name);
    let root = installation.lockfile_path().ancestors().nth(3).unwrap();
    assert_eq!(find(root, is_left), Vec::<std::path::PathBuf>::new(), "{when}");
    assert_settled(installation, when);
}

fn assert_no_lock_is_held(installation: &Installation, when: &str) {
    let state = installation.lockfile_path().ancestors().nth(3).unwrap().join(".swamp");
    let locks = find(&state, |name| name.ends_with(".lock"));
    assert!(!locks.is_empty());
    for lock in locks {
        assert!(marsh_fs::try_lock_exclusive(&lock, "test").unwrap().is_some(), "{when}: {}", lock.display());
    }
    for record in find(&state, |name| name == "entry.json") {
        assert!(marsh_fs::try_lock_existing_exclusive(&record).unwrap().is_some(), "{when}: a lease");
    }
}

/// Runs a scenario. Returns a line with the number of failpoints.
fn prove(scenario: Scenario) -> String {
    let points = at_every_point(&scenario);
    format!("{}: {} kills, {} errors", scenario.script, points[0], points[1])
}

#[test]
fn pull_killed_at_any_point_happens_or_not() {
    let figures = prove(Scenario {
        script: "pull @s/c 1; views",
        old: BEFORE,
        new: "@s/a 2, @s/b 1, @s/c 1",
        at_least: 60,
        writes: 5,
    });
    println!("{figures}");
}

#[test]
fn update_killed_at_any_point_happens_or_not() {
    let figures = prove(Scenario {
        script: "pull @s/a 3; views",
        old: BEFORE,
        new: "@s/a 3, @s/b 1",
        at_least: 60,
        writes: 5,
    });
    println!("{figures}");
}

#[test]
fn removal_killed_at_any_point_happens_or_not() {
    let figures =
        prove(Scenario { script: "rm @s/b; views", old: BEFORE, new: "@s/a 2", at_least: 30, writes: 4 });
    println!("{figures}");
}

#[test]
fn rollback_killed_at_any_point_happens_or_not() {
    let figures = prove(Scenario {
        script: "rollback; views",
        old: BEFORE,
        new: "@s/a 1, @s/b 1",
        at_least: 30,
        writes: 3,
    });
    println!("{figures}");
}

#[test]
fn collection_killed_at_any_point_deletes_no_needed_tree() {
    let figures = prove(Scenario { script: "collect 1", old: BEFORE, new: BEFORE, at_least: 15, writes: 0 });
    println!("{figures}");
}

/// Another program has changed the lockfile before the commit.
#[test]
fn commit_after_a_foreign_change_killed_at_any_point_happens_or_not() {
    let text = r#"{"@s/b":{"version":"2026.01.01.1"}}"#;
    let repo = Repo::new();
    let (root, installation) = (repo.root(), repo.open());
    set_the_scene(&installation);
    std::fs::write(repo.lockfile(), text).unwrap();
    let scene = Disk::of(&root);
    for action in ["abort", "error"] {
        for point in 1.. {
            scene.restore(&Loss::Nothing);
            let rule = format!("*={action}@{point}");
            let done = run(&root, "pull @s/c 1", &[("MARSH_FAILPOINT", &rule)]);
            assert_sound(&installation, &rule);
            let now = installed(&installation);
            assert!(now == "@s/b 1, @s/c 1" || now == "@s/b 1" && !done, "{rule}: {now}");
            pull(&installation, "@s/next", 1).unwrap();
            let history = installation.history().unwrap();
            let commands: Vec<Option<&str>> =
                history[3..].iter().map(|generation| generation.command.as_deref()).collect();
            let mut expected = vec![None, Some("pull @s/next")];
            if now.contains("@s/c") {
                expected.insert(1, Some("pull @s/c"));
            }
            assert_eq!(commands, expected, "{rule}");
            assert_settled(&installation, &rule);
            if done {
                assert!(point > 40, "only {point} points were passed");
                break;
            }
        }
    }
}

/// Derives views over directories of another implementation.
#[test]
fn derive_views_killed_at_any_point_keeps_edited_directories() {
    for action in ["abort", "error"] {
        let repo = Repo::new();
        let (root, installation) = (repo.root(), repo.open());
        let theirs = root.join(".swamp/pulled-extensions/@s/a");
        std::fs::create_dir_all(&theirs).unwrap();
        std::fs::write(theirs.join("edited.ts"), "mine").unwrap();
        for extension in ["@s/a", "@s/a/b"] {
            pull(&installation, extension, 1).unwrap();
        }
        let scene = Disk::of(&root);
        for point in 1.. {
            scene.restore(&Loss::Nothing);
            let rule = format!("*={action}@{point}");
            let done = run(&root, "views", &[("MARSH_FAILPOINT", &rule)]);
            let edited = find(&root.join(".swamp"), |name| name == "edited.ts");
            assert_eq!(edited.len(), 1, "{rule}: nothing of theirs is lost");
            assert_eq!(std::fs::read_to_string(&edited[0]).unwrap(), "mine");
            installation.derive_views(LONG).unwrap();
            let report = installation.check_views(&installation.snapshot().unwrap()).unwrap();
            assert_eq!(report, Default::default(), "{rule}");
            if done {
                assert!(point > 10, "only {point} points were passed");
                break;
            }
        }
    }
}
