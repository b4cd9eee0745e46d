//! `command/shell`: runs a command line and keeps what it printed.
//!
//! The command runs in a process group of its own, so that stopping it stops all of it. A command that fails stores
//! nothing, as existing users of the type expect.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use marsh_extension::ModelDescription;
use marsh_host::CancelToken;
use serde_json::{Map, Value, json};

use crate::error::{Issue, ModelError};

pub const TYPE: &str = "command/shell";
pub const VERSION: &str = "2026.02.09.1";

/// How long output is read after the command itself has ended: something it left behind may hold the pipes.
const DRAIN: Duration = Duration::from_secs(5);
/// How long the group may take to end after it was asked to. Whoever cancels waits for it, and is promised a second.
const TERM_GRACE: Duration = Duration::from_millis(700);

/// The process groups of commands that run now, for [`kill_all`].
static GROUPS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Kills every command that runs, with what it started. Used when the user will not wait.
pub fn kill_all() {
    for group in GROUPS.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        signal_group(*group, rustix::process::Signal::KILL);
    }
}

/// A process group in [`GROUPS`], for as long as its command runs.
struct Listed(u32);

impl Listed {
    fn new(group: u32) -> Listed {
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).insert(group);
        Listed(group)
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        GROUPS.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0);
    }
}

/// The type's description, in the shape that extension types have.
pub fn description() -> Arc<ModelDescription> {
    static DESCRIPTION: OnceLock<Arc<ModelDescription>> = OnceLock::new();
    Arc::clone(DESCRIPTION.get_or_init(|| {
        let arguments = json!({
            "schema": {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                "type": "object",
                "properties": {
                    "run": { "type": "string", "minLength": 1, "description": "the command line, given to `sh -c`" },
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
            // Held by `the_description_reads`: the literal above is a description.
            Err(error) => unreachable!("the built-in description does not read: {error}"),
        }
    }))
}

#[derive(Debug, Clone, PartialEq)]
pub struct ShellArguments {
    pub run: String,
    pub working_dir: Option<String>,
    pub timeout: Option<Duration>,
    pub env: BTreeMap<String, String>,
    pub ignore_exit_code: bool,
}

impl ShellArguments {
    /// Reads the method's arguments; text from a command line becomes what the field wants.
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
            Value::String(_) => issues.push(Issue::new(format!("env.{key}"), "is not a usable variable")),
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
    pub exit_code: i32,
    pub executed_at: String,
    pub duration: Duration,
    pub stdout: String,
    pub stderr: String,
}

#[derive(Debug)]
enum Event {
    Output(&'static str, Vec<u8>),
    Eof,
    Exited(std::io::Result<ExitStatus>),
    Cancel(String),
}

/// Runs the command; `line` gets each line as it is printed, with the stream it went to.
pub fn execute(
    arguments: &ShellArguments,
    deadline: Duration,
    cancel: &CancelToken,
    line: &mut dyn FnMut(&'static str, &str),
) -> Result<ShellResult, ModelError> {
    let executed_at = marsh_types::time::iso_millis(jiff::Timestamp::now());
    let started = Instant::now();
    let mut command = Command::new("sh");
    command.arg("-c").arg(&arguments.run).envs(&arguments.env);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(dir) = &arguments.working_dir {
        command.current_dir(dir);
    }
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let message = match &arguments.working_dir {
                Some(dir) => format!("cannot run in {dir}: {error}"),
                None => error.to_string(),
            };
            line("stderr", &message);
            return Ok(ShellResult {
                exit_code: -1,
                executed_at,
                duration: started.elapsed(),
                stdout: String::new(),
                stderr: message,
            });
        }
    };
    let group = child.id();
    let _listed = Listed::new(group);
    let (sender, receiver) = channel();
    start_readers(child, &sender);
    let on_cancel = sender.clone();
    let subscription = cancel.on_cancel(move |reason| drop(on_cancel.send(Event::Cancel(reason.to_owned()))));
    let limit = arguments.timeout.map_or(deadline, |timeout| timeout.min(deadline));
    let outcome = watch(group, &receiver, started + limit, line);
    drop(subscription);
    let ended = outcome?;
    if let Some(reason) = ended.cancelled {
        return Err(ModelError::Cancelled(reason));
    }
    if ended.timed_out {
        return Err(ModelError::Deadline(format!("the command did not end within {} ms", limit.as_millis())));
    }
    Ok(ShellResult {
        exit_code: ended.exit_code,
        executed_at,
        duration: started.elapsed(),
        stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
    })
}

fn start_readers(mut child: Child, sender: &Sender<Event>) {
    let pipes: [(&'static str, Option<Box<dyn Read + Send>>); 2] = [
        ("stdout", child.stdout.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)),
        ("stderr", child.stderr.take().map(|pipe| Box::new(pipe) as Box<dyn Read + Send>)),
    ];
    for (stream, pipe) in pipes {
        let sender = sender.clone();
        std::thread::spawn(move || {
            if let Some(pipe) = pipe {
                let mut reader = BufReader::new(pipe);
                let mut line = Vec::new();
                while let Ok(1..) = reader.read_until(b'\n', &mut line) {
                    if sender.send(Event::Output(stream, std::mem::take(&mut line))).is_err() {
                        return;
                    }
                }
            }
            drop(sender.send(Event::Eof));
        });
    }
    let sender = sender.clone();
    std::thread::spawn(move || {
        let status = child.wait();
        drop(sender.send(Event::Exited(status)));
    });
}

#[derive(Debug, Default)]
struct Ended {
    exit_code: i32,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    timed_out: bool,
    cancelled: Option<String>,
}

/// Collects output until the command has ended and its pipes are closed or have had their time.
fn watch(
    group: u32,
    receiver: &Receiver<Event>,
    deadline: Instant,
    line: &mut dyn FnMut(&'static str, &str),
) -> Result<Ended, ModelError> {
    let mut ended = Ended::default();
    let mut open = 2;
    let mut exited = false;
    let mut next_step = deadline;
    let mut terminated = false;
    loop {
        if exited && open == 0 {
            return Ok(ended);
        }
        match receiver.recv_timeout(next_step.saturating_duration_since(Instant::now())) {
            Ok(Event::Output(stream, bytes)) => {
                line(stream, String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']));
                let kept = if stream == "stdout" { &mut ended.stdout } else { &mut ended.stderr };
                kept.extend_from_slice(&bytes);
            }
            Ok(Event::Eof) => open -= 1,
            Ok(Event::Exited(status)) => {
                exited = true;
                ended.exit_code = match status {
                    Ok(status) => exit_code(status),
                    Err(source) => return Err(ModelError::Io { path: "sh".into(), source }),
                };
                next_step = Instant::now() + if terminated { TERM_GRACE } else { DRAIN };
            }
            Ok(Event::Cancel(reason)) => {
                ended.cancelled = Some(reason);
                signal_group(group, rustix::process::Signal::TERM);
                terminated = true;
                next_step = Instant::now() + TERM_GRACE;
            }
            Err(RecvTimeoutError::Timeout) if exited => {
                // What still holds the pipes was left behind on purpose, unless we are stopping everything.
                if terminated {
                    signal_group(group, rustix::process::Signal::KILL);
                }
                return Ok(ended);
            }
            Err(RecvTimeoutError::Timeout) if terminated => {
                signal_group(group, rustix::process::Signal::KILL);
                next_step = Instant::now() + TERM_GRACE;
            }
            Err(RecvTimeoutError::Timeout) => {
                ended.timed_out = true;
                signal_group(group, rustix::process::Signal::TERM);
                terminated = true;
                next_step = Instant::now() + TERM_GRACE;
            }
            Err(RecvTimeoutError::Disconnected) => return Ok(ended),
        }
    }
}

fn exit_code(status: ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt as _;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

fn signal_group(group: u32, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(group).ok().and_then(rustix::process::Pid::from_raw) {
        // The group may have ended meanwhile, which is what the signal is for.
        rustix::process::kill_process_group(pid, signal).ok();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use marsh_host::CancelToken;
    use serde_json::json;

    use super::{ShellArguments, description, execute};
    use crate::error::ModelError;

    fn arguments(value: serde_json::Value) -> Result<ShellArguments, ModelError> {
        ShellArguments::parse(value.as_object().unwrap())
    }

    fn run(value: serde_json::Value, cancel: &CancelToken) -> Result<super::ShellResult, ModelError> {
        execute(&arguments(value).unwrap(), Duration::from_secs(30), cancel, &mut |_, _| {})
    }

    #[test]
    fn the_description_reads() {
        assert_eq!(description().method_names().collect::<Vec<_>>(), ["execute"]);
    }

    #[test]
    fn output_exit_code_and_environment() {
        let result =
            run(json!({"run": "echo $X; echo err >&2; exit 3", "env": {"X": "hi"}}), &CancelToken::new())
                .unwrap();
        assert_eq!((result.exit_code, result.stdout.as_str(), result.stderr.as_str()), (3, "hi\n", "err\n"));
    }

    #[test]
    fn arguments_of_the_wrong_type_name_the_field() {
        let error = arguments(json!({"run": 1, "timeout": "soon", "env": {"A": 1}})).unwrap_err();
        let ModelError::Validation { issues, .. } = error else { panic!("{error}") };
        let fields: Vec<&str> = issues.iter().map(|issue| issue.field.as_str()).collect();
        assert_eq!(fields, ["run", "timeout", "env.A"]);
    }

    #[test]
    fn a_timeout_stops_the_whole_group() {
        let started = Instant::now();
        let error =
            run(json!({"run": "sleep 60 & sleep 60", "timeout": 100}), &CancelToken::new()).unwrap_err();
        assert!(matches!(error, ModelError::Deadline(_)), "{error}");
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn cancellation_stops_it() {
        let cancel = CancelToken::new();
        let other = cancel.clone();
        // Before or after the command has started: both must end it.
        let canceller = std::thread::spawn(move || other.cancel("interrupted"));
        let error = run(json!({"run": "sleep 60"}), &cancel).unwrap_err();
        assert!(matches!(error, ModelError::Cancelled(_)), "{error}");
        canceller.join().unwrap();
    }

    #[test]
    fn a_missing_working_directory_is_told() {
        let result =
            run(json!({"run": "true", "workingDir": "/does/not/exist"}), &CancelToken::new()).unwrap();
        assert_eq!(result.exit_code, -1);
        assert!(result.stderr.contains("/does/not/exist"));
    }
}
