//! The binary through a link of another name answers as that program; as marsh its documents stay.

use std::path::PathBuf;

use marsh_testkit::{Run, Scratch};
use serde_json::{Value, json};

use crate::support::{BINARY, OUTPUTS, method, model};

/// A repository whose binary is a link `swamp` to the real one.
struct Linked {
    scratch: Scratch,
    _dir: tempfile::TempDir,
}

impl Linked {
    fn env(self, name: &str, value: &str) -> Linked {
        Linked { scratch: self.scratch.env(name, value), ..self }
    }
}

impl std::ops::Deref for Linked {
    type Target = Scratch;

    fn deref(&self) -> &Scratch {
        &self.scratch
    }
}

fn link() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("swamp");
    std::os::unix::fs::symlink(BINARY, &path).unwrap();
    (dir, path)
}

fn cache() -> PathBuf {
    PathBuf::from(BINARY).parent().unwrap().parent().unwrap().join("testkit-cache")
}

fn outside() -> Linked {
    let (dir, path) = link();
    Linked { scratch: Scratch::empty(path).env("MARSH_CACHE_DIR", cache()), _dir: dir }
}

fn swamp() -> Linked {
    let linked = outside();
    linked.marsh(&["init", "--quiet"]).ok();
    linked
}

/// The bare error of a failed run: on standard error alone.
#[track_caller]
fn bare(run: &Run) -> Value {
    assert_eq!(run.stdout, "", "{}", run.snapshot());
    let error: Value = serde_json::from_str(&run.stderr).unwrap_or_else(|_| panic!("{}", run.snapshot()));
    assert!(error["error"].is_string() && error["code"].is_string(), "{error}");
    error
}

#[test]
fn link_of_another_name_has_that_name_in_help_usage_and_hints() {
    let repo = swamp();
    for arguments in [&["--help"][..], &["model", "--help"], &["workflow", "run", "--help"], &["help"]] {
        let text = repo.marsh(arguments).ok().stdout;
        assert!(text.contains("swamp"), "{text}");
        let named: Vec<&str> =
            text.lines().filter(|line| line.contains("marsh") && !line.contains(".swamp/marsh/")).collect();
        assert_eq!(named, [""; 0]);
    }
    assert_eq!(repo.marsh(&["help"]).ok().json()["root"]["name"], "swamp");
    assert!(repo.marsh(&["--version"]).ok().stdout.starts_with("swamp "));
    let usage = repo.marsh(&["model", "get"]).exits(2).stderr;
    assert!(usage.contains("Usage: swamp model get"), "{usage}");
    let missing = repo.marsh(&["model", "get", "nope"]).exits(1).stderr;
    assert!(missing.contains("`swamp model "), "{missing}");
    let created = repo.marsh(&["workflow", "create", "w"]).ok().stdout;
    assert!(created.contains("swamp workflow run w") && !created.contains("marsh"), "{created}");
    let script = repo.marsh(&["completions", "bash"]).ok().stdout;
    assert!(script.contains("_swamp()"), "{script}");
}

#[test]
fn files_that_name_the_program_have_the_other_name() {
    let repo = outside();
    let created = repo.marsh(&["--json", "init", "--tool", "claude"]).ok().json();
    assert!(created["nextSteps"][1].as_str().unwrap().contains("swamp "), "{created}");
    let settings = repo.read(".claude/settings.local.json");
    assert!(settings.contains("swamp audit record") && !settings.contains("marsh"), "{settings}");
}

#[test]
fn stored_summary_names_the_program_that_was_called() {
    let repo = swamp();
    let run = ["--json", "model", "@command/shell", "method", "run", "execute", "x", "--input", "run=true"];
    let report = repo.marsh(&run).ok().json()["reports"]["@swamp/method-summary"].clone();
    let command = report["json"]["dataProduced"][0]["retrievalCommand"].as_str().unwrap().to_owned();
    assert!(command.starts_with("swamp data get x "), "{command}");
    assert!(report["markdown"].as_str().unwrap().contains(&command), "{report}");
}

#[test]
fn status_that_no_run_has_selects_nothing_under_the_other_name() {
    let arguments = ["--json", "workflow", "run", "search", "--status", "done"];
    assert_eq!(swamp().marsh(&arguments).ok().json()["results"], json!([]));
    let error = Scratch::repo(BINARY).marsh(&arguments).exits(2).error();
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("done") && message.contains("succeeded"), "{error}");
}

