//! Publishing: which archives are accepted, and many publishers of one version.

use std::path::Path;
use std::sync::{Arc, Barrier};

use marsh_registry::{PushMetadata, RegistryError};
use marsh_types::Explain;

use crate::running::{Running, content, name, push};

#[test]
fn publish_of_one_version_by_fifty_succeeds_for_one() {
    let running = Arc::new(Running::new());
    let token = running.token(&["acme"], &["publish"]);
    let start = Arc::new(Barrier::new(50));
    let publishers: Vec<_> = (0..50u8)
        .map(|index| {
            let (running, start, token) = (Arc::clone(&running), Arc::clone(&start), token.clone());
            std::thread::spawn(move || {
                let (path, digest) = running.archive(&[index]);
                let client = running.client(Some(token));
                start.wait();
                (digest, client.publish(&push("@acme/a", "2026.01.01.1", None), &content(), &path))
            })
        })
        .collect();
    let results: Vec<_> = publishers.into_iter().map(|thread| thread.join().unwrap()).collect();
    let winners: Vec<_> = results.iter().filter(|(_, result)| result.is_ok()).collect();
    assert_eq!(winners.len(), 1);
    let winner = winners[0].0;
    for (_, result) in &results {
        match result {
            Ok(published) => assert_eq!(published.checksum, Some(winner)),
            Err(RegistryError::AlreadyExists { checksum, message }) => {
                assert_eq!(*checksum, Some(winner));
                assert!(message.contains(&winner.to_hex()), "{message}");
            }
            Err(other) => panic!("{other}"),
        }
    }
    let versions = running.client(None).versions(&name("@acme/a")).unwrap();
    assert_eq!((versions.len(), versions[0].checksum), (1, Some(winner)));
    let left = std::fs::read_dir(running.root().join("private/uploads")).unwrap().count();
    assert_eq!(left, 0, "uploads that lost are gone");
}

#[test]
fn push_of_an_invalid_archive_is_refused_and_leaves_nothing() {
    let running = Running::with(|options| options.max_archive_bytes = 1000);
    let owner = running.owner();
    let metadata = push("@acme/a", "2026.01.01.1", None);
    let (archive, _) = running.archive(&[7; 100]);
    let whole = std::fs::read(&archive).unwrap();
    for (bytes, code) in [
        (b"plain text".to_vec(), "validation_failed"),
        (whole[..whole.len() - 4].to_vec(), "validation_failed"),
        (vec![0x1f; 2000], "validation_failed"),
    ] {
        let (path, _) = running.file(&bytes);
        let error = owner.publish(&metadata, &content(), &path).unwrap_err();
        assert_eq!(error.code().as_str(), code, "{error}");
    }
    assert_eq!(owner.info(&name("@acme/a")).unwrap_err().code().as_str(), "not_found");
    assert_eq!(std::fs::read_dir(running.root().join("private/uploads")).unwrap().count(), 0);
    assert_eq!(std::fs::read_dir(running.root().join("archives")).unwrap().count(), 0);
}

#[test]
fn push_that_fails_validation_is_refused() {
    let running = Running::with(|options| {
        options.validate = Arc::new(|path: &Path, metadata: &PushMetadata| {
            assert!(path.is_file());
            Err(format!("expected a manifest of {}, found @acme/other", metadata.name))
        });
    });
    let (path, _) = running.archive(b"one");
    let error =
        running.owner().publish(&push("@acme/a", "2026.01.01.1", None), &content(), &path).unwrap_err();
    assert_eq!(error.code().as_str(), "validation_failed");
    assert!(error.to_string().contains("@acme/other"), "{error}");
}
