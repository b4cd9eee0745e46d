//! Which files an archive holds, and where.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use marsh_archive::rules;
use marsh_bundle::FileState;
use marsh_repo::Repo;
use marsh_types::manifest::PathsBase;
use marsh_types::{Kind, Manifest, RelPath, yaml};

use super::error::PublishError;

/// A file of the archive.
#[derive(Debug, Clone)]
pub struct ArchiveFile {
    /// The file on disk.
    pub source: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// Whether its owner may execute it.
    pub executable: bool,
    /// What it is for.
    pub role: Role,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// An entry point, or a file that one imports.
    Code,
    /// A file that code reads, or a workflow.
    Data,
    /// A file that code executes.
    Binary,
    /// A file of a skill.
    Skill,
}

/// An entry point of a kind.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The kind below whose key the manifest lists it.
    pub kind: Kind,
    /// As the manifest lists it.
    pub listed: RelPath,
    /// The file on disk.
    pub source: PathBuf,
    /// An imported file that can have no place in the archive. Only a bundle that is built where the author has his files
    /// holds it.
    pub outside: Option<PathBuf>,
}

/// The files of an archive.
#[derive(Debug, Default)]
pub struct Files {
    /// By path below `extension/`.
    pub files: BTreeMap<RelPath, ArchiveFile>,
    /// The entry points.
    pub entries: Vec<Entry>,
    /// The workflow files, by path in the archive.
    pub workflows: Vec<RelPath>,
    /// Code that only bundles hold; it obeys the same rules as the code in the archive.
    pub outside: BTreeSet<PathBuf>,
    /// Name and number of files.
    pub skills: Vec<(String, usize)>,
    /// Findings that do not prevent publishing.
    pub warnings: Vec<String>,
}

/// Finds the files that a manifest lists, and the files that its entry points import.
///
/// # Errors
///
/// A file is missing, is a link, or is listed twice.
pub(super) fn collect(repo: &Repo, manifest: &Manifest, manifest_dir: &Path) -> Result<Files, PublishError> {
    let mut files = Files::default();
    let base_of = |kind: Kind| match manifest.base {
        PathsBase::Manifest => manifest_dir.to_owned(),
        PathsBase::TypedDir => repo.layout.extension_sources(&repo.marker, kind),
    };
    for (kind, entries) in manifest.code() {
        let base = real(&base_of(kind));
        for listed in entries {
            files.entry(kind, listed, &base)?;
        }
    }
    let base = real(&base_of(Kind::Model));
    for listed in &manifest.include {
        let source = regular("include", listed, &base)?;
        files.add(rel(Kind::Model.directory())?.join(listed), source, Role::Data)?;
    }
    for listed in &manifest.workflows {
        files.workflow(repo, manifest, listed, manifest_dir)?;
    }
    for (key, list, role) in [
        ("additionalFiles", &manifest.additional_files, Role::Data),
        ("binaries", &manifest.binaries, Role::Binary),
    ] {
        for listed in list {
            let source = regular(key, listed, manifest_dir)?;
            let path = rel("files")?.join(listed);
            // Where case does not count, two spellings are one file.
            if files.files.keys().any(|known| known.folded() == path.folded()) {
                return Err(PublishError::Listed { key, entry: listed.to_string() });
            }
            files.add(path, source, role)?;
        }
    }
    for listed in &manifest.skills {
        files.skill(repo, manifest, listed, manifest_dir)?;
    }
    let total: u64 =
        files.files.values().filter(|file| file.role == Role::Skill).map(|file| file.bytes).sum();
    if total > rules::MAX_SKILL_BYTES {
        let reason = format!("all skills together have {total} bytes, more than {}", rules::MAX_SKILL_BYTES);
        return Err(PublishError::Skill { skill: manifest.skills.len().to_string(), reason });
    }
    Ok(files)
}

