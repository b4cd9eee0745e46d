//! What is collected, and what never is.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not recognised as tests")]

use std::sync::atomic::{AtomicBool, Ordering};

use jiff::{Timestamp, ToSpan as _};
use marsh_data::{CollectRequest, Collected, DataError, DataStore, Metadata, NewVersion, Owner, Tags};
use marsh_types::TypeName;

const MODEL: &str = "0a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001";

struct Scratch {
    _dir: tempfile::TempDir,
    store: DataStore,
    ty: TypeName,
}

impl Scratch {
    fn new() -> Scratch {
        let dir = tempfile::tempdir().unwrap();
        let store = DataStore::new(dir.path()).with_durable(false);
        Scratch { _dir: dir, store, ty: TypeName::parse("@me/thing").unwrap() }
    }

    fn write(&self, name: &str, lifetime: &str, policy: &str) -> Metadata {
        self.write_with(name, lifetime, policy, &[], None)
    }

    fn write_with(
        &self,
        name: &str,
        lifetime: &str,
        policy: &str,
        tags: &[(&str, &str)],
        lifecycle: Option<&str>,
    ) -> Metadata {
        let new = NewVersion {
            type_path: &self.ty,
            model_id: MODEL,
            name,
            content_type: "text/plain",
            lifetime: lifetime.parse().unwrap(),
            garbage_collection: serde_json::from_str(policy).unwrap(),
            streaming: false,
            tags: tags.iter().copied().collect::<Tags>(),
            owner: Owner::model_method(MODEL),
            lifecycle: lifecycle.map(str::to_owned),
            renamed_to: None,
        };
        self.store.write(&new, b"0123456789").unwrap()
    }

    fn collect(&self, days: i64, dry_run: bool) -> Collected {
        let now = Timestamp::now() + (days * 24).hours();
        let run_exists = |_: &str, run: &str| run == "there";
        self.store.collect(&CollectRequest { now, run_exists: &run_exists, model: None, dry_run }).unwrap()
    }

    fn versions(&self, name: &str) -> Vec<u32> {
        self.store.versions(&self.ty, MODEL, name).unwrap().iter().map(|found| found.version).collect()
    }
}

#[test]
fn data_end_with_their_lifetime() {
    let scratch = Scratch::new();
    scratch.write("old", "30d", "5");
    scratch.write("young", "90d", "5");
    scratch.write("forever", "infinite", "5");
    scratch.write_with("buried", "30d", "5", &[], Some("deleted"));
    let run = |run| [("workflowId", "w"), ("workflowRunId", run)];
    scratch.write_with("of-run", "workflow", "5", &run("there"), None);
    scratch.write_with("of-gone-run", "job", "5", &run("gone"), None);
    scratch.write_with("of-no-run", "workflow", "5", &[], None);
    let names = |collected: &Collected| -> Vec<String> {
        collected.expired.iter().map(|expired| expired.name.clone()).collect()
    };
    let would = scratch.collect(31, true);
    assert_eq!(names(&would), ["of-gone-run", "old"]);
    assert_eq!((would.bytes, scratch.versions("old").len()), (20, 1), "nothing went yet");
    assert_eq!(scratch.collect(31, false), would, "what was announced is what happens");
    assert_eq!(scratch.collect(31, false), Collected::default());
    let left = scratch.store.list_model(&scratch.ty, MODEL).unwrap();
    let left: Vec<&str> = left.iter().map(|metadata| metadata.name.as_str()).collect();
    assert_eq!(left, ["buried", "forever", "of-no-run", "of-run", "young"]);
}

#[test]
fn a_new_version_starts_a_lifetime_anew() {
    let scratch = Scratch::new();
    scratch.write("a", "1h", "5");
    scratch.write("a", "infinite", "5");
    assert_eq!(scratch.collect(31, false), Collected::default());
}

