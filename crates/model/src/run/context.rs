//! What extension code can reach while its method runs: the parent's side of the context object.
//!
//! Content that a method writes arrives as the JSON text it made and is stored byte for byte.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;

use marsh_data::{DataError, GarbageCollection, Lifetime, Metadata, NewVersion, Owner, Tags};
use marsh_extension::OutputDescription;
use marsh_host::{CallbackError, Callbacks};
use marsh_types::{CalVer, Explain as _, TypeName};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::log::RunLog;
use super::secrets::{Writer, callback_error};
use super::{Observer, RunEvent, RunRequest, Trigger};
use crate::Models;
use crate::definition::Stored;
use crate::error::ModelError;
use crate::types::TypeCode;

pub struct RunContext<'a> {
    pub(super) models: &'a Models,
    pub(super) stored: &'a Stored,
    pub(super) code: &'a TypeCode,
    pub(super) request: &'a RunRequest<'a>,
    pub(super) log: &'a RunLog,
    observer: &'a dyn Observer,
    /// Everything written, in order; callbacks of one call run on one thread.
    written: RefCell<Vec<Metadata>>,
    pub(super) writers: RefCell<BTreeMap<u64, Writer>>,
    pub(super) next_writer: Cell<u64>,
    failure: RefCell<Option<ModelError>>,
}

/// What a call of `writeResource` or `createFileWriter` may override.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Overrides {
    #[serde(default)]
    lifetime: Option<String>,
    #[serde(default)]
    garbage_collection: Option<Value>,
    #[serde(default)]
    tags: Option<Map<String, Value>>,
    #[serde(default)]
    content_type: Option<String>,
    #[serde(default)]
    streaming: Option<bool>,
    #[serde(default)]
    pub(super) vault_name: Option<String>,
}

impl Overrides {
    pub(super) fn with_tags(tags: Map<String, Value>) -> Overrides {
        Overrides { tags: Some(tags), ..Overrides::default() }
    }
}

