//! Workflow files: `workflows/workflow-*.yaml`, and after them those that extensions bring along (`supplied`).
//!
//! The name and the id inside a file decide; the file's own name is a hint for where to look first. A file that does
//! not read is listed apart, and is the answer when it is the one that was asked for. What a user wrote is kept as it
//! was written: an edit stores the text, not a rendering of it (tests below).

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use marsh_fs::Durability;
use marsh_repo::Layout;
use marsh_types::{WorkflowName, yaml};
use serde_json::json;

use crate::error::WorkflowError;
use crate::runs::RunStore;
use crate::schema::{self, Parsed, Problem, Workflow};
use crate::supplied;

/// A workflow with where it was found.
#[derive(Debug, Clone)]
pub struct StoredWorkflow {
    /// The file.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// What it describes.
    pub parsed: Parsed,
}

impl StoredWorkflow {
    /// The workflow that it describes.
    pub fn workflow(&self) -> &Workflow {
        &self.parsed.workflow
    }
}

/// A workflow file that cannot be used.
#[derive(Debug, Clone)]
pub struct BrokenWorkflow {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

/// What a listing found, by name.
#[derive(Debug, Clone, Default)]
pub struct WorkflowListing {
    /// The files that are whole.
    pub workflows: Vec<StoredWorkflow>,
    /// The files that are broken.
    pub broken: Vec<BrokenWorkflow>,
}

/// A file as it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    path: PathBuf,
    /// Nothing, if it could not be looked at.
    seen: Option<(u64, Option<std::time::SystemTime>)>,
}

impl Stamp {
    /// The stamp of the file as it is now.
    pub fn of(path: PathBuf) -> Stamp {
        let metadata = std::fs::metadata(&path).ok();
        Stamp { seen: metadata.map(|metadata| (metadata.len(), metadata.modified().ok())), path }
    }
}

/// What a deletion removed.
#[derive(Debug, Clone)]
pub struct Deleted {
    /// The file that was deleted.
    pub path: PathBuf,
    /// How many records of runs were deleted with it.
    pub runs: usize,
}

/// The workflows of a repository.
#[derive(Debug, Clone)]
pub struct WorkflowStore {
    layout: Layout,
}

impl WorkflowStore {
    /// The workflow files of the repository of that layout.
    pub fn new(layout: Layout) -> WorkflowStore {
        WorkflowStore { layout }
    }

    /// The workflow of this name, else of this id. Of several with one name, the one in the file called after it, else
    /// the first by path.
    pub fn find(&self, name_or_id: &str) -> Result<StoredWorkflow, WorkflowError> {
        let likely = WorkflowName::file_name(name_or_id, name_or_id);
        let mut files = self.files()?;
        files.sort_by_key(|path| path.file_name().is_none_or(|name| *name != *likely));
        // The user's own come first.
        files.extend(supplied::files(&self.layout)?);
        let mut by_id = None;
        let mut broken = None;
        let mut known = Vec::new();
        for path in files {
            let is_likely = path.file_name().is_some_and(|name| *name == *likely);
            match self.read(&path) {
                Ok(Some(stored)) if stored.workflow().name == name_or_id => return Ok(stored),
                Ok(Some(stored)) => {
                    known.push(stored.workflow().name.clone());
                    if by_id.is_none() && stored.workflow().id.eq_ignore_ascii_case(name_or_id) {
                        by_id = Some(stored);
                    }
                }
                Ok(None) => {}
                Err(error @ WorkflowError::Io { .. }) => return Err(error),
                Err(error) if is_likely => broken = Some(error),
                Err(_) => {}
            }
        }
        match (by_id, broken) {
            (Some(stored), _) => Ok(stored),
            (None, Some(error)) => Err(error),
            (None, None) => Err(WorkflowError::NotFound { name: name_or_id.to_owned(), known }),
        }
    }

    /// What tells whether any file is another one than before: path, length and time of each.
    pub fn stamps(&self) -> Result<Vec<Stamp>, WorkflowError> {
        let files = self.files()?.into_iter().chain(supplied::files(&self.layout)?);
        Ok(files.map(Stamp::of).collect())
    }

