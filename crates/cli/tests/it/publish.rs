//! Publishing and what is done to published versions, from a manifest to another repository.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use marsh_testkit::{Run, Scratch};
use serde_json::{Value, json};

use crate::support::{OUTPUTS, method, model, repo};

const ZONE: &str = "@acme/dns/zone";

/// A repository that publishes `@acme/dns` to a registry of its own.
fn publisher() -> Scratch {
    let repo = repo();
    repo.marsh(&["registry", "init", "registry"]).ok();
    let repo = with_registry(repo);
    version(&repo, "2026.01.01.1", "one");
    repo
}

fn with_registry(repo: Scratch) -> Scratch {
    let registry = repo.path("registry");
    repo.env("MARSH_REGISTRY", registry.into_os_string())
}

/// Writes the extension as this version, whose method writes `answer`.
fn version(repo: &Scratch, version: &str, answer: &str) {
    let body = format!("await context.writeResource('out', 'answer', {{ answer: shown('{answer}') }});");
    let source = model(ZONE, &format!("{OUTPUTS} {}", method("run", &body)));
    let source = format!("import {{ shown }} from \"./lib/shown.ts\";\n{source}");
    repo.write("extensions/models/zone.ts", source);
    repo.write("extensions/models/lib/shown.ts", "export const shown = (text: string) => text;\n");
    manifest(repo, version, "models: [zone.ts]");
}

fn manifest(repo: &Scratch, version: &str, lists: &str) {
    let text =
        format!("manifestVersion: 1\nname: \"@acme/dns\"\nversion: {version}\ndescription: Zones\n{lists}\n");
    repo.write("manifest.yaml", text);
}

fn push(repo: &Scratch, more: &[&str]) -> Run {
    repo.marsh(&[&["--json", "extension", "push", "manifest.yaml", "-y"], more].concat())
}

/// Runs a method of the pulled type where the registry is the publisher's.
fn answer(consumer: &Scratch) -> Value {
    let run = consumer.marsh(&["--json", "model", "method", "run", ZONE, "run", "m"]).ok().json();
    run["dataArtifacts"][0]["attributes"]["answer"].clone()
}

#[test]
fn a_pushed_extension_can_be_pulled_run_updated_and_removed() {
    let publisher = publisher();
    let pushed = push(&publisher, &[]).ok().json();
    assert_eq!(pushed["name"], "@acme/dns");
    assert_eq!(pushed["channel"], "stable");
    assert_eq!(pushed["models"], json!([{ "fileName": "zone.ts", "type": ZONE, "version": "2026.01.01.1" }]));
    assert_eq!(pushed["files"], json!(["models/lib/shown.ts", "models/zone.ts"]));

    let consumer = repo().env("MARSH_REGISTRY", publisher.path("registry").into_os_string());
    consumer.marsh(&["extension", "pull", "@acme/dns"]).ok();
    assert_eq!(answer(&consumer), "one");
    version(&publisher, "2026.01.02.1", "two");
    push(&publisher, &[]).ok();
    let updated = consumer.marsh(&["--json", "extension", "update"]).ok().json();
    assert_eq!(updated["extensions"][0]["newVersion"], "2026.01.02.1");
    assert_eq!(answer(&consumer), "two");
    consumer.marsh(&["extension", "rm", "@acme/dns", "-y"]).ok();
    assert_eq!(
        consumer.marsh(&["--json", "model", "type", "describe", ZONE]).exits(1).error()["code"],
        "unknown_model_type"
    );
}

/// Defect 22 of the reference: a dry run wrote files and ran code.
#[test]
fn a_dry_run_changes_nothing() {
    let publisher = publisher();
    let before = (publisher.files("."), publisher.files("registry"));
    let dry = push(&publisher, &["--dry-run"]).ok().json();
    assert_eq!(dry["status"], "dry_run");
    assert!(dry["archiveSize"].as_u64().is_some_and(|bytes| bytes > 0), "{dry}");
    assert_eq!((publisher.files("."), publisher.files("registry")), before);
    // The same files make the same archive.
    assert_eq!(push(&publisher, &[]).ok().json()["checksum"], dry["checksum"]);
}

#[test]
fn a_published_version_never_changes_and_the_next_one_is_shown() {
    let publisher = publisher();
    push(&publisher, &[]).ok();
    version(&publisher, "2026.01.01.1", "other");
    let error = push(&publisher, &[]).exits(1).error();
    assert_eq!(error["code"], "already_published");
    let next = error["details"]["nextVersion"].as_str().unwrap().to_owned();
    let told = publisher.marsh(&["--json", "extension", "version"]).exits(0).json();
    assert_eq!((&told["currentPublished"], &told["nextVersion"]), (&json!("2026.01.01.1"), &json!(next)));
    version(&publisher, &next, "other");
    push(&publisher, &[]).ok();
}

