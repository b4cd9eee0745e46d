//! The messages of the registry protocol, as they are sent and as the directory registry stores them.
//!
//! Names, versions, channels, digests and references are typed, so an answer with an invalid one fails to parse
//! (`tests/it/http.rs`: `hostile_answers_are_refused`). Fields that servers omit or set to null are optional or empty.

use marsh_types::{CalVer, Channel, Digest, ExtensionName, ExtensionRef};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Reads null as a missing field.
fn or_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(from)?.unwrap_or_default())
}

/// The publisher of an extension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Author {
    /// The user name.
    pub username: String,
    /// The name to show in place of the user name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
}

/// A registry's rating of an extension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// From 0 to 100.
    pub percentage: f64,
    /// A letter, such as `A`.
    #[serde(default, deserialize_with = "or_default")]
    pub grade: String,
}

/// The answer to `info`: the properties of an extension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionInfo {
    /// The registry's id of the extension.
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
    /// The extension.
    pub name: ExtensionName,
    /// The collective, without `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The description in the manifest.
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    /// The URL of the source repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The URL of a web page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub homepage_url: Option<String>,
    /// The license, as an SPDX expression.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// The platforms that the extension works on; empty means all.
    #[serde(default, deserialize_with = "or_default")]
    pub platforms: Vec<String>,
    /// Words for searching.
    #[serde(default, deserialize_with = "or_default")]
    pub labels: Vec<String>,
    /// The kinds of content, by their manifest keys: `models`.
    #[serde(default, deserialize_with = "or_default")]
    pub content_types: Vec<String>,
    /// The names of types, workflows and skills.
    #[serde(default, deserialize_with = "or_default")]
    pub content_names: Vec<String>,
    /// The newest stable version that is not yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_version: Option<CalVer>,
    /// The newest version on channel rc that is not yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_rc: Option<CalVer>,
    /// The newest version on channel beta that is not yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_beta: Option<CalVer>,
    /// The publisher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// When the first version was published, ISO 8601.
    #[serde(default, deserialize_with = "or_default")]
    pub created_at: String,
    /// When the record last changed, ISO 8601.
    #[serde(default, deserialize_with = "or_default")]
    pub updated_at: String,
    /// When it was yanked, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked_at: Option<String>,
    /// Why it was yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yank_reason: Option<String>,
    /// When the extension was deprecated, ISO 8601.
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
    pub superseded_by: Option<ExtensionName>,
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
    #[serde(default, deserialize_with = "or_default")]
    pub pull_count: u64,
    /// The registry's rating.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Score>,
    /// The extensions that this one needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<ExtensionRef>>,
    /// Whether only members of the collective can see it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_private: Option<bool>,
    /// The declarations in the archive, by kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_metadata: Option<Value>,
}

impl ExtensionInfo {
    /// The newest version on `channel` that is not yanked.
    pub fn latest(&self, channel: Channel) -> Option<CalVer> {
        match channel {
            Channel::Stable => self.latest_version,
            Channel::Rc => self.latest_rc,
            Channel::Beta => self.latest_beta,
        }
    }
}

/// One published version. A field is `None` if the registry does not state it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionInfo {
    /// The version.
    pub version: CalVer,
    /// The channel.
    #[serde(default, deserialize_with = "or_default")]
    pub channel: Channel,
    /// When it was published, ISO 8601.
    #[serde(default, deserialize_with = "or_default")]
    pub published_at: String,
    /// Whether the version is yanked.
    #[serde(default, deserialize_with = "or_default")]
    pub yanked: bool,
    /// The SHA-256 of the archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Digest>,
    /// The size of the archive in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// The extensions that this version needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependencies: Option<Vec<ExtensionRef>>,
}

