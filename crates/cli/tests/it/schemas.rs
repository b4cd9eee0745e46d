//! Every document that a command prints with `--json` is valid against the schema that `marsh schema` prints for it.

use std::collections::BTreeMap;

use marsh_testkit::{ExtensionRegistry, Run};
use serde_json::Value;

use crate::support::{
    OUTPUTS, V1, V2, definition, extension, method, model, package, repo, repo_of, repo_with,
};

/// The schemas of the binary under test, compiled.
struct Schemas(BTreeMap<String, jsonschema::Validator>);

impl Schemas {
    fn of(all: &Value) -> Schemas {
        let schemas = all.as_object().unwrap().iter();
        Schemas(
            schemas
                .map(|(name, schema)| (name.clone(), jsonschema::validator_for(schema).unwrap()))
                .collect(),
        )
    }

    /// Fails the test unless the run printed exactly one document, valid against this schema.
    fn accept(&self, name: &str, run: &Run) {
        let document = run.json();
        let validator = self.0.get(name).unwrap_or_else(|| panic!("no schema `{name}`"));
        let errors: Vec<String> = validator
            .iter_errors(&document)
            .map(|error| format!("{}: {error}", error.instance_path()))
            .collect();
        assert!(errors.is_empty(), "{name}: {errors:?}\n{}", run.snapshot());
    }
}

const WRITES: &str = "await context.writeResource('out', 'out', { n: 1 }); \
                      await context.createFileWriter('blob', 'blob').writeAll('x');";

#[test]
fn documents_of_successful_commands_match_their_schemas() {
    let repo = repo_with(&format!("{OUTPUTS} {}", method("run", WRITES)));
    let schemas = Schemas::of(&repo.marsh(&["schema", "--all"]).ok().json());
    let run = |name: &str, arguments: &[&str]| {
        schemas.accept(name, &repo.marsh(&[&["--json"], arguments].concat()).ok());
    };
    run("version", &["version"]);
    run("document-list", &["schema"]);
    run("type-search", &["model", "type", "search"]);
    run("type-description", &["model", "type", "describe", "@me/x"]);
    run("type-description", &["model", "type", "describe", "@me/x", "--compact"]);
    run("model-created", &["model", "create", "@me/x", "m"]);
    run("model", &["model", "get", "m"]);
    run("model-search", &["model", "search"]);
    run("model-validation", &["model", "validate"]);
    run("model-validation", &["model", "validate", "m"]);
    run("method-description", &["model", "method", "describe", "m", "run"]);
    run("method-run", &["model", "method", "run", "m", "run"]);
    run("model-output", &["model", "output", "get", "m"]);
    run("model-output-search", &["model", "output", "search"]);
    run("model-output-log", &["model", "output", "logs", "m"]);
    run("report-search", &["report", "search"]);
    run("report-type-search", &["report", "type", "search"]);
    run("data", &["data", "get", "m", "out"]);
    run("data-list", &["data", "list", "m"]);
    run("data-versions", &["data", "versions", "m", "out"]);
    run("data-search", &["data", "search"]);
    run("data-query", &["data", "query", "name == 'out'"]);
    run("data-renamed", &["data", "rename", "m", "out", "kept"]);
    run("data-collected", &["data", "gc", "--yes"]);
    run("data-deleted", &["data", "delete", "m", "kept", "--yes"]);
    run("datastore-status", &["datastore", "status"]);
    run("datastore-type-search", &["datastore", "type", "search"]);
    run("vault-type-search", &["vault", "type", "search"]);
    run("vault-created", &["vault", "create", "local_encryption", "v"]);
    run("vault-search", &["vault", "search"]);
    run("vault", &["vault", "get", "v"]);
    run("secret-keys", &["vault", "list-keys", "v"]);
    run("model-deleted", &["model", "delete", "m", "--force", "--yes"]);
    run("doctor-extensions", &["doctor", "extensions"]);
    run("trust-list", &["extension", "trust", "list"]);
    run("trust-changed", &["extension", "trust", "add", "acme"]);
    run("trust-members", &["extension", "trust", "auto-trust", "on"]);
    repo.write("elsewhere/extensions/models/y.ts", model("@me/y", "methods: {},"));
    run("source-changed", &["extension", "source", "add", "elsewhere", "--only", "models"]);
    run("source-list", &["extension", "source", "list"]);
    run("source-changed", &["extension", "source", "rm", "elsewhere"]);
    run("repository-initialized", &["init", "another"]);
    run("registry-created", &["registry", "init", "registry"]);
    run("registry-token-created", &["registry", "token", "add", "registry", "me"]);
    run("registry-token-list", &["registry", "token", "list", "registry"]);
}

