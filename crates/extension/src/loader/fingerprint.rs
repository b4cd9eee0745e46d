//! Stage 2: the fingerprint of each entry point, computed again only when one of its inputs may have changed.
//!
//! The sources of an installed extension have a fingerprint only when each file that the code reaches is the archive's own:
//! what runs is what was verified at install (`crates/cli/tests/it/verified.rs`).

use std::path::{Path, PathBuf};

use marsh_bundle::{FileState, GraphFile, ImportGraph};
use marsh_store::{StoredFile, Trees};
use marsh_types::Digest;
use serde::{Deserialize, Serialize};

use super::discover::Discovered;
use super::files::{read_json, write_json};
use super::parts::{EntryPoint, VersionParts};
use crate::error::{LoadError, TreeChange};
use crate::part::Part;
use crate::source_root::SourceRoot;
use crate::stat::{Stat, now_ns};

/// Files whose appearance changes resolution.
const CONFIG_NAMES: [&str; 5] = ["deno.json", "deno.jsonc", "package.json", "deno.lock", ".npmrc"];

/// Fingerprints, with a record of the inputs of each.
#[derive(Debug)]
pub(super) struct Fingerprints {
    records: PathBuf,
    trees: Trees,
}

impl Fingerprints {
    /// `records` is a directory of derived files; `trees` holds the installed extensions.
    pub(super) fn new(records: PathBuf, trees: Trees) -> Fingerprints {
        Fingerprints { records, trees }
    }

    /// The parts of a type as their inputs are now.
    ///
    /// # Errors
    ///
    /// An installed extension was changed.
    pub(super) fn version(&self, discovered: Discovered) -> Result<VersionParts, LoadError> {
        let Discovered { kind, type_name, builtin, base, method_extensions } = discovered;
        let base = base.map(|entry| self.part(entry)).transpose()?;
        let extensions =
            method_extensions.into_iter().map(|entry| self.part(entry)).collect::<Result<_, _>>()?;
        Ok(VersionParts::new(kind, type_name, builtin, base, extensions))
    }

    /// One entry point as its inputs are now.
    ///
    /// # Errors
    ///
    /// It belongs to an installed extension, and a file that its code reaches is not the archive's.
    pub(super) fn part(&self, entry: EntryPoint) -> Result<Part, LoadError> {
        let fingerprint = self.fingerprint(&entry.path, &entry.root)?;
        Ok(Part { entry: entry.path, root: entry.root, fingerprint })
    }

    fn fingerprint(&self, entry: &Path, root: &SourceRoot) -> Result<String, LoadError> {
        let base = root.base.as_path();
        let record_path = self.record_path(entry);
        if let Some(record) = read_json::<FreshnessRecord>(&record_path)
            && record.version == RECORD_VERSION
            && record.bundler == marsh_bundle::BUNDLER_VERSION
            && record.base == base
            && record.tree == root.digest
            && record.still_holds()
        {
            return Ok(record.fingerprint);
        }
        let read_at_ns = now_ns();
        let graph = marsh_bundle::import_graph(entry, base);
        if let Some(digest) = root.digest {
            self.verify(&graph, root, &digest)?;
        }
        let fingerprint = marsh_bundle::fingerprint(&graph);
        let record = FreshnessRecord::new(&graph, root, fingerprint.clone(), read_at_ns);
        // A record of files that changed a moment ago can never be trusted, so it is not worth writing.
        if record.was_quiet() {
            write_json(&record_path, &record);
        }
        Ok(fingerprint)
    }

    /// Compares each file of the graph with what the archive brought.
    fn verify(&self, graph: &ImportGraph, root: &SourceRoot, digest: &Digest) -> Result<(), LoadError> {
        // A tree that is not in the store is reported when the bundle is built.
        let Some(record) = self.trees.record(digest)? else { return Ok(()) };
        let changed: Vec<TreeChange> = graph
            .files
            .iter()
            .chain(&graph.config)
            .filter_map(|file| {
                change_of(file, record.files.iter().find(|stored| stored.path.as_str() == file.rel))
            })
            .collect();
        if changed.is_empty() {
            return Ok(());
        }
        Err(LoadError::TreeChanged {
            extension: record.name,
            digest: *digest,
            dir: root.base.clone(),
            changes: changed,
        })
    }

    fn record_path(&self, entry: &Path) -> PathBuf {
        let name = Digest::of(entry.as_os_str().as_encoded_bytes()).to_hex();
        self.records.join(format!("{}.json", &name[..32]))
    }
}

/// How a file differs from what the archive brought, if it does.
fn change_of(file: &GraphFile, stored: Option<&StoredFile>) -> Option<TreeChange> {
    let path = file.rel.clone();
    match (stored, &file.state) {
        (Some(stored), FileState::Hashed(found)) if *found == stored.sha256.bytes() => None,
        // The archive lacks it too.
        (None, FileState::Missing) => None,
        (Some(_), FileState::Missing) => Some(TreeChange::Missing(path)),
        (Some(_), _) => Some(TreeChange::Edited(path)),
        (None, _) => Some(TreeChange::Added(path)),
    }
}

const RECORD_VERSION: u32 = 2;

/// The inputs of a fingerprint, as they looked when it was computed.
#[derive(Debug, Serialize, Deserialize)]
struct FreshnessRecord {
    version: u32,
    bundler: String,
    base: PathBuf,
    /// The archive whose files the inputs were compared with.
    tree: Option<Digest>,
    fingerprint: String,
    read_at_ns: u64,
    /// `None`: the file did not exist.
    inputs: Vec<(PathBuf, Option<Stat>)>,
}

impl FreshnessRecord {
    fn new(graph: &ImportGraph, root: &SourceRoot, fingerprint: String, read_at_ns: u64) -> FreshnessRecord {
        let base = root.base.as_path();
        let listed = graph.files.iter().chain(&graph.config).map(|file| file.path.clone());
        let mut paths: Vec<PathBuf> = listed.collect();
        // A configuration file that appears changes what names resolve to.
        for dir in graph.entry.ancestors().skip(1) {
            paths.extend(CONFIG_NAMES.iter().map(|name| dir.join(name)));
            if dir == base {
                break;
            }
        }
        paths.sort();
        paths.dedup();
        let inputs = paths.into_iter().map(|path| (path.clone(), Stat::of(&path))).collect();
        FreshnessRecord {
            version: RECORD_VERSION,
            bundler: marsh_bundle::BUNDLER_VERSION.to_owned(),
            base: base.to_owned(),
            tree: root.digest,
            fingerprint,
            read_at_ns,
            inputs,
        }
    }

    /// Whether the inputs were read long enough after their last change for the record to be trusted later.
    fn was_quiet(&self) -> bool {
        self.inputs.iter().filter_map(|(_, then)| *then).all(|then| then.was_quiet_at(self.read_at_ns))
    }

    fn still_holds(&self) -> bool {
        self.inputs.iter().all(|(path, then)| match (Stat::of(path), then) {
            (Some(now), Some(then)) => now == *then && now.was_quiet_at(self.read_at_ns),
            (None, None) => true,
            _ => false,
        })
    }
}
