//! Answers: JSON documents, and the HTTP status of each error.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use marsh_fs::LockError;
use marsh_registry::RegistryError;
use marsh_types::{CalVer, Explain, ExtensionName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::State;

/// An error answer.
pub(crate) struct Refusal {
    status: StatusCode,
    body: Value,
    retry_after: Option<u64>,
}

pub(crate) type Answer = Result<Response, Refusal>;

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Refusal {
        Refusal { status, body: json!({ "error": message.into(), "code": code }), retry_after: None }
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", message)
    }

    pub(crate) fn busy(message: impl Into<String>, retry_after: u64) -> Refusal {
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", message);
        Refusal { retry_after: Some(retry_after), ..refusal }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.body)).into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

pub(crate) fn ok(value: &impl Serialize) -> Answer {
    match serde_json::to_value(value) {
        Ok(value) => Ok(axum::Json(value).into_response()),
        Err(error) => {
            Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "registry_error", error.to_string()))
        }
    }
}

impl State {
    /// The answer for an error of the directory registry, without paths of the server.
    pub(crate) fn refuse(&self, error: RegistryError) -> Refusal {
        use RegistryError as E;
        let status = match &error {
            E::NotFound { what, .. } => {
                return Refusal::new(
                    StatusCode::NOT_FOUND,
                    "not_found",
                    format!("{what} is not in this registry"),
                );
            }
            E::Yanked { reason, .. } => {
                let reason = reason.clone().unwrap_or_default();
                return Refusal::new(StatusCode::GONE, "extension_yanked", reason);
            }
            E::AlreadyExists { message, checksum } => {
                let mut refusal = Refusal::new(StatusCode::CONFLICT, "already_exists", message.as_str());
                refusal.body["checksum"] = json!(checksum);
                return refusal;
            }
            E::ValidationFailed { .. } | E::ChecksumMismatch { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            E::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            E::Lock(LockError::Timeout { .. }) => {
                (self.options.on_fault)(&error.to_string());
                let refusal = Refusal::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "registry_error",
                    "the registry is busy with other changes",
                );
                return Refusal { retry_after: Some(1), ..refusal };
            }
            _ => return self.fault(&error.to_string()),
        };
        Refusal::new(status, error.code().as_str(), error.to_string())
    }

    pub(crate) fn fault(&self, message: &str) -> Refusal {
        (self.options.on_fault)(message);
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "registry_error",
            "internal error of the registry; its log has the details",
        )
    }

    /// Runs work that reads or writes files on a thread that may block.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&State) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let state = Arc::clone(self);
        match tokio::task::spawn_blocking(move || work(&state)).await {
            Ok(result) => result.map_err(|error| self.refuse(error)),
            Err(error) => Err(self.fault(&error.to_string())),
        }
    }

    /// Parses a JSON body. An empty body is an empty object.
    pub(crate) async fn body<T: DeserializeOwned>(&self, body: Body) -> Result<T, Refusal> {
        let limit = self.options.max_request_bytes;
        let bytes = axum::body::to_bytes(body, limit).await.map_err(|_| {
            let message = format!("the request is incomplete, or larger than {limit} bytes");
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "validation_failed", message)
        })?;
        let bytes: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(bytes).map_err(|error| Refusal::invalid(format!("invalid request: {error}")))
    }

    /// The URL of `path` on this server, as this client reaches it.
    pub(crate) fn url(&self, headers: &HeaderMap, path: &str) -> Result<String, Refusal> {
        if let Some(public) = &self.options.public_url {
            return Ok(format!("{}/{path}", public.as_str().trim_end_matches('/')));
        }
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let plain = |c: char| c.is_ascii_alphanumeric() || ".-_:[]".contains(c);
        if host.is_empty() || !host.chars().all(plain) {
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "validation_failed",
                "missing or invalid header Host",
            ));
        }
        Ok(format!("http://{host}/{path}"))
    }
}

/// Parses `@a/b` or `@a/b@<version>`.
pub(crate) fn reference(text: &str) -> Result<(ExtensionName, Option<CalVer>), Refusal> {
    let not_found = || {
        let shown: String = text.chars().take(100).flat_map(char::escape_debug).collect();
        Refusal::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("invalid reference `{shown}`: expected `@collective/name` or `@collective/name@version`"),
        )
    };
    let at = text.char_indices().skip(1).find(|(_, c)| *c == '@').map(|(index, _)| index);
    let (name, version) = at.map_or((text, None), |at| (&text[..at], Some(&text[at + 1..])));
    let name = name.parse().map_err(|_| not_found())?;
    let version = version.map(str::parse).transpose().map_err(|_| not_found())?;
    Ok((name, version))
}

pub(crate) async fn unknown_path() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "not_found", "unknown path")
}

pub(crate) async fn wrong_method() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "registry_error", "this path does not support this method")
}
