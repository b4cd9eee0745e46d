//! An npm registry without packages.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

/// Answers every request with 404, so that a test of a missing package sends no request to another machine.
#[derive(Debug)]
pub struct EmptyRegistry {
    url: String,
}

impl EmptyRegistry {
    /// Listens on a free port until the test process ends.
    pub fn start() -> EmptyRegistry {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}/", listener.local_addr().expect("a bound address"));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream);
            }
        });
        EmptyRegistry { url }
    }

    /// The URL with a final slash, as `.npmrc` requires.
    pub fn url(&self) -> &str {
        &self.url
    }
}

fn answer(stream: TcpStream) {
    let mut lines = BufReader::new(&stream).lines();
    // A client may close the connection before it has read everything.
    while let Some(Ok(line)) = lines.next()
        && !line.is_empty()
    {}
    let body = r#"{"error":"not_found"}"#;
    let head = "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nConnection: close\r\n";
    let written = write!(&stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len());
    marsh_types::ignore(written, "a client may close the connection early");
}
