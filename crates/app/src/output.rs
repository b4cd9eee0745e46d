//! Records of method runs.

use std::collections::HashMap;

use marsh_api::model::{LogLines, OutputData, OutputDocument, OutputLog, OutputRow, OutputSearch};
use marsh_data::{Artifact, StoredOutput};
use marsh_model::ModelError;
use marsh_types::near;
use serde_json::Value;

use crate::data::content_value;
use crate::error::AppError;
use crate::method::run_status;
use crate::session::Read;

impl Read<'_> {
    /// A record by its id or the start of it, else the last run of the model of that name.
    fn find_output(&self, wanted: &str) -> Result<StoredOutput, AppError> {
        let models = self.models();
        // A prefix that is too short or ambiguous can still be the name of a model.
        let by_id = models.outputs.find(wanted);
        if let Ok(Some(output)) = by_id {
            return Ok(output);
        }
        let stored = match models.definitions.find(wanted) {
            Ok(stored) => stored,
            Err(ModelError::ModelNotFound { .. }) => {
                by_id?;
                return Err(AppError::not_found(
                    format!("unknown run or model `{wanted}`"),
                    "`marsh model output search` lists all runs",
                ));
            }
            Err(error) => return Err(error.into()),
        };
        let outputs = models.outputs.list_type(&stored.type_name)?.outputs;
        outputs
            .into_iter()
            .filter(|output| output.record.definition_id == stored.definition.id)
            .max_by(|a, b| a.record.started_at.cmp(&b.record.started_at))
            .ok_or_else(|| AppError::NotFound { message: format!("`{wanted}` has no runs"), hint: None })
    }

    /// The record of a run: by its id, the start of it, or the name of the model that ran last.
    ///
    /// # Errors
    ///
    /// When no record matches, or several do.
    pub fn output(&self, wanted: &str) -> Result<OutputDocument, AppError> {
        let StoredOutput { record, type_path, .. } = self.find_output(wanted)?;
        let encode = |error: serde_json::Error| AppError::Read {
            what: "the run's record".into(),
            source: error.into(),
        };
        let model = self.models().definitions.find(&record.definition_id);
        Ok(OutputDocument {
            model_name: model.ok().map(|stored| stored.definition.name),
            type_name: type_path.to_string(),
            status: run_status(record.status),
            error: record.error.as_ref().map(serde_json::to_value).transpose().map_err(encode)?,
            provenance: serde_json::to_value(&record.provenance).map_err(encode)?,
            artifacts: record.artifacts.as_ref().map(serde_json::to_value).transpose().map_err(encode)?,
            id: record.id,
            definition_id: record.definition_id,
            method_name: record.method_name,
            started_at: record.started_at,
            completed_at: record.completed_at,
            duration_ms: record.duration_ms,
            retry_count: record.retry_count,
            log_file: record.log_file,
            pid: record.pid,
        })
    }

    /// The records whose model, type or method contain `query`, the newest first. Damaged ones come as warnings.
    ///
    /// # Errors
    ///
    /// When the records cannot be listed.
    pub fn search_outputs(&self, query: &str) -> Result<(OutputSearch, Vec<String>), AppError> {
        let listing = self.models().outputs.list()?;
        let warnings = listing
            .damaged
            .iter()
            .map(|damaged| format!("skipped {}: {}", self.display(&damaged.path), damaged.message))
            .collect();
        let names: HashMap<String, String> = self
            .models()
            .definitions
            .list()
            .0
            .into_iter()
            .map(|stored| (stored.definition.id, stored.definition.name))
            .collect();
        let wanted = query.to_lowercase();
        let mut results: Vec<OutputRow> = listing
            .outputs
            .into_iter()
            .map(|StoredOutput { record, type_path, .. }| OutputRow {
                model_name: names.get(&record.definition_id).cloned(),
                id: record.id,
                definition_id: record.definition_id,
                type_name: type_path.to_string(),
                method_name: record.method_name,
                status: run_status(record.status),
                started_at: record.started_at,
                duration_ms: record.duration_ms,
            })
            .filter(|row| {
                row.model_name.as_ref().is_some_and(|name| name.to_lowercase().contains(&wanted))
                    || row.type_name.contains(&wanted)
                    || row.method_name.to_lowercase().contains(&wanted)
            })
            .collect();
        results.sort_by(|a, b| b.started_at.cmp(&a.started_at));
        Ok((OutputSearch { query: query.to_owned(), results }, warnings))
    }

    /// The content of a datum that a run wrote, or one field of it. Without `name`, the datum is the first result of the
    /// run other than reports.
    ///
    /// # Errors
    ///
    /// When no record matches, the run did not write the datum, its version is gone, or it has no such field.
    pub fn output_data(
        &self,
        wanted: &str,
        name: Option<&str>,
        field: Option<&str>,
    ) -> Result<OutputData, AppError> {
        let StoredOutput { record, type_path, .. } = self.find_output(wanted)?;
        let artifacts = record.artifacts.unwrap_or_default().data_artifacts;
        let is_tagged = |artifact: &&Artifact, kind: &str| artifact.tags.get("type") == Some(kind);
        let artifact = match name {
            Some(name) => artifacts.iter().find(|artifact| artifact.name == name),
            None => artifacts
                .iter()
                .find(|artifact| is_tagged(artifact, "data"))
                .or_else(|| artifacts.iter().find(|artifact| !is_tagged(artifact, "report")))
                .or(artifacts.first()),
        };
        let Some(artifact) = artifact else {
            let (message, near) = match name {
                None => (format!("run {} wrote nothing", record.id), None),
                Some(name) => (
                    format!("run {} did not write `{name}`", record.id),
                    near::did_you_mean(name, artifacts.iter().map(|artifact| artifact.name.as_str())),
                ),
            };
            let hint = near.unwrap_or_else(|| format!("`marsh model output get {}` shows it", record.id));
            return Err(AppError::not_found(message, hint));
        };
        let data = &self.models().data;
        let found = data.metadata(&type_path, &record.definition_id, &artifact.name, artifact.version)?;
        let bytes =
            data.content(&type_path, &record.definition_id, &artifact.name, Some(artifact.version))?;
        let (Some(metadata), Some(bytes)) = (found, bytes) else {
            return Err(AppError::NotFound {
                message: format!(
                    "version {} of `{}`, which run {} wrote, is not there any more",
                    artifact.version, artifact.name, record.id
                ),
                hint: None,
            });
        };
        let content = content_value(&metadata, &bytes);
        let data = match field {
            None => content,
            Some(field) => field_of(content, &artifact.name, field)?,
        };
        Ok(OutputData {
            output_id: record.id,
            method_name: record.method_name,
            data_id: metadata.id,
            data_name: metadata.name,
            version: metadata.version,
            content_type: metadata.content_type,
            field: field.map(str::to_owned),
            data,
        })
    }

    /// The log of a run, or its last `tail` lines.
    ///
    /// # Errors
    ///
    /// When no record matches, or the log cannot be read.
    pub fn output_log(&self, wanted: &str, tail: Option<usize>) -> Result<OutputLog, AppError> {
        let record = self.find_output(wanted)?.record;
        // A run that said nothing leaves no file.
        let log = record.log_file.as_deref();
        let text = match log {
            None => String::new(),
            Some(log) => marsh_fs::read_to_string(self.models().repo.layout.root().join(log))
                .map_err(|source| AppError::Read { what: log.to_owned(), source })?,
        };
        Ok(OutputLog {
            output_id: record.id,
            method_name: record.method_name,
            log: LogLines::of(log, &text, tail),
        })
    }
}

/// A key of a JSON object. A dot in it is a dot.
fn field_of(content: Value, name: &str, field: &str) -> Result<Value, AppError> {
    let Value::Object(mut map) = content else {
        return Err(AppError::usage(format!("`{name}` has no fields: its content is not a JSON object")));
    };
    map.remove(field).ok_or_else(|| {
        let keys: Vec<&str> = map.keys().map(String::as_str).collect();
        AppError::NotFound {
            message: format!("`{name}` has no field `{field}`"),
            hint: Some(
                near::did_you_mean(field, keys.iter().copied())
                    .unwrap_or_else(|| format!("fields: {}", keys.join(", "))),
            ),
        }
    })
}
