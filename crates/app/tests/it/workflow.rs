//! Runs of workflows: start, approve, resume, cancel, and what the documents say. The steps are asserts, approvals and
//! `command/shell`, which need no host.

use std::sync::Mutex;
use std::time::Duration;

use marsh_api::ErrorCode;
use marsh_api::event::NoEvents;
use marsh_api::workflow::event::WorkflowEvent;
use marsh_api::workflow::{
    DecidedApproval, RunStatus, Severity, WorkflowActivity, WorkflowRunDocument, WorkflowRunItem,
};
use marsh_app::{
    AppError, ApprovalRequest, CancelRequest, InputItems, OpenRuns, ReportSelection, RunInitiator,
    RunOptions, RunSearch, Session, TriggerRequest, TriggerSource, WorkflowResumeRequest, WorkflowRunRequest,
    WorkflowRunResult, WorkflowRuns,
};
use marsh_types::Explain as _;
use serde_json::{Map, Value, json};

use crate::support::{Repository, code, write};

const ID: &str = "5f0c8b7e-1111-4222-8333-444455556666";

const ASK: &str = "  - name: ask\n    dependsOn: [{step: a, condition: {type: succeeded}}]\n    task: {type: manual_approval, prompt: ship it?}\n";

/// A repository with a workflow `w` of this text and a model `sh` of `command/shell`.
pub fn scene(workflow: &str) -> Repository {
    let repository = Repository::new();
    repository.write(
        "models/command/shell/sh.yaml",
        "type: command/shell\nid: 0a6d3c52-8f6e-4c0e-9d9f-000000000001\nname: sh\nmethods: {execute: {arguments: {run: 'true'}}}\n",
    );
    repository.write("workflows/workflow-w.yaml", format!("id: {ID}\nname: w\n{workflow}"));
    repository
}

/// A step that runs this command line after another step.
pub fn step(name: &str, run: &str, after: &str) -> String {
    let depends = if after.is_empty() {
        String::new()
    } else {
        format!("    dependsOn: [{{step: {after}, condition: {{type: succeeded}}}}]\n")
    };
    format!(
        "  - name: {name}\n{depends}    task: {{type: model_method, modelIdOrName: sh, methodName: execute, inputs: {{run: '{run}'}}}}\n"
    )
}

/// The job `main` of these steps.
pub fn main_job(steps: &[String]) -> String {
    format!("jobs:\n- name: main\n  steps:\n{}", steps.concat())
}