#[test]
fn failure_as_json_is_bare_on_standard_error() {
    let repo = swamp();
    let error = bare(&repo.marsh(&["--json", "model", "get", "nope"]).exits(1));
    assert_eq!(error["code"], "model_not_found");
    assert!(error["hint"].as_str().unwrap().contains("`swamp model"), "{error}");
    let usage = bare(&repo.marsh(&["--json", "model", "gte"]).exits(2));
    assert_eq!(usage["code"], "usage");
    let help = bare(&repo.marsh(&["help", "modle"]).exits(1));
    assert_eq!(help["hint"], "did you mean `model`?");
    // A run that started and failed is a result.
    let failed = repo.marsh(&[
        "--json",
        "model",
        "@command/shell",
        "method",
        "run",
        "execute",
        "x",
        "--input",
        "run=exit 3",
    ]);
    assert_eq!(failed.exits(1).json()["status"], "failed");
}

#[test]
fn same_failure_as_marsh_is_the_document_on_standard_output() {
    let repo = Scratch::repo(BINARY);
    let error = repo.marsh(&["--json", "model", "get", "nope"]).exits(1).error();
    assert_eq!((&error["code"], &error["class"]), (&json!("model_not_found"), &json!("not_found")));
    assert!(error["hint"].as_str().unwrap().contains("`marsh model"), "{error}");
    // The variable wins over the file's name, both ways.
    let repo = repo.env("MARSH_PERSONA", "swamp");
    bare(&repo.marsh(&["--json", "model", "get", "nope"]).exits(1));
    let linked = swamp().env("MARSH_PERSONA", "marsh");
    assert_eq!(linked.marsh(&["--json", "model", "get", "nope"]).exits(1).error()["code"], "model_not_found");
    let invalid = linked.env("MARSH_PERSONA", "bog").marsh(&["version"]).exits(2).stderr;
    assert!(invalid.contains("invalid MARSH_PERSONA `bog`; expected `marsh` or `swamp`"), "{invalid}");
}

#[test]
fn group_alone_prints_its_help_and_succeeds_only_under_the_other_name() {
    let repo = outside();
    for arguments in [&[][..], &["model"], &["vault", "type"], &["model", "--quiet"], &["completions"]] {
        let run = repo.marsh(arguments);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{}", run.snapshot());
        assert!(run.stdout.contains("Usage: swamp"), "{}", run.stdout);
    }
    let unknown = repo.marsh(&["modle"]).exits(2).stderr;
    assert!(unknown.contains("'model'"), "{unknown}");
    let marsh = Scratch::empty(BINARY).marsh(&["model"]).exits(2);
    assert_eq!(marsh.stdout, "");
}

#[test]
fn search_without_a_terminal_prints_json_only_under_the_other_name() {
    let repo = swamp();
    repo.marsh(&["model", "create", "command/shell", "hello"]).ok();
    for arguments in [
        &["model", "search", "hel"][..],
        &["model", "list"],
        &["model", "type", "search"],
        &["workflow", "search"],
        &["workflow", "run", "search"],
        &["vault", "search"],
        &["data", "search"],
    ] {
        let document = repo.marsh(arguments).ok().json();
        assert!(document["results"].is_array(), "{arguments:?}: {document}");
    }
    assert!(serde_json::from_str::<Value>(&repo.marsh(&["model", "get", "hello"]).ok().stdout).is_err());
    // Only results are documents; a failure is text without `--json`.
    let failed = outside().marsh(&["model", "search"]).exits(1);
    assert!(failed.stderr.starts_with("error: "), "{}", failed.stderr);
    let text = repo.env("MARSH_PERSONA", "marsh").marsh(&["model", "search"]).ok().stdout;
    assert!(serde_json::from_str::<Value>(&text).is_err(), "{text}");
}

#[test]
fn extension_code_runs_under_the_other_name() {
    let repo = swamp();
    let run = method("run", "await context.writeResource('out', 'out', { n: 1 });");
    repo.write("extensions/models/x.ts", model("@me/x", &format!("{OUTPUTS} {run}")));
    repo.marsh(&["model", "create", "@me/x", "m"]).ok();
    repo.marsh(&["model", "method", "run", "m", "run"]).ok();
}

