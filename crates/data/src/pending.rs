//! Versions that are being written.

use std::io::Read;
use std::path::{Path, PathBuf};

use marsh_fs::{Durability, LockFile, NewFile, StagedDir};
use marsh_types::{TypeName, yaml};
use sha2::{Digest, Sha256};

use crate::read::{highest_complete, pointed_at, version_numbers};
use crate::store::sync_if_there;
use crate::{DataError, DataStore, Metadata};

/// How many numbers a writer tries while other writers take them.
const TRIES: u32 = 1000;

/// A version that is being written, in private. [`finalize`](Self::finalize) publishes it; dropping it removes it.
#[derive(Debug)]
pub struct PendingVersion {
    store: DataStore,
    type_path: TypeName,
    model_id: String,
    metadata: Metadata,
    staged: StagedDir,
    raw: NewFile,
    digest: Sha256,
    size: u64,
    /// Whether the path was handed out, so that digest and size must be computed from the file.
    foreign: bool,
}

impl PendingVersion {
    pub(crate) fn new(
        store: &DataStore,
        type_path: &TypeName,
        model_id: &str,
        metadata: Metadata,
    ) -> Result<Self, DataError> {
        let staged = StagedDir::new(&store.model_dir(type_path, model_id)?)?;
        let raw = NewFile::create(&staged.path().join("raw"))?;
        Ok(PendingVersion {
            store: store.clone(),
            type_path: type_path.clone(),
            model_id: model_id.to_owned(),
            metadata,
            staged,
            raw,
            digest: Sha256::new(),
            size: 0,
            foreign: false,
        })
    }

    /// The id that the version will have.
    pub fn id(&self) -> &str {
        &self.metadata.id
    }

    /// The name of the data.
    pub fn name(&self) -> &str {
        &self.metadata.name
    }

    /// Appends content.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), DataError> {
        self.raw.write(bytes)?;
        self.digest.update(bytes);
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// The content file, for a caller that writes it. It moves when the version is published.
    pub fn path(&mut self) -> &Path {
        self.foreign = true;
        self.raw.path()
    }

    /// Publishes the version with the next free number. When this returns, `latest` names it.
    ///
    /// # Errors
    ///
    /// A file cannot be written, another owner holds the name, or no number is free.
    pub fn finalize(self) -> Result<Metadata, DataError> {
        let whole = self.whole()?;
        let latch = whole.store.latch(&whole.type_path, &whole.model_id)?;
        let is_alone = latch.is_some();
        let store = whole.store.clone();
        let (name_dir, metadata) = whole.publish(is_alone)?;
        drop(latch);
        if store.is_durable() {
            sync_if_there(&name_dir)?;
        }
        Ok(metadata)
    }

    /// [`finalize`](Self::finalize) for a caller that holds the latch of the model, if there are latches.
    pub(crate) fn finalize_latched(self, latch: Option<&LockFile>) -> Result<Metadata, DataError> {
        let store = self.store.clone();
        let (name_dir, metadata) = self.whole()?.publish(latch.is_some())?;
        if store.is_durable() {
            sync_if_there(&name_dir)?;
        }
        Ok(metadata)
    }

    /// Writes everything to disk, still in private.
    fn whole(self) -> Result<WholeVersion, DataError> {
        let PendingVersion { store, type_path, model_id, mut metadata, staged, raw, digest, size, foreign } =
            self;
        let raw_path = raw.path().to_path_buf();
        let soon = |file: NewFile| match store.is_ordered() {
            true => file.finish_soon().map(Some),
            false => file.finish(Durability::Atomic).map(|()| None),
        };
        let raw = soon(raw)?;
        let (size, checksum) = if foreign { digest_of(&raw_path)? } else { (size, hex(digest)) };
        metadata.size = Some(size);
        metadata.checksum = Some(checksum);
        let name_dir = store.name_dir(&type_path, &model_id, &metadata.name)?;
        // The number is a guess until the latch is held; a right guess keeps the write out of the latch.
        let highest = match store.written.guess(&name_dir) {
            Some(number) => Some(number),
            None => pointed_at(&name_dir)?,
        };
        metadata.version = highest.map_or(1, |latest| latest.saturating_add(1));
        let mut file = NewFile::create(&staged.path().join("metadata.yaml"))?;
        file.write(yaml::to_string(&metadata)?.as_bytes())?;
        let file = soon(file)?;
        for file in [raw, file].into_iter().flatten() {
            file.settle()?;
        }
        Ok(WholeVersion { store, type_path, model_id, metadata, staged, name_dir })
    }
}

