//! Mounting directories of extension sources.

use std::sync::Mutex;

use marsh_api::ErrorCode;
use marsh_api::event::{InstallEvent, NoEvents};
use marsh_api::source::{SourceChanged, SourceStatus};
use marsh_app::{AppError, SourceAddRequest};
use marsh_types::Origin;

use crate::installed::{active_types, model};
use crate::support::{Repository, code};

fn add(repo: &Repository, path: &str, only: &[&str]) -> Result<SourceChanged, AppError> {
    let only = only.iter().map(|kind| (*kind).to_owned()).collect();
    repo.app().add_source(&SourceAddRequest { path: path.into(), only }, &NoEvents)
}

#[test]
fn mounted_directory_offers_its_types_until_it_is_unmounted() {
    let repo = Repository::new();
    repo.write("elsewhere/extensions/models/x.ts", model("@me/far"));
    assert_eq!(add(&repo, "elsewhere", &[]).unwrap().total_sources, 1);
    let listed = repo.app().sources().unwrap().sources.remove(0);
    assert_eq!((listed.status, listed.resolved_kinds), (SourceStatus::Valid, vec!["models".to_owned()]));
    assert_eq!(active_types(&repo, "far"), ["@me/far"]);
    repo.remove("elsewhere");
    assert_eq!(repo.app().sources().unwrap().sources[0].status, SourceStatus::PathNotFound);
    repo.app().remove_source("elsewhere").unwrap();
    assert!(!repo.exists(".swamp-sources.yaml"));
    assert_eq!(code(repo.app().remove_source("elsewhere")), ErrorCode::NotFound);
}

#[test]
fn source_that_could_not_work_is_not_mounted() {
    let repo = Repository::new();
    repo.write("extensions/models/x.ts", model("@me/near"));
    repo.write("bare/x.ts", model("@me/far"));
    repo.write("empty/readme.md", "");
    for (path, expected) in [
        ("gone", ErrorCode::NotFound),
        ("empty", ErrorCode::Refused),
        ("extensions/models", ErrorCode::Refused),
        ("", ErrorCode::Usage),
    ] {
        assert_eq!(code(add(&repo, path, &[])), expected, "{path}");
    }
    assert_eq!(code(add(&repo, "bare", &["vaults"])), ErrorCode::Refused);
    assert_eq!(code(add(&repo, "bare", &["nothing"])), ErrorCode::Usage);
    add(&repo, "bare", &[]).unwrap();
    assert_eq!(code(add(&repo, "bare", &[])), ErrorCode::Refused, "once is enough");
}

#[test]
fn pattern_that_matches_nothing_yet_is_mounted_with_a_warning() {
    let repo = Repository::new();
    let events = Mutex::new(Vec::new());
    let sink = |event: InstallEvent| events.lock().unwrap().push(event);
    let request = SourceAddRequest { path: "later/*".into(), only: Vec::new() };
    assert_eq!(repo.app().add_source(&request, &sink).unwrap().total_sources, 1);
    let warning = InstallEvent::Warning { message: "`later/*` matches nothing yet".into() };
    assert_eq!(events.into_inner().unwrap(), [warning]);
    repo.write("later/one/extensions/models/x.ts", model("@me/late"));
    assert_eq!(active_types(&repo, "@me"), ["@me/late"]);
}

#[test]
fn mounted_source_may_be_relative_and_limited_to_kinds() {
    let repo = Repository::new();
    repo.write("vendor/one/extensions/models/a.ts", model("@far/a"));
    repo.write("vendor/two/extensions/models/b.ts", model("@far/b"));
    repo.write(
        ".swamp-sources.yaml",
        "sources:\n  - path: vendor/one\n    only: [models]\n  - path: vendor/two\n    only: [vaults]\n",
    );
    let (found, _) = repo.session().read().search_types("@").unwrap();
    let origins: Vec<_> = found.results.iter().map(|row| (row.normalized.as_str(), row.origin)).collect();
    assert_eq!(origins, [("@far/a", Origin::Source)]);
}

#[test]
fn variable_in_a_path_has_its_value_from_the_environment_of_the_command() {
    let repo = Repository::new();
    repo.write("elsewhere/extensions/models/x.ts", model("@me/far"));
    let request = SourceAddRequest { path: "$MARSH_TEST_SOURCES".into(), only: Vec::new() };
    let sources = repo.path("elsewhere").display().to_string();
    let app = repo.app_at(repo.root(), &[("MARSH_TEST_SOURCES", &sources)]);
    assert_eq!(app.add_source(&request, &NoEvents).unwrap().total_sources, 1);
    assert_eq!(app.sources().unwrap().sources[0].status, SourceStatus::Valid);
    assert_eq!(repo.app().sources().unwrap().sources[0].status, SourceStatus::VariableNotSet);
}
