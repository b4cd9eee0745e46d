//! `.runs-index.json`: one line of every run record, so that listings need not read them all.
//!
//! It is believed of runs that have ended; what it says of others may lag behind, so listings ask those themselves.
//! Derived: it is made again when it does not read, has another version, or has not as many entries as there are
//! records, and removed when it cannot be brought up to date. Changes are made under one lock (`tests/it/run.rs`, `index_*`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_data::Tags;
use marsh_fs::{Durability, LockFile};
use marsh_repo::Layout;
use marsh_types::ignore;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::WorkflowError;
use crate::record::{RunRecord, RunStatus, StepProgress};
use crate::run_file::RunFile;

const VERSION: u32 = 2;
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// What the index holds of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IndexEntry {
    /// The state of the run.
    pub status: RunStatus,
    /// The id of its workflow.
    pub workflow_id: String,
    /// The name of its workflow when it ran.
    pub workflow_name: String,
    /// When it started, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// The tags of the run.
    #[serde(default)]
    pub tags: Tags,
    /// Its inputs, secrets masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<Map<String, Value>>,
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

impl From<&RunRecord> for IndexEntry {
    fn from(record: &RunRecord) -> IndexEntry {
        IndexEntry {
            status: record.status,
            workflow_id: record.workflow_id.clone(),
            workflow_name: record.workflow_name.clone(),
            started_at: record.started_at.clone(),
            completed_at: record.completed_at.clone(),
            tags: record.tags.clone(),
            inputs: record.inputs.clone(),
            instance_id: record.instance_id.clone(),
            trigger_source: record.trigger_source.clone(),
            failed_step: record.failed_step.clone(),
            failure_reason: record.failure_reason.clone(),
            step_progress: record.step_progress,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Content {
    version: u32,
    entries: BTreeMap<String, IndexEntry>,
}

#[derive(Debug, Clone)]
pub(crate) struct RunIndex {
    path: PathBuf,
    lock: PathBuf,
}

impl RunIndex {
    pub fn new(layout: &Layout) -> RunIndex {
        RunIndex { path: layout.runs_index(), lock: layout.locks().join("workflow-runs-index.lock") }
    }

    /// Every run. Records that do not read are not in it.
    pub fn entries(&self, files: &[RunFile]) -> Result<BTreeMap<String, IndexEntry>, WorkflowError> {
        match self.read() {
            Some(content) if content.entries.len() == files.len() => Ok(content.entries),
            _ => {
                let _lock = self.lock()?;
                let content = rebuilt(files);
                ignore(self.write(&content), "listings work in a repository that cannot be written");
                Ok(content.entries)
            }
        }
    }

    /// Sets or removes entries. Should that fail, the index is removed, because a wrong one would be believed.
    pub fn update(
        &self,
        files: impl FnOnce() -> Result<Vec<RunFile>, WorkflowError>,
        change: impl FnOnce(&mut BTreeMap<String, IndexEntry>),
    ) -> Result<(), WorkflowError> {
        let result = self.try_update(files, change);
        if result.is_err() {
            marsh_fs::remove_file_if_exists(&self.path)?;
        }
        result
    }

    fn try_update(
        &self,
        files: impl FnOnce() -> Result<Vec<RunFile>, WorkflowError>,
        change: impl FnOnce(&mut BTreeMap<String, IndexEntry>),
    ) -> Result<(), WorkflowError> {
        let _lock = self.lock()?;
        let mut content = match self.read() {
            Some(content) => content,
            None => rebuilt(&files()?),
        };
        change(&mut content.entries);
        self.write(&content)
    }

    fn lock(&self) -> Result<LockFile, WorkflowError> {
        if let Some(parent) = self.lock.parent() {
            marsh_fs::create_dir_all(parent)?;
        }
        Ok(marsh_fs::lock_exclusive(&self.lock, LOCK_TIMEOUT, "workflow runs index", &mut |_| {})?)
    }

    fn read(&self) -> Option<Content> {
        let bytes = marsh_fs::read(&self.path).ok()?;
        serde_json::from_slice::<Content>(&bytes).ok().filter(|content| content.version == VERSION)
    }

    fn write(&self, content: &Content) -> Result<(), WorkflowError> {
        if let Some(parent) = self.path.parent() {
            marsh_fs::create_dir_all(parent)?;
        }
        let bytes = serde_json::to_vec(content)
            .map_err(|error| WorkflowError::io(&self.path, std::io::Error::other(error)))?;
        marsh_fs::atomic_write(&self.path, &bytes, Durability::Atomic)?;
        Ok(())
    }
}

fn rebuilt(files: &[RunFile]) -> Content {
    let entries = files.iter().filter_map(|file| {
        let record = read_record(&file.path).ok().flatten()?;
        Some((file.run_id.clone(), IndexEntry::from(&record)))
    });
    Content { version: VERSION, entries: entries.collect() }
}

/// `None` when the file is gone.
pub(crate) fn read_record(path: &Path) -> Result<Option<RunRecord>, WorkflowError> {
    let text = match marsh_fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(WorkflowError::io(path, error)),
    };
    marsh_types::yaml::from_str(&text).map(Some).map_err(|error| WorkflowError::DamagedRun {
        path: path.to_owned(),
        message: match error.line {
            Some(line) => format!("line {line}: {}", error.message),
            None => error.message,
        },
    })
}
