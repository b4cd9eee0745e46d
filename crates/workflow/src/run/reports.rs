//! Reports after a run, or on request. The result of a report never changes the result of its run.

use marsh_api::event::EventSink;
use marsh_api::workflow::event::{StepRef, WarningCode, WorkflowEvent};
use marsh_data::Owner;
use marsh_extension::kinds::CallOptions;
use marsh_model::run::reports::{ReportOutcome, RunSummary, SummaryStep, WorkflowSubject};
use marsh_model::{Observer, RunEvent, RunOutcome};
use serde_json::{Value, json};

use super::called_with::{Arguments, CalledWith};
use super::steps::Steps;
use crate::Workflows;
use crate::error::WorkflowError;
use crate::record::{JobRecord, RunRecord, RunStatus, StepRecord};
use crate::schema::{ModelTarget, Task, Workflow};

impl Steps<'_> {
    /// The reports on a step's method and its model.
    pub(super) fn report_on_step(&self, at: &StepRef, outcome: &RunOutcome, observer: &dyn Observer) {
        if outcome.has_reports || self.workflow.reports.is_some() {
            self.called_with.keep(at, outcome);
        }
        self.summarise_step(at, outcome, observer);
        if !outcome.has_reports || outcome.status == marsh_model::RunStatus::Cancelled {
            return;
        }
        let warn = |message: String| {
            observer.event(&RunEvent::Warning { code: WarningCode::ReportFailed.as_str(), message })
        };
        let options = CallOptions { cancel: self.cancel.clone(), ..CallOptions::default() };
        match self.models.report_on(outcome, self.reports, &options, observer) {
            Ok(reports) => {
                for report in reports {
                    if let Err(error) = report.result {
                        warn(format!("the report `{}` failed: {error}", report.name));
                    }
                }
            }
            Err(error) => warn(format!("the reports on `{}` failed: {error}", outcome.model_name)),
        }
    }

    /// The summary of a step's method run. The thread of the summaries stores it, so that no step waits for it.
    fn summarise_step(&self, at: &StepRef, outcome: &RunOutcome, observer: &dyn Observer) {
        let made = match self.models.summarise_method(outcome, self.reports) {
            Ok(made) => made,
            Err(error) => {
                let message = format!("the summary of `{}` failed: {error}", outcome.model_name);
                observer.event(&RunEvent::Warning { code: WarningCode::ReportFailed.as_str(), message });
                return;
            }
        };
        let Some(made) = made else { return };
        let owner = Owner {
            workflow_id: Some(self.workflow.id.clone()),
            workflow_run_id: Some(self.run_id.to_owned()),
            workflow_name: Some(self.workflow.name.clone()),
            job_name: Some(at.job_id.clone()),
            step_name: Some(at.step_id.clone()),
            ..Owner::default()
        };
        self.summaries.add(made.of_step(owner));
    }

    /// Waits until the summaries of all steps are stored.
    pub(super) fn finish_summaries(&self) {
        if let Some(error) = self.summaries.finish() {
            let told = ToldWithRun { observer: self.observer };
            told.warn(WarningCode::ReportFailed, format!("a summary of a step failed: {error}"));
        }
    }

    /// The reports on the whole run.
    pub(super) fn report_on_run(&self, record: &RunRecord) -> Vec<ReportOutcome> {
        if !matches!(record.status, RunStatus::Succeeded | RunStatus::Failed) {
            return Vec::new();
        }
        let subject = self.workflows.report_subject(self.workflow, record, &self.called_with);
        let options = CallOptions { cancel: self.cancel.clone(), ..CallOptions::default() };
        let told = ToldWithRun { observer: self.observer };
        match self.models.report_on_workflow(&subject, self.reports, &options, &told) {
            Ok(reports) => {
                for report in &reports {
                    if let Err(error) = &report.result {
                        told.warn(
                            WarningCode::ReportFailed,
                            format!("the report `{}` failed: {error}", report.name),
                        );
                    }
                }
                reports
            }
            Err(error) => {
                told.warn(
                    WarningCode::ReportFailed,
                    format!("the reports on `{}` failed: {error}", self.workflow.name),
                );
                Vec::new()
            }
        }
    }
}

