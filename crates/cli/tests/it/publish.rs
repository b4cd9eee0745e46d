//! Publishing and what is done to published versions, from a manifest to another repository.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};

use marsh_testkit::{Run, Scratch};
use serde_json::{Value, json};

use crate::support::{OUTPUTS, V1, method, model, repo};

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

#[test]
fn pushed_extension_runs_with_helpers_and_with_files_from_outside_its_base() {
    let publisher = publisher();
    let body = "await context.writeResource('out', 'answer', { answer: shown(beside + above) });";
    let source = model(ZONE, &format!("{OUTPUTS} {}", method("run", body)));
    let imports = "import { shown } from \"./lib/shown.ts\";\nimport { beside } from \"../shared/beside.ts\";\n\
                   import { above } from \"../../above.ts\";\n";
    publisher.write("extensions/models/zone.ts", format!("{imports}{source}"));
    publisher.write("extensions/shared/beside.ts", "export const beside = \"beside \";\n");
    publisher.write("above.ts", "export const above = \"above\";\n");
    manifest(&publisher, "2026.01.01.1", "models: [zone.ts, lib/shown.ts]");
    let pushed = push(&publisher, &[]).ok();
    assert!(pushed.stderr.contains("above.ts, which can have no place in the archive"), "{}", pushed.stderr);
    assert!(pushed.stderr.contains("lib/shown.ts declares no model"), "{}", pushed.stderr);
    let consumer = repo().env("MARSH_REGISTRY", publisher.path("registry").into_os_string());
    consumer.marsh(&["extension", "pull", "@acme/dns"]).ok();
    assert_eq!(answer(&consumer), "beside above");
    manifest(&publisher, "2026.01.02.1", "models: [zone.ts]");
    let refused = push(&publisher, &["--no-bundles"]).exits(1);
    assert_eq!(refused.error()["code"], "outside_base");
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

/// A stand-in for Deno: `fmt` replaces TAB by two spaces, `lint` refuses the word `debugger`.
const DENO: &str = "#!/bin/sh
command=$1; shift; check=; bad=0; echo \"$command $*\" >> \"$HOME/deno.log\"
for argument; do case $argument in
--check) check=1 ;;
*.ts)
  case $command in
  fmt) if grep -q \"$(printf '\\t')\" \"$argument\"; then
         if [ $check ]; then echo \"$argument is not formatted\"; bad=1
         else sed -i 's/\\t/  /g' \"$argument\"; fi
       fi ;;
  lint) if grep -q debugger \"$argument\"; then echo \"no debugger\"; bad=1; fi ;;
  esac ;;
esac; done
exit $bad
";

