//! Webhooks over HTTP: routes, verification of signatures, and answers.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Json, Response};
use futures_util::StreamExt as _;
use marsh_http::ConnectionLimits;
use marsh_types::ignore;
use marsh_vault::Secret;
use serde_json::{Map, Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::error::TriggerError;
use crate::signature::{Refused, Scheme};

/// The longest body that is read.
pub const MAX_BODY: usize = 10 << 20;
/// How much of bodies is in memory at once, of all requests together, in bytes.
const MAX_BODIES: usize = 64 << 20;
/// How long a client may take to send a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
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

/// Why a call that is believed is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// More waits already than may wait, or the server ends.
    Full,
    /// It cannot be kept.
    NotKept,
}

type Take = Arc<dyn Fn(Called) -> Result<(), NotTaken> + Send + Sync>;

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
    bodies: Arc<Semaphore>,
}

/// Listens for calls and hands on those that are believed. When `take` returns, a call is safe, and its sender hears so.
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
    let app = Router::new().fallback(answer).with_state(Arc::new(Shared {
        hooks: by_route,
        take,
        bodies: Arc::new(Semaphore::new(MAX_BODIES)),
    }));
    let (end, ended) = oneshot::channel::<()>();
    let serve = move || {
        runtime.block_on(async {
            tokio::select! {
                // Without an end of its own: requests in progress are not waited for.
                () = marsh_http::serve(listener, app, ConnectionLimits::default(), std::future::pending()) => {}
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
    body: Body,
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
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // Nothing is read of what cannot be believed.
    if header(&hook.scheme.header()).is_none() {
        return refused(StatusCode::UNAUTHORIZED, &Refused::Missing.to_string());
    }
    let read = tokio::time::timeout(BODY_TIMEOUT, read(body, &shared.bodies)).await;
    let Ok(read) = read else {
        return refused(StatusCode::REQUEST_TIMEOUT, "the body took too long");
    };
    let (body, _permit) = match read {
        Ok(read) => read,
        Err((status, message)) => return refused(status, message),
    };
    let now = jiff::Timestamp::now().as_second();
    if let Err(error) = hook.scheme.check(hook.secret.expose(), header, &body, now) {
        return refused(StatusCode::UNAUTHORIZED, &error.to_string());
    }
    let called = Called {
        workflow: hook.workflow.clone(),
        webhook: json!({ "body": content(&body), "headers": shown(&headers, &hook.scheme), "route": route }),
    };
    let take = Arc::clone(&shared.take);
    // It waits for the disk.
    match tokio::task::spawn_blocking(move || take(called)).await {
        Ok(Ok(())) => said(StatusCode::ACCEPTED, json!({ "status": "queued" })),
        Ok(Err(NotTaken::Full)) => refused(StatusCode::SERVICE_UNAVAILABLE, "too many requests wait"),
        Ok(Err(NotTaken::NotKept)) | Err(_) => {
            refused(StatusCode::SERVICE_UNAVAILABLE, "the request cannot be kept")
        }
    }
}

/// A body within the limits, and its share of the memory of all.
async fn read(
    body: Body,
    bodies: &Arc<Semaphore>,
) -> Result<(Vec<u8>, Option<OwnedSemaphorePermit>), (StatusCode, &'static str)> {
    let mut pieces = body.into_data_stream();
    let mut whole = Vec::new();
    let mut share: Option<OwnedSemaphorePermit> = None;
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|_| (StatusCode::BAD_REQUEST, "the body cannot be read"))?;
        if whole.len() + piece.len() > MAX_BODY {
            return Err((StatusCode::PAYLOAD_TOO_LARGE, "the body exceeds 10 MB"));
        }
        let count = u32::try_from(piece.len()).unwrap_or(u32::MAX);
        let more = Arc::clone(bodies).try_acquire_many_owned(count);
        let more = more.map_err(|_| (StatusCode::SERVICE_UNAVAILABLE, "too many requests at once"))?;
        match &mut share {
            Some(share) => share.merge(more),
            None => share = Some(more),
        }
        whole.extend_from_slice(&piece);
    }
    Ok((whole, share))
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
