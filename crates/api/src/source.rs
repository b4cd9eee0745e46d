//! Documents about where extensions come from: mounted directories and trusted collectives.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whether an entry of a list was added or removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ListAction {
    /// It was added.
    Add,
    /// It was removed.
    Rm,
}

/// The mounted directories of extension sources.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SourceList {
    /// The entries, in the order of `.swamp-sources.yaml`.
    pub sources: Vec<SourceRow>,
}

/// A mounted directory, or a pattern of directories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceRow {
    /// The path as written: it may be a pattern and name variables.
    pub path: String,
    /// The kinds that the entry is limited to, as written; absent: all kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Value>,
    /// The directories that the path matches.
    pub expanded_paths: Vec<String>,
    /// Whether extensions were found.
    pub status: SourceStatus,
    /// The directories of the kinds that were found: `models`, `vaults`, …
    pub resolved_kinds: Vec<String>,
}

/// Whether extensions were found at a mounted path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceStatus {
    /// The path matches a directory with extensions.
    Valid,
    /// The path matches directories without extensions.
    NoExtensions,
    /// The path matches no directory.
    PathNotFound,
    /// The path cannot be expanded, as when it names a variable that is not set.
    VariableNotSet,
}

impl SourceStatus {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            SourceStatus::Valid => "valid",
            SourceStatus::NoExtensions => "no_extensions",
            SourceStatus::PathNotFound => "path_not_found",
            SourceStatus::VariableNotSet => "variable_not_set",
        }
    }
}

/// A directory was mounted or unmounted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceChanged {
    /// What was done.
    pub action: ListAction,
    /// The path as written.
    pub path: String,
    /// The kinds that the new entry is limited to, as given; absent: all kinds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Vec<String>>,
    /// How many entries there are now.
    pub total_sources: usize,
}

/// The collectives whose extensions are installed automatically when a command needs them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustList {
    /// The collectives that the repository names, without `@`.
    pub explicit: Vec<String>,
    /// The collectives that are trusted because the user is a member; always empty.
    pub membership: Vec<String>,
    /// All trusted collectives.
    pub resolved: Vec<String>,
    /// Whether the collectives of the user are trusted.
    pub trust_member_collectives: bool,
}

/// A collective was added to the trusted ones, or removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrustChanged {
    /// What was done.
    pub action: ListAction,
    /// The collective, without `@`.
    pub collective: String,
    /// The collectives that the repository now names.
    pub trusted_collectives: Vec<String>,
}

/// Whether the collectives of the user are trusted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberTrust {
    /// Whether they are.
    pub trust_member_collectives: bool,
}
