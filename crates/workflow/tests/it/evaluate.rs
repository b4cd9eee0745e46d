//! Evaluated copies, and runs of them.

use crate::common::{Scratch, job, request};
use marsh_host_client::CancelToken;
use marsh_types::{ErrorCode, Explain};
use marsh_workflow::schema::Task;
use marsh_workflow::{
    EvaluatedWorkflow, ResumeRequest, RunStatus, WorkflowError, WorkflowOutcome, WorkflowRunRequest,
};
use serde_json::{Map, Value, json};

const COPY: &str = ".swamp/workflows-evaluated/workflow-w.yaml";

fn evaluate(scratch: &Scratch, inputs: Value) -> Result<EvaluatedWorkflow, WorkflowError> {
    let workflows = scratch.workflows();
    let stored = workflows.store().find("w").unwrap();
    workflows.evaluate(&stored, inputs.as_object().cloned().unwrap_or_default())
}

fn run_copy(scratch: &Scratch) -> Result<WorkflowOutcome, WorkflowError> {
    let cancel = CancelToken::new();
    let request = WorkflowRunRequest { last_evaluated: true, ..request(json!({}), &cancel) };
    scratch.workflows().run(&request, &marsh_api::event::NoEvents)
}

/// A step that runs a command line by the model `sh`.
fn sh(name: &str, run: &str, rest: &str) -> String {
    let task =
        format!("{{type: model_method, modelIdOrName: sh, methodName: execute, inputs: {{run: \"{run}\"}}}}");
    format!("  - name: {name}\n{rest}    task: {task}\n")
}

fn scene(inputs: &str, steps: &[String]) -> Scratch {
    let scratch = Scratch::new();
    scratch.shell("sh", "true").workflow(&format!("inputs: {inputs}\njobs:\n{}", job("main", "", steps)));
    scratch
}

fn names(copy: &EvaluatedWorkflow) -> Vec<&str> {
    copy.workflow.jobs[0].steps.iter().map(|step| step.name.as_str()).collect()
}

fn stdout(outcome: &WorkflowOutcome, step: &str) -> String {
    let step = outcome.step("main", step).unwrap();
    let view = step.artifacts.iter().find(|view| view.metadata.name == "result").unwrap();
    view.attributes.as_ref().unwrap()["stdout"].as_str().unwrap().trim_end().to_owned()
}

