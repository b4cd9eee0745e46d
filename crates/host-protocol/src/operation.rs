//! What the shim can do with a module: one operation for each thing that marsh asks of an export.

use std::path::PathBuf;

use marsh_types::Kind;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use crate::Nothing;
use crate::methods::methods;

methods! {
    /// An operation with its parameters.
    Operation,
    /// The name of an operation.
    OperationName {
        /// Checks an export of a kind and describes it. Answer: the description as JSON text.
        Describe(Describe) = "describe",
        /// Waits for the module to load.
        Load(Load) = "load",
        /// Answer: the names of the module's exports.
        Exports(Exports) = "exports",
        /// Upgrades and checks arguments for a method that runs elsewhere. Answer: [`Prepared`].
        Prepare(Prepare) = "prepare",
        /// Runs pre-flight checks without a method. Answer: a [`CheckResult`] each.
        Check(Check) = "check",
        /// Runs a method. Answer: [`Returned`].
        Run(Run) = "run",
        /// Answer: the value of a key.
        VaultGet(VaultGet) = "vault.get",
        /// Stores the value of a key.
        VaultPut(VaultPut) = "vault.put",
        /// Answer: the keys.
        VaultList(VaultList) = "vault.list",
        /// Removes a key.
        VaultDelete(VaultDelete) = "vault.delete",
        /// Answer: the provider's own name.
        VaultName(VaultName) = "vault.name",
        /// Answer: which of the optional members the provider has.
        VaultMembers(VaultMembers) = "vault.members",
        /// Answer: the annotation of a key.
        VaultGetAnnotation(VaultGetAnnotation) = "vault.getAnnotation",
        /// Stores the annotation of a key.
        VaultPutAnnotation(VaultPutAnnotation) = "vault.putAnnotation",
        /// Removes the annotation of a key.
        VaultDeleteAnnotation(VaultDeleteAnnotation) = "vault.deleteAnnotation",
        /// Answer: all annotations by key.
        VaultListAnnotations(VaultListAnnotations) = "vault.listAnnotations",
        /// Answer: [`Health`].
        DatastoreVerify(DatastoreVerify) = "datastore.verify",
        /// Answer: [`DataPlace`].
        DatastorePlace(DatastorePlace) = "datastore.place",
        /// Answer: the path of the data.
        DatastoreResolvePath(DatastoreResolvePath) = "datastore.resolvePath",
        /// Answer: the path of the local copy, if the extension chooses it.
        DatastoreResolveCachePath(DatastoreResolveCachePath) = "datastore.resolveCachePath",
        /// Holds the lock while the caller works (`datastore/locked`).
        DatastoreWithLock(DatastoreWithLock) = "datastore.withLock",
        /// Answer: the lock's information, if it is held.
        DatastoreInspectLock(DatastoreInspectLock) = "datastore.inspectLock",
        /// Releases a lock of another holder.
        DatastoreForceReleaseLock(DatastoreForceReleaseLock) = "datastore.forceReleaseLock",
        /// Copies remote changes. Answer: how many files, if the extension counts them.
        DatastorePull(DatastorePull) = "datastore.pull",
        /// Copies local changes. Answer: how many files, if the extension counts them.
        DatastorePush(DatastorePush) = "datastore.push",
        /// Announces that a file is about to change.
        DatastoreMarkDirty(DatastoreMarkDirty) = "datastore.markDirty",
        /// Answer: what the sync service can do.
        DatastoreCapabilities(DatastoreCapabilities) = "datastore.capabilities",
        /// Prepares a driver.
        DriverInitialize(DriverInitialize) = "driver.initialize",
        /// Runs a method through a driver. Answer: [`DriverResult`].
        DriverExecute(DriverExecute) = "driver.execute",
        /// Runs a report. Answer: [`ReportResult`].
        ReportExecute(ReportExecute) = "report.execute",
    }
}

impl OperationName {
    /// The name without the kind: `get` of `vault.get`.
    pub fn member(self) -> &'static str {
        let name = self.as_str();
        name.split_once('.').map_or(name, |(_, member)| member)
    }
}

