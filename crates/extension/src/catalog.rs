//! The type catalog: which types the sources of a repository declare. Runs no code.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsString;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use marsh_bundle::Declaration;
use marsh_fs::Durability;
use marsh_repo::{Layout, Repo};
use marsh_store::Facts;
use marsh_types::{Diagnostic, Digest, ExtensionName, Kind, Origin, TypeName};
use serde::{Deserialize, Serialize};

use crate::discover::{SourcesFile, candidates, source_roots_with};
use crate::error::LoadError;
use crate::source_root::SourceRoot;
use crate::stat::{Stat, now_ns};

/// The version of the index file: raise it when more or less is read from a source.
const INDEX_VERSION: u32 = 2;

/// A type that a source declares.
#[derive(Debug, Clone)]
pub struct IndexedType {
    /// The kind of the export.
    pub kind: Kind,
    /// The type.
    pub type_name: TypeName,
    /// As written, before normalization.
    pub raw: String,
    /// The version, if it is written out.
    pub version: Option<String>,
    /// The names of the methods, if they are written out.
    pub methods: Option<Vec<String>>,
    /// The source file.
    pub path: PathBuf,
    /// The directory tree of the source file.
    pub root: SourceRoot,
    /// The line of the export, from 1.
    pub line: u32,
}

/// An entry point whose type is computed: only running the code tells it.
#[derive(Debug, Clone)]
pub struct ComputedType {
    /// The kind of the export.
    pub kind: Kind,
    /// The source file.
    pub path: PathBuf,
    /// The directory tree of the source file.
    pub root: SourceRoot,
}

/// A source whose declarations cannot be read.
#[derive(Debug, Clone)]
pub struct SourceProblem {
    /// The source file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub diagnostic: Diagnostic,
}

/// Everything that the sources of a repository declare.
#[derive(Debug, Clone, Default)]
pub struct TypeCatalog {
    /// The types that are written out.
    pub types: Vec<IndexedType>,
    /// Entry points whose type is computed.
    pub computed: Vec<ComputedType>,
    /// Sources whose declarations cannot be read.
    pub problems: Vec<SourceProblem>,
    /// Installed extensions whose trees are missing.
    pub unrestored: Vec<ExtensionName>,
}

/// The index as a file.
#[derive(Debug, Serialize, Deserialize)]
struct IndexFile {
    version: u32,
    files: Vec<(PathBuf, Arc<IndexedFile>)>,
}

/// What was read from each file, by its path. A server keeps it in memory, and trusts no entry without a look at the
/// file. Paths are compared as text: comparing them by component costs more than the stat.
#[derive(Debug, Default)]
pub(crate) struct SourceIndex {
    files: HashMap<OsString, Arc<IndexedFile>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct IndexedFile {
    stat: Stat,
    read_at_ns: u64,
    declarations: Vec<Declaration>,
    problem: Option<Diagnostic>,
}

impl TypeCatalog {
    /// Reads the repository's own sources, mounted ones and installed extensions.
    ///
    /// # Errors
    ///
    /// The file of mounted sources or the lockfile cannot be read.
    pub fn load(repo: &Repo) -> Result<TypeCatalog, LoadError> {
        Ok(TypeCatalog::load_with(repo, &SourceIndex::read(&repo.layout))?.0)
    }

    /// The facts of every locked extension: from the catalog of stored trees by digest; from the files, where another
    /// implementation unpacked them.
    fn add_installed(&mut self, repo: &Repo) -> Result<(), LoadError> {
        let installation = crate::installed::installation(repo);
        let snapshot = installation.snapshot()?;
        let trees = installation.trees();
        let held: Vec<Digest> = snapshot.lockfile.digests().filter(|digest| trees.contains(digest)).collect();
        let facts = installation
            .catalog()
            .facts(&held, crate::installed::RULES, |digest| crate::installed::read_facts(trees, digest));
        for (name, entry) in &snapshot.lockfile.entries {
            let known = entry.checksum.and_then(|digest| Some((digest, facts.get(&digest)?)));
            match (known, crate::discover::foreign_tree(repo, name)) {
                (Some((digest, facts)), _) => self.add_facts(name, digest, &trees.tree(&digest), facts),
                (None, Some(dir)) => self.add_foreign(name, &dir),
                (None, None) => self.unrestored.push(name.clone()),
            }
        }
        Ok(())
    }