impl<'a> RunContext<'a> {
    pub(super) fn new(
        models: &'a Models,
        stored: &'a Stored,
        code: &'a TypeCode,
        request: &'a RunRequest<'a>,
        log: &'a RunLog,
        observer: &'a dyn Observer,
    ) -> RunContext<'a> {
        RunContext {
            models,
            stored,
            code,
            request,
            log,
            observer,
            written: RefCell::default(),
            writers: RefCell::default(),
            next_writer: Cell::new(1),
            failure: RefCell::default(),
        }
    }

    pub(super) fn observe(&self, mut event: RunEvent) {
        match &mut event {
            RunEvent::Output { line: text, .. } | RunEvent::Warning { message: text, .. } => {
                *text = self.redact(text).into_owned();
            }
            RunEvent::Extension(value) => self.models.secrets.redact_value(value),
            _ => {}
        }
        self.observer.event(&event);
    }

    pub(super) fn output(&self, stream: &str, line: &str) {
        self.log.line(if stream == "stderr" { "ERR" } else { "INF" }, line);
        self.observe(RunEvent::Output { stream: stream.to_owned(), line: line.to_owned() });
    }

    /// A callback that must not fail quietly (the stored upgrade) fails the run even if the code caught its error.
    pub(super) fn check_sound(&self) -> Result<(), ModelError> {
        match self.failure.borrow_mut().take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// What the run wrote: the handles that the method returned, in its order, else everything.
    pub(super) fn artifacts(&self, result: Option<&Value>) -> Vec<Metadata> {
        let written = self.written.borrow();
        let returned: Vec<&str> = result
            .and_then(|value| value.get("handles"))
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|handle| handle.get("dataId").and_then(Value::as_str))
            .collect();
        if returned.is_empty() {
            return written.clone();
        }
        returned.iter().filter_map(|id| written.iter().find(|metadata| metadata.id == *id)).cloned().collect()
    }

    /// Removes what the run wrote, newest first.
    pub(super) fn roll_back(&self) -> Result<(), ModelError> {
        let written = std::mem::take(&mut *self.written.borrow_mut());
        for metadata in written.iter().rev() {
            let model_id = &self.stored.definition.id;
            self.models.data.delete(
                &self.code.type_name,
                model_id,
                &metadata.name,
                Some(metadata.version),
            )?;
        }
        Ok(())
    }

    pub(super) fn owner(&self) -> Owner {
        let mut owner = Owner::model_method(&self.stored.definition.id);
        if let Trigger::Workflow(workflow) = &self.request.trigger {
            owner.workflow_id = Some(workflow.workflow_id.clone());
            owner.workflow_run_id = Some(workflow.workflow_run_id.clone());
            owner.workflow_name = Some(workflow.workflow_name.clone());
            owner.job_name = Some(workflow.job.clone());
            owner.step_name = Some(workflow.step.clone());
            owner.source = Some("step-output".to_owned());
        }
        owner
    }

    /// Tags in layers, later ones win: type, definition, spec, call, names, workflow, run.
    fn tags(&self, kind: &str, spec_name: &str, spec: &OutputDescription, overrides: &Overrides) -> Tags {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let mut tags = Tags::new();
        tags.set("type", kind);
        tags.extend(self.stored.definition.tag_pairs());
        for map in [spec.tags.as_ref(), overrides.tags.as_ref()].into_iter().flatten() {
            tags.extend(map.iter().map(|(key, value)| (key.as_str(), text(value))));
        }
        tags.set("specName", spec_name);
        tags.set("modelName", self.stored.definition.name.as_str());
        if let Trigger::Workflow(workflow) = &self.request.trigger {
            tags.extend(workflow.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
            tags.set("source", "step-output");
            tags.set("workflow", workflow.workflow_name.as_str());
            tags.set("workflowId", workflow.workflow_id.as_str());
            tags.set("workflowRunId", workflow.workflow_run_id.as_str());
            tags.set("job", workflow.job.as_str());
            tags.set("step", workflow.step.as_str());
        }
        tags.extend(self.request.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        self.override_tags(spec_name, &mut tags);
        if self.models.secrets.is_empty() {
            return tags;
        }
        // Those that marsh sets are names, and data are found by them.
        let own = [
            "type",
            "specName",
            "modelName",
            "source",
            "workflow",
            "workflowId",
            "workflowRunId",
            "job",
            "step",
        ];
        let masked = |(key, value): (&str, &str)| {
            let value = if own.contains(&key) { value.to_owned() } else { self.redact(value).into_owned() };
            (key.to_owned(), value)
        };
        tags.iter().map(masked).collect()
    }

    pub(super) fn new_version<'n>(
        &'n self,
        kind: &str,
        spec_name: &str,
        spec: &'n OutputDescription,
        name: &'n str,
        overrides: &'n Overrides,
    ) -> Result<NewVersion<'n>, DataError> {
        let step = self.output_override(spec_name);
        let lifetime = step.and_then(|step| step.lifetime.as_deref()).or(overrides.lifetime.as_deref());
        let lifetime = lifetime.unwrap_or(&spec.lifetime);
        let lifetime: Lifetime = lifetime.parse()?;
        let collection = step
            .and_then(|step| step.garbage_collection.as_ref())
            .or(overrides.garbage_collection.as_ref())
            .unwrap_or(&spec.garbage_collection);
        let garbage_collection = match collection.as_u64().and_then(|count| u32::try_from(count).ok()) {
            Some(count) => GarbageCollection::keep(count),
            None => collection.as_str().map(str::parse).transpose()?,
        };
        let garbage_collection =
            garbage_collection.ok_or(marsh_data::PolicyError::GarbageCollection(collection.to_string()))?;
        let default_type = if kind == "resource" { "application/json" } else { "application/octet-stream" };
        let content_type = overrides.content_type.as_deref().or(spec.content_type.as_deref());
        Ok(NewVersion {
            type_path: &self.code.type_name,
            model_id: &self.stored.definition.id,
            name,
            content_type: content_type.unwrap_or(default_type),
            lifetime,
            garbage_collection,
            streaming: overrides.streaming.or(spec.streaming).unwrap_or(false),
            tags: self.tags(kind, spec_name, spec, overrides),
            owner: self.owner(),
            lifecycle: None,
            renamed_to: None,
        })
    }

    pub(super) fn saved(&self, metadata: Metadata) -> Value {
        self.observe(RunEvent::Saved { name: metadata.name.clone(), version: metadata.version });
        let handle = handle(&metadata);
        self.written.borrow_mut().push(metadata);
        handle
    }

    pub(super) fn write_resource(
        &self,
        spec_name: &str,
        name: &str,
        content: &[u8],
        overrides: Option<Overrides>,
    ) -> Result<Value, DataError> {
        let spec = self.code.description.resource(spec_name);
        let spec = spec.ok_or_else(|| DataError::NoSuchData { name: spec_name.to_owned() })?;
        let overrides = overrides.unwrap_or_default();
        let name = self.stored_name(spec_name, name);
        let new = self.new_version("resource", spec_name, spec, &name, &overrides)?;
        Ok(self.saved(self.models.data.write(&new, content)?))
    }

    pub(super) fn write_file(
        &self,
        spec_name: &str,
        name: &str,
        content: &[u8],
        overrides: Option<Overrides>,
    ) -> Result<Value, DataError> {
        let spec = self.code.description.file(spec_name);
        let spec = spec.ok_or_else(|| DataError::NoSuchData { name: spec_name.to_owned() })?;
        let overrides = overrides.unwrap_or_default();
        let name = self.stored_name(spec_name, name);
        let new = self.new_version("file", spec_name, spec, &name, &overrides)?;
        Ok(self.saved(self.models.data.write(&new, content)?))
    }

    /// Records that the definition was made for, or upgraded to, this version of its type.
    pub(super) fn stamp_type_version(&self, version: &str) -> Result<(), ModelError> {
        let version: Option<CalVer> = version.parse().ok();
        if self.stored.definition.type_version >= version {
            return Ok(());
        }
        let mut stored = self.stored.clone();
        stored.definition.type_version = version;
        self.models.definitions.save_in_place(&stored)
    }

    fn upgraded(&self, params: &Value) -> Result<Value, ModelError> {
        let mut stored = self.stored.clone();
        if let Some(Value::Object(globals)) = params.get("globalArguments") {
            stored.definition.global_arguments = globals.clone();
        }
        let to_version = params.get("toVersion").and_then(Value::as_str).unwrap_or_default();
        stored.definition.type_version = to_version.parse().ok();
        self.models.definitions.save_in_place(&stored)?;
        if params.get("applied").and_then(Value::as_array).is_some_and(|applied| !applied.is_empty()) {
            self.observe(RunEvent::Upgraded {
                name: stored.definition.name.clone(),
                to_version: to_version.to_owned(),
            });
        }
        Ok(Value::Null)
    }

    fn context_request(&self, method: &str, params: Value) -> Result<Value, CallbackError> {
        let model_id = &self.stored.definition.id;
        match method {
            "writeResource" => {
                #[derive(Deserialize)]
                struct Write {
                    spec: String,
                    instance: Option<String>,
                    content: String,
                    #[serde(default)]
                    sensitive: Vec<String>,
                    overrides: Option<Overrides>,
                }
                let write: Write = read(params)?;
                let instance = write.instance.unwrap_or_default();
                self.check_name_holds_no_secret(&instance)?;
                let (content, replaced) = self
                    .protected(
                        &write.spec,
                        &instance,
                        &write.content,
                        &write.sensitive,
                        write.overrides.as_ref(),
                    )
                    .map_err(callback_error)?;
                let mut handle = self
                    .write_resource(&write.spec, &instance, content.as_bytes(), write.overrides)
                    .map_err(data_error)?;
                handle["replaced"] = Value::Array(replaced);
                Ok(handle)
            }
            "readResource" => {
                #[derive(Deserialize)]
                struct Read {
                    instance: String,
                    version: Option<u32>,
                }
                let wanted: Read = read(params)?;
                let content = self
                    .models
                    .data
                    .content(&self.code.type_name, model_id, &wanted.instance, wanted.version)
                    .map_err(data_error)?;
                // The text itself: the engine that wrote it parses it back, whatever other parsers think of it.
                content.map_or(Ok(Value::Null), |bytes| self.with_secrets(bytes).map(Value::String))
            }
            "deleteResource" => {
                #[derive(Deserialize)]
                struct Delete {
                    instance: String,
                }
                let wanted: Delete = read(params)?;
                let data = &self.models.data;
                data.delete(&self.code.type_name, model_id, &wanted.instance, None).map_err(data_error)?;
                Ok(Value::Null)
            }
            "readModelData" => {
                #[derive(Deserialize)]
                #[serde(rename_all = "camelCase")]
                struct Wanted {
                    model_name: String,
                    spec: Option<String>,
                }
                let wanted: Wanted = read(params)?;
                self.models
                    .data_records(&wanted.model_name, wanted.spec.as_deref())
                    .map(Value::Array)
                    .map_err(|error| CallbackError::new(error.code().as_str(), error.to_string()))
            }
            "definition/findByName" | "definition/findById" => {
                self.models.query_definition(method.trim_start_matches("definition/"), &params)
            }
            "extensionFile" => {
                let path = params.get("path").and_then(Value::as_str).unwrap_or_default();
                self.extension_file(path)
            }
            "upgraded" => self.upgraded(&params).map_err(|error| {
                let answer = CallbackError::new(error.code().as_str(), error.to_string());
                *self.failure.borrow_mut() = Some(error);
                answer
            }),
            _ => Err(unknown(method)),
        }
    }

    /// A file that belongs to the extension: relative, inside it, and there.
    fn extension_file(&self, relative: &str) -> Result<Value, CallbackError> {
        let method = &self.request.method;
        let Some(loaded) = self.code.module(method) else { return Err(unknown("extensionFile")) };
        let (_, base) = loaded.source_of(method);
        file_of(base, relative)
    }
}

