//! The pre-flight checks of a definition, without a run. They execute as before a method: with the evaluated global
//! arguments, and with everything that they reach, the network included. They store nothing.

use std::time::Duration;

use marsh_host_client::CancelToken;
use marsh_host_client::protocol::{Check, CheckResult};
use serde_json::Map;

use super::context::RunContext;
use super::log::RunLog;
use super::{CheckSelection, Driver, RunRequest, Silent, Target, Trigger, elsewhere};
use crate::Models;
use crate::check_filter::CheckFilter;
use crate::definition::Stored;
use crate::error::ModelError;
use crate::types::TypeCode;

impl Models {
    /// Runs the checks that a filter selects.
    ///
    /// # Errors
    ///
    /// The global arguments are invalid, or the host failed, so that no check could run.
    pub fn run_checks(
        &self,
        stored: &Stored,
        code: &TypeCode,
        filter: &CheckFilter,
        deadline: Duration,
        cancel: &CancelToken,
    ) -> Result<Vec<CheckResult>, ModelError> {
        let names = filter.select(stored, code);
        let Some(loaded) = code.checks_module().filter(|_| !names.is_empty()) else { return Ok(Vec::new()) };
        let request = RunRequest {
            target: Target::Definition(stored.definition.name.clone()),
            method: filter.method.clone().unwrap_or_default(),
            inputs: Map::new(),
            tags: Vec::new(),
            checks: CheckSelection::default(),
            deadline,
            cancel,
            trigger: Trigger::Manual,
            last_evaluated: false,
            initiated_by: None,
            pins: None,
            output_overrides: Vec::new(),
            driver: Driver::Raw,
            gate: None,
            caller: None,
        };
        let evaluated = self.evaluated_globals(stored, &request)?;
        // What checks log is not kept: there is no run that it could belong to.
        let log = RunLog::silent(self.secrets.clone());
        let context = RunContext::new(self, stored, code, &request, &log, &Silent);
        let run = self.call_params(stored, code, &request, &evaluated);
        let results = elsewhere::call(self.hosts(), Check { run, names }, loaded, &request, &context);
        let mut results = results.map_err(|error| error.redacted(&self.secrets))?;
        for result in &mut results {
            result.error = result.error.take().map(|error| self.secrets.redact(&error).into_owned());
        }
        Ok(results)
    }
}
