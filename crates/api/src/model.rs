//! Documents about models: types, definitions, method runs and their records.

use std::collections::BTreeMap;

use marsh_types::Origin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::ErrorReport;
use crate::report::ReportResult;

/// The types that a query found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TypeSearch {
    /// The text that the names contain; empty: all types.
    pub query: String,
    /// The types, by name. When no name contains the query: the nearest names.
    pub results: Vec<TypeRow>,
}

/// A type in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TypeRow {
    /// The name as the source spells it.
    pub raw: String,
    /// The name in its normal form.
    pub normalized: String,
    /// The version that the source declares.
    pub version: Option<String>,
    /// Where the source comes from.
    pub origin: Origin,
    /// The source file; `null` for built-in types.
    pub path: Option<String>,
    /// The source files that add methods to the type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grafts: Vec<String>,
}

/// What a type offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum TypeDescription {
    /// Everything: schemas, outputs, checks.
    Full(Box<FullTypeDescription>),
    /// Names and types of arguments only (`--compact`).
    Compact(CompactTypeDescription),
}

/// A type's name, as the source spells it and in its normal form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TypeNames {
    /// As the source spells it.
    pub raw: String,
    /// The normal form.
    pub normalized: String,
}

/// Everything that a type offers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FullTypeDescription {
    /// Its name.
    #[serde(rename = "type")]
    pub type_name: TypeNames,
    /// Its version.
    pub version: String,
    /// JSON Schema of the global arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_arguments: Option<Value>,
    /// What its methods write.
    pub data_output_specs: Vec<OutputSpec>,
    /// Its methods, in the order of the source.
    pub methods: Vec<MethodDescription>,
    /// Its pre-flight checks.
    pub checks: Vec<CheckDescription>,
}

/// What a type offers, in few words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompactTypeDescription {
    /// Its name.
    #[serde(rename = "type")]
    pub type_name: TypeNames,
    /// Its version.
    pub version: String,
    /// Names of the global arguments, and a word for the type of each.
    pub global_arguments: Option<Map<String, Value>>,
    /// Its methods.
    pub methods: Vec<CompactMethod>,
}

/// A method in few words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CompactMethod {
    /// Its name.
    pub name: String,
    /// Names of its arguments, and a word for the type of each.
    pub arguments: Map<String, Value>,
}

/// A method of a type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MethodDescription {
    /// Its name.
    pub name: String,
    /// What it does.
    pub description: String,
    /// `read`, `list`, `create`, …; without one it counts as changing the outside world.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// JSON Schema of its arguments.
    pub arguments: Value,
    /// The source file of the method extension that adds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grafted_by: Option<String>,
}

/// Something that the methods of a type write: a resource or a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputSpec {
    /// Its name in the source.
    pub spec_name: String,
    /// `resource` or `file`.
    pub kind: OutputKind,
    /// What it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// JSON Schema of a resource.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Media type of a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// How long versions live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifetime: Option<String>,
    /// How many versions are kept: a count, or a duration.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub garbage_collection: Value,
    /// Whether the file grows while the method runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streaming: Option<bool>,
    /// Tags of every version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Map<String, Value>>,
}

/// Whether an output is a resource or a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OutputKind {
    /// A JSON value with a schema.
    Resource,
    /// Bytes of a media type.
    File,
}

/// A check that runs before methods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckDescription {
    /// Its name.
    pub name: String,
    /// What it checks.
    pub description: Option<String>,
    /// Labels by which checks are selected.
    pub labels: Option<Vec<String>>,
    /// The methods that it precedes; `null`: all that change something.
    pub applies_to: Option<Vec<String>>,
}

/// A definition that was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelCreated {
    /// The id of the definition.
    pub id: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its name.
    pub name: String,
    /// The file, relative to the repository.
    pub path: String,
    /// The version of the type.
    pub version: String,
    /// JSON Schema of the type's global arguments.
    pub global_arguments: Option<Value>,
    /// The type's methods.
    pub methods: Vec<MethodDescription>,
}

/// A definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelDocument {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its version, counted by its edits.
    pub version: Value,
    /// Its tags.
    pub tags: Map<String, Value>,
    /// Its global arguments, expressions as they are written.
    pub global_arguments: Map<String, Value>,
    /// What it gives to methods; absent from older versions.
    #[serde(skip)]
    pub method_arguments: Map<String, Value>,
    /// Whether a run made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_created: Option<bool>,
    /// The version of the type that it was written for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub type_version: Option<Value>,
    /// The file, relative to the repository.
    pub path: String,
    /// JSON Schema of the type's global arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_arguments_schema: Option<Value>,
    /// The type's methods; absent when the type cannot be loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub methods: Option<Vec<MethodDescription>>,
}

