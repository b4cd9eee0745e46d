//! Documents about a repository itself.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::extension::ExtensionsInstalled;

/// Extensions whose skills a tool lacks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ToolExtensions {
    /// The AI tool.
    pub tool: String,
    /// The extensions.
    pub names: Vec<String>,
}

/// Skills in a directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkillCopies {
    /// The directory, relative to the repository.
    pub skills_dir: String,
    /// The names of the skills.
    pub names: Vec<String>,
}

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
    /// The files of skills that were written, relative to the repository.
    pub skills_copied: Vec<String>,
    /// Whether instructions for AI tools were written.
    pub instructions_file_created: bool,
    /// Whether settings of AI tools were written.
    pub settings_created: bool,
    /// The change to `.gitignore`.
    pub gitignore_action: GitignoreAction,
    /// The AI tools that the repository is set up for.
    pub tools: Vec<String>,
    /// The AI tools that it was set up for before, and is no longer.
    pub removed_tools: Vec<String>,
    /// The first tool, or `none`.
    pub tool: String,
    /// What to do next, as texts for people.
    pub next_steps: Vec<String>,
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
    /// The files of skills that were written, relative to the repository.
    pub skills_updated: Vec<String>,
    /// Whether instructions for AI tools were written.
    pub instructions_updated: bool,
    /// Whether settings of AI tools were written.
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
    /// Always empty: marsh copies the skills of installed extensions itself.
    pub extensions_to_reinstall: Vec<ToolExtensions>,
    /// Skills that another implementation copied into the repository; marsh leaves them.
    pub local_skill_copies: Vec<SkillCopies>,
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

/// The AI tools that a repository describes itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentList {
    /// The tools.
    pub tools: Vec<AgentTool>,
}

/// An AI tool that a repository describes itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AgentTool {
    /// The name, for `--tool`.
    pub name: String,
    /// The directory of skills: relative to the repository, or below the home directory (`~/…`).
    pub skills_dir: String,
    /// The instructions, relative to the repository.
    pub instructions_file: String,
    /// How the instructions share their file.
    pub instructions_mode: InstructionsMode,
    /// What stands between `---` lines at the top of a new instructions file: a text or a map.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frontmatter: Option<serde_json::Value>,
    /// How the instructions name skills.
    pub skill_reference_style: SkillReferenceStyle,
    /// What Git should ignore.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gitignore_entries: Vec<String>,
}

/// How instructions share their file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InstructionsMode {
    /// A managed section of a file that is the user's.
    #[default]
    Shared,
    /// The whole file is written by marsh.
    Owned,
}

/// How instructions name skills.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SkillReferenceStyle {
    /// By name; the tool finds them.
    #[default]
    Name,
    /// By the path of the file.
    Path,
}

/// An AI tool was described.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentAdded {
    /// The file of descriptions.
    pub path: String,
    /// Whether a description of that name was replaced.
    pub replaced: bool,
    /// The tool.
    pub tool: AgentTool,
}

/// The description of an AI tool was removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AgentRemoved {
    /// The name.
    pub name: String,
    /// Whether there was one.
    pub removed: bool,
}