/// The position of a page in a list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PageMeta {
    /// The number of items in all pages.
    #[serde(default, deserialize_with = "or_default")]
    pub total: u64,
    /// The number of this page, from 1.
    #[serde(default, deserialize_with = "or_default")]
    pub page: u64,
    /// The largest number of items in a page.
    #[serde(default, deserialize_with = "or_default")]
    pub per_page: u64,
    /// Whether the pages list the versions of every channel when the request names none. The protocol leaves that open;
    /// marsh's registry sets this.
    #[serde(default, skip_serializing_if = "std::ops::Not::not", deserialize_with = "or_default")]
    pub all_channels: bool,
}

/// A page of the versions of an extension.
#[derive(Debug, Serialize, Deserialize)]
pub struct VersionsPage {
    /// The versions.
    #[serde(default, deserialize_with = "or_default")]
    pub versions: Vec<VersionInfo>,
    /// The position of this page.
    #[serde(default, deserialize_with = "or_default")]
    pub meta: PageMeta,
}

/// The answer to `latest`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latest {
    /// The newest version of the channel that is not yanked.
    #[serde(default)]
    pub latest_version: Option<CalVer>,
    /// The same version with its properties.
    #[serde(default)]
    pub latest_version_detail: Option<VersionInfo>,
}

/// The answer to `checksum`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Checksum {
    /// The SHA-256 of the archive.
    pub checksum: Option<Digest>,
}

/// The order of search results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SearchSort {
    /// Best match first.
    #[default]
    Relevance,
    /// Newest extension first.
    New,
    /// Last changed first.
    Updated,
    /// By name.
    Name,
}

impl SearchSort {
    /// All orders.
    pub const ALL: [SearchSort; 4] =
        [SearchSort::Relevance, SearchSort::New, SearchSort::Updated, SearchSort::Name];

    /// The name in requests.
    pub fn as_str(self) -> &'static str {
        match self {
            SearchSort::Relevance => "relevance",
            SearchSort::New => "new",
            SearchSort::Updated => "updated",
            SearchSort::Name => "name",
        }
    }
}

/// A search. An empty list or text matches everything; several values of one list are alternatives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchQuery {
    /// Words, all of which must occur.
    pub text: String,
    /// A collective, with or without `@`.
    pub collective: Option<String>,
    /// The order.
    pub sort: SearchSort,
    /// The number of entries in a page, 1 to 100.
    pub per_page: u32,
    /// The number of the page, from 1.
    pub page: u32,
    /// Platforms, of which the extension must work on one.
    pub platforms: Vec<String>,
    /// Labels, of which the extension must have one.
    pub labels: Vec<String>,
    /// Kinds of content, of which the extension must have one.
    pub content_types: Vec<String>,
    /// Channels, of which one must offer a version.
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

/// An extension in search results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchEntry {
    /// The registry's id of the extension.
    #[serde(default, deserialize_with = "or_default")]
    pub id: String,
    /// The extension.
    pub name: ExtensionName,
    /// The description in the manifest.
    #[serde(default, deserialize_with = "or_default")]
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
    /// The platforms that the extension works on; empty means all.
    #[serde(default, deserialize_with = "or_default")]
    pub platforms: Vec<String>,
    /// Words for searching.
    #[serde(default, deserialize_with = "or_default")]
    pub labels: Vec<String>,
    /// The kinds of content, by their manifest keys: `models`.
    #[serde(default, deserialize_with = "or_default")]
    pub content_types: Vec<String>,
    /// The names of types, workflows and skills.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub content_names: Vec<String>,
    /// The newest stable version that is not yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_version: Option<CalVer>,
    /// The newest version on channel rc that is not yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_rc: Option<CalVer>,
    /// The newest version on channel beta that is not yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest_beta: Option<CalVer>,
    /// When the first version was published, ISO 8601.
    #[serde(default, deserialize_with = "or_default")]
    pub created_at: String,
    /// When the record last changed, ISO 8601.
    #[serde(default, deserialize_with = "or_default")]
    pub updated_at: String,
    /// When the extension was deprecated, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_at: Option<String>,
    /// Why it was deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation_reason: Option<String>,
    /// The extension to use instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<ExtensionName>,
}

