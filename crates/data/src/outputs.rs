//! Records of method runs: `<root>/<type>/<method>/<definition id>-<start>.yaml`, and the log beside each.
//!
//! A record is replaced as a whole while its run goes on. No run overwrites the record of another
//! (`tests/outputs.rs`).

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use marsh_fs::Durability;
use marsh_types::time::file_stamp;
use marsh_types::{TypeName, yaml};
use serde::{Deserialize, Serialize};

use crate::name::check;
use crate::read::{found, sub_directories};
use crate::{DataError, Tags};

/// The length of a definition's id, a UUID.
const DEFINITION_ID: usize = 36;

/// The record of a run, in the order of its keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputRecord {
    /// A UUID.
    pub id: String,
    /// The id of the definition.
    pub definition_id: String,
    /// The method.
    pub method_name: String,
    /// The status of the run.
    pub status: OutputStatus,
    /// ISO 8601 with milliseconds, as the other times.
    pub started_at: String,
    /// When the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// How long the run took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Why the run failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<OutputError>,
    /// How often the run was retried.
    #[serde(default)]
    pub retry_count: u32,
    /// What ran, and who asked for it.
    pub provenance: Provenance,
    /// What the run wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Artifacts>,
    /// Relative to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_file: Option<String>,
    /// The process that ran the method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// The status of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OutputStatus {
    /// It has not started.
    Pending,
    /// It is running.
    Running,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl OutputStatus {
    /// Whether the run has ended.
    pub fn is_terminal(self) -> bool {
        matches!(self, OutputStatus::Succeeded | OutputStatus::Failed | OutputStatus::Cancelled)
    }

    /// The name in records.
    pub fn as_str(self) -> &'static str {
        match self {
            OutputStatus::Pending => "pending",
            OutputStatus::Running => "running",
            OutputStatus::Succeeded => "succeeded",
            OutputStatus::Failed => "failed",
            OutputStatus::Cancelled => "cancelled",
        }
    }
}

/// Why a run failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputError {
    /// The message.
    pub message: String,
    /// The JavaScript stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
}

/// Who asked for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TriggeredBy {
    /// A command.
    Manual,
    /// A workflow.
    Workflow,
    /// Another model.
    Model,
}

/// What ran, and who asked for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provenance {
    /// The hash of the definition.
    pub definition_hash: String,
    /// The version of the type.
    pub model_version: String,
    /// Who asked for the run.
    pub triggered_by: TriggeredBy,
    /// The id of the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_id: Option<String>,
    /// The id of the workflow run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workflow_run_id: Option<String>,
    /// The step of the workflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_name: Option<String>,
    /// The output that asked for this run; marsh writes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_output_id: Option<String>,
    /// The extension that asked for this run; marsh writes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_extension: Option<String>,
    /// The user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiated_by: Option<String>,
    /// The fingerprint of the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_fingerprint: Option<String>,
    /// What ran the code, if it was not the embedded engine: `deno 2.9.6`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
}

/// What a run wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifacts {
    /// The versions, in order.
    #[serde(default)]
    pub data_artifacts: Vec<Artifact>,
}

/// A data version that a run wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// The id of the version.
    pub data_id: String,
    /// The name of the data.
    pub name: String,
    /// The number of the version.
    pub version: u32,
    /// The tags of the version.
    #[serde(default)]
    pub tags: Tags,
}

/// A record and its file.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredOutput {
    /// The type of the model.
    pub type_path: TypeName,
    /// The file.
    pub path: PathBuf,
    /// The record.
    pub record: OutputRecord,
}

/// A file among the records that is damaged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damaged {
    /// The file.
    pub path: PathBuf,
    /// Why it cannot be parsed.
    pub message: String,
}

/// The result of a listing. A damaged file does not hide the others.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutputListing {
    /// Newest first.
    pub outputs: Vec<StoredOutput>,
    /// Damaged files.
    pub damaged: Vec<Damaged>,
}

/// The records of one repository.
#[derive(Debug, Clone)]
pub struct OutputStore {
    root: PathBuf,
    durable: bool,
}

