//! Method runs.

use marsh_api::error::{ErrorDocument, ErrorReport};
use marsh_api::event::{EventSink, MethodEvent};
use marsh_api::model::{DataArtifact, MethodRun, MethodRunDocument, MethodRunItem, MethodRunStatus};
use marsh_data::OutputStatus;
use marsh_extension::kinds::CallOptions;
use marsh_model::inputs::merge;
use marsh_model::run::reports::{ReportSelection, Summaries};
use marsh_model::{ModelError, RunOutcome, RunRequest, RunStatus, Target, Trigger};
use marsh_types::TypeName;
use serde_json::{Map, Value};

use crate::error::AppError;
use crate::input::{InputItems, RunOptions};
use crate::method_events::SinkObserver;
use crate::report::{made_result, reports_by_name};
use crate::session::{Read, Write, initiated_by};

/// What to run a method on.
#[derive(Debug, Clone)]
pub enum MethodTarget {
    /// A definition, by name or id.
    Definition(String),
    /// A definition, as a user typed it. If it is the name of a type, the error says that a definition is missing.
    Typed(String),
    /// A type, and the name of a definition that is made if there is none.
    Type {
        /// The type.
        type_name: String,
        /// The name of the definition.
        name: String,
        /// Its global arguments, when it is made.
        global_arguments: Option<Map<String, Value>>,
    },
}

/// A method to run.
#[derive(Debug, Clone)]
pub struct MethodRunRequest {
    /// What to run it on.
    pub target: MethodTarget,
    /// The method.
    pub method: String,
    /// Its inputs.
    pub inputs: Map<String, Value>,
    /// Tags, checks, timeout, driver.
    pub options: RunOptions,
    /// Whether the definition's last evaluated copy is used.
    pub last_evaluated: bool,
    /// The reports that follow.
    pub reports: ReportSelection,
}

impl Write<'_> {
    /// Runs a method, and the reports that follow it. `Ok` also when the run failed: its document says so.
    ///
    /// # Errors
    ///
    /// When the run cannot start: unknown model, type or method, invalid inputs.
    pub fn run_method(
        &self,
        request: &MethodRunRequest,
        sink: &dyn EventSink<MethodEvent>,
    ) -> Result<MethodRun, AppError> {
        self.run_method_once(request, request.inputs.clone(), None, sink)
    }

    /// Runs a method once for each item, merged over the inputs of the request. A run that cannot start ends the
    /// list as an error, if there are several.
    ///
    /// # Errors
    ///
    /// When the items cannot be read, or the only run cannot start.
    pub fn run_method_for_each(
        &self,
        request: &MethodRunRequest,
        items: &InputItems,
        sink: &dyn EventSink<MethodEvent>,
    ) -> Result<MethodRunDocument, AppError> {
        let sets = self.inputs(items)?;
        let several = sets.len() > 1;
        // Each run has a summary. A thread stores them, while the next run goes on.
        let summaries = several.then(|| Summaries::new(self.models().data.clone()));
        let mut runs = Vec::new();
        for set in sets {
            let mut inputs = request.inputs.clone();
            merge(&mut inputs, set);
            match self.run_method_once(request, inputs, summaries.as_ref(), sink) {
                Ok(run) if !several => return Ok(MethodRunDocument::One(Box::new(run))),
                Ok(run) => runs.push(MethodRunItem::Run(Box::new(run))),
                Err(error) if several => {
                    runs.push(MethodRunItem::Error(ErrorDocument { error: error.report() }));
                    break;
                }
                Err(error) => return Err(error),
            }
            if self.cancel_of(&request.options).is_cancelled() {
                break;
            }
        }
        if let Some(error) = summaries.and_then(|summaries| summaries.finish()) {
            runs.push(MethodRunItem::Error(ErrorDocument { error: AppError::from(error).report() }));
        }
        Ok(MethodRunDocument::Several(runs))
    }

    fn run_method_once(
        &self,
        request: &MethodRunRequest,
        inputs: Map<String, Value>,
        summaries: Option<&Summaries>,
        sink: &dyn EventSink<MethodEvent>,
    ) -> Result<MethodRun, AppError> {
        let models = self.models();
        let cancel = self.cancel_of(&request.options);
        let run = RunRequest {
            target: target(&request.target)?,
            method: request.method.clone(),
            inputs,
            tags: request.options.tags.clone(),
            checks: request.options.checks(),
            deadline: request.options.deadline(),
            cancel,
            trigger: Trigger::Manual,
            last_evaluated: request.last_evaluated,
            initiated_by: initiated_by(&models.env),
            pins: None,
            output_overrides: Vec::new(),
            driver: request.options.driver()?,
            gate: None,
            caller: None,
        };
        let observer = SinkObserver { sink };
        let outcome = models.run(&run, &observer).map_err(|error| self.name_missing(request, error))?;
        let mut document = method_run(&outcome);
        if outcome.status != RunStatus::Cancelled {
            let options = CallOptions { cancel: cancel.clone(), ..CallOptions::default() };
            let summary = models.summarise_method(&outcome, &request.reports)?;
            let result = summary.as_ref().map(made_result);
            match (summary, summaries) {
                (Some(made), Some(summaries)) => summaries.add(made),
                (Some(made), None) => drop(made.store(&models.data)?),
                (None, _) => {}
            }
            let reports = models.report_on(&outcome, &request.reports, &options, &observer)?;
            document.reports = reports_by_name(&reports);
            if let Some(result) = result {
                document.reports.get_or_insert_default().insert(result.name.clone(), result);
            }
        }
        Ok(document)
    }
}

