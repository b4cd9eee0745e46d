//! `doctor audit`: whether the commands of an AI tool are recorded.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use marsh_api::audit::{AuditCheck, AuditCheckStatus as Status, AuditCheckup};
use marsh_repo::Repo;
use marsh_repo::tools::BuiltinTool;
use serde::Serialize;
use serde_json::Value;

use super::SMOKE_TEST;
use crate::error::AppError;
use crate::session::App;

/// The checks, in the order of the document.
const NAMES: [&str; 5] = [
    "binary-on-path",
    "swamp-binary-on-path",
    "agent-config-loadable",
    "default-agent-set",
    "recording-smoke-test",
];
/// What every hook of ours runs.
const RECORD: &str = "audit record --from-hook";

/// The outcome of one check, before it has a name.
struct Outcome {
    status: Status,
    message: String,
    hint: Option<String>,
    details: Option<String>,
}

impl Outcome {
    fn new(status: Status, message: impl Into<String>) -> Outcome {
        Outcome { status, message: message.into(), hint: None, details: None }
    }

    fn fail(message: impl Into<String>, hint: impl Into<String>) -> Outcome {
        Outcome { hint: Some(hint.into()), ..Outcome::new(Status::Fail, message) }
    }

    fn details(mut self, details: impl Into<String>) -> Outcome {
        self.details = Some(details.into());
        self
    }
}

impl App {
    /// Checks whether the commands of a tool are recorded: of the one that is named, else of the repository's first one.
    ///
    /// # Errors
    ///
    /// When there is no repository, or it is set up for no tool and none is named.
    pub fn check_audit(&self, tool: Option<&str>) -> Result<AuditCheckup, AppError> {
        let repo = self.repo()?;
        let first = repo.marker.tools().first().cloned();
        let Some(name) = tool.map(str::to_owned).or(first) else {
            return Err(AppError::Usage {
                message: "the repository is set up for no AI tool".into(),
                hint: Some(
                    "name one with `--tool`, or set one up: `marsh repo upgrade --tool claude`".into(),
                ),
            });
        };
        let known = BuiltinTool::parse(&name).and_then(|tool| Some((tool, tool.hook_file()?)));
        let Some((tool, hook_file)) = known else {
            marsh_repo::tools::choose(
                std::slice::from_ref(&name),
                &marsh_repo::tools::custom::read(&repo.layout)?,
            )?;
            let check = AuditCheck {
                name: NAMES[4].to_owned(),
                status: Status::Skip,
                message: format!("{name} has no hooks that could record commands"),
                hint: None,
                details: None,
            };
            return Ok(AuditCheckup { tool: name, overall_status: Status::Skip, checks: vec![check] });
        };
        let outcomes = [
            self.on_path(tool.spec().program),
            self.on_path(self.settings().name),
            hook(&repo, tool, hook_file),
            default_agent(&repo, tool),
            self.smoke_test(&repo, tool),
        ];
        let checks: Vec<AuditCheck> = NAMES
            .into_iter()
            .zip(outcomes)
            .map(|(name, outcome)| AuditCheck {
                name: name.to_owned(),
                status: outcome.status,
                message: outcome.message,
                hint: outcome.hint,
                details: outcome.details,
            })
            .collect();
        let failed = checks.iter().any(|check| check.status == Status::Fail);
        let overall_status = if failed { Status::Fail } else { Status::Pass };
        Ok(AuditCheckup { tool: name, overall_status, checks })
    }

    fn on_path(&self, program: &str) -> Outcome {
        match find_program(self.settings().environment.raw("PATH"), program) {
            Some(path) => Outcome::new(Status::Pass, format!("{program} is on the PATH"))
                .details(path.display().to_string()),
            None => Outcome::fail(
                format!("{program} is not on the PATH"),
                format!("install {program}, or add its directory to PATH for the tool"),
            ),
        }
    }

