//! The user's credentials: `auth.json` for a registry, `server-credentials.json` for servers, both readable by the user alone.
//!
//! Invariants (tests of the binary, `it/auth.rs`):
//! * A token is sent to the registry that it was stored for, and to no other one. `MARSH_API_KEY` wins.
//! * A login is stored after the registry accepted the token.

use std::collections::BTreeMap;
use std::path::Path;

use marsh_api::auth::{AuthIdentity, AuthTokenCreated, LoggedIn, LoggedOut, ServerTokenStored};
use marsh_api::vault::SecretText;
use marsh_fs::Durability;
use marsh_registry::protocol::Identity;
use marsh_registry::{Location, Registry};
use marsh_repo::{RepoError, env};
use marsh_types::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::AppError;
use crate::session::App;

const AUTH: &str = "auth.json";
const SERVERS: &str = "server-credentials.json";

/// A login to a registry.
#[derive(Clone, Default)]
pub struct LoginRequest {
    /// The registry; `None`: that of the environment or the repository.
    pub server: Option<String>,
    /// The user whose token it must be; `None`: anyone's.
    pub username: Option<String>,
    /// The token.
    pub token: String,
}

/// A token to create.
#[derive(Debug, Clone, Default)]
pub struct NewTokenRequest {
    /// The collective.
    pub collective: String,
    /// The scopes.
    pub scopes: Vec<String>,
    /// A name for it.
    pub name: Option<String>,
}

/// The content of `auth.json`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credentials {
    server_url: String,
    api_key: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key_id: Option<String>,
    #[serde(default)]
    username: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    collectives: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    scopes: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    api_key_fingerprint: Option<String>,
}

#[derive(Default, Serialize, Deserialize)]
struct Servers {
    #[serde(default)]
    servers: BTreeMap<String, String>,
}

impl App {
    /// Checks a token with a registry, and keeps it for later commands.
    ///
    /// # Errors
    ///
    /// When the environment has a token already, the registry is a directory or unreachable, it refuses the token, or the
    /// token is another user's.
    pub fn login(&self, request: &LoginRequest) -> Result<LoggedIn, AppError> {
        if self.settings().environment.get(env::API_KEY).is_some() {
            return Err(AppError::Refused {
                message: format!("{} is set, and wins over a login", env::API_KEY.name),
                hint: Some("unset it to log in".into()),
            });
        }
        let location = self.auth_location(request.server.as_deref())?;
        let identity = self.registry(&location, request.token.clone()).whoami()?;
        if let Some(wanted) = request.username.as_ref().filter(|name| **name != identity.username) {
            return Err(AppError::Refused {
                message: format!("the token is of `{}`, not of `{wanted}`", identity.username),
                hint: Some("use the token of that user, or leave `--username` out".into()),
            });
        }
        let credentials = Credentials {
            server_url: url_text(&location),
            api_key: request.token.clone(),
            api_key_id: None,
            username: identity.username.clone(),
            collectives: Some(collectives(&identity)),
            scopes: identity.scopes.clone(),
            api_key_fingerprint: Some(fingerprint(&request.token)),
        };
        self.store(AUTH, &credentials)?;
        Ok(LoggedIn { authenticated: true, server_url: credentials.server_url, username: identity.username })
    }

    /// Removes the credentials of the registry from this machine. The token stays valid.
    ///
    /// # Errors
    ///
    /// When the file cannot be removed.
    pub fn logout(&self) -> Result<LoggedOut, AppError> {
        let Some(credentials) = self.load::<Credentials>(AUTH)? else {
            return Ok(LoggedOut {
                logged_out: false,
                username: None,
                server_url: None,
                reason: Some("not logged in".to_owned()),
            });
        };
        marsh_fs::remove_file_if_exists(&self.config_dir()?.join(AUTH))?;
        Ok(LoggedOut {
            logged_out: true,
            username: Some(credentials.username),
            server_url: Some(credentials.server_url),
            reason: None,
        })
    }

