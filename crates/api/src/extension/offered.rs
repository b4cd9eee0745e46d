//! Documents about the extensions of a registry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::InstalledExtension;

/// An extension: what the registry says, and what is installed. Fields of the registry are absent when it cannot be reached.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionInfo {
    /// The registry's id of the extension.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The extension.
    pub name: String,
    /// The collective, without `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The description in the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The URL of the source repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The URL of a web page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage_url: Option<String>,
    /// The license, as an SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The platforms that the extension works on; empty: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platforms: Option<Vec<String>>,
    /// Words for searching.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// The kinds of content, by their manifest keys: `models`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_types: Option<Vec<String>>,
    /// The names of types, workflows and skills.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_names: Option<Vec<String>>,
    /// The newest stable version that is not yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_version: Option<String>,
    /// The newest version on channel rc that is not yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_rc: Option<String>,
    /// The newest version on channel beta that is not yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_beta: Option<String>,
    /// The publisher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<ExtensionAuthor>,
    /// When the first version was published, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
    /// When the registry's record last changed, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub updated_at: Option<String>,
    /// When it was yanked, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked_at: Option<String>,
    /// Why it was yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yank_reason: Option<String>,
    /// When it was deprecated, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_at: Option<String>,
    /// The registry's id of the user who deprecated it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_by_user_id: Option<String>,
    /// Why it was deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation_reason: Option<String>,
    /// The extension to use instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
    /// Whether the registry has checked that the publisher owns the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_verified: Option<bool>,
    /// When the registry checked the repository, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_verified_at: Option<String>,
    /// The URL that the registry checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_verified_url: Option<String>,
    /// How often the extension was downloaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_count: Option<u64>,
    /// The registry's rating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<ExtensionScore>,
    /// The extensions that this one needs, with their versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<String>>,
    /// Whether only members of the collective can see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_private: Option<bool>,
    /// The declarations in the archive, by kind, as the registry stores them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_metadata: Option<Value>,
    /// What is installed; absent when it is not installed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub installed: Option<InstalledExtension>,
}

/// The publisher of an extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionAuthor {
    /// The user name.
    pub username: String,
    /// The name to show in place of the user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// A registry's rating of an extension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ExtensionScore {
    /// From 0 to 100.
    pub percentage: f64,
    /// A letter, such as `A`.
    pub grade: String,
}

/// The extensions of a registry that a query found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtensionSearch {
    /// The words, all of which occur.
    pub query: String,
    /// The extensions of this page.
    pub results: Vec<FoundExtension>,
    /// Which page of how many it is.
    pub meta: PageMeta,
}

/// An extension that a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FoundExtension {
    /// The registry's id of the extension.
    pub id: String,
    /// The extension.
    pub name: String,
    /// The description in the manifest.
    pub description: String,
    /// The URL of the source repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// Whether the registry has checked that the publisher owns the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_verified: Option<bool>,
    /// The URL that the registry checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_verified_url: Option<String>,
    /// The platforms that the extension works on; empty: all.
    pub platforms: Vec<String>,
    /// Words for searching.
    pub labels: Vec<String>,
    /// The kinds of content, by their manifest keys: `models`.
    pub content_types: Vec<String>,
    /// The names of types, workflows and skills.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub content_names: Vec<String>,
    /// The newest stable version that is not yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_version: Option<String>,
    /// The newest version on channel rc that is not yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_rc: Option<String>,
    /// The newest version on channel beta that is not yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_beta: Option<String>,
    /// When the first version was published, ISO 8601.
    pub created_at: String,
    /// When the registry's record last changed, ISO 8601.
    pub updated_at: String,
    /// When it was deprecated, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_at: Option<String>,
    /// Why it was deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation_reason: Option<String>,
    /// The extension to use instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<String>,
}

/// The position of a page in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PageMeta {
    /// How many items all pages have.
    pub total: u64,
    /// The number of this page, from 1.
    pub page: u64,
    /// How many items a page has at most.
    pub per_page: u64,
    /// Whether the pages list versions of every channel; absent means no.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all_channels: bool,
}