#[test]
fn every_refusal_has_its_code_and_publishes_nothing() {
    let publisher = publisher();
    publisher.write("extensions/models/foreign.ts", model("@other/x", ""));
    publisher.write("extensions/models/computed.ts", "export const model = { type: `${1}`, methods: {} };\n");
    publisher.write("extensions/models/none.ts", "export const other = 1;\n");
    publisher.write("extensions/models/broken.ts", "export const model = {\n");
    publisher.write("extensions/models/indirect.ts", format!("(0, eval)('1');\n{}", model("@acme/x", "")));
    publisher.write("extensions/models/alias.ts", format!("const F = Function;\n{}", model("@acme/x", "")));
    publisher.write("extensions/models/far.ts", format!("import '../far.ts';\n{}", model("@acme/x", "")));
    publisher.write("extensions/far.ts", "");
    publisher.write("extensions/models/lost.ts", format!("import './gone.ts';\n{}", model("@acme/x", "")));
    publisher.write(
        "extensions/models/chain.ts",
        model("@acme/x", "upgrades: [{ toVersion: '2025.01.01.1', upgradeAttributes: (old) => old }],"),
    );
    publisher.write("tool.sh", "echo\n");
    publisher.write("loud.TS", "new (() => {}).constructor('return 1')();\n");
    for (lists, code) in [
        ("models: [gone.ts]", "entry_missing"),
        ("models: [lost.ts]", "entry_missing"),
        ("models: [foreign.ts]", "foreign_type"),
        ("models: [computed.ts]", "computed_type"),
        ("models: [none.ts]", "nothing_declared"),
        ("models: [broken.ts]", "syntax_error"),
        ("models: [indirect.ts]", "safety_refused"),
        ("models: [alias.ts]", "safety_refused"),
        ("models: [far.ts]", "outside_base"),
        ("models: [chain.ts]", "invalid_upgrades"),
        ("models: [zone.ts]\nadditionalFiles: [tool.sh]", "safety_refused"),
        ("models: [zone.ts]\nadditionalFiles: [loud.TS]", "safety_refused"),
        ("models: [zone.ts]\nadditionalFiles: [tool.sh]\nbinaries: [./tool.sh]", "duplicate_file"),
        ("models: [zone.ts]\nworkflows: [gone.yaml]", "entry_missing"),
        ("skills: [gone]", "invalid_skill"),
        ("models: [../zone.ts]", "invalid_manifest"),
        ("", "invalid_manifest"),
    ] {
        manifest(&publisher, "2026.01.01.1", lists);
        let error = push(&publisher, &[]).exits(1).error();
        assert_eq!(error["code"], code, "{lists}: {error}");
    }
    assert_eq!(publisher.list("registry/extensions"), Vec::<String>::new());
    let error =
        publisher.marsh(&["--json", "extension", "push", "extensions/models/zone.ts"]).exits(1).error();
    assert_eq!(error["code"], "not_a_manifest");
}

/// A substring decided, in the reference. What is refused instead is in `every_refusal_has_its_code…`.
#[test]
fn defect_37_a_function_called_retrieval_is_published() {
    let publisher = publisher();
    let source = format!("const retrieval = (x: number) => x; retrieval(1); // eval(1)\n{}", model(ZONE, ""));
    publisher.write("extensions/models/zone.ts", source);
    push(&publisher, &[]).ok();
}

