//! Every document that a command prints with `--json` is valid against the schema that `marsh schema` prints for it.
//!
//! The harness checks the documents of all runs of all tests (`marsh_testkit::documents_of`), failing ones too. The tests
//! here run every command of the table at least once successfully, and once so that it fails.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};

use marsh_api::schema::DOCUMENTS;
use marsh_testkit::{ExtensionRegistry, Scratch, command_words, schema_errors, wait_for};
use serde_json::{Value, json};

use crate::datastores::Scene;
use crate::support::{OUTPUTS, V1, V2, definition, method, model, package, repo, repo_of, repo_with};

/// The rows that a test has checked: document and command.
#[derive(Default)]
struct Checked(BTreeSet<(&'static str, &'static str)>);

impl Checked {
    /// Runs a command that succeeds, and notes its row.
    #[track_caller]
    fn run(&mut self, repo: &Scratch, name: &str, arguments: &[&str]) -> Value {
        let run = repo.marsh(&[&["--json"], arguments].concat()).ok();
        self.accept(name, arguments, &run.json())
    }

    /// Runs a command with a text as its input.
    #[track_caller]
    fn run_with(&mut self, repo: &Scratch, name: &str, arguments: &[&str], stdin: &str) -> Value {
        let run = repo.marsh_with_stdin(&[&["--json"], arguments].concat(), stdin).ok();
        self.accept(name, arguments, &run.json())
    }

    /// Fails the test unless the document is valid against this schema, and the table names it for this command.
    #[track_caller]
    fn accept(&mut self, name: &str, arguments: &[&str], document: &Value) -> Value {
        let row = DOCUMENTS.iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no row {name}"));
        let is_named = |command: &&&str| arguments.starts_with(&command_words(command));
        let command = row.commands.iter().filter(is_named).max_by_key(|command| command.len());
        let command = command.unwrap_or_else(|| panic!("{name}: {arguments:?}"));
        let errors = schema_errors(name, document);
        assert!(errors.is_empty(), "{name}: {errors:?}\n{document:#}");
        self.0.insert((row.name, command));
        document.clone()
    }
}

const WRITES: &str = "await context.writeResource('out', 'out', { n: 1 }); \
                      await context.createFileWriter('blob', 'blob').writeAll('x');";

fn models_and_data() -> Checked {
    let repo = repo_with(&format!("{OUTPUTS} {}", method("run", WRITES)));
    let mut checked = Checked::default();
    let mut run = |name: &str, arguments: &[&str]| checked.run(&repo, name, arguments);
    run("version", &["version"]);
    run("help", &["help"]);
    run("telemetry-statistics", &["telemetry", "stats"]);
    run("help", &["help", "model", "method"]);
    run("document-list", &["schema"]);
    run("type-search", &["model", "type", "search"]);
    run("type-description", &["model", "type", "describe", "@me/x"]);
    run("type-description", &["model", "type", "describe", "@me/x", "--compact"]);
    run("model-created", &["model", "create", "@me/x", "m"]);
    let path = run("model", &["model", "get", "m"])["path"].as_str().map(str::to_owned);
    run("model-search", &["model", "search"]);
    run("model-evaluation", &["model", "evaluate"]);
    run("model-evaluation", &["model", "evaluate", "m"]);
    run("model-validation", &["model", "validate"]);
    run("model-validation", &["model", "validate", "m"]);
    run("method-description", &["model", "method", "describe", "m", "run"]);
    run("method-run", &["model", "method", "run", "m", "run"]);
    run("model-output", &["model", "output", "get", "m"]);
    run("model-cancelled", &["model", "cancel", "--all"]);
    run("run-history", &["run", "history"]);
    run("run-diagnosis", &["run", "doctor"]);
    run("runs-collected", &["run", "gc", "--dry-run"]);
    run("model-output", &["model", "output", "m"]);
    run("model-output", &["model", "method", "history", "get", "m"]);
    run("model-output", &["model", "method", "history", "m"]);
    run("model-output-search", &["model", "output", "search"]);
    run("model-output-search", &["model", "method", "history", "search"]);
    run("model-output-log", &["model", "method", "history", "logs", "m"]);
    run("model-output-log", &["model", "output", "logs", "m"]);
    run("model-output-data", &["model", "output", "data", "m", "--field", "n"]);
    run("data", &["data", "get", "m", "out"]);
    run("data-list", &["data", "list", "m"]);
    run("data-versions", &["data", "versions", "m", "out"]);
    run("data-search", &["data", "search"]);
    run("data-query", &["data", "query", "name == 'out'"]);
    run("data-renamed", &["data", "rename", "m", "out", "kept"]);
    run("data-collected", &["data", "gc", "--yes"]);
    run("data-deleted", &["data", "delete", "m", "kept", "--yes"]);
    run("data-pruned", &["data", "prune", "--yes"]);
    run("doctor-extensions", &["doctor", "extensions"]);
    run("summary", &["summarise"]);
    run("repository-initialized", &["init", "another"]);
    run("repository-initialized", &["repo", "init", "a-third"]);
    run("repository-upgraded", &["repo", "upgrade"]);
    run("agent-added", &["agent", "setup", "--name", "acme"]);
    run("agent-list", &["agent", "list"]);
    run("agent-removed", &["agent", "rm", "acme"]);
    run("audit-timeline", &["audit"]);
    run("doctor-audit", &["doctor", "audit", "--tool", "codex"]);
    run("doctor-install", &["doctor", "install"]);
    run("doctor-secrets", &["doctor", "secrets"]);
    run("doctor-vaults", &["doctor", "vaults"]);
    run("doctor-workflows", &["doctor", "workflows"]);
    run("config", &["config", "set", "update.auto", "enabled"]);
    run("config", &["config", "get", "update.auto"]);
    run("config-list", &["config", "list"]);
    run("update-check", &["update", "--check"]);
    run("program-source", &["source", "fetch"]);
    run("program-source", &["source", "path"]);
    run("program-source", &["source", "clean"]);
    let text = repo.read(&path.unwrap());
    checked.run_with(&repo, "model-edited", &["model", "edit", "m"], &text);
    checked.run(&repo, "model-deleted", &["model", "delete", "m", "--force", "--yes"]);
    checked
}

