//! The wire format: JSON-RPC 2.0, one JSON object per line, both ways.
//!
//! To the host: `initialize`, `load`, `call`, `cancel`, `unload`, `stats`, `shutdown` (`describe` is the call `describe`).
//! From the host: requests `context/…` and notifications (`context/log`, `output`, `process/started`, …), each with
//! the `callId` it belongs to. Nothing here knows which engine answers, so that another engine, or a host on another
//! machine, can speak it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

pub const PROTOCOL_VERSION: u32 = 1;

/// One line of the protocol. Which of request, notification or answer it is follows from the fields present.
#[derive(Debug, Serialize, Deserialize)]
pub struct Message {
    pub jsonrpc: Version,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub params: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Box<RawValue>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RpcError>,
}

/// The JSON text of a payload. Payloads stay text on their way through, so that what an extension wrote is stored byte
/// for byte and large values are parsed once.
pub fn raw<T: Serialize + ?Sized>(value: &T) -> Box<RawValue> {
    // Plain data with string keys always has a JSON form; `null` stands in for what has none.
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// How deep JSON from extension code may be nested. Whoever reads it goes down one call a level, and refuses to go down
/// for ever; so that nobody reads half of it, it is refused by name where it leaves the host.
pub const MAX_DEPTH: usize = 100;

pub fn too_deep(json: &str) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// The constant `"2.0"`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub enum Version {
    #[serde(rename = "2.0")]
    V2,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RpcError {
    /// JSON-RPC's number; the kind that matters is in `data`.
    pub code: i64,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
}

impl Message {
    fn empty() -> Message {
        Message { jsonrpc: Version::V2, id: None, method: None, params: None, result: None, error: None }
    }

    pub fn request(id: u64, method: &str, params: Box<RawValue>) -> Message {
        Message { id: Some(id), method: Some(method.to_owned()), params: Some(params), ..Message::empty() }
    }

    pub fn notification(method: &str, params: Box<RawValue>) -> Message {
        Message { method: Some(method.to_owned()), params: Some(params), ..Message::empty() }
    }

    pub fn answer(id: u64, result: Result<Box<RawValue>, RpcError>) -> Message {
        match result {
            Ok(value) => Message { id: Some(id), result: Some(value), ..Message::empty() },
            Err(error) => Message { id: Some(id), error: Some(error), ..Message::empty() },
        }
    }

    /// The message as one line, with its end.
    pub fn to_line(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// A package that the bundle leaves to the host, e.g. zod in the pinned version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    pub specifier: String,
    pub path: PathBuf,
}

/// What one module version may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    pub memory_bytes: u64,
    pub stack_bytes: u64,
    /// Console output kept of one call.
    pub output_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { memory_bytes: 512 << 20, stack_bytes: 1 << 20, output_bytes: 8 << 20 }
    }
}

/// A module version: the URL is its identity everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRef {
    /// `file:///…/bundle.js?fp=<fingerprint>`
    pub url: String,
    pub path: PathBuf,
    #[serde(default)]
    pub externals: Vec<External>,
    #[serde(default)]
    pub limits: Limits,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Initialize {
    pub protocol_version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytecode_cache: Option<PathBuf>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Initialized {
    pub protocol_version: u32,
    pub engine: String,
    pub pid: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallParams {
    pub url: String,
    pub call_id: String,
    /// What the driver is to do: `describe`, `run`, …
    pub op: String,
    pub params: Box<RawValue>,
    pub deadline_ms: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelParams {
    pub call_id: String,
    pub reason: String,
    /// How long the call may take to end by itself before it is interrupted.
    pub grace_ms: u64,
}

/// What `stats` answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostStats {
    pub engine: String,
    pub pid: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
    pub runtimes_started: u64,
    pub runtimes_ended: u64,
    /// What ended engines had not freed.
    pub leaked_bytes: u64,
    /// Every runtime that is alive, old ones included.
    pub modules: Vec<ModuleStats>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModuleStats {
    pub url: String,
    /// Which runtime of the host this is: equal numbers, the very same module version.
    pub instance: u64,
    pub state: ModuleState,
    pub heap_bytes: u64,
    pub calls: u64,
    pub in_flight: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleState {
    /// New calls of its URL go here.
    Serving,
    /// It takes no new calls and ends with its last one.
    Draining,
}

/// What a host sends about a call: the payload of every request and notification from the host.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FromCall {
    pub call_id: String,
    pub payload: Box<RawValue>,
}
