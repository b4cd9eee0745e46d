//! Serves HTTP within limits, for every listener of marsh.
//!
//! * Connections are counted, in all and for each peer. One beyond a limit is closed at once, so that those that are served go
//!   on (`connections_beyond_the_limit_are_closed_and_others_served`).
//! * A client that does not send the headers of its next request in time is disconnected
//!   (`client_that_sends_half_a_header_is_disconnected`). Bodies are the application's to limit.
//! * A failure to accept, such as too many open files, is waited out instead of tried again without end.

#![warn(missing_docs)]

use std::collections::HashMap;
use std::future::Future;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long a failed accept is waited out.
const PAUSE: Duration = Duration::from_millis(50);

/// The limits of a listener.
#[derive(Debug, Clone, Copy)]
pub struct ConnectionLimits {
    /// Connections at once.
    pub connections: usize,
    /// Connections at once from one address.
    pub per_peer: usize,
    /// How long a client may take to send the headers of a request, and may be idle between two requests.
    pub header_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> ConnectionLimits {
        ConnectionLimits { connections: 512, per_peer: 256, header_timeout: Duration::from_secs(10) }
    }
}

/// The connections that are open, by peer.
#[derive(Debug, Default)]
struct Peers(Mutex<HashMap<IpAddr, usize>>);

/// A place among the open connections.
#[derive(Debug)]
struct Place {
    peers: Arc<Peers>,
    peer: IpAddr,
}

impl Place {
    /// `None`: a limit is reached.
    fn take(peers: &Arc<Peers>, peer: IpAddr, limits: ConnectionLimits) -> Option<Place> {
        let mut open = peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = open.get(&peer).copied().unwrap_or_default();
        if own >= limits.per_peer || open.values().sum::<usize>() >= limits.connections {
            return None;
        }
        open.insert(peer, own + 1);
        Some(Place { peers: Arc::clone(peers), peer })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.peers.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.peer) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.peer);
            }
        }
    }
}

/// Serves until `shutdown` completes, and then until the requests in progress are answered.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()>,
) {
    let peers = Arc::new(Peers::default());
    let (end, ended) = watch::channel(());
    let mut open = JoinSet::new();
    let mut shutdown = pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            () = &mut shutdown => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, addr)) => match Place::take(&peers, addr.ip(), limits) {
                Some(place) => {
                    drop(open.spawn(connection(stream, app.clone(), limits, ended.clone(), place)))
                }
                None => tracing::debug!(%addr, "closed a connection beyond the limit"),
            },
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
        // Those that have ended.
        while open.try_join_next().is_some() {}
    }
    drop(listener);
    drop(end);
    while open.join_next().await.is_some() {}
}

async fn connection(
    stream: TcpStream,
    app: Router,
    limits: ConnectionLimits,
    mut ended: watch::Receiver<()>,
    _place: Place,
) {
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(limits.header_timeout);
    let mut served = pin!(builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(app)));
    let result = tokio::select! {
        result = &mut served => result,
        // The sender is gone: the server ends.
        _ = ended.changed() => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::{SocketAddr, TcpStream};
    use std::time::{Duration, Instant};

    use axum::Router;
    use axum::routing::get;
    use tokio::sync::oneshot;

    use super::{ConnectionLimits, serve};

    struct Server {
        addr: SocketAddr,
        end: Option<oneshot::Sender<()>>,
        thread: Option<std::thread::JoinHandle<()>>,
    }

    impl Server {
        fn start(limits: ConnectionLimits) -> Server {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
            let addr = listener.local_addr().unwrap();
            let (end, ended) = oneshot::channel::<()>();
            let app = Router::new().route("/", get(|| async { "here" }));
            let work = move || runtime.block_on(serve(listener, app, limits, async { drop(ended.await) }));
            Server { addr, end: Some(end), thread: Some(std::thread::spawn(work)) }
        }

        fn client(&self) -> TcpStream {
            let stream = TcpStream::connect(self.addr).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream
        }
    }

    impl Drop for Server {
        fn drop(&mut self) {
            drop(self.end.take());
            self.thread.take().unwrap().join().unwrap();
        }
    }

    fn is_answered(mut stream: TcpStream) -> bool {
        let asked = stream.write_all(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
        let mut answer = String::new();
        asked.and_then(|()| stream.read_to_string(&mut answer)).is_ok() && answer.ends_with("here")
    }

    /// Whether the server closes the connection without a word.
    fn is_closed(mut stream: TcpStream) -> bool {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(read) => read == 0,
            Err(error) => matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
        }
    }

    #[test]
    fn connections_beyond_the_limit_are_closed_and_others_served() {
        let server = Server::start(ConnectionLimits { connections: 4, per_peer: 3, ..Default::default() });
        let mut held: Vec<TcpStream> = (0..3).map(|_| server.client()).collect();
        assert!(is_closed(server.client()), "the fourth of this peer");
        assert!(held.pop().is_some_and(is_answered), "those that are there go on");
        // The place of a client that left is another's.
        let begun = Instant::now();
        while !is_answered(server.client()) {
            assert!(begun.elapsed() < Duration::from_secs(20));
        }
    }

    #[test]
    fn client_that_sends_half_a_header_is_disconnected() {
        let header_timeout = Duration::from_millis(200);
        let server = Server::start(ConnectionLimits { header_timeout, ..Default::default() });
        let begun = Instant::now();
        let mut half = server.client();
        half.write_all(b"GET / HTTP/1.1\r\nHost: h").unwrap();
        let idle = server.client();
        assert!(is_closed(half) && is_closed(idle));
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn server_that_ends_disconnects_idle_clients() {
        let server = Server::start(ConnectionLimits::default());
        let idle = server.client();
        assert!(is_answered(server.client()));
        drop(server);
        assert!(is_closed(idle));
    }
}
