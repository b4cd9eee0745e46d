//! A life of the installed set.

use marsh_api::ErrorCode;
use marsh_api::event::{InstallEvent, NoEvents};
use marsh_app::InstallRequest;
use marsh_testkit::ExtensionRegistry;
use serde_json::json;

use crate::installed::{
    FROZEN, LOCKFILE, V1, V2, active_types, answer, assert_sound_set, collect, extensions, history, install,
    installed, name, package, pull, removal, remove, repo_of, request, rollback, update,
};
use crate::support::code;

fn registry() -> ExtensionRegistry {
    ExtensionRegistry::with(&[
        package("@acme/net", V1).needs("@acme/base@>=2026.01.01.1"),
        package("@acme/net", V2).needs("@acme/base@>=2026.02.01.1"),
        package("@acme/base", V1),
        package("@acme/base", V2),
    ])
}

#[test]
fn set_is_pulled_updated_rolled_back_and_emptied_with_one_generation_each() {
    let registry = registry();
    let repo = repo_of(&registry);
    let pulled = pull(&repo, &[&format!("@acme/net@{V1}")]).unwrap();
    assert_eq!(
        (&pulled["name"], &pulled["status"], &pulled["generation"]),
        (&json!("@acme/net"), &json!("installed"), &json!(1))
    );
    assert_eq!(pulled["dependencyResults"][0]["name"], "@acme/base");
    let again = pull(&repo, &[&format!("@acme/net@{V1}")]).unwrap();
    assert_eq!((&again["status"], &again["generation"]), (&json!("up_to_date"), &json!(null)));
    let update = update(&repo);
    assert_eq!(update["generation"], 2, "one state for all: {update:#}");
    assert_eq!(installed(&repo), [format!("@acme/base {V2}"), format!("@acme/net {V2}")]);
    let back = rollback(&repo).unwrap();
    assert_eq!((&back["restored"], &back["generation"]), (&json!(1), &json!(3)), "{back:#}");
    assert_eq!(installed(&repo), [format!("@acme/base {V2}"), format!("@acme/net {V1}")]);
    let removed = remove(&repo, &["@acme/net"]).unwrap();
    assert_eq!(removed["removed"]["name"], "@acme/net");
    assert_eq!(active_types(&repo, "@acme"), ["@acme/base"]);
    let history = extensions(&repo).history(None).unwrap();
    let commands: Vec<&str> = history.generations.iter().map(|one| one.command.as_deref().unwrap()).collect();
    let expected = ["rm", "rollback", "update", "pull"].map(|command| format!("marsh extension {command}"));
    assert_eq!(commands, expected);
    assert_sound_set(&repo);
}

#[test]
fn history_with_a_limit_has_the_newest_generations() {
    let registry = registry();
    let repo = repo_of(&registry);
    pull(&repo, &["@acme/base"]).unwrap();
    remove(&repo, &["@acme/base"]).unwrap();
    let all = history(&repo);
    let newest = answer(extensions(&repo).history(Some(1))).unwrap();
    assert_eq!(all["generations"].as_array().unwrap().len(), 2, "{all:#}");
    assert_eq!(newest["generations"], json!([all["generations"][0]]), "{newest:#}");
    assert_eq!(newest["current"], newest["generations"][0]["lockfile"]);
}

/// The document of one extension splits them; text for people needs the order of the change.
#[test]
fn pull_lists_every_extension_in_the_order_of_the_change() {
    let registry = registry();
    let repo = repo_of(&registry);
    let events = std::sync::Mutex::new(Vec::new());
    let sink = |event: InstallEvent| events.lock().unwrap().push(event);
    let changed = extensions(&repo).pull(&request(&["@acme/net"]), &sink).unwrap();
    let names: Vec<&str> = changed.extensions.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["@acme/base", "@acme/net"]);
    let events = events.into_inner().unwrap();
    let stored =
        |name: &str| events.contains(&InstallEvent::Stored { name: name.into(), version: V2.into() });
    assert!(stored("@acme/base") && stored("@acme/net"), "{events:?}");
}

#[test]
fn removal_by_force_names_the_extensions_that_are_left_without() {
    let registry = registry();
    let repo = repo_of(&registry);
    pull(&repo, &["@acme/net"]).unwrap();
    let refused = remove(&repo, &["@acme/base"]).unwrap_err();
    assert_eq!(refused["code"], "dependency_unsatisfied", "{refused:#}");
    let mut request = removal(&["@acme/base"]);
    request.force = true;
    let changed = extensions(&repo).remove(&request, &NoEvents).unwrap();
    let removed = changed.document.removed.as_slice();
    assert_eq!((removed.len(), removed[0].left_without.as_slice()), (1, &["@acme/net".to_owned()][..]));
}

/// What another clone needs is the lockfile.
#[test]
fn fresh_clone_restores_exactly_what_is_locked() {
    let registry = registry();
    let repo = repo_of(&registry);
    pull(&repo, &[&format!("@acme/net@{V1}")]).unwrap();
    let lockfile = repo.read(LOCKFILE);
    repo.remove(".swamp");
    assert_eq!(code(extensions(&repo).install(FROZEN, &NoEvents)), ErrorCode::Frozen);
    let restored = install(&repo, InstallRequest::default());
    assert_eq!((&restored["installed"], &restored["failed"]), (&json!(2), &json!(0)), "{restored:#}");
    assert_eq!(repo.read(LOCKFILE), lockfile, "the lockfile stays as it is");
    install(&repo, FROZEN);
    assert_sound_set(&repo);
}

#[test]
fn collection_keeps_what_the_past_needs_and_removes_the_rest() {
    let registry = registry();
    let repo = repo_of(&registry);
    pull(&repo, &[&format!("@acme/base@{V1}")]).unwrap();
    update(&repo);
    let nothing = collect(&repo, true, 50);
    assert_eq!((&nothing["removed"], &nothing["kept"]), (&json!([]), &json!(2)), "{nothing:#}");
    let looked = collect(&repo, false, 1);
    assert_eq!(looked["removed"][0]["version"], V1, "{looked:#}");
    assert_eq!(repo.list(".swamp/marsh/store/v1").len(), 2, "only looked");
    collect(&repo, true, 1);
    assert_eq!(repo.list(".swamp/marsh/store/v1").len(), 1);
    assert_sound_set(&repo);
}

#[test]
fn info_of_an_installed_extension_needs_no_registry() {
    let registry = registry();
    let repo = repo_of(&registry);
    pull(&repo, &["@acme/base"]).unwrap();
    registry.withdraw("@acme/base");
    let warnings = std::sync::Mutex::new(Vec::new());
    let sink = |event: InstallEvent| warnings.lock().unwrap().push(event);
    let name = name("@acme/base");
    let info = extensions(&repo).info(&name, &sink).unwrap();
    assert_eq!(info.installed.unwrap().version, V2);
    let warnings = warnings.into_inner().unwrap();
    assert!(matches!(warnings.as_slice(), [InstallEvent::Warning { .. }]), "{warnings:?}");
    remove(&repo, &["@acme/base"]).unwrap();
    assert_eq!(code(extensions(&repo).info(&name, &NoEvents)), ErrorCode::NotFound);
}
