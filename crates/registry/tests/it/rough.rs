//! A server whose answers a test chooses byte by byte: interrupted, redirected, too long, wrong.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use marsh_registry::{ClientOptions, Location, Registry};

#[derive(Debug, Clone)]
pub struct Heard {
    pub method: String,
    /// The path with the query.
    pub path: String,
    pub headers: BTreeMap<String, String>,
}

impl Heard {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }

    /// The offset of `Range: bytes=N-`.
    pub fn offset(&self) -> usize {
        let range = self.header("range").and_then(|range| range.strip_prefix("bytes="));
        range.and_then(|range| range.trim_end_matches('-').parse().ok()).unwrap_or(0)
    }
}

pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The value of `Content-Length`. `None`: the end of the connection ends the answer.
    pub length: Option<usize>,
}

impl Reply {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        let body = body.into();
        Reply { status, headers: Vec::new(), length: Some(body.len()), body }
    }

    pub fn json(value: &serde_json::Value) -> Reply {
        Reply::new(200, value.to_string())
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Reply {
        self.headers.push((name, value.into()));
        self
    }

    pub fn redirect(to: impl Into<String>) -> Reply {
        Reply::new(302, "").with("location", to)
    }

    /// States the true length and sends only `count` bytes.
    pub fn cut(mut self, count: usize) -> Reply {
        self.body.truncate(count);
        self
    }
}

pub struct Rough {
    pub addr: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Rough {
    /// `answer` gets the request and the number of requests before it.
    pub fn new(answer: impl Fn(&Heard, usize) -> Reply + Send + Sync + 'static) -> Rough {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let stopping = Arc::new(AtomicBool::new(false));
        let (log, stop, answer) = (Arc::clone(&heard), Arc::clone(&stopping), Arc::new(answer));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || serve(&stream.unwrap(), &log, &*answer));
            }
        });
        Rough { addr, heard, stopping, thread: Some(thread) }
    }

    /// A web server for static files; with `ranges`, it supports the header `Range`.
    pub fn files(root: PathBuf, ranges: bool) -> Rough {
        Rough::new(move |heard, _| {
            let path = heard.path.split('?').next().unwrap().trim_start_matches('/');
            match std::fs::read(root.join(path)) {
                Ok(bytes) if ranges && heard.offset() > 0 => part(&bytes, heard.offset()),
                Ok(bytes) => Reply::new(200, bytes),
                Err(_) => Reply::new(404, "<html>nothing here</html>"),
            }
        })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }

    pub fn paths(&self) -> Vec<String> {
        self.heard().into_iter().map(|heard| heard.path).collect()
    }

    pub fn client(&self) -> Registry {
        self.client_with(|_| {})
    }

    pub fn client_with(&self, change: impl FnOnce(&mut ClientOptions)) -> Registry {
        let mut options = crate::scene::options();
        change(&mut options);
        Registry::open(Location::parse(&self.url(), Path::new("/")).unwrap(), options)
    }
}

impl Drop for Rough {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // A connection wakes the listener, which then stops.
        TcpStream::connect(self.addr).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// An answer 206 with `bytes` from `offset` on.
pub fn part(bytes: &[u8], offset: usize) -> Reply {
    let range = format!("bytes {offset}-{}/{}", bytes.len() - 1, bytes.len());
    Reply::new(206, &bytes[offset..]).with("content-range", range)
}

fn serve(stream: &TcpStream, log: &Mutex<Vec<Heard>>, answer: &dyn Fn(&Heard, usize) -> Reply) {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let mut words = line.split_whitespace();
    let (method, path) = (words.next().unwrap().to_owned(), words.next().unwrap().to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim().split_once(':') {
            Some((name, value)) => headers.insert(name.to_lowercase(), value.trim().to_owned()),
            None => break,
        };
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    std::io::copy(&mut reader.take(length), &mut std::io::sink()).unwrap();
    let heard = Heard { method, path, headers };
    let before = {
        let mut log = log.lock().unwrap();
        log.push(heard.clone());
        log.len() - 1
    };
    let reply = answer(&heard, before);
    let mut head = format!("HTTP/1.1 {} X\r\nconnection: close\r\n", reply.status);
    if let Some(length) = reply.length {
        head.push_str(&format!("content-length: {length}\r\n"));
    }
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    // The client may close the connection at any time.
    let mut stream = stream;
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(b"\r\n")).ok();
    stream.write_all(&reply.body).ok();
}
