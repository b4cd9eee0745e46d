//! Webhooks over HTTP: routes, verification of signatures, and answers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use marsh_types::ignore;
use marsh_vault::Secret;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;

use crate::error::TriggerError;
use crate::signature::Scheme;

/// The longest body that is read.
pub const MAX_BODY: usize = 10 << 20;
/// Headers with credentials. Workflows never see them.
const CREDENTIALS: [&str; 6] =
    ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token", "x-gitlab-token"];

/// A webhook whose secret is at hand.
#[derive(Debug)]
pub struct Hook {
    /// The path of the URL, with its leading `/`.
    pub route: String,
    /// The name of the workflow that a request starts.
    pub workflow: String,
    /// The secret of the signature.
    pub secret: Secret,
    /// How requests are signed.
    pub scheme: Scheme,
}

/// A call that is believed.
#[derive(Debug, Clone, PartialEq)]
pub struct Called {
    /// The name of the workflow.
    pub workflow: String,
    /// `{body, headers, route}`, the variable `webhook`.
    pub webhook: Value,
}

/// More waits already than may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Full;

type Take = Arc<dyn Fn(Called) -> Result<(), Full> + Send + Sync>;

/// A server that listens. It ends when this is dropped.
#[derive(Debug)]
pub struct Listener {
    /// The address that listens.
    pub addr: SocketAddr,
    end: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(end) = self.end.take() {
            ignore(end.send(()).map_err(|()| "the receiver is gone"), "the server has ended by itself");
        }
        if let Some(thread) = self.thread.take() {
            ignore(thread.join().map_err(|_| "panicked"), "the listener ends either way");
        }
    }
}

struct Shared {
    hooks: HashMap<String, Hook>,
    take: Take,
}

/// Listens for calls and hands on those that are believed. `take` must not block.
pub fn listen(addr: SocketAddr, hooks: Vec<Hook>, take: Take) -> Result<Listener, TriggerError> {
    let mut by_route = HashMap::new();
    for hook in hooks {
        let route = hook.route.clone();
        if by_route.insert(route.clone(), hook).is_some() {
            return Err(TriggerError::SameRoute { route });
        }
    }
    let failed = |source| TriggerError::Listen { addr, source };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind(addr)).map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    let app = Router::new()
        .fallback(answer)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(Arc::new(Shared { hooks: by_route, take }));
    let (end, ended) = oneshot::channel::<()>();
    let serve = move || {
        runtime.block_on(async {
            tokio::select! {
                // It serves until the server ends, and retries connections that the kernel does not accept.
                _ = axum::serve(listener, app) => {}
                _ = ended => {}
            }
        });
    };
    let thread = std::thread::Builder::new().name("webhooks".into()).spawn(serve).map_err(failed)?;
    Ok(Listener { addr: bound, end: Some(end), thread: Some(thread) })
}

fn said(status: StatusCode, document: Value) -> Response {
    (status, Json(document)).into_response()
}

fn refused(status: StatusCode, message: &str) -> Response {
    said(status, json!({ "error": message }))
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, axum::extract::rejection::BytesRejection>,
) -> Response {
    if uri.path() == "/health" && method == Method::GET {
        return said(StatusCode::OK, json!({ "status": "ok" }));
    }
    let route = format!("/{}", uri.path().trim_matches('/'));
    let Some(hook) = shared.hooks.get(&route) else {
        return refused(StatusCode::NOT_FOUND, "unknown webhook");
    };
    if method != Method::POST {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "expected POST");
    }
    let body = match body {
        Ok(body) => body,
        Err(error) => return refused(error.status(), "the body cannot be read or exceeds 10 MB"),
    };
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let now = jiff::Timestamp::now().as_second();
    if let Err(error) = hook.scheme.check(hook.secret.expose(), header, &body, now) {
        return refused(StatusCode::UNAUTHORIZED, &error.to_string());
    }
    let called = Called {
        workflow: hook.workflow.clone(),
        webhook: json!({ "body": content(&body), "headers": shown(&headers, &hook.scheme), "route": route }),
    };
    match (shared.take)(called) {
        Ok(()) => said(StatusCode::ACCEPTED, json!({ "status": "queued" })),
        Err(Full) => refused(StatusCode::SERVICE_UNAVAILABLE, "too many requests wait"),
    }
}

/// JSON as what it says, anything else as text.
fn content(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(body)))
}

fn shown(headers: &HeaderMap, scheme: &Scheme) -> Value {
    let signature = scheme.header();
    let mut map = Map::new();
    for (name, value) in headers {
        let name = name.as_str();
        if name != signature && !CREDENTIALS.contains(&name) {
            map.insert(name.to_owned(), Value::from(String::from_utf8_lossy(value.as_bytes())));
        }
    }
    Value::Object(map)
}