/// A file that belongs to the extension with this base.
pub(super) fn file_of(base: &Path, relative: &str) -> Result<Value, CallbackError> {
    let unsafe_path = |error: marsh_fs::UnsafePath| CallbackError::new("unsafe_path", error.to_string());
    let pulled = base.join("files");
    let root = if pulled.is_dir() { &pulled } else { base };
    let path = marsh_fs::safe_join(root, relative).map_err(unsafe_path)?;
    if !path.is_file() {
        return Err(CallbackError::new("not_found", format!("the extension has no file `{relative}`")));
    }
    Ok(json!(path))
}

impl Callbacks for RunContext<'_> {
    fn request(&self, method: &str, params: Value) -> Result<Value, CallbackError> {
        let Some(name) = method.strip_prefix("context/") else { return Err(unknown(method)) };
        if let Some(method) = name.strip_prefix("data/") {
            return self.data_request(method, params);
        }
        if let Some(method) = name.strip_prefix("file/") {
            return self.file_request(method, params);
        }
        self.context_request(name, params)
    }

    fn notify(&self, method: &str, params: Value) {
        let text = |key: &str| params.get(key).and_then(Value::as_str).unwrap_or_default();
        match method {
            "output" => self.output(text("stream"), text("line")),
            "context/log" => {
                let (level, message) = (text("level"), text("message"));
                let short = match level {
                    "trace" => "TRC",
                    "debug" => "DBG",
                    "info" => "INF",
                    "warning" => "WRN",
                    "fatal" => "FTL",
                    _ => "ERR",
                };
                self.log.line(short, message);
                let stream = match level {
                    "trace" | "debug" => return,
                    "info" => "stdout",
                    _ => "stderr",
                };
                self.observe(RunEvent::Output { stream: stream.into(), line: message.to_owned() });
            }
            "context/schemaWarning" => {
                let message =
                    format!("`{}` does not match its schema: {}", text("instanceName"), text("error"));
                self.log.line("WRN", &message);
                self.observe(RunEvent::Warning { code: "schema_validation_warning", message });
            }
            "context/executing" => {
                let checks = params.get("checks").and_then(Value::as_array).into_iter().flatten();
                let checks = checks.filter_map(Value::as_str).map(str::to_owned).collect();
                self.observe(RunEvent::Executing { method: text("method").to_owned(), checks });
            }
            "context/event" => self.observe(RunEvent::Extension(params)),
            // Process groups are the supervisor's business.
            _ => {}
        }
    }
}

