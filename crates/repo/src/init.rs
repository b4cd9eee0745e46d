//! `marsh init`: turns a directory into a repository, set up for AI tools.

use std::path::Path;

use marsh_fs::Durability;
use marsh_types::time::iso_millis;
use serde_json::json;

use crate::discovery::{Repo, RepoError};
use crate::layout::Layout;
use crate::marker::Marker;
use crate::tools::{self, ChosenTool, Plan, custom};

const BLOCK_BEGIN: &str = "# BEGIN swamp managed section - DO NOT EDIT";
const BLOCK_END: &str = "# END swamp managed section";
const BLOCK_LINES: [&str; 2] = [".swamp/", ".swamp-sources.yaml"];

/// Tracked directories, then runtime state below `.swamp`. Other directories are created on demand.
const DIRECTORIES: [&str; 12] = [
    "models",
    "workflows",
    "vaults",
    "grants",
    ".swamp/data",
    ".swamp/outputs",
    ".swamp/workflow-runs",
    ".swamp/workflows-evaluated",
    ".swamp/definitions-evaluated",
    ".swamp/secrets",
    ".swamp/audit",
    ".swamp/vault-bundles",
];

/// The change that [`init`] made to `.gitignore`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitignoreAction {
    /// The file was missing.
    Created,
    /// The managed block was added or replaced.
    Updated,
    /// The managed block was there.
    Unchanged,
}

/// The AI tools to set up.
#[derive(Debug, Clone)]
pub struct ToolSetup<'a> {
    /// Their names, `none` for none; `None`: those of the marker, and `claude` for a new repository.
    pub names: Option<&'a [String]>,
    /// The name under which users run marsh.
    pub program: &'a str,
}

/// How a directory becomes a repository.
#[derive(Debug, Clone)]
pub struct InitOptions<'a> {
    /// The version that the marker records.
    pub version: &'a str,
    /// Whether a repository is initialized again. It keeps its id and every key of its marker.
    pub force: bool,
    /// The AI tools; `None`: they stay as they are.
    pub tools: Option<ToolSetup<'a>>,
}

/// The result of [`init`].
#[derive(Debug, Clone)]
pub struct InitOutcome {
    /// The repository.
    pub repo: Repo,
    /// When the repository was first initialized, ISO 8601.
    pub initialized_at: String,
    /// The change to `.gitignore`.
    pub gitignore: GitignoreAction,
    /// The files of AI tools that were written.
    pub plan: Plan,
    /// The AI tools in the marker before.
    pub previous_tools: Vec<String>,
}

/// Turns `dir` into a repository, creating `dir` if it is missing, and sets up no AI tools. `version` is recorded in the
/// marker.
///
/// # Errors
/// As [`init_with`].
pub fn init(dir: &Path, version: &str, force: bool) -> Result<InitOutcome, RepoError> {
    init_with(dir, &InitOptions { version, force, tools: None })
}

/// Turns `dir` into a repository, creating `dir` if it is missing.
///
/// # Errors
/// [`RepoError::AlreadyThere`] if `dir` is a repository and `force` is false; [`RepoError::Marker`] if its marker is invalid
/// and `force` is false; [`RepoError::Tool`] and [`RepoError::ToolFile`] if the AI tools cannot be set up, and then nothing
/// is written; otherwise a file cannot be read or written.
pub fn init_with(dir: &Path, options: &InitOptions<'_>) -> Result<InitOutcome, RepoError> {
    marsh_fs::create_dir_all(dir)?;
    let root = dir.canonicalize().map_err(|source| RepoError::Read { path: dir.to_owned(), source })?;
    let layout = Layout::new(root);
    let existing = match Repo::open(dir) {
        Ok(repo) if !options.force => {
            return Err(RepoError::AlreadyThere { dir: dir.to_owned(), tools: repo.marker.tools() });
        }
        Ok(repo) => Some(repo.marker),
        Err(RepoError::NoMarker { .. }) => None,
        // An invalid marker is replaced only with `force`, and then nothing of it can be kept.
        Err(RepoError::Marker(_)) if options.force => None,
        Err(error) => return Err(error),
    };
    let previous_tools = existing.as_ref().map(Marker::tools).unwrap_or_default();
    let chosen = match &options.tools {
        None => None,
        Some(setup) => Some(choose(&layout, existing.as_ref(), setup.names)?),
    };
    let plan = match (&chosen, &options.tools) {
        (Some(chosen), Some(setup)) => tools::plan(&layout, chosen, setup.program)?,
        _ => Plan::default(),
    };
    for relative in DIRECTORIES {
        marsh_fs::create_dir_all(&layout.root().join(relative))?;
    }
    let entries: Vec<String> = chosen.iter().flatten().flat_map(ChosenTool::gitignore).collect();
    let gitignore = manage_gitignore(&layout, &entries)?;
    plan.apply(&layout)?;
    let now = iso_millis(jiff::Timestamp::now());
    let mut marker = existing.unwrap_or_default();
    marker.set("swampVersion", json!(options.version));
    if marker.text("initializedAt").is_none() {
        marker.set("initializedAt", json!(now));
    }
    if marker.repo_id().is_none() {
        marker.set("repoId", json!(uuid::Uuid::new_v4().to_string()));
    }
    if let Some(chosen) = &chosen {
        marker.set_tools(&chosen.iter().map(ChosenTool::name).collect::<Vec<_>>());
    }
    marker.set("gitignoreManaged", json!(true));
    let initialized_at = marker.text("initializedAt").unwrap_or(&now).to_owned();
    // The marker is written last, so that no process opens a half-made repository.
    marsh_fs::atomic_write(&layout.marker(), marker.to_yaml()?.as_bytes(), Durability::Synced)?;
    Ok(InitOutcome { repo: Repo::open(dir)?, initialized_at, gitignore, plan, previous_tools })
}

