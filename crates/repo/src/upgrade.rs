//! `marsh repo upgrade`: brings a repository of any former layout to the present one.
//!
//! | former place | present place |
//! |---|---|
//! | `.swamp/definitions/<type>/<id>.yaml` | `models/<type>/<id>.yaml` |
//! | `.swamp/workflows/workflow-<id>.yaml` | `workflows/workflow-<id>.yaml` |
//! | `.swamp/vault/<type>/<id>.yaml` | `vaults/<type>/<id>.yaml` |
//! | `models`, `workflows`, `vaults` as links | directories |
//! | links below them that lead into `.swamp` (views by name) | gone, with the directories that they leave empty |
//! | `latest` of stored data as a link to a version | a file with the number |
//!
//! Invariants (`tests/upgrade.rs`):
//! * A file is moved by one rename. One that is at the present place already wins, and the other stays where it is.
//! * Only links into `.swamp` and empty directories are removed. Links to other places are the user's.
//! * The second run changes nothing, and a run that was cut anywhere is completed by the next one.

use std::path::{Component, Path, PathBuf};

use marsh_fs::Durability;
use marsh_types::time::iso_millis;
use serde_json::json;

use crate::discovery::{Repo, RepoError};
use crate::init::{GitignoreAction, upgrade_gitignore};
use crate::layout::{Layout, MARKER};
use crate::tools::{self, BuiltinTool, ChosenTool, Plan, custom};

/// Former and present directories of files that users write.
const MOVED: [(&str, &str); 3] = [("definitions", "models"), ("workflows", "workflows"), ("vault", "vaults")];
/// Deeper than any type's directories.
const MAX_DEPTH: usize = 16;

/// What an upgrade of the layout did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LayoutChanges {
    /// Files and links that were written, moved to, or removed, relative to the repository.
    pub changed: Vec<String>,
    /// Files that stayed at their former place, because another one is at the present place.
    pub kept: Vec<String>,
}

/// What an upgrade is asked to change besides the layout.
#[derive(Debug, Clone, Default)]
pub struct UpgradeRequest {
    /// The AI tools that the marker lists from now on; `None`: as before.
    pub tools: Option<Vec<String>>,
    /// Keep the managed section of `.gitignore` from now on.
    pub include_gitignore: bool,
    /// The name under which users run marsh.
    pub program: String,
}

/// A repository after its upgrade.
#[derive(Debug, Clone)]
pub struct Upgraded {
    /// The repository.
    pub repo: Repo,
    /// The version in the marker before.
    pub previous_version: Option<String>,
    /// When, ISO 8601.
    pub upgraded_at: String,
    /// The tools in the marker before.
    pub previous_tools: Vec<String>,
    /// The change to `.gitignore`; `None`: it is not managed.
    pub gitignore: Option<GitignoreAction>,
    /// The files of AI tools that were written.
    pub plan: Plan,
    /// Skills that another implementation copied into the repository, by directory of skills.
    pub foreign_skills: Vec<(String, Vec<String>)>,
    /// Files that were changed, the marker first, relative to the repository.
    pub layout: LayoutChanges,
}

