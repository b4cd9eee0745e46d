//! The configuration that gives names a meaning: the nearest `deno.json(c)` with its import map and lock, the nearest
//! `package.json`; and the one function that resolves a specifier, for graph and bundle alike.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use deno_semver::VersionReq;
use serde_json::Value;
use url::Url;

use crate::diagnostic::{Diagnostic, DiagnosticCode, shown};
use crate::import_map::{ImportMap, is_path, normalized};
use crate::jsr;
use crate::lock::Lock;
use crate::remote;
use crate::specifier::{NpmRef, is_builtin, split_bare};

/// What is found between an entry's directory and the root. Loading is total: what is wrong is in `problems`.
#[derive(Debug, Default)]
pub(crate) struct Config {
    /// Every file that was looked into or that influences resolution.
    pub files: Vec<PathBuf>,
    /// Where the configuration stands; a project `.npmrc` would be here.
    pub dir: Option<PathBuf>,
    pub lock: Option<Lock>,
    pub problems: Vec<Diagnostic>,
    /// An import map that is not a file.
    pub remote: Option<String>,
    map: ImportMap,
    dependencies: BTreeMap<String, String>,
}

/// What a specifier stands for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    File(PathBuf),
    Npm(NpmRef),
    /// A built-in module, with its `node:` prefix.
    Node(String),
    /// A module by its address.
    Remote(Url),
    /// `data:` and the bundler's own.
    Inline,
    /// A scheme that marsh does not fetch, as it is after the import map.
    Unsupported(String),
    /// A bare name that nothing maps.
    Unknown(String),
}

impl Config {
    pub(crate) fn load(entry: &Path, root: &Path) -> Self {
        let mut config = Self::default();
        let dirs: Vec<&Path> = match entry.parent() {
            Some(parent) if parent.starts_with(root) => {
                parent.ancestors().take_while(|dir| dir.starts_with(root)).collect()
            }
            parent => parent.into_iter().collect(),
        };
        let nearest = |names: &[&str]| {
            dirs.iter().find_map(|dir| names.iter().map(|name| dir.join(name)).find(|path| path.is_file()))
        };
        if let Some(path) = nearest(&["deno.json", "deno.jsonc"]) {
            config.load_deno(&path, root);
        }
        if let Some(path) = nearest(&["package.json"]) {
            config.load_package_json(&path, root);
        }
        config
    }

    fn read_json(&mut self, path: &Path, root: &Path) -> Option<Value> {
        self.files.push(path.to_path_buf());
        match read_jsonc(path) {
            Ok(value) => Some(value),
            Err(error) => {
                let file = shown(path, root);
                self.problems.push(
                    Diagnostic::new(
                        DiagnosticCode::ConfigError,
                        format!("cannot read this configuration: {error}"),
                    )
                    .in_file(file),
                );
                None
            }
        }
    }

    fn load_deno(&mut self, path: &Path, root: &Path) {
        let dir = path.parent().unwrap_or(root).to_path_buf();
        self.dir = Some(dir.clone());
        let Some(json) = self.read_json(path, root) else { return };
        match json.get("importMap").and_then(Value::as_str) {
            // Deno ignores `importMap` when the configuration itself maps.
            Some(_) if json.get("imports").is_some() || json.get("scopes").is_some() => {
                self.map = ImportMap::parse(&json, &dir);
            }
            Some(url) if url.contains("://") => {
                self.remote = Some(url.to_owned());
                let message =
                    format!("the import map {url} would have to be fetched, which marsh does not do");
                self.problems.push(
                    Diagnostic::new(DiagnosticCode::UnsupportedSpecifier, message).in_file(shown(path, root)),
                );
            }
            Some(file) => {
                let file = normalized(&dir.join(file));
                if let Some(map) = self.read_json(&file, root) {
                    self.map = ImportMap::parse(&map, file.parent().unwrap_or(&dir));
                }
            }
            None => self.map = ImportMap::parse(&json, &dir),
        }
        let lock = match json.get("lock") {
            Some(Value::Bool(false)) => None,
            Some(Value::String(file)) => Some(normalized(&dir.join(file))),
            Some(Value::Object(options)) => {
                let file = options.get("path").and_then(Value::as_str).unwrap_or("deno.lock");
                Some(normalized(&dir.join(file)))
            }
            _ => Some(dir.join("deno.lock")),
        };
        if let Some(lock) = lock {
            self.load_lock(&lock, root);
        }
    }

    fn load_package_json(&mut self, path: &Path, root: &Path) {
        let dir = path.parent().unwrap_or(root).to_path_buf();
        if let Some(json) = self.read_json(path, root) {
            for field in ["devDependencies", "dependencies"] {
                for (name, version) in json.get(field).and_then(Value::as_object).into_iter().flatten() {
                    if let Some(version) = version.as_str() {
                        self.dependencies.insert(name.clone(), version.to_owned());
                    }
                }
            }
        }
        // Not read, because `deno.lock` is the lock that decides; it is still part of what the author pinned.
        let npm_lock = dir.join("package-lock.json");
        if npm_lock.is_file() {
            self.files.push(npm_lock);
        }
        if self.dir.is_none() {
            self.load_lock(&dir.join("deno.lock"), root);
            self.dir = Some(dir);
        }
    }

