//! Documents about extensions: changes of the installed set, and what is installed or offered.

mod offered;

use marsh_types::Kind;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use crate::error::ErrorReport;

pub use offered::{
    ExtensionAuthor, ExtensionInfo, ExtensionScore, ExtensionSearch, FoundExtension, PageMeta,
};

/// What a change did to one extension, or what a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExtensionStatus {
    /// It was not installed before.
    Installed,
    /// Another version was installed before.
    Updated,
    /// Nothing had to change.
    UpToDate,
    /// The lockfile named it already; its files were missing or damaged.
    Restored,
    /// The registry has a newer version; nothing was changed.
    UpdateAvailable,
    /// The newest version of an extension that its authors deprecated.
    Deprecated,
    /// The registry does not have it.
    NotFound,
    /// It could not be changed.
    Failed,
}

/// One extension of a change or a check.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionItem {
    /// Its name.
    pub name: String,
    /// The installed version, after the change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What the change did, or what the check found.
    pub status: ExtensionStatus,
    /// The channel that updates follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The version before an update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_version: Option<String>,
    /// The version after an update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_version: Option<String>,
    /// The installed version, where nothing was changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed_version: Option<String>,
    /// The newest version that the registry offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_version: Option<String>,
    /// Of a deprecated extension: why, and what replaces it.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    pub deprecation: Option<Deprecation>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
    /// Whether it was installed as a dependency; absent means no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dependency: bool,
    /// The registry's description.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Warnings about the extension.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Why an extension is deprecated, and what replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deprecation {
    /// Why.
    pub deprecation_reason: Option<String>,
    /// The extension to use instead.
    pub superseded_by: Option<String>,
}

/// What every change of the installed set reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetChange {
    /// The generation that the change made; `null`: nothing changed.
    pub generation: Option<u64>,
    /// How long other processes had to wait for the commit, in milliseconds.
    #[serde(deserialize_with = "float")]
    pub lock_held_ms: f64,
    /// Installed types that a source of the repository hides.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shadowed_types: Vec<ShadowedType>,
    /// Warnings about the set.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// Reads a float of a flattened struct. serde_json buffers it as its text, which only [`serde_json::Number`] reads.
fn float<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    let number = serde_json::Number::deserialize(from)?;
    number.as_f64().ok_or_else(|| serde::de::Error::custom("a number that is too large"))
}

/// An installed type that a source of the repository hides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ShadowedType {
    /// The installed extension.
    pub extension: String,
    /// The kind of the type.
    pub kind: Kind,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// The source that hides it, relative to the repository.
    pub local_source_path: String,
}

/// What `extension pull` did: the extension that was asked for, or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ExtensionPulled {
    /// One extension was asked for.
    One(Box<PulledExtension>),
    /// Several were.
    Several(PulledExtensions),
}

impl ExtensionPulled {
    /// The change of the installed set.
    pub fn change(&self) -> &SetChange {
        match self {
            ExtensionPulled::One(one) => &one.change,
            ExtensionPulled::Several(several) => &several.change,
        }
    }
}

/// The one extension that was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PulledExtension {
    /// The extension. Its warnings are absent when there are warnings about the set.
    #[serde(flatten)]
    pub item: ExtensionItem,
    /// Its files, relative to the repository.
    pub extracted_files: Vec<String>,
    /// The directory of its files; `null` when nothing was installed.
    pub path: Option<String>,
    /// The extensions that were installed because it needs them.
    pub dependency_results: Vec<ExtensionItem>,
    /// What the change did to the set.
    #[serde(flatten)]
    pub change: SetChange,
}

/// Several extensions that were asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PulledExtensions {
    /// The extensions that were asked for.
    pub extensions: Vec<ExtensionItem>,
    /// The extensions that were installed because others need them.
    pub dependency_results: Vec<ExtensionItem>,
    /// What the change did to the set.
    #[serde(flatten)]
    pub change: SetChange,
}

