//! The import graph of an entry point and the fingerprint over it.
//!
//! Total by construction: [`import_graph`] returns a graph for every input. A file that cannot be read is a node with a
//! state of its own, so that its appearing, vanishing and becoming readable all change the fingerprint.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::BUNDLER_VERSION;
use crate::config::{Config, Target};
use crate::hex::hex;
use crate::paths::{absolute, relative};
use crate::scan::{ImportSite, scan};
use crate::syntax_error::SyntaxError;

/// Everything the meaning of an entry point depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportGraph {
    /// The entry point, absolute.
    pub entry: PathBuf,
    /// The entry and every local file that it reaches, by path.
    pub files: Vec<GraphFile>,
    /// `npm:`, `jsr:`, `https:` … after import-map resolution, sorted; also bare names that nothing maps.
    pub remote: Vec<String>,
    /// The configuration that resolves names.
    pub config: Vec<GraphFile>,
}

/// A file of the graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphFile {
    /// Absolute.
    pub path: PathBuf,
    /// Relative to the root, separated by `/`; starts with `../` for a file outside of it.
    pub rel: String,
    /// Its content, as far as it can be read.
    pub state: FileState,
}

/// The content of a file, as far as it matters to a fingerprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileState {
    /// SHA-256 of the content.
    Hashed([u8; 32]),
    /// There is no such file.
    Missing,
    /// The reason, free of paths.
    Unreadable(String),
}

/// Everything that the meaning of `entry` depends on. It never fails: an unreadable file is a state.
///
/// `root` is the source root (of the repository or the extension): relative paths are relative to it, and configuration
/// is looked for from the entry's directory up to it. Type-only imports are not followed.
pub fn import_graph(entry: &Path, root: &Path) -> ImportGraph {
    let entry = absolute(entry);
    let root = absolute(root);
    let config = Config::load(&entry, &root);
    graph_of(&Walk::new(&entry, &config), &config, config_states(&config), &entry, &root)
}

/// The files of a configuration as they are now.
pub(crate) fn config_states(config: &Config) -> Vec<(PathBuf, FileState)> {
    config.files.iter().map(|path| (path.clone(), read(path).0)).collect()
}

/// The graph of what a walk has read.
pub(crate) fn graph_of(
    walk: &Walk,
    config: &Config,
    config_states: Vec<(PathBuf, FileState)>,
    entry: &Path,
    root: &Path,
) -> ImportGraph {
    let files = walk.files.iter().map(|(path, file)| graph_file(path, root, file.state.clone()));
    let config_files = config_states.into_iter().map(|(path, state)| graph_file(&path, root, state));
    let mut remote: BTreeSet<String> = config.remote.iter().cloned().collect();
    for target in walk.files.values().flat_map(|file| &file.sites).map(|(_, target)| target) {
        match target {
            Target::Npm(reference) => remote.insert(reference.to_string()),
            Target::Remote(url) => remote.insert(url.to_string()),
            Target::Unsupported(specifier) | Target::Unknown(specifier) => remote.insert(specifier.clone()),
            Target::File(_) | Target::Node(_) | Target::Inline => false,
        };
    }
    ImportGraph {
        files: files.collect(),
        remote: remote.into_iter().collect(),
        config: config_files.collect(),
        entry: entry.to_path_buf(),
    }
}

/// 64 hex digits over contents, relative paths, configuration, remote specifiers and [`BUNDLER_VERSION`]; the same for
/// the same tree in another place.
pub fn fingerprint(graph: &ImportGraph) -> String {
    let mut hasher = Sha256::new();
    // Every field goes in with its length, so that no two graphs yield one byte sequence.
    let mut field = |bytes: &[u8]| {
        hasher.update((bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    field(b"marsh fingerprint 1");
    field(BUNDLER_VERSION.as_bytes());
    let entry = graph.files.iter().find(|file| file.path == graph.entry);
    field(entry.map_or("", |file| file.rel.as_str()).as_bytes());
    for (part, files) in [("files", &graph.files), ("config", &graph.config)] {
        let mut files: Vec<&GraphFile> = files.iter().collect();
        files.sort_by(|a, b| a.rel.cmp(&b.rel));
        field(part.as_bytes());
        field(&(files.len() as u64).to_le_bytes());
        for file in files {
            field(file.rel.as_bytes());
            match &file.state {
                FileState::Hashed(hash) => field(hash),
                FileState::Missing => field(b"missing"),
                FileState::Unreadable(reason) => field(format!("unreadable: {reason}").as_bytes()),
            }
        }
    }
    for specifier in &graph.remote {
        field(specifier.as_bytes());
    }
    hex(&hasher.finalize())
}

/// The local files, each with what it asks for.
pub(crate) struct Walk {
    pub files: BTreeMap<PathBuf, WalkedFile>,
}

pub(crate) struct WalkedFile {
    pub state: FileState,
    pub source: String,
    pub sites: Vec<(ImportSite, Target)>,
    pub errors: Vec<SyntaxError>,
}

impl Walk {
    pub(crate) fn new(entry: &Path, config: &Config) -> Self {
        let mut files = BTreeMap::new();
        let mut pending = vec![entry.to_path_buf()];
        while let Some(path) = pending.pop() {
            if files.contains_key(&path) {
                continue;
            }
            let file = WalkedFile::read(&path, config);
            pending.extend(file.sites.iter().filter_map(|(_, target)| match target {
                Target::File(path) => Some(path.clone()),
                _ => None,
            }));
            files.insert(path, file);
        }
        Self { files }
    }
}

impl WalkedFile {
    fn read(path: &Path, config: &Config) -> Self {
        let (state, bytes) = read(path);
        let source = String::from_utf8_lossy(&bytes).into_owned();
        if !is_code(path) {
            return Self { state, source, sites: Vec::new(), errors: Vec::new() };
        }
        let scanned = scan(&source, path);
        let sites = scanned.sites.iter().map(|site| {
            let target = config.resolve(&site.specifier, path);
            (site.clone(), target)
        });
        let sites = sites.collect();
        Self { state, source, sites, errors: scanned.errors.clone() }
    }
}

/// Data is hashed, not parsed.
fn is_code(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str());
    matches!(extension, None | Some("ts" | "tsx" | "mts" | "cts" | "js" | "jsx" | "mjs" | "cjs"))
}

fn read(path: &Path) -> (FileState, Vec<u8>) {
    // A pipe or a device would block; only what is a file (or a link to one) is opened.
    let result = match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Err("is a directory".to_owned()),
        Ok(metadata) if !metadata.is_file() => Err("is not a regular file".to_owned()),
        Ok(_) => marsh_fs::read(path).map_err(|error| error.kind().to_string()),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return (FileState::Missing, Vec::new());
        }
        Err(error) => Err(error.kind().to_string()),
    };
    match result {
        Ok(bytes) => (FileState::Hashed(Sha256::digest(&bytes).into()), bytes),
        Err(reason) => (FileState::Unreadable(reason), Vec::new()),
    }
}

fn graph_file(path: &Path, root: &Path, state: FileState) -> GraphFile {
    GraphFile { path: path.to_path_buf(), rel: relative(path, root), state }
}
