//! Errors of triggers.

use std::net::SocketAddr;

use marsh_types::{ErrorCode, Explain};

#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant documents it")]
pub enum TriggerError {
    #[error("invalid schedule `{pattern}`: {message}")]
    Pattern { pattern: String, message: String },
    #[error("serve.yaml: {place}: {message}")]
    Config { place: String, message: String },
    #[error("invalid webhook `{text}`: {message}")]
    Webhook { text: String, message: String },
    #[error("two webhooks have the route `{route}`")]
    SameRoute { route: String },
    #[error("cannot listen on {addr}: {source}")]
    Listen { addr: SocketAddr, source: std::io::Error },
}

impl Explain for TriggerError {
    fn code(&self) -> ErrorCode {
        match self {
            TriggerError::Pattern { .. } => ErrorCode::InvalidSchedule,
            TriggerError::Config { .. } => ErrorCode::InvalidServeConfig,
            TriggerError::Webhook { .. } | TriggerError::SameRoute { .. } => ErrorCode::InvalidWebhook,
            TriggerError::Listen { .. } => ErrorCode::CannotListen,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            TriggerError::Pattern { .. } => Some(
                "five fields (minute hour day-of-month month day-of-week), or six with seconds first, as in \
                 `0 3 * * *`"
                    .to_owned(),
            ),
            TriggerError::Webhook { .. } => {
                Some("expected <route>:<workflow>:<secret>[:<scheme>[:<header>[:<prefix>]]]".to_owned())
            }
            TriggerError::Listen { .. } => {
                Some("choose another address, or port 0 for any free port".to_owned())
            }
            TriggerError::Config { .. } | TriggerError::SameRoute { .. } => None,
        }
    }
}
