//! Where extension sources are: the repository's own, mounted ones, pulled ones.

use std::path::{Path, PathBuf};

use marsh_repo::Repo;
use marsh_types::{ExtensionName, Kind, Origin, yaml};
use serde::Deserialize;

use crate::error::LoadError;
use crate::source_root::SourceRoot;

/// The directories of the repository's own and mounted sources of a kind, in the order in which they win.
///
/// # Errors
///
/// The file of mounted sources cannot be read, or names an unset variable.
pub fn source_roots(repo: &Repo, kind: Kind) -> Result<Vec<SourceRoot>, LoadError> {
    source_roots_with(repo, kind, &SourcesFile::read(repo)?)
}

/// [`source_roots`] with the file of mounted sources already read.
pub(crate) fn source_roots_with(
    repo: &Repo,
    kind: Kind,
    file: &SourcesFile,
) -> Result<Vec<SourceRoot>, LoadError> {
    let mut roots = vec![SourceRoot {
        origin: Origin::Local,
        dir: repo.layout.extension_sources(&repo.marker, kind),
        base: repo.layout.root().to_owned(),
        kind,
        extension: None,
        digest: None,
    }];
    roots.extend(mounted(repo, kind, file)?);
    Ok(roots)
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct SourcesFile {
    #[serde(default)]
    sources: Vec<Mounted>,
}

impl SourcesFile {
    /// A missing one mounts nothing.
    pub(crate) fn read(repo: &Repo) -> Result<SourcesFile, LoadError> {
        let path = repo.layout.sources_file();
        match marsh_fs::read_to_string(&path) {
            Ok(text) => yaml::from_str(&text).map_err(|source| LoadError::Yaml { path, source }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(SourcesFile::default()),
            Err(source) => Err(LoadError::Read { path, source }),
        }
    }
}

#[derive(Debug, Deserialize)]
struct Mounted {
    path: String,
    #[serde(default)]
    only: Option<Vec<String>>,
}

fn mounted(repo: &Repo, kind: Kind, file: &SourcesFile) -> Result<Vec<SourceRoot>, LoadError> {
    if file.sources.is_empty() {
        return Ok(Vec::new());
    }
    let own = repo.layout.extension_sources(&repo.marker, kind);
    let own = own.canonicalize().unwrap_or(own);
    let mut roots = Vec::new();
    for source in &file.sources {
        let wanted = |only: &Vec<String>| {
            only.iter().any(|name| name == kind.directory() || name == kind.export_name())
        };
        if !source.only.as_ref().is_none_or(wanted) {
            continue;
        }
        for base in crate::mounts::mounted_dirs(repo, &source.path)? {
            // Two patterns may lead to one directory, and one to the repository's own.
            if base == own || roots.iter().any(|root: &SourceRoot| root.base == base) {
                continue;
            }
            let dir = match base.join("extensions").join(kind.directory()) {
                standard if standard.is_dir() => standard,
                // Without the standard layout the directory holds the entry points itself.
                _ if !base.join("extensions").is_dir() => base.clone(),
                standard => standard,
            };
            roots.push(SourceRoot { origin: Origin::Source, dir, base, kind, extension: None, digest: None });
        }
    }
    Ok(roots)
}

/// The tree that another implementation unpacked for an extension: a real directory where marsh has its links.
pub(crate) fn foreign_tree(repo: &Repo, name: &ExtensionName) -> Option<PathBuf> {
    let dir = name.segments().fold(repo.layout.pulled_extensions(), |dir, segment| dir.join(segment));
    let is_real = std::fs::symlink_metadata(&dir).is_ok_and(|metadata| metadata.is_dir());
    (is_real && is_tree(&dir)).then_some(dir)
}

/// A directory that holds a manifest or the directory of a kind, itself and not by a link.
fn is_tree(dir: &Path) -> bool {
    let real =
        |name: &str| std::fs::symlink_metadata(dir.join(name)).is_ok_and(|metadata| !metadata.is_symlink());
    real("manifest.yaml") || Kind::ALL.iter().any(|kind| real(kind.directory()))
}

/// All trees that other implementations unpacked, by name where the place is one.
pub(crate) fn foreign_trees(repo: &Repo) -> Vec<(Option<ExtensionName>, PathBuf)> {
    let root = repo.layout.pulled_extensions();
    let mut found = Vec::new();
    // `@scope/name` and deeper names.
    let mut pending = vec![(root.clone(), 0)];
    while let Some((dir, depth)) = pending.pop() {
        if depth >= 2 && is_tree(&dir) {
            let name = dir.strip_prefix(&root).ok().map(|name| name.to_string_lossy().replace('\\', "/"));
            found.push((name.and_then(|name| ExtensionName::parse(&name).ok()), dir));
            continue;
        }
        if depth < 4 {
            pending.extend(subdirectories(&dir).into_iter().map(|dir| (dir, depth + 1)));
        }
    }
    found.sort_by(|a, b| a.1.cmp(&b.1));
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
    // As text, which is an order as good as the one by component, and many times faster.
    found.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
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

/// The kinds that a directory contributes: its `extensions/<kind>s`, or without `extensions` what its files declare.
pub fn kinds_in(base: &Path) -> Vec<Kind> {
    if base.join("extensions").is_dir() {
        let standard = |kind: &Kind| base.join("extensions").join(kind.directory()).is_dir();
        return Kind::with_directory().filter(standard).collect();
    }
    let root = SourceRoot {
        origin: Origin::Source,
        dir: base.to_owned(),
        base: base.to_owned(),
        kind: Kind::Model,
        extension: None,
        digest: None,
    };
    let mut kinds = Vec::new();
    for path in candidates(&root) {
        let Ok(source) = marsh_fs::read_to_string(&path) else { continue };
        for declaration in marsh_bundle::declarations(&source, &path).unwrap_or_default() {
            if !kinds.contains(&declaration.kind) {
                kinds.push(declaration.kind);
            }
        }
    }
    kinds
}