/// A version that only lacks its number.
struct WholeVersion {
    store: DataStore,
    type_path: TypeName,
    model_id: String,
    metadata: Metadata,
    staged: StagedDir,
    name_dir: PathBuf,
}

impl WholeVersion {
    /// `is_alone`: the latch is held.
    fn publish(self, is_alone: bool) -> Result<(PathBuf, Metadata), DataError> {
        let WholeVersion { store, mut metadata, staged, name_dir, .. } = self;
        let last = store.written.last(&name_dir)?;
        store.check_owner(&metadata, &name_dir, last.as_ref())?;
        let known = last.filter(|_| is_alone).map(|last| last.number);
        claim(staged, &name_dir, &mut metadata, known)?;
        point_at(&name_dir, metadata.version, is_alone)?;
        store.written.note(&name_dir, &metadata);
        Ok((name_dir, metadata))
    }
}

/// Claims the number after `highest`, or where that is not known, after the highest there is.
fn claim(
    mut staged: StagedDir,
    name_dir: &Path,
    metadata: &mut Metadata,
    highest: Option<u32>,
) -> Result<(), DataError> {
    let mut written = metadata.version;
    let mut number = match highest {
        Some(highest) => highest.saturating_add(1),
        None => next_number(name_dir)?,
    };
    for _ in 0..TRIES {
        if number != written {
            metadata.version = number;
            write_metadata(&staged, metadata)?;
            written = number;
        }
        if !name_dir.is_dir() {
            marsh_fs::create_dir_all(name_dir)?;
        }
        match staged.publish_new(&name_dir.join(number.to_string()))? {
            None => return Ok(()),
            // A writer without the latch claimed the number.
            Some(unpublished) => staged = unpublished,
        }
        number = next_number(name_dir)?.max(number.saturating_add(1));
    }
    Err(DataError::NoFreeVersion { name: metadata.name.clone(), tries: TRIES })
}

fn next_number(name_dir: &Path) -> Result<u32, DataError> {
    Ok(version_numbers(name_dir)?.last().map_or(1, |highest| highest.saturating_add(1)))
}

fn write_metadata(staged: &StagedDir, metadata: &Metadata) -> Result<(), DataError> {
    let text = yaml::to_string(metadata)?;
    marsh_fs::atomic_write(&staged.path().join("metadata.yaml"), text.as_bytes(), Durability::Ordered)?;
    Ok(())
}

/// Makes `latest` name the new version, which is the highest if the latch is held (`is_alone`). A writer without the latch
/// may have been faster; then the highest version decides.
fn point_at(name_dir: &Path, number: u32, is_alone: bool) -> Result<(), DataError> {
    if !is_alone {
        return advance_latest(name_dir);
    }
    let latest = name_dir.join("latest");
    marsh_fs::atomic_write(&latest, number.to_string().as_bytes(), Durability::Atomic)?;
    let next = name_dir.join(number.saturating_add(1).to_string());
    if next.symlink_metadata().is_ok() {
        return advance_latest(name_dir);
    }
    Ok(())
}

/// Makes `latest` name the highest complete version. Called with the latch held, so that it never moves back; where the
/// file system has no locks, the second look repairs what a race between two writers got wrong.
pub(crate) fn advance_latest(name_dir: &Path) -> Result<(), DataError> {
    loop {
        let Some(highest) = highest_complete(name_dir)? else { return Ok(()) };
        let path = name_dir.join("latest");
        if pointed_at(name_dir)? == Some(highest) && !path.is_symlink() {
            return Ok(());
        }
        marsh_fs::atomic_write(&path, highest.to_string().as_bytes(), Durability::Atomic)?;
    }
}

fn digest_of(path: &Path) -> Result<(u64, String), DataError> {
    let mut digest = Sha256::new();
    let mut size = 0;
    let mut buffer = vec![0; 64 * 1024];
    let error = |error| DataError::read(path, error);
    // The code that wrote it may have replaced the file that was synced, by a link or a pipe, too.
    let mut file = marsh_fs::open_own(path).map_err(error)?;
    file.sync_data().map_err(error)?;
    loop {
        let read = file.read(&mut buffer).map_err(error)?;
        if read == 0 {
            return Ok((size, hex(digest)));
        }
        digest.update(&buffer[..read]);
        size += read as u64;
    }
}

pub(crate) fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The private name that a deleted directory gets before it is removed, so that it is invisible at once.
pub(crate) fn trash(model_dir: &Path) -> PathBuf {
    model_dir.join(format!("{}{}", StagedDir::PREFIX, uuid::Uuid::new_v4()))
}
