//! Types and what they offer.

use marsh_types::Origin;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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
