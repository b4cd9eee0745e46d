//! `marsh workflow …` and `marsh summarise`, as people and scripts use them.

use marsh_testkit::{Scratch, wait_for};
use serde_json::{Value, json};

use crate::support::repo;

const ID: &str = "5f0c8b7e-1111-4222-8333-444455556666";

fn scene(workflow: &str) -> Scratch {
    let repo = repo();
    repo.write(
        "models/command/shell/sh.yaml",
        "type: command/shell\nid: 0a6d3c52-8f6e-4c0e-9d9f-000000000001\nname: sh\nmethods: {execute: {arguments: {run: 'true'}}}\n",
    );
    repo.write("workflows/workflow-w.yaml", format!("id: {ID}\nname: w\n{workflow}"));
    repo
}

fn step(name: &str, run: &str, after: &str) -> String {
    let depends = if after.is_empty() {
        String::new()
    } else {
        format!("    dependsOn: [{{step: {after}, condition: {{type: succeeded}}}}]\n")
    };
    format!(
        "  - name: {name}\n{depends}    task: {{type: model_method, modelIdOrName: sh, methodName: execute, inputs: {{run: '{run}'}}}}\n"
    )
}

fn main_job(steps: &[String]) -> String {
    format!("jobs:\n- name: main\n  steps:\n{}", steps.concat())
}

const ASK: &str = "  - name: ask\n    dependsOn: [{step: a, condition: {type: succeeded}}]\n    task: {type: manual_approval, prompt: ship it?}\n";

#[test]
fn approvals_from_the_command_line() {
    let repo = scene(&main_job(&[step("a", "true", ""), ASK.into(), step("b", "true", "ask")]));
    let document = repo.marsh(&["--json", "workflow", "run", "w"]).ok().json();
    assert_eq!(document["status"], "suspended");
    assert_eq!(document["approvalRequired"]["stepId"], "ask");
    let pending = repo.marsh(&["--json", "workflow", "approvals"]).ok().json();
    let one = &pending["approvals"][0];
    assert_eq!((one["workflowName"].as_str(), one["stepName"].as_str()), (Some("w"), Some("ask")));
    assert_eq!(one["prompt"], "ship it?");
    let early = repo.marsh(&["--json", "workflow", "approve", "w", "b"]).exits(1);
    assert_eq!(early.error()["code"], "not_waiting");
    let decided =
        repo.marsh(&["--json", "workflow", "approve", "w", "ask", "--reason", "tested"]).ok().json();
    assert_eq!(
        (decided["approved"].as_bool(), decided["runStatus"].as_str()),
        (Some(true), Some("suspended"))
    );
    let document = repo.marsh(&["--json", "workflow", "resume", "w"]).ok().json();
    assert_eq!(document["status"], "succeeded");
    let summary = repo.marsh(&["--json", "summarise"]).ok().json();
    assert_eq!(
        summary["workflows"][0],
        json!({"name": "w", "succeeded": 1, "failed": 0, "cancelled": 0, "open": 0})
    );
    assert_eq!(
        repo.marsh(&["--json", "workflow", "resume", "w"]).exits(1).error()["code"],
        "workflow_resume_failed"
    );
    // A rejection with nothing left to do is the end.
    repo.marsh(&["workflow", "run", "w"]).ok();
    let decided = repo.marsh(&["--json", "workflow", "reject", "w", "ask"]).ok().json();
    assert_eq!(decided["runStatus"], "failed");
    let found = repo
        .marsh(&["--json", "workflow", "run", "search", "--status", "failed", "--since", "1h"])
        .ok()
        .json();
    assert_eq!((found["results"].as_array().unwrap().len(), found["total"].as_u64()), (1, Some(1)));
}

#[test]
fn events_are_lines_of_json() {
    let each = "  - name: each\n    forEach: {item: x, in: '${{ inputs.list }}'}\n    task: {type: model_method, modelIdOrName: sh, methodName: execute}\n";
    let repo = scene(&main_job(&[each.to_owned()]));
    let run = repo.marsh(&["workflow", "run", "w", "--events", "--input", "list:json=[1,2]"]).ok();
    let events: Vec<Value> = run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["kind"].as_str().unwrap()).collect();
    assert_eq!((kinds[0], *kinds.last().unwrap()), ("started", "completed"));
    let completed: Vec<&Value> = events.iter().filter(|event| event["kind"] == "step_completed").collect();
    assert_eq!(completed.len(), 2);
    assert!(completed.iter().all(|event| event["forEachTemplate"] == "each" && event["jobId"] == "main"));
}

#[test]
fn asserts_become_a_junit_report() {
    let assert = |name: &str, expr: &str| {
        format!("  - name: {name}\n    task: {{type: assert, expr: {expr}, message: 'a < b & \"c\"'}}\n")
    };
    let repo = scene(&main_job(&[assert("good", "inputs.n"), assert("bad", "inputs.zero")]));
    let inputs = ["--input", "n:json=1", "--input", "zero:json=0"];
    let all = [&["workflow", "run", "w", "--junit"], inputs.as_slice()].concat();
    let run = repo.marsh(&all).exits(1);
    assert!(
        run.stdout.starts_with(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"2\" failures=\"1\""
        ),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("<failure message=\"a &lt; b &amp; &quot;c&quot;\" type=\"high\">"),
        "{}",
        run.stdout
    );
    let to_file =
        [&["--json", "workflow", "run", "w", "--junit", "--out", "report.xml"], inputs.as_slice()].concat();
    assert_eq!(repo.marsh(&to_file).exits(1).json()["status"], "failed");
    assert!(repo.read("report.xml").contains("<testcase name=\"good\""));
}

