//! Workflow files: list, show, create, edit, delete, check.

use marsh_api::workflow::{
    CreatedWorkflow, DeletedWorkflow, EditStatus, EditedWorkflow, WorkflowDetails, WorkflowGraph,
    WorkflowList, WorkflowValidation, WorkflowValidations,
};
use marsh_trigger::Pattern;
use marsh_workflow::schema::{Job, ModelTarget, Step, Task};
use marsh_workflow::{GraphFormat, StoredWorkflow, explained};
use serde_json::Value;

use crate::error::AppError;
use crate::session::{Read, Write};

/// A workflow: its document, and the order of its jobs and steps.
#[derive(Debug)]
pub struct WorkflowView {
    /// The document.
    pub document: WorkflowDetails,
    /// The jobs, in the order of the file.
    pub jobs: Vec<JobOutline>,
}

/// A job of a [`WorkflowView`].
#[derive(Debug)]
pub struct JobOutline {
    /// Its name.
    pub name: String,
    /// The names of the jobs that it depends on.
    pub after: Vec<String>,
    /// The steps, in the order of the file.
    pub steps: Vec<StepOutline>,
}

/// A step of a [`WorkflowView`].
#[derive(Debug)]
pub struct StepOutline {
    /// Its name.
    pub name: String,
    /// What it does, in a few words.
    pub task: String,
    /// The names of the steps that it depends on.
    pub after: Vec<String>,
}

/// A workflow that is being edited.
#[derive(Debug)]
pub struct WorkflowEdit {
    /// Its name.
    pub name: String,
    /// Its text, as it was.
    pub text: String,
    stored: StoredWorkflow,
}

/// The JSON Schemas of everything that a workflow file can hold.
pub fn workflow_schemas() -> Value {
    marsh_workflow::schema::json_schemas()
}

/// Why a schedule is invalid.
fn schedule_error(schedule: &str) -> Option<String> {
    Pattern::parse(schedule).err().map(|error| explained(&error))
}

fn step(step: &Step) -> StepOutline {
    let task = match &step.task {
        Task::ModelMethod(call) => match &call.target {
            ModelTarget::Definition { model_id_or_name } => {
                format!("{model_id_or_name} {}", call.method_name)
            }
            ModelTarget::Direct { model_type, model_name, .. } => {
                format!("{model_type} {} {model_name}", call.method_name)
            }
        },
        other => other.type_name().to_owned(),
    };
    let after = step.depends_on.iter().map(|dependency| dependency.step.clone()).collect();
    StepOutline { name: step.name.clone(), task, after }
}

fn job(job: &Job) -> JobOutline {
    JobOutline {
        name: job.name.clone(),
        after: job.depends_on.iter().map(|dependency| dependency.job.clone()).collect(),
        steps: job.steps.iter().map(step).collect(),
    }
}

impl Read<'_> {
    /// The workflows whose names contain `query`, by name. Files that cannot be read as workflows come as warnings.
    ///
    /// # Errors
    ///
    /// When the files cannot be listed.
    pub fn search_workflows(&self, query: &str) -> Result<(WorkflowList, Vec<String>), AppError> {
        let (list, broken) = self.workflows().search(query)?;
        let warnings = broken.iter().map(|broken| {
            let first = broken.problems.first().map(|problem| problem.message.as_str()).unwrap_or_default();
            format!("skipped {}: {first}", self.display(&broken.path))
        });
        Ok((list, warnings.collect()))
    }

    /// A workflow, by name or id.
    ///
    /// # Errors
    ///
    /// When it does not exist, or its file cannot be read as a workflow.
    pub fn workflow(&self, name: &str) -> Result<WorkflowView, AppError> {
        let stored = self.workflows().store().find(name)?;
        let document = stored.details(self.display(&stored.path))?;
        Ok(WorkflowView { document, jobs: stored.workflow().jobs.iter().map(job).collect() })
    }

    /// The jobs and steps of a workflow, drawn.
    ///
    /// # Errors
    ///
    /// Those of [`Read::workflow`].
    pub fn workflow_graph(&self, name: &str, format: GraphFormat) -> Result<WorkflowGraph, AppError> {
        let stored = self.workflows().store().find(name)?;
        let workflow = stored.workflow();
        Ok(WorkflowGraph {
            id: workflow.id.clone(),
            name: workflow.name.clone(),
            graph: marsh_workflow::draw(workflow, format),
        })
    }

    /// The checks of a workflow, by name or id. Runs nothing.
    ///
    /// # Errors
    ///
    /// Those of [`Read::workflow`].
    pub fn validate_workflow(&self, name: &str) -> Result<WorkflowValidation, AppError> {
        Ok(self.workflows().validation(name, schedule_error)?)
    }

    /// The checks of all workflows, and the problems of files that cannot be read as workflows.
    ///
    /// # Errors
    ///
    /// When the files cannot be listed.
    pub fn validate_workflows(&self) -> Result<WorkflowValidations, AppError> {
        Ok(self.workflows().validations(schedule_error)?)
    }

    /// Makes a workflow file with one job and one step, to be edited.
    ///
    /// # Errors
    ///
    /// When the name is invalid or taken, or the file cannot be written.
    pub fn create_workflow(&self, name: &str) -> Result<CreatedWorkflow, AppError> {
        let stored = self.workflows().store().create(name)?;
        Ok(stored.created(self.display(&stored.path))?)
    }

    /// The text of a workflow, to edit.
    ///
    /// # Errors
    ///
    /// Those of [`Read::workflow`].
    pub fn begin_workflow_edit(&self, name: &str) -> Result<WorkflowEdit, AppError> {
        let stored = self.workflows().store().find(name)?;
        let (name, text) = (stored.workflow().name.clone(), stored.text.clone());
        Ok(WorkflowEdit { name, text, stored })
    }

    /// Replaces the text of a workflow. The text is checked first; one that is invalid replaces nothing. `editor` is the
    /// program that made the text, for the document.
    ///
    /// # Errors
    ///
    /// When the text is invalid, changes the id, or takes the name of another workflow; or the file cannot be written.
    pub fn finish_workflow_edit(
        &self,
        edit: &WorkflowEdit,
        text: &str,
        editor: Option<String>,
    ) -> Result<EditedWorkflow, AppError> {
        let is_same = text == edit.text;
        let saved = if is_same {
            edit.stored.clone()
        } else {
            self.workflows().store().save_text(&edit.stored, text)?
        };
        Ok(EditedWorkflow {
            path: self.display(&saved.path),
            editor,
            status: if is_same { EditStatus::Unchanged } else { EditStatus::Updated },
            name: saved.workflow().name.clone(),
        })
    }
}

impl Write<'_> {
    /// Deletes a workflow and its runs.
    ///
    /// # Errors
    ///
    /// When it does not exist, an extension supplies it, or a file cannot be removed.
    pub fn delete_workflow(&self, name: &str) -> Result<DeletedWorkflow, AppError> {
        let workflows = self.workflows();
        let stored = workflows.store().find(name)?;
        let removed = workflows.store().delete(&stored)?;
        let workflow = stored.workflow();
        Ok(DeletedWorkflow {
            id: workflow.id.clone(),
            name: workflow.name.clone(),
            workflow_path: self.display(&removed.path),
            runs_deleted: removed.runs,
        })
    }
}
