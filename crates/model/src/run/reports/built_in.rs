//! The reports that marsh makes itself: a summary of each method run, and of each workflow run with its attestation.
//!
//! They need no host and no sync: a power failure may tear a summary, and the record of its run has everything.

use std::path::Path;
use std::sync::Arc;

use marsh_data::{Metadata, Owner, RunData};
use marsh_extension::{ModelDescription, OutputDescription};
use marsh_types::TypeName;
use serde_json::{Map, Value, json};

use super::{ReportOutcome, ReportSelection, Shelf, rules, store_report};
use crate::Models;
use crate::error::ModelError;
use crate::run::{RunOutcome, RunStatus};

/// A report that marsh makes itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltInReport {
    /// Its name.
    pub name: &'static str,
    /// What it shows.
    pub description: &'static str,
    /// `method` or `workflow`.
    pub scope: &'static str,
    /// Labels by which it is selected.
    pub labels: &'static [&'static str],
}

/// The summary of a method run.
pub const METHOD_SUMMARY: BuiltInReport = BuiltInReport {
    name: "@swamp/method-summary",
    description: "Status, arguments and results of a method run",
    scope: "method",
    labels: &["summary"],
};

/// The summary of a workflow run.
pub const WORKFLOW_SUMMARY: BuiltInReport = BuiltInReport {
    name: "@swamp/workflow-summary",
    description: "Status of a workflow run, of its jobs and of its steps",
    scope: "workflow",
    labels: &["summary"],
};

/// What a workflow run verified, for machines.
pub const ATTESTATION: BuiltInReport = BuiltInReport {
    name: "@swamp/verification-attestation",
    description: "What a workflow run verified, and of which commit",
    scope: "workflow",
    labels: &["verification", "attestation"],
};

/// Every report that marsh makes itself.
pub const BUILT_IN: [BuiltInReport; 3] = [METHOD_SUMMARY, WORKFLOW_SUMMARY, ATTESTATION];

/// The report of this name, if marsh makes it.
pub fn built_in(name: &str) -> Option<BuiltInReport> {
    BUILT_IN.into_iter().find(|report| report.name.eq_ignore_ascii_case(name))
}

impl BuiltInReport {
    /// Whether the rules of a definition or a workflow, and then the selection, want it.
    pub(super) fn is_wanted(
        &self,
        reports: Option<&Value>,
        of: &str,
        method: Option<&str>,
        selection: &ReportSelection,
    ) -> Result<bool, ModelError> {
        let rules = rules(reports, of)?;
        let is = |other: &str| other.eq_ignore_ascii_case(self.name);
        if rules.skip.iter().any(|skip| is(skip)) {
            return Ok(false);
        }
        if let Some(required) = rules.require.iter().find(|required| is(required.name())) {
            return Ok(method.is_none_or(|method| required.applies_to(method)));
        }
        let labels: Vec<String> = self.labels.iter().map(|label| (*label).to_owned()).collect();
        Ok(selection.takes(self.name, &labels))
    }
}

/// A report that is made and not stored.
#[derive(Debug)]
pub struct MadeReport {
    report: BuiltInReport,
    type_name: TypeName,
    id: String,
    workflow: Option<String>,
    owner: Owner,
    markdown: String,
    json: Value,
}

impl MadeReport {
    /// Notes which step of which workflow run ran the method.
    #[must_use]
    pub fn of_step(mut self, owner: Owner) -> MadeReport {
        self.owner = Owner { owner_type: self.owner.owner_type, owner_ref: self.owner.owner_ref, ..owner };
        self
    }

    /// The name of the report.
    pub fn name(&self) -> &'static str {
        self.report.name
    }

    /// What it is about: `method` or `workflow`.
    pub fn scope(&self) -> &'static str {
        self.report.scope
    }

    /// Its Markdown text and its JSON form.
    pub fn content(&self) -> (&str, &Value) {
        (&self.markdown, &self.json)
    }

    /// Stores the report.
    ///
    /// # Errors
    ///
    /// A file cannot be written.
    pub fn store(self, data: &RunData) -> Result<ReportOutcome, ModelError> {
        let MadeReport { report, type_name, id, workflow, owner, markdown, json } = self;
        let shelf =
            Shelf { type_name: &type_name, id: &id, workflow: workflow.as_deref(), owner: Some(owner) };
        let stored = store_report(&data.unordered(), &shelf, report.name, report.scope, &markdown, &json)?;
        let (name, scope) = (report.name.to_owned(), report.scope.to_owned());
        Ok(ReportOutcome { name, scope, result: Ok((markdown, json)), stored })
    }
}

