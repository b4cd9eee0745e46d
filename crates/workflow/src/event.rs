//! From the events of a method run to those of a workflow run.

use marsh_api::workflow::event::{StepRef, WarningCode, WorkflowEvent};
use marsh_model::RunEvent;

/// The event of a workflow run for an event of the method run of a step.
pub(crate) fn of_method(step: StepRef, event: &RunEvent) -> WorkflowEvent {
    match event {
        RunEvent::Resolved { model, type_name, method } => WorkflowEvent::ModelResolved {
            step,
            model_name: model.clone(),
            model_type: type_name.to_string(),
            method_name: method.clone(),
        },
        RunEvent::DefinitionCreated { name, path } => {
            WorkflowEvent::DefinitionCreated { step, name: name.clone(), path: path.display().to_string() }
        }
        RunEvent::GlobalArgumentsUpdated { name } => {
            WorkflowEvent::GlobalArgumentsUpdated { step, name: name.clone() }
        }
        RunEvent::Upgraded { name, to_version } => {
            WorkflowEvent::DefinitionUpgraded { step, name: name.clone(), to_version: to_version.clone() }
        }
        RunEvent::Warning { code, message } => WorkflowEvent::Warning {
            step: Some(step),
            code: WarningCode::parse(code),
            message: message.clone(),
        },
        RunEvent::Executing { method, .. } => {
            WorkflowEvent::MethodExecuting { step, method_name: method.clone() }
        }
        RunEvent::Output { stream, line } => {
            WorkflowEvent::MethodOutput { step, stream: stream.clone(), line: line.clone() }
        }
        RunEvent::Saved { name, version } => {
            WorkflowEvent::DataArtifactSaved { step, name: name.clone(), version: *version }
        }
        RunEvent::Extension(event) => WorkflowEvent::MethodEvent { step, event: event.clone() },
    }
}

#[cfg(test)]
mod tests {
    use marsh_api::workflow::event::{DataHandle, JobEnd, StartedJob, StepRef, WarningCode, WorkflowEvent};
    use marsh_model::RunEvent;
    use marsh_types::TypeName;
    use serde_json::{Value, json};

    use super::of_method;
    use crate::journal::{AssertResult, SkipReason};
    use crate::record::RunStatus;
    use crate::schema::Severity;

    fn step() -> StepRef {
        StepRef {
            job_id: "main".into(),
            step_id: "greet".into(),
            for_each_template: None,
            for_each_index: None,
        }
    }

    fn item() -> StepRef {
        StepRef {
            step_id: "greet-a".into(),
            for_each_template: Some("greet".into()),
            for_each_index: Some(1),
            ..step()
        }
    }

    fn assert_lines(events: Vec<(WorkflowEvent, &str)>) {
        for (event, line) in events {
            assert_eq!(serde_json::to_string(&event).unwrap(), line);
            let read: WorkflowEvent = serde_json::from_str(line).unwrap();
            assert_eq!(read, event, "{line}");
        }
    }

