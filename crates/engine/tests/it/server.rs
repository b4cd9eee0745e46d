//! A small HTTP/1.1 server, and TLS with a certificate of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

type Handler = dyn Fn(&Request, &mut dyn Write) + Send + Sync;

/// Answer every connection on a thread of its own, for as long as the test runs.
pub fn http(handler: impl Fn(&Request, &mut dyn Write) + Send + Sync + 'static) -> String {
    let handler: Arc<Handler> = Arc::new(handler);
    let port = accept(move |stream| serve(stream, &*handler));
    format!("http://127.0.0.1:{port}")
}

pub struct Tls {
    pub url: String,
    pub ca: String,
}

fn tls_config() -> (String, Arc<rustls::ServerConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let pem = made.cert.pem();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (pem, Arc::new(config))
}

/// TLS on a port, with the certificate to trust.
pub fn tls(
    serve: impl Fn(rustls::StreamOwned<rustls::ServerConnection, TcpStream>) + Send + Sync + 'static,
) -> (u16, String) {
    let (ca, config) = tls_config();
    let port = accept(move |stream| {
        let connection = rustls::ServerConnection::new(config.clone()).unwrap();
        serve(rustls::StreamOwned::new(connection, stream));
    });
    (port, ca)
}

pub fn https(handler: impl Fn(&Request, &mut dyn Write) + Send + Sync + 'static) -> Tls {
    let (port, ca) = tls(move |stream| serve(stream, &handler));
    Tls { url: format!("https://localhost:{port}"), ca }
}

pub fn accept(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, serve) = (stream.unwrap(), serve.clone());
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}

fn serve(stream: impl Stream, handler: &Handler) {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read(&mut reader) {
        handler(&request, reader.get_mut());
        if reader.get_mut().flush().is_err() || request.path.starts_with("/close") {
            return;
        }
    }
}

fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    (reader.read_line(&mut line).ok()? > 0).then(|| line.trim_end().to_owned())
}

fn read(reader: &mut impl BufRead) -> Option<Request> {
    let first = line(reader)?;
    let mut words = first.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let text = line(reader)?;
        let Some((name, value)) = text.split_once(':') else { break };
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: Vec::new() };
    if request.header("transfer-encoding") == "chunked" {
        loop {
            let size = usize::from_str_radix(&line(reader)?, 16).ok()?;
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk).ok()?;
            if size == 0 {
                break;
            }
            request.body.extend_from_slice(&chunk[..size]);
        }
    } else if let Ok(size) = request.header("content-length").parse() {
        request.body = vec![0; size];
        reader.read_exact(&mut request.body).ok()?;
    }
    Some(request)
}

pub fn reply(out: &mut dyn Write, status: &str, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    // The client may have gone; then there is nothing to test here.
    drop(out.write_all(head.as_bytes()).and_then(|()| out.write_all(body)));
}
