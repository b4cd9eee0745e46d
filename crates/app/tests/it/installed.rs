//! Helpers of the tests on the installed set: operations by their names, and documents as JSON.

use marsh_api::event::NoEvents;
use marsh_app::{
    AppError, CollectRequest, DoctorRequest, Extensions, InstallRequest, PullRequest, RegistryChoice,
    RemoveRequest, UpdateRequest,
};
use marsh_testkit::{ExtensionRegistry, Package};
use marsh_types::{ExtensionName, ExtensionRef};
use serde::Serialize;
use serde_json::{Value, json};

use crate::support::Repository;

pub const LOCKFILE: &str = "extensions/models/upstream_extensions.json";
pub const V1: &str = "2026.01.01.1";
pub const V2: &str = "2026.02.01.1";

/// A version of an extension with one model of the extension's own name.
pub fn package(name: &str, version: &str) -> Package {
    Package::new(name, version).model("main.ts", name)
}

/// A model module of this type, without imports.
pub fn model(type_name: &str) -> String {
    format!(
        "export const model = {{\n  type: \"{type_name}\",\n  version: \"2026.01.01.1\",\n  methods: {{}},\n}};\n"
    )
}

/// A repository that pulls from this registry.
pub fn repo_of(registry: &ExtensionRegistry) -> Repository {
    Repository::new().env("MARSH_REGISTRY", registry.location())
}

/// The installed set of the repository, with the registry of its environment.
pub fn extensions(repo: &Repository) -> Extensions {
    repo.app().extensions(&RegistryChoice::default()).unwrap()
}

pub fn name(text: &str) -> ExtensionName {
    text.parse().unwrap()
}

/// A request to pull these.
pub fn request(references: &[&str]) -> PullRequest {
    let references = references.iter().map(|text| text.parse::<ExtensionRef>().unwrap());
    PullRequest { extensions: references.collect(), ..PullRequest::default() }
}

/// A document as JSON, or the report of the error.
pub type Answer = Result<Value, Value>;

/// The answer of an operation.
pub fn answer<D: Serialize>(result: Result<D, AppError>) -> Answer {
    match result {
        Ok(document) => Ok(serde_json::to_value(document).unwrap()),
        Err(error) => Err(serde_json::to_value(error.report()).unwrap()),
    }
}

pub fn pull(repo: &Repository, references: &[&str]) -> Answer {
    pull_request(repo, &request(references))
}

pub fn pull_request(repo: &Repository, request: &PullRequest) -> Answer {
    answer(extensions(repo).pull(request, &NoEvents).map(|changed| changed.document))
}

/// A request to remove these, and none that others need.
pub fn removal(names: &[&str]) -> RemoveRequest {
    RemoveRequest { extensions: names.iter().map(|text| name(text)).collect(), force: false }
}

pub fn remove(repo: &Repository, names: &[&str]) -> Answer {
    answer(extensions(repo).remove(&removal(names), &NoEvents).map(|changed| changed.document))
}

/// The update of all, of which none fails.
#[track_caller]
pub fn update(repo: &Repository) -> Value {
    let document = update_all(repo);
    assert_eq!(document["summary"]["failed"], 0, "{document:#}");
    document
}

/// The update of all, of which some fail.
#[track_caller]
pub fn failing_update(repo: &Repository) -> Value {
    let document = update_all(repo);
    assert_ne!(document["summary"]["failed"], 0, "{document:#}");
    document
}

fn update_all(repo: &Repository) -> Value {
    let updated = extensions(repo).update(&UpdateRequest::default(), &NoEvents);
    answer(updated.map(|changed| changed.document)).unwrap()
}

pub fn rollback(repo: &Repository) -> Answer {
    answer(extensions(repo).rollback(None, &NoEvents).map(|changed| changed.document))
}

/// Installs what the lockfile names; none of it fails.
#[track_caller]
pub fn install(repo: &Repository, request: InstallRequest) -> Value {
    let installed = extensions(repo).install(request, &NoEvents);
    let document = answer(installed.map(|changed| changed.document)).unwrap();
    assert_eq!(document["failed"], 0, "{document:#}");
    document
}

pub const FROZEN: InstallRequest = InstallRequest { frozen: true, verify: false };

pub fn collect(repo: &Repository, apply: bool, keep: usize) -> Value {
    answer(extensions(repo).collect(CollectRequest { apply, keep })).unwrap()
}

pub fn listed(repo: &Repository) -> Value {
    answer(extensions(repo).list(false, &NoEvents).map(|listing| listing.document)).unwrap()
}

pub fn history(repo: &Repository) -> Value {
    answer(extensions(repo).history(None)).unwrap()
}

fn doctor(repo: &Repository, request: DoctorRequest) -> Value {
    answer(extensions(repo).diagnose(request, &NoEvents).map(|diagnosis| diagnosis.report)).unwrap()
}

pub const REPAIR: DoctorRequest = DoctorRequest { verify: false, repair: true, dry_run: false };
pub const VERIFY: DoctorRequest = DoctorRequest { verify: true, repair: false, dry_run: false };

/// The report of a sound set.
#[track_caller]
pub fn sound(repo: &Repository, request: DoctorRequest) -> Value {
    let report = doctor(repo, request);
    assert_eq!(report["overallStatus"], "pass", "{report:#}");
    report
}

/// The report of a set that is not sound.
#[track_caller]
pub fn unsound(repo: &Repository, request: DoctorRequest) -> Value {
    let report = doctor(repo, request);
    assert_eq!(report["overallStatus"], "fail", "{report:#}");
    report
}

/// What is installed, as `name version`, sorted.
pub fn installed(repo: &Repository) -> Vec<String> {
    let listing = extensions(repo).list(false, &NoEvents).unwrap();
    listing.document.extensions.iter().map(|row| format!("{} {}", row.name, row.version)).collect()
}

/// The types of a collective that are active, sorted.
pub fn active_types(repo: &Repository, collective: &str) -> Vec<String> {
    let (found, _warnings) = repo.session().read().search_types(collective).unwrap();
    found.results.into_iter().map(|row| row.normalized).collect()
}

/// `diagnose` finds nothing wrong, nor anything behind.
#[track_caller]
pub fn assert_sound_set(repo: &Repository) {
    let report = sound(repo, VERIFY);
    let views = &report["views"];
    for key in ["missing", "orphans", "dangling"] {
        assert_eq!(views[key], json!([]), "{report:#}");
    }
    assert_eq!(views["stale"], false, "{report:#}");
    assert_eq!(report["orphanFiles"], json!([]), "{report:#}");
}
