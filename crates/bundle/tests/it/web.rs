//! A web server on 127.0.0.1 with answers that a test makes up.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sha2::{Digest, Sha256};

#[derive(Clone)]
pub struct Web {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// By path: status and headers, body.
    answers: BTreeMap<String, (String, Vec<u8>)>,
    requests: Vec<String>,
}

impl Web {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let web = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let serving = web.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        web
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Answers `path` with `text`, and returns its digest.
    pub fn put(&self, path: &str, content_type: &str, text: &str) -> String {
        let head = format!("200 OK\r\ncontent-type: {content_type}");
        self.state.lock().unwrap().answers.insert(path.to_owned(), (head, text.as_bytes().to_vec()));
        Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub fn redirect(&self, path: &str, to: &str) {
        let head = format!("302 Found\r\nlocation: {to}");
        self.state.lock().unwrap().answers.insert(path.to_owned(), (head, Vec::new()));
    }

    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let Some(first) = lines.next() else { return };
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        lines.take_while(|line| !line.is_empty()).for_each(drop);
        let (head, body) = {
            let mut state = self.state.lock().unwrap();
            state.requests.push(path.clone());
            state.answers.get(&path).cloned().unwrap_or_else(|| ("404 Not Found".to_owned(), Vec::new()))
        };
        let head = format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).ok();
    }
}