    fn add_facts(&mut self, name: &ExtensionName, digest: Digest, tree: &Path, facts: &Facts) {
        for provided in &facts.provided {
            let root = SourceRoot {
                origin: Origin::Pulled,
                dir: tree.join(provided.kind.directory()),
                base: tree.to_owned(),
                kind: provided.kind,
                extension: Some(name.to_string()),
                digest: Some(digest),
            };
            let path = provided.path.below(tree);
            let Some(raw) = &provided.raw else {
                self.computed.push(ComputedType { kind: provided.kind, path, root });
                continue;
            };
            let Ok(type_name) = TypeName::parse(raw) else { continue };
            self.types.push(IndexedType {
                kind: provided.kind,
                type_name,
                raw: raw.clone(),
                version: provided.version.clone(),
                methods: provided.methods.clone(),
                path,
                root,
                line: provided.line,
            });
        }
        for (path, diagnostic) in &facts.problems {
            self.problems.push(SourceProblem { path: path.below(tree), diagnostic: diagnostic.clone() });
        }
    }

    fn add_foreign(&mut self, name: &ExtensionName, dir: &Path) {
        for kind in Kind::with_directory() {
            let root = SourceRoot {
                origin: Origin::Pulled,
                dir: dir.join(kind.directory()),
                base: dir.to_owned(),
                kind,
                extension: Some(name.to_string()),
                digest: None,
            };
            for path in candidates(&root) {
                // These are few, and gone once they are restored into the store: not worth an index.
                if let Some(file) = index_file(&path, None, &mut Changed::default()) {
                    self.add(&path, &root, &file);
                }
            }
        }
    }

    /// [`load`](Self::load) with the index that this process has in memory. The second value is the new index, if it
    /// changed.
    pub(crate) fn load_with(
        repo: &Repo,
        known: &SourceIndex,
    ) -> Result<(TypeCatalog, Option<SourceIndex>), LoadError> {
        let (mut catalog, index) = TypeCatalog::read_sources(repo, known)?;
        catalog.add_installed(repo)?;
        Ok((catalog, index))
    }

    /// Without installed extensions. Files that have not changed since the last reading are not opened.
    pub(crate) fn load_unpulled(repo: &Repo) -> Result<TypeCatalog, LoadError> {
        Ok(TypeCatalog::read_sources(repo, &SourceIndex::read(&repo.layout))?.0)
    }