/// Upgrades marker, layout and `.gitignore` of the repository in `dir`. The marker is written only if something changes.
///
/// # Errors
///
/// `dir` is not a repository, its marker is invalid or lost, or a file cannot be read or written.
pub fn upgrade(dir: &Path, version: &str, request: &UpgradeRequest) -> Result<Upgraded, RepoError> {
    let mut repo = match Repo::open(dir) {
        Err(RepoError::NoMarker { dir }) if dir.join(".swamp").is_dir() => {
            return Err(RepoError::LostMarker { dir });
        }
        other => other?,
    };
    let before = repo.marker.to_yaml()?;
    let previous_version = repo.marker.text("swampVersion").map(str::to_owned);
    let previous_tools = repo.marker.tools();
    let custom = custom::read(&repo.layout)?;
    let mut unknown = Vec::new();
    let chosen = match &request.tools {
        Some(names) => tools::choose(names, &custom)?,
        // A tool that the marker names and that nothing describes any more must not stop the upgrade.
        None => {
            let is_known = |name: &String| {
                BuiltinTool::parse(name).is_some() || custom.iter().any(|tool| tool.name == *name)
            };
            let (known, others) = previous_tools.iter().cloned().partition(is_known);
            unknown = others;
            tools::choose(&known, &custom)?
        }
    };
    let mut plan = tools::plan(&repo.layout, &chosen, &request.program)?;
    plan.warnings.extend(unknown.iter().map(|name| {
        format!(
            "unknown tool `{name}` in {MARKER}: its files were not upgraded; `marsh agent setup` describes it"
        )
    }));
    if request.tools.is_some() || repo.marker.text("tool").is_some() {
        let names = chosen.iter().map(ChosenTool::name).chain(unknown.iter().map(String::as_str));
        repo.marker.set_tools(&names.collect::<Vec<_>>());
    }
    if request.include_gitignore {
        repo.marker.set("gitignoreManaged", json!(true));
    }
    let mut layout = upgrade_layout(&repo.layout)?;
    plan.apply(&repo.layout)?;
    let written = plan.files.iter().map(|file| file.path.display().to_string());
    layout.changed.splice(0..0, written);
    let entries: Vec<String> = chosen.iter().flat_map(ChosenTool::gitignore).collect();
    let gitignore = match repo.marker.flag("gitignoreManaged") {
        Some(true) => Some(upgrade_gitignore(&repo.layout, &entries)?),
        _ => None,
    };
    if gitignore.is_some_and(|action| action != GitignoreAction::Unchanged) {
        layout.changed.insert(0, ".gitignore".to_owned());
    }
    repo.marker.set("swampVersion", json!(version));
    let upgraded_at = iso_millis(jiff::Timestamp::now());
    if !layout.changed.is_empty() || repo.marker.to_yaml()? != before {
        repo.marker.set("upgradedAt", json!(upgraded_at));
        // Last, so that an upgrade that was cut short is done again.
        marsh_fs::atomic_write(&repo.layout.marker(), repo.marker.to_yaml()?.as_bytes(), Durability::Synced)?;
        layout.changed.insert(0, shown(&repo.layout.marker(), &repo.layout));
    }
    let foreign_skills = foreign_skills(&repo.layout, &chosen);
    Ok(Upgraded {
        repo,
        previous_version,
        upgraded_at,
        previous_tools,
        gitignore,
        plan,
        foreign_skills,
        layout,
    })
}

/// The skills that another implementation brings, where they are in the repository.
const FOREIGN_SKILLS: [&str; 2] = ["swamp", "swamp-getting-started"];

fn foreign_skills(layout: &Layout, chosen: &[ChosenTool]) -> Vec<(String, Vec<String>)> {
    let mut found: Vec<(String, Vec<String>)> = Vec::new();
    for tool in chosen {
        let dir = layout.root().join(tool.skills());
        let names = FOREIGN_SKILLS.iter().filter(|name| dir.join(name).is_dir());
        let names: Vec<String> = names.map(|name| (*name).to_owned()).collect();
        if !names.is_empty() && !found.iter().any(|(known, _)| known == tool.skills()) {
            found.push((tool.skills().to_owned(), names));
        }
    }
    found
}

/// What shows that a repository has a former layout: the first such file or directory. Reads a few directories.
pub fn former_layout(layout: &Layout) -> Option<PathBuf> {
    let root = layout.root();
    let links = MOVED.iter().map(|(_, present)| root.join(present));
    if let Some(link) = links.into_iter().find(|path| path.is_symlink() && leads_into_state(path, layout)) {
        return Some(link);
    }
    MOVED.iter().map(|(former, _)| layout.state().join(former)).find(|dir| has_yaml(dir, 0))
}

/// Whether there is a YAML file below a directory.
fn has_yaml(dir: &Path, depth: usize) -> bool {
    let Ok(entries) = std::fs::read_dir(dir) else { return false };
    entries.flatten().any(|entry| {
        let path = entry.path();
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => depth < MAX_DEPTH && has_yaml(&path, depth + 1),
            Ok(kind) => kind.is_file() && is_yaml(&path),
            Err(_) => false,
        }
    })
}

