//! `workflow-run-<id>.yaml`: the record of one run, in the key order of the format.
//!
//! Results are named, not copied: a record refers to data versions, so it stays small and holds no secret that a result
//! held (test `results_are_references` of `tests/it/run.rs`).

use std::sync::Arc;

use marsh_data::Tags;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

pub use marsh_api::workflow::{NodeStatus, RunStatus, StepProgress};

use marsh_api::workflow::{ApprovalDecision, AssertResult, SkipReason, StepCode};

/// A run, as its file holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// The id of the run.
    pub id: String,
    /// The id of its workflow.
    pub workflow_id: String,
    /// The name of its workflow when it ran.
    pub workflow_name: String,
    /// The state of the run.
    pub status: RunStatus,
    /// When it started, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// Its jobs, in the order of the file.
    #[serde(default)]
    pub jobs: Vec<JobRecord>,
    /// The tags of the run.
    #[serde(default)]
    pub tags: Tags,
    /// The process that runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Relative to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_file: Option<String>,
    /// References to all data of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_data_artifacts: Option<Value>,
    /// Its inputs, secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Map<String, Value>>,
    /// The names of the inputs that a resume added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_inputs: Option<Vec<String>>,
    /// Who started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiated_by: Option<String>,
    /// The id of the server that ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    /// What started it: `manual`, `schedule`, `webhook` or `workflow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_source: Option<String>,
    /// The first step that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_step: Option<String>,
    /// Why that step failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// How many steps have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_progress: Option<StepProgress>,
}

/// A job of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRecord {
    /// The name of the job.
    pub job_name: String,
    /// Its state.
    pub status: NodeStatus,
    /// When it started, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// Shared between the state of the run and the thread that writes its record: a run can have thousands of steps.
    #[serde(default, serialize_with = "steps_as_they_are", deserialize_with = "shared_steps")]
    pub steps: Vec<Arc<StepRecord>>,
}

fn steps_as_they_are<S: Serializer>(steps: &[Arc<StepRecord>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(steps.iter().map(|step| &**step))
}

fn shared_steps<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Arc<StepRecord>>, D::Error> {
    Ok(Vec::<StepRecord>::deserialize(deserializer)?.into_iter().map(Arc::new).collect())
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    /// The name of the step, with its item if it has items.
    pub step_name: String,
    /// Its state.
    pub status: NodeStatus,
    /// When it started, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Records of other writers hold whole results here; ours hold references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// The data that it wrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_artifacts: Vec<DataArtifact>,
    /// It failed, and `allowFailure` let the job go on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_failure: Option<bool>,
    /// What was decided about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_decision: Option<ApprovalDecision>,
    /// The question that it asks, or asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_prompt: Option<String>,
    /// The result of its assertion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assert_result: Option<AssertResult>,
    /// Why it was skipped. Ours; other readers ignore it, as the next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_reason: Option<SkipReason>,
    /// The code that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<StepCode>,
    /// How often it was tried, when more than once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<u32>,
}

/// A data version that a step wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataArtifact {
    /// The id of the datum.
    pub data_id: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
}

impl RunRecord {
    /// Milliseconds from start to end, if both are known.
    pub fn duration_ms(&self) -> Option<u64> {
        duration_ms(self.started_at.as_deref()?, self.completed_at.as_deref()?)
    }

    /// All steps, in the order of the file.
    pub fn steps(&self) -> impl Iterator<Item = &StepRecord> {
        self.jobs.iter().flat_map(|job| job.steps.iter().map(|step| &**step))
    }

    pub(crate) fn count_progress(&mut self) {
        let (completed, total) = self
            .steps()
            .fold((0, 0), |(done, all), step| (done + usize::from(step.status.is_decided()), all + 1));
        self.step_progress = Some(StepProgress { completed, total });
    }
}

impl StepRecord {
    pub(crate) fn new(name: &str) -> StepRecord {
        StepRecord {
            step_name: name.to_owned(),
            status: NodeStatus::Pending,
            started_at: None,
            completed_at: None,
            error: None,
            output: None,
            data_artifacts: Vec::new(),
            allowed_failure: None,
            approval_decision: None,
            approval_prompt: None,
            assert_result: None,
            skip_reason: None,
            code: None,
            attempts: None,
        }
    }
}

impl JobRecord {
    /// Wall time, in milliseconds; none until it has ended.
    pub fn duration_ms(&self) -> Option<u64> {
        duration_ms(self.started_at.as_deref()?, self.completed_at.as_deref()?)
    }
}

impl StepRecord {
    /// Wall time, in milliseconds; none until it has ended.
    pub fn duration_ms(&self) -> Option<u64> {
        duration_ms(self.started_at.as_deref()?, self.completed_at.as_deref()?)
    }
}

/// Milliseconds between two times of a record. `None`: a time is invalid, or the end is before the start.
pub fn duration_ms(start: &str, end: &str) -> Option<u64> {
    let start: jiff::Timestamp = start.parse().ok()?;
    let end: jiff::Timestamp = end.parse().ok()?;
    u64::try_from(end.as_millisecond() - start.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::{NodeStatus, RunRecord, RunStatus};
    use marsh_types::yaml;

    /// A record as another writer leaves it: whole results inline, keys that we do not know, a run that waits.
    const FOREIGN: &str = "id: 7d3c0000-0000-4000-8000-000000000001\nworkflowId: 5f0c8b7e-1111-4222-8333-444455556666\nworkflowName: nightly\nstatus: suspended\nstartedAt: '2026-08-22T10:15:00.000Z'\njobs:\n  - jobName: main\n    status: running\n    steps:\n      - stepName: greet\n        status: succeeded\n        startedAt: '2026-08-22T10:15:00.000Z'\n        completedAt: '2026-08-22T10:15:01.500Z'\n        output: {type: model_method, resources: {result: {result: {attributes: {exitCode: 0}}}}}\n        dataArtifacts:\n          - {dataId: a, name: result, version: 3, tags: {type: resource}}\n      - stepName: ok\n        status: waiting_approval\n        approvalPrompt: go?\nfutureKey: 1\n";

    #[test]
    fn records_of_other_writers_read() {
        let record: RunRecord = yaml::from_str(FOREIGN).unwrap();
        assert_eq!(record.status, RunStatus::Suspended);
        assert_eq!(record.jobs[0].steps[0].duration_ms(), Some(1500));
        assert_eq!(record.jobs[0].steps[0].data_artifacts[0].version, 3);
        assert_eq!(record.jobs[0].steps[1].status, NodeStatus::WaitingApproval);
    }
}
