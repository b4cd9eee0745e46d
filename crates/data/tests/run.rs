//! The ephemeral data of a run hide stored data, and other runs do not see them.

use marsh_data::{
    DataError, DataStore, EphemeralStore, GarbageCollection, Lifetime, NewVersion, Owner, RunData, Tags,
};
use marsh_types::TypeName;

const MODEL: &str = "m1";

fn new_version<'a>(ty: &'a TypeName, name: &'a str, lifetime: Lifetime) -> NewVersion<'a> {
    NewVersion {
        type_path: ty,
        model_id: MODEL,
        name,
        content_type: "text/plain",
        lifetime,
        garbage_collection: GarbageCollection::Keep(1),
        streaming: false,
        tags: Tags::new(),
        owner: Owner::model_method(MODEL),
        lifecycle: None,
        renamed_to: None,
    }
}

#[test]
fn memory_lies_over_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let ty = TypeName::parse("@me/thing").unwrap();
    let store = DataStore::new(dir.path()).with_durable(false);
    let run = RunData::new(store.clone(), EphemeralStore::default());
    run.write(&new_version(&ty, "both", Lifetime::Infinite), b"stored").unwrap();
    run.write(&new_version(&ty, "disk", Lifetime::Job), b"stored").unwrap();
    let ephemeral = run.write(&new_version(&ty, "both", Lifetime::Ephemeral), b"in memory").unwrap();
    run.write(&new_version(&ty, "memory", Lifetime::Ephemeral), b"in memory").unwrap();

    assert_eq!(ephemeral.version, 2, "numbers go on");
    assert_eq!(run.latest(&ty, MODEL, "both").unwrap(), Some(ephemeral));
    assert_eq!(run.content(&ty, MODEL, "both", None).unwrap().unwrap(), b"in memory");
    assert_eq!(run.content(&ty, MODEL, "both", Some(1)).unwrap().unwrap(), b"stored");
    let versions: Vec<u32> = run.versions(&ty, MODEL, "both").unwrap().iter().map(|m| m.version).collect();
    assert_eq!(versions, [1, 2]);
    let names = |listed: Vec<marsh_data::Metadata>| listed.into_iter().map(|m| m.name).collect::<Vec<_>>();
    assert_eq!(names(run.list_model(&ty, MODEL).unwrap()), ["both", "disk", "memory"]);
    assert_eq!(run.list_models().unwrap().len(), 1);
    assert_eq!(run.content_path(&ty, MODEL, "memory", None).unwrap(), None);

    assert_eq!(names(store.list_model(&ty, MODEL).unwrap()), ["both", "disk"], "another run sees the disk");
    assert_eq!(run.delete(&ty, MODEL, "both", None).unwrap(), 2);
    assert_eq!(run.latest(&ty, MODEL, "both").unwrap(), None);
}

#[test]
fn the_budget_counts_finished_and_pending_content() {
    let dir = tempfile::tempdir().unwrap();
    let ty = TypeName::parse("@me/thing").unwrap();
    let run = RunData::new(DataStore::new(dir.path()), EphemeralStore::new(10));
    let new = |name| new_version(&ty, name, Lifetime::Ephemeral);
    run.write(&new("a"), b"12345").unwrap();
    let error = run.write(&new("b"), b"123456").unwrap_err();
    assert!(matches!(error, DataError::EphemeralBudget { wanted: 11, budget: 10 }), "{error}");
    let mut pending = run.begin(&new("c")).unwrap();
    pending.append(b"12345").unwrap();
    assert!(pending.append(b"6").is_err());
    drop(pending);
    run.write(&new("d"), b"12345").unwrap();
    run.delete(&ty, MODEL, "a", None).unwrap();
    run.write(&new("e"), b"12345").unwrap();
}

#[test]
fn ephemeral_data_have_owners_too() {
    let dir = tempfile::tempdir().unwrap();
    let ty = TypeName::parse("@me/thing").unwrap();
    let run = RunData::new(DataStore::new(dir.path()).with_durable(false), EphemeralStore::default());
    for lifetime in [Lifetime::Infinite, Lifetime::Ephemeral] {
        let name = lifetime.to_string();
        run.write(&new_version(&ty, &name, lifetime), b"1").unwrap();
        let mut thief = new_version(&ty, &name, Lifetime::Ephemeral);
        thief.owner = Owner::model_method("another");
        assert!(matches!(run.write(&thief, b"2").unwrap_err(), DataError::OwnerMismatch { .. }));
    }
}

#[test]
fn many_threads_write_one_run() {
    let dir = tempfile::tempdir().unwrap();
    let ty = TypeName::parse("@me/thing").unwrap();
    let run = RunData::new(DataStore::new(dir.path()), EphemeralStore::default());
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                (0..50)
                    .for_each(|_| drop(run.write(&new_version(&ty, "x", Lifetime::Ephemeral), b"1").unwrap()))
            });
        }
    });
    let versions: Vec<u32> = run.versions(&ty, MODEL, "x").unwrap().iter().map(|m| m.version).collect();
    assert_eq!(versions, (1..=400).collect::<Vec<_>>());
}
