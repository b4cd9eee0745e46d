//! `command/shell`: runs a command line and keeps what it printed.
//!
//! An [`Executor`] runs the command, under the limits of the call: its deadline, and 8 MB of output. A command that fails
//! stores nothing, as existing users of the type expect.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use marsh_extension::ModelDescription;
use marsh_host_client::CancelToken;
use marsh_process::{CommandLimits, CommandLine, Ended, Executor, Exit, OutputStream, Stop};
use marsh_vault::Secrets;
use serde_json::{Map, Value, json};

use super::shell_output::CommandOutput;
use crate::error::{Issue, ModelError};

pub use marsh_process::kill_all;

/// The type's name.
pub const TYPE: &str = "command/shell";
/// The type's version.
pub const VERSION: &str = "2026.02.09.1";

/// The type's description, in the shape that extension types have.
pub fn description() -> Arc<ModelDescription> {
    static DESCRIPTION: OnceLock<Arc<ModelDescription>> = OnceLock::new();
    Arc::clone(DESCRIPTION.get_or_init(|| {
        let arguments = json!({
            "schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {
                    "run": { "type": "string", "minLength": 1, "description": "the command line, passed to `sh -c`" },
                    "workingDir": { "type": "string", "description": "where it runs; default: the current directory" },
                    "timeout": { "type": "integer", "exclusiveMinimum": 0, "description": "milliseconds" },
                    "env": { "type": "object", "additionalProperties": { "type": "string" } },
                    "ignoreExitCode": { "type": "boolean" },
                },
                "required": ["run"],
                "additionalProperties": false,
            },
            "keys": ["run", "workingDir", "timeout", "env", "ignoreExitCode"],
            "open": false, "record": false, "sensitive": [],
        });
        let result = json!({
            "type": "object",
            "properties": {
                "exitCode": { "type": "integer" }, "executedAt": { "type": "string" }, "command": { "type": "string" },
                "durationMs": { "type": "integer" }, "stdout": { "type": "string" }, "stderr": { "type": "string" },
                "droppedBytes": {
                    "type": "object",
                    "properties": { "stdout": { "type": "integer" }, "stderr": { "type": "integer" } },
                },
            },
            "required": ["exitCode", "executedAt", "command"],
        });
        let description = json!({
            "type": TYPE, "version": VERSION, "globalArguments": null,
            "methods": { "execute": { "description": "Run a command line", "kind": null, "rollbackOnFailure": false, "arguments": arguments } },
            "resources": { "result": { "description": "Exit code and output", "schema": result, "lifetime": "infinite", "garbageCollection": 10, "sensitive": [], "sensitiveOutput": false } },
            "files": { "log": { "description": "What the command printed", "contentType": "text/plain", "lifetime": "infinite", "garbageCollection": 10, "streaming": true } },
            "checks": {}, "reports": [],
        });
        match serde_json::from_value(description) {
            Ok(description) => Arc::new(description),
            // Held by `the_description_is_valid`: the literal above is a description.
            Err(error) => unreachable!("invalid built-in description: {error}"),
        }
    }))
}

/// The arguments of `execute`.
#[derive(Debug, Clone, PartialEq)]
pub struct ShellArguments {
    /// The command line, for `sh -c`.
    pub run: String,
    /// Where it runs; `None`: the current directory.
    pub working_dir: Option<String>,
    /// How long it may run, beside the deadline of the call.
    pub timeout: Option<Duration>,
    /// Variables beside those of marsh.
    pub env: BTreeMap<String, String>,
    /// Whether a command that fails is a success with a result.
    pub ignore_exit_code: bool,
}

impl ShellArguments {
    /// Reads the method's arguments. Text from a command line is converted to the type of the field.
    ///
    /// # Errors
    ///
    /// [`ModelError::Validation`] names every field that is missing or of the wrong type.
    pub fn parse(arguments: &Map<String, Value>) -> Result<ShellArguments, ModelError> {
        let mut issues = Vec::new();
        let mut text = |key: &str| match arguments.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                issues.push(Issue::new(key, format!("expected a string, received {}", type_word(other))));
                None
            }
        };
        let run = text("run");
        let working_dir = text("workingDir");
        if run.as_deref().is_none_or(str::is_empty) && !issues.iter().any(|issue| issue.field == "run") {
            issues.push(Issue::new("run", "expected a command line"));
        }
        let timeout = match arguments.get("timeout") {
            None | Some(Value::Null) => None,
            Some(value) => {
                let number =
                    value.as_u64().or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()));
                match number.filter(|ms| *ms > 0) {
                    Some(ms) => Some(Duration::from_millis(ms)),
                    None => {
                        issues.push(Issue::new(
                            "timeout",
                            "expected a whole number of milliseconds above zero",
                        ));
                        None
                    }
                }
            }
        };
        let ignore_exit_code = match arguments.get("ignoreExitCode") {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Bool(true)) => true,
            Some(Value::String(text)) if text == "true" || text == "false" => text == "true",
            Some(other) => {
                issues.push(Issue::new(
                    "ignoreExitCode",
                    format!("expected true or false, received {}", type_word(other)),
                ));
                false
            }
        };
        let env = parse_env(arguments.get("env"), &mut issues);
        match run {
            Some(run) if issues.is_empty() => {
                Ok(ShellArguments { run, working_dir, timeout, env, ignore_exit_code })
            }
            _ => Err(ModelError::Validation { what: "arguments of `execute`".into(), issues }),
        }
    }
}

