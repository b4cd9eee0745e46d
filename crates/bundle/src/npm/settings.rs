//! npm's own configuration: registry, credentials, certificates. marsh has no setting of its own for these.

use crate::diagnostic::DiagnosticCode;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use deno_npmrc::{NpmRc, NpmRegistryUrl, ResolvedNpmRc};
use sys_traits::BaseEnvVar;
use ureq::tls::{Certificate, PemItem, RootCerts, parse_pem};

use super::NpmError;

/// The environment, with npm's rules: `npm_config_x` is `NPM_CONFIG_X`, and an empty one is none.
struct Env;

impl BaseEnvVar for Env {
    fn base_env_var_os(&self, key: &OsStr) -> Option<OsString> {
        let Some(name) = key.to_str().and_then(|key| key.strip_prefix("NPM_CONFIG_")) else {
            return std::env::var_os(key);
        };
        let lower = format!("npm_config_{}", name.to_lowercase());
        [key, OsStr::new(&lower)].into_iter().filter_map(std::env::var_os).find(|value| !value.is_empty())
    }
}

fn npm_config(name: &str) -> Option<OsString> {
    Env.base_env_var_os(OsStr::new(&format!("NPM_CONFIG_{name}")))
}

/// The user's file, the project's and the environment's scopes, the later winning.
fn npmrc_text(project: &Path) -> String {
    let home = std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE")).map(PathBuf::from);
    let user = npm_config("USERCONFIG").map(PathBuf::from).or_else(|| home.map(|home| home.join(".npmrc")));
    let read = |path: &Path| marsh_fs::read_to_string(path).unwrap_or_default();
    let files = [user.as_deref().map(read).unwrap_or_default(), read(&project.join(".npmrc"))];
    format!("{}\n{}", files.join("\n"), scopes_of_the_environment())
}

/// `npm_config_@scope:registry` in the environment is the line `@scope:registry` of a file, and outranks them.
fn scopes_of_the_environment() -> String {
    std::env::vars_os()
        .filter_map(|(name, value)| {
            let name = name.to_str()?.to_lowercase();
            let line = name.strip_prefix("npm_config_").filter(|name| name.starts_with('@'))?.to_owned();
            let value = value.into_string().ok().filter(|value| !value.is_empty())?;
            line.ends_with(":registry").then(|| format!("{line}={value}\n"))
        })
        .collect()
}

pub(super) fn npmrc(project: &Path) -> Result<ResolvedNpmRc, NpmError> {
    let fault = |error: String| {
        NpmError::new(DiagnosticCode::ConfigError, format!("npm's configuration is not usable: {error}"))
    };
    let parsed = NpmRc::parse(&Env, &npmrc_text(project)).map_err(|error| fault(error.to_string()))?;
    parsed.as_resolved(&NpmRegistryUrl::for_npm(&Env)).map_err(|error| fault(error.to_string()))
}

/// Whether npm's configuration names a registry of jsr packages in the form for npm's clients.
pub(crate) fn names_jsr_registry(project: &Path) -> Result<bool, NpmError> {
    Ok(npmrc(project)?.scopes.contains_key(crate::jsr::SCOPE))
}

/// Bundles of the usual systems, for when something is added to them.
const SYSTEM_BUNDLES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// What a TLS-inspecting network needs: `SSL_CERT_FILE` replaces the built-in roots; `NODE_EXTRA_CA_CERTS` and npm's
/// `cafile` add to the system's. With none of them, the roots compiled in.
pub(super) fn root_certs() -> RootCerts {
    let env = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let base = env("SSL_CERT_FILE");
    let extra: Vec<PathBuf> =
        [env("NODE_EXTRA_CA_CERTS"), npm_config("CAFILE").map(PathBuf::from)].into_iter().flatten().collect();
    let base = match base {
        Some(file) => vec![file],
        None if extra.is_empty() => return RootCerts::WebPki,
        None => SYSTEM_BUNDLES.iter().map(PathBuf::from).find(|path| path.is_file()).into_iter().collect(),
    };
    let certificates: Vec<Certificate<'static>> = base
        .iter()
        .chain(&extra)
        .filter_map(|path| marsh_fs::read(path).ok())
        .flat_map(|pem| certificates(&pem))
        .collect();
    if certificates.is_empty() { RootCerts::WebPki } else { RootCerts::Specific(Arc::new(certificates)) }
}

fn certificates(pem: &[u8]) -> Vec<Certificate<'static>> {
    let items = parse_pem(pem).filter_map(Result::ok);
    items.filter_map(|item| if let PemItem::Certificate(one) = item { Some(one) } else { None }).collect()
}
