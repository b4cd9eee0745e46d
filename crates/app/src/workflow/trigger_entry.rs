//! Schedules in `.swamp/serve.yaml`, which stand in the place of those of workflow files.

use std::io::ErrorKind;

use marsh_api::workflow::{
    TriggerDetails, TriggerEntry, TriggerInputs, TriggerRemoved, TriggerSet, TriggerState,
};
use marsh_fs::Durability;
use marsh_trigger::{Config, Override, Pattern};
use marsh_workflow::WorkflowError;

use crate::error::AppError;
use crate::session::Read;

/// A schedule in place of a workflow's own.
#[derive(Debug, Clone)]
pub struct TriggerChange {
    /// The name of the workflow, which need not exist.
    pub workflow: String,
    /// A cron expression.
    pub schedule: String,
    /// Inputs in place of the workflow's own of the same names.
    pub inputs: TriggerInputs,
}

fn entry(over: &Override) -> TriggerEntry {
    TriggerEntry { schedule: over.schedule.clone(), inputs: over.inputs.clone() }
}

impl Read<'_> {
    /// Sets a schedule in place of a workflow's own.
    ///
    /// # Errors
    ///
    /// When the schedule is invalid, or the file is invalid or cannot be changed.
    pub fn set_trigger(&self, change: &TriggerChange) -> Result<TriggerSet, AppError> {
        Pattern::parse(&change.schedule)?;
        let inputs = (!change.inputs.is_empty()).then(|| change.inputs.clone());
        let over = Override { schedule: Some(change.schedule.clone()), inputs };
        self.change_serve_config(|text| {
            Ok(marsh_trigger::with_override(text, &change.workflow, Some(&over))?)
        })?;
        Ok(TriggerSet { workflow_name: change.workflow.clone(), entry: entry(&over) })
    }

    /// Gives a workflow its own schedule again.
    ///
    /// # Errors
    ///
    /// When no schedule is set in its place, or the file is invalid or cannot be changed.
    pub fn remove_trigger(&self, workflow: &str) -> Result<TriggerRemoved, AppError> {
        self.change_serve_config(|text| {
            if !Config::parse(text)?.triggers.contains_key(workflow) {
                return Err(AppError::not_found(
                    format!("workflow `{workflow}` has no schedule in .swamp/serve.yaml"),
                    format!("`marsh workflow trigger get {workflow}` shows when it runs"),
                ));
            }
            Ok(marsh_trigger::with_override(text, workflow, None)?)
        })?;
        Ok(TriggerRemoved { workflow_name: workflow.to_owned() })
    }

    /// When a server starts a workflow, and with which inputs. A workflow that does not exist has no times of its own.
    ///
    /// # Errors
    ///
    /// When the file of the workflow or of the server is invalid.
    pub fn trigger(&self, workflow: &str) -> Result<TriggerDetails, AppError> {
        let built_in = match self.workflows().store().find(workflow) {
            Ok(stored) => {
                let trigger = stored.workflow().trigger.clone().unwrap_or_default();
                let inputs = trigger.inputs.as_ref().and_then(|inputs| inputs.as_object().cloned());
                Some(TriggerState { schedule: trigger.schedule, inputs: inputs.unwrap_or_default() })
            }
            Err(WorkflowError::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let config = Config::parse(&self.serve_config()?)?;
        let overriding = config.triggers.get(workflow).map(entry);
        let mut effective = built_in.clone().unwrap_or_default();
        if let Some(over) = overriding.clone() {
            effective.schedule = over.schedule.or(effective.schedule);
            effective.inputs.extend(over.inputs.unwrap_or_default());
        }
        Ok(TriggerDetails { workflow_name: workflow.to_owned(), built_in, overriding, effective })
    }

    fn serve_config(&self) -> Result<String, AppError> {
        let path = self.models().repo.layout.serve_config();
        match marsh_fs::read_to_string(&path) {
            Ok(text) => Ok(text),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
            Err(source) => Err(AppError::Read { what: path.display().to_string(), source }),
        }
    }

    /// Reading and writing of the file are one step to every other process.
    fn change_serve_config(
        &self,
        change: impl FnOnce(&str) -> Result<String, AppError>,
    ) -> Result<(), AppError> {
        let layout = &self.models().repo.layout;
        let lock = layout.locks().join("serve-config.lock");
        let timeout = self.models().env.lock_timeout();
        let lock = marsh_fs::lock_exclusive(&lock, timeout, "marsh workflow trigger", &mut |_| {});
        let _lock = lock.map_err(WorkflowError::from)?;
        let text = change(&self.serve_config()?)?;
        marsh_fs::create_dir_all(&layout.state())?;
        Ok(marsh_fs::atomic_write(&layout.serve_config(), text.as_bytes(), Durability::Synced)?)
    }
}
