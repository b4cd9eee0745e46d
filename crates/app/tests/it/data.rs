//! Operations on data.

use marsh_api::ErrorCode;
use marsh_api::data::{
    DataDeleteRequest, DataDeleted, DataPruned, DataQuery, DataRecords, DataSearchRequest, DataTarget,
    DatumDeleted, SeveralDeleted,
};
use marsh_app::{AppError, Session};
use marsh_data::Lifetime;
use marsh_types::Explain as _;
use serde_json::json;

use crate::support::{Datum, ID, MODEL, Repository, code, file, put, put_resources, resource, write};

fn scene(resources: &[(&str, usize)]) -> (Repository, Session) {
    let repository = Repository::new();
    let session = repository.session();
    put_resources(&session, resources);
    (repository, session)
}

fn request() -> DataSearchRequest {
    DataSearchRequest { limit: 100, ..DataSearchRequest::default() }
}

/// Names and newest versions of all data.
fn names(session: &Session) -> Vec<String> {
    let found = session.read().search_data(&request()).unwrap();
    found.results.iter().map(|row| format!("{}@{}", row.name, row.version)).collect()
}

fn of(target: DataTarget) -> DataDeleteRequest {
    DataDeleteRequest { model: "m".into(), target }
}

fn version(name: &str, version: u32) -> DataTarget {
    DataTarget::Version { name: name.into(), version }
}

fn one(deleted: DataDeleted) -> DatumDeleted {
    match deleted {
        DataDeleted::One(one) => one,
        DataDeleted::Several(several) => panic!("{several:?}"),
    }
}

fn several(deleted: DataDeleted) -> SeveralDeleted {
    match deleted {
        DataDeleted::Several(several) => several,
        DataDeleted::One(one) => panic!("{one:?}"),
    }
}

fn delete(session: &Session, target: DataTarget) -> Result<DataDeleted, AppError> {
    write(session, |write| write.delete_data(&of(target)))
}

#[test]
fn get_data_returns_json_as_json_text_as_text_and_other_bytes_as_null() {
    let (_repository, session) = scene(&[("main", 2)]);
    put(&session, file("notes"), "one\ntwo\n");
    put(&session, file("bytes"), [0xff, 0xfe]);
    let read = session.read();
    assert_eq!(read.get_data("m", "main", None, true).unwrap().content.unwrap()["n"], 2);
    assert_eq!(read.get_data("m", "main", Some(1), true).unwrap().content.unwrap()["n"], 1);
    assert_eq!(read.get_data("m", "notes", None, true).unwrap().content, Some(json!("one\ntwo\n")));
    let bytes = read.get_data("m", "bytes", None, true).unwrap();
    assert_eq!(bytes.content, Some(json!(null)));
    assert_eq!(bytes.content_path.unwrap(), format!(".swamp/data/@me/x/{ID}/bytes/1/raw"));
    assert_eq!(read.get_data("m", "main", None, false).unwrap().content, None);
}

#[test]
fn unknown_names_fail_with_the_nearest_name_as_hint() {
    let (repository, session) = scene(&[("main", 2)]);
    let read = session.read();
    for (error, message, hint) in [
        (
            read.get_data("m", "mian", None, true).unwrap_err(),
            "`m` has no result `mian`",
            "did you mean `main`?",
        ),
        (
            read.get_data("m", "main", Some(9), true).unwrap_err(),
            "`m` has no version 9 of `main`",
            "`marsh data versions m main` lists the versions",
        ),
        (
            read.data_versions("m", "zzz").unwrap_err(),
            "`m` has no result `zzz`",
            "`marsh data list m` lists the results",
        ),
    ] {
        assert_eq!(error.code(), ErrorCode::NotFound);
        assert_eq!((error.to_string().as_str(), error.hint().as_deref()), (message, Some(hint)));
    }
    let text = repository.read(MODEL).replace("name: m", "name: database");
    repository.write("models/@me/x/database.yaml", text.replace(ID, "21111111-2222-4333-8444-555555555555"));
    let error = repository.session().read().list_data("databse", None).unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("did you mean `database`?"));
    assert!(read.get_data("m", "../../x", None, true).is_err());
}

