//! Every command on the installed set, once, as people see it. Its documents and corners are tested in `crates/app/tests/it`.

use insta::assert_snapshot;
use marsh_testkit::ExtensionRegistry;

use crate::support::{V1, V2, assert_sound_set, extension, installed, package, repo_of};

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
fn flags_of_the_commands_reach_their_operations() {
    let registry = registry();
    let beta = "2026.03.01.1";
    registry.publish(&package("@acme/base", beta).channel("beta"));
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@acme/net", "--channel", "beta", "--lock-timeout", "1s"]).ok();
    extension(&repo, &["rm", "--yes", "@acme/base"]).exits(1);
    extension(&repo, &["rm", "--force", "@acme/base"]).ok();
    extension(&repo, &["pull", "@acme/base", "--channel", "beta"]).ok();
    assert_eq!(installed(&repo), [format!("@acme/base {beta}"), format!("@acme/net {V2}")]);
    let newest = extension(&repo, &["history", "--limit", "1"]).ok().json();
    assert_eq!(newest["generations"].as_array().unwrap().len(), 1, "{newest:#}");
    let checked = extension(&repo, &["list", "--check-updates"]).ok().json();
    assert_eq!(checked["extensions"][0]["updateStatus"], "up_to_date", "{checked:#}");
    let edited = ".swamp/pulled-extensions/@acme/net/models/main.ts";
    repo.set_writable(edited, true);
    repo.write(edited, repo.read(edited).replace("methods", "m3thods"));
    repo.marsh(&["doctor", "extensions"]).ok();
    repo.marsh(&["doctor", "extensions", "--verify"]).exits(1);
    let forced = repo.marsh(&["extension", "pull", "--force", "@acme/net"]).ok();
    assert!(forced.stderr.contains("overwriting models/main.ts"), "{}", forced.snapshot());
    repo.set_writable(edited, true);
    repo.write(edited, "// mine\n");
    repo.marsh(&["doctor", "extensions", "--repair"]).ok();
    extension(&repo, &["update", "--check"]).ok();
    repo.remove(".swamp");
    assert_eq!(extension(&repo, &["install", "--frozen"]).exits(1).error()["code"], "frozen");
    extension(&repo, &["install", "--verify"]).ok();
    extension(&repo, &["gc", "--apply", "--keep", "1"]).ok();
    assert_sound_set(&repo);
}
