//! Where methods run: containers by a program that starts them, and drivers of extensions.
//!
//! The container program is a script that does what such programs do, as far as a host can tell: it checks its options
//! and mounts, starts what the image would with an environment of its own, outlives its client, and ends a container by
//! name.

use std::os::unix::fs::PermissionsExt as _;

use marsh_testkit::{Scratch, wait_for};
use serde_json::{Value, json};

use crate::support::{OUTPUTS, definition, method, model, repo, repo_running, run_args};

const PROGRAM: &str = r#"#!/bin/sh
dir=$(dirname "$0")
echo "$@" >> "$dir/calls"
verb=$1; shift
case "$verb" in
rm)
  [ "$1" = --force ] || exit 125
  [ -f "$dir/$2" ] && kill -9 "$(cat "$dir/$2")" 2>/dev/null
  exit 0 ;;
run) ;;
*) echo "unknown command $verb" >&2; exit 125 ;;
esac
marker=MARSH_TEST_MARKER=$MARSH_TEST_MARKER
variables=
while :; do
  case "$1" in
  --rm|--init|--interactive) shift ;;
  --name) name=$2; shift 2 ;;
  --entrypoint) entrypoint=$2; shift 2 ;;
  --network|--memory|--cpus|--user) shift 2 ;;
  --env) eval "value=\$$2"; variables="$variables $2=$value"; shift 2 ;;
  --mount)
    source=${2#*source=}; source=${source%%,*}
    [ -e "$source" ] || { echo "bind source path does not exist: $source" >&2; exit 125; }
    shift 2 ;;
  -*) echo "unknown flag: $1" >&2; exit 125 ;;
  *) break ;;
  esac
done
image=$1; shift
exec 3<&0
case "$image" in
frozen) env -i "$marker" sleep 1000 <&3 & ;;
full) env -i "$marker" $variables "$entrypoint" "$@" <&3 & ;;
*) echo "no such image: $image" >&2; exit 125 ;;
esac
echo $! > "$dir/$name"
wait $!
code=$?
rm -f "$dir/$name"
exit $code
"#;

/// Installs the container program and returns the options that choose it, with this image and more configuration.
fn container(repo: &Scratch, image: &str, more: Value) -> Vec<String> {
    let program = repo.write("bin/containers", PROGRAM);
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut config = json!({ "program": program, "image": image });
    for (key, value) in more.as_object().unwrap() {
        config[key] = value.clone();
    }
    vec!["--driver".into(), "docker".into(), "--driver-config".into(), config.to_string()]
}

