//! A repository, opened: to read, or to write under the lock of its datastore.

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use marsh_api::event::{EventSink, InstallEvent};
use marsh_bundle::Worker;
use marsh_datastore::{Choice, Datastore, DatastoreError};
use marsh_extension::lifecycle::AutoInstall;
use marsh_extension::{LoadError, LoadOptions, Loader, LoaderOptions, OnFailure};
use marsh_host_client::{CancelToken, HostCommand, Hosts, Limits, Retention};
use marsh_model::Models;
use marsh_registry::RegistryError;
use marsh_repo::{Environment, Repo, env};
use marsh_vault::Secrets;
use serde_json::Value;

use crate::error::AppError;
use crate::install_events::SharedEvents;

/// The program that runs hosts and bundling workers: marsh itself.
#[derive(Debug, Clone)]
pub struct Program {
    /// The executable.
    pub path: PathBuf,
    /// What makes it a host.
    pub host_arguments: Vec<String>,
    /// What makes it a bundling worker.
    pub bundle_arguments: Vec<String>,
}

/// What an interface passes in: nothing below reads the process's own environment.
#[derive(Clone)]
pub struct Settings {
    /// The directory that the caller named; `None`: found from `current_dir` and the environment.
    pub repo_dir: Option<PathBuf>,
    /// The directory against which relative paths are read.
    pub current_dir: PathBuf,
    /// The environment variables.
    pub environment: Environment,
    /// The program of hosts and workers.
    pub program: Program,
    /// How long loading the code of a type may take; `None`: 30 s.
    pub load_timeout: Option<Duration>,
    /// Receives what is installed without a request.
    pub installs: Arc<dyn EventSink<InstallEvent> + Send + Sync>,
    /// The version of marsh, for registries.
    pub version: &'static str,
    /// The name under which the user runs marsh, for texts that outlive the command.
    pub name: &'static str,
}

impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("repo_dir", &self.repo_dir).finish_non_exhaustive()
    }
}

/// Which registry a request uses, and how.
#[derive(Debug, Clone, Default)]
pub struct RegistryChoice {
    /// A directory or an address; `None`: the environment's, else the marker's, else the user's own directory.
    pub registry: Option<String>,
    /// Whether the network is off.
    pub offline: bool,
    /// How long to wait for the lock of the installed set; `None`: the environment's.
    pub lock_timeout: Option<Duration>,
}

/// The entry to everything: opens sessions and the installed set of one repository.
#[derive(Debug, Clone)]
pub struct App {
    settings: Settings,
}

impl App {
    /// An application with these settings. Opens nothing.
    pub fn new(settings: Settings) -> App {
        App { settings }
    }

    /// What the interface passed in.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Finds the repository, without opening its data.
    ///
    /// # Errors
    ///
    /// When there is no repository, or its marker is invalid.
    pub fn repo(&self) -> Result<Repo, AppError> {
        let Settings { repo_dir, environment, current_dir, .. } = &self.settings;
        Ok(Repo::find(repo_dir.as_deref(), environment, current_dir)?)
    }

    /// Opens the repository for one command. Starts no host.
    ///
    /// # Errors
    ///
    /// When there is no repository, or its marker or its datastore's configuration is invalid.
    pub fn session(&self) -> Result<Session, AppError> {
        let environment = self.settings.environment.clone();
        let mut repo = self.repo()?;
        let choice = Choice::of(&repo, &environment)?;
        let loader = self.loader(&repo, Retention::default(), OnFailure::Report)?;
        let datastore = Datastore::open(&choice, &mut repo, &environment, &loader)?;
        let models = Models::new(repo, environment, loader).called(self.settings.name);
        Ok(Session { models, datastore })
    }

    /// The loader of a session or a server, with hosts of its own. Starts none.
    pub(crate) fn loader(
        &self,
        repo: &Repo,
        retention: Retention,
        on_failure: OnFailure,
    ) -> Result<Loader, AppError> {
        let cache_dir = self.cache_dir()?;
        let Program { path, host_arguments, bundle_arguments } = self.settings.program.clone();
        let hosts = Hosts::new(HostCommand {
            program: path.clone(),
            args: host_arguments,
            bytecode_cache: Some(cache_dir.join("bytecode")),
            cwd: None,
        })
        .with_retention(retention);
        let installs = Arc::new(SharedEvents(Arc::clone(&self.settings.installs)));
        let options = LoaderOptions {
            worker: Worker::new(path, bundle_arguments),
            cache_dir,
            offline: self.settings.environment.flag(env::OFFLINE),
            limits: Limits::default(),
            engines: self.engines(repo)?,
            cancel: CancelToken::new(),
            auto: Some(AutoInstall::new(self.automatic_lifecycle()?, installs)),
        };
        let loader = Loader::new(repo.clone(), options, Arc::new(hosts)).on_failure(on_failure);
        Ok(match self.settings.load_timeout {
            Some(timeout) => loader.for_call(LoadOptions { timeout }),
            None => loader,
        })
    }

    /// A lock file of the repository, which its holder keeps to change something that `command` names.
    pub(crate) fn lock(
        &self,
        repo: &Repo,
        file: &str,
        command: &str,
    ) -> Result<marsh_fs::LockFile, AppError> {
        let path = repo.layout.locks().join(file);
        let timeout = self.settings.environment.lock_timeout();
        Ok(marsh_fs::lock_exclusive(&path, timeout, command, &mut |_| {}).map_err(RegistryError::from)?)
    }

