//! Reports about runs of workflows. They are kept as data of the type `workflow`, whose models are the workflows.
//!
//! Those of the workflow's own `require` run whatever the flags say; those that types of its steps name, as the flags
//! say. None of them changes what the run ended with.

use std::collections::BTreeSet;

use marsh_extension::LoadError;
use marsh_extension::kinds::{CallOptions, KindError};
use marsh_host_client::protocol::{ReportExecute, SensitiveArguments};
use marsh_types::TypeName;
use serde_json::{Map, Value, json};

use super::{ReportOutcome, ReportSelection, Shelf, rules};
use crate::Models;
use crate::error::ModelError;
use crate::run::Observer;

/// The type that reports about workflows are kept under.
const WORKFLOW: &str = "workflow";

/// A run of a workflow, as reports see it.
pub struct WorkflowSubject<'a> {
    pub id: String,
    pub name: String,
    pub run_id: String,
    pub status: String,
    pub inputs: Map<String, Value>,
    /// The types of the models that its steps ran methods of.
    pub types: BTreeSet<String>,
    /// `{ jobName, stepName, modelName, modelType, modelId, methodName, status, dataHandles, globalArgs, methodArgs }`; asked
    /// for when there is a report, as there may be thousands of them.
    pub steps: Box<dyn Fn() -> Vec<Value> + 'a>,
    /// `reports` of the workflow's file.
    pub rules: Option<Value>,
}

impl Models {
    /// Runs the reports that follow a run of a workflow.
    pub fn report_on_workflow(
        &self,
        subject: &WorkflowSubject<'_>,
        selection: &ReportSelection,
        options: &CallOptions,
        observer: &dyn Observer,
    ) -> Result<Vec<ReportOutcome>, ModelError> {
        let rules = rules(subject.rules.as_ref(), &subject.name)?;
        let type_name = TypeName::parse(WORKFLOW)?;
        let shelf = shelf(&type_name, subject);
        let mut outcomes = Vec::new();
        let mut known: Vec<String> = Vec::new();
        let required = rules.require.iter().map(|required| (required.name().to_owned(), true));
        let named = self.named_by_types(subject).into_iter().map(|name| (name, false));
        for (name, is_required) in required.chain(named) {
            let is = |other: &String| other.eq_ignore_ascii_case(&name);
            if known.iter().any(is) || rules.skip.iter().any(is) {
                continue;
            }
            known.push(name.clone());
            match self.open_report(&name) {
                // Those of other scopes belong to the steps.
                Ok(report) if report.scope() != WORKFLOW => {}
                Ok(report) => {
                    if is_required || selection.takes(&name, report.labels()) {
                        let params = self.workflow_params(subject);
                        outcomes
                            .push(self.execute_report(&shelf, params, &name, &report, options, observer)?);
                    }
                }
                // The step that the type ran in has said so.
                Err(KindError::Load(LoadError::UnknownType { .. })) if !is_required => {}
                Err(error) => outcomes.push(self.failed_report(&shelf, &name, WORKFLOW, error.into())?),
            }
        }
        self.make_durable(&shelf, &outcomes)?;
        Ok(outcomes)
    }

    /// Runs a report about a run of a workflow that was.
    pub fn report_workflow_now(
        &self,
        name: &str,
        subject: &WorkflowSubject<'_>,
        options: &CallOptions,
        observer: &dyn Observer,
    ) -> Result<ReportOutcome, ModelError> {
        let report = self.open_report(name)?;
        if report.scope() != WORKFLOW {
            return Err(ModelError::ReportScope { name: name.to_owned(), scope: report.scope().to_owned() });
        }
        let type_name = TypeName::parse(WORKFLOW)?;
        let shelf = shelf(&type_name, subject);
        let params = self.workflow_params(subject);
        let outcome = self.execute_report(&shelf, params, name, &report, options, observer)?;
        self.make_durable(&shelf, std::slice::from_ref(&outcome))?;
        Ok(outcome)
    }

    /// The reports that the types of a run's steps name, each once.
    fn named_by_types(&self, subject: &WorkflowSubject<'_>) -> Vec<String> {
        // A type that does not load any more has failed its step already.
        let described = subject.types.iter().filter_map(|name| {
            let type_name = TypeName::parse(name).ok()?;
            self.resolve_type(&type_name).ok().map(|code| code.description.reports.clone())
        });
        described.flatten().collect()
    }

    fn workflow_params(&self, subject: &WorkflowSubject<'_>) -> ReportExecute {
        ReportExecute {
            repo_dir: Some(self.repo.layout.root().to_owned()),
            sensitive: SensitiveArguments::default(),
            context: json!({
                "scope": WORKFLOW,
                "workflowId": subject.id,
                "workflowRunId": subject.run_id,
                "workflowName": subject.name,
                "workflowStatus": subject.status,
                "inputs": subject.inputs,
                "stepExecutions": (subject.steps)(),
            }),
        }
    }
}

fn shelf<'a>(type_name: &'a TypeName, subject: &'a WorkflowSubject<'_>) -> Shelf<'a> {
    Shelf { type_name, id: &subject.id, workflow: Some(&subject.name) }
}
