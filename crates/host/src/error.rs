//! How a call into a host can fail.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::protocol::RpcError;

/// Why extension code failed. The names are part of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The module does not parse.
    Syntax,
    /// The module does not link, or its top level threw.
    Load,
    /// The code threw.
    Threw,
    /// The code used something that this engine does not have; the message names it.
    Unsupported,
    OutOfMemory,
    StackOverflow,
    /// The call did not end in time.
    Deadline,
    Cancelled,
    /// The code called `Deno.exit()`.
    Exit,
    UnhandledRejection,
    /// The host itself failed.
    Internal,
}

/// The code of a host's refusal to run anything: module versions are not kept apart.
pub const MODULE_IDENTITY: &str = "module_identity";

/// A place in a source file. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    pub file: String,
    pub line: u32,
    pub column: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_line: Option<String>,
}

/// An error that extension code, or the driver around it, ended with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallError {
    pub kind: ErrorKind,
    pub message: String,
    /// The JavaScript error's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A stable code, when the driver gave one (`validation_failed`, `contract_violation`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Where in the sources it came from. The host knows bundles only; whoever holds their maps fills this in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<Place>>,
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            // The message alone would read as if the method had thrown it.
            _ if self.kind == ErrorKind::UnhandledRejection => {
                write!(f, "a promise was rejected and nothing handled it: {}", self.message)
            }
            Some(name) if name != "Error" && self.code.is_none() => write!(f, "{name}: {}", self.message),
            _ => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for CallError {}

impl CallError {
    /// For `--json`, and for whoever shows the source line.
    pub fn details(&self) -> Value {
        let mut details = serde_json::json!({
            "kind": self.kind, "name": self.name, "data": self.data, "stack": self.stack,
        });
        if let Some(place) = self.place.as_ref().and_then(|place| serde_json::to_value(place).ok())
            && let (Value::Object(details), Value::Object(place)) = (&mut details, place)
        {
            details.extend(place);
        }
        details
    }

    pub fn new(kind: ErrorKind, message: impl Into<String>) -> CallError {
        CallError {
            kind,
            message: message.into(),
            name: None,
            code: None,
            stack: None,
            data: None,
            place: None,
        }
    }

    pub fn to_rpc(&self) -> RpcError {
        RpcError { code: -32000, message: self.message.clone(), data: serde_json::to_value(self).ok() }
    }

    pub fn from_rpc(error: RpcError) -> CallError {
        error
            .data
            .and_then(|data| serde_json::from_value(data).ok())
            .unwrap_or_else(|| CallError::new(ErrorKind::Internal, error.message))
    }
}

/// A request to a host that failed, for the code's reasons or the host's.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    #[error("cannot start the host process {program}: {source}")]
    Spawn { program: String, source: std::io::Error },
    #[error("the host process died ({status}){tail}", tail = tail(stderr))]
    Died { status: String, stderr: String },
    #[error("the host process did not answer `{request}` within {seconds} s and was killed")]
    Unresponsive { request: String, seconds: u64 },
    #[error("the host process speaks protocol {theirs}, this marsh speaks {ours}")]
    Version { theirs: u32, ours: u32 },
    #[error("the host process sent something that is not the protocol: {line}")]
    Garbage { line: String },
    #[error("the host refuses to run code that might not be the newest: {message}")]
    Identity { message: String },
    #[error(transparent)]
    Call(#[from] CallError),
}

fn tail(stderr: &str) -> String {
    let text = stderr.trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

#[cfg(test)]
mod tests {
    use super::{CallError, ErrorKind};

    #[test]
    fn errors_cross_the_wire_whole() {
        let mut error = CallError::new(ErrorKind::Threw, "boom");
        error.code = Some("validation_failed".into());
        error.data = Some(serde_json::json!({"field": "name"}));
        let back = CallError::from_rpc(error.to_rpc());
        assert_eq!(back.kind, ErrorKind::Threw);
        assert_eq!(back.code.as_deref(), Some("validation_failed"));
        assert_eq!(back.data, error.data);
    }
}
