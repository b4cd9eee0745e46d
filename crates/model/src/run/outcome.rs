//! The result of a run, for the caller.

use std::path::PathBuf;
use std::sync::Arc;

use marsh_data::{Artifact, Artifacts, DataError, Lifetime, Metadata, OutputRecord, OutputStatus};
use marsh_extension::ModelDescription;
use serde_json::{Map, Value};

use super::evaluate::Evaluated;
use super::{Observer, RunEvent, RunRequest};
use crate::Models;
use crate::definition::Stored;
use crate::error::ModelError;
use crate::types::TypeCode;

pub use marsh_data::OutputStatus as RunStatus;

/// A result that the run wrote.
#[derive(Debug, Clone)]
pub struct ArtifactView {
    /// The version's metadata.
    pub metadata: Metadata,
    /// Where the content is; `None` for ephemeral data.
    pub path: Option<PathBuf>,
    /// The content of a resource.
    pub attributes: Option<Value>,
    /// The content of a small text file.
    pub text: Option<String>,
}

/// Text up to this size is carried along for display, in bytes.
const TEXT_LIMIT: u64 = 16 << 10;

/// A run that has ended.
#[derive(Debug)]
pub struct RunOutcome {
    /// The id of the definition.
    pub model_id: String,
    /// The name of the definition.
    pub model_name: String,
    /// The type's normalized name.
    pub model_type: String,
    /// The version of the type that ran.
    pub type_version: String,
    /// The method that ran.
    pub method: String,
    /// How the run ended.
    pub status: OutputStatus,
    /// How long the run took, in milliseconds.
    pub duration_ms: u64,
    /// The id of the output record.
    pub output_id: String,
    /// The log, relative to the repository, if the run logged anything.
    pub log_file: Option<String>,
    /// What the run wrote: the handles that the method returned, else everything.
    pub artifacts: Vec<ArtifactView>,
    /// The global arguments of the call, with secrets masked.
    pub global_arguments: Map<String, Value>,
    /// The arguments of the method, with secrets masked.
    pub method_arguments: Map<String, Value>,
    /// The fingerprint of the code; `None` for built-in methods.
    pub fingerprint: Option<String>,
    /// The SHA-256 of the bundle that ran, in hexadecimal; `None` for built-in methods.
    pub code_sha256: Option<String>,
    /// Who asked for the run.
    pub initiated_by: Option<String>,
    /// Why the run failed.
    pub error: Option<ModelError>,
    /// The reports that the type names for itself.
    pub reports: Vec<String>,
    /// Whether the type or the definition names any reports.
    pub has_reports: bool,
    /// `reports` of the definition.
    pub report_rules: Option<Value>,
    /// What the type declares.
    pub description: Arc<ModelDescription>,
}

/// Everything that is known of a run when it has ended.
pub(super) struct EndedRun<'a> {
    pub stored: &'a Stored,
    pub code: &'a TypeCode,
    pub request: &'a RunRequest<'a>,
    pub evaluated: &'a Evaluated,
    pub record: OutputRecord,
    pub artifacts: Vec<Metadata>,
    pub error: Option<ModelError>,
}

impl EndedRun<'_> {
    pub fn outcome(self, models: &Models, observer: &dyn Observer) -> RunOutcome {
        let EndedRun { stored, code, request, evaluated, record, artifacts, error } = self;
        let view = |metadata| view(models, code, &stored.definition.id, metadata, observer);
        let artifacts = artifacts.into_iter().map(view).collect();
        RunOutcome {
            model_id: stored.definition.id.clone(),
            model_name: stored.definition.name.clone(),
            model_type: code.type_name.to_string(),
            type_version: code.description.version.clone(),
            method: request.method.clone(),
            status: record.status,
            duration_ms: record.duration_ms.unwrap_or(0),
            output_id: record.id,
            log_file: record.log_file,
            artifacts,
            global_arguments: super::secrets::redacted(&models.secrets, &evaluated.global_arguments),
            method_arguments: super::secrets::redacted(&models.secrets, &evaluated.method_arguments),
            fingerprint: code.module(&request.method).map(|loaded| loaded.fingerprint.clone()),
            code_sha256: code.module(&request.method).map(|loaded| loaded.bundle_sha256.clone()),
            initiated_by: request.initiated_by.clone(),
            error,
            reports: code.description.reports.clone(),
            report_rules: stored.definition.reports.clone(),
            description: Arc::clone(&code.description),
            has_reports: !code.description.reports.is_empty() || stored.definition.reports.is_some(),
        }
    }
}

/// The view of a result. The run has ended, so a result that cannot be read is a warning.
fn view(
    models: &Models,
    code: &TypeCode,
    model_id: &str,
    metadata: Metadata,
    observer: &dyn Observer,
) -> ArtifactView {
    let version = Some(metadata.version);
    let is_json = metadata.content_type == "application/json";
    let is_text =
        metadata.content_type.starts_with("text/") && metadata.size.is_some_and(|size| size <= TEXT_LIMIT);
    let warn = |reason: String| {
        let message = format!("cannot show version {} of `{}`: {reason}", metadata.version, metadata.name);
        observer.event(&RunEvent::Warning { code: "result_unreadable", message });
    };
    let readable = |read: Result<_, DataError>| read.map_err(|error| warn(error.to_string())).ok();
    // Another process may have deleted it meanwhile; then there is nothing to show.
    let content: Option<Vec<u8>> = if is_json || is_text {
        readable(models.data.content(&code.type_name, model_id, &metadata.name, version)).flatten()
    } else {
        None
    };
    let attributes = content.as_deref().filter(|_| is_json).and_then(|bytes| {
        serde_json::from_slice(bytes).map_err(|error| warn(format!("invalid JSON: {error}"))).ok()
    });
    let text = content.filter(|_| is_text).and_then(|bytes| String::from_utf8(bytes).ok());
    let path = if metadata.lifetime == Lifetime::Ephemeral {
        None
    } else {
        let path = models.data.content_path(&code.type_name, model_id, &metadata.name, version);
        path.map_err(|error| warn(error.to_string())).ok().flatten()
    };
    ArtifactView { metadata, path, attributes, text }
}

pub(super) fn record_artifacts(artifacts: &[Metadata]) -> Option<Artifacts> {
    if artifacts.is_empty() {
        return None;
    }
    let data_artifacts = artifacts
        .iter()
        .map(|metadata| Artifact {
            data_id: metadata.id.clone(),
            name: metadata.name.clone(),
            version: metadata.version,
            tags: metadata.tags.clone(),
        })
        .collect();
    Some(Artifacts { data_artifacts })
}
