//! Runs of real steps: `command/shell` through the model crate.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::common::{ID, On, Scratch, job, step};
use marsh_api::workflow::event::JobEnd;
use marsh_host_client::CancelToken;
use marsh_types::Explain;
use marsh_workflow::{NodeStatus, RunStatus, SkipReason, WorkflowEvent};
use serde_json::{Map, Value, json};

fn after(what: &str, on: &str, condition: &str) -> String {
    let indent = if what == "step" { "    " } else { "  " };
    format!("{indent}dependsOn: [{{{what}: {on}, condition: {{type: {condition}}}}}]\n")
}

fn stdout(outcome: &marsh_workflow::WorkflowOutcome, job: &str, name: &str) -> String {
    let step = outcome.step(job, name).unwrap();
    let view = step.artifacts.iter().find(|view| view.metadata.name == "result").unwrap();
    view.attributes.as_ref().unwrap()["stdout"].as_str().unwrap().trim_end().to_owned()
}

fn record(scratch: &Scratch, outcome: &marsh_workflow::WorkflowOutcome) -> (String, Map<String, Value>) {
    let text = scratch.read(&format!(".swamp/workflow-runs/{ID}/workflow-run-{}.yaml", outcome.record.id));
    let value = marsh_types::yaml::from_str::<Map<String, Value>>(&text).unwrap();
    (text, value)
}

