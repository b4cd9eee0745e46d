//! What the kinds beside models do: one typed wrapper per kind over [`Loader::resolve_kind`]. The wrapper of a kind also
//! holds the parameters and answers of its operations (`operations!`); the table of kinds has their names.
//!
//! A wrapper is opened at the moment of use and holds one module version: what it does, it does with that version. Who
//! lives long opens anew for each use, and so sees fresh code (`Loader::resolve_kind` compares every input).
//! Contracts are checked in the host when the version is loaded (`crates/host-server/src/shim/kinds`). Errors of a call
//! name places in the sources (held by `crates/cli/tests/it/source_maps.rs`).

/// Declares the parameters of a kind's operations and the answer of each. The name of the parameters is that of the
/// operation in the table of kinds, so an operation that the table lacks does not compile.
/// `crates/extension/tests/it/kinds_table.rs` finds an operation of the table that no wrapper declares.
macro_rules! operations {
    ($(
        $(#[$doc:meta])*
        $Name:ident { $( $(#[$field_doc:meta])* $field:ident: $ty:ty ),* $(,)? } -> $Answer:ty;
    )*) => { $(
        $(#[$doc])*
        #[derive(Clone, serde::Serialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $Name { $( $(#[$field_doc])* pub $field: $ty ),* }

        impl marsh_host_client::Ask for $Name {
            const NAME: marsh_host_client::protocol::OperationName =
                marsh_host_client::protocol::OperationName::Kind(marsh_types::KindOperation::$Name);
            type Answer = $Answer;
        }
    )* };
}

pub mod datastore;
pub mod driver;
pub mod report;
pub mod vault;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use marsh_host_client::{Ask, Call, Callbacks, CancelToken, HostError, Hosts};
use marsh_types::{ErrorCode, Explain, Kind};
use serde_json::Value;

use crate::error::{LoadError, call_code};
use crate::loader::{Loaded, in_sources};

pub use datastore::DatastoreExtension;
pub use driver::{DriverExtension, DriverOutput, DriverResult};
pub use report::{ReportExecute, ReportExtension, ReportResult, SensitiveArguments};
pub use vault::VaultExtension;

/// How long one call of a vault, a datastore or a report may take.
pub const CALL_DEADLINE: Duration = Duration::from_secs(300);

/// Time and cancellation of one call.
#[derive(Debug, Clone)]
pub struct CallOptions {
    pub deadline: Duration,
    pub cancel: CancelToken,
}

impl Default for CallOptions {
    fn default() -> Self {
        CallOptions { deadline: CALL_DEADLINE, cancel: CancelToken::new() }
    }
}

/// A call of an extension's export that failed.
#[derive(Debug, thiserror::Error)]
pub enum KindError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("`{operation}` of the {kind} {name} failed: {source}")]
    Call { kind: Kind, name: String, operation: &'static str, entry: PathBuf, source: HostError },
    #[error("`{operation}` of the {kind} {name} answered something else than it must: {source}")]
    Answer { kind: Kind, name: String, operation: &'static str, source: serde_json::Error },
}

impl Explain for KindError {
    fn code(&self) -> ErrorCode {
        match self {
            KindError::Load(error) => error.code(),
            KindError::Call { source, .. } => call_code(source, ErrorCode::ExtensionCallFailed),
            KindError::Answer { .. } => ErrorCode::ContractViolation,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            KindError::Load(error) => error.hint(),
            _ => None,
        }
    }

    fn details(&self) -> Option<Value> {
        match self {
            KindError::Load(error) => error.details(),
            KindError::Call { source: HostError::Call(error), entry, .. } => {
                let mut details = error.details();
                details["entry"] = serde_json::json!(entry);
                Some(details)
            }
            _ => None,
        }
    }
}

/// One module version of an export, and the hosts that run it.
#[derive(Debug, Clone)]
struct Export {
    loaded: Loaded,
    hosts: Arc<Hosts>,
}

impl Export {
    fn call<A: Ask>(
        &self,
        params: A,
        options: &CallOptions,
        callbacks: &dyn Callbacks,
    ) -> Result<A::Answer, KindError> {
        let Loaded { kind, type_name, entry, module, host_key, .. } = &self.loaded;
        let name = type_name.to_string();
        let operation = A::NAME.member();
        let call = Call {
            operation: params.into(),
            deadline: options.deadline,
            cancel: &options.cancel,
            grace: Duration::from_millis(500),
            trace_parent: None,
        };
        let answer = self.hosts.get(host_key).and_then(|host| host.call(module, &call, callbacks)).map_err(
            |source| KindError::Call {
                kind: *kind,
                name: name.clone(),
                operation,
                entry: entry.clone(),
                source: in_sources(source, module),
            },
        )?;
        serde_json::from_str(answer.get()).map_err(|source| KindError::Answer {
            kind: *kind,
            name,
            operation,
            source,
        })
    }
}
