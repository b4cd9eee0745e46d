//! Every command on the installed set, once, as people see it. Its corners are in `defects_*`.

use insta::assert_snapshot;
use marsh_testkit::ExtensionRegistry;
use serde_json::json;

use crate::support::{
    LOCKFILE, V1, V2, active_types, assert_sound_set, extension, installed, package, repo_of,
};

fn registry() -> ExtensionRegistry {
    ExtensionRegistry::with(&[
        package("@acme/net", V1).needs("@acme/base@>=2026.01.01.1"),
        package("@acme/net", V2).needs("@acme/base@>=2026.02.01.1"),
        package("@acme/base", V1),
        package("@acme/base", V2),
    ])
}

#[test]
fn a_life_in_text() {
    let registry = registry();
    let repo = repo_of(&registry);
    let mut told = String::new();
    for command in [
        "list",
        "pull @acme/net@2026.01.01.1",
        "pull @acme/net@2026.01.01.1",
        "rm --yes @acme/base",
        "outdated",
        "update",
        "update",
        "outdated",
        "list",
        "rollback",
        "install",
        "rm --yes @acme/net",
        "rm --yes @acme/net",
        "update @acme/nett",
        "search net",
        "gc",
        "rollback 99",
    ] {
        let arguments: Vec<&str> = ["extension"].into_iter().chain(command.split(' ')).collect();
        let run = repo.marsh(&arguments);
        let code = run.code.unwrap();
        told.push_str(&format!("$ {command} ({code})\n{}{}", run.shown(), run.told()));
        if !told.ends_with('\n') {
            told.push('\n');
        }
    }
    assert_snapshot!(told, @"
    $ list (0)
    no extension is installed
    $ pull @acme/net@2026.01.01.1 (0)
    installed @acme/base 2026.02.01.1 (dependency)
    installed @acme/net 2026.01.01.1
    $ pull @acme/net@2026.01.01.1 (0)
    @acme/net 2026.01.01.1 is up to date
    $ rm --yes @acme/base (1)
    error: @acme/net needs @acme/base@>=2026.01.01.1

    hint: run `marsh extension rm @acme/net` first, or add `--force` to leave it without its dependency
    $ outdated (1)
    @acme/net 2026.01.01.1 -> 2026.02.01.1 is available
    $ update (0)
    @acme/base 2026.02.01.1 is up to date
    updated @acme/net 2026.01.01.1 -> 2026.02.01.1
    $ update (0)
    @acme/base 2026.02.01.1 is up to date
    @acme/net 2026.02.01.1 is up to date
    $ outdated (0)
    everything is up to date
    $ list (0)
    @acme/base  2026.02.01.1
    @acme/net   2026.02.01.1
    $ rollback (0)
    rolled back to generation 1, as generation 3
         @acme/net  2026.02.01.1 -> 2026.01.01.1
    $ install (0)
    @acme/base 2026.02.01.1 is up to date
    @acme/net 2026.01.01.1 is up to date
    $ rm --yes @acme/net (0)
    removed @acme/net 2026.01.01.1
    $ rm --yes @acme/net (1)
    error: @acme/net is not installed

    hint: run `marsh extension list` to see the installed extensions
    $ update @acme/nett (1)
    error: @acme/nett is not installed

    hint: run `marsh extension list` to see the installed extensions
    $ search net (0)
    @acme/net  2026.02.01.1  @acme/net for tests
    $ gc (0)
    nothing to remove; 3 trees are needed
    $ rollback 99 (1)
    error: unknown generation 99: the newest is 4

    hint: run `marsh extension history` to list the generations
    ");
    assert_sound_set(&repo);
}

#[test]
fn a_life_in_json() {
    let registry = registry();
    let repo = repo_of(&registry);
    let pulled = extension(&repo, &["pull", &format!("@acme/net@{V1}")]).ok().json();
    assert_eq!(
        (&pulled["name"], &pulled["status"], &pulled["generation"]),
        (&json!("@acme/net"), &json!("installed"), &json!(1))
    );
    assert_eq!(pulled["dependencyResults"][0]["name"], "@acme/base");
    let again = extension(&repo, &["pull", &format!("@acme/net@{V1}")]).ok().json();
    assert_eq!((&again["status"], &again["generation"]), (&json!("up_to_date"), &json!(null)));
    let update = extension(&repo, &["update"]).ok().json();
    assert_eq!(update["generation"], 2, "one state for all: {update:#}");
    assert_eq!(installed(&repo), [format!("@acme/base {V2}"), format!("@acme/net {V2}")]);
    let back = extension(&repo, &["rollback"]).ok().json();
    assert_eq!((&back["restored"], &back["generation"]), (&json!(1), &json!(3)), "{back:#}");
    assert_eq!(installed(&repo), [format!("@acme/base {V2}"), format!("@acme/net {V1}")]);
    let removed = extension(&repo, &["rm", "--yes", "@acme/net"]).ok().json();
    assert_eq!(removed["removed"]["name"], "@acme/net");
    assert_eq!(active_types(&repo, "@acme"), ["@acme/base"]);
    let history = extension(&repo, &["history"]).ok().json();
    let commands: Vec<&str> = history["generations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["command"].as_str().unwrap())
        .collect();
    let expected = ["rm", "rollback", "update", "pull"].map(|command| format!("marsh extension {command}"));
    assert_eq!(commands, expected);
    assert_sound_set(&repo);
}

/// What another clone needs is the lockfile.
#[test]
fn a_fresh_clone_restores_exactly_what_is_locked() {
    let registry = registry();
    let repo = repo_of(&registry);
    extension(&repo, &["pull", &format!("@acme/net@{V1}")]).ok();
    let lockfile = repo.read(LOCKFILE);
    repo.remove(".swamp");
    let frozen = extension(&repo, &["install", "--frozen"]).exits(1).error();
    assert_eq!(frozen["code"], "frozen");
    let restored = extension(&repo, &["install"]).ok().json();
    assert_eq!((&restored["installed"], &restored["failed"]), (&json!(2), &json!(0)), "{restored:#}");
    assert_eq!(repo.read(LOCKFILE), lockfile, "the wish does not change");
    extension(&repo, &["install", "--frozen"]).ok();
    assert_sound_set(&repo);
}

#[test]
fn collection_keeps_what_the_past_needs_and_removes_the_rest() {
    let registry = registry();
    let repo = repo_of(&registry);
    extension(&repo, &["pull", &format!("@acme/base@{V1}")]).ok();
    extension(&repo, &["update"]).ok();
    let nothing = extension(&repo, &["gc", "--apply"]).ok().json();
    assert_eq!((&nothing["removed"], &nothing["kept"]), (&json!([]), &json!(2)), "{nothing:#}");
    let looked = extension(&repo, &["gc", "--keep", "1"]).ok().json();
    assert_eq!(looked["removed"][0]["version"], V1, "{looked:#}");
    assert_eq!(repo.list(".swamp/marsh/store/v1").len(), 2, "only looked");
    extension(&repo, &["gc", "--apply", "--keep", "1"]).ok();
    assert_eq!(repo.list(".swamp/marsh/store/v1").len(), 1);
    assert_sound_set(&repo);
}