fn keys(map: &Value) -> Vec<&str> {
    map.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_run_and_its_record() {
    let scratch = Scratch::new();
    scratch.shell("hello", "echo hello").workflow(&format!(
        "tags: {{team: a}}\ninputs: {{properties: {{region: {{type: string, default: eu}}}}}}\njobs:\n{}",
        job("main", "", &[step("greet", "hello", "")])
    ));
    let outcome = scratch.run(Value::Null).unwrap();
    assert_eq!(outcome.status, RunStatus::Succeeded);
    assert_eq!(stdout(&outcome, "main", "greet"), "hello");
    let (_, record) = record(&scratch, &outcome);
    let record = Value::Object(record);
    assert_eq!(
        keys(&record),
        [
            "id",
            "workflowId",
            "workflowName",
            "status",
            "startedAt",
            "completedAt",
            "jobs",
            "tags",
            "pid",
            "logFile",
            "inputs",
            "initiatedBy",
            "triggerSource",
            "stepProgress"
        ]
    );
    assert_eq!(record["workflowId"], ID);
    assert_eq!(record["tags"], json!({"team": "a", "run": "test"}));
    assert_eq!(record["inputs"], json!({"region": "eu"}));
    assert_eq!(record["triggerSource"], "manual");
    assert_eq!(record["stepProgress"], json!({"completed": 1, "total": 1}));
    assert_eq!(record["pid"], std::process::id());
    let job = &record["jobs"][0];
    assert_eq!(keys(job), ["jobName", "status", "startedAt", "completedAt", "steps"]);
    let step = &job["steps"][0];
    assert_eq!(
        keys(step),
        ["stepName", "status", "startedAt", "completedAt", "output", "dataArtifacts", "code"]
    );
    assert_eq!(step["code"], json!({"type": "command/shell", "typeVersion": "2026.02.09.1"}));
    // The log, where the record says it is.
    let log = scratch.read(record["logFile"].as_str().unwrap());
    assert!(log.lines().all(|line| line.contains("Z [")), "{log}");
    assert!(log.contains(" [INF] workflow·run·w·main·greet: hello\n"), "{log}");
    assert!(log.contains(" [INF] workflow·run·w: run "), "{log}");
    // The data carry where they come from.
    let tags = &step["dataArtifacts"][0]["tags"];
    for (key, value) in [
        ("source", "step-output"),
        ("workflow", "w"),
        ("job", "main"),
        ("step", "greet"),
        ("team", "a"),
        ("run", "test"),
    ] {
        assert_eq!(tags[key], value, "{tags}");
    }
}

#[test]
fn results_are_references() {
    let scratch = Scratch::new();
    scratch
        .shell("loud", "echo a-long-text-that-the-record-must-not-hold")
        .workflow(&format!("jobs:\n{}", job("main", "", &[step("s", "loud", "")])));
    let outcome = scratch.run(Value::Null).unwrap();
    let (text, record) = record(&scratch, &outcome);
    assert!(!text.contains("a-long-text"), "{text}");
    let output = &record["jobs"][0]["steps"][0]["output"];
    let artifact = &record["jobs"][0]["steps"][0]["dataArtifacts"][0];
    assert_eq!(
        output["resources"],
        json!({"result": {"result": {"id": artifact["dataId"], "name": "result", "version": 1}}})
    );
    assert_eq!(output["files"]["log"]["log"]["version"], 1);
    assert_eq!(
        (&output["type"], &output["model"], &output["method"]),
        (&json!("model_method"), &json!("loud"), &json!("execute"))
    );
    // The method run has a record of its own.
    let id = output["outputId"].as_str().unwrap();
    assert!(scratch.models.outputs.find(id).unwrap().is_some());
    // The document for scripts has the content.
    let document = serde_json::to_value(outcome.document()).unwrap();
    let shown = &document["jobs"][0]["steps"][0]["dataArtifacts"][0];
    assert_eq!(shown["attributes"]["stdout"], "a-long-text-that-the-record-must-not-hold");
    assert_eq!(
        keys(&document),
        ["id", "workflowId", "workflowName", "inputs", "status", "jobs", "duration", "path", "initiatedBy"]
    );
}

#[test]
fn steps_without_dependencies_run_together() {
    // Each waits for a file that the other makes, so neither can end unless both run.
    let scratch = Scratch::new();
    let at = scratch.dir.path().display().to_string();
    let meet = |mine: &str, other: &str| {
        format!(
            "touch '{at}/{mine}'; for i in $(seq 600); do [ -e '{at}/{other}' ] && exit 0; sleep 0.05; done; exit 1"
        )
    };
    scratch.shell("one", &meet("a", "b")).shell("two", &meet("b", "a")).workflow(&format!(
        "jobs:\n{}{}",
        job("x", "", &[step("one", "one", "")]),
        job("z", "", &[step("two", "two", "")])
    ));
    assert_eq!(scratch.run(Value::Null).unwrap().status, RunStatus::Succeeded);
}

#[test]
fn a_failure_is_handled_in_its_job_and_fails_the_run() {
    let scratch = Scratch::new();
    scratch.shell("ok", "true").shell("bad", "echo oops >&2; exit 3").workflow(&format!(
        "jobs:\n{}{}{}",
        job(
            "main",
            "",
            &[
                step("bad", "bad", ""),
                step("handler", "ok", &after("step", "bad", "failed")),
                step("next", "ok", &after("step", "bad", "succeeded")),
                step("other", "ok", ""),
            ]
        ),
        job("then", &after("job", "main", "succeeded"), &[step("x", "ok", "")]),
        job("cleanup", &after("job", "main", "completed"), &[step("x", "ok", "")])
    ));
    let outcome = scratch.run(Value::Null).unwrap();
    assert_eq!(outcome.status, RunStatus::Failed);
    let status = |job: &str, step: &str| outcome.step(job, step).unwrap().status;
    assert_eq!(status("main", "bad"), NodeStatus::Failed);
    assert_eq!(status("main", "handler"), NodeStatus::Succeeded);
    assert_eq!(status("main", "next"), NodeStatus::Skipped);
    assert_eq!(status("main", "other"), NodeStatus::Succeeded);
    assert_eq!(status("then", "x"), NodeStatus::Skipped);
    assert_eq!(status("cleanup", "x"), NodeStatus::Succeeded);
    let (_, record) = record(&scratch, &outcome);
    assert_eq!(record["failedStep"], "bad");
    assert_eq!(record["failureReason"], "command exited with code 3");
    assert_eq!(record["jobs"][0]["steps"][0]["error"], "command exited with code 3");
    assert_eq!(record["jobs"][0]["steps"][2]["skipReason"], "dependency");
    assert_eq!(record["stepProgress"], json!({"completed": 6, "total": 6}));
    assert_eq!(record["jobs"][1]["status"], "skipped");
}

#[test]
fn an_allowed_failure_fails_nothing() {
    let scratch = Scratch::new();
    scratch
        .shell("bad", "exit 3")
        .workflow(&format!("jobs:\n{}", job("main", "", &[step("bad", "bad", "    allowFailure: true\n")])));
    let outcome = scratch.run(Value::Null).unwrap();
    assert_eq!(outcome.status, RunStatus::Succeeded);
    let (_, record) = record(&scratch, &outcome);
    assert_eq!(record["jobs"][0]["steps"][0]["status"], "failed");
    assert_eq!(record["jobs"][0]["steps"][0]["allowedFailure"], true);
    assert!(!record.contains_key("failedStep"));
}

#[test]
fn a_step_that_cannot_start_fails_with_the_reason() {
    let scratch = Scratch::new();
    let task = |rest: &str| format!("  - name: s\n    task: {{type: model_method, {rest}}}\n");
    scratch.shell("ok", "true");
    for (step, words) in [
        (task("modelIdOrName: kk, methodName: execute"), "unknown model `kk`"),
        (task("modelIdOrName: ok, methodName: exec"), "has no method `exec`"),
        (task("modelIdOrName: ok, methodName: execute, inputs: {nope: 1}"), "`nope`"),
        (
            task(
                "modelIdOrName: ok, methodName: execute, inputs: {run: \"${{ data.latest('a','b').attributes.c }}\"}",
            ),
            "data.latest('a','b').attributes.c",
        ),
        (task("modelIdOrName: '${{ inputs.none }}', methodName: execute"), "inputs.none"),
        (task("modelType: command/shell, modelName: UP, methodName: execute, inputs: {run: ls}"), "`UP`"),
    ] {
        scratch.workflow(&format!("jobs:\n{}", job("main", "", &[step])));
        let outcome = scratch.run(Value::Null).unwrap();
        assert_eq!(outcome.status, RunStatus::Failed);
        let error = outcome.step("main", "s").unwrap().error.clone().unwrap();
        assert!(error.contains(words), "{error}");
        assert_eq!(outcome.record.failure_reason, Some(error));
    }
}

#[test]
fn inputs_reach_steps_and_definitions_typed() {
    let scratch = Scratch::with_env(&[("WHO", "env-who")]);
    scratch.shell("direct", "unused").shell("declared", "echo ${{ inputs.region }}-${{ inputs.extra }}");
    let definition = scratch.read("models/command/shell/declared.yaml")
        + "inputs:\n  properties:\n    region: {type: string}\n    extra: {type: string, default: none}\n";
    scratch.file(&scratch.dir.path().join("models/command/shell/declared.yaml"), &definition);
    let with = |name: &str, model: &str, inputs: &str| {
        format!(
            "  - name: {name}\n    task:\n      type: model_method\n      modelIdOrName: {model}\n      methodName: execute\n      inputs: {inputs}\n"
        )
    };
    scratch.workflow(&format!(
        "inputs: {{properties: {{region: {{type: string}}, n: {{type: integer}}, args: {{type: object}}}}, required: [region]}}\njobs:\n{}",
        job(
            "main",
            "",
            &[
                with("text", "direct", "{run: 'echo ${{ inputs.region }} ${{ inputs.n }} ${{ env.WHO }} ${{ run.workflowName }}'}"),
                with("whole", "direct", "${{ inputs.args }}"),
                // A definition sees the run's inputs below those of the step.
                with("below", "declared", "{extra: 'x${{ inputs.n }}'}"),
            ]
        )
    ));
    let inputs = json!({"region": "eu", "n": "3", "args": {"run": "echo '${{ env.WHO }}'"}});
    let outcome = scratch.run(inputs).unwrap();
    assert_eq!(outcome.status, RunStatus::Succeeded, "{:?}", outcome.record.failure_reason);
    assert_eq!(stdout(&outcome, "main", "text"), "eu 3 env-who w");
    assert_eq!(stdout(&outcome, "main", "below"), "eu-x3");
    // The result of an expression is not expanded again.
    assert_eq!(stdout(&outcome, "main", "whole"), "${{ env.WHO }}");
    let (_, record) = record(&scratch, &outcome);
    assert_eq!(record["inputs"]["n"], 3);
}

#[test]
fn a_direct_step_makes_its_definition() {
    let scratch = Scratch::new();
    scratch.workflow(&format!(
        "jobs:\n{}",
        job("main", "", &["  - name: s\n    task: {type: model_method, modelType: command/shell, modelName: made-here, methodName: execute, inputs: {run: 'echo $((1 + 1))'}}\n".into()])
    ));
    let outcome = scratch.run(Value::Null).unwrap();
    assert_eq!(outcome.status, RunStatus::Succeeded, "{:?}", outcome.record.failure_reason);
    assert_eq!(stdout(&outcome, "main", "s"), "2");
    assert!(scratch.models.definitions.find("made-here").unwrap().auto);
}

#[test]
fn cancellation_stops_the_run_and_is_recorded() {
    let scratch = Scratch::new();
    scratch.shell("ok", "true").shell("slow", "echo ready; sleep 300").workflow(&format!(
        "jobs:\n{}{}",
        job(
            "main",
            "",
            &[
                step("slow", "slow", "    allowFailure: true\n"),
                step("next", "ok", &after("step", "slow", "always"))
            ]
        ),
        job("then", &after("job", "main", "always"), &[step("x", "ok", "")])
    ));
    let cancel = CancelToken::new();
    let cancelled_at = Mutex::new(None);
    let outcome = scratch
        .run_with(
            Value::Null,
            &cancel,
            &On(|event: &WorkflowEvent| {
                // The command is known to run now.
                if let WorkflowEvent::MethodOutput { line, .. } = event
                    && line == "ready"
                {
                    *cancelled_at.lock().unwrap() = Some(Instant::now());
                    cancel.cancel("interrupted by the test");
                }
            }),
        )
        .unwrap();
    // Far below what the command would have taken; a slow machine is given time.
    assert!(cancelled_at.lock().unwrap().unwrap().elapsed() < Duration::from_secs(20));
    assert_eq!(outcome.status, RunStatus::Cancelled);
    assert_eq!(outcome.step("main", "slow").unwrap().status, NodeStatus::Failed);
    for (job, name) in [("main", "next"), ("then", "x")] {
        let step = outcome.step(job, name).unwrap();
        assert_eq!((step.status, step.skip_reason), (NodeStatus::Skipped, Some(SkipReason::Cancelled)));
    }
    let (_, record) = record(&scratch, &outcome);
    assert_eq!(record["status"], "cancelled");
    assert_eq!(record["tags"]["cancel_reason"], "interrupted by the test");
    assert!(!record.contains_key("failedStep"));
    let entry = &scratch.workflows().runs(None).unwrap()[0].entry;
    assert_eq!(
        (entry.status, entry.tags.get("cancel_reason")),
        (RunStatus::Cancelled, Some("interrupted by the test"))
    );
}

#[test]
fn the_record_is_ahead_of_what_runs() {
    let scratch = Scratch::new();
    let runs = scratch.dir.path().join(".swamp/workflow-runs").join(ID).display().to_string();
    // The step reads the record of its own run.
    scratch
        .shell("look", &format!("cat {runs}/workflow-run-*.yaml"))
        .workflow(&format!("jobs:\n{}", job("main", "", &[step("s", "look", "")])));
    let index = Mutex::new(None);
    let outcome = scratch
        .run_with(
            Value::Null,
            &CancelToken::new(),
            &On(|event: &WorkflowEvent| {
                if matches!(event, WorkflowEvent::StepStarted { .. }) {
                    *index.lock().unwrap() = Some(scratch.workflows().runs(Some("w")).unwrap());
                }
            }),
        )
        .unwrap();
    let seen: Value = marsh_types::yaml::from_str(&stdout(&outcome, "main", "s")).unwrap();
    assert_eq!(seen["status"], "running");
    assert_eq!(seen["jobs"][0]["status"], "running");
    assert_eq!(seen["jobs"][0]["steps"][0]["status"], "running");
    assert_eq!(seen["stepProgress"], json!({"completed": 0, "total": 1}));
    assert_eq!(index.lock().unwrap().as_ref().unwrap()[0].entry.status, RunStatus::Running);
}

#[test]
fn events_come_in_order() {
    let scratch = Scratch::new();
    scratch.shell("hello", "echo hello").shell("bad", "exit 1").workflow(&format!(
        "jobs:\n{}",
        job("main", "", &[step("a", "hello", ""), step("b", "bad", &after("step", "a", "succeeded"))])
    ));
    let seen = Mutex::new(Vec::new());
    scratch
        .run_with(
            Value::Null,
            &CancelToken::new(),
            &On(|event: &WorkflowEvent| {
                let text = match event {
                    WorkflowEvent::Started { jobs, .. } => format!("started {}", jobs[0].step_count),
                    WorkflowEvent::JobStarted { job_id } => format!("job {job_id}"),
                    WorkflowEvent::JobCompleted { job_id, status, .. } => {
                        format!("job {job_id} {}", *status == JobEnd::Succeeded)
                    }
                    WorkflowEvent::StepStarted { step, .. } => format!("step {}", step.step_id),
                    WorkflowEvent::MethodOutput { step, stream, line } => {
                        format!("{} {stream} {line}", step.step_id)
                    }
                    WorkflowEvent::StepCompleted { step, data_handles, .. } => {
                        format!("{} done {}", step.step_id, data_handles.len())
                    }
                    WorkflowEvent::StepFailed { step, error, allowed_failure, .. } => {
                        format!("{} {error} {allowed_failure}", step.step_id)
                    }
                    WorkflowEvent::Completed { status, .. } => format!("completed {}", status.as_str()),
                    WorkflowEvent::ModelResolved { .. }
                    | WorkflowEvent::MethodExecuting { .. }
                    | WorkflowEvent::DataArtifactSaved { .. }
                    | WorkflowEvent::DefinitionCreated { .. } => return,
                    other => format!("{other:?}"),
                };
                seen.lock().unwrap().push(text);
            }),
        )
        .unwrap();
    assert_eq!(
        seen.into_inner().unwrap(),
        [
            "started 2",
            "job main",
            "step a",
            "a stdout hello",
            "a done 2",
            "step b",
            "b command exited with code 1 false",
            "job main false",
            "completed failed"
        ]
    );
}

#[test]
fn the_limit_of_the_environment_is_global() {
    let scratch = Scratch::with_env(&[("SWAMP_MAX_CONCURRENT_STEPS", "1")]);
    let steps = ["a", "b", "c"].map(|name| step(name, "ok", ""));
    scratch.shell("ok", "true").workflow(&format!("jobs:\n{}{}", job("x", "", &steps), job("z", "", &steps)));
    let running = Mutex::new((0, 0));
    let observer = On(|event: &WorkflowEvent| {
        let mut running = running.lock().unwrap();
        match event {
            WorkflowEvent::StepStarted { .. } => running.0 += 1,
            WorkflowEvent::StepCompleted { .. } => running.0 -= 1,
            _ => {}
        }
        running.1 = running.1.max(running.0);
    });
    let outcome = scratch.run_with(Value::Null, &CancelToken::new(), &observer).unwrap();
    assert_eq!(outcome.status, RunStatus::Succeeded);
    assert_eq!(running.lock().unwrap().1, 1);
}

#[test]
fn index_is_made_again_when_it_is_not_right() {
    let scratch = Scratch::new();
    scratch.shell("ok", "true").workflow(&format!("jobs:\n{}", job("main", "", &[step("s", "ok", "")])));
    let first = scratch.run(Value::Null).unwrap().record.id;
    let second = scratch.run(Value::Null).unwrap().record.id;
    let path = scratch.dir.path().join(".swamp/workflow-runs/.runs-index.json");
    let good: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert_eq!(good["version"], 2);
    assert_eq!(good["entries"].as_object().unwrap().len(), 2);
    let entry = &good["entries"][&first];
    assert_eq!(entry["status"], "succeeded");
    assert_eq!(entry["workflowName"], "w");
    assert_eq!(entry["stepProgress"], json!({"completed": 1, "total": 1}));
    let mut short = good.clone();
    short["entries"].as_object_mut().unwrap().remove(&second);
    let mut old = good.clone();
    old["version"] = json!(1);
    for wrong in [String::new(), "{".into(), short.to_string(), old.to_string()] {
        scratch.file(&path, &wrong);
        let runs = scratch.workflows().runs(Some("w")).unwrap();
        let ids: Vec<&str> = runs.iter().map(|run| run.run_id.as_str()).collect();
        assert!(ids.contains(&first.as_str()) && ids.contains(&second.as_str()) && ids.len() == 2, "{wrong}");
        let now: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(now, good);
    }
}

/// A process that was killed after it had written the end of its run, and before the index heard of it.
#[test]
fn index_is_not_believed_of_a_run_that_it_does_not_know_the_end_of() {
    let scratch = Scratch::new();
    scratch.shell("ok", "true").workflow(&format!("jobs:\n{}", job("main", "", &[step("s", "ok", "")])));
    let run = scratch.run(Value::Null).unwrap().record.id;
    let path = scratch.dir.path().join(".swamp/workflow-runs/.runs-index.json");
    let mut behind: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let entry = behind["entries"][&run].as_object_mut().unwrap();
    entry.insert("status".into(), json!("running"));
    entry.insert("stepProgress".into(), json!({"completed": 0, "total": 1}));
    entry.remove("completedAt").unwrap();
    scratch.file(&path, &behind.to_string());
    let runs = scratch.workflows().runs(Some("w")).unwrap();
    assert_eq!(runs[0].entry.status, RunStatus::Succeeded);
    assert!(runs[0].entry.completed_at.is_some());
    assert_eq!(runs[0].entry.step_progress.map(|progress| progress.completed), Some(1));
}

#[test]
fn index_keeps_every_run_of_many_at_once() {
    let scratch = Scratch::new();
    scratch.shell("ok", "true").workflow(&format!("jobs:\n{}", job("main", "", &[step("s", "ok", "")])));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert_eq!(scratch.run(Value::Null).unwrap().status, RunStatus::Succeeded));
        }
    });
    let index: Value = serde_json::from_str(&scratch.read(".swamp/workflow-runs/.runs-index.json")).unwrap();
    let entries = index["entries"].as_object().unwrap();
    assert_eq!(entries.len(), 8);
    assert!(entries.values().all(|entry| entry["status"] == "succeeded"), "{index}");
}