impl OutputStore {
    /// `root` is `<repository>/.swamp/outputs`. It need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        OutputStore { root: root.into(), durable: true }
    }

    /// As [`DataStore::with_durable`](crate::DataStore::with_durable).
    pub fn with_durable(mut self, durable: bool) -> Self {
        self.durable = durable;
        self
    }

    /// The directory of the records.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Writes a record, or replaces its earlier state. If another run of the definition started in the same millisecond, the
    /// file name gets a number.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn write(&self, ty: &TypeName, record: &OutputRecord) -> Result<PathBuf, DataError> {
        check("definition id", &record.definition_id)?;
        let dir = self.method_dir(ty, &record.method_name)?;
        let stem = format!("{}-{}", record.definition_id, file_stamp(&record.started_at));
        check("start time", &stem)?;
        let text = yaml::to_string(record)?;
        if !dir.is_dir() {
            marsh_fs::create_dir_all(&dir)?;
        }
        // Only the record of a run that has ended must outlive a power failure, after the caller's sync.
        let durability = if record.status.is_terminal() { Durability::Ordered } else { Durability::Atomic };
        let mut path = dir.join(format!("{stem}.yaml"));
        let mut next = 1_u32;
        // Mostly there is no such file.
        while !marsh_fs::atomic_write_new(&path, text.as_bytes(), durability)? {
            if id_of(&path)?.is_some_and(|id| id.eq_ignore_ascii_case(&record.id)) {
                marsh_fs::atomic_write(&path, text.as_bytes(), durability)?;
                break;
            }
            // Another run that started in the same millisecond has the name.
            path = dir.join(format!("{stem}-{next}.yaml"));
            next += 1;
        }
        if self.durable {
            marsh_fs::sync_dir(&dir)?;
        }
        Ok(path)
    }

    /// The path of the log of a run that starts at `at` (ISO 8601). The file exists once the run has logged something.
    ///
    /// # Errors
    ///
    /// The definition id or the method cannot be part of a path.
    pub fn log_path(
        &self,
        ty: &TypeName,
        method: &str,
        definition_id: &str,
        at: &str,
    ) -> Result<PathBuf, DataError> {
        check("definition id", definition_id)?;
        let stem = format!("{definition_id}-{}", file_stamp(at));
        check("start time", &stem)?;
        Ok(self.method_dir(ty, method)?.join(format!("{stem}.log")))
    }

    /// The record in a file; `None`: there is no such file.
    ///
    /// # Errors
    ///
    /// The file cannot be read, or is damaged.
    pub fn read(&self, path: &Path) -> Result<Option<OutputRecord>, DataError> {
        let Some(text) = found(path, marsh_fs::read_own_to_string(path))? else { return Ok(None) };
        let damaged = |source| DataError::Damaged { path: path.to_path_buf(), source };
        yaml::from_str(&text).map(Some).map_err(damaged)
    }

    /// The record with this id, or with the only id that starts with these three or more hexadecimal digits.
    pub fn find(&self, id_or_prefix: &str) -> Result<Option<StoredOutput>, DataError> {
        let prefix = id_or_prefix.to_ascii_lowercase();
        if !prefix.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
            return Ok(None);
        }
        if prefix.len() < 3 {
            return Err(DataError::PrefixTooShort { prefix: id_or_prefix.to_owned() });
        }
        let mut matching = Vec::new();
        for (ty, path) in self.files()? {
            // The id of a damaged file is unknown, so the user cannot mean it.
            let Ok(Some(id)) = id_of(&path) else { continue };
            if id == prefix {
                matching = vec![(id, ty, path)];
                break;
            }
            if id.starts_with(&prefix) {
                matching.push((id, ty, path));
            }
        }
        if matching.len() > 1 {
            let mut matches: Vec<String> = matching.into_iter().map(|(id, ..)| id).collect();
            matches.sort();
            return Err(DataError::AmbiguousId { prefix: id_or_prefix.to_owned(), matches });
        }
        let Some((_, type_path, path)) = matching.pop() else { return Ok(None) };
        Ok(self.read(&path)?.map(|record| StoredOutput { type_path, path, record }))
    }

    /// Every record.
    pub fn list(&self) -> Result<OutputListing, DataError> {
        self.list_files(self.files()?)
    }

    /// The records of runs that started at this time or later (ISO 8601 with milliseconds). Only their files are read.
    ///
    /// # Errors
    ///
    /// A directory or a file cannot be read.
    pub fn list_since(&self, since: &str) -> Result<OutputListing, DataError> {
        let since = file_stamp(since);
        let mut files = self.files()?;
        // The name ends with the start, and perhaps with a number.
        files.retain(|(_, path)| {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default();
            let start = stem.get(DEFINITION_ID..).and_then(|rest| rest.strip_prefix('-'));
            start.is_none_or(|start| start.len() < since.len() || *start >= *since)
        });
        self.list_files(files)
    }

    /// The size of a record and its log, in bytes.
    pub fn bytes(&self, output: &StoredOutput) -> u64 {
        let log = output.record.log_file.as_deref().and_then(|log| Path::new(log).file_name());
        let log = log.map(|log| output.path.with_file_name(log));
        let size = |path: &Path| fs::metadata(path).map_or(0, |data| data.len());
        size(&output.path) + log.as_deref().map_or(0, size)
    }

    /// Every record of a type.
    pub fn list_type(&self, ty: &TypeName) -> Result<OutputListing, DataError> {
        let mut files = self.files()?;
        files.retain(|(found, _)| found == ty);
        self.list_files(files)
    }

    /// Removes a record and its log.
    pub fn remove(&self, output: &StoredOutput) -> Result<bool, DataError> {
        if let Some(log) = output.record.log_file.as_deref().and_then(|log| Path::new(log).file_name()) {
            marsh_fs::remove_file_if_exists(&output.path.with_file_name(log))?;
        }
        Ok(marsh_fs::remove_file_if_exists(&output.path)?)
    }

    fn list_files(&self, files: Vec<(TypeName, PathBuf)>) -> Result<OutputListing, DataError> {
        let mut listing = OutputListing::default();
        for (type_path, path) in files {
            match self.read(&path) {
                Ok(Some(record)) => listing.outputs.push(StoredOutput { type_path, path, record }),
                Ok(None) => {}
                Err(DataError::Damaged { source, .. }) => {
                    listing.damaged.push(Damaged { path, message: source.message });
                }
                Err(error) => return Err(error),
            }
        }
        listing.outputs.sort_by(|a, b| {
            b.record.started_at.cmp(&a.record.started_at).then_with(|| a.record.id.cmp(&b.record.id))
        });
        Ok(listing)
    }

    fn files(&self) -> Result<Vec<(TypeName, PathBuf)>, DataError> {
        let mut files = Vec::new();
        for segment in sub_directories(&self.root)? {
            collect(&self.root.join(&segment), &segment, &mut files)?;
        }
        files.sort();
        Ok(files)
    }

    fn method_dir(&self, ty: &TypeName, method: &str) -> Result<PathBuf, DataError> {
        check("method name", method)?;
        Ok(self.root.join(ty.to_path()).join(method))
    }
}

