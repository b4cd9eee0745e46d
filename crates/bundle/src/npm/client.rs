//! The registry's HTTP side: metadata and tarballs, with limits, retries and credentials.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use deno_npmrc::{RegistryConfig, ResolvedNpmRc};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use ureq::tls::TlsConfig;
use ureq::unversioned::transport::DefaultConnector;
use url::Url;

use super::names::Remembering;
use super::{NpmError, Package, settings};
use crate::diagnostic::DiagnosticCode;
use crate::jsr;

const MAX_METADATA: u64 = 64 << 20;
const MAX_TARBALL: u64 = 256 << 20;
const ATTEMPTS: u32 = 3;
const BACKOFF: Duration = Duration::from_millis(200);
const MAX_REDIRECTS: u32 = 5;
const ABBREVIATED: &str = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8";

/// Set up on the first request: a warm cache needs neither configuration nor certificates.
pub(crate) struct Client {
    project: PathBuf,
    offline: bool,
    connection: OnceLock<Connection>,
}

struct Connection {
    agent: ureq::Agent,
    npmrc: ResolvedNpmRc,
}

/// What a registry says about a package, in the abbreviated form.
///
/// Registries keep what was published before anything checked it: `"dependencies": []` for none, a version without an
/// archive. Only members of the right type count.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    #[serde(default, rename = "dist-tags", deserialize_with = "usable")]
    pub tags: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "usable")]
    pub versions: BTreeMap<String, VersionInfo>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VersionInfo {
    #[serde(default, deserialize_with = "usable")]
    pub dependencies: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "usable")]
    pub optional_dependencies: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "usable")]
    pub peer_dependencies: BTreeMap<String, String>,
    #[serde(default, deserialize_with = "usable")]
    pub peer_dependencies_meta: BTreeMap<String, PeerMeta>,
    #[serde(default, alias = "bundledDependencies")]
    pub bundle_dependencies: Option<serde_json::Value>,
    #[serde(default)]
    pub os: Option<serde_json::Value>,
    #[serde(default)]
    pub cpu: Option<serde_json::Value>,
    #[serde(default)]
    pub deprecated: Option<serde_json::Value>,
    pub dist: Dist,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct PeerMeta {
    #[serde(default)]
    pub optional: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Dist {
    pub integrity: Option<String>,
    pub shasum: Option<String>,
    pub tarball: Option<String>,
}

/// The members of an object that have the right type; an array, a string or `null` in its place has none.
fn usable<'de, D: Deserializer<'de>, T: for<'v> Deserialize<'v>>(
    deserializer: D,
) -> Result<BTreeMap<String, T>, D::Error> {
    let Value::Object(members) = Value::deserialize(deserializer)? else { return Ok(BTreeMap::new()) };
    let read = |(name, value)| Some((name, serde_json::from_value(value).ok()?));
    Ok(members.into_iter().filter_map(read).collect())
}

/// An HTTP client with the certificates of npm's configuration, and limits of time.
pub(crate) fn agent(max_redirects: u32) -> ureq::Agent {
    let tls = TlsConfig::builder().root_certs(settings::root_certs()).build();
    let config = ureq::Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(max_redirects)
        // As many as there are threads, so that none is closed only to be opened again.
        .max_idle_connections(2 * super::THREADS)
        .max_idle_connections_per_host(super::THREADS)
        .timeout_connect(Some(Duration::from_secs(10)))
        .timeout_recv_response(Some(Duration::from_secs(30)))
        .timeout_global(Some(Duration::from_secs(300)))
        .user_agent(concat!("marsh/", env!("CARGO_PKG_VERSION")))
        .build();
    ureq::Agent::with_parts(config, DefaultConnector::default(), Remembering::default())
}

enum Failure {
    Missing,
    Refused(String),
    Retry(String),
}

impl Client {
    pub(crate) fn new(project: &Path, offline: bool) -> Self {
        Self { project: project.to_path_buf(), offline, connection: OnceLock::new() }
    }

    fn connection(&self, wanted: &str) -> Result<&Connection, NpmError> {
        if self.offline {
            return Err(NpmError::new(
                DiagnosticCode::Offline,
                format!("{wanted} is not in the package cache, and marsh is offline"),
            )
            .hint("run once with the network, so that the package gets into the cache"));
        }
        if let Some(connection) = self.connection.get() {
            return Ok(connection);
        }
        let npmrc = settings::npmrc(&self.project)?;
        Ok(self.connection.get_or_init(|| Connection { agent: agent(MAX_REDIRECTS), npmrc }))
    }

    /// All versions of `name`.
    pub(crate) fn metadata(&self, name: &str) -> Result<Metadata, NpmError> {
        let connection = self.connection(&format!("npm package {name:?}"))?;
        let url = registry_url(&connection.npmrc, name, &name.replace('/', "%2f"))?;
        let config = connection.npmrc.get_registry_config(name);
        let bytes =
            connection.get(&url, Some(config), ABBREVIATED, MAX_METADATA).map_err(
                |failure| match failure {
                    Failure::Missing => not_found(name),
                    Failure::Refused(reason) | Failure::Retry(reason) => {
                        unreachable(&format!("npm package {name:?}"), &reason)
                    }
                },
            )?;
        serde_json::from_slice(&bytes).map_err(|error| {
            NpmError::new(
                DiagnosticCode::Network,
                format!("the registry's answer about npm package {name:?} is not usable: {error}"),
            )
        })
    }

    /// The bytes of a package, unverified.
    pub(crate) fn tarball(&self, package: &Package) -> Result<Vec<u8>, NpmError> {
        let id = package.id();
        let connection = self.connection(&format!("npm package {id}"))?;
        let fetch = |url: Url| {
            let config = connection.npmrc.tarball_config_for_package(&url, &package.name);
            connection.get(&url, config, "*/*", MAX_TARBALL)
        };
        let stated = package.tarball.as_deref().and_then(|url| Url::parse(url).ok());
        let first = match &stated {
            Some(url) => connection.npmrc.replace_tarball_url(url.clone(), &package.name),
            None => conventional(&connection.npmrc, package)?,
        };
        let failure = match fetch(first) {
            Ok(bytes) => return Ok(bytes),
            // A lock names no address, and not every registry keeps to the convention: its metadata knows.
            Err(Failure::Missing) if stated.is_none() => {
                let metadata = self.metadata(&package.name)?;
                let Some(info) = metadata.versions.get(&package.version) else {
                    return Err(no_version(&package.name, &package.version, &metadata));
                };
                match info.dist.tarball.as_deref().and_then(|url| Url::parse(url).ok()) {
                    Some(url) => match fetch(connection.npmrc.replace_tarball_url(url, &package.name)) {
                        Ok(bytes) => return Ok(bytes),
                        Err(failure) => failure,
                    },
                    None => Failure::Missing,
                }
            }
            Err(failure) => failure,
        };
        Err(match failure {
            Failure::Missing => NpmError::new(
                DiagnosticCode::MissingPackage,
                format!("the registry has no archive of npm package {id}"),
            ),
            Failure::Refused(reason) | Failure::Retry(reason) => {
                unreachable(&format!("npm package {id}"), &reason)
            }
        })
    }
}

impl Connection {
    fn get(
        &self,
        url: &Url,
        config: Option<&std::sync::Arc<RegistryConfig>>,
        accept: &str,
        limit: u64,
    ) -> Result<Vec<u8>, Failure> {
        let authorization = config.and_then(|config| authorization(config));
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.get_once(url, authorization.as_deref(), accept, limit) {
                Err(Failure::Retry(_)) if attempt < ATTEMPTS => {
                    std::thread::sleep(BACKOFF * 4u32.pow(attempt - 1));
                }
                other => return other,
            }
        }
    }

    fn get_once(
        &self,
        url: &Url,
        authorization: Option<&str>,
        accept: &str,
        limit: u64,
    ) -> Result<Vec<u8>, Failure> {
        let mut request = self.agent.get(url.as_str()).header("accept", accept);
        if let Some(authorization) = authorization {
            // Not sent along to another host: ureq drops it on redirects by default.
            request = request.header("authorization", authorization);
        }
        // The URL without query and credentials: it is shown.
        let place = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
        let mut response = match request.call() {
            Ok(response) => response,
            Err(error @ (ureq::Error::TooManyRedirects | ureq::Error::BadUri(_))) => {
                return Err(Failure::Refused(format!("{place}: {error}")));
            }
            Err(error) => return Err(Failure::Retry(format!("{place}: {error}"))),
        };
        match response.status().as_u16() {
            200 => {}
            404 | 410 => return Err(Failure::Missing),
            status @ (408 | 429 | 500..) => return Err(Failure::Retry(format!("{place} answered {status}"))),
            status => return Err(Failure::Refused(format!("{place} answered {status}"))),
        }
        match response.body_mut().with_config().limit(limit).read_to_vec() {
            Ok(bytes) => Ok(bytes),
            Err(ureq::Error::BodyExceedsLimit(limit)) => {
                Err(Failure::Refused(format!("{place} is larger than {limit} bytes")))
            }
            Err(error) => Err(Failure::Retry(format!("{place}: {error}"))),
        }
    }
}

