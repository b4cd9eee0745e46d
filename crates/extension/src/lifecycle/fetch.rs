//! From a chosen version to a leased tree: store, else cache, else registry; verified, unpacked in private, published.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use marsh_archive::ArchiveLimits;
use marsh_registry::{Location, Registry};
use marsh_store::{Lease, Staging, StoredFile, TreeRecord, TreeState};
use marsh_types::{CalVer, Channel, Digest, ExtensionName, Manifest};

use super::Lifecycle;
use super::error::LifecycleError;
use super::pick::Pick;
use super::report::{Event, Reporter};

/// A tree that is ready to be published, with what it is.
type Staged = Result<(Staging, TreeRecord), LifecycleError>;

/// Trees that are unpacked before they are synced and published together.
const BATCH: usize = 64;

impl Lifecycle {
    /// Leases for all picks, in their order. Trees that the store lacks are fetched, several at once. A pick that fails has
    /// its error in its place and does not stop the others.
    pub(crate) fn acquire(
        &self,
        picks: &[Pick],
        repair: bool,
        reporter: &dyn Reporter,
    ) -> Result<Vec<Result<Lease, LifecycleError>>, LifecycleError> {
        let mut leases = Vec::with_capacity(picks.len());
        for batch in picks.chunks(BATCH) {
            leases.extend(self.acquire_batch(batch, repair, reporter)?);
        }
        Ok(leases)
    }

    fn acquire_batch(
        &self,
        picks: &[Pick],
        repair: bool,
        reporter: &dyn Reporter,
    ) -> Result<Vec<Result<Lease, LifecycleError>>, LifecycleError> {
        let mut results: Vec<Option<Result<Lease, LifecycleError>>> = Vec::new();
        for pick in picks {
            let usable = self.usable(pick, repair, reporter);
            results.push(usable.transpose());
        }
        let open: Vec<usize> = (0..picks.len()).filter(|index| results[*index].is_none()).collect();
        let unpacked = self.unpack_all(&open, picks, reporter);
        let (mut ready, mut published) = (Vec::new(), Vec::new());
        for (index, result) in unpacked {
            match result {
                Ok(staged) => {
                    ready.push(staged);
                    published.push(index);
                }
                Err(error) => results[index] = Some(Err(error)),
            }
        }
        self.installation.trees().publish(ready)?;
        for index in published {
            let pick = &picks[index];
            reporter.event(Event::Stored { name: &pick.name, version: pick.version });
            results[index] = Some(match self.installation.trees().lease(&pick.checksum)? {
                Some(lease) => Ok(lease),
                None => {
                    Err(marsh_store::StoreError::NotHeld { name: pick.name.clone(), digest: pick.checksum }
                        .into())
                }
            });
        }
        Ok(results
            .into_iter()
            .zip(picks)
            .map(|(result, pick)| {
                result.unwrap_or_else(|| {
                    Err(marsh_store::StoreError::NotHeld { name: pick.name.clone(), digest: pick.checksum }
                        .into())
                })
            })
            .collect())
    }

    /// The tree as the store has it; `None` when it must be built. With `repair` a changed tree is set
    /// aside, after an event that lists its changes.
    fn usable(
        &self,
        pick: &Pick,
        repair: bool,
        reporter: &dyn Reporter,
    ) -> Result<Option<Lease>, LifecycleError> {
        let trees = self.installation.trees();
        match trees.check(&pick.checksum, repair)? {
            TreeState::Missing => return Ok(None),
            TreeState::Damaged { files } => {
                // Without its archive, a damaged tree is better than none.
                self.archive(pick, reporter)?;
                let files: Vec<String> = files.iter().map(ToString::to_string).collect();
                reporter.event(Event::Overwriting { name: &pick.name, files: &files });
                trees.set_aside(&pick.checksum)?;
                return Ok(None);
            }
            TreeState::Whole => {}
        }
        let Some(lease) = trees.lease(&pick.checksum)? else { return Ok(None) };
        let record = lease.record();
        if record.name != pick.name || record.version != pick.version {
            return Err(LifecycleError::OtherManifest {
                name: pick.name.clone(),
                version: pick.version,
                found_name: record.name.clone(),
                found_version: record.version,
            });
        }
        Ok(Some(lease))
    }

