//! Known ways in which names, versions, channels and ownership go wrong.

use marsh_api::event::NoEvents;
use marsh_app::{InstallRequest, PullRequest, RegistryChoice};
use marsh_testkit::ExtensionRegistry;
use marsh_types::Channel;
use serde_json::{Value, json};

use crate::installed::{
    LOCKFILE, V1, V2, active_types, answer, assert_sound_set, extensions, install, installed, listed,
    package, pull, pull_request, remove, repo_of, request, rollback, update,
};

/// `@s/a`, `@s/a/b` and `@s/a/models` are three extensions, in whatever order they come and go.
#[test]
fn defect_28_nested_names_coexist() {
    let names = ["@s/a", "@s/a/b", "@s/a/models"];
    let packages = names.map(|name| package(name, V1).file("models/lib/x.ts", name));
    let registry = ExtensionRegistry::with(&packages);
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let repo = repo_of(&registry);
        for index in order {
            pull(&repo, &[names[index]]).unwrap();
            assert_sound_set(&repo);
        }
        assert_eq!(active_types(&repo, "@s"), names);
        assert_eq!(repo.read(".swamp/pulled-extensions/@s/a/models/lib/x.ts"), "@s/a");
        assert_eq!(repo.read(".swamp/pulled-extensions/@s/a/b/models/lib/x.ts"), "@s/a/b");
        assert_eq!(repo.read(".swamp/pulled-extensions/@s/a+models/models/lib/x.ts"), "@s/a/models");
        let restored = install(&repo, InstallRequest { verify: true, frozen: false });
        assert_eq!((&restored["upToDate"], &restored["installed"]), (&json!(3), &json!(0)), "no ping-pong");
        for index in order {
            remove(&repo, &[names[index]]).unwrap();
            assert_sound_set(&repo);
        }
        assert_eq!(repo.list(".swamp/pulled-extensions"), [""; 0]);
    }
}

#[test]
fn defect_30_constraints_are_evaluated() {
    let registry = ExtensionRegistry::with(&[
        package("@s/d", V1),
        package("@s/d", V2),
        package("@s/a", V1).needs(&format!("@s/d@>={V2}")),
        package("@s/old", V1).needs(&format!("@s/d@{V1}")),
        package("@s/never", V1).needs("@s/d@>=2027.01.01.1"),
    ]);
    let repo = repo_of(&registry);
    pull(&repo, &[&format!("@s/d@{V1}")]).unwrap();
    let pulled = pull(&repo, &["@s/a"]).unwrap();
    assert_eq!(pulled["dependencyResults"][0]["name"], "@s/d", "{pulled:#}");
    assert_eq!(installed(&repo), [format!("@s/a {V1}"), format!("@s/d {V2}")]);
    for (name, code) in [("@s/never", "unsatisfiable"), ("@s/old", "unsatisfiable")] {
        let error = pull(&repo, &[name]).unwrap_err();
        assert_eq!(error["code"], code, "{error:#}");
    }
    let downgrade = pull(&repo, &[&format!("@s/d@{V1}")]).unwrap_err();
    assert_eq!(downgrade["code"], "unsatisfiable", "{downgrade:#}");
    assert_eq!(installed(&repo), [format!("@s/a {V1}"), format!("@s/d {V2}")]);
    assert_sound_set(&repo);
}

/// In a fresh clone the lockfile is there and the trees are not.
#[test]
fn defect_30_a_locked_dependency_counts_only_when_it_is_there() {
    let registry = ExtensionRegistry::with(&[
        package("@s/d", V1),
        package("@s/a", V1).needs("@s/d"),
        package("@s/b", V1).needs("@s/d"),
    ]);
    let repo = repo_of(&registry);
    pull(&repo, &["@s/a"]).unwrap();
    repo.remove(".swamp");
    pull(&repo, &["@s/b"]).unwrap();
    let list = listed(&repo);
    let state = |name: &str| {
        let entries = list["extensions"].as_array().unwrap();
        entries.iter().find(|entry| entry["name"] == name).unwrap()["state"].clone()
    };
    assert_eq!((state("@s/b"), state("@s/d")), (json!("stored"), json!("stored")), "{list:#}");
    assert_eq!(state("@s/a"), "missing", "nobody asked for it: {list:#}");
    install(&repo, InstallRequest::default());
    assert_sound_set(&repo);
}

