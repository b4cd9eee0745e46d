//! The commands that AI tools run: recorded by their hooks, one JSON line each, and read as a timeline.
//!
//! Recording must never disturb a tool. It reads the marker and appends one line; it loads no code and no data. Lines go to
//! the audit log of the repository that the command ran in, found as any command finds it; outside of a repository nothing
//! is written.

mod checkup;
mod event;

pub(crate) use checkup::find_program;

use std::path::{Path, PathBuf};

use marsh_api::audit::{AuditTimeline, AuditTimelineEntry, CommandSource, CommandStatus};
use marsh_datastore::Choice;
use marsh_repo::Repo;
use marsh_repo::tools::BuiltinTool;
use marsh_types::time::iso_millis;
use serde::{Deserialize, Serialize};

use crate::error::AppError;
use crate::session::App;

/// How long records are kept.
const KEPT_DAYS: i64 = 7;
/// The command that a checkup records.
const SMOKE_TEST: &str = "echo swamp-doctor-smoke-test";
/// Names under which users run this program.
const PROGRAMS: [&str; 2] = ["marsh", "swamp"];

/// Commands that only look. A command that goes on with another one is not one of them.
const HARMLESS: &[&str] = &[
    "basename",
    "cat",
    "cd",
    "date",
    "df",
    "dirname",
    "du",
    "echo",
    "env",
    "file",
    "find",
    "git blame",
    "git branch",
    "git diff",
    "git log",
    "git remote",
    "git rev-parse",
    "git show",
    "git status",
    "grep",
    "head",
    "jq",
    "less",
    "ls",
    "printf",
    "ps",
    "pwd",
    "rg",
    "sort",
    "stat",
    "tail",
    "tree",
    "type",
    "uname",
    "uniq",
    "wc",
    "which",
    "whoami",
];

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    timestamp: String,
    command: String,
    cwd: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Which commands a timeline has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditTimelineRequest {
    /// The hours before now.
    pub hours: u32,
    /// Whether commands that only look are listed.
    pub all: bool,
    /// Only commands of this session.
    pub session: Option<String>,
    /// Whether the commands of `doctor audit` are listed.
    pub include_diagnostic: bool,
}

impl App {
    /// Records the command of an event, and deletes records that are too old. `false`: the event is not about a shell
    /// command.
    ///
    /// # Errors
    ///
    /// When the command ran outside of a repository, or the log cannot be written.
    pub fn record_command(&self, tool: &str, event: &str) -> Result<bool, AppError> {
        let Some(tool) = BuiltinTool::parse(tool) else { return Ok(false) };
        let Some(event) = event::parse(tool, event) else { return Ok(false) };
        let settings = self.settings();
        let cwd = event.cwd.as_deref().unwrap_or(&settings.current_dir);
        let repo = Repo::find(settings.repo_dir.as_deref(), &settings.environment, cwd)?;
        let now = jiff::Timestamp::now();
        let failure = event.failure.as_ref();
        let record = Record {
            timestamp: iso_millis(now),
            command: event.command.clone(),
            cwd: cwd.display().to_string(),
            session_id: event.session.clone(),
            exit_code: failure.and_then(|failure| failure.exit_code),
            // A failure without a text is still one.
            error: failure.map(|failure| failure.error.clone().unwrap_or_default()),
        };
        let mut line = serde_json::to_string(&record)
            .map_err(|error| AppError::usage(format!("cannot write the event: {error}")))?;
        line.push('\n');
        let dir = self.log_dir(&repo)?;
        marsh_fs::create_dir_all(&dir)?;
        marsh_fs::append(&dir.join(file_name(&record.timestamp)), line.as_bytes())?;
        let oldest = iso_millis(now - jiff::SignedDuration::from_hours(24 * KEPT_DAYS));
        for file in log_files(&dir)? {
            if file.file_name().is_some_and(|name| name < std::ffi::OsStr::new(&file_name(&oldest))) {
                marsh_fs::remove_file_if_exists(&file)?;
            }
        }
        Ok(true)
    }

    /// The commands that AI tools ran, oldest first.
    ///
    /// # Errors
    ///
    /// When there is no repository, or the log cannot be read.
    pub fn audit_timeline(&self, request: &AuditTimelineRequest) -> Result<AuditTimeline, AppError> {
        let repo = self.repo()?;
        let since = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(i64::from(request.hours));
        let mut records = self.records(&repo, &iso_millis(since))?;
        records.retain(|record| {
            let is_of_session =
                request.session.is_none() || request.session.as_deref() == record.session_id.as_deref();
            is_of_session && (request.include_diagnostic || !record.command.starts_with(SMOKE_TEST))
        });
        // The sort keeps the order of commands of one millisecond.
        records.sort_by(|one, other| one.timestamp.cmp(&other.timestamp));
        let direct = records.iter().filter(|record| source(&record.command) == CommandSource::Direct).count();
        let total_swamp = records.len() - direct;
        let is_shown = |record: &Record| request.all || !is_harmless(&record.command);
        let entries: Vec<AuditTimelineEntry> =
            records.iter().filter(|one| is_shown(one)).map(entry).collect();
        let message = match (records.is_empty(), entries.is_empty()) {
            (true, _) => Some(self.why_empty(&repo, request.hours)),
            (false, true) => Some("only commands that look were recorded; `--all` lists them".to_owned()),
            _ => None,
        };
        Ok(AuditTimeline {
            entries,
            total_swamp,
            total_direct: direct,
            hours_analyzed: request.hours,
            message,
        })
    }

