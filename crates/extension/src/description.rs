//! What a module version offers, as its host described it. Cached by fingerprint, so that no read path starts a host.

use marsh_types::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Map with the declaration order of the source.
pub type Ordered<T> = Vec<(String, T)>;

/// A model type.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelDescription {
    /// The type as the source spells it.
    #[serde(rename = "type")]
    pub raw_type: String,
    /// The version of the type, `YYYY.MM.DD.MICRO`.
    pub version: String,
    /// The arguments of definitions.
    pub global_arguments: Option<ArgumentsDescription>,
    /// The methods.
    #[serde(with = "ordered")]
    pub methods: Ordered<MethodDescription>,
    /// The outputs that hold structured data.
    #[serde(with = "ordered", default)]
    pub resources: Ordered<OutputDescription>,
    /// The outputs that hold bytes.
    #[serde(with = "ordered", default)]
    pub files: Ordered<OutputDescription>,
    /// The pre-flight checks.
    #[serde(with = "ordered", default)]
    pub checks: Ordered<CheckDescription>,
    /// The reports that follow its runs.
    #[serde(default)]
    pub reports: Vec<String>,
    /// The type that each method extension names as its target, in the order of the version's parts.
    #[serde(rename = "graftTypes", default, skip_serializing_if = "Vec::is_empty")]
    pub method_extension_types: Vec<String>,
}

/// An export of another kind than `model`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KindDescription {
    /// The kind of the export.
    pub kind: Kind,
    /// The type as the source spells it; of a report its name.
    #[serde(rename = "type")]
    pub raw_type: String,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The version of the export.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The schema of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ArgumentsDescription>,
    /// Of a report: `method`, `model` or `workflow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// Of a report: what users select it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Of a method extension: the methods that it adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
}

/// The schema of arguments or of a configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ArgumentsDescription {
    /// JSON Schema, draft 2020-12.
    #[serde(default)]
    pub schema: Value,
    /// The fields of an object schema; `None` for any other.
    pub keys: Option<Vec<String>>,
    /// Whether unknown keys are let through.
    #[serde(default)]
    pub open: bool,
    /// Whether the schema takes arbitrary keys (`z.record`).
    #[serde(default)]
    pub record: bool,
    /// The fields that hold secrets.
    #[serde(default)]
    pub sensitive: Vec<SensitiveField>,
}

impl ArgumentsDescription {
    /// Whether the object schema has this field.
    pub fn has_key(&self, key: &str) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.iter().any(|known| known == key))
    }
}

/// A field that holds a secret.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SensitiveField {
    /// Dotted path within the value.
    pub path: String,
    /// The vault that keeps the secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_name: Option<String>,
    /// The key of the secret in the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_key: Option<String>,
}

/// A method.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MethodDescription {
    /// What it does.
    pub description: String,
    /// Declared, or derived from the name; `None` counts as mutating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether the results of a run that fails are removed.
    #[serde(default)]
    pub rollback_on_failure: bool,
    /// What it takes.
    pub arguments: ArgumentsDescription,
    /// Which method extension adds the method, from 1; `None`: the type's own.
    #[serde(rename = "graft", default, skip_serializing_if = "Option::is_none")]
    pub method_extension: Option<usize>,
}

impl MethodDescription {
    /// Anything but reading and listing may change the outside world.
    pub fn is_mutating(&self) -> bool {
        !matches!(self.kind.as_deref(), Some("read" | "list"))
    }
}

/// A resource or a file output.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputDescription {
    /// What it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Of a resource: its JSON Schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    /// Of a file: its media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// How long results are kept, as the source writes it.
    pub lifetime: String,
    /// A count, or a duration.
    pub garbage_collection: Value,
    /// Whether it is written piece by piece.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streaming: Option<bool>,
    /// The tags of its results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Map<String, Value>>,
    /// The fields that hold secrets.
    #[serde(default)]
    pub sensitive: Vec<SensitiveField>,
    /// Whether all of it is secret.
    #[serde(default)]
    pub sensitive_output: bool,
}

impl OutputDescription {
    /// Whether any of it is secret.
    pub fn holds_secrets(&self) -> bool {
        self.sensitive_output || !self.sensitive.is_empty()
    }
}

/// A pre-flight check.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckDescription {
    /// What it checks.
    pub description: String,
    /// What users skip it by.
    #[serde(default)]
    pub labels: Vec<String>,
    /// The methods that it precedes; `None`: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applies_to: Option<Vec<String>>,
}

impl ModelDescription {
    /// A method by name.
    pub fn method(&self, name: &str) -> Option<&MethodDescription> {
        find(&self.methods, name)
    }

    /// A resource output by name.
    pub fn resource(&self, name: &str) -> Option<&OutputDescription> {
        find(&self.resources, name)
    }

    /// A file output by name.
    pub fn file(&self, name: &str) -> Option<&OutputDescription> {
        find(&self.files, name)
    }

    /// The names of the methods, in the order of the source.
    pub fn method_names(&self) -> impl Iterator<Item = &str> {
        self.methods.iter().map(|(name, _)| name.as_str())
    }
}

fn find<'a, T>(items: &'a Ordered<T>, name: &str) -> Option<&'a T> {
    items.iter().find(|(known, _)| known == name).map(|(_, value)| value)
}

/// A JSON object as a list that keeps its order.
mod ordered {
    use serde::de::DeserializeOwned;
    use serde::{Deserialize as _, Deserializer, Serialize, Serializer};
    use serde_json::{Map, Value};

    pub fn serialize<T: Serialize, S: Serializer>(
        items: &[(String, T)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_map(items.iter().map(|(name, value)| (name, value)))
    }

    pub fn deserialize<'de, T: DeserializeOwned, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(String, T)>, D::Error> {
        Map::<String, Value>::deserialize(deserializer)?
            .into_iter()
            .map(|(name, value)| {
                let value = serde_json::from_value(value).map_err(serde::de::Error::custom)?;
                Ok((name, value))
            })
            .collect()
    }
}
