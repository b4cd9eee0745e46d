//! The protocol of `marsh serve`: what commands print about a server, and the requests and answers on its socket.

use marsh_types::{ErrorCode, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::ErrorReport;

/// A server is ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerStarted {
    /// The path of its socket.
    pub socket: String,
    /// Whether it watches the sources and reloads what changes.
    pub watching: bool,
    /// The id of its process.
    pub pid: u32,
    /// The address for webhooks; `null` without any.
    pub http: Option<String>,
}

/// A server has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ServerStopped {
    /// Whether it has.
    pub stopped: bool,
}

/// The parameters of `call`: run a method.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CallParams {
    /// Name or id of a definition; or `@type`, when `name` is given.
    pub target: String,
    /// The name of the definition when the target is a type; created if it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The method.
    pub method: String,
    /// The arguments of the method.
    #[serde(default)]
    pub inputs: Map<String, Value>,
    /// The global arguments of a definition that is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_arguments: Option<Map<String, Value>>,
    /// Tags of the data that the run writes: key and value.
    #[serde(default)]
    pub tags: Vec<(String, String)>,
    /// Run no pre-flight checks.
    #[serde(default)]
    pub skip_checks: bool,
    /// How long the method may run, in milliseconds; absent: the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Send notifications while the request runs.
    #[serde(default)]
    pub events: bool,
}

/// The parameters of `workflow`: run a workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkflowParams {
    /// Name or id.
    pub workflow: String,
    /// The inputs of the workflow.
    #[serde(default)]
    pub inputs: Map<String, Value>,
    /// Tags of the data that the run writes: key and value.
    #[serde(default)]
    pub tags: Vec<(String, String)>,
    /// Run no pre-flight checks.
    #[serde(default)]
    pub skip_checks: bool,
    /// How long each step may run, in milliseconds; absent: the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Send notifications while the request runs.
    #[serde(default)]
    pub events: bool,
}

/// The parameters of `resume`: continue a run of a workflow.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ResumeParams {
    /// Name or id.
    pub workflow: String,
    /// The run's id, or the start of it. Default: the only one that can be resumed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Do this step again, and all that follows from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Added to the inputs of the run, or replacing some.
    #[serde(default)]
    pub inputs: Map<String, Value>,
    /// Run no pre-flight checks.
    #[serde(default)]
    pub skip_checks: bool,
    /// How long each step may run, in milliseconds; absent: the server's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Send notifications while the request runs.
    #[serde(default)]
    pub events: bool,
}

/// The parameters of `evict`: unload the code of types.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EvictParams {
    /// Default: every type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
}

/// The parameters of `cancel`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelParams {
    /// The id of a request on this connection.
    pub id: u64,
}

/// What a reload did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reloaded {
    /// Types that some source declares.
    pub types: usize,
    /// Types whose newest version changed.
    pub changed: Vec<String>,
    /// Types that were loaded and whose source is gone.
    pub removed: Vec<String>,
    /// Types whose sources cannot be used as they are.
    pub failed: Vec<FailedType>,
    /// How long the reload took, in milliseconds.
    pub duration_ms: u64,
}

/// A type whose sources cannot be used as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FailedType {
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Why.
    pub error: ErrorReport,
}

/// The state of a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// The id of the server's process.
    pub pid: u32,
    /// The version of marsh.
    pub version: String,
    /// The directory of the repository.
    pub repository: String,
    /// The path of the socket; absent with `--stdio`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    /// When the server started, ISO 8601.
    pub started_at: String,
    /// Whether it watches the sources and reloads what changes.
    pub watching: bool,
    /// How many requests are not answered yet, not counting this one.
    pub in_flight: usize,
    /// How many reloads there were.
    pub reloads: u64,
    /// The memory of the process, in bytes; `null` where the system does not report it.
    pub rss_bytes: Option<u64>,
    /// The processes that run extension code.
    pub hosts: Vec<HostRow>,
    /// The types that this server has served, or tried to.
    pub types: Vec<TypeRow>,
    /// The address for webhooks; absent without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    /// The workflows that start by themselves; absent without any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<TriggerRow>,
}

/// A workflow that starts by itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TriggerRow {
    /// The name of the workflow.
    pub workflow: String,
    /// Its schedule, as written; absent for a webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// When it is due next, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether a run is under way.
    pub running: bool,
    /// How many of its runs wait.
    pub waiting: usize,
    /// How many runs were started.
    pub fired: u64,
    /// How often it was due while it was still running or waiting.
    pub skipped: u64,
    /// How often it was due while the machine slept.
    pub missed: u64,
    /// When it was started last, ISO 8601.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    /// What came of that run; `refused`: it did not start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_status: Option<String>,
    /// Why its schedule is invalid, or why its last run failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A host: a process that runs extension code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HostRow {
    /// The extension that it serves, or `local`.
    pub key: String,
    /// The id of its process.
    pub pid: u32,
    /// Its memory, in bytes; `null` where the system does not report it.
    pub rss_bytes: Option<u64>,
    /// The heaps of its module versions, in bytes.
    pub heap_bytes: u64,
    /// How many module versions it holds.
    pub versions_alive: usize,
    /// How many JavaScript runtimes it has started.
    pub runtimes_started: u64,
    /// How many of them have ended.
    pub runtimes_ended: u64,
    /// What ended engines had not freed; anything but 0 is a defect.
    pub leaked_bytes: u64,
    /// Why its state is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A type that this server has served, or tried to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TypeRow {
    /// The type.
    #[serde(rename = "type")]
    pub type_name: String,
    /// Its kind.
    pub kind: Kind,
    /// Where its source comes from; empty if no source declares it now.
    pub origin: String,
    /// The installed extension that declares it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    /// The source file; empty if no source declares it now.
    pub source: String,
    /// Whether the newest sources can be used.
    pub state: TypeState,
    /// The fingerprint of the newest version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Which runtime of its host serves it: equal numbers, the very same module version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<u64>,
    /// The newest one and those that calls in flight still use.
    pub versions_alive: usize,
    /// How many calls ended.
    pub calls: u64,
    /// How many of them failed.
    pub failed_calls: u64,
    /// How many calls are under way.
    pub in_flight: u64,
    /// The heaps of its versions, in bytes.
    pub heap_bytes: u64,
    /// How often another version replaced the newest one.
    pub reloads: u64,
    /// Why the newest sources cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
}

/// Why the newest version of a type cannot be used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LastError {
    /// Since when, ISO 8601.
    pub at: String,
    /// Why.
    #[serde(flatten)]
    pub failure: ErrorReport,
}

/// Whether the newest sources of a type can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TypeState {
    /// They are loaded.
    Serving,
    /// They are not loaded; a call loads them.
    NotLoaded,
    /// They cannot be used.
    Failing,
}

impl TypeState {
    /// The name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            TypeState::Serving => "serving",
            TypeState::NotLoaded => "not_loaded",
            TypeState::Failing => "failing",
        }
    }
}

/// The answer to `evict`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evicted {
    /// How many types were unloaded.
    pub evicted: usize,
}

/// The answer to `cancel`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cancelled {
    /// Whether the request was under way.
    pub cancelled: bool,
}

/// The answer to `shutdown`: the server finishes what runs, and ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ShutdownAccepted {}

/// The parameters of the notification `event`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EventNotification {
    /// The id of the request.
    pub id: u64,
    /// The event, with the shape of a line of `--events`.
    pub event: Value,
}

/// The details of a command's error when the server refused its request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RefusedRequest {
    /// The code of the server's error.
    pub code: ErrorCode,
    /// The details of the server's error; `null` without any.
    pub details: Option<Value>,
}
