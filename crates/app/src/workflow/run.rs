//! Workflow runs: start and resume.

use marsh_api::error::ErrorDocument;
use marsh_api::event::EventSink;
use marsh_api::model::DataArtifact;
use marsh_api::workflow::event::WorkflowEvent;
use marsh_api::workflow::{ApprovalRequired, Severity, WorkflowRun, WorkflowRunDocument, WorkflowRunItem};
use marsh_model::inputs::merge;
use marsh_model::run::reports::ReportSelection;
use marsh_workflow::{RunRecord, WorkflowOutcome};
use serde_json::{Map, Value};

use crate::error::AppError;
use crate::input::{InputItems, RunOptions};
use crate::method::data_artifact;
use crate::report::reports_by_name;
use crate::session::{Write, initiated_by};

/// Who starts a run, for its record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RunInitiator {
    /// A user, by a command.
    #[default]
    Command,
    /// A user, by a request to a server.
    ServerRequest,
    /// The schedule of the workflow.
    Schedule,
    /// A webhook.
    Webhook,
}

impl RunInitiator {
    fn trigger_source(self) -> &'static str {
        match self {
            RunInitiator::Command => "manual",
            RunInitiator::ServerRequest => "serve",
            RunInitiator::Schedule => "schedule",
            RunInitiator::Webhook => "webhook",
        }
    }
}

/// A workflow to run.
#[derive(Debug, Clone)]
pub struct WorkflowRunRequest {
    /// The workflow, by name or id.
    pub workflow: String,
    /// Its inputs.
    pub inputs: Map<String, Value>,
    /// Tags, checks, driver, and how long each step may run.
    pub options: RunOptions,
    /// Whether the workflow's last evaluated copy is used.
    pub last_evaluated: bool,
    /// Asserts of this severity or above fail the run.
    pub fail_on: Severity,
    /// Who starts it.
    pub initiator: RunInitiator,
    /// The reports that follow.
    pub reports: ReportSelection,
}

/// A run to resume.
#[derive(Debug, Clone)]
pub struct WorkflowResumeRequest {
    /// The workflow, by name or id.
    pub workflow: String,
    /// The run, by the start of its id; `None`: the only one that can be resumed.
    pub run: Option<String>,
    /// Repeat this step, and every step after it.
    pub from: Option<String>,
    /// Merged over the inputs of the run.
    pub inputs: Map<String, Value>,
    /// Checks, driver, and how long each step may run. A resumed run keeps its tags.
    pub options: RunOptions,
    /// The reports that follow.
    pub reports: ReportSelection,
}

/// A run that ended, or waits for an approval.
#[derive(Debug)]
pub struct WorkflowRunResult {
    /// The document, reports included.
    pub document: WorkflowRun,
    /// What the steps of this process wrote, with texts and sizes, which the document leaves out.
    pub written: Vec<StepData>,
    /// All steps that wait for an approval. The document names the first.
    pub waiting: Vec<ApprovalRequired>,
    record: RunRecord,
}

/// What a step wrote.
#[derive(Debug)]
pub struct StepData {
    /// The job.
    pub job: String,
    /// The step.
    pub step: String,
    /// The versions.
    pub artifacts: Vec<DataArtifact>,
}

impl WorkflowRunResult {
    fn of(outcome: WorkflowOutcome) -> WorkflowRunResult {
        let document = WorkflowRun { reports: reports_by_name(&outcome.reports), ..outcome.document() };
        let mut written = Vec::new();
        for job in &outcome.jobs {
            let steps = job.steps.iter().filter(|step| !step.artifacts.is_empty());
            written.extend(steps.map(|step| StepData {
                job: job.name.clone(),
                step: step.name.clone(),
                artifacts: step.artifacts.iter().map(data_artifact).collect(),
            }));
        }
        let waiting = outcome.record.waiting().map(|(job, step)| ApprovalRequired {
            job_id: job.to_owned(),
            step_id: step.step_name.clone(),
            prompt: step.approval_prompt.clone(),
        });
        WorkflowRunResult { document, written, waiting: waiting.collect(), record: outcome.record }
    }

    /// What a step of this process wrote.
    pub fn written_by(&self, job: &str, step: &str) -> &[DataArtifact] {
        let found = self.written.iter().find(|data| data.job == job && data.step == step);
        found.map_or(&[], |data| &data.artifacts)
    }
}

/// Runs of one request.
#[derive(Debug)]
pub struct WorkflowRuns {
    /// The runs that started, in order.
    pub runs: Vec<WorkflowRunResult>,
    /// Why the run after them did not start, if one did not. Later ones were not tried.
    pub error: Option<AppError>,
    several: bool,
}