    /// The user, as the registry knows them. Keeps the collectives for later commands.
    ///
    /// # Errors
    ///
    /// When there are no credentials, the registry is unreachable, or it refuses them.
    pub fn whoami(&self) -> Result<AuthIdentity, AppError> {
        let (location, key, stored) = self.credentials()?;
        let identity = self.registry(&location, key).whoami()?;
        let collectives = collectives(&identity);
        if let Some(stored) = stored.filter(|stored| stored.collectives.as_ref() != Some(&collectives)) {
            self.store(AUTH, &Credentials { collectives: Some(collectives.clone()), ..stored })?;
        }
        Ok(AuthIdentity {
            authenticated: true,
            server_url: url_text(&location),
            id: identity.username.clone(),
            username: identity.username.clone(),
            email: None,
            name: identity.username,
            collectives,
            scopes: identity.scopes,
        })
    }

    /// Creates a token for a collective.
    ///
    /// # Errors
    ///
    /// Those of [`App::whoami`]; the credentials lack the collective or the scopes.
    pub fn create_token(&self, request: &NewTokenRequest) -> Result<AuthTokenCreated, AppError> {
        let (location, key, _) = self.credentials()?;
        let collective = request.collective.trim_start_matches('@');
        let made = self.registry(&location, key).create_token(
            collective,
            &request.scopes,
            request.name.as_deref(),
        )?;
        Ok(AuthTokenCreated {
            token: SecretText::new(&made.token),
            collective: collective.to_owned(),
            scopes: request.scopes.clone(),
            name: request.name.clone(),
        })
    }

    /// Keeps the token of a server for later commands. Only its form is checked.
    ///
    /// # Errors
    ///
    /// When address or token are malformed, or the file cannot be written.
    pub fn store_server_token(&self, server: &str, token: &str) -> Result<ServerTokenStored, AppError> {
        let server_url = normalized(server)?;
        let form = token.split_once('.').filter(|(name, secret)| {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            !name.is_empty() && name.chars().all(is_plain) && !secret.trim().is_empty()
        });
        let Some((name, _)) = form else {
            return Err(AppError::Usage {
                message: "invalid token: expected NAME.SECRET".into(),
                hint: Some("copy the whole token, with the name before the dot".into()),
            });
        };
        let mut servers = self.load::<Servers>(SERVERS)?.unwrap_or_default();
        servers.servers.insert(server_url.clone(), token.to_owned());
        self.store(SERVERS, &servers)?;
        Ok(ServerTokenStored { server_url, token_name: name.to_owned(), stored: true })
    }

    /// The token that is kept for a server.
    ///
    /// # Errors
    ///
    /// When the address is malformed, or the file cannot be read.
    pub fn server_token(&self, server: &str) -> Result<Option<String>, AppError> {
        let server = normalized(server)?;
        Ok(self.load::<Servers>(SERVERS)?.and_then(|mut servers| servers.servers.remove(&server)))
    }

    /// The token for this registry: the environment's, else the one that is kept for it.
    pub(crate) fn api_key_of(&self, location: &Location) -> Result<Option<String>, AppError> {
        if let Some(key) = self.settings().environment.get(env::API_KEY) {
            return Ok(Some(key.to_owned()));
        }
        if !matches!(location, Location::Http(_)) || self.settings().environment.config_dir().is_none() {
            return Ok(None);
        }
        let stored = self.load::<Credentials>(AUTH)?;
        let is_for_it = |stored: &Credentials| stored.server_url == url_text(location);
        Ok(stored.filter(is_for_it).map(|stored| stored.api_key))
    }

