//! The wire format: JSON-RPC 2.0, one object per line.
//!
//! | request | parameters | result |
//! |---|---|---|
//! | `call` | [`CallParams`] | the document of `marsh model method run --json` |
//! | `workflow` | [`WorkflowParams`] | the document of `marsh workflow run --json` |
//! | `resume` | [`ResumeParams`] | the document of `marsh workflow resume --json` |
//! | `reload` | none | [`Reloaded`]; answered when every later call runs what was on disk when it was asked |
//! | `status` | none | [`Status`] |
//! | `evict` | [`EvictParams`] | `{"evicted": n}` |
//! | `cancel` | [`CancelParams`] | `{"cancelled": bool}` |
//! | `shutdown` | none | `{}`; the server then finishes what runs, and ends |
//!
//! While a `call`, `workflow` or `resume` with `"events": true` runs, the server sends notifications `event` with `{id, event}`,
//! where `id` is the request's. Answers come in the order in which requests end. A client that closes its connection
//! cancels what it asked for and has not been answered.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use marsh_api::ErrorReport;

pub use marsh_host_client::protocol::{Message, RpcError, raw};

/// The longest line that a server reads.
pub const MAX_LINE: u64 = 64 << 20;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CallParams {
    /// Name or id of a definition; or `@type`, when `name` is given.
    pub target: String,
    /// The definition's name when the target is a type; made if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub method: String,
    #[serde(default)]
    pub inputs: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_arguments: Option<Map<String, Value>>,
    #[serde(default)]
    pub tags: Vec<(String, String)>,
    #[serde(default)]
    pub skip_checks: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    #[serde(default)]
    pub events: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkflowParams {
    /// Name or id.
    pub workflow: String,
    #[serde(default)]
    pub inputs: Map<String, Value>,
    #[serde(default)]
    pub tags: Vec<(String, String)>,
    #[serde(default)]
    pub skip_checks: bool,
    /// Of each step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    #[serde(default)]
    pub events: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
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
    #[serde(default)]
    pub skip_checks: bool,
    /// Of each step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    #[serde(default)]
    pub events: bool,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvictParams {
    /// Default: every type.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub type_name: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CancelParams {
    /// The id of a request on this connection.
    pub id: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reloaded {
    /// Types that some source declares.
    pub types: usize,
    /// Types whose newest version is another one than before.
    pub changed: Vec<String>,
    /// Types that were loaded and whose source is gone.
    pub removed: Vec<String>,
    /// Types whose sources cannot be used as they are.
    pub failed: Vec<FailedType>,
    pub duration_ms: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FailedType {
    #[serde(rename = "type")]
    pub type_name: String,
    pub error: ErrorReport,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub pid: u32,
    pub version: String,
    pub repository: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub socket: Option<String>,
    pub started_at: String,
    pub watching: bool,
    /// Requests that have not been answered, this one aside.
    pub in_flight: usize,
    pub reloads: u64,
    pub rss_bytes: Option<u64>,
    pub hosts: Vec<HostRow>,
    pub types: Vec<TypeRow>,
    /// Where webhooks are listened for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggers: Vec<TriggerRow>,
}

/// A workflow that starts by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TriggerRow {
    pub workflow: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<String>,
    /// When it is due next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    pub running: bool,
    /// How many of its runs wait.
    pub waiting: usize,
    pub fired: u64,
    /// Times at which it was still running, or waiting.
    pub skipped: u64,
    /// Times that passed while the machine slept.
    pub missed: u64,
    /// When it was started last, and what came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_status: Option<String>,
    /// Why its schedule is none, or why its last run failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostRow {
    /// The extension that it serves, or `local`.
    pub key: String,
    pub pid: u32,
    pub rss_bytes: Option<u64>,
    pub heap_bytes: u64,
    pub versions_alive: usize,
    pub runtimes_started: u64,
    pub runtimes_ended: u64,
    /// What ended engines had not freed; anything but 0 is a defect.
    pub leaked_bytes: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A type that this server has served, or tried to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TypeRow {
    #[serde(rename = "type")]
    pub type_name: String,
    pub kind: String,
    pub origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extension: Option<String>,
    pub source: String,
    /// `serving`, `not_loaded`, or `failing`: the newest sources cannot be used.
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// Which runtime of its host serves it: equal numbers, the very same module version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<u64>,
    /// The newest one and those that calls in flight still use.
    pub versions_alive: usize,
    pub calls: u64,
    pub failed_calls: u64,
    pub in_flight: u64,
    pub heap_bytes: u64,
    pub reloads: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<LastError>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LastError {
    pub at: String,
    #[serde(flatten)]
    pub failure: ErrorReport,
}