impl WorkflowRuns {
    /// One run.
    pub fn one(run: WorkflowRunResult) -> WorkflowRuns {
        WorkflowRuns { runs: vec![run], error: None, several: false }
    }

    /// The document: of the run, or of each.
    pub fn document(&self) -> WorkflowRunDocument {
        if let ([only], false) = (self.runs.as_slice(), self.several) {
            return WorkflowRunDocument::One(Box::new(only.document.clone()));
        }
        let runs = self.runs.iter().map(|run| WorkflowRunItem::Run(Box::new(run.document.clone())));
        let error = self.error.iter().map(|error| {
            let error = error.report();
            WorkflowRunItem::Error(ErrorDocument { error })
        });
        WorkflowRunDocument::Several(runs.chain(error).collect())
    }

    /// The asserts of the runs as a JUnit report, for tools that read test reports.
    pub fn junit(&self) -> String {
        let records: Vec<&RunRecord> = self.runs.iter().map(|run| &run.record).collect();
        marsh_workflow::junit(&records)
    }
}

impl Write<'_> {
    /// Runs a workflow, and the reports that follow it. `Ok` also when the run failed: its document says so.
    ///
    /// # Errors
    ///
    /// When the run cannot start, or its end cannot be recorded.
    pub fn run_workflow(
        &self,
        request: &WorkflowRunRequest,
        sink: &dyn EventSink<WorkflowEvent>,
    ) -> Result<WorkflowRunResult, AppError> {
        self.run_workflow_once(request, request.inputs.clone(), None, sink)
    }

    /// Runs a workflow once for each item, merged over the inputs of the request. `ended` receives every run as it ends.
    /// A run that cannot start ends the list, if there are several.
    ///
    /// # Errors
    ///
    /// When the items cannot be read, or the only run cannot start.
    pub fn run_workflow_for_each(
        &self,
        request: &WorkflowRunRequest,
        items: &InputItems,
        sink: &dyn EventSink<WorkflowEvent>,
        ended: &mut dyn FnMut(&WorkflowRunResult),
    ) -> Result<WorkflowRuns, AppError> {
        let sets = self.inputs(items)?;
        let mut all = WorkflowRuns { runs: Vec::new(), error: None, several: sets.len() > 1 };
        for set in sets {
            let mut inputs = request.inputs.clone();
            merge(&mut inputs, set);
            match self.run_workflow_once(request, inputs, None, sink) {
                Ok(run) => {
                    ended(&run);
                    all.runs.push(run);
                }
                Err(error) if all.several => {
                    all.error = Some(error);
                    break;
                }
                Err(error) => return Err(error),
            }
            if self.cancel_of(&request.options).is_cancelled() {
                break;
            }
        }
        Ok(all)
    }

    pub(super) fn run_workflow_once(
        &self,
        request: &WorkflowRunRequest,
        inputs: Map<String, Value>,
        run_id: Option<&str>,
        sink: &dyn EventSink<WorkflowEvent>,
    ) -> Result<WorkflowRunResult, AppError> {
        let options = &request.options;
        let run = marsh_workflow::WorkflowRunRequest {
            name_or_id: &request.workflow,
            run_id,
            last_evaluated: request.last_evaluated,
            inputs,
            tags: options.tags.clone(),
            checks: options.checks(),
            deadline_per_step: options.deadline(),
            cancel: self.cancel_of(options),
            initiated_by: match request.initiator {
                RunInitiator::Command | RunInitiator::ServerRequest => initiated_by(&self.models().env),
                RunInitiator::Schedule | RunInitiator::Webhook => {
                    Some(format!("trigger:{}", request.initiator.trigger_source()))
                }
            },
            fail_on: request.fail_on,
            trigger_source: request.initiator.trigger_source(),
            driver: options.driver()?,
            reports: request.reports.clone(),
        };
        Ok(WorkflowRunResult::of(self.workflows().run(&run, sink)?))
    }

    /// Resumes a run: after an approval, after a crash, or from a step on.
    ///
    /// # Errors
    ///
    /// When no run fits, the run cannot be resumed, or its end cannot be recorded.
    pub fn resume_workflow(
        &self,
        request: &WorkflowResumeRequest,
        sink: &dyn EventSink<WorkflowEvent>,
    ) -> Result<WorkflowRunResult, AppError> {
        let options = &request.options;
        let resume = marsh_workflow::ResumeRequest {
            workflow: &request.workflow,
            run: request.run.as_deref(),
            from: request.from.as_deref(),
            inputs: request.inputs.clone(),
            checks: options.checks(),
            deadline_per_step: options.deadline(),
            cancel: self.cancel_of(options),
            driver: options.driver()?,
            reports: request.reports.clone(),
        };
        Ok(WorkflowRunResult::of(self.workflows().resume(&resume, sink)?))
    }
}
