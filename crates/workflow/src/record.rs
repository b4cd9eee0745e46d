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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    pub id: String,
    pub workflow_id: String,
    pub workflow_name: String,
    pub status: RunStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    #[serde(default)]
    pub jobs: Vec<JobRecord>,
    #[serde(default)]
    pub tags: Tags,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Relative to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_data_artifacts: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume_inputs: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiated_by: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_step: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_progress: Option<StepProgress>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRecord {
    pub job_name: String,
    pub status: NodeStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
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

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StepRecord {
    pub step_name: String,
    pub status: NodeStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Records of other writers hold whole results here; ours hold references.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_artifacts: Vec<DataArtifact>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_failure: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_decision: Option<ApprovalDecision>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_prompt: Option<String>,
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
    pub data_id: String,
    pub name: String,
    pub version: u32,
    #[serde(default)]
    pub tags: Tags,
}

impl RunRecord {
    /// Milliseconds from start to end, if both are known.
    pub fn duration_ms(&self) -> Option<u64> {
        duration_ms(self.started_at.as_deref()?, self.completed_at.as_deref()?)
    }

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
    pub fn duration_ms(&self) -> Option<u64> {
        duration_ms(self.started_at.as_deref()?, self.completed_at.as_deref()?)
    }
}

impl StepRecord {
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
