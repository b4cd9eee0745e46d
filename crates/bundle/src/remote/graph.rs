//! Follows the imports of fetched modules, a level at a time, and checks what comes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deno_semver::Version;
use sha2::{Digest, Sha256};
use url::Url;

use super::client::Client;
use super::registry::{self, Manifest, PackageMeta};
use super::store::{Record, Store};
use super::{JsrPackage, Language, Remote, RemoteModule};
use crate::config::{Config, Target};
use crate::diagnostic::{Diagnostic, DiagnosticCode};
use crate::hex::hex;
use crate::jsr;
use crate::lock::Lock;
use crate::npm::in_parallel;
use crate::scan::scan;
use crate::specifier::NpmRef;
use crate::unresolved::{unknown_name, unsupported};

/// Modules of one bundle, and bytes of all of them.
const MAX_MODULES: usize = 5_000;
const MAX_BYTES: usize = 256 << 20;

/// What can go wrong with a module.
#[derive(Debug)]
pub(crate) struct RemoteError {
    pub diagnostic: Box<Diagnostic>,
    /// The address or `jsr:` reference in the source that led there.
    pub root: String,
}

/// What a source, local or fetched, asks for.
#[derive(Debug, Clone)]
struct Wanted {
    what: What,
    /// The fetched module that asks.
    by: Option<String>,
    root: String,
}

#[derive(Debug, Clone)]
enum What {
    Module(Url),
    Jsr(NpmRef),
}

impl Wanted {
    fn fault(&self, code: DiagnosticCode, message: String) -> RemoteError {
        let message = match &self.by {
            Some(by) => format!("{message}; {by} imports it"),
            None => message,
        };
        RemoteError { diagnostic: Box::new(Diagnostic::new(code, message)), root: self.root.clone() }
    }
}

/// All modules that `targets` of local sources lead to. `jsr_by_npm`: npm's configuration names a registry of jsr packages,
/// and they are installed from there.
pub(crate) fn fetch(
    targets: &[Target],
    config: &Config,
    jsr_by_npm: bool,
    cache: &Path,
    offline: bool,
) -> Result<Remote, RemoteError> {
    let own = targets.iter().filter(|target| is_fetched(target, jsr_by_npm));
    let mut level: Vec<Wanted> = own.filter_map(|target| wanted(target, None, None)).collect();
    let key = level.iter().map(|wanted| wanted.root.clone()).collect::<BTreeSet<_>>();
    let key = key.into_iter().collect::<Vec<_>>().join("\n");
    let store = Store::new(cache);
    let mut fetcher = Fetcher {
        config,
        jsr_by_npm,
        versions: store.versions(&key),
        store,
        client: (!offline).then(Client::new),
        remote: Remote::default(),
        packages: BTreeMap::new(),
        bytes: 0,
        unlocked: BTreeSet::new(),
    };
    let known = fetcher.versions.clone();
    while !level.is_empty() {
        level = fetcher.level(level)?;
    }
    if fetcher.versions != known {
        let kept = fetcher.store.keep_versions(&key, &fetcher.versions);
        kept.map_err(|error| RemoteError {
            diagnostic: Box::new(Diagnostic::new(
                DiagnosticCode::CacheError,
                format!("the module cache is not usable: {error}"),
            )),
            root: String::new(),
        })?;
    }
    Ok(fetcher.ended())
}

/// Whether a module is fetched by address; npm packages come by archive.
fn is_fetched(target: &Target, jsr_by_npm: bool) -> bool {
    match target {
        Target::Npm(reference) => !jsr_by_npm && jsr::original(&reference.name).is_some(),
        target => matches!(target, Target::Remote(_)),
    }
}

fn wanted(target: &Target, by: Option<&str>, root: Option<&str>) -> Option<Wanted> {
    let (what, own) = match target {
        Target::Remote(url) => (What::Module(url.clone()), url.to_string()),
        Target::Npm(reference) if jsr::original(&reference.name).is_some() => {
            (What::Jsr(reference.clone()), reference.to_string())
        }
        _ => return None,
    };
    Some(Wanted { what, by: by.map(str::to_owned), root: root.map_or(own, str::to_owned) })
}

/// A version of a jsr package: its files are below `base`.
struct Package {
    id: String,
    manifest: Manifest,
}

