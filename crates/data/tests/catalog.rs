//! The catalog says what the tree says, whatever happened to either.

#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "these tests play foreign writers and vandals"
)]

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use marsh_data::{
    Condition, DataCatalog, DataStore, GarbageCollection, Lifetime, NewVersion, Operator, Owner, Tags,
};
use marsh_types::TypeName;
use serde_json::{Value, json};

const MODEL: &str = "0a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001";

struct Scratch {
    dir: tempfile::TempDir,
    store: DataStore,
}

impl Scratch {
    fn new() -> Scratch {
        let dir = tempfile::tempdir().unwrap();
        let store = DataStore::new(dir.path().join("data")).with_durable(false);
        Scratch { dir, store }
    }

    fn write_as(&self, model: &str, name: &str, tags: &[(&str, &str)], step: Option<&str>) -> u32 {
        let ty = TypeName::parse("@me/thing").unwrap();
        let owner = Owner { step_name: step.map(str::to_owned), ..Owner::model_method(model) };
        let new = NewVersion {
            type_path: &ty,
            model_id: model,
            name,
            content_type: "application/json",
            lifetime: Lifetime::Infinite,
            garbage_collection: GarbageCollection::Keep(5),
            streaming: false,
            tags: [("type", "resource"), ("specName", "spec"), ("modelName", "m")]
                .iter()
                .chain(tags)
                .copied()
                .collect::<Tags>(),
            owner,
            lifecycle: None,
            renamed_to: None,
        };
        self.store.write(&new, b"{}").unwrap().version
    }

    fn write(&self, name: &str) -> u32 {
        self.write_as(MODEL, name, &[], None)
    }

    fn open(&self) -> DataCatalog {
        DataCatalog::open(&self.store, self.dir.path()).unwrap()
    }

    fn file(&self) -> PathBuf {
        DataCatalog::path(self.dir.path())
    }

    fn name_dir(&self, name: &str) -> PathBuf {
        self.store.root().join("@me/thing").join(MODEL).join(name)
    }
}