#[test]
fn defect_32_the_channel_is_kept() {
    let registry =
        ExtensionRegistry::with(&[package("@s/a", V1), package("@s/a", "2026.01.05.1").channel("beta")]);
    let repo = repo_of(&registry);
    let channel = || -> Value {
        serde_json::from_str::<Value>(&repo.read(LOCKFILE)).unwrap()["@s/a"]["channel"].clone()
    };
    let beta = PullRequest { channel: Some(Channel::Beta), ..request(&["@s/a"]) };
    pull_request(&repo, &beta).unwrap();
    assert_eq!((installed(&repo), channel()), (vec!["@s/a 2026.01.05.1".to_owned()], json!("beta")));
    repo.remove(".swamp");
    install(&repo, InstallRequest::default());
    assert_eq!(channel(), "beta", "restoring keeps it");
    registry.publish(&package("@s/a", "2026.01.06.1").channel("beta"));
    update(&repo);
    assert_eq!((installed(&repo), channel()), (vec!["@s/a 2026.01.06.1".to_owned()], json!("beta")));
    rollback(&repo).unwrap();
    assert_eq!((installed(&repo), channel()), (vec!["@s/a 2026.01.05.1".to_owned()], json!("beta")));
}

#[test]
fn defect_33_types_of_a_foreign_collective_are_refused() {
    for foreign in ["@other/y", "@swamp/aws", "aws"] {
        let registry = ExtensionRegistry::with(&[package("@s/a", V1).model("more.ts", foreign)]);
        let repo = repo_of(&registry);
        let error = pull(&repo, &["@s/a"]).unwrap_err();
        assert_eq!(error["code"], "foreign_type", "{error:#}");
        assert!(!repo.exists(LOCKFILE));
        assert_eq!(active_types(&repo, "@"), [""; 0]);
    }
}

/// Names are compared as names, not as beginnings of text.
#[test]
fn defect_35_a_name_that_begins_another_is_another() {
    let names = ["@s/ext", "@s/ext2", "@s/e_t"];
    let registry = ExtensionRegistry::with(&names.map(|name| package(name, V1)));
    let repo = repo_of(&registry);
    pull(&repo, &names).unwrap();
    remove(&repo, &["@s/ext"]).unwrap();
    assert_eq!(active_types(&repo, "@s"), ["@s/e_t", "@s/ext2"]);
    remove(&repo, &["@s/e_t"]).unwrap();
    assert_eq!(active_types(&repo, "@s"), ["@s/ext2"]);
    assert_sound_set(&repo);
}

/// The lockfile is where the repository's models are, wherever that is, for every command.
#[test]
fn defect_54_a_repository_with_other_directories_has_one_lockfile() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let repo = repo_of(&registry);
    let marker = repo.read(".swamp.yaml");
    repo.write(".swamp.yaml", format!("{marker}modelsDir: code/models\n"));
    pull(&repo, &["@s/a"]).unwrap();
    assert!(repo.exists("code/models/upstream_extensions.json") && !repo.exists(LOCKFILE));
    assert_eq!(active_types(&repo, "@s"), ["@s/a"]);
    assert_sound_set(&repo);
    remove(&repo, &["@s/a"]).unwrap();
    assert_eq!(active_types(&repo, "@s"), [""; 0]);
}

#[test]
fn defect_55_deprecation_is_reported() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1)]);
    let path = registry.record("@s/a");
    let mut record: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    record["deprecatedAt"] = json!("2026-03-01T00:00:00.000Z");
    record["deprecationReason"] = json!("use b");
    record["supersededBy"] = json!("@s/b");
    std::fs::write(&path, record.to_string()).unwrap();
    let repo = repo_of(&registry);
    let pulled = pull(&repo, &["@s/a"]).unwrap();
    let text = pulled.to_string();
    assert!(text.contains("use b") && text.contains("@s/b"), "{pulled:#}");
    let outdated = answer(extensions(&repo).outdated(&NoEvents)).unwrap();
    assert_eq!((&outdated["hasUpdateAvailable"], &outdated["failed"]), (&json!(false), &json!(0)));
    assert_eq!(outdated["hasDeprecated"], true, "{outdated:#}");
    assert_eq!(
        outdated["extensions"][0]["updateStatus"]["status"]
            .as_str()
            .or(outdated["extensions"][0]["status"].as_str()),
        Some("deprecated"),
        "{outdated:#}"
    );
}

/// Two ways into one repository are one repository.
#[test]
fn defect_27_a_repository_seen_through_a_link_is_the_same() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/b", V1)]);
    let repo = repo_of(&registry);
    let link = repo.outside().join("link");
    std::os::unix::fs::symlink(repo.root(), &link).unwrap();
    pull(&repo, &["@s/a"]).unwrap();
    let linked = repo.app_at(link, &[]).extensions(&RegistryChoice::default()).unwrap();
    linked.pull(&request(&["@s/b"]), &NoEvents).unwrap();
    assert_eq!(installed(&repo), [format!("@s/a {V1}"), format!("@s/b {V1}")]);
    let history = answer(linked.history(None)).unwrap();
    assert_eq!(history["generations"].as_array().unwrap().len(), 2, "one history: {history:#}");
    assert_sound_set(&repo);
}
