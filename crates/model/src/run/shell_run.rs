//! The built-in `command/shell` as a method run.

use std::time::Duration;

use marsh_host::CancelToken;
use serde_json::{Map, Value, json};

use super::RunEvent;
use super::context::RunContext;
use crate::builtin::shell::{self, ShellArguments};
use crate::error::ModelError;

impl RunContext<'_> {
    pub(super) fn run_shell(
        &self,
        arguments: &Map<String, Value>,
        deadline: Duration,
        cancel: &CancelToken,
    ) -> Result<Value, ModelError> {
        let arguments = ShellArguments::parse(arguments)?;
        self.stamp_type_version(shell::VERSION)?;
        self.observe(RunEvent::Executing { method: "execute".into(), checks: Vec::new() });
        let result =
            shell::execute(&arguments, deadline, cancel, &mut |stream, line| self.output(stream, line))?;
        if result.exit_code != 0 && !arguments.ignore_exit_code {
            // Users of the type rely on a failed command leaving no result behind.
            return Err(ModelError::CommandFailed { code: result.exit_code, stderr: result.stderr });
        }
        let content = json!({
            "exitCode": result.exit_code,
            "executedAt": result.executed_at,
            "command": arguments.run,
            "durationMs": u64::try_from(result.duration.as_millis()).unwrap_or(u64::MAX),
            "stdout": result.stdout,
            "stderr": result.stderr,
        });
        self.write_resource("result", "result", content.to_string().as_bytes(), None)?;
        let log = format!("[stdout]\n{}\n[stderr]\n{}", result.stdout, result.stderr);
        self.write_file("log", "log", log.as_bytes())?;
        Ok(Value::Null)
    }
}