fn authorization(config: &RegistryConfig) -> Option<String> {
    if let Some(token) = &config.auth_token {
        return Some(format!("Bearer {token}"));
    }
    if let Some(auth) = &config.auth {
        return Some(format!("Basic {auth}"));
    }
    let user = config.username.as_ref().or(config.email.as_ref())?;
    // npm keeps the password in base64.
    let password = STANDARD.decode(config.password.as_ref()?).ok()?;
    Some(format!("Basic {}", STANDARD.encode([user.as_bytes(), b":", &password].concat())))
}

fn registry_url(npmrc: &ResolvedNpmRc, name: &str, path: &str) -> Result<Url, NpmError> {
    // Only the jsr registry has these packages: npm's default would answer "not found", or with a stranger's package.
    if let Some(package) = jsr::original(name)
        && !npmrc.scopes.contains_key(jsr::SCOPE)
    {
        let message =
            format!("jsr:{package} cannot be fetched: npm's configuration names no registry of jsr packages");
        return Err(NpmError::new(DiagnosticCode::ConfigError, message).hint(
            "add the line `@jsr:registry=<address of the jsr registry's npm form>` to .npmrc, or set \
             `npm_config_@jsr:registry`",
        ));
    }
    let base = npmrc.get_registry_url(name);
    base.join(path).map_err(|error| {
        NpmError::new(DiagnosticCode::ConfigError, format!("{base} is not a registry: {error}"))
    })
}

