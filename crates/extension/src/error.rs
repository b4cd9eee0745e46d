//! Why a type could not become a module version.

use std::path::PathBuf;

use marsh_bundle::{BundleError, Diagnostic};
use marsh_host::{ErrorKind, HostError};
use marsh_types::yaml::YamlError;
use marsh_types::{Explain, ExtensionName, TypeName, near};
use serde_json::json;

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("unknown model type `{name}`")]
    UnknownType {
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
    DuplicateType { name: TypeName, first: PathBuf, second: PathBuf },
    #[error("{path} declares the type `{found}`, but is indexed as `{expected}`", path = path.display())]
    TypeChanged { path: PathBuf, expected: TypeName, found: String },
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
    #[error("no directory for the per-user cache: set MARSH_CACHE_DIR")]
    NoCacheDir,
}

impl Explain for LoadError {
    fn code(&self) -> &'static str {
        match self {
            LoadError::UnknownType { .. } => "unknown_model_type",
            LoadError::NotRestored { .. } => "not_restored",
            LoadError::Store(error) => error.code(),
            LoadError::DuplicateType { .. } => "duplicate_type",
            LoadError::TypeChanged { .. } | LoadError::Description { .. } => "invalid_extension",
            LoadError::Bundle { .. } => "bundle_failed",
            LoadError::Mount { .. } => "invalid_source",
            LoadError::Host { source: HostError::Call(error), .. } => {
                match (error.kind, error.code.as_deref()) {
                    (ErrorKind::Threw, Some("contract_violation")) => "contract_violation",
                    (ErrorKind::Unsupported, _) => "unsupported",
                    (ErrorKind::Cancelled, _) => "cancelled",
                    (ErrorKind::Deadline, _) => "deadline_exceeded",
                    _ => "load_failed",
                }
            }
            LoadError::Host { .. } => "host_failed",
            LoadError::Yaml { .. } => "invalid_yaml",
            LoadError::Read { .. } | LoadError::Fs(_) | LoadError::NoCacheDir => "io",
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
            LoadError::UnknownType { name, known, problems, .. } => {
                if !problems.is_empty() {
                    return Some(
                        "what a source with errors declares is unknown until they are mended".into(),
                    );
                }
                near::did_you_mean(name.as_str(), known.iter().map(String::as_str))
                    .or_else(|| Some("`marsh model type search` lists the types there are".into()))
            }
            LoadError::Mount { path, .. } => Some(format!("set it, or `marsh extension source rm '{path}'`")),
            LoadError::DuplicateType { .. } => Some("rename or delete one of the two".into()),
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
            LoadError::Bundle { source, .. } => Some(json!({ "cause": source.to_string() })),
            LoadError::Host { source: HostError::Call(error), .. } => {
                Some(json!({ "kind": error.kind, "data": error.data, "stack": error.stack }))
            }
            LoadError::Yaml { path, source } => Some(json!({
                "file": path, "line": source.line, "column": source.column, "sourceLine": source.source_line,
            })),
            _ => None,
        }
    }
}

impl LoadError {
    /// What the bundler has to say, for display below the message.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            LoadError::Bundle { source: BundleError::Diagnostics(list), .. } => list,
            _ => &[],
        }
    }
}
