//! Documents about the health of the extensions of a repository.

use std::collections::BTreeMap;

use marsh_types::{Diagnostic, ErrorCode, Kind, Origin};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ErrorReport;
use crate::extension::{InstallState, ShadowedType};

/// The state of the extensions of a repository, and what a repair did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionsReport {
    /// Whether everything is sound.
    pub overall_status: CheckStatus,
    /// The state of each kind of extension.
    pub registries: BTreeMap<Kind, KindStatus>,
    /// Trees below `.swamp/pulled-extensions` that belong to no installed extension.
    pub orphan_files: Vec<OrphanFile>,
    /// The installed extensions and their sources.
    pub aggregate_state: AggregateState,
    /// The state of the lockfile.
    pub lockfile: LockfileState,
    /// The state of the views below `.swamp/pulled-extensions`.
    pub views: ViewState,
    /// Installed types that sources of the repository hide.
    pub shadowed_types: Vec<ShadowedType>,
    /// Types that two installed extensions declare.
    pub duplicate_types: Vec<DuplicateType>,
    /// Dependencies that are missing or of an unsuitable version.
    pub unsatisfied_dependencies: Vec<UnsatisfiedDependency>,
    /// Sources whose declarations cannot be read.
    pub loader_errors: Vec<LoaderError>,
    /// Types that could not be loaded, and whose sources are unchanged since then.
    pub load_states: Vec<LoadState>,
    /// What was repaired (`--repair`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repair_report: Option<RepairReport>,
}

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// No problem was found.
    Pass,
    /// A problem was found.
    Fail,
}

impl CheckStatus {
    /// `Pass` if the check passed.
    pub const fn of(pass: bool) -> CheckStatus {
        if pass { CheckStatus::Pass } else { CheckStatus::Fail }
    }
}

/// The state of the extensions of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct KindStatus {
    /// The kind.
    pub registry: Kind,
    /// Whether all installed declarations of the kind are sound.
    pub status: CheckStatus,
}

/// A tree that belongs to no installed extension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OrphanFile {
    /// Its directory.
    pub path: String,
}

/// The installed extensions and their sources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AggregateState {
    /// The installed extensions, by name.
    pub aggregates: Vec<ExtensionState>,
    /// The entry points of all installed extensions.
    pub source_details: Vec<SourceDetail>,
    /// How many entry points there are.
    pub total_sources: usize,
    /// How many of them are sound.
    pub healthy_sources: usize,
}

/// The state of an installed extension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionState {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The state of its tree.
    pub state: InstallState,
    /// How many entry points it has.
    pub source_count: usize,
    /// How many entry points are in each state.
    pub state_distribution: StateDistribution,
    /// The directory of its tree; `null` if there is none.
    pub path: Option<String>,
}

/// How many entry points are in each state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct StateDistribution {
    /// Entry points whose declaration was read.
    pub indexed: usize,
    /// Entry points whose declaration cannot be read.
    pub validation_failed: usize,
}

/// The state of an entry point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SourceState {
    /// Its declaration was read.
    Indexed,
}

/// An entry point of an installed extension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceDetail {
    /// The path, relative to the extension.
    pub source_path: String,
    /// Its state.
    pub state_tag: SourceState,
    /// The kind that it declares.
    pub kind: Kind,
    /// The name of the type as written; `null` if only running the code would give it.
    #[serde(rename = "type")]
    pub type_name: Option<String>,
    /// The extension.
    pub extension_name: String,
}

/// The state of the lockfile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LockfileState {
    /// The SHA-256 digest of the file, in hex.
    pub digest: String,
    /// Entries that are invalid and not used.
    pub refused_entries: Vec<RefusedEntry>,
}

/// An entry of the lockfile that is invalid.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedEntry {
    /// Its key in the file.
    pub key: String,
    /// Why it is invalid.
    pub reason: String,
}

/// The differences between the views and the lockfile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ViewState {
    /// Whether the views show another state of the lockfile.
    pub stale: bool,
    /// Links that are missing or lead elsewhere.
    pub missing: Vec<String>,
    /// Links into the store that belong to no installed extension.
    pub orphans: Vec<String>,
    /// Links whose target is missing.
    pub dangling: Vec<String>,
}

/// A type that two installed extensions declare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DuplicateType {
    /// The kind of the type.
    pub kind: Kind,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The declaration that was installed first.
    pub existing: TypeDeclaration,
    /// The other declaration.
    pub conflicting: TypeDeclaration,
}

