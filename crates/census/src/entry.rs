//! One entry point's way through parser, bundler and host.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use marsh_bundle::{BundleError, BundleRequest, Declaration, Worker};
use marsh_host_client::protocol::{Describe, Exports};
use marsh_host_client::{
    Ask, Call, CancelToken, External, HostError, Hosts, Limits, ModuleEngine, ModuleRef, NoCallbacks,
};
use marsh_types::Kind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::agree::{Agreement, exports_agree};

/// How long one step of one entry point may take.
const DEADLINE: Duration = Duration::from_secs(60);

/// A source file that may declare something, and the extension that it belongs to.
#[derive(Debug, Clone)]
pub struct Entry {
    pub path: PathBuf,
    pub base: PathBuf,
}

/// What became of one entry point. The stages are in order; the first that failed has the error.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub path: String,
    pub kind: Kind,
    pub generated: bool,
    pub type_name: Option<String>,
    pub literal: bool,
    pub bundled: bool,
    pub loaded: bool,
    pub described: bool,
    /// What the index says without running code is what the code says, and it exports nothing else.
    pub agrees: bool,
    /// What the two say differently.
    #[serde(default)]
    pub disagreements: Vec<String>,
    /// Facts (type, version, names of methods, upgrades) that both say.
    #[serde(default)]
    pub compared: usize,
    /// Facts that the index leaves to the code, because they are not written out.
    #[serde(default)]
    pub left_to_code: usize,
    pub methods: usize,
    pub error: Option<String>,
    pub bundle_ms: u64,
    pub bundle_bytes: u64,
    pub load_ms: u64,
    pub heap_bytes: u64,
    /// Members of the engine's surface, environment names and built-in modules that the bundle names.
    pub capabilities: BTreeSet<String>,
}

impl Row {
    pub fn works(&self) -> bool {
        self.bundled && self.loaded && self.described && self.agrees
    }
}

pub struct Census<'a> {
    pub program: &'a Path,
    pub scratch: &'a Path,
    pub root: &'a Path,
    pub hosts: Hosts,
}

