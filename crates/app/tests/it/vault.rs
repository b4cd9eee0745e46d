//! Operations on vaults and secrets.

use marsh_api::ErrorCode;
use marsh_api::vault::{
    AuditAction, AuditTrailRequest, RefreshRequest, SecretAnnotateRequest, SecretDeleted, SecretPutRequest,
    SecretStored, SecretValueType, VaultCreateRequest, VaultMigrateRequest,
};
use marsh_app::{AppError, Session};
use marsh_types::{Explain as _, Kind};
use marsh_vault::Secret;
use serde_json::{Map, Value, json};

use crate::support::{Repository, code};

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn local(name: Option<&str>, config: Option<Value>) -> VaultCreateRequest {
    VaultCreateRequest {
        vault_type: "local_encryption".into(),
        name: name.map(str::to_owned),
        config: config.map(object),
        audit_reads: false,
    }
}

fn change<T>(
    session: &Session,
    work: impl FnOnce(&marsh_app::Write<'_>) -> Result<T, AppError>,
) -> Result<T, AppError> {
    session.write_beside_owner(work)?
}

/// A repository with a vault `main`.
fn scene() -> (Repository, Session) {
    let repository = Repository::new();
    let session = repository.session();
    change(&session, |write| write.create_vault(&local(Some("main"), None))).unwrap();
    (repository, session)
}

fn of(key: &str) -> SecretPutRequest {
    SecretPutRequest { vault: "main".into(), key: key.into(), ..SecretPutRequest::default() }
}

fn put_request(
    session: &Session,
    request: SecretPutRequest,
    value: Option<&str>,
) -> Result<SecretStored, AppError> {
    let prepared = session.read().prepare_secret(request)?;
    let secret = value.map(Secret::new);
    change(session, |write| write.put_secret(prepared, secret.as_ref()))
}

fn put(session: &Session, key: &str, value: &str) -> SecretStored {
    put_request(session, of(key), Some(value)).unwrap()
}

fn value(session: &Session, key: &str) -> String {
    session.read_secret("main", key).unwrap().value.expose().to_owned()
}

fn delete(session: &Session, ignore_missing: bool) -> Result<SecretDeleted, AppError> {
    change(session, |write| write.delete_secret("main", "key", ignore_missing))
}

fn actions(session: &Session, request: AuditTrailRequest) -> Vec<AuditAction> {
    let trail = session.read().audit_trail(&AuditTrailRequest { limit: 100, ..request }).unwrap();
    trail.entries.into_iter().map(|entry| entry.action).collect()
}

#[test]
fn secret_is_stored_read_listed_and_deleted() {
    let (_repository, session) = scene();
    let request = SecretPutRequest { labels: [("team".into(), "a".into())].into(), ..of("key") };
    let stored = put_request(&session, request, Some("hunter2")).unwrap();
    assert_eq!((stored.secret_key.as_str(), stored.overwritten), ("key", false));
    assert_eq!(value(&session, "key"), "hunter2");
    let keys = session.read().list_secrets("main").unwrap();
    assert_eq!((keys.secret_keys, keys.count), (vec!["key".to_owned()], 1));
    let seen = session.read().inspect_secret("main", "key").unwrap();
    assert_eq!((seen.size_bytes, seen.value_type), (7, SecretValueType::String));
    assert_eq!(seen.annotation.as_ref().unwrap().labels.as_ref().unwrap()["team"], "a");
    assert!(!serde_json::to_string(&seen).unwrap().contains("hunter2"));
    assert!(put(&session, "key", "{\"a\":1}").overwritten);
    let seen = session.read().inspect_secret("main", "key").unwrap();
    assert_eq!(seen.value_type, SecretValueType::Json);
    assert!(!delete(&session, false).unwrap().no_op);
    assert_eq!(code(session.read_secret("main", "key")), ErrorCode::SecretNotFound);
    assert_eq!(code(delete(&session, false)), ErrorCode::SecretNotFound);
    assert!(delete(&session, true).unwrap().no_op);
    let all = actions(&session, AuditTrailRequest::default());
    assert_eq!(all, [AuditAction::Delete, AuditAction::Put, AuditAction::Put]);
}

#[test]
fn missing_value_is_refused_and_an_empty_one_is_stored() {
    let (_repository, session) = scene();
    assert_eq!(code(put_request(&session, of("key"), None)), ErrorCode::Usage);
    assert_eq!(session.read().list_secrets("main").unwrap().count, 0);
    put(&session, "key", "");
    assert_eq!(value(&session, "key"), "");
}

#[test]
fn key_with_an_equals_sign_is_refused_and_an_old_one_can_be_deleted() {
    let (repository, session) = scene();
    assert_eq!(code(put_request(&session, of("key=hunter2"), Some("v"))), ErrorCode::InvalidName);
    assert_eq!(session.read().list_secrets("main").unwrap().count, 0);
    // What `put V KEY=VALUE` stored once.
    put(&session, "key", "v");
    let dir = repository.path(".swamp/secrets/local_encryption/main");
    std::fs::rename(dir.join("key.enc"), dir.join("key=hunter2.enc")).unwrap();
    let old = "key=hunter2";
    assert_eq!(session.read().list_secrets("main").unwrap().secret_keys, [old]);
    assert!(!change(&session, |write| write.delete_secret("main", old, false)).unwrap().no_op);
    assert_eq!(session.read().list_secrets("main").unwrap().count, 0);
}

#[test]
fn refreshed_secret_needs_no_value() {
    let (_repository, session) = scene();
    let refresh = RefreshRequest { command: "echo new".into(), ttl: "12h".into() };
    let request = SecretPutRequest { refresh: Some(refresh), ..of("key") };
    assert!(!session.read().prepare_secret(request.clone()).unwrap().needs_value());
    put_request(&session, request.clone(), None).unwrap();
    let hook = session.read().inspect_secret("main", "key").unwrap().refresh_hook.unwrap();
    assert_eq!((hook.command.as_str(), hook.ttl_ms, hook.last_refreshed_at), ("echo new", 43_200_000, None));
    put_request(&session, request, Some("old")).unwrap();
    let hook = session.read().inspect_secret("main", "key").unwrap().refresh_hook.unwrap();
    assert!(hook.last_refreshed_at.is_some(), "a given value is as new as a refreshed one");
    let clear = SecretPutRequest { clear_refresh: true, ..of("key") };
    put_request(&session, clear, None).unwrap();
    assert!(!session.read().inspect_secret("main", "key").unwrap().has_refresh_hook);
    assert_eq!(value(&session, "key"), "old");
    let refresh = RefreshRequest { command: "echo new".into(), ttl: "soon".into() };
    let invalid = SecretPutRequest { refresh: Some(refresh), ..of("key") };
    assert_eq!(code(session.read().prepare_secret(invalid)), ErrorCode::InvalidDuration);
}

#[test]
fn annotation_is_extended_reduced_and_cleared() {
    let (_repository, session) = scene();
    let request = |change: SecretAnnotateRequest| SecretAnnotateRequest {
        vault: "main".into(),
        key: "key".into(),
        ..change
    };
    let annotate = |change_: SecretAnnotateRequest| {
        change(&session, |write| write.annotate_secret(&request(change_))).map(|done| done.annotation)
    };
    assert_eq!(code(annotate(SecretAnnotateRequest::default())), ErrorCode::SecretNotFound);
    put(&session, "key", "v");
    let labels = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())].into();
    let noted = annotate(SecretAnnotateRequest { notes: Some("n".into()), labels, ..Default::default() });
    assert_eq!(noted.unwrap().unwrap().labels.unwrap().len(), 2);
    let remove_labels = vec!["a".to_owned()];
    let noted =
        annotate(SecretAnnotateRequest { url: Some("u".into()), remove_labels, ..Default::default() });
    let noted = noted.unwrap().unwrap();
    assert_eq!((noted.url.as_deref(), noted.notes.as_deref()), (Some("u"), Some("n")));
    assert_eq!(noted.labels.unwrap().into_keys().collect::<Vec<_>>(), ["b"]);
    assert_eq!(annotate(SecretAnnotateRequest { clear: true, ..Default::default() }).unwrap(), None);
    assert!(!session.read().inspect_secret("main", "key").unwrap().has_annotation);
}

