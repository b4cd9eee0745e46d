//! The inputs of a run that a schedule or a webhook starts: `trigger.inputs`, evaluated at that moment.

use marsh_expr::{Cel, Expanded, Mode, Variables, expand};
use marsh_model::WithData;
use marsh_types::Explain as _;
use serde_json::{Map, Value};

use crate::Workflows;
use crate::error::WorkflowError;
use crate::store::StoredWorkflow;

impl Workflows<'_> {
    /// `written`: inputs in the place of those of the same names in the workflow's own `trigger.inputs`. `webhook`: `{body, headers, route}`, if it
    /// is one that fires. Everything is evaluated strictly: a run with half of its inputs is none.
    pub fn trigger_inputs(
        &self,
        stored: &StoredWorkflow,
        written: Option<&Map<String, Value>>,
        webhook: Option<&Value>,
    ) -> Result<Map<String, Value>, WorkflowError> {
        let workflow = stored.workflow();
        let own = workflow.trigger.as_ref().and_then(|trigger| trigger.inputs.as_ref()?.as_object());
        let mut inputs = own.cloned().unwrap_or_default();
        inputs.extend(written.cloned().unwrap_or_default());
        if inputs.is_empty() {
            return Ok(inputs);
        }
        let env: Map<String, Value> =
            self.models.env.iter().map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
        let mut variables = Variables::new().with("env", Value::Object(env));
        if let Some(webhook) = webhook {
            variables.set("webhook", webhook.clone());
        }
        let (access, data, cel) = (self.models.secret_access(), self.models.stored_data(), Cel::default());
        let caller = format!("trigger of workflow {}", workflow.name);
        let evaluator = access.evaluator(&cel, &caller);
        let scope = WithData { inner: &variables, data: &data };
        let value = Value::Object(inputs);
        match expand(&value, &evaluator, &scope, Mode::Strict, |_| false) {
            Ok(Expanded { value: Value::Object(inputs), .. }) => Ok(inputs),
            Ok(other) => Err(WorkflowError::Trigger {
                workflow: workflow.name.clone(),
                message: format!("inputs: expected a map, found {}", other.value),
            }),
            Err(error) => {
                let hint = error.hint().map_or_else(String::new, |hint| format!("; {hint}"));
                Err(WorkflowError::Trigger {
                    workflow: workflow.name.clone(),
                    message: format!("inputs{}: {error}{hint}", error.pointer.replace('/', ".")),
                })
            }
        }
    }
}
