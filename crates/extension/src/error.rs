//! Why a type could not become a module version.

use std::path::PathBuf;

use marsh_bundle::{BundleError, Diagnostic};
use marsh_host_client::{ErrorKind, HostError};
use marsh_types::yaml::YamlError;
use marsh_types::{ErrorCode, Explain, ExtensionName, Kind, TypeName, near};
use serde_json::json;

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("unknown {} `{name}`", kind.spec().noun)]
    UnknownType {
        kind: Kind,
        name: TypeName,
        known: Vec<String>,
        problems: Vec<(PathBuf, Diagnostic)>,
        /// Locked extensions whose trees are not here.
        unrestored: Vec<ExtensionName>,
    },
    #[error("{extension} is installed, but its tree is not in the store")]
    NotRestored { extension: String },
    #[error(transparent)]
    Store(#[from] marsh_store::StoreError),
    #[error("`{name}` is declared twice: in {first} and in {second}", first = first.display(), second = second.display())]
    DuplicateType { kind: Kind, name: TypeName, first: PathBuf, second: PathBuf },
    #[error(
        "the {thing} `{name}` of `{type_name}` is declared twice: in {first} and in {second}",
        thing = group.trim_end_matches('s'), first = first.display(), second = second.display()
    )]
    MethodConflict { type_name: TypeName, group: String, name: String, first: PathBuf, second: PathBuf },
    #[error("{path} cannot be read as a source", path = path.display())]
    BrokenSource { path: PathBuf, diagnostic: Box<Diagnostic> },
    #[error("{path} is gone", path = path.display())]
    Vanished { path: PathBuf },
    /// What failed before and has not changed since.
    #[error("{}", failure.message)]
    StillFailing { failure: Box<crate::loader::LoadFailure> },
    #[error("no bundle of the fingerprint {fingerprint} is stored")]
    NoBundle { fingerprint: String },
    #[error("{path} declares the type `{found}`, but is indexed as `{expected}`", path = path.display())]
    TypeChanged { path: PathBuf, expected: TypeName, found: String },
    #[error("the code of `{name}` that the run is pinned to is not there any more: bundle {fingerprint}")]
    PinGone { name: TypeName, fingerprint: String },
    #[error("cannot bundle {entry}", entry = entry.display())]
    Bundle { entry: PathBuf, source: BundleError },
    #[error("cannot load {entry}: {source}", entry = entry.display())]
    Host { entry: PathBuf, source: HostError },
    #[error("the description of {entry} is not one: {source}", entry = entry.display())]
    Description { entry: PathBuf, source: serde_json::Error },
    #[error("the mounted source `{path}` leads nowhere: {reason}")]
    Mount { path: String, reason: String },
    #[error("{path}: {source}", path = path.display())]
    Yaml { path: PathBuf, source: YamlError },
    #[error("cannot read {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    #[error(transparent)]
    Name { source: marsh_types::NameError },
    #[error("no directory for the per-user cache: set MARSH_CACHE_DIR")]
    NoCacheDir,
}

impl Explain for LoadError {
    fn code(&self) -> ErrorCode {
        match self {
            LoadError::UnknownType { kind, .. } => kind.spec().unknown_code,
            LoadError::NotRestored { .. } => ErrorCode::NotRestored,
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
            LoadError::Yaml { .. } => ErrorCode::InvalidYaml,
            LoadError::Read { .. } | LoadError::Fs(_) | LoadError::NoCacheDir => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            LoadError::NotRestored { .. } => Some("`marsh extension install` brings it back".into()),
            LoadError::Store(error) => error.hint(),
            LoadError::UnknownType { unrestored, .. } if !unrestored.is_empty() => {
                let names: Vec<&str> = unrestored.iter().take(5).map(|name| name.as_str()).collect();
                Some(format!(
                    "{} installed and not here; `marsh extension install` brings what the lockfile names: {}",
                    if unrestored.len() == 1 {
                        "one extension is".into()
                    } else {
                        format!("{} extensions are", unrestored.len())
                    },
                    names.join(", "),
                ))
            }
            LoadError::UnknownType { kind, name, known, problems, .. } => {
                if !problems.is_empty() {
                    return Some(
                        "what a source with errors declares is unknown until they are mended".into(),
                    );
                }
                near::did_you_mean(name.as_str(), known.iter().map(String::as_str)).or_else(|| match kind {
                    Kind::Model => Some("`marsh model type search` lists the types there are".into()),
                    _ if known.is_empty() => Some(format!("there is no {kind} extension here")),
                    _ => Some(format!("known: {}", known.join(", "))),
                })
            }
            LoadError::DuplicateType { .. } | LoadError::MethodConflict { .. } => {
                Some("rename or delete one of the two".into())
            }
            LoadError::Mount { path, .. } => Some(format!("set it, or `marsh extension source rm '{path}'`")),
            LoadError::StillFailing { failure } => failure.hint.clone(),
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

/// The stable code of a call that failed; `fallback` for what the code threw by itself.
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

    /// What the bundler has to say, for display below the message.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            LoadError::Bundle { source: BundleError::Diagnostics(list), .. } => list,
            LoadError::BrokenSource { diagnostic, .. } => std::slice::from_ref(diagnostic),
            _ => &[],
        }
    }
}
