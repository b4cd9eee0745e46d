//! `init` creates a repository, keeps the id of an existing one, and finds it again.

#![expect(clippy::unwrap_used, reason = "a failure here is a failure of the test")]

use std::path::Path;

use marsh_repo::{Environment, GitignoreAction, Repo, RepoError, init};

fn scratch() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn write(path: &Path, text: &str) {
    marsh_fs::create_dir_all(path.parent().unwrap()).unwrap();
    marsh_fs::atomic_write(path, text.as_bytes(), marsh_fs::Durability::Atomic).unwrap();
}

#[test]
fn find_below_a_new_repository_opens_it() {
    let dir = scratch();
    let outcome = init(dir.path(), "1.0.0", false).unwrap();
    assert_eq!(outcome.gitignore, GitignoreAction::Created);
    let below = dir.path().join("models");
    let found = Repo::find(None, &Environment::default(), &below).unwrap();
    assert_eq!(found.layout.root(), dir.path().canonicalize().unwrap());
    assert_eq!(found.marker.repo_id(), outcome.repo.marker.repo_id());
}

#[test]
fn init_of_a_repository_needs_force_and_keeps_its_id() {
    let dir = scratch();
    let first = init(dir.path(), "1.0.0", false).unwrap();
    assert!(matches!(init(dir.path(), "1.0.0", false), Err(RepoError::AlreadyThere { .. })));
    let again = init(dir.path(), "2.0.0", true).unwrap();
    assert_eq!(again.repo.marker.repo_id(), first.repo.marker.repo_id());
    assert_eq!(again.repo.marker.text("swampVersion"), Some("2.0.0"));
    assert_eq!(again.gitignore, GitignoreAction::Unchanged);
}

#[test]
fn init_with_force_keeps_the_keys_of_another_implementation() {
    let dir = scratch();
    write(
        &dir.path().join(".swamp.yaml"),
        "swampVersion: \"2026.08.22.1\"\ninitializedAt: \"2026-08-22T10:15:00.123Z\"\nrepoId: \"0a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001\"\ntools: [\"claude\"]\nmodelsDir: ext/m\n",
    );
    let repo = Repo::open(dir.path()).unwrap();
    assert!(repo.layout.extension_sources(&repo.marker, marsh_types::Kind::Model).ends_with("ext/m"));
    let forced = init(dir.path(), "9", true).unwrap();
    assert_eq!(forced.repo.marker.repo_id(), Some("0a6d3c52-8f6e-4c0e-9d9f-1b1f3a7f0001"));
    assert_eq!(forced.initialized_at, "2026-08-22T10:15:00.123Z");
    assert!(std::fs::read_to_string(dir.path().join(".swamp.yaml")).unwrap().contains("claude"));
}

#[test]
fn find_below_a_git_directory_stops_there() {
    let dir = scratch();
    init(dir.path(), "1", false).unwrap();
    let project = dir.path().join("project");
    marsh_fs::create_dir_all(&project.join(".git")).unwrap();
    assert!(matches!(Repo::find(None, &Environment::default(), &project), Err(RepoError::NotFound { .. })));
}

#[test]
fn find_with_flag_and_environment_uses_the_flag() {
    let (one, two) = (scratch(), scratch());
    init(one.path(), "1", false).unwrap();
    init(two.path(), "1", false).unwrap();
    let env = Environment::from_pairs([("SWAMP_REPO_DIR", one.path())]);
    let cwd = std::env::temp_dir();
    assert_eq!(Repo::find(None, &env, &cwd).unwrap().layout.root(), one.path().canonicalize().unwrap());
    assert_eq!(
        Repo::find(Some(two.path()), &env, &cwd).unwrap().layout.root(),
        two.path().canonicalize().unwrap()
    );
}

#[test]
fn open_with_an_invalid_marker_fails_with_the_line() {
    let dir = scratch();
    write(&dir.path().join(".swamp.yaml"), "a: 1\nb: [1\n");
    let error = Repo::open(dir.path()).unwrap_err();
    assert!(marsh_types::Explain::details(&error).unwrap()["line"].is_number());
    write(&dir.path().join(".swamp.yaml"), "defaultDriver: docker\n");
    assert!(Repo::open(dir.path()).unwrap_err().to_string().contains("defaultDriver"));
}
