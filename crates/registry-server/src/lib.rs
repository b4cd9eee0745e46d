//! The registry protocol served over HTTP from a directory registry.
//!
//! Invariants (`tests/it`):
//!
//! * The directory is the state. The server keeps only uploads that wait for their confirmation; what it answered to a
//!   publisher is on disk, and other writers of the directory are seen at once.
//! * Changes want a token whose collectives include the extension's and whose scopes allow the change. Tokens are
//!   stored hashed, in `private/tokens.json`, and read afresh for each request, so that a removed one stops working.
//! * What is published are the bytes that were measured as they arrived: a gzip stream with the announced digest that
//!   the [`Validate`] of the caller accepts.
//! * Every answer is JSON, errors included, and every body has a limit.

mod answer;
mod archive;
mod change;
mod push;
mod read;
mod tokens;

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post, put};
use marsh_registry::directory::Directory;
use marsh_registry::{PushMetadata, RegistryError};
use marsh_types::{ErrorCode, Explain};

pub use tokens::{SCOPES, Token, TokenError, add_token, list_tokens, remove_token};

/// How long answers that are under way may take after the shutdown began.
const GRACE: Duration = Duration::from_secs(10);

/// Looks into an archive whose bytes have been checked: that its manifest is the pushed one, and that it unpacks.
pub type Validate = Arc<dyn Fn(&Path, &PushMetadata) -> Result<(), String> + Send + Sync>;

#[derive(Clone)]
pub struct ServerOptions {
    pub max_archive_bytes: u64,
    /// Of requests other than uploads: metadata, mostly.
    pub max_request_bytes: usize,
    /// What clients reach this server by, when it is not the `Host` they ask for over plain http: behind a proxy.
    pub public_url: Option<url::Url>,
    pub validate: Validate,
    /// Hears of faults that clients are told nothing particular about.
    pub on_fault: Arc<dyn Fn(&str) + Send + Sync>,
}

impl ServerOptions {
    pub fn new(validate: Validate) -> ServerOptions {
        ServerOptions {
            max_archive_bytes: 64 << 20,
            max_request_bytes: 4 << 20,
            public_url: None,
            validate,
            on_fault: Arc::new(|_| {}),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error("cannot listen on {addr}: {source}")]
    Listen { addr: SocketAddr, source: std::io::Error },
    #[error("the server stopped: {0}")]
    Stopped(std::io::Error),
}

impl Explain for ServeError {
    fn code(&self) -> ErrorCode {
        match self {
            ServeError::Registry(error) => error.code(),
            ServeError::Listen { .. } => ErrorCode::CannotListen,
            ServeError::Stopped(_) => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ServeError::Registry(error) => error.hint(),
            ServeError::Listen { .. } => {
                Some("choose another address, or port 0 for any that is free".to_owned())
            }
            ServeError::Stopped(_) => None,
        }
    }
}

pub(crate) struct State {
    directory: Directory,
    options: ServerOptions,
    uploads: push::Uploads,
}

/// Serves the registry in `dir` until `shutdown` comes, and then finishes what is under way. `ready` hears the address,
/// which for port 0 is news.
pub fn serve(
    dir: &Path,
    addr: SocketAddr,
    options: ServerOptions,
    shutdown: impl Future<Output = ()> + Send + 'static,
    ready: impl FnOnce(SocketAddr),
) -> Result<(), ServeError> {
    let directory = Directory::new(dir);
    directory.check()?;
    let state = Arc::new(State { directory, options, uploads: push::Uploads::default() });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(ServeError::Stopped)?;
    let result = runtime.block_on(async {
        let listen = |source| ServeError::Listen { addr, source };
        let listener = tokio::net::TcpListener::bind(addr).await.map_err(listen)?;
        ready(listener.local_addr().map_err(listen)?);
        let (begin, begun) = tokio::sync::oneshot::channel::<()>();
        let signal = async move {
            shutdown.await;
            // Nobody listens once the server has stopped by itself.
            begin.send(()).ok();
        };
        let server = axum::serve(listener, router(state)).with_graceful_shutdown(signal);
        let overdue = async {
            match begun.await {
                Ok(()) => tokio::time::sleep(GRACE).await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            result = server => result.map_err(ServeError::Stopped),
            () = overdue => Ok(()),
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Ctrl-C or the request of a service manager to end.
pub async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    if let Ok(mut terminate) = signal(SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn router(state: Arc<State>) -> Router {
    Router::new()
        .route("/api/whoami", get(change::whoami))
        .route("/api/v1/extensions/search", get(read::search))
        .route("/api/v1/extensions/push", post(push::push))
        .route("/api/v1/extensions/confirm", post(push::confirm))
        .route("/api/v1/extensions/{reference}", get(read::info))
        .route("/api/v1/extensions/{reference}/{op}", get(read::about).post(change::change))
        .route("/uploads/{id}", put(push::upload))
        .route("/archives/{file}", get(archive::archive))
        .fallback(answer::no_such_place)
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(state)
}