/// The declaration of a type by an installed extension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeDeclaration {
    /// The extension.
    pub extension_name: String,
    /// Its version.
    pub extension_version: String,
    /// The entry point, relative to the extension.
    pub canonical_path: String,
}

/// A dependency that is missing or of an unsuitable version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UnsatisfiedDependency {
    /// The extension that needs it.
    pub by: String,
    /// The dependency: `@collective/name`, with the acceptable versions.
    pub dependency: String,
    /// The version that is installed; `null`: none.
    pub found: Option<String>,
}

/// A source whose declarations cannot be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoaderError {
    /// The installed extension; absent for sources of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension_name: Option<String>,
    /// The source file.
    pub path: String,
    /// What is wrong with it.
    pub diagnostic: Diagnostic,
}

/// A type that could not be loaded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadState {
    /// The kind of the type.
    pub kind: Kind,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Which stage failed.
    pub state: LoadStage,
    /// The error's code.
    pub code: ErrorCode,
    /// The error's message.
    pub message: String,
    /// The source file that the error is about.
    pub entry: String,
    /// The file of the first diagnostic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line of the first diagnostic, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What the author can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// When these inputs failed first, ISO 8601.
    pub since: String,
    /// How often these inputs were tried.
    pub attempts: u32,
    /// When a load tries the same inputs again, in milliseconds since 1970; absent: only after an edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at_ms: Option<u64>,
    /// The version that failed; absent: the sources gave no version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The inputs that the failure depends on.
    pub reason: LoadInputs,
    /// The entry points of the version that failed.
    pub parts: Vec<LoadPart>,
    /// Whether the cause can disappear without an edit.
    pub transient: bool,
    /// The fingerprint of the version that a server serves meanwhile; `null`: none.
    pub serving: Option<String>,
}

/// The stages of a load that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LoadStage {
    /// The bundler refused the sources.
    BundleBuildFailed,
    /// The code cannot be loaded, breaks its contract, or two sources declare one name.
    ValidationFailed,
    /// A source or the tree of an installed extension cannot be read.
    EntryPointUnreadable,
    /// A source that was there is gone.
    SourceVanished,
}

impl LoadStage {
    /// The name, as JSON has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            LoadStage::BundleBuildFailed => "BundleBuildFailed",
            LoadStage::ValidationFailed => "ValidationFailed",
            LoadStage::EntryPointUnreadable => "EntryPointUnreadable",
            LoadStage::SourceVanished => "SourceVanished",
        }
    }
}

/// The inputs that a failure depends on: while they are unchanged, the failure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum LoadInputs {
    /// The code of the parts.
    Parts,
    /// A source that cannot be read.
    Source,
    /// A source that is gone.
    Vanished,
    /// Two sources that declare the type.
    Duplicate,
    /// An installed extension without its tree.
    Unrestored,
    /// Files that all types depend on.
    Everything,
}

/// An entry point with the fingerprint of the code that it reaches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadPart {
    /// The source file.
    pub entry: String,
    /// The directory that it was found in.
    pub root: LoadRoot,
    /// The fingerprint of the code.
    pub fingerprint: String,
}

/// A directory of entry points of one kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LoadRoot {
    /// Where the sources come from.
    pub origin: Origin,
    /// The directory.
    pub dir: String,
    /// The repository, the mounted directory or the tree of the installed extension.
    pub base: String,
    /// The kind of its entry points.
    pub kind: Kind,
    /// The extension, if it is known.
    pub extension: Option<String>,
    /// The SHA-256 digest of the archive that it was unpacked from, in hex.
    pub digest: Option<String>,
}

/// Whether a repair was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RepairMode {
    /// It was made.
    Applied,
    /// It was only computed (`--dry-run`).
    #[serde(rename = "dry-run")]
    DryRun,
}

/// What a repair did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepairReport {
    /// Whether it was made.
    pub mode: RepairMode,
    /// The extensions whose tree was missing or changed.
    pub restored: Vec<String>,
    /// How many trees were read again.
    pub catalogued_trees: usize,
    /// Whether the views were rebuilt.
    pub views_rebuilt: bool,
    /// How many leftovers of dead processes were removed.
    pub swept: usize,
    /// The extensions that could not be restored.
    pub failed: Vec<FailedRepair>,
}

/// An extension that could not be restored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedRepair {
    /// Its name.
    pub name: String,
    /// Why.
    pub error: ErrorReport,
}