impl Files {
    /// A file may be there already, as two entry points share what they import; another one may not be in its place.
    fn add(&mut self, path: RelPath, source: PathBuf, role: Role) -> Result<(), PublishError> {
        if let Some(known) = self.files.get(&path) {
            if known.source != source {
                return Err(PublishError::SamePlace { path: path.to_string() });
            }
            return Ok(());
        }
        let metadata = std::fs::symlink_metadata(&source)
            .map_err(|error| PublishError::Read { path: source.clone(), source: error })?;
        if metadata.is_symlink() {
            return Err(PublishError::Symlink { path: source });
        }
        let file = ArchiveFile { executable: is_executable(&metadata), bytes: metadata.len(), source, role };
        self.files.insert(path, file);
        Ok(())
    }

    fn entry(&mut self, kind: Kind, listed: &RelPath, base: &Path) -> Result<(), PublishError> {
        let source = regular(kind.directory(), listed, base)?;
        let graph = marsh_bundle::import_graph(&source, base);
        let mut outside = None;
        for file in &graph.files {
            if !matches!(file.state, FileState::Hashed(_)) {
                let expected = file.path.clone();
                return Err(PublishError::Missing {
                    key: kind.directory(),
                    entry: file.rel.clone(),
                    expected,
                });
            }
            let place = match RelPath::parse(&file.rel) {
                Ok(inside) => Some(rel(kind.directory())?.join(&inside)),
                Err(_) => beside(&file.path, base),
            };
            match place {
                Some(place) => self.add(place, file.path.clone(), Role::Code)?,
                None => {
                    self.warnings.push(format!(
                        "{listed} imports {}, which can have no place in the archive; the extension runs from its \
                         bundle only",
                        file.path.display()
                    ));
                    self.outside.insert(file.path.clone());
                    outside.get_or_insert(file.path.clone());
                }
            }
        }
        for name in graph.remote.iter().filter(|name| !name.contains(':') && !name.starts_with('.')) {
            let warning = format!(
                "{listed} imports `{name}`, which only your configuration explains; write npm:{name}@<version>"
            );
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        for file in &graph.config {
            let warning = format!(
                "{} resolves imports of {listed} here and is not in the archive; write npm: specifiers instead",
                file.rel
            );
            if !self.warnings.contains(&warning) {
                self.warnings.push(warning);
            }
        }
        self.entries.push(Entry { kind, listed: listed.clone(), source, outside });
        Ok(())
    }

    fn workflow(
        &mut self,
        repo: &Repo,
        manifest: &Manifest,
        listed: &RelPath,
        manifest_dir: &Path,
    ) -> Result<(), PublishError> {
        let mut bases = Vec::new();
        if manifest.base == PathsBase::Manifest {
            bases.push(manifest_dir.to_owned());
        }
        bases.push(repo.layout.workflows());
        let found = bases.iter().map(|base| listed.below(base)).find(|path| path.is_file());
        let Some(found) = found else {
            let expected = listed.below(&repo.layout.workflows());
            return Err(PublishError::Missing { key: "workflows", entry: listed.to_string(), expected });
        };
        let found = real(&found);
        for name in workflow_names(listed) {
            let path = rel("workflows")?.join(&rel(&name)?);
            match self.files.get(&path) {
                // Another workflow has this name.
                Some(known) if known.source != found => {}
                Some(_) => return Ok(()),
                None => {
                    self.add(path.clone(), found, Role::Data)?;
                    self.workflows.push(path);
                    return Ok(());
                }
            }
        }
        Err(PublishError::SamePlace { path: format!("workflows/{listed}") })
    }

    fn skill(
        &mut self,
        repo: &Repo,
        manifest: &Manifest,
        listed: &RelPath,
        manifest_dir: &Path,
    ) -> Result<(), PublishError> {
        let refuse = |reason: String| PublishError::Skill { skill: listed.to_string(), reason };
        let mut bases = Vec::new();
        if manifest.base == PathsBase::Manifest {
            bases
                .extend(["", ".claude/skills", ".agents/skills", "skills"].map(|dir| manifest_dir.join(dir)));
        }
        let custom = marsh_repo::tools::custom::read(&repo.layout)?;
        bases.extend(repo.marker.skill_dirs(&custom).iter().map(|dir| repo.layout.root().join(dir)));
        let found = bases.iter().map(|base| listed.below(base)).find(|path| path.is_dir());
        let Some(dir) = found else {
            let looked: Vec<String> = bases.iter().map(|base| base.display().to_string()).collect();
            return Err(refuse(format!("not found in {}", looked.join(", "))));
        };
        let text = marsh_fs::read_to_string(dir.join("SKILL.md"))
            .map_err(|error| refuse(format!("cannot read SKILL.md: {error}")))?;
        front_matter(&text).map_err(&refuse)?;
        let target = rel("skills")?.join(&rel(listed.file_name())?);
        let mut count = 0;
        let mut pending = vec![(dir, target)];
        while let Some((dir, target)) = pending.pop() {
            let read = |source| PublishError::Read { path: dir.clone(), source };
            for entry in std::fs::read_dir(&dir).map_err(read)? {
                let entry = entry.map_err(read)?;
                let name = entry.file_name().to_string_lossy().into_owned();
                let path = target.join(&rel(&name)?);
                let kind = entry.file_type().map_err(read)?;
                if kind.is_symlink() {
                    return Err(PublishError::Symlink { path: entry.path() });
                } else if kind.is_dir() {
                    pending.push((entry.path(), path));
                } else {
                    self.add(path.clone(), entry.path(), Role::Skill)?;
                    count += 1;
                    if self.files.get(&path).is_some_and(|file| file.bytes > rules::MAX_SKILL_FILE_BYTES) {
                        let limit = rules::MAX_SKILL_FILE_BYTES;
                        return Err(refuse(format!("{name} is larger than {limit} bytes")));
                    }
                }
            }
        }
        self.skills.push((listed.file_name().to_owned(), count));
        Ok(())
    }
}

/// `name` and `description` in the front matter of a SKILL.md.
fn front_matter(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("---").ok_or("SKILL.md does not start with `---`")?;
    let (head, _) = rest.split_once("\n---").ok_or("the front matter of SKILL.md does not end")?;
    let value: serde_json::Value = yaml::from_str(head)
        .map_err(|error| format!("invalid YAML in the front matter of SKILL.md: {error}"))?;
    for key in ["name", "description"] {
        let text = value.get(key).and_then(serde_json::Value::as_str);
        if text.is_none_or(|text| text.trim().is_empty()) {
            return Err(format!("the front matter of SKILL.md has no `{key}`"));
        }
    }
    Ok(())
}

/// A listed file that is a regular file and not a link.
fn regular(key: &'static str, listed: &RelPath, base: &Path) -> Result<PathBuf, PublishError> {
    let path = listed.below(base);
    match std::fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_symlink() => Err(PublishError::Symlink { path }),
        Ok(metadata) if metadata.is_file() => Ok(path),
        _ => Err(PublishError::Missing { key, entry: listed.to_string(), expected: path }),
    }
}

