//! Where extension sources are: the repository's own, mounted ones, pulled ones.

use std::path::{Path, PathBuf};

use marsh_repo::Repo;
use marsh_types::{Kind, Origin, yaml};
use serde::Deserialize;

use crate::error::LoadError;

/// A directory of entry points of one kind, and the directory that its configuration may not lie above.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRoot {
    pub origin: Origin,
    /// Searched for entry points.
    pub dir: PathBuf,
    /// The repository, the mounted directory or the pulled extension: configuration is looked for up to here, and
    /// relative paths in fingerprints start here.
    pub base: PathBuf,
    pub kind: Kind,
    /// The extension's name where it is known.
    pub extension: Option<String>,
}

/// Every source root of one kind, in the order in which they win.
pub fn source_roots(repo: &Repo, kind: Kind) -> Result<Vec<SourceRoot>, LoadError> {
    let mut roots = vec![SourceRoot {
        origin: Origin::Local,
        dir: repo.layout.extension_sources(&repo.marker, kind),
        base: repo.layout.root().to_owned(),
        kind,
        extension: None,
    }];
    roots.extend(mounted(repo, kind)?);
    roots.extend(pulled(repo, kind));
    Ok(roots)
}

#[derive(Debug, Deserialize)]
struct SourcesFile {
    #[serde(default)]
    sources: Vec<Mounted>,
}

#[derive(Debug, Deserialize)]
struct Mounted {
    path: String,
    #[serde(default)]
    only: Option<Vec<String>>,
}

fn mounted(repo: &Repo, kind: Kind) -> Result<Vec<SourceRoot>, LoadError> {
    let path = repo.layout.sources_file();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(LoadError::Read { path, source }),
    };
    let file: SourcesFile =
        yaml::from_str(&text).map_err(|source| LoadError::Yaml { path: path.clone(), source })?;
    let mut roots = Vec::new();
    for source in file.sources {
        let wanted = |only: &Vec<String>| {
            only.iter().any(|name| name == kind.directory() || name == kind.export_name())
        };
        if !source.only.as_ref().is_none_or(wanted) {
            continue;
        }
        let base = repo.layout.root().join(&source.path);
        let base = base.canonicalize().unwrap_or(base);
        let dir = match base.join("extensions").join(kind.directory()) {
            standard if standard.is_dir() => standard,
            // Without the standard layout the directory holds the entry points itself.
            _ if !base.join("extensions").is_dir() => base.clone(),
            standard => standard,
        };
        roots.push(SourceRoot { origin: Origin::Source, dir, base, kind, extension: None });
    }
    Ok(roots)
}

fn pulled(repo: &Repo, kind: Kind) -> Vec<SourceRoot> {
    let root = repo.layout.pulled_extensions();
    let mut found = Vec::new();
    // `@scope/name` and deeper names; a directory that holds a manifest or a kind's directory is an extension.
    let mut pending = vec![(root.clone(), 0)];
    while let Some((dir, depth)) = pending.pop() {
        if depth >= 2 && (dir.join("manifest.yaml").is_file() || dir.join(kind.directory()).is_dir()) {
            let extension =
                dir.strip_prefix(&root).ok().map(|name| name.to_string_lossy().replace('\\', "/"));
            found.push(SourceRoot {
                origin: Origin::Pulled,
                dir: dir.join(kind.directory()),
                base: dir.clone(),
                kind,
                extension,
            });
        }
        if depth < 4 {
            pending.extend(subdirectories(&dir).into_iter().map(|dir| (dir, depth + 1)));
        }
    }
    found.sort_by(|a, b| a.dir.cmp(&b.dir));
    found
}

fn subdirectories(dir: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()) && !is_private(&entry.file_name()))
        .map(|entry| entry.path())
        .collect()
}

/// The candidate entry points below a root: `*.ts`, without tests and without private files and directories.
pub fn candidates(root: &SourceRoot) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut pending = vec![root.dir.clone()];
    while let Some(dir) = pending.pop() {
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Ok(kind) = entry.file_type() else { continue };
            if is_private(&name) {
                continue;
            }
            let path = entry.path();
            if kind.is_dir() || (kind.is_symlink() && path.is_dir()) {
                // A linked directory may lead anywhere, even up; only real ones are walked.
                if kind.is_dir() {
                    pending.push(path);
                }
            } else if is_entry_name(&name) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn is_private(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with('_') || name.starts_with('.') || name == "node_modules"
}

fn is_entry_name(name: &std::ffi::OsStr) -> bool {
    let name = name.to_string_lossy();
    name.ends_with(".ts")
        && !name.ends_with("_test.ts")
        && !name.ends_with(".test.ts")
        && !name.ends_with(".d.ts")
}
