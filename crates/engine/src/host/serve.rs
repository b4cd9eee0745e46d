//! HTTP servers of extensions: for callbacks of a browser on this machine, so they listen on loopback addresses alone.
//!
//! A server ends with the call that started it: it stops to listen, and its connections are closed. JavaScript takes one
//! request at a time from a short queue; bodies are pulled and pushed in pieces, so neither side runs ahead of the other.
//! Held by `tests/it/serve.rs`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::StreamExt;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot, watch};

use crate::errors;
use crate::gate::{
    Args, Completer, Cost, Determinism, Env, ErrorClass, HostError, HostResult, NET, Operation, Val, plain,
    start,
};
use crate::host::fetch::{from_latin1, latin1};
use crate::host::net;
use crate::lock::lock;
use crate::shared::{Owner, Shared};

pub(crate) const OPERATIONS: &[Operation] = &[
    plain("serve.listen", NET, Determinism::ChangesWorld, Cost::Instant, listen),
    start("serve.next", NET, Determinism::ReadsWorld, Cost::Wait, next),
    start("serve.read", NET, Determinism::ReadsWorld, Cost::Wait, read),
    plain("serve.respond", NET, Determinism::ChangesWorld, Cost::Instant, respond),
    start("serve.write", NET, Determinism::ChangesWorld, Cost::Wait, write),
    plain("serve.endBody", NET, Determinism::ChangesWorld, Cost::Instant, end_body),
    plain("serve.shutdown", NET, Determinism::ChangesWorld, Cost::Instant, shutdown),
    start("serve.finished", NET, Determinism::ReadsWorld, Cost::Wait, finished),
];

/// Requests that wait for the code.
const QUEUE: usize = 16;
/// Connections at a time; further ones wait in the system's queue.
const CONNECTIONS: usize = 64;
/// How long a connection may take to send the head of a request.
const HEAD_TIME: Duration = Duration::from_secs(30);
/// How often a server looks whether its call is still there.
const LOOK: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Listening,
    /// Answers what was asked, and takes nothing new.
    Draining,
    /// Closes its connections.
    Closed,
}

pub(crate) struct Server {
    requests: tokio::sync::Mutex<mpsc::Receiver<Exchange>>,
    state: watch::Sender<State>,
    /// Goes when the last connection is closed.
    open: watch::Sender<bool>,
}

/// A request, and where its answer goes.
struct Exchange {
    request: Request<Incoming>,
    from: SocketAddr,
    answer: oneshot::Sender<Response<Body>>,
}

/// A request that the code has taken.
pub(crate) struct Taken {
    body: tokio::sync::Mutex<Incoming>,
    answer: Mutex<Option<oneshot::Sender<Response<Body>>>>,
    pieces: Mutex<Option<mpsc::Sender<Bytes>>>,
}

/// Servers and requests by number.
pub(crate) type Servers = Arc<Tables>;

#[derive(Default)]
pub(crate) struct Tables {
    servers: Mutex<HashMap<u64, Arc<Server>>>,
    taken: Mutex<HashMap<u64, Arc<Taken>>>,
}

/// The body of an answer: whole, or in pieces.
enum Body {
    Whole(Option<Bytes>),
    Pieces(mpsc::Receiver<Bytes>),
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        match &mut *self {
            Body::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Body::Pieces(pieces) => {
                pieces.poll_recv(context).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Body::Whole(None))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Body::Whole(bytes) => {
                hyper::body::SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Body::Pieces(_) => hyper::body::SizeHint::default(),
        }
    }
}

/// The loopback address that `host` names; another one is refused by name.
fn loopback(host: &str) -> Result<IpAddr, HostError> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let address = match host {
        "localhost" => Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        "::1" => Some(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        host => host.parse::<IpAddr>().ok().filter(IpAddr::is_loopback),
    };
    address.ok_or_else(|| {
        HostError::unsupported(&format!("a server on {host} (only 127.0.0.1, ::1 and localhost are)"))
    })
}

