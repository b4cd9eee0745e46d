//! Documents about a registry that marsh creates and serves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::vault::SecretText;

/// A directory became a registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegistryCreated {
    /// The directory.
    pub path: String,
    /// The location to pass with `--registry`.
    pub registry: String,
}

/// A registry is being served.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RegistryStarted {
    /// Where.
    pub url: String,
    /// The directory.
    pub path: String,
}

/// A new token. The token itself is in no other document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TokenCreated {
    /// The token itself, which is secret.
    pub token: SecretText,
    /// The user's name.
    pub username: String,
    /// The collectives whose extensions the token may change.
    pub collectives: Vec<String>,
    /// What the token may do: `publish`, `manage`.
    pub scopes: Vec<String>,
}

/// The tokens of a registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TokenList {
    /// The tokens, oldest first.
    pub tokens: Vec<TokenRow>,
}

/// A token in a listing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenRow {
    /// The id, to remove the token.
    pub id: String,
    /// The user's name.
    pub username: String,
    /// The collectives whose extensions the token may change, without `@`.
    pub collectives: Vec<String>,
    /// What the token may do: `publish`, `manage`.
    pub scopes: Vec<String>,
    /// ISO 8601.
    pub created_at: String,
}

/// A token was removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TokenRemoved {
    /// The token.
    pub removed: RemovedToken,
}

/// The token that was removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RemovedToken {
    /// The id.
    pub id: String,
    /// The user's name.
    pub username: String,
}
