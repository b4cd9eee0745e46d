//! `marsh workflow …`.

use std::process::ExitCode;
use std::time::Duration;

use marsh_model::{Models, RunEvent};
use marsh_workflow::schema::{ModelTarget, Task};
use marsh_workflow::{
    NodeStatus, Report, RunRecord, RunStatus, SkipReason, StoredRun, StoredWorkflow, WorkflowError,
    WorkflowEvent, WorkflowObserver, WorkflowOutcome, WorkflowRunRequest, Workflows,
};
use serde_json::{Map, Value, json};

use super::method::{artifact_lines, duration};
use super::model::edited_text;
use super::output::show_log;
use super::{done, failed, input};
use crate::args::{HistoryCommand, InputArgs, RunArgs, WorkflowCommand};
use crate::error::CliError;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN, columns};
use crate::{app, exit};

pub fn run(ui: &Ui, models: &Models, command: &WorkflowCommand) -> Result<ExitCode, CliError> {
    let workflows = Workflows::new(models);
    match command {
        WorkflowCommand::Create { name } => create(ui, models, &workflows, name),
        WorkflowCommand::Get { name } => get(ui, models, &workflows, name),
        WorkflowCommand::Search { query } => {
            search(ui, models, &workflows, query.as_deref().unwrap_or_default())
        }
        WorkflowCommand::Edit { name } => edit(ui, models, &workflows, name),
        WorkflowCommand::Delete { name, yes } => delete(ui, models, &workflows, name, *yes),
        WorkflowCommand::Validate { name } => validate(ui, models, &workflows, name.as_deref()),
        WorkflowCommand::Run { name, inputs, run } => run_workflow(ui, models, &workflows, name, inputs, run),
        WorkflowCommand::History(command) => history(ui, models, &workflows, command),
    }
}

fn shown(models: &Models, path: &std::path::Path) -> String {
    models.repo.layout.display(path).display().to_string()
}

fn create(ui: &Ui, models: &Models, workflows: &Workflows<'_>, name: &str) -> Result<ExitCode, CliError> {
    let stored = workflows.store().create(name)?;
    let workflow = stored.workflow();
    let path = shown(models, &stored.path);
    let document =
        json!({ "id": workflow.id, "name": workflow.name, "path": path, "jobs": jobs_json(&stored) });
    ui.result(&document, || {
        format!("{GOOD}created{GOOD:#} {NAME}{}{NAME:#} in {path}\n\nnext: say what its steps do, then\n  marsh workflow validate {0}\n  marsh workflow run {0}", workflow.name)
    });
    done()
}

fn jobs_json(stored: &StoredWorkflow) -> Value {
    stored
        .workflow()
        .jobs
        .iter()
        .map(|job| {
            let steps: Vec<Value> = job
                .steps
                .iter()
                .map(|step| {
                    json!({ "name": step.name, "description": step.description, "taskType": step.task.type_name() })
                })
                .collect();
            json!({ "name": job.name, "description": job.description, "steps": steps })
        })
        .collect()
}

fn get(ui: &Ui, models: &Models, workflows: &Workflows<'_>, name: &str) -> Result<ExitCode, CliError> {
    let stored = workflows.store().find(name)?;
    let workflow = stored.workflow();
    let document = json!({
        "id": workflow.id,
        "name": workflow.name,
        "description": workflow.description,
        "version": workflow.version,
        "inputs": workflow.inputs,
        "tags": workflow.tags,
        "jobs": jobs_json(&stored),
        "path": shown(models, &stored.path),
    });
    ui.result(&document, || {
        let mut text = format!("{NAME}{}{NAME:#}\n", workflow.name);
        if let Some(description) = &workflow.description {
            text.push_str(&format!("  {description}\n"));
        }
        text.push_str(&format!("  {DIM}file{DIM:#}  {}\n", shown(models, &stored.path)));
        for job in &workflow.jobs {
            let after: Vec<&str> = job.depends_on.iter().map(|dependency| dependency.job.as_str()).collect();
            text.push_str(&format!("\n{NAME}{}{NAME:#}{}\n", job.name, after_text(&after)));
            for step in &job.steps {
                let after: Vec<&str> =
                    step.depends_on.iter().map(|dependency| dependency.step.as_str()).collect();
                text.push_str(&format!(
                    "  {}  {DIM}{}{DIM:#}{}\n",
                    step.name,
                    task_text(&step.task),
                    after_text(&after)
                ));
            }
        }
        text
    });
    done()
}

