//! Reports: stored ones, and new ones about a model or a workflow run.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use marsh_api::error::ErrorReport;
use marsh_api::event::{EventSink, MethodEvent};
use marsh_api::report::{
    ReportDescription, ReportDocument, ReportResult, ReportRow, ReportSearch, ReportTypeRow, ReportTypeSearch,
};
use marsh_data::Metadata;
use marsh_extension::kinds::{CallOptions, ReportExtension};
use marsh_model::ModelError;
use marsh_model::run::reports::{BUILT_IN, MadeReport, ReportOutcome, built_in};
use marsh_types::{Kind, Origin, TypeName, near};
use marsh_workflow::Workflows;
use serde_json::Value;

use crate::error::AppError;
use crate::method_events::SinkObserver;
use crate::session::{Read, Write};
use crate::types::parse_type;

/// Which model or workflow reports must be about.
#[derive(Debug, Clone, Default)]
pub struct ReportFilter {
    /// Name or id of a model.
    pub model: Option<String>,
    /// Name of a workflow.
    pub workflow: Option<String>,
    /// `method`, `model` or `workflow`.
    pub scope: Option<String>,
    /// The name of the report.
    pub report: Option<String>,
    /// Labels of which the report has one. Labels of extensions' reports are those of their types.
    pub labels: Vec<String>,
    /// The variant of a `forEach`.
    pub variant: Option<String>,
}

impl ReportFilter {
    fn matches(&self, stored: &StoredReport) -> bool {
        let is = |wanted: &str| wanted == stored.model || wanted == stored.model_id;
        let is_workflow = stored.metadata.tags.get("reportScope") == Some("workflow");
        let tag = |name: &str| stored.metadata.tags.get(name);
        self.scope.as_deref().is_none_or(|scope| tag("reportScope") == Some(scope))
            && self.report.as_deref().is_none_or(|name| stored.report.eq_ignore_ascii_case(name))
            && self.variant.as_deref().is_none_or(|variant| tag("varySuffix") == Some(variant))
            && self.model.as_deref().is_none_or(|model| !is_workflow && is(model))
            && self.workflow.as_deref().is_none_or(|workflow| is_workflow && is(workflow))
    }
}

/// A stored report, by its Markdown datum.
struct StoredReport {
    type_name: TypeName,
    model_id: String,
    model: String,
    report: String,
    metadata: Metadata,
}

impl StoredReport {
    fn workflow_name(&self) -> Option<String> {
        self.metadata.tags.get("workflow").map(str::to_owned)
    }
}

/// Why a name of a report does not name one: models and workflows have it, or variants.
fn ambiguous(name: &str, several: &[StoredReport]) -> AppError {
    let of = |stored: &StoredReport| match stored.workflow_name() {
        Some(workflow) => format!("workflow:{workflow}"),
        None => format!("model:{}", stored.model),
    };
    let places: BTreeSet<String> = several.iter().map(of).collect();
    if places.len() > 1 {
        let places: Vec<String> = places.into_iter().collect();
        return AppError::Usage {
            message: format!("the report `{name}` exists for {}", places.join(", ")),
            hint: Some("choose one with --model or --workflow".into()),
        };
    }
    let variants = several.iter().map(|stored| stored.metadata.tags.get("varySuffix").unwrap_or("(none)"));
    AppError::Usage {
        message: format!("the report `{name}` has variants: {}", variants.collect::<Vec<_>>().join(", ")),
        hint: Some("choose one with --variant".into()),
    }
}

/// The reports of a run, by name; `None` without reports.
pub(crate) fn reports_by_name(outcomes: &[ReportOutcome]) -> Option<BTreeMap<String, ReportResult>> {
    let results = outcomes.iter().map(|report| (report.name.clone(), report_result(report)));
    (!outcomes.is_empty()).then(|| results.collect())
}

/// The document of a report that ran.
fn report_result(outcome: &ReportOutcome) -> ReportResult {
    let mut result = ReportResult {
        name: outcome.name.clone(),
        scope: outcome.scope.clone(),
        success: outcome.result.is_ok(),
        markdown: None,
        json: None,
        error: None,
    };
    match &outcome.result {
        Ok((markdown, json)) => {
            result.markdown = Some(markdown.clone());
            result.json = Some(json.clone());
        }
        Err(error) => result.error = Some(ErrorReport::of(error)),
    }
    result
}

/// The document of a report that is made and perhaps not stored yet.
pub(crate) fn made_result(made: &MadeReport) -> ReportResult {
    let (markdown, json) = made.content();
    ReportResult {
        name: made.name().to_owned(),
        scope: made.scope().to_owned(),
        success: true,
        markdown: Some(markdown.to_owned()),
        json: Some(json.clone()),
        error: None,
    }
}