/// Where every registry that is compatible with the public one keeps it.
fn conventional(npmrc: &ResolvedNpmRc, package: &Package) -> Result<Url, NpmError> {
    let base = package.name.rsplit('/').next().unwrap_or(&package.name);
    let path = format!("{}/-/{base}-{}.tgz", package.name, package.version);
    registry_url(npmrc, &package.name, &path)
}

fn unreachable(wanted: &str, reason: &str) -> NpmError {
    NpmError::new(DiagnosticCode::Network, format!("{wanted} cannot be fetched: {reason}"))
        .hint("check the network and npm's registry configuration (.npmrc, NPM_CONFIG_REGISTRY)")
}

fn not_found(name: &str) -> NpmError {
    NpmError::new(DiagnosticCode::MissingPackage, format!("the registry has no npm package {name:?}"))
}

pub(super) fn no_version(name: &str, wanted: &str, metadata: &Metadata) -> NpmError {
    let mut versions: Vec<deno_semver::Version> =
        metadata.versions.keys().filter_map(|text| deno_semver::Version::parse_from_npm(text).ok()).collect();
    versions.sort();
    let newest: Vec<String> = versions.iter().rev().take(5).map(ToString::to_string).collect();
    let error = NpmError::new(
        DiagnosticCode::MissingPackage,
        format!("npm package {name:?} has no version that matches {wanted}"),
    );
    if newest.is_empty() { error } else { error.hint(format!("the newest are {}", newest.join(", "))) }
}