fn reports() -> Checked {
    let repo = repo_with(&format!("{OUTPUTS} {}", method("run", WRITES)));
    repo.write(
        "extensions/reports/about.ts",
        "export const report = { name: '@me/about', description: 'About a run', scope: 'method',\n\
         execute: async () => ({ markdown: '# done', json: {} }) };\n",
    );
    let mut checked = Checked::default();
    let mut run = |name: &str, arguments: &[&str]| checked.run(&repo, name, arguments);
    run("model-created", &["model", "create", "@me/x", "m"]);
    run("method-run", &["model", "method", "run", "m", "run", "--report", "@me/about"]);
    run("report-type-search", &["report", "type", "search"]);
    run("report-description", &["report", "describe", "@me/about"]);
    run("report-result", &["report", "run", "@me/about", "m"]);
    run("report-search", &["report", "search"]);
    run("report", &["report", "get", "@me/about"]);
    checked
}

fn vaults() -> Checked {
    let repo = repo();
    let mut checked = Checked::default();
    checked.run(&repo, "vault-type-search", &["vault", "type", "search"]);
    checked.run(&repo, "vault-created", &["vault", "create", "local_encryption", "v"]);
    let put = ["vault", "put", "v", "key", "--label", "team=a"];
    checked.run_with(&repo, "secret-stored", &put, "hunter2");
    let mut run = |name: &str, arguments: &[&str]| checked.run(&repo, name, arguments);
    run("vault-search", &["vault", "search"]);
    let path = run("vault", &["vault", "get", "v"])["storagePath"].as_str().map(str::to_owned);
    run("secret-keys", &["vault", "list-keys", "v"]);
    run("secret", &["vault", "read-secret", "v", "key"]);
    run("secret-inspection", &["vault", "inspect", "v", "key"]);
    run("secret-annotated", &["vault", "annotate", "v", "key", "--notes", "n"]);
    let config = r#"{"auto_generate":true,"base_dir":"elsewhere"}"#;
    let text = repo.read(&path.unwrap());
    checked.run_with(&repo, "vault-edited", &["vault", "edit", "v"], &text);
    let mut run = |name: &str, arguments: &[&str]| checked.run(&repo, name, arguments);
    run(
        "vault-migrated",
        &["vault", "migrate", "v", "--to-type", "local_encryption", "--config", config, "--yes"],
    );
    run("secret-deleted", &["vault", "delete", "v", "key", "--yes"]);
    run("audit-trail", &["vault", "audit-trail"]);
    checked
}

