//! Where a repository's data is, when that is not below the repository: another directory, or the store of an extension.
//!
//! With an extension, marsh works on a copy of its own, and the extension brings what changed there and takes what
//! changed here. Invariants:
//! * Whoever changes data holds the datastore's lock from before the first byte is brought until after the last one is
//!   taken ([`Datastore::exclusively`]).
//! * What was changed here and not taken yet is remembered on disk before it is changed. A process that dies leaves that
//!   note, and whoever comes next takes the changes before bringing anything.
//! * A datastore that cannot be reached stops a change before it begins, or leaves its results here, with the note.
//!   Reading needs no datastore: it reads the copy.
//!
//! Held by the binary's `tests/it/datastores.rs`.

mod choice;
mod error;
mod locked;
mod place;

use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_extension::Loader;
use marsh_extension::kinds::datastore::{Health, Trees};
use marsh_extension::kinds::{CallOptions, DatastoreExtension};
use marsh_fs::Durability;
use marsh_host_client::CancelToken;
use marsh_repo::{Environment, Repo, env};
use serde_json::{Value, json};

pub use choice::Choice;
pub use error::DatastoreError;

/// How long bringing or taking may take, if nothing says otherwise.
const SYNC_TIMEOUT: Duration = Duration::from_secs(300);
/// How long a lock lives whose holder does not renew it.
const LOCK_TTL: Duration = Duration::from_secs(30);
/// What is in the note about changes.
const NOTE: &str = "changed and not pushed yet\n";

/// The store of an extension, for one repository.
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

/// What a change came to.
#[derive(Debug)]
pub struct Changed<T> {
    pub value: T,
    /// How many files were taken, if the extension counts them; or why they were not.
    pub pushed: Result<Option<f64>, DatastoreError>,
}

/// Which way to synchronize.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Pull,
    Push,
    Both,
}

/// How many files went each way, if the extension counts them.
#[derive(Debug, Clone, Copy, Default)]
pub struct Synchronized {
    pub pulled: Option<f64>,
    pub pushed: Option<f64>,
}

impl Datastore {
    /// The store that a choice names, and the repository with its data there; `None`: data stay here or in a directory.
    pub fn open(
        choice: &Choice,
        repo: &mut Repo,
        environment: &Environment,
        loader: &Loader,
    ) -> Result<Option<Datastore>, DatastoreError> {
        match choice {
            Choice::Local => Ok(None),
            Choice::Directory { path, directories } => {
                repo.layout.move_state(path.clone(), directories.clone());
                Ok(None)
            }
            Choice::Extension { type_name, config, directories } => {
                let extension = DatastoreExtension::open(loader, type_name, config)?;
                let place = place::of(&extension, repo, environment, type_name, config)?;
                let note = repo.layout.datastore_note();
                let store = Datastore {
                    extension,
                    repo_dir: repo.layout.root().to_path_buf(),
                    root: place.root.clone(),
                    syncs: place.syncs,
                    note,
                    lock_timeout: environment.lock_timeout(),
                    sync_timeout: sync_timeout(environment)?,
                    cancel: loader.cancel().clone(),
                };
                repo.layout.move_state(place.root, directories.clone());
                Ok(Some(store))
            }
        }
    }

    /// The type of the extension.
    pub fn type_name(&self) -> &str {
        self.extension.loaded().type_name.as_str()
    }

    /// The copy that marsh works on.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Whether something was changed here and not taken yet.
    pub fn has_changes(&self) -> bool {
        self.note.exists()
    }

    /// Bringing and taking may take this long, each.
    pub fn limit_sync(&mut self, limit: Duration) {
        self.sync_timeout = limit;
    }

    pub fn verify(&self) -> Result<Health, DatastoreError> {
        Ok(self.extension.verify()?)
    }

    /// Does `work` with the lock held, on a copy that is as new as the store; then takes what it changed.
    /// `Err`: `work` never began.
    pub fn exclusively<T>(&self, work: impl FnOnce() -> T) -> Result<Changed<T>, DatastoreError> {
        self.locked(|| {
            self.bring()?;
            self.remember()?;
            let value = work();
            Ok(Changed { value, pushed: self.take() })
        })
    }

    /// Notes a change that needed no lock. It is taken before anything is brought again.
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

    /// Brings, takes, or both, with the lock held.
    pub fn synchronize(&self, direction: Direction) -> Result<Synchronized, DatastoreError> {
        if !self.syncs {
            return Err(DatastoreError::NothingToSync { type_name: self.type_name().to_owned() });
        }
        self.locked(|| {
            let mut done = Synchronized::default();
            if direction == Direction::Push {
                done.pushed = self.take()?;
                return Ok(done);
            }
            done.pulled = self.bring()?;
            if direction == Direction::Both {
                done.pushed = self.take()?;
            }
            Ok(done)
        })
    }

    /// Who holds the lock, in the extension's own words.
    pub fn lock_holder(&self) -> Result<Option<Value>, DatastoreError> {
        Ok(self.extension.inspect_lock(&self.lock_path(), &self.lock_options())?)
    }

    /// Takes the lock from its holder, who is the one that `lock_holder` told of. Says whether there was one.
    pub fn release_lock(&self) -> Result<Option<Value>, DatastoreError> {
        let Some(holder) = self.lock_holder()? else { return Ok(None) };
        let nonce = holder.get("nonce").and_then(Value::as_str).unwrap_or_default();
        self.extension.force_release_lock(&self.lock_path(), &self.lock_options(), nonce)?;
        Ok(Some(holder))
    }

    /// What was left unsaid by somebody who died goes first: it must not be overwritten.
    fn bring(&self) -> Result<Option<f64>, DatastoreError> {
        if !self.syncs {
            return Ok(None);
        }
        if self.has_changes() {
            self.take()?;
        }
        marsh_fs::create_dir_all(&self.root)?;
        let extension = self.extension.clone().with_options(self.options(&self.cancel));
        Ok(extension.pull(&self.trees(), &json!({}))?)
    }

    /// Somebody who does not want to wait for the work any more still wants its results kept, so this has a token of its
    /// own.
    fn take(&self) -> Result<Option<f64>, DatastoreError> {
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
            reason: format!("`{text}` is no number of milliseconds"),
        }),
    }
}
