//! TCP, Unix sockets and TLS connections, and looking up names.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use crate::errors;
use crate::gate::{
    Args, Completer, Cost, Determinism, Env, ErrorClass, HostError, HostResult, NET, Operation, Val, plain,
    start,
};
use crate::host::net;
use crate::host::tls::{self, Trust};
use crate::lock::lock;

pub(crate) const OPERATIONS: &[Operation] = &[
    start("socket.connect", NET, Determinism::ChangesWorld, Cost::Wait, connect),
    start("socket.startTls", NET, Determinism::ChangesWorld, Cost::Wait, start_tls),
    start("socket.read", NET, Determinism::ReadsWorld, Cost::Wait, read),
    start("socket.write", NET, Determinism::ChangesWorld, Cost::Wait, write),
    start("socket.closeWrite", NET, Determinism::ChangesWorld, Cost::Wait, close_write),
    plain("socket.close", NET, Determinism::ChangesWorld, Cost::Instant, close),
    start("dns.lookup", NET, Determinism::ReadsWorld, Cost::Wait, lookup),
];

pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}
pub(crate) type Boxed = Box<dyn Stream>;

pub(crate) struct Socket {
    reader: tokio::sync::Mutex<Option<ReadHalf<Boxed>>>,
    writer: tokio::sync::Mutex<Option<WriteHalf<Boxed>>>,
    closed: watch::Sender<bool>,
}

/// Open connections by number.
pub(crate) type Sockets = Arc<Mutex<HashMap<u64, Arc<Socket>>>>;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    hostname: Option<String>,
    port: Option<u16>,
    path: Option<String>,
    #[serde(default)]
    tls: bool,
    #[serde(default)]
    server_name: Option<String>,
    #[serde(default)]
    alpn_protocols: Vec<String>,
    #[serde(flatten)]
    trust: Trust,
}

fn tls_config(env: &Env, spec: &Spec) -> Result<Arc<rustls::ClientConfig>, HostError> {
    let mut config = tls::config(env, &spec.trust)?;
    config.alpn_protocols = spec.alpn_protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    Ok(Arc::new(config))
}

fn failed(error: std::io::Error, what: &str) -> HostError {
    let mut failed = errors::io(&error, what);
    if let Some(code) = super::fetch::error_code(&error) {
        // Deno calls what is wrong in a handshake invalid data.
        failed.class = if failed.code.is_none() { ErrorClass::InvalidData } else { failed.class };
        failed.code = Some(code);
    }
    failed
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, HostError> {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| {
        let mut failed = HostError::new(ErrorClass::Error, format!("{error}: {host}"));
        failed.code = Some("ENOTFOUND".to_owned());
        failed
    })?;
    Ok(found.collect())
}

async fn handshake(
    stream: Boxed,
    config: Arc<rustls::ClientConfig>,
    name: &str,
) -> Result<(Boxed, Option<String>), HostError> {
    let server = ServerName::try_from(name.to_owned()).map_err(|_| {
        HostError::type_error(format!("'{name}' is not a name that a certificate could have"))
    })?;
    let tls =
        TlsConnector::from(config).connect(server, stream).await.map_err(|error| failed(error, name))?;
    let alpn = tls.get_ref().1.alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned());
    Ok((Box::new(tls), alpn))
}

fn keep(sockets: &Sockets, id: u64, stream: Boxed) {
    let (reader, writer) = tokio::io::split(stream);
    let socket = Socket {
        reader: tokio::sync::Mutex::new(Some(reader)),
        writer: tokio::sync::Mutex::new(Some(writer)),
        closed: watch::Sender::new(false),
    };
    lock(sockets).insert(id, Arc::new(socket));
}

fn address(address: Option<SocketAddr>) -> Val {
    match address {
        None => Val::Null,
        Some(address) => Val::Map(vec![
            ("transport", Val::Str("tcp".to_owned())),
            ("hostname", Val::Str(address.ip().to_string())),
            ("port", Val::Num(address.port().into())),
        ]),
    }
}

/// `(spec)` to `[socket, local address, remote address, protocol agreed on in TLS]`.
fn connect(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let spec: Spec = args.json(0)?;
    let config = if spec.tls { Some(tls_config(env, &spec)?) } else { None };
    let (id, sockets) = (env.next_id(), env.sockets.clone());
    let path = spec.path.as_deref().map(|path| env.path(path));
    net::run(env, done, async move {
        if let Some(path) = path {
            let stream = UnixStream::connect(&path).await;
            let stream = stream.map_err(|error| failed(error, &format!("connect '{}'", path.display())))?;
            keep(&sockets, id, Box::new(stream));
            return Ok(Val::List(vec![Val::Num(id as f64), Val::Null, Val::Null, Val::Null]));
        }
        let host = spec.hostname.as_deref().unwrap_or("127.0.0.1");
        let port = spec.port.ok_or_else(|| HostError::type_error("a connection needs a port"))?;
        let name = spec.server_name.as_deref().unwrap_or(host);
        let (stream, [local, remote], alpn) = dial(host, port, config, name).await?;
        keep(&sockets, id, stream);
        let agreed = alpn.map_or(Val::Null, Val::Str);
        Ok(Val::List(vec![Val::Num(id as f64), address(local), address(remote), agreed]))
    })
}