fn datastores() -> Checked {
    let scene = Scene::new();
    let repo = scene.repo("");
    let mut checked = Checked::default();
    let mut run = |name: &str, arguments: &[&str]| checked.run(&repo, name, arguments);
    run("datastore-status", &["datastore", "status"]);
    run("doctor-datastores", &["doctor", "datastores"]);
    run("datastore-type-search", &["datastore", "type", "search"]);
    run("datastore-synced", &["datastore", "sync"]);
    run("datastore-synced", &["datastore", "sync", "--pull"]);
    run("datastore-lock", &["datastore", "lock", "status"]);
    scene.hold_lock();
    run("datastore-lock", &["datastore", "lock", "status"]);
    run("datastore-lock-released", &["datastore", "lock", "release", "--force"]);
    run("datastore-catalog-pulled", &["datastore", "catalog", "pull", "--namespaces", "a"]);
    run("datastore-index-migrated", &["datastore", "migrate-index"]);
    run("datastore-moved", &["datastore", "setup", "filesystem", "--path", "data"]);
    run("datastore-namespace-set", &["datastore", "namespace", "set", "a"]);
    run("datastore-namespace-list", &["datastore", "namespace", "list"]);
    run("datastore-namespace-migrated", &["datastore", "namespace", "migrate", "--yes"]);
    run("datastore-namespace-unset", &["datastore", "namespace", "unset", "--yes"]);
    run("datastore-compacted", &["datastore", "compact"]);
    let setup = ["datastore", "setup", "extension", "@me/mirror", "--config", &scene.config()];
    run("datastore-moved", &setup);
    checked
}

const WORKFLOW: &str = "
id: 5f0c8b7e-1111-4222-8333-444455556666
name: w
jobs:
- name: main
  steps:
  - name: look
    task: {type: assert, expr: 'true', message: no}
  - name: ask
    dependsOn: [{step: look, condition: {type: succeeded}}]
    task: {type: manual_approval, prompt: ship it?}
  - name: after
    dependsOn: [{step: ask, condition: {type: succeeded}}]
    task: {type: assert, expr: 'true', message: no}
";

fn workflows() -> Checked {
    let repo = repo();
    let mut checked = Checked::default();
    let path = checked.run(&repo, "workflow-created", &["workflow", "create", "w"])["path"].clone();
    let path = path.as_str().unwrap().to_owned();
    let id = repo.read(&path).lines().find_map(|line| line.strip_prefix("id: ").map(str::to_owned)).unwrap();
    let text = WORKFLOW.replace("5f0c8b7e-1111-4222-8333-444455556666", &id);
    checked.run_with(&repo, "workflow-edited", &["workflow", "edit", "w"], &text);
    let mut run = |name: &str, arguments: &[&str]| checked.run(&repo, name, arguments);
    run("workflow", &["workflow", "get", "w"]);
    run("workflow-graph", &["workflow", "get", "w", "--graph"]);
    run("workflow-search", &["workflow", "search"]);
    run("workflow-validation", &["workflow", "validate", "w"]);
    run("workflow-validations", &["workflow", "validate"]);
    run("workflow-evaluated", &["workflow", "evaluate", "w"]);
    run("workflow-evaluated", &["workflow", "evaluate"]);
    run("workflow-trigger-set", &["workflow", "trigger", "set", "w", "--schedule", "0 3 * * *"]);
    run("workflow-trigger", &["workflow", "trigger", "get", "w"]);
    run("workflow-trigger-removed", &["workflow", "trigger", "remove", "w"]);
    run("workflow-run", &["workflow", "run", "w"]);
    run("workflow-data-list", &["data", "list", "--workflow", "w"]);
    run("workflow-approvals", &["workflow", "approvals"]);
    run("workflow-approval", &["workflow", "approve", "w", "ask"]);
    run("workflow-run", &["workflow", "resume", "w"]);
    run("workflow-run", &["workflow", "run", "w"]);
    run("workflow-cancelled", &["workflow", "cancel", "w"]);
    run("workflow-run", &["workflow", "run", "w"]);
    run("workflow-approval", &["workflow", "reject", "w", "ask"]);
    run("workflow-run-search", &["workflow", "history", "search"]);
    run("workflow-run-record", &["workflow", "history", "get", "w"]);
    run("workflow-run-record", &["workflow", "history", "w"]);
    run("workflow-run-log", &["workflow", "history", "logs", "w"]);
    run("summary", &["summarise"]);
    run("workflow-deleted", &["workflow", "delete", "w", "--yes"]);
    checked
}