struct Fetcher<'c> {
    config: &'c Config,
    jsr_by_npm: bool,
    store: Store,
    client: Option<Client>,
    remote: Remote,
    /// By the address that its files are below.
    packages: BTreeMap<String, Package>,
    /// From a `jsr:` requirement to the version that was chosen.
    versions: BTreeMap<String, String>,
    bytes: usize,
    unlocked: BTreeSet<String>,
}

impl Fetcher<'_> {
    fn lock(&self) -> Option<&Lock> {
        self.config.lock.as_ref()
    }

    /// The level after this one.
    fn level(&mut self, level: Vec<Wanted>) -> Result<Vec<Wanted>, RemoteError> {
        let mut open: BTreeMap<String, (Url, Wanted)> = BTreeMap::new();
        for wanted in level {
            let url = match &wanted.what {
                What::Module(url) => url.clone(),
                What::Jsr(reference) => {
                    let url = self.of_jsr(reference, &wanted)?;
                    self.remote.jsr.insert(reference.to_string(), url.to_string());
                    url
                }
            };
            if self.remote.find(url.as_str()).is_none() {
                open.entry(url.to_string()).or_insert((url, wanted));
            }
        }
        let open: Vec<(Url, Wanted)> = open.into_values().collect();
        let this = &*self;
        let answers = in_parallel(&open, |(url, wanted)| this.load(url, this.expected(url, wanted)?, wanted));
        let mut next = Vec::new();
        for ((url, wanted), answer) in open.iter().zip(answers) {
            let (record, bytes) = answer?;
            next.extend(self.take(url, wanted, &record, &bytes)?);
        }
        Ok(next)
    }

    /// The digest that the file of a jsr package must have.
    fn expected(&self, url: &Url, wanted: &Wanted) -> Result<Option<String>, RemoteError> {
        let Some((base, package)) = self.package_of(url.as_str()) else { return Ok(None) };
        let path = &url.as_str()[base.len()..];
        match package.manifest.digest(path) {
            Some(digest) => Ok(Some(digest.to_owned())),
            None => Err(wanted.fault(
                DiagnosticCode::MissingFile,
                format!("jsr package {} has no file {path:?}", package.id),
            )),
        }
    }

    fn package_of(&self, url: &str) -> Option<(&String, &Package)> {
        self.packages.iter().find(|(base, _)| url.starts_with(base.as_str()))
    }

    /// The content of an address: from the cache if that has what is expected, else from the network.
    fn load(
        &self,
        url: &Url,
        stated: Option<String>,
        wanted: &Wanted,
    ) -> Result<(Record, Vec<u8>), RemoteError> {
        let lock = self.lock();
        let start = lock.and_then(|lock| lock.redirects.get(url.as_str())).and_then(|to| super::address(to));
        let start = start.as_ref().unwrap_or(url);
        let record = self.store.record(start.as_str());
        let locked = |location: &str| lock.and_then(|lock| lock.remote.get(location)).cloned();
        if let Some(record) = &record {
            let expected = stated.clone().or_else(|| locked(&record.location));
            if expected.is_none_or(|expected| expected == record.sha256)
                && let Some(bytes) = self.store.content(&record.sha256)
            {
                return Ok((record.clone(), bytes));
            }
        }
        let Some(client) = &self.client else {
            let message = format!("{url} is not in the module cache, and marsh is offline");
            let mut error = wanted.fault(DiagnosticCode::Offline, message);
            error.diagnostic.hint =
                Some("run once with the network, so that the module gets into the cache".to_owned());
            return Err(error);
        };
        let fetched = client.get(start).map_err(|failed| {
            let mut error = wanted.fault(failed.code, format!("{url} cannot be fetched: {}", failed.reason));
            if failed.code == DiagnosticCode::Network {
                error.diagnostic.hint = Some(self.hint(url));
            }
            error
        })?;
        let sha256 = hex(&Sha256::digest(&fetched.bytes));
        let location = fetched.url.to_string();
        let (expected, by) = match (stated, locked(&location), record) {
            (Some(stated), _, _) => (Some(stated), "the package's manifest"),
            (None, Some(locked), _) => (Some(locked), "deno.lock"),
            (None, None, Some(record)) => (Some(record.sha256), "the module cache"),
            (None, None, None) => (None, ""),
        };
        if let Some(expected) = expected.filter(|expected| *expected != sha256) {
            let message = format!(
                "{location} is not what was expected: SHA-256 {expected} by {by}, but the server sent {sha256}"
            );
            return Err(wanted.fault(DiagnosticCode::IntegrityMismatch, message));
        }
        let record = Record { url: start.to_string(), location, sha256, content_type: fetched.content_type };
        self.store.keep(&record, &fetched.bytes).map_err(|error| {
            wanted.fault(DiagnosticCode::CacheError, format!("the module cache is not usable: {error}"))
        })?;
        Ok((record, fetched.bytes))
    }

    fn hint(&self, url: &Url) -> String {
        let of_jsr = registry::base().is_ok_and(|base| url.as_str().starts_with(base.as_str()));
        if of_jsr {
            "check the network; `JSR_URL` names another jsr registry, and the line `@jsr:registry=<address>` in .npmrc \
             one that serves npm's clients"
                .to_owned()
        } else {
            "check the network and the address".to_owned()
        }
    }

    /// Keeps a module, and returns what it imports.
    fn take(
        &mut self,
        url: &Url,
        wanted: &Wanted,
        record: &Record,
        bytes: &[u8],
    ) -> Result<Vec<Wanted>, RemoteError> {
        let fault = |code, message: String| wanted.fault(code, message);
        let Ok(location) = Url::parse(&record.location) else {
            return Err(fault(
                DiagnosticCode::CacheError,
                format!("the module cache has no valid entry of {url}"),
            ));
        };
        if *url != location {
            self.remote.redirects.insert(url.to_string(), record.location.clone());
        }
        if self.remote.modules.contains_key(&record.location) {
            return Ok(Vec::new());
        }
        self.bytes += bytes.len();
        if self.remote.modules.len() >= MAX_MODULES || self.bytes > MAX_BYTES {
            let message =
                format!("more than {MAX_MODULES} modules or {MAX_BYTES} bytes are imported by address");
            return Err(fault(DiagnosticCode::UnsupportedSpecifier, message));
        }
        let Some(language) = Language::of(record.content_type.as_deref(), &location) else {
            let stated = record.content_type.as_deref().unwrap_or_default();
            return Err(fault(
                DiagnosticCode::UnsupportedSpecifier,
                format!("{url} is {stated}, not a module"),
            ));
        };
        let text = String::from_utf8_lossy(bytes);
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned();
        let in_package = self.package_of(&record.location).is_some();
        let is_locked = |lock: &Lock| lock.remote.contains_key(&record.location);
        if !in_package && self.lock().is_some_and(|lock| !is_locked(lock)) {
            self.unlocked.insert(record.location.clone());
        }
        let mut next = Vec::new();
        if language != Language::Json {
            let scanned = scan(&text, Path::new(language.file()));
            if let Some(error) = scanned.errors.first() {
                let diagnostic = Box::new(error.diagnostic(record.location.clone(), &text));
                return Err(RemoteError { diagnostic, root: wanted.root.clone() });
            }
            for site in &scanned.sites {
                let target = self.config.resolve_from(&site.specifier, &location);
                let failed = |diagnostic: Diagnostic| RemoteError {
                    diagnostic: Box::new(diagnostic.at(record.location.clone(), &text, site.offset)),
                    root: wanted.root.clone(),
                };
                match &target {
                    Target::Unsupported(address) => {
                        return Err(failed(unsupported(&site.specifier, address)));
                    }
                    Target::Unknown(name) => return Err(failed(unknown_name(name, self.config))),
                    Target::Npm(reference) if !is_fetched(&target, self.jsr_by_npm) => {
                        self.remote.npm.push((reference.clone(), wanted.root.clone()));
                    }
                    _ => {
                        next.extend(super::graph::wanted(&target, Some(&record.location), Some(&wanted.root)))
                    }
                }
            }
        }
        let module = RemoteModule { text, language, sha256: record.sha256.clone(), in_package };
        self.remote.modules.insert(record.location.clone(), module);
        Ok(next)
    }

    /// The address of the module that a `jsr:` reference names.
    fn of_jsr(&mut self, reference: &NpmRef, wanted: &Wanted) -> Result<Url, RemoteError> {
        let name = jsr::original(&reference.name).unwrap_or_default();
        let base = registry::base().map_err(|message| wanted.fault(DiagnosticCode::ConfigError, message))?;
        let invalid = |error: url::ParseError| {
            wanted.fault(DiagnosticCode::ConfigError, format!("{base} is not a registry: {error}"))
        };
        let version = self.version(reference, &name, &base, wanted)?;
        let below = base.join(&format!("{name}/{version}/")).map_err(invalid)?;
        if !self.packages.contains_key(below.as_str()) {
            let url = base.join(&format!("{name}/{version}_meta.json")).map_err(invalid)?;
            let id = format!("{}@{version}", reference.name);
            let locked = self.lock().and_then(|lock| lock.packages.get(&id)?.manifest.clone());
            let (record, bytes) = self.load(&url, locked, wanted)?;
            let manifest = parsed(&url, &bytes, wanted)?;
            let digest = unhex(&record.sha256);
            let integrity = format!("sha256-{}", STANDARD.encode(digest));
            self.packages.insert(below.to_string(), Package { id: format!("{name}@{version}"), manifest });
            self.remote.packages.push(JsrPackage { name: reference.name.clone(), version, integrity });
        }
        let Some(package) = self.packages.get(below.as_str()) else { return Ok(below) };
        let Some(path) = package.manifest.export(&reference.sub) else {
            let what = if reference.sub.is_empty() {
                "main module".to_owned()
            } else {
                format!("module {:?}", reference.sub)
            };
            let mut error = wanted
                .fault(DiagnosticCode::MissingPackage, format!("jsr package {} has no {what}", package.id));
            error.diagnostic.hint =
                marsh_types::near::did_you_mean(&reference.sub, package.manifest.exports());
            return Err(error);
        };
        below.join(path).map_err(invalid)
    }

    /// The lock decides, then what was chosen before, then a version that is in use, then the registry.
    fn version(
        &mut self,
        reference: &NpmRef,
        name: &str,
        base: &Url,
        wanted: &Wanted,
    ) -> Result<String, RemoteError> {
        let prefix = format!("{}@", reference.name);
        if let Some(version) = self.lock().and_then(|lock| lock.find(reference)?.strip_prefix(&prefix)) {
            return Ok(version.to_owned());
        }
        let requirement = reference.requirement();
        if let Some(version) = self.versions.get(&requirement) {
            return Ok(version.clone());
        }
        let used = self.remote.packages.iter().filter(|package| package.name == reference.name);
        let used = used.filter_map(|package| Version::parse_standard(&package.version).ok());
        let version = match used.filter(|version| reference.req.matches(version)).max() {
            Some(version) => version.to_string(),
            None => {
                let fault = |code, message| wanted.fault(code, message);
                let Some(client) = &self.client else {
                    let message = format!("jsr:{name} is not in the module cache, and marsh is offline");
                    return Err(fault(DiagnosticCode::Offline, message));
                };
                let url = base.join(&format!("{name}/meta.json")).map_err(|error| {
                    fault(DiagnosticCode::ConfigError, format!("{base} is not a registry: {error}"))
                })?;
                let fetched = client.get(&url).map_err(|failed| match failed.code {
                    DiagnosticCode::MissingFile => fault(
                        DiagnosticCode::MissingPackage,
                        format!("the registry has no jsr package {name:?}"),
                    ),
                    code => {
                        let mut error =
                            fault(code, format!("jsr:{name} cannot be fetched: {url}: {}", failed.reason));
                        error.diagnostic.hint = Some(self.hint(&url));
                        error
                    }
                })?;
                let meta: PackageMeta = parsed(&url, &fetched.bytes, wanted)?;
                meta.best(&reference.req).ok_or_else(|| {
                    let text = reference.req.version_text();
                    let message = format!("jsr package {name:?} has no version that matches {text}");
                    let mut error = fault(DiagnosticCode::MissingPackage, message);
                    let newest = meta.newest();
                    error.diagnostic.hint =
                        (!newest.is_empty()).then(|| format!("the newest are {}", newest.join(", ")));
                    error
                })?
            }
        };
        if self.lock().is_some() {
            self.remote
                .warnings
                .push(format!("{reference} is not in deno.lock: the version was chosen by marsh"));
        }
        self.versions.insert(requirement, version.clone());
        Ok(version)
    }

    fn ended(mut self) -> Remote {
        let mut names = self.unlocked.iter();
        if let Some(first) = names.next() {
            let others = names.len();
            let more = if others == 0 { String::new() } else { format!(" and {others} more") };
            self.remote
                .warnings
                .push(format!("{first}{more} not in deno.lock: the module cache records what was fetched"));
        }
        self.remote
    }
}

fn parsed<T: serde::de::DeserializeOwned>(
    url: &Url,
    bytes: &[u8],
    wanted: &Wanted,
) -> Result<T, RemoteError> {
    serde_json::from_slice(bytes).map_err(|error| {
        wanted.fault(DiagnosticCode::Network, format!("the answer of {url} is not usable: {error}"))
    })
}

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len() / 2).filter_map(|at| u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()).collect()
}