impl Read<'_> {
    /// `@type` without a name reads as the name of a definition; say what is missing when it is a type.
    fn name_missing(&self, request: &MethodRunRequest, error: ModelError) -> AppError {
        let MethodTarget::Typed(target) = &request.target else { return error.into() };
        let is_type = matches!(error, ModelError::ModelNotFound { .. })
            && TypeName::parse(target).is_ok_and(|type_name| self.models().knows_type(&type_name));
        if !is_type {
            return error.into();
        }
        AppError::Usage {
            message: format!("`{target}` is a type: name a definition too"),
            hint: Some(format!("marsh model method run {target} {} <name>", request.method)),
        }
    }
}

fn target(target: &MethodTarget) -> Result<Target, AppError> {
    Ok(match target {
        MethodTarget::Definition(name) | MethodTarget::Typed(name) => Target::Definition(name.clone()),
        MethodTarget::Type { type_name, name, global_arguments } => Target::Direct {
            type_name: crate::types::parse_type(type_name)?,
            name: name.clone(),
            global_arguments: global_arguments.clone(),
        },
    })
}

pub(crate) fn run_status(status: OutputStatus) -> MethodRunStatus {
    match status {
        OutputStatus::Pending => MethodRunStatus::Pending,
        OutputStatus::Running => MethodRunStatus::Running,
        OutputStatus::Succeeded => MethodRunStatus::Succeeded,
        OutputStatus::Failed => MethodRunStatus::Failed,
        OutputStatus::Cancelled => MethodRunStatus::Cancelled,
    }
}

/// The document of a run, without reports.
pub(crate) fn method_run(outcome: &RunOutcome) -> MethodRun {
    MethodRun {
        model_id: outcome.model_id.clone(),
        model_name: outcome.model_name.clone(),
        model_type: outcome.model_type.clone(),
        type_version: outcome.type_version.clone(),
        method_name: outcome.method.clone(),
        status: run_status(outcome.status),
        duration: outcome.duration_ms,
        output_id: outcome.output_id.clone(),
        log_file: outcome.log_file.clone(),
        data_artifacts: outcome.artifacts.iter().map(data_artifact).collect(),
        global_arguments: outcome.global_arguments.clone(),
        method_arguments: outcome.method_arguments.clone(),
        bundle_fingerprint: outcome.fingerprint.clone(),
        initiated_by: outcome.initiated_by.clone(),
        error: outcome.error.as_ref().map(|error| ErrorReport::of(error)),
        reports: None,
    }
}

/// The document of a version that a run wrote.
pub(crate) fn data_artifact(artifact: &marsh_model::run::ArtifactView) -> DataArtifact {
    let metadata = &artifact.metadata;
    DataArtifact {
        id: metadata.id.clone(),
        name: metadata.name.clone(),
        version: metadata.version,
        spec_name: metadata.tags.get("specName").map(str::to_owned),
        kind: metadata.tags.get("type").map(str::to_owned),
        content_type: metadata.content_type.clone(),
        path: artifact.path.as_ref().map(|path| path.display().to_string()),
        attributes: artifact.attributes.clone(),
        text: artifact.text.clone(),
        size: metadata.size,
    }
}