/// The definitions that a query found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelSearch {
    /// The text that name or type contain.
    pub query: String,
    /// The definitions.
    pub results: Vec<ModelRow>,
}

/// A definition in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
}

/// What an edit of a file came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EditStatus {
    /// The file has a new text.
    Updated,
    /// The text is the same as before.
    Unchanged,
}

/// A definition that was edited.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelEdited {
    /// The file, relative to the repository.
    pub path: String,
    /// The editor that was used; `null` when the text came from standard input.
    pub editor: Option<String>,
    /// Whether anything changed.
    pub status: EditStatus,
    /// The name of the definition.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Always `definition`.
    pub edit_type: String,
}

/// A definition that was deleted, and what went with it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelDeleted {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The file that is gone, relative to the repository.
    pub input_path: String,
    /// Whether any results were deleted.
    pub resource_deleted: bool,
    /// How many run records were deleted.
    pub outputs_deleted: usize,
    /// Whether an evaluated copy was deleted.
    pub evaluated_input_deleted: bool,
    /// How many versions of results were deleted.
    pub data_deleted: usize,
    /// Always 0: expired results are deleted by `data gc`.
    pub expired_data_auto_collected: usize,
}

/// A validation of definitions. Their pre-flight checks run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelValidateRequest {
    /// Name or id of the definition; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Only checks with one of these labels run; empty: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Only checks that precede this method run; absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
}

/// What a validation found: of one definition when it was named, else of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ModelValidationDocument {
    /// Of all definitions.
    All(ModelValidations),
    /// Of one.
    One(ModelValidation),
}

/// What the validation of one definition found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelValidation {
    /// Its id; absent when its file cannot be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_id: Option<String>,
    /// Its name, or the path of a file that cannot be read.
    pub model_name: String,
    /// Its type; absent when its file cannot be read.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
    /// What was checked.
    pub validations: Vec<ValidationCheck>,
    /// What deserves attention.
    pub warnings: Vec<ValidationWarning>,
    /// Whether every check passed.
    pub passed: bool,
}

/// One thing that was checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ValidationCheck {
    /// What.
    pub name: String,
    /// Whether it is valid.
    pub passed: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Something that deserves attention and fails nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ValidationWarning {
    /// What it is about.
    pub name: String,
    /// The warning.
    pub message: String,
}

/// What the validation of all definitions found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelValidations {
    /// Each definition.
    pub models: Vec<ModelValidation>,
    /// How many passed.
    pub total_passed: usize,
    /// How many failed.
    pub total_failed: usize,
    /// How many warnings there are.
    pub total_warnings: usize,
    /// Whether all passed.
    pub passed: bool,
}

/// A method of a definition, and what it writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MethodDescribed {
    /// The name of the definition.
    pub model_name: String,
    /// Its type.
    pub model_type: String,
    /// The version of the type.
    pub version: String,
    /// The method.
    pub method: MethodDescription,
    /// What the type's methods write.
    pub data_output_specs: Vec<OutputSpec>,
}

/// How far a method run is, or what it ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MethodRunStatus {
    /// Not started yet.
    Pending,
    /// Under way, or its process died.
    Running,
    /// The method returned.
    Succeeded,
    /// The method threw, timed out or crashed.
    Failed,
    /// A signal or a request ended it.
    Cancelled,
}

impl MethodRunStatus {
    /// The word that documents and records use.
    pub fn as_str(self) -> &'static str {
        match self {
            MethodRunStatus::Pending => "pending",
            MethodRunStatus::Running => "running",
            MethodRunStatus::Succeeded => "succeeded",
            MethodRunStatus::Failed => "failed",
            MethodRunStatus::Cancelled => "cancelled",
        }
    }
}

/// What `model method run` prints: one run, or one for each item of standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MethodRunDocument {
    /// Several items on standard input. The last one can be an error.
    Several(Vec<MethodRunItem>),
    /// One run.
    One(Box<MethodRun>),
}

/// One item of several: a run, or why it did not start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum MethodRunItem {
    /// It ran.
    Run(Box<MethodRun>),
    /// It did not start.
    Error(crate::error::ErrorDocument),
}

