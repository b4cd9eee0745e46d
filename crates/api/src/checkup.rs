//! Documents about the health of an installation, of definitions, workflows and datastores.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::datastore::DatastoreStatus;
use crate::doctor::CheckStatus;

/// The installed program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstallationCheckup {
    /// The program.
    pub binary_path: String,
    /// The owner of the program's file.
    pub owner: FileOwner,
    /// The version.
    pub current_version: String,
    /// Whether this user can replace the program.
    pub writable: CheckStatus,
    /// What that means, for people.
    pub writable_message: String,
    /// Automatic updates.
    pub autoupdate: AutomaticUpdates,
    /// `unhealthy` if the program cannot be replaced.
    pub overall_status: InstallationStatus,
}

/// Whether an installation is sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InstallationStatus {
    /// No problem was found.
    Healthy,
    /// A problem was found.
    Unhealthy,
}

/// The owner of a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileOwner {
    /// The user's number.
    pub uid: u32,
    /// The user's name; `null` if the system does not list it.
    pub username: Option<String>,
    /// Whether the owner is root.
    pub is_root: bool,
}

/// The settings of automatic updates. No release channel is configured, so nothing is ever updated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutomaticUpdates {
    /// Whether the user enabled them.
    pub enabled: bool,
    /// How often.
    pub cadence: String,
    /// Whether a scheduler runs them. Always false.
    pub scheduler_installed: bool,
    /// The last run. Always `null`.
    pub last_entry: Option<String>,
}

/// Definitions that hold secrets in clear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretsCheckup {
    /// Whether no definition does.
    pub overall_status: CheckStatus,
    /// How many definitions were read.
    pub scanned: usize,
    /// The definitions that do.
    pub findings: Vec<LeakedSecrets>,
    /// The definitions whose types cannot be loaded.
    pub unresolved: Vec<CheckedDefinition>,
}

/// A definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckedDefinition {
    /// The id.
    pub definition_id: String,
    /// The name.
    pub definition_name: String,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
}

/// A definition with secrets in clear.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeakedSecrets {
    /// The definition.
    #[serde(flatten)]
    pub definition: CheckedDefinition,
    /// The paths of the values within `globalArguments`.
    pub leaked_paths: Vec<String>,
    /// How to keep each of them in a vault.
    pub remediations: Vec<SecretRemediation>,
}

/// How to keep a secret in a vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRemediation {
    /// The path of the value within `globalArguments`.
    pub path: String,
    /// The vault that takes it.
    pub vault_name: String,
    /// Its key there.
    pub vault_key: String,
    /// The expression that replaces the value.
    pub expression: String,
}

/// Definitions whose results need a vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct VaultsCheckup {
    /// Whether no definition lacks one.
    pub overall_status: CheckStatus,
    /// How many definitions were read.
    pub scanned: usize,
    /// Whether the repository has a vault.
    pub has_vault: bool,
    /// The definitions that store secrets, if there is no vault for them.
    pub findings: Vec<CheckedDefinition>,
    /// The definitions whose types cannot be loaded.
    pub unresolved: Vec<CheckedDefinition>,
}

/// Whether workflow files can be read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkflowsCheckup {
    /// Whether all can.
    pub overall_status: CheckStatus,
    /// The files.
    pub workflows: Vec<CheckedWorkflow>,
    /// How many can be read.
    pub total_passed: usize,
    /// How many cannot.
    pub total_failed: usize,
}

/// A workflow file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CheckedWorkflow {
    /// The file.
    pub file: String,
    /// The workflow's name; of a file that cannot be read, the file's.
    pub name: String,
    /// Whether it can be read.
    pub status: CheckStatus,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// The health of the datastore, and of the catalog of data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatastoreCheckup {
    /// Whether every finding passed.
    pub overall_status: CheckStatus,
    /// `filesystem`, or the type of an extension.
    pub datastore_type: String,
    /// Whether an extension keeps the data.
    pub is_custom: bool,
    /// What was checked.
    pub health_findings: Vec<DatastoreFinding>,
    /// Always empty: marsh keeps no vault in a datastore.
    pub vault_mismatch_findings: Vec<DatastoreFinding>,
    /// Always `null`: a datastore holds only trees that it is meant to hold.
    pub contamination_finding: Option<DatastoreFinding>,
    /// Whether the catalog knows all data.
    pub catalog_completeness_finding: Option<DatastoreFinding>,
    /// How many versions a repair read again; absent without a repair.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalogued_versions: Option<usize>,
    /// The datastore.
    #[serde(flatten)]
    pub status: DatastoreStatus,
}

/// A check of [`DatastoreCheckup`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DatastoreFinding {
    /// `health` or `catalog_completeness`.
    pub check: String,
    /// Whether it passed.
    pub passed: bool,
    /// What was found, for people.
    pub message: String,
}