impl Workflows<'_> {
    /// Runs a report about a run that was: this one, or the workflow's last.
    pub fn report_now(
        &self,
        report: &str,
        workflow: &str,
        run: Option<&str>,
        options: &CallOptions,
        observer: &dyn Observer,
    ) -> Result<ReportOutcome, WorkflowError> {
        let stored = self.store.find(workflow)?;
        let workflow = stored.workflow();
        let run = match run {
            Some(run) => run.to_owned(),
            None => {
                let runs = self.runs.list(Some(&workflow.id))?;
                let newest = runs
                    .into_iter()
                    .next()
                    .ok_or_else(|| WorkflowError::NeverRun { workflow: workflow.name.clone() })?;
                newest.run_id
            }
        };
        let found = self.runs.find(&run)?;
        if !found.record.workflow_id.eq_ignore_ascii_case(&workflow.id) {
            return Err(WorkflowError::RunNotFound { id: run });
        }
        let called_with = CalledWith::default();
        let subject = self.report_subject(workflow, &found.record, &called_with);
        Ok(self.models.report_workflow_now(report, &subject, options, observer)?)
    }

    fn report_subject<'a>(
        &'a self,
        workflow: &Workflow,
        record: &'a RunRecord,
        called_with: &'a CalledWith,
    ) -> WorkflowSubject<'a> {
        let types = record
            .jobs
            .iter()
            .flat_map(|job| &job.steps)
            .filter(|step| model_of(step).is_some())
            .filter_map(|step| step.code.as_ref().map(|code| code.type_name.to_string()));
        let steps = move || {
            let of_job = |job: &'a JobRecord| {
                job.steps.iter().filter_map(|step| {
                    self.step_execution(&job.job_name, step, called_with.of(&job.job_name, &step.step_name))
                })
            };
            record.jobs.iter().flat_map(of_job).collect()
        };
        let summary = {
            let workflow = workflow.clone();
            let program = self.models.program;
            move || summary_of(&workflow, record, program)
        };
        WorkflowSubject {
            summary: Box::new(summary),
            id: workflow.id.clone(),
            name: workflow.name.clone(),
            run_id: record.id.clone(),
            status: record.status.as_str().to_owned(),
            inputs: record.inputs.clone().unwrap_or_default(),
            types: types.collect(),
            steps: Box::new(steps),
            rules: workflow.reports.clone(),
        }
    }

    /// A step that ran a method.
    fn step_execution(&self, job: &str, step: &StepRecord, called: Arguments) -> Option<Value> {
        let model = model_of(step)?;
        // A definition may be gone since.
        let id = self.models.definitions.find(model).ok().map(|stored| stored.definition.id);
        let handles: Vec<Value> = step
            .data_artifacts
            .iter()
            .map(|artifact| {
                json!({
                    "name": artifact.name,
                    "specName": artifact.tags.get("specName"),
                    "kind": artifact.tags.get("type"),
                    "dataId": artifact.data_id,
                    "version": artifact.version,
                    "tags": artifact.tags,
                })
            })
            .collect();
        Some(json!({
            "jobName": job,
            "stepName": step.step_name,
            "modelName": model,
            "modelType": step.code.as_ref().map(|code| &code.type_name),
            "modelId": id,
            "methodName": step.output.as_ref().and_then(|output| output.get("method")),
            "status": step.status.as_str(),
            "dataHandles": handles,
            "globalArgs": called.global,
            "methodArgs": called.method,
        }))
    }
}

/// The jobs of a run, and the steps that run methods: those that ran one, and those whose file says so.
fn summary_of(workflow: &Workflow, record: &RunRecord, program: &'static str) -> RunSummary {
    let mut summary = RunSummary::default();
    for job in &record.jobs {
        summary.jobs.push((job.job_name.clone(), job.status.as_str()));
        let written = workflow.jobs.iter().find(|written| written.name == job.job_name);
        let written = written.map(|written| written.steps.as_slice()).unwrap_or_default();
        for step in &job.steps {
            // The steps of a `forEach` have its name and more.
            let of = written.iter().find(|written| written.name == step.step_name).or_else(|| {
                let expanded = written.iter().filter(|written| written.for_each.is_some());
                expanded
                    .filter(|written| step.step_name.starts_with(&written.name))
                    .max_by_key(|written| written.name.len())
            });
            let task = match of.map(|of| &of.task) {
                Some(Task::ModelMethod(task)) => Some(task),
                _ => None,
            };
            let output = step.output.as_ref();
            let text = |key: &str| output.and_then(|output| output.get(key)?.as_str()).map(str::to_owned);
            let model = text("model").or_else(|| task.map(|task| name_of(&task.target).to_owned()));
            let Some(model) = model else { continue };
            let method = text("method").or_else(|| task.map(|task| task.method_name.clone()));
            let type_name = step.code.as_ref().map(|code| code.type_name.to_string());
            summary.steps.push(SummaryStep {
                job: job.job_name.clone(),
                step: step.step_name.clone(),
                model,
                model_type: type_name.or_else(|| match task.map(|task| &task.target) {
                    Some(ModelTarget::Direct { model_type, .. }) => Some(model_type.clone()),
                    _ => None,
                }),
                method: method.unwrap_or_default(),
                status: step.status.as_str(),
                program,
                written: step.data_artifacts.iter().map(|one| (one.name.clone(), one.version)).collect(),
            });
        }
    }
    summary
}

fn name_of(target: &ModelTarget) -> &str {
    match target {
        ModelTarget::Definition { model_id_or_name } => model_id_or_name,
        ModelTarget::Direct { model_name, .. } => model_name,
    }
}

/// The model that a step ran a method of.
fn model_of(step: &StepRecord) -> Option<&str> {
    step.output.as_ref()?.get("model")?.as_str()
}

/// Passes on what a report says while it runs.
struct ToldWithRun<'a> {
    observer: &'a dyn EventSink<WorkflowEvent>,
}

impl ToldWithRun<'_> {
    fn warn(&self, code: WarningCode, message: String) {
        self.observer.event(WorkflowEvent::Warning { step: None, code, message });
    }
}

impl Observer for ToldWithRun<'_> {
    fn event(&self, event: &RunEvent) {
        if let RunEvent::Warning { code, message } = event {
            self.warn(WarningCode::parse(code), message.clone());
        }
    }
}
