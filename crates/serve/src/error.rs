//! How serving can fail, and what a request's failure looks like on the wire.

use std::path::PathBuf;

use marsh_api::ErrorReport;
use marsh_fs::{FsError, LockError};
use marsh_host_client::protocol::RpcError;
use marsh_types::{ErrorCode, Explain};
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
    Refused(ErrorReport),
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

/// A failure as an answer of the protocol.
pub(crate) fn to_rpc(report: &ErrorReport) -> RpcError {
    RpcError { code: -32000, message: report.message.clone(), data: serde_json::to_value(report).ok() }
}

/// The failure in an answer of the protocol.
pub(crate) fn from_rpc(error: RpcError) -> ErrorReport {
    let whole = error.data.and_then(|data| serde_json::from_value(data).ok());
    whole.unwrap_or_else(|| ErrorReport::new(ErrorCode::Internal, error.message))
}
