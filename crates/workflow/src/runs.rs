//! The records of runs: `<workflow id>/workflow-run-<run id>.yaml`, and the log beside each.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use marsh_fs::{Durability, GrowingFile, LockFile};
use marsh_repo::Layout;
use marsh_types::time::iso_millis;
use marsh_types::yaml;
use marsh_vault::Secrets;

use crate::error::WorkflowError;
use crate::fold::Recorder;
use crate::index::{IndexEntry, RunIndex, read_record};
use crate::journal::{self, Fact, Journal, Line};
use crate::masked::MASKED;
use crate::record::RunRecord;
use crate::run_file::RunFile;

/// A run as listings show it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunSummary {
    /// The id of the run.
    pub run_id: String,
    /// What the index holds of it.
    pub entry: IndexEntry,
}

/// A record and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredRun {
    /// The record.
    pub record: RunRecord,
    /// The file that holds it.
    pub path: PathBuf,
    /// The log beside the record, whether or not it exists.
    pub log_path: PathBuf,
}

/// The records of runs below a repository.
#[derive(Debug, Clone)]
pub struct RunStore {
    root: PathBuf,
    index: RunIndex,
    secrets: Secrets,
}

impl RunStore {
    /// The records of the repository of that layout.
    pub fn new(layout: Layout) -> RunStore {
        RunStore { root: layout.workflow_runs(), index: RunIndex::new(&layout), secrets: Secrets::new() }
    }

    /// Masks these in every record that it writes.
    #[must_use]
    pub fn with_secrets(mut self, secrets: Secrets) -> RunStore {
        self.secrets = secrets;
        self
    }