    /// The index is `None` when it is the known one. It is written only if a changed entry can be trusted later: every
    /// process reads the declarations of a file again that changed a moment ago.
    fn read_sources(
        repo: &Repo,
        known: &SourceIndex,
    ) -> Result<(TypeCatalog, Option<SourceIndex>), LoadError> {
        let mut changed = Changed::default();
        let mut seen: HashMap<OsString, Arc<IndexedFile>> = HashMap::with_capacity(known.files.len());
        let mut catalog = TypeCatalog::default();
        let sources = SourcesFile::read(repo)?;
        for kind in Kind::with_directory() {
            let roots = source_roots_with(repo, kind, &sources)?;
            // Mounts may overlap. A file that several of them hold is of the first.
            let mut held = (roots.len() > 1).then(HashSet::new);
            for root in roots {
                let mut paths = candidates(&root);
                if let Some(held) = &mut held {
                    paths.retain(|path| held.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
                }
                // A mounted directory without the standard layout holds entry points of all kinds.
                let before =
                    |path: &Path| seen.get(path.as_os_str()).or_else(|| known.files.get(path.as_os_str()));
                let files = index_files(&paths, &before, &mut changed);
                for (path, file) in paths.into_iter().zip(files) {
                    let Some(file) = file else { continue };
                    catalog.add(&path, &root, &file);
                    seen.insert(path.into_os_string(), file);
                }
            }
        }
        if !changed.any && seen.len() == known.files.len() {
            return Ok((catalog, None));
        }
        let gone = known.files.keys().any(|name| !seen.contains_key(name));
        let index = SourceIndex { files: seen };
        if changed.lasting || gone {
            index.write(&repo.layout);
        }
        Ok((catalog, Some(index)))
    }

    fn add(&mut self, path: &Path, root: &SourceRoot, file: &IndexedFile) {
        if let Some(diagnostic) = &file.problem
            && !self.problems.iter().any(|problem| problem.path == path)
        {
            self.problems.push(SourceProblem { path: path.to_owned(), diagnostic: diagnostic.clone() });
        }
        // A directory provides its own kind, and the kinds that extend it.
        let of_root = |declaration: &&Declaration| declaration.kind.home() == root.kind;
        for declaration in file.declarations.iter().filter(of_root) {
            let Some(raw) = &declaration.name else {
                let (path, root) = (path.to_owned(), root.clone());
                self.computed.push(ComputedType { kind: declaration.kind, path, root });
                continue;
            };
            let Ok(type_name) = TypeName::parse(raw) else { continue };
            self.types.push(IndexedType {
                kind: declaration.kind,
                type_name,
                raw: raw.clone(),
                version: declaration.version.clone(),
                methods: declaration.methods.clone(),
                path: path.to_owned(),
                root: root.clone(),
                line: declaration.line,
            });
        }
    }

    /// The declarations of a type by the origin that wins: local before mounted before pulled.
    pub fn find(&self, kind: Kind, type_name: &TypeName) -> Vec<&IndexedType> {
        let all: Vec<&IndexedType> = self
            .types
            .iter()
            .filter(|indexed| indexed.kind == kind && indexed.type_name == *type_name)
            .collect();
        let winner: Option<Origin> = all.iter().map(|indexed| indexed.root.origin).min();
        all.into_iter().filter(|indexed| Some(indexed.root.origin) == winner).collect()
    }

    /// The model types, one row per type, sorted by name.
    pub fn models(&self) -> Vec<&IndexedType> {
        self.of_kind(Kind::Model)
    }

    /// The types of a kind, one row per type, sorted by name.
    pub fn of_kind(&self, kind: Kind) -> Vec<&IndexedType> {
        let mut types: BTreeMap<&TypeName, &IndexedType> = BTreeMap::new();
        for indexed in self.types.iter().filter(|indexed| indexed.kind == kind) {
            let entry = types.entry(&indexed.type_name).or_insert(indexed);
            if indexed.root.origin < entry.root.origin {
                *entry = indexed;
            }
        }
        types.into_values().collect()
    }

    /// The sources that add methods to a model type.
    pub fn method_extensions<'a>(&'a self, type_name: &'a TypeName) -> impl Iterator<Item = &'a IndexedType> {
        self.types
            .iter()
            .filter(move |indexed| indexed.kind == Kind::Extension && indexed.type_name == *type_name)
    }
}

/// The repository's own and mounted sources whose declarations cannot be read.
///
/// # Errors
///
/// The file of mounted sources cannot be read.
pub fn local_problems(repo: &Repo) -> Result<Vec<SourceProblem>, LoadError> {
    Ok(TypeCatalog::load_unpulled(repo)?.problems)
}

/// Whether reading the sources found changes.
#[derive(Debug, Default)]
struct Changed {
    any: bool,
    /// In files that were quiet when they were read.
    lasting: bool,
}

/// The number of unread files from which on several threads read them. A thread costs as much as a few files.
const MANY: usize = 64;

/// [`index_file`] of each path, in their order.
fn index_files<'k>(
    paths: &[PathBuf],
    before: &(dyn Fn(&Path) -> Option<&'k Arc<IndexedFile>> + Sync),
    changed: &mut Changed,
) -> Vec<Option<Arc<IndexedFile>>> {
    let read = |paths: &[PathBuf]| {
        let mut changed = Changed::default();
        let files: Vec<_> = paths.iter().map(|path| index_file(path, before(path), &mut changed)).collect();
        (files, changed)
    };
    let unread = paths.iter().filter(|path| before(path).is_none()).count();
    let threads =
        if unread < MANY { 1 } else { std::thread::available_parallelism().map_or(1, NonZero::get) };
    let share = paths.len().div_ceil(threads.min(8)).max(1);
    let (first, others) = paths.split_at(share.min(paths.len()));
    let parts = std::thread::scope(|scope| {
        let started: Vec<_> = others
            .chunks(share)
            .map(|paths| (paths, std::thread::Builder::new().spawn_scoped(scope, move || read(paths))))
            .collect();
        let mut parts = vec![read(first)];
        for (paths, thread) in started {
            parts.push(match thread.map(std::thread::ScopedJoinHandle::join) {
                Ok(Ok(part)) => part,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                // The system has no thread to spare.
                Err(_) => read(paths),
            });
        }
        parts
    });
    let mut files = Vec::with_capacity(paths.len());
    for (part, found) in parts {
        files.extend(part);
        changed.any |= found.any;
        changed.lasting |= found.lasting;
    }
    files
}

/// The declarations of one file, from the index when its stat vouches for them. `None` when the file is gone.
fn index_file(
    path: &Path,
    known: Option<&Arc<IndexedFile>>,
    changed: &mut Changed,
) -> Option<Arc<IndexedFile>> {
    let stat = Stat::of(path)?;
    if let Some(known) = known
        && known.stat == stat
        && stat.was_quiet_at(known.read_at_ns)
    {
        return Some(Arc::clone(known));
    }
    let read_at_ns = now_ns();
    changed.any = true;
    let file = match marsh_fs::read_to_string(path) {
        Ok(source) => match marsh_bundle::declarations(&source, path) {
            Ok(declarations) => IndexedFile { stat, read_at_ns, declarations, problem: None },
            Err(problem) => {
                IndexedFile { stat, read_at_ns, declarations: Vec::new(), problem: Some(problem) }
            }
        },
        Err(error) => {
            let problem = Diagnostic::unreadable(path, error.to_string());
            // Not remembered as read: a file that becomes readable again must be looked at.
            IndexedFile { stat, read_at_ns: 0, declarations: Vec::new(), problem: Some(problem) }
        }
    };
    changed.lasting |= stat.was_quiet_at(file.read_at_ns);
    Some(Arc::new(file))
}

impl SourceIndex {
    pub(crate) fn read(layout: &Layout) -> SourceIndex {
        // The index is derived: if it is damaged, the sources are read again.
        let file = marsh_fs::read(layout.source_index())
            .ok()
            .and_then(|bytes| serde_json::from_slice::<IndexFile>(&bytes).ok())
            .filter(|index| index.version == INDEX_VERSION);
        let files = file.map(|file| file.files).unwrap_or_default();
        SourceIndex { files: files.into_iter().map(|(path, file)| (path.into_os_string(), file)).collect() }
    }

    fn write(&self, layout: &Layout) {
        let path = layout.source_index();
        let mut files: Vec<(PathBuf, Arc<IndexedFile>)> =
            self.files.iter().map(|(path, file)| (PathBuf::from(path), Arc::clone(file))).collect();
        files.sort_by(|a, b| a.0.as_os_str().cmp(b.0.as_os_str()));
        let Ok(bytes) = serde_json::to_vec(&IndexFile { version: INDEX_VERSION, files }) else { return };
        let Some(parent) = path.parent() else { return };
        let written = marsh_fs::create_dir_all(parent)
            .and_then(|()| marsh_fs::atomic_write(&path, &bytes, Durability::Atomic));
        marsh_types::ignore(written, "without its index, the next command reads the sources again");
    }
}