#[test]
fn list_data_groups_by_kind() {
    let (_repository, session) = scene(&[("b", 1), ("a", 2)]);
    put(&session, file("notes"), "text");
    let list = session.read().list_data("m", None).unwrap();
    let groups: Vec<(&str, Vec<&str>)> = list
        .groups
        .iter()
        .map(|group| (group.kind.as_str(), group.items.iter().map(|item| item.name.as_str()).collect()))
        .collect();
    assert_eq!(groups, [("resource", vec!["a", "b"]), ("file", vec!["notes"])]);
    assert_eq!((list.total, session.read().list_data("m", Some("file")).unwrap().total), (3, 1));
}

#[test]
fn delete_data_removes_versions_names_prefixes_and_everything() {
    let (_repository, session) = scene(&[("a", 3), ("b1", 1), ("b2", 2), ("c", 1)]);
    let would = one(session.read().preview_delete_data(&of(version("a", 3))).unwrap());
    assert_eq!((would.versions_deleted, would.dry_run), (1, true));
    assert_eq!(names(&session), ["a@3", "b1@1", "b2@2", "c@1"]);
    delete(&session, version("a", 3)).unwrap();
    let newest = session.read().get_data("m", "a", None, false).unwrap();
    assert_eq!(newest.version, 2, "the newest that is left");
    assert_eq!(code(delete(&session, version("a", 3))), ErrorCode::NotFound);
    let many = several(delete(&session, DataTarget::Prefix("b".into())).unwrap());
    assert_eq!((many.total_deleted, many.total_versions_deleted, many.failed.len()), (2, 3, 0));
    assert_eq!(names(&session), ["a@2", "c@1"]);
    assert_eq!(one(delete(&session, DataTarget::Name("a".into())).unwrap()).versions_deleted, 2);
    assert_eq!(several(delete(&session, DataTarget::All).unwrap()).total_deleted, 1);
    assert_eq!(names(&session), Vec::<String>::new());
    assert_eq!(code(delete(&session, DataTarget::Name("a".into()))), ErrorCode::NotFound);
}

#[test]
fn renamed_datum_is_found_under_both_names() {
    let (_repository, session) = scene(&[("old", 2), ("taken", 1)]);
    let rename = |old: &str, new: &str| write(&session, |write| write.rename_data("m", old, new));
    assert_eq!(code(rename("old", "taken")), ErrorCode::DataExists);
    assert_eq!(code(rename("none", "new")), ErrorCode::NotFound);
    let renamed = rename("old", "new").unwrap();
    assert_eq!((renamed.copied_version, renamed.new_version), (2, 1));
    let read = session.read();
    for name in ["old", "new"] {
        let got = read.get_data("m", name, None, true).unwrap();
        assert_eq!((got.name.as_str(), &got.content.unwrap()["n"]), ("new", &json!(2)), "{name}");
    }
    // A version that is named by its number is that version.
    assert_eq!(read.get_data("m", "old", Some(1), true).unwrap().content.unwrap()["n"], 1);
    let deleted = records(&session, "lifecycle == 'deleted'").unwrap();
    assert_eq!((deleted.total, &deleted.results[0]["renamedTo"]), (1, &json!("new")));
}

#[test]
fn collect_data_deletes_surplus_versions_and_expired_data() {
    let (repository, session) = scene(&[("a", 12), ("b", 1)]);
    let would = session.read().preview_collect_data().unwrap();
    assert_eq!((would.versions_deleted, would.data_entries_expired, would.dry_run), (2, 0, true));
    assert_eq!(session.read().data_versions("m", "a").unwrap().total, 12);
    assert_eq!(write(&session, |write| write.collect_data()).unwrap().versions_deleted, 2);
    assert_eq!(session.read().data_versions("m", "a").unwrap().total, 10);
    assert_eq!(write(&session, |write| write.collect_data()).unwrap().versions_deleted, 0);
    let hour = Lifetime::After("1h".parse().unwrap());
    put(&session, Datum { lifetime: hour, ..resource("short") }, "{}");
    age(&repository, "short");
    let collected = write(&session, |write| write.collect_data()).unwrap();
    assert_eq!(
        (collected.data_entries_expired, collected.expired_entries[0].data_name.as_str()),
        (1, "short")
    );
}

/// Makes the only version of a datum a year old.
fn age(repository: &Repository, name: &str) {
    let file = format!(".swamp/data/@me/x/{ID}/{name}/1/metadata.yaml");
    let text = repository.read(&file);
    let created = text.lines().find(|line| line.starts_with("createdAt:")).unwrap().to_owned();
    repository.write(&file, text.replace(&created, "createdAt: \"2020-01-01T00:00:00.000Z\""));
}