/// Steps `a`, `ask` and `b`, one after the other.
pub fn with_approval() -> Repository {
    scene(&main_job(&[step("a", "true", ""), ASK.into(), step("b", "true", "ask")]))
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

/// A request to run `w`.
fn request() -> WorkflowRunRequest {
    WorkflowRunRequest {
        workflow: "w".into(),
        inputs: Map::new(),
        options: RunOptions::default(),
        last_evaluated: false,
        fail_on: Severity::Low,
        initiator: RunInitiator::Command,
        reports: ReportSelection::default(),
    }
}

fn run_with(session: &Session, inputs: Value) -> Result<WorkflowRunResult, AppError> {
    let request = WorkflowRunRequest { inputs: object(inputs), ..request() };
    write(session, |write| write.run_workflow(&request, &NoEvents))
}

/// Runs `w` without inputs.
pub fn run(session: &Session) -> WorkflowRunResult {
    run_with(session, json!({})).unwrap()
}

fn resume(session: &Session) -> Result<WorkflowRunResult, AppError> {
    let request = WorkflowResumeRequest {
        workflow: "w".into(),
        run: None,
        from: None,
        inputs: Map::new(),
        options: RunOptions::default(),
        reports: ReportSelection::default(),
    };
    write(session, |write| write.resume_workflow(&request, &NoEvents))
}

fn decide(session: &Session, step: &str, approved: bool) -> Result<DecidedApproval, AppError> {
    let reason = Some("tested".to_owned());
    let request = ApprovalRequest { workflow: "w".into(), step: step.into(), run: None, reason };
    session.write_beside_owner(|write| match approved {
        true => write.approve_step(&request),
        false => write.reject_step(&request),
    })?
}

#[test]
fn run_with_an_approval_is_suspended_approved_and_resumed() {
    let repository = with_approval();
    let session = repository.try_session(&[("USER", "sue")]).unwrap();
    let suspended = run(&session);
    assert_eq!(suspended.document.status, RunStatus::Suspended);
    let required = suspended.document.approval_required.clone().unwrap();
    assert_eq!(
        (required.step_id.as_str(), suspended.waiting.as_slice()),
        ("ask", [required.clone()].as_slice())
    );
    assert_eq!(suspended.document.initiated_by.as_deref(), Some("user:sue"));

    let pending = session.read().pending_approvals().unwrap().approvals;
    let [one] = pending.as_slice() else { panic!("{pending:?}") };
    assert_eq!((one.workflow_name.as_str(), one.step_name.as_str()), ("w", "ask"));
    assert_eq!(one.prompt, "ship it?");

    assert_eq!(code(decide(&session, "b", true)), ErrorCode::NotWaiting);
    let decided = decide(&session, "ask", true).unwrap();
    assert_eq!((decided.approved, decided.run_status), (true, RunStatus::Suspended));
    assert_eq!((decided.reason.as_deref(), decided.decided_by.as_deref()), (Some("tested"), Some("sue")));

    assert_eq!(resume(&session).unwrap().document.status, RunStatus::Succeeded);
    let summary = session.read().activity(Duration::from_secs(3600), 10).unwrap();
    let [WorkflowActivity { name, succeeded: 1, failed: 0, cancelled: 0, open: 0, total: 1, runs, .. }] =
        summary.workflows.as_slice()
    else {
        panic!("{summary:#?}")
    };
    assert_eq!((name.as_str(), runs[0].status, runs[0].steps.len()), ("w", RunStatus::Succeeded, 3));
    assert_eq!(code(resume(&session)), ErrorCode::WorkflowResumeFailed);
}

#[test]
fn rejection_of_the_last_open_step_ends_the_run() {
    let repository = with_approval();
    let session = repository.session();
    run(&session);
    assert_eq!(decide(&session, "ask", false).unwrap().run_status, RunStatus::Failed);
    let search = RunSearch {
        status: Some(RunStatus::Failed),
        since: Some(Duration::from_secs(3600)),
        limit: 50,
        ..RunSearch::default()
    };
    let found = session.read().search_workflow_runs(&search).unwrap();
    assert_eq!((found.results.len(), found.total), (1, 1));
    let none = RunSearch { status: Some(RunStatus::Succeeded), ..search };
    assert_eq!(session.read().search_workflow_runs(&none).unwrap().total, 0);
}

#[test]
fn cancellation_of_a_suspended_run_is_recorded_with_its_reason() {
    let repository = with_approval();
    let session = repository.try_session(&[("USER", "sue")]).unwrap();
    let cancel = |runs: OpenRuns| {
        let request = CancelRequest { runs, reason: None };
        session.write_beside_owner(|write| write.cancel_runs(&request)).unwrap().unwrap()
    };
    let first = run(&session).document;
    let cancelled = cancel(OpenRuns::OnlyOf("w".into()));
    assert_eq!(cancelled.cancelled.len(), 1);
    assert_eq!(
        (&cancelled.cancelled[0].run_id, cancelled.cancelled[0].status),
        (&first.id, RunStatus::Cancelled)
    );
    assert_eq!(cancelled.reason, "cancelled by sue");
    let record = session.read().workflow_run(&first.id).unwrap();
    assert_eq!(record.document.tags["cancel_reason"], "cancelled by sue");
    assert!(record.path.starts_with(".swamp/workflow-runs/"), "{}", record.path);
    assert!(cancel(OpenRuns::All).cancelled.is_empty());
}

#[test]
fn events_of_a_run_reach_the_sink_in_order() {
    let each = "  - name: each\n    forEach: {item: x, in: '${{ inputs.list }}'}\n    task: {type: model_method, modelIdOrName: sh, methodName: execute}\n";
    let repository = scene(&main_job(&[each.to_owned()]));
    let session = repository.session();
    let events = Mutex::new(Vec::new());
    let sink = |event: WorkflowEvent| events.lock().unwrap().push(event);
    let request = WorkflowRunRequest { inputs: object(json!({ "list": [1, 2] })), ..request() };
    write(&session, |write| write.run_workflow(&request, &sink)).unwrap();
    let events = events.into_inner().unwrap();
    assert!(matches!(events.first(), Some(WorkflowEvent::Started { .. })));
    assert!(matches!(events.last(), Some(WorkflowEvent::Completed { status: RunStatus::Succeeded, .. })));
    let completed = events.iter().filter_map(|event| match event {
        WorkflowEvent::StepCompleted { step, .. } => Some(step),
        _ => None,
    });
    let completed: Vec<_> = completed.collect();
    assert_eq!(completed.len(), 2);
    assert!(completed.iter().all(|step| step.template() == "each" && step.job_id == "main"), "{completed:?}");
}

#[test]
fn junit_report_counts_asserts_and_escapes_their_messages() {
    let assert = |name: &str, expr: &str| {
        format!("  - name: {name}\n    task: {{type: assert, expr: {expr}, message: 'a < b & \"c\"'}}\n")
    };
    let repository = scene(&main_job(&[assert("good", "inputs.n"), assert("bad", "inputs.zero")]));
    let run = run_with(&repository.session(), json!({ "n": 1, "zero": 0 })).unwrap();
    assert_eq!(run.document.status, RunStatus::Failed);
    let text = WorkflowRuns::one(run).junit();
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"2\" failures=\"1\"";
    assert!(text.starts_with(head), "{text}");
    assert!(text.contains("<failure message=\"a &lt; b &amp; &quot;c&quot;\" type=\"high\">"), "{text}");
    assert!(text.contains("<testcase name=\"good\""), "{text}");
}

/// The record of so many steps is written beside the run. The last record is the end of the run.
#[test]
fn record_of_a_large_run_holds_its_end() {
    let items: Vec<String> = (0..200).map(|item| item.to_string()).collect();
    let each = format!(
        "  - name: each\n    forEach: {{item: x, in: '${{{{ [{}] }}}}'}}\n    task: {{type: assert, expr: 'self.x >= 0', message: no}}\n",
        items.join(", ")
    );
    let repository = scene(&main_job(&[each]));
    let session = repository.session();
    let mut records = Vec::new();
    for _ in 0..3 {
        let path = run(&session).document.path;
        records.push(std::fs::read_to_string(path).unwrap());
    }
    for record in records {
        // The run, its job and its steps.
        assert_eq!(record.matches("status: succeeded").count(), 202, "{record}");
        assert!(!record.contains("status: running") && !record.contains("status: pending"), "{record}");
    }
}

#[test]
fn text_that_a_step_wrote_comes_with_the_result() {
    let repository = scene(&main_job(&[step("a", "echo hello", "")]));
    let run = run(&repository.session());
    let written = run.written_by("main", "a");
    assert!(
        written.iter().any(|data| data.text.as_deref() == Some("hello")
            || data.attributes.as_ref().is_some_and(|value| value["stdout"] == "hello")),
        "{written:?}"
    );
    assert!(run.written_by("main", "b").is_empty());
}

/// `w` asserts its input `n`.
fn asserting() -> Repository {
    scene(
        "inputs: {properties: {n: {type: number}}, required: [n]}\njobs:\n- name: main\n  steps:\n  - name: s\n    task: {type: assert, expr: inputs.n > 0, message: m}\n",
    )
}

fn items(text: &str) -> InputItems {
    InputItems { given: Vec::new(), text: Some((text.into(), "standard input".into())), several: true }
}

#[test]
fn several_inputs_are_several_runs_and_an_invalid_one_ends_the_list() {
    let repository = asserting();
    let session = repository.session();
    let text = "{\"n\": 1}\n{\"n\": 0}\n{\"m\": 1}\n{\"n\": 2}\n";
    let mut ended = Vec::new();
    let runs = write(&session, |write| {
        write.run_workflow_for_each(&request(), &items(text), &NoEvents, &mut |run| {
            ended.push(run.document.status);
        })
    })
    .unwrap();
    assert_eq!(ended, [RunStatus::Succeeded, RunStatus::Failed]);
    let error = runs.error.as_ref().unwrap();
    assert_eq!(error.code(), ErrorCode::InputValidationFailed);
    let WorkflowRunDocument::Several(list) = runs.document() else { panic!("one run") };
    assert!(
        matches!(list.as_slice(), [WorkflowRunItem::Run(_), WorkflowRunItem::Run(_), WorkflowRunItem::Error(last)]
            if last.error.code == ErrorCode::InputValidationFailed),
        "{list:?}"
    );
    assert_eq!(session.read().search_workflow_runs(&RunSearch::default()).unwrap().total, 2);
}

#[test]
fn one_input_that_is_invalid_is_the_error_of_the_request() {
    let repository = asserting();
    let session = repository.session();
    let one = write(&session, |write| {
        write.run_workflow_for_each(&request(), &items("[{}]"), &NoEvents, &mut |_| panic!("it ran"))
    });
    assert_eq!(code(one), ErrorCode::InputValidationFailed);
}

#[test]
fn cancelled_request_starts_no_further_run() {
    let repository = asserting();
    let session = repository.session();
    let request = WorkflowRunRequest {
        options: RunOptions { cancel: Some(marsh_app::CancelToken::new()), ..RunOptions::default() },
        ..request()
    };
    let token = request.options.cancel.clone().unwrap();
    let runs = write(&session, |write| {
        write.run_workflow_for_each(&request, &items("[{\"n\": 1}, {\"n\": 2}]"), &NoEvents, &mut |_| {
            token.cancel("enough");
        })
    })
    .unwrap();
    assert_eq!((runs.runs.len(), runs.error.is_none()), (1, true));
    assert!(!session.cancel().is_cancelled(), "a request's own token cancels nothing else");
}

#[test]
fn resumption_takes_one_set_of_inputs() {
    let repository = asserting();
    let session = repository.session();
    let read = session.read();
    assert_eq!(read.inputs_of_one_run(&items("[{\"a\": 1}]")).unwrap()["a"], 1);
    for (text, found) in [("[]", 0), ("[{}, {}]", 2)] {
        let error = read.inputs_of_one_run(&items(text)).unwrap_err();
        assert_eq!(error.to_string(), format!("expected one set of inputs, found {found}"));
    }
}

#[test]
fn triggered_run_has_the_inputs_of_its_trigger_and_says_what_started_it() {
    let repository = scene(
        "inputs: {properties: {n: {type: number}}}\ntrigger: {inputs: {n: 1}}\njobs:\n- name: main\n  steps:\n  - name: s\n    task: {type: assert, expr: inputs.n > 0, message: m}\n",
    );
    let session = repository.try_session(&[("USER", "sue")]).unwrap();
    let run = |source: TriggerSource, inputs: Option<Value>| {
        let request = TriggerRequest {
            workflow: "w".into(),
            source,
            inputs: inputs.map(object),
            cancel: marsh_app::CancelToken::new(),
            run_id: None,
        };
        write(&session, |write| write.run_triggered_workflow(&request, &NoEvents)).unwrap().document
    };
    let scheduled = run(TriggerSource::Schedule, None);
    assert_eq!(scheduled.inputs.unwrap()["n"], 1);
    assert_eq!(scheduled.initiated_by.as_deref(), Some("trigger:schedule"));
    let record = session.read().workflow_run(&scheduled.id).unwrap().document;
    assert_eq!(record.trigger_source.as_deref(), Some("schedule"));
    let webhook = json!({ "body": { "n": 7 }, "headers": {}, "route": "/r" });
    let called = run(TriggerSource::Webhook(webhook), Some(json!({ "n": "${{ webhook.body.n }}" })));
    assert_eq!(called.inputs.unwrap()["n"], 7);
    assert_eq!(called.initiated_by.as_deref(), Some("trigger:webhook"));
}