fn extensions() -> Checked {
    let registry = ExtensionRegistry::with(&[package("@s/a", V1), package("@s/a", V2), package("@s/b", V1)]);
    let repo = repo_of(&registry);
    let mut checked = Checked::default();
    let mut run = |name: &str, arguments: &[&str]| {
        let arguments = [&["extension"], arguments].concat();
        let document = repo.marsh(&[&["--json"], &arguments[..]].concat()).json();
        checked.accept(name, &arguments, &document);
    };
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
    for (name, arguments) in [
        ("engine-list", &["engine", "list"][..]),
        ("engine-installed", &["engine", "install"]),
        ("engines-removed", &["engine", "remove", "--all"]),
    ] {
        checked.accept(name, arguments, &repo.marsh(&[&["--json"], arguments].concat()).json());
    }
    let mut run = |name: &str, arguments: &[&str]| {
        let arguments = [&["extension"], arguments].concat();
        let document = repo.marsh(&[&["--json"], &arguments[..]].concat()).json();
        checked.accept(name, &arguments, &document);
    };
    run("trust-list", &["trust", "list"]);
    run("trust-changed", &["trust", "add", "acme"]);
    run("trust-members", &["trust", "auto-trust", "on"]);
    run("trust-changed", &["trust", "rm", "acme"]);
    repo.write("elsewhere/extensions/models/y.ts", model("@me/y", "methods: {},"));
    run("source-changed", &["source", "add", "elsewhere", "--only", "models"]);
    run("source-list", &["source", "list"]);
    run("source-changed", &["source", "rm", "elsewhere"]);
    checked
}

fn publishing() -> Checked {
    let repo = repo();
    let mut checked = Checked::default();
    checked.run(&repo, "registry-created", &["registry", "init", "registry"]);
    let registry = repo.path("registry");
    let repo = repo.env("MARSH_REGISTRY", registry.into_os_string());
    repo.write("extensions/models/a.ts", model("@s/a", ""));
    repo.write(
        "manifest.yaml",
        format!("manifestVersion: 1\nname: \"@s/a\"\nversion: {V1}\nmodels: [a.ts]\n"),
    );
    let mut run = |name: &str, arguments: &[&str]| checked.run(&repo, name, arguments);
    run("extension-pushed", &["extension", "push", "manifest.yaml", "--dry-run"]);
    run("extension-pushed", &["extension", "push", "manifest.yaml", "--yes", "--channel", "beta"]);
    run("extension-version", &["extension", "version", "@s/a"]);
    let quality = ["extension", "quality", "manifest.yaml"];
    checked.accept("extension-quality", &quality, &repo.marsh(&[&["--json"], &quality[..]].concat()).json());
    let empty = format!("manifestVersion: 1\nname: \"@s/a\"\nversion: {V1}\nskills: [help]\n");
    repo.write("empty/manifest.yaml", empty);
    repo.write(".claude/skills/help/SKILL.md", "---\nname: help\ndescription: Help\n---\n");
    let mut run = |name: &str, arguments: &[&str]| checked.run(&repo, name, arguments);
    run("extension-formatted", &["extension", "fmt", "empty/manifest.yaml"]);
    run("extension-promoted", &["extension", "promote", "@s/a", V1]);
    run("extension-yanked", &["extension", "yank", "@s/a", V1, "--reason", "broken", "--yes"]);
    run("extension-unyanked", &["extension", "unyank", "@s/a"]);
    run("extension-deprecated", &["extension", "deprecate", "@s/a", "--reason", "old", "--yes"]);
    run("extension-undeprecated", &["extension", "undeprecate", "@s/a"]);
    run("registry-token-created", &["registry", "token", "add", "registry", "me"]);
    let tokens = run("registry-token-list", &["registry", "token", "list", "registry"]);
    let id = tokens["tokens"][0]["id"].as_str().unwrap().to_owned();
    run("registry-token-removed", &["registry", "token", "rm", "registry", &id]);
    let made = repo.marsh(&["--json", "registry", "token", "add", "registry", "ada"]).ok().json();
    let token = made["token"].as_str().unwrap().to_owned();
    let server = crate::auth::Server::start(&repo, "registry");
    let mut run = |name: &str, arguments: &[&str]| checked.run(&repo, name, arguments);
    run("auth-login", &["auth", "login", "--server", &server.url, "--password", &token]);
    run("auth-identity", &["auth", "whoami"]);
    run("auth-token", &["auth", "token", "create", "--collective", "ada", "--scopes", "publish"]);
    run("auth-server-token", &["auth", "server-login", "--server", &server.url, "--token", "a.b"]);
    run("auth-logout", &["auth", "logout"]);
    drop(server);
    let serve = ["registry", "serve", "registry", "--listen", "127.0.0.1:0"];
    let started = first_document(&repo, &serve);
    checked.accept("registry-started", &serve, &started);
    checked
}