#[test]
fn the_policy_of_the_newest_version_counts() {
    let scratch = Scratch::new();
    for policy in ["100", "100", "100", "2"] {
        scratch.write("counted", "infinite", policy);
    }
    for _ in 0..3 {
        scratch.write("aged", "infinite", "\"30d\"");
    }
    assert_eq!(scratch.collect(0, true).versions, 2);
    assert_eq!((scratch.collect(0, false).versions, scratch.versions("counted")), (2, vec![3, 4]));
    assert_eq!(scratch.versions("aged"), [1, 2, 3]);
    assert_eq!(
        (scratch.collect(31, false).versions, scratch.versions("aged")),
        (2, vec![3]),
        "never the newest"
    );
    // Numbers go on where they were.
    assert_eq!(scratch.write("aged", "infinite", "1").version, 4);
}

#[test]
fn a_write_can_prune_what_its_policy_does_not_keep() {
    let scratch = Scratch::new();
    for _ in 0..4 {
        scratch.write("a", "infinite", "2");
    }
    assert_eq!(scratch.store.prune(&scratch.ty, MODEL, "a", Timestamp::now()).unwrap(), 2);
    assert_eq!(scratch.versions("a"), [3, 4]);
    assert_eq!(scratch.store.prune(&scratch.ty, MODEL, "none", Timestamp::now()).unwrap(), 0);
}

#[test]
fn of_many_who_delete_one_name_each_succeeds_and_one_counts() {
    let scratch = Scratch::new();
    for round in 0..50 {
        let name = format!("n{round}");
        scratch.write(&name, "infinite", "5");
        let deleted: Vec<usize> = std::thread::scope(|scope| {
            let delete = || scratch.store.delete(&scratch.ty, MODEL, &name, None).unwrap();
            let threads =
                [scope.spawn(delete), scope.spawn(delete), scope.spawn(delete), scope.spawn(delete)];
            threads.map(|thread| thread.join().unwrap()).to_vec()
        });
        assert_eq!(deleted.iter().sum::<usize>(), 1, "{deleted:?}");
    }
}

#[test]
fn of_two_who_rename_to_one_name_one_gets_it() {
    let scratch = Scratch::new();
    for round in 0..20 {
        let (one, two, target) = (format!("one{round}"), format!("two{round}"), format!("target{round}"));
        scratch.write(&one, "infinite", "5");
        scratch.write(&two, "infinite", "5");
        let rename = |old: &str| scratch.store.rename(&scratch.ty, MODEL, old, &target);
        let results = std::thread::scope(|scope| {
            let threads = [scope.spawn(|| rename(&one)), scope.spawn(|| rename(&two))];
            threads.map(|thread| thread.join().unwrap())
        });
        let refused = results.iter().filter(|result| matches!(result, Err(DataError::TargetExists { .. })));
        assert_eq!((refused.count(), scratch.versions(&target)), (1, vec![1]));
    }
}

#[test]
fn a_name_that_is_renamed_while_others_write_to_it_keeps_what_they_wrote_last() {
    let scratch = Scratch::new();
    scratch.write("a", "infinite", "100");
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                scratch.write("a", "infinite", "100");
            }
        });
        for round in 0..10 {
            let copy = scratch.store.rename(&scratch.ty, MODEL, "a", &format!("b{round}"));
            // Between a rename and the next write there is nothing to rename.
            assert!(matches!(copy, Ok(_) | Err(DataError::NoSuchData { .. })), "{copy:?}");
        }
        stop.store(true, Ordering::Relaxed);
    });
    let versions = scratch.store.versions(&scratch.ty, MODEL, "a").unwrap();
    // Each tombstone directly follows the version that was copied.
    for pair in versions.windows(2).filter(|pair| pair[1].renamed_to.is_some()) {
        assert!(pair[0].renamed_to.is_none());
        let target = pair[1].renamed_to.as_deref().unwrap();
        let copy = scratch.store.latest(&scratch.ty, MODEL, target).unwrap().unwrap();
        assert_eq!(copy.checksum, pair[0].checksum);
    }
}
