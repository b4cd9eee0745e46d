//! Documents about the user's credentials.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::vault::SecretText;

/// A login to a registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoggedIn {
    /// Always true.
    pub authenticated: bool,
    /// The registry.
    pub server_url: String,
    /// The user.
    pub username: String,
}

/// A logout from a registry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoggedOut {
    /// Whether credentials were removed.
    pub logged_out: bool,
    /// The user; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The registry; absent when there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_url: Option<String>,
    /// Why nothing was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The user, as the registry knows them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuthIdentity {
    /// Always true.
    pub authenticated: bool,
    /// The registry.
    pub server_url: String,
    /// The user's id: the name, unless the registry has another one.
    pub id: String,
    /// The user's name.
    pub username: String,
    /// The user's address, if the registry has it.
    pub email: Option<String>,
    /// The same as `username`.
    pub name: String,
    /// The collectives that the user belongs to.
    pub collectives: Vec<String>,
    /// The scopes of the token, if the registry says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
}

/// A token of a collective.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuthTokenCreated {
    /// The token; shown this once.
    pub token: SecretText,
    /// The collective.
    pub collective: String,
    /// Its scopes.
    pub scopes: Vec<String>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// A token of a server was stored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServerTokenStored {
    /// The server, as later commands look it up.
    pub server_url: String,
    /// The token's name.
    pub token_name: String,
    /// Always true.
    pub stored: bool,
}
