//! From this crate's own types to the public documents of `marsh-api`.

use std::path::Path;

use marsh_api::workflow as api;
use marsh_data::Tags;
use marsh_model::run::ArtifactView;
use serde_json::Value;

use crate::error::WorkflowError;
use crate::index::IndexEntry;
use crate::outcome::{JobOutcome, StepOutcome, WorkflowOutcome};
use crate::record::{DataArtifact, JobRecord, NodeStatus, RunRecord, RunStatus, StepRecord};
use crate::run::{Approved, PendingApproval};
use crate::runs::RunSummary;
use crate::schema::{Job, Problem, Step, Trigger, Workflow};
use crate::store::{BrokenWorkflow, StoredWorkflow};
use crate::validate::{ValidationCheck, ValidationReport};

/// A path as documents have it. A byte that is not UTF-8 becomes U+FFFD.
pub(crate) fn path_text(path: &Path) -> String {
    path.display().to_string()
}

fn tags(tags: &Tags) -> api::Object {
    tags.iter().map(|(key, value)| (key.to_owned(), Value::from(value))).collect()
}

impl WorkflowOutcome {
    /// The first step that waits for an approval.
    fn approval_required(&self) -> Option<api::ApprovalRequired> {
        if self.status != RunStatus::Suspended {
            return None;
        }
        let mut steps = self.jobs.iter().flat_map(|job| job.steps.iter().map(move |step| (job, step)));
        let (job, step) = steps.find(|(_, step)| step.status == NodeStatus::WaitingApproval)?;
        Some(api::ApprovalRequired {
            job_id: job.name.clone(),
            step_id: step.name.clone(),
            prompt: step.approval_prompt.clone(),
        })
    }

    /// The document of the run, without its reports.
    pub fn document(&self) -> api::WorkflowRun {
        let record = &self.record;
        api::WorkflowRun {
            id: record.id.clone(),
            workflow_id: record.workflow_id.clone(),
            workflow_name: record.workflow_name.clone(),
            inputs: record.inputs.clone(),
            status: self.status,
            jobs: self.jobs.iter().map(JobOutcome::document).collect(),
            duration: self.duration_ms,
            path: path_text(&self.path),
            initiated_by: record.initiated_by.clone(),
            approval_required: self.approval_required(),
            failed_step: record.failed_step.clone(),
            failure_reason: record.failure_reason.clone(),
            cancel_reason: record.tags.get("cancel_reason").map(str::to_owned),
            reports: None,
        }
    }
}

impl JobOutcome {
    fn document(&self) -> api::WorkflowRunJob {
        api::WorkflowRunJob {
            name: self.name.clone(),
            status: self.status,
            steps: self.steps.iter().map(StepOutcome::document).collect(),
            duration: self.duration_ms,
        }
    }
}

impl StepOutcome {
    fn document(&self) -> api::WorkflowRunStep {
        let mut artifacts: Vec<api::WorkflowRunArtifact> = self.artifacts.iter().map(artifact).collect();
        artifacts.extend(self.references.iter().map(|found| api::WorkflowRunArtifact {
            id: found.data_id.clone(),
            name: found.name.clone(),
            version: found.version,
            path: None,
            attributes: None,
        }));
        api::WorkflowRunStep {
            name: self.name.clone(),
            status: self.status,
            error: self.error.clone(),
            duration: self.duration_ms,
            output_id: self.output_id.clone(),
            data_artifacts: (!artifacts.is_empty()).then_some(artifacts),
            allowed_failure: self.allowed_failure.then_some(true),
            reason: self.skip_reason,
            assert_result: self.assert.clone(),
            attempts: self.attempts,
            run_id: self.nested.clone(),
        }
    }
}

fn artifact(view: &ArtifactView) -> api::WorkflowRunArtifact {
    api::WorkflowRunArtifact {
        id: view.metadata.id.clone(),
        name: view.metadata.name.clone(),
        version: view.metadata.version,
        path: view.path.as_deref().map(path_text),
        attributes: view.attributes.clone(),
    }
}

impl RunRecord {
    /// The document of the record.
    pub fn document(&self) -> api::RunRecord {
        api::RunRecord {
            id: self.id.clone(),
            workflow_id: self.workflow_id.clone(),
            workflow_name: self.workflow_name.clone(),
            status: self.status,
            started_at: self.started_at.clone(),
            completed_at: self.completed_at.clone(),
            duration: milliseconds(self.started_at.as_deref(), self.completed_at.as_deref()),
            jobs: self.jobs.iter().map(JobRecord::document).collect(),
            tags: tags(&self.tags),
            pid: self.pid,
            log_file: self.log_file.clone(),
            workflow_data_artifacts: self.workflow_data_artifacts.clone(),
            inputs: self.inputs.clone(),
            resume_inputs: self.resume_inputs.clone(),
            initiated_by: self.initiated_by.clone(),
            instance_id: self.instance_id.clone(),
            trigger_source: self.trigger_source.clone(),
            failed_step: self.failed_step.clone(),
            failure_reason: self.failure_reason.clone(),
            step_progress: self.step_progress,
        }
    }
}

