//! The files of a registry. They are the same on disk and behind a static web server.
//!
//! ```text
//! marsh-registry.json                  { "format": 1 }
//! index.json                           the search index: SearchIndex
//! extensions/@a/b/index.json           one extension: ExtensionRecord
//! archives/<sha256>.tar.gz
//! private/                             locks, uploads, tokens; mode 0700, not served
//! ```
//!
//! Segments of extension names contain no dot, so no name collides with `index.json`.

use marsh_types::{CalVer, Channel, Digest, ExtensionName, ExtensionRef};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::protocol::{Author, ExtensionInfo, SearchEntry, VersionInfo};

/// The format version of all files.
pub const FORMAT: u64 = 1;
/// The file that makes a directory a registry.
pub const MARKER: &str = "marsh-registry.json";
/// The search index.
pub const INDEX: &str = "index.json";

/// The path of an extension's record, relative to the registry.
pub fn extension_path(name: &ExtensionName) -> String {
    format!("extensions/{name}/index.json")
}

/// The path of an archive, relative to the registry.
pub fn archive_path(digest: &Digest) -> String {
    format!("archives/{digest}.tar.gz")
}

/// `marsh-registry.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Marker {
    /// The format version, [`FORMAT`].
    pub format: u64,
}

/// `index.json` of the registry: one entry for each extension, derived from its record.
#[derive(Debug, Serialize, Deserialize)]
pub struct SearchIndex {
    /// The format version, [`FORMAT`].
    pub format: u64,
    /// The extensions.
    pub extensions: Vec<SearchEntry>,
}

/// `index.json` of an extension: all its properties and versions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionRecord {
    /// The format version, [`FORMAT`].
    pub format: u64,
    /// The registry's id of the extension.
    pub id: String,
    /// The extension.
    pub name: ExtensionName,
    /// The publisher.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    /// When the first version was published, ISO 8601.
    pub created_at: String,
    /// When the record last changed, ISO 8601.
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
    /// Why it was deprecated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation_reason: Option<String>,
    /// The extension to use instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<ExtensionName>,
    /// The versions in the order of publishing.
    pub versions: Vec<VersionRecord>,
}

/// One published version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionRecord {
    /// The version.
    pub version: CalVer,
    /// The channel.
    pub channel: Channel,
    /// When it was published, ISO 8601.
    pub published_at: String,
    /// The SHA-256 of the archive.
    pub checksum: Digest,
    /// The size of the archive in bytes.
    pub size: u64,
    /// The description in the manifest.
    pub description: String,
    /// The URL of the source repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    /// The extensions that this one needs.
    pub dependencies: Vec<ExtensionRef>,
    /// The platforms that the extension works on; empty means all.
    pub platforms: Vec<String>,
    /// Words for searching.
    pub labels: Vec<String>,
    /// Paths of executable files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binaries: Vec<String>,
    /// The changes in this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_notes: Option<String>,
    /// When it was yanked, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked_at: Option<String>,
    /// Why it was yanked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yank_reason: Option<String>,
    /// The declarations in the archive, by kind.
    pub content_metadata: Value,
}

impl ExtensionRecord {
    /// The record of a version, if it was published.
    pub fn version(&self, version: CalVer) -> Option<&VersionRecord> {
        self.versions.iter().find(|record| record.version == version)
    }

    /// Whether the version, or the whole extension, is yanked.
    pub fn is_yanked(&self, record: &VersionRecord) -> bool {
        self.yanked_at.is_some() || record.yanked_at.is_some()
    }

    /// The reason of the yank: the version's, else the extension's.
    pub fn yank_reason<'a>(&'a self, record: &'a VersionRecord) -> Option<&'a str> {
        record.yank_reason.as_deref().or(self.yank_reason.as_deref())
    }

    /// The newest version on `channel` that is not yanked.
    pub fn latest(&self, channel: Channel) -> Option<&VersionRecord> {
        let offered =
            self.versions.iter().filter(|record| record.channel == channel && !self.is_yanked(record));
        offered.max_by_key(|record| record.version)
    }