impl Models {
    /// Definitions, as code asks for them.
    pub(super) fn query_definition(&self, method: &str, params: &Value) -> Result<Value, CallbackError> {
        let text = |key: &str| params.get(key).and_then(Value::as_str).unwrap_or_default();
        let by_name = method == "findByName";
        let wanted = TypeName::parse(text("type")).ok();
        match self.definitions.find(text(if by_name { "name" } else { "id" })) {
            Ok(found) if by_name => Ok(json!({ "definition": found.definition, "type": found.type_name })),
            Ok(found) if found.definition.id == text("id") && wanted.as_ref() == Some(&found.type_name) => {
                Ok(json!(found.definition))
            }
            Ok(_) | Err(ModelError::ModelNotFound { .. }) => Ok(Value::Null),
            Err(error) => Err(CallbackError::new(error.code().as_str(), error.to_string())),
        }
    }

    /// The latest living data of a model, as records with their content.
    pub fn data_records(&self, name: &str, spec: Option<&str>) -> Result<Vec<Value>, ModelError> {
        let stored = self.definitions.find(name)?;
        let (ty, id) = (&stored.type_name, &stored.definition.id);
        let mut records = Vec::new();
        for metadata in self.data.list_model(ty, id)? {
            if metadata.is_deleted() || spec.is_some_and(|spec| metadata.tags.get("specName") != Some(spec)) {
                continue;
            }
            let bytes =
                self.data.content(ty, id, &metadata.name, Some(metadata.version))?.unwrap_or_default();
            let content = if metadata.content_type == "application/json" {
                let mut content = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
                self.vaults.resolve_stored(&mut content, &self.secrets, "readModelData")?;
                content
            } else if metadata.content_type.starts_with("text/") {
                json!(String::from_utf8_lossy(&bytes))
            } else {
                json!("")
            };
            let mut record = to_json(&metadata);
            record["attributes"] = if content.is_object() { content.clone() } else { json!({}) };
            record["content"] = content;
            record["modelName"] = json!(stored.definition.name);
            record["modelId"] = json!(id);
            record["modelType"] = json!(ty);
            record["specName"] = json!(metadata.tags.get("specName"));
            records.push(record);
        }
        Ok(records)
    }
}

