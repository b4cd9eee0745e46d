//! Why a type could not become a module version.

use std::path::PathBuf;

use marsh_bundle::{BundleError, Diagnostic};
use marsh_host_client::{ErrorKind, HostError};
use marsh_types::yaml::YamlError;
use marsh_types::{Explain, ExtensionName, Kind, TypeName, near};
use serde_json::json;

#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error("unknown {} `{name}`", noun(*kind))]
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
    GraftConflict { type_name: TypeName, group: String, name: String, first: PathBuf, second: PathBuf },
    #[error("{path} cannot be read as a source", path = path.display())]
    BrokenSource { path: PathBuf, diagnostic: Box<Diagnostic> },
    #[error("{path} is gone", path = path.display())]
    Vanished { path: PathBuf },
    /// What failed before and has not changed since.
    #[error("{}", failure.message)]
    StillFailing { failure: Box<crate::loader::Failure> },
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

fn noun(kind: Kind) -> &'static str {
    match kind {
        Kind::Model | Kind::Extension => "model type",
        Kind::Vault => "vault type",
        Kind::Driver => "driver",
        Kind::Datastore => "datastore type",
        Kind::Report => "report",
    }
}

impl Explain for LoadError {
    fn code(&self) -> &'static str {
        match self {
            LoadError::UnknownType { kind: Kind::Vault, .. } => "unknown_vault_type",
            LoadError::UnknownType { kind: Kind::Driver, .. } => "unknown_driver_type",
            LoadError::UnknownType { kind: Kind::Datastore, .. } => "unknown_datastore_type",
            LoadError::UnknownType { kind: Kind::Report, .. } => "unknown_report",
            LoadError::UnknownType { .. } => "unknown_model_type",
            LoadError::NotRestored { .. } => "not_restored",
            LoadError::PinGone { .. } => "pinned_code_gone",
            LoadError::Store(error) => error.code(),
            LoadError::DuplicateType { .. } => "duplicate_type",
            LoadError::GraftConflict { .. } => "graft_conflict",
            LoadError::NoBundle { .. } => "not_built",
            LoadError::Name { .. } => "invalid_name",
            LoadError::BrokenSource { .. } => "broken_source",
            LoadError::Vanished { .. } => "source_vanished",
            LoadError::StillFailing { .. } => "not_loaded",
            LoadError::TypeChanged { .. } | LoadError::Description { .. } => "invalid_extension",
            LoadError::Bundle { .. } => "bundle_failed",
            LoadError::Mount { .. } => "invalid_source",
            LoadError::Host { source, .. } => call_code(source, "load_failed"),
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
            LoadError::DuplicateType { .. } | LoadError::GraftConflict { .. } => {
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
pub(crate) fn call_code(error: &HostError, fallback: &'static str) -> &'static str {
    let HostError::Call(error) = error else { return "host_failed" };
    match (error.kind, error.code.as_deref()) {
        (ErrorKind::Threw, Some("contract_violation")) => "contract_violation",
        (ErrorKind::Threw, Some("validation_failed")) => "validation_failed",
        (ErrorKind::Threw, Some("unsupported")) | (ErrorKind::Unsupported, _) => "unsupported",
        (ErrorKind::Cancelled, _) => "cancelled",
        (ErrorKind::Deadline, _) => "deadline_exceeded",
        _ => fallback,
    }
}

impl LoadError {
    /// What the bundler has to say, for display below the message.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        match self {
            LoadError::Bundle { source: BundleError::Diagnostics(list), .. } => list,
            LoadError::BrokenSource { diagnostic, .. } => std::slice::from_ref(diagnostic),
            _ => &[],
        }
    }
}