/// Brings the files to their present places.
///
/// # Errors
///
/// A directory cannot be read, or a file cannot be moved. What was done until then stays done.
pub fn upgrade_layout(layout: &Layout) -> Result<LayoutChanges, RepoError> {
    let mut changes = LayoutChanges::default();
    for (former, present) in MOVED {
        let (former, present) = (layout.state().join(former), layout.root().join(present));
        if present.is_symlink() && leads_into_state(&present, layout) {
            marsh_fs::remove_file_if_exists(&present)?;
            changes.changed.push(shown(&present, layout));
        }
        if !present.is_symlink() {
            marsh_fs::create_dir_all(&present)?;
            remove_views(&present, layout, 0, &mut changes)?;
        }
        if former.is_dir() && !former.is_symlink() {
            move_files(&former, &present, layout, 0, &mut changes)?;
        }
    }
    rewrite_latest(&layout.data(), layout, 0, &mut changes)?;
    Ok(changes)
}

/// Removes links into `.swamp`, and directories that they leave empty.
fn remove_views(
    dir: &Path,
    layout: &Layout,
    depth: usize,
    changes: &mut LayoutChanges,
) -> Result<(), RepoError> {
    let mut removed = false;
    for path in children(dir)? {
        if path.is_symlink() {
            if leads_into_state(&path, layout) {
                marsh_fs::remove_file_if_exists(&path)?;
                changes.changed.push(shown(&path, layout));
                removed = true;
            }
        } else if path.is_dir() && depth < MAX_DEPTH {
            remove_views(&path, layout, depth + 1, changes)?;
        }
    }
    // A directory that was cut short of its removal is empty, too.
    if depth > 0 && (removed || children(dir)?.is_empty()) {
        marsh_fs::remove_dir_if_empty(dir)?;
    }
    Ok(())
}

/// Moves YAML files to the same relative paths, and removes the directories that this leaves empty.
fn move_files(
    from: &Path,
    to: &Path,
    layout: &Layout,
    depth: usize,
    changes: &mut LayoutChanges,
) -> Result<(), RepoError> {
    for path in children(from)? {
        let Some(name) = path.file_name() else { continue };
        let target = to.join(name);
        if path.is_symlink() {
            continue;
        } else if path.is_dir() {
            if depth < MAX_DEPTH {
                move_files(&path, &target, layout, depth + 1, changes)?;
            }
        } else if is_yaml(&path) {
            if target.symlink_metadata().is_ok() {
                changes.kept.push(shown(&path, layout));
                continue;
            }
            marsh_fs::create_dir_all(to)?;
            marsh_fs::rename(&path, &target)?;
            marsh_fs::sync_dir(to)?;
            changes.changed.push(shown(&target, layout));
        }
    }
    marsh_fs::remove_dir_if_empty(from)?;
    Ok(())
}

/// Replaces links `latest -> N` by files that hold `N`.
fn rewrite_latest(
    dir: &Path,
    layout: &Layout,
    depth: usize,
    changes: &mut LayoutChanges,
) -> Result<(), RepoError> {
    for path in children(dir)? {
        if path.is_symlink() {
            if path.file_name().is_some_and(|name| name == "latest")
                && let Some(version) = version_of(&path)
            {
                marsh_fs::atomic_write(&path, version.to_string().as_bytes(), Durability::Synced)?;
                changes.changed.push(shown(&path, layout));
            }
        } else if path.is_dir() && depth < MAX_DEPTH {
            rewrite_latest(&path, layout, depth + 1, changes)?;
        }
    }
    Ok(())
}

/// The version that a link names: `3` or `3/`.
fn version_of(link: &Path) -> Option<u32> {
    let target = std::fs::read_link(link).ok()?;
    target.to_str()?.trim_end_matches('/').parse().ok().filter(|version| *version > 0)
}

/// Whether a link's text leads into `.swamp`, also when nothing is there any more.
fn leads_into_state(link: &Path, layout: &Layout) -> bool {
    let Ok(target) = std::fs::read_link(link) else { return false };
    let base = link.parent().unwrap_or(layout.root());
    let mut full = PathBuf::new();
    for part in crate::discovery::absolute(base, &target).components() {
        match part {
            Component::ParentDir => drop(full.pop()),
            Component::CurDir => {}
            other => full.push(other),
        }
    }
    full.starts_with(layout.state()) || full.starts_with(layout.root().join(".swamp"))
}

fn is_yaml(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml")
}

/// The entries of a directory, sorted; none if it does not exist.
fn children(dir: &Path) -> Result<Vec<PathBuf>, RepoError> {
    let failed = |source| RepoError::Read { path: dir.to_owned(), source };
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn shown(path: &Path, layout: &Layout) -> String {
    layout.display(path).display().to_string()
}
