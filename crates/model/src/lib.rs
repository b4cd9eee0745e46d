//! Models: definitions, inputs, and the life of a method run.
//!
//! Invariants:
//! * A method's code runs in a host process or, for built-in types, as a child process; this crate owns what the code
//!   may touch (definition, data, log) and serves it through callbacks (`run/context.rs`).
//! * A result is visible whole or not at all, and a run that fails leaves no half-written version: every write goes
//!   through the data store's publish (`tests` of the data crate; the binary's `tests/it/bad_input.rs`).
//! * What a command reports as done is durable: file data are synced before they appear, and one directory sync at the end
//!   makes the names last (`run/mod.rs`).
//! * Nothing that a model marks as sensitive is stored in clear, and no secret that entered a run leaves it except to
//!   the code that asked for it (`secrets.rs`, `run/secrets.rs`; the binary's `tests/it/secrets.rs`).
//! * This crate writes to no terminal and reads no environment; both come from the caller.

pub mod builtin;
pub mod data;
pub mod definition;
pub mod direct;
pub mod driver;
pub mod error;
pub mod inputs;
mod named;
mod pins;
mod place;
pub mod query;
mod retry;
pub mod run;
pub mod secrets;
pub mod stored;
pub mod types;
pub mod validate;
pub mod vaults;

use std::sync::Arc;

use marsh_data::{DataStore, EphemeralStore, OutputStore, RunData};
use marsh_extension::Loader;
use marsh_repo::{Environment, Repo};
use marsh_vault::{Secrets, VaultLayout, VaultProvider, Vaults};

pub use definition::{Definition, DefinitionStore, Stored};
pub use driver::Driver;
pub use error::{Issue, ModelError};
pub use pins::Pins;
pub use run::{
    CheckSelection, Gate, Observer, OutputOverride, RunEvent, RunInputs, RunOutcome, RunRequest, RunStatus,
    Target, Trigger, WorkflowTrigger,
};
pub use secrets::SecretAccess;
pub use stored::{StoredData, WithData};
pub use types::{Code, TypeCode};
pub use vaults::ExtensionVaults;

/// Everything that commands about models work on.
#[derive(Debug)]
pub struct Models {
    pub repo: Repo,
    pub env: Environment,
    /// Shared by whatever one process opens on a repository.
    pub loader: Arc<Loader>,
    pub definitions: DefinitionStore,
    /// Stored data, and the ephemeral data of this command.
    pub data: RunData,
    pub outputs: OutputStore,
    pub vaults: Arc<Vaults>,
    /// The secrets that entered the runs of this command.
    pub secrets: Secrets,
}

impl Models {
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
            definitions: DefinitionStore::new(repo.layout.clone()),
            data: RunData::new(store, EphemeralStore::new(budget)),
            outputs,
            vaults: Arc::new(open_vaults(&repo, &env, provider)),
            secrets: Secrets::new(),
            repo,
            env,
            loader,
        }
    }

    pub fn hosts(&self) -> &Arc<marsh_host::Hosts> {
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
