//! Why a type could not be loaded.

use std::path::PathBuf;

use marsh_bundle::{BundleError, Diagnostic};
use marsh_host_client::{CallError, ErrorKind, HostError};
use marsh_types::yaml::YamlError;
use marsh_types::{Digest, ErrorCode, Explain, ExtensionName, Kind, TypeName, near};
use serde_json::json;

use crate::engine::{ChosenBy, FoundDeno, MINIMUM_DENO};
use crate::lifecycle::MissingExtension;

/// Why a type could not be loaded.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant explains it")]
pub enum LoadError {
    #[error("unknown {} `{name}`", kind.spec().noun)]
    UnknownType {
        kind: Kind,
        name: TypeName,
        known: Vec<String>,
        problems: Vec<(PathBuf, Diagnostic)>,
        /// Installed extensions whose trees are missing.
        unrestored: Vec<ExtensionName>,
        /// The extension that would bring the type.
        missing: Option<Box<MissingExtension>>,
    },
    #[error("{extension} is installed, but its files are missing from the store")]
    NotRestored { extension: String },
    /// A file that the code reaches is not the archive's.
    #[error("{extension} was changed after it was installed: {}", listed(changes))]
    TreeChanged { extension: ExtensionName, digest: Digest, dir: PathBuf, changes: Vec<TreeChange> },
    #[error("{extension} was changed while its code was built")]
    TreeChangedMeanwhile { extension: String, digest: Digest },
    #[error(transparent)]
    Store(#[from] marsh_store::StoreError),
    #[error("`{name}` is declared twice: in {first} and in {second}", first = first.display(), second = second.display())]
    DuplicateType { kind: Kind, name: TypeName, first: PathBuf, second: PathBuf },
    #[error(
        "the {thing} `{name}` of `{type_name}` is declared twice: in {first} and in {second}",
        thing = group.trim_end_matches('s'), first = first.display(), second = second.display()
    )]
    MethodConflict { type_name: TypeName, group: String, name: String, first: PathBuf, second: PathBuf },
    #[error("cannot read the declarations of {path}", path = path.display())]
    BrokenSource { path: PathBuf, diagnostic: Box<Diagnostic> },
    #[error("{path} is gone", path = path.display())]
    Vanished { path: PathBuf },
    /// The same inputs failed before.
    #[error("{}", failure.message)]
    StillFailing { failure: Box<crate::load_failure::LoadFailure> },
    #[error("missing bundle of the fingerprint {fingerprint}")]
    NoBundle { fingerprint: String },
    #[error("{path}: expected the type `{expected}`, found `{found}` when the code ran", path = path.display())]
    TypeChanged { path: PathBuf, expected: TypeName, found: String },
    #[error("the run is pinned to code of `{name}` that no longer exists: bundle {fingerprint}")]
    PinGone { name: TypeName, fingerprint: String },
    #[error("cannot bundle {entry}", entry = entry.display())]
    Bundle { entry: PathBuf, source: BundleError },
    #[error("cannot load {entry}: {source}", entry = entry.display())]
    Host { entry: PathBuf, source: HostError },
    #[error("invalid description of {entry}: {source}", entry = entry.display())]
    Description { entry: PathBuf, source: serde_json::Error },
    #[error("invalid mounted source `{path}`: {reason}")]
    Mount { path: String, reason: String },
    #[error("{path}: {source}", path = path.display())]
    Yaml { path: PathBuf, source: YamlError },
    #[error("cannot read {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    #[error(transparent)]
    Name { source: marsh_types::NameError },
    #[error("missing directory for the per-user cache: set MARSH_CACHE_DIR")]
    NoCacheDir,
    #[error("{by} asks for the engine `deno`, but {}", no_deno(too_old.as_deref()), by = by.as_str())]
    NoDeno { by: ChosenBy, too_old: Option<Box<FoundDeno>> },
}

/// How a file of an installed extension differs from what its archive brought. Paths are relative to the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TreeChange {
    /// Its content is another.
    Edited(String),
    /// It is gone.
    Missing(String),
    /// The archive has no such file.
    Added(String),
}

impl TreeChange {
    /// The file.
    pub fn path(&self) -> &str {
        match self {
            TreeChange::Edited(path) | TreeChange::Missing(path) | TreeChange::Added(path) => path,
        }
    }
}

impl std::fmt::Display for TreeChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TreeChange::Edited(path) => write!(f, "{path} (edited)"),
            TreeChange::Missing(path) => write!(f, "{path} (missing)"),
            TreeChange::Added(path) => write!(f, "{path} (added)"),
        }
    }
}

