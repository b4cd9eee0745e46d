//! Install, remove, update, restore, roll back: every change of the installed set.
//!
//! One shape for all of them: **resolve** against the registry, **fetch** what the store does not hold (verified, unpacked
//! in private, published whole), and **commit** in one step that looks again at what is installed by then. Only the
//! commit is under the lock. A change that is refused, interrupted or killed leaves the set as it was; what it fetched
//! stays in the store until it is collected.
//!
//! Invariants:
//! * The state after a change is checked under the lock, against what is there then: no two extensions declare one type,
//!   the dependencies of whatever changed are there and satisfied, nobody who stays loses a dependency (`check.rs`).
//! * What was resolved is applied to the set as it is under the lock, never the set as it was when resolving began: of
//!   the resolved closure each part is added unless what is there now does as well (`apply` in `install.rs`).
//! * An archive is what its registry's checksum says, and says itself that it is what was asked for (`fetch.rs`).
//! * No code runs here. What a tree declares is read from its syntax (`crates/extension/src/installed.rs`).

mod auto;
mod check;
mod error;
mod fetch;
mod findings;
mod inspect;
mod install;
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

pub use auto::AutoInstall;
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
    /// What the user ran, for the history and for whoever waits.
    pub command: String,
    pub lock_timeout: Duration,
    pub offline: bool,
    /// The per-user cache of archives.
    pub archive_cache: PathBuf,
    /// Where new extensions come from.
    pub registry: Location,
    pub client: ClientOptions,
    /// Downloads at once.
    pub jobs: usize,
    /// Install what the registry states no checksum of; told as loudly as can be.
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
    pub fn new(repo: Repo, options: LifecycleOptions) -> Lifecycle {
        Lifecycle {
            installation: installation(&repo),
            registry: Registry::open(options.registry.clone(), options.client.clone()),
            cache: ArchiveCache::new(options.archive_cache.clone()),
            repo,
            options,
        }
    }

    /// For a user who says so.
    pub fn accept_missing_checksums(&mut self) {
        self.options.allow_missing_checksum = true;
    }

    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    pub fn repo(&self) -> &Repo {
        &self.repo
    }

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

    /// Brings views and skills up to the lockfile, and removes what dead processes left. A crash here is invisible, and
    /// so is a failure: the next command finds the views behind and tries again.
    pub fn derive(&self, outcome: &mut Outcome) {
        match self.installation.derive_views(self.options.lock_timeout) {
            Ok(set_aside) => {
                for (from, to) in set_aside {
                    outcome.warnings.push(format!(
                        "{} was not written by marsh and made room; it is kept in {}",
                        self.repo.layout.display(&from).display(),
                        self.repo.layout.display(&to).display(),
                    ));
                }
            }
            Err(error) => {
                outcome.warnings.push(format!("the views of the installed set are behind: {error}"))
            }
        }
        match self.derive_skills() {
            Ok(warnings) => outcome.warnings.extend(warnings),
            Err(error) => {
                outcome.warnings.push(format!("the skills of the installed set are behind: {error}"))
            }
        }
        // What cannot be swept now will be later.
        drop(self.installation.trees().sweep());
    }
}
