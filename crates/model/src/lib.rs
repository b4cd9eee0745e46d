//! Models: definitions, inputs, and method runs.
//!
//! Invariants:
//! * Extension code runs in a host process, and the command lines of built-in types run as child processes under limits of
//!   time and output. This crate owns what the code may touch (definition, data, log) and serves it through callbacks
//!   (`run/context.rs`).
//! * A result is visible whole or not at all, and a run that fails leaves no half-written version: every write is published
//!   by the data store (tests of the `data` crate; the binary's `tests/it/bad_input.rs`).
//! * A result that a command reports is durable: file data are synced before they appear, and one directory sync at the end
//!   makes the names durable (`run/mod.rs`).
//! * A value that a model marks as sensitive is not stored in clear, and a secret that entered a run leaves it only to the
//!   code that asked for it (`secrets.rs`, `run/secrets.rs`; the binary's `tests/it/secrets.rs`).
//! * A failure that is not an error is a warning of the run, never silent: a log that cannot be written (`run/log.rs`), a
//!   result that cannot be shown (`run/outcome.rs`).
//! * This crate writes to no terminal and reads no environment; the caller provides both.

#![warn(missing_docs)]

pub mod builtin;
mod check_filter;
pub mod data;
mod data_record;
pub mod definition;
pub mod direct;
pub mod driver;
pub mod error;
mod input_schema;
mod input_uses;
pub mod inputs;
mod named;
mod observer;
mod pins;
pub mod query;
mod retry;
pub mod run;
mod running;
pub mod secrets;
mod source_location;
pub mod stored;
pub mod types;
pub mod validate;
pub mod vaults;
mod with_data;

use std::sync::Arc;

use marsh_data::{DataStore, EphemeralStore, OutputStore, RunData};
use marsh_extension::Loader;
use marsh_process::{Executor, LocalExecutor};
use marsh_repo::{Environment, Repo};
use marsh_vault::{Secrets, VaultLayout, VaultProvider, Vaults};

pub use data::DataMaintenance;
pub use definition::{Definition, DefinitionStore, Stored};
pub use driver::Driver;
pub use error::{Issue, ModelError};
pub use pins::Pins;
pub use run::{
    CheckSelection, Gate, Observer, OutputOverride, RunEvent, RunInputs, RunOutcome, RunRequest, RunStatus,
    Target, Trigger, WorkflowTrigger,
};
pub use running::{RunningRun, RunningRuns, TrackedRun};
pub use secrets::SecretAccess;
pub use stored::StoredData;
pub use types::{Code, TypeCode, Types};
pub use vaults::ExtensionVaults;
pub use with_data::WithData;

/// The models of one repository. Each field is a part with one job; what needs several parts is a method of this type: runs
/// (`run`), reports (`run/reports.rs`), validation (`validate.rs`), and the creation of definitions (`direct.rs`).
#[derive(Debug)]
pub struct Models {
    /// The repository.
    pub repo: Repo,
    /// The environment of the command.
    pub env: Environment,
    /// Resolves types to code. One process shares it between all that it opens on a repository.
    pub loader: Arc<Loader>,
    /// From types to their code.
    pub types: Types,
    /// Definition files.
    pub definitions: DefinitionStore,
    /// Stored data, and the ephemeral data of this command.
    pub data: RunData,
    /// Collection and orphans of stored data.
    pub maintenance: DataMaintenance,
    /// Records and logs of method runs.
    pub outputs: OutputStore,
    /// The commit of the repository, once a report has asked for it.
    pub(crate) git_sha: std::sync::OnceLock<Option<String>>,
    /// The method runs that are going on.
    pub running: RunningRuns,
    /// Secrets at rest.
    pub vaults: Arc<Vaults>,
    /// The secrets that entered the runs of this command.
    pub secrets: Secrets,
    /// Runs the command lines of `command/shell`.
    pub executor: Arc<dyn Executor>,
    /// The name under which the user runs marsh, for commands in texts that are stored.
    pub program: &'static str,
}

impl Models {
    /// The models of a repository. Reads nothing yet.
    pub fn new(repo: Repo, env: Environment, loader: impl Into<Arc<Loader>>) -> Models {
        let budget = env
            .get(marsh_repo::env::EPHEMERAL_BUDGET)
            .and_then(marsh_data::parse_budget)
            .unwrap_or(marsh_data::DEFAULT_EPHEMERAL_BUDGET);
        let loader: Arc<Loader> = loader.into();
        let provider: Arc<dyn VaultProvider> = Arc::new(ExtensionVaults::new(Arc::clone(&loader)));
        // A run syncs once, at its end; see `run/mod.rs`.
        let store = DataStore::new(repo.layout.data()).with_durable(false);
        let outputs = OutputStore::new(repo.layout.outputs()).with_durable(false);
        Models {
            types: Types::new(Arc::clone(&loader)),
            maintenance: DataMaintenance::new(repo.layout.clone(), store.clone()),
            definitions: DefinitionStore::new(repo.layout.clone()),
            data: RunData::new(store, EphemeralStore::new(budget)),
            outputs,
            git_sha: std::sync::OnceLock::new(),
            running: RunningRuns::new(&repo.layout.derived()),
            vaults: Arc::new(open_vaults(&repo, &env, provider)),
            secrets: Secrets::new(),
            executor: Arc::new(LocalExecutor),
            program: "marsh",
            repo,
            env,
            loader,
        }
    }

    /// Names the program in stored texts by this name.
    #[must_use]
    pub fn called(self, program: &'static str) -> Models {
        Models { program, ..self }
    }

    /// The processes that run extension code.
    pub fn hosts(&self) -> &Arc<marsh_host_client::Hosts> {
        self.loader.hosts()
    }
}

fn open_vaults(repo: &Repo, env: &Environment, provider: Arc<dyn VaultProvider>) -> Vaults {
    let layout = VaultLayout {
        repo: repo.layout.root().to_path_buf(),
        configs: repo.layout.vaults(),
        audit: repo.layout.audit(),
        home: env.raw("HOME").map(std::path::PathBuf::from),
    };
    Vaults::new(layout, repo.marker.text("defaultVault").map(str::to_owned), Some(provider))
}
