//! What a reader sees of writes, deletions, renames, and of others' unfinished business.

#![expect(clippy::disallowed_methods, clippy::unwrap_used, reason = "these tests play writers that died")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use marsh_data::{DataError, DataStore, GarbageCollection, Lifetime, NewVersion, Owner, Tags};
use marsh_types::TypeName;

const MODEL: &str = "0a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001";

struct Scratch {
    dir: tempfile::TempDir,
    store: DataStore,
    ty: TypeName,
}

impl Scratch {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = DataStore::new(dir.path()).with_durable(false);
        Scratch { dir, store, ty: TypeName::parse("@me/thing").unwrap() }
    }

    fn new_version<'a>(&'a self, name: &'a str) -> NewVersion<'a> {
        NewVersion {
            type_path: &self.ty,
            model_id: MODEL,
            name,
            content_type: "text/plain",
            lifetime: Lifetime::Infinite,
            garbage_collection: GarbageCollection::Keep(5),
            streaming: false,
            tags: Tags::from_iter([("type", "resource")]),
            owner: Owner::model_method(MODEL),
            lifecycle: None,
            renamed_to: None,
        }
    }

    fn write(&self, name: &str, text: &str) -> u32 {
        self.store.write(&self.new_version(name), text.as_bytes()).unwrap().version
    }

    fn text(&self, name: &str) -> Option<String> {
        let content = self.store.content(&self.ty, MODEL, name, None).unwrap()?;
        Some(String::from_utf8(content).unwrap())
    }

    fn latest(&self, name: &str) -> Option<u32> {
        Some(self.store.latest(&self.ty, MODEL, name).unwrap()?.version)
    }

    fn versions(&self, name: &str) -> Vec<u32> {
        self.store.versions(&self.ty, MODEL, name).unwrap().iter().map(|metadata| metadata.version).collect()
    }

    fn name_dir(&self, name: &str) -> PathBuf {
        self.dir.path().join("@me/thing").join(MODEL).join(name)
    }

    /// Staging directories that are left.
    fn leftovers(&self) -> usize {
        let entries = fs::read_dir(self.name_dir("x").parent().unwrap()).unwrap();
        entries
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(".tmp-"))
            .count()
    }
}

#[test]
fn each_write_appends_a_version() {
    let scratch = Scratch::new();
    assert_eq!(scratch.latest("result"), None);
    assert_eq!([scratch.write("result", "a"), scratch.write("result", "b")], [1, 2]);
    assert_eq!(scratch.text("result").as_deref(), Some("b"));
    let first = scratch.store.content(&scratch.ty, MODEL, "result", Some(1)).unwrap();
    assert_eq!(first.as_deref(), Some(b"a".as_slice()));
    assert_eq!(scratch.store.content(&scratch.ty, MODEL, "result", Some(3)).unwrap(), None);
    let ids: Vec<_> = scratch.store.versions(&scratch.ty, MODEL, "result").unwrap();
    assert_ne!(ids[0].id, ids[1].id);
    let found = scratch.store.find_by_id(&ids[0].id).unwrap().unwrap();
    assert_eq!((found.model_id.as_str(), found.metadata.version), (MODEL, 1));
}

#[test]
fn a_streamed_version_appears_when_it_is_finalized() {
    let scratch = Scratch::new();
    let mut pending = scratch.store.begin(&scratch.new_version("log")).unwrap();
    pending.append(b"one\n").unwrap();
    pending.append(b"two\n").unwrap();
    assert_eq!(scratch.latest("log"), None);
    let written = pending.finalize().unwrap();
    assert_eq!((written.size, scratch.text("log").as_deref()), (Some(8), Some("one\ntwo\n")));
    assert_eq!(scratch.leftovers(), 0);
}

#[test]
fn a_version_dropped_unfinished_leaves_nothing() {
    let scratch = Scratch::new();
    let mut pending = scratch.store.begin(&scratch.new_version("log")).unwrap();
    pending.append(b"half").unwrap();
    drop(pending);
    assert_eq!((scratch.latest("log"), scratch.leftovers()), (None, 0));
    assert!(scratch.store.list_models().unwrap().is_empty());
}

#[test]
fn a_content_file_that_the_caller_wrote_is_measured() {
    let scratch = Scratch::new();
    let mut pending = scratch.store.begin(&scratch.new_version("file")).unwrap();
    fs::write(pending.path(), "abc").unwrap();
    let written = pending.finalize().unwrap();
    let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!((written.size, written.checksum.as_deref()), (Some(3), Some(expected)));
}

