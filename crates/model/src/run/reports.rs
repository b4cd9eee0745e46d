//! Reports of extensions, about a run or about a model.
//!
//! A report is stored as two data of its model, `report-<name>` (Markdown) and `report-<name>-json`. A report that fails
//! leaves one with the reason; the caller shows the failure, and the record of the run does not change.

mod built_in;
mod summaries;
mod workflow;
mod workflow_summary;

use std::path::Path;

use marsh_data::{GarbageCollection, Metadata, NewVersion, Owner, RunData, Tags};
use marsh_extension::LoadError;
use marsh_extension::kinds::{
    CallOptions, KindError, ReportExecute, ReportExtension, ReportResult, SensitiveArguments,
};
use marsh_host_client::protocol::{LogLevel, OutputStream};
use marsh_host_client::{CallbackError, Callbacks, ContextAnswer, ContextNotice, ContextRequest};
use marsh_types::TypeName;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::context::handle;
use super::{Observer, RunEvent, RunOutcome, RunStatus};
use crate::Models;
use crate::definition::Stored;
use crate::error::ModelError;
use crate::types::TypeCode;

pub use built_in::{BUILT_IN, BuiltInReport, MadeReport, built_in};
pub use summaries::Summaries;
pub use workflow::WorkflowSubject;
pub use workflow_summary::{RunSummary, SummaryStep};

/// How many versions of a report are kept, and how long.
const KEPT: u32 = 5;
const LIFETIME: &str = "30d";

/// Selects reports.
#[derive(Debug, Clone, Default)]
pub struct ReportSelection {
    /// Skip all reports, except those that a definition or a workflow requires.
    pub skip_all: bool,
    /// Skip reports with these names.
    pub skip_names: Vec<String>,
    /// Skip reports with these labels.
    pub skip_labels: Vec<String>,
    /// Run only these, and those with one of `labels`; without either, all.
    pub names: Vec<String>,
    /// Run only reports with these labels, and those in `names`.
    pub labels: Vec<String>,
}

/// A report that has ended.
#[derive(Debug)]
pub struct ReportOutcome {
    /// The name of the report.
    pub name: String,
    /// `method`, `model` or `workflow`.
    pub scope: String,
    /// Markdown and JSON, or why the report failed.
    pub result: Result<(String, Value), ModelError>,
    /// The stored data.
    pub stored: Vec<Metadata>,
}

/// A definition's rules for reports.
#[derive(Debug, Default, Deserialize)]
struct Rules {
    #[serde(default)]
    require: Vec<Required>,
    #[serde(default)]
    skip: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Required {
    Name(String),
    ForMethods { name: String, methods: Option<Vec<String>> },
}

impl Required {
    fn name(&self) -> &str {
        match self {
            Required::Name(name) | Required::ForMethods { name, .. } => name,
        }
    }

    fn applies_to(&self, method: &str) -> bool {
        match self {
            Required::ForMethods { methods: Some(methods), .. } => methods.iter().any(|one| one == method),
            _ => true,
        }
    }
}

impl ReportSelection {
    fn takes(&self, name: &str, labels: &[String]) -> bool {
        let labelled = |wanted: &[String]| labels.iter().any(|label| wanted.contains(label));
        let named = |names: &[String]| names.iter().any(|one| one.eq_ignore_ascii_case(name));
        if self.skip_all || named(&self.skip_names) || labelled(&self.skip_labels) {
            return false;
        }
        let all = self.names.is_empty() && self.labels.is_empty();
        all || named(&self.names) || labelled(&self.labels)
    }
}

/// Where reports are stored: with a model, or with a workflow as if it were one.
struct Shelf<'a> {
    type_name: &'a TypeName,
    id: &'a str,
    /// The name of a workflow, for a tag.
    workflow: Option<&'a str>,
    /// Who makes the report, if that is known better than by the id.
    owner: Option<Owner>,
}

impl<'a> Shelf<'a> {
    fn of(stored: &'a Stored) -> Shelf<'a> {
        Shelf { type_name: &stored.type_name, id: &stored.definition.id, workflow: None, owner: None }
    }
}

/// The subject of a report.
struct Subject<'a> {
    stored: &'a Stored,
    code: &'a TypeCode,
    method: &'a str,
    status: &'a str,
    error: Option<String>,
    globals: Map<String, Value>,
    arguments: Map<String, Value>,
    handles: Vec<Value>,
}

