//! How serving can fail, and what a request's failure looks like on the wire.

use std::path::PathBuf;

use marsh_fs::{FsError, LockError};
use marsh_host::protocol::RpcError;
use marsh_types::{ErrorCode, Explain};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("this repository is served already, by {holder}")]
    AlreadyServed { holder: String },
    #[error("no server runs for this repository")]
    NotServed,
    #[error("the socket's path {path} is longer than the system allows", path = path.display())]
    PathTooLong { path: PathBuf },
    #[error("cannot listen on {path}: {source}", path = path.display())]
    Listen { path: PathBuf, source: std::io::Error },
    #[error("cannot watch {path}: {message}", path = path.display())]
    Watch { path: PathBuf, message: String },
    #[error("the connection to the server broke: {0}")]
    Connection(#[source] std::io::Error),
    #[error("the server ended before it answered")]
    Ended,
    #[error("{}", .0.message)]
    Refused(Failure),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Fs(#[from] FsError),
}

impl Explain for ServeError {
    fn code(&self) -> ErrorCode {
        match self {
            ServeError::AlreadyServed { .. } => ErrorCode::AlreadyServed,
            ServeError::NotServed => ErrorCode::NotServed,
            ServeError::PathTooLong { .. } => ErrorCode::PathTooLong,
            ServeError::Listen { .. } => ErrorCode::CannotListen,
            ServeError::Watch { .. } => ErrorCode::CannotWatch,
            ServeError::Connection(_) | ServeError::Ended => ErrorCode::ConnectionLost,
            ServeError::Refused(_) => ErrorCode::RequestFailed,
            ServeError::Lock(LockError::Timeout { .. }) => ErrorCode::LockTimeout,
            ServeError::Lock(LockError::Unsupported { .. }) => ErrorCode::LockUnsupported,
            ServeError::Lock(_) | ServeError::Fs(_) => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ServeError::AlreadyServed { .. } => {
                Some("`marsh serve status` shows it, `marsh serve stop` ends it".into())
            }
            ServeError::NotServed => Some("`marsh serve` starts a server".into()),
            ServeError::PathTooLong { .. } => Some("name a shorter one with --socket".into()),
            ServeError::Refused(failure) => failure.hint.clone(),
            _ => None,
        }
    }

    fn details(&self) -> Option<Value> {
        match self {
            ServeError::Refused(failure) => Some(json!({ "code": failure.code, "details": failure.details })),
            _ => None,
        }
    }
}

/// Why a request failed, as clients see it: the same code, message and hint that a command would show.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    pub code: ErrorCode,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl Failure {
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Failure {
        Failure { code, message: message.into(), hint: None, details: None }
    }

    pub fn of(error: &dyn Explain) -> Failure {
        Failure {
            code: error.code(),
            message: error.to_string(),
            hint: error.hint(),
            details: error.details(),
        }
    }

    /// The failure with every text passed through `change`.
    pub(crate) fn map(self, change: impl Fn(Value) -> Value) -> Failure {
        let text = |text: String| match change(Value::String(text)) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Failure {
            code: self.code,
            message: text(self.message),
            hint: self.hint.map(text),
            details: self.details.map(&change),
        }
    }

    pub(crate) fn to_rpc(&self) -> RpcError {
        RpcError { code: -32000, message: self.message.clone(), data: serde_json::to_value(self).ok() }
    }

    pub(crate) fn from_rpc(error: RpcError) -> Failure {
        let whole = error.data.and_then(|data| serde_json::from_value(data).ok());
        whole.unwrap_or_else(|| Failure::new(ErrorCode::Internal, error.message))
    }
}
