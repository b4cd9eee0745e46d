//! What extension code can reach while its method runs: the parent's side of the context object.
//!
//! Content that a method writes arrives as the JSON text that it made, and is stored byte for byte.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::time::Instant;

use marsh_data::{DataError, GarbageCollection, Lifetime, Metadata, NewVersion, Owner, Tags};
use marsh_extension::OutputDescription;
use marsh_host_client::protocol::{
    FindDefinition, Log, LogLevel, OutputStream, Overrides, ReadResource, Upgraded, WriteResource,
};
use marsh_host_client::{
    CallbackError, Callbacks, CancelToken, ContextAnswer, ContextNotice, ContextRequest, unavailable,
};
use marsh_types::{CalVer, Explain as _, TypeName};
use marsh_vault::Secret;
use serde_json::{Value, json};

use super::callback_error::{callback_error, data_error};
use super::file_writer::FileWriter;
use super::log::RunLog;
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
    /// Cancels this run: with the request, or alone (`crate::running`).
    pub(super) cancel: CancelToken,
    observer: &'a dyn Observer,
    /// Everything written, in order; requests of one call are answered on one thread.
    written: RefCell<Vec<Metadata>>,
    pub(super) writers: RefCell<BTreeMap<u64, FileWriter>>,
    pub(super) next_writer: Cell<u64>,
    failure: RefCell<Option<ModelError>>,
    /// Nested runs so far, of all runs below the outermost.
    pub(super) nested_calls: Arc<AtomicUsize>,
    pub(super) started: Instant,
    /// The id of the run's record; empty where there is none.
    pub(super) output_id: String,
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
            cancel: CancelToken::new(),
            observer,
            written: RefCell::default(),
            writers: RefCell::default(),
            next_writer: Cell::new(1),
            failure: RefCell::default(),
            nested_calls: request.caller.map(super::Caller::calls).unwrap_or_default(),
            started: Instant::now(),
            output_id: String::new(),
        }
    }

    pub(super) fn of_record(self, output_id: &str) -> RunContext<'a> {
        RunContext { output_id: output_id.to_owned(), ..self }
    }

    pub(super) fn observer(&self) -> &'a dyn Observer {
        self.observer
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
        self.log_line(if stream == OutputStream::Stderr.as_str() { "ERR" } else { "INF" }, line);
        self.observe(RunEvent::Output { stream: stream.to_owned(), line: line.to_owned() });
    }

    /// Writes to the run's log, which counts the lines that it loses.
    pub(super) fn log_line(&self, level: &str, message: &str) {
        self.log.line(level, message);
    }

    /// A callback that must not fail quietly (the stored upgrade) fails the run even if the code caught its error.
    pub(super) fn check_sound(&self) -> Result<(), ModelError> {
        match self.failure.borrow_mut().take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The data that the run wrote: those whose ids the method returned, in its order, else all.
    pub(super) fn artifacts(&self, returned: &[String]) -> Vec<Metadata> {
        let written = self.written.borrow();
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
        overrides: Option<&Overrides>,
    ) -> Result<Value, DataError> {
        let spec = self.code.description.resource(spec_name);
        let spec = spec.ok_or_else(|| DataError::NoSuchData { name: spec_name.to_owned() })?;
        let none = Overrides::default();
        let overrides = overrides.unwrap_or(&none);
        let name = self.stored_name(spec_name, name);
        let new = self.new_version("resource", spec_name, spec, &name, overrides)?;
        Ok(self.saved(self.models.data.write(&new, content)?))
    }

    pub(super) fn write_file(
        &self,
        spec_name: &str,
        name: &str,
        content: &[u8],
        overrides: Option<&Overrides>,
    ) -> Result<Value, DataError> {
        let spec = self.code.description.file(spec_name);
        let spec = spec.ok_or_else(|| DataError::NoSuchData { name: spec_name.to_owned() })?;
        let none = Overrides::default();
        let overrides = overrides.unwrap_or(&none);
        let name = self.stored_name(spec_name, name);
        let new = self.new_version("file", spec_name, spec, &name, overrides)?;
        Ok(self.saved(self.models.data.write(&new, content)?))
    }

    /// Records that the definition was made for, or upgraded to, this version of its type.
    pub(super) fn stamp_type_version(&self, version: &str) -> Result<(), ModelError> {
        let version = self.parsed_type_version(version)?;
        if self.stored.definition.type_version >= Some(version) {
            return Ok(());
        }
        let mut stored = self.stored.clone();
        stored.definition.type_version = Some(version);
        self.models.definitions.save_in_place(&stored)
    }

    fn parsed_type_version(&self, text: &str) -> Result<CalVer, ModelError> {
        text.parse().map_err(|error| ModelError::InvalidDefinition {
            path: self.stored.path.clone(),
            reason: format!("invalid type version `{text}`: {error}"),
        })
    }

    fn upgraded(&self, upgraded: Upgraded) -> Result<(), ModelError> {
        let mut stored = self.stored.clone();
        stored.definition.global_arguments = upgraded.global_arguments;
        stored.definition.type_version = Some(self.parsed_type_version(&upgraded.to_version)?);
        self.models.definitions.save_in_place(&stored)?;
        if !upgraded.applied.is_empty() {
            let name = stored.definition.name.clone();
            self.observe(RunEvent::Upgraded { name, to_version: upgraded.to_version });
        }
        Ok(())
    }

    fn write_requested(&self, write: &WriteResource) -> Result<Value, CallbackError> {
        let WriteResource { spec, instance, content, sensitive, overrides } = write;
        let instance = instance.as_deref().unwrap_or_default();
        self.check_name_holds_no_secret(instance)?;
        let (content, replaced) =
            self.protected(spec, instance, content, sensitive, overrides.as_ref()).map_err(callback_error)?;
        let mut handle = self
            .write_resource(spec, instance, content.as_bytes(), overrides.as_ref())
            .map_err(data_error)?;
        handle["replaced"] = Value::Array(replaced);
        Ok(handle)
    }

    /// The text itself: the engine that wrote it parses it back, whatever other parsers think of it.
    fn read_requested(&self, wanted: &ReadResource) -> Result<Option<String>, CallbackError> {
        let (model_id, data) = (&self.stored.definition.id, &self.models.data);
        let content = data
            .content(&self.code.type_name, model_id, &wanted.instance, wanted.version)
            .map_err(data_error)?;
        content.map(|bytes| self.with_secrets(bytes)).transpose()
    }

    /// A file that belongs to the extension: relative, inside it, and there.
    fn extension_file(&self, relative: &str) -> Result<ContextAnswer, CallbackError> {
        let method = &self.request.method;
        let Some(loaded) = self.code.module(method) else {
            return Err(CallbackError::new("unsupported", format!("`{method}` belongs to no extension")));
        };
        let (_, base) = loaded.source_of(method);
        file_of(base, relative)
    }
}

