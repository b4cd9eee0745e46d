//! The messages of the registry protocol, as they travel and as the directory registry stores them.
//!
//! Names, versions, channels, digests and references are typed, so that an answer that holds anything else fails to
//! parse. Fields that servers leave out or set to null are optional or empty.

use marsh_types::{CalVer, Channel, Digest, ExtensionName, ExtensionRef};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Null is as good as absent.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Author {
    pub username: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    pub percentage: f64,
    #[serde(default, deserialize_with = "or_default")]
    pub grade: String,
}

/// What a registry says about an extension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionInfo {
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
    pub name: ExtensionName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub platforms: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub labels: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub content_types: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub content_names: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_version: Option<CalVer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_rc: Option<CalVer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_beta: Option<CalVer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    #[serde(default, deserialize_with = "or_default")]
    pub created_at: String,
    #[serde(default, deserialize_with = "or_default")]
    pub updated_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yank_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_by_user_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<ExtensionName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_verified: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_verified_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_verified_url: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub pull_count: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<ExtensionRef>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_private: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_metadata: Option<Value>,
}

impl ExtensionInfo {
    pub fn latest(&self, channel: Channel) -> Option<CalVer> {
        match channel {
            Channel::Stable => self.latest_version,
            Channel::Rc => self.latest_rc,
            Channel::Beta => self.latest_beta,
        }
    }
}

/// One published version. `None`: the registry does not say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionInfo {
    pub version: CalVer,
    #[serde(default, deserialize_with = "or_default")]
    pub channel: Channel,
    #[serde(default, deserialize_with = "or_default")]
    pub published_at: String,
    #[serde(default, deserialize_with = "or_default")]
    pub yanked: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<ExtensionRef>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageMeta {
    #[serde(default, deserialize_with = "or_default")]
    pub total: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub page: u64,
    #[serde(default, deserialize_with = "or_default")]
    pub per_page: u64,
    /// Without a channel asked for, the pages list the versions of every channel. The protocol does not say whether
    /// they do; a registry that sets this does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not", deserialize_with = "or_default")]
    pub all_channels: bool,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct VersionsPage {
    #[serde(default, deserialize_with = "or_default")]
    pub versions: Vec<VersionInfo>,
    #[serde(default, deserialize_with = "or_default")]
    pub meta: PageMeta,
}

/// The answer to `latest`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latest {
    #[serde(default)]
    pub latest_version: Option<CalVer>,
    #[serde(default)]
    pub latest_version_detail: Option<VersionInfo>,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Checksum {
    pub checksum: Option<Digest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchSort {
    #[default]
    Relevance,
    New,
    Updated,
    Name,
}

impl SearchSort {
    pub const ALL: [SearchSort; 4] =
        [SearchSort::Relevance, SearchSort::New, SearchSort::Updated, SearchSort::Name];

    pub fn as_str(self) -> &'static str {
        match self {
            SearchSort::Relevance => "relevance",
            SearchSort::New => "new",
            SearchSort::Updated => "updated",
            SearchSort::Name => "name",
        }
    }
}

/// What to search for. An empty list or text does not restrict; several values of one list are alternatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    pub text: String,
    pub collective: Option<String>,
    pub sort: SearchSort,
    /// 1 to 100.
    pub per_page: u32,
    /// From 1.
    pub page: u32,
    pub platforms: Vec<String>,
    pub labels: Vec<String>,
    pub content_types: Vec<String>,
    pub channels: Vec<Channel>,
}

impl Default for SearchQuery {
    fn default() -> SearchQuery {
        SearchQuery {
            text: String::new(),
            collective: None,
            sort: SearchSort::default(),
            per_page: 20,
            page: 1,
            platforms: Vec::new(),
            labels: Vec::new(),
            content_types: Vec::new(),
            channels: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchEntry {
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
    pub name: ExtensionName,
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_verified: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_verified_url: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub platforms: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub labels: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub content_types: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub content_names: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_version: Option<CalVer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_rc: Option<CalVer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_beta: Option<CalVer>,
    #[serde(default, deserialize_with = "or_default")]
    pub created_at: String,
    #[serde(default, deserialize_with = "or_default")]
    pub updated_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<ExtensionName>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchPage {
    #[serde(default, deserialize_with = "or_default")]
    pub extensions: Vec<SearchEntry>,
    #[serde(default, deserialize_with = "or_default")]
    pub meta: PageMeta,
}

/// What a publisher says about a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushMetadata {
    pub name: ExtensionName,
    pub version: CalVer,
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    #[serde(default, deserialize_with = "or_default")]
    pub dependencies: Vec<ExtensionRef>,
    #[serde(default, deserialize_with = "or_default")]
    pub platforms: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub labels: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_notes: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub binaries: Vec<String>,
    /// Absent for stable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// What the archive's bytes hash to; checked against what arrives. [`Registry::publish`](crate::Registry::publish)
    /// fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Digest>,
}

/// Where to put the archive of a push.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushTicket {
    pub upload_url: String,
    #[serde(default, deserialize_with = "or_default")]
    pub s3_key: String,
    #[serde(default, deserialize_with = "or_default")]
    pub extension_id: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    #[serde(default, deserialize_with = "or_default")]
    pub extension_id: String,
    pub name: ExtensionName,
    pub version: CalVer,
    /// As computed from the archive by the publisher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promoted {
    pub name: ExtensionName,
    pub version: CalVer,
    pub previous_channel: Channel,
    pub channel: Channel,
    #[serde(default, deserialize_with = "or_default")]
    pub message: String,
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Message {
    #[serde(default, deserialize_with = "or_default")]
    pub message: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    pub slug: String,
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub role: String,
    #[serde(default, deserialize_with = "or_default")]
    pub personal: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    #[serde(default, deserialize_with = "or_default")]
    pub authenticated: bool,
    #[serde(default, deserialize_with = "or_default")]
    pub username: String,
    #[serde(default, deserialize_with = "or_default")]
    pub organizations: Vec<Organization>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
}
