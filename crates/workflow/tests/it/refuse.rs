//! Workflows that are refused before anything runs, and what `validate` says of them.

use crate::common::{ID, Scratch, job, step};
use marsh_types::Explain;
use marsh_workflow::{RunStatus, WorkflowError};
use serde_json::{Value, json};

/// Every step leaves a file if it runs.
fn scratch() -> Scratch {
    let scratch = Scratch::new();
    let mark = scratch.dir.path().join("ran").display().to_string();
    scratch.shell("mark", &format!("touch '{mark}'"));
    scratch
}

fn refused(scratch: &Scratch, inputs: Value) -> WorkflowError {
    let error = match scratch.run(inputs) {
        Ok(outcome) => panic!("it ran: {:?}", outcome.record),
        Err(error) => error,
    };
    assert!(!scratch.exists("ran"), "{error}");
    assert!(!scratch.exists(&format!(".swamp/workflow-runs/{ID}")), "{error}");
    error
}

#[test]
fn a_place_that_is_not_here_is_refused_by_name() {
    let scratch = scratch();
    let jobs = job("main", "  target: box\n", &[step("mark", "mark", "")]);
    scratch.workflow(&format!("jobs:\n{jobs}"));
    let error = refused(&scratch, Value::Null);
    assert_eq!(error.code().as_str(), "unsupported", "{error}");
    assert!(error.to_string().contains("`target` in `main`"), "{error}");
    let details = error.details().unwrap();
    assert!(details["features"][0]["line"].as_u64().is_some_and(|line| line > 3), "{details}");
    let workflows = scratch.workflows();
    let report = workflows.validate(&workflows.store().find("w").unwrap());
    assert!(report.passed(), "{report:?}");
    assert!(
        report.checks.iter().any(|check| check.warning.as_ref().is_some_and(|w| w.contains("target"))),
        "{report:?}"
    );
}

#[test]
fn a_place_that_is_here_runs() {
    let scratch = scratch();
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    for placement in [
        "target: local".to_owned(),
        format!("labels: {{os: {os}}}"),
        format!("platform: {os}/{arch}"),
        format!("platform: {os}"),
    ] {
        scratch.workflow(&format!("{placement}\njobs:\n{}", job("main", "", &[step("mark", "mark", "")])));
        assert!(scratch.run(Value::Null).is_ok(), "{placement}");
    }
    for placement in ["labels: {gpu: 'yes'}", "platform: plan9", "target: box"] {
        scratch.workflow(&format!("{placement}\njobs:\n{}", job("main", "", &[step("mark", "mark", "")])));
        assert_eq!(scratch.run(Value::Null).unwrap_err().code().as_str(), "unsupported", "{placement}");
    }
}

#[test]
fn a_graph_that_does_not_hold_is_refused() {
    let scratch = scratch();
    let depends = |on: &str| format!("    dependsOn: [{{step: {on}, condition: {{type: succeeded}}}}]\n");
    scratch.workflow(&format!(
        "jobs:\n{}",
        job(
            "main",
            "",
            &[step("a", "mark", &depends("b")), step("b", "mark", &depends("a")), step("c", "mark", "")]
        )
    ));
    let error = refused(&scratch, Value::Null);
    assert_eq!(error.code().as_str(), "validation_failed");
    assert!(error.to_string().contains("a -> b -> a"), "{error}");
    assert_eq!(error.details().unwrap()["line"], 8);
}

#[test]
fn inputs_are_checked_by_field() {
    let scratch = scratch();
    scratch.workflow(&format!(
        "inputs: {{properties: {{region: {{type: string, enum: [eu, us]}}, n: {{type: integer}}}}, required: [region], additionalProperties: false}}\njobs:\n{}",
        job("main", "", &[step("s", "mark", "")])
    ));
    for (inputs, field) in [
        (json!({}), "region"),
        (json!({"region": "mars"}), "region"),
        (json!({"region": "eu", "n": "many"}), "n"),
        (json!({"region": "eu", "regoin": "eu"}), "regoin"),
    ] {
        let error = refused(&scratch, inputs);
        assert_eq!(error.code().as_str(), "input_validation_failed");
        assert_eq!(error.details().unwrap()["issues"][0]["field"], field);
        assert!(error.to_string().contains(field), "{error}");
    }
}

#[test]
fn an_unknown_workflow_and_a_broken_one() {
    let scratch = scratch();
    assert_eq!(refused(&scratch, Value::Null).code().as_str(), "workflow_not_found");
    scratch.workflow("jobs: [{name: main, steps: [{name: s, task: {type: shell, command: ls}}]}]\n");
    let error = refused(&scratch, Value::Null);
    assert_eq!(error.code().as_str(), "workflow_load_failed");
    assert!(error.to_string().contains("command/shell"), "{error}");
}

