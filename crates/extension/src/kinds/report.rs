//! Reports: what an extension says about a run, as text for people and as JSON.

use std::path::PathBuf;

use marsh_host_client::Callbacks;
use marsh_types::{Kind, TypeName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{CallOptions, Export, KindError};
use crate::loader::{Loaded, Loader};

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

operations! {
    /// Parameters of `report.execute`.
    ReportExecute {
        /// The members of the report's context, `scope` among them.
        context: Value,
        /// The repository, when the host can read it at this path.
        repo_dir: Option<PathBuf>,
        /// Paths of sensitive arguments, by `global` and `method`.
        sensitive: SensitiveArguments,
    } -> ReportResult;
}

/// Paths of arguments that the schema marks as sensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SensitiveArguments {
    /// Of global arguments.
    pub global: Vec<String>,
    /// Of method arguments.
    pub method: Vec<String>,
}

/// The answer of a report.
#[derive(Debug, Clone, Deserialize)]
pub struct ReportResult {
    /// The text for people.
    pub markdown: String,
    /// The JSON text as the report made it.
    pub json: String,
}
