//! Files of `local_encryption` as existing repositories have them. The vectors were made with Web Crypto, from the
//! description of the format; what marsh writes is opened with `ring`.

#![expect(clippy::unwrap_used, reason = "helpers of tests are not recognised as tests")]
#![expect(clippy::disallowed_methods, reason = "tests set scenes by hand")]

use std::num::NonZeroU32;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use marsh_vault::{LocalEncryption, Secret, Vault, VaultConfig, VaultError};
use serde_json::{Map, Value, json};

const KEY: &str = "0a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f00015b0e2f64-2f2d-4d1b-8b7e-3c1f6a7f0002";
const DIR: &str = ".swamp/secrets/local_encryption/main";

const PLAIN: &str = r#"{
  "iv": "AgMEBQYHCAkKCwwN",
  "data": "NnReoI7Qwm0wnu+tuawIhYGDK3YIDufmjhE2Sghd4jDXbxVQF3+i",
  "salt": "AQIDBAUGBwgJCgsMDQ4PEA==",
  "version": 2
}"#;

fn open(repo: &Path, config: Value) -> LocalEncryption {
    let config: Map<String, Value> = config.as_object().unwrap().clone();
    LocalEncryption::open(&VaultConfig::new("main", "local_encryption", config), repo, Some(repo)).unwrap()
}

/// A repository whose vault `main` has this key file and these secrets.
fn repo(key: &str, secrets: &[(&str, &str)]) -> tempfile::TempDir {
    let repo = tempfile::tempdir().unwrap();
    let dir = repo.path().join(DIR);
    std::fs::create_dir_all(dir.join(".annotations")).unwrap();
    std::fs::write(dir.join(".key"), key).unwrap();
    for (name, text) in secrets {
        std::fs::write(dir.join(format!("{name}.enc")), text).unwrap();
    }
    repo
}

#[test]
fn files_of_another_implementation_are_read() {
    let repo = repo(KEY, &[("api-key", PLAIN)]);
    let vault = open(repo.path(), json!({"auto_generate": true}));
    assert_eq!(vault.get("api-key").unwrap().expose(), "hunter2 – grüße ☃");
    assert_eq!(vault.list().unwrap(), ["api-key"]);
}

#[test]
fn the_key_file_counts_byte_for_byte() {
    let sealed = r#"{"iv":"BgcICQoLDA0ODxAR","data":"d0uvWvrUnFmLdnZg+T1YvQUwIGTJCc28Ky5JQaj+ztnvtn5scXwJzW5JTjJGow==","salt":"AwQFBgcICQoLDA0ODxAREg==","version":2}"#;
    let repo = repo(&format!("{KEY}\n"), &[("k", sealed), ("other", PLAIN)]);
    let vault = open(repo.path(), json!({"auto_generate": true}));
    assert_eq!(vault.get("k").unwrap().expose(), "with a newline in the key file");
    let error = vault.get("other").unwrap_err();
    assert!(matches!(error, VaultError::WrongKey { .. }), "{error}");
}

#[test]
fn an_ssh_key_serves_as_key() {
    let sealed = r#"{"iv":"CgsMDQ4PEBESExQV","data":"clov+ajN+bJqoWCS1gVn0mzjWv686yZ8u6R2L6FpIg==","salt":"BQYHCAkKCwwNDg8QERITFA==","version":2}"#;
    let repo = repo("", &[("k", sealed)]);
    let key = repo.path().join("id");
    std::fs::write(
        &key,
        "-----BEGIN PRIVATE KEY-----\nbm90IGEgcmVhbCBrZXksIGJ1\n\ndCB1bmVuY3J5cHRlZCBieXRlcw==\n-----END PRIVATE KEY-----\n",
    )
    .unwrap();
    marsh_fs::set_mode(&key, 0o600).unwrap();
    let vault = open(repo.path(), json!({"ssh_key_path": "~/id"}));
    assert_eq!(vault.get("k").unwrap().expose(), "from an ssh key");
    marsh_fs::set_mode(&key, 0o640).unwrap();
    let error = vault.get("k").unwrap_err();
    assert!(matches!(error, VaultError::UnusableKey { .. }), "{error}");
}

