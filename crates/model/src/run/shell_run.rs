//! The built-in `command/shell` as a method run.

use std::time::Duration;

use marsh_host_client::CancelToken;
use serde_json::{Map, Value, json};

use super::RunEvent;
use super::context::RunContext;
use crate::builtin::shell::{self, ShellArguments};
use crate::builtin::shell_secrets;
use crate::error::ModelError;

impl RunContext<'_> {
    pub(super) fn run_shell(
        &self,
        arguments: &Map<String, Value>,
        deadline: Duration,
        cancel: &CancelToken,
    ) -> Result<Vec<String>, ModelError> {
        let mut arguments = ShellArguments::parse(arguments)?;
        let shown = self.redact(&arguments.run).into_owned();
        self.refer_to_secrets(&mut arguments);
        self.stamp_type_version(shell::VERSION)?;
        self.observe(RunEvent::Executing { method: "execute".into(), checks: Vec::new() });
        let result =
            shell::execute(&arguments, deadline, cancel, &mut |stream, line| self.output(stream, line))?;
        if result.exit_code != 0 && !arguments.ignore_exit_code {
            // Users of the type rely on a failed command leaving no result behind.
            return Err(ModelError::CommandFailed { code: result.exit_code, stderr: result.stderr });
        }
        let mut content = json!({
            "exitCode": result.exit_code,
            "executedAt": result.executed_at,
            "command": shown,
            "durationMs": u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX),
            "stdout": result.stdout,
            "stderr": result.stderr,
        });
        self.models.secrets.redact_value(&mut content);
        self.write_resource("result", "result", content.to_string().as_bytes(), None)?;
        let log = format!("[stdout]\n{}\n[stderr]\n{}", result.stdout, result.stderr);
        self.write_file("log", "log", self.redact(&log).as_bytes(), None)?;
        Ok(Vec::new())
    }

    /// Secrets in the command line become variables of its environment: the command line is for all to see.
    fn refer_to_secrets(&self, arguments: &mut ShellArguments) {
        let secrets = &self.models.secrets;
        let referred = shell_secrets::refer(&arguments.run, secrets);
        for value in arguments.env.values_mut().chain(arguments.working_dir.as_mut()) {
            *value = secrets.reveal(value).into_owned();
        }
        if referred.unexpanded {
            self.observe(RunEvent::Warning {
                code: "vault_single_quote",
                message:
                    "a secret stands where the shell does not expand it (in single quotes, or in a quoted \
                          here-document): put it between double quotes"
                        .to_owned(),
            });
        }
        arguments.run = referred.run;
        arguments.env.extend(referred.env);
    }
}