impl Read<'_> {
    fn stored_reports(&self) -> Result<Vec<StoredReport>, AppError> {
        let models = self.models();
        let mut found = Vec::new();
        for (type_name, model_id) in models.data.list_models().map_err(ModelError::from)? {
            let model = match models.definitions.find(&model_id) {
                Ok(stored) => stored.definition.name,
                // Results outlive a definition that was deleted.
                Err(_) => model_id.clone(),
            };
            for metadata in models.data.list_model(&type_name, &model_id).map_err(ModelError::from)? {
                let report = metadata.tags.get("reportName").unwrap_or_default().to_owned();
                let is_text =
                    metadata.content_type == "text/markdown" && metadata.tags.get("type") == Some("report");
                if !is_text || metadata.is_deleted() {
                    continue;
                }
                let is_workflow = metadata.tags.get("reportScope") == Some("workflow");
                let workflow = metadata.tags.get("workflow").filter(|_| is_workflow);
                let model = workflow.map_or_else(|| model.clone(), str::to_owned);
                let (type_name, model_id) = (type_name.clone(), model_id.clone());
                found.push(StoredReport { type_name, model_id, model, report, metadata });
            }
        }
        Ok(found)
    }

    /// The stored reports whose names or models contain `query`.
    ///
    /// # Errors
    ///
    /// When the stored data cannot be listed.
    pub fn search_reports(&self, query: &str, filter: &ReportFilter) -> Result<ReportSearch, AppError> {
        let wanted = query.to_lowercase();
        let mut all = self.stored_reports()?;
        all.retain(|stored| {
            let named = stored.report.to_lowercase().contains(&wanted)
                || stored.model.to_lowercase().contains(&wanted);
            named && filter.matches(stored)
        });
        if !filter.labels.is_empty() {
            let labelled = self.reports_with(&filter.labels, &all);
            all.retain(|stored| labelled.contains(&stored.report));
        }
        all.sort_by(|a, b| b.metadata.created_at.cmp(&a.metadata.created_at));
        let results = all.into_iter().map(|stored| ReportRow {
            scope: stored.metadata.tags.get("reportScope").map(str::to_owned),
            report_name: stored.report.clone(),
            report_scope: stored.metadata.tags.get("reportScope").map(str::to_owned),
            model_id: stored.model_id.clone(),
            workflow_name: stored.workflow_name(),
            vary_suffix: stored.metadata.tags.get("varySuffix").map(str::to_owned),
            data_name: stored.metadata.name,
            name: stored.report,
            model_name: stored.model,
            model_type: stored.type_name.to_string(),
            version: stored.metadata.version,
            created_at: stored.metadata.created_at,
        });
        Ok(ReportSearch { query: query.to_owned(), results: results.collect() })
    }

    /// The names of stored reports whose types have one of these labels. A type that cannot be loaded has none.
    fn reports_with(&self, labels: &[String], stored: &[StoredReport]) -> BTreeSet<String> {
        let names: BTreeSet<&str> = stored.iter().map(|stored| stored.report.as_str()).collect();
        let has_label = |name: &&str| {
            let described = self.describe_report(name).map(|described| described.labels);
            described.is_ok_and(|known| known.iter().any(|label| labels.contains(label)))
        };
        names.into_iter().filter(has_label).map(str::to_owned).collect()
    }

    /// A stored report, the newest version or the one that is named.
    ///
    /// # Errors
    ///
    /// When no stored report matches, or several do.
    pub fn report(
        &self,
        name: &str,
        filter: &ReportFilter,
        version: Option<u32>,
    ) -> Result<ReportDocument, AppError> {
        let mut all = self.stored_reports()?;
        let known: Vec<String> = all.iter().map(|stored| stored.report.clone()).collect();
        all.retain(|stored| stored.report.eq_ignore_ascii_case(name) && filter.matches(stored));
        let stored = match all.as_slice() {
            [one] => one,
            [] => {
                let near = near::did_you_mean(name, known.iter().map(String::as_str));
                return Err(AppError::Usage {
                    message: format!("no stored report has the name `{name}`"),
                    hint: near.or_else(|| Some("`marsh report search` lists all stored reports".into())),
                });
            }
            several => return Err(ambiguous(name, several)),
        };
        let content = |name: &str, version: u32| -> Result<Option<String>, AppError> {
            let bytes = self.models().data.content(&stored.type_name, &stored.model_id, name, Some(version));
            let bytes = bytes.map_err(ModelError::from)?;
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        let version = version.unwrap_or(stored.metadata.version);
        let Some(markdown) = content(&stored.metadata.name, version)? else {
            let hint =
                format!("`marsh data versions {} {}` lists all versions", stored.model, stored.metadata.name);
            return Err(AppError::Usage {
                message: format!("the report `{name}` has no version {version}"),
                hint: Some(hint),
            });
        };
        let json = match content(&format!("{}-json", stored.metadata.name), version)? {
            None => Value::Null,
            Some(text) => serde_json::from_str(&text).map_err(|error| AppError::Read {
                what: format!("the data of the report `{name}`"),
                source: error.into(),
            })?,
        };
        Ok(ReportDocument {
            report_name: stored.report.clone(),
            report_scope: stored.metadata.tags.get("reportScope").map(str::to_owned),
            model_id: stored.model_id.clone(),
            workflow_name: stored.workflow_name(),
            vary_suffix: stored.metadata.tags.get("varySuffix").map(str::to_owned),
            data_name: stored.metadata.name.clone(),
            name: stored.report.clone(),
            scope: stored.metadata.tags.get("reportScope").map(str::to_owned),
            model_name: stored.model.clone(),
            model_type: stored.type_name.to_string(),
            version,
            created_at: stored.metadata.created_at.clone(),
            markdown,
            json,
        })
    }

    /// What a report type says of itself.
    ///
    /// # Errors
    ///
    /// When the type is unknown, or its code cannot be loaded.
    pub fn describe_report(&self, name: &str) -> Result<ReportDescription, AppError> {
        if let Some(own) = built_in(name) {
            return Ok(ReportDescription {
                name: own.name.to_owned(),
                description: Some(own.description.to_owned()),
                scope: Some(own.scope.to_owned()),
                labels: own.labels.iter().map(|label| (*label).to_owned()).collect(),
                origin: Origin::Builtin,
                path: None,
            });
        }
        let parsed = parse_type(name)?;
        let report = ReportExtension::open(&self.models().loader, &parsed).map_err(ModelError::from)?;
        let loaded = report.loaded();
        let description = &loaded.description;
        Ok(ReportDescription {
            name: description.raw_type.clone(),
            description: description.description.clone(),
            scope: description.scope.clone(),
            labels: description.labels.clone(),
            origin: loaded.origin,
            path: Some(loaded.entry.display().to_string()),
        })
    }

    /// The report types whose names contain `query`.
    ///
    /// # Errors
    ///
    /// When the index of sources cannot be read.
    pub fn search_report_types(&self, query: &str) -> Result<ReportTypeSearch, AppError> {
        let catalog = self.models().loader.catalog()?;
        let wanted = query.to_lowercase();
        let own =
            BUILT_IN.into_iter().filter(|report| report.name.contains(&wanted)).map(|report| ReportTypeRow {
                name: report.name.to_owned(),
                type_name: report.name.to_owned(),
                description: Some(report.description.to_owned()),
                scope: Some(report.scope.to_owned()),
                origin: Origin::Builtin,
                path: None,
            });
        let of_extensions = catalog
            .of_kind(Kind::Report)
            .into_iter()
            .filter(|indexed| indexed.type_name.as_str().contains(&wanted))
            .map(|indexed| ReportTypeRow {
                name: indexed.raw.clone(),
                type_name: indexed.raw.clone(),
                description: None,
                scope: None,
                origin: indexed.root.origin,
                path: Some(indexed.path.display().to_string()),
            });
        let results = own.chain(of_extensions).collect();
        Ok(ReportTypeSearch { query: query.to_owned(), results })
    }
}

impl Write<'_> {
    /// Runs a report now, about a model or about a run of a workflow, and stores it.
    ///
    /// # Errors
    ///
    /// When the report, the model or the run is unknown. A report that fails is a document that says so.
    pub fn run_report(
        &self,
        name: &str,
        filter: &ReportFilter,
        run: Option<&str>,
        timeout: Option<Duration>,
        sink: &dyn EventSink<MethodEvent>,
    ) -> Result<ReportResult, AppError> {
        let models = self.models();
        let mut options = CallOptions { cancel: models.loader.cancel().clone(), ..CallOptions::default() };
        options.deadline = timeout.unwrap_or(options.deadline);
        let observer = SinkObserver { sink };
        let outcome = match (&filter.workflow, &filter.model) {
            (Some(workflow), _) => {
                Workflows::new(models).report_now(name, workflow, run, &options, &observer)?
            }
            (None, model) => {
                models.report_now(name, model.as_deref().unwrap_or_default(), &options, &observer)?
            }
        };
        Ok(report_result(&outcome))
    }
}

/// Whether marsh makes the report of this name itself.
pub fn is_built_in_report(name: &str) -> bool {
    built_in(name).is_some()
}