impl Models {
    /// The summary of a method run; `None`: it was cancelled, or no one wants a summary.
    ///
    /// # Errors
    ///
    /// The definition's rules for reports are invalid.
    pub fn summarise_method(
        &self,
        outcome: &RunOutcome,
        selection: &ReportSelection,
    ) -> Result<Option<MadeReport>, ModelError> {
        let report = METHOD_SUMMARY;
        if outcome.status == RunStatus::Cancelled
            || !report.is_wanted(
                outcome.report_rules.as_ref(),
                &outcome.model_name,
                Some(&outcome.method),
                selection,
            )?
        {
            return Ok(None);
        }
        let error = outcome.error.as_ref().map(|error| self.secrets.redact(&error.to_string()).into_owned());
        let written: Vec<&Metadata> = outcome.artifacts.iter().map(|artifact| &artifact.metadata).collect();
        let sha = self.git_sha.get_or_init(|| git_sha(self.repo.layout.root())).clone();
        let narrative = narrative(outcome, error.as_deref(), &written);
        let produced: Vec<Value> = written
            .iter()
            .map(|metadata| {
                json!({
                    "name": metadata.name,
                    "kind": metadata.tags.get("type").unwrap_or("data"),
                    "specName": metadata.tags.get("specName"),
                    "version": metadata.version,
                    "retrievalCommand": retrieval(self.program, &outcome.model_name, &metadata.name, metadata.version),
                })
            })
            .collect();
        let markdown =
            method_markdown(self.program, outcome, error.as_deref(), &written, sha.as_deref(), &narrative);
        let mut json = json!({ "status": outcome.status.as_str() });
        let mut set = |key: &str, value: Value| {
            if let Value::Object(map) = &mut json {
                map.insert(key.to_owned(), value);
            }
        };
        if let Some(error) = &error {
            set("error", json!(error));
        }
        set("modelId", json!(outcome.model_id));
        set("modelName", json!(outcome.model_name));
        set("modelType", json!(outcome.model_type));
        set("methodName", json!(outcome.method));
        if let Some(sha) = sha {
            set("swampSha", json!(sha));
        }
        set("narrative", json!(narrative));
        set("globalArgs", Value::Object(outcome.global_arguments.clone()));
        set("methodArgs", Value::Object(outcome.method_arguments.clone()));
        let specs = output_specs(&outcome.description);
        if !specs.is_empty() {
            set("outputSpecs", Value::Array(specs));
        }
        set("dataProduced", Value::Array(produced));
        Ok(Some(MadeReport {
            report,
            type_name: TypeName::parse(&outcome.model_type)?,
            id: outcome.model_id.clone(),
            workflow: None,
            owner: Owner::model_method(&outcome.model_id),
            markdown,
            json,
        }))
    }

    /// A report of marsh's own about a workflow run, made by the caller.
    pub(super) fn made_of_workflow(
        &self,
        report: BuiltInReport,
        type_name: &TypeName,
        subject: &super::WorkflowSubject<'_>,
        markdown: &str,
        mut json: Value,
    ) -> MadeReport {
        self.secrets.redact_value(&mut json);
        let owner = Owner {
            workflow_id: Some(subject.id.clone()),
            workflow_run_id: Some(subject.run_id.clone()),
            workflow_name: Some(subject.name.clone()),
            ..Owner::model_method(&subject.id)
        };
        MadeReport {
            report,
            type_name: type_name.clone(),
            id: subject.id.clone(),
            workflow: Some(subject.name.clone()),
            owner,
            markdown: self.secrets.redact(markdown).into_owned(),
            json,
        }
    }
}

