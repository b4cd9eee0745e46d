//! Who may change what: `private/tokens.json`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use marsh_fs::{Durability, FsError, LockError};
use marsh_types::{Digest, ErrorCode, Explain, ExtensionName};
use serde::{Deserialize, Serialize};

/// `publish`: new versions. `manage`: yank, deprecate, promote and their opposites.
pub const SCOPES: [&str; 2] = ["publish", "manage"];

/// What is stored of a token. The token itself is shown once and kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Token {
    pub id: String,
    pub username: String,
    /// Without `@`.
    pub collectives: Vec<String>,
    pub scopes: Vec<String>,
    pub created_at: String,
    hash: Digest,
}

impl Token {
    pub fn owns(&self, name: &ExtensionName) -> bool {
        self.collectives.iter().any(|collective| collective == name.collective())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("`{text}` is no {what}: {reason}")]
    Invalid { what: &'static str, text: String, reason: &'static str },
    #[error("there is no token `{id}`")]
    Unknown { id: String },
    #[error("{} is not usable: {reason}", path.display())]
    Damaged { path: PathBuf, reason: String },
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Io(#[from] FsError),
}

impl Explain for TokenError {
    fn code(&self) -> ErrorCode {
        match self {
            TokenError::Invalid { .. } => ErrorCode::ValidationFailed,
            TokenError::Unknown { .. } => ErrorCode::NotFound,
            TokenError::Damaged { .. } => ErrorCode::BadTokensFile,
            TokenError::Lock(LockError::Timeout { .. }) => ErrorCode::LockTimeout,
            TokenError::Lock(LockError::Unsupported { .. }) => ErrorCode::LockUnsupported,
            TokenError::Lock(_) | TokenError::Io(_) => ErrorCode::Io,
        }
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Tokens {
    tokens: Vec<Token>,
}

/// Makes a token for the registry in `dir`. What is returned is the token itself, for its owner only.
pub fn add_token(
    dir: &Path,
    username: &str,
    collectives: &[String],
    scopes: &[String],
) -> Result<String, TokenError> {
    let invalid = |what, text: &str, reason| TokenError::Invalid { what, text: text.to_owned(), reason };
    if username.is_empty() || username.len() > 100 || username.chars().any(char::is_control) {
        return Err(invalid("user name", username, "use 1 to 100 printable characters"));
    }
    let mut owned = Vec::new();
    for collective in collectives {
        let bare = collective.trim_start_matches('@');
        if ExtensionName::parse(&format!("@{bare}/x")).is_err() || bare.contains('/') {
            return Err(invalid("collective", collective, "use a-z, 0-9, `-` and `_`"));
        }
        owned.push(bare.to_owned());
    }
    if let Some(scope) = scopes.iter().find(|scope| !SCOPES.contains(&scope.as_str())) {
        return Err(invalid("scope", scope, "use publish or manage"));
    }
    // Two of 122 random bits each.
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

/// Removes a token by its id. It stops working at once.
pub fn remove_token(dir: &Path, id: &str) -> Result<Token, TokenError> {
    change(dir, |tokens| match tokens.iter().position(|token| token.id == id) {
        Some(index) => Ok(tokens.remove(index)),
        None => Err(TokenError::Unknown { id: id.to_owned() }),
    })
}

/// The token that `secret` is. Only hashes are compared, so that timing tells nothing.
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