    /// The record as it may be on disk: inputs, errors and tags may hold what is secret.
    fn masked<'r>(&self, record: &'r RunRecord) -> Result<Cow<'r, RunRecord>, WorkflowError> {
        if self.secrets.is_empty() {
            return Ok(Cow::Borrowed(record));
        }
        let mut value = serde_json::to_value(record)?;
        self.secrets.redact_fields(&mut value, &MASKED);
        Ok(Cow::Owned(serde_json::from_value(value)?))
    }

    /// The directory of the runs of a workflow.
    pub fn dir(&self, workflow_id: &str) -> PathBuf {
        self.root.join(workflow_id)
    }

    /// The file of a run's record.
    pub fn record_path(&self, workflow_id: &str, run_id: &str) -> PathBuf {
        self.dir(workflow_id).join(format!("workflow-run-{run_id}.yaml"))
    }

    /// The file of a run's log.
    pub fn log_path(&self, workflow_id: &str, run_id: &str) -> PathBuf {
        self.dir(workflow_id).join(format!("workflow-run-{run_id}.log"))
    }

    pub(crate) fn journal_path(&self, workflow_id: &str, run_id: &str) -> PathBuf {
        self.dir(workflow_id).join(format!("workflow-run-{run_id}.journal"))
    }

    pub(crate) fn requests_path(&self, workflow_id: &str, run_id: &str) -> PathBuf {
        self.dir(workflow_id).join(format!("workflow-run-{run_id}.mail"))
    }

    /// The facts of a journal, also while another process owns the run.
    pub(crate) fn journal(&self, workflow_id: &str, run_id: &str) -> Result<Vec<Line>, WorkflowError> {
        journal::read(&self.journal_path(workflow_id, run_id))
    }

    /// Makes this process the owner of a run, new or not. Waits a second for a process that is noting a decision.
    pub(crate) fn own(&self, workflow_id: &str, run_id: &str) -> Result<OwnedRun, WorkflowError> {
        let begun = Instant::now();
        loop {
            if let Some(owned) = self.try_own(workflow_id, run_id)? {
                return Ok(owned);
            }
            if begun.elapsed() > Duration::from_secs(1) {
                return Err(WorkflowError::Owned { run: run_id.to_owned() });
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `None`: another process is the owner.
    pub(crate) fn try_own(&self, workflow_id: &str, run_id: &str) -> Result<Option<OwnedRun>, WorkflowError> {
        let path = self.journal_path(workflow_id, run_id);
        marsh_fs::create_dir_all(&self.dir(workflow_id))?;
        let created = GrowingFile::open(&path)?;
        let Some(lock) = marsh_fs::try_lock_existing_exclusive(&path)? else { return Ok(None) };
        drop(created);
        let (journal, lines) = Journal::open(&path)?;
        let journal = journal.with_secrets(self.secrets.clone());
        Ok(Some(OwnedRun { run_id: run_id.to_owned(), journal, lines, lock }))
    }

    /// Whether a process runs it.
    pub fn is_owned(&self, workflow_id: &str, run_id: &str) -> bool {
        let path = self.journal_path(workflow_id, run_id);
        path.is_file() && matches!(marsh_fs::try_lock_existing_exclusive(&path), Ok(None))
    }

    /// Replaces the record as a whole.
    pub(crate) fn write(&self, record: &RunRecord, durability: Durability) -> Result<PathBuf, WorkflowError> {
        let path = self.record_path(&record.workflow_id, &record.id);
        marsh_fs::atomic_write(
            &path,
            yaml::to_string(self.masked(record)?.as_ref())?.as_bytes(),
            durability,
        )?;
        Ok(path)
    }

    pub(crate) fn update_index(&self, record: &RunRecord) -> Result<(), WorkflowError> {
        let masked = self.masked(record)?;
        self.index.update(
            || self.files(),
            |entries| {
                entries.insert(record.id.clone(), IndexEntry::from(masked.as_ref()));
            },
        )
    }

    /// The runs of one workflow, by its id, or of all; newest first.
    pub fn list(&self, workflow_id: Option<&str>) -> Result<Vec<RunSummary>, WorkflowError> {
        let files = self.files()?;
        if files.is_empty() {
            return Ok(Vec::new());
        }
        let mut runs: Vec<RunSummary> = self
            .index
            .entries(&files)?
            .into_iter()
            .filter(|(_, entry)| workflow_id.is_none_or(|id| entry.workflow_id.eq_ignore_ascii_case(id)))
            .map(|(run_id, entry)| self.summary(run_id, entry))
            .collect();
        runs.sort_by(|a, b| {
            b.entry.started_at.cmp(&a.entry.started_at).then_with(|| a.run_id.cmp(&b.run_id))
        });
        Ok(runs)
    }

    /// The entry of the index for a run that has ended, else the state of the run itself: a process can die between the end of
    /// a run and the update of the index.
    fn summary(&self, run_id: String, entry: IndexEntry) -> RunSummary {
        if entry.completed_at.is_some() {
            return RunSummary { run_id, entry };
        }
        // A damaged record is an error of the command that reads it, not of the list.
        let found = self.read(&self.record_path(&entry.workflow_id, &run_id)).ok().flatten();
        let entry = found.map_or(entry, |stored| IndexEntry::from(&stored.record));
        RunSummary { run_id, entry }
    }

    /// The run with this id, or with the only id that starts with these three or more hexadecimal digits. Hyphens do
    /// not count.
    pub fn find(&self, id_or_prefix: &str) -> Result<StoredRun, WorkflowError> {
        let not_found = || WorkflowError::RunNotFound { id: id_or_prefix.to_owned() };
        let plain = |id: &str| id.to_ascii_lowercase().replace('-', "");
        let prefix = plain(id_or_prefix);
        if !prefix.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(not_found());
        }
        if prefix.len() < 3 {
            return Err(WorkflowError::PrefixTooShort { prefix: id_or_prefix.to_owned() });
        }
        let mut matching: Vec<RunFile> =
            self.files()?.into_iter().filter(|file| plain(&file.run_id).starts_with(&prefix)).collect();
        if matching.len() > 1 {
            let matches = matching.into_iter().map(|file| file.run_id).collect();
            return Err(WorkflowError::AmbiguousRun { prefix: id_or_prefix.to_owned(), matches });
        }
        let file = matching.pop().ok_or_else(not_found)?;
        self.read(&file.path)?.ok_or_else(not_found)
    }

    /// `None` when the file is gone. A run that has not ended is read from its journal: its record may lag behind.
    pub fn read(&self, path: &Path) -> Result<Option<StoredRun>, WorkflowError> {
        let mut record = read_record(path)?;
        if record.as_ref().is_some_and(|record| record.completed_at.is_none())
            && let Some(recorder) = Recorder::of(&journal::read(&path.with_extension("journal"))?)
        {
            record = Some(recorder.record());
        }
        Ok(record.map(|record| StoredRun {
            record,
            log_path: path.with_extension("log"),
            path: path.to_owned(),
        }))
    }

    /// Removes all runs of a workflow, and says how many there were.
    pub(crate) fn delete_workflow(&self, workflow_id: &str) -> Result<usize, WorkflowError> {
        let runs = self.files()?.iter().filter(|file| file.workflow_id == workflow_id).count();
        marsh_fs::remove_tree(&self.dir(workflow_id))?;
        if runs > 0 {
            self.index.update(
                || self.files(),
                |entries| entries.retain(|_, entry| entry.workflow_id != workflow_id),
            )?;
        }
        Ok(runs)
    }

    /// Removes runs that have ended, with their logs and journals: from each its id and the id of its workflow. A run that a process
    /// goes on with stays. Returns the ids of those that are gone.
    pub fn remove(&self, runs: &[(String, String)]) -> Result<Vec<String>, WorkflowError> {
        let mut removed = Vec::new();
        for (run_id, workflow_id) in runs {
            let journal = self.journal_path(workflow_id, run_id);
            let lock = marsh_fs::try_lock_existing_exclusive(&journal)?;
            if lock.is_none() && journal.is_file() {
                continue;
            }
            for path in [
                self.record_path(workflow_id, run_id),
                self.log_path(workflow_id, run_id),
                self.requests_path(workflow_id, run_id),
                journal,
            ] {
                marsh_fs::remove_file_if_exists(&path)?;
            }
            removed.push(run_id.clone());
        }
        if !removed.is_empty() {
            self.index.update(|| self.files(), |entries| entries.retain(|id, _| !removed.contains(id)))?;
        }
        Ok(removed)
    }

    /// When the journal of a run changed last.
    pub fn changed_at(&self, run_id: &str, workflow_id: &str) -> Option<std::time::SystemTime> {
        std::fs::metadata(self.journal_path(workflow_id, run_id)).ok()?.modified().ok()
    }

    /// The size of everything that is stored of a run, in bytes.
    pub fn bytes(&self, run_id: &str, workflow_id: &str) -> u64 {
        [
            self.record_path(workflow_id, run_id),
            self.log_path(workflow_id, run_id),
            self.requests_path(workflow_id, run_id),
            self.journal_path(workflow_id, run_id),
        ]
        .iter()
        .filter_map(|path| std::fs::metadata(path).ok())
        .map(|data| data.len())
        .sum()
    }

    pub(crate) fn files(&self) -> Result<Vec<RunFile>, WorkflowError> {
        let mut files = Vec::new();
        for workflow_id in names(&self.root)? {
            let dir = self.root.join(&workflow_id);
            if !dir.is_dir() {
                continue;
            }
            for name in names(&dir)? {
                let run_id = name.strip_prefix("workflow-run-").and_then(|rest| rest.strip_suffix(".yaml"));
                if let Some(run_id) = run_id {
                    let (run_id, workflow_id) = (run_id.to_owned(), workflow_id.clone());
                    files.push(RunFile { workflow_id, run_id, path: dir.join(&name) });
                }
            }
        }
        Ok(files)
    }
}

/// A run whose lock is held.
#[derive(Debug)]
pub(crate) struct OwnedRun {
    run_id: String,
    journal: Journal,
    lines: Vec<Line>,
    lock: LockFile,
}

impl OwnedRun {
    /// The id of the run.
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// What happened to it; `None` for one that has not begun.
    pub fn lines(&self) -> Option<Vec<Line>> {
        (!self.lines.is_empty()).then(|| self.lines.clone())
    }

    /// One more fact, on disk.
    pub fn append(&mut self, fact: Fact) -> Result<(), WorkflowError> {
        let line = Line { at: iso_millis(jiff::Timestamp::now()), fact };
        self.journal.add(&line)?;
        self.journal.commit()?;
        self.lines.push(line);
        Ok(())
    }

    pub fn into_parts(self) -> (Journal, LockFile) {
        (self.journal, self.lock)
    }
}

/// What a directory holds, sorted; nothing if there is none.
fn names(dir: &Path) -> Result<Vec<String>, WorkflowError> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(WorkflowError::io(dir, error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(|error| WorkflowError::io(dir, error))?.file_name();
        // Ids are UTF-8, so a name that is not UTF-8 is not a run.
        names.extend(name.into_string().ok());
    }
    names.sort();
    Ok(names)
}
