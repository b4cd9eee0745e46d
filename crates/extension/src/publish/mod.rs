//! From a manifest to an archive that may be published.
//!
//! Preparing reads and judges; it changes nothing, anywhere. What it finds wrong it tells all at once. The archive is
//! packed deterministically from what was judged, so a dry run and a push make the same bytes.

mod collect;
mod error;
mod gates;

use std::path::Path;

use marsh_archive::rules::Finding;
use marsh_archive::{PackEntry, Packed, Source, pack};
use marsh_registry::PushMetadata;
use marsh_repo::Repo;
use marsh_types::{Channel, Manifest, RelPath};
use serde_json::{Value, json};

pub use error::PublishError;

/// Everything about an extension that is about to be published.
#[derive(Debug)]
pub struct Publication {
    pub manifest: Manifest,
    /// Sorted by path.
    pub files: Vec<PublishedFile>,
    pub warnings: Vec<Finding>,
    /// What it declares, for the registry's index and for people.
    pub content: Value,
}

/// A file as the archive will hold it.
#[derive(Debug, Clone)]
pub struct PublishedFile {
    pub path: RelPath,
    pub content: Vec<u8>,
    pub executable: bool,
    pub(crate) is_binary: bool,
}

impl Publication {
    /// Reads the manifest and everything that it lists, and judges it.
    pub fn prepare(repo: &Repo, manifest_path: &Path) -> Result<Publication, PublishError> {
        if manifest_path.extension().is_some_and(|ext| ext == "ts" || ext == "js") {
            return Err(PublishError::NotAManifest { path: manifest_path.to_owned() });
        }
        let text = std::fs::read_to_string(manifest_path)
            .map_err(|source| PublishError::Read { path: manifest_path.to_owned(), source })?;
        let manifest = Manifest::parse(&text)
            .map_err(|source| PublishError::Manifest { path: manifest_path.to_owned(), source })?;
        let mut files = collect::collect(repo, manifest_path, &manifest)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let judged = gates::judge(&manifest, &files)?;
        Ok(Publication { manifest, files, warnings: judged.warnings, content: judged.content })
    }

    /// Writes the archive.
    pub fn pack(&self, out: impl std::io::Write) -> Result<Packed, PublishError> {
        let manifest = self.manifest.to_archive_yaml()?;
        let mut entries = vec![PackEntry {
            path: RelPath::parse("manifest.yaml")?,
            source: Source::Bytes(manifest.into_bytes()),
            executable: false,
        }];
        entries.extend(self.files.iter().map(|file| PackEntry {
            path: file.path.clone(),
            source: Source::Bytes(file.content.clone()),
            executable: file.executable,
        }));
        Ok(pack(entries, out)?)
    }

    /// What the registry is told.
    pub fn metadata(&self, channel: Channel, release_notes: Option<String>) -> PushMetadata {
        let manifest = &self.manifest;
        PushMetadata {
            name: manifest.name.clone(),
            version: manifest.version,
            description: manifest.description.clone().unwrap_or_default(),
            dependencies: manifest.dependencies.clone(),
            platforms: manifest.platforms.clone(),
            labels: manifest.labels.clone(),
            repository: manifest.repository.clone(),
            release_notes: release_notes.or_else(|| manifest.release_notes.clone()),
            binaries: manifest.binaries.iter().map(ToString::to_string).collect(),
            channel: channel.unless_stable(),
            checksum: None,
        }
    }

    /// The document that a push begins with.
    pub fn to_json(&self) -> Value {
        let manifest = &self.manifest;
        json!({
            "name": manifest.name,
            "version": manifest.version,
            "description": manifest.description,
            "repository": manifest.repository,
            "platforms": manifest.platforms,
            "labels": manifest.labels,
            "dependencies": manifest.dependencies,
            "files": self.files.iter().map(|file| &file.path).collect::<Vec<_>>(),
            "content": self.content,
            "warnings": self.warnings,
        })
    }
}