/// `(host, port)` to `[server, host, port]`.
fn listen(env: &Env, args: &Args) -> HostResult {
    let address = SocketAddr::new(loopback(args.str(0)?)?, args.num(1)? as u16);
    let failed = |error: std::io::Error| errors::io(&error, &format!("listen on {address}"));
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    let local = listener.local_addr().map_err(failed)?;
    let io = crate::io::handle()?;
    let listener = {
        let _context = io.enter();
        TcpListener::from_std(listener).map_err(failed)?
    };
    let (queue, requests) = mpsc::channel(QUEUE);
    let server = Arc::new(Server {
        requests: tokio::sync::Mutex::new(requests),
        state: watch::Sender::new(State::Listening),
        open: watch::Sender::new(true),
    });
    let id = env.next_id();
    lock(&env.servers.servers).insert(id, server.clone());
    let work = accept(listener, queue, server, env.shared.clone(), env.shared.slice());
    net::spawn(env, work)?;
    Ok(Val::List(vec![Val::Num(id as f64), Val::Str(local.ip().to_string()), Val::Num(local.port().into())]))
}

/// Accepts until the server has to stop, or its call has ended.
async fn accept(
    listener: TcpListener,
    queue: mpsc::Sender<Exchange>,
    server: Arc<Server>,
    shared: Arc<Shared>,
    owner: Owner,
) {
    let mut state = server.state.subscribe();
    let mut connections = futures_util::stream::FuturesUnordered::new();
    let mut listener = Some(listener);
    let orphaned = |owner: &Owner| matches!(owner, Owner::Call(_)) && !shared.is_live(owner);
    let mut look = tokio::time::interval(LOOK);
    loop {
        let now = *state.borrow_and_update();
        if now == State::Closed || (now == State::Draining && connections.is_empty()) {
            break;
        }
        if now == State::Draining {
            listener = None;
        }
        let room = connections.len() < CONNECTIONS;
        let accepted = async {
            match &listener {
                Some(listener) if room => listener.accept().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            changed = state.changed() => if changed.is_err() { break },
            _ = look.tick() => if orphaned(&owner) { break },
            Some(()) = connections.next(), if !connections.is_empty() => {}
            accepted = accepted => {
                // A client that went away before it was accepted is its own affair.
                let Ok((stream, from)) = accepted else { continue };
                marsh_types::ignore(stream.set_nodelay(true), "the connection works without it");
                // Idle connections must not keep others out.
                let keeps = connections.len() < CONNECTIONS / 2;
                connections.push(serve(stream, from, keeps, queue.clone(), server.state.subscribe()));
            }
        }
    }
    drop((listener, connections, queue));
    server.state.send_replace(State::Closed);
    server.open.send_replace(false);
}

async fn serve(
    stream: TcpStream,
    from: SocketAddr,
    keeps: bool,
    queue: mpsc::Sender<Exchange>,
    mut state: watch::Receiver<State>,
) {
    let asked = Arc::new(AtomicBool::new(false));
    let asks = asked.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        asks.store(true, Ordering::Relaxed);
        let queue = queue.clone();
        async move {
            let (answer, answered) = oneshot::channel();
            let none = |_| StatusCode::SERVICE_UNAVAILABLE;
            let sent = queue.send(Exchange { request, from, answer }).await.map_err(none);
            let response = match sent {
                Ok(()) => answered.await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR),
                Err(status) => Err(status),
            };
            Ok::<_, Infallible>(response.unwrap_or_else(|status| {
                let mut response = Response::new(Body::Whole(None));
                *response.status_mut() = status;
                response
            }))
        }
    });
    let mut builder = hyper::server::conn::http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME).keep_alive(keeps);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let draining = state.wait_for(|state| *state != State::Listening);
    tokio::select! {
        ended = connection.as_mut() => {
            marsh_types::ignore(ended, "the client went away");
            return;
        }
        // Browsers open connections that they may never use; hyper would wait for their first request.
        _ = draining => if !asked.load(Ordering::Relaxed) { return },
    }
    connection.as_mut().graceful_shutdown();
    marsh_types::ignore(connection.await, "the client went away");
}

fn bad_resource() -> HostError {
    HostError::new(ErrorClass::BadResource, "Bad resource ID")
}

fn server(env: &Env, args: &Args) -> Result<Arc<Server>, HostError> {
    lock(&env.servers.servers).get(&(args.num(0)? as u64)).cloned().ok_or_else(bad_resource)
}

fn taken(env: &Env, args: &Args) -> Result<Arc<Taken>, HostError> {
    lock(&env.servers.taken).get(&(args.num(0)? as u64)).cloned().ok_or_else(bad_resource)
}