/// A file that belongs to the extension with this base.
pub(super) fn file_of(base: &Path, relative: &str) -> Result<ContextAnswer, CallbackError> {
    let unsafe_path = |error: marsh_fs::UnsafePath| CallbackError::new("unsafe_path", error.to_string());
    let pulled = base.join("files");
    let root = if pulled.is_dir() { &pulled } else { base };
    let path = marsh_fs::safe_join(root, relative).map_err(unsafe_path)?;
    if !path.is_file() {
        return Err(CallbackError::new("not_found", format!("the extension has no file `{relative}`")));
    }
    Ok(ContextAnswer::Path(Some(path)))
}

impl Callbacks for RunContext<'_> {
    fn request(&self, request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
        use ContextRequest as Ask;
        match request {
            Ask::WriteResource(write) => self.write_requested(&write).map(ContextAnswer::Document),
            Ask::ReadResource(wanted) => self.read_requested(&wanted).map(ContextAnswer::Text),
            Ask::DeleteResource(wanted) => {
                let (model_id, data) = (&self.stored.definition.id, &self.models.data);
                data.delete(&self.code.type_name, model_id, &wanted.instance, None).map_err(data_error)?;
                Ok(ContextAnswer::Nothing)
            }
            Ask::ReadModelData(wanted) => self
                .models
                .data_records(&wanted.model_name, wanted.spec.as_deref())
                .map(|records| ContextAnswer::Document(Value::Array(records)))
                .map_err(callback_error),
            Ask::ExtensionFile(wanted) => self.extension_file(&wanted.path),
            Ask::RepoDir(_) | Ask::DataGetPath(_) | Ask::DataGetContentPath(_)
                if !self.request.driver.sees_repository() =>
            {
                let message = format!(
                    "`{}` is a path on another machine: the repository is not mounted where the method runs",
                    request.name()
                );
                Err(CallbackError::new("unsupported", message))
            }
            Ask::RepoDir(_) => Ok(ContextAnswer::Path(Some(self.models.repo.layout.root().to_owned()))),
            Ask::Upgraded(upgraded) => {
                self.upgraded(upgraded).map(|()| ContextAnswer::Nothing).map_err(|error| {
                    let answer = CallbackError::new(error.code().as_str(), error.to_string());
                    *self.failure.borrow_mut() = Some(error);
                    answer
                })
            }
            Ask::BeginFile(begin) => self.begin_file(begin).map(ContextAnswer::File),
            Ask::AppendFile(append) => self.append_file(append).map(|()| ContextAnswer::Nothing),
            Ask::FinalizeFile(finalize) => self.finalize_file(finalize.writer).map(ContextAnswer::Document),
            Ask::Redact(wanted) => Ok(ContextAnswer::Text(Some(self.redact(&wanted.text).into_owned()))),
            Ask::AddSecret(secret) => {
                self.models.secrets.track(&Secret::new(secret.value));
                Ok(ContextAnswer::Nothing)
            }
            Ask::HasSecrets(_) => Ok(ContextAnswer::Flag(!self.models.secrets.is_empty())),
            Ask::DataSave(save) => self.save_data(&save).map(ContextAnswer::Count),
            Ask::DefinitionPath(_) if !self.request.driver.sees_repository() => {
                Err(CallbackError::new("unsupported", "the repository is not mounted where the method runs"))
            }
            Ask::FindDefinitionByName(_)
            | Ask::FindDefinitionById(_)
            | Ask::FindDefinitions(_)
            | Ask::DefinitionPath(_) => self.models.query_definition(request),
            Ask::RunModel(wanted) => Ok(ContextAnswer::Document(self.run_nested(wanted))),
            Ask::DatastoreLocked(_) => Err(unavailable(&request)),
            request if request.name().is_of_vaults() => {
                let caller = super::secrets::caller(self.request);
                self.models.ask_vault(request, &caller, &mut |message| {
                    self.observe(RunEvent::Warning { code: "secret_not_refreshed", message });
                })
            }
            other => self.models.query_data(Some(&self.code.type_name), other),
        }
    }

    fn notice(&self, notice: ContextNotice) {
        match notice {
            ContextNotice::Output(output) => self.output(output.stream.as_str(), &output.line),
            ContextNotice::Log(log) => self.logged(log),
            ContextNotice::SchemaWarning(warning) => {
                let instance = warning.instance_name.unwrap_or_default();
                let message = format!("`{instance}` does not match its schema: {}", warning.error);
                self.log_line("WRN", &message);
                self.observe(RunEvent::Warning { code: "schema_validation_warning", message });
            }
            ContextNotice::Executing(executing) => {
                let (method, checks) = (executing.method, executing.checks);
                self.observe(RunEvent::Executing { method, checks });
            }
            ContextNotice::Event(event) => self.observe(RunEvent::Extension(event.0)),
            // Loading and process groups are the host client's business.
            ContextNotice::Loaded(_) | ContextNotice::ProcessStarted(_) | ContextNotice::ProcessEnded(_) => {}
        }
    }
}