/// The tools that are named, else those of the marker, else the one that a new repository has.
fn choose(
    layout: &Layout,
    existing: Option<&Marker>,
    names: Option<&[String]>,
) -> Result<Vec<ChosenTool>, RepoError> {
    let custom = custom::read(layout)?;
    match (names, existing) {
        (Some(names), _) => tools::choose(names, &custom),
        (None, Some(marker)) if marker.lists_tools() => tools::choose(&marker.tools(), &custom),
        (None, _) => Ok(vec![ChosenTool::Builtin(tools::BuiltinTool::Claude)]),
    }
}

fn manage_gitignore(layout: &Layout, entries: &[String]) -> Result<GitignoreAction, RepoError> {
    let path = layout.gitignore();
    let existing = match marsh_fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(RepoError::Read { path, source }),
    };
    let text = with_managed_block(existing.as_deref().unwrap_or(""), entries);
    let action = match &existing {
        Some(before) if *before == text => GitignoreAction::Unchanged,
        Some(_) => GitignoreAction::Updated,
        None => GitignoreAction::Created,
    };
    if action != GitignoreAction::Unchanged {
        marsh_fs::atomic_write(&path, text.as_bytes(), Durability::Atomic)?;
    }
    Ok(action)
}

/// The heading of what former versions wrote, and the lines that it headed.
const FORMER_HEADING: &str = "# Swamp managed defaults";
const FORMER_LINES: [&str; 8] = [
    ".swamp/",
    ".swamp-sources.yaml",
    ".claude/worktrees/",
    ".claude/settings.local.json",
    ".claude/scheduled_tasks.lock",
    ".swamp/telemetry/",
    ".swamp/logs/",
    ".swamp/bundles/",
];

/// As [`init`] does, and turns what former versions wrote into the managed block.
pub(crate) fn upgrade_gitignore(layout: &Layout, entries: &[String]) -> Result<GitignoreAction, RepoError> {
    let path = layout.gitignore();
    if let Ok(text) = marsh_fs::read_to_string(&path)
        && let Some(present) = without_former_block(&text)
    {
        let text = with_managed_block(&present, entries);
        marsh_fs::atomic_write(&path, text.as_bytes(), Durability::Atomic)?;
        return Ok(GitignoreAction::Updated);
    }
    manage_gitignore(layout, entries)
}

/// The text without the former heading and the blank, comment and known lines that follow it. `None`: it has no heading.
fn without_former_block(text: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let begin = lines.iter().position(|line| line.trim() == FORMER_HEADING)?;
    let is_former = |line: &&str| {
        let line = line.trim();
        line.is_empty() || line.starts_with('#') && line != BLOCK_BEGIN || FORMER_LINES.contains(&line)
    };
    let length = lines[begin..].iter().take_while(|line| is_former(line)).count();
    let kept = lines[..begin].iter().chain(&lines[begin + length..]);
    Some(kept.map(|line| format!("{line}\n")).collect())
}

/// Returns `text` with exactly one managed block. Lines outside the block stay as they are.
fn with_managed_block(text: &str, entries: &[String]) -> String {
    let mut block = vec![BLOCK_BEGIN];
    block.extend(BLOCK_LINES);
    for entry in entries {
        if !block.contains(&entry.as_str()) {
            block.push(entry);
        }
    }
    block.push(BLOCK_END);
    let lines: Vec<&str> = text.lines().collect();
    let begin = lines.iter().position(|line| line.trim() == BLOCK_BEGIN);
    let end = lines.iter().position(|line| line.trim() == BLOCK_END);
    let mut result: Vec<&str> = Vec::new();
    match (begin, end) {
        (Some(begin), Some(end)) if begin < end => {
            result.extend(&lines[..begin]);
            result.extend(&block);
            result.extend(&lines[end + 1..]);
        }
        _ => {
            result.extend(&lines);
            if lines.last().is_some_and(|line| !line.trim().is_empty()) {
                result.push("");
            }
            result.extend(&block);
        }
    }
    let mut text = result.join("\n");
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::{with_managed_block, without_former_block};

    #[test]
    fn former_block_becomes_the_managed_one_and_lines_of_users_stay() {
        let text =
            "target\n# Swamp managed defaults\n.swamp/\n\n# local\n.claude/worktrees/\nmine/\n.swamp/\n";
        let present = without_former_block(text).unwrap();
        assert_eq!(present, "target\nmine/\n.swamp/\n");
        assert_eq!(without_former_block(&with_managed_block(&present, &[])), None);
    }

    #[test]
    fn managed_block_that_was_edited_is_replaced_in_place() {
        let first = with_managed_block("target\n", &[]);
        assert!(first.starts_with("target\n\n# BEGIN"), "{first}");
        assert_eq!(with_managed_block(&first, &[]), first);
        let edited = first.replace(".swamp/\n", "") + "later\n";
        let repaired = with_managed_block(&edited, &[]);
        assert!(repaired.contains(".swamp/\n") && repaired.ends_with("later\n"), "{repaired}");
    }
}
