//! Publishing a version into a directory registry.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_fs::{Durability, LockFile, NewFile};
use marsh_types::{CalVer, Digest, DigestWriter, ExtensionName, ignore};
use serde_json::Value;

use super::layout::{ExtensionRecord, FORMAT, VersionRecord};
use super::{Directory, named};
use crate::error::RegistryError;
use crate::protocol::{Author, Published, PushMetadata};

/// Sweeping holds the lock of the uploads only briefly.
const UPLOADS_WAIT: Duration = Duration::from_secs(60);
const MAX_TEXT: usize = 20_000;
const LEFT_UPLOAD: &str =
    "a file that is left in the uploads does no harm, and the next publication removes it";

/// An archive in the registry's private directory, durable and measured. Dropping it removes the file unless it was
/// published. While a value of this type exists in any process, no process removes the uploads of dead publishers.
#[derive(Debug)]
pub struct StagedArchive {
    path: PathBuf,
    /// The SHA-256 of the bytes.
    pub digest: Digest,
    /// The number of bytes.
    pub size: u64,
    published: bool,
    _in_progress: LockFile,
}

impl StagedArchive {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for StagedArchive {
    fn drop(&mut self) {
        if !self.published {
            ignore(marsh_fs::remove_file_if_exists(&self.path), LEFT_UPLOAD);
        }
    }
}

impl Directory {
    /// The directory of staged archives.
    pub fn uploads(&self) -> PathBuf {
        self.private().join("uploads")
    }

    /// Copies the bytes of `from` into the registry's private directory, at most `limit`. The measured copy is published, so
    /// later changes of the source have no effect.
    ///
    /// # Errors
    /// [`RegistryError::TooLarge`]; or `from` cannot be read, or a file cannot be written.
    pub fn stage(&self, from: &mut dyn Read, limit: u64) -> Result<StagedArchive, RegistryError> {
        let uploads = self.uploads();
        marsh_fs::create_dir_all(&uploads)?;
        marsh_fs::set_mode(&self.private(), 0o700)?;
        ignore(self.sweep_uploads(), LEFT_UPLOAD);
        let in_progress = marsh_fs::lock_shared(&self.uploads_lock(), UPLOADS_WAIT, &mut |_| {})?;
        let path = uploads.join(format!("{}.tar.gz", uuid::Uuid::new_v4()));
        let mut file = NewFile::create(&path)?;
        // From here on, dropping `staged` removes the file.
        let mut staged = StagedArchive {
            path,
            digest: Digest::of(b""),
            size: 0,
            published: false,
            _in_progress: in_progress,
        };
        let mut digest = DigestWriter::new();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let count = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(RegistryError::read(staged.path(), error)),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            staged.size += count as u64;
            if staged.size > limit {
                return Err(RegistryError::TooLarge { what: "the archive".into(), limit });
            }
            digest.update(bytes);
            file.write(bytes)?;
        }
        file.finish(Durability::Synced)?;
        staged.digest = digest.finish();
        Ok(staged)
    }

    /// Copies, checks and publishes the archive at `path`, of at most `limit` bytes.
    ///
    /// # Errors
    /// As [`stage`](Self::stage) and [`publish_staged`](Self::publish_staged).
    pub fn publish(
        &self,
        metadata: &PushMetadata,
        content: &Value,
        path: &Path,
        limit: u64,
    ) -> Result<Published, RegistryError> {
        self.check()?;
        // Check before the copy, so that publishing a version that exists fails at once.
        self.check_push(metadata)?;
        let mut file = File::open(path).map_err(|error| RegistryError::read(path, error))?;
        let staged = self.stage(&mut file, limit)?;
        self.publish_staged(metadata, content, staged, None)
    }

    /// Checks whether this version could be published now.
    ///
    /// # Errors
    /// [`RegistryError::ValidationFailed`] or [`RegistryError::AlreadyExists`]; or the record cannot be read.
    pub fn check_push(&self, metadata: &PushMetadata) -> Result<(), RegistryError> {
        validate(metadata)?;
        match self.record_if_any(&metadata.name)? {
            Some(record) => refuse_existing(&record, metadata.version),
            None => Ok(()),
        }
    }