    /// Registry and token: the environment's, else those of the last login.
    fn credentials(&self) -> Result<(Location, String, Option<Credentials>), AppError> {
        if let Some(key) = self.settings().environment.get(env::API_KEY) {
            return Ok((self.auth_location(None)?, key.to_owned(), None));
        }
        let Some(stored) = self.load::<Credentials>(AUTH)? else {
            return Err(AppError::NotAuthenticated {
                message: "not authenticated: there are no credentials".into(),
                hint: Some("run `marsh auth login --server URL`, or set MARSH_API_KEY".into()),
            });
        };
        Ok((self.auth_location(Some(&stored.server_url))?, stored.api_key.clone(), Some(stored)))
    }

    fn registry(&self, location: &Location, key: String) -> Registry {
        let offline = self.settings().environment.flag(env::OFFLINE);
        Registry::open(location.clone(), self.client_options(offline, Some(key)))
    }

    /// The registry to log in to: a server.
    fn auth_location(&self, given: Option<&str>) -> Result<Location, AppError> {
        // Outside a repository a login works too. A marker that cannot be read may name the registry: no other gets the token.
        let repo = match self.repo() {
            Ok(repo) => Some(repo),
            Err(AppError::Repo(RepoError::NotFound { .. })) => None,
            Err(error) => return Err(error),
        };
        let location = self.registry_location(given, repo.as_ref())?;
        match location {
            Location::Http(_) => Ok(location),
            Location::Directory(_) => Err(AppError::Usage {
                message: format!("the registry {location} is a directory, which needs no login"),
                hint: Some("name a server with `--server URL`, or set MARSH_REGISTRY".into()),
            }),
        }
    }

    fn load<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, AppError> {
        let path = self.config_dir()?.join(name);
        let failed = |source| AppError::Read { what: path.display().to_string(), source };
        match std::fs::read(&path) {
            Ok(bytes) => {
                let parsed = serde_json::from_slice(&bytes);
                parsed
                    .map(Some)
                    .map_err(|error| failed(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn store(&self, name: &str, value: &impl Serialize) -> Result<(), AppError> {
        let dir = self.config_dir()?;
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| AppError::usage(format!("cannot write {name}: {error}")))?;
        marsh_fs::create_dir_all(&dir)?;
        write_private(&dir.join(name), &text)
    }
}

fn write_private(path: &Path, text: &str) -> Result<(), AppError> {
    marsh_fs::atomic_write_private(path, format!("{text}\n").as_bytes(), Durability::Synced)?;
    // A file of another program keeps its mode when it is replaced.
    Ok(marsh_fs::set_mode(path, 0o600)?)
}

fn collectives(identity: &Identity) -> Vec<String> {
    identity.organizations.iter().map(|one| one.slug.clone()).collect()
}

fn fingerprint(token: &str) -> String {
    Digest::of(token.as_bytes()).to_hex().chars().take(16).collect()
}

fn url_text(location: &Location) -> String {
    location.to_string().trim_end_matches('/').to_owned()
}

/// An address as it is looked up: `http` and `https`, no path's last slash.
fn normalized(server: &str) -> Result<String, AppError> {
    let wrong =
        || AppError::usage(format!("invalid server `{server}`: expected ws://, wss://, http:// or https://"));
    let (scheme, rest) = server.trim().split_once("://").ok_or_else(wrong)?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "ws" | "http" => "http",
        "wss" | "https" => "https",
        _ => return Err(wrong()),
    };
    let rest = rest.trim_end_matches('/');
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if host.is_empty() || host.contains(['@', ' ']) {
        return Err(wrong());
    }
    let path = if path.is_empty() { String::new() } else { format!("/{path}") };
    Ok(format!("{scheme}://{}{path}", host.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::normalized;

    #[test]
    fn addresses_of_one_server_are_one_key() {
        for text in ["ws://Host:9090", "http://host:9090/", " HTTP://host:9090"] {
            assert_eq!(normalized(text).unwrap(), "http://host:9090", "{text}");
        }
        assert_eq!(normalized("wss://h/base/").unwrap(), "https://h/base");
        for bad in ["host", "ftp://h", "http://", "http://user@h"] {
            assert!(normalized(bad).is_err(), "{bad}");
        }
    }
}