#[test]
fn unfinished_versions_of_others_do_not_exist_but_keep_their_numbers() {
    let scratch = Scratch::new();
    scratch.write("result", "a");
    let (empty, no_raw) = (scratch.name_dir("result").join("2"), scratch.name_dir("result").join("3"));
    fs::create_dir(empty).unwrap();
    fs::create_dir(&no_raw).unwrap();
    fs::copy(scratch.name_dir("result").join("1/metadata.yaml"), no_raw.join("metadata.yaml")).unwrap();
    fs::remove_file(scratch.name_dir("result").join("latest")).unwrap();
    assert_eq!((scratch.latest("result"), scratch.versions("result")), (Some(1), vec![1]));
    assert_eq!(scratch.write("result", "b"), 4);
    assert_eq!(scratch.versions("result"), [1, 4]);
}

#[test]
fn a_pointer_that_is_missing_torn_or_dangling_is_not_believed() {
    let scratch = Scratch::new();
    scratch.write("result", "a");
    scratch.write("result", "b");
    let latest = scratch.name_dir("result").join("latest");
    for text in ["", "\0\0", "x", "9", "-1"] {
        fs::write(&latest, text).unwrap();
        assert_eq!(scratch.latest("result"), Some(2), "{text:?}");
    }
    fs::write(&latest, "1\n").unwrap();
    assert_eq!(scratch.latest("result"), Some(1), "but one that names a version is");
    assert_eq!(scratch.write("result", "c"), 3);
    assert_eq!(fs::read_to_string(&latest).unwrap(), "3");
}

#[test]
fn an_existing_name_keeps_its_owner() {
    let scratch = Scratch::new();
    scratch.write("result", "a");
    let mut new = scratch.new_version("result");
    new.owner = Owner::model_method("another-model");
    let error = scratch.store.write(&new, b"b").unwrap_err();
    assert!(matches!(error, DataError::OwnerMismatch { .. }), "{error}");
    assert_eq!(
        error.to_string(),
        format!(
            "data \"result\" belong to model-method {MODEL}: model-method another-model cannot write them"
        )
    );
    assert_eq!((scratch.versions("result"), scratch.leftovers()), (vec![1], 0));
}

#[test]
fn invalid_names_are_refused() {
    let scratch = Scratch::new();
    for name in ["", "latest", "../x", "a/b"] {
        let error = scratch.store.write(&scratch.new_version(name), b"").unwrap_err();
        assert!(matches!(error, DataError::InvalidName { .. }), "{error}");
    }
}

#[test]
fn deleting_versions_moves_the_pointer_and_deleting_the_last_removes_the_name() {
    let scratch = Scratch::new();
    for text in ["a", "b", "c"] {
        scratch.write("result", text);
    }
    let delete = |version| scratch.store.delete(&scratch.ty, MODEL, "result", version).unwrap();
    assert_eq!((delete(Some(3)), scratch.latest("result")), (1, Some(2)));
    assert_eq!((delete(Some(1)), scratch.latest("result")), (1, Some(2)));
    assert_eq!(delete(Some(1)), 0);
    assert_eq!(delete(Some(2)), 1);
    assert!(!scratch.name_dir("result").exists());
    assert_eq!(delete(None), 0);
    for text in ["a", "b"] {
        scratch.write("result", text);
    }
    assert_eq!((delete(None), scratch.latest("result"), scratch.leftovers()), (2, None, 0));
}