    /// Records a command as the tool's hook does, and looks for it in the log.
    fn smoke_test(&self, repo: &Repo, tool: BuiltinTool) -> Outcome {
        let command = format!("{SMOKE_TEST} {}", uuid::Uuid::new_v4());
        let event = synthetic(tool, &command, &repo.layout.root().display().to_string());
        let program = &self.settings().program.path;
        let child = Command::new(program)
            .args(["audit", "record", "--from-hook", "--tool", tool.spec().name, "--repo-dir"])
            .arg(repo.layout.root())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let ended = child.and_then(|mut child| {
            if let Some(mut stdin) = child.stdin.take() {
                stdin.write_all(event?.as_bytes())?;
            }
            child.wait()
        });
        let shown = program.display().to_string();
        if let Err(error) = ended {
            return Outcome::fail(
                format!("cannot run {shown}: {error}"),
                "check that the program can be run",
            )
            .details(shown);
        }
        let found = self.records(repo, "").map(|all| all.iter().any(|record| record.command == command));
        match found {
            Ok(true) => Outcome::new(Status::Pass, "a test command was recorded"),
            Ok(false) => Outcome::fail(
                "a test command was not recorded",
                "check that the repository's audit log can be written",
            )
            .details(repo.layout.audit().display().to_string()),
            Err(error) => Outcome::fail(format!("cannot read the log: {error}"), "check its permissions"),
        }
    }
}

/// The event that a tool would report for a command.
fn synthetic(tool: BuiltinTool, command: &str, cwd: &str) -> serde_json::Result<String> {
    let name = match tool {
        BuiltinTool::Claude => "Bash",
        BuiltinTool::Cursor => "Shell",
        BuiltinTool::Kiro => "execute_bash",
        BuiltinTool::OpenCode | BuiltinTool::Copilot | BuiltinTool::Codex => "bash",
    };
    let event = ToolEvent { tool_name: name, tool_input: ToolInput { command }, cwd };
    serde_json::to_string(&event)
}

/// A command that a tool ran, as most tools report it.
#[derive(Serialize)]
struct ToolEvent<'a> {
    tool_name: &'a str,
    tool_input: ToolInput<'a>,
    cwd: &'a str,
}

#[derive(Serialize)]
struct ToolInput<'a> {
    command: &'a str,
}

/// A program on the PATH.
pub(crate) fn find_program(path: Option<&str>, name: &str) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt as _;
    let is_program = |file: &PathBuf| {
        file.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    };
    std::env::split_paths(path?).map(|dir| dir.join(name)).find(is_program)
}

fn hook(repo: &Repo, tool: BuiltinTool, file: &str) -> Outcome {
    let hint = format!("write it again: `marsh repo upgrade --tool {}`", tool.spec().name);
    let text = match marsh_fs::read_to_string(repo.layout.root().join(file)) {
        Ok(text) => text,
        Err(error) => return Outcome::fail(format!("cannot read {file}: {error}"), hint).details(file),
    };
    if file.ends_with(".json")
        && let Err(error) = serde_json::from_str::<Value>(&text)
    {
        return Outcome::fail(format!("invalid JSON in {file}: {error}"), hint).details(file);
    }
    // The plugin of OpenCode passes the words as a list.
    let words = text.replace("\", \"", " ");
    match words.contains(RECORD) {
        true => Outcome::new(Status::Pass, format!("{file} has the hook")).details(file),
        false => Outcome::fail(format!("{file} has no hook that records commands"), hint).details(file),
    }
}

fn default_agent(repo: &Repo, tool: BuiltinTool) -> Outcome {
    const FILE: &str = ".kiro/settings/cli.json";
    if tool != BuiltinTool::Kiro {
        return Outcome::new(Status::Skip, "only kiro has a default agent");
    }
    const WRITE: &str = "run `marsh repo upgrade --tool kiro`";
    let text = match marsh_fs::read_to_string(repo.layout.root().join(FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => "{}".to_owned(),
        Err(error) => return Outcome::fail(format!("cannot read {FILE}: {error}"), WRITE).details(FILE),
    };
    let settings: Value = match serde_json::from_str(&text) {
        Ok(settings) => settings,
        Err(error) => {
            let hint = format!("correct {FILE}, then {WRITE}");
            return Outcome::fail(format!("invalid JSON in {FILE}: {error}"), hint).details(FILE);
        }
    };
    match settings.get("chat.defaultAgent").and_then(Value::as_str) {
        Some("swamp") => Outcome::new(Status::Pass, "the default agent has the hook").details(FILE),
        Some(other) => Outcome::fail(
            format!("the default agent is `{other}`, which does not record commands"),
            format!("set `chat.defaultAgent` to `swamp` in {FILE}, or start `kiro-cli chat --agent swamp`"),
        )
        .details(FILE),
        None => Outcome::fail("there is no default agent", WRITE).details(FILE),
    }
}
