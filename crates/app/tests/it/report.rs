//! The reports that marsh makes itself.

use marsh_api::event::NoEvents;
use marsh_api::model::MethodRun;
use marsh_api::workflow::WorkflowRun;
use marsh_app::{
    MethodRunRequest, MethodTarget, ReportFilter, ReportSelection, RunInitiator, RunOptions, Session,
    WorkflowDataRequest, WorkflowRunRequest,
};
use serde_json::{Map, Value, json};

use crate::support::{Repository, write};
use crate::workflow::{main_job, scene, step};

const METHOD: &str = "@swamp/method-summary";
const WORKFLOW: &str = "@swamp/workflow-summary";
const ATTESTATION: &str = "@swamp/verification-attestation";

fn run_method(session: &Session, command: &str, reports: ReportSelection) -> MethodRun {
    let mut inputs = Map::new();
    inputs.insert("run".into(), json!(command));
    let request = MethodRunRequest {
        target: MethodTarget::Definition("sh".into()),
        method: "execute".into(),
        inputs,
        options: RunOptions::default(),
        last_evaluated: false,
        reports,
    };
    write(session, |write| write.run_method(&request, &NoEvents)).unwrap()
}

fn run_workflow(session: &Session, inputs: Value, reports: ReportSelection) -> WorkflowRun {
    let request = WorkflowRunRequest {
        workflow: "w".into(),
        inputs: inputs.as_object().unwrap().clone(),
        options: RunOptions::default(),
        last_evaluated: false,
        fail_on: marsh_api::workflow::Severity::Low,
        initiator: RunInitiator::Command,
        reports,
    };
    write(session, |write| write.run_workflow(&request, &NoEvents)).unwrap().document
}

/// Steps `a`, which fails, and `b` after it, which is skipped then.
fn failing() -> Repository {
    scene(&main_job(&[step("a", "echo half; exit 3", ""), step("b", "true", "a")]))
}

#[test]
fn method_summary_is_stored_and_part_of_the_document() {
    let repository = scene(&main_job(&[step("a", "true", "")]));
    let session = repository.session();
    let reports = run_method(&session, "echo hi", ReportSelection::default()).reports.unwrap();
    let summary = reports[METHOD].clone();
    assert!(summary.success && summary.scope == "method");
    let json = summary.json.unwrap();
    assert_eq!(
        (&json["status"], &json["modelName"], &json["methodName"]),
        (&json!("succeeded"), &json!("sh"), &json!("execute"))
    );
    assert_eq!(json["methodArgs"], json!({"run": "echo hi"}));
    assert_eq!(
        json["narrative"],
        "Method `execute` of `sh` succeeded, producing 1 resource (result), 1 file (log)."
    );
    assert_eq!(json["dataProduced"][0]["name"], "result");
    assert_eq!(json["dataProduced"][0]["retrievalCommand"], "marsh data get sh result --version 1");
    let markdown = summary.markdown.unwrap();
    assert!(markdown.starts_with("# sh (command/shell) → execute: succeeded\n"), "{markdown}");
    assert!(
        markdown.contains("| result | resource | `marsh data get sh result --version 1` |"),
        "{markdown}"
    );

    let stored = session.read().report(METHOD, &ReportFilter::default(), None).unwrap();
    assert_eq!((stored.report_name.as_str(), stored.report_scope.as_deref()), (METHOD, Some("method")));
    assert_eq!(
        (stored.data_name.as_str(), stored.markdown, stored.json),
        ("report-swamp-method-summary", markdown, json)
    );
    let group = session.read().list_data("sh", Some("report")).unwrap();
    let names: Vec<&str> = group.groups[0].items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["report-swamp-method-summary", "report-swamp-method-summary-json"]);
}

#[test]
fn method_summary_of_a_failure_names_the_reason() {
    let repository = failing();
    let session = repository.session();
    let reports = run_method(&session, "echo half; exit 3", ReportSelection::default()).reports.unwrap();
    let json = reports[METHOD].json.clone().unwrap();
    assert_eq!((&json["status"], &json["error"]), (&json!("failed"), &json!("command exited with code 3")));
    let markdown = reports[METHOD].markdown.clone().unwrap();
    assert!(markdown.contains("## Error\n\n```\ncommand exited with code 3\n```"), "{markdown}");
}

