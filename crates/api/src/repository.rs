//! Documents about a repository itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::extension::ExtensionsInstalled;

/// A directory became a repository.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryInitialized {
    /// The directory.
    pub path: String,
    /// The version of marsh.
    pub version: String,
    /// When the repository was first initialized, ISO 8601.
    pub initialized_at: String,
    /// The id of the repository.
    pub repo_id: Option<String>,
    /// Always empty: marsh copies no skills.
    pub skills_copied: Vec<String>,
    /// Always false: marsh writes no instructions for AI tools.
    pub instructions_file_created: bool,
    /// Always false: marsh writes no settings of AI tools.
    pub settings_created: bool,
    /// The change to `.gitignore`.
    pub gitignore_action: GitignoreAction,
    /// Always empty: marsh sets up no AI tools.
    pub tools: Vec<String>,
    /// Always empty.
    pub removed_tools: Vec<String>,
    /// Always `none`.
    pub tool: String,
}

/// A change to `.gitignore`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum GitignoreAction {
    /// The file was missing.
    Created,
    /// The managed block was added or replaced.
    Updated,
    /// The managed block was there.
    Unchanged,
    /// The file is not managed.
    Skipped,
}

/// A repository was upgraded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryUpgraded {
    /// The directory.
    pub path: String,
    /// The version that wrote the marker before; `null` when it names none.
    pub previous_version: Option<String>,
    /// The version of marsh.
    pub new_version: String,
    /// When, ISO 8601.
    pub upgraded_at: String,
    /// Always empty: marsh copies no skills.
    pub skills_updated: Vec<String>,
    /// Always false: marsh writes no instructions for AI tools.
    pub instructions_updated: bool,
    /// Always false: marsh writes no settings of AI tools.
    pub settings_updated: bool,
    /// The change to `.gitignore`.
    pub gitignore_action: GitignoreAction,
    /// The AI tools in the marker before.
    pub previous_tools: Vec<String>,
    /// The AI tools in the marker.
    pub tools: Vec<String>,
    /// Those that are new.
    pub added_tools: Vec<String>,
    /// Those that are gone.
    pub removed_tools: Vec<String>,
    /// Always empty: marsh copies no skills.
    pub extensions_to_reinstall: Vec<String>,
    /// Always empty: marsh copies no skills.
    pub local_skill_copies: Vec<String>,
    /// The files that changed, relative to the repository, `.swamp.yaml` first; empty when nothing changed.
    pub changed_files: Vec<String>,
    /// Files that stayed at their former place, because another one is at the present place.
    pub kept_files: Vec<String>,
    /// Collectives of installed extensions that the repository does not trust.
    pub untrusted_collectives: Vec<String>,
    /// The first tool, or `none`.
    pub tool: String,
    /// What was installed for the lockfile; absent when it names no extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension_install: Option<ExtensionsInstalled>,
}
