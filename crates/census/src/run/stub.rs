//! One port that stands in for any service over HTTP: asked directly in plain or over TLS, or as the proxy that
//! `HTTP_PROXY` and `HTTPS_PROXY` name. For a tunnel it makes a certificate of the host that is asked for, under an
//! authority of its own that only the runs of this tool trust, so that addresses fixed in an extension stay as they are.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::json;

use super::plan::Route;

/// The longest a client may keep a connection without saying anything.
const IDLE: std::time::Duration = std::time::Duration::from_secs(30);

pub struct Stub {
    pub address: String,
    pub ca: String,
    shared: Arc<Shared>,
}

struct Shared {
    routes: Vec<Route>,
    used: Mutex<Vec<usize>>,
    unanswered: Mutex<Vec<String>>,
    log: PathBuf,
    authority: CertifiedIssuer<'static, KeyPair>,
    certificates: Mutex<HashMap<String, Arc<ServerConfig>>>,
    stopped: AtomicBool,
}

struct Request {
    method: String,
    host: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

impl Stub {
    /// Every request is written to `log`, one JSON object per line.
    pub fn start(routes: Vec<Route>, log: &Path) -> Result<Stub, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "census stub");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().map_err(|error| text(&error))?;
        let authority = CertifiedIssuer::self_signed(params, key).map_err(|error| text(&error))?;
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| text(&error))?;
        let address = listener.local_addr().map_err(|error| text(&error))?.to_string();
        let shared = Arc::new(Shared {
            used: Mutex::new(vec![0; routes.len()]),
            routes,
            unanswered: Mutex::default(),
            log: log.to_owned(),
            certificates: Mutex::default(),
            stopped: AtomicBool::new(false),
            authority,
        });
        let ca = shared.authority.pem();
        let accepting = shared.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if accepting.stopped.load(Ordering::Relaxed) {
                    break;
                }
                let shared = accepting.clone();
                std::thread::spawn(move || serve(&shared, stream));
            }
        });
        Ok(Stub { address, ca, shared })
    }

    /// What was asked for and no route answered.
    pub fn unanswered(&self) -> Vec<String> {
        lock(&self.shared.unanswered).clone()
    }

    /// The routes that nothing asked for.
    pub fn unused(&self) -> Vec<String> {
        let used = lock(&self.shared.used);
        let routes = self.shared.routes.iter().zip(used.iter());
        routes.filter(|(_, used)| **used == 0).map(|(route, _)| route.on.clone()).collect()
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        // Wakes the thread that accepts; it sees the flag.
        drop(TcpStream::connect(&self.address));
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(shared: &Shared, stream: TcpStream) {
    if stream.set_read_timeout(Some(IDLE)).is_err() {
        return;
    }
    let mut first = [0];
    match stream.peek(&mut first) {
        // A TLS handshake begins with this byte, and no HTTP method does.
        Ok(1) if first[0] == 0x16 => secure(shared, stream, "localhost"),
        Ok(1) => plain(shared, stream),
        _ => {}
    }
}

fn plain(shared: &Shared, stream: TcpStream) {
    let Ok(writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    let mut writer = writer;
    while let Some(request) = read(&mut reader) {
        if request.method == "CONNECT" {
            if writer.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").is_err() {
                return;
            }
            let host = request.path.rsplit_once(':').map_or(request.path.as_str(), |(host, _)| host);
            return secure(shared, reader.into_inner(), host);
        }
        if answer(shared, &request, &mut writer).is_err() {
            return;
        }
    }
}

fn secure(shared: &Shared, stream: TcpStream, host: &str) {
    let Ok(config) = shared.certificate(host) else { return };
    let Ok(connection) = ServerConnection::new(config) else { return };
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    while let Some(request) = read(&mut reader) {
        let done = answer(shared, &request, reader.get_mut());
        if done.and_then(|()| reader.get_mut().flush()).is_err() {
            return;
        }
    }
}

impl Shared {
    fn certificate(&self, host: &str) -> Result<Arc<ServerConfig>, String> {
        if let Some(known) = lock(&self.certificates).get(host) {
            return Ok(known.clone());
        }
        let text = |error: rcgen::Error| error.to_string();
        let key = KeyPair::generate().map_err(text)?;
        let mut names = vec![host.to_owned()];
        if host == "localhost" {
            names.push("127.0.0.1".to_owned());
        }
        let mut params = CertificateParams::new(names).map_err(text)?;
        params.distinguished_name.push(rcgen::DnType::CommonName, host);
        // Clients of other makers want a lifetime in the usual range.
        params.not_before = rcgen::date_time_ymd(2024, 1, 1);
        params.not_after = rcgen::date_time_ymd(2035, 1, 1);
        let signed = params.signed_by(&key, &self.authority).map_err(text)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let private = PrivateKeyDer::try_from(key.serialize_der()).map_err(str::to_owned)?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_no_client_auth()
            .with_single_cert(vec![signed.der().clone()], private)
            .map_err(|error| error.to_string())?;
        let config = Arc::new(config);
        lock(&self.certificates).insert(host.to_owned(), config.clone());
        Ok(config)
    }

    fn find(&self, request: &Request) -> Option<&Route> {
        let mut used = lock(&self.used);
        let (index, route) = self.routes.iter().enumerate().find(|(index, route)| {
            route.times.is_none_or(|times| used[*index] < times) && matches(route, request)
        })?;
        used[index] += 1;
        Some(route)
    }
}

fn matches(route: &Route, request: &Request) -> bool {
    let Some((method, place)) = route.on.split_once(' ') else { return false };
    let (host, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    let is_path = match path.strip_suffix('*') {
        Some(start) => request.path.starts_with(start),
        None => request.path == path,
    };
    let having = |text: &String| {
        request.query.contains(text.as_str())
            || String::from_utf8_lossy(&request.body).contains(text.as_str())
    };
    let header = |(name, wanted): (&String, &String)| {
        request
            .headers
            .iter()
            .any(|(known, value)| known.eq_ignore_ascii_case(name) && value.contains(wanted))
    };
    method == request.method
        && (host.is_empty() || host == request.host)
        && is_path
        && route.having.as_ref().is_none_or(having)
        && route.headers.iter().all(header)
}

fn answer(shared: &Shared, request: &Request, out: &mut dyn Write) -> std::io::Result<()> {
    let line = json!({
        "method": request.method, "host": request.host, "path": request.path, "query": request.query,
        "headers": request.headers, "body": String::from_utf8_lossy(&request.body),
    });
    marsh_fs::append(&shared.log, format!("{line}\n").as_bytes()).map_err(std::io::Error::other)?;
    let Some(route) = shared.find(request) else {
        let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
        let body: String = String::from_utf8_lossy(&request.body).chars().take(300).collect();
        let asked = format!("{} {}{}{query} {body}", request.method, request.host, request.path);
        lock(&shared.unanswered).push(asked);
        return reply(out, 404, &[], br#"{"error":"no such route"}"#, request.method == "HEAD");
    };
    let body = match (&route.json, &route.text) {
        (Some(json), _) => json.to_string().into_bytes(),
        (None, Some(text)) => text.clone().into_bytes(),
        (None, None) => Vec::new(),
    };
    let mut headers: Vec<(&str, &str)> =
        route.answer.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    if route.json.is_some() && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
        headers.push(("content-type", "application/json"));
    }
    reply(out, route.status, &headers, &body, request.method == "HEAD")
}

fn reply(
    out: &mut dyn Write,
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
    head_only: bool,
) -> std::io::Result<()> {
    let mut head = format!("HTTP/1.1 {status} Stub\r\n");
    if status != 204 && status != 304 {
        head.push_str(&format!("content-length: {}\r\n", body.len()));
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    out.write_all(head.as_bytes())?;
    if !head_only {
        out.write_all(body)?;
    }
    out.flush()
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
}

fn read(reader: &mut BufReader<impl Stream>) -> Option<Request> {
    let first = line(reader)?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let text = line(reader)?;
        let Some((name, value)) = text.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let header =
        |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    if header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
        reader.get_mut().flush().ok()?;
    }
    let mut body = Vec::new();
    if header("transfer-encoding") == Some("chunked") {
        loop {
            let size = usize::from_str_radix(&line(reader)?, 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break;
            }
            body.extend_from_slice(&chunk[..size]);
        }
    } else if let Some(size) = header("content-length").and_then(|size| size.parse().ok()) {
        body = vec![0; size];
        reader.read_exact(&mut body).ok()?;
    }
    // A proxy is asked for the whole address.
    let local = match target.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |at| &rest[at..]).to_owned(),
        None => target,
    };
    let (path, query) = local.split_once('?').unwrap_or((&local, ""));
    let host = header("host").unwrap_or_default().to_owned();
    let (path, query) = (path.to_owned(), query.to_owned());
    Some(Request { method, host, path, query, headers, body })
}
