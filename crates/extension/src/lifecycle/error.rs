//! Why a change of the installed set failed.

use marsh_archive::ArchiveError;
use marsh_registry::RegistryError;
use marsh_store::{CommitError, StoreError};
use marsh_types::{CalVer, Digest, ErrorCode, Explain, ExtensionName, ExtensionRef};
use serde_json::json;

use super::findings::{DuplicateType, Unsatisfied};
use crate::error::LoadError;

/// Why a change of the installed set failed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant explains it")]
pub enum LifecycleError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Repo(#[from] marsh_repo::RepoError),
    #[error("{name}: {source}")]
    Registry { name: ExtensionName, source: RegistryError },
    #[error("the archive of {name}@{version} is refused: {source}")]
    Archive { name: ExtensionName, version: CalVer, source: ArchiveError },
    #[error("invalid archive of {name}@{version}: its manifest says {found_name}@{found_version}")]
    OtherManifest { name: ExtensionName, version: CalVer, found_name: ExtensionName, found_version: CalVer },
    #[error("missing checksum of {name}@{version} in the registry")]
    MissingChecksum { name: ExtensionName, version: CalVer },
    #[error("checksum of {name}@{version} changed: expected {locked} (lockfile), found {found} (registry)")]
    ContentChanged { name: ExtensionName, version: CalVer, locked: Digest, found: Digest },
    #[error("{name} is not installed")]
    NotInstalled { name: ExtensionName, near: Option<String> },
    #[error("{name} has no published version{}", available.as_ref().map_or(String::new(), |channel| format!(" on the channel stable; there is one on {channel}")))]
    NoVersion { name: ExtensionName, available: Option<String> },
    #[error("no version of {name} satisfies {}", wanted.iter().map(|(by, requirement)| format!("{requirement} ({by})")).collect::<Vec<_>>().join(" and "))]
    NoneSatisfies { name: ExtensionName, wanted: Vec<(String, String)>, published: Vec<CalVer> },
    #[error("cannot install the dependency {dependency} of {by}: {source}")]
    Dependency { by: ExtensionName, dependency: ExtensionRef, source: Box<LifecycleError> },
    #[error("dependencies go deeper than {limit}: {}", chain.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(" -> "))]
    TooDeep { limit: usize, chain: Vec<ExtensionName> },
    #[error("unsatisfiable dependencies: no choice of {name} satisfies all of them")]
    Unsettled { name: ExtensionName },
    #[error("{0}")]
    DuplicateType(Box<DuplicateType>),
    #[error("{name} declares the {kind} `{type_name}`, which belongs to another collective")]
    ForeignType { name: ExtensionName, kind: marsh_types::Kind, type_name: String },
    #[error("{}", unsatisfied.iter().map(Unsatisfied::to_string).collect::<Vec<_>>().join("; "))]
    Unsatisfied { unsatisfied: Vec<Unsatisfied> },
    #[error("{name} was changed after it was installed: {}", files.join(", "))]
    Edited { name: ExtensionName, files: Vec<String> },
    #[error("`--frozen` forbids a change that is necessary: {}", names.iter().map(|name| name.as_str()).collect::<Vec<_>>().join(", "))]
    Frozen { names: Vec<ExtensionName> },
    #[error("missing checksum of {name} in the lockfile: it cannot be restored")]
    NoLockedChecksum { name: ExtensionName },
    #[error("{name} does not declare the type `{type_name}`")]
    NotProvided { name: ExtensionName, type_name: marsh_types::TypeName },
    #[error("invalid entry `{key}` in the lockfile: {reason}")]
    RefusedEntry { key: String, reason: String },
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    #[error("cannot read {path}: {source}", path = path.display())]
    Read { path: std::path::PathBuf, source: std::io::Error },
}

impl From<CommitError<LifecycleError>> for LifecycleError {
    fn from(error: CommitError<LifecycleError>) -> LifecycleError {
        match error {
            CommitError::Refused(error) => error,
            CommitError::Store(error) => LifecycleError::Store(error),
        }
    }
}

