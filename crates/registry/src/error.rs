//! The errors of the registry client and of directory registries.

use std::time::Duration;

use marsh_fs::{FsError, LockError};
use marsh_types::{CalVer, Digest, ErrorCode, Explain, ExtensionName};
use serde_json::{Value, json};

/// A request to a registry failed. In each variant, `registry` is the registry's location, and `what` is an extension or
/// one of its versions.
///
/// [`Unreachable`](RegistryError::Unreachable) and [`NotFound`](RegistryError::NotFound) are different conditions, and an
/// error is never reported as the other.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the comments on the enum and the variants describe the fields")]
pub enum RegistryError {
    /// The registry did not answer.
    #[error("cannot reach the registry {registry}: {reason}")]
    Unreachable { registry: String, reason: String },
    /// The directory is not a registry. Without a configured registry, it is the default one.
    #[error("no registry in {registry}: the directory does not exist or has no {marker}")]
    NoRegistry { registry: String, marker: &'static str },
    /// The registry answered that it does not have `what`.
    #[error("{what} is not in the registry {registry}")]
    NotFound { what: String, registry: String },
    /// The version was withdrawn.
    #[error("{what} was yanked{}", because(reason.as_deref()))]
    Yanked { what: String, reason: Option<String> },
    /// The registry received too many requests.
    #[error("too many requests to the registry {registry}{}", wait(*retry_after))]
    RateLimited { registry: String, retry_after: Option<Duration> },
    /// The request needs a token, or the token is invalid.
    #[error("the registry {registry} requires credentials: {message}")]
    Unauthorized { registry: String, message: String },
    /// The token does not allow the request.
    #[error("the registry {registry} denies the request: {message}")]
    Forbidden { registry: String, message: String },
    /// The version was published before, with an archive of this checksum.
    #[error("{message}")]
    AlreadyExists { message: String, checksum: Option<Digest> },
    /// The registry refuses the content of the request.
    #[error("{message}")]
    ValidationFailed { message: String },
    /// The registry answered with another HTTP status.
    #[error("unexpected HTTP status {status} from {url}: {message}")]
    Answered { status: u16, message: String, url: String },
    /// The answer is invalid.
    #[error("invalid answer from the registry {registry}: {reason}")]
    BadResponse { registry: String, reason: String },
    /// The archive exceeds a limit in bytes.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge { what: String, limit: u64 },
    /// The registry redirects to a URL that marsh does not follow.
    #[error("unsafe redirect of the registry to {url}: {reason}")]
    UnsafeRedirect { url: String, reason: String },
    /// The registry states no checksum of the version.
    #[error("missing checksum of {name}@{version} in the registry {registry}")]
    MissingChecksum { name: ExtensionName, version: CalVer, registry: String },
    /// The received bytes have another digest.
    #[error("checksum mismatch of {what}: expected SHA-256 {expected}, found {found}")]
    ChecksumMismatch { what: String, expected: Digest, found: Digest },
    /// The request needs the network, and marsh is offline.
    #[error("{what} is not in the archive cache, and marsh is offline")]
    Offline { what: String },
    /// A lock cannot be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Io(#[from] FsError),
}

fn because(reason: Option<&str>) -> String {
    reason.filter(|reason| !reason.is_empty()).map(|reason| format!(": {reason}")).unwrap_or_default()
}

fn wait(retry_after: Option<Duration>) -> String {
    retry_after.map(|time| format!("; retry after {} s", time.as_secs())).unwrap_or_default()
}

impl RegistryError {
    pub(crate) fn read(path: &std::path::Path, source: std::io::Error) -> RegistryError {
        RegistryError::Io(FsError::new("read", path, source))
    }

    /// Whether the registry answered that the extension or version does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, RegistryError::NotFound { .. })
    }
}

impl Explain for RegistryError {
    fn code(&self) -> ErrorCode {
        match self {
            RegistryError::Unreachable { .. } | RegistryError::NoRegistry { .. } => {
                ErrorCode::RegistryUnreachable
            }
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
            RegistryError::Lock(error) => error.code(),
            RegistryError::Io(error) => error.code(),
        }
    }

    fn hint(&self) -> Option<String> {
        let hint = match self {
            RegistryError::Unreachable { .. } => {
                "check the network and the address of the registry (`--registry`, MARSH_REGISTRY)"
            }
            RegistryError::NoRegistry { .. } => {
                "name a registry with `--registry`, MARSH_REGISTRY, or `registry` in `.swamp.yaml`; \
                 `marsh registry init DIR` creates one"
            }
            RegistryError::NotFound { .. } => {
                "check the spelling, or name another registry with `--registry`"
            }
            RegistryError::Yanked { .. } => "choose another version",
            RegistryError::RateLimited { .. } => "retry later",
            RegistryError::Unauthorized { .. } => "set MARSH_API_KEY to a token of this registry",
            RegistryError::AlreadyExists { .. } => {
                "published versions are immutable; publish a newer version"
            }
            RegistryError::ChecksumMismatch { .. } => {
                "nothing was installed; if this happens again, the registry or a proxy sends wrong bytes"
            }
            RegistryError::Offline { .. } => "run the command once with network access to fill the cache",
            RegistryError::Lock(LockError::Timeout { .. }) => "retry when the other process has ended",
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