#[test]
fn summary_has_methods_workflows_and_stored_data() {
    let repo = swamp();
    let empty = repo.marsh(&["--json", "summarise"]).ok().json();
    assert!(empty["message"].is_string(), "{empty}");
    let shell = |run: &str| {
        repo.marsh(&[
            "model",
            "@command/shell",
            "method",
            "run",
            "execute",
            "hello",
            "--input",
            &format!("run={run}"),
        ])
    };
    shell("true").ok();
    shell("exit 3").exits(1);
    repo.write(
        "workflows/workflow-w.yaml",
        "id: 5f0c8b7e-1111-4222-8333-444455556666\nname: w\njobs:\n- name: main\n  steps:\n  - name: look\n    \
         task: {type: assert, expr: 'false', message: no}\n  - name: again\n    task: {type: model_method, \
         modelIdOrName: hello, methodName: execute, inputs: {run: 'true'}}\n",
    );
    let ran = repo.marsh(&["workflow", "run", "w"]).exits(1);
    assert!(ran.stdout.contains("look"), "{}", ran.snapshot());
    let summary = repo.marsh(&["--json", "summarise", "--since", "1h"]).ok().json();
    assert_eq!(summary.get("message"), None);
    let model = &summary["methodExecutions"][0];
    assert_eq!(
        (&model["modelName"], &model["type"]),
        (&json!("hello"), &json!("command/shell")),
        "{summary:#}"
    );
    // The run of the workflow's step is not counted here.
    assert_eq!((&model["succeeded"], &model["failed"], &model["total"]), (&json!(1), &json!(1), &json!(2)));
    assert_eq!(model["methods"][0]["runs"][0]["status"], "failed");
    assert_eq!(model["methods"][0]["runs"][0]["triggeredBy"], "manual");
    let workflow = &summary["workflows"][0];
    assert_eq!(
        (&workflow["workflowName"], &workflow["total"], &workflow["failed"]),
        (&json!("w"), &json!(1), &json!(1))
    );
    assert_eq!(workflow["runs"][0]["firstFailedStep"], "look");
    assert_eq!(workflow["runs"][0]["steps"][0]["jobName"], "main");
    let data = &summary["data"];
    assert_eq!(data["uniqueModels"], 2, "the reports on `w` are data of the workflow");
    assert_eq!(data["byModelType"][0]["modelType"], "command/shell");
    assert!(data["totalVersions"].as_u64() > data["totalItems"].as_u64(), "{data}");
    let limited = repo.marsh(&["--json", "summarise", "--limit", "1"]).ok().json();
    assert_eq!(limited["methodExecutions"][0]["methods"][0]["truncated"], true);
    assert_eq!(limited["methodExecutions"][0]["methods"][0]["runs"].as_array().unwrap().len(), 1);
}

#[test]
fn what_marsh_has_not_is_refused_by_name() {
    let repo = swamp();
    for (arguments, named) in [
        (&["access", "grant", "list"][..], "`access` is not supported"),
        (&["worker", "connect", "wss://x", "--token", "t"], "`worker` is not supported"),
        (&["serve", "daemon", "enable", "--user"], "`serve daemon` is not supported"),
        (&["serve", "--auth-mode", "oauth"], "`serve --auth-mode` is not supported"),
        (&["model", "search", "--server", "wss://x", "--token", "t"], "`--server` is not supported"),
        (&["issue", "bug", "--title", "x"], "`issue` is not supported"),
        (&["quest", "--full"], "`quest` is not supported"),
    ] {
        let error = bare(&repo.marsh(&[&["--json"], arguments].concat()).exits(1));
        assert_eq!(error["code"], "unsupported", "{error}");
        assert!(error["error"].as_str().unwrap().starts_with(named), "{error}");
    }
    repo.marsh(&["telemetry", "stats", "--days", "7"]).ok();
    let accepted = ["--log", "--log-level", "debug", "--no-telemetry", "--show-properties"];
    repo.marsh(&[&["model", "search"], &accepted[..]].concat()).ok();
}

#[test]
fn arguments_that_belong_to_another_command_are_answered_with_that_command() {
    let repo = swamp();
    let error = bare(&repo.marsh(&["--json", "vault", "get", "main", "api-key"]).exits(2));
    assert_eq!(error["hint"], "`swamp vault read-secret main api-key` prints the secret");
    let error = bare(&repo.marsh(&["--json", "extension", "install", "@acme/dns"]).exits(2));
    assert_eq!(error["hint"], "`swamp extension pull @acme/dns` installs another extension");
    let created = repo.marsh(&["--json", "model", "@command/shell", "create", "hello"]).ok().json();
    assert_eq!(created["name"], "hello");
}
