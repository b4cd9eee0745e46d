//! A registry of the npm protocol on 127.0.0.1, with packages that a test makes up.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use sha2::{Digest, Sha512};

#[derive(Clone)]
pub struct Registry {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// Name, version, the version's metadata.
    metadata: BTreeMap<String, BTreeMap<String, Value>>,
    tags: BTreeMap<String, Value>,
    tarballs: BTreeMap<String, Vec<u8>>,
    /// Path and `authorization` of each request.
    requests: Vec<(String, Option<String>)>,
    /// How many requests to answer with 503 first.
    failing: usize,
}

impl Registry {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let registry = Self { address: listener.local_addr().unwrap(), state: Arc::default() };
        let serving = registry.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        registry
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Publishes; `extra` goes into the version's metadata. The integrity of the archive comes back.
    pub fn publish(&self, name: &str, version: &str, files: &[(&str, &str)], extra: Value) -> String {
        let mut manifest = json!({ "name": name, "version": version });
        merge(&mut manifest, &extra);
        let manifest = manifest.to_string();
        let mut all = vec![("package/package.json".to_owned(), manifest.as_str())];
        all.extend(files.iter().map(|(path, text)| (format!("package/{path}"), *text)));
        self.publish_archive(name, version, tgz(&all), extra)
    }

    pub fn publish_archive(&self, name: &str, version: &str, archive: Vec<u8>, extra: Value) -> String {
        let base = name.rsplit('/').next().unwrap();
        let path = format!("/{name}/-/{base}-{version}.tgz");
        let integrity = format!("sha512-{}", STANDARD.encode(Sha512::digest(&archive)));
        let tarball = format!("http://{}{path}", self.address);
        let mut info = json!({ "name": name, "version": version, "dist": { "integrity": integrity, "tarball": tarball } });
        merge(&mut info, &extra);
        let mut state = self.state.lock().unwrap();
        state.metadata.entry(name.to_owned()).or_default().insert(version.to_owned(), info);
        state.tarballs.insert(path, archive);
        integrity
    }

    pub fn tag(&self, name: &str, tags: Value) {
        self.state.lock().unwrap().tags.insert(name.to_owned(), tags);
    }

    /// Replaces the bytes behind a published version, as a compromised registry would.
    pub fn tamper(&self, name: &str, version: &str, archive: Vec<u8>) {
        let base = name.rsplit('/').next().unwrap();
        self.state.lock().unwrap().tarballs.insert(format!("/{name}/-/{base}-{version}.tgz"), archive);
    }

    pub fn fail_next(&self, requests: usize) {
        self.state.lock().unwrap().failing = requests;
    }

    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.iter().map(|(path, _)| path.clone()).collect()
    }

    pub fn authorizations(&self) -> Vec<Option<String>> {
        self.state.lock().unwrap().requests.iter().map(|(_, authorization)| authorization.clone()).collect()
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
        let Some(first) = lines.next() else { return };
        let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
        let headers: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let authorization = headers.iter().find_map(|line| {
            line.to_lowercase().starts_with("authorization: ").then(|| line[15..].to_owned())
        });
        let (status, body) = self.answer(&path, authorization);
        let head =
            format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body)).ok();
    }

    fn answer(&self, path: &str, authorization: Option<String>) -> (&'static str, Vec<u8>) {
        let mut state = self.state.lock().unwrap();
        state.requests.push((path.to_owned(), authorization));
        if state.failing > 0 {
            state.failing -= 1;
            return ("503 Service Unavailable", Vec::new());
        }
        if let Some(bytes) = state.tarballs.get(path) {
            return ("200 OK", bytes.clone());
        }
        let name = path.trim_start_matches('/').replace("%2f", "/");
        match state.metadata.get(&name) {
            Some(versions) => {
                let tags = state.tags.get(&name).cloned().unwrap_or(json!({}));
                let body = json!({ "name": name, "dist-tags": tags, "versions": versions });
                ("200 OK", body.to_string().into_bytes())
            }
            None => ("404 Not Found", b"{}".to_vec()),
        }
    }
}

fn merge(into: &mut Value, extra: &Value) {
    for (key, value) in extra.as_object().into_iter().flatten() {
        into[key] = value.clone();
    }
}

/// An archive of regular files, with the paths as they are.
pub fn tgz(files: &[(String, &str)]) -> Vec<u8> {
    archive(|builder| {
        for (path, text) in files {
            append(builder, path, text, tar::EntryType::Regular, None);
        }
    })
}

pub type Builder = tar::Builder<GzEncoder<Vec<u8>>>;

pub fn archive(fill: impl FnOnce(&mut Builder)) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    fill(&mut builder);
    builder.into_inner().unwrap().finish().unwrap()
}

/// Writes the path into the header as it is: the library's own check would refuse hostile ones.
pub fn append(builder: &mut Builder, path: &str, text: &str, kind: tar::EntryType, link: Option<&str>) {
    let mut header = tar::Header::new_ustar();
    header.as_ustar_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    if let Some(link) = link {
        header.set_link_name(link).unwrap();
    }
    header.set_cksum();
    builder.append(&header, text.as_bytes()).unwrap();
}

/// A stand-in for zod 4 that is laid out like it.
pub fn publish_zod(registry: &Registry, version: &str) -> String {
    registry.publish(
        "zod",
        version,
        &[
            ("index.js", "import * as z from './v4/classic.js';\nexport { z };\nexport default z;\nexport * from './v4/classic.js';\n"),
            ("index.cjs", "exports.z = { string() { return 'cjs'; } };\n"),
            ("v4/index.js", "export * from './classic.js';\n"),
            ("v4/classic.js", "export function string() { return 'ZOD_BODY'; }\nexport class ZodType {}\n"),
            ("mini/index.js", "export const mini = 'ZOD_MINI';\n"),
        ],
        json!({
            "type": "module",
            "exports": {
                ".": { "import": "./index.js", "require": "./index.cjs" },
                "./v4": "./v4/index.js",
                "./mini": "./mini/index.js"
            }
        }),
    )
}
