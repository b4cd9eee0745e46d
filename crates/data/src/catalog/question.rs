//! Queries that SQLite answers.

use std::ops::ControlFlow;

use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};
use serde_json::Value;

use super::CatalogError;
use super::rows::{COLUMNS, Row};

/// A condition on a field.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    sql: String,
    parameters: Vec<Sql>,
}

/// The operator of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// One of a list.
    In,
    /// The text begins with the literal.
    StartsWith,
}

impl Operator {
    fn sql(self) -> &'static str {
        match self {
            Operator::Equal => "=",
            Operator::NotEqual => "<>",
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::In => "IN",
            Operator::StartsWith => "LIKE",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    Truth,
}

/// Fields of a record and their columns.
const FIELDS: [(&str, &str, Kind); 24] = [
    ("id", "id", Kind::Text),
    ("name", "data_name", Kind::Text),
    ("version", "version", Kind::Number),
    ("isLatest", "is_latest", Kind::Truth),
    ("createdAt", "created_at", Kind::Text),
    ("modelName", "model_name", Kind::Text),
    ("modelId", "model_id", Kind::Text),
    ("modelType", "type_normalized", Kind::Text),
    ("specName", "spec_name", Kind::Text),
    ("dataType", "data_type", Kind::Text),
    ("contentType", "content_type", Kind::Text),
    ("lifetime", "lifetime", Kind::Text),
    ("lifecycle", "lifecycle", Kind::Text),
    ("renamedTo", "renamed_to", Kind::Text),
    ("ownerType", "owner_type", Kind::Text),
    ("ownerRef", "owner_ref", Kind::Text),
    ("streaming", "streaming", Kind::Truth),
    ("size", "size", Kind::Number),
    ("workflowRunId", "workflow_run_id", Kind::Text),
    ("workflowName", "workflow_name", Kind::Text),
    ("jobName", "job_name", Kind::Text),
    ("stepName", "step_name", Kind::Text),
    ("source", "source", Kind::Text),
    ("ns", "namespace", Kind::Text),
];

/// Whether the catalog has the field; other fields are in the content.
pub fn is_column(field: &str) -> bool {
    field == "tags" || FIELDS.iter().any(|(name, _, _)| *name == field)
}

impl Condition {
    /// A condition. `None`: SQLite would give it another meaning than the predicate, so it must be evaluated for each row.
    pub fn new(path: &[String], operator: Operator, literal: &Value) -> Option<Condition> {
        match path {
            [field] => {
                let (_, column, kind) = FIELDS.iter().find(|(name, _, _)| name == field)?;
                Self::on(column, *kind, operator, literal)
            }
            [tags, key] if tags == "tags" && !key.contains(['"', '\\']) => {
                // The key is a parameter of its own, and quoted within its path.
                let expression = "json_extract(tags, ?)";
                let mut condition = Self::on(expression, Kind::Text, operator, literal)?;
                let uses = condition.sql.matches(expression).count();
                let path = Sql::Text(format!("$.\"{key}\""));
                condition.parameters.splice(0..0, std::iter::repeat_n(path, uses));
                Some(condition)
            }
            _ => None,
        }
    }

    fn on(column: &str, kind: Kind, operator: Operator, literal: &Value) -> Option<Condition> {
        let parameters: Vec<Sql> = match (operator, literal) {
            (Operator::In, Value::Array(items)) => {
                items.iter().map(|item| parameter(kind, item)).collect::<Option<_>>()?
            }
            (Operator::In, _) => return None,
            (_, literal) => vec![parameter(kind, literal)?],
        };
        let sql = match (operator, kind) {
            (Operator::In, _) => format!("{column} IN ({})", vec!["?"; parameters.len()].join(", ")),
            (Operator::StartsWith, Kind::Text) if column.contains('(') => return None,
            (Operator::StartsWith, Kind::Text) => {
                // A range, which an index can answer: up to the first text that is greater than all with the prefix.
                let Some(Sql::Text(prefix)) = parameters.first() else { return None };
                let mut parameters = parameters.clone();
                let upper = after(prefix);
                let sql = match &upper {
                    Some(_) => format!("({column} >= ? AND {column} < ?)"),
                    None => format!("{column} >= ?"),
                };
                parameters.extend(upper.map(Sql::Text));
                return Some(Condition { sql, parameters });
            }
            (Operator::StartsWith, _) => return None,
            (Operator::Equal | Operator::NotEqual, _) | (_, Kind::Text | Kind::Number) => {
                format!("{column} {} ?", operator.sql())
            }
            (_, Kind::Truth) => return None,
        };
        Some(Condition { sql, parameters })
    }
}

/// The least text that is greater than every text which begins with `prefix`.
fn after(prefix: &str) -> Option<String> {
    let mut characters: Vec<char> = prefix.chars().collect();
    while let Some(last) = characters.pop() {
        let next = match u32::from(last) + 1 {
            0xD800 => Some('\u{E000}'),
            code => char::from_u32(code),
        };
        if let Some(next) = next {
            characters.push(next);
            return Some(characters.into_iter().collect());
        }
    }
    None
}

fn parameter(kind: Kind, literal: &Value) -> Option<Sql> {
    match (kind, literal) {
        (Kind::Text, Value::String(text)) => Some(Sql::Text(text.clone())),
        (Kind::Truth, Value::Bool(truth)) => Some(Sql::Integer(i64::from(*truth))),
        (Kind::Number, Value::Number(number)) => {
            number.as_i64().map(Sql::Integer).or_else(|| number.as_f64().map(Sql::Real))
        }
        _ => None,
    }
}

fn statement(conditions: &[Condition], limit: Option<usize>) -> (String, Vec<Sql>) {
    let mut sql = format!("SELECT {COLUMNS} FROM records");
    for (index, condition) in conditions.iter().enumerate() {
        sql.push_str(if index == 0 { " WHERE " } else { " AND " });
        sql.push_str(&condition.sql);
    }
    sql.push_str(" ORDER BY type_normalized, model_id, data_name, version");
    if let Some(limit) = limit {
        sql.push_str(&format!(" LIMIT {limit}"));
    }
    (sql, conditions.iter().flat_map(|condition| condition.parameters.clone()).collect())
}

pub fn select(
    connection: &Connection,
    conditions: &[Condition],
    limit: Option<usize>,
    each: &mut dyn FnMut(Row) -> ControlFlow<()>,
) -> Result<(), CatalogError> {
    let (sql, parameters) = statement(conditions, limit);
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(parameters))?;
    while let Some(row) = rows.next()? {
        if each(Row::from_sql(row)?).is_break() {
            break;
        }
    }
    Ok(())
}

pub fn plan(connection: &Connection, conditions: &[Condition]) -> Result<String, CatalogError> {
    let (sql, parameters) = statement(conditions, None);
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let lines = statement.query_map(params_from_iter(parameters), |row| row.get::<_, String>(3))?;
    Ok(lines.collect::<rusqlite::Result<Vec<String>>>()?.join("; "))
}
