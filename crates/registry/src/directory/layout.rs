//! The files of a registry, the same on disk and behind a static web server.
//!
//! ```text
//! marsh-registry.json                  { "format": 1 }
//! index.json                           what search looks through
//! extensions/@a/b/index.json           one extension: ExtensionRecord
//! archives/<sha256>.tar.gz
//! private/                             locks, uploads, tokens: 0700, for no reader
//! ```
//!
//! No segment of an extension name holds a dot, so `index.json` never collides with one.

use marsh_types::{CalVer, Channel, Digest, ExtensionName, ExtensionRef};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::protocol::{Author, ExtensionInfo, SearchEntry, VersionInfo};

pub const FORMAT: u64 = 1;
pub const MARKER: &str = "marsh-registry.json";
pub const INDEX: &str = "index.json";

pub fn extension_path(name: &ExtensionName) -> String {
    format!("extensions/{name}/index.json")
}

pub fn archive_path(digest: &Digest) -> String {
    format!("archives/{digest}.tar.gz")
}

/// `marsh-registry.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct Marker {
    pub format: u64,
}

/// The root's `index.json`.
#[derive(Debug, Serialize, Deserialize)]
pub struct SearchIndex {
    pub format: u64,
    pub extensions: Vec<SearchEntry>,
}

/// Everything about one extension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionRecord {
    pub format: u64,
    pub id: String,
    pub name: ExtensionName,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<Author>,
    pub created_at: String,
    pub updated_at: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yank_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecated_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation_reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by: Option<ExtensionName>,
    /// As published, oldest first.
    pub versions: Vec<VersionRecord>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VersionRecord {
    pub version: CalVer,
    pub channel: Channel,
    pub published_at: String,
    pub checksum: Digest,
    pub size: u64,
    pub description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    pub dependencies: Vec<ExtensionRef>,
    pub platforms: Vec<String>,
    pub labels: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub binaries: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_notes: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yanked_at: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yank_reason: Option<String>,
    pub content_metadata: Value,
}

impl ExtensionRecord {
    pub fn version(&self, version: CalVer) -> Option<&VersionRecord> {
        self.versions.iter().find(|record| record.version == version)
    }

    /// Whether the version, or the extension as a whole, has been yanked.
    pub fn is_yanked(&self, record: &VersionRecord) -> bool {
        self.yanked_at.is_some() || record.yanked_at.is_some()
    }

    pub fn yank_reason<'a>(&'a self, record: &'a VersionRecord) -> Option<&'a str> {
        record.yank_reason.as_deref().or(self.yank_reason.as_deref())
    }

    pub fn latest(&self, channel: Channel) -> Option<&VersionRecord> {
        let offered =
            self.versions.iter().filter(|record| record.channel == channel && !self.is_yanked(record));
        offered.max_by_key(|record| record.version)
    }

    /// The version that speaks for the extension: the latest of the most finished channel.
    pub fn face(&self) -> Option<&VersionRecord> {
        let offered = Channel::ALL.into_iter().rev().find_map(|channel| self.latest(channel));
        offered.or_else(|| self.versions.iter().max_by_key(|record| record.version))
    }

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

    /// Newest first.
    pub fn version_infos(&self) -> Vec<VersionInfo> {
        let mut versions: Vec<VersionInfo> =
            self.versions.iter().map(|record| self.version_info(record)).collect();
        versions.sort_by_key(|version| std::cmp::Reverse(version.version));
        versions
    }

    pub fn info(&self) -> ExtensionInfo {
        let face = self.face();
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

/// Which kinds the content metadata lists, and what the listed things are called.
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
