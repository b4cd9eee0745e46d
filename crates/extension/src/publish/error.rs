//! Why an extension was not published.

use std::path::PathBuf;

use marsh_archive::ArchiveError;
use marsh_bundle::{BundleError, Diagnostic};
use marsh_registry::RegistryError;
use marsh_types::{CalVer, ErrorCode, Explain, ExtensionName, Kind, ManifestError};
use serde::Serialize;
use serde_json::json;

/// A rule that a file breaks.
#[derive(Debug, Clone, Serialize)]
pub struct Issue {
    /// The file in the archive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The rule.
    pub message: String,
}

/// A type outside of the extension's collective.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Mismatch {
    /// The kind of the type.
    pub kind: Kind,
    /// The type.
    pub identifier: String,
    /// The file that declares it.
    pub file_name: String,
}

/// Why an extension was not published.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant explains it")]
pub enum PublishError {
    #[error("{path}: expected a manifest file (.yaml or .yml)", path = path.display())]
    NotAManifest { path: PathBuf },
    #[error("{path}: {source}", path = path.display())]
    Manifest { path: PathBuf, source: ManifestError },
    #[error("`{key}` lists {entry}, but {expected} does not exist", expected = expected.display())]
    Missing { key: &'static str, entry: String, expected: PathBuf },
    #[error("{entry} imports {file}, which can have no place in the archive, and it ships no bundles", file = file.display())]
    OutsideBase { entry: String, file: PathBuf },
    #[error("{path} is a symbolic link; archives hold files and directories only", path = path.display())]
    Symlink { path: PathBuf },
    #[error("`{key}` lists {entry} twice, or it is in both of `additionalFiles` and `binaries`")]
    Listed { key: &'static str, entry: String },
    #[error("duplicate file {path} in the archive")]
    SamePlace { path: String },
    #[error("the skill {skill} cannot be published: {reason}")]
    Skill { skill: String, reason: String },
    #[error("{}", issues.iter().map(|issue| match &issue.file { Some(file) => format!("{file}: {}", issue.message), None => issue.message.clone() }).collect::<Vec<_>>().join("; "))]
    Safety { issues: Vec<Issue> },
    #[error("invalid code in {file}: {}", diagnostic.message)]
    Syntax { file: String, diagnostic: Box<Diagnostic> },
    #[error("{}", mismatches.iter().map(|one| format!("{} declares the {} `{}`, which does not start with `@{collective}/`", one.file_name, one.kind, one.identifier)).collect::<Vec<_>>().join("; "))]
    ForeignTypes { collective: String, mismatches: Vec<Mismatch> },
    #[error(
        "{file}:{line}: the type of the {kind} is computed, so it cannot be checked before the code runs"
    )]
    ComputedType { file: String, line: u32, kind: Kind },
    #[error("{file} exports nothing that belongs in `{key}`")]
    NothingDeclared { key: &'static str, file: String },
    #[error("invalid upgrades in {file}: {reason}")]
    UpgradeChain { file: String, reason: String },
    #[error("cannot bundle {entry}: {source}")]
    Bundle { entry: String, source: BundleError },
    #[error("{path} was changed while it was bundled", path = path.display())]
    Changed { path: PathBuf },
    #[error("{name}@{version} is published already; the next version is {next}")]
    AlreadyPublished { name: ExtensionName, version: CalVer, next: CalVer },
    #[error("the registry's user {username} may not publish for the collective {collective}")]
    NotOwner { username: String, collective: String },
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Repo(#[from] marsh_repo::RepoError),
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    #[error("cannot write the manifest: {0}")]
    Yaml(#[from] marsh_types::yaml::YamlWriteError),
    #[error("cannot read {path}: {source}", path = path.display())]
    Read { path: PathBuf, source: std::io::Error },
}

impl Explain for PublishError {
    fn code(&self) -> ErrorCode {
        match self {
            PublishError::NotAManifest { .. } => ErrorCode::NotAManifest,
            PublishError::Manifest { .. } => ErrorCode::InvalidManifest,
            PublishError::Missing { .. } => ErrorCode::EntryMissing,
            PublishError::OutsideBase { .. } => ErrorCode::OutsideBase,
            PublishError::Symlink { .. } => ErrorCode::SymlinkRefused,
            PublishError::Listed { .. } | PublishError::SamePlace { .. } => ErrorCode::DuplicateFile,
            PublishError::Skill { .. } => ErrorCode::InvalidSkill,
            PublishError::Safety { .. } => ErrorCode::SafetyRefused,
            PublishError::Syntax { .. } => ErrorCode::SyntaxError,
            PublishError::ForeignTypes { .. } => ErrorCode::ForeignType,
            PublishError::ComputedType { .. } => ErrorCode::ComputedType,
            PublishError::NothingDeclared { .. } => ErrorCode::NothingDeclared,
            PublishError::UpgradeChain { .. } => ErrorCode::InvalidUpgrades,
            PublishError::Bundle { .. } => ErrorCode::BundleFailed,
            PublishError::Changed { .. } => ErrorCode::SourceChanged,
            PublishError::AlreadyPublished { .. } => ErrorCode::AlreadyPublished,
            PublishError::NotOwner { .. } => ErrorCode::CollectiveNotOwned,
            PublishError::Registry(error) => error.code(),
            PublishError::Archive(error) => error.code(),
            PublishError::Repo(error) => error.code(),
            PublishError::Fs(_) | PublishError::Yaml(_) | PublishError::Read { .. } => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            PublishError::Bundle { source: BundleError::Diagnostics(list), .. } => list
                .iter()
                .find_map(|diagnostic| diagnostic.hint.clone())
                .or_else(|| Some("`--no-bundles` publishes the sources alone".into())),
            PublishError::Bundle { .. } => Some("`--no-bundles` publishes the sources alone".into()),
            PublishError::Changed { .. } => Some("push again".into()),
            PublishError::ComputedType { .. } => Some("write the type as a string literal".into()),
            PublishError::ForeignTypes { collective, .. } => {
                Some(format!("rename them to `@{collective}/…`, or publish under the other collective"))
            }
            PublishError::AlreadyPublished { next, .. } => {
                Some(format!("set `version: \"{next}\"` in the manifest"))
            }
            PublishError::Registry(error) => error.hint(),
            PublishError::Repo(error) => error.hint(),
            _ => None,
        }
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            PublishError::Safety { issues } => Some(json!({ "errors": issues })),
            PublishError::ForeignTypes { collective, mismatches } => Some(json!({
                "collectiveErrors": { "expectedCollective": collective, "mismatches": mismatches }
            })),
            PublishError::AlreadyPublished { version, next, .. } => {
                Some(json!({ "existingVersion": version, "nextVersion": next }))
            }
            PublishError::Bundle { source: BundleError::Diagnostics(list), .. } => {
                Some(json!({ "diagnostics": list }))
            }
            PublishError::Syntax { diagnostic, .. } => serde_json::to_value(diagnostic).ok(),
            PublishError::Registry(error) => error.details(),
            _ => None,
        }
    }
}