impl JobRecord {
    fn document(&self) -> api::JobRecord {
        api::JobRecord {
            name: self.job_name.clone(),
            job_name: self.job_name.clone(),
            status: self.status,
            duration: milliseconds(self.started_at.as_deref(), self.completed_at.as_deref()),
            started_at: self.started_at.clone(),
            completed_at: self.completed_at.clone(),
            steps: self.steps.iter().map(|step| step.document()).collect(),
        }
    }
}

impl StepRecord {
    fn document(&self) -> api::StepRecord {
        api::StepRecord {
            name: self.step_name.clone(),
            step_name: self.step_name.clone(),
            status: self.status,
            duration: milliseconds(self.started_at.as_deref(), self.completed_at.as_deref()),
            started_at: self.started_at.clone(),
            completed_at: self.completed_at.clone(),
            error: self.error.clone(),
            output: self.output.clone(),
            data_artifacts: self.data_artifacts.iter().map(DataArtifact::document).collect(),
            allowed_failure: self.allowed_failure,
            approval_decision: self.approval_decision.clone(),
            approval_prompt: self.approval_prompt.clone(),
            assert_result: self.assert_result.clone(),
            skip_reason: self.skip_reason,
            code: self.code.clone(),
            attempts: self.attempts,
        }
    }
}

impl DataArtifact {
    fn document(&self) -> api::DataArtifact {
        api::DataArtifact {
            data_id: self.data_id.clone(),
            name: self.name.clone(),
            version: self.version,
            tags: tags(&self.tags),
        }
    }
}

impl RunSummary {
    /// The run as lists have it. `abandoned`: it is recorded as running, and its process is gone.
    pub fn document(&self, abandoned: bool) -> api::RunListEntry {
        let IndexEntry {
            status,
            workflow_id,
            workflow_name,
            started_at,
            completed_at,
            tags: run_tags,
            inputs,
            instance_id,
            trigger_source,
            failed_step,
            failure_reason,
            step_progress,
        } = self.entry.clone();
        api::RunListEntry {
            status,
            workflow_id,
            workflow_name,
            started_at,
            completed_at,
            tags: tags(&run_tags),
            inputs,
            instance_id,
            trigger_source,
            failed_step,
            failure_reason,
            step_progress,
            run_id: self.run_id.clone(),
            abandoned,
        }
    }

    /// The run as a summary of failures has it.
    pub fn failure(&self) -> api::FailedRun {
        api::FailedRun {
            run_id: self.run_id.clone(),
            workflow_name: self.entry.workflow_name.clone(),
            started_at: self.entry.started_at.clone(),
            failed_step: self.entry.failed_step.clone(),
            failure_reason: self.entry.failure_reason.clone(),
        }
    }
}

impl PendingApproval {
    /// The step as a list of approvals has it.
    pub fn document(&self) -> api::PendingApproval {
        api::PendingApproval {
            workflow_name: self.workflow_name.clone(),
            run_id: self.run_id.clone(),
            job_name: self.job_name.clone(),
            step_name: self.step_name.clone(),
            suspended_at: self.since.clone(),
            expires_at: self.expires.clone(),
            prompt: self.prompt.clone(),
            inputs: self.inputs.clone(),
        }
    }
}

impl Approved {
    /// The document of the decision.
    pub fn document(&self) -> api::DecidedApproval {
        api::DecidedApproval {
            run_id: self.run_id.clone(),
            workflow_name: self.workflow_name.clone(),
            step_name: self.step_name.clone(),
            approved: self.decision.approved,
            decided_by: self.decision.decided_by.clone(),
            reason: self.decision.reason.clone(),
            run_status: self.status,
        }
    }
}

impl StoredWorkflow {
    /// The document of a new workflow. `path`: its file, as documents have it.
    ///
    /// # Errors
    ///
    /// A part of the workflow has no form in JSON.
    pub fn created(&self, path: String) -> Result<api::CreatedWorkflow, WorkflowError> {
        let workflow = self.workflow();
        Ok(api::CreatedWorkflow {
            id: workflow.id.clone(),
            name: workflow.name.clone(),
            path,
            jobs: jobs(workflow)?,
        })
    }