    /// Each workflow once: a file with the id and name of an earlier one is a copy of it, such as the source of an
    /// extension beside the installed one. The user's own come first, and of those the file called after the workflow.
    pub fn list(&self) -> Result<WorkflowListing, WorkflowError> {
        let mut listing = self.files_listed()?;
        let key = |stored: &StoredWorkflow| {
            let workflow = stored.workflow();
            (workflow.name.clone(), workflow.id.to_ascii_lowercase())
        };
        let is_called_after = |stored: &StoredWorkflow| {
            let likely = WorkflowName::file_name(&stored.workflow().name, &stored.workflow().name);
            stored.path.file_name().is_some_and(|name| *name == *likely)
        };
        listing.workflows.sort_by_cached_key(|stored| {
            let (name, _) = key(stored);
            (
                name,
                supplied::is_supplied(&self.layout, &stored.path),
                !is_called_after(stored),
                stored.path.clone(),
            )
        });
        let mut seen = HashSet::new();
        listing.workflows.retain(|stored| seen.insert(key(stored)));
        listing
            .workflows
            .sort_by(|a, b| a.workflow().name.cmp(&b.workflow().name).then_with(|| a.path.cmp(&b.path)));
        Ok(listing)
    }

    /// Every file, copies too.
    fn files_listed(&self) -> Result<WorkflowListing, WorkflowError> {
        let mut listing = WorkflowListing::default();
        let own = self.files()?;
        for path in own.into_iter().chain(supplied::files(&self.layout)?) {
            match self.read(&path) {
                Ok(Some(stored)) => listing.workflows.push(stored),
                Ok(None) => {}
                Err(WorkflowError::Load { path, problems }) => {
                    listing.broken.push(BrokenWorkflow { path, problems });
                }
                Err(error) => {
                    let problem = Problem {
                        path: String::new(),
                        message: error.to_string(),
                        line: None,
                        column: None,
                        source_line: None,
                    };
                    listing.broken.push(BrokenWorkflow { path, problems: vec![problem] });
                }
            }
        }
        Ok(listing)
    }

    /// Makes a workflow with one job and one step, to be edited.
    pub fn create(&self, name: &str) -> Result<StoredWorkflow, WorkflowError> {
        let name = WorkflowName::for_new(name)?;
        match self.find(name.as_str()) {
            Ok(existing) => {
                return Err(WorkflowError::AlreadyExists {
                    name: name.as_str().to_owned(),
                    path: existing.path,
                });
            }
            Err(WorkflowError::NotFound { .. }) => {}
            // A file of that name which cannot be read must not be written over.
            Err(error) => return Err(error),
        }
        let id = uuid::Uuid::new_v4().to_string();
        let text = yaml::to_string(&json!({
            "id": id,
            "name": name.as_str(),
            "tags": {},
            "jobs": [{
                "name": "main",
                "steps": [{
                    "name": "example",
                    "task": { "type": "model_method", "modelIdOrName": "example-model", "methodName": "run" },
                }],
            }],
            "version": 1,
        }))?;
        let path = self.layout.workflows().join(WorkflowName::file_name(name.as_str(), &id));
        self.write_new(&path, &text, name.as_str())?;
        self.load(&path, text)
    }

    /// Replaces the text of a workflow. Its id must stay; with a new name it moves to the file of that name.
    pub fn save_text(&self, stored: &StoredWorkflow, text: &str) -> Result<StoredWorkflow, WorkflowError> {
        self.refuse_supplied(stored)?;
        let edited = self.load(&stored.path, text.to_owned())?;
        let (old, new) = (stored.workflow(), edited.workflow());
        if !old.id.eq_ignore_ascii_case(&new.id) {
            return Err(WorkflowError::IdChanged { stored: old.id.clone(), edited: new.id.clone() });
        }
        if old.name == new.name {
            marsh_fs::atomic_write(&stored.path, text.as_bytes(), Durability::Synced)?;
            self.sync()?;
            return Ok(edited);
        }
        if let Ok(taken) = self.find(&new.name)
            && taken.path != stored.path
        {
            return Err(WorkflowError::AlreadyExists { name: new.name.clone(), path: taken.path });
        }
        let path = self.layout.workflows().join(WorkflowName::file_name(&new.name, &new.id));
        if path == stored.path {
            marsh_fs::atomic_write(&path, text.as_bytes(), Durability::Synced)?;
        } else {
            self.write_new(&path, text, &new.name)?;
            marsh_fs::remove_file_if_exists(&stored.path)?;
        }
        self.sync()?;
        Ok(StoredWorkflow { path, ..edited })
    }