/// What a catalog has, in its order: `name@version`, with `!` for the latest.
fn listed(catalog: &DataCatalog, conditions: &[Condition]) -> Vec<String> {
    let mut found = Vec::new();
    catalog
        .select(conditions, None, &mut |row| {
            found.push(format!("{}@{}{}", row.name, row.version, if row.is_latest { "!" } else { "" }));
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn condition(path: &str, operator: Operator, literal: Value) -> Condition {
    let path: Vec<String> = path.split('.').map(str::to_owned).collect();
    Condition::new(&path, operator, &literal).unwrap()
}

/// What the tree has, by walking it.
fn walked(store: &DataStore) -> Vec<String> {
    let mut found = Vec::new();
    for (ty, id) in store.list_models().unwrap() {
        for latest in store.list_model(&ty, &id).unwrap() {
            for version in store.versions(&ty, &id, &latest.name).unwrap() {
                let mark = if version.version == latest.version { "!" } else { "" };
                found.push(format!("{}@{}{mark}", version.name, version.version));
            }
        }
    }
    found
}

#[test]
fn every_version_is_there_and_the_latest_is_marked() {
    let scratch = Scratch::new();
    assert_eq!(listed(&scratch.open(), &[]), Vec::<String>::new());
    for name in ["b", "a", "a", "7", "7"] {
        scratch.write(name);
    }
    assert_eq!(listed(&scratch.open(), &[]), ["7@1", "7@2!", "a@1", "a@2!", "b@1!"]);
    assert_eq!(listed(&scratch.open(), &[]), walked(&scratch.store));
}

#[test]
fn each_step_has_a_latest_of_its_own() {
    let scratch = Scratch::new();
    for step in ["one", "two", "one"] {
        scratch.write_as(MODEL, "a", &[], Some(step));
    }
    assert_eq!(listed(&scratch.open(), &[]), ["a@1", "a@2!", "a@3!"]);
}

#[test]
fn changes_of_any_program_are_seen() {
    let scratch = Scratch::new();
    let ty = TypeName::parse("@me/thing").unwrap();
    let check = |what: &str, refreshes: bool| {
        let catalog = scratch.open();
        assert_eq!(listed(&catalog, &[]), walked(&scratch.store), "{what}");
        assert_eq!(catalog.refreshed.read > 0, refreshes, "{what}: {:?}", catalog.refreshed);
    };
    scratch.write("a");
    check("the first version", true);
    check("nothing", false);
    scratch.write("a");
    scratch.write("b");
    check("more versions", true);
    scratch.store.delete(&ty, MODEL, "a", Some(2)).unwrap();
    check("the latest went", false);
    scratch.write("a");
    check("its number was given again", true);
    scratch.store.rename(&ty, MODEL, "a", "c").unwrap();
    check("a rename", true);
    scratch.store.delete(&ty, MODEL, "c", None).unwrap();
    check("a name went", false);
    let model_dir = scratch.name_dir("b").parent().unwrap().to_path_buf();
    std::fs::rename(&model_dir, model_dir.with_file_name("moved")).unwrap();
    check("a directory was moved by hand", true);
    std::fs::remove_dir_all(scratch.store.root()).unwrap();
    check("everything went", false);
}

/// The way of the existing implementation: the directory first, its content later, `latest` last.
#[test]
fn a_version_that_grows_in_its_place_is_seen_when_it_is_whole() {
    let scratch = Scratch::new();
    scratch.write("a");
    let text = std::fs::read_to_string(scratch.name_dir("a").join("1/metadata.yaml")).unwrap();
    for name in ["a", "new"] {
        let (dir, version) = (scratch.name_dir(name), if name == "a" { "2" } else { "1" });
        std::fs::create_dir_all(dir.join(version)).unwrap();
        assert_eq!(listed(&scratch.open(), &[]).len(), if name == "a" { 1 } else { 2 });
        std::fs::write(
            dir.join(version).join("metadata.yaml"),
            text.replace("name: a", &format!("name: {name}")),
        )
        .unwrap();
        assert_eq!(listed(&scratch.open(), &[]).len(), if name == "a" { 1 } else { 2 });
        std::fs::write(dir.join(version).join("raw"), "{}").unwrap();
        std::fs::write(dir.join("latest"), version).unwrap();
        assert_eq!(listed(&scratch.open(), &[]), walked(&scratch.store));
    }
    assert_eq!(listed(&scratch.open(), &[]).len(), 3);
}

#[test]
fn once_it_has_settled_nothing_is_listed_and_still_nothing_is_missed() {
    let scratch = Scratch::new();
    for name in ["a", "b", "b"] {
        scratch.write(name);
    }
    let until = Instant::now() + Duration::from_secs(30);
    while scratch.open().refreshed.listed > 0 {
        assert!(Instant::now() < until, "it never settles");
        std::thread::sleep(Duration::from_millis(50));
    }
    scratch.write("b");
    let catalog = scratch.open();
    assert_eq!(catalog.refreshed.read, 1, "only what is new is read");
    assert_eq!(listed(&catalog, &[]), walked(&scratch.store));
}

#[test]
fn whatever_becomes_of_its_file_the_answers_stay() {
    let scratch = Scratch::new();
    for name in ["a", "b", "b"] {
        scratch.write(name);
    }
    let expected = walked(&scratch.store);
    drop(scratch.open());
    let whole = std::fs::read(scratch.file()).unwrap();
    let spoilt: [(&str, Vec<u8>); 5] = [
        ("empty", Vec::new()),
        ("text", b"no database".to_vec()),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("header only", whole[..100].to_vec()),
        ("zeros", vec![0; whole.len()]),
    ];
    for (what, bytes) in spoilt {
        std::fs::write(scratch.file(), bytes).unwrap();
        assert_eq!(listed(&scratch.open(), &[]), expected, "{what}");
        assert!(!scratch.open().refreshed.rebuilt, "{what}: it was made again and stays");
    }
    std::fs::remove_file(scratch.file()).unwrap();
    std::fs::create_dir(scratch.file()).unwrap();
    assert_eq!(listed(&scratch.open(), &[]), expected, "a directory in its place");
}

#[test]
fn damaged_metadata_do_not_count_as_a_version() {
    let scratch = Scratch::new();
    scratch.write("a");
    scratch.write("b");
    std::fs::write(scratch.name_dir("a").join("1/metadata.yaml"), "- nonsense").unwrap();
    let catalog = scratch.open();
    assert_eq!((listed(&catalog, &[]), catalog.refreshed.damaged), (vec!["b@1!".to_owned()], 1));
}

#[test]
fn conditions_mean_what_they_mean_in_a_predicate() {
    let scratch = Scratch::new();
    scratch.write_as(MODEL, "a", &[("team", "x"), ("a \"b\"", "y")], None);
    scratch.write_as(MODEL, "ab", &[("team", "z")], Some("s"));
    scratch.write_as(MODEL, "ab", &[("modelName", "other")], Some("s"));
    scratch.write_as(MODEL, "ü", &[], None);
    let catalog = scratch.open();
    use Operator::{Equal, Greater, GreaterOrEqual, In, Less, NotEqual, StartsWith};
    for (path, operator, literal, expected) in [
        ("name", Equal, json!("a"), "a@1!"),
        ("name", NotEqual, json!("a"), "ab@1 ab@2! ü@1!"),
        ("name", StartsWith, json!("a"), "a@1! ab@1 ab@2!"),
        ("name", StartsWith, json!("ab"), "ab@1 ab@2!"),
        ("name", StartsWith, json!("ü"), "ü@1!"),
        ("name", StartsWith, json!(""), "a@1! ab@1 ab@2! ü@1!"),
        ("name", StartsWith, json!("\u{10FFFF}"), ""),
        ("name", Greater, json!("a"), "ab@1 ab@2! ü@1!"),
        ("name", In, json!(["a", "ü", "nope"]), "a@1! ü@1!"),
        ("name", In, json!([]), ""),
        ("version", GreaterOrEqual, json!(2), "ab@2!"),
        ("version", Less, json!(1.5), "a@1! ab@1 ü@1!"),
        ("isLatest", Equal, json!(false), "ab@1"),
        ("modelName", Equal, json!("other"), "ab@2!"),
        ("tags.team", Equal, json!("x"), "a@1!"),
        // A row without the tag does not match, as in a predicate.
        ("tags.team", NotEqual, json!("x"), "ab@1"),
        ("tags.team", In, json!(["x", "z"]), "a@1! ab@1"),
        ("stepName", Equal, json!("s"), "ab@1 ab@2!"),
        ("modelType", Equal, json!("@me/thing"), "a@1! ab@1 ab@2! ü@1!"),
    ] {
        let found = listed(&catalog, &[condition(path, operator, literal.clone())]).join(" ");
        assert_eq!(found, expected, "{path} {operator:?} {literal}");
    }
    for (path, operator, literal) in [
        ("attributes.x", Equal, json!(1)),
        ("name", Equal, json!(1)),
        ("version", Equal, json!("1")),
        ("isLatest", Less, json!(true)),
        ("tags.a \"b\"", Equal, json!("y")),
        ("tags.team", StartsWith, json!("x")),
        ("nonsense", Equal, json!("y")),
        ("name", Equal, json!(null)),
        ("name", In, json!(["a", 1])),
    ] {
        let path: Vec<String> = path.splitn(2, '.').map(str::to_owned).collect();
        assert_eq!(Condition::new(&path, operator, &literal), None, "{path:?} {operator:?} {literal}");
    }
}

#[test]
fn indexes_answer_what_people_ask() {
    let scratch = Scratch::new();
    scratch.write("a");
    let catalog = scratch.open();
    for path in ["modelName", "name", "specName", "id", "createdAt"] {
        let plan = catalog.plan(&[condition(path, Operator::Equal, json!("x"))]).unwrap();
        assert!(plan.contains("SEARCH records USING INDEX"), "{path}: {plan}");
    }
}

#[test]
fn many_processes_worth_of_openers_and_writers_agree_in_the_end() {
    let scratch = Scratch::new();
    std::thread::scope(|scope| {
        for model in 0..4 {
            let scratch = &scratch;
            scope.spawn(move || {
                let id = format!("{model}a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001");
                for round in 0..25 {
                    scratch.write_as(&id, &format!("n{}", round % 3), &[], None);
                    listed(&scratch.open(), &[]);
                }
            });
        }
    });
    assert_eq!(listed(&scratch.open(), &[]), walked(&scratch.store));
}