/// A connection to `host`, in TLS for `name` where there is a configuration; its two addresses, and the protocol that was
/// agreed on.
pub(crate) async fn dial(
    host: &str,
    port: u16,
    config: Option<Arc<rustls::ClientConfig>>,
    name: &str,
) -> Result<(Boxed, [Option<SocketAddr>; 2], Option<String>), HostError> {
    let mut last = None;
    let mut connected = None;
    for address in resolve(host, port).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                connected = Some(stream);
                break;
            }
            Err(error) => last = Some(failed(error, &format!("connect {address}"))),
        }
    }
    let Some(stream) = connected else {
        return Err(
            last.unwrap_or_else(|| HostError::new(ErrorClass::Error, format!("no address for '{host}'")))
        );
    };
    // Most messages are small; waiting to fill a packet only delays them.
    marsh_types::ignore(stream.set_nodelay(true), "the connection works without it, a little slower");
    let addresses = [stream.local_addr().ok(), stream.peer_addr().ok()];
    match config {
        None => Ok((Box::new(stream), addresses, None)),
        Some(config) => {
            let (tls, alpn) = handshake(Box::new(stream), config, name).await?;
            Ok((tls, addresses, alpn))
        }
    }
}

fn gone() -> HostError {
    HostError::new(ErrorClass::BadResource, "Bad resource ID")
}

fn find(env: &Env, args: &Args) -> Result<Arc<Socket>, HostError> {
    lock(&env.sockets).get(&(args.num(0)? as u64)).cloned().ok_or_else(gone)
}

/// `(socket, spec)`: the same connection goes on in TLS, under the same number.
fn start_tls(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let spec: Spec = args.json(1)?;
    let config = tls_config(env, &spec)?;
    let socket = find(env, &args)?;
    let (id, sockets) = (args.num(0)? as u64, env.sockets.clone());
    net::run(env, done, async move {
        let (reader, writer) = (socket.reader.lock().await.take(), socket.writer.lock().await.take());
        let (Some(reader), Some(writer)) = (reader, writer) else { return Err(gone()) };
        let name = spec.server_name.or(spec.hostname).unwrap_or_else(|| "127.0.0.1".to_owned());
        let (stream, alpn) = handshake(reader.unsplit(writer), config, &name).await?;
        keep(&sockets, id, stream);
        Ok(alpn.map_or(Val::Null, Val::Str))
    })
}

/// Run `work` until the socket is closed.
fn on(
    env: &Arc<Env>,
    socket: &Arc<Socket>,
    done: Completer,
    work: impl Future<Output = HostResult> + Send + 'static,
) -> Result<(), HostError> {
    let mut closed = socket.closed.subscribe();
    net::run(env, done, async move {
        tokio::select! {
            biased;
            _ = closed.wait_for(|closed| *closed) => Err(gone()),
            result = work => result,
        }
    })
}

/// `(socket, wanted bytes)` to what has come, or nothing at the end.
fn read(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let socket = find(env, &args)?;
    let wanted = (args.num(1)? as usize).clamp(1, 1 << 20);
    let own = socket.clone();
    on(env, &socket, done, async move {
        let mut reader = own.reader.lock().await;
        let reader = reader.as_mut().ok_or_else(gone)?;
        let mut bytes = vec![0_u8; wanted];
        match reader.read(&mut bytes).await {
            Ok(0) => Ok(Val::Null),
            Ok(read) => {
                bytes.truncate(read);
                Ok(Val::Bytes(bytes))
            }
            // Many servers hang up without TLS's good-bye.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => Ok(Val::Null),
            Err(error) => Err(failed(error, "read")),
        }
    })
}

/// `(socket, bytes)`: all of them.
fn write(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let socket = find(env, &args)?;
    let bytes = args.bytes(1)?.to_vec();
    let own = socket.clone();
    on(env, &socket, done, async move {
        let mut writer = own.writer.lock().await;
        let writer = writer.as_mut().ok_or_else(gone)?;
        writer.write_all(&bytes).await.map_err(|error| failed(error, "write"))?;
        writer.flush().await.map_err(|error| failed(error, "write"))?;
        Ok(Val::Num(bytes.len() as f64))
    })
}

fn close_write(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let socket = find(env, &args)?;
    let own = socket.clone();
    on(env, &socket, done, async move {
        let mut writer = own.writer.lock().await;
        let writer = writer.as_mut().ok_or_else(gone)?;
        writer.shutdown().await.map(|()| Val::Undefined).map_err(|error| failed(error, "shutdown"))
    })
}

fn close(env: &Env, args: &Args) -> HostResult {
    let socket = lock(&env.sockets).remove(&(args.num(0)? as u64)).ok_or_else(gone)?;
    socket.closed.send_replace(true);
    Ok(Val::Undefined)
}

/// `(name, 4, 6 or 0 for both)` to addresses.
fn lookup(env: &Arc<Env>, args: Args, done: Completer) -> Result<(), HostError> {
    let (name, family) = (args.str(0)?.to_owned(), args.num(1)? as u8);
    net::run(env, done, async move {
        let mut addresses: Vec<IpAddr> = Vec::new();
        for address in resolve(&name, 0).await? {
            let wanted = family == 0 || (family == 4) == address.is_ipv4();
            if wanted && !addresses.contains(&address.ip()) {
                addresses.push(address.ip());
            }
        }
        Ok(Val::List(addresses.into_iter().map(|ip| Val::Str(ip.to_string())).collect()))
    })
}