/// The last directory is the method, those above it the type.
fn collect(dir: &Path, type_text: &str, files: &mut Vec<(TypeName, PathBuf)>) -> Result<(), DataError> {
    for name in sub_directories(dir)? {
        let method_dir = dir.join(&name);
        if let Ok(ty) = TypeName::parse(type_text) {
            let Some(entries) = found(&method_dir, fs::read_dir(&method_dir))? else { continue };
            for entry in entries.flatten() {
                let path = entry.path();
                let is_record = path.extension().is_some_and(|extension| extension == "yaml");
                if is_record && !entry.file_name().as_encoded_bytes().starts_with(b".") {
                    files.push((ty.clone(), path));
                }
            }
        }
        collect(&method_dir, &format!("{type_text}/{name}"), files)?;
    }
    Ok(())
}

/// The id of a record, mostly without parsing it: it is the first key that any writer writes.
fn id_of(path: &Path) -> Result<Option<String>, DataError> {
    let Some(file) = found(path, marsh_fs::open_own(path))? else { return Ok(None) };
    let mut line = String::new();
    BufReader::with_capacity(128, file).read_line(&mut line).map_err(|error| DataError::read(path, error))?;
    if let Some(id) = line.strip_prefix("id: ") {
        let id = id.trim().trim_matches(['"', '\'']);
        if !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-') {
            return Ok(Some(id.to_ascii_lowercase()));
        }
    }
    #[derive(Deserialize)]
    struct Id {
        id: String,
    }
    let Some(text) = found(path, marsh_fs::read_own_to_string(path))? else { return Ok(None) };
    Ok(yaml::from_str::<Id>(&text).ok().map(|record| record.id.to_ascii_lowercase()))
}
