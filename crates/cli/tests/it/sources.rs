//! Where types come from: the repository, mounted sources, pulled extensions.

use insta::assert_snapshot;
use marsh_testkit::Scratch;

use crate::support::{OUTPUTS, method, model, repo};

/// A model that says where it is from.
fn says(type_name: &str, word: &str) -> String {
    let body = format!("await context.writeResource('out', 'from', {{ word: '{word}' }});");
    model(type_name, &format!("{OUTPUTS} {}", method("run", &body)))
}

fn heard(repo: &Scratch, type_name: &str) -> String {
    let name = type_name.replace('@', "").replace('/', "-");
    let run = repo.marsh(&["--json", "model", "method", "run", type_name, "run", &name]).ok().json();
    run["dataArtifacts"][0]["attributes"]["word"].as_str().unwrap().to_owned()
}

fn origins(repo: &Scratch) -> Vec<String> {
    let found = repo.marsh(&["--json", "model", "type", "search", "@"]).ok().json();
    let rows = found["results"].as_array().unwrap().clone();
    rows.iter()
        .map(|row| format!("{} {}", row["normalized"].as_str().unwrap(), row["origin"].as_str().unwrap()))
        .collect()
}

#[test]
fn a_mounted_source_has_the_layout_of_a_repository_or_none() {
    let mounted = Scratch::empty(crate::support::BINARY);
    mounted.write("extensions/models/a.ts", says("@far/a", "far"));
    mounted.write("extensions/vaults/v.ts", "export const vault = {};\n");
    let flat = Scratch::empty(crate::support::BINARY);
    flat.write("b.ts", says("@flat/b", "flat"));
    flat.write("broken.ts", "export const model = {{;\n");
    let repo = repo();
    let sources =
        format!("sources:\n  - path: {}\n  - path: {}\n", mounted.root().display(), flat.root().display());
    repo.write(".swamp-sources.yaml", sources);
    assert_eq!(origins(&repo), ["@far/a source", "@flat/b source"]);
    assert_eq!(heard(&repo, "@far/a"), "far");
    assert_eq!(heard(&repo, "@flat/b"), "flat");
    let told = repo.marsh(&["model", "type", "search"]).ok().stderr;
    assert_eq!(told.matches("broken.ts").count(), 1, "one warning per file: {told}");
}

#[test]
fn sources_that_are_not_there_or_not_yaml() {
    let repo = repo();
    repo.write("extensions/models/a.ts", says("@me/a", "local"));
    repo.write(".swamp-sources.yaml", "sources:\n  - path: nowhere/at/all\n");
    assert_eq!(heard(&repo, "@me/a"), "local");
    repo.write(".swamp-sources.yaml", "sources: [\n");
    assert_snapshot!(repo.marsh(&["model", "type", "search"]).snapshot(), @r"
    success: false
    exit_code: 1
    ----- stdout -----

    ----- stderr -----
    error: [repo]/.swamp-sources.yaml: unclosed bracket '['
     --> [repo]/.swamp-sources.yaml:1:10
      |
    1 | sources: [
      |          ^
    ");
}

/// What the lockfile of another implementation says of an extension with an unverified archive.
fn lock(repo: &Scratch, name: &str) {
    let entry = format!(
        "{{ \"{name}\": {{ \"version\": \"2026.01.01.1\", \"pulledAt\": \"2026-01-01T00:00:00.000Z\", \"files\": [] }} }}\n"
    );
    repo.write("extensions/models/upstream_extensions.json", entry);
}

/// The tree that another implementation's pull leaves:
/// `.swamp/pulled-extensions/@scope/name/{manifest.yaml,models/,files/}`. It counts when the lockfile names it.
#[test]
fn a_pulled_extension_serves_its_types_and_files() {
    let repo = repo();
    let dir = ".swamp/pulled-extensions/@acme/tools";
    repo.write(
        &format!("{dir}/manifest.yaml"),
        "manifestVersion: 1\nname: \"@acme/tools\"\nversion: 2026.01.01.1\nmodels: [a.ts]\n",
    );
    let body = "const text = await Deno.readTextFile(context.extensionFile('data.txt')); await context.writeResource('out', 'from', { word: text });";
    repo.write(
        &format!("{dir}/models/a.ts"),
        model("@acme/a", &format!("{OUTPUTS} {}", method("run", body))),
    );
    repo.write(&format!("{dir}/files/data.txt"), "pulled");
    assert_eq!(origins(&repo), [] as [&str; 0], "a tree that the lockfile does not name is not installed");
    lock(&repo, "@acme/tools");
    assert_eq!(origins(&repo), ["@acme/a pulled"]);
    assert_eq!(heard(&repo, "@acme/a"), "pulled");
}

#[test]
fn local_wins_over_mounted_wins_over_pulled() {
    let repo = repo();
    repo.write(
        ".swamp/pulled-extensions/@acme/t/manifest.yaml",
        "manifestVersion: 1\nname: \"@acme/t\"\nversion: 2026.01.01.1\n",
    );
    repo.write(".swamp/pulled-extensions/@acme/t/models/a.ts", says("@acme/a", "pulled"));
    lock(&repo, "@acme/t");
    assert_eq!(heard(&repo, "@acme/a"), "pulled");
    repo.write("vendor/m/extensions/models/a.ts", says("@acme/a", "mounted"));
    repo.write(".swamp-sources.yaml", "sources: [{ path: vendor/m }]\n");
    assert_eq!(heard(&repo, "@acme/a"), "mounted");
    repo.write("extensions/models/a.ts", says("@acme/a", "local"));
    assert_eq!(heard(&repo, "@acme/a"), "local");
    assert_eq!(origins(&repo), ["@acme/a local"]);
    repo.remove("extensions/models/a.ts");
    assert_eq!(heard(&repo, "@acme/a"), "mounted");
}

#[test]
fn the_marker_may_move_the_sources() {
    let repo = repo();
    let marker = repo.read(".swamp.yaml");
    repo.write(".swamp.yaml", format!("{marker}modelsDir: src/models\n"));
    repo.write("src/models/a.ts", says("@me/a", "moved"));
    assert_eq!(heard(&repo, "@me/a"), "moved");
}
