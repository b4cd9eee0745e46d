//! Reports: what an extension says about a run, as text for people and as JSON.

use marsh_host_client::Callbacks;
use marsh_host_client::protocol::ReportExecute;
use marsh_types::{Kind, TypeName};

use super::{CallOptions, Export, KindError};
use crate::loader::{Loaded, Loader};

pub use marsh_host_client::protocol::ReportResult;

/// A report of an extension.
#[derive(Debug, Clone)]
pub struct ReportExtension {
    export: Export,
}

impl ReportExtension {
    pub fn open(loader: &Loader, name: &TypeName) -> Result<ReportExtension, KindError> {
        let loaded = loader.resolve_kind(Kind::Report, name)?;
        Ok(ReportExtension { export: Export { loaded, hosts: loader.hosts().clone() } })
    }

    pub fn loaded(&self) -> &Loaded {
        &self.export.loaded
    }

    /// `method`, `model` or `workflow`.
    pub fn scope(&self) -> &str {
        self.export.loaded.description.scope.as_deref().unwrap_or_default()
    }

    pub fn labels(&self) -> &[String] {
        &self.export.loaded.description.labels
    }

    /// Runs the report; `callbacks` serve the data and definitions that it reads.
    pub fn execute(
        &self,
        params: ReportExecute,
        options: &CallOptions,
        callbacks: &dyn Callbacks,
    ) -> Result<ReportResult, KindError> {
        self.export.call(params, options, callbacks)
    }
}