fn listed(changes: &[TreeChange]) -> String {
    let shown: Vec<String> = changes.iter().take(5).map(ToString::to_string).collect();
    let more = changes.len() - shown.len();
    let rest = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("{}{rest}", shown.join(", "))
}

impl Explain for LoadError {
    fn code(&self) -> ErrorCode {
        match self {
            LoadError::UnknownType { kind, .. } => ErrorCode::unknown_type(*kind),
            LoadError::NotRestored { .. } => ErrorCode::NotRestored,
            LoadError::TreeChanged { .. } | LoadError::TreeChangedMeanwhile { .. } => ErrorCode::Edited,
            LoadError::PinGone { .. } => ErrorCode::PinnedCodeGone,
            LoadError::Store(error) => error.code(),
            LoadError::DuplicateType { .. } => ErrorCode::DuplicateType,
            LoadError::MethodConflict { .. } => ErrorCode::GraftConflict,
            LoadError::NoBundle { .. } => ErrorCode::NotBuilt,
            LoadError::Name { .. } => ErrorCode::InvalidName,
            LoadError::BrokenSource { .. } => ErrorCode::BrokenSource,
            LoadError::Vanished { .. } => ErrorCode::SourceVanished,
            LoadError::StillFailing { .. } => ErrorCode::NotLoaded,
            LoadError::TypeChanged { .. } | LoadError::Description { .. } => ErrorCode::InvalidExtension,
            LoadError::Bundle { .. } => ErrorCode::BundleFailed,
            LoadError::Mount { .. } => ErrorCode::InvalidSource,
            LoadError::Host { source, .. } => call_code(source, ErrorCode::LoadFailed),
            LoadError::NoDeno { .. } => ErrorCode::Unsupported,
            LoadError::Yaml { .. } => ErrorCode::InvalidYaml,
            LoadError::Read { .. } | LoadError::Fs(_) | LoadError::NoCacheDir => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            LoadError::NotRestored { .. } => Some("run `marsh extension install` to restore it".into()),
            LoadError::TreeChanged { dir, changes, .. }
                if changes.iter().any(|change| !matches!(change, TreeChange::Missing(_))) =>
            {
                Some(format!(
                    "run `marsh doctor extensions --repair` to restore it; to keep the changes, copy {} elsewhere first \
                     and mount the copy: `marsh extension source add DIR`",
                    dir.display()
                ))
            }
            LoadError::TreeChanged { .. } | LoadError::TreeChangedMeanwhile { .. } => {
                Some("run `marsh doctor extensions --repair` to restore it".into())
            }
            LoadError::Store(error) => error.hint(),
            LoadError::UnknownType { unrestored, .. } if !unrestored.is_empty() => {
                let names: Vec<&str> = unrestored.iter().take(5).map(|name| name.as_str()).collect();
                Some(format!(
                    "run `marsh extension install` to restore {} whose files are missing: {}",
                    if unrestored.len() == 1 {
                        "the extension".into()
                    } else {
                        format!("{} extensions", unrestored.len())
                    },
                    names.join(", "),
                ))
            }
            LoadError::UnknownType { kind, name, known, problems, missing, .. } => {
                if !problems.is_empty() {
                    return Some("types in sources with errors are unknown: fix those errors first".into());
                }
                let near = near::did_you_mean(name.as_str(), known.iter().map(String::as_str));
                near.or_else(|| missing.as_ref().map(|missing| missing.hint())).or_else(|| match kind {
                    Kind::Model => Some("run `marsh model type search` to list the known types".into()),
                    _ if known.is_empty() => {
                        Some(format!("no {kind} extension is installed or mounted here"))
                    }
                    _ => Some(format!("known: {}", known.join(", "))),
                })
            }
            LoadError::DuplicateType { .. } | LoadError::MethodConflict { .. } => {
                Some("rename or delete one of the two declarations".into())
            }
            LoadError::Mount { path, .. } => {
                Some(format!("set the variable, or run `marsh extension source rm '{path}'`"))
            }
            LoadError::StillFailing { failure } => failure.hint.clone(),
            LoadError::NoDeno { .. } => Some(INSTALL_DENO.to_owned()),
            LoadError::Host { source: HostError::Call(error), .. } => unsupported_hint(error),
            LoadError::BrokenSource { diagnostic, .. } => diagnostic.hint.clone(),
            LoadError::Bundle { source: BundleError::Diagnostics(list), .. } => {
                list.iter().find_map(|diagnostic| diagnostic.hint.clone())
            }
            _ => None,
        }
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            LoadError::Store(error) => error.details(),
            LoadError::TreeChanged { extension, changes, .. } => Some(json!({
                "extension": extension,
                "files": changes.iter().map(TreeChange::path).collect::<Vec<_>>(),
            })),
            LoadError::UnknownType { name, known, problems, .. } => Some(json!({
                "near": near::nearest(name.as_str(), known.iter().map(String::as_str)),
                "diagnostics": problems.iter().map(|(_, diagnostic)| diagnostic).collect::<Vec<_>>(),
            })),
            LoadError::Bundle { source: BundleError::Diagnostics(list), .. } => {
                Some(json!({ "diagnostics": list }))
            }
            LoadError::BrokenSource { diagnostic, .. } => Some(json!({ "diagnostics": [diagnostic] })),
            LoadError::StillFailing { failure } => Some(json!({ "failure": failure })),
            LoadError::Bundle { source, .. } => Some(json!({ "cause": source.to_string() })),
            LoadError::Host { source: HostError::Call(error), .. } => Some(error.details()),
            LoadError::Yaml { path, source } => Some(json!({
                "file": path, "line": source.line, "column": source.column, "sourceLine": source.source_line,
            })),
            _ => None,
        }
    }
}

