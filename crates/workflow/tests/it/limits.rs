//! `retry`, `timeout` and `code` as a file says them.

use std::time::Duration;

use marsh_workflow::schema::{CodePolicy, FailureKind, Step, parse};
use serde_json::json;

const TASK: &str = "    task: {type: model_method, modelIdOrName: m, methodName: run}\n";

fn text(top: &str, job: &str, step: &str) -> String {
    format!(
        "id: 5f0c8b7e-1111-4222-8333-444455556666\nname: w\n{top}jobs:\n- name: main\n{job}  steps:\n  - name: s\n{step}{TASK}"
    )
}

fn step(lines: &str) -> Step {
    let parsed = parse(&text("", "", lines)).unwrap_or_else(|problems| panic!("{problems:#?}"));
    parsed.workflow.jobs[0].steps[0].clone()
}

#[test]
fn they_read() {
    let retry = step("    retry: 3\n").retry.unwrap();
    assert_eq!((retry.attempts, retry.jitter), (3, 0.0));
    assert_eq!(retry.on, [FailureKind::Error, FailureKind::Timeout, FailureKind::Crash]);
    let written = "    retry: {attempts: 5, backoff: {initial: 100ms, factor: 3, max: 2s}, jitter: 0.25, on: [timeout]}\n";
    let full = step(&format!("{written}    timeout: 1m\n    code: pinned\n"));
    let retry = full.retry.as_ref().unwrap();
    assert_eq!(retry.on, [FailureKind::Timeout]);
    assert_eq!(retry.pause(2, 0.0), Duration::from_millis(300));
    assert_eq!((full.timeout, full.code), (Some(Duration::from_secs(60)), Some(CodePolicy::Pinned)));
    let fixed = step("    retry: {attempts: 2, backoff: 50ms}\n").retry.unwrap();
    assert_eq!(fixed.pause(9, 0.0), Duration::from_millis(50));
    let whole = parse(&text("code: pinned\n", "  timeout: 90\n", "")).unwrap().workflow;
    assert_eq!(
        (whole.code, whole.jobs[0].timeout),
        (Some(CodePolicy::Pinned), Some(Duration::from_secs(90)))
    );
    // As it is shown.
    let shown = serde_json::to_value(&full).unwrap();
    assert_eq!(shown["timeout"], "60s");
    assert_eq!(shown["retry"]["backoff"], json!({"initial": "100ms", "factor": 3.0, "max": "2s"}));
}

#[test]
fn invalid_limits_are_reported() {
    for (top, job, step, words) in [
        ("", "", "    retry: 0\n", "from 1 to 1000"),
        ("", "", "    retry: {atempts: 2}\n", "did you mean `attempts`?"),
        ("", "", "    retry: {backoff: 1s}\n", "needs `attempts`"),
        ("", "", "    retry: {attempts: 2, jitter: 2}\n", "at most 1"),
        ("", "", "    retry: {attempts: 2, on: [timeuot]}\n", "did you mean `timeout`?"),
        ("", "", "    retry: {attempts: 2, on: [invalid]}\n", "unknown kind of failure"),
        ("", "", "    retry: {attempts: 2, backoff: {initial: 5s, max: 1s}}\n", "not be less than"),
        ("", "", "    retry: {attempts: 2, backoff: {factor: 0.5}}\n", "at least 1"),
        ("", "", "    timeout: soon\n", "a duration above 0"),
        ("", "", "    timeout: 0\n", "a duration above 0"),
        ("", "  timeout: -5\n", "", "a duration above 0"),
        ("", "", "    code: latest\n", "unknown code policy"),
        ("code: pined\n", "", "", "did you mean `pinned`?"),
        ("timeout: 5\n", "", "", "unknown key `timeout` in the workflow"),
    ] {
        let problems = parse(&text(top, job, step)).unwrap_err();
        assert!(problems.iter().any(|problem| problem.message.contains(words)), "{words}: {problems:?}");
    }
}
