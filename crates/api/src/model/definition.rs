//! Definitions: how they are made, found, changed and checked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::types::MethodDescription;

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

/// The evaluated copies of definitions: of one when it was named, else of all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ModelEvaluationDocument {
    /// Of all definitions.
    All(ModelEvaluations),
    /// Of one.
    One(ModelEvaluation),
}

/// The evaluated copies of all definitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ModelEvaluations {
    /// The copies, without global arguments.
    pub items: Vec<ModelEvaluation>,
    /// How many definitions there are.
    pub total: usize,
    /// How many of them have expressions.
    pub evaluated: usize,
}

/// The evaluated copy of a definition, which `--last-evaluated` uses.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ModelEvaluation {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Whether the definition has expressions.
    pub had_expressions: bool,
    /// The file of the copy, absolute.
    pub output_path: String,
    /// The global arguments. Those that use a vault, the environment or a missing input are as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_arguments: Option<serde_json::Map<String, Value>>,
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