impl RunContext<'_> {
    fn logged(&self, log: Log) {
        let Log { level, message, category: _ } = log;
        let (short, stream) = match level {
            LogLevel::Trace => ("TRC", None),
            LogLevel::Debug => ("DBG", None),
            LogLevel::Info => ("INF", Some(OutputStream::Stdout)),
            LogLevel::Warning => ("WRN", Some(OutputStream::Stderr)),
            LogLevel::Error => ("ERR", Some(OutputStream::Stderr)),
            LogLevel::Fatal => ("FTL", Some(OutputStream::Stderr)),
        };
        self.log_line(short, &message);
        if let Some(stream) = stream {
            self.observe(RunEvent::Output { stream: stream.as_str().to_owned(), line: message });
        }
    }
}

impl Models {
    /// Definitions, as code asks for them.
    pub(super) fn query_definition(&self, request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
        let find = |name: &str| match self.definitions.find(name) {
            Ok(found) => Ok(Some(found)),
            Err(ModelError::ModelNotFound { .. }) => Ok(None),
            Err(error) => Err(callback_error(error)),
        };
        let of_id = |wanted: FindDefinition| {
            let (ty, id) = (type_name(&wanted.r#type.unwrap_or_default())?, wanted.id.unwrap_or_default());
            Ok(find(&id)?.filter(|found| found.definition.id == id && found.type_name == ty))
        };
        let found = match request {
            ContextRequest::FindDefinitions(FindDefinition { r#type, .. }) => {
                let wanted = r#type.as_deref().map(type_name).transpose()?;
                let (all, _broken) = self.definitions.list();
                let all = all.into_iter().filter(|one| wanted.as_ref().is_none_or(|ty| one.type_name == *ty));
                Some(all.map(|one| json!({ "definition": one.definition, "type": one.type_name })).collect())
            }
            ContextRequest::DefinitionPath(wanted) => {
                return of_id(wanted).map(|found| ContextAnswer::Path(found.map(|found| found.path)));
            }
            ContextRequest::FindDefinitionByName(FindDefinition { name, .. }) => {
                let found = find(&name.unwrap_or_default())?;
                found.map(|found| json!({ "definition": found.definition, "type": found.type_name }))
            }
            ContextRequest::FindDefinitionById(wanted) => of_id(wanted)?.map(|found| json!(found.definition)),
            other => return Err(unavailable(&other)),
        };
        Ok(ContextAnswer::Document(found.unwrap_or(Value::Null)))
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
                let mut content = serde_json::from_slice(&bytes).map_err(|error| {
                    let name = metadata.name.clone();
                    ModelError::CorruptData { name, version: metadata.version, reason: error.to_string() }
                })?;
                self.vaults.resolve_stored(&mut content, &self.secrets, "readModelData")?;
                content
            } else if metadata.content_type.starts_with("text/") {
                json!(String::from_utf8_lossy(&bytes))
            } else {
                json!("")
            };
            let mut record = json!(metadata);
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

pub(super) fn type_name(text: &str) -> Result<TypeName, CallbackError> {
    TypeName::parse(text).map_err(|error| CallbackError::new("invalid_name", error.to_string()))
}
