//! The built-in vault on a disk: modes, names, races, and what the optional groups do.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not recognised as tests")]
#![expect(clippy::disallowed_methods, reason = "tests set scenes by hand")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use marsh_vault::{
    Action, Annotation, AuditQuery, Reference, RefreshHook, Secret, Secrets, VaultConfig, VaultError,
    VaultLayout, Vaults,
};
use serde_json::{Map, Value, json};

fn layout(repo: &Path) -> VaultLayout {
    VaultLayout {
        repo: repo.to_path_buf(),
        configs: repo.join("vaults"),
        audit: repo.join(".swamp/audit"),
        home: None,
    }
}

fn config(name: &str, config: Value) -> VaultConfig {
    let config: Map<String, Value> = config.as_object().unwrap().clone();
    VaultConfig::new(name, "local_encryption", config)
}

/// A repository with a vault `main`.
fn scene() -> (tempfile::TempDir, Vaults) {
    let repo = tempfile::tempdir().unwrap();
    let vaults = Vaults::new(layout(repo.path()), None, None);
    vaults.configs().create(&config("main", json!({"auto_generate": true}))).unwrap();
    (repo, vaults)
}

fn no_tags() -> BTreeMap<String, String> {
    BTreeMap::new()
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap().flatten() {
        match entry.path() {
            path if path.is_dir() => found.extend(files(&path)),
            path => found.push(path),
        }
    }
    found
}

#[test]
fn only_the_owner_can_read_keys_and_secrets() {
    use std::os::unix::fs::PermissionsExt as _;
    let (repo, vaults) = scene();
    let vault = vaults.open("main").unwrap();
    vault.put("k", &Secret::new("v"), &no_tags()).unwrap();
    vault
        .set_annotation("k", Some(&Annotation { notes: Some("n".into()), ..Annotation::default() }))
        .unwrap();
    let dir = repo.path().join(".swamp/secrets/local_encryption/main");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&dir), mode(&dir.join(".annotations"))), (0o700, 0o700));
    let files = files(&dir);
    assert_eq!(files.len(), 3);
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[test]
fn of_many_first_users_all_have_the_same_key() {
    let (repo, _) = scene();
    std::thread::scope(|scope| {
        for number in 0..16 {
            let layout = layout(repo.path());
            scope.spawn(move || {
                let vault = Vaults::new(layout, None, None).open("main").unwrap();
                vault.put(&format!("k{number}"), &Secret::new(number.to_string()), &no_tags()).unwrap();
            });
        }
    });
    let vault = Vaults::new(layout(repo.path()), None, None).open("main").unwrap();
    for number in 0..16 {
        assert_eq!(vault.get(&format!("k{number}")).unwrap().expose(), number.to_string());
    }
}

#[test]
fn no_name_leaves_the_vault() {
    let (repo, vaults) = scene();
    let vault = vaults.open("main").unwrap();
    for key in ["", "..", "a/b", "a\\b", "../x", "a\0b", "a..b"] {
        let error = vault.put(key, &Secret::new("v"), &no_tags()).unwrap_err();
        assert!(matches!(error, VaultError::InvalidName { .. }), "{key:?}: {error}");
        assert!(vault.get(key).is_err() && vault.delete(key).is_err(), "{key:?}");
    }
    for name in ["", "..", "a/b", "A", "a b", &"x".repeat(65)] {
        let error = vaults.configs().create(&config(name, json!({"auto_generate": true}))).unwrap_err();
        assert!(matches!(error, VaultError::InvalidName { .. }), "{name:?}: {error}");
    }
    let mut escaping = config("x", json!({}));
    escaping.vault_type = "../../x".to_owned();
    assert!(vaults.configs().create(&escaping).is_err());
    assert_eq!(files(&repo.path().join("vaults")).len(), 1);
}

#[test]
fn deleting_a_secret_takes_along_what_is_about_it() {
    let (repo, vaults) = scene();
    let vault = vaults.open("main").unwrap();
    vault.put("k", &Secret::new("v"), &no_tags()).unwrap();
    vault
        .set_annotation("k", Some(&Annotation { notes: Some("n".into()), ..Annotation::default() }))
        .unwrap();
    vault.set_refresh_hook("k", Some(&RefreshHook::new("echo 1", "1h").unwrap())).unwrap();
    assert!(vault.delete("k").unwrap());
    assert!(!vault.delete("k").unwrap());
    assert!(matches!(vault.get("k"), Err(VaultError::NoSuchSecret { .. })));
    assert_eq!(vault.annotation("k").unwrap(), None);
    let left = files(&repo.path().join(".swamp/secrets"));
    assert_eq!(left.len(), 1, "only the key: {left:?}");
}

#[test]
fn reading_makes_no_key() {
    let (repo, vaults) = scene();
    let vault = vaults.open("main").unwrap();
    assert!(matches!(vault.get("k"), Err(VaultError::NoSuchSecret { .. })));
    assert_eq!(vault.list().unwrap(), Vec::<String>::new());
    assert!(!repo.path().join(".swamp").exists());
}