#[test]
fn graphs_and_schemas_are_printed() {
    let repo = scene(&main_job(&[step("a", "true", ""), ASK.into()]));
    assert_eq!(
        repo.marsh(&["workflow", "get", "w", "--graph"]).ok().stdout,
        "w\n└─ main\n   ├─ a: sh.execute\n   └─ ask: approval  <- a succeeded\n"
    );
    let mermaid = repo.marsh(&["workflow", "get", "w", "--graph=mermaid"]).ok().stdout;
    assert!(mermaid.starts_with("flowchart TD\n"), "{mermaid}");
    let schema = repo.marsh(&["--json", "workflow", "schema", "get"]).ok().json();
    let keys: Vec<&String> = schema.as_object().unwrap().keys().collect();
    assert_eq!(
        keys,
        ["workflow", "job", "jobDependency", "step", "stepDependency", "stepTask", "triggerCondition"]
    );
}

#[test]
fn ctrl_c_cancels_with_everything_that_runs() {
    let repo = scene(&main_job(&[step("slow", "sleep 300 & sleep 300", ""), step("next", "true", "slow")]));
    let running = repo.spawn(&["--json", "workflow", "run", "w"]);
    wait_for("the command to run", || {
        repo.processes().iter().any(|(_, command)| command.contains("sleep 300")).then_some(())
    });
    running.interrupt();
    let document = running.wait().exits(130).json();
    assert_eq!(document["status"], "cancelled");
    assert_eq!(document["jobs"][0]["steps"][1]["reason"], "cancelled");
    repo.assert_no_processes();
}

#[test]
fn another_process_cancels_a_run() {
    let repo = scene(&main_job(&[step("slow", "sleep 300", "")]));
    let running = repo.spawn(&["--json", "workflow", "run", "w"]);
    wait_for("the command to run", || {
        repo.processes().iter().any(|(_, command)| command.contains("sleep 300")).then_some(())
    });
    let second = repo.marsh(&["--json", "workflow", "resume", "w"]).exits(1);
    assert_eq!(second.error()["code"], "workflow_resume_failed", "a run with an owner is not resumed");
    let document = repo.marsh(&["--json", "workflow", "cancel", "w", "--reason", "enough"]).ok().json();
    assert_eq!(document["cancelled"][0]["status"], "cancelled");
    assert_eq!(running.wait().exits(130).json()["cancelReason"], "enough");
    repo.assert_no_processes();
}

/// After the first signal a stubborn command has half a second of grace, and then the run prints its end. A second signal
/// within that time ends the process before it prints anything; on a busy machine it may come too late, so the test tries again.
#[test]
fn second_ctrl_c_ends_the_process_before_the_run_has_ended() {
    let script = "trap \"touch asked\" TERM INT; while true; do sleep 300 & wait; done";
    for _ in 0..10 {
        let repo = scene(&main_job(&[step("stubborn", script, "")]));
        let running = repo.spawn(&["--json", "workflow", "run", "w"]);
        wait_for("the command to run", || {
            repo.processes().iter().any(|(_, command)| command.contains("sleep 300")).then_some(())
        });
        running.interrupt();
        wait_for("the command to be asked to end", || repo.exists("asked").then_some(()));
        running.interrupt();
        let run = running.wait().exits(130);
        repo.assert_no_processes();
        if run.stdout.is_empty() {
            return;
        }
        assert_eq!(run.json()["status"], "cancelled");
    }
    panic!("no second signal ended the process");
}

/// The record of so many steps is written beside the run. The last record is the end of the run.
#[test]
fn the_record_of_a_large_run_is_the_last_word() {
    let repo = repo();
    let items: Vec<String> = (0..200).map(|item| item.to_string()).collect();
    repo.write(
        "workflows/workflow-large.yaml",
        format!(
            "id: 5f0c8b7e-1111-4222-8333-0000000000aa
name: large
jobs:
- name: main
  steps:
  - name: each
    forEach: {{item: x, in: '${{{{ [{}] }}}}'}}
    task: {{type: assert, expr: 'self.x >= 0', message: no}}
",
            items.join(", ")
        ),
    );
    for _ in 0..3 {
        repo.marsh(&["workflow", "run", "large", "--quiet"]).ok();
    }
    let dir = repo.path(".swamp/workflow-runs/5f0c8b7e-1111-4222-8333-0000000000aa");
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let records: Vec<String> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(records.len(), 3);
    for record in records {
        // The run, its job and its steps.
        assert_eq!(record.matches("status: succeeded").count(), 202, "{record}");
        assert!(!record.contains("status: running") && !record.contains("status: pending"), "{record}");
    }
}
