//! Workflows that a server starts by itself: schedules, and webhooks with their secrets.

use std::path::PathBuf;

use marsh_api::event::EventSink;
use marsh_api::workflow::Severity;
use marsh_api::workflow::event::WorkflowEvent;
use marsh_host_client::CancelToken;
use marsh_model::run::reports::ReportSelection;
use marsh_trigger::{Hook, SecretSource, Webhook};
use marsh_vault::{Reference, Secret};
use marsh_workflow::Stamp;
use serde_json::{Map, Value};

use super::run::{RunInitiator, WorkflowRunRequest, WorkflowRunResult};
use crate::error::AppError;
use crate::input::RunOptions;
use crate::session::{Read, Write};

/// Why a server starts a workflow.
#[derive(Debug, Clone, PartialEq)]
pub enum TriggerSource {
    /// Its time has come.
    Schedule,
    /// A webhook was called: `{body, headers, route}`, the variable `webhook` of the workflow's `trigger.inputs`.
    Webhook(Value),
}

impl TriggerSource {
    /// The source, as records have it.
    pub fn as_str(&self) -> &'static str {
        match self {
            TriggerSource::Schedule => "schedule",
            TriggerSource::Webhook(_) => "webhook",
        }
    }
}

/// A workflow that a server starts.
#[derive(Debug, Clone)]
pub struct TriggerRequest {
    /// The workflow, by name or id.
    pub workflow: String,
    /// Why.
    pub source: TriggerSource,
    /// In the place of those of the same names in the `trigger.inputs` of the workflow.
    pub inputs: Option<Map<String, Value>>,
    /// Cancels the run.
    pub cancel: CancelToken,
    /// The id of the run; `None`: a new one. A run of this id that has begun is gone on with, not started again.
    pub run_id: Option<String>,
}

/// A workflow with a schedule in its file, or without.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkflowSchedule {
    /// The name of the workflow.
    pub workflow: String,
    /// The text of its schedule.
    pub schedule: Option<String>,
}

/// Path, length and time of files: equal stamps mean equal files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesStamp(Vec<Stamp>);

impl Write<'_> {
    /// Evaluates the `trigger.inputs` of a workflow and runs it.
    ///
    /// # Errors
    ///
    /// When an input cannot be evaluated, and those of [`Write::run_workflow`].
    pub fn run_triggered_workflow(
        &self,
        request: &TriggerRequest,
        sink: &dyn EventSink<WorkflowEvent>,
    ) -> Result<WorkflowRunResult, AppError> {
        let workflows = self.workflows();
        let stored = workflows.store().find(&request.workflow)?;
        let (initiator, webhook) = match &request.source {
            TriggerSource::Schedule => (RunInitiator::Schedule, None),
            TriggerSource::Webhook(webhook) => (RunInitiator::Webhook, Some(webhook)),
        };
        let run = WorkflowRunRequest {
            workflow: request.workflow.clone(),
            inputs: workflows.trigger_inputs(&stored, request.inputs.as_ref(), webhook)?,
            options: RunOptions { cancel: Some(request.cancel.clone()), ..RunOptions::default() },
            last_evaluated: false,
            fail_on: Severity::Low,
            initiator,
            reports: ReportSelection::default(),
        };
        self.run_workflow_once(&run, run.inputs.clone(), request.run_id.as_deref(), sink)
    }
}

impl Read<'_> {
    /// All workflows that can be read, with their schedules.
    ///
    /// # Errors
    ///
    /// When the files cannot be listed.
    pub fn workflow_schedules(&self) -> Result<Vec<WorkflowSchedule>, AppError> {
        let listing = self.workflows().store().list()?;
        let schedules = listing.workflows.iter().map(|stored| {
            let workflow = stored.workflow();
            let schedule = workflow.trigger.as_ref().and_then(|trigger| trigger.schedule.clone());
            WorkflowSchedule { workflow: workflow.name.clone(), schedule }
        });
        Ok(schedules.collect())
    }

    /// Whether any workflow file, or one of these files, is another one than before: its stamp differs then.
    ///
    /// # Errors
    ///
    /// When the files cannot be listed.
    pub fn workflow_files_stamp(
        &self,
        others: impl IntoIterator<Item = PathBuf>,
    ) -> Result<FilesStamp, AppError> {
        let mut stamps = self.workflows().store().stamps()?;
        stamps.extend(others.into_iter().map(Stamp::of));
        Ok(FilesStamp(stamps))
    }

    /// The webhook with its secret, from where its configuration says that it is.
    ///
    /// # Errors
    ///
    /// When the secret is missing, empty or cannot be read.
    pub fn webhook_with_secret(&self, webhook: &Webhook) -> Result<Hook, AppError> {
        let refused = |message: String| AppError::WebhookSecret { route: webhook.route.clone(), message };
        let models = self.models();
        let secret = match &webhook.secret {
            SecretSource::Literal(secret) => Secret::new(secret.as_str()),
            SecretSource::Env(name) => Secret::new(
                models.env.raw(name).ok_or_else(|| refused(format!("the variable {name} is not set")))?,
            ),
            SecretSource::File(path) => {
                let path = models.repo.layout.root().join(path);
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| refused(format!("cannot read {}: {error}", path.display())))?;
                Secret::new(text.trim_end_matches(['\r', '\n']))
            }
            SecretSource::Vault { vault, key } => {
                let reference = Reference::new(vault.as_str(), key.as_str());
                let found = models.vaults.resolve(&reference, "webhook", &mut |_| {});
                found.map_err(|error| refused(error.to_string()))?
            }
        };
        if secret.expose().is_empty() {
            return Err(refused("it is empty".to_owned()));
        }
        let (route, workflow) = (webhook.route.clone(), webhook.workflow.clone());
        Ok(Hook { route, workflow, secret, scheme: webhook.scheme.clone() })
    }
}
