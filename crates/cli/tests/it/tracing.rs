//! What `MARSH_LOG` prints, and where.

use marsh_testkit::{Run, Scratch};
use serde_json::Value;

use crate::support::{repo, repo_running, run_args};

/// The lines of standard error, each a JSON object.
fn lines(run: &Run) -> Vec<Value> {
    run.stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

/// The names of the spans around each line and of the span that a line closes.
fn spans(lines: &[Value]) -> Vec<String> {
    let mut names: Vec<String> = lines
        .iter()
        .flat_map(|line| line["spans"].as_array().into_iter().flatten().chain([&line["span"]]))
        .filter_map(|span| span["name"].as_str())
        .map(str::to_owned)
        .collect();
    names.sort();
    names.dedup();
    names
}

fn traced(repo: Scratch, filter: &str) -> Scratch {
    repo.env("MARSH_LOG", filter)
}

#[test]
fn without_a_filter_nothing_is_traced() {
    let run = repo().marsh(&["model", "type", "search", "--json"]).ok();
    assert_eq!(run.stderr, "");
}

#[test]
fn standard_output_is_the_same_with_a_filter() {
    let repo = repo();
    let plain = repo.marsh(&["model", "type", "search", "--json"]).ok();
    let traced = traced(repo, "trace").marsh(&["model", "type", "search", "--json"]).ok();
    assert_eq!(plain.stdout, traced.stdout);
    assert!(spans(&lines(&traced)).contains(&"command".to_owned()));
}

#[test]
fn a_method_run_is_traced_from_command_to_host() {
    let repo = traced(
        repo_running("await context.writeResource('out', 'out', { secret: 'hunter2' }); return {};"),
        "debug",
    );
    let run = repo.marsh(&run_args(&["--json"])).ok();
    run.json();
    let lines = lines(&run);
    let names = spans(&lines);
    for name in ["command", "method_run", "host_call"] {
        assert!(names.contains(&name.to_owned()), "no span `{name}` in {names:?}");
    }
    // The host is another process, whose lines name the span of the parent's call.
    let parent = lines.iter().find_map(|line| line["fields"]["trace_parent"].as_str());
    let command = lines.iter().find_map(|line| line["span"]["pid"].as_u64());
    assert!(parent.is_some() && command.is_some(), "{}", run.stderr);
    assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
}

#[test]
fn an_invalid_filter_is_a_usage_error() {
    let run = traced(repo(), "marsh=loud").marsh(&["model", "type", "search", "--json"]).exits(2);
    let message = run.error()["message"].as_str().unwrap_or_default().to_owned();
    assert!(message.starts_with("invalid MARSH_LOG `marsh=loud`: "), "{message}");
}

#[test]
fn pretty_lines_are_chosen_by_their_variable() {
    let repo = traced(repo(), "info").env("MARSH_LOG_FORMAT", "pretty");
    let run = repo.marsh(&["model", "type", "search"]).ok();
    assert!(run.stderr.contains("command{command=\"model type search\""), "{}", run.stderr);
}

#[test]
fn a_workflow_is_traced_from_run_to_step_and_retry() {
    let repo = traced(repo(), "info");
    repo.write(
        "models/command/shell/sh.yaml",
        "type: command/shell\nid: 0a6d3c52-8f6e-4c0e-9d9f-000000000001\nname: sh\nmethods: {execute: {arguments: {run: 'true'}}}\n",
    );
    repo.write(
        "workflows/workflow-w.yaml",
        "id: 5f0c8b7e-1111-4222-8333-444455556666\nname: w\njobs:\n- name: main\n  steps:\n  - name: flaky\n    retry: 2\n    \
         task: {type: model_method, modelIdOrName: sh, methodName: execute, inputs: {run: 'exit 3'}}\n",
    );
    let run = repo.marsh(&["workflow", "run", "w", "--json"]).exits(1);
    let lines: Vec<Value> = run.stderr.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let names = spans(&lines);
    for name in ["command", "workflow_run", "step"] {
        assert!(names.contains(&name.to_owned()), "no span `{name}` in {names:?}");
    }
    let retries = lines.iter().filter(|line| line["fields"]["message"] == "retry").count();
    assert_eq!(retries, 1, "{}", run.stderr);
}
