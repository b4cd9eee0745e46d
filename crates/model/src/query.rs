//! `data query`: a predicate over all stored data.
//!
//! Conjuncts of the predicate that compare a field of the catalog with a literal become SQL, which uses an index. The rest is
//! evaluated for each remaining row. Content is read only if the predicate or the selection uses it. A row for which the
//! evaluation fails does not match, as in the language itself. Content that is damaged fails the query.

use std::ops::ControlFlow;
use std::sync::OnceLock;

use marsh_data::{Condition, Operator, Row};
use marsh_expr::{
    Comparison, Conjunct, EvaluationLimits, Looked, LookupError, Program, Scope, Value as Term,
};
use serde_json::{Value, json};

use crate::Models;
pub use crate::data_record::FIELDS;
use crate::data_record::record_json;
use crate::error::ModelError;
use crate::stored::StoredData;

/// The result of a query, ordered by type, model, name and version.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The records.
    pub records: Vec<Value>,
    /// The selection of each record; null where it failed.
    pub projected: Vec<Value>,
    /// Whether the limit cut the result.
    pub limited: bool,
}

/// A query, parsed.
struct Question {
    conditions: Vec<Condition>,
    rest: Option<Program>,
    select: Option<Program>,
    reads_content: bool,
}

impl Models {
    /// [`StoredData::query`] on the data of this command.
    ///
    /// # Errors
    ///
    /// See [`StoredData::query`].
    pub fn query(
        &self,
        predicate: &str,
        select: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Answer, ModelError> {
        self.stored_data().query(predicate, select, limit)
    }
}

impl StoredData {
    /// The latest versions that match the predicate; all versions, if it names `version` or `isLatest`.
    ///
    /// # Errors
    ///
    /// The predicate or the selection is invalid or names an unknown field, the data cannot be read, or content that the
    /// query needs is damaged.
    pub fn query(
        &self,
        predicate: &str,
        select: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Answer, ModelError> {
        let question = Question::of(predicate, select)?;
        let catalog = self.catalog()?;
        match self.answer(&catalog, &question, limit) {
            // A damaged catalog: the files decide.
            Err(ModelError::Catalog(marsh_data::CatalogError::Sqlite(_))) => {
                self.answer(&marsh_data::DataCatalog::in_memory(self.store())?, &question, limit)
            }
            other => other,
        }
    }

    fn answer(
        &self,
        catalog: &marsh_data::DataCatalog,
        question: &Question,
        limit: Option<usize>,
    ) -> Result<Answer, ModelError> {
        let mut answer = Answer::default();
        let mut failure = None;
        // One more than the limit shows whether the result is cut.
        let wanted = limit.map(|limit| limit.saturating_add(1));
        let sql_limit = if question.rest.is_none() { wanted } else { None };
        catalog.select(&question.conditions, sql_limit, &mut |row| {
            match self.judged(question, &row) {
                Ok(None) => return ControlFlow::Continue(()),
                Ok(Some(_)) if limit.is_some_and(|limit| answer.records.len() == limit) => {
                    answer.limited = true;
                    return ControlFlow::Break(());
                }
                Ok(Some((record, projected))) => {
                    answer.records.push(record);
                    answer.projected.extend(projected);
                }
                Err(error) => {
                    failure = Some(error);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        failure.map_or(Ok(answer), Err)
    }

    /// The record and its selection; `None`: the row does not match.
    fn judged(&self, question: &Question, row: &Row) -> Result<Option<(Value, Option<Value>)>, ModelError> {
        let scope = RowScope { data: self, row, content: OnceLock::new() };
        let limits = EvaluationLimits::default();
        if let Some(rest) = &question.rest {
            let truth = rest.evaluate(&scope, &limits);
            if !truth.is_ok_and(|truth| truth.as_bool() == Some(true)) {
                return Ok(None);
            }
        }
        let projected = question.select.as_ref().map(|select| {
            select.evaluate(&scope, &limits).and_then(|value| value.to_json()).unwrap_or(Value::Null)
        });
        let with_content = question.reads_content || question.select.is_none();
        let content = if with_content { Some(scope.content()?) } else { None };
        if with_content && content == Some(&Value::Null) && row.size > 0 {
            // Another process deleted it since the catalog was read.
            return Ok(None);
        }
        Ok(Some((record_json(row, content), projected)))
    }
}

impl Question {
    fn of(predicate: &str, select: Option<&str>) -> Result<Question, ModelError> {
        let parse = |text: &str, what: &'static str| {
            let program = Program::parse(text).map_err(|source| ModelError::Query { what, source })?;
            for name in program.names() {
                if !FIELDS.contains(&name.as_str()) {
                    return Err(ModelError::UnknownField { what, name });
                }
            }
            Ok(program)
        };
        let program = parse(predicate, "predicate")?;
        let select = select.map(|text| parse(text, "selection")).transpose()?;
        let mut conditions = Vec::new();
        let mut rest: Vec<String> = Vec::new();
        for conjunct in program.conjuncts() {
            match pushed(&conjunct) {
                Some(condition) => conditions.push(condition),
                None => rest.push(format!("({})", conjunct.text)),
            }
        }
        let names = program.names();
        if !names.iter().any(|name| name == "version" || name == "isLatest") {
            conditions.extend(Condition::new(&["isLatest".to_owned()], Operator::Equal, &json!(true)));
        }
        let rest = match rest.is_empty() {
            true => None,
            false => Some(parse(&rest.join(" && "), "predicate")?),
        };
        let mentioned = names.into_iter().chain(select.iter().flat_map(Program::names));
        let reads_content = mentioned.into_iter().any(|name| name == "attributes" || name == "content");
        Ok(Question { conditions, rest, select, reads_content })
    }
}

fn pushed(conjunct: &Conjunct) -> Option<Condition> {
    let test = conjunct.test.as_ref()?;
    let operator = match test.comparison {
        Comparison::Equal => Operator::Equal,
        Comparison::NotEqual => Operator::NotEqual,
        Comparison::Less => Operator::Less,
        Comparison::LessOrEqual => Operator::LessOrEqual,
        Comparison::Greater => Operator::Greater,
        Comparison::GreaterOrEqual => Operator::GreaterOrEqual,
        Comparison::In => Operator::In,
        Comparison::StartsWith => Operator::StartsWith,
    };
    Condition::new(&test.path, operator, &test.literal)
}

/// The fields of one row. Content is read at its first use.
struct RowScope<'a> {
    data: &'a StoredData,
    row: &'a Row,
    content: OnceLock<Result<Value, String>>,
}

impl RowScope<'_> {
    fn content(&self) -> Result<&Value, ModelError> {
        let read = || self.data.content_of(self.row).map_err(|error| error.to_string());
        match self.content.get_or_init(read) {
            Ok(content) => Ok(content),
            Err(_) => self.data.content_of(self.row).map(|_| &Value::Null),
        }
    }
}

impl Scope for RowScope<'_> {
    fn variable(&self, name: &str) -> Looked<Option<Term>> {
        let row = self.row;
        let json = match name {
            "id" => json!(row.id),
            "name" => json!(row.name),
            "version" => json!(row.version),
            "isLatest" => json!(row.is_latest),
            "createdAt" => json!(row.created_at),
            "tags" => row.tags.clone(),
            "modelName" => json!(row.model_name),
            "modelId" => json!(row.model_id),
            "modelType" => json!(row.type_normalized),
            "specName" => json!(row.spec_name),
            "dataType" => json!(row.data_type),
            "contentType" => json!(row.content_type),
            "lifetime" => json!(row.lifetime),
            "lifecycle" => json!(row.lifecycle),
            "renamedTo" => json!(row.renamed_to),
            "ownerType" => json!(row.owner_type),
            "streaming" => json!(row.streaming),
            "size" => json!(row.size),
            "ownerRef" => json!(row.owner_ref),
            "workflowRunId" => json!(row.workflow_run_id),
            "workflowName" => json!(row.workflow_name),
            "jobName" => json!(row.job_name),
            "stepName" => json!(row.step_name),
            "source" => json!(row.source),
            "ns" | "namespace" => json!(row.namespace),
            "attributes" | "content" => {
                let failed = |error: ModelError| {
                    LookupError::failed(marsh_types::ErrorCode::DataUnreadable, error.to_string())
                };
                let content = self.content().map_err(failed)?;
                match name {
                    "attributes" if !content.is_object() => json!({}),
                    _ => content.clone(),
                }
            }
            _ => return Ok(None),
        };
        let value = Term::from_json(&json);
        value.map(Some).map_err(|error| {
            LookupError::failed(marsh_types::ErrorCode::ExpressionTooLarge, error.to_string())
        })
    }

    fn names(&self) -> Vec<String> {
        FIELDS.iter().map(|field| (*field).to_owned()).collect()
    }
}
