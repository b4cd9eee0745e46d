//! Install, remove, update, restore, roll back: every change of the installed set.
//!
//! One shape for all of them: **resolve** against the registry, **fetch** what the store does not hold (verified, unpacked
//! in private, published whole), and **commit** in one step that checks the installed set again. Only the commit holds the
//! lock. A change that is refused, interrupted or killed leaves the set as it was; trees that it fetched stay in the
//! store until they are collected.
//!
//! Invariants:
//! * The set after a change is checked under the lock, against the set as it is then: no two extensions declare one type,
//!   the dependencies of every changed extension are satisfied, and no other extension loses a dependency (`check.rs`).
//! * A resolved closure is applied to the set as it is under the lock, never to the set as it was when resolving began:
//!   each pick is added unless the version that is installed by then serves as well (`apply` in `install.rs`).
//! * An archive matches its registry's checksum, and its manifest the requested name and version (`fetch.rs`).
//! * No code runs here. Declarations are read from the syntax (`crates/extension/src/installed.rs`).

mod auto;
mod check;
mod error;
mod fetch;
mod findings;
mod inspect;
mod install;
mod misses;
mod pick;
mod remove;
mod repair;
mod report;
mod resolve;
mod restore;
mod skills;

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use marsh_registry::{ArchiveCache, ClientOptions, Location, Registry};
use marsh_repo::Repo;
use marsh_store::{CommitRequest, Facts, Installation, Lease};
use marsh_types::{Digest, Lockfile};

pub use crate::installed::installation;
use crate::installed::{RULES, read_facts};

pub use auto::{AutoInstall, MissingCause, MissingExtension};
pub use error::LifecycleError;
pub use findings::{DuplicateType, Occupant, Unsatisfied};
pub use inspect::{Inspection, InstallState, InstalledExtension, Shadowed};
pub use install::PullRequest;
pub use remove::Removed;
pub use repair::Repaired;
pub use report::{Event, ItemReport, ItemStatus, Outcome, Reporter, Silent};
pub use restore::RestoreRequest;

/// How changes are made, the same for all of one command.
#[derive(Debug, Clone)]
pub struct LifecycleOptions {
    /// The command line, for the history and for processes that wait for the lock.
    pub command: String,
    /// How long to wait for the lock.
    pub lock_timeout: Duration,
    /// Use no network.
    pub offline: bool,
    /// The per-user cache of archives.
    pub archive_cache: PathBuf,
    /// Where new extensions come from.
    pub registry: Location,
    /// How the registry is asked.
    pub client: ClientOptions,
    /// Downloads at once.
    pub jobs: usize,
    /// Install versions without a checksum in the registry; each causes a warning.
    pub allow_missing_checksum: bool,
}

/// Changes the installed set of one repository.
#[derive(Debug)]
pub struct Lifecycle {
    repo: Repo,
    installation: Installation,
    options: LifecycleOptions,
    registry: Registry,
    cache: ArchiveCache,
}

impl Lifecycle {
    /// For one repository. Opens and locks nothing.
    pub fn new(repo: Repo, options: LifecycleOptions) -> Lifecycle {
        Lifecycle {
            installation: installation(&repo),
            registry: Registry::open(options.registry.clone(), options.client.clone()),
            cache: ArchiveCache::new(options.archive_cache.clone()),
            repo,
            options,
        }
    }

    /// Allows versions without a checksum in the registry.
    pub fn accept_missing_checksums(&mut self) {
        self.options.allow_missing_checksum = true;
    }

    /// The lockfile and the store.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// The configured registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The repository.
    pub fn repo(&self) -> &Repo {
        &self.repo
    }

    /// The options.
    pub fn options(&self) -> &LifecycleOptions {
        &self.options
    }

    /// The facts of every tree that a lockfile names and the store holds.
    fn facts_of(&self, lockfile: &Lockfile) -> HashMap<Digest, Facts> {
        let digests: Vec<Digest> = lockfile.digests().collect();
        let trees = self.installation.trees();
        self.installation.catalog().facts(&digests, RULES, |digest| read_facts(trees, digest))
    }

    fn request<'a>(
        &self,
        leases: &'a [Lease],
        on_wait: &'a mut dyn FnMut(&marsh_fs::Holder),
    ) -> CommitRequest<'a> {
        CommitRequest {
            command: self.options.command.clone(),
            lock_timeout: self.options.lock_timeout,
            on_wait,
            leases,
        }
    }

    /// Updates views and skills to the lockfile, and removes leftovers of processes that died. A failure here becomes a
    /// warning, and the next command tries again.
    pub fn derive(&self, outcome: &mut Outcome) {
        match self.installation.derive_views(self.options.lock_timeout) {
            Ok(set_aside) => {
                for (from, to) in set_aside {
                    outcome.warnings.push(format!(
                        "{} was not written by marsh and was moved to {}",
                        self.repo.layout.display(&from).display(),
                        self.repo.layout.display(&to).display(),
                    ));
                }
            }
            Err(error) => {
                outcome.warnings.push(format!("the views of the installed set are out of date: {error}"))
            }
        }
        match self.derive_skills() {
            Ok(warnings) => outcome.warnings.extend(warnings),
            Err(error) => {
                outcome.warnings.push(format!("the skills of the installed set are out of date: {error}"))
            }
        }
        marsh_types::ignore(self.installation.trees().sweep(), "the next change sweeps again");
    }
}
