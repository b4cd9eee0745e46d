//! What the tests have in common.

use marsh_testkit::{ExtensionRegistry, Package, Run, Scratch};
use serde_json::Value;

pub const BINARY: &str = env!("CARGO_BIN_EXE_marsh");

/// An initialized repository.
pub fn repo() -> Scratch {
    Scratch::repo(BINARY)
}

/// A repository with one model type, `@me/x` in `extensions/models/x.ts`, made of these members.
pub fn repo_with(members: &str) -> Scratch {
    let repo = repo();
    repo.write("extensions/models/x.ts", model("@me/x", members));
    repo
}

/// A repository whose type `@me/x` has one method `run` without arguments, with this body and `context` in scope. It
/// may write the resource `out` and the file `blob`.
pub fn repo_running(body: &str) -> Scratch {
    repo_with(&format!("{OUTPUTS} {}", method("run", body)))
}

/// A model module.
pub fn model(type_name: &str, members: &str) -> String {
    format!(
        "import {{ z }} from \"npm:zod@4.3.6\";\n\
         export const model = {{\n  type: \"{type_name}\",\n  version: \"2026.01.01.1\",\n  {members}\n}};\n"
    )
}

/// The `methods` of a model with one method that takes no arguments.
pub fn method(name: &str, body: &str) -> String {
    format!(
        "methods: {{ {name}: {{ description: \"Do it\", arguments: z.object({{}}), \
         execute: async (_args, context) => {{\n{body}\n}} }} }},"
    )
}

/// A resource `out` with any content, and a file `blob`.
pub const OUTPUTS: &str = r#"
  resources: { out: { description: "anything", schema: z.any(), lifetime: "infinite", garbageCollection: 10 } },
  files: { blob: { description: "bytes", contentType: "text/plain", lifetime: "infinite", garbageCollection: 10 } },"#;

/// `marsh model method run @me/x run m`, more arguments after it.
pub fn run_args<'a>(more: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["model", "method", "run", "@me/x", "run", "m"];
    arguments.extend(more);
    arguments
}

/// A definition file with what every definition has.
pub fn definition(type_name: &str, name: &str, rest: &str) -> String {
    format!("type: \"{type_name}\"\nid: {ID}\nname: {name}\nversion: 1\ntags: {{}}\n{rest}\n")
}

/// The id of [`definition`]s.
pub const ID: &str = "11111111-2222-4333-8444-555555555555";

/// An initialized repository that pulls from this registry, with a cache of its own.
pub fn repo_of(registry: &ExtensionRegistry) -> Scratch {
    Scratch::repo(BINARY).private_cache().env("MARSH_REGISTRY", registry.location())
}

/// `marsh --json extension …`.
pub fn extension(repo: &Scratch, arguments: &[&str]) -> Run {
    repo.marsh(&[&["--json", "extension"], arguments].concat())
}

/// What is installed, as `name version`, sorted.
pub fn installed(repo: &Scratch) -> Vec<String> {
    let list = extension(repo, &["list"]).ok().json();
    let text = |entry: &Value, key: &str| entry[key].as_str().unwrap().to_owned();
    let entries = list["extensions"].as_array().unwrap();
    entries.iter().map(|entry| format!("{} {}", text(entry, "name"), text(entry, "version"))).collect()
}

/// The types of a collective that are active, sorted.
pub fn active_types(repo: &Scratch, collective: &str) -> Vec<String> {
    let found = repo.marsh(&["--json", "model", "type", "search", collective]).ok().json();
    let rows = found["results"].as_array().unwrap().clone();
    rows.iter().map(|row| row["normalized"].as_str().unwrap().to_owned()).collect()
}

/// `doctor extensions` finds nothing wrong, nor anything behind.
#[track_caller]
pub fn assert_sound_set(repo: &Scratch) {
    let report = repo.marsh(&["--json", "doctor", "extensions", "--verify"]).ok().json();
    let views = &report["views"];
    for key in ["missing", "orphans", "dangling"] {
        assert_eq!(views[key], serde_json::json!([]), "{report:#}");
    }
    assert_eq!(views["stale"], false, "{report:#}");
    assert_eq!(report["orphanFiles"], serde_json::json!([]), "{report:#}");
}

pub const LOCKFILE: &str = "extensions/models/upstream_extensions.json";
pub const V1: &str = "2026.01.01.1";
pub const V2: &str = "2026.02.01.1";

/// A version of an extension with one model of the extension's own name.
pub fn package(name: &str, version: &str) -> Package {
    Package::new(name, version).model("main.ts", name)
}