    pub(crate) fn cache_dir(&self) -> Result<PathBuf, AppError> {
        Ok(self.settings.environment.cache_dir().ok_or(LoadError::NoCacheDir)?)
    }
}

/// The user who starts runs, for their records.
pub(crate) fn initiated_by(environment: &Environment) -> Option<String> {
    environment.raw("USER").or_else(|| environment.raw("LOGNAME")).map(|user| format!("user:{user}"))
}

/// A repository, opened.
#[derive(Debug)]
pub struct Session {
    pub(crate) models: Models,
    pub(crate) datastore: Option<Datastore>,
}

/// What a change returned, and whether the datastore took it.
#[derive(Debug)]
pub struct Pushed<T> {
    /// What the change returned.
    pub value: T,
    /// `Err`: the change is on this machine and was not pushed; the next change pushes it first.
    pub pushed: Result<(), DatastoreError>,
}

impl Session {
    /// Everything that changes no data.
    pub fn read(&self) -> Read<'_> {
        Read { models: &self.models, datastore: self.datastore.as_ref() }
    }

    /// Everything that changes data: under the lock of the datastore, on a fresh copy; `work`'s changes are pushed
    /// before the lock is released.
    ///
    /// # Errors
    ///
    /// When the lock cannot be taken or the copy cannot be made fresh. `work` did not run then.
    pub fn write<T>(&self, work: impl FnOnce(&Write<'_>) -> T) -> Result<Pushed<T>, AppError> {
        let write = Write { read: self.read() };
        let Some(store) = &self.datastore else { return Ok(Pushed { value: work(&write), pushed: Ok(()) }) };
        let changed = store.exclusively(|| work(&write))?;
        Ok(Pushed { value: changed.value, pushed: changed.pushed.map(|_| ()) })
    }

    /// Changes what needs no lock, or must not wait for it: a run whose owner may hold the lock (an approval), and
    /// secrets with their audit trail. The holder of the lock, or the next one, pushes the change.
    ///
    /// # Errors
    ///
    /// When the change cannot be noted for the next push. `work` did not run then.
    pub fn write_beside_owner<T>(&self, work: impl FnOnce(&Write<'_>) -> T) -> Result<T, AppError> {
        if let Some(store) = &self.datastore {
            store.remember()?;
        }
        Ok(work(&Write { read: self.read() }))
    }

    /// The datastore of an extension that holds the data, if one does.
    pub fn datastore(&self) -> Option<&Datastore> {
        self.datastore.as_ref()
    }

    /// The same, to change its options.
    pub fn datastore_mut(&mut self) -> Option<&mut Datastore> {
        self.datastore.as_mut()
    }

    /// The secrets that entered the session. Whatever shows documents or messages masks them.
    pub fn secrets(&self) -> &Secrets {
        &self.models.secrets
    }

    /// Cancels what the session does.
    pub fn cancel(&self) -> &CancelToken {
        self.models.loader.cancel()
    }

    /// Stops what the session does, from any thread.
    pub fn canceller(&self) -> Canceller {
        Canceller::of(&self.models.loader)
    }

    /// Masks the secrets that entered the session in a document that leaves it.
    pub fn mask(&self, mut value: Value) -> Value {
        if !self.models.secrets.is_empty() {
            self.models.secrets.redact_value(&mut value);
        }
        value
    }
}

/// Stops what a session or a server does: politely, or at once.
#[derive(Debug, Clone)]
pub struct Canceller {
    token: CancelToken,
    hosts: Arc<Hosts>,
}

impl Canceller {
    pub(crate) fn of(loader: &Loader) -> Canceller {
        Canceller { token: loader.cancel().clone(), hosts: Arc::clone(loader.hosts()) }
    }

    /// What is cancelled by [`Canceller::cancel`].
    pub fn token(&self) -> &CancelToken {
        &self.token
    }

    /// Asks everything that runs to end.
    pub fn cancel(&self, reason: &str) {
        self.token.cancel(reason);
    }

    /// Whether everything was asked to end.
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Kills every host and every child process at once.
    pub fn kill_all(&self) {
        self.hosts.kill_all();
        marsh_model::builtin::shell::kill_all();
    }
}

/// A session that changes no data.
#[derive(Debug, Clone, Copy)]
pub struct Read<'a> {
    models: &'a Models,
    datastore: Option<&'a Datastore>,
}

impl<'a> Read<'a> {
    pub(crate) fn models(&self) -> &'a Models {
        self.models
    }

    pub(crate) fn datastore(&self) -> Option<&'a Datastore> {
        self.datastore
    }

    /// A path as documents show it: relative to the repository where it is inside.
    pub fn display(&self, path: &std::path::Path) -> String {
        self.models.repo.layout.display(path).display().to_string()
    }

    /// A directory for files of this process, inside the repository's derived state. Not created.
    pub fn scratch_dir(&self, name: &str) -> PathBuf {
        self.models.repo.layout.derived().join(name)
    }

    /// The value of an environment variable of the command.
    pub fn variable(&self, variable: env::Variable) -> Option<&'a str> {
        self.models.env.get(variable)
    }

    /// The editor that the user prefers.
    pub fn editor(&self) -> &'a str {
        self.models.env.get(env::EDITOR).unwrap_or("vi")
    }
}

/// A session that can change data. Reads everything that a [`Read`] does.
#[derive(Debug)]
pub struct Write<'a> {
    read: Read<'a>,
}

impl<'a> Deref for Write<'a> {
    type Target = Read<'a>;

    fn deref(&self) -> &Read<'a> {
        &self.read
    }
}
