//! Documents about a repository itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
}