#[test]
fn model_that_does_not_exist_yet_is_a_warning_of_validate() {
    let scratch = scratch();
    scratch.workflow(&format!("jobs:\n{}", job("main", "", &[step("s", "marc", "")])));
    let workflows = scratch.workflows();
    let report = workflows.validate(&workflows.store().find("w").unwrap());
    assert!(report.passed(), "{:?}", report.checks);
    let warning = report.checks.iter().find_map(|check| check.warning.clone()).unwrap();
    assert!(warning.contains("unknown model `marc`; did you mean `mark`?"), "{warning}");
    // A definition that is there and cannot be read is an error.
    scratch.file(&scratch.dir.path().join("models/command/shell/marc.yaml"), "name: [");
    let report = workflows.validate(&workflows.store().find("w").unwrap());
    assert!(!report.passed());
}

#[test]
fn every_spelling_of_inputs_runs() {
    let scratch = scratch();
    scratch.shell("say", "echo ${{ inputs.who }}");
    for inputs in [
        "{type: object, properties: {who: {type: string}}, required: [who]}",
        "{properties: {who: {type: string, required: true}}}",
        "{who: {type: string, required: true}}",
        "{who: {type: string}, required: [who]}",
    ] {
        scratch.workflow(&format!("inputs: {inputs}\njobs:\n{}", job("main", "", &[step("s", "say", "")])));
        let workflows = scratch.workflows();
        assert!(workflows.validate(&workflows.store().find("w").unwrap()).passed(), "{inputs}");
        let error = scratch.run(json!({})).err().unwrap();
        assert_eq!(error.details().unwrap()["issues"][0]["field"], "who", "{inputs}");
        let run = scratch.run(json!({"who": "me"})).unwrap();
        assert_eq!(run.status, RunStatus::Succeeded, "{inputs}");
    }
    scratch
        .workflow(&format!("inputs: {{who: string}}\njobs:\n{}", job("main", "", &[step("s", "say", "")])));
    assert_eq!(scratch.run(json!({"who": 7})).unwrap().status, RunStatus::Succeeded);
    for inputs in ["[who]", "who"] {
        scratch.workflow(&format!("inputs: {inputs}\njobs:\n{}", job("main", "", &[step("s", "say", "")])));
        let error = scratch.run(json!({"who": "me"})).err().unwrap();
        assert_eq!(error.code().as_str(), "workflow_load_failed");
    }
}

#[test]
fn step_passes_inputs_that_the_definition_uses_and_does_not_declare() {
    let scratch = scratch();
    let calls = |inputs: &str| {
        let line = format!("inputs: {{{inputs}}}");
        format!(
            "jobs:\n{}",
            job(
                "main",
                "",
                &[format!(
                    "  - name: s\n    task: {{type: model_method, modelIdOrName: say, methodName: execute, {line}}}\n"
                )]
            )
        )
    };
    let said = scratch.dir.path().join("said");
    scratch.shell("say", &format!("echo ${{{{ inputs.who }}}} > {}", said.display()));
    scratch.workflow(&calls("who: me"));
    let workflows = scratch.workflows();
    let report = workflows.validate(&workflows.store().find("w").unwrap());
    assert!(report.passed(), "{:?}", report.checks);
    assert_eq!(scratch.run(json!({})).unwrap().status, RunStatus::Succeeded);
    assert_eq!(scratch.read("said"), "me\n");
    // A name that the definition does not use is still a mistake.
    scratch.workflow(&calls("who: me, hwo: x"));
    let report = workflows.validate(&workflows.store().find("w").unwrap());
    assert!(!report.passed());
    assert_eq!(scratch.run(json!({})).unwrap().status, RunStatus::Failed);
}

#[test]
fn validate_looks_at_models_methods_and_literal_inputs() {
    let task = |rest: &str| format!("  - name: s\n    task: {{type: model_method, {rest}}}\n");
    let scratch = scratch();
    for (step, error) in [
        (task("modelIdOrName: mark, methodName: execute"), None),
        (task("modelIdOrName: mark, methodName: exceute"), Some("did you mean `execute`?")),
        (task("modelIdOrName: mark, methodName: execute, inputs: {rnu: ls}"), Some("`rnu`")),
        (task("modelIdOrName: mark, methodName: execute, inputs: {timeout: soon}"), Some("`timeout`")),
        (task("modelType: command/shell, modelName: sh, methodName: execute"), Some("`run`: is required")),
        (task("modelType: command/shell, modelName: sh, methodName: execute, inputs: {run: ls}"), None),
        (
            task("modelType: command/shell, modelName: sh, methodName: execute, inputs: {run: ls, x: 1}"),
            Some("`x`"),
        ),
        (task("modelType: '@me/none', modelName: sh, methodName: run"), Some("@me/none")),
    ] {
        scratch.workflow(&format!("jobs:\n{}", job("main", "", std::slice::from_ref(&step))));
        let workflows = scratch.workflows();
        let report = workflows.validate(&workflows.store().find("w").unwrap());
        let found = report.checks.iter().find_map(|check| check.error.clone());
        match error {
            None => assert!(report.passed(), "{step}: {found:?}"),
            Some(words) => {
                assert!(found.as_ref().is_some_and(|found| found.contains(words)), "{step}: {found:?}");
                let at = report.checks.iter().find_map(|check| check.at.clone()).unwrap();
                assert_eq!(at.line, Some(7), "{at:?}");
            }
        }
    }
}
