//! Reports about workflow runs. They are stored as data of the type `workflow`, whose models are the workflows.
//!
//! Reports in the workflow's `require` always run; the selection decides about reports that types of its steps name. A report
//! does not change the status of the run.

use std::collections::BTreeSet;

use marsh_extension::LoadError;
use marsh_extension::kinds::{CallOptions, KindError, ReportExecute, SensitiveArguments};
use marsh_types::TypeName;
use serde_json::{Map, Value, json};

use super::built_in::{ATTESTATION, BuiltInReport, WORKFLOW_SUMMARY, built_in};
use super::{ReportOutcome, ReportSelection, RunSummary, Shelf, rules};
use crate::Models;
use crate::error::ModelError;
use crate::run::Observer;

/// The type of the data of reports about workflows.
const WORKFLOW: &str = "workflow";

/// A workflow run, for reports.
pub struct WorkflowSubject<'a> {
    /// The id of the workflow.
    pub id: String,
    /// The name of the workflow.
    pub name: String,
    /// The id of the run.
    pub run_id: String,
    /// The status of the run.
    pub status: String,
    /// The inputs of the run.
    pub inputs: Map<String, Value>,
    /// The types whose methods its steps ran.
    pub types: BTreeSet<String>,
    /// `{ jobName, stepName, modelName, modelType, modelId, methodName, status, dataHandles, globalArgs, methodArgs }`; called
    /// only if a report runs, as there may be thousands of them.
    pub steps: Box<dyn Fn() -> Vec<Value> + 'a>,
    /// The jobs, and the steps that run methods; called only if a summary is wanted.
    pub summary: Box<dyn Fn() -> RunSummary + 'a>,
    /// `reports` of the workflow's file.
    pub rules: Option<Value>,
}

impl Models {
    /// Runs the reports that follow a workflow run.
    ///
    /// # Errors
    ///
    /// The rules are invalid, or a report cannot be stored. A report that fails is an outcome.
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
        let mut outcomes = self.own_reports_on_workflow(&type_name, subject, selection)?;
        let mut known: Vec<String> = Vec::new();
        let required = rules
            .require
            .iter()
            .filter(|required| built_in(required.name()).is_none())
            .map(|required| (required.name().to_owned(), true));
        let named = self.named_by_types(subject).into_iter().map(|name| (name, false));
        for (name, is_required) in required.chain(named) {
            let is = |other: &String| other.eq_ignore_ascii_case(&name);
            if known.iter().any(is) || rules.skip.iter().any(is) {
                continue;
            }
            known.push(name.clone());
            match self.open_report(&name) {
                // Reports with other scopes belong to the steps.
                Ok(report) if report.scope() != WORKFLOW => {}
                Ok(report) => {
                    if is_required || selection.takes(&name, report.labels()) {
                        let params = self.workflow_params(subject);
                        outcomes
                            .push(self.execute_report(&shelf, params, &name, &report, options, observer)?);
                    }
                }
                // The step that ran the type has warned already.
                Err(KindError::Load(LoadError::UnknownType { .. })) if !is_required => {}
                Err(error) => outcomes.push(self.failed_report(&shelf, &name, WORKFLOW, error.into())?),
            }
        }
        let of_extensions = outcomes.iter().any(|outcome| built_in(&outcome.name).is_none());
        // Summaries cost no sync of their own.
        if of_extensions {
            self.make_durable(&shelf, &outcomes)?;
        }
        Ok(outcomes)
    }

    fn own_reports_on_workflow(
        &self,
        type_name: &TypeName,
        subject: &WorkflowSubject<'_>,
        selection: &ReportSelection,
    ) -> Result<Vec<ReportOutcome>, ModelError> {
        let wants =
            |report: &BuiltInReport| report.is_wanted(subject.rules.as_ref(), &subject.name, None, selection);
        let (summary, attestation) = (wants(&WORKFLOW_SUMMARY)?, wants(&ATTESTATION)?);
        let mut outcomes = Vec::new();
        if !summary && !attestation {
            return Ok(outcomes);
        }
        let run = (subject.summary)();
        if summary {
            let (markdown, json) = (run.markdown(subject), run.json(subject));
            let made = self.made_of_workflow(WORKFLOW_SUMMARY, type_name, subject, &markdown, json);
            outcomes.push(made.store(&self.data)?);
        }
        if attestation {
            let (markdown, json) = run.attestation(subject);
            let made = self.made_of_workflow(ATTESTATION, type_name, subject, &markdown, json);
            outcomes.push(made.store(&self.data)?);
        }
        Ok(outcomes)
    }

    /// Runs a report about an earlier workflow run.
    ///
    /// # Errors
    ///
    /// The report is unknown or has another scope, or it cannot be stored. A report that fails is an outcome.
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
        // A type that does not load any more has failed its step.
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
    Shelf { type_name, id: &subject.id, workflow: Some(&subject.name), owner: None }
}
