//! Stage 2: the fingerprint of each entry point, computed again only when one of its inputs may have changed.

use std::path::{Path, PathBuf};

use marsh_bundle::ImportGraph;
use marsh_types::Digest;
use serde::{Deserialize, Serialize};

use super::discover::Discovered;
use super::files::{read_json, write_json};
use super::parts::{EntryPoint, VersionParts};
use crate::part::Part;
use crate::stat::{Stat, now_ns};

/// Files whose appearance changes resolution.
const CONFIG_NAMES: [&str; 5] = ["deno.json", "deno.jsonc", "package.json", "deno.lock", ".npmrc"];

/// Fingerprints, with a record of the inputs of each.
#[derive(Debug)]
pub(super) struct Fingerprints {
    records: PathBuf,
}

impl Fingerprints {
    /// `records` is a directory of derived files.
    pub(super) fn new(records: PathBuf) -> Fingerprints {
        Fingerprints { records }
    }

    /// The parts of a type as their inputs are now.
    pub(super) fn version(&self, discovered: Discovered) -> VersionParts {
        let Discovered { kind, type_name, builtin, base, method_extensions } = discovered;
        let extensions = method_extensions.into_iter().map(|entry| self.part(entry)).collect();
        VersionParts::new(kind, type_name, builtin, base.map(|entry| self.part(entry)), extensions)
    }

    /// One entry point as its inputs are now.
    pub(super) fn part(&self, entry: EntryPoint) -> Part {
        let fingerprint = self.fingerprint(&entry.path, &entry.root.base);
        Part { entry: entry.path, root: entry.root, fingerprint }
    }

    fn fingerprint(&self, entry: &Path, base: &Path) -> String {
        let record_path = self.record_path(entry);
        if let Some(record) = read_json::<FreshnessRecord>(&record_path)
            && record.version == RECORD_VERSION
            && record.bundler == marsh_bundle::BUNDLER_VERSION
            && record.base == base
            && record.still_holds()
        {
            return record.fingerprint;
        }
        let read_at_ns = now_ns();
        let graph = marsh_bundle::import_graph(entry, base);
        let fingerprint = marsh_bundle::fingerprint(&graph);
        let record = FreshnessRecord::new(&graph, base, fingerprint.clone(), read_at_ns);
        // A record of files that changed a moment ago can never be trusted, so it is not worth writing.
        if record.was_quiet() {
            write_json(&record_path, &record);
        }
        fingerprint
    }

    fn record_path(&self, entry: &Path) -> PathBuf {
        let name = Digest::of(entry.as_os_str().as_encoded_bytes()).to_hex();
        self.records.join(format!("{}.json", &name[..32]))
    }
}

const RECORD_VERSION: u32 = 1;

/// The inputs of a fingerprint, as they looked when it was computed.
#[derive(Debug, Serialize, Deserialize)]
struct FreshnessRecord {
    version: u32,
    bundler: String,
    base: PathBuf,
    fingerprint: String,
    read_at_ns: u64,
    /// `None`: the file did not exist.
    inputs: Vec<(PathBuf, Option<Stat>)>,
}

impl FreshnessRecord {
    fn new(graph: &ImportGraph, base: &Path, fingerprint: String, read_at_ns: u64) -> FreshnessRecord {
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