    /// Writes the evaluated copy of a workflow.
    pub(crate) fn save_evaluated(
        &self,
        workflow: &Workflow,
        copy: &serde_json::Value,
    ) -> Result<StoredWorkflow, WorkflowError> {
        let path = self.evaluated_path(workflow);
        let text = yaml::to_string(copy)?;
        let stored = self.load(&path, text)?;
        marsh_fs::create_dir_all(&self.layout.evaluated_workflows())?;
        // The next run makes it again.
        marsh_fs::atomic_write(&path, stored.text.as_bytes(), Durability::Atomic)?;
        Ok(stored)
    }

    /// The evaluated copy of a workflow, if there is one.
    pub(crate) fn evaluated(&self, workflow: &Workflow) -> Result<Option<StoredWorkflow>, WorkflowError> {
        self.read(&self.evaluated_path(workflow))
    }

    fn evaluated_path(&self, workflow: &Workflow) -> PathBuf {
        self.layout.evaluated_workflows().join(WorkflowName::file_name(&workflow.name, &workflow.id))
    }

    /// Removes a workflow and its runs.
    pub fn delete(&self, stored: &StoredWorkflow) -> Result<Deleted, WorkflowError> {
        self.refuse_supplied(stored)?;
        let workflow = stored.workflow();
        // A copy of the file with the same id shares the runs, so they stay.
        let shared =
            self.files_listed()?.workflows.iter().any(|other| {
                other.path != stored.path && other.workflow().id.eq_ignore_ascii_case(&workflow.id)
            });
        marsh_fs::remove_file_if_exists(&stored.path)?;
        marsh_fs::remove_file_if_exists(&self.evaluated_path(workflow))?;
        let runs =
            if shared { 0 } else { RunStore::new(self.layout.clone()).delete_workflow(&workflow.id)? };
        self.sync()?;
        Ok(Deleted { path: stored.path.clone(), runs })
    }

    fn refuse_supplied(&self, stored: &StoredWorkflow) -> Result<(), WorkflowError> {
        if supplied::is_supplied(&self.layout, &stored.path) {
            let path = self.layout.display(&stored.path).to_owned();
            return Err(WorkflowError::ReadOnly { name: stored.workflow().name.clone(), path });
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), WorkflowError> {
        Ok(marsh_fs::sync_dir(&self.layout.workflows())?)
    }

    fn write_new(&self, path: &Path, text: &str, name: &str) -> Result<(), WorkflowError> {
        let dir = self.layout.workflows();
        marsh_fs::create_dir_all(&dir)?;
        if !marsh_fs::atomic_write_new(path, text.as_bytes(), Durability::Synced)? {
            return Err(WorkflowError::AlreadyExists { name: name.to_owned(), path: path.to_owned() });
        }
        Ok(marsh_fs::sync_dir(&dir)?)
    }

    fn load(&self, path: &Path, text: String) -> Result<StoredWorkflow, WorkflowError> {
        match schema::parse(&text) {
            Ok(parsed) => Ok(StoredWorkflow { path: path.to_owned(), text, parsed }),
            Err(problems) => {
                Err(WorkflowError::Load { path: self.layout.display(path).to_owned(), problems })
            }
        }
    }

    /// `None` when the file is gone by now.
    fn read(&self, path: &Path) -> Result<Option<StoredWorkflow>, WorkflowError> {
        match marsh_fs::read_to_string(path) {
            Ok(text) => self.load(path, text).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == std::io::ErrorKind::InvalidData => {
                let problem = Problem {
                    path: String::new(),
                    message: "it is not UTF-8".into(),
                    line: None,
                    column: None,
                    source_line: None,
                };
                Err(WorkflowError::Load {
                    path: self.layout.display(path).to_owned(),
                    problems: vec![problem],
                })
            }
            Err(error) => Err(WorkflowError::io(path, error)),
        }
    }

    /// Sorted by path.
    fn files(&self) -> Result<Vec<PathBuf>, WorkflowError> {
        let dir = self.layout.workflows();
        let entries = match std::fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(WorkflowError::io(&dir, error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|error| WorkflowError::io(&dir, error))?;
            let name = entry.file_name();
            let is_workflow =
                name.to_str().is_some_and(|name| name.starts_with("workflow-") && name.ends_with(".yaml"));
            if is_workflow && entry.path().is_file() {
                files.push(entry.path());
            }
        }
        files.sort();
        Ok(files)
    }
}
