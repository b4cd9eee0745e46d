//! A source of an installed extension whose declarations cannot be read is listed, whatever the reason.

use std::path::Path;
use std::time::Duration;

use marsh_archive::{PackEntry, Source};
use marsh_extension::TypeCatalog;
use marsh_extension::lifecycle::{Lifecycle, LifecycleOptions, PullRequest, Silent};
use marsh_registry::{ClientOptions, Location, PushMetadata, Registry};
use marsh_repo::Repo;
use marsh_types::RelPath;
use serde_json::json;

const GOOD: &str = "export const model = { type: '@acme/good', version: '2026.01.01.1', methods: {} };\n";

/// Publishes an extension of these model sources and installs it in a new repository.
fn installed(top: &Path, sources: &[(&str, &[u8])]) -> Repo {
    let registry = top.join("registry");
    marsh_registry::init(&registry).unwrap();
    let names: Vec<&str> = sources.iter().map(|(name, _)| *name).collect();
    let manifest = format!(
        "manifestVersion: 1\nname: '@acme/pack'\nversion: 2026.01.01.1\nmodels: [{}]\n",
        names.join(", ")
    );
    let entry = |path: &str, bytes: &[u8]| PackEntry {
        path: RelPath::parse(path).unwrap(),
        source: Source::Bytes(bytes.to_vec()),
        executable: false,
    };
    let mut entries = vec![entry("manifest.yaml", manifest.as_bytes())];
    entries.extend(sources.iter().map(|(name, bytes)| entry(&format!("models/{name}"), bytes)));
    let mut archive = Vec::new();
    marsh_archive::pack(entries, &mut archive).unwrap();
    let file = top.join("pack.tar.gz");
    marsh_fs::atomic_write(&file, &archive, marsh_fs::Durability::Atomic).unwrap();
    let client = || ClientOptions { timeout: Duration::from_secs(10), ..ClientOptions::default() };
    let metadata: PushMetadata =
        serde_json::from_value(json!({ "name": "@acme/pack", "version": "2026.01.01.1", "description": "" }))
            .unwrap();
    Registry::open(Location::Directory(registry.clone()), client())
        .publish(&metadata, &json!({}), &file)
        .unwrap();
    let repo = marsh_repo::init(&top.join("repo"), "1", false).unwrap().repo;
    let options = LifecycleOptions {
        command: "test".into(),
        lock_timeout: Duration::from_secs(10),
        offline: true,
        archive_cache: top.join("cache"),
        registry: Location::Directory(registry),
        client: client(),
        jobs: 1,
        allow_missing_checksum: false,
    };
    let request =
        PullRequest { references: vec!["@acme/pack".parse().unwrap()], channel: None, force: false };
    Lifecycle::new(repo.clone(), options).pull(&request, &Silent).unwrap();
    repo
}

#[test]
fn broken_source_of_an_installed_extension_is_listed() {
    let top = tempfile::tempdir().unwrap();
    let repo = installed(
        top.path(),
        &[
            ("good.ts", GOOD.as_bytes()),
            ("syntax.ts", b"export const model = {;\n"),
            ("bytes.ts", b"\xff\xfe\x00"),
        ],
    );
    // Once as the catalog of stored trees reads it, and once as it was remembered.
    for round in 0..2 {
        let catalog = TypeCatalog::load(&repo).unwrap();
        let names: Vec<&str> = catalog.types.iter().map(|indexed| indexed.type_name.as_str()).collect();
        assert_eq!(names, ["@acme/good"], "round {round}");
        let mut problems: Vec<(String, String, bool)> = catalog
            .problems
            .iter()
            .map(|problem| {
                let name = problem.path.file_name().unwrap().to_string_lossy().into_owned();
                (name, problem.diagnostic.code.to_string(), problem.diagnostic.line.is_some())
            })
            .collect();
        problems.sort();
        let expected = [
            ("bytes.ts".to_owned(), "unreadable".to_owned(), false),
            ("syntax.ts".to_owned(), "syntax_error".to_owned(), true),
        ];
        assert_eq!(problems, expected, "round {round}");
    }
}