/// Every entry point below `dir`, without tests, private files and `node_modules`.
pub fn find(dir: &Path, matching: Option<&str>) -> Vec<Entry> {
    let mut found = Vec::new();
    let mut pending = vec![(dir.to_owned(), dir.to_owned())];
    while let Some((dir, base)) = pending.pop() {
        let base = if dir.join("manifest.yaml").is_file() { dir.clone() } else { base };
        let Ok(entries) = std::fs::read_dir(&dir) else { continue };
        for entry in entries.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            if name.starts_with(['_', '.']) || name == "node_modules" {
                continue;
            }
            if path.is_dir() {
                pending.push((path, base.clone()));
            } else if name.ends_with(".ts")
                && !name.ends_with("_test.ts")
                && is_wanted(&path, matching)
                && declares(&path)
            {
                found.push(Entry { path, base: base.clone() });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn is_wanted(path: &Path, matching: Option<&str>) -> bool {
    path.to_string_lossy().contains("/extensions/")
        && matching.is_none_or(|text| path.to_string_lossy().contains(text))
}

/// Whether the comments before the code say that a program wrote it; a licence may stand before that.
pub fn says_generated(source: &str) -> bool {
    let is_comment = |line: &&str| line.is_empty() || line.starts_with("//");
    source.lines().map(str::trim).take_while(is_comment).any(|line| line.to_lowercase().contains("generated"))
}

/// Whether the file exports a kind, or does not parse and so may.
fn declares(path: &Path) -> bool {
    let Ok(source) = std::fs::read_to_string(path) else { return true };
    marsh_bundle::declarations(&source, path).map_or(true, |found| !found.is_empty())
}

impl Census<'_> {
    pub fn take(&self, index: usize, entry: &Entry) -> Row {
        let source = std::fs::read_to_string(&entry.path).unwrap_or_default();
        let mut row = Row {
            path: entry.path.strip_prefix(self.root).unwrap_or(&entry.path).display().to_string(),
            kind: Kind::Model,
            generated: says_generated(&source),
            type_name: None,
            literal: false,
            bundled: false,
            loaded: false,
            described: false,
            agrees: false,
            disagreements: Vec::new(),
            compared: 0,
            left_to_code: 0,
            methods: 0,
            error: None,
            bundle_ms: 0,
            bundle_bytes: 0,
            load_ms: 0,
            heap_bytes: 0,
            capabilities: BTreeSet::new(),
        };
        let declared = match marsh_bundle::declarations(&source, &entry.path) {
            Ok(found) => {
                if let Some(first) = found.first() {
                    row.kind = first.kind;
                    row.type_name.clone_from(&first.name);
                    row.literal = first.literal;
                }
                found
            }
            Err(diagnostic) => {
                row.error = Some(format!("parse: {}", diagnostic.message));
                return row;
            }
        };
        if let Err(error) = self.bundle_and_load(index, entry, &declared, &mut row) {
            row.error = Some(error);
        }
        row
    }

    fn bundle_and_load(
        &self,
        index: usize,
        entry: &Entry,
        declared: &[Declaration],
        row: &mut Row,
    ) -> Result<(), String> {
        let out_dir = self.scratch.join(index.to_string());
        marsh_fs::create_dir_all(&out_dir).map_err(|error| error.to_string())?;
        let outcome = self.stages(&out_dir, entry, declared, row);
        marsh_fs::remove_tree(&out_dir).map_err(|error| error.to_string())?;
        outcome
    }

    fn stages(
        &self,
        out_dir: &Path,
        entry: &Entry,
        declared: &[Declaration],
        row: &mut Row,
    ) -> Result<(), String> {
        let request = BundleRequest {
            entry: entry.path.clone(),
            root: entry.base.clone(),
            out_dir: out_dir.to_owned(),
            cache_dir: self.scratch.join("cache"),
            offline: false,
        };
        let started = Instant::now();
        let meta =
            marsh_bundle::bundle_in_worker(&Worker::new(self.program, ["__bundle"]), &request, DEADLINE)
                .map_err(|error| format!("bundle: {}", bundle_message(&error)))?;
        row.bundled = true;
        row.bundle_ms = millis(started.elapsed());
        row.bundle_bytes = meta.code_bytes;
        let path = out_dir.join("bundle.js");
        row.capabilities = capabilities(&std::fs::read_to_string(&path).unwrap_or_default());
        let module = ModuleRef {
            url: format!("file://{}?fp={}", path.display(), meta.code_sha256),
            sha256: meta.code_sha256.clone(),
            path,
            externals: meta
                .externals
                .iter()
                .map(|external| External {
                    specifier: external.specifier.clone(),
                    sha256: external.sha256.clone(),
                    path: external.path.clone(),
                })
                .collect(),
            limits: Limits::default(),
            engine: ModuleEngine::default(),
        };
        let started = Instant::now();
        let exports = self.ask(&module, Exports {}).map_err(|error| format!("load: {error}"))?;
        row.load_ms = millis(started.elapsed());
        row.loaded = exports.iter().any(|name| name == row.kind.export_name());
        row.heap_bytes = self.heap();
        let mut agreement = exports_agree(declared, &exports);
        for declaration in declared {
            let description = self
                .ask(&module, Describe { kind: declaration.kind })
                .and_then(|text| {
                    serde_json::from_str::<Value>(text.get())
                        .map_err(|source| HostError::Answer { operation: "describe", source })
                })
                .map_err(|error| format!("describe: {error}"))?;
            if declaration.kind == Kind::Model {
                row.methods = description["methods"].as_object().map_or(0, serde_json::Map::len);
            }
            agreement.add(Agreement::of(declaration, &description));
        }
        row.described = true;
        row.agrees = agreement.differences.is_empty();
        row.compared = agreement.compared;
        row.left_to_code = agreement.left_to_code;
        row.disagreements = agreement.differences;
        if let Ok(host) = self.hosts.get("census") {
            host.supersede(&module.url);
        }
        match row.disagreements.first() {
            None => Ok(()),
            Some(first) => Err(format!("the index and the code disagree: {first}")),
        }
    }

    fn ask<A: Ask>(&self, module: &ModuleRef, params: A) -> Result<A::Answer, HostError> {
        let cancel = CancelToken::new();
        let (deadline, grace) = (DEADLINE, Duration::ZERO);
        let call = Call { operation: params.into(), deadline, cancel: &cancel, grace, trace_parent: None };
        let answer = self.hosts.get("census")?.call(module, &call, &NoCallbacks)?;
        serde_json::from_str(answer.get())
            .map_err(|source| HostError::Answer { operation: A::NAME.as_str(), source })
    }

    fn heap(&self) -> u64 {
        let stats = self.hosts.get("census").and_then(|host| host.stats());
        stats.ok().and_then(|stats| stats.modules.first().map(|module| module.heap_bytes)).unwrap_or(0)
    }
}

fn bundle_message(error: &BundleError) -> String {
    match error {
        BundleError::Diagnostics(list) => list
            .first()
            .map_or_else(|| error.to_string(), |first| format!("{}: {}", first.code, first.message)),
        other => other.to_string(),
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// `Deno.x`, `fetch`, `node:x`, `crypto.subtle` and names of environment variables, as the text of the bundle has them.
fn capabilities(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let word = |rest: &str| -> String {
        rest.chars().take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '/')).collect()
    };
    for (prefix, keep) in [("Deno.", "Deno."), ("\"node:", "node:"), ("crypto.subtle.", "crypto.subtle.")] {
        for (at, _) in code.match_indices(prefix) {
            let name = word(&code[at + prefix.len()..]);
            if !name.is_empty() {
                found.insert(format!("{keep}{name}"));
            }
        }
    }
    for (at, _) in code.match_indices("Deno.env.get(\"") {
        found.insert(format!("env:{}", word(&code[at + "Deno.env.get(\"".len()..])));
    }
    for name in ["fetch(", "new WebSocket(", "new ReadableStream(", "new TransformStream(", "new FormData("] {
        if code.contains(name) {
            found.insert(name.trim_start_matches("new ").trim_end_matches('(').to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{capabilities, says_generated};

    #[test]
    fn a_generated_file_says_so_before_its_code() {
        assert!(says_generated("// A licence\n//\n\n// Auto-generated model\nimport x from 'x';"));
        assert!(!says_generated("// A model\n\nimport x from 'x';\n// generated"));
        assert!(!says_generated("const generated = 1;"));
    }

    #[test]
    fn capabilities_are_read_from_the_text() {
        let found = capabilities(
            "await fetch(u); Deno.env.get(\"HOME\"); import x from \"node:fs/promises\"; crypto.subtle.sign()",
        );
        let expected = ["Deno.env", "crypto.subtle.sign", "env:HOME", "fetch", "node:fs/promises"];
        assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
    }
}