/// A handle as methods receive it.
pub(super) fn handle(metadata: &Metadata) -> Value {
    json!({
        "name": metadata.name,
        "specName": metadata.tags.get("specName"),
        "kind": metadata.tags.get("type"),
        "dataId": metadata.id,
        "version": metadata.version,
        "size": metadata.size,
        "tags": metadata.tags,
        "metadata": {
            "contentType": metadata.content_type,
            "lifetime": metadata.lifetime,
            "garbageCollection": metadata.garbage_collection,
            "streaming": metadata.streaming,
            "tags": metadata.tags,
            "ownerDefinition": metadata.owner_definition,
        },
    })
}

pub(super) fn to_json(metadata: &Metadata) -> Value {
    serde_json::to_value(metadata).unwrap_or(Value::Null)
}

pub(super) fn read<T: DeserializeOwned>(params: Value) -> Result<T, CallbackError> {
    serde_json::from_value(params)
        .map_err(|error| CallbackError::new("invalid_arguments", format!("unusable arguments: {error}")))
}

pub(super) fn data_error(error: DataError) -> CallbackError {
    CallbackError { code: error.code().to_string(), message: error.to_string(), data: error.details() }
}

pub(super) fn unknown(method: &str) -> CallbackError {
    CallbackError::new("unsupported", format!("`{method}` is not available in this version of marsh"))
}
