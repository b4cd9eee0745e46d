//! Evaluated copies of workflows.

use marsh_api::workflow::{WorkflowEvaluation, WorkflowEvaluationDocument, WorkflowEvaluations};
use marsh_workflow::{EvaluatedWorkflow, StoredWorkflow, WorkflowError};
use serde_json::{Map, Value};

use crate::error::AppError;
use crate::session::Write;

impl Write<'_> {
    /// Writes the evaluated copy of a workflow, or of all. Inputs can be missing.
    ///
    /// # Errors
    ///
    /// When a workflow is missing or invalid, an input is invalid, or a copy cannot be written.
    pub fn evaluate_workflows(
        &self,
        name: Option<&str>,
        inputs: &Map<String, Value>,
    ) -> Result<WorkflowEvaluationDocument, AppError> {
        let workflows = self.workflows();
        let evaluated = |stored: &StoredWorkflow| workflows.evaluate(stored, inputs.clone());
        if let Some(name) = name {
            let copy = evaluated(&workflows.store().find(name)?)?;
            let jobs = Some(copy.jobs()?);
            return Ok(WorkflowEvaluationDocument::One(Box::new(document(&copy, jobs))));
        }
        let listing = workflows.store().list()?;
        if let Some(broken) = listing.broken.into_iter().next() {
            return Err(WorkflowError::Load { path: broken.path, problems: broken.problems }.into());
        }
        let copies = listing.workflows.iter().map(evaluated).collect::<Result<Vec<_>, _>>()?;
        let items: Vec<_> = copies.iter().map(|copy| document(copy, None)).collect();
        let evaluated = items.iter().filter(|item| item.had_expressions).count();
        Ok(WorkflowEvaluationDocument::All(WorkflowEvaluations { total: items.len(), evaluated, items }))
    }
}

fn document(copy: &EvaluatedWorkflow, jobs: Option<Vec<Map<String, Value>>>) -> WorkflowEvaluation {
    WorkflowEvaluation {
        id: copy.workflow.id.clone(),
        name: copy.workflow.name.clone(),
        had_expressions: copy.had_expressions,
        for_each_expanded: copy.for_each_expanded,
        output_path: copy.path.display().to_string(),
        jobs,
    }
}