/// `(server)` to `[request, method, path and query, flat list of headers, remote host, remote port]`, or nothing once the
/// server has ended.
fn next(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let server = server(env, &args)?;
    let id = env.next_id();
    let tables = env.servers.clone();
    net::run(env, done, async move {
        let Some(Exchange { request, from, answer }) = server.requests.lock().await.recv().await else {
            return Ok(Val::Null);
        };
        let (head, body) = request.into_parts();
        let target = head.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let headers = head
            .headers
            .iter()
            .flat_map(|(name, value)| [Val::Str(name.as_str().to_owned()), from_latin1(value.as_bytes())])
            .collect();
        let taken = Taken {
            body: tokio::sync::Mutex::new(body),
            answer: Mutex::new(Some(answer)),
            pieces: Mutex::new(None),
        };
        lock(&tables.taken).insert(id, Arc::new(taken));
        Ok(Val::List(vec![
            Val::Num(id as f64),
            Val::Str(head.method.as_str().to_owned()),
            Val::Str(target),
            Val::List(headers),
            Val::Str(from.ip().to_string()),
            Val::Num(from.port().into()),
        ]))
    })
}

/// `(request)` to a piece of its body, or nothing at the end.
fn read(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let taken = taken(env, &args)?;
    net::run(env, done, async move {
        let mut body = taken.body.lock().await;
        loop {
            match body.frame().await {
                None => return Ok(Val::Null),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        return Ok(Val::Bytes(bytes.to_vec()));
                    }
                }
                Some(Err(error)) => {
                    return Err(HostError::new(ErrorClass::ConnectionReset, error.to_string()));
                }
            }
        }
    })
}

/// `(request, status, JSON list of headers, bytes or nothing, in pieces?)` to whether the client is still there.
fn respond(env: &Env, args: &Args) -> HostResult {
    let taken = taken(env, args)?;
    let headers: Vec<(String, String)> = args.json(2)?;
    let (body, pieces) = if args.bool(4) {
        let (sender, receiver) = mpsc::channel(1);
        (Body::Pieces(receiver), Some(sender))
    } else {
        let bytes = if args.is_none(3) { None } else { Some(Bytes::copy_from_slice(args.bytes(3)?)) };
        (Body::Whole(bytes.filter(|bytes| !bytes.is_empty())), None)
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(args.num(1)? as u16)
        .map_err(|error| HostError::new(ErrorClass::RangeError, error.to_string()))?;
    for (name, value) in &headers {
        let bad = || HostError::type_error(format!("Invalid header '{name}'"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
        let value = HeaderValue::from_bytes(&latin1(value).ok_or_else(bad)?).map_err(|_| bad())?;
        response.headers_mut().append(name, value);
    }
    let Some(answer) = lock(&taken.answer).take() else {
        return Err(HostError::type_error("the request has been answered"));
    };
    let streams = pieces.is_some();
    *lock(&taken.pieces) = pieces;
    let sent = answer.send(response).is_ok();
    if !streams || !sent {
        lock(&env.servers.taken).remove(&(args.num(0)? as u64));
    }
    Ok(Val::Bool(sent))
}

/// `(request, bytes)` to whether the client is still there.
fn write(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let taken = taken(env, &args)?;
    let sender = lock(&taken.pieces).clone();
    let bytes = Bytes::copy_from_slice(args.bytes(1)?);
    net::run(env, done, async move {
        match sender {
            Some(sender) => Ok(Val::Bool(sender.send(bytes).await.is_ok())),
            None => Ok(Val::Bool(false)),
        }
    })
}

fn end_body(env: &Env, args: &Args) -> HostResult {
    lock(&env.servers.taken).remove(&(args.num(0)? as u64));
    Ok(Val::Undefined)
}

/// `(server, at once?)`
fn shutdown(env: &Env, args: &Args) -> HostResult {
    let server = server(env, args)?;
    let state = if args.bool(1) { State::Closed } else { State::Draining };
    server.state.send_if_modified(|now| {
        let changes = *now != State::Closed && *now != state;
        if changes {
            *now = state;
        }
        changes
    });
    Ok(Val::Undefined)
}

/// `(server)`: completes when it has ended.
fn finished(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let server = server(env, &args)?;
    let id = args.num(0)? as u64;
    let tables = env.servers.clone();
    net::run(env, done, async move {
        let mut open = server.open.subscribe();
        marsh_types::ignore(open.wait_for(|open| !open).await.map(drop), "a server that is gone has ended");
        lock(&tables.servers).remove(&id);
        Ok(Val::Undefined)
    })
}