fn parse_env(value: Option<&Value>, issues: &mut Vec<Issue>) -> BTreeMap<String, String> {
    let parsed;
    let map = match value {
        None | Some(Value::Null) => return BTreeMap::new(),
        Some(Value::Object(map)) => map,
        Some(Value::String(text)) => match serde_json::from_str::<Map<String, Value>>(text) {
            Ok(map) => {
                parsed = map;
                &parsed
            }
            Err(_) => {
                issues.push(Issue::new("env", "expected a map of strings"));
                return BTreeMap::new();
            }
        },
        Some(other) => {
            issues
                .push(Issue::new("env", format!("expected a map of strings, received {}", type_word(other))));
            return BTreeMap::new();
        }
    };
    let mut env = BTreeMap::new();
    for (key, value) in map {
        match value {
            Value::String(text) if !key.is_empty() && !key.contains(['=', '\0']) && !text.contains('\0') => {
                env.insert(key.clone(), text.clone());
            }
            Value::String(_) => {
                issues.push(Issue::new(format!("env.{key}"), "invalid variable name or value"))
            }
            other => issues.push(Issue::new(
                format!("env.{key}"),
                format!("expected a string, received {}", type_word(other)),
            )),
        }
    }
    env
}

fn type_word(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// What a command line did.
#[derive(Debug, Clone)]
pub struct ShellResult {
    /// How the command ended; code -1: it could not be started, and `stderr` says why.
    pub exit: Exit,
    /// When it was started, as ISO 8601 with milliseconds.
    pub executed_at: String,
    /// How long it ran.
    pub duration: Duration,
    /// What it printed, up to the limit, without the line break at its end. Secrets are masked only where the output was
    /// cut.
    pub stdout: String,
    /// The same for standard error.
    pub stderr: String,
    /// The parts of the output that are not in `stdout`, `stderr` and the log.
    pub cut: Cut,
}

/// What was left out of a command's output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cut {
    /// Bytes of standard output beyond the limit.
    pub stdout_bytes: u64,
    /// Bytes of standard error beyond the limit.
    pub stderr_bytes: u64,
    /// Lines that were neither shown nor logged.
    pub hidden_lines: u64,
}

