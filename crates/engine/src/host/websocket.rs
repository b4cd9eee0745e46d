//! WebSocket clients: the handshake and frames by tungstenite, TLS as for every other connection.
//!
//! JavaScript asks for one message at a time, so a server that sends faster than the code reads is held back by the
//! connection. Held by `tests/it/websocket.rs`.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use tokio::sync::watch;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::ClientRequestBuilder;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::gate::{
    Arg, Args, Completer, Cost, Determinism, Env, ErrorClass, HostError, HostResult, NET, Operation, Val,
    plain, start,
};
use crate::host::socket::{self, Boxed};
use crate::host::{net, tls};
use crate::lock::lock;

pub(crate) const OPERATIONS: &[Operation] = &[
    start("websocket.connect", NET, Determinism::ChangesWorld, Cost::Wait, connect),
    start("websocket.send", NET, Determinism::ChangesWorld, Cost::Wait, send),
    start("websocket.next", NET, Determinism::ReadsWorld, Cost::Wait, next),
    start("websocket.close", NET, Determinism::ChangesWorld, Cost::Wait, close),
    plain("websocket.drop", NET, Determinism::ChangesWorld, Cost::Instant, drop_socket),
];

/// The largest message in either direction, and never more than a quarter of the heap.
const MAX_MESSAGE: usize = 64 << 20;
/// A handshake and a farewell that take longer have failed.
const HANDSHAKE: Duration = Duration::from_secs(60);
const FAREWELL: Duration = Duration::from_secs(10);

/// What RFC 6455 calls a connection that ended without a closing frame, and one whose closing frame has no code.
const ABNORMAL: u16 = 1006;
const NO_STATUS: u16 = 1005;

type Stream = WebSocketStream<Boxed>;

pub(crate) struct WebSocket {
    reader: tokio::sync::Mutex<SplitStream<Stream>>,
    writer: tokio::sync::Mutex<SplitSink<Stream, Message>>,
    dropped: watch::Sender<bool>,
}

/// Open connections by number.
pub(crate) type WebSockets = Arc<Mutex<HashMap<u64, Arc<WebSocket>>>>;

#[derive(Deserialize)]
struct Spec {
    url: String,
    host: String,
    port: u16,
    secure: bool,
    protocols: Vec<String>,
    headers: Vec<(String, String)>,
}

fn failed(error: &Error) -> HostError {
    HostError::new(ErrorClass::Error, error.to_string())
}

fn limit(env: &Env) -> usize {
    MAX_MESSAGE.min(env.shared.heap.limit() / 4)
}

/// `(spec)` to `[socket, protocol agreed on]`.
fn connect(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let spec: Spec = args.json(0)?;
    let config = match spec.secure {
        true => Some(Arc::new(tls::config(env, &tls::Trust::default())?)),
        false => None,
    };
    let uri = spec.url.parse().map_err(|_| HostError::type_error(format!("{} is not a URL", spec.url)))?;
    let mut request = ClientRequestBuilder::new(uri).with_header("user-agent", "marsh");
    for protocol in &spec.protocols {
        request = request.with_sub_protocol(protocol);
    }
    for (name, value) in &spec.headers {
        request = request.with_header(name, value);
    }
    let limit = limit(env);
    let frames = WebSocketConfig::default().max_message_size(Some(limit)).max_frame_size(Some(limit));
    let (id, sockets) = (env.next_id(), env.web_sockets.clone());
    net::run(env, done, async move {
        let open = async {
            let (stream, _, _) = socket::dial(&spec.host, spec.port, config, &spec.host).await?;
            let opened = tokio_tungstenite::client_async_with_config(request, stream, Some(frames)).await;
            opened.map_err(|error| failed(&error))
        };
        let (stream, response) = tokio::time::timeout(HANDSHAKE, open)
            .await
            .map_err(|_| HostError::new(ErrorClass::TimedOut, "the handshake took too long"))??;
        let protocol = response.headers().get("sec-websocket-protocol");
        let protocol = protocol.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let (writer, reader) = stream.split();
        let socket = WebSocket {
            reader: tokio::sync::Mutex::new(reader),
            writer: tokio::sync::Mutex::new(writer),
            dropped: watch::Sender::new(false),
        };
        lock(&sockets).insert(id, Arc::new(socket));
        Ok(Val::List(vec![Val::Num(id as f64), Val::Str(protocol)]))
    })
}

