//! What can go wrong with vaults. No variant holds a secret.

use std::io;
use std::path::{Path, PathBuf};

use marsh_fs::FsError;
use marsh_types::yaml::{YamlError, YamlWriteError};
use marsh_types::{ErrorCode, Explain, RetryClass};

#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("there is no vault `{name}`")]
    NoSuchVault { name: String, known: Vec<String> },
    #[error("there are no vaults in this repository")]
    NoVaults,
    #[error("a vault `{name}` exists already: {}", path.display())]
    Exists { name: String, path: PathBuf },
    #[error("no vault type `{name}` is known")]
    UnknownType { name: String, known: Vec<String>, renamed_to: Option<&'static str> },
    #[error("vault `{vault}` has no secret `{key}`")]
    NoSuchSecret { vault: String, key: String },
    #[error("{name:?} cannot be a {what}: {reason}")]
    InvalidName { what: &'static str, name: String, reason: &'static str },
    #[error("the configuration of vault `{vault}` is unusable: {reason}")]
    InvalidConfig { vault: String, reason: String },
    #[error("vaults of type `{vault_type}` cannot {what}")]
    Unsupported { vault_type: String, what: &'static str },
    #[error("{} does not open with the key of vault `{vault}`: it is damaged, or was made with another key", path.display())]
    WrongKey { vault: String, path: PathBuf },
    #[error("{} is no secret file: {reason}", path.display())]
    DamagedSecret { path: PathBuf, reason: String },
    #[error("the key {} cannot be used: {reason}", path.display())]
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
    #[error("{age:?} is no length of time: write a number and s, m, h, d, w, mo or y, for example 12h")]
    Age { age: String },
    #[error("the system has no random numbers: {0}")]
    Random(String),
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
            VaultError::UnknownType { .. } => ErrorCode::UnknownVaultType,
            VaultError::NoSuchSecret { .. } => ErrorCode::SecretNotFound,
            VaultError::InvalidName { .. } => ErrorCode::InvalidName,
            VaultError::InvalidConfig { .. } => ErrorCode::InvalidVaultConfig,
            VaultError::Unsupported { .. } => ErrorCode::VaultUnsupported,
            VaultError::WrongKey { .. } => ErrorCode::VaultWrongKey,
            VaultError::DamagedSecret { .. } => ErrorCode::FileDamaged,
            VaultError::UnusableKey { .. } | VaultError::NoKey { .. } => ErrorCode::VaultKeyUnusable,
            VaultError::Provider { .. } => ErrorCode::VaultFailed,
            VaultError::Config { .. } => ErrorCode::InvalidYaml,
            VaultError::Age { .. } => ErrorCode::InvalidDuration,
            VaultError::Read { .. } | VaultError::Fs(_) => ErrorCode::FileAccess,
            VaultError::Encrypt { .. } | VaultError::Random(_) | VaultError::Encode(_) => ErrorCode::Internal,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            VaultError::NoSuchVault { name, known } => Some(
                marsh_types::near::did_you_mean(name, known.iter().map(String::as_str))
                    .unwrap_or_else(|| format!("`marsh vault create local_encryption {name}` makes one")),
            ),
            VaultError::NoVaults => Some("`marsh vault create local_encryption main` makes one".to_owned()),
            VaultError::UnknownType { renamed_to: Some(now), .. } => {
                Some(format!("the type is now called `{now}`, and its extension must be installed"))
            }
            VaultError::UnknownType { name, known, .. } => Some(
                marsh_types::near::did_you_mean(name, known.iter().map(String::as_str))
                    .unwrap_or_else(|| "`marsh vault type search` shows what there is".to_owned()),
            ),
            VaultError::NoSuchSecret { vault, .. } => {
                Some(format!("`marsh vault list-keys {vault}` shows what there is"))
            }
            VaultError::NoKey { vault } => {
                Some(format!("storing the first secret makes the key: `marsh vault put {vault} <key>`"))
            }
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