    /// The document of the workflow. `path`: its file, as documents have it.
    ///
    /// # Errors
    ///
    /// A part of the workflow has no form in JSON.
    pub fn details(&self, path: String) -> Result<api::WorkflowDetails, WorkflowError> {
        let workflow = self.workflow();
        Ok(api::WorkflowDetails {
            id: workflow.id.clone(),
            name: workflow.name.clone(),
            description: workflow.description.clone(),
            version: workflow.version,
            inputs: workflow.inputs.clone(),
            trigger: workflow.trigger.as_ref().map(Trigger::document),
            tags: tags(&workflow.tags),
            reports: workflow.reports.clone(),
            code: workflow.code,
            jobs: jobs(workflow)?,
            path,
        })
    }

    /// The workflow as lists have it.
    pub fn list_entry(&self) -> api::WorkflowListEntry {
        let workflow = self.workflow();
        api::WorkflowListEntry {
            id: workflow.id.clone(),
            name: workflow.name.clone(),
            description: workflow.description.clone(),
            job_count: workflow.jobs.len(),
            has_inputs: workflow.inputs.is_some(),
            trigger: workflow.trigger.as_ref().map(Trigger::document),
        }
    }
}

impl Trigger {
    fn document(&self) -> api::WorkflowTrigger {
        api::WorkflowTrigger { schedule: self.schedule.clone(), inputs: self.inputs.clone() }
    }
}

/// A part of a workflow file, as documents have it. A part that has no form in JSON must not be taken for an empty one.
fn shown(workflow: &Workflow, part: &impl serde::Serialize) -> Result<serde_json::Value, WorkflowError> {
    let unwritable = |source| WorkflowError::Unwritable { name: workflow.name.clone(), source };
    serde_json::to_value(part).map_err(unwritable)
}

/// The time between two moments; `None`: one is unknown.
fn milliseconds(start: Option<&str>, end: Option<&str>) -> Option<u64> {
    let moment = |text: &str| text.parse::<jiff::Timestamp>().ok();
    let length = moment(end?)?.duration_since(moment(start?)?);
    u64::try_from(length.as_millis()).ok()
}

fn jobs(workflow: &Workflow) -> Result<Vec<api::WorkflowJob>, WorkflowError> {
    let step = |step: &Step| {
        let depends_on = step.depends_on.iter().map(|entry| {
            let condition = shown(workflow, &entry.condition)?;
            Ok(api::WorkflowStepDependency { step: entry.step.clone(), condition })
        });
        Ok(api::WorkflowStep {
            name: step.name.clone(),
            description: step.description.clone(),
            task_type: step.task.type_name().to_owned(),
            depends_on: depends_on.collect::<Result<_, WorkflowError>>()?,
            task: shown(workflow, &step.task)?,
        })
    };
    let job = |job: &Job| {
        let depends_on = job.depends_on.iter().map(|entry| {
            let condition = shown(workflow, &entry.condition)?;
            Ok(api::WorkflowJobDependency { job: entry.job.clone(), condition })
        });
        Ok(api::WorkflowJob {
            name: job.name.clone(),
            description: job.description.clone(),
            depends_on: depends_on.collect::<Result<_, WorkflowError>>()?,
            steps: job.steps.iter().map(step).collect::<Result<_, WorkflowError>>()?,
        })
    };
    workflow.jobs.iter().map(job).collect()
}

impl Problem {
    /// Where the problem is, when its line is known. `file`: the path of the file, as documents have it.
    pub fn position(&self, file: &str) -> Option<api::FilePosition> {
        Some(api::FilePosition {
            file: file.to_owned(),
            line: self.line?,
            column: self.column,
            source_line: self.source_line.clone(),
        })
    }
}

impl BrokenWorkflow {
    /// The document of the file, in place of the checks of a workflow. `file`: its path, as documents have it.
    pub fn validation(&self, file: String) -> api::WorkflowValidation {
        let checks = self.problems.iter().map(|problem| api::ValidationCheck {
            name: "schema".into(),
            passed: false,
            warning: None,
            error: Some(problem.message.clone()),
            position: problem.position(&file),
        });
        api::WorkflowValidation {
            workflow_id: None,
            validations: checks.collect(),
            workflow_name: file,
            total_warnings: 0,
            passed: false,
        }
    }
}

impl ValidationReport {
    /// The document of the report.
    pub fn document(&self) -> api::WorkflowValidation {
        let file = path_text(&self.path);
        api::WorkflowValidation {
            workflow_id: Some(self.workflow_id.clone()),
            workflow_name: self.workflow_name.clone(),
            validations: self.checks.iter().map(|check| check.document(&file)).collect(),
            total_warnings: self.warnings(),
            passed: self.passed(),
        }
    }
}

impl ValidationCheck {
    fn document(&self, file: &str) -> api::ValidationCheck {
        api::ValidationCheck {
            name: self.name.clone(),
            passed: self.error.is_none(),
            warning: self.warning.clone(),
            error: self.error.clone(),
            position: self.at.as_ref().and_then(|at| at.position(file)),
        }
    }
}
