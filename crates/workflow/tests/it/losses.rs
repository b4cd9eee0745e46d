//! Failures beside the work of a run: each is reported, none changes a result without a word.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use marsh_api::workflow::event::{WarningCode, WorkflowEvent};
use marsh_host_client::CancelToken;
use marsh_model::CheckSelection;
use marsh_types::Explain as _;
use marsh_workflow::{ResumeRequest, RunStatus, WorkflowError, WorkflowOutcome};
use serde_json::{Map, Value};

use crate::common::{ID, On, Scratch, job, step};

const ASK: &str = "  - name: ask\n    task: {type: manual_approval, prompt: go?}\n";

/// A run that waits for an approval, and its id.
fn suspended(scratch: &Scratch) -> String {
    scratch.shell("ok", "true").workflow(&format!("jobs:\n{}", job("main", "", &[ASK.to_owned()])));
    let outcome = scratch.run(Value::Null).unwrap();
    assert_eq!(outcome.status, RunStatus::Suspended);
    outcome.record.id
}

fn file_of(scratch: &Scratch, run: &str, ending: &str) -> PathBuf {
    scratch.dir.path().join(format!(".swamp/workflow-runs/{ID}/workflow-run-{run}.{ending}"))
}

/// Resumes the run, and the codes of the warnings on the way.
fn resume(scratch: &Scratch) -> (Result<WorkflowOutcome, WorkflowError>, Vec<WarningCode>) {
    let cancel = CancelToken::new();
    let request = ResumeRequest {
        workflow: "w",
        run: None,
        from: None,
        inputs: Map::new(),
        checks: CheckSelection::default(),
        deadline_per_step: Duration::from_secs(60),
        cancel: &cancel,
        driver: marsh_model::Driver::Raw,
        reports: marsh_model::run::reports::ReportSelection::default(),
    };
    let warnings = Mutex::new(Vec::new());
    let observer = On(|event: &WorkflowEvent| {
        if let WorkflowEvent::Warning { code, .. } = event {
            warnings.lock().unwrap().push(*code);
        }
    });
    let result = scratch.workflows().resume(&request, &observer);
    (result, warnings.into_inner().unwrap())
}

#[test]
fn unreadable_pin_fails_the_resume() {
    let scratch = Scratch::new();
    let run = suspended(&scratch);
    let fact = "{\"at\":\"2026-01-01T00:00:00.000Z\",\"fact\":{\"type\":\"pinned\",\"typeName\":\"@me/x\",\"code\":null}}\n";
    marsh_fs::append(&file_of(&scratch, &run, "journal"), fact.as_bytes()).unwrap();
    let error = resume(&scratch).0.unwrap_err();
    assert_eq!(error.code().as_str(), "damaged");
    assert!(error.to_string().contains("invalid pin of type `@me/x`"), "{error}");
}

// cfg: `/dev/full` is of Linux
#[cfg(target_os = "linux")]
#[test]
fn log_that_cannot_be_written_is_reported_once() {
    let scratch = Scratch::new();
    let log = file_of(&scratch, &suspended(&scratch), "log");
    marsh_fs::remove_file_if_exists(&log).unwrap();
    // Every write to it fails: no space is left.
    marsh_fs::symlink_atomic(std::path::Path::new("/dev/full"), &log).unwrap();
    let (outcome, warnings) = resume(&scratch);
    assert_eq!(outcome.unwrap().status, RunStatus::Suspended);
    assert_eq!(warnings, [WarningCode::LogIncomplete]);
}

#[test]
fn invalid_limit_of_steps_is_reported_by_a_resume() {
    let scratch = Scratch::with_env(&[("SWAMP_MAX_CONCURRENT_STEPS", "many")]);
    suspended(&scratch);
    assert_eq!(resume(&scratch).1, [WarningCode::MaxConcurrentSteps]);
}

#[test]
fn code_that_cannot_be_pinned_at_the_start_is_reported_once() {
    let scratch = Scratch::new();
    let steps = [step("a", "gone", ""), step("b", "gone", "")];
    scratch.workflow(&format!("code: pinned\njobs:\n{}", job("main", "", &steps)));
    let warnings = Mutex::new(Vec::new());
    let observer = On(|event: &WorkflowEvent| {
        if let WorkflowEvent::Warning { step, code, message } = event {
            let step = step.as_ref().map(|step| step.step_id.clone());
            warnings.lock().unwrap().push((step, *code, message.clone()));
        }
    });
    let outcome = scratch.run_with(Value::Null, &CancelToken::new(), &observer).unwrap();
    assert_eq!(outcome.status, RunStatus::Failed);
    let warnings = warnings.into_inner().unwrap();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!((warnings[0].0.as_deref(), warnings[0].1), (Some("a"), WarningCode::PinFailed));
    assert!(warnings[0].2.contains("`gone`"), "{}", warnings[0].2);
}
