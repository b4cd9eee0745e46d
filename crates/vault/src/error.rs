//! Errors of vaults. They hold no secrets.

use std::io;
use std::path::{Path, PathBuf};

use marsh_fs::FsError;
use marsh_types::yaml::{YamlError, YamlWriteError};
use marsh_types::{ErrorCode, Explain, Kind, RetryClass};

/// Why an operation on vaults failed. Messages and fields hold no secrets.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant documents it")]
pub enum VaultError {
    #[error("unknown vault `{name}`")]
    NoSuchVault { name: String, known: Vec<String> },
    #[error("this repository has no vaults")]
    NoVaults,
    #[error("vault `{name}` exists already: {}", path.display())]
    Exists { name: String, path: PathBuf },
    #[error("unknown vault type `{name}`")]
    UnknownType { name: String, known: Vec<String>, renamed_to: Option<&'static str> },
    #[error("vault `{vault}` has no secret `{key}`")]
    NoSuchSecret { vault: String, key: String },
    #[error("invalid {what} {name:?}: {reason}")]
    InvalidName { what: &'static str, name: String, reason: &'static str },
    #[error("invalid argument format: {reason}")]
    InvalidInput { reason: &'static str },
    #[error("invalid configuration of vault `{vault}`: {reason}")]
    InvalidConfig { vault: String, reason: String },
    #[error("vaults of type `{vault_type}` cannot {what}")]
    Unsupported { vault_type: String, what: &'static str },
    #[error("cannot decrypt {} with the key of vault `{vault}`: the file is damaged or was encrypted with another key", path.display())]
    WrongKey { vault: String, path: PathBuf },
    #[error("invalid secret file {}: {reason}", path.display())]
    DamagedSecret { path: PathBuf, reason: String },
    #[error("unusable key {}: {reason}", path.display())]
    UnusableKey { path: PathBuf, reason: &'static str },
    #[error("vault `{vault}` has no key yet")]
    NoKey { vault: String },
    #[error("cannot encrypt a secret of vault `{vault}`")]
    Encrypt { vault: String },
    #[error("vault `{vault}`: {message}")]
    Provider { vault: String, message: String, details: Option<serde_json::Value>, retry: RetryClass },
    #[error("{}: {}", path.display(), source.message)]
    Config { path: PathBuf, source: YamlError },
    #[error("cannot read {}: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("invalid age {age:?}: expected a number and s, m, h, d, w, mo or y, for example 12h")]
    Age { age: String },
    #[error("the system provides no random numbers: {0}")]
    Random(String),
    #[error("cannot list the vault types of extensions: {reason}")]
    Types { reason: String },
    #[error("cannot write the audit trail: {reason}")]
    Audit { reason: String },
    #[error(transparent)]
    Encode(#[from] YamlWriteError),
    #[error(transparent)]
    Fs(#[from] FsError),
}

impl VaultError {
    pub(crate) fn read(path: &Path, source: io::Error) -> Self {
        VaultError::Read { path: path.to_path_buf(), source }
    }
}

impl Explain for VaultError {
    fn code(&self) -> ErrorCode {
        match self {
            VaultError::NoSuchVault { .. } | VaultError::NoVaults => ErrorCode::VaultNotFound,
            VaultError::Exists { .. } => ErrorCode::AlreadyExists,
            VaultError::UnknownType { .. } => ErrorCode::unknown_type(Kind::Vault),
            VaultError::NoSuchSecret { .. } => ErrorCode::SecretNotFound,
            VaultError::InvalidName { .. } => ErrorCode::InvalidName,
            VaultError::InvalidInput { .. } => ErrorCode::Usage,
            VaultError::InvalidConfig { .. } => ErrorCode::InvalidVaultConfig,
            VaultError::Unsupported { .. } => ErrorCode::VaultUnsupported,
            VaultError::WrongKey { .. } => ErrorCode::VaultWrongKey,
            VaultError::DamagedSecret { .. } => ErrorCode::FileDamaged,
            VaultError::UnusableKey { .. } | VaultError::NoKey { .. } => ErrorCode::VaultKeyUnusable,
            VaultError::Provider { .. } => ErrorCode::VaultFailed,
            VaultError::Config { .. } => ErrorCode::InvalidYaml,
            VaultError::Age { .. } => ErrorCode::InvalidDuration,
            VaultError::Read { .. } | VaultError::Types { .. } | VaultError::Fs(_) => ErrorCode::Io,
            VaultError::Encrypt { .. }
            | VaultError::Random(_)
            | VaultError::Audit { .. }
            | VaultError::Encode(_) => ErrorCode::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            VaultError::NoSuchVault { name, known } => Some(
                marsh_types::near::did_you_mean(name, known.iter().map(String::as_str))
                    .unwrap_or_else(|| format!("create it: `marsh vault create local_encryption {name}`")),
            ),
            VaultError::NoVaults => Some("create one: `marsh vault create local_encryption main`".to_owned()),
            VaultError::UnknownType { renamed_to: Some(now), .. } => {
                Some(format!("the extension `{now}` provides this type now: `marsh extension pull {now}`"))
            }
            VaultError::UnknownType { name, known, .. } => Some(
                marsh_types::near::did_you_mean(name, known.iter().map(String::as_str))
                    .unwrap_or_else(|| "`marsh vault type search` lists the types".to_owned()),
            ),
            VaultError::NoSuchSecret { vault, .. } => {
                Some(format!("`marsh vault list-keys {vault}` lists its secrets"))
            }
            VaultError::InvalidInput { .. } => Some(
                "`marsh vault put VAULT KEY=VALUE`, `marsh vault put VAULT KEY VALUE`, or \
                 `marsh vault put VAULT KEY` with the value on standard input"
                    .to_owned(),
            ),
            VaultError::NoKey { vault } => Some(format!(
                "the first secret that is stored generates the key: `marsh vault put {vault} <key>`"
            )),
            _ => None,
        }
    }

    fn details(&self) -> Option<serde_json::Value> {
        match self {
            VaultError::Provider { details, .. } => details.clone(),
            _ => None,
        }
    }
}