/// One run of a method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MethodRun {
    /// The id of the definition.
    pub model_id: String,
    /// Its name.
    pub model_name: String,
    /// Its type.
    pub model_type: String,
    /// The version of the type.
    pub type_version: String,
    /// The method.
    pub method_name: String,
    /// What the run ended with.
    pub status: MethodRunStatus,
    /// In milliseconds.
    pub duration: u64,
    /// The id of the run's record (`model output get`).
    pub output_id: String,
    /// The log, relative to the repository; `null` when the run logged nothing.
    pub log_file: Option<String>,
    /// What the run wrote.
    pub data_artifacts: Vec<DataArtifact>,
    /// The global arguments, evaluated; sensitive values are masked.
    pub global_arguments: Map<String, Value>,
    /// The arguments of the method; sensitive values are masked.
    pub method_arguments: Map<String, Value>,
    /// The fingerprint of the code that ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle_fingerprint: Option<String>,
    /// The user or the trigger that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initiated_by: Option<String>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
    /// The reports that followed it, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports: Option<BTreeMap<String, ReportResult>>,
}

/// The details of a server's answer about a run that was not successful.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedRun {
    /// The run.
    pub run: MethodRun,
}

/// A version of a datum that a run wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DataArtifact {
    /// The id of the datum.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The version.
    pub version: u32,
    /// The output of the type that it is an instance of.
    pub spec_name: Option<String>,
    /// `resource`, `file`, …
    pub kind: Option<String>,
    /// The media type.
    pub content_type: String,
    /// Where the content is; `null` for ephemeral data.
    pub path: Option<String>,
    /// The content of a resource.
    pub attributes: Option<Value>,
    /// The content of a small text file, for people only.
    #[serde(skip)]
    pub text: Option<String>,
    /// The size in bytes, for people only.
    #[serde(skip)]
    pub size: Option<u64>,
}

/// The record of a method run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputDocument {
    /// The id of the run.
    pub id: String,
    /// The id of the definition.
    pub definition_id: String,
    /// The name of the definition; `null` when it was deleted since.
    pub model_name: Option<String>,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The method.
    pub method_name: String,
    /// What the run ended with.
    pub status: MethodRunStatus,
    /// ISO 8601.
    pub started_at: String,
    /// ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<String>,
    /// In milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Why it failed: `message` and `stack`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
    /// How often it was retried.
    pub retry_count: u32,
    /// What ran, and at whose request.
    pub provenance: Value,
    /// What it wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<Value>,
    /// The log, relative to the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_file: Option<String>,
    /// The process that ran it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
}

/// The records that a query found, the newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OutputSearch {
    /// The text that model, type or method contain.
    pub query: String,
    /// The records.
    pub results: Vec<OutputRow>,
}

/// A record in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputRow {
    /// The id of the run.
    pub id: String,
    /// The id of the definition.
    pub definition_id: String,
    /// The name of the definition; `null` when it was deleted since.
    pub model_name: Option<String>,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The method.
    pub method_name: String,
    /// What the run ended with.
    pub status: MethodRunStatus,
    /// ISO 8601.
    pub started_at: String,
    /// In milliseconds.
    pub duration_ms: Option<u64>,
}

/// The log of a method run, or its last lines.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OutputLog {
    /// The id of the run.
    pub output_id: String,
    /// The method.
    pub method_name: String,
    /// The lines.
    #[serde(flatten)]
    pub log: LogLines,
}

/// Lines of a log file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LogLines {
    /// The file, relative to the repository; `null` when nothing was logged.
    pub path: Option<String>,
    /// The lines.
    pub lines: Vec<String>,
    /// How many lines the file has.
    pub total_lines: usize,
    /// How many of them are here.
    pub showing_lines: usize,
}

impl LogLines {
    /// The last `tail` lines of a log's text, or all.
    pub fn of(path: Option<&str>, text: &str, tail: Option<usize>) -> LogLines {
        let all: Vec<&str> = text.lines().collect();
        let from = all.len().saturating_sub(tail.unwrap_or(all.len()));
        let lines: Vec<String> = all.iter().skip(from).map(|line| (*line).to_owned()).collect();
        LogLines { path: path.map(str::to_owned), total_lines: all.len(), showing_lines: lines.len(), lines }
    }
}

/// A word for the type that a JSON Schema describes: `string`, `number[]`, `a | b`, `any`.
pub fn type_word(schema: &Value) -> String {
    match (schema.get("type"), schema.get("enum")) {
        (_, Some(Value::Array(values))) => values
            .iter()
            .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            .collect::<Vec<_>>()
            .join(" | "),
        (Some(Value::String(word)), _) if word == "array" => match schema.get("items") {
            Some(items) => format!("{}[]", type_word(items)),
            None => word.clone(),
        },
        (Some(Value::String(word)), _) => word.clone(),
        _ => match schema.get("anyOf").and_then(Value::as_array) {
            Some(options) => options.iter().map(type_word).collect::<Vec<_>>().join(" | "),
            None => "any".to_owned(),
        },
    }
}