impl Models {
    /// Runs the reports that follow a run: those with the scope `method`, and after a successful run those with the scope
    /// `model`.
    ///
    /// # Errors
    ///
    /// The definition is gone or its rules are invalid, or a report cannot be stored. A report that fails is an outcome.
    pub fn report_on(
        &self,
        outcome: &RunOutcome,
        selection: &ReportSelection,
        options: &CallOptions,
        observer: &dyn Observer,
    ) -> Result<Vec<ReportOutcome>, ModelError> {
        let stored = self.definitions.find(&outcome.model_id)?;
        let rules = rules(stored.definition.reports.as_ref(), &stored.definition.name)?;
        let declared = &outcome.reports;
        if declared.is_empty() && rules.require.is_empty() {
            return Ok(Vec::new());
        }
        let code = self.resolve_type(&stored.type_name)?;
        let subject = Subject {
            stored: &stored,
            code: &code,
            method: &outcome.method,
            status: outcome.status.as_str(),
            error: outcome.error.as_ref().map(ToString::to_string),
            globals: outcome.global_arguments.clone(),
            arguments: outcome.method_arguments.clone(),
            handles: outcome.artifacts.iter().map(|artifact| handle(&artifact.metadata)).collect(),
        };
        let mut names: Vec<(&str, Option<&Required>)> = rules
            .require
            .iter()
            .map(|required| (required.name(), Some(required)))
            .filter(|(name, _)| built_in(name).is_none())
            .collect();
        for name in declared {
            if !names.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                names.push((name, None));
            }
        }
        let skipped = |name: &str| rules.skip.iter().any(|skip| skip.eq_ignore_ascii_case(name));
        let mut opened = Vec::new();
        let mut outcomes = Vec::new();
        for (name, required) in names {
            if skipped(name) || required.is_some_and(|required| !required.applies_to(&outcome.method)) {
                continue;
            }
            match self.open_report(name) {
                Ok(report) => {
                    if required.is_some() || selection.takes(name, report.labels()) {
                        opened.push((name, report));
                    }
                }
                // A type may name reports that are not installed.
                Err(KindError::Load(LoadError::UnknownType { .. })) if required.is_none() => {
                    observer.event(&RunEvent::Warning {
                        code: "unknown_report",
                        message: format!("unknown report `{name}`, named by the type"),
                    });
                }
                Err(error) => {
                    outcomes.push(self.failed_report(&Shelf::of(&stored), name, "method", error.into())?);
                }
            }
        }
        let scopes: &[&str] =
            if outcome.status == RunStatus::Succeeded { &["method", "model"] } else { &["method"] };
        for scope in scopes {
            for (name, report) in opened.iter().filter(|(_, report)| report.scope() == *scope) {
                let params = self.report_params(&subject, scope);
                let shelf = Shelf::of(&stored);
                outcomes.push(self.execute_report(&shelf, params, name, report, options, observer)?);
            }
        }
        self.make_durable(&Shelf::of(&stored), &outcomes)?;
        Ok(outcomes)
    }

    /// Runs a report about the current state of a model.
    ///
    /// # Errors
    ///
    /// The report or the model is unknown, or the report cannot be stored. A report that fails is an outcome.
    pub fn report_now(
        &self,
        name: &str,
        model: &str,
        options: &CallOptions,
        observer: &dyn Observer,
    ) -> Result<ReportOutcome, ModelError> {
        let report = self.open_report(name)?;
        let stored = self.definitions.find(model)?;
        let code = self.resolve_type(&stored.type_name)?;
        let data = self.data.list_model(&stored.type_name, &stored.definition.id)?;
        let is_result =
            |metadata: &&Metadata| !metadata.is_deleted() && metadata.tags.get("type") != Some("report");
        let subject = Subject {
            stored: &stored,
            code: &code,
            method: "",
            status: "succeeded",
            error: None,
            globals: stored.definition.global_arguments.clone(),
            arguments: Map::new(),
            handles: data.iter().filter(is_result).map(handle).collect(),
        };
        let params = self.report_params(&subject, report.scope());
        let shelf = Shelf::of(&stored);
        let outcome = self.execute_report(&shelf, params, name, &report, options, observer)?;
        self.make_durable(&shelf, std::slice::from_ref(&outcome))?;
        Ok(outcome)
    }

    fn open_report(&self, name: &str) -> Result<ReportExtension, KindError> {
        let parsed = TypeName::parse(name).map_err(|source| LoadError::Name { source })?;
        ReportExtension::open(&self.loader, &parsed)
    }

    fn execute_report(
        &self,
        shelf: &Shelf<'_>,
        params: ReportExecute,
        name: &str,
        report: &ReportExtension,
        options: &CallOptions,
        observer: &dyn Observer,
    ) -> Result<ReportOutcome, ModelError> {
        let scope = report.scope();
        let callbacks = ReportCallbacks { models: self, base: &report.loaded().base, observer };
        match report.execute(params, options, &callbacks) {
            Ok(ReportResult { markdown, json }) => {
                let markdown = self.secrets.redact(&markdown).into_owned();
                let mut json: Value = match serde_json::from_str(&json) {
                    Ok(json) => json,
                    Err(source) => {
                        let error = ModelError::InvalidReport { name: name.to_owned(), source };
                        return self.failed_report(shelf, name, scope, error);
                    }
                };
                self.secrets.redact_value(&mut json);
                let stored = store_report(&self.data, shelf, name, scope, &markdown, &json)?;
                Ok(ReportOutcome {
                    name: name.to_owned(),
                    scope: scope.to_owned(),
                    result: Ok((markdown, json)),
                    stored,
                })
            }
            Err(error) => self.failed_report(shelf, name, scope, error.into()),
        }
    }

    fn report_params(&self, subject: &Subject<'_>, scope: &str) -> ReportExecute {
        let Subject { stored, code, method, .. } = subject;
        let definition = &stored.definition;
        let paths = |fields: &[marsh_extension::SensitiveField]| -> Vec<String> {
            fields.iter().map(|field| field.path.clone()).collect()
        };
        let globals = code.description.global_arguments.as_ref();
        let arguments = code.description.method(method).map(|method| &method.arguments);
        ReportExecute {
            repo_dir: Some(self.repo.layout.root().to_owned()),
            sensitive: SensitiveArguments {
                global: globals.map(|globals| paths(&globals.sensitive)).unwrap_or_default(),
                method: arguments.map(|arguments| paths(&arguments.sensitive)).unwrap_or_default(),
            },
            context: json!({
                "scope": scope,
                "modelType": code.type_name,
                "modelTypeRaw": code.description.raw_type,
                "modelId": definition.id,
                "definition": {
                    "id": definition.id, "name": definition.name,
                    "version": definition.version, "tags": definition.tags,
                },
                "globalArgs": subject.globals,
                "methodArgs": subject.arguments,
                "methodName": subject.method,
                "executionStatus": subject.status,
                "errorMessage": subject.error,
                "dataHandles": subject.handles,
            }),
        }
    }

    /// Stores a report with the reason in place of the one that failed.
    fn failed_report(
        &self,
        shelf: &Shelf<'_>,
        name: &str,
        scope: &str,
        error: ModelError,
    ) -> Result<ReportOutcome, ModelError> {
        let error = error.redacted(&self.secrets);
        let message = self.secrets.redact(&error.to_string()).into_owned();
        let stack = error.call_error().and_then(|call| call.stack.as_deref());
        let stack = stack.map(|stack| self.secrets.redact(stack).into_owned());
        let mut markdown = format!("# {name}\n\nThis report failed.\n\n## Error\n\n```\n{message}\n```\n");
        let mut json = json!({ "error": true, "reportName": name, "scope": scope, "message": message });
        if let (Some(stack), Value::Object(map)) = (stack, &mut json) {
            markdown.push_str(&format!("\n## Stack Trace\n\n```\n{stack}\n```\n"));
            map.insert("stack".into(), Value::String(stack));
        }
        let stored = store_report(&self.data, shelf, name, scope, &markdown, &json)?;
        Ok(ReportOutcome { name: name.to_owned(), scope: scope.to_owned(), result: Err(error), stored })
    }

    fn make_durable(&self, shelf: &Shelf<'_>, outcomes: &[ReportOutcome]) -> Result<(), ModelError> {
        let Some(last) = outcomes.iter().flat_map(|outcome| &outcome.stored).next_back() else {
            return Ok(());
        };
        let path = self.data.content_path(shelf.type_name, shelf.id, &last.name, Some(last.version))?;
        if let Some(dir) = path.as_deref().and_then(Path::parent) {
            marsh_fs::sync_dir(dir)?;
        }
        Ok(())
    }
}

