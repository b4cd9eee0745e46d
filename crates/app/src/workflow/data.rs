//! The data that a workflow run wrote.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use marsh_api::data::{DataDocument, DataItem};
use marsh_api::workflow::{WorkflowDataGroup, WorkflowDataItem, WorkflowDataList};
use marsh_data::{Condition, Operator, Row};
use marsh_model::ModelError;
use marsh_types::{TypeName, near};
use marsh_workflow::{RunRecord, WorkflowError};
use serde_json::json;

use crate::data::DataOf;
use crate::error::AppError;
use crate::session::Read;

/// A workflow run whose data are meant. Without `run` it is the last one of the workflow.
#[derive(Debug, Clone, Default)]
pub struct WorkflowDataRequest {
    /// The workflow, by name or id.
    pub workflow: Option<String>,
    /// The run, by its id or the start of it.
    pub run: Option<String>,
}

impl Read<'_> {
    /// The data that a workflow run wrote, grouped by kind; of one kind only with `kind`.
    ///
    /// # Errors
    ///
    /// When there is no such workflow or run, or the data cannot be read.
    pub fn list_workflow_data(
        &self,
        request: &WorkflowDataRequest,
        kind: Option<&str>,
    ) -> Result<WorkflowDataList, AppError> {
        let run = self.run_of(request)?;
        let mut groups: Vec<WorkflowDataGroup> = Vec::new();
        let mut total = 0;
        for item in self.written_by_run(&run)?.into_iter().map(item) {
            if kind.is_some_and(|kind| kind != item.item.kind) {
                continue;
            }
            total += 1;
            match groups.iter_mut().find(|group| group.kind == item.item.kind) {
                Some(group) => group.items.push(item),
                None => groups.push(WorkflowDataGroup { kind: item.item.kind.clone(), items: vec![item] }),
            }
        }
        Ok(WorkflowDataList {
            workflow_id: run.workflow_id,
            workflow_name: run.workflow_name,
            run_id: run.id,
            run_status: run.status,
            groups,
            total,
        })
    }

    /// The version of a datum that a workflow run wrote. If several models or steps wrote the name, the first one counts, and
    /// a warning names the others; `model` chooses.
    ///
    /// # Errors
    ///
    /// When there is no such workflow or run, the run did not write the datum or the version, or its files cannot be read.
    pub fn get_workflow_data(
        &self,
        request: &WorkflowDataRequest,
        model: Option<&str>,
        name: &str,
        version: Option<u32>,
        with_content: bool,
    ) -> Result<(DataDocument, Option<String>), AppError> {
        let run = self.run_of(request)?;
        let all = self.written_by_run(&run)?;
        let is_of = |row: &&Row| model.is_none_or(|model| row.model_name == model || row.model_id == model);
        let named: Vec<&Row> = all.iter().filter(is_of).filter(|row| row.name == name).collect();
        let found = named.iter().find(|row| version.is_none_or(|version| row.version == version));
        let Some(row) = found else {
            let names = all.iter().filter(is_of).map(|row| row.name.as_str());
            return Err(not_written(&run, name, version.filter(|_| !named.is_empty()), names));
        };
        let others: Vec<String> = named
            .iter()
            .filter(|other| other.id != row.id && other.model_id != row.model_id)
            .map(|other| format!("`{}` (step `{}`)", other.model_name, other.step_name))
            .collect();
        let warning = (!others.is_empty()).then(|| {
            let others = others.join(", ");
            format!(
                "this is the `{name}` of `{}`; {others} wrote one too: choose with --model",
                row.model_name
            )
        });
        let type_name = TypeName::parse(&row.type_normalized).map_err(ModelError::from)?;
        let data = &self.models().data;
        let metadata = data
            .metadata(&type_name, &row.model_id, &row.name, row.version)?
            .ok_or_else(|| not_written(&run, name, version, std::iter::empty()))?;
        let of = DataOf { type_name, id: row.model_id.clone(), name: row.model_name.clone() };
        Ok((self.data_document(of, metadata, with_content)?, warning))
    }

    /// The record of the run that is meant.
    fn run_of(&self, request: &WorkflowDataRequest) -> Result<RunRecord, AppError> {
        let workflows = self.workflows();
        let Some(run) = &request.run else {
            let workflow = request.workflow.as_deref();
            let last = workflows.runs(workflow)?.into_iter().next().ok_or_else(|| {
                WorkflowError::NoRunOf { workflow: workflow.unwrap_or_default().to_owned() }
            })?;
            return Ok(workflows.run_record(&last.run_id)?.record);
        };
        let record = workflows.run_record(run)?.record;
        if let Some(workflow) = &request.workflow
            && record.workflow_name != *workflow
            && !record.workflow_id.eq_ignore_ascii_case(workflow)
        {
            // The workflow may have another name by now.
            let now = workflows.store().find(workflow)?.workflow().id.clone();
            if !record.workflow_id.eq_ignore_ascii_case(&now) {
                return Err(AppError::not_found(
                    format!("`{workflow}` has no run `{run}`: that is a run of `{}`", record.workflow_name),
                    format!("`marsh workflow history search --workflow {workflow}` lists the runs"),
                ));
            }
        }
        Ok(record)
    }

    /// The newest version that each step of a run wrote of each datum, in the order of writing.
    fn written_by_run(&self, run: &RunRecord) -> Result<Vec<Row>, AppError> {
        let condition = Condition::new(&["workflowRunId".to_owned()], Operator::Equal, &json!(run.id));
        let conditions: Vec<Condition> = condition.into_iter().collect();
        let mut rows: Vec<Row> = Vec::new();
        let selected = self.models().catalog()?.select(&conditions, None, &mut |row| {
            if !row.lifecycle.is_empty() {
                return ControlFlow::Continue(());
            }
            let is_same = |other: &&mut Row| {
                (&other.type_normalized, &other.model_id, &other.name, &other.job_name, &other.step_name)
                    == (&row.type_normalized, &row.model_id, &row.name, &row.job_name, &row.step_name)
            };
            match rows.iter_mut().find(is_same) {
                Some(other) if other.version < row.version => *other = row,
                Some(_) => {}
                None => rows.push(row),
            }
            ControlFlow::Continue(())
        });
        selected.map_err(ModelError::from)?;
        rows.sort_by(|a, b| a.created_at.cmp(&b.created_at));
        Ok(rows)
    }
}

fn not_written<'a>(
    run: &RunRecord,
    name: &str,
    version: Option<u32>,
    names: impl Iterator<Item = &'a str>,
) -> AppError {
    let what = match version {
        Some(version) => format!("version {version} of `{name}`"),
        None => format!("a result `{name}`"),
    };
    // Every step that wrote a name lists it.
    let names: BTreeSet<&str> = names.collect();
    let hint = near::did_you_mean(name, names)
        .unwrap_or_else(|| format!("`marsh data list --run {}` lists what it wrote", run.id));
    AppError::not_found(format!("run {} of `{}` did not write {what}", run.id, run.workflow_name), hint)
}

fn item(row: Row) -> WorkflowDataItem {
    let some = |text: String| (!text.is_empty()).then_some(text);
    WorkflowDataItem {
        item: DataItem {
            kind: some(row.data_type).unwrap_or_else(|| "data".to_owned()),
            id: row.id,
            name: row.name,
            version: row.version,
            content_type: row.content_type,
            streaming: row.streaming,
            size: Some(row.size),
            created_at: row.created_at,
        },
        model_id: row.model_id,
        model_name: row.model_name,
        model_type: row.type_normalized,
        job_name: some(row.job_name),
        step_name: some(row.step_name),
    }
}