/// What `extension rm` removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionRemoved {
    /// The removed extension, or a list when several were removed.
    pub removed: OneOrMany<RemovedExtension>,
    /// What the change did to the set.
    #[serde(flatten)]
    pub change: SetChange,
}

/// One object, or a list of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany<T> {
    /// One.
    One(T),
    /// None, or several.
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    /// All of them.
    pub fn as_slice(&self) -> &[T] {
        match self {
            OneOrMany::One(one) => std::slice::from_ref(one),
            OneOrMany::Many(list) => list,
        }
    }
}

impl<T> From<Vec<T>> for OneOrMany<T> {
    fn from(mut list: Vec<T>) -> OneOrMany<T> {
        match list.pop() {
            Some(one) if list.is_empty() => OneOrMany::One(one),
            last => {
                list.extend(last);
                OneOrMany::Many(list)
            }
        }
    }
}

/// A removed extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemovedExtension {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How many files it had.
    pub files_deleted: usize,
    /// How many of them were left; always 0.
    pub files_skipped: usize,
    /// How many empty directories were removed; always 0.
    pub dirs_removed: usize,
    /// Installed extensions that need it.
    pub left_without: Vec<String>,
}

/// What `extension update` did, or with `--check` what it would do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExtensionUpdated {
    /// Each extension.
    pub extensions: Vec<ExtensionItem>,
    /// How many of each status.
    pub summary: UpdateSummary,
    /// What the change did to the set.
    #[serde(flatten)]
    pub change: SetChange,
}

/// The numbers of an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateSummary {
    /// How many extensions there are.
    pub total: usize,
    /// How many have their newest version, deprecated ones included.
    pub up_to_date: usize,
    /// How many were updated, new dependencies included.
    pub updated: usize,
    /// How many have a newer version.
    pub available: usize,
    /// How many could not be updated.
    pub failed: usize,
}

/// What `extension install` restored from the lockfile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionsInstalled {
    /// Each extension that the lockfile names.
    pub entries: Vec<ExtensionItem>,
    /// How many were installed or restored.
    pub installed: usize,
    /// How many were moved from another layout; always 0.
    pub migrated: usize,
    /// How many were whole already.
    pub up_to_date: usize,
    /// How many could not be restored.
    pub failed: usize,
    /// Why there was nothing to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
    /// What the change did to the set.
    #[serde(flatten)]
    pub change: SetChange,
}

/// What `extension rollback` restored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExtensionsRolledBack {
    /// The number of the restored generation.
    pub restored: u64,
    /// What changed; empty when the set was that of the generation already.
    pub changes: Vec<VersionChange>,
    /// What the change did to the set.
    #[serde(flatten)]
    pub change: SetChange,
}

/// The change of one extension between two generations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionChange {
    /// The extension.
    pub name: String,
    /// The version before; absent when the extension was not installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The version after; absent when the extension was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// What `extension gc` removed, or without `--apply` would remove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionsCollected {
    /// Whether anything was removed.
    pub applied: bool,
    /// The size of the removed trees.
    pub bytes: u64,
    /// The trees that were, or would be, removed.
    pub removed: Vec<UnusedTree>,
    /// Trees that no lockfile and no generation names, but that a process uses.
    pub in_use: Vec<UnusedTree>,
    /// How many trees a lockfile or a kept generation names.
    pub kept: usize,
    /// How many directories of dead processes were removed.
    pub swept: usize,
    /// How many generations are beyond the retention.
    pub forgotten: usize,
}

/// An unpacked extension that no lockfile and no kept generation names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnusedTree {
    /// The SHA-256 of its archive.
    pub digest: String,
    /// The extension; `null` when the tree's record is damaged.
    pub name: Option<String>,
    /// The version.
    pub version: Option<String>,
    /// The size of its files in bytes.
    pub bytes: u64,
}

/// The installed extensions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtensionList {
    /// Each extension that the lockfile names, by name.
    pub extensions: Vec<ExtensionRow>,
}