/// The commit that the repository is at, if it is a work tree of git. No process is started.
fn git_sha(root: &Path) -> Option<String> {
    let dot = root.ancestors().map(|dir| dir.join(".git")).find(|path| path.exists())?;
    let read = |path: &Path| marsh_fs::read_to_string(path).ok().map(|text| text.trim().to_owned());
    let dir = if dot.is_dir() { dot } else { dot.parent()?.join(read(&dot)?.strip_prefix("gitdir: ")?) };
    let head = read(&dir.join("HEAD"))?;
    let Some(name) = head.strip_prefix("ref: ") else { return Some(head) };
    let common = read(&dir.join("commondir")).map_or_else(|| dir.clone(), |common| dir.join(common));
    read(&common.join(name)).or_else(|| {
        let packed = read(&common.join("packed-refs"))?;
        packed.lines().find_map(|line| line.strip_suffix(name)?.split_whitespace().next().map(str::to_owned))
    })
}

/// The command that shows a version.
pub(super) fn retrieval(program: &str, model: &str, name: &str, version: u32) -> String {
    format!("{program} data get {model} {name} --version {version}")
}

fn narrative(outcome: &RunOutcome, error: Option<&str>, written: &[&Metadata]) -> String {
    let what = format!("Method `{}` of `{}`", outcome.method, outcome.model_name);
    if let Some(error) = error {
        return format!("{what} failed: {error}");
    }
    let of_kind = |kind: &str, noun: &str| {
        let specs: Vec<&str> = written
            .iter()
            .filter(|metadata| metadata.tags.get("type") == Some(kind))
            .map(|metadata| metadata.tags.get("specName").unwrap_or(&metadata.name))
            .collect();
        let mut names = specs.clone();
        names.dedup();
        let plural = if specs.len() == 1 { "" } else { "s" };
        (!specs.is_empty()).then(|| format!("{} {noun}{plural} ({})", specs.len(), names.join(", ")))
    };
    let parts: Vec<String> =
        [of_kind("resource", "resource"), of_kind("file", "file")].into_iter().flatten().collect();
    if parts.is_empty() {
        return format!("{what} succeeded with no data output.");
    }
    format!("{what} succeeded, producing {}.", parts.join(", "))
}

fn method_markdown(
    program: &str,
    outcome: &RunOutcome,
    error: Option<&str>,
    written: &[&Metadata],
    sha: Option<&str>,
    narrative: &str,
) -> String {
    let RunOutcome { model_name, model_type, method, status, .. } = outcome;
    let mut text = format!("# {model_name} ({model_type}) → {method}: {}", status.as_str());
    if let Some(sha) = sha {
        text.push_str(&format!(" | git sha: {}", sha.get(..8).unwrap_or(sha)));
    }
    text.push_str(&format!("\n\n{narrative}\n"));
    if let Some(error) = error {
        text.push_str(&format!("\n## Error\n\n```\n{error}\n```\n"));
    }
    text.push_str("\n## Arguments\n\n");
    let arguments =
        [("Global Arguments", &outcome.global_arguments), ("Method Arguments", &outcome.method_arguments)];
    if arguments.iter().all(|(_, map)| map.is_empty()) {
        text.push_str("The run had no arguments.\n");
    }
    for (title, map) in arguments.into_iter().filter(|(_, map)| !map.is_empty()) {
        text.push_str(&format!("### {title}\n\n```json\n{:#}\n```\n", Value::Object(map.clone())));
    }
    if !written.is_empty() {
        text.push_str("\n## Data Output\n\n| Name | Kind | Retrieval Command |\n| --- | --- | --- |\n");
        for metadata in written {
            let command = retrieval(program, model_name, &metadata.name, metadata.version);
            let kind = metadata.tags.get("type").unwrap_or("data");
            text.push_str(&format!("| {} | {kind} | `{command}` |\n", cell(&metadata.name)));
        }
    }
    text
}

/// Text for the cell of a table.
pub(super) fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn output_specs(description: &Arc<ModelDescription>) -> Vec<Value> {
    let spec = |kind: &str, name: &str, output: &OutputDescription| {
        let mut map = Map::new();
        map.insert("specName".into(), json!(name));
        map.insert("kind".into(), json!(kind));
        let optional = [
            ("description", output.description.as_ref().map(|text| json!(text))),
            ("schema", output.schema.clone()),
            ("contentType", output.content_type.as_ref().map(|text| json!(text))),
        ];
        map.extend(optional.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))));
        Value::Object(map)
    };
    let resources = description.resources.iter().map(|(name, output)| spec("resource", name, output));
    let files = description.files.iter().map(|(name, output)| spec("file", name, output));
    resources.chain(files).collect()
}