/// The parameters of one operation, which fix the type of its answer.
pub trait Ask: Into<Operation> {
    /// The operation.
    const NAME: OperationName;
    /// What the shim answers.
    type Answer: DeserializeOwned;
}

macro_rules! asks {
    ($( $Params:ident -> $Answer:ty ),* $(,)?) => { $(
        impl From<$Params> for Operation {
            fn from(params: $Params) -> Operation {
                Operation::$Params(params)
            }
        }

        impl Ask for $Params {
            const NAME: OperationName = OperationName::$Params;
            type Answer = $Answer;
        }
    )* };
}

asks! {
    Describe -> Box<RawValue>,
    Load -> Nothing,
    Exports -> Vec<String>,
    Prepare -> Prepared,
    Check -> Vec<CheckResult>,
    Run -> Returned,
    VaultGet -> String,
    VaultPut -> Nothing,
    VaultList -> Vec<String>,
    VaultDelete -> Nothing,
    VaultName -> String,
    VaultMembers -> Vec<String>,
    VaultGetAnnotation -> Option<Value>,
    VaultPutAnnotation -> Nothing,
    VaultDeleteAnnotation -> Nothing,
    VaultListAnnotations -> Map<String, Value>,
    DatastoreVerify -> Health,
    DatastorePlace -> DataPlace,
    DatastoreResolvePath -> String,
    DatastoreResolveCachePath -> Option<String>,
    DatastoreWithLock -> Nothing,
    DatastoreInspectLock -> Option<Value>,
    DatastoreForceReleaseLock -> Value,
    DatastorePull -> Option<f64>,
    DatastorePush -> Option<f64>,
    DatastoreMarkDirty -> Nothing,
    DatastoreCapabilities -> Value,
    DriverInitialize -> Nothing,
    DriverExecute -> DriverResult,
    ReportExecute -> ReportResult,
}

