//! Runs that stop and go on: approvals, failures, crashes.

use std::time::Duration;

use crate::common::{ID, Scratch};
use crate::rules::shape;
use marsh_host_client::CancelToken;
use marsh_model::CheckSelection;
use marsh_types::Explain;
use marsh_workflow::{ResumeRequest, RunStatus, WorkflowError, WorkflowOutcome};
use serde_json::{Map, Value, json};

/// Steps that leave a line for every time they run.
struct Counted(Scratch);

impl Counted {
    fn new() -> Counted {
        let scratch = Scratch::new();
        let at = scratch.dir.path().display().to_string();
        scratch
            .shell("count", "true")
            .shell("gate", &format!("echo g >> '{at}/count-gate'; test -e '{at}/open'"));
        Counted(scratch)
    }

    fn step(&self, name: &str) -> String {
        let at = self.0.dir.path().display().to_string();
        format!(
            "  - name: {name}\n    task: {{type: model_method, modelIdOrName: count, methodName: execute, inputs: {{run: \"echo x >> '{at}/count-{name}'\"}}}}\n"
        )
    }

    fn count(&self, name: &str) -> usize {
        let path = self.0.dir.path().join(format!("count-{name}"));
        std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
    }

    fn resume(&self, from: Option<&str>, inputs: Value) -> Result<WorkflowOutcome, WorkflowError> {
        let cancel = CancelToken::new();
        let inputs = match inputs {
            Value::Object(map) => map,
            _ => Map::new(),
        };
        let request = ResumeRequest {
            workflow: "w",
            run: None,
            from,
            inputs,
            checks: CheckSelection::default(),
            deadline_per_step: Duration::from_secs(60),
            cancel: &cancel,
            driver: marsh_model::Driver::Raw,
            reports: marsh_model::run::reports::ReportSelection::default(),
        };
        self.0.workflows().resume(&request, &marsh_api::event::NoEvents)
    }

    fn decide(&self, step: &str, approved: bool) -> Result<marsh_workflow::Approved, WorkflowError> {
        let (reason, by) = (Some("because".to_owned()), Some("me".to_owned()));
        self.0.workflows().decide("w", step, None, approved, reason, by)
    }
}

fn after(step: &str, condition: &str) -> String {
    format!("    dependsOn: [{{step: {step}, condition: {{type: {condition}}}}}]\n")
}

const ASK: &str = "  - name: ask\n    task: {type: manual_approval, prompt: 'ship ${{ inputs.v }}?'}\n";

fn approval(counted: &Counted) {
    let steps = [
        counted.step("a"),
        ASK.to_owned(),
        counted.step("b") + &after("a", "succeeded"),
        counted.step("yes") + &after("ask", "succeeded"),
        counted.step("no") + &after("ask", "failed"),
    ];
    counted.0.workflow(&format!("jobs:\n- name: main\n  steps:\n{}", steps.concat()));
}

#[test]
fn an_approval_suspends_and_a_resumed_run_repeats_nothing() {
    let counted = Counted::new();
    approval(&counted);
    let outcome = counted.0.run(json!({"v": 7})).unwrap();
    assert_eq!(outcome.status, RunStatus::Suspended);
    assert_eq!(
        shape(&outcome.record),
        "suspended\nmain suspended\n  a succeeded\n  ask waiting_approval\n  b succeeded\n  yes pending\n  no pending\n"
    );
    let document = serde_json::to_value(outcome.document()).unwrap();
    assert_eq!(document["approvalRequired"], json!({"jobId": "main", "stepId": "ask", "prompt": "ship 7?"}));
    let pending = counted.0.workflows().approvals().unwrap();
    assert_eq!((pending.len(), pending[0].prompt.as_str()), (1, "ship 7?"));
    // Not before a user decides.
    let again = counted.resume(None, Value::Null).unwrap();
    assert_eq!(again.status, RunStatus::Suspended);
    assert_eq!(counted.decide("aks", true).unwrap_err().code().as_str(), "not_waiting");
    let approved = counted.decide("ask", true).unwrap();
    assert_eq!((approved.status, approved.decision.approved), (RunStatus::Suspended, true));
    assert_eq!(counted.decide("ask", true).unwrap_err().code().as_str(), "not_waiting");
    let outcome = counted.resume(None, Value::Null).unwrap();
    assert_eq!(
        shape(&outcome.record),
        "succeeded\nmain succeeded\n  a succeeded\n  ask succeeded\n  b succeeded\n  yes succeeded\n  no skipped dependency\n"
    );
    let decision = outcome.record.jobs[0].steps[1].approval_decision.clone().unwrap();
    assert_eq!((decision.reason.as_deref(), decision.decided_by.as_deref()), (Some("because"), Some("me")));
    assert_eq!(["a", "b", "yes", "no"].map(|name| counted.count(name)), [1, 1, 1, 0]);
    assert_eq!(counted.resume(None, Value::Null).unwrap_err().code().as_str(), "workflow_resume_failed");
}