/// An installed extension in a listing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionRow {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// When it was installed, ISO 8601.
    pub pulled_at: String,
    /// Its files, relative to the repository.
    pub files: Vec<String>,
    /// The state of its files.
    pub state: InstallState,
    /// The channel that updates follow; absent: stable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What the registry says (`--check-updates`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_status: Option<ExtensionStatus>,
    /// The newer version that the registry offers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_version: Option<String>,
}

/// The state of the files of an installed extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InstallState {
    /// In the store.
    Stored,
    /// Unpacked by another implementation, below `.swamp/pulled-extensions`.
    Foreign,
    /// Nowhere: `install` restores it.
    Missing,
    /// In the store, but changed.
    Damaged {
        /// The changed files, relative to the extension.
        files: Vec<String>,
    },
}

/// Which installed extensions have a newer version or are deprecated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionsOutdated {
    /// Each installed extension.
    pub extensions: Vec<ExtensionItem>,
    /// Whether one has a newer version.
    pub has_update_available: bool,
    /// Whether one is deprecated.
    pub has_deprecated: bool,
    /// How many could not be checked.
    pub failed: usize,
}

/// The lockfile's entry of an extension, and the state of its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InstalledExtension {
    /// The version.
    pub version: String,
    /// When it was installed, ISO 8601.
    pub pulled_at: String,
    /// The SHA-256 of the archive; `null` when it was never verified.
    pub checksum: Option<String>,
    /// The registry that it came from.
    pub server_url: Option<String>,
    /// The channel that updates follow; `null`: stable.
    pub channel: Option<String>,
    /// The directory of its files in the store.
    pub path: Option<String>,
    /// The state of its files.
    pub state: InstallState,
}

/// The generations of the installed set, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtensionHistory {
    /// Each generation.
    pub generations: Vec<Generation>,
    /// The SHA-256 of the lockfile as it is now.
    pub current: String,
}

/// One committed state of the installed set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Generation {
    /// Counts from 1. A number is never used twice.
    pub number: u64,
    /// When it was committed or first seen, ISO 8601.
    pub at: String,
    /// The command that made it; `null` when another program changed the lockfile.
    pub command: Option<String>,
    /// The SHA-256 of the lockfile.
    pub lockfile: String,
    /// The generation that a rollback restored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
    /// The changes since the generation before.
    pub changes: Vec<VersionChange>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change() -> SetChange {
        SetChange {
            generation: Some(3),
            lock_held_ms: 1.25,
            shadowed_types: Vec::new(),
            warnings: vec!["w".into()],
        }
    }

    #[test]
    fn removed_extensions_read_back_as_one_or_as_a_list() {
        let removed = |name: &str| RemovedExtension {
            name: name.into(),
            version: "2026.01.01.1".into(),
            files_deleted: 2,
            files_skipped: 0,
            dirs_removed: 0,
            left_without: Vec::new(),
        };
        for (list, is_list) in
            [(vec![removed("@a/b")], false), (vec![removed("@a/b"), removed("@a/c")], true)]
        {
            let document = ExtensionRemoved { removed: list.into(), change: change() };
            let text = serde_json::to_string(&document).unwrap();
            assert_eq!(text.starts_with(r#"{"removed":["#), is_list, "{text}");
            assert_eq!(serde_json::from_str::<ExtensionRemoved>(&text).unwrap(), document);
        }
    }

    #[test]
    fn deprecated_item_has_both_fields_and_others_have_neither() {
        let text = r#"{"name":"@a/b","status":"deprecated","deprecationReason":"old","supersededBy":null}"#;
        let item: ExtensionItem = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&item).unwrap(), text);
        let item = ExtensionItem { status: ExtensionStatus::UpToDate, deprecation: None, ..item };
        assert_eq!(serde_json::to_value(&item).unwrap(), json!({ "name": "@a/b", "status": "up_to_date" }));
    }
}