/// Declares parameter structs: documentation, name, fields.
macro_rules! params {
    ($( $(#[$doc:meta])* $Name:ident { $( $(#[$field_doc:meta])* $field:ident: $ty:ty ),* $(,)? } )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $Name { $( $(#[$field_doc])* pub $field: $ty ),* }
    )* };
}

/// Parameters of an operation on a vault: its name and configuration, and what each operation adds.
macro_rules! vault_params {
    ($( $(#[$doc:meta])* $Name:ident { $( $(#[$field_doc:meta])* $field:ident: $ty:ty ),* $(,)? } )*) => {
        params! { $( $(#[$doc])* $Name {
            /// The vault's name.
            name: String,
            /// The vault's configuration, as it is written.
            config: Map<String, Value>,
            $( $(#[$field_doc])* $field: $ty ),*
        } )* }
    };
}

/// Parameters of an operation on a datastore or driver: its configuration, and what each operation adds.
macro_rules! configured_params {
    ($( $(#[$doc:meta])* $Name:ident { $( $(#[$field_doc:meta])* $field:ident: $ty:ty ),* $(,)? } )*) => {
        params! { $( $(#[$doc])* $Name {
            /// The configuration, as it is written.
            config: Map<String, Value>,
            $( $(#[$field_doc])* $field: $ty ),*
        } )* }
    };
}

params! {
    /// Parameters of `describe`.
    Describe {
        /// The kind of export.
        kind: Kind,
    }
    /// Parameters of `load`.
    Load {}
    /// Parameters of `exports`.
    Exports {}
    /// The definition that a method runs on.
    RunDefinition {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// Its version.
        version: Value,
        /// Its tags.
        tags: Value,
        /// The version of its type that it was made for, if known.
        type_version: Option<String>,
    }
    /// Parameters of `run` and `prepare`.
    RunParams {
        /// The method's name.
        method: String,
        /// The type, normalized.
        r#type: String,
        /// The definition.
        definition: RunDefinition,
        /// Evaluated global arguments, with secrets.
        global_arguments: Value,
        /// Global arguments as the definition holds them.
        stored_global_arguments: Value,
        /// Global arguments that could not be evaluated, with the reasons.
        #[serde(default)]
        unresolved_globals: Value,
        /// Evaluated method arguments, with secrets.
        method_arguments: Value,
        /// Method arguments without secrets.
        #[serde(default)]
        unresolved_method_arguments: Value,
        /// Which checks run.
        #[serde(default)]
        checks: RunChecks,
        /// The repository, when the host can read it at this path.
        repo_dir: Option<PathBuf>,
    }
    /// Parameters of `check`.
    Check {
        /// The definition and its arguments. Its method may be empty.
        run: RunParams,
        /// The checks.
        names: Vec<String>,
    }
    /// What one check answered.
    CheckResult {
        /// The name of the check.
        name: String,
        /// What it found; absent: it passed.
        error: Option<String>,
    }
    /// The answer to `prepare`.
    Prepared {
        /// Parsed global arguments.
        global_arguments: Value,
        /// Parsed method arguments.
        method_arguments: Value,
        /// The method's kind.
        kind: Option<String>,
    }
    /// The answer to `run`.
    Returned {
        /// The results that the method returned, or all that it wrote.
        handles: Vec<ReturnedHandle>,
        /// The method's kind.
        kind: Option<String>,
    }
    /// A result that a method returned.
    ReturnedHandle {
        /// The name that the code gave it, if it is a text.
        name: Option<String>,
        /// The id of the data, if it is a text.
        data_id: Option<String>,
    }
}

/// Which pre-flight checks run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunChecks {
    /// Checks that the definition requires.
    pub require: Vec<String>,
    /// Checks that the definition skips.
    pub skip: Vec<String>,
    /// Skips every check that is not required.
    pub skip_all: bool,
    /// Skips checks by name.
    pub skip_names: Vec<String>,
    /// Skips checks by label.
    pub skip_labels: Vec<String>,
}

/// Parameters of `run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Run(pub RunParams);

/// Parameters of `prepare`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prepare(pub RunParams);

vault_params! {
    /// Parameters of `vault.get`.
    VaultGet {
        /// The key.
        key: String,
    }
    /// Parameters of `vault.put`.
    VaultPut {
        /// The key.
        key: String,
        /// The secret.
        value: String,
        /// Tags for the provider, if any.
        tags: Option<Map<String, Value>>,
    }
    /// Parameters of `vault.list`.
    VaultList {}
    /// Parameters of `vault.delete`.
    VaultDelete {
        /// The key.
        key: String,
    }
    /// Parameters of `vault.name`.
    VaultName {}
    /// Parameters of `vault.members`.
    VaultMembers {}
    /// Parameters of `vault.getAnnotation`.
    VaultGetAnnotation {
        /// The key.
        key: String,
    }
    /// Parameters of `vault.putAnnotation`.
    VaultPutAnnotation {
        /// The key.
        key: String,
        /// The annotation.
        annotation: Value,
    }
    /// Parameters of `vault.deleteAnnotation`.
    VaultDeleteAnnotation {
        /// The key.
        key: String,
    }
    /// Parameters of `vault.listAnnotations`.
    VaultListAnnotations {}
}

configured_params! {
    /// Parameters of `datastore.verify`.
    DatastoreVerify {}
    /// Parameters of `datastore.place`.
    DatastorePlace {
        /// The repository.
        repo_dir: PathBuf,
    }
    /// Parameters of `datastore.resolvePath`.
    DatastoreResolvePath {
        /// The repository.
        repo_dir: PathBuf,
    }
    /// Parameters of `datastore.resolveCachePath`.
    DatastoreResolveCachePath {
        /// The repository.
        repo_dir: PathBuf,
    }
    /// Parameters of `datastore.withLock`.
    DatastoreWithLock {
        /// The datastore's path.
        path: String,
        /// Options of the lock.
        options: Value,
    }
    /// Parameters of `datastore.inspectLock`.
    DatastoreInspectLock {
        /// The datastore's path.
        path: String,
        /// Options of the lock.
        options: Value,
    }
    /// Parameters of `datastore.forceReleaseLock`.
    DatastoreForceReleaseLock {
        /// The datastore's path.
        path: String,
        /// Options of the lock.
        options: Value,
        /// The holder's nonce.
        nonce: String,
    }
    /// Parameters of `datastore.pull`.
    DatastorePull {
        /// The repository.
        repo_dir: PathBuf,
        /// The local copy.
        cache_path: PathBuf,
        /// Options of the sync service.
        options: Value,
    }
    /// Parameters of `datastore.push`.
    DatastorePush {
        /// The repository.
        repo_dir: PathBuf,
        /// The local copy.
        cache_path: PathBuf,
        /// Options of the sync service.
        options: Value,
    }
    /// Parameters of `datastore.markDirty`.
    DatastoreMarkDirty {
        /// The repository.
        repo_dir: PathBuf,
        /// The local copy.
        cache_path: PathBuf,
        /// Options of the sync service.
        options: Value,
    }
    /// Parameters of `datastore.capabilities`.
    DatastoreCapabilities {
        /// The repository.
        repo_dir: PathBuf,
        /// The local copy.
        cache_path: PathBuf,
    }
    /// Parameters of `driver.initialize`.
    DriverInitialize {}
    /// Parameters of `driver.execute`.
    DriverExecute {
        /// The execution request, with the bundle as base64.
        request: Value,
    }
}

/// Parameters of `report.execute`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReportExecute {
    /// The members of the report's context, `scope` among them.
    pub context: Value,
    /// The repository, when the host can read it at this path.
    pub repo_dir: Option<PathBuf>,
    /// Paths of sensitive arguments, by `global` and `method`.
    #[serde(default)]
    pub sensitive: SensitiveArguments,
}

/// Paths of arguments that the schema marks as sensitive.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SensitiveArguments {
    /// Of global arguments.
    #[serde(default)]
    pub global: Vec<String>,
    /// Of method arguments.
    #[serde(default)]
    pub method: Vec<String>,
}

/// What a datastore's verifier found.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// Whether the datastore works.
    pub healthy: bool,
    /// What the verifier says.
    #[serde(default)]
    pub message: String,
    /// Milliseconds that the check took.
    #[serde(default)]
    pub latency_ms: f64,
    /// The datastore's type.
    #[serde(default)]
    pub datastore_type: String,
    /// Details of the extension's own.
    #[serde(default)]
    pub details: Value,
}

/// Where a datastore keeps its data, or wants marsh's copy of them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataPlace {
    /// Whether the datastore synchronizes.
    pub syncs: bool,
    /// The path of the data.
    pub path: PathBuf,
    /// The path of the local copy, if the extension chooses it.
    #[serde(default)]
    pub cache_path: Option<PathBuf>,
}

/// What a driver's run ended with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriverResult {
    /// Success or error.
    pub status: DriverStatus,
    /// The reason of an error.
    #[serde(default)]
    pub error: Option<String>,
    /// Outputs to be stored.
    #[serde(default)]
    pub outputs: Vec<DriverOutput>,
    /// Lines that the driver logged.
    #[serde(default)]
    pub logs: Vec<String>,
    /// Milliseconds that the run took.
    #[serde(default)]
    pub duration_ms: Option<f64>,
}

/// Whether a driver's run succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverStatus {
    /// The method succeeded.
    Success,
    /// The method failed.
    Error,
}

/// An output of a driver's run.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DriverOutput {
    /// `pending` when it is still to be stored.
    pub kind: String,
    /// The output that the type declares; the name when absent.
    pub spec_name: Option<String>,
    /// The name of the result.
    pub name: String,
    /// `resource` or `file`.
    #[serde(rename = "type")]
    pub output_type: String,
    /// Tags of the result.
    #[serde(default)]
    pub tags: Map<String, Value>,
    /// The content as base64.
    pub base64: String,
}

/// The answer of a report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ReportResult {
    /// The text for people.
    pub markdown: String,
    /// The JSON text as the report made it.
    pub json: String,
}
