//! Errors that cross the protocol.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::wire::RpcError;

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
    /// The heap reached its limit.
    OutOfMemory,
    /// The stack reached its limit.
    StackOverflow,
    /// The call did not end in time.
    Deadline,
    /// The caller cancelled the call.
    Cancelled,
    /// The code called `Deno.exit()`.
    Exit,
    /// A promise was rejected and no handler was attached.
    UnhandledRejection,
    /// The host itself failed.
    Internal,
}

/// The code of a host's refusal to run anything: module versions are not kept apart.
pub const MODULE_IDENTITY: &str = "module_identity";

/// A location in a source file. Lines and columns count from 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceLocation {
    /// The file.
    pub file: String,
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
    /// The text of the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_line: Option<String>,
}

/// The error that extension code, or the shim around it, ended with.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CallError {
    /// What happened.
    pub kind: ErrorKind,
    /// The message for people.
    pub message: String,
    /// The JavaScript error's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// A stable code, when the shim gave one (`validation_failed`, `contract_violation`, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The JavaScript stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<String>,
    /// The JavaScript error's `data`, if JSON can say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Where in the sources it came from. The host knows bundles only; the loader, which holds their maps, fills this in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Box<SourceLocation>>,
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
    /// The details of the error's public document.
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

    /// An error with a message alone.
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

    /// The error as an answer carries it.
    pub fn to_rpc(&self) -> RpcError {
        RpcError { code: -32000, message: self.message.clone(), data: serde_json::to_value(self).ok() }
    }

    /// The error that an answer carries.
    pub fn from_rpc(error: RpcError) -> CallError {
        error
            .data
            .and_then(|data| serde_json::from_value(data).ok())
            .unwrap_or_else(|| CallError::new(ErrorKind::Internal, error.message))
    }
}

/// A refused [`ContextRequest`](crate::ContextRequest). Extension code sees an `Error` with `code` and `data`.
#[derive(Debug, Clone)]
pub struct CallbackError {
    /// A stable code.
    pub code: String,
    /// The message for people.
    pub message: String,
    /// Details.
    pub data: Option<Value>,
}

impl CallbackError {
    /// An error without details.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> CallbackError {
        CallbackError { code: code.into(), message: message.into(), data: None }
    }

    /// The error as an answer carries it.
    pub fn to_rpc(&self) -> RpcError {
        RpcError {
            code: -32001,
            message: self.message.clone(),
            data: Some(json!({ "code": self.code, "data": self.data })),
        }
    }

    /// The error that an answer carries.
    pub fn from_rpc(error: RpcError) -> CallbackError {
        let (code, data) = match error.data {
            Some(Value::Object(mut map)) => {
                let code = map.get("code").and_then(Value::as_str).unwrap_or("internal").to_owned();
                (code, map.remove("data").filter(|data| !data.is_null()))
            }
            _ => ("internal".to_owned(), None),
        };
        CallbackError { code, message: error.message, data }
    }
}

#[cfg(test)]
mod tests {
    use super::{CallError, ErrorKind};

    #[test]
    fn call_error_after_a_round_trip_is_unchanged() {
        let mut error = CallError::new(ErrorKind::Threw, "boom");
        error.code = Some("validation_failed".into());
        error.data = Some(serde_json::json!({"field": "name"}));
        let back = CallError::from_rpc(error.to_rpc());
        assert_eq!(back.kind, ErrorKind::Threw);
        assert_eq!(back.code.as_deref(), Some("validation_failed"));
        assert_eq!(back.data, error.data);
    }
}
