//! What a module version offers: from memory, from disk, or from a host.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use marsh_host::supervisor::NoCallbacks;
use marsh_host::{Call, ModuleRef};

use super::files::{read_json, write_json};
use super::{Loader, host_key};
use crate::description::ModelDescription;
use crate::discover::SourceRoot;
use crate::error::LoadError;

impl Loader {
    /// The description of a fingerprint, from memory, from disk, or from a host.
    pub(super) fn describe(
        &self,
        entry: &Path,
        fingerprint: &str,
        module: &ModuleRef,
        root: &SourceRoot,
    ) -> Result<Arc<ModelDescription>, LoadError> {
        if let Some(known) = self.described.lock().unwrap_or_else(PoisonError::into_inner).get(fingerprint) {
            return Ok(Arc::clone(known));
        }
        let path = self.repo.layout.derived().join("describe").join(format!("{fingerprint}.json"));
        let description = match read_json::<ModelDescription>(&path) {
            Some(description) => description,
            None => {
                let host_error = |source| LoadError::Host { entry: entry.to_owned(), source };
                let host = self.hosts.get(&host_key(root)).map_err(host_error)?;
                let call = Call {
                    op: "describe",
                    params: serde_json::json!({}),
                    deadline: *self.describe_deadline.lock().unwrap_or_else(PoisonError::into_inner),
                    cancel: &self.options.cancel,
                    grace: Duration::ZERO,
                };
                let value = host.call(module, &call, &NoCallbacks).map_err(host_error)?;
                let description = serde_json::from_value(value)
                    .map_err(|source| LoadError::Description { entry: entry.to_owned(), source })?;
                write_json(&path, &description);
                description
            }
        };
        let description = Arc::new(description);
        self.described
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(fingerprint.to_owned(), Arc::clone(&description));
        Ok(description)
    }
}
