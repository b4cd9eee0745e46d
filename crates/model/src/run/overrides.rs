//! What a step of a workflow says about the outputs of the method that it runs.

use marsh_data::Tags;
use serde_json::Value;

use super::context::RunContext;

/// Wins over what the type, the definition and the method say about one output.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutputOverride {
    pub spec: String,
    pub lifetime: Option<String>,
    pub garbage_collection: Option<Value>,
    pub tags: Vec<(String, String)>,
    /// Appended to the names of results, so that variants do not replace each other.
    pub suffix: Option<String>,
    /// Where its secrets go.
    pub vault: Option<String>,
}

impl RunContext<'_> {
    pub(super) fn output_override(&self, spec: &str) -> Option<&OutputOverride> {
        self.request.output_overrides.iter().find(|found| found.spec == spec)
    }

    /// The name under which a result is stored.
    pub(super) fn stored_name(&self, spec: &str, name: &str) -> String {
        match self.output_override(spec).and_then(|found| found.suffix.as_ref()) {
            Some(suffix) => format!("{name}-{suffix}"),
            None => name.to_owned(),
        }
    }

    pub(super) fn override_tags(&self, spec: &str, tags: &mut Tags) {
        if let Some(found) = self.output_override(spec) {
            tags.extend(found.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        }
    }
}