#[test]
fn a_rejection_runs_its_handlers_when_resumed_and_ends_the_run_without() {
    let counted = Counted::new();
    approval(&counted);
    counted.0.run(json!({"v": 7})).unwrap();
    assert_eq!(counted.decide("ask", false).unwrap().status, RunStatus::Suspended);
    let outcome = counted.resume(None, Value::Null).unwrap();
    assert_eq!(outcome.status, RunStatus::Failed);
    assert_eq!(["yes", "no"].map(|name| counted.count(name)), [0, 1]);
    assert_eq!(outcome.record.failure_reason.as_deref(), Some("rejected: because"));
    // Nothing is left to do: the decision is the end.
    counted.0.workflow(&format!(
        "jobs:\n- name: main\n  steps:\n{ASK}{}",
        counted.step("then") + &after("ask", "succeeded")
    ));
    counted.0.run(json!({"v": 8})).unwrap();
    let rejected = counted.decide("ask", false).unwrap();
    assert_eq!(rejected.status, RunStatus::Failed);
    let record = counted.0.workflows().run_record(&rejected.run_id).unwrap().record;
    assert_eq!(
        shape(&record),
        "failed\nmain failed\n  ask failed: rejected: because\n  then skipped dependency\n"
    );
}

#[test]
fn an_approval_expires() {
    let counted = Counted::new();
    let ask = "  - name: ask\n    task: {type: manual_approval, prompt: p, timeout: 0.001}\n";
    counted.0.workflow(&format!("jobs:\n- name: main\n  steps:\n{ask}"));
    counted.0.run(Value::Null).unwrap();
    std::thread::sleep(Duration::from_millis(5));
    assert_eq!(counted.decide("ask", true).unwrap_err().code().as_str(), "approval_expired");
}

#[test]
fn from_a_step_on_everything_that_follows_is_done_again() {
    let counted = Counted::new();
    let gate = "  - name: gate\n    task: {type: model_method, modelIdOrName: gate, methodName: execute}\n";
    let main = [
        counted.step("a"),
        gate.to_owned() + &after("a", "succeeded"),
        counted.step("b") + &after("gate", "succeeded"),
        counted.step("side"),
    ];
    let then = format!(
        "- name: then\n  dependsOn: [{{job: main, condition: {{type: succeeded}}}}]\n  steps:\n{}",
        counted.step("last")
    );
    counted.0.workflow(&format!("jobs:\n- name: main\n  steps:\n{}{then}", main.concat()));
    assert_eq!(counted.0.run(Value::Null).unwrap().status, RunStatus::Failed);
    let plain = counted.resume(None, Value::Null).unwrap_err();
    assert_eq!(plain.code().as_str(), "workflow_resume_failed");
    assert_eq!(
        counted.resume(Some("gaet"), Value::Null).unwrap_err().hint().as_deref(),
        Some("did you mean `gate` or `a`?")
    );
    counted.0.file(&counted.0.dir.path().join("open"), "");
    let outcome = counted.resume(Some("gate"), Value::Null).unwrap();
    assert_eq!(outcome.status, RunStatus::Succeeded, "{}", shape(&outcome.record));
    assert_eq!(["a", "gate", "b", "side", "last"].map(|name| counted.count(name)), [1, 2, 1, 1, 1]);
    assert_eq!(outcome.record.failed_step, None);
    // What has not failed is not done again.
    assert_eq!(
        counted.resume(Some("gate"), Value::Null).unwrap_err().code().as_str(),
        "workflow_resume_failed"
    );
}

