//! How serving can fail, and what a request's failure looks like on the wire.

use std::path::PathBuf;

use marsh_api::ErrorReport;
use marsh_api::server::RefusedRequest;
use marsh_fs::{FsError, LockError};
use marsh_host_client::protocol::RpcError;
use marsh_types::{ErrorCode, Explain};
use serde_json::Value;

#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant documents it")]
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
    #[error("the server's answer to `{request}` is invalid: {source}")]
    InvalidAnswer { request: String, source: serde_json::Error },
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
            ServeError::Connection(_) | ServeError::Ended | ServeError::InvalidAnswer { .. } => {
                ErrorCode::ConnectionLost
            }
            ServeError::Refused(_) => ErrorCode::RequestFailed,
            ServeError::Lock(error) => error.code(),
            ServeError::Fs(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ServeError::AlreadyServed { .. } => {
                Some("`marsh serve status` shows it, `marsh serve stop` ends it".into())
            }
            ServeError::NotServed => Some("`marsh serve` starts a server".into()),
            ServeError::InvalidAnswer { .. } => {
                Some("the server may be another version of marsh: `marsh serve stop` ends it".into())
            }
            ServeError::PathTooLong { .. } => Some("name a shorter one with --socket".into()),
            ServeError::Refused(failure) => failure.hint.clone(),
            ServeError::Lock(error) => error.hint(),
            _ => None,
        }
    }

    fn details(&self) -> Option<Value> {
        match self {
            ServeError::Refused(failure) => {
                let refused = RefusedRequest { code: failure.code, details: failure.details.clone() };
                serde_json::to_value(refused).ok()
            }
            ServeError::Lock(error) => error.details(),
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

#[cfg(test)]
mod tests {
    use marsh_fs::{Holder, LockError};
    use marsh_types::{ErrorCode, Explain as _};

    use super::ServeError;

    #[test]
    fn lock_held_by_another_process_exits_with_75() {
        let holder = Holder { pid: Some(7), command: None, since: None };
        let error = ServeError::Lock(LockError::Timeout {
            path: "lock".into(),
            holder,
            waited: std::time::Duration::from_secs(1),
        });
        assert_eq!((error.code(), error.class().exit_code()), (ErrorCode::LockTimeout, 75));
        assert_eq!(error.details().map(|details| details["holder"]["pid"].clone()), Some(7.into()));
    }
}