#[test]
fn annotations_are_in_the_same_envelope() {
    let sealed = r#"{"iv":"Dg8QERITFBUWFxgZ","data":"jhA0iD5YMDGi6nXDXxThmlwcYKGBZGpcGWUclhYTVlbRbcV+csaoxJbu/Chz3uea2c6j6/kKtibog7w4nkyaUzAN2zByRwuEwFmpEc2E5fILeX9DmGYtn9rC9JrNp53oStqXyrjBC6MkpA==","salt":"BwgJCgsMDQ4PEBESExQVFg==","version":2}"#;
    let repo = repo(KEY, &[(".annotations/k", sealed)]);
    let annotation = open(repo.path(), json!({"auto_generate": true})).annotation("k").unwrap().unwrap();
    assert_eq!(annotation.url.as_deref(), Some("https://example.org"));
    assert_eq!(annotation.labels.unwrap()["team"], "a");
}

#[test]
fn another_implementation_opens_written_secrets() {
    let repo = repo(KEY, &[]);
    let vault = open(repo.path(), json!({"auto_generate": true}));
    let value = "a value\nof two lines ☃";
    vault.put("k", &Secret::new(value), &Default::default()).unwrap();
    let text = std::fs::read_to_string(repo.path().join(DIR).join("k.enc")).unwrap();
    assert!(text.starts_with("{\n  \"iv\": \""), "pretty, iv first: {text}");
    let envelope: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(envelope.as_object().unwrap().keys().collect::<Vec<_>>(), ["iv", "data", "salt", "version"]);
    assert_eq!(envelope["version"], 2);
    let bytes = |key: &str| STANDARD.decode(envelope[key].as_str().unwrap()).unwrap();
    assert_eq!((bytes("iv").len(), bytes("salt").len()), (12, 16));
    assert_eq!(opened(KEY.as_bytes(), &bytes("salt"), &bytes("iv"), bytes("data")), value);
    // Every write has an IV and a salt of its own.
    vault.put("k", &Secret::new(value), &Default::default()).unwrap();
    let again: Value =
        serde_json::from_str(&std::fs::read_to_string(repo.path().join(DIR).join("k.enc")).unwrap()).unwrap();
    assert!(again["iv"] != envelope["iv"] && again["salt"] != envelope["salt"]);
}

fn opened(material: &[u8], salt: &[u8], iv: &[u8], mut data: Vec<u8>) -> String {
    let mut key = [0; 32];
    let rounds = NonZeroU32::new(100_000).unwrap();
    ring::pbkdf2::derive(ring::pbkdf2::PBKDF2_HMAC_SHA256, rounds, salt, material, &mut key);
    let key =
        ring::aead::LessSafeKey::new(ring::aead::UnboundKey::new(&ring::aead::AES_256_GCM, &key).unwrap());
    let nonce = ring::aead::Nonce::try_assume_unique_for_key(iv).unwrap();
    let plain = key.open_in_place(nonce, ring::aead::Aad::empty(), &mut data).unwrap();
    String::from_utf8(plain.to_vec()).unwrap()
}

#[test]
fn a_changed_secret_file_is_refused() {
    let flipped = PLAIN.replace("NnReoI7", "MnReoI7");
    for (text, fits) in [
        (flipped.as_str(), "cannot decrypt"),
        (&PLAIN.replace("\"version\": 2", "\"version\": 1"), "unknown version 1, expected 2"),
        (&PLAIN.replace("AgMEBQYHCAkKCwwN", "AgME"), "`iv` has 3 bytes, expected 12"),
        (&PLAIN.replace("AgMEBQYHCAkKCwwN", "!"), "invalid Base64 in `iv`"),
        ("{}", "invalid secret file"),
        ("", "invalid secret file"),
    ] {
        let repo = repo(KEY, &[("k", text)]);
        let error = open(repo.path(), json!({"auto_generate": true})).get("k").unwrap_err();
        assert!(error.to_string().contains(fits), "{error}");
    }
}