#[test]
fn a_renamed_datum_is_found_under_both_names() {
    let scratch = Scratch::new();
    scratch.write("old", "a");
    scratch.write("old", "b");
    let rename = |old: &str, new: &str| scratch.store.rename(&scratch.ty, MODEL, old, new);
    assert_eq!(rename("old", "new").unwrap().version, 1);
    assert_eq!(scratch.text("old").as_deref(), Some("b"), "latest-reads follow");
    assert_eq!(scratch.store.latest(&scratch.ty, MODEL, "old").unwrap().unwrap().name, "new");
    assert_eq!(scratch.versions("old"), [1, 2, 3], "the history and the tombstone stay");
    let tombstone = scratch.store.metadata(&scratch.ty, MODEL, "old", 3).unwrap().unwrap();
    assert!(tombstone.is_deleted());
    assert_eq!(tombstone.renamed_to.as_deref(), Some("new"));
    let content = scratch.store.content(&scratch.ty, MODEL, "old", Some(3)).unwrap().unwrap();
    assert!(content.starts_with(br#"{"renamedTo":"new","renamedAt":"20"#), "version reads do not follow");

    assert!(matches!(rename("old", "x").unwrap_err(), DataError::NoSuchData { .. }));
    assert!(matches!(rename("nothing", "x").unwrap_err(), DataError::NoSuchData { .. }));
    scratch.write("taken", "t");
    assert!(matches!(rename("new", "taken").unwrap_err(), DataError::TargetExists { .. }));
    assert_eq!(rename("new", "old").unwrap().version, 4, "a tombstone is not in the way");
}

/// Renamed in a circle, a name leads somewhere rather than nowhere.
#[test]
fn following_renames_ends() {
    let scratch = Scratch::new();
    for (name, target) in [("a", "b"), ("b", "a")] {
        let mut new = scratch.new_version(name);
        new.lifecycle = Some("deleted".to_owned());
        new.renamed_to = Some(target.to_owned());
        scratch.store.write(&new, b"{}").unwrap();
    }
    assert!(scratch.store.latest(&scratch.ty, MODEL, "a").unwrap().unwrap().is_deleted());
}

/// Data names may be numbers, which must not be taken for versions; types may have any depth.
#[test]
fn the_tree_tells_models_from_types() {
    let scratch = Scratch::new();
    let deep = TypeName::parse("@me/thing/deep/7").unwrap();
    for (ty, model, name) in [(&scratch.ty, "m1", "5"), (&scratch.ty, "m2", "x"), (&deep, "9", "10")] {
        let mut new = scratch.new_version(name);
        (new.type_path, new.model_id) = (ty, model);
        scratch.store.write(&new, b"1").unwrap();
    }
    let models = scratch.store.list_models().unwrap();
    let models: Vec<_> = models.iter().map(|(ty, id)| (ty.as_str(), id.as_str())).collect();
    assert_eq!(models, [("@me/thing", "m1"), ("@me/thing", "m2"), ("@me/thing/deep/7", "9")]);
    let listed = scratch.store.list_model(&scratch.ty, "m1").unwrap();
    assert_eq!(listed.iter().map(|metadata| metadata.name.as_str()).collect::<Vec<_>>(), ["5"]);
}

#[test]
fn a_damaged_version_is_an_error_that_names_the_file() {
    let scratch = Scratch::new();
    scratch.write("result", "a");
    fs::write(scratch.name_dir("result").join("1/metadata.yaml"), "id: [").unwrap();
    let error = scratch.store.latest(&scratch.ty, MODEL, "result").unwrap_err();
    assert!(error.to_string().contains("result/1/metadata.yaml is damaged: "), "{error}");
}

#[test]
fn what_dead_writers_left_can_be_swept() {
    let scratch = Scratch::new();
    scratch.write("result", "a");
    std::mem::forget(scratch.store.begin(&scratch.new_version("result")).unwrap());
    assert_eq!(scratch.store.sweep(Duration::from_secs(3600)).unwrap(), 0, "it may be at work");
    assert_eq!(scratch.store.list_model(&scratch.ty, MODEL).unwrap().len(), 1);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(scratch.store.sweep(Duration::ZERO).unwrap(), 1);
    assert_eq!((scratch.leftovers(), scratch.latest("result")), (0, Some(1)));
}

#[test]
fn what_a_process_wrote_last_does_not_hide_what_others_did_since() {
    let ours = Scratch::new();
    // A store of its own, as another process has it.
    let others = DataStore::new(ours.dir.path()).with_durable(false);
    let write = |owner: &str, text: &str| {
        let version = NewVersion { owner: Owner::model_method(owner), ..ours.new_version("x") };
        others.write(&version, text.as_bytes()).map(|metadata| metadata.version)
    };
    assert_eq!(ours.write("x", "1"), 1);
    assert_eq!(write(MODEL, "2").unwrap(), 2);
    assert_eq!(ours.write("x", "3"), 3);

    // The newest goes: its number is free again, and the one below it is the newest.
    others.delete(&ours.ty, MODEL, "x", Some(3)).unwrap();
    assert_eq!(ours.latest("x"), Some(2));
    assert_eq!(ours.write("x", "3 again"), 3);

    // A writer without the latch took the next number, and died before it wrote `latest`.
    let taken = ours.name_dir("x").join("4");
    fs::create_dir(&taken).unwrap();
    assert_eq!(ours.write("x", "5"), 5);
    assert_eq!(ours.latest("x"), Some(5));

    // A deletion that died between moving `latest` and removing the version: the version is there, and is the highest.
    fs::write(ours.name_dir("x").join("latest"), "3").unwrap();
    assert_eq!(ours.write("x", "6"), 6);
    assert_eq!(ours.latest("x"), Some(6));
    assert_eq!(ours.versions("x"), [1, 2, 3, 5, 6]);

    // All versions are deleted, and another owner writes the name.
    others.delete(&ours.ty, MODEL, "x", None).unwrap();
    assert_eq!(write("b4a1", "theirs").unwrap(), 1);
    let refused = ours.store.write(&ours.new_version("x"), b"ours");
    assert!(matches!(refused, Err(DataError::OwnerMismatch { .. })), "{refused:?}");
    assert_eq!(ours.text("x").as_deref(), Some("theirs"));
}