    fn load_lock(&mut self, path: &Path, root: &Path) {
        if !path.is_file() {
            return;
        }
        let Some(json) = self.read_json(path, root) else { return };
        match Lock::parse(&json) {
            Ok(lock) => self.lock = Some(lock),
            Err(reason) => self.problems.push(
                Diagnostic::new(DiagnosticCode::ConfigError, format!("cannot use this lock file: {reason}"))
                    .in_file(shown(path, root))
                    .with_hint(Some(
                        "run `deno install` with a current Deno to renew it, or remove it".into(),
                    )),
            ),
        }
    }

    /// The meaning of `specifier` in the local file `importer`.
    pub(crate) fn resolve(&self, specifier: &str, importer: &Path) -> Target {
        let dir = importer.parent().unwrap_or(Path::new("/"));
        let specifier = specifier.trim();
        let path = match specifier.strip_prefix("file:") {
            Some(_) => Url::parse(specifier).ok().and_then(|url| url.to_file_path().ok()),
            None => is_path(specifier).then(|| normalized(&dir.join(specifier))),
        };
        let key =
            path.as_ref().map_or_else(|| specifier.to_owned(), |path| path.to_string_lossy().into_owned());
        let address = match self.map.map(&key, importer) {
            Some(address) if is_path(&address) => return Target::File(existing(PathBuf::from(address))),
            Some(address) => address,
            None => match path {
                Some(path) => return Target::File(existing(path)),
                None => specifier.to_owned(),
            },
        };
        self.resolve_address(&address)
    }

    /// The meaning of `specifier` in the module that was fetched from `importer`. Nothing there reaches a local file.
    pub(crate) fn resolve_from(&self, specifier: &str, importer: &Url) -> Target {
        let specifier = specifier.trim();
        let key = match is_path(specifier).then(|| importer.join(specifier)) {
            None => specifier.to_owned(),
            Some(Ok(url)) => url.into(),
            Some(Err(_)) => return Target::Unsupported(specifier.to_owned()),
        };
        let address = self.map.map(&key, Path::new(importer.as_str())).unwrap_or(key);
        if is_path(&address) || address.starts_with("file:") {
            return Target::Unsupported(address);
        }
        self.resolve_address(&address)
    }

    fn resolve_address(&self, address: &str) -> Target {
        if let Some(name) = address.strip_prefix("node:") {
            return Target::Node(format!("node:{name}"));
        }
        if address.starts_with("npm:") {
            return NpmRef::parse(address)
                .map_or_else(|| Target::Unsupported(address.to_owned()), Target::Npm);
        }
        if address.starts_with("jsr:") {
            let reference = jsr::as_npm(address).and_then(|address| NpmRef::parse(&address));
            return reference.map_or_else(|| Target::Unsupported(address.to_owned()), Target::Npm);
        }
        if address.starts_with("data:") || address.starts_with('\0') || address.starts_with("rolldown:") {
            return Target::Inline;
        }
        if address.starts_with("file:") {
            return match Url::parse(address).ok().and_then(|url| url.to_file_path().ok()) {
                Some(path) => Target::File(path),
                None => Target::Unsupported(address.to_owned()),
            };
        }
        if remote::is_web(address) {
            return remote::address(address)
                .map_or_else(|| Target::Unsupported(address.to_owned()), Target::Remote);
        }
        if has_scheme(address) {
            return Target::Unsupported(address.to_owned());
        }
        let (name, sub) = split_bare(address);
        if let Some(version) = self.dependencies.get(name) {
            return dependency(name, version, sub)
                .map_or_else(|| Target::Unsupported(format!("{address} ({version})")), Target::Npm);
        }
        if is_builtin(address) {
            return Target::Node(format!("node:{address}"));
        }
        Target::Unknown(address.to_owned())
    }

    /// The bare names that the configuration knows, for hints.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.map
            .names()
            .chain(self.dependencies.keys().map(String::as_str))
            .filter(|name| !name.ends_with('/'))
    }
}

/// A `package.json` dependency, which may rename a package: `"old": "npm:new@1"`.
fn dependency(name: &str, version: &str, sub: &str) -> Option<NpmRef> {
    if version.starts_with("npm:") {
        return NpmRef::parse(version).map(|reference| NpmRef { sub: sub.to_owned(), ..reference });
    }
    if version.contains(':') || version.contains('/') {
        return None;
    }
    let req = VersionReq::parse_from_npm(version).ok()?;
    Some(NpmRef { name: name.to_owned(), req, sub: sub.to_owned() })
}

/// Specifiers are URLs, so a file name may be percent-encoded and carry a query; a file that is there as written wins.
fn existing(path: PathBuf) -> PathBuf {
    let text = path.to_string_lossy();
    if !text.contains(['%', '?', '#']) || path.exists() {
        return path;
    }
    let decoded = Url::parse(&format!("file://{text}")).ok().and_then(|url| url.to_file_path().ok());
    decoded.unwrap_or(path)
}

fn has_scheme(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    })
}

fn read_jsonc(path: &Path) -> io::Result<Value> {
    let mut text = marsh_fs::read_to_string(path)?;
    json_strip_comments::strip(&mut text)?;
    Ok(serde_json::from_str(text.trim_start_matches('\u{feff}'))?)
}