fn store_report(
    data: &RunData,
    shelf: &Shelf<'_>,
    name: &str,
    scope: &str,
    markdown: &str,
    json: &Value,
) -> Result<Vec<Metadata>, ModelError> {
    if markdown.trim().is_empty() {
        return Ok(Vec::new());
    }
    let data_name = data_name(name);
    let mut tags = Tags::new();
    tags.set("type", "report");
    tags.set("reportName", name);
    tags.set("reportScope", scope);
    if let Some(workflow) = shelf.workflow {
        tags.set("workflow", workflow);
    }
    let json_name = format!("{data_name}-json");
    let text = serde_json::to_string_pretty(json)
        .map_err(|source| ModelError::InvalidReport { name: name.to_owned(), source })?;
    let contents = [(&data_name, "text/markdown", markdown), (&json_name, "application/json", text.as_str())];
    let mut stored = Vec::new();
    for (name, content_type, content) in contents {
        let new = NewVersion {
            type_path: shelf.type_name,
            model_id: shelf.id,
            name,
            content_type,
            lifetime: LIFETIME.parse().map_err(marsh_data::DataError::from)?,
            garbage_collection: GarbageCollection::Keep(KEPT),
            streaming: false,
            tags: tags.clone(),
            owner: shelf.owner.clone().unwrap_or_else(|| Owner::model_method(shelf.id)),
            lifecycle: None,
            renamed_to: None,
        };
        stored.push(data.write(&new, content.as_bytes())?);
    }
    Ok(stored)
}