#[test]
fn runs_are_found_by_prefix() {
    let scratch = Scratch::new();
    scratch.shell("ok", "true").workflow(&format!("jobs:\n{}", job("main", "", &[step("s", "ok", "")])));
    let outcome = scratch.run(Value::Null).unwrap();
    let id = outcome.record.id.clone();
    let workflows = scratch.workflows();
    for name in [id.clone(), id[..8].to_owned(), id.replace('-', "").to_uppercase()] {
        let found = workflows.run_record(&name).unwrap();
        assert_eq!(found.record, outcome.record);
        assert!(found.log_path.is_file());
    }
    assert_eq!(workflows.run_record(&id[..2]).unwrap_err().code().as_str(), "prefix_too_short");
    for name in ["not-hex", "../../x", ""] {
        assert!(workflows.run_record(name).is_err(), "{name}");
    }
    // Another run with the same first digits.
    let twin = format!("{}-0000-4000-8000-000000000000", &id[..8]);
    let path = scratch.dir.path().join(format!(".swamp/workflow-runs/{ID}/workflow-run-{twin}.yaml"));
    scratch.file(&path, "half a rec: [");
    assert_eq!(workflows.run_record(&id[..8]).unwrap_err().code().as_str(), "ambiguous_id");
    assert_eq!(workflows.run_record(&twin).unwrap_err().code().as_str(), "damaged");
    assert_eq!(workflows.runs(None).unwrap().len(), 1);
}
