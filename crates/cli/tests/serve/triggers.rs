//! Workflows that a server starts by itself: at their times, and when a webhook is called.

#![expect(clippy::unwrap_used, reason = "helpers of tests; a panic is their way to fail")]

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use hmac::{Hmac, Mac as _};
use marsh_testkit::{ExtensionProcess, Scratch, wait_for};
use serde_json::{Value, json};

use super::repo;

const SHELL: &str = "type: command/shell\nid: 0a6d3c52-8f6e-4c0e-9d9f-000000000001\nname: sh\nmethods: {execute: {arguments: {run: 'true'}}}\n";

/// A workflow `w` of one shell step.
fn workflow(rest: &str, run: &str) -> String {
    format!(
        "id: 5f0c8b7e-1111-4222-8333-444455556666\nname: w\n{rest}\njobs:\n- name: main\n  steps:\n  - name: s\n    task:\n      type: model_method\n      \
         modelIdOrName: sh\n      methodName: execute\n      inputs:\n        run: {run}\n"
    )
}

fn scene(rest: &str, run: &str) -> Scratch {
    let repo = repo();
    repo.write("models/command/shell/sh.yaml", SHELL);
    repo.write("workflows/workflow-w.yaml", workflow(rest, run));
    repo
}

fn row(process: &ExtensionProcess) -> Value {
    process.status()["triggers"][0].clone()
}

fn runs(repo: &Scratch) -> Vec<Value> {
    let found = repo.marsh(&["--json", "workflow", "history", "search"]).ok().json();
    found["results"].as_array().unwrap().clone()
}

#[test]
fn a_workflow_runs_at_its_times_and_the_status_says_when() {
    let repo = scene(
        "trigger: {schedule: '* * * * * *', inputs: {who: 'the ${{ 1 + 1 }}nd'}}",
        "\"echo ${{ inputs.who }} > said\"",
    );
    let process = repo.spawn_extension_process(&[]);
    let ran = wait_for("a scheduled run", || {
        let row = row(&process);
        (row["fired"].as_u64() >= Some(2)).then_some(row)
    });
    assert_eq!((&ran["workflow"], &ran["schedule"]), (&json!("w"), &json!("* * * * * *")));
    assert_eq!(ran["lastStatus"], "succeeded", "{ran}");
    assert!(ran["next"].as_str() > ran["last"].as_str(), "{ran}");
    assert_eq!(repo.read("said").trim(), "the 2nd");
    // What the file says now counts without a restart.
    repo.write("workflows/workflow-w.yaml", workflow("trigger: {schedule: '0 0 1 1 *'}", "\"true\""));
    let planned = wait_for("the new schedule", || {
        let row = row(&process);
        (row["schedule"] == "0 0 1 1 *" && row["running"] == false).then_some(row)
    });
    assert!(
        planned["next"].as_str().unwrap().contains("-01-01T")
            || planned["next"].as_str().unwrap().contains("-12-31T")
    );
    let fired = planned["fired"].as_u64().unwrap();
    // An invalid schedule is reported, and no run is planned for it.
    repo.write("workflows/workflow-w.yaml", workflow("trigger: {schedule: often}", "\"true\""));
    let broken = wait_for("the broken schedule", || {
        let row = row(&process);
        row["error"].as_str().is_some_and(|error| error.contains("invalid schedule")).then_some(row)
    });
    assert_eq!((&broken["next"], &broken["fired"]), (&Value::Null, &json!(fired)));
    let text = repo.marsh(&["serve", "status"]).ok().stdout;
    assert!(text.contains("invalid schedule `often`"), "{text}");
    process.stop().ok();
    let one = runs(&repo).pop().unwrap();
    let record =
        repo.marsh(&["--json", "workflow", "history", "get", one["runId"].as_str().unwrap()]).ok().json();
    assert_eq!(record["triggerSource"], "schedule", "{record:#}");
}

#[test]
fn a_workflow_that_runs_already_is_not_started_once_more() {
    let repo = scene(
        "trigger: {schedule: '* * * * * *'}",
        "\"echo x >> starts; while [ ! -e go ]; do sleep 0.02; done\"",
    );
    let process = repo.spawn_extension_process(&[]);
    let busy = wait_for("two times to pass while it runs", || {
        let row = row(&process);
        (row["skipped"].as_u64() >= Some(2)).then_some(row)
    });
    assert_eq!(
        (&busy["running"], &busy["fired"], &busy["waiting"]),
        (&json!(true), &json!(0), &json!(0)),
        "{busy}"
    );
    assert_eq!(repo.read("starts"), "x\n");
    // The server waits for what runs, and starts nothing more.
    let mut connection = process.connect();
    connection.ask("shutdown", Value::Null).unwrap();
    repo.write("go", "");
    process.wait().ok();
    assert_eq!(repo.read("starts"), "x\n");
    assert_eq!(runs(&repo)[0]["status"], "succeeded");
}