    fn unpack_all(&self, open: &[usize], picks: &[Pick], reporter: &dyn Reporter) -> Vec<(usize, Staged)> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(open.len()));
        let work = || {
            while let Some(index) = open.get(next.fetch_add(1, Ordering::Relaxed)) {
                let result = self.unpack(&picks[*index], reporter);
                done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((*index, result));
            }
        };
        let workers = self.options.jobs.clamp(1, open.len().max(1));
        if workers == 1 {
            work();
        } else {
            std::thread::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(work);
                }
            });
        }
        done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn unpack(&self, pick: &Pick, reporter: &dyn Reporter) -> Staged {
        let archive = self.archive(pick, reporter)?;
        let refused =
            |source| LifecycleError::Archive { name: pick.name.clone(), version: pick.version, source };
        let file =
            File::open(&archive).map_err(|source| LifecycleError::Read { path: archive.clone(), source })?;
        let archive_bytes = file.metadata().map_or(0, |metadata| metadata.len());
        let staging = self.installation.trees().stage()?;
        let unpacked =
            marsh_archive::unpack(BufReader::new(file), &staging.tree(), &ArchiveLimits::default())
                .map_err(refused)?;
        let manifest = &unpacked.manifest;
        if manifest.name != pick.name || manifest.version != pick.version {
            return Err(LifecycleError::OtherManifest {
                name: pick.name.clone(),
                version: pick.version,
                found_name: manifest.name.clone(),
                found_version: manifest.version,
            });
        }
        let files = unpacked.files.into_iter().map(|file| StoredFile {
            path: file.path,
            bytes: file.bytes,
            sha256: file.sha256,
            executable: file.executable,
        });
        let record = TreeRecord {
            format: 1,
            name: pick.name.clone(),
            version: pick.version,
            checksum: pick.checksum,
            files_checksum: unpacked.files_checksum,
            archive_bytes,
            files: files.collect(),
        };
        Ok((staging, record))
    }

    /// Fetches a version without a checksum in the registry. The digest of the answer becomes its checksum.
    pub(crate) fn unverified(
        &self,
        name: &ExtensionName,
        version: CalVer,
        channel: Channel,
        reporter: &dyn Reporter,
    ) -> Result<Digest, LifecycleError> {
        let progress = |done, total| reporter.event(Event::Downloading { name, version, done, total });
        self.cache
            .fetch_unverified(&self.registry, name, version, channel, &progress)
            .map_err(|source| LifecycleError::Registry { name: name.clone(), source })
    }

    /// The archive's file in the per-user cache, its bytes verified.
    fn archive(&self, pick: &Pick, reporter: &dyn Reporter) -> Result<PathBuf, LifecycleError> {
        if let Some(path) = self.cache.get(&pick.checksum) {
            return Ok(path);
        }
        let error = |source| LifecycleError::Registry { name: pick.name.clone(), source };
        let progress = |done, total| {
            reporter.event(Event::Downloading { name: &pick.name, version: pick.version, done, total });
        };
        let channel = pick.channel.unwrap_or(Channel::Stable);
        let fetch = |registry: &Registry| {
            self.cache.fetch(registry, &pick.name, pick.version, channel, &pick.checksum, &progress)
        };
        // Content is the same wherever it comes from: the server that the lockfile names, else the configured one.
        if let Some(other) = self.locked_registry(pick) {
            match fetch(&other) {
                Ok(path) => return Ok(path),
                Err(first) => return fetch(&self.registry).map_err(|_| error(first)),
            }
        }
        fetch(&self.registry).map_err(error)
    }

    fn locked_registry(&self, pick: &Pick) -> Option<Registry> {
        let url = pick.server_url.as_deref()?;
        if url == self.registry.location().to_string() {
            return None;
        }
        let location = Location::parse(url, self.repo.layout.root()).ok()?;
        // Credentials belong to the registry that they were given for.
        let client = marsh_registry::ClientOptions { api_key: None, ..self.options.client.clone() };
        Some(Registry::open(location, client))
    }

    /// The manifest of a version that the store does not hold.
    pub(crate) fn manifest_of(
        &self,
        pick: &Pick,
        reporter: &dyn Reporter,
    ) -> Result<Manifest, LifecycleError> {
        let archive = self.archive(pick, reporter)?;
        let file = File::open(&archive).map_err(|source| LifecycleError::Read { path: archive, source })?;
        marsh_archive::read_manifest(BufReader::new(file), &ArchiveLimits::default()).map_err(|source| {
            LifecycleError::Archive { name: pick.name.clone(), version: pick.version, source }
        })
    }
}