/// What a step does, in a few words.
fn task_text(task: &Task) -> String {
    match task {
        Task::ModelMethod(call) => match &call.target {
            ModelTarget::Definition { model_id_or_name } => {
                format!("{model_id_or_name} {}", call.method_name)
            }
            ModelTarget::Direct { model_type, model_name, .. } => {
                format!("{model_type} {} {model_name}", call.method_name)
            }
        },
        other => other.type_name().to_owned(),
    }
}

fn after_text(names: &[&str]) -> String {
    if names.is_empty() { String::new() } else { format!("  {DIM}after {}{DIM:#}", names.join(", ")) }
}

fn search(ui: &Ui, models: &Models, workflows: &Workflows<'_>, query: &str) -> Result<ExitCode, CliError> {
    let listing = workflows.store().list()?;
    for broken in &listing.broken {
        let first = broken.problems.first().map(|problem| problem.message.clone()).unwrap_or_default();
        ui.warn(format_args!("skipped {}: {first}", shown(models, &broken.path)));
    }
    let wanted = query.to_lowercase();
    let found: Vec<&StoredWorkflow> = listing
        .workflows
        .iter()
        .filter(|stored| stored.workflow().name.to_lowercase().contains(&wanted))
        .collect();
    let results: Vec<Value> = found
        .iter()
        .map(|stored| {
            let workflow = stored.workflow();
            json!({
                "id": workflow.id, "name": workflow.name, "description": workflow.description,
                "jobCount": workflow.jobs.len(), "hasInputs": workflow.inputs.is_some(),
            })
        })
        .collect();
    ui.result(&json!({ "query": query, "results": results }), || {
        if found.is_empty() {
            return if query.is_empty() {
                "no workflows yet".to_owned()
            } else {
                format!("no workflow matches `{query}`")
            };
        }
        let rows: Vec<Vec<String>> = found
            .iter()
            .map(|stored| {
                let workflow = stored.workflow();
                let steps: usize = workflow.jobs.iter().map(|job| job.steps.len()).sum();
                vec![
                    format!("{NAME}{}{NAME:#}", workflow.name),
                    format!("{DIM}{steps} steps{DIM:#}"),
                    workflow.description.clone().unwrap_or_default(),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

fn edit(ui: &Ui, models: &Models, workflows: &Workflows<'_>, name: &str) -> Result<ExitCode, CliError> {
    let stored = workflows.store().find(name)?;
    let (text, editor) = edited_text(models, &stored.text, &stored.workflow().name)?;
    let status = if text == stored.text { "unchanged" } else { "updated" };
    let saved = if text == stored.text { stored } else { workflows.store().save_text(&stored, &text)? };
    let path = shown(models, &saved.path);
    let document = json!({ "path": path, "editor": editor, "status": status, "name": saved.workflow().name });
    ui.result(&document, || format!("{GOOD}{status}{GOOD:#} {path}"));
    done()
}

fn delete(
    ui: &Ui,
    models: &Models,
    workflows: &Workflows<'_>,
    name: &str,
    yes: bool,
) -> Result<ExitCode, CliError> {
    let stored = workflows.store().find(name)?;
    let workflow = stored.workflow();
    let question = format!("delete the workflow `{}` and its run history?", workflow.name);
    if !yes && ui.can_ask() && !ui.confirm(&question) {
        return Err(CliError::Refused { message: "nothing was deleted".into(), hint: None });
    }
    let deleted = workflows.store().delete(&stored)?;
    let document = json!({
        "id": workflow.id, "name": workflow.name, "workflowPath": shown(models, &deleted.path), "runsDeleted": deleted.runs,
    });
    ui.result(&document, || {
        format!("{GOOD}deleted{GOOD:#} {NAME}{}{NAME:#} and {} runs", workflow.name, deleted.runs)
    });
    done()
}

fn validate(
    ui: &Ui,
    models: &Models,
    workflows: &Workflows<'_>,
    name: Option<&str>,
) -> Result<ExitCode, CliError> {
    let (stored, broken) = match name {
        Some(name) => (vec![workflows.store().find(name)?], Vec::new()),
        None => {
            let listing = workflows.store().list()?;
            (listing.workflows, listing.broken)
        }
    };
    let mut documents: Vec<Value> =
        stored.iter().map(|stored| report_json(&workflows.validate(stored))).collect();
    for broken in &broken {
        let path = shown(models, &broken.path);
        let validations: Vec<Value> = broken
            .problems
            .iter()
            .map(|problem| {
                let place = problem.line.map_or_else(String::new, |line| format!("{path}:{line}: "));
                json!({ "name": "schema", "passed": false, "error": format!("{place}{}", problem.message) })
            })
            .collect();
        documents.push(
            json!({ "workflowName": path, "validations": validations, "totalWarnings": 0, "passed": false }),
        );
    }
    let all_passed = documents.iter().all(|document| document["passed"] == true);
    let text = || validation_text(&documents);
    let document = match (name, documents.as_slice()) {
        (Some(_), [one]) => one.clone(),
        _ => json!({ "workflows": documents, "passed": all_passed }),
    };
    ui.result(&document, text);
    if all_passed { done() } else { failed() }
}

fn report_json(report: &Report) -> Value {
    let validations: Vec<Value> = report
        .checks
        .iter()
        .map(|check| {
            let mut fields = Map::new();
            fields.insert("name".into(), json!(check.name));
            fields.insert("passed".into(), json!(check.error.is_none()));
            if let Some(warning) = &check.warning {
                fields.insert("warning".into(), json!(warning));
            }
            if let Some(error) = &check.error {
                fields.insert("error".into(), json!(error));
            }
            Value::Object(fields)
        })
        .collect();
    json!({
        "workflowId": report.workflow_id, "workflowName": report.workflow_name, "validations": validations,
        "totalWarnings": report.warnings(), "passed": report.passed(),
    })
}

fn validation_text(documents: &[Value]) -> String {
    if documents.is_empty() {
        return "no workflows yet".to_owned();
    }
    let mut text = String::new();
    for document in documents {
        let passed = document["passed"] == true;
        let mark = if passed { format!("{GOOD}ok{GOOD:#}    ") } else { format!("{BAD}failed{BAD:#}") };
        text.push_str(&format!("{mark} {}\n", document["workflowName"].as_str().unwrap_or_default()));
        for item in document["validations"].as_array().into_iter().flatten() {
            if let Some(error) = item["error"].as_str() {
                text.push_str(&format!("       {}: {error}\n", item["name"].as_str().unwrap_or_default()));
            }
            if let Some(warning) = item["warning"].as_str() {
                text.push_str(&format!("       {WARN}warning{WARN:#}: {warning}\n"));
            }
        }
    }
    text
}

fn run_workflow(
    ui: &Ui,
    models: &Models,
    workflows: &Workflows<'_>,
    name: &str,
    inputs: &InputArgs,
    arguments: &RunArgs,
) -> Result<ExitCode, CliError> {
    let inputs = input::read(models, inputs)?;
    let cancel = app::cancel_on_signal(models);
    let several = inputs.len() > 1;
    let mut documents = Vec::new();
    let mut worst = exit::DONE;
    for inputs in inputs {
        let request = WorkflowRunRequest {
            name_or_id: name,
            inputs,
            tags: input::tags(arguments)?,
            checks: input::checks(arguments),
            deadline_per_step: input::deadline(models, arguments),
            cancel: &cancel,
            initiated_by: app::initiated_by(&models.env),
        };
        let outcome = match workflows.run(&request, &Progress { ui }) {
            Ok(outcome) => outcome,
            Err(error) if several && ui.is_json() => {
                documents.push(CliError::from(error).to_json());
                worst = exit::FAILED;
                break;
            }
            Err(error) => return Err(error.into()),
        };
        worst = worst.max(match outcome.status {
            RunStatus::Succeeded | RunStatus::Suspended => exit::DONE,
            RunStatus::Cancelled => exit::INTERRUPTED,
            _ => exit::FAILED,
        });
        if ui.is_json() {
            documents.push(outcome.to_json());
        } else {
            ui.result(&Value::Null, || outcome_text(models, &outcome, ui.is_verbose()));
        }
        if cancel.is_cancelled() {
            break;
        }
    }
    if ui.is_json() {
        let document = if several { Value::Array(documents) } else { documents.pop().unwrap_or(Value::Null) };
        ui.result(&document, String::new);
    }
    Ok(ExitCode::from(worst))
}

/// Says what happens, line by line, on standard error.
struct Progress<'a> {
    ui: &'a Ui,
}

impl WorkflowObserver for Progress<'_> {
    fn event(&self, event: &WorkflowEvent) {
        let ui = self.ui;
        match event {
            WorkflowEvent::Started { workflow, run_id, .. } => {
                ui.say(format_args!("{NAME}{workflow}{NAME:#} {DIM}run {run_id}{DIM:#}"));
            }
            WorkflowEvent::StepStarted { job, step } => ui.say(format_args!("{DIM}·{DIM:#} {job}/{step}")),
            WorkflowEvent::StepCompleted { job, step, duration_ms, .. } => {
                ui.say(format_args!("{GOOD}✓{GOOD:#} {job}/{step} {DIM}{}{DIM:#}", millis(*duration_ms)));
            }
            WorkflowEvent::StepFailed { job, step, error, allowed, duration_ms } => {
                let (mark, note) = if *allowed { (WARN, " (allowed)") } else { (BAD, "") };
                let time = millis(*duration_ms);
                ui.say(format_args!("{mark}✗{mark:#} {job}/{step} {DIM}{time}{DIM:#}{note}: {error}"));
            }
            WorkflowEvent::StepSkipped { job, step, reason } => {
                ui.say(format_args!("{DIM}- {job}/{step} skipped: {}{DIM:#}", reason_text(*reason)));
            }
            WorkflowEvent::JobSkipped { job, reason } => {
                ui.say(format_args!("{DIM}- {job} skipped: {}{DIM:#}", reason_text(*reason)));
            }
            WorkflowEvent::Output { step, line, .. } => ui.say(format_args!("{DIM}│ {step}:{DIM:#} {line}")),
            WorkflowEvent::Warning { step, message, .. } => match step {
                Some(step) => ui.warn(format_args!("{step}: {message}")),
                None => ui.warn(message),
            },
            WorkflowEvent::Method { step, event: RunEvent::Upgraded { name, to_version }, .. } => {
                ui.say(format_args!("{DIM}│ {step}:{DIM:#} upgraded {name} to {to_version}"));
            }
            _ => {}
        }
    }
}

fn reason_text(reason: SkipReason) -> &'static str {
    match reason {
        SkipReason::Dependency => "what it depends on did not end as its condition wants",
        SkipReason::Cancelled => "the run was cancelled",
    }
}

fn millis(millis: u64) -> String {
    duration(Duration::from_millis(millis))
}

fn status_text(status: RunStatus) -> String {
    let colour = if status == RunStatus::Succeeded { GOOD } else { BAD };
    format!("{colour}{}{colour:#}", status.as_str())
}

fn step_status_text(status: NodeStatus) -> String {
    let colour = match status {
        NodeStatus::Succeeded => GOOD,
        NodeStatus::Failed | NodeStatus::Cancelled => BAD,
        _ => DIM,
    };
    format!("{colour}{}{colour:#}", status.as_str())
}

/// The run as text: what each step wrote.
fn outcome_text(models: &Models, outcome: &WorkflowOutcome, verbose: bool) -> String {
    let name = &outcome.record.workflow_name;
    let mut text = String::new();
    for job in &outcome.jobs {
        for step in &job.steps {
            let status = step_status_text(step.status);
            text.push_str(&format!("{NAME}{}/{}{NAME:#} {status}", job.name, step.name));
            match (&step.error, step.skip_reason) {
                (Some(error), _) => text.push_str(&format!(": {error}\n")),
                (None, Some(reason)) => text.push_str(&format!(": {}\n", reason_text(reason))),
                (None, None) => text.push('\n'),
            }
            text.push_str(&artifact_lines(&step.artifacts, 2));
        }
    }
    text.push_str(&format!(
        "\n{NAME}{name}{NAME:#} {} in {}\n",
        status_text(outcome.status),
        millis(outcome.duration_ms)
    ));
    if verbose || outcome.status != RunStatus::Succeeded {
        text.push_str(&format!("  {DIM}record{DIM:#}  {}\n", shown(models, &outcome.path)));
    }
    text
}

fn history(
    ui: &Ui,
    models: &Models,
    workflows: &Workflows<'_>,
    command: &HistoryCommand,
) -> Result<ExitCode, CliError> {
    match command {
        HistoryCommand::Get { run } => {
            let stored = find_run(workflows, run)?;
            let document = serde_json::to_value(&stored.record).unwrap_or(Value::Null);
            ui.result(&document, || record_text(models, &stored));
            done()
        }
        HistoryCommand::Search { query } => search_runs(ui, workflows, query.as_deref().unwrap_or_default()),
        HistoryCommand::Logs { run, tail } => {
            let stored = find_run(workflows, run)?;
            let path = shown(models, &stored.log_path);
            let text = std::fs::read_to_string(&stored.log_path)
                .map_err(|source| CliError::Read { what: path.clone(), source })?;
            show_log(ui, &path, &text, *tail, &json!({ "runId": stored.record.id }));
            done()
        }
    }
}

/// A run by its id or the start of it, else the last run of the workflow of that name.
fn find_run(workflows: &Workflows<'_>, wanted: &str) -> Result<StoredRun, CliError> {
    let by_id = workflows.run_store().find(wanted);
    if let Ok(run) = by_id {
        return Ok(run);
    }
    match workflows.store().find(wanted) {
        Ok(stored) => {
            let last = workflows.run_store().list(Some(&stored.workflow().id))?.into_iter().next();
            let last = last.ok_or_else(|| CliError::NotFound {
                message: format!("the workflow `{wanted}` was never run"),
                hint: None,
            })?;
            Ok(workflows.run_store().find(&last.run_id)?)
        }
        Err(WorkflowError::NotFound { .. }) => match by_id {
            // Says what is wrong with a prefix, if that is what it was.
            Err(error @ (WorkflowError::AmbiguousRun { .. } | WorkflowError::PrefixTooShort { .. })) => {
                Err(error.into())
            }
            _ => Err(CliError::NotFound {
                message: format!("there is no run and no workflow `{wanted}`"),
                hint: Some("`marsh workflow history search` lists the runs there are".into()),
            }),
        },
        Err(error) => Err(error.into()),
    }
}

fn record_text(models: &Models, stored: &StoredRun) -> String {
    let record: &RunRecord = &stored.record;
    let mut text = format!("{NAME}{}{NAME:#} {}", record.workflow_name, status_text(record.status));
    if let Some(time) = record.duration_ms() {
        text.push_str(&format!(" in {}", millis(time)));
    }
    text.push_str(&format!("\n  {DIM}run{DIM:#}   {}\n", record.id));
    text.push_str(&format!("  {DIM}file{DIM:#}  {}\n", shown(models, &stored.path)));
    for job in &record.jobs {
        text.push_str(&format!("\n{NAME}{}{NAME:#} {}\n", job.job_name, step_status_text(job.status)));
        let rows: Vec<Vec<String>> = job
            .steps
            .iter()
            .map(|step| {
                vec![
                    format!("  {}", step.step_name),
                    step_status_text(step.status),
                    step.duration_ms().map_or_else(String::new, millis),
                    step.error.clone().unwrap_or_default(),
                ]
            })
            .collect();
        text.push_str(&columns(&rows));
    }
    text
}

fn search_runs(ui: &Ui, workflows: &Workflows<'_>, query: &str) -> Result<ExitCode, CliError> {
    let wanted = query.to_lowercase();
    let runs: Vec<_> = workflows
        .runs(None)?
        .into_iter()
        .filter(|run| run.entry.workflow_name.to_lowercase().contains(&wanted))
        .collect();
    let results: Vec<Value> = runs
        .iter()
        .map(|run| {
            let mut document = serde_json::to_value(&run.entry).unwrap_or(Value::Null);
            if let Value::Object(fields) = &mut document {
                fields.insert("runId".into(), json!(run.run_id));
            }
            document
        })
        .collect();
    ui.result(&json!({ "query": query, "results": results }), || {
        if runs.is_empty() {
            return "no runs".to_owned();
        }
        let rows: Vec<Vec<String>> = runs
            .iter()
            .map(|run| {
                vec![
                    run.run_id.chars().take(8).collect(),
                    format!("{NAME}{}{NAME:#}", run.entry.workflow_name),
                    status_text(run.entry.status),
                    format!("{DIM}{}{DIM:#}", run.entry.started_at.clone().unwrap_or_default()),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}
