//! What steps can name beyond their inputs: other models, their data, and methods in conditions.

use crate::common::{Scratch, job};
use marsh_workflow::record::NodeStatus;
use serde_json::{Value, json};

fn task(model: &str, inputs: &str) -> String {
    format!(
        "    task: {{type: model_method, modelIdOrName: {model}, methodName: execute, inputs: {inputs}}}\n"
    )
}

const AFTER: &str = "    dependsOn: [{step: a, condition: {type: succeeded}}]\n";

#[test]
fn a_step_sees_other_models_and_what_they_wrote() {
    let scratch = Scratch::new();
    scratch.shell("first-one", "echo made").shell("sh", "true").shell("idle", "true");
    for (expression, expected) in [
        ("model.first-one.resource.result.result.attributes.stdout", "made"),
        ("model.first-one.definition.name + model['sh'].input.name", "first-onesh"),
        ("string(size(model.first-one.resource.result))", "1"),
        ("string(has(model.idle.resource))", "false"),
        ("string(size(workers.connected()))", "0"),
        ("string(file.contents('sh', 'none') == null)", "true"),
    ] {
        let text = scratch.dir.path().join("said").display().to_string();
        let second = format!(
            "  - name: b\n{AFTER}{}",
            task(
                "sh",
                &format!(
                    "{{run: \"printf %s \\\"$A\\\" > '{text}'\", env: {{A: \"${{{{ {expression} }}}}\"}}}}"
                )
            )
        );
        let first = format!("  - name: a\n{}", task("first-one", "{}"));
        scratch.workflow(&format!("jobs:\n{}", job("main", "", &[first, second])));
        let outcome = scratch.run(Value::Null).unwrap();
        assert_eq!(outcome.record.status.as_str(), "succeeded", "{expression}: {:?}", outcome.record);
        assert_eq!(scratch.read("said").trim_end(), expected, "{expression}");
    }
}

#[test]
fn a_condition_runs_a_method_and_judges_what_it_wrote() {
    let scratch = Scratch::new();
    scratch.shell("probe", "echo ${STATE:-off}").shell("sh", "true").shell("broken", "exit 3");
    let call = "model.method('probe', 'execute', {'env': {'STATE': inputs.state}})";
    let guarded = format!("  - name: a\n    guard: \"{call}.stdout.trim() == 'on'\"\n{}", task("sh", "{}"));
    let checked = format!(
        "  - name: c\n    task: {{type: assert, expr: \"{call}.exitCode == 0\", message: it answers}}\n"
    );
    scratch.workflow(&format!("jobs:\n{}", job("main", "", &[guarded, checked])));
    for (state, expected) in [("on", NodeStatus::Skipped), ("off", NodeStatus::Succeeded)] {
        let outcome = scratch.run(json!({ "state": state })).unwrap();
        let steps = &outcome.record.jobs[0].steps;
        assert_eq!(
            (steps[0].status, steps[1].status),
            (expected, NodeStatus::Succeeded),
            "{:?}",
            outcome.record
        );
    }
    let failing = "  - name: a\n    task: {type: assert, expr: \"model.method('broken', 'execute').exitCode == 0\", message: m}\n";
    scratch.workflow(&format!("jobs:\n{}", job("main", "", &[failing.to_owned()])));
    let reason = scratch.run(Value::Null).unwrap().record.failure_reason.unwrap();
    assert!(reason.contains("expr: cannot evaluate") && reason.contains("`execute` of `broken`"), "{reason}");
}