fn inputs_of(copy: &EvaluatedWorkflow, step: usize) -> &Value {
    match &copy.workflow.jobs[0].steps[step].task {
        Task::ModelMethod(call) => call.inputs.as_ref().unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn copy_runs_as_the_workflow_did() {
    let steps = [
        sh("greet", "echo ${{ inputs.who }} ${{ inputs.n + 1 }}", ""),
        sh("each", "echo ${{ self.x }}", "    forEach: {item: x, in: '${{ inputs.list }}'}\n"),
        sh(
            "last",
            "true",
            "    guard: inputs.n > 9\n    dependsOn: [{step: each, condition: {type: succeeded}}]\n",
        ),
        "  - name: check\n    task: {type: assert, expr: inputs.n == 4, message: n}\n".to_owned(),
    ];
    let scratch =
        scene("{n: {type: integer}, who: {type: string, default: ann}, list: {type: array}}", &steps);
    let copy = evaluate(&scratch, json!({"n": "4", "list": ["a", "b"]})).unwrap();
    assert!(copy.had_expressions && copy.for_each_expanded);
    assert_eq!(copy.path, scratch.dir.path().join(COPY));
    assert_eq!(names(&copy), ["greet", "each-a", "each-b", "last", "check"]);
    assert_eq!(inputs_of(&copy, 0), &json!({"run": "echo ann 5"}));
    let after: Vec<&str> =
        copy.workflow.jobs[0].steps[3].depends_on.iter().map(|entry| entry.step.as_str()).collect();
    assert_eq!(after, ["each-a", "each-b"]);

    let outcome = run_copy(&scratch).unwrap();
    assert_eq!(outcome.status, RunStatus::Succeeded, "{:?}", outcome.record.failure_reason);
    assert_eq!((stdout(&outcome, "greet"), stdout(&outcome, "each-b")), ("ann 5".into(), "b".into()));
    let expected = json!({"n": 4, "who": "ann", "list": ["a", "b"]});
    assert_eq!(outcome.record.inputs.map(Value::Object), Some(expected));
}

#[test]
fn copy_without_inputs_keeps_the_expressions() {
    let scratch = scene(
        "{n: {type: integer}, m: {type: integer, default: 2}}",
        &[sh("s", "echo ${{ inputs.n }} ${{ data.latest('sh', 'result').version }} ${{ env.HOME }}", "")],
    );
    let copy = evaluate(&scratch, Value::Null).unwrap();
    assert!(!copy.had_expressions && !copy.for_each_expanded);
    let kept =
        json!({"run": "echo ${{ inputs.n }} ${{ data.latest('sh', 'result').version }} ${{ env.HOME }}"});
    assert_eq!(inputs_of(&copy, 0), &kept);
    let copy = evaluate(&scratch, json!({"n": 1})).unwrap();
    let kept = json!({"run": "echo 1 ${{ data.latest('sh', 'result').version }} ${{ env.HOME }}"});
    assert_eq!(inputs_of(&copy, 0), &kept);
    let error = evaluate(&scratch, json!({"n": "four"})).unwrap_err();
    assert_eq!(error.code(), ErrorCode::InputValidationFailed);
}

#[test]
fn copy_holds_neither_secrets_nor_expressions_of_users() {
    let scratch = scene(
        "{key: {type: string, sensitive: true}, evil: {type: string}}",
        &[sh("s", "echo ${{ inputs.key }}", ""), sh("t", "echo '${{ inputs.evil }}'", "")],
    );
    let evil = "${{ inputs.key }}";
    let copy = evaluate(&scratch, json!({"key": "hunter2-hunter2", "evil": evil})).unwrap();
    assert_eq!(inputs_of(&copy, 0), &json!({"run": "echo ${{ inputs.key }}"}));
    assert_eq!(inputs_of(&copy, 1), &json!({"run": "echo '${{ inputs.evil }}'"}));
    assert!(!scratch.read(COPY).contains("hunter2"));
    let cancel = CancelToken::new();
    let run =
        WorkflowRunRequest { last_evaluated: true, ..request(json!({"key": "hunter2-hunter2"}), &cancel) };
    let outcome = scratch.workflows().run(&run, &marsh_api::event::NoEvents).unwrap();
    assert_eq!(stdout(&outcome, "t"), evil);
}

#[test]
fn for_each_stays_where_steps_would_mean_something_else() {
    let each = "    forEach: {item: x, in: '${{ inputs.list }}'}\n";
    for (rest, list, after) in [
        ("", json!([]), "succeeded"),
        ("", json!(["a"]), "failed"),
        ("    guard: self.x == 'a'\n", json!(["a"]), "succeeded"),
        ("    concurrency: 1\n", json!(["a"]), "succeeded"),
    ] {
        let depends = format!("    dependsOn: [{{step: each, condition: {{type: {after}}}}}]\n");
        let scratch = scene(
            "{list: {type: array}}",
            &[sh("each", "true", &format!("{each}{rest}")), sh("last", "true", &depends)],
        );
        let copy = evaluate(&scratch, json!({"list": list})).unwrap();
        assert_eq!(names(&copy), ["each", "last"], "{rest}{after}");
        assert!(!copy.for_each_expanded && copy.workflow.jobs[0].steps[0].for_each.is_some());
    }
}

#[test]
fn run_writes_the_copy_that_the_next_one_reuses() {
    let scratch = scene("{who: {type: string}}", &[sh("s", "echo ${{ inputs.who }}", "")]);
    let never = run_copy(&scratch).unwrap_err();
    assert_eq!(never.code(), ErrorCode::NoEvaluatedDefinition);
    assert_eq!(never.hint().as_deref(), Some("`marsh workflow evaluate w` writes one"));
    scratch.run(json!({"who": "ann"})).unwrap();
    assert_eq!(stdout(&run_copy(&scratch).unwrap(), "s"), "ann");
    // The copy of a deleted workflow is not that of its successor.
    let text = scratch
        .read("workflows/workflow-w.yaml")
        .replace(crate::common::ID, "5f0c8b7e-1111-4222-8333-44445555aaaa");
    scratch.file(&scratch.dir.path().join("workflows/workflow-w.yaml"), &text);
    assert_eq!(run_copy(&scratch).unwrap_err().code(), ErrorCode::NoEvaluatedDefinition);
}

#[test]
fn workflow_without_expressions_is_its_own_copy() {
    let scratch = scene("{}", &[sh("s", "echo hello", "")]);
    assert_eq!(stdout(&run_copy(&scratch).unwrap(), "s"), "hello");
    assert!(!scratch.exists(COPY));
}

#[test]
fn run_of_a_copy_is_resumed_with_the_copy() {
    let ask = "  - name: ask\n    task: {type: manual_approval, prompt: go}\n".to_owned();
    let each = "    forEach: {item: x, in: '${{ inputs.list }}'}\n    dependsOn: [{step: ask, condition: {type: succeeded}}]\n";
    let scratch = scene("{list: {type: array}}", &[ask, sh("each", "echo ${{ self.x }}", each)]);
    evaluate(&scratch, json!({"list": ["a", "b"]})).unwrap();
    assert_eq!(run_copy(&scratch).unwrap().status, RunStatus::Suspended);
    let workflows = scratch.workflows();
    let decided = workflows.decide("w", "ask", None, true, None, None).unwrap();
    assert_eq!(decided.status, RunStatus::Suspended);
    let cancel = CancelToken::new();
    let resume = ResumeRequest {
        workflow: "w",
        run: None,
        from: None,
        inputs: Map::new(),
        checks: marsh_model::CheckSelection::default(),
        deadline_per_step: std::time::Duration::from_secs(60),
        cancel: &cancel,
        driver: marsh_model::Driver::Raw,
        reports: marsh_model::run::reports::ReportSelection::default(),
    };
    let outcome = workflows.resume(&resume, &marsh_api::event::NoEvents).unwrap();
    assert_eq!(outcome.status, RunStatus::Succeeded, "{:?}", outcome.record.failure_reason);
    assert_eq!((stdout(&outcome, "each-a"), stdout(&outcome, "each-b")), ("a".into(), "b".into()));
}

/// Every key of the format comes back from the copy as it was: a copy that could not be read would stop the run.
#[test]
fn copy_keeps_every_key_of_the_format() {
    let scratch = Scratch::new();
    let os = std::env::consts::OS;
    scratch.shell("sh", "true").workflow(&format!(
        r#"description: all of it
trigger: {{schedule: '0 3 * * *', inputs: {{a: '${{{{ webhook.body.a }}}}'}}}}
tags: {{team: a, "yes": "no", n: "1"}}
inputs: {{type: object, properties: {{a: {{type: string, default: x}}, b: {{type: string}}}}, required: [b]}}
version: 7
concurrency: 3
reports: {{skip: ['@me/x']}}
code: pinned
labels: {{os: {os}}}
queueTimeout: 1.5
jobs:
- name: one
  description: first
  weight: 2.5
  concurrency: 2
  timeout: 10m
  steps:
  - name: call
    description: d
    guard: inputs.b == 'skip'
    allowFailure: true
    weight: -1
    timeout: 1500ms
    code: follow
    retry: {{attempts: 5, backoff: {{initial: 100ms, factor: 3, max: 2s}}, jitter: 0.25, on: [timeout]}}
    dataOutputOverrides: [{{specName: result, lifetime: 7d, garbageCollection: 5, tags: {{k: '${{{{ inputs.b }}}}'}}, vary: [b], vaultName: v}}]
    task: {{type: model_method, modelIdOrName: sh, methodName: execute, inputs: '${{{{ inputs.map }}}}'}}
  - name: direct
    task: {{type: model_method, modelType: command/shell, modelName: y, methodName: execute, globalArgs: {{a: '${{{{ self.name }}}}'}}, inputs: {{run: 'true'}}}}
  - name: each
    concurrency: 4
    forEach: {{item: x, in: '${{{{ data.latest("sh", "result").attributes.list }}}}'}}
    task: {{type: workflow, workflowIdOrName: other, inputs: {{a: '${{{{ self.x }}}}'}}}}
- name: two
  dependsOn: [{{job: one, condition: {{type: or, conditions: [{{type: failed}}, {{type: not, condition: {{type: skipped}}}}]}}}}]
  steps:
  - name: ask
    task: {{type: manual_approval, prompt: 'go?', timeout: 60}}
  - name: check
    dependsOn: [{{step: ask, condition: {{type: completed}}}}]
    task: {{type: assert, expr: inputs.a == 'x', message: '${{{{ inputs.b }}}} of ${{{{ nope }}}}', severity: medium}}
"#
    ));
    let workflows = scratch.workflows();
    let stored = workflows.store().find("w").unwrap();
    let copy = workflows.evaluate(&stored, Map::new()).unwrap();
    assert_eq!(copy.workflow, *stored.workflow());
    assert!(!copy.had_expressions);
}