/// How to get a Deno.
const INSTALL_DENO: &str = "run `marsh engine install`, or put Deno on PATH";

fn no_deno(too_old: Option<&FoundDeno>) -> String {
    match too_old {
        None => "there is no Deno on this machine".to_owned(),
        Some(FoundDeno { program, version, .. }) => format!(
            "{} has the version {}, and marsh needs {MINIMUM_DENO} or newer",
            program.display(),
            version.as_deref().unwrap_or("unknown")
        ),
    }
}

/// What helps when an engine lacks something that the code uses.
pub fn unsupported_hint(error: &CallError) -> Option<String> {
    match (error.kind, error.code.as_deref()) {
        (ErrorKind::Unsupported, Some("no_deno")) => Some(INSTALL_DENO.to_owned()),
        (ErrorKind::Unsupported, _) => {
            Some("Deno can run this: `marsh engine install` brings it, `--engine deno` uses it".to_owned())
        }
        _ => None,
    }
}

/// The error code of a call that failed; `fallback` for an error that the extension threw by itself.
pub(crate) fn call_code(error: &HostError, fallback: ErrorCode) -> ErrorCode {
    let HostError::Call(error) = error else { return ErrorCode::HostFailed };
    match (error.kind, error.code.as_deref()) {
        (ErrorKind::Threw, Some("contract_violation")) => ErrorCode::ContractViolation,
        (ErrorKind::Threw, Some("validation_failed")) => ErrorCode::ValidationFailed,
        (ErrorKind::Threw, Some("unsupported")) | (ErrorKind::Unsupported, _) => ErrorCode::Unsupported,
        (ErrorKind::Cancelled, _) => ErrorCode::Cancelled,
        (ErrorKind::Deadline, _) => ErrorCode::DeadlineExceeded,
        _ => fallback,
    }
}

impl LoadError {
    /// The same, with the extension that would bring an unknown type.
    pub(crate) fn with_missing(mut self, extension: Option<MissingExtension>) -> LoadError {
        if let LoadError::UnknownType { missing, .. } = &mut self {
            *missing = extension.map(Box::new);
        }
        self
    }

    /// Whether files of an installed extension are missing, and none has another content: restoring them loses nothing.
    pub(crate) fn only_lacks_files(&self) -> bool {
        matches!(self, LoadError::TreeChanged { changes, .. }
            if changes.iter().all(|change| matches!(change, TreeChange::Missing(_))))
    }

    /// Whether the caller cancelled the load.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, LoadError::Host { source: HostError::Call(error), .. } if error.kind == ErrorKind::Cancelled)
    }

    /// The source file that the error is about.
    pub fn entry(&self) -> Option<PathBuf> {
        match self {
            LoadError::Bundle { entry, .. }
            | LoadError::Host { entry, .. }
            | LoadError::Description { entry, .. } => Some(entry.clone()),
            LoadError::BrokenSource { path, .. }
            | LoadError::Vanished { path }
            | LoadError::TypeChanged { path, .. }
            | LoadError::Yaml { path, .. }
            | LoadError::Read { path, .. } => Some(path.clone()),
            LoadError::DuplicateType { second, .. } | LoadError::MethodConflict { second, .. } => {
                Some(second.clone())
            }
            _ => None,
        }
    }

    /// The bundler's diagnostics, for display below the message.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            LoadError::Bundle { source: BundleError::Diagnostics(list), .. } => list,
            LoadError::BrokenSource { diagnostic, .. } => std::slice::from_ref(diagnostic),
            _ => &[],
        }
    }
}
