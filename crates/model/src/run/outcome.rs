//! What a run ended with.

use std::path::PathBuf;

use marsh_data::{Artifact, Artifacts, Lifetime, Metadata, OutputRecord, OutputStatus};
use serde_json::{Map, Value};

use super::RunRequest;
use super::evaluate::Evaluated;
use crate::Models;
use crate::definition::Stored;
use crate::error::ModelError;
use crate::types::TypeCode;

pub use marsh_data::OutputStatus as RunStatus;

/// A result that the run wrote.
#[derive(Debug, Clone)]
pub struct ArtifactView {
    pub metadata: Metadata,
    /// Where the content is; ephemeral data have no place.
    pub path: Option<PathBuf>,
    /// The content of a resource.
    pub attributes: Option<Value>,
    /// The content of a small text file.
    pub text: Option<String>,
}

/// Text up to this size is carried along for display.
const TEXT_LIMIT: u64 = 16 << 10;

#[derive(Debug)]
pub struct RunOutcome {
    pub model_id: String,
    pub model_name: String,
    pub model_type: String,
    pub type_version: String,
    pub method: String,
    pub status: OutputStatus,
    pub duration_ms: u64,
    pub output_id: String,
    pub log_file: Option<String>,
    pub artifacts: Vec<ArtifactView>,
    pub global_arguments: Map<String, Value>,
    pub method_arguments: Map<String, Value>,
    pub fingerprint: Option<String>,
    pub code_sha256: Option<String>,
    pub initiated_by: Option<String>,
    pub error: Option<ModelError>,
    /// The reports that the type names for itself.
    pub reports: Vec<String>,
    /// Whether the type or the definition names any reports.
    pub has_reports: bool,
}

impl RunOutcome {
    #[expect(
        clippy::too_many_arguments,
        reason = "the one place where everything about a run comes together"
    )]
    pub(super) fn new(
        models: &Models,
        stored: &Stored,
        code: &TypeCode,
        request: &RunRequest<'_>,
        evaluated: &Evaluated,
        record: OutputRecord,
        artifacts: Vec<Metadata>,
        error: Option<ModelError>,
    ) -> RunOutcome {
        let artifacts = artifacts
            .into_iter()
            .map(|metadata| view(models, code, &stored.definition.id, metadata))
            .collect();
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
            has_reports: !code.description.reports.is_empty() || stored.definition.reports.is_some(),
        }
    }
}

fn view(models: &Models, code: &TypeCode, model_id: &str, metadata: Metadata) -> ArtifactView {
    let version = Some(metadata.version);
    let is_json = metadata.content_type == "application/json";
    let is_text =
        metadata.content_type.starts_with("text/") && metadata.size.is_some_and(|size| size <= TEXT_LIMIT);
    // What was just written may be gone again if somebody deleted it meanwhile; then there is nothing to show.
    let content = if is_json || is_text {
        models.data.content(&code.type_name, model_id, &metadata.name, version).ok().flatten()
    } else {
        None
    };
    let attributes =
        content.as_deref().filter(|_| is_json).and_then(|bytes| serde_json::from_slice(bytes).ok());
    let text = content.filter(|_| is_text).and_then(|bytes| String::from_utf8(bytes).ok());
    let path = if metadata.lifetime == Lifetime::Ephemeral {
        None
    } else {
        models.data.content_path(&code.type_name, model_id, &metadata.name, version).ok().flatten()
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
