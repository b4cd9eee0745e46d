//! `marsh report …`.

use std::process::ExitCode;

use marsh_data::Metadata;
use marsh_extension::kinds::{CallOptions, ReportExtension};
use marsh_model::run::reports::{ReportOutcome, ReportSelection, data_name};
use marsh_model::{ModelError, Models};
use marsh_types::{Explain as _, Kind, TypeName, near};
use marsh_workflow::Workflows;
use serde_json::{Map, Value, json};

use super::method::Talk;
use super::{done, failed};
use crate::app;
use crate::args::report::{ReportCommand, ReportSelectionArgs, ReportTypeCommand};
use crate::error::{CliError, excerpt};
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, columns};

pub fn run(ui: &Ui, models: &Models, command: &ReportCommand) -> Result<ExitCode, CliError> {
    match command {
        ReportCommand::Search { query, model, workflow } => {
            search(ui, models, query.as_deref(), &About::of(model.as_ref(), workflow.as_ref()))
        }
        ReportCommand::Get { name, model, workflow, version, markdown } => {
            get(ui, models, name, &About::of(model.as_ref(), workflow.as_ref()), *version, *markdown)
        }
        ReportCommand::Run { name, model, workflow, run, timeout } => {
            let mut options = CallOptions { cancel: app::cancel_on_signal(models), ..CallOptions::default() };
            options.deadline = timeout.unwrap_or(options.deadline);
            let talk = Talk { ui };
            let outcome = match (workflow, model) {
                (Some(workflow), _) => {
                    Workflows::new(models).report_now(name, workflow, run.as_deref(), &options, &talk)?
                }
                (None, model) => {
                    models.report_now(name, model.as_deref().unwrap_or_default(), &options, &talk)?
                }
            };
            let document = to_json(&outcome);
            ui.result(&document, || to_text(&outcome));
            if outcome.result.is_ok() { done() } else { failed() }
        }
        ReportCommand::Describe { name } => describe(ui, models, name),
        ReportCommand::Type(ReportTypeCommand::Search { query }) => types(ui, models, query.as_deref()),
    }
}

pub fn selection(arguments: &ReportSelectionArgs) -> ReportSelection {
    ReportSelection {
        skip_all: arguments.skip_reports,
        skip_names: arguments.skip_report.clone(),
        skip_labels: arguments.skip_report_label.clone(),
        names: arguments.report.clone(),
        labels: arguments.report_label.clone(),
    }
}

/// A report in the document of a run: by name.
pub fn reports_json(outcomes: &[ReportOutcome]) -> Value {
    let shapes: Map<String, Value> =
        outcomes.iter().map(|outcome| (outcome.name.clone(), to_json(outcome))).collect();
    Value::Object(shapes)
}

fn to_json(outcome: &ReportOutcome) -> Value {
    match &outcome.result {
        Ok((markdown, json)) => json!({
            "name": outcome.name, "scope": outcome.scope, "success": true, "markdown": markdown, "json": json,
        }),
        Err(error) => json!({
            "name": outcome.name, "scope": outcome.scope, "success": false,
            "error": CliError::part(error),
        }),
    }
}

pub fn to_text(outcome: &ReportOutcome) -> String {
    match &outcome.result {
        Ok((markdown, _)) => {
            format!("{NAME}{}{NAME:#} {GOOD}done{GOOD:#}\n{}\n", outcome.name, markdown.trim_end())
        }
        Err(error) => {
            let place = error.details().and_then(|details| excerpt(&details));
            let place = place.map(|text| format!("{text}\n")).unwrap_or_default();
            format!("{NAME}{}{NAME:#} {BAD}failed{BAD:#}: {error}\n{place}", outcome.name)
        }
    }
}

/// Which model or workflow reports must be about.
struct About<'a> {
    model: Option<&'a str>,
    workflow: Option<&'a str>,
}

impl<'a> About<'a> {
    fn of(model: Option<&'a String>, workflow: Option<&'a String>) -> About<'a> {
        About { model: model.map(String::as_str), workflow: workflow.map(String::as_str) }
    }

    fn is_met_by(&self, made: &Made) -> bool {
        let is = |wanted: &str| wanted == made.model || wanted == made.model_id;
        let is_workflow = made.metadata.tags.get("reportScope") == Some("workflow");
        self.model.is_none_or(|model| !is_workflow && is(model))
            && self.workflow.is_none_or(|workflow| is_workflow && is(workflow))
    }
}

/// A report that was made, by its Markdown datum.
struct Made {
    type_name: TypeName,
    model_id: String,
    model: String,
    report: String,
    metadata: Metadata,
}

fn made(models: &Models) -> Result<Vec<Made>, CliError> {
    let mut found = Vec::new();
    for (type_name, model_id) in models.data.list_models().map_err(ModelError::from)? {
        let model = match models.definitions.find(&model_id) {
            Ok(stored) => stored.definition.name,
            // Its data outlive a definition that was deleted.
            Err(_) => model_id.clone(),
        };
        for metadata in models.data.list_model(&type_name, &model_id).map_err(ModelError::from)? {
            let report = metadata.tags.get("reportName").unwrap_or_default().to_owned();
            let is_text =
                metadata.content_type == "text/markdown" && metadata.tags.get("type") == Some("report");
            if is_text && !metadata.is_deleted() {
                let (type_name, model_id) = (type_name.clone(), model_id.clone());
                let is_workflow = metadata.tags.get("reportScope") == Some("workflow");
                let workflow = metadata.tags.get("workflow").filter(|_| is_workflow);
                let model = workflow.map_or_else(|| model.clone(), str::to_owned);
                found.push(Made { type_name, model_id, model, report, metadata });
            }
        }
    }
    Ok(found)
}