    /// The lines as marsh wrote them before the events were types. Scripts read them.
    #[test]
    fn events_of_a_run_have_their_public_form() {
        use WorkflowEvent as E;
        let run_id = || "r".to_owned();
        let job_id = || "main".to_owned();
        let jobs = vec![StartedJob { id: job_id(), step_count: 2, depends_on: vec!["first".into()] }];
        let started = |jobs, resumed| E::Started {
            run_id: run_id(),
            workflow_name: "w".into(),
            log_path: "/l".into(),
            jobs,
            resumed,
        };
        let completed = |status| E::JobCompleted { job_id: job_id(), status, duration_ms: 5 };
        let assert = |passed, error: Option<&str>| E::AssertResult {
            step: step(),
            result: AssertResult {
                passed,
                expr: "1 > 2".into(),
                message: "m".into(),
                severity: Severity::Medium,
                error: error.map(str::to_owned),
            },
        };
        let failed = |allowed_failure| E::StepFailed {
            step: step(),
            error: "boom".into(),
            allowed_failure,
            duration_ms: 9,
        };
        let asked = |timeout_ms| E::ApprovalRequested {
            step: step(),
            run_id: run_id(),
            prompt: "go?".into(),
            timeout_ms,
        };
        let warning = |step| E::Warning { step, code: WarningCode::WorkflowEdited, message: "m".into() };
        let handles = vec![DataHandle { name: "result".into(), version: 2 }];
        let inner = Box::new(E::JobStarted { job_id: "in".into() });
        assert_lines(vec![
            (
                started(jobs, false),
                r#"{"kind":"started","runId":"r","workflowName":"w","logPath":"/l","jobs":[{"id":"main","stepCount":2,"dependsOn":["first"]}]}"#,
            ),
            (
                started(vec![], true),
                r#"{"kind":"started","runId":"r","workflowName":"w","logPath":"/l","jobs":[],"resumed":true}"#,
            ),
            (E::JobStarted { job_id: job_id() }, r#"{"kind":"job_started","jobId":"main"}"#),
            (
                completed(JobEnd::Succeeded),
                r#"{"kind":"job_completed","jobId":"main","status":"succeeded","durationMs":5}"#,
            ),
            (
                completed(JobEnd::Failed),
                r#"{"kind":"job_completed","jobId":"main","status":"failed","durationMs":5}"#,
            ),
            (
                E::JobSkipped { job_id: job_id(), reason: SkipReason::Dependency },
                r#"{"kind":"job_skipped","jobId":"main","reason":"dependency"}"#,
            ),
            (
                E::StepStarted { step: step(), attempt: 1 },
                r#"{"kind":"step_started","jobId":"main","stepId":"greet"}"#,
            ),
            (
                E::StepStarted { step: item(), attempt: 2 },
                r#"{"kind":"step_started","jobId":"main","stepId":"greet-a","forEachTemplate":"greet","forEachIndex":1,"attempt":2}"#,
            ),
            (
                E::StepExpanded { step: step(), items: 3 },
                r#"{"kind":"step_expanded","jobId":"main","stepId":"greet","items":3}"#,
            ),
            (
                E::StepRetrying { step: step(), attempt: 1, error: "boom".into(), pause_ms: 250 },
                r#"{"kind":"step_retrying","jobId":"main","stepId":"greet","attempt":1,"error":"boom","pauseMs":250}"#,
            ),
            (
                E::StepCompleted { step: item(), data_handles: handles, duration_ms: 9 },
                r#"{"kind":"step_completed","jobId":"main","stepId":"greet-a","forEachTemplate":"greet","forEachIndex":1,"dataHandles":[{"name":"result","version":2}],"durationMs":9}"#,
            ),
            (
                failed(false),
                r#"{"kind":"step_failed","jobId":"main","stepId":"greet","error":"boom","durationMs":9}"#,
            ),
            (
                failed(true),
                r#"{"kind":"step_failed","jobId":"main","stepId":"greet","error":"boom","allowedFailure":true,"durationMs":9}"#,
            ),
            (
                E::StepSkipped { step: step(), reason: SkipReason::Guarded },
                r#"{"kind":"step_skipped","jobId":"main","stepId":"greet","reason":"guarded"}"#,
            ),
            (
                assert(false, Some("e")),
                r#"{"kind":"assert_result","jobId":"main","stepId":"greet","passed":false,"expr":"1 > 2","message":"m","severity":"medium","error":"e"}"#,
            ),
            (
                assert(true, None),
                r#"{"kind":"assert_result","jobId":"main","stepId":"greet","passed":true,"expr":"1 > 2","message":"m","severity":"medium"}"#,
            ),
            (
                asked(None),
                r#"{"kind":"approval_requested","jobId":"main","stepId":"greet","runId":"r","prompt":"go?"}"#,
            ),
            (
                asked(Some(1500)),
                r#"{"kind":"approval_requested","jobId":"main","stepId":"greet","runId":"r","prompt":"go?","timeoutMs":1500}"#,
            ),
            (
                E::ApprovalDecided { step: step(), approved: true },
                r#"{"kind":"approval_decided","jobId":"main","stepId":"greet","approved":true}"#,
            ),
            (
                warning(Some(step())),
                r#"{"kind":"warning","jobId":"main","stepId":"greet","code":"workflow_edited","message":"m"}"#,
            ),
            (warning(None), r#"{"kind":"warning","code":"workflow_edited","message":"m"}"#),
            (
                E::Nested { step: step(), event: inner },
                r#"{"kind":"nested","jobId":"main","stepId":"greet","event":{"kind":"job_started","jobId":"in"}}"#,
            ),
            (E::Suspended { run_id: run_id() }, r#"{"kind":"suspended","runId":"r"}"#),
            (
                E::Completed { run_id: run_id(), status: RunStatus::Failed, duration_ms: 12 },
                r#"{"kind":"completed","runId":"r","status":"failed","durationMs":12}"#,
            ),
        ]);
    }

    #[test]
    fn events_of_a_method_have_their_public_form() {
        let (name, to_version) = (|| "greeter".to_owned(), "2026.01.01.1".to_owned());
        let type_name = TypeName::parse("@me/greeter").unwrap();
        let path = "/r/models/greeter.yaml".into();
        let lines = vec![
            (
                RunEvent::Output { stream: "stderr".into(), line: "hello".into() },
                r#"{"kind":"method_output","jobId":"main","stepId":"greet","stream":"stderr","line":"hello"}"#,
            ),
            (
                RunEvent::Resolved { model: name(), type_name, method: "run".into() },
                r#"{"kind":"model_resolved","jobId":"main","stepId":"greet","modelName":"greeter","modelType":"@me/greeter","methodName":"run"}"#,
            ),
            (
                RunEvent::Executing { method: "run".into(), checks: vec!["c".into()] },
                r#"{"kind":"method_executing","jobId":"main","stepId":"greet","methodName":"run"}"#,
            ),
            (
                RunEvent::Saved { name: "result".into(), version: 2 },
                r#"{"kind":"data_artifact_saved","jobId":"main","stepId":"greet","name":"result","version":2}"#,
            ),
            (
                RunEvent::Extension(json!({"a": 1.5, "b": [null]})),
                r#"{"kind":"method_event","jobId":"main","stepId":"greet","event":{"a":1.5,"b":[null]}}"#,
            ),
            (RunEvent::Extension(Value::Null), r#"{"kind":"method_event","jobId":"main","stepId":"greet"}"#),
            (
                RunEvent::Warning { code: "env_var_usage", message: "m".into() },
                r#"{"kind":"warning","jobId":"main","stepId":"greet","code":"env_var_usage","message":"m"}"#,
            ),
            (
                RunEvent::DefinitionCreated { name: name(), path },
                r#"{"kind":"definition_created","jobId":"main","stepId":"greet","name":"greeter","path":"/r/models/greeter.yaml"}"#,
            ),
            (
                RunEvent::GlobalArgumentsUpdated { name: name() },
                r#"{"kind":"global_arguments_updated","jobId":"main","stepId":"greet","name":"greeter"}"#,
            ),
            (
                RunEvent::Upgraded { name: name(), to_version },
                r#"{"kind":"definition_upgraded","jobId":"main","stepId":"greet","name":"greeter","toVersion":"2026.01.01.1"}"#,
            ),
        ];
        assert_lines(lines.into_iter().map(|(event, line)| (of_method(step(), &event), line)).collect());
    }

    #[test]
    fn warning_code_of_a_newer_version_reads_as_other() {
        assert_eq!(serde_json::from_value::<WarningCode>(json!("not_yet")).unwrap(), WarningCode::Other);
        for code in WarningCode::ALL {
            assert_eq!(json!(code), code.as_str());
            assert_eq!(WarningCode::parse(code.as_str()), *code);
        }
    }
}