/// The place of an imported file that lies beside the base: as its directory becomes one of the archive, so do the
/// directories beside it. `None`: it lies higher, or where marsh puts bundles.
fn beside(path: &Path, base: &Path) -> Option<RelPath> {
    let text = path.strip_prefix(base.parent()?).ok()?.to_str()?;
    let place = RelPath::parse(text).ok()?;
    let top = place.segments().next()?;
    (!top.contains("bundles") && !top.starts_with("bundle-") && top != "manifest.yaml").then_some(place)
}

/// The names that a workflow can have in the archive, the usual one first: its directory, as existing archives have it;
/// where several workflows share that, its whole path.
fn workflow_names(listed: &RelPath) -> Vec<String> {
    let segments: Vec<&str> = listed.segments().collect();
    let stem = |name: &str| name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_owned();
    match segments.split_last() {
        Some((file, parents)) if !parents.is_empty() => {
            let dir = parents.join("-");
            vec![format!("{dir}.yaml"), format!("{dir}-{}.yaml", stem(file))]
        }
        _ => vec![listed.file_name().to_owned(), format!("workflow-{}.yaml", stem(listed.file_name()))],
    }
}

fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

pub(super) fn rel(text: &str) -> Result<RelPath, PublishError> {
    RelPath::parse(text).map_err(|error| PublishError::Safety {
        issues: vec![super::error::Issue { file: Some(text.to_owned()), message: error.to_string() }],
    })
}

fn is_executable(metadata: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & 0o111 != 0
}