fn servers() -> Checked {
    let repo = repo();
    let mut checked = Checked::default();
    let started = first_document(&repo, &["serve"]);
    checked.accept("server-started", &["serve"], &started);
    // The first one was killed; this one is asked.
    let server = repo.spawn_extension_process(&[]);
    checked.run(&repo, "server-status", &["serve", "status"]);
    checked.run(&repo, "server-reloaded", &["serve", "reload"]);
    checked.run(&repo, "server-stopped", &["serve", "stop"]);
    server.wait().ok();
    checked
}

/// The document that a command prints before it goes on; the process is killed then.
fn first_document(repo: &Scratch, arguments: &[&str]) -> Value {
    let mut child = repo.command(&[&["--json"], arguments].concat()).spawn().unwrap();
    let mut text = String::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let document = wait_for("a document", || {
        text += &lines.next().unwrap().unwrap();
        serde_json::from_str(&text).ok()
    });
    child.kill().unwrap();
    child.wait().unwrap();
    document
}

#[test]
fn every_command_prints_a_document_that_its_schema_accepts() {
    let groups = [models_and_data, reports, vaults, datastores, workflows, extensions, publishing, servers];
    let checked: BTreeSet<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = groups.iter().map(|group| scope.spawn(group)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap().0).collect()
    });
    let rows = DOCUMENTS.iter().flat_map(|row| row.commands.iter().map(|command| (row.name, *command)));
    let missing: Vec<_> = rows.filter(|row| !checked.contains(row)).collect();
    assert_eq!(missing, [("", ""); 0], "no test runs these commands");
}

#[test]
fn schemas_that_the_binary_prints_are_those_that_the_harness_checks_with() {
    let printed = repo().marsh(&["schema", "--all"]).ok().json();
    let known = serde_json::to_value(marsh_api::schema::all_schemas()).unwrap();
    assert_eq!(printed, known);
}

/// An unknown flag is a usage error of every command, and nothing else happens.
#[test]
fn every_command_that_fails_prints_the_error_document() {
    let empty = Scratch::empty(crate::support::BINARY);
    let commands: BTreeSet<Vec<&str>> =
        DOCUMENTS.iter().flat_map(|row| row.commands).map(|command| command_words(command)).collect();
    // `help` ignores what follows the words that it explains.
    for command in commands.into_iter().filter(|words| *words != ["help"]) {
        let run = empty.marsh(&[&["--json"], &command[..], &["--no-such-flag"]].concat()).exits(2);
        assert_eq!(schema_errors("error", &run.json()), [""; 0], "{command:?}");
        assert_eq!(run.error()["class"], "usage", "{command:?}");
    }
    assert_eq!(empty.list("."), [""; 0]);
}

#[test]
fn report_of_broken_extensions_matches_its_schema() {
    let repo = repo_with(&format!("{OUTPUTS} {}", method("run", "")));
    repo.write("extensions/models/broken.ts", "export const model = {");
    repo.marsh(&["model", "method", "run", "@me/x", "run", "m"]);
    repo.write("extensions/models/y.ts", model("@me/y", "methods: {}, globalArguments: missing,"));
    repo.marsh(&["model", "type", "describe", "@me/y"]);
    let report = repo.marsh(&["--json", "doctor", "extensions", "--repair"]).exits(1);
    let document = report.json();
    assert_eq!(schema_errors("doctor-extensions", &document), [""; 0]);
    for list in ["loaderErrors", "loadStates"] {
        assert_ne!(document[list], json!([]), "{document:#}");
    }
    assert_eq!(document["repairReport"]["mode"], "applied", "{document:#}");
}

#[test]
fn documents_of_failing_commands_match_the_error_schema() {
    let repo = repo_with(&format!("{OUTPUTS} {}", method("run", "throw new Error('no')")));
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
        assert_eq!(schema_errors("error", &run.json()), [""; 0], "{arguments:?}");
    }
    let failed = repo.marsh(&["--json", "model", "method", "run", "@me/x", "run", "m"]).exits(1);
    assert_eq!(schema_errors("method-run", &failed.json()), [""; 0]);
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
