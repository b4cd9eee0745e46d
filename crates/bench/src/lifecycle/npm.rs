//! npm with packages of the same size from a registry on this machine: the nearest well-known equivalent.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use sha2::{Digest as _, Sha512};

use super::scene::{COUNT, Scene, files, put};
use crate::error::BenchError;
use crate::measure::Job;

pub struct Npm<'a> {
    scene: &'a Scene<'a>,
    url: String,
    full: PathBuf,
    cache: PathBuf,
}

impl<'a> Npm<'a> {
    /// Serves the packages until the bench ends.
    pub fn start(scene: &'a Scene<'a>) -> Result<Npm<'a>, BenchError> {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|source| BenchError::io("listen", source))?;
        let address = listener.local_addr().map_err(|source| BenchError::io("listen", source))?;
        let url = format!("http://{address}/");
        let mut answers = HashMap::new();
        for number in 0..COUNT {
            let name = scene.name(number);
            let tarball = package(&name, number)?;
            let integrity = format!(
                "sha512-{}",
                base64::engine::general_purpose::STANDARD.encode(Sha512::digest(&tarball))
            );
            let file = format!("{url}tarballs/{number}.tgz");
            let document = serde_json::json!({
                "name": name, "dist-tags": { "latest": "1.0.0" },
                "versions": { "1.0.0": {
                    "name": name, "version": "1.0.0", "dist": { "tarball": file, "integrity": integrity },
                } },
            });
            answers.insert(format!("/{}", name.replace('/', "%2f")), document.to_string().into_bytes());
            answers.insert(format!("/tarballs/{number}.tgz"), tarball);
        }
        let answers = Arc::new(answers);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let answers = Arc::clone(&answers);
                std::thread::spawn(move || {
                    marsh_types::ignore(serve(&stream, &answers), "npm may close a connection early");
                });
            }
        });
        let npm = Npm { scene, url, full: scene.fresh_dir("npm")?, cache: scene.fresh_dir("npm-cache")? };
        super::timed(&npm.job(&npm.full.clone(), &npm.cache.clone(), &["--version"]))?;
        Ok(npm)
    }

    fn job(&self, dir: &std::path::Path, cache: &std::path::Path, args: &[&str]) -> Job {
        let program = "npm";
        let mut job = self.scene.fixture.job(dir, args);
        job.program = program.into();
        job.env.retain(|(name, _)| !name.to_string_lossy().to_ascii_lowercase().starts_with("npm_config_"));
        for (name, value) in [
            ("npm_config_registry", self.url.as_str()),
            ("npm_config_audit", "false"),
            ("npm_config_fund", "false"),
            ("npm_config_update_notifier", "false"),
        ] {
            job.env.push((name.into(), value.into()));
        }
        job.env.push(("npm_config_cache".into(), cache.into()));
        job
    }

    fn project(&self, dir: &std::path::Path, count: usize) -> Result<(), BenchError> {
        let names: serde_json::Map<String, serde_json::Value> =
            (0..count).map(|number| (self.scene.name(number), "1.0.0".into())).collect();
        let document = serde_json::json!({ "name": "bench", "version": "1.0.0", "dependencies": names });
        put(&dir.join("package.json"), &document.to_string())
    }

    pub fn install_one(&self) -> Result<(f64, String), BenchError> {
        let (dir, cache) = (self.scene.fresh_dir("npm")?, self.scene.fresh_dir("npm-cache")?);
        self.project(&dir, 0)?;
        super::timed(&self.job(&dir, &cache, &["install", &self.scene.name(0)]))
    }

    pub fn install_all(&self) -> Result<(f64, String), BenchError> {
        let (dir, cache) = (self.scene.fresh_dir("npm")?, self.scene.fresh_dir("npm-cache")?);
        self.project(&dir, COUNT)?;
        super::timed(&self.job(&dir, &cache, &["install"]))
    }

    pub fn prepare_restore(&self) -> Result<(), BenchError> {
        self.project(&self.full, COUNT)?;
        super::timed(&self.job(&self.full, &self.cache, &["install"])).map(drop)
    }

    /// Restores into a new directory, as after a clone.
    pub fn restore(&self) -> Result<(f64, String), BenchError> {
        let dir = self.scene.fresh_dir("npm")?;
        self.project(&dir, COUNT)?;
        let lockfile = std::fs::read_to_string(self.full.join("package-lock.json"))
            .map_err(|source| BenchError::io("read package-lock.json", source))?;
        put(&dir.join("package-lock.json"), &lockfile)?;
        super::timed(&self.job(&dir, &self.cache, &["ci", "--prefer-offline"]))
    }

    pub fn list(&self) -> Result<(f64, String), BenchError> {
        super::timed(&self.job(&self.full, &self.cache, &["ls"]))
    }
}

/// An npm package with the files of an extension.
fn package(name: &str, number: usize) -> Result<Vec<u8>, BenchError> {
    let failed = |source| BenchError::io("pack", source);
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    let mut tar = tar::Builder::new(gzip);
    let manifest = serde_json::json!({ "name": name, "version": "1.0.0" }).to_string();
    let all = files(name, number).into_iter().chain([("package.json".to_owned(), manifest)]);
    for (path, text) in all {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("package/{path}"), text.as_bytes()).map_err(failed)?;
    }
    tar.into_inner().and_then(flate2::write::GzEncoder::finish).map_err(failed)
}

fn serve(stream: &TcpStream, answers: &HashMap<String, Vec<u8>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut request = String::new();
        if reader.read_line(&mut request)? == 0 {
            return Ok(());
        }
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            line.clear();
        }
        let path = request.split(' ').nth(1).unwrap_or_default();
        let (status, body) = match answers.get(path).or_else(|| answers.get(&path.replace("%2F", "%2f"))) {
            Some(body) => ("200 OK", body.as_slice()),
            None => ("404 Not Found", b"{}".as_slice()),
        };
        let kind = if path.ends_with(".tgz") { "application/octet-stream" } else { "application/json" };
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", body.len());
        let mut out = stream;
        out.write_all(head.as_bytes())?;
        out.write_all(body)?;
    }
}