fn gone() -> HostError {
    HostError::new(ErrorClass::BadResource, "Bad resource ID")
}

fn find(env: &Env, args: &Args) -> Result<Arc<WebSocket>, HostError> {
    lock(&env.web_sockets).get(&(args.num(0)? as u64)).cloned().ok_or_else(gone)
}

/// Runs `work` until the socket is dropped.
fn on(
    env: &Arc<Env>,
    socket: &Arc<WebSocket>,
    done: Completer,
    work: impl Future<Output = HostResult> + Send + 'static,
) -> Result<(), HostError> {
    let mut dropped = socket.dropped.subscribe();
    net::run(env, done, async move {
        tokio::select! {
            biased;
            _ = dropped.wait_for(|dropped| *dropped) => Err(gone()),
            result = work => result,
        }
    })
}

/// `(socket, text or bytes)`
fn send(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let socket = find(env, &args)?;
    let message = match args.all().get(1) {
        Some(Arg::Str(text)) => Message::text(text.clone()),
        _ => Message::binary(args.bytes(1)?.to_vec()),
    };
    if message.len() > limit(env) {
        let text = format!("the message is larger than {} bytes", limit(env));
        return Err(HostError::new(ErrorClass::RangeError, text));
    }
    let own = socket.clone();
    on(env, &socket, done, async move {
        own.writer.lock().await.send(message).await.map(|()| Val::Undefined).map_err(|error| failed(&error))
    })
}

fn ended(code: u16, reason: &str, clean: bool) -> Val {
    Val::Map(vec![
        ("code", Val::Num(code.into())),
        ("reason", Val::Str(reason.to_owned())),
        ("clean", Val::Bool(clean)),
    ])
}

/// `(socket)` to the next message as text or bytes, or to how the connection ended.
fn next(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let socket = find(env, &args)?;
    let own = socket.clone();
    on(env, &socket, done, async move {
        let mut reader = own.reader.lock().await;
        loop {
            match reader.next().await {
                Some(Ok(Message::Text(text))) => return Ok(Val::Str(text.to_string())),
                Some(Ok(Message::Binary(bytes))) => return Ok(Val::Bytes(bytes.to_vec())),
                Some(Ok(Message::Close(frame))) => {
                    // The answer to a closing frame is sent by the next look at the connection.
                    let farewell = tokio::time::timeout(FAREWELL, reader.next()).await;
                    marsh_types::ignore(farewell.map_err(|_| "the peer is slow"), "it has ended either way");
                    let (code, reason) = frame.map_or((NO_STATUS, String::new()), |frame| {
                        (u16::from(frame.code), frame.reason.to_string())
                    });
                    return Ok(ended(code, &reason, true));
                }
                Some(Ok(_)) => {}
                None | Some(Err(Error::ConnectionClosed | Error::AlreadyClosed)) => {
                    return Ok(ended(ABNORMAL, "", false));
                }
                Some(Err(Error::Capacity(error))) => return Ok(ended(1009, &error.to_string(), false)),
                Some(Err(error)) => return Ok(ended(ABNORMAL, &error.to_string(), false)),
            }
        }
    })
}

/// `(socket, code, reason)`: the peer answers with a closing frame of its own, or is given up.
fn close(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let socket = find(env, &args)?;
    let frame = match args.num(1) {
        Ok(code) => Some(CloseFrame {
            code: CloseCode::from(code as u16),
            reason: args.opt_str(2).unwrap_or_default().to_owned().into(),
        }),
        Err(_) => None,
    };
    let own = socket.clone();
    on(env, &socket, done, async move {
        let sent = own.writer.lock().await.send(Message::Close(frame)).await;
        marsh_types::ignore(sent, "the reader says how the connection has ended");
        Ok(Val::Undefined)
    })
}

fn drop_socket(env: &Env, args: &Args) -> HostResult {
    if let Some(socket) = lock(&env.web_sockets).remove(&(args.num(0)? as u64)) {
        socket.dropped.send_replace(true);
    }
    Ok(Val::Undefined)
}