#[test]
fn vault_is_created_once_and_with_a_valid_type_and_configuration() {
    let repository = Repository::new();
    let session = repository.session();
    let missing = session.read().list_secrets("main").unwrap_err();
    assert_eq!(missing.code(), ErrorCode::VaultNotFound);
    assert!(missing.hint().unwrap().contains("vault create"));
    let create = |request: &VaultCreateRequest| change(&session, |write| write.create_vault(request));
    let made = create(&local(Some("main"), None)).unwrap();
    assert_eq!(Value::Object(made.config), json!({"auto_generate": true}));
    assert_eq!(create(&local(None, None)).unwrap().name, "local-encryption");
    assert_eq!(code(create(&local(Some("main"), None))), ErrorCode::AlreadyExists);
    assert!(create(&local(Some("other"), Some(json!({"auto_generat": true})))).is_err());
    let unknown = VaultCreateRequest { vault_type: "local_encription".into(), ..local(None, None) };
    let unknown = create(&unknown).unwrap_err();
    assert_eq!(unknown.code(), ErrorCode::unknown_type(Kind::Vault));
    assert!(unknown.hint().unwrap().contains("local_encryption"));
    let found = session.read().search_vaults(None);
    let names: Vec<&str> = found.results.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["local-encryption", "main"], "refused vaults leave no file");
    assert_eq!(session.read().search_vaults(Some("mai")).results.len(), 1);
    let types = session.read().search_vault_types(Some("local_encription")).unwrap();
    assert_eq!(types.results[0].vault_type, "local_encryption", "the nearest name");
    repository.write("vaults/local_encryption/broken.yaml", "id: [");
    assert_eq!(session.read().search_vaults(None).problems.len(), 1);
}

