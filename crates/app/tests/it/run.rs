//! Runs of methods and workflows: history, runs without a process, old records, cancelling.

use std::time::Duration;

use marsh_api::ErrorCode;
use marsh_api::event::NoEvents;
use marsh_api::model::{MethodRun, MethodRunStatus};
use marsh_api::run::{HistoryScope, MethodCancellation, RunKind, TrackedRun, TrackedStatus};
use marsh_app::{
    AppError, CancelMethodsRequest, MethodRunRequest, MethodTarget, ReportSelection, RunOptions, Session,
};
use marsh_testkit::wait_for;
use marsh_types::Explain as _;
use serde_json::{Map, json};

use crate::support::{Repository, code, write};
use crate::workflow::{main_job, run as run_workflow, scene, step};

const RUNNING: &str = ".swamp/marsh/v1/running";

/// The workflow `w` with a step on `sh`, and a second model `other` of the same type.
fn repository() -> Repository {
    let repository = scene(&main_job(&[step("a", "echo a", "")]));
    let text = repository.read("models/command/shell/sh.yaml");
    let text = text.replace("name: sh\n", "name: other\n").replace("000000000001", "000000000002");
    repository.write("models/command/shell/other.yaml", text);
    repository
}

fn run_method(session: &Session, model: &str, command: &str) -> Result<MethodRun, AppError> {
    let mut inputs = Map::new();
    inputs.insert("run".into(), json!(command));
    let request = MethodRunRequest {
        target: MethodTarget::Definition(model.into()),
        method: "execute".into(),
        inputs,
        options: RunOptions::default(),
        last_evaluated: false,
        reports: ReportSelection::default(),
    };
    write(session, |write| write.run_method(&request, &NoEvents))
}

fn cancel(session: &Session, target: Option<&str>) -> Result<MethodCancellation, AppError> {
    let request =
        CancelMethodsRequest { target: target.map(str::to_owned), reason: Some("disk is full".into()) };
    session.read().cancel_method_runs(&request).map(|(document, _)| document)
}

fn active(session: &Session) -> Vec<TrackedRun> {
    session.read().run_history(HistoryScope::Active).unwrap().runs
}

#[test]
fn history_lists_methods_and_workflows_and_no_steps() {
    let repository = repository();
    let session = repository.try_session(&[("USER", "sue")]).unwrap();
    run_workflow(&session);
    run_method(&session, "other", "false").unwrap();
    let runs = session.read().run_history(HistoryScope::Day).unwrap().runs;
    let [method, workflow] = runs.as_slice() else { panic!("{runs:?}") };
    assert_eq!((method.run_kind, method.status), (RunKind::ModelMethod, TrackedStatus::Failed));
    assert_eq!(
        (method.model_name.as_deref(), method.method_name.as_deref()),
        (Some("other"), Some("execute"))
    );
    assert_eq!((method.workflow_name.as_deref(), method.stale), (None, false));
    assert_eq!((workflow.run_kind, workflow.status), (RunKind::Workflow, TrackedStatus::Completed));
    assert_eq!((workflow.workflow_name.as_deref(), workflow.pid), (Some("w"), Some(std::process::id())));
    assert_eq!(workflow.initiated_by.as_deref(), Some("user:sue"));
    assert_eq!(session.read().run_history(HistoryScope::All).unwrap().runs, runs);
    assert_eq!(active(&session), []);
    drop(session);
    assert_eq!(repository.list(RUNNING), [""; 0], "a process leaves nothing");
}

#[test]
fn cancel_ends_the_run_of_that_definition_and_leaves_its_record() {
    let repository = repository();
    let session = repository.session();
    std::thread::scope(|scope| {
        let start = |model: &'static str| {
            let repository = &repository;
            scope.spawn(move || run_method(&repository.session(), model, "sleep 60").unwrap())
        };
        let sh = start("sh");
        wait_for("the first run", || (active(&session).len() == 1).then_some(()));
        let other = start("other");
        wait_for("both runs", || (active(&session).len() == 2).then_some(()));
        let first = active(&session).into_iter().find(|run| run.model_name.as_deref() == Some("sh")).unwrap();
        assert!(!first.stale && first.hostname.is_some() && first.pid == Some(std::process::id()));

        // `other` is the newer one of this type.
        let MethodCancellation::One(cancelled) = cancel(&session, Some("sh")).unwrap() else { panic!() };
        assert_eq!((&cancelled.id, cancelled.status), (&first.id, TrackedStatus::Cancelled));
        assert_eq!(
            (cancelled.model_name.as_str(), cancelled.reason.as_deref()),
            ("sh", Some("disk is full"))
        );
        assert_eq!(sh.join().unwrap().status, MethodRunStatus::Cancelled);
        let record = session.read().output(&first.id).unwrap();
        assert_eq!(record.status, MethodRunStatus::Cancelled);
        assert!(record.error.unwrap()["message"].as_str().unwrap().contains("disk is full"));
        assert_eq!(active(&session).len(), 1, "the other one goes on");

        let MethodCancellation::All(all) = cancel(&session, None).unwrap() else { panic!() };
        assert_eq!(all.cancelled.len(), 1);
        assert_eq!(other.join().unwrap().status, MethodRunStatus::Cancelled);
    });
    let error = cancel(&session, Some("sh")).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string()),
        (ErrorCode::NotFound, "no method of `sh` is running".into())
    );
    let MethodCancellation::All(none) = cancel(&session, None).unwrap() else { panic!() };
    assert_eq!(none.cancelled, []);
    assert_eq!(code(cancel(&session, Some("nothing"))), ErrorCode::ModelNotFound);
}