    /// The version whose description stands for the extension: the newest of the most finished channel. If all are yanked,
    /// the newest.
    pub fn representative(&self) -> Option<&VersionRecord> {
        let offered = Channel::ALL.into_iter().rev().find_map(|channel| self.latest(channel));
        offered.or_else(|| self.versions.iter().max_by_key(|record| record.version))
    }

    /// The version as the protocol describes it.
    pub fn version_info(&self, record: &VersionRecord) -> VersionInfo {
        VersionInfo {
            version: record.version,
            channel: record.channel,
            published_at: record.published_at.clone(),
            yanked: self.is_yanked(record),
            checksum: Some(record.checksum),
            size: Some(record.size),
            dependencies: Some(record.dependencies.clone()),
        }
    }

    /// All versions as the protocol describes them, newest first.
    pub fn version_infos(&self) -> Vec<VersionInfo> {
        let mut versions: Vec<VersionInfo> =
            self.versions.iter().map(|record| self.version_info(record)).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version.version));
        versions
    }

    /// The extension as the protocol describes it.
    pub fn info(&self) -> ExtensionInfo {
        let face = self.representative();
        let latest = |channel| self.latest(channel).map(|record| record.version);
        let (content_types, content_names) =
            face.map(|face| contents(&face.content_metadata)).unwrap_or_default();
        ExtensionInfo {
            id: self.id.clone(),
            name: self.name.clone(),
            namespace: Some(self.name.collective().to_owned()),
            description: face.map(|face| face.description.clone()).unwrap_or_default(),
            repository: face.and_then(|face| face.repository.clone()),
            homepage_url: None,
            license: None,
            platforms: face.map(|face| face.platforms.clone()).unwrap_or_default(),
            labels: face.map(|face| face.labels.clone()).unwrap_or_default(),
            content_types,
            content_names,
            latest_version: latest(Channel::Stable),
            latest_rc: latest(Channel::Rc),
            latest_beta: latest(Channel::Beta),
            author: self.author.clone(),
            created_at: self.created_at.clone(),
            updated_at: self.updated_at.clone(),
            yanked_at: self.yanked_at.clone(),
            yank_reason: self.yank_reason.clone(),
            deprecated_at: self.deprecated_at.clone(),
            deprecated_by_user_id: None,
            deprecation_reason: self.deprecation_reason.clone(),
            superseded_by: self.superseded_by.clone(),
            repository_verified: None,
            repository_verified_at: None,
            repository_verified_url: None,
            pull_count: 0,
            score: None,
            dependencies: face.map(|face| face.dependencies.clone()),
            is_private: None,
            content_metadata: face
                .map(|face| face.content_metadata.clone())
                .filter(|content| !content.is_null()),
        }
    }

    /// The extension's entry in the search index.
    pub fn search_entry(&self) -> SearchEntry {
        let info = self.info();
        SearchEntry {
            id: info.id,
            name: info.name,
            description: info.description,
            repository: info.repository,
            repository_verified: None,
            repository_verified_url: None,
            platforms: info.platforms,
            labels: info.labels,
            content_types: info.content_types,
            content_names: info.content_names,
            latest_version: info.latest_version,
            latest_rc: info.latest_rc,
            latest_beta: info.latest_beta,
            created_at: info.created_at,
            updated_at: info.updated_at,
            deprecated_at: info.deprecated_at,
            deprecation_reason: info.deprecation_reason,
            superseded_by: info.superseded_by,
        }
    }
}

/// The kinds in the content metadata, and the names of the listed items.
fn contents(content: &Value) -> (Vec<String>, Vec<String>) {
    let Value::Object(kinds) = content else { return Default::default() };
    let (mut types, mut names) = (Vec::new(), Vec::new());
    for (kind, items) in kinds {
        let Value::Array(items) = items else { continue };
        if items.is_empty() {
            continue;
        }
        types.push(kind.clone());
        for item in items {
            let name = ["type", "name", "extendsType"].iter().find_map(|key| item.get(key)?.as_str());
            names.extend(name.map(str::to_owned));
        }
    }
    names.sort();
    names.dedup();
    (types, names)
}