#[test]
fn edited_vault_keeps_its_name_and_records_reads() {
    let (repository, session) = scene();
    put(&session, "key", "v");
    session.read_secret("main", "key").unwrap();
    let gets = || AuditTrailRequest { action: Some(AuditAction::Get), ..AuditTrailRequest::default() };
    assert_eq!(actions(&session, gets()), []);
    let source = session.read().vault_source("main", None).unwrap();
    let edit = |text: &str| change(&session, |write| write.edit_vault("main", None, text));
    let edited = edit(&(source.text.clone() + "auditReads: true\n")).unwrap();
    assert!(repository.read(&edited.path).contains("auditReads: true"));
    session.read_secret("main", "key").unwrap();
    assert_eq!(actions(&session, gets()), [AuditAction::Get]);
    let renamed = source.text.replace("name: main", "name: other");
    assert_eq!(code(edit(&renamed)), ErrorCode::Refused);
    assert_eq!(code(edit("id: [")), ErrorCode::InvalidYaml);
    assert_eq!(code(session.read().get_vault("main", Some("@me/other"))), ErrorCode::NotFound);
    assert!(session.read().get_vault("main", Some("local_encryption")).unwrap().audit_reads);
}

#[test]
fn migrated_vault_has_its_secrets_in_the_new_place() {
    let (repository, session) = scene();
    put(&session, "a", "1");
    put(&session, "b", "2");
    let request = |config: Option<Value>| VaultMigrateRequest {
        vault: "main".into(),
        to_type: "local_encryption".into(),
        config: config.map(object),
    };
    assert_eq!(code(session.read().preview_migrate_vault(&request(None))), ErrorCode::Refused);
    let elsewhere = request(Some(json!({"auto_generate": true, "base_dir": "elsewhere"})));
    let would = session.read().preview_migrate_vault(&elsewhere).unwrap();
    assert_eq!((would.secrets_migrated, would.dry_run), (2, true));
    assert!(!repository.path("elsewhere").exists());
    let moved = change(&session, |write| write.migrate_vault(&elsewhere)).unwrap();
    assert_eq!((moved.secrets_migrated, moved.dry_run), (2, false));
    assert!(repository.path("elsewhere/.swamp/secrets/local_encryption/main/a.enc").is_file());
    assert_eq!(value(&repository.session(), "b"), "2");
}

#[test]
fn audit_trail_is_limited() {
    let (_repository, session) = scene();
    put(&session, "a", "1");
    put(&session, "b", "2");
    let one = AuditTrailRequest { limit: 1, ..AuditTrailRequest::default() };
    let trail = session.read().audit_trail(&one).unwrap();
    assert_eq!((trail.returned_count, trail.truncated), (1, true));
    let of_a = AuditTrailRequest { key: Some("a".into()), limit: 100, ..AuditTrailRequest::default() };
    let trail = session.read().audit_trail(&of_a).unwrap();
    assert_eq!((trail.entries[0].secret_key.as_str(), trail.truncated), ("a", false));
    assert_eq!(trail.entries[0].caller_context, "marsh vault");
}