    /// Publishes a staged archive.
    ///
    /// # Errors
    /// [`RegistryError::ValidationFailed`], [`RegistryError::AlreadyExists`] or [`RegistryError::ChecksumMismatch`]; or the
    /// lock cannot be taken, or a file cannot be written.
    pub fn publish_staged(
        &self,
        metadata: &PushMetadata,
        content: &Value,
        mut staged: StagedArchive,
        author: Option<Author>,
    ) -> Result<Published, RegistryError> {
        self.check()?;
        validate(metadata)?;
        if let Some(expected) = metadata.checksum
            && expected != staged.digest
        {
            let what = named(&metadata.name, Some(metadata.version));
            return Err(RegistryError::ChecksumMismatch { what, expected, found: staged.digest });
        }
        let _lock = self.lock()?;
        let now = marsh_types::time::iso_millis(jiff::Timestamp::now());
        let mut record =
            self.record_if_any(&metadata.name)?.unwrap_or_else(|| first_record(&metadata.name, author, &now));
        refuse_existing(&record, metadata.version)?;
        // Archives are named by their digest, so an existing one is equal.
        let archive = self.archive(&staged.digest);
        marsh_fs::rename(staged.path(), &archive)?;
        staged.published = true;
        marsh_fs::sync_dir(archive.parent().unwrap_or(self.root()))?;
        record.versions.push(version_record(metadata, content, &staged, &now));
        record.updated_at = now;
        self.commit(&record)?;
        Ok(Published {
            extension_id: record.id,
            name: record.name,
            version: metadata.version,
            checksum: Some(staged.digest),
            size: Some(staged.size),
        })
    }

    fn uploads_lock(&self) -> PathBuf {
        self.private().join("uploads.lock")
    }

    /// Removes the uploads of dead publishers, unless a process uploads now.
    fn sweep_uploads(&self) -> Result<(), RegistryError> {
        let left = || fs::read_dir(self.uploads()).into_iter().flatten().flatten();
        if left().next().is_none() {
            return Ok(());
        }
        // Listed again under the lock: no living process owns the files that are there now.
        if let Some(_alone) = marsh_fs::try_lock_exclusive(&self.uploads_lock(), "sweep")? {
            for entry in left() {
                ignore(marsh_fs::remove_file_if_exists(&entry.path()), LEFT_UPLOAD);
            }
        }
        Ok(())
    }
}

fn validate(metadata: &PushMetadata) -> Result<(), RegistryError> {
    let refuse = |message: String| Err(RegistryError::ValidationFailed { message });
    let texts = [Some(&metadata.description), metadata.release_notes.as_ref(), metadata.repository.as_ref()];
    if texts.into_iter().flatten().any(|text| text.len() > MAX_TEXT) {
        return refuse(format!("a text of the metadata has more than {MAX_TEXT} bytes"));
    }
    if metadata.dependencies.iter().any(|dependency| dependency.name == metadata.name) {
        return refuse(format!("{} depends on itself", metadata.name));
    }
    Ok(())
}

fn refuse_existing(record: &ExtensionRecord, version: CalVer) -> Result<(), RegistryError> {
    let Some(existing) = record.version(version) else { return Ok(()) };
    Err(RegistryError::AlreadyExists {
        message: format!(
            "{}@{version} is already published on channel {} with SHA-256 {}",
            record.name, existing.channel, existing.checksum
        ),
        checksum: Some(existing.checksum),
    })
}

fn first_record(name: &ExtensionName, author: Option<Author>, now: &str) -> ExtensionRecord {
    ExtensionRecord {
        format: FORMAT,
        id: uuid::Uuid::new_v4().to_string(),
        name: name.clone(),
        author,
        created_at: now.to_owned(),
        updated_at: now.to_owned(),
        yanked_at: None,
        yank_reason: None,
        deprecated_at: None,
        deprecation_reason: None,
        superseded_by: None,
        versions: Vec::new(),
    }
}

fn version_record(
    metadata: &PushMetadata,
    content: &Value,
    staged: &StagedArchive,
    now: &str,
) -> VersionRecord {
    VersionRecord {
        version: metadata.version,
        channel: metadata.channel.unwrap_or_default(),
        published_at: now.to_owned(),
        checksum: staged.digest,
        size: staged.size,
        description: metadata.description.clone(),
        repository: metadata.repository.clone(),
        dependencies: metadata.dependencies.clone(),
        platforms: metadata.platforms.clone(),
        labels: metadata.labels.clone(),
        binaries: metadata.binaries.clone(),
        release_notes: metadata.release_notes.clone(),
        yanked_at: None,
        yank_reason: None,
        content_metadata: content.clone(),
    }
}
