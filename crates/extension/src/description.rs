//! What a model offers, as its host described it. Cached by fingerprint, so that no read path starts a host.

use marsh_types::Kind;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Map with the declaration order of the source.
pub type Ordered<T> = Vec<(String, T)>;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelDescription {
    /// The type as the source spells it.
    #[serde(rename = "type")]
    pub raw_type: String,
    pub version: String,
    pub global_arguments: Option<ArgumentsDescription>,
    #[serde(with = "ordered")]
    pub methods: Ordered<MethodDescription>,
    #[serde(with = "ordered", default)]
    pub resources: Ordered<OutputDescription>,
    #[serde(with = "ordered", default)]
    pub files: Ordered<OutputDescription>,
    #[serde(with = "ordered", default)]
    pub checks: Ordered<CheckDescription>,
    #[serde(default)]
    pub reports: Vec<String>,
    /// The type that each method extension names as its target, in the order of the version's parts.
    #[serde(rename = "graftTypes", default, skip_serializing_if = "Vec::is_empty")]
    pub method_extension_types: Vec<String>,
}

/// What an export of another kind than `model` says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KindDescription {
    pub kind: Kind,
    /// The type as the source spells it; of a report its name.
    #[serde(rename = "type")]
    pub raw_type: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The schema of the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<ArgumentsDescription>,
    /// Of a report: `method`, `model` or `workflow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub labels: Vec<String>,
    /// Of a method extension: the methods that it adds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
}

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
    #[serde(default)]
    pub sensitive: Vec<SensitiveField>,
}

impl ArgumentsDescription {
    pub fn has_key(&self, key: &str) -> bool {
        self.keys.as_ref().is_some_and(|keys| keys.iter().any(|known| known == key))
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SensitiveField {
    /// Dotted path within the value.
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_key: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MethodDescription {
    pub description: String,
    /// Declared, or told by the name; `None` counts as mutating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(default)]
    pub rollback_on_failure: bool,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schema: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    pub lifetime: String,
    /// A count, or a duration.
    pub garbage_collection: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streaming: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Map<String, Value>>,
    #[serde(default)]
    pub sensitive: Vec<SensitiveField>,
    #[serde(default)]
    pub sensitive_output: bool,
}

impl OutputDescription {
    pub fn holds_secrets(&self) -> bool {
        self.sensitive_output || !self.sensitive.is_empty()
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckDescription {
    pub description: String,
    #[serde(default)]
    pub labels: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applies_to: Option<Vec<String>>,
}

impl ModelDescription {
    pub fn method(&self, name: &str) -> Option<&MethodDescription> {
        find(&self.methods, name)
    }

    pub fn resource(&self, name: &str) -> Option<&OutputDescription> {
        find(&self.resources, name)
    }

    pub fn file(&self, name: &str) -> Option<&OutputDescription> {
        find(&self.files, name)
    }

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
