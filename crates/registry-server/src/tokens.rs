//! The tokens that authorize changes: `private/tokens.json`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_fs::{Durability, FsError, LockError};
use marsh_types::{Digest, ErrorCode, Explain, ExtensionName};
use serde::{Deserialize, Serialize};

/// The scopes. `publish` allows new versions; `manage` allows to yank, deprecate and promote, and to take that back.
pub const SCOPES: [&str; 2] = ["publish", "manage"];

/// The stored properties of a token. The token itself is shown once and not stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    /// The id, to list and remove the token.
    pub id: String,
    /// The user's name.
    pub username: String,
    /// The collectives whose extensions the token may change, without `@`.
    pub collectives: Vec<String>,
    /// The scopes, of [`SCOPES`].
    pub scopes: Vec<String>,
    /// When the token was created, ISO 8601.
    pub created_at: String,
    hash: Digest,
}

impl Token {
    /// Whether the token has the extension's collective.
    pub fn owns(&self, name: &ExtensionName) -> bool {
        self.collectives.iter().any(|collective| collective == name.collective())
    }
}

/// An operation on tokens failed.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// A property of a new token is invalid.
    #[error("invalid {what} `{text}`: {reason}")]
    Invalid {
        /// The property.
        what: &'static str,
        /// Its value.
        text: String,
        /// The rule.
        reason: &'static str,
    },
    /// There is no token of this id.
    #[error("unknown token `{id}`")]
    Unknown {
        /// The id.
        id: String,
    },
    /// The file is invalid.
    #[error("invalid tokens file {}: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The parser's message.
        reason: String,
    },
    /// The lock of the file cannot be taken.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] FsError),
}

impl Explain for TokenError {
    fn code(&self) -> ErrorCode {
        match self {
            TokenError::Invalid { .. } => ErrorCode::ValidationFailed,
            TokenError::Unknown { .. } => ErrorCode::NotFound,
            TokenError::Damaged { .. } => ErrorCode::BadTokensFile,
            TokenError::Lock(error) => error.code(),
            TokenError::Io(error) => error.code(),
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Tokens {
    tokens: Vec<Token>,
}

/// Creates a token for the registry in `dir`. Returns the token itself, which is secret.
///
/// # Errors
/// A property is invalid, the lock cannot be taken, or the file cannot be read or written.
pub fn add_token(
    dir: &Path,
    username: &str,
    collectives: &[String],
    scopes: &[String],
) -> Result<String, TokenError> {
    let invalid = |what, text: &str, reason| TokenError::Invalid { what, text: text.to_owned(), reason };
    if username.is_empty() || username.len() > 100 || username.chars().any(char::is_control) {
        return Err(invalid("user name", username, "expected 1 to 100 printable characters"));
    }
    let mut owned = Vec::new();
    for collective in collectives {
        let bare = collective.trim_start_matches('@');
        if ExtensionName::parse(&format!("@{bare}/x")).is_err() || bare.contains('/') {
            return Err(invalid("collective", collective, "expected a-z, 0-9, `-` and `_`"));
        }
        owned.push(bare.to_owned());
    }
    if let Some(scope) = scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
        return Err(invalid("scope", scope, "expected publish or manage"));
    }
    // Two UUIDs have 244 random bits.
    let secret = format!("marsh_{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple());
    let token = Token {
        id: uuid::Uuid::new_v4().simple().to_string().chars().take(12).collect(),
        username: username.to_owned(),
        collectives: owned,
        scopes: scopes.to_vec(),
        created_at: marsh_types::time::iso_millis(jiff::Timestamp::now()),
        hash: Digest::of(secret.as_bytes()),
    };
    change(dir, |tokens| {
        tokens.push(token);
        Ok(())
    })?;
    Ok(secret)
}

/// All tokens of the registry in `dir`, oldest first.
///
/// # Errors
/// The file cannot be read or is invalid.
pub fn list_tokens(dir: &Path) -> Result<Vec<Token>, TokenError> {
    let path = file(dir);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(FsError::new("read", &path, error).into()),
    };
    match serde_json::from_slice::<Tokens>(&bytes) {
        Ok(tokens) => Ok(tokens.tokens),
        Err(error) => Err(TokenError::Damaged { path, reason: error.to_string() }),
    }
}

/// Removes a token by its id. The token stops working at once.
///
/// # Errors
/// There is no such token, the lock cannot be taken, or the file cannot be read or written.
pub fn remove_token(dir: &Path, id: &str) -> Result<Token, TokenError> {
    change(dir, |tokens| match tokens.iter().position(|token| token.id == id) {
        Some(index) => Ok(tokens.remove(index)),
        None => Err(TokenError::Unknown { id: id.to_owned() }),
    })
}

/// The token with this secret. Only hashes are compared, so the time of the comparison does not reveal the secret.
pub(crate) fn find(dir: &Path, secret: &str) -> Result<Option<Token>, TokenError> {
    let hash = Digest::of(secret.as_bytes());
    Ok(list_tokens(dir)?.into_iter().find(|token| token.hash == hash))
}

fn file(dir: &Path) -> PathBuf {
    dir.join("private").join("tokens.json")
}

fn change<T>(
    dir: &Path,
    change: impl FnOnce(&mut Vec<Token>) -> Result<T, TokenError>,
) -> Result<T, TokenError> {
    let lock = dir.join("private").join("tokens.lock");
    let _lock = marsh_fs::lock_exclusive(&lock, Duration::from_secs(60), "token", &mut |_| {})?;
    let mut tokens = list_tokens(dir)?;
    let result = change(&mut tokens)?;
    let path = file(dir);
    let bytes = serde_json::to_vec_pretty(&Tokens { tokens })
        .map_err(|error| FsError::new("write", &path, error.into()))?;
    marsh_fs::atomic_write_private(&path, &bytes, Durability::Synced)?;
    marsh_fs::sync_dir(&dir.join("private"))?;
    Ok(result)
}
