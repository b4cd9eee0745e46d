//! Changes to published extensions, and the tokens that authorize them.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use marsh_registry::protocol::{CreatedToken, Identity, Message, Organization};
use marsh_types::{CalVer, Channel, ExtensionName};
use serde::Deserialize;

use crate::State;
use crate::answer::{Answer, Refusal, ok, reference, unknown_path};
use crate::tokens::{self, Token};

const MAX_REASON: usize = 2000;

/// The fields of all changes.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ChangeRequest {
    reason: Option<String>,
    channel: Option<Channel>,
    superseded_by: Option<ExtensionName>,
    version: Option<CalVer>,
    to_channel: Option<Channel>,
}

impl State {
    /// The token of a request.
    pub(crate) async fn token(self: &Arc<Self>, headers: &HeaderMap) -> Result<Token, Refusal> {
        let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
        let bearer = text(header::AUTHORIZATION).and_then(|value| value.strip_prefix("Bearer "));
        let key = headers.get("x-api-key").and_then(|value| value.to_str().ok());
        let unknown =
            |message: &str| Refusal::new(StatusCode::UNAUTHORIZED, "unauthorized", message.to_owned());
        let Some(secret) = bearer.or(key).map(str::to_owned) else {
            return Err(unknown("missing token"));
        };
        let state = Arc::clone(self);
        let found = tokio::task::spawn_blocking(move || tokens::find(state.directory.root(), &secret)).await;
        match found {
            Ok(Ok(Some(token))) => Ok(token),
            Ok(Ok(None)) => Err(unknown("unknown token")),
            Ok(Err(error)) => Err(self.fault(&error.to_string())),
            Err(error) => Err(self.fault(&error.to_string())),
        }
    }

    /// The token, if it allows a change of `name`.
    pub(crate) async fn allowed(
        self: &Arc<Self>,
        headers: &HeaderMap,
        name: &ExtensionName,
        scope: &str,
    ) -> Result<Token, Refusal> {
        let token = self.token(headers).await?;
        let forbidden = |message| Refusal::new(StatusCode::FORBIDDEN, "forbidden", message);
        if !token.scopes.iter().any(|has| has == scope) {
            return Err(forbidden(format!("this requires the {scope} scope, which the token does not have")));
        }
        if !token.owns(name) {
            return Err(forbidden(format!(
                "{} may not change extensions of @{}",
                token.username,
                name.collective()
            )));
        }
        Ok(token)
    }
}

pub(crate) async fn change(
    Extract(state): Extract<Arc<State>>,
    Path((text, op)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let (name, version) = reference(&text)?;
    if !matches!(op.as_str(), "yank" | "unyank" | "deprecate" | "undeprecate" | "promote") {
        return Err(unknown_path().await);
    }
    state.allowed(&headers, &name, "manage").await?;
    let body: ChangeRequest = state.body(body).await?;
    let reason = || match &body.reason {
        Some(reason) if !reason.trim().is_empty() && reason.len() <= MAX_REASON => Ok(reason.clone()),
        Some(reason) if reason.len() > MAX_REASON => {
            Err(Refusal::invalid(format!("invalid `reason`: expected at most {MAX_REASON} bytes")))
        }
        _ => Err(Refusal::invalid("missing `reason`")),
    };
    let channel = body.channel;
    let message = match (op.as_str(), version) {
        ("yank", version) => {
            let reason = reason()?;
            state.blocking(move |state| state.directory.yank(&name, version, channel, &reason)).await?
        }
        ("unyank", version) => {
            state.blocking(move |state| state.directory.unyank(&name, version, channel)).await?
        }
        ("deprecate", None) => {
            let (reason, by) = (reason()?, body.superseded_by);
            state.blocking(move |state| state.directory.deprecate(&name, &reason, by.as_ref())).await?
        }
        ("undeprecate", None) => state.blocking(move |state| state.directory.undeprecate(&name)).await?,
        ("promote", None) => {
            let (Some(version), Some(to)) = (body.version, body.to_channel) else {
                return Err(Refusal::invalid("missing `version` or `toChannel`"));
            };
            let promoted = state.blocking(move |state| state.directory.promote(&name, version, to)).await?;
            return ok(&promoted);
        }
        _ => return Err(unknown_path().await),
    };
    ok(&Message { message })
}

pub(crate) async fn whoami(Extract(state): Extract<Arc<State>>, headers: HeaderMap) -> Answer {
    let token = state.token(&headers).await?;
    let organization = |slug: &String| Organization {
        slug: slug.clone(),
        name: slug.clone(),
        role: "member".to_owned(),
        personal: *slug == token.username,
    };
    ok(&Identity {
        authenticated: true,
        username: token.username.clone(),
        organizations: token.collectives.iter().map(organization).collect(),
        scopes: Some(token.scopes.clone()),
    })
}

/// The longest name of a new token.
const MAX_TOKEN_NAME: usize = 100;

#[derive(Deserialize)]
struct NewToken {
    #[serde(default)]
    scopes: Vec<String>,
    name: Option<String>,
}

/// Creates a token for one collective. The caller's token must have that collective, the scope `manage`, and every scope of
/// the new one: no token makes another one that may do more.
pub(crate) async fn create_token(
    Extract(state): Extract<Arc<State>>,
    Path(collective): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    let token = state.token(&headers).await?;
    let new: NewToken = state.body(body).await?;
    let forbidden = |message: String| Refusal::new(StatusCode::FORBIDDEN, "forbidden", message);
    if !token.collectives.contains(&collective) {
        return Err(forbidden(format!("{} is not in the collective @{collective}", token.username)));
    }
    if !token.scopes.iter().any(|scope| scope == "manage") {
        return Err(forbidden("this requires the manage scope, which the token does not have".to_owned()));
    }
    if new.scopes.is_empty() {
        return Err(Refusal::invalid("missing `scopes`"));
    }
    if let Some(scope) = new.scopes.iter().find(|scope| !token.scopes.contains(scope)) {
        return Err(forbidden(format!("the token does not have the scope {scope} itself")));
    }
    if new.name.as_ref().is_some_and(|name| name.len() > MAX_TOKEN_NAME || name.chars().any(char::is_control))
    {
        return Err(Refusal::invalid("invalid `name`: expected at most 100 printable characters"));
    }
    let (root, username, scopes) = (state.directory.root().to_owned(), token.username, new.scopes.clone());
    let owned = [collective.clone()];
    let made =
        tokio::task::spawn_blocking(move || tokens::add_token(&root, &username, &owned, &scopes)).await;
    match made {
        Ok(Ok(secret)) => ok(&CreatedToken { token: secret, collective, scopes: new.scopes, name: new.name }),
        Ok(Err(error)) => Err(state.fault(&error.to_string())),
        Err(error) => Err(state.fault(&error.to_string())),
    }
}
