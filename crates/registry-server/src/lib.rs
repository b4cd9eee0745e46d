//! A server for the registry protocol over HTTP, on top of a directory registry.
//!
//! Invariants (`tests/it`):
//!
//! * The directory is the state. The server keeps only uploads that wait for confirmation. A publisher gets a success only
//!   after the version is on disk, and the server sees changes of other writers of the directory at once.
//! * A change needs a token that has the extension's collective and the scope of the change. Tokens are stored as hashes in
//!   `private/tokens.json` and read again for each request, so a removed token stops working at once
//!   (`tests/it/tokens.rs`).
//! * An upload is measured while it arrives. It is published only if it is a gzip stream, has the announced digest, and
//!   passes the caller's [`Validate`] (`tests/it/publish.rs`).
//! * Every answer is JSON, including errors, and every request body has a limit.

#![warn(missing_docs)]

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
use marsh_http::ConnectionLimits;
use marsh_registry::directory::Directory;
use marsh_registry::{PushMetadata, RegistryError};
use marsh_types::{ErrorCode, Explain};

pub use tokens::{SCOPES, Token, TokenError, add_token, list_tokens, remove_token};

/// How long requests in progress may take after the shutdown began.
const GRACE: Duration = Duration::from_secs(10);

/// Checks that an uploaded archive unpacks and that its manifest matches the pushed metadata. Returns the reason if not.
pub type Validate = Arc<dyn Fn(&Path, &PushMetadata) -> Result<(), String> + Send + Sync>;

/// The options of a server.
#[derive(Clone)]
pub struct ServerOptions {
    /// The largest archive, in bytes.
    pub max_archive_bytes: u64,
    /// The largest body of a request other than an upload, in bytes.
    pub max_request_bytes: usize,
    /// The URL of this server for clients, if it is behind a proxy. Otherwise it is `http://` and the request's `Host`.
    pub public_url: Option<url::Url>,
    /// Checks uploaded archives.
    pub validate: Validate,
    /// Called with the details of an internal error, which clients do not get.
    pub on_fault: Arc<dyn Fn(&str) + Send + Sync>,
}

impl ServerOptions {
    /// The default limits: 64 MB for an archive, 4 MB for other requests.
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

/// The server cannot start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The directory is not a registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The server cannot listen on the address.
    #[error("cannot listen on {addr}: {source}")]
    Listen {
        /// The address.
        addr: SocketAddr,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The server stopped with an error.
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
            ServeError::Listen { .. } => Some("choose another address, or port 0 for a free port".to_owned()),
            ServeError::Stopped(_) => None,
        }
    }
}

pub(crate) struct State {
    directory: Directory,
    options: ServerOptions,
    uploads: push::Uploads,
}

/// Serves the registry in `dir` until `shutdown` completes, then finishes the requests in progress. `ready` is called with
/// the address, which has the chosen port if `addr` has port 0.
///
/// # Errors
/// `dir` is not a registry, the server cannot listen on `addr`, or it stops with an error.
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
            marsh_types::ignore(
                begin.send(()).map_err(|()| "the receiver is gone"),
                "the server has already stopped by itself",
            );
        };
        let server = marsh_http::serve(listener, router(state), ConnectionLimits::default(), signal);
        let overdue = async {
            match begun.await {
                Ok(()) => tokio::time::sleep(GRACE).await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            () = server => Ok(()),
            () = overdue => Ok(()),
        }
    });
    runtime.shutdown_timeout(Duration::from_secs(1));
    result
}

/// Completes at SIGINT (Ctrl-C) or SIGTERM.
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
        .route("/api/v1/collectives/{collective}/api-tokens", post(change::create_token))
        .route("/api/v1/extensions/search", get(read::search))
        .route("/api/v1/extensions/push", post(push::push))
        .route("/api/v1/extensions/confirm", post(push::confirm))
        .route("/api/v1/extensions/{reference}", get(read::info))
        .route("/api/v1/extensions/{reference}/{op}", get(read::about).post(change::change))
        .route("/uploads/{id}", put(push::upload))
        .route("/archives/{file}", get(archive::archive))
        .fallback(answer::unknown_path)
        .method_not_allowed_fallback(answer::wrong_method)
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(state)
}
