//! `marsh init`: turns a directory into a repository.

use std::path::Path;

use marsh_fs::Durability;
use marsh_types::time::iso_millis;
use serde_json::json;

use crate::discovery::{Repo, RepoError};
use crate::layout::Layout;

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

/// The result of [`init`].
#[derive(Debug, Clone)]
pub struct InitOutcome {
    /// The repository.
    pub repo: Repo,
    /// When the repository was first initialized, ISO 8601.
    pub initialized_at: String,
    /// The change to `.gitignore`.
    pub gitignore: GitignoreAction,
}

/// Turns `dir` into a repository, creating `dir` if it is missing. `version` is recorded in the marker. With `force`, an
/// existing repository keeps its id and every key of its marker.
///
/// # Errors
/// [`RepoError::AlreadyThere`] if `dir` is a repository and `force` is false; [`RepoError::Marker`] if its marker is invalid
/// and `force` is false; otherwise a file cannot be read or written.
pub fn init(dir: &Path, version: &str, force: bool) -> Result<InitOutcome, RepoError> {
    marsh_fs::create_dir_all(dir)?;
    let layout = Layout::new(dir);
    let existing = match Repo::open(dir) {
        Ok(_) if !force => return Err(RepoError::AlreadyThere { dir: dir.to_owned() }),
        Ok(repo) => Some(repo.marker),
        Err(RepoError::NoMarker { .. }) => None,
        // An invalid marker is replaced only with `force`, and then nothing of it can be kept.
        Err(RepoError::Marker(_)) if force => None,
        Err(error) => return Err(error),
    };
    for relative in DIRECTORIES {
        marsh_fs::create_dir_all(&layout.root().join(relative))?;
    }
    let gitignore = manage_gitignore(&layout)?;
    let now = iso_millis(jiff::Timestamp::now());
    let mut marker = existing.unwrap_or_default();
    marker.set("swampVersion", json!(version));
    if marker.text("initializedAt").is_none() {
        marker.set("initializedAt", json!(now));
    }
    if marker.repo_id().is_none() {
        marker.set("repoId", json!(uuid::Uuid::new_v4().to_string()));
    }
    marker.set("gitignoreManaged", json!(true));
    let initialized_at = marker.text("initializedAt").unwrap_or(&now).to_owned();
    // The marker is written last, so that no process opens a half-made repository.
    marsh_fs::atomic_write(&layout.marker(), marker.to_yaml()?.as_bytes(), Durability::Synced)?;
    Ok(InitOutcome { repo: Repo::open(dir)?, initialized_at, gitignore })
}

fn manage_gitignore(layout: &Layout) -> Result<GitignoreAction, RepoError> {
    let path = layout.gitignore();
    let existing = match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(source) => return Err(RepoError::Read { path, source }),
    };
    let text = with_managed_block(existing.as_deref().unwrap_or(""));
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
pub(crate) fn upgrade_gitignore(layout: &Layout) -> Result<GitignoreAction, RepoError> {
    let path = layout.gitignore();
    if let Ok(text) = std::fs::read_to_string(&path)
        && let Some(present) = without_former_block(&text)
    {
        let text = with_managed_block(&present);
        marsh_fs::atomic_write(&path, text.as_bytes(), Durability::Atomic)?;
        return Ok(GitignoreAction::Updated);
    }
    manage_gitignore(layout)
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
fn with_managed_block(text: &str) -> String {
    let mut block = vec![BLOCK_BEGIN];
    block.extend(BLOCK_LINES);
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
        assert_eq!(without_former_block(&with_managed_block(&present)), None);
    }

    #[test]
    fn managed_block_that_was_edited_is_replaced_in_place() {
        let first = with_managed_block("target\n");
        assert!(first.starts_with("target\n\n# BEGIN"), "{first}");
        assert_eq!(with_managed_block(&first), first);
        let edited = first.replace(".swamp/\n", "") + "later\n";
        let repaired = with_managed_block(&edited);
        assert!(repaired.contains(".swamp/\n") && repaired.ends_with("later\n"), "{repaired}");
    }
}