#[test]
fn prune_data_deletes_data_without_a_definition() {
    let (repository, session) = scene(&[("a", 2)]);
    // Sessions read definitions when they are asked, so one session sees the edits.
    let preview = || session.read().preview_prune_data().unwrap();
    assert_eq!(preview().models_reclaimed, 0);
    let text = repository.read(MODEL);
    repository.write(MODEL, format!("{text}\n  broken"));
    assert_eq!(preview().models_reclaimed, 0, "a definition that cannot be read is still one");
    repository.remove(MODEL);
    let orphans = preview();
    assert_eq!((orphans.models_reclaimed, orphans.versions_deleted, orphans.dry_run), (1, 2, true));
    assert_eq!(names(&session), ["a@2"], "orphans are found until they are deleted");
    let prune = |preview: &DataPruned| write(&session, |write| write.prune_data(preview)).unwrap();
    repository.write(MODEL, &text);
    assert_eq!(prune(&orphans).models_reclaimed, 0, "its definition came back after the preview");
    repository.remove(MODEL);
    assert_eq!(prune(&orphans).data_entries_reclaimed, 1);
    assert_eq!(names(&session), Vec::<String>::new());
}

#[test]
fn search_data_finds_by_each_condition() {
    let (_repository, session) = scene(&[("apple", 2), ("banana", 1)]);
    let mut log = file("log");
    log.streaming = true;
    log.tags.push(("team", "x"));
    let id = put(&session, log, "line\n");
    let found = |request: DataSearchRequest| -> Vec<String> {
        let found = session.read().search_data(&request).unwrap();
        found.results.into_iter().map(|row| row.name).collect()
    };
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(found(DataSearchRequest { query: text("an"), ..request() }), ["banana"]);
    assert_eq!(found(DataSearchRequest { model: text("m"), ..request() }), ["apple", "banana", "log"]);
    assert_eq!(found(DataSearchRequest { kind: text("file"), ..request() }), ["log"]);
    let tags = vec![("team".to_owned(), "x".to_owned())];
    assert_eq!(found(DataSearchRequest { tags, ..request() }), ["log"]);
    assert_eq!(
        found(DataSearchRequest { content_type: text("application/json"), ..request() }),
        ["apple", "banana"]
    );
    assert_eq!(found(DataSearchRequest { streaming: true, ..request() }), ["log"]);
    let recent = DataSearchRequest { since_ms: Some(3_600_000), lifetime: text("infinite"), ..request() };
    assert_eq!(found(recent).len(), 3);
    assert_eq!(found(DataSearchRequest { since_ms: Some(u64::MAX), ..request() }).len(), 3);
    assert_eq!(found(DataSearchRequest { workflow: text("w"), ..request() }), Vec::<String>::new());
    let limited = session.read().search_data(&DataSearchRequest { limit: 1, ..request() }).unwrap();
    assert_eq!((limited.total, limited.results.len(), limited.limited), (3, 1, true));
    let all = session.read().search_data(&request()).unwrap();
    assert!(all.filters.is_empty() && all.results.iter().any(|row| row.id == id));
    let unknown = DataSearchRequest { output: text("0123abcd"), ..request() };
    assert_eq!(code(session.read().search_data(&unknown)), ErrorCode::NotFound);
    let tags = vec![("a\"b".to_owned(), "x".to_owned())];
    assert_eq!(code(session.read().search_data(&DataSearchRequest { tags, ..request() })), ErrorCode::Usage);
}

fn records(session: &Session, predicate: &str) -> Result<DataRecords, AppError> {
    match session.read().query_data(Some(predicate), None, None)? {
        DataQuery::Records(found) => Ok(found),
        DataQuery::Selected(selected) => panic!("{selected:?}"),
    }
}

