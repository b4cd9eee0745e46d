//! External datastores: a repository's data in another directory, or in the store of an extension.
//!
//! With an extension, marsh works on a local copy. The extension pulls remote changes into it and pushes local ones.
//! Invariants, held by the binary's `tests/it/datastores.rs`:
//! * A process that changes data holds the datastore's lock from before the pull until after the push
//!   ([`Datastore::exclusively`]).
//! * A note on disk says that local changes are not pushed yet. It is written before data change, so it outlives a process
//!   that dies, and the next process pushes before it pulls.
//! * If the datastore is unreachable, a change either does not begin, or its results stay in the copy, with the note.
//!   Reading uses the copy and needs no datastore.

#![warn(missing_docs)]

mod choice;
mod error;
mod location;
mod locked;
mod moving;

use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_extension::Loader;
use marsh_extension::kinds::datastore::{Health, Trees};
use marsh_extension::kinds::{CallOptions, DatastoreExtension};
use marsh_fs::Durability;
use marsh_host_client::CancelToken;
use marsh_repo::{Environment, Repo, env};
use serde_json::{Value, json};

pub use choice::{Choice, DIRECTORIES, check_namespace};
pub use error::DatastoreError;
pub use moving::{Moved, TreeMoves};

/// How long a pull or a push may take, unless the environment or the command line says otherwise.
const SYNC_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a lock lives that its holder does not renew.
const LOCK_TTL: Duration = Duration::from_secs(30);
/// The content of the note about local changes.
const NOTE: &str = "changed and not pushed yet\n";

/// The datastore of an extension, for one repository.
#[derive(Debug)]
pub struct Datastore {
    extension: DatastoreExtension,
    repo_dir: PathBuf,
    root: PathBuf,
    syncs: bool,
    note: PathBuf,
    lock_timeout: Duration,
    sync_timeout: Duration,
    cancel: CancelToken,
}

/// The result of a change.
#[derive(Debug)]
pub struct Changed<T> {
    /// What the work returned.
    pub value: T,
    /// How many files were pulled before the work, if the extension counts them.
    pub pulled: Option<f64>,
    /// How many files were pushed, if the extension counts them, or why the push failed.
    pub pushed: Result<Option<f64>, DatastoreError>,
}

/// The direction of a synchronization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Remote changes come here.
    Pull,
    /// Local changes go there.
    Push,
    /// A pull, then a push.
    Both,
}

/// How many files a synchronization moved, if the extension counts them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Synchronized {
    /// Files that were pulled.
    pub pulled: Option<f64>,
    /// Files that were pushed.
    pub pushed: Option<f64>,
}

impl Datastore {
    /// Opens the datastore of a choice and points the repository's layout at its data. `None`: the data are in the
    /// repository or in a directory.
    ///
    /// # Errors
    ///
    /// The extension cannot be loaded, or does not say where its data are.
    pub fn open(
        choice: &Choice,
        repo: &mut Repo,
        environment: &Environment,
        loader: &Loader,
    ) -> Result<Option<Datastore>, DatastoreError> {
        match choice {
            Choice::Local => Ok(None),
            Choice::Directory { path, directories, .. } => {
                repo.layout.move_state(path.clone(), directories.clone());
                Ok(None)
            }
            Choice::Extension { type_name, config, directories } => {
                let extension = DatastoreExtension::open(loader, type_name, config)?;
                let location = location::of(&extension, repo, environment, type_name, config)?;
                let note = repo.layout.datastore_note();
                let store = Datastore {
                    extension,
                    repo_dir: repo.layout.root().to_path_buf(),
                    root: location.root.clone(),
                    syncs: location.syncs,
                    note,
                    lock_timeout: environment.lock_timeout(),
                    sync_timeout: sync_timeout(environment)?,
                    cancel: loader.cancel().clone(),
                };
                repo.layout.move_state(location.root, directories.clone());
                Ok(Some(store))
            }
        }
    }

    /// The type of the extension.
    pub fn type_name(&self) -> &str {
        self.extension.loaded().type_name.as_str()
    }

    /// The local copy.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether there are local changes that were not pushed yet.
    pub fn has_changes(&self) -> bool {
        self.note.exists()
    }

    /// Limits the time of each pull and each push.
    pub fn limit_sync(&mut self, limit: Duration) {
        self.sync_timeout = limit;
    }

    /// Asks the extension whether its store is usable.
    ///
    /// # Errors
    ///
    /// The call of the extension failed.
    pub fn verify(&self) -> Result<Health, DatastoreError> {
        Ok(self.extension.verify()?)
    }