impl Cut {
    /// The missing parts, in words; `None`: none are missing.
    pub fn message(&self) -> Option<String> {
        let mut parts = Vec::new();
        for (bytes, stream) in [(self.stdout_bytes, "stdout"), (self.stderr_bytes, "stderr")] {
            if bytes > 0 {
                parts.push(format!("dropped {bytes} bytes of {stream} beyond the limit of 8 MB"));
            }
        }
        if self.hidden_lines > 0 {
            parts.push(format!("did not log the last {} lines", self.hidden_lines));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}

/// Runs the command; `line` gets each line as it is printed, with the stream it went to.
pub fn execute(
    executor: &dyn Executor,
    arguments: &ShellArguments,
    deadline: Duration,
    cancel: &CancelToken,
    secrets: &Secrets,
    line: &mut dyn FnMut(OutputStream, &str),
) -> ShellResult {
    let executed_at = marsh_types::time::iso_millis(jiff::Timestamp::now());
    let command = CommandLine {
        script: arguments.run.clone(),
        directory: arguments.working_dir.as_ref().map(PathBuf::from),
        env: arguments.env.clone(),
        discard_stderr: false,
    };
    let deadline = arguments.timeout.map_or(deadline, |timeout| timeout.min(deadline));
    let limits = CommandLimits { deadline, output_bytes: CommandLimits::OUTPUT_BYTES };
    let stop = Arc::new(Stop::new());
    let request = Arc::clone(&stop);
    let subscription = cancel.on_cancel(move |reason| request.request(reason));
    let mut output = CommandOutput::new(secrets, line);
    let ended = executor.execute(&command, &limits, &stop, &mut |stream, bytes| output.push(stream, bytes));
    drop(subscription);
    let ended = match ended {
        Ok(ended) => ended,
        Err(error) => {
            let message = match &arguments.working_dir {
                Some(dir) => format!("cannot run in {dir}: {error}"),
                None => format!("cannot start the command: {error}"),
            };
            let exit = Exit::Code(-1);
            let ended = Ended { exit, duration: Duration::ZERO, dropped_stdout: 0, dropped_stderr: 0 };
            output.push(OutputStream::Stderr, message.as_bytes());
            ended
        }
    };
    let printed = output.finish(&ended);
    ShellResult {
        exit: ended.exit,
        executed_at,
        duration: ended.duration,
        stdout: printed.stdout,
        stderr: printed.stderr,
        cut: Cut {
            stdout_bytes: ended.dropped_stdout,
            stderr_bytes: ended.dropped_stderr,
            hidden_lines: printed.hidden_lines,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use marsh_host_client::CancelToken;
    use marsh_process::{Exit, LocalExecutor};
    use marsh_vault::Secrets;
    use serde_json::json;

    use super::{Cut, ShellArguments, description, execute};
    use crate::error::ModelError;

    fn arguments(value: serde_json::Value) -> Result<ShellArguments, ModelError> {
        ShellArguments::parse(value.as_object().unwrap())
    }

    fn run(value: serde_json::Value, deadline: Duration, cancel: &CancelToken) -> super::ShellResult {
        let arguments = arguments(value).unwrap();
        execute(&LocalExecutor, &arguments, deadline, cancel, &Secrets::new(), &mut |_, _| {})
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn the_description_is_valid() {
        assert_eq!(description().method_names().collect::<Vec<_>>(), ["execute"]);
    }

    #[test]
    fn output_exit_code_and_environment() {
        let script = json!({"run": "echo $X; echo err >&2; exit 3", "env": {"X": "hi"}});
        let result = run(script, LONG, &CancelToken::new());
        assert_eq!(result.exit, Exit::Code(3));
        assert_eq!((result.stdout.as_str(), result.stderr.as_str()), ("hi", "err"));
        assert_eq!(result.cut, Cut::default());
    }

    #[test]
    fn only_the_last_line_break_is_dropped() {
        for (script, stdout) in [
            ("printf 'a\n\n'", "a\n"),
            ("printf ' a '", " a "),
            ("printf '\n'", ""),
            ("echo a; echo b", "a\nb"),
        ] {
            assert_eq!(run(json!({"run": script}), LONG, &CancelToken::new()).stdout, stdout, "{script}");
        }
    }

    #[test]
    fn arguments_of_the_wrong_type_name_the_field() {
        let error = arguments(json!({"run": 1, "timeout": "soon", "env": {"A": 1}})).unwrap_err();
        let ModelError::Validation { issues, .. } = error else { panic!("{error}") };
        let fields: Vec<&str> = issues.iter().map(|issue| issue.field.as_str()).collect();
        assert_eq!(fields, ["run", "timeout", "env.A"]);
    }

    #[test]
    fn the_shorter_of_timeout_and_deadline_ends_the_command() {
        for (timeout, deadline) in [(100, LONG), (60_000, Duration::from_millis(100))] {
            let result = run(json!({"run": "sleep 60", "timeout": timeout}), deadline, &CancelToken::new());
            assert_eq!(result.exit, Exit::TimedOut);
        }
    }

    #[test]
    fn cancellation_ends_the_command() {
        let cancel = CancelToken::new();
        let other = cancel.clone();
        // Before or after the command has started: both must end it.
        let canceller = std::thread::spawn(move || other.cancel("interrupted"));
        let result = run(json!({"run": "sleep 60"}), LONG, &cancel);
        assert_eq!(result.exit, Exit::Stopped("interrupted".into()));
        canceller.join().unwrap();
    }

    #[test]
    fn a_flood_is_kept_up_to_the_limit_and_the_rest_is_counted() {
        let result = run(json!({"run": "yes | head -c 9000000"}), LONG, &CancelToken::new());
        assert_eq!(result.stdout.len(), 8 << 20);
        assert_eq!(result.cut.stdout_bytes, 9_000_000 - (8 << 20));
        let message = result.cut.message().unwrap();
        assert!(message.contains("dropped 611392 bytes of stdout"), "{message}");
    }

    #[test]
    fn a_missing_working_directory_is_reported() {
        let result = run(json!({"run": "true", "workingDir": "/does/not/exist"}), LONG, &CancelToken::new());
        assert_eq!(result.exit, Exit::Code(-1));
        assert!(result.stderr.contains("/does/not/exist"));
    }
}