fn run_in<'a>(options: &'a [String], before: &[&'a str]) -> Vec<&'a str> {
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    [before, run_args(&options).as_slice()].concat()
}

/// No container is left, nor anything that was in one.
#[track_caller]
fn assert_no_containers(repo: &Scratch) {
    repo.assert_no_processes();
    let left: Vec<String> = repo.list("bin").into_iter().filter(|name| name.starts_with("marsh-")).collect();
    assert!(left.is_empty() || repo.read("bin/calls").contains("rm --force"), "{left:?}");
}

#[test]
fn a_method_runs_in_a_container_and_its_results_are_kept_here() {
    let body = r#"
        console.log("inside", Deno.env.get("GIVEN") ?? "nothing", Deno.env.get("KEPT") ?? "nothing");
        await context.writeResource("out", "said", { word: "hello" });
        await context.createFileWriter("blob", "text").writeText("bytes");"#;
    let repo = repo_running(body).env("GIVEN", "given").env("KEPT", "kept");
    let options = container(&repo, "full", json!({ "env": ["GIVEN"], "network": "none", "memory": "512m" }));
    let run = repo.marsh(&run_in(&options, &[])).ok();
    assert!(
        run.stderr.contains("inside given nothing") || run.stdout.contains("inside given nothing"),
        "{}",
        run.snapshot()
    );
    assert_eq!(repo.marsh(&["--json", "data", "get", "m", "said"]).ok().json()["content"]["word"], "hello");
    assert!(repo.marsh(&["data", "get", "m", "text"]).ok().stdout.contains("bytes"));
    let calls = repo.read("bin/calls");
    assert!(calls.contains("--network none --memory 512m --env GIVEN "), "{calls}");
    assert!(!calls.contains(&format!("source={},", repo.root().display())), "{calls}");
    assert_no_containers(&repo);
    repo.assert_sound();
}

#[test]
fn a_secret_reaches_a_container_and_no_command_line() {
    let repo = repo();
    let members = "globalArguments: z.object({ token: z.string() }),";
    let body = "await context.writeResource('out', 'said', { length: context.globalArgs.token.length });";
    let source = model("@me/x", &format!("{members} {OUTPUTS} {}", method("run", body)));
    repo.write("extensions/models/x.ts", source);
    let text = definition("@me/x", "m", "globalArguments:\n  token: ${{ vault.get('main', 'token') }}\n");
    repo.write("models/@me/x/m.yaml", text);
    repo.marsh(&["vault", "create", "local_encryption", "main", "--config", r#"{"auto_generate":true}"#])
        .ok();
    repo.marsh(&["vault", "put", "main", "token", "s3cret-of-mine"]).ok();
    let options = container(&repo, "full", json!({}));
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    let run =
        repo.marsh(&[&["--json", "model", "method", "run", "m", "run"], options.as_slice()].concat()).ok();
    assert_eq!(run.json()["dataArtifacts"][0]["attributes"]["length"], 14);
    assert!(!repo.read("bin/calls").contains("s3cret"), "{}", repo.read("bin/calls"));
}

#[test]
fn what_cannot_start_a_container_is_said() {
    let repo = repo_running("");
    let config = r#"{"program":"no-such-container-program","image":"x"}"#;
    let missing = repo.marsh(
        &[&["--json"], run_args(&["--driver", "podman", "--driver-config", config]).as_slice()].concat(),
    );
    let missing = missing.exits(1).json();
    assert_eq!(missing["error"]["code"], "driver_program_missing", "{missing:#}");
    assert!(missing.to_string().contains("no-such-container-program"), "{missing:#}");
    let options = container(&repo, "unheard-of", json!({}));
    let refused = repo.marsh(&run_in(&options, &[])).exits(1);
    assert!(refused.stderr.contains("no such image: unheard-of"), "{}", refused.stderr);
    let nameless = repo.marsh(&[&["--json"], run_args(&["--driver", "docker"]).as_slice()].concat()).exits(1);
    assert_eq!(nameless.error()["code"], "invalid_driver");
    assert_no_containers(&repo);
}

#[test]
fn a_deadline_ends_what_runs_in_a_container() {
    let repo = repo_running("for (;;) {}");
    let options = container(&repo, "full", json!({}));
    let run = repo.marsh(&[run_in(&options, &["--json"]).as_slice(), &["--timeout", "1s"]].concat()).exits(1);
    assert_eq!(run.json()["error"]["code"], "deadline_exceeded", "{}", run.stdout);
    assert_no_containers(&repo);
    repo.assert_sound();
}

#[test]
fn ctrl_c_ends_a_container_and_the_processes_in_it() {
    let body = r#"await new Deno.Command("sleep", { args: ["60"] }).output();"#;
    let repo = repo_running(body);
    let options = container(&repo, "full", json!({}));
    let running = repo.spawn(&run_in(&options, &[]));
    wait_for("the child to sleep", || is_running(&repo, "sleep 60").then_some(()));
    running.interrupt();
    running.wait().exits(130);
    assert_no_containers(&repo);
}

#[test]
fn a_container_that_does_not_answer_is_ended_by_its_name() {
    let repo = repo_running("");
    let options = container(&repo, "frozen", json!({}));
    let running = repo.spawn(&run_in(&options, &[]));
    wait_for("the container to start", || is_running(&repo, "sleep 1000").then_some(()));
    running.interrupt();
    running.wait().exits(130);
    assert!(repo.read("bin/calls").contains("rm --force marsh-"), "{}", repo.read("bin/calls"));
    assert_no_containers(&repo);
}

fn is_running(repo: &Scratch, command: &str) -> bool {
    repo.processes().iter().any(|(_, running)| running.starts_with(command))
}

#[test]
fn the_steps_of_a_workflow_run_where_its_driver_says() {
    let repo = repo_running("await context.writeResource('out', 'said', { word: 'hello' });");
    let text = "id: 5f0c8b7e-1111-4222-8333-444455556666\nname: w\njobs:\n- name: main\n  steps:\n  - name: a\n    \
                task: {type: model_method, modelType: '@me/x', modelName: m, methodName: run}\n";
    repo.write("workflows/workflow-w.yaml", text);
    let options = container(&repo, "full", json!({}));
    let options: Vec<&str> = options.iter().map(String::as_str).collect();
    repo.marsh(&[&["workflow", "run", "w"], options.as_slice()].concat()).ok();
    assert!(repo.read("bin/calls").contains(" full __host"), "{}", repo.read("bin/calls"));
    repo.marsh(&["data", "get", "m", "said"]).ok();
}

#[test]
fn what_is_marshs_own_runs_here_only() {
    let repo = repo();
    let direct =
        ["--json", "model", "method", "run", "@command/shell", "execute", "sh", "--input", "run=true"];
    let refused = repo.marsh(&[&direct[..], &["--driver", "@me/echo"]].concat()).exits(1).error();
    assert_eq!(refused["code"], "invalid_driver", "{refused}");
    repo.marsh(&[&direct[..], &["--driver", "raw"]].concat()).ok();
}

/// A driver that answers with what it was asked, or as its configuration says.
const ECHO: &str = r#"
export const driver = {
  type: "@me/echo", name: "Echo", description: "Answers with what it was asked",
  createDriver: (config: any) => ({
    type: "@me/echo",
    execute: async (request: any, callbacks: any) => {
      callbacks.onLog("working");
      if (config.fail) return { status: "error", error: config.fail, outputs: [], logs: [], durationMs: 1 };
      if (config.hang) await new Promise((resolve) => setTimeout(resolve, 60_000));
      const { bundle, ...rest } = request;
      const said = { ...rest, size: bundle.length, code: new TextDecoder().decode(bundle).includes("@me/x") };
      return { status: "success", durationMs: 1, logs: [], outputs: [
        { kind: "pending", specName: config.spec ?? "out", name: "said", type: "resource", tags: { from: "echo" }, content: new TextEncoder().encode(JSON.stringify(said)) },
        { kind: "pending", specName: "blob", name: "text", type: "file", content: "bytes" },
      ] };
    },
  }),
};
"#;

fn repo_with_echo() -> Scratch {
    let repo = repo();
    let members = "globalArguments: z.object({ size: z.number().default(3) }),";
    let methods = "methods: { run: { description: 'd', arguments: z.object({ word: z.string().default('hello') }), execute: async () => { throw new Error('here'); } } },";
    repo.write("extensions/models/x.ts", model("@me/x", &format!("{members} {OUTPUTS} {methods}")));
    repo.write("extensions/drivers/echo.ts", ECHO);
    repo
}

fn echo<'a>(config: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let options = ["--driver", "@me/echo", "--driver-config", config];
    [&["--json"], run_args(&[&options[..], more].concat()).as_slice()].concat()
}

#[test]
fn a_driver_of_an_extension_gets_the_method_and_its_results_are_kept() {
    let repo = repo_with_echo();
    repo.marsh(&echo("{}", &["--input", "word=hi", "--input", "size=7"])).ok();
    let log = repo.marsh(&["model", "output", "logs", "m"]).ok().stdout;
    assert!(log.contains("driver @me/echo") && log.contains("working"), "{log}");
    let said = repo.marsh(&["--json", "data", "get", "m", "said"]).ok().json();
    let content = &said["content"];
    assert_eq!((&content["methodName"], &content["modelType"]), (&json!("run"), &json!("@me/x")));
    assert_eq!(
        (&content["methodArgs"], &content["globalArgs"]),
        (&json!({"word": "hi"}), &json!({"size": 7}))
    );
    assert_eq!((&content["protocolVersion"], &content["code"]), (&json!(1), &json!(true)));
    assert_eq!(content["resourceSpecs"]["out"]["lifetime"], "infinite");
    assert_eq!(said["tags"]["from"], "echo", "{said:#}");
    assert!(repo.marsh(&["data", "get", "m", "text"]).ok().stdout.contains("bytes"));
    // What the type's own schemas refuse never reaches a driver.
    let refused = repo.marsh(&echo("{}", &["--input", "word:json=[]"])).exits(1).json();
    assert_eq!(refused["error"]["code"], "validation_failed", "{refused:#}");
    repo.assert_sound();
}

#[test]
fn a_driver_of_an_extension_fails_by_name() {
    let repo = repo_with_echo();
    let failed = repo.marsh(&echo(r#"{"fail":"no room"}"#, &[])).exits(1).json();
    assert_eq!(failed["error"]["code"], "driver_failed", "{failed:#}");
    assert!(failed["error"]["message"].as_str().unwrap().contains("no room"));
    let unknown = repo.marsh(&echo(r#"{"spec":"other"}"#, &[])).exits(1).json();
    assert!(unknown["error"]["message"].as_str().unwrap().contains("no resource `other`"), "{unknown:#}");
    let late = repo.marsh(&echo(r#"{"hang":true}"#, &["--timeout", "1s"])).exits(1).json();
    assert_eq!(late["error"]["code"], "deadline_exceeded", "{late:#}");
    let nowhere = [&["--json"], run_args(&["--driver", "@me/nowhere"]).as_slice()].concat();
    assert_eq!(repo.marsh(&nowhere).exits(1).json()["error"]["code"], "unknown_driver_type");
    repo.assert_no_processes();
}

#[test]
fn method_in_a_container_without_the_repository_is_refused_its_paths() {
    let repo = repo_running(
        r#"
        const seen = {};
        try { seen.path = context.repoDir; } catch (error) { seen.repoDir = error.code; }
        try { await context.dataRepository.getPath(context.modelType, context.modelId, "x"); }
        catch (error) { seen.getPath = error.code; }
        await context.writeResource("out", "seen", seen);
        "#,
    );
    let options = container(&repo, "full", json!({}));
    repo.marsh(&run_in(&options, &[])).ok();
    let seen = repo.marsh(&["--json", "data", "get", "m", "seen"]).ok().json()["content"].clone();
    assert_eq!(seen, json!({ "repoDir": "unsupported", "getPath": "unsupported" }));
}