#[test]
fn summaries_obey_selection_and_rules() {
    let repository = scene(&main_job(&[step("a", "true", "")]));
    let session = repository.session();
    let names = |selection: ReportSelection| -> Vec<String> {
        run_workflow(&session, json!({}), selection).reports.unwrap_or_default().into_keys().collect()
    };
    let some = |text: &str| vec![text.to_owned()];
    assert_eq!(names(ReportSelection::default()), [ATTESTATION, WORKFLOW]);
    assert_eq!(names(ReportSelection { skip_all: true, ..ReportSelection::default() }), [""; 0]);
    assert_eq!(
        names(ReportSelection { skip_labels: some("summary"), ..ReportSelection::default() }),
        [ATTESTATION]
    );
    assert_eq!(names(ReportSelection { names: some(WORKFLOW), ..ReportSelection::default() }), [WORKFLOW]);
    let method = |selection: ReportSelection| run_method(&session, "true", selection).reports.is_some();
    assert!(!method(ReportSelection { skip_names: some(METHOD), ..ReportSelection::default() }));
    let text = repository.read("models/command/shell/sh.yaml");
    repository.write("models/command/shell/sh.yaml", format!("{text}reports: {{skip: ['{METHOD}']}}\n"));
    assert!(!method(ReportSelection::default()));
    repository.write("models/command/shell/sh.yaml", format!("{text}reports: {{require: ['{METHOD}']}}\n"));
    assert!(method(ReportSelection { skip_all: true, ..ReportSelection::default() }));
}

#[test]
fn workflow_summary_and_attestation_count_the_steps_that_run_methods() {
    let repository = failing();
    let session = repository.session();
    let reports =
        run_workflow(&session, json!({"commit": "abc"}), ReportSelection::default()).reports.unwrap();
    let summary = reports[WORKFLOW].json.clone().unwrap();
    let counts = |key: &str| summary[key].as_u64().unwrap();
    assert_eq!(
        (counts("totalSteps"), counts("succeeded"), counts("failed"), counts("skipped")),
        (2, 0, 1, 1)
    );
    assert_eq!(summary["failures"][0]["stepName"], "a");
    assert_eq!(summary["steps"][1]["modelName"], "sh");
    let markdown = reports[WORKFLOW].markdown.clone().unwrap();
    assert!(
        markdown.starts_with("# w: failed\n\n0 succeeded · 1 failed · 1 skipped\n\n## Failures\n"),
        "{markdown}"
    );
    assert!(markdown.contains("| **a** | **sh → execute** | **failed** |"), "{markdown}");
    let attestation = reports[ATTESTATION].json.clone().unwrap();
    assert_eq!(attestation["subject"], json!({"commit": "abc", "branch": "unknown"}));
    let gate = json!({"allPassed": false, "stepsCompleted": 0, "stepsTotal": 2, "stepsSkipped": 1, "stepsFailed": 1});
    assert_eq!((&attestation["gate"], &attestation["steps"][0]["model"]), (&gate, &json!("command/shell")));

    let of_run = WorkflowDataRequest { workflow: Some("w".into()), run: None };
    let list = session.read().list_workflow_data(&of_run, Some("report")).unwrap();
    let mut names: Vec<&str> = list.groups[0].items.iter().map(|found| found.item.name.as_str()).collect();
    names.sort_unstable();
    let expected = [
        "report-swamp-method-summary",
        "report-swamp-method-summary-json",
        "report-swamp-verification-attestation",
        "report-swamp-verification-attestation-json",
        "report-swamp-workflow-summary",
        "report-swamp-workflow-summary-json",
    ];
    assert_eq!(names, expected);
    let filter = ReportFilter {
        scope: Some("workflow".into()),
        labels: vec!["attestation".into()],
        ..ReportFilter::default()
    };
    let found = session.read().search_reports("", &filter).unwrap().results;
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].report_name.as_str(), found[0].workflow_name.as_deref()), (ATTESTATION, Some("w")));
}