#[test]
fn push_warns_of_suspicious_content_and_publishes() {
    let publisher = publisher();
    let source = publisher.read("extensions/models/zone.ts");
    let blob = "QUJD".repeat(30);
    publisher.write(
        "extensions/models/zone.ts",
        format!("{source}\nconst run = Deno.Command;\nconst blob = '{blob}';\n/* {} */\n", "x".repeat(501)),
    );
    publisher.write("README.md", "Ask 10.1.2.3, as 192.0.2.1 does.\n");
    manifest(&publisher, "2026.01.01.1", "models: [zone.ts]\nadditionalFiles: [README.md]");
    let pushed = push(&publisher, &[]).ok().json();
    let warnings: Vec<&str> =
        pushed["warnings"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    let lines = source.lines().count();
    for (start, what) in [
        ("files/README.md:1: 10.1.2.3".to_owned(), "an address"),
        (format!("models/zone.ts:{}: a line of", lines + 4), "a long line"),
        (format!("models/zone.ts:{}: `Deno.Command`", lines + 2), "a program"),
        (format!("models/zone.ts:{}: a long run", lines + 3), "a blob"),
    ] {
        assert!(warnings.iter().any(|one| one.starts_with(&start)), "{what}: {warnings:#?}");
    }
    assert_eq!(warnings.len(), 4, "{warnings:#?}");
}

#[test]
fn links_are_refused() {
    let publisher = publisher();
    publisher.write("secret.txt", "secret");
    std::os::unix::fs::symlink(publisher.path("secret.txt"), publisher.path("link.txt")).unwrap();
    manifest(&publisher, "2026.01.01.1", "models: [zone.ts]\nadditionalFiles: [link.txt]");
    assert_eq!(push(&publisher, &[]).exits(1).error()["code"], "symlink_refused");
}

#[test]
fn versions_are_withdrawn_deprecated_and_promoted() {
    let publisher = publisher();
    push(&publisher, &["--channel", "beta"]).ok();
    let run = |arguments: &[&str]| publisher.marsh(&[&["--json", "extension"], arguments].concat());
    let told = run(&["version", "@acme/dns"]).ok().json();
    assert_eq!(told["channels"]["beta"]["latest"], "2026.01.01.1");
    let promoted = run(&["promote", "@acme/dns", "2026.01.01.1"]).ok().json();
    assert_eq!((&promoted["previousChannel"], &promoted["channel"]), (&json!("beta"), &json!("stable")));
    assert_eq!(run(&["promote", "@acme/dns", "2026.01.01.1"]).exits(1).error()["code"], "validation_failed");
    let yanked = run(&["yank", "@acme/dns", "2026.01.01.1", "--reason", "broken", "-y"]).ok().json();
    assert_eq!(yanked["yanked"]["reason"], "broken");
    assert_eq!(run(&["pull", "@acme/dns@2026.01.01.1"]).exits(1).error()["code"], "extension_yanked");
    run(&["unyank", "@acme/dns", "2026.01.01.1"]).ok();
    run(&["deprecate", "@acme/dns", "--reason", "old", "--superseded-by", "@acme/dns2", "-y"]).ok();
    assert_eq!(run(&["info", "@acme/dns"]).ok().json()["deprecationReason"], "old");
    run(&["undeprecate", "@acme/dns"]).ok();
    assert_eq!(run(&["info", "@acme/dns"]).ok().json()["deprecationReason"], Value::Null);
}

/// A server process that ends with the test, however that ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A real server process, with a token that owns `acme` and nothing else.
#[test]
fn a_server_takes_what_its_tokens_may_publish() {
    let publisher = publisher();
    let token = |user: &str, collective: &str| {
        let run = publisher.marsh(&[
            "--json",
            "registry",
            "token",
            "add",
            "registry",
            user,
            "--collective",
            collective,
        ]);
        run.ok().json()["token"].as_str().unwrap().to_owned()
    };
    let (mine, other) = (token("ann", "acme"), token("bob", "other"));
    let server = publisher
        .command(&["registry", "serve", "registry", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut server = Server(server);
    let mut line = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().rsplit(' ').next().unwrap().to_owned();

    let push = |key: Option<&str>| {
        let mut command =
            publisher.command(&["--json", "extension", "push", "manifest.yaml", "-y", "--registry", &url]);
        if let Some(key) = key {
            command.env("MARSH_API_KEY", key);
        }
        let output = command.stdin(Stdio::null()).output().unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), document)
    };
    let outcome = [push(None), push(Some(&other)), push(Some(&mine))];
    let consumer = repo().env("MARSH_REGISTRY", &url);
    let pulled = consumer.marsh(&["--json", "extension", "pull", "@acme/dns"]);
    drop(server);
    assert_eq!(outcome[0].1["error"]["code"], "unauthorized", "{}", outcome[0].1);
    assert_eq!(outcome[1].1["error"]["code"], "collective_not_owned", "{}", outcome[1].1);
    assert_eq!((outcome[2].0, &outcome[2].1["status"]), (Some(0), &json!("published")), "{}", outcome[2].1);
    assert_eq!(pulled.ok().json()["status"], "installed");
    assert_eq!(answer(&consumer), "one");
}

#[test]
fn tokens_are_listed_without_secrets_and_removed() {
    let publisher = publisher();
    let run = |arguments: &[&str]| publisher.marsh(&[&["--json", "registry", "token"], arguments].concat());
    let secret = run(&["add", "registry", "ann"]).ok().json()["token"].as_str().unwrap().to_owned();
    let listed = run(&["list", "registry"]).ok();
    assert!(!listed.stdout.contains(&secret));
    let id = listed.json()["tokens"][0]["id"].as_str().unwrap().to_owned();
    run(&["rm", "registry", &id]).ok();
    assert_eq!(run(&["rm", "registry", &id]).exits(1).error()["code"], "not_found");
    assert_eq!(run(&["add", "nowhere", "ann"]).exits(1).error()["code"], "registry_unreachable");
}
