//! jsr's own registry: `/@scope/name/meta.json` lists the versions of a package, `/@scope/name/VERSION_meta.json` the files
//! of one with their digests and what it exports, `/@scope/name/VERSION/path` is a file.
//!
//! `JSR_URL` names another registry, as it does for Deno.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use deno_npmrc::NpmRegistryUrl;
use deno_semver::{Version, VersionReq};
use serde::Deserialize;
use sys_traits::BaseEnvVar;
use url::Url;

use super::address;

/// An environment without variables.
struct Unset;

impl BaseEnvVar for Unset {
    fn base_env_var_os(&self, _key: &OsStr) -> Option<OsString> {
        None
    }
}

/// The public registry. The library of npm's configuration knows the host of its form for npm's clients, which is `npm.`
/// before the registry's own.
fn default_address() -> Option<Url> {
    let mut url = NpmRegistryUrl::for_jsr(&Unset).url;
    let host = url.host_str()?.strip_prefix("npm.")?.to_owned();
    url.set_host(Some(&host)).ok()?;
    Some(url)
}

/// The address of the registry, with a slash at the end.
pub(super) fn base() -> Result<Url, String> {
    let Some(text) = std::env::var("JSR_URL").ok().filter(|text| !text.is_empty()) else {
        return default_address().ok_or_else(|| "set JSR_URL to the address of a jsr registry".to_owned());
    };
    let base = address(&format!("{}/", text.trim_end_matches('/')));
    base.ok_or_else(|| format!("JSR_URL is {text:?}, which is not an address of https"))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PackageMeta {
    pub latest: Option<String>,
    pub versions: BTreeMap<String, VersionState>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct VersionState {
    yanked: bool,
}

impl PackageMeta {
    /// The highest version in the range that was not withdrawn; `latest` where any will do.
    pub(super) fn best(&self, req: &VersionReq) -> Option<String> {
        let usable = |text: &str| self.versions.get(text).is_some_and(|state| !state.yanked);
        if req.version_text() == "*"
            && let Some(latest) = self.latest.as_deref().filter(|latest| usable(latest))
        {
            return Some(latest.to_owned());
        }
        let versions = self.versions.keys().filter(|text| usable(text));
        let parsed = versions.filter_map(|text| Some((Version::parse_standard(text).ok()?, text)));
        parsed.filter(|(version, _)| req.matches(version)).max().map(|(_, text)| text.clone())
    }

    /// The newest few, for a message.
    pub(super) fn newest(&self) -> Vec<String> {
        let mut versions: Vec<Version> =
            self.versions.keys().filter_map(|text| Version::parse_standard(text).ok()).collect();
        versions.sort();
        versions.iter().rev().take(5).map(ToString::to_string).collect()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Manifest {
    manifest: BTreeMap<String, ManifestFile>,
    exports: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct ManifestFile {
    checksum: String,
}

impl Manifest {
    /// The path of the module `sub`, without the leading `./`.
    pub(super) fn export(&self, sub: &str) -> Option<&str> {
        let key = if sub.is_empty() { ".".to_owned() } else { format!("./{sub}") };
        let path = self.exports.get(&key)?;
        Some(path.strip_prefix("./").unwrap_or(path))
    }

    pub(super) fn exports(&self) -> impl Iterator<Item = &str> {
        self.exports.keys().filter_map(|key| key.strip_prefix("./"))
    }

    /// 64 hex digits, if the version has this file.
    pub(super) fn digest(&self, path: &str) -> Option<&str> {
        self.manifest.get(&format!("/{path}"))?.checksum.strip_prefix("sha256-")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_registry_is_at_the_host_without_the_prefix_of_npms_form() {
        let url = default_address().unwrap();
        let of_npm = NpmRegistryUrl::for_jsr(&Unset).url;
        assert_eq!(format!("npm.{}", url.host_str().unwrap()), of_npm.host_str().unwrap());
        assert_eq!((url.scheme(), url.path()), ("https", "/"));
    }

    #[test]
    fn the_highest_version_that_was_not_withdrawn_is_chosen() {
        let meta: PackageMeta = serde_json::from_str(
            r#"{ "scope": "s", "latest": "1.1.0", "versions": { "1.0.0": {}, "1.1.0": {}, "1.2.0": { "yanked": true }, "1.10.0-rc.1": {}, "2.0.0": {} } }"#,
        )
        .unwrap();
        let best = |req: &str| meta.best(&VersionReq::parse_from_npm(req).unwrap());
        assert_eq!(best("*").as_deref(), Some("1.1.0"));
        assert_eq!(best("^1.0.0").as_deref(), Some("1.1.0"));
        assert_eq!(best(">=1").as_deref(), Some("2.0.0"));
        assert_eq!(best("1.2.0"), None);
        assert_eq!(best("3"), None);
    }
}
