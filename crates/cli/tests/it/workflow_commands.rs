//! What the binary adds to runs of workflows: lines of events, reports in files, exit codes and signals. Documents and
//! states are tested in `crates/app/tests/it/workflow.rs`.

use marsh_testkit::{Scratch, wait_for};
use serde_json::Value;

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

/// Runs before an invalid item are shown as they end; the item ends the list.
#[test]
fn several_inputs_end_with_the_error_of_an_invalid_one() {
    let repo = scene(
        "inputs: {properties: {n: {type: number}}, required: [n]}\njobs:\n- name: main\n  steps:\n  - name: s\n    task: {type: assert, expr: inputs.n > 0, message: m}\n",
    );
    let valid = "{\"n\": 1}\n{\"n\": 2}\n";
    let all = repo.marsh_with_stdin(&["--json", "workflow", "run", "w", "--stdin"], valid).ok().json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    let invalid = format!("{valid}{{\"m\": 3}}\n{{\"n\": 4}}\n");
    let list =
        repo.marsh_with_stdin(&["--json", "workflow", "run", "w", "--stdin"], &invalid).exits(1).json();
    assert_eq!(list.as_array().unwrap().len(), 3, "{list:#}");
    assert_eq!(list[0]["status"], "succeeded");
    assert_eq!(list[1]["inputs"]["n"], 2);
    assert_eq!(list[2]["error"]["code"], "input_validation_failed");
    let text = repo.marsh_with_stdin(&["workflow", "run", "w", "--stdin"], &invalid).exits(1);
    assert_eq!(text.stdout.matches("main/s succeeded").count(), 2, "{}", text.snapshot());
    assert!(text.stderr.contains("error: "), "{}", text.snapshot());
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