/// A repository with an extension `@s/a`, and with a stand-in for Deno on the PATH.
fn with_deno() -> Scratch {
    use std::os::unix::fs::PermissionsExt as _;
    let repo = repo();
    repo.write("extensions/models/a.ts", model("@s/a", "methods: {},"));
    repo.write("extensions/models/lib.ts", "export const one = 1;\n");
    repo.write(
        "manifest.yaml",
        format!("manifestVersion: 1\nname: \"@s/a\"\nversion: {V1}\ndescription: A\nmodels: [a.ts]\n"),
    );
    repo.write("../bin/deno", DENO);
    let bin = repo.root().parent().unwrap().join("bin");
    std::fs::set_permissions(bin.join("deno"), std::fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    repo.env("PATH", path)
}

#[test]
fn sources_are_formatted_and_what_cannot_be_corrected_fails() {
    let repo = with_deno();
    let fmt = |more: &[&str]| repo.marsh(&[&["--json", "extension", "fmt", "manifest.yaml"], more].concat());
    let text = repo.read("extensions/models/a.ts");
    repo.write("extensions/models/a.ts", format!("import \"./lib.ts\";\n\t{text}"));
    let checked = fmt(&["--check"]).exits(1).json();
    assert_eq!((&checked["status"], &checked["issues"][0]["check"]), (&json!("failed"), &json!("fmt")));
    assert_eq!(
        (&checked["fileCount"], repo.read("extensions/models/a.ts").contains('\t')),
        (&json!(2), true)
    );
    let fixed = fmt(&[]).ok().json();
    assert_eq!((&fixed["status"], &fixed["remainingIssues"]), (&json!("fixed"), &json!([])));
    assert!(!repo.read("extensions/models/a.ts").contains('\t'));
    assert_eq!(fmt(&["--check"]).ok().json()["status"], "passed");
    repo.write("extensions/models/lib.ts", "debugger;\nexport const one = 1;\n");
    let partial = fmt(&[]).exits(1).json();
    assert_eq!(
        (&partial["status"], &partial["remainingIssues"][0]["check"]),
        (&json!("partial"), &json!("lint"))
    );
    let log = std::fs::read_to_string(repo.root().parent().unwrap().join("home/deno.log")).unwrap();
    assert!(log.contains("--no-config"), "{log}");
    repo.write("deno.json", "{}");
    fmt(&["--check"]).exits(1);
    let log = std::fs::read_to_string(repo.root().parent().unwrap().join("home/deno.log")).unwrap();
    assert!(log.lines().next_back().unwrap().contains("--config"), "{log}");
}

#[test]
fn formatting_without_deno_says_what_is_missing() {
    let repo = with_deno().env("PATH", "/nowhere");
    let error = repo.marsh(&["--json", "extension", "fmt", "manifest.yaml"]).exits(1).error();
    assert!(error["message"].as_str().unwrap().contains("needs `deno`"), "{error:#}");
    repo.write(".swamp/pulled-extensions/@s/a/manifest.yaml", repo.read("manifest.yaml"));
    let installed = ["--json", "extension", "fmt", ".swamp/pulled-extensions/@s/a/manifest.yaml"];
    assert_eq!(repo.marsh(&installed).exits(1).error()["code"], "refused");
}

#[test]
fn quality_of_an_extension_is_judged_by_the_rubric() {
    let repo = with_deno();
    let quality = || repo.marsh(&["--json", "extension", "quality", "manifest.yaml"]);
    let row = |document: &serde_json::Value, id: &str| {
        let rows = document["factors"].as_array().unwrap();
        rows.iter().find(|row| row["id"] == id).unwrap()["status"].clone()
    };
    let poor = quality().exits(1).json();
    // Scripts of the other program read the document.
    let mut other = repo.command(&["--json", "extension", "quality", "manifest.yaml"]);
    assert!(other.env("MARSH_PERSONA", "swamp").output().unwrap().status.success());
    assert_eq!(
        (&poor["status"], &poor["rubricVersion"], &poor["maxEarnablePoints"]),
        (&json!("failed"), &json!(3), &json!(14))
    );
    for id in ["has-readme", "symbols-docs", "has-license", "repository-verified"] {
        assert_eq!(row(&poor, id), "missing", "{id}");
    }
    let text = repo.read("extensions/models/a.ts").replace("export const", "/** A model. */\nexport const");
    repo.write("extensions/models/a.ts", text);
    repo.write("README.md", format!("# A\n\n```ts\na\n```\n\n```ts\nb\n```\n{}", "word ".repeat(120)));
    repo.write("LICENSE", "free\n");
    let manifest = repo.read("manifest.yaml")
        + "repository: https://github.com/s/a\nadditionalFiles: [README.md, LICENSE]\n";
    repo.write("manifest.yaml", manifest);
    let rich = quality().ok().json();
    assert_eq!(
        (&rich["status"], &rich["earnedPoints"], &rich["percentage"]),
        (&json!("passed"), &json!(12), &json!(100)),
        "{rich:#}"
    );
    assert_eq!(
        (row(&rich, "repository-verified"), &rich["maxClientEarnablePoints"]),
        (json!("provisional"), &json!(12))
    );
    repo.write("extensions/models/lib.ts", "import x from \"npm:left-pad@1\";\nexport const one = x;\n");
    let text = format!("import \"./lib.ts\";\n{}", repo.read("extensions/models/a.ts"));
    repo.write("extensions/models/a.ts", format!("\t{text}"));
    let refused = quality().exits(1).error();
    assert!(refused["message"].as_str().unwrap().contains("deno fmt"), "{refused:#}");
}

#[test]
fn sources_in_another_directory_are_published_from_there() {
    let repo = with_deno();
    repo.marsh(&["registry", "init", "registry"]).ok();
    repo.write("code/extensions/models/b.ts", model("@s/b", "methods: {},"));
    repo.write(
        "code/manifest.yaml",
        format!("manifestVersion: 1\nname: \"@s/b\"\nversion: {V1}\nmodels: [b.ts]\n"),
    );
    let push = |dir: &str, more: &[&str]| {
        let command = [
            "--json",
            "extension",
            "push",
            "manifest.yaml",
            "--registry",
            "registry",
            "--extensions-dir",
            dir,
        ];
        repo.marsh(&[&command, more].concat())
    };
    let dry = push("code", &["--dry-run"]).ok().json();
    assert_eq!(dry["name"], "@s/b");
    let made = push("code", &["--force", "--skip-upgrade-check"]).ok().json();
    assert_eq!((&made["name"], &made["status"]), (&json!("@s/b"), &json!("published")));
    for wrong in ["nowhere", "manifest.yaml", ".swamp"] {
        assert_eq!(push(wrong, &["--dry-run"]).exits(2).error()["class"], "usage", "{wrong}");
    }
}