#[test]
fn query_data_returns_the_records_that_meet_the_predicate() {
    let (_repository, session) = scene(&[("a", 3), ("b", 1), ("c", 2)]);
    let found = |predicate: &str| -> Vec<String> {
        let found = records(&session, predicate).unwrap();
        let rows = found.results.iter();
        rows.map(|row| format!("{}@{}", row["name"].as_str().unwrap(), row["version"])).collect()
    };
    for (predicate, expected) in [
        ("modelName == 'm'", vec!["a@3", "b@1", "c@2"]),
        ("name == 'a'", vec!["a@3"]),
        ("name == 'a' && version < 3", vec!["a@1", "a@2"]),
        ("!isLatest", vec!["a@1", "a@2", "c@1"]),
        ("attributes.n > 1.0", vec!["a@3", "c@2"]),
        ("attributes.n > 1.0 && name != 'c'", vec!["a@3"]),
        ("attributes.name.startsWith('b') || name == 'c'", vec!["b@1", "c@2"]),
        ("tags.specName == 'out' && name in ['a', 'b']", vec!["a@3", "b@1"]),
        // A record for which the predicate fails does not meet it.
        ("attributes.missing == 1", vec![]),
        ("tags.missing != 'x'", vec![]),
        ("has(attributes.n) && size(attributes.name) == 1", vec!["a@3", "b@1", "c@2"]),
    ] {
        assert_eq!(found(predicate), expected, "{predicate}");
    }
    let all = serde_json::to_value(session.read().query_data(None, Some("name"), None).unwrap()).unwrap();
    assert_eq!(all, json!({ "results": ["a", "b", "c"], "total": 3, "limited": false }));
    let selected =
        session.read().query_data(Some("modelName == 'm'"), Some("attributes.n"), Some(2)).unwrap();
    let selected = serde_json::to_value(selected).unwrap();
    assert_eq!(selected, json!({ "results": [3, 1], "total": 2, "limited": true }));
}

#[test]
fn records_have_the_fields_of_their_schema() {
    let (_repository, session) = scene(&[("a", 1)]);
    let found = records(&session, "attributes.n == 1.0").unwrap();
    let record: marsh_api::data::DataRecord = serde_json::from_value(found.results[0].clone()).unwrap();
    assert_eq!(serde_json::to_value(&record).unwrap(), found.results[0]);
}

#[test]
fn invalid_predicates_fail() {
    let session = Repository::new().session();
    let refused = |predicate: &str| records(&session, predicate).unwrap_err();
    assert_eq!(refused("modelName == ").code(), ErrorCode::ExpressionSyntax);
    let unknown = refused("modelNam == 'm'");
    assert_eq!(unknown.code(), ErrorCode::UnknownField);
    assert!(unknown.hint().unwrap().contains("`modelName`"), "{unknown}");
    let none = records(&session, "name == 'a'").unwrap();
    assert_eq!(none.total, 0, "nothing is stored yet");
}

#[test]
fn damaged_json_fails_a_query_that_needs_it() {
    let (repository, session) = scene(&[("a", 1), ("b", 1)]);
    repository.write(&format!(".swamp/data/@me/x/{ID}/a/1/raw"), "{\"n\": ");
    let query = |predicate: &str| records(&session, predicate);
    let error = query("modelName == 'm'").unwrap_err();
    assert_eq!(error.code(), ErrorCode::FileDamaged);
    let message = error.to_string();
    assert!(message.contains("version 1 of `a`") && message.contains("invalid JSON"), "{message}");
    // Content that the predicate excludes is not read.
    assert_eq!(query("modelName == 'm' && name == 'b'").unwrap().total, 1);
}

#[test]
fn data_of_an_illegible_definition_are_kept() {
    let (repository, session) = scene(&[("a", 1)]);
    repository.write(MODEL, "name: [\n");
    assert_eq!(code(session.read().preview_prune_data()), ErrorCode::InvalidDefinition);
    assert!(repository.path(&format!(".swamp/data/@me/x/{ID}/a/1/raw")).is_file());
}

#[test]
fn answers_do_not_depend_on_the_catalog_file() {
    let (repository, session) = scene(&[("a", 3), ("b", 1)]);
    let ask = || records(&session, "version > 0").unwrap();
    let expected = ask();
    let file = ".swamp/marsh/v1/data-catalog-v1.db";
    let whole = std::fs::read(repository.path(file)).unwrap();
    for damaged in [b"nonsense".to_vec(), whole[..whole.len() / 3].to_vec(), Vec::new()] {
        repository.write(file, damaged);
        assert_eq!(ask(), expected);
    }
    repository.remove(".swamp/marsh/v1");
    assert_eq!(ask(), expected);
}
