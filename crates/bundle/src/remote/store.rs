//! The per-user cache of fetched modules: `<cache>/remote/v1/url/<digest of the address>.json` says where the address led
//! and which content it had; `blob/<digest>` is the content. Entries appear by one rename; there is no lock.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use marsh_fs::{Durability, FsError, atomic_write, create_dir_all};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex::hex;

/// What the first fetch of an address found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub url: String,
    /// The address after all redirects.
    pub location: String,
    /// Of the content, 64 hex digits.
    pub sha256: String,
    pub content_type: Option<String>,
}

pub(super) struct Store {
    home: PathBuf,
}

impl Store {
    pub(super) fn new(cache: &Path) -> Store {
        Store { home: cache.join("remote").join("v1") }
    }

    fn file(&self, kind: &str, key: &str) -> PathBuf {
        self.home.join(kind).join(format!("{}.json", hex(&Sha256::digest(key.as_bytes()))))
    }

    pub(super) fn record(&self, url: &str) -> Option<Record> {
        let record: Record = serde_json::from_slice(&fs::read(self.file("url", url)).ok()?).ok()?;
        (record.url == url).then_some(record)
    }

    /// The content with this digest, if it is there undamaged.
    pub(super) fn content(&self, sha256: &str) -> Option<Vec<u8>> {
        let bytes = fs::read(self.home.join("blob").join(sha256)).ok()?;
        (hex(&Sha256::digest(&bytes)) == sha256).then_some(bytes)
    }

    pub(super) fn keep(&self, record: &Record, bytes: &[u8]) -> Result<(), FsError> {
        let blob = self.home.join("blob").join(&record.sha256);
        create_dir_all(&self.home.join("blob"))?;
        atomic_write(&blob, bytes, Durability::Synced)?;
        self.write(&self.file("url", &record.url), record)
    }

    /// The versions that were chosen for the same set of `jsr:` requirements.
    pub(super) fn versions(&self, key: &str) -> BTreeMap<String, String> {
        let text = fs::read(self.file("jsr", key)).ok();
        text.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default()
    }

    pub(super) fn keep_versions(
        &self,
        key: &str,
        versions: &BTreeMap<String, String>,
    ) -> Result<(), FsError> {
        self.write(&self.file("jsr", key), versions)
    }

    fn write<T: Serialize>(&self, file: &Path, value: &T) -> Result<(), FsError> {
        create_dir_all(file.parent().unwrap_or(&self.home))?;
        let bytes = serde_json::to_vec(value).unwrap_or_default();
        atomic_write(file, &bytes, Durability::Synced)
    }
}
