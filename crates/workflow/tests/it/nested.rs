//! Workflows in workflows.

use crate::common::Scratch;
use crate::rules::shape;
use marsh_host_client::CancelToken;
use marsh_workflow::{RunStatus, WorkflowEvent};
use serde_json::{Value, json};

fn file(scratch: &Scratch, name: &str, id: u32, rest: &str) {
    let text = format!("id: 5f0c8b7e-1111-4222-8333-{id:012x}\nname: {name}\n{rest}");
    scratch.file(&scratch.dir.path().join(format!("workflows/workflow-{name}.yaml")), &text);
}

fn calls(name: &str, workflow: &str, inputs: &str) -> String {
    format!(
        "- name: {name}\n  steps:\n  - name: call\n    task: {{type: workflow, workflowIdOrName: {workflow}, inputs: {inputs}}}\n"
    )
}

fn runs(model: &str) -> String {
    format!(
        "- name: main\n  steps:\n  - name: s\n    task: {{type: model_method, modelIdOrName: {model}, methodName: execute}}\n"
    )
}

#[test]
fn a_child_is_a_run_of_its_own_with_its_own_inputs() {
    let scratch = Scratch::new();
    scratch.shell("ok", "true");
    let schema = "inputs: {properties: {n: {type: integer}, d: {type: string, default: x}}, required: [n]}\n";
    file(&scratch, "child", 1, &format!("{schema}jobs:\n{}", runs("ok")));
    scratch.workflow(&format!("jobs:\n{}", calls("main", "child", "{n: '${{ inputs.k }}'}")));
    let outcome = scratch.run(json!({"k": "4"})).unwrap();
    assert_eq!(shape(&outcome.record), "succeeded\nmain succeeded\n  call succeeded\n");
    let output = outcome.record.jobs[0].steps[0].output.clone().unwrap();
    assert_eq!((output["type"].as_str(), output["workflow"].as_str()), (Some("workflow"), Some("child")));
    let child = scratch.workflows().run_record(output["runId"].as_str().unwrap()).unwrap().record;
    assert_eq!(Value::Object(child.inputs.unwrap()), json!({"n": 4, "d": "x"}));
    assert_eq!(child.status, RunStatus::Succeeded);
    assert_eq!(child.trigger_source.as_deref(), Some("workflow"));
    // Inputs of children are checked, too.
    let outcome = scratch.run(json!({"k": "many"})).unwrap();
    let error = outcome.record.failure_reason.unwrap();
    assert!(error.contains("inputs of workflow `child`"), "{error}");
}

#[test]
fn a_failed_child_fails_the_step_with_its_reason() {
    let scratch = Scratch::new();
    scratch.shell("bad", "exit 4");
    file(&scratch, "child", 1, &format!("jobs:\n{}", runs("bad")));
    scratch.workflow(&format!("jobs:\n{}", calls("main", "child", "{}")));
    let outcome = scratch.run(Value::Null).unwrap();
    let error = outcome.record.failure_reason.unwrap();
    assert_eq!(error, "workflow `child` failed: command exited with code 4");
}

#[test]
fn circles_and_depth_are_refused() {
    let scratch = Scratch::new();
    scratch.shell("ok", "true");
    file(&scratch, "back", 1, &format!("jobs:\n{}", calls("main", "w", "{}")));
    scratch.workflow(&format!("jobs:\n{}", calls("main", "back", "{}")));
    let error = scratch.run(Value::Null).unwrap().record.failure_reason.unwrap();
    assert!(error.contains("in a cycle: w -> back -> w"), "{error}");
    for depth in 0..12 {
        let next = format!("n{}", depth + 1);
        file(&scratch, &format!("n{depth}"), depth + 1, &format!("jobs:\n{}", calls("main", &next, "{}")));
    }
    file(&scratch, "n12", 99, &format!("jobs:\n{}", runs("ok")));
    scratch.workflow(&format!("jobs:\n{}", calls("main", "n0", "{}")));
    let error = scratch.run(Value::Null).unwrap().record.failure_reason.unwrap();
    assert!(error.contains("nested 10 deep"), "{error}");
}

#[test]
fn cancelling_the_parent_cancels_the_child() {
    let scratch = Scratch::new();
    scratch.shell("slow", "echo ready; sleep 300");
    file(&scratch, "child", 1, &format!("jobs:\n{}", runs("slow")));
    scratch.workflow(&format!("jobs:\n{}", calls("main", "child", "{}")));
    let cancel = CancelToken::new();
    let observer = crate::common::On(|event: &WorkflowEvent| {
        if let WorkflowEvent::Nested { event, .. } = event
            && matches!(&**event, WorkflowEvent::MethodOutput { line, .. } if line == "ready")
        {
            cancel.cancel("stop");
        }
    });
    let outcome = scratch.run_with(Value::Null, &cancel, &observer).unwrap();
    assert_eq!(outcome.status, RunStatus::Cancelled);
    let runs = scratch.workflows().runs(None).unwrap();
    assert_eq!(runs.len(), 2);
    assert!(runs.iter().all(|run| run.entry.status == RunStatus::Cancelled), "{runs:?}");
}
