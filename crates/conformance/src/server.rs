//! What the cases talk to on 127.0.0.1: an HTTP/1.1 server, a TCP server that echoes bytes, and a WebSocket server that echoes
//! messages. They live as long as the process.

use std::io::{BufRead, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request as Upgrade, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::error::Error;

#[derive(Clone, Debug)]
pub struct Servers {
    /// `http://127.0.0.1:<port>`.
    pub http: String,
    /// The port of the echo.
    pub tcp: u16,
    /// `ws://127.0.0.1:<port>`.
    pub ws: String,
}

impl Servers {
    pub fn start() -> Result<Servers, Error> {
        let http = format!("http://127.0.0.1:{}", accept(serve)?);
        let tcp = accept(|stream| {
            let mut from = &stream;
            let mut to = &stream;
            std::io::copy(&mut from, &mut to).map(drop)
        })?;
        let ws = format!("ws://127.0.0.1:{}", accept(echo_messages)?);
        Ok(Servers { http, tcp, ws })
    }
}

/// Sends messages back; `bye` is answered with a closing frame, `drop` with the end of the connection. The first protocol that
/// is asked for is agreed on.
fn echo_messages(stream: TcpStream) -> std::io::Result<()> {
    let agree = |request: &Upgrade, mut response: Response| {
        let first = request
            .headers()
            .get("sec-websocket-protocol")
            .and_then(|value| value.to_str().ok()?.split(',').next());
        if let Some(value) = first.and_then(|first| first.trim().parse().ok()) {
            response.headers_mut().insert("sec-websocket-protocol", value);
        }
        Ok(response)
    };
    let failed = |error: String| std::io::Error::other(error);
    let mut socket = tungstenite::accept_hdr(stream, agree).map_err(|error| failed(error.to_string()))?;
    while let Ok(message) = socket.read() {
        let sent = match &message {
            Message::Text(text) if text.as_str() == "bye" => {
                socket.close(Some(CloseFrame { code: 4001.into(), reason: "so long".into() }))
            }
            Message::Text(text) if text.as_str() == "drop" => break,
            Message::Text(_) | Message::Binary(_) => socket.send(message),
            _ => Ok(()),
        };
        sent.map_err(|error| failed(error.to_string()))?;
    }
    Ok(())
}

/// A thread for each connection. A client that goes away ends its thread, which is what its error is for.
fn accept(serve: impl Fn(TcpStream) -> std::io::Result<()> + Send + Copy + 'static) -> Result<u16, Error> {
    let failed = |error| Error::io("listen on 127.0.0.1", error);
    let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    Ok(port)
}

struct Request {
    method: String,
    /// Without the query.
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// The rest of the path after `prefix`.
    fn after(&self, prefix: &str) -> Option<&str> {
        self.path.strip_prefix(prefix)
    }
}

fn serve(stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut out = stream;
    while let Some(request) = read(&mut reader)? {
        if !answer(&request, &mut out)? {
            break;
        }
    }
    Ok(())
}

/// One line without its end; `None` at the end of the input.
fn line(reader: &mut impl BufRead) -> std::io::Result<Option<String>> {
    let mut line = Vec::new();
    let read = reader.read_until(b'\n', &mut line)?;
    // Header values are bytes; Latin-1 shows each as one character.
    let text: String = line.iter().map(|byte| char::from(*byte)).collect();
    Ok((read > 0).then(|| text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let Some(first) = line(reader)? else { return Ok(None) };
    let mut words = first.split(' ').map(str::to_owned);
    let (Some(method), Some(target)) = (words.next(), words.next()) else { return Ok(None) };
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    let mut request = Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let mut length = 0;
    let mut chunked = false;
    while let Some(text) = line(reader)?.filter(|text| !text.is_empty()) {
        let (name, value) = text.split_once(':').unwrap_or((&text, ""));
        let (name, value) = (name.to_ascii_lowercase(), value.trim_matches([' ', '\t']).to_owned());
        match name.as_str() {
            "content-length" => length = value.parse().unwrap_or(0),
            "transfer-encoding" => chunked = value == "chunked",
            _ => {}
        }
        request.headers.push((name, value));
    }
    if chunked {
        while let Some(size) = line(reader)? {
            let size = usize::from_str_radix(&size, 16).unwrap_or(0);
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk)?;
            chunk.truncate(size);
            request.body.append(&mut chunk);
            if size == 0 {
                break;
            }
        }
    } else {
        request.body = vec![0; length];
        reader.read_exact(&mut request.body)?;
    }
    Ok(Some(request))
}

fn reply(out: &mut TcpStream, status: &str, headers: &str, body: &[u8]) -> std::io::Result<bool> {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    out.write_all(&[head.as_bytes(), body].concat())?;
    Ok(true)
}

/// Whether the connection stays.
fn answer(request: &Request, out: &mut TcpStream) -> std::io::Result<bool> {
    if let Some(code) = request.after("/status/") {
        // 1xx, 204 and 304 have no body and no length.
        if matches!(code, "204" | "304") {
            out.write_all(format!("HTTP/1.1 {code} Status\r\n\r\n").as_bytes())?;
            return Ok(true);
        }
        return reply(
            out,
            &format!("{code} Status"),
            "content-type: text/plain\r\n",
            format!("status {code}").as_bytes(),
        );
    }
    if let Some(code) = request.after("/redirect/") {
        return reply(out, &format!("{code} Moved"), &format!("location: {}\r\n", request.query), b"moved");
    }
    if let Some(size) = request.after("/bytes/") {
        let bytes: Vec<u8> = (0..size.parse::<u32>().unwrap_or(0)).map(|n| n.to_le_bytes()[0]).collect();
        return reply(out, "200 OK", "content-type: application/octet-stream\r\n", &bytes);
    }
    match request.path.as_str() {
        "/echo" => echo(request, out),
        "/loop" => reply(out, "302 Found", "location: /loop\r\n", b""),
        "/text" => reply(out, "200 OK", "content-type: text/plain;charset=utf-8\r\n", "grüße".as_bytes()),
        "/bom" => reply(out, "200 OK", "", b"\xef\xbb\xbf{\"a\":1}"),
        "/latin1" => reply(out, "200 OK", "content-type: text/plain; charset=iso-8859-1\r\n", b"gr\xfc\xdfe"),
        "/json" => reply(out, "200 OK", "content-type: application/json\r\n", br#"{"a":[1,null,"x"]}"#),
        "/badjson" => reply(out, "200 OK", "content-type: application/json\r\n", b"{oops"),
        "/form" => reply(out, "200 OK", "content-type: application/x-www-form-urlencoded\r\n", b"a=1&b=x+y&a=2"),
        "/multipart" => reply(
            out,
            "200 OK",
            "content-type: multipart/form-data; boundary=XX\r\n",
            b"--XX\r\ncontent-disposition: form-data; name=\"a\"\r\n\r\n1\r\n--XX\r\ncontent-disposition: form-data; \
              name=\"f\"; filename=\"n.txt\"\r\ncontent-type: text/x\r\n\r\nhello\r\n--XX--\r\n",
        ),
        "/headers" => reply(
            out,
            "200 OK",
            "Set-Cookie: a=1; Path=/\r\nSet-Cookie: b=2\r\nX-Many: one\r\nx-many: two\r\nX-Empty:\r\nX-Space:  padded  \r\n",
            b"",
        ),
        "/reason" => reply(out, "299 Rather Odd", "", b""),
        "/gzip" | "/deflate" => compressed(request, out),
        "/badgzip" => reply(out, "200 OK", "content-encoding: gzip\r\n", b"this is no gzip"),
        "/stream" => stream(out),
        "/slow" => {
            // Nothing is sent; the connection ends with the client.
            std::io::copy(out, &mut std::io::sink())?;
            Ok(false)
        }
        "/stall" => {
            out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nstart")?;
            std::io::copy(out, &mut std::io::sink())?;
            Ok(false)
        }
        "/truncated" => {
            out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort")?;
            Ok(false)
        }
        "/close" => Ok(false),
        "/garbage" => {
            out.write_all(b"no http at all\r\n\r\n")?;
            Ok(false)
        }
        _ => reply(out, "404 Not Found", "content-type: text/plain\r\n", b"no such page"),
    }
}

/// What was asked, as JSON.
fn echo(request: &Request, out: &mut TcpStream) -> std::io::Result<bool> {
    let mut headers = serde_json::Map::new();
    for (name, value) in &request.headers {
        let value = match headers.get(name).and_then(serde_json::Value::as_str) {
            Some(before) => format!("{before}, {value}"),
            None => value.clone(),
        };
        headers.insert(name.clone(), json!(value));
    }
    let body = json!({
        "method": request.method,
        "path": request.path,
        "query": request.query,
        "headers": headers,
        "body": String::from_utf8_lossy(&request.body),
        "length": request.body.len(),
    });
    reply(out, "200 OK", "content-type: application/json\r\n", body.to_string().as_bytes())
}

fn compressed(request: &Request, out: &mut TcpStream) -> std::io::Result<bool> {
    let text = b"again and again and again and again";
    let level = flate2::Compression::default();
    let (name, bytes) = if request.path == "/gzip" {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
        encoder.write_all(text)?;
        ("gzip", encoder.finish()?)
    } else {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), level);
        encoder.write_all(text)?;
        ("deflate", encoder.finish()?)
    };
    reply(out, "200 OK", &format!("content-type: text/plain\r\ncontent-encoding: {name}\r\n"), &bytes)
}

/// Five chunks, each sent on its own.
fn stream(out: &mut TcpStream) -> std::io::Result<bool> {
    out.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
    for n in 0..5 {
        out.write_all(format!("7\r\nchunk {n}\r\n").as_bytes())?;
        // So that a client may see them apart: what it makes of that is what is tested.
        std::thread::sleep(Duration::from_millis(3));
    }
    out.write_all(b"0\r\n\r\n")?;
    Ok(true)
}