#[test]
fn report_of_broken_extensions_matches_its_schema() {
    let repo = repo_with(&format!("{OUTPUTS} {}", method("run", "")));
    let schemas = Schemas::of(&repo.marsh(&["schema", "--all"]).ok().json());
    repo.write("extensions/models/broken.ts", "export const model = {");
    repo.marsh(&["model", "method", "run", "@me/x", "run", "m"]);
    repo.write("extensions/models/y.ts", model("@me/y", "methods: {}, globalArguments: missing,"));
    repo.marsh(&["model", "type", "describe", "@me/y"]);
    let report = repo.marsh(&["--json", "doctor", "extensions", "--repair"]).exits(1);
    schemas.accept("doctor-extensions", &report);
    let document = report.json();
    for list in ["loaderErrors", "loadStates"] {
        assert_ne!(document[list], serde_json::json!([]), "{document:#}");
    }
    assert_eq!(document["repairReport"]["mode"], "applied", "{document:#}");
}

#[test]
fn documents_about_extensions_match_their_schemas() {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/a", V2), package("@s/b", V1)]);
    let repo = repo_of(&registry);
    let schemas = Schemas::of(&repo.marsh(&["schema", "--all"]).ok().json());
    let run = |name: &str, arguments: &[&str]| schemas.accept(name, &extension(&repo, arguments));
    run("extension-pulled", &["pull", &format!("@s/a@{V1}")]);
    run("extension-pulled", &["pull", "@s/b", "@s/a"]);
    run("extensions-rolled-back", &["rollback"]);
    run("extension-list", &["list", "--check-updates"]);
    run("extensions-outdated", &["outdated"]);
    run("extension-updated", &["update", "--check"]);
    run("extension-updated", &["update", "@s/a"]);
    run("extension", &["info", "@s/a"]);
    run("extension-search", &["search", "a"]);
    run("extensions-installed", &["install"]);
    run("extension-removed", &["rm", "@s/a", "--yes"]);
    run("extension-history", &["history"]);
    run("extensions-collected", &["gc", "--keep", "1"]);
}

#[test]
fn documents_about_publishing_match_their_schemas() {
    let repo = repo();
    repo.marsh(&["registry", "init", "registry"]).ok();
    let registry = repo.path("registry");
    let repo = repo.env("MARSH_REGISTRY", registry.into_os_string());
    repo.write("extensions/models/a.ts", model("@s/a", ""));
    repo.write(
        "manifest.yaml",
        format!("manifestVersion: 1\nname: \"@s/a\"\nversion: {V1}\nmodels: [a.ts]\n"),
    );
    let schemas = Schemas::of(&repo.marsh(&["schema", "--all"]).ok().json());
    let run = |name: &str, arguments: &[&str]| schemas.accept(name, &extension(&repo, arguments).ok());
    run("extension-pushed", &["push", "manifest.yaml", "--dry-run"]);
    run("extension-pushed", &["push", "manifest.yaml", "--yes", "--channel", "beta"]);
    run("extension-version", &["version", "@s/a"]);
    run("extension-promoted", &["promote", "@s/a", V1]);
    run("extension-yanked", &["yank", "@s/a", V1, "--reason", "broken", "--yes"]);
    run("extension-unyanked", &["unyank", "@s/a"]);
    run("extension-deprecated", &["deprecate", "@s/a", "--reason", "old", "--yes"]);
    run("extension-undeprecated", &["undeprecate", "@s/a"]);
}

#[test]
fn documents_of_failing_commands_match_the_error_schema() {
    let repo = repo_with(&format!("{OUTPUTS} {}", method("run", "throw new Error('no')")));
    let schemas = Schemas::of(&repo.marsh(&["schema", "--all"]).ok().json());
    repo.write("models/broken.yaml", definition("@me/x", "broken", "globalArguments: ["));
    let failing: &[&[&str]] = &[
        &["model", "get", "nothing"],
        &["model", "create", "@me/none", "m"],
        &["model", "type", "describe", "@me/none"],
        &["model", "method", "run", "@me/x", "none", "m"],
        &["model", "output", "get", "nothing"],
        &["report", "get", "nothing"],
        &["data", "get", "nothing", "out"],
        &["vault", "get", "nothing"],
        &["workflow", "get", "nothing"],
        &["workflow", "run", "nothing"],
        &["extension", "info", "@me/none"],
        &["serve", "status"],
        &["schema", "nothing"],
        &["nothing"],
    ];
    for arguments in failing {
        let run = repo.marsh(&[&["--json"], *arguments].concat());
        assert_ne!(run.code, Some(0), "{arguments:?}");
        schemas.accept("error", &run);
    }
    let failed = repo.marsh(&["--json", "model", "method", "run", "@me/x", "run", "m"]).exits(1);
    schemas.accept("method-run", &failed);
}

#[test]
fn a_full_disk_behind_standard_output_fails_the_command() {
    let repo = repo_with(&format!("{OUTPUTS} {}", method("run", "")));
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = repo.command(&["model", "type", "search"]).stdout(full).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("cannot write to standard output"), "{said}");
}