    fn why_empty(&self, repo: &Repo, hours: u32) -> String {
        let tools = repo.marker.tools();
        let cannot =
            tools.iter().all(|tool| BuiltinTool::parse(tool).is_none_or(|tool| tool.hook_file().is_none()));
        match tools.is_empty() {
            true => "no commands were recorded: the repository is set up for no AI tool; \
                     `marsh repo upgrade --tool claude` sets one up"
                .to_owned(),
            false if cannot => format!("no commands were recorded: {} has no hooks", tools.join(", ")),
            false => format!(
                "no commands were recorded in the last {hours} hours; `marsh doctor audit` checks the hooks"
            ),
        }
    }

    /// The records since a time, in the order of the lines of each log, the older log first. Lines that are not records
    /// are left out.
    fn records(&self, repo: &Repo, since: &str) -> Result<Vec<Record>, AppError> {
        let local = repo.layout.audit();
        let current = self.log_dir(repo)?;
        // Before the datastore was set up, lines went to the local directory.
        let dirs = if current == local { vec![current] } else { vec![local, current] };
        let mut records = Vec::new();
        for dir in dirs {
            for file in log_files(&dir)? {
                if file.file_name().is_some_and(|name| name < std::ffi::OsStr::new(&file_name(since))) {
                    continue;
                }
                let bytes = marsh_fs::read(&file)
                    .map_err(|source| AppError::Read { what: file.display().to_string(), source })?;
                let text = String::from_utf8_lossy(&bytes);
                let lines = text.lines().filter_map(|line| serde_json::from_str::<Record>(line).ok());
                records.extend(lines.filter(|record| record.timestamp.as_str() >= since));
            }
        }
        Ok(records)
    }

    /// The directory of the log. The datastore of an extension is not asked: hooks must be quick.
    fn log_dir(&self, repo: &Repo) -> Result<PathBuf, AppError> {
        let mut layout = repo.layout.clone();
        if let Choice::Directory { path, directories, .. } = Choice::of(repo, &self.settings().environment)? {
            layout.move_state(path, directories);
        }
        Ok(layout.audit())
    }
}

fn file_name(timestamp: &str) -> String {
    format!("commands-{}.jsonl", timestamp.get(..10).unwrap_or_default())
}

/// The files of the log; none if there is no such directory.
fn log_files(dir: &Path) -> Result<Vec<PathBuf>, AppError> {
    let failed = |source| AppError::Read { what: dir.display().to_string(), source };
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(failed(source)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.starts_with("commands-") && name.ends_with(".jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn entry(record: &Record) -> AuditTimelineEntry {
    let source = source(&record.command);
    let failed = record.error.is_some() || record.exit_code.is_some_and(|code| code != 0);
    AuditTimelineEntry {
        timestamp: record.timestamp.clone(),
        source,
        summary: record.command.clone(),
        status: if failed { CommandStatus::Error } else { CommandStatus::Success },
        session_id: record.session_id.clone().filter(|_| source == CommandSource::Direct),
        exit_code: record.exit_code,
        error: record.error.clone().filter(|error| !error.is_empty()),
    }
}

/// Whether the command's first word is this program.
fn source(command: &str) -> CommandSource {
    let first = command.split_whitespace().next().unwrap_or_default();
    let name = first.rsplit('/').next().unwrap_or(first);
    if PROGRAMS.contains(&name) { CommandSource::Swamp } else { CommandSource::Direct }
}

fn is_harmless(command: &str) -> bool {
    let goes_on = command.contains([';', '&', '|', '>', '<', '`', '\n']) || command.contains("$(");
    let writes =
        command.split_whitespace().any(|word| matches!(word, "-delete" | "-exec" | "-execdir" | "-i"));
    let begins = |words: &&str| {
        command
            .strip_prefix(*words)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
    };
    !goes_on && !writes && HARMLESS.iter().any(begins)
}

#[cfg(test)]
mod tests {
    use super::{is_harmless, source};
    use marsh_api::audit::CommandSource;

    #[test]
    fn commands_that_only_look_are_harmless() {
        for command in ["ls", "ls -l /tmp", "git status", "git log --oneline", "grep -r x ."] {
            assert!(is_harmless(command), "{command}");
        }
        for command in
            ["lsof", "ls; rm -rf x", "cat a > b", "echo $(rm x)", "find . -delete", "git push", "rm x", "git"]
        {
            assert!(!is_harmless(command), "{command}");
        }
    }

    #[test]
    fn program_is_known_under_its_names_and_by_path() {
        for command in ["marsh model search", "swamp data list", "/usr/local/bin/marsh version"] {
            assert_eq!(source(command), CommandSource::Swamp, "{command}");
        }
        assert_eq!(source("marshal x"), CommandSource::Direct);
        assert_eq!(source(""), CommandSource::Direct);
    }
}
