//! The life of a server: listen, serve, end in order.

use std::io::{BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use marsh_api::ErrorReport;
use marsh_host_client::CancelToken;
use marsh_repo::Layout;
use marsh_types::ErrorCode;

use crate::connection::{self, Hub};
use crate::error::ServeError;
use crate::protocol::{Message, raw};
use crate::service::Service;
use crate::triggers::TriggerOptions;
use crate::{socket, triggers, watch};

/// How long what runs may take to end by itself once the server was asked to end.
const DRAIN: Duration = Duration::from_secs(10);
/// How long what was cancelled may take: the grace of a call, and then the interrupt.
const CANCELLED: Duration = Duration::from_secs(5);

/// How long a failed accept is waited out.
const PAUSE: Duration = Duration::from_millis(50);
/// How long a client may leave an answer unread.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a caller needs to know once the server listens.
#[derive(Debug, Clone)]
pub struct Serving {
    /// The socket that is listened on.
    pub socket: Option<std::path::PathBuf>,
    /// Whether changes of files are watched.
    pub watching: bool,
    /// Where webhooks are listened for.
    pub http: Option<std::net::SocketAddr>,
}

/// How a server is reached, and what it starts by itself.
#[derive(Debug, Clone, Copy)]
pub struct Listening<'a> {
    /// The socket to listen on.
    pub socket: Option<&'a Path>,
    /// Whether to watch changes of files.
    pub watch: bool,
    /// Schedules and webhooks.
    pub triggers: &'a TriggerOptions,
    /// Hears what people should know.
    pub warn: fn(&str),
}

/// Serves on a local socket until it is asked to end, by a request or by `interrupt`.
pub fn serve_socket(
    service: Service,
    layout: &Layout,
    listening: Listening<'_>,
    interrupt: &CancelToken,
    ready: impl FnOnce(&Serving),
) -> Result<(), ServeError> {
    let bound = socket::bind(layout, listening.socket)?;
    let (end, ended) = channel();
    let shown = bound.socket.display().to_string();
    let hub = Arc::new(Hub::new(service, Some(shown), end.clone()));
    let watcher = listening.watch.then(|| watch::start(&hub)).transpose()?;
    let triggering = triggers::start(&hub, listening.triggers, &listening.warn)?;
    let http = triggering.as_ref().and_then(triggers::Triggering::addr);
    let listener = bound
        .listener
        .try_clone()
        .map_err(|source| ServeError::Listen { path: bound.socket.clone(), source })?;
    let accepting = Arc::clone(&hub);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let accepted = stream.and_then(|stream| accept(&accepting, stream));
            // A client that was gone before it was there, or too many open files or threads: others go on.
            if let Err(error) = accepted {
                tracing::warn!(%error, "cannot serve a client");
                std::thread::sleep(PAUSE);
            }
        }
    });
    ready(&Serving { socket: Some(bound.socket.clone()), watching: watcher.is_some(), http });
    wait(&hub, &ended, end, interrupt);
    drop(triggering);
    drop(watcher);
    hub.service.loader().hosts().end_all();
    drop(bound);
    Ok(())
}

/// Serves a client on a thread of its own.
fn accept(hub: &Arc<Hub>, stream: UnixStream) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    // A client that reads nothing must not hold up the requests of others.
    writer.set_write_timeout(Some(PATIENCE))?;
    let Some((key, activity)) = hub.clients.connect(&stream)? else {
        let failure = ErrorReport::new(ErrorCode::RateLimited, "the server has too many clients");
        if let Ok(line) = Message::notification("error", raw(&failure)).to_line() {
            writer.write_all(&line)?;
        }
        return Ok(());
    };
    let serving = Arc::clone(hub);
    let started = std::thread::Builder::new().name("client".into()).spawn(move || {
        let reader = BufReader::with_capacity(1 << 16, stream);
        connection::serve(&serving, reader, Box::new(writer), &activity);
        serving.clients.disconnect(key);
    });
    if started.is_err() {
        hub.clients.disconnect(key);
    }
    started.map(drop)
}

/// Serves one client on standard input and output, until the input ends.
pub fn serve_stdio(service: Service, watch: bool, interrupt: &CancelToken) -> Result<(), ServeError> {
    let (end, ended) = channel();
    let hub = Arc::new(Hub::new(service, None, end.clone()));
    let watcher = watch.then(|| watch::start(&hub)).transpose()?;
    let (reading, over) = (Arc::clone(&hub), end.clone());
    std::thread::spawn(move || {
        let activity = Arc::default();
        connection::serve(&reading, std::io::stdin().lock(), Box::new(std::io::stdout()), &activity);
        over.send(()).ok();
    });
    wait(&hub, &ended, end, interrupt);
    drop(watcher);
    hub.service.loader().hosts().end_all();
    Ok(())
}

/// Returns when the server is to end and nothing runs any more.
fn wait(hub: &Arc<Hub>, ended: &Receiver<()>, end: Sender<()>, interrupt: &CancelToken) {
    let interrupted = interrupt.on_cancel(move |_| {
        end.send(()).ok();
    });
    // The hub holds a sender, so this cannot fail before a client asks.
    ended.recv().ok();
    drop(interrupted);
    hub.ending.store(true, Ordering::SeqCst);
    hub.triggers.end();
    let is_idle = || hub.service.in_flight.load(Ordering::SeqCst) == 0;
    poll(DRAIN, || is_idle() || interrupt.is_cancelled());
    if !is_idle() {
        hub.cancel_all("the server ends");
        poll(CANCELLED, is_idle);
    }
    if !is_idle() {
        hub.service.server.canceller().kill_all();
    }
}

fn poll(patience: Duration, mut done: impl FnMut() -> bool) {
    let until = Instant::now() + patience;
    while !done() && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(5));
    }
}
