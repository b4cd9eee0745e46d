//! The built-in `command/shell` as a method run.

use std::time::Duration;

use marsh_process::Exit;
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
    ) -> Result<Vec<String>, ModelError> {
        let mut arguments = ShellArguments::parse(arguments)?;
        let shown = self.redact(&arguments.run).into_owned();
        self.refer_to_secrets(&mut arguments);
        self.stamp_type_version(shell::VERSION)?;
        self.observe(RunEvent::Executing { method: "execute".into(), checks: Vec::new() });
        let (executor, secrets) = (&*self.models.executor, &self.models.secrets);
        let mut line = |stream: marsh_process::OutputStream, text: &str| self.output(stream.as_str(), text);
        let result = shell::execute(executor, &arguments, deadline, &self.cancel, secrets, &mut line);
        let cut = result.cut.message().map(|message| format!("`execute` {message}"));
        if let Some(message) = &cut {
            self.warn("output_truncated", message);
        }
        let exit_code = match result.exit {
            Exit::Code(code) => code,
            Exit::TimedOut => {
                let limit = arguments.timeout.map_or(deadline, |timeout| timeout.min(deadline));
                let message = format!("the command did not end within {} ms", limit.as_millis());
                return Err(ModelError::Deadline(message));
            }
            Exit::Stopped(reason) => return Err(ModelError::Cancelled(reason)),
        };
        if exit_code != 0 && !arguments.ignore_exit_code {
            // Users of the type rely on a failed command leaving no result behind.
            return Err(ModelError::CommandFailed { code: exit_code, stderr: result.stderr });
        }
        let mut content = json!({
            "exitCode": exit_code,
            "executedAt": result.executed_at,
            "command": shown,
            "durationMs": u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX),
            "stdout": result.stdout,
            "stderr": result.stderr,
        });
        let mut log = format!("[stdout]\n{}\n[stderr]\n{}", result.stdout, result.stderr);
        if let Some(message) = &cut {
            content["droppedBytes"] =
                json!({ "stdout": result.cut.stdout_bytes, "stderr": result.cut.stderr_bytes });
            log.push_str(&format!("\n[marsh]\n{message}"));
        }
        self.models.secrets.redact_value(&mut content);
        self.write_resource("result", "result", content.to_string().as_bytes(), None)?;
        self.write_file("log", "log", self.redact(&log).as_bytes(), None)?;
        Ok(Vec::new())
    }

    /// Warns in the log and on the screen.
    pub(super) fn warn(&self, code: &'static str, message: &str) {
        self.log.line("WRN", message);
        self.observe(RunEvent::Warning { code, message: message.to_owned() });
    }

    /// Secrets in the command line become variables of its environment: every user of the machine can see a command line.
    fn refer_to_secrets(&self, arguments: &mut ShellArguments) {
        let secrets = &self.models.secrets;
        let referred = shell_secrets::refer(&arguments.run, secrets);
        for value in arguments.env.values_mut().chain(arguments.working_dir.as_mut()) {
            *value = secrets.reveal(value).into_owned();
        }
        if referred.unexpanded {
            self.observe(RunEvent::Warning {
                code: "vault_single_quote",
                message: "the shell does not expand a secret here (in single quotes, or in a quoted \
                          here-document): put it between double quotes"
                    .to_owned(),
            });
        }
        arguments.run = referred.run;
        arguments.env.extend(referred.env);
    }
}