fn search(ui: &Ui, models: &Models, query: Option<&str>, about: &About<'_>) -> Result<ExitCode, CliError> {
    let wanted = query.unwrap_or_default().to_lowercase();
    let mut all = made(models)?;
    all.retain(|made| {
        let named =
            made.report.to_lowercase().contains(&wanted) || made.model.to_lowercase().contains(&wanted);
        named && about.is_met_by(made)
    });
    let results: Vec<Value> = all
        .iter()
        .map(|made| {
            json!({
                "name": made.report, "scope": made.metadata.tags.get("reportScope"),
                "modelName": made.model, "modelType": made.type_name,
                "version": made.metadata.version, "createdAt": made.metadata.created_at,
            })
        })
        .collect();
    ui.result(&json!({ "query": query.unwrap_or_default(), "results": results }), || {
        if all.is_empty() {
            return "no reports".to_owned();
        }
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|made| {
                vec![
                    format!("{NAME}{}{NAME:#}", made.report),
                    made.model.clone(),
                    format!("{DIM}v{} {}{DIM:#}", made.metadata.version, made.metadata.created_at),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

fn get(
    ui: &Ui,
    models: &Models,
    name: &str,
    about: &About<'_>,
    version: Option<u32>,
    markdown: bool,
) -> Result<ExitCode, CliError> {
    let mut all = made(models)?;
    let known: Vec<String> = all.iter().map(|made| made.report.clone()).collect();
    all.retain(|made| made.report.eq_ignore_ascii_case(name) && about.is_met_by(made));
    let made = match all.as_slice() {
        [one] => one,
        [] => {
            let near = near::did_you_mean(name, known.iter().map(String::as_str));
            return Err(CliError::Usage {
                message: format!("no report `{name}` was made"),
                hint: near.or_else(|| Some("`marsh report search` lists those that were".into())),
            });
        }
        several => {
            let models: Vec<&str> = several.iter().map(|made| made.model.as_str()).collect();
            return Err(CliError::Usage {
                message: format!("the report `{name}` was made about several of them: {}", models.join(", ")),
                hint: Some("--model, or --workflow, says which one".into()),
            });
        }
    };
    let content = |name: &str, version: u32| -> Result<Option<String>, CliError> {
        let bytes = models.data.content(&made.type_name, &made.model_id, name, Some(version));
        let bytes = bytes.map_err(ModelError::from)?;
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    };
    let version = version.unwrap_or(made.metadata.version);
    let Some(text) = content(&made.metadata.name, version)? else {
        return Err(CliError::Usage {
            message: format!("the report `{name}` has no version {version}"),
            hint: Some(format!("`marsh data versions {} {}` lists them", made.model, made.metadata.name)),
        });
    };
    let json = content(&format!("{}-json", data_name(&made.report)), version)?;
    let json: Value = json.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or(Value::Null);
    let document = json!({
        "name": made.report, "scope": made.metadata.tags.get("reportScope"), "modelName": made.model,
        "modelType": made.type_name, "version": version, "createdAt": made.metadata.created_at,
        "markdown": text, "json": json,
    });
    if markdown {
        ui.raw(text.as_bytes());
    } else {
        ui.result(&document, || text.clone());
    }
    done()
}

fn describe(ui: &Ui, models: &Models, name: &str) -> Result<ExitCode, CliError> {
    let parsed = TypeName::parse(name).map_err(ModelError::from)?;
    let report = ReportExtension::open(&models.loader, &parsed).map_err(ModelError::from)?;
    let loaded = report.loaded();
    let description = &loaded.description;
    let document = json!({
        "name": description.raw_type, "description": description.description, "scope": description.scope,
        "labels": description.labels, "origin": loaded.origin, "path": loaded.entry,
    });
    ui.result(&document, || {
        format!(
            "{NAME}{}{NAME:#} {DIM}{}{DIM:#}\n  {}\n",
            description.raw_type,
            report.scope(),
            description.description.as_deref().unwrap_or_default()
        )
    });
    done()
}

fn types(ui: &Ui, models: &Models, query: Option<&str>) -> Result<ExitCode, CliError> {
    let catalog = models.loader.catalog().map_err(CliError::Load)?;
    let wanted = query.unwrap_or_default().to_lowercase();
    let mut all = catalog.of_kind(Kind::Report);
    all.retain(|indexed| indexed.type_name.as_str().contains(&wanted));
    let results: Vec<Value> = all
        .iter()
        .map(|indexed| json!({ "name": indexed.raw, "origin": indexed.root.origin, "path": indexed.path }))
        .collect();
    ui.result(&json!({ "query": query.unwrap_or_default(), "results": results }), || {
        let rows: Vec<Vec<String>> = all
            .iter()
            .map(|indexed| vec![format!("{NAME}{}{NAME:#}", indexed.raw), indexed.root.origin.to_string()])
            .collect();
        columns(&rows)
    });
    done()
}