#[test]
fn nothing_runs_by_itself_where_that_is_not_wanted() {
    let repo = scene("trigger: {schedule: '* * * * * *'}", "\"echo x > said\"");
    repo.write(".swamp/serve.yaml", "triggers: {w: {schedule: '0 0 1 1 *'}}\nshcedule: true\n");
    let process = repo.spawn_extension_process(&[]);
    assert_eq!(row(&process)["schedule"], "0 0 1 1 *", "the file of the server wins");
    let run = process.stop();
    assert!(run.stderr.contains("did you mean `schedule`?"), "{}", run.stderr);
    for (file, arguments) in [("schedule: false\n", vec![]), ("", vec!["--no-schedule"])] {
        repo.write(".swamp/serve.yaml", file);
        let process = repo.spawn_extension_process(&arguments);
        assert_eq!(process.status()["triggers"], Value::Null, "{file} {arguments:?}");
        process.stop().ok();
    }
    assert!(!repo.path("said").exists());
}

fn post(addr: &str, route: &str, headers: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(addr).unwrap();
    let request = format!(
        "POST {route} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap().to_owned()
}

#[test]
fn a_signed_webhook_starts_its_workflow_with_what_it_says() {
    let repo = scene(
        "trigger: {inputs: {ref: '${{ webhook.body.ref }}', event: '${{ webhook.headers[\"x-event\"] }}'}}",
        "\"echo ${{ inputs.ref }} ${{ inputs.event }} ${{ run.workflowName }} > said\"",
    );
    repo.write("hook.key", "s3cret\n");
    let arguments = ["--http", "127.0.0.1:0", "--webhook", "push:w:@file=hook.key"];
    let process = repo.spawn_extension_process(&arguments);
    let addr = process.status()["http"].as_str().unwrap().to_owned();
    let body = r#"{"ref": "main"}"#;
    assert!(post(&addr, "/push", "X-Hub-Signature-256: sha256=00\r\n", body).contains("401"));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"s3cret").unwrap();
    mac.update(body.as_bytes());
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    let signed = format!("X-Hub-Signature-256: sha256={hex}\r\nX-Event: push\r\n");
    assert!(post(&addr, "/push", &signed, body).contains("202"));
    let ran = wait_for("the run", || {
        let row = row(&process);
        (row["fired"] == 1).then_some(row)
    });
    assert_eq!(ran["lastStatus"], "succeeded", "{ran}");
    assert_eq!(repo.read("said").trim(), "main push w");
    // A call with a body that the workflow does not accept starts no run, and the status says why.
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"s3cret").unwrap();
    mac.update(b"{}");
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(post(&addr, "/push", &format!("X-Hub-Signature-256: sha256={hex}\r\n"), "{}").contains("202"));
    let refused = wait_for("the second call", || {
        let row = row(&process);
        (row["fired"] == 2).then_some(row)
    });
    assert_eq!(refused["lastStatus"], "refused");
    assert!(refused["error"].as_str().unwrap().contains("no key `ref`"), "{refused}");
    let run = process.stop();
    assert!(!run.stdout.contains("s3cret") && !run.stderr.contains("s3cret"));
    assert_eq!(runs(&repo).len(), 1);
}

#[test]
fn server_with_an_unset_webhook_secret_does_not_start() {
    let repo = scene("", "\"true\"");
    for (webhook, words) in [
        ("push:w:@file=none.key", "the secret of webhook `/push`: cannot read"),
        ("push:w:@env=NOT_SET_ANYWHERE", "the variable NOT_SET_ANYWHERE is not set"),
        ("push:w:@vault=none:key", "the secret of webhook `/push`: "),
        ("push:w", "fewer than three parts"),
    ] {
        let run = repo.marsh(&["serve", "--http", "127.0.0.1:0", "--webhook", webhook]).exits(1);
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
}

#[test]
fn accepted_webhooks_survive_the_death_of_the_server_and_start_once() {
    let repo = scene(
        "trigger: {inputs: {n: '${{ webhook.body.n }}'}}",
        "\"while [ ! -e go ]; do sleep 0.02; done; echo ${{ inputs.n }} >> said\"",
    );
    repo.write("hook.key", "s3cret\n");
    let arguments = ["--http", "127.0.0.1:0", "--webhook", "push:w:@file=hook.key"];
    let mut process = repo.spawn_extension_process(&arguments);
    let addr = process.status()["http"].as_str().unwrap().to_owned();
    for n in 0..6 {
        let body = format!("{{\"n\": {n}}}");
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"s3cret").unwrap();
        mac.update(body.as_bytes());
        let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let signed = format!("X-Hub-Signature-256: sha256={hex}\r\n");
        assert!(post(&addr, "/push", &signed, &body).contains("202"));
    }
    wait_for("the first run", || (runs(&repo).len() == 1).then_some(()));
    process.kill();
    drop(process);
    repo.write("go", "");
    // It needs no webhooks of its own for those that were accepted.
    let process = repo.spawn_extension_process(&["--no-schedule"]);
    wait_for("the others", || (row(&process)["fired"] == 5).then_some(()));
    process.stop().ok();
    let mut said: Vec<String> = repo.read("said").lines().map(str::to_owned).collect();
    said.retain(|line| line != "0");
    assert_eq!(said, ["1", "2", "3", "4", "5"]);
    let mut started: Vec<String> = runs(&repo).iter().map(|run| run["inputs"]["n"].to_string()).collect();
    started.sort();
    assert_eq!(started, ["0", "1", "2", "3", "4", "5"]);
    assert_eq!(repo.list(".swamp/marsh/serve/queue"), [""; 0]);
}