/// A page of search results.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchPage {
    /// The extensions.
    #[serde(default, deserialize_with = "or_default")]
    pub extensions: Vec<SearchEntry>,
    /// The position of this page.
    #[serde(default, deserialize_with = "or_default")]
    pub meta: PageMeta,
}

/// The request `push`: the properties of a version to publish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushMetadata {
    /// The extension.
    pub name: ExtensionName,
    /// The version to publish.
    pub version: CalVer,
    /// The description in the manifest.
    #[serde(default, deserialize_with = "or_default")]
    pub description: String,
    /// The extensions that this one needs.
    #[serde(default, deserialize_with = "or_default")]
    pub dependencies: Vec<ExtensionRef>,
    /// The platforms that the extension works on; empty means all.
    #[serde(default, deserialize_with = "or_default")]
    pub platforms: Vec<String>,
    /// Words for searching.
    #[serde(default, deserialize_with = "or_default")]
    pub labels: Vec<String>,
    /// The URL of the source repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The changes in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_notes: Option<String>,
    /// Paths of executable files.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "or_default")]
    pub binaries: Vec<String>,
    /// The channel; `None` means stable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<Channel>,
    /// The SHA-256 of the archive, which the registry compares with the uploaded bytes.
    /// [`Registry::publish`](crate::Registry::publish) fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Digest>,
}

/// The answer to `push`: where to upload the archive.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PushTicket {
    /// The URL to put the archive to.
    pub upload_url: String,
    /// The upload's key, to send with `confirm`.
    #[serde(default, deserialize_with = "or_default")]
    pub s3_key: String,
    /// The registry's id of the extension.
    #[serde(default, deserialize_with = "or_default")]
    pub extension_id: String,
}

/// The answer to `confirm`: a published version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Published {
    /// The registry's id of the extension.
    #[serde(default, deserialize_with = "or_default")]
    pub extension_id: String,
    /// The extension.
    pub name: ExtensionName,
    /// The version.
    pub version: CalVer,
    /// The SHA-256 of the archive, as the publisher computed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<Digest>,
    /// The size of the archive in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// The answer to `promote`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promoted {
    /// The extension.
    pub name: ExtensionName,
    /// The version.
    pub version: CalVer,
    /// The channel before.
    pub previous_channel: Channel,
    /// The channel after.
    pub channel: Channel,
    /// A sentence for the user.
    #[serde(default, deserialize_with = "or_default")]
    pub message: String,
}

/// The answer to a change: a sentence for the user.
#[derive(Debug, Serialize, Deserialize)]
pub struct Message {
    /// A sentence for the user.
    #[serde(default, deserialize_with = "or_default")]
    pub message: String,
}

/// A collective that the user belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Organization {
    /// The collective's name, without `@`.
    pub slug: String,
    /// The collective's display name.
    #[serde(default, deserialize_with = "or_default")]
    pub name: String,
    /// The user's role in the collective.
    #[serde(default, deserialize_with = "or_default")]
    pub role: String,
    /// Whether the collective is the user's own.
    #[serde(default, deserialize_with = "or_default")]
    pub personal: bool,
}

/// The answer to `whoami`: the owner of the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Whether the token is valid.
    #[serde(default, deserialize_with = "or_default")]
    pub authenticated: bool,
    /// The user name, if the token is valid.
    #[serde(default, deserialize_with = "or_default")]
    pub username: String,
    /// The collectives that the user belongs to.
    #[serde(default, deserialize_with = "or_default")]
    pub organizations: Vec<Organization>,
    /// The scopes of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
}

/// A token that a registry made. Its text is shown this once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedToken {
    /// The token.
    pub token: String,
    /// The collective whose extensions it may change.
    #[serde(default)]
    pub collective: String,
    /// Its scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl std::fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedToken").field("collective", &self.collective).finish_non_exhaustive()
    }
}