/// The name of a report's data: without `@`, and with `-` for `/`.
pub fn data_name(report: &str) -> String {
    format!("report-{}", report.replace('@', "").replace('/', "-"))
}

fn rules(written: Option<&Value>, name: &str) -> Result<Rules, ModelError> {
    let Some(value) = written else { return Ok(Rules::default()) };
    serde_json::from_value(value.clone())
        .map_err(|error| ModelError::InvalidReports { name: name.to_owned(), reason: error.to_string() })
}

/// The requests that a report can make.
struct ReportCallbacks<'a> {
    models: &'a Models,
    base: &'a Path,
    observer: &'a dyn Observer,
}

impl Callbacks for ReportCallbacks<'_> {
    fn request(&self, request: ContextRequest) -> Result<ContextAnswer, CallbackError> {
        use ContextRequest as Ask;
        match request {
            Ask::DataDelete(_) => Err(CallbackError::new("unsupported", "a report cannot delete data")),
            Ask::DataRename(_) | Ask::DataCollect(_) => {
                Err(CallbackError::new("unsupported", "a report cannot change data"))
            }
            Ask::FindDefinitionByName(_)
            | Ask::FindDefinitionById(_)
            | Ask::FindDefinitions(_)
            | Ask::DefinitionPath(_) => self.models.query_definition(request),
            Ask::ExtensionFile(wanted) => super::context::file_of(self.base, &wanted.path),
            Ask::RepoDir(_) => Ok(ContextAnswer::Path(Some(self.models.repo.layout.root().to_owned()))),
            other => self.models.query_data(None, other),
        }
    }

    fn notice(&self, notice: ContextNotice) {
        let (stream, line) = match notice {
            ContextNotice::Output(output) => (output.stream, output.line),
            ContextNotice::Log(log) if log.level > LogLevel::Debug => (OutputStream::Stdout, log.message),
            _ => return,
        };
        let line = self.models.secrets.redact(&line).into_owned();
        self.observer.event(&RunEvent::Output { stream: stream.as_str().to_owned(), line });
    }
}