#[test]
fn resumed_run_uses_the_edited_file_for_its_remaining_steps() {
    let counted = Counted::new();
    approval(&counted);
    counted.0.run(json!({"v": 7})).unwrap();
    counted.decide("ask", true).unwrap();
    let steps =
        [counted.step("a"), ASK.to_owned(), counted.step("new") + &after("ask", "succeeded")].concat();
    counted.0.workflow(&format!("jobs:\n- name: main\n  steps:\n{steps}"));
    let outcome = counted.resume(None, json!({"more": 1})).unwrap();
    assert_eq!(
        shape(&outcome.record),
        "succeeded\nmain succeeded\n  a succeeded\n  ask succeeded\n  new succeeded\n"
    );
    assert_eq!(["a", "b", "yes", "new"].map(|name| counted.count(name)), [1, 1, 0, 1]);
    assert_eq!(outcome.record.resume_inputs, Some(vec!["more".to_owned()]));
    assert_eq!(outcome.record.inputs.unwrap()["v"], 7);
}

/// The journal of a run that was cut after any of its facts is the state after a kill; a resumption repeats no step that
/// had ended.
#[test]
fn a_run_that_was_cut_anywhere_goes_on() {
    let counted = Counted::new();
    let each = "  - name: each\n    forEach: {item: x, in: '${{ inputs.list }}'}\n    task: {type: model_method, modelIdOrName: count, methodName: execute, inputs: {run: \"echo x >> 'AT/count-${{ self.x }}'\"}}\n".replace("AT", &counted.0.dir.path().display().to_string());
    let steps =
        [counted.step("a"), each + &after("a", "succeeded"), counted.step("z") + &after("each", "succeeded")];
    counted.0.workflow(&format!("jobs:\n- name: main\n  steps:\n{}", steps.concat()));
    let names = ["a", "p", "q", "z"];
    let whole = counted.0.run(json!({"list": ["p", "q"]})).unwrap();
    let path = counted
        .0
        .dir
        .path()
        .join(format!(".swamp/workflow-runs/{ID}/workflow-run-{}.journal", whole.record.id));
    let journal = std::fs::read_to_string(&path).unwrap();
    let record_path = path.with_extension("yaml");
    let lines: Vec<&str> = journal.lines().collect();
    let mut before = names.map(|name| counted.count(name));
    for cut in 1..lines.len() {
        let kept = lines[..cut].join("\n") + "\n{\"at\":\"2026";
        counted.0.file(&path, &kept);
        let running =
            std::fs::read_to_string(&record_path).unwrap().replace("status: succeeded", "status: running");
        let running: String = running
            .lines()
            .filter(|line| !line.starts_with("completedAt"))
            .map(|line| format!("{line}\n"))
            .collect();
        counted.0.file(&record_path, &running);
        marsh_fs::remove_file_if_exists(&counted.0.dir.path().join(".swamp/workflow-runs/.runs-index.json"))
            .unwrap();
        let seen = counted.0.workflows().run_record(&whole.record.id).unwrap().record;
        assert_eq!(seen.status, RunStatus::Running, "a status is never guessed");
        let outcome = counted.resume(None, Value::Null).unwrap();
        assert_eq!(
            shape(&outcome.record),
            "succeeded\nmain succeeded\n  a succeeded\n  each-p succeeded\n  each-q succeeded\n  z succeeded\n",
            "cut {cut}"
        );
        let now = names.map(|name| counted.count(name));
        for (at, name) in names.iter().enumerate() {
            let step = match *name {
                "p" => "\"step\":\"each\",\"item\":0},\"end\"",
                "q" => "\"step\":\"each\",\"item\":1},\"end\"",
                "a" => "\"step\":\"a\"},\"end\"",
                _ => "\"step\":\"z\"},\"end\"",
            };
            let had_ended = lines[..cut].iter().any(|line| line.contains(step));
            assert_eq!(now[at] - before[at], usize::from(!had_ended), "cut {cut}: {name}\n{kept}");
        }
        before = now;
    }
}