#[test]
fn cancel_takes_the_id_of_a_run_and_reaches_the_step_of_a_workflow() {
    let repository = repository();
    let session = repository.session();
    let text = repository.read("workflows/workflow-w.yaml").replace("echo a", "sleep 60");
    repository.write("workflows/workflow-w.yaml", text);
    std::thread::scope(|scope| {
        let run = scope.spawn(|| run_workflow(&repository.session()));
        let file = wait_for("the step", || {
            let names = repository.list(RUNNING);
            let name = names.iter().find(|name| name.ends_with(".runs") && !name.starts_with('.'))?;
            Some(repository.read(&format!("{RUNNING}/{name}"))).filter(|text| text.ends_with('\n'))
        });
        assert_eq!(active(&session)[0].run_kind, RunKind::Workflow, "its run stands for the step");
        let line: serde_json::Value = serde_json::from_str(file.lines().next().unwrap()).unwrap();
        let id = line["record"]["id"].as_str().unwrap();
        let MethodCancellation::One(one) = cancel(&session, Some(&id[..8])).unwrap() else { panic!() };
        assert_eq!((one.id.as_str(), one.model_name.as_str()), (id, "sh"));
        let ended = run.join().unwrap().document;
        assert_eq!(ended.status, marsh_api::workflow::RunStatus::Cancelled);
    });
}

#[test]
fn doctor_finds_a_run_whose_process_is_gone_and_records_that_it_failed() {
    let repository = repository();
    let session = repository.session();
    std::thread::scope(|scope| {
        let run = scope.spawn(|| run_method(&repository.session(), "sh", "sleep 60").unwrap());
        let name = wait_for("the run", || {
            let has_run = active(&session).len() == 1;
            repository.list(RUNNING).into_iter().find(|name| has_run && name.ends_with(".runs"))
        });
        // What a process leaves that is killed: the same, without a lock.
        let text = repository.read(&format!("{RUNNING}/{name}"));
        let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        let gone =
            text.replace(line["record"]["id"].as_str().unwrap(), "0a6d3c52-8f6e-4c0e-9d9f-999999999999");
        cancel(&session, Some("sh")).unwrap();
        run.join().unwrap();
        repository.write(&format!("{RUNNING}/1-dead.runs"), gone + "{\"event\":\"sta");
    });
    let error = cancel(&session, Some("sh")).unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("its process is gone: `marsh run doctor --fix` notes its end"));
    let found = session.read().diagnose_runs().unwrap();
    assert_eq!((found.active, found.stale, found.reaped, found.total_tracked), (0, 1, 0, 2));
    assert!(found.stale_runs[0].stale);
    assert_eq!(write(&session, |write| write.repair_runs()).unwrap().reaped, 1);
    let record = session.read().output("0a6d3c52-8f6e-4c0e-9d9f-999999999999").unwrap();
    assert_eq!(record.status, MethodRunStatus::Failed);
    assert_eq!(record.error.unwrap()["message"], "its process ended without a word");
    let after = session.read().diagnose_runs().unwrap();
    assert_eq!((after.stale, after.total_tracked), (0, 2));
    assert_eq!(repository.list(RUNNING), [""; 0]);
}

#[test]
fn collection_deletes_records_of_ended_runs_and_no_data() {
    let repository = crate::workflow::with_approval();
    let session = repository.session();
    run_method(&session, "sh", "echo hi").unwrap();
    run_workflow(&session);
    let kept = session.read().preview_collect_runs(Duration::from_secs(3600)).unwrap();
    assert_eq!((kept.workflow_runs_deleted, kept.outputs_deleted), (0, 0));
    let would = session.read().preview_collect_runs(Duration::ZERO).unwrap();
    // The run waits for an approval; its first step has ended.
    assert_eq!((would.workflow_runs_deleted, would.outputs_deleted, would.dry_run), (0, 2, true));
    assert!(would.total_bytes_reclaimed > 0 && would.total_bytes_reclaimed == would.output_bytes_reclaimed);
    assert_eq!(session.read().search_outputs("").unwrap().0.results.len(), 2);
    let deleted = write(&session, |write| write.collect_runs(Duration::ZERO)).unwrap();
    assert_eq!((deleted.outputs_deleted, deleted.dry_run), (2, false));
    assert_eq!(session.read().search_outputs("").unwrap().0.results, []);
    assert!(session.read().get_data("sh", "result", None, true).is_ok());

    let request = marsh_app::CancelRequest { runs: marsh_app::OpenRuns::All, reason: None };
    session.write_beside_owner(|write| write.cancel_runs(&request)).unwrap().unwrap();
    let deleted = write(&session, |write| write.collect_runs(Duration::ZERO)).unwrap();
    assert_eq!(deleted.workflow_runs_deleted, 1);
    assert!(deleted.workflow_run_bytes_reclaimed > 0);
    let directory = ".swamp/workflow-runs/5f0c8b7e-1111-4222-8333-444455556666";
    assert_eq!(repository.list(directory), [""; 0]);
    assert_eq!(session.read().run_history(HistoryScope::All).unwrap().runs, []);
}