    /// Takes the lock, pulls, does `work`, and pushes what it changed.
    ///
    /// # Errors
    ///
    /// The lock was not free in time, or the pull failed: `work` did not begin.
    pub fn exclusively<T>(&self, work: impl FnOnce() -> T) -> Result<Changed<T>, DatastoreError> {
        self.locked(|| {
            let pulled = self.pull()?;
            self.remember()?;
            let value = work();
            Ok(Changed { value, pulled, pushed: self.push() })
        })
    }

    /// Notes that there are local changes. They are pushed before the next pull.
    ///
    /// # Errors
    ///
    /// The note cannot be written, or the extension failed.
    pub fn remember(&self) -> Result<(), DatastoreError> {
        if !self.syncs {
            return Ok(());
        }
        if let Some(dir) = self.note.parent() {
            marsh_fs::create_dir_all(dir)?;
        }
        marsh_fs::atomic_write(&self.note, NOTE.as_bytes(), Durability::Synced)?;
        self.extension
            .clone()
            .with_options(self.options(&self.cancel))
            .mark_dirty(&self.trees(), &json!({}))?;
        Ok(())
    }

    /// Pulls, pushes, or both, with the lock held.
    ///
    /// # Errors
    ///
    /// There is nothing to synchronize, the lock was not free in time, or the extension failed.
    pub fn synchronize(&self, direction: Direction) -> Result<Synchronized, DatastoreError> {
        if !self.syncs {
            return Err(DatastoreError::NothingToSync { type_name: self.type_name().to_owned() });
        }
        self.locked(|| {
            let mut done = Synchronized::default();
            if direction == Direction::Push {
                done.pushed = self.push()?;
                return Ok(done);
            }
            done.pulled = self.pull()?;
            if direction == Direction::Both {
                done.pushed = self.push()?;
            }
            Ok(done)
        })
    }

    /// The holder of the lock, as the extension describes it.
    ///
    /// # Errors
    ///
    /// The call of the extension failed.
    pub fn lock_holder(&self) -> Result<Option<Value>, DatastoreError> {
        Ok(self.extension.inspect_lock(&self.lock_path(), &self.lock_options())?)
    }

    /// Releases the lock by force. Returns its holder; `None`: the lock was free.
    ///
    /// # Errors
    ///
    /// The extension failed, or describes the holder without a nonce, by which a lock is released.
    pub fn release_lock(&self) -> Result<Option<Value>, DatastoreError> {
        let Some(holder) = self.lock_holder()? else { return Ok(None) };
        let Some(nonce) = holder.get("nonce").and_then(Value::as_str) else {
            return Err(DatastoreError::NoNonce { type_name: self.type_name().to_owned() });
        };
        self.extension.force_release_lock(&self.lock_path(), &self.lock_options(), nonce)?;
        Ok(Some(holder))
    }

    /// Local changes that a process left when it died go first: the pull would overwrite them.
    fn pull(&self) -> Result<Option<f64>, DatastoreError> {
        if !self.syncs {
            return Ok(None);
        }
        if self.has_changes() {
            self.push()?;
        }
        marsh_fs::create_dir_all(&self.root)?;
        let extension = self.extension.clone().with_options(self.options(&self.cancel));
        Ok(extension.pull(&self.trees(), &json!({}))?)
    }

    /// Has a cancel token of its own: the results of work that was cancelled are kept.
    fn push(&self) -> Result<Option<f64>, DatastoreError> {
        if !self.syncs {
            return Ok(None);
        }
        let extension = self.extension.clone().with_options(self.options(&CancelToken::new()));
        let pushed = extension.push(&self.trees(), &json!({}));
        let pushed = pushed.map_err(|source| DatastoreError::NotPushed { source: Box::new(source) })?;
        marsh_fs::remove_file_if_exists(&self.note)?;
        Ok(pushed)
    }

    fn options(&self, cancel: &CancelToken) -> CallOptions {
        CallOptions { deadline: self.sync_timeout, cancel: cancel.clone() }
    }

    fn trees(&self) -> Trees<'_> {
        Trees { repo_dir: &self.repo_dir, cache_path: &self.root }
    }
}

fn sync_timeout(environment: &Environment) -> Result<Duration, DatastoreError> {
    let Some(text) = environment.get(env::DATASTORE_SYNC_TIMEOUT_MS) else { return Ok(SYNC_TIMEOUT) };
    match text.trim().parse() {
        Ok(millis) if millis > 0 => Ok(Duration::from_millis(millis)),
        _ => Err(DatastoreError::Choice {
            place: env::DATASTORE_SYNC_TIMEOUT_MS.name.to_owned(),
            reason: format!("invalid number of milliseconds `{text}`"),
        }),
    }
}