#[test]
fn a_nested_run_is_resumed_with_its_parent() {
    let counted = Counted::new();
    let text = format!(
        "id: 5f0c8b7e-1111-4222-8333-000000000001\nname: child\njobs:\n- name: main\n  steps:\n{}{}{}",
        counted.step("c1"),
        "  - name: ask\n    task: {type: manual_approval, prompt: p}\n",
        counted.step("c2") + &after("ask", "succeeded"),
    );
    counted.0.file(&counted.0.dir.path().join("workflows/workflow-child.yaml"), &text);
    let call = "  - name: call\n    task: {type: workflow, workflowIdOrName: child}\n";
    let steps =
        [counted.step("a"), call.to_owned(), counted.step("z") + &after("call", "succeeded")].concat();
    counted.0.workflow(&format!("jobs:\n- name: main\n  steps:\n{steps}"));
    let outcome = counted.0.run(Value::Null).unwrap();
    assert_eq!(
        shape(&outcome.record),
        "suspended\nmain suspended\n  a succeeded\n  call suspended\n  z pending\n"
    );
    counted.0.workflows().decide("child", "ask", None, true, None, None).unwrap();
    let outcome = counted.resume(None, Value::Null).unwrap();
    assert_eq!(
        shape(&outcome.record),
        "succeeded\nmain succeeded\n  a succeeded\n  call succeeded\n  z succeeded\n"
    );
    assert_eq!(["a", "c1", "c2", "z"].map(|name| counted.count(name)), [1, 1, 1, 1]);
    assert_eq!(counted.0.workflows().runs(None).unwrap().len(), 2);
}

#[test]
fn a_run_that_waits_can_be_cancelled() {
    let counted = Counted::new();
    approval(&counted);
    let run = counted.0.run(json!({"v": 1})).unwrap().record.id;
    let record = counted.0.workflows().cancel(&run, "not needed").unwrap();
    assert_eq!(record.status, RunStatus::Cancelled);
    assert_eq!(record.tags.get("cancel_reason"), Some("not needed"));
    assert_eq!(counted.0.workflows().cancel(&run, "again").unwrap_err().code().as_str(), "not_running");
    assert!(counted.0.workflows().approvals().unwrap().is_empty());
}

/// The owner of a run receives decisions while it runs.
#[test]
fn decisions_and_cancellations_reach_a_run_that_is_being_run() {
    let counted = Counted::new();
    let gate = "  - name: gate\n    task: {type: model_method, modelIdOrName: wait, methodName: execute}\n";
    let at = counted.0.dir.path().display().to_string();
    counted.0.shell(
        "wait",
        &format!("for i in $(seq 600); do [ -e '{at}/count-yes' ] && exit 0; sleep 0.05; done; exit 1"),
    );
    let steps = [ASK.to_owned(), counted.step("yes") + &after("ask", "succeeded"), gate.to_owned()].concat();
    counted.0.workflow(&format!("jobs:\n- name: main\n  steps:\n{steps}"));
    // `gate` ends only after the approval was given while it ran.
    let observer = crate::common::On(|event: &marsh_workflow::WorkflowEvent| {
        if let marsh_workflow::WorkflowEvent::ApprovalRequested { .. } = event {
            let dir = counted.0.dir.path().to_owned();
            std::thread::spawn(move || approve_elsewhere(&dir));
        }
    });
    let outcome = counted.0.run_with(json!({"v": 1}), &CancelToken::new(), &observer).unwrap();
    assert_eq!(outcome.status, RunStatus::Succeeded, "{}", shape(&outcome.record));
}

/// As another process would: nothing is shared but the files.
fn approve_elsewhere(dir: &std::path::Path) {
    let models = crate::common::models_at(dir);
    let workflows = marsh_workflow::Workflows::new(&models);
    for _ in 0..200 {
        if workflows.decide("w", "ask", None, true, None, None).is_ok() {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
