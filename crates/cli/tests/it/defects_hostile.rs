//! Code of extensions that must not run. What else registries, archives and lockfiles must not be able to do is tested in
//! `crates/app/tests/it/defects_hostile.rs`.

use std::path::Path;

use marsh_testkit::{ExtensionRegistry, Package};

use crate::support::{V1, V2, active_types, extension, package, repo_of};

/// Code that says so when it runs.
fn loud(name: &str, into: &Path) -> String {
    format!(
        "Deno.writeTextFileSync({:?}, \"ran\");\nexport const model = {{ type: \"{name}\", version: \"{V1}\", methods: {{}} }};\n",
        into.display().to_string()
    )
}

/// What a bundle in the archive says is never run for its source.
#[test]
fn defect_36_a_shipped_bundle_that_is_not_its_source_does_not_run() {
    let dir = tempfile::tempdir().unwrap();
    let ran = dir.path().join("ran");
    let registry =
        ExtensionRegistry::with(&[package("@s/a", V1).file("bundles/main.js", &loud("@s/a", &ran))]);
    let repo = repo_of(&registry);
    extension(&repo, &["pull", "@s/a"]).ok();
    repo.marsh(&["--json", "model", "type", "describe", "@s/a"]).ok();
    assert!(!ran.exists());
}

/// Not at pull, not at a look, not at removal; only when a method is run.
#[test]
fn defect_62_no_code_runs_at_install() {
    let dir = tempfile::tempdir().unwrap();
    let ran = dir.path().join("ran");
    let packages = [V1, V2].map(|version| {
        Package::new("@s/a", version)
            .source("main.ts", &loud("@s/a", &ran))
            .source("bare.ts", &format!("import \"no-such-package\";\n{}", loud("@s/a/bare", &ran)))
    });
    let registry = ExtensionRegistry::with(&packages);
    let repo = repo_of(&registry);
    for arguments in [
        &["pull", "@s/a@2026.01.01.1"][..],
        &["update"],
        &["outdated"],
        &["list"],
        &["rollback"],
        &["install"],
        &["gc", "--apply"],
        &["rm", "--yes", "@s/a"],
        &["pull", "@s/a"],
    ] {
        let run = extension(&repo, arguments);
        assert!(run.json().get("error").is_none(), "{}", run.snapshot());
        assert!(!ran.exists(), "{arguments:?}");
    }
    assert_eq!(active_types(&repo, "@s"), ["@s/a", "@s/a/bare"]);
    repo.marsh(&["doctor", "extensions"]).ok();
    assert!(!ran.exists());
    repo.marsh(&["--json", "model", "type", "describe", "@s/a"]).ok();
    assert!(ran.exists(), "this code would have been seen");
}