impl Explain for LifecycleError {
    fn code(&self) -> ErrorCode {
        match self {
            LifecycleError::Store(error) => error.code(),
            LifecycleError::Repo(error) => error.code(),
            LifecycleError::Registry { source, .. } => source.code(),
            LifecycleError::Archive { source, .. } => source.code(),
            LifecycleError::OtherManifest { .. } => ErrorCode::ManifestMismatch,
            LifecycleError::MissingChecksum { .. } => ErrorCode::MissingChecksum,
            LifecycleError::ContentChanged { .. } => ErrorCode::ChecksumMismatch,
            LifecycleError::NotInstalled { .. } => ErrorCode::NotInstalled,
            LifecycleError::NoVersion { .. } => ErrorCode::NoVersion,
            LifecycleError::NoneSatisfies { .. } => ErrorCode::Unsatisfiable,
            LifecycleError::Dependency { source, .. } => source.code(),
            LifecycleError::TooDeep { .. } => ErrorCode::DependenciesTooDeep,
            LifecycleError::Unsettled { .. } => ErrorCode::Unsatisfiable,
            LifecycleError::DuplicateType(_) => ErrorCode::DuplicateType,
            LifecycleError::ForeignType { .. } => ErrorCode::ForeignType,
            LifecycleError::Unsatisfied { .. } => ErrorCode::DependencyUnsatisfied,
            LifecycleError::Edited { .. } => ErrorCode::Edited,
            LifecycleError::Frozen { .. } => ErrorCode::Frozen,
            LifecycleError::NoLockedChecksum { .. } => ErrorCode::MissingChecksum,
            LifecycleError::NotProvided { .. } => ErrorCode::TypeNotProvided,
            LifecycleError::RefusedEntry { .. } => ErrorCode::InvalidLockEntry,
            LifecycleError::Load(error) => error.code(),
            LifecycleError::Fs(_) | LifecycleError::Read { .. } => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            LifecycleError::Store(error) => error.hint(),
            LifecycleError::Repo(error) => error.hint(),
            LifecycleError::Registry { source, .. } => source.hint(),
            LifecycleError::Archive { source, .. } => source.hint(),
            LifecycleError::Dependency { source, .. } => source.hint(),
            LifecycleError::MissingChecksum { .. } => {
                Some("ask the registry's operator for checksums, or install unverified with `--allow-missing-checksum`".into())
            }
            LifecycleError::ContentChanged { name, version, .. } => Some(format!(
                "`marsh extension pull {name}@{version} --force` accepts the registry's content and locks its checksum"
            )),
            LifecycleError::NotInstalled { near, .. } => {
                near.clone().or_else(|| Some("run `marsh extension list` to see the installed extensions".into()))
            }
            LifecycleError::NoVersion { name, available: Some(channel) } => {
                Some(format!("`marsh extension pull {name} --channel {channel}` installs it"))
            }
            LifecycleError::DuplicateType(duplicate) => Some(format!(
                "run `marsh extension rm {}` first",
                duplicate.existing.extension
            )),
            LifecycleError::Unsatisfied { unsatisfied } => unsatisfied.first().map(Unsatisfied::hint),
            LifecycleError::Edited { name, .. } => {
                Some(format!("`marsh extension pull {name} --force` overwrites the edits"))
            }
            LifecycleError::Frozen { .. } => {
                Some("`marsh extension install` without `--frozen` restores them".into())
            }
            LifecycleError::NoLockedChecksum { name } => {
                Some(format!("`marsh extension pull {name}` installs it again, with its checksum"))
            }
            LifecycleError::RefusedEntry { .. } => Some("fix or delete the entry in the lockfile".into()),
            LifecycleError::Load(error) => error.hint(),
            _ => None,
        }
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            LifecycleError::Store(error) => error.details(),
            LifecycleError::Registry { source, .. } => source.details(),
            LifecycleError::DuplicateType(duplicate) => Some(json!({ "duplicateType": duplicate })),
            LifecycleError::Unsatisfied { unsatisfied } => Some(json!({ "unsatisfied": unsatisfied })),
            LifecycleError::NoneSatisfies { published, .. } => Some(json!({ "published": published })),
            LifecycleError::Edited { files, .. } => Some(json!({ "files": files })),
            LifecycleError::Frozen { names } => Some(json!({ "names": names })),
            LifecycleError::Dependency { source, .. } => source.details(),
            LifecycleError::Load(error) => error.details(),
            _ => None,
        }
    }
}