#[test]
fn a_key_that_is_protected_or_shared_is_refused() {
    let repo = tempfile::tempdir().unwrap();
    let key = repo.path().join("id");
    let vaults = Vaults::new(layout(repo.path()), None, None);
    for text in [
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        // openssh-key-v1, cipher aes256-ctr
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAACmFlczI1Ni1jdHI=\n-----END OPENSSH PRIVATE KEY-----\n",
        "-----BEGIN X-----\n-----END X-----\n",
    ] {
        std::fs::write(&key, text).unwrap();
        marsh_fs::set_mode(&key, 0o600).unwrap();
        let only = vaults.open_config(&config("only", json!({"ssh_key_path": "id"}))).unwrap();
        let error = only.put("k", &Secret::new("v"), &no_tags()).unwrap_err();
        assert!(matches!(error, VaultError::UnusableKey { .. }), "{error}");
        // With both options, a key of its own takes its place.
        let both = config("both", json!({"ssh_key_path": "id", "auto_generate": true}));
        let both = vaults.open_config(&both).unwrap();
        both.put("k", &Secret::new("v"), &no_tags()).unwrap();
        assert_eq!(both.get("k").unwrap().expose(), "v");
    }
}

#[test]
fn unknown_options_and_types_are_named() {
    let (_repo, vaults) = scene();
    let error = vaults.open_config(&config("x", json!({"auto_generat": true}))).unwrap_err();
    assert!(error.to_string().contains("did you mean `auto_generate`"), "{error}");
    let mut old = config("x", json!({}));
    old.vault_type = "aws".to_owned();
    let error = vaults.open_config(&old).unwrap_err();
    assert!(marsh_types::Explain::hint(&error).unwrap().contains("@swamp/aws-sm"), "{error}");
    assert!(matches!(vaults.open("mian").unwrap_err(), VaultError::NoSuchVault { .. }));
}

#[test]
fn a_value_that_is_too_old_is_made_anew() {
    let (repo, vaults) = scene();
    let vault = vaults.open("main").unwrap();
    let counter = repo.path().join("count");
    let command = format!("echo x >> {0}; wc -l < {0}", counter.display());
    vault.put("k", &Secret::new("old"), &no_tags()).unwrap();
    vault.set_refresh_hook("k", Some(&RefreshHook::new(&command, "1h").unwrap())).unwrap();
    let asked = || {
        let fresh = Vaults::new(layout(repo.path()), None, None);
        let mut warnings = Vec::new();
        let reference = Reference::new("main", "k");
        let secret = fresh.resolve(&reference, "test", &mut |warning| warnings.push(warning)).unwrap();
        (secret.expose().trim().to_owned(), warnings)
    };
    assert_eq!(asked(), ("1".to_owned(), vec![]));
    assert_eq!(asked(), ("1".to_owned(), vec![]), "it is young enough");
    assert_eq!(vault.get("k").unwrap().expose(), "1");
    // A command that fails leaves the old value in service.
    vault.set_refresh_hook("k", Some(&RefreshHook::new("exit 3", "1h").unwrap())).unwrap();
    let (value, warnings) = asked();
    assert_eq!(value, "1");
    assert!(warnings[0].contains("was not refreshed") && warnings[0].contains('3'), "{warnings:?}");
}

#[test]
fn the_audit_trail_says_who_and_never_what() {
    let (repo, vaults) = scene();
    let vault = vaults.open("main").unwrap();
    vaults.put(vault.as_ref(), "k", &Secret::new("hidden-value"), &no_tags(), "test").unwrap();
    vaults.record(Action::Delete, vault.as_ref(), "k", "test").unwrap();
    let all = vaults.audit().read(&AuditQuery::default()).unwrap();
    assert_eq!(all.len(), 2);
    let puts =
        vaults.audit().read(&AuditQuery { action: Some(Action::Put), ..AuditQuery::default() }).unwrap();
    assert_eq!((puts.len(), puts[0].secret_key.as_str()), (1, "k"));
    for file in files(&repo.path().join(".swamp/audit")) {
        assert!(!std::fs::read_to_string(file).unwrap().contains("hidden-value"));
    }
}

#[test]
fn outputs_become_references_and_are_read_back() {
    let (_repo, vaults) = scene();
    let secrets = Secrets::new();
    assert_eq!(vaults.for_output(None).unwrap(), "main");
    let reference = vaults.store_output("main", "a-b", &json!("the-token"), &secrets, "test").unwrap();
    assert_eq!(reference, "${{ vault.get('main', 'a-b') }}");
    let mut stored = json!({"token": reference, "list": [reference], "other": format!("x {reference}")});
    assert!(vaults.resolve_stored(&mut stored, &secrets, "test").unwrap());
    assert_eq!(stored["token"], "the-token");
    assert_eq!(stored["list"][0], "the-token");
    assert_eq!(stored["other"], format!("x {reference}"), "only whole texts are references");
    assert_eq!(secrets.redact("the-token"), "***");
    let held = vaults.hold("'a' + vault.get('main', 'a-b')", &secrets, "test", &mut |_| {}).unwrap().unwrap();
    assert!(!held.contains("the-token"));
    assert_eq!(secrets.reveal(&held), "'a' + \"the-token\"");
}
