//! Output overrides of a workflow step.

use marsh_data::Tags;
use serde_json::Value;

use super::context::RunContext;

/// Overrides the settings of one output. It wins over the type, the definition and the method.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OutputOverride {
    /// The name of the output.
    pub spec: String,
    /// The lifetime of its data.
    pub lifetime: Option<String>,
    /// The garbage collection policy of its data.
    pub garbage_collection: Option<Value>,
    /// Tags of its data.
    pub tags: Vec<(String, String)>,
    /// Appended to the names of results, so that variants do not replace each other.
    pub suffix: Option<String>,
    /// The vault for its secrets.
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
