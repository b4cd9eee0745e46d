//! The installed set of extensions, and the registry that it comes from.
//!
//! Invariants:
//! * An operation that changes the set names itself to others: processes that wait for the lock, and the history, see
//!   `marsh extension <operation>` (`tests/it/extension.rs`).
//! * Whatever happens on the way reaches the caller's event sink; nothing is printed here.

mod change;
pub(crate) mod documents;
mod query;

use std::time::Duration;

use marsh_bundle::Worker;
use marsh_extension::LoadError;
use marsh_extension::lifecycle::{Lifecycle, LifecycleOptions};
use marsh_extension::publish::Builder;
use marsh_registry::{ClientOptions, Location, LocationError};
use marsh_repo::{Repo, env};

use crate::error::AppError;
use crate::session::{App, Program, RegistryChoice};

pub use change::{Changed, CollectRequest, InstallRequest, PullRequest, RemoveRequest, UpdateRequest};
pub use query::{ExtensionListing, SearchRequest, SearchSort};

/// The installed set of a repository, and its registry: what to look at, to change and to publish.
#[derive(Debug)]
pub struct Extensions {
    repo: Repo,
    options: LifecycleOptions,
    builder: Builder,
    current_dir: std::path::PathBuf,
    path_variable: Option<String>,
}

impl App {
    /// The installed set of the repository, with this registry. Opens and locks nothing.
    ///
    /// # Errors
    ///
    /// When there is no repository, the registry's name is invalid, or the user has no cache directory.
    pub fn extensions(&self, choice: &RegistryChoice) -> Result<Extensions, AppError> {
        self.extensions_of(self.repo()?, choice)
    }

    pub(crate) fn extensions_of(&self, repo: Repo, choice: &RegistryChoice) -> Result<Extensions, AppError> {
        let options = self.lifecycle_options(choice, &repo)?;
        let settings = self.settings();
        let Program { path, bundle_arguments, .. } = settings.program.clone();
        let builder = Builder {
            worker: Worker::new(path, bundle_arguments),
            cache_dir: self.cache_dir()?,
            offline: options.offline,
        };
        let path_variable = settings.environment.raw("PATH").map(str::to_owned);
        Ok(Extensions { repo, options, builder, current_dir: settings.current_dir.clone(), path_variable })
    }

    /// What installs extensions that a session needs and the repository trusts.
    pub(crate) fn automatic_lifecycle(&self) -> Result<Lifecycle, AppError> {
        let repo = self.repo()?;
        let options = self.lifecycle_options(&RegistryChoice::default(), &repo)?;
        Ok(Lifecycle::new(repo, LifecycleOptions { command: command("auto-install"), ..options }))
    }

    fn lifecycle_options(&self, choice: &RegistryChoice, repo: &Repo) -> Result<LifecycleOptions, AppError> {
        let environment = &self.settings().environment;
        let offline = choice.offline || environment.flag(env::OFFLINE);
        let registry = self.registry_location(choice.registry.as_deref(), Some(repo))?;
        let client = self.client_options(offline, self.api_key_of(&registry)?);
        Ok(LifecycleOptions {
            command: String::new(),
            lock_timeout: choice.lock_timeout.unwrap_or_else(|| environment.lock_timeout()),
            offline,
            archive_cache: self.cache_dir()?.join("archives").join("v1"),
            registry,
            client,
            jobs: 8,
            allow_missing_checksum: false,
        })
    }

    /// `given`, else the environment's registry, else the marker's, else the user's own directory registry.
    pub(crate) fn registry_location(
        &self,
        given: Option<&str>,
        repo: Option<&Repo>,
    ) -> Result<Location, AppError> {
        let environment = &self.settings().environment;
        let usage = |error: LocationError| AppError::usage(error.to_string());
        if let Some(text) = given.or_else(|| environment.get(env::REGISTRY)) {
            return Location::parse(text, &self.settings().current_dir).map_err(usage);
        }
        if let Some((repo, text)) = repo.and_then(|repo| Some((repo, repo.marker.text("registry")?))) {
            return Location::parse(text, repo.layout.root()).map_err(usage);
        }
        let home = environment.home_dir().ok_or(LoadError::NoCacheDir)?;
        Ok(Location::Directory(home.join("registry")))
    }

    pub(crate) fn client_options(&self, offline: bool, api_key: Option<String>) -> ClientOptions {
        ClientOptions {
            offline,
            user_agent: format!("marsh/{}", self.settings().version),
            api_key,
            timeout: Duration::from_secs(15),
            transfer_timeout: Duration::from_secs(120),
            max_archive_bytes: 64 << 20,
            retries: 3,
        }
    }
}

/// What an operation is called in the history, and by processes that wait for it.
fn command(operation: &str) -> String {
    format!("marsh extension {operation}")
}

impl Extensions {
    /// The registry, as messages name it.
    pub fn registry(&self) -> String {
        self.options.registry.to_string()
    }

    pub(crate) fn repo(&self) -> &Repo {
        &self.repo
    }

    pub(crate) fn builder(&self) -> &Builder {
        &self.builder
    }

    /// Where programs are looked for.
    pub(crate) fn path_variable(&self) -> Option<&str> {
        self.path_variable.as_deref()
    }

    /// The repository and the manifest to publish from. With a directory of sources, manifest and sources are there, and
    /// everything else is in the repository.
    pub(crate) fn sources(
        &self,
        manifest: &std::path::Path,
        extensions_dir: Option<&std::path::Path>,
    ) -> Result<(Repo, std::path::PathBuf), AppError> {
        let Some(dir) = extensions_dir else { return Ok((self.repo.clone(), self.absolute(manifest))) };
        let full = self.absolute(dir);
        let wrong = |reason: &str| AppError::Usage {
            message: format!("invalid `--extensions-dir` {}: {reason}", dir.display()),
            hint: Some("name the directory that holds the manifest and the directories of sources".into()),
        };
        let full = full.canonicalize().map_err(|_| wrong("there is no such directory"))?;
        if !full.is_dir() {
            return Err(wrong("expected a directory"));
        }
        if full.starts_with(self.repo.layout.state()) {
            return Err(wrong("it is inside `.swamp`"));
        }
        let mut repo = self.repo.clone();
        for kind in marsh_types::Kind::ALL {
            let sources = match repo.marker.source_dir(kind) {
                Some(dir) => full.join(dir),
                None => full.join("extensions").join(kind.directory()),
            };
            let key = kind.spec().source_dir.marker_key;
            repo.marker.set(key, serde_json::json!(sources));
        }
        Ok((repo, full.join(manifest)))
    }

    /// A path of the caller, read against the caller's directory.
    pub(crate) fn absolute(&self, path: &std::path::Path) -> std::path::PathBuf {
        self.current_dir.join(path)
    }

    /// What runs this operation.
    pub(crate) fn lifecycle(&self, operation: &str) -> Lifecycle {
        Lifecycle::new(
            self.repo.clone(),
            LifecycleOptions { command: command(operation), ..self.options.clone() },
        )
    }
}
