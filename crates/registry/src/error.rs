//! What can go wrong between this machine and a registry.

use std::time::Duration;

use marsh_fs::{FsError, LockError};
use marsh_types::{CalVer, Digest, ErrorCode, Explain, ExtensionName};
use serde_json::{Value, json};

/// "Cannot be reached" and "is not there" are different variants and never stand in for each other.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    #[error("the registry {registry} cannot be reached: {reason}")]
    Unreachable { registry: String, reason: String },
    /// `what` is an extension or one of its versions.
    #[error("{what} is not in the registry {registry}")]
    NotFound { what: String, registry: String },
    #[error("{what} has been yanked{}", because(reason.as_deref()))]
    Yanked { what: String, reason: Option<String> },
    #[error("the registry {registry} asks to wait{}", wait(*retry_after))]
    RateLimited { registry: String, retry_after: Option<Duration> },
    #[error("the registry {registry} wants credentials: {message}")]
    Unauthorized { registry: String, message: String },
    #[error("the registry {registry} refuses: {message}")]
    Forbidden { registry: String, message: String },
    #[error("{message}")]
    AlreadyExists { message: String, checksum: Option<Digest> },
    #[error("{message}")]
    ValidationFailed { message: String },
    #[error("{url} answered {status}: {message}")]
    Answered { status: u16, message: String, url: String },
    #[error("the answer of the registry {registry} is not usable: {reason}")]
    BadResponse { registry: String, reason: String },
    #[error("{what} is larger than {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    #[error("the registry redirects to {url}, which is not followed: {reason}")]
    UnsafeRedirect { url: String, reason: String },
    #[error("the registry {registry} states no checksum of {name}@{version}")]
    MissingChecksum { name: ExtensionName, version: CalVer, registry: String },
    #[error("the bytes of {what} are not the expected ones: SHA-256 is {found}, expected {expected}")]
    ChecksumMismatch { what: String, expected: Digest, found: Digest },
    #[error("{what} is not in the archive cache, and marsh is offline")]
    Offline { what: String },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Io(#[from] FsError),
}

fn because(reason: Option<&str>) -> String {
    reason.filter(|reason| !reason.is_empty()).map(|reason| format!(": {reason}")).unwrap_or_default()
}

fn wait(retry_after: Option<Duration>) -> String {
    retry_after.map(|time| format!(" {} s before the next request", time.as_secs())).unwrap_or_default()
}

impl RegistryError {
    pub(crate) fn read(path: &std::path::Path, source: std::io::Error) -> RegistryError {
        RegistryError::Io(FsError::new("read", path, source))
    }

    /// Whether the extension or version is known not to exist, as opposed to unknown.
    pub fn is_not_found(&self) -> bool {
        matches!(self, RegistryError::NotFound { .. })
    }
}

impl Explain for RegistryError {
    fn code(&self) -> ErrorCode {
        match self {
            RegistryError::Unreachable { .. } => ErrorCode::RegistryUnreachable,
            RegistryError::NotFound { .. } => ErrorCode::NotFound,
            RegistryError::Yanked { .. } => ErrorCode::ExtensionYanked,
            RegistryError::RateLimited { .. } => ErrorCode::RateLimited,
            RegistryError::Unauthorized { .. } => ErrorCode::Unauthorized,
            RegistryError::Forbidden { .. } => ErrorCode::Forbidden,
            RegistryError::AlreadyExists { .. } => ErrorCode::AlreadyExists,
            RegistryError::ValidationFailed { .. } => ErrorCode::ValidationFailed,
            RegistryError::Answered { .. } => ErrorCode::RegistryError,
            RegistryError::BadResponse { .. } => ErrorCode::BadResponse,
            RegistryError::TooLarge { .. } => ErrorCode::DownloadTooLarge,
            RegistryError::UnsafeRedirect { .. } => ErrorCode::UnsafeRedirect,
            RegistryError::MissingChecksum { .. } => ErrorCode::MissingChecksum,
            RegistryError::ChecksumMismatch { .. } => ErrorCode::ChecksumMismatch,
            RegistryError::Offline { .. } => ErrorCode::Offline,
            RegistryError::Lock(LockError::Timeout { .. }) => ErrorCode::LockTimeout,
            RegistryError::Lock(LockError::Unsupported { .. }) => ErrorCode::LockUnsupported,
            RegistryError::Lock(_) | RegistryError::Io(_) => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            RegistryError::Unreachable { .. } => {
                "check the network and the registry's address (--registry, MARSH_REGISTRY)"
            }
            RegistryError::NotFound { .. } => "check the spelling, or name another registry with --registry",
            RegistryError::Yanked { .. } => "choose another version",
            RegistryError::RateLimited { .. } => "try again later",
            RegistryError::Unauthorized { .. } => "set MARSH_API_KEY to a token of this registry",
            RegistryError::AlreadyExists { .. } => "a published version never changes; publish a newer one",
            RegistryError::ChecksumMismatch { .. } => {
                "nothing was installed; if it happens again, the registry or what lies between serves other bytes"
            }
            RegistryError::Offline { .. } => {
                "run once with the network, so that the archive gets into the cache"
            }
            RegistryError::Lock(LockError::Timeout { .. }) => "try again when the other process is done",
            _ => return None,
        };
        Some(hint.to_owned())
    }

    fn details(&self) -> Option<Value> {
        match self {
            RegistryError::RateLimited { retry_after: Some(time), .. } => {
                Some(json!({ "retryAfter": time.as_secs() }))
            }
            RegistryError::AlreadyExists { checksum: Some(checksum), .. } => {
                Some(json!({ "checksum": checksum }))
            }
            RegistryError::ChecksumMismatch { expected, found, .. } => {
                Some(json!({ "expected": expected, "found": found }))
            }
            RegistryError::Answered { status, url, .. } => Some(json!({ "status": status, "url": url })),
            _ => None,
        }
    }
}
