//! `deno.lock`, versions 3 to 5: which exact versions a requirement stands for, and their integrity.
//!
//! A package that is locked several times with different peers (`a@1.0.0_b@2.0.0`) is one package here, because its
//! files are the same; where its copies disagree on a dependency, the first one in the file's order counts.

use std::collections::BTreeMap;

use deno_semver::{Version, VersionReq};
use serde_json::{Map, Value};

use crate::jsr;
use crate::specifier::{NpmRef, split_bare};

#[derive(Debug, Default)]
pub(crate) struct Lock {
    /// By `name@version`.
    pub packages: BTreeMap<String, LockedPackage>,
    /// From the address of a module to the SHA-256 of its content, 64 hex digits.
    pub remote: BTreeMap<String, String>,
    /// From the address in a source to the one that it leads to.
    pub redirects: BTreeMap<String, String>,
    /// Requirement (`zod@4`) to `name@version`.
    roots: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct LockedPackage {
    pub name: String,
    pub version: String,
    pub integrity: Option<String>,
    pub tarball: Option<String>,
    /// Of a jsr package: the SHA-256 of its version's manifest, 64 hex digits.
    pub manifest: Option<String>,
    /// Name as imported, to `name@version`.
    pub dependencies: BTreeMap<String, String>,
}

impl Lock {
    pub(crate) fn parse(json: &Value) -> Result<Self, String> {
        let version = match json.get("version") {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => return Err("it has no version".into()),
        };
        let holder = match version.as_str() {
            "3" => json.get("packages").unwrap_or(&Value::Null),
            "4" | "5" => json,
            other => return Err(format!("version {other} is not known, only 3, 4 and 5 are")),
        };
        let empty = Map::new();
        let object = |key| holder.get(key).and_then(Value::as_object).unwrap_or(&empty);
        let npm = object("npm");
        let texts = |key: &str| -> BTreeMap<String, String> {
            let members = json.get(key).and_then(Value::as_object).into_iter().flatten();
            members.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect()
        };
        let mut lock = Self { remote: texts("remote"), redirects: texts("redirects"), ..Self::default() };
        for (key, value) in npm {
            let (name, version) = split_id(key).ok_or_else(|| format!("{key:?} names no package"))?;
            let text = |field: &str| value.get(field).and_then(Value::as_str).map(str::to_owned);
            let package = lock.packages.entry(format!("{name}@{version}")).or_insert_with(|| LockedPackage {
                name: name.to_owned(),
                version: version.to_owned(),
                integrity: text("integrity"),
                tarball: text("tarball"),
                ..LockedPackage::default()
            });
            for field in ["dependencies", "optionalDependencies", "optionalPeers"] {
                for (alias, target) in dependencies(value.get(field), npm) {
                    package.dependencies.entry(alias).or_insert(target);
                }
            }
        }
        for (key, value) in object("specifiers") {
            let (Some(key), Some(value)) = (as_npm(key), value.as_str()) else { continue };
            let Some(req) = key.strip_prefix("npm:") else { continue };
            let (name, _) = name_and_rest(req);
            // Version 3 repeats the name in the value, with the scheme.
            let id = match as_npm(value).as_deref().and_then(|value| value.strip_prefix("npm:")) {
                Some(id) => split_id(id).map(|(name, version)| format!("{name}@{version}")),
                None => Some(format!("{name}@{}", without_peers(value))),
            };
            if let Some(id) = id {
                lock.roots.insert(req.to_owned(), id);
            }
        }
        for (key, value) in object("jsr") {
            let package = as_npm(&format!("jsr:{key}")).ok_or_else(|| format!("{key:?} names no package"))?;
            lock.add_jsr(&package, value);
        }
        Ok(lock)
    }

    /// The lock's integrity of a jsr package is of its version's manifest, not of the archive that npm's clients get: for
    /// those the version is what it decides.
    fn add_jsr(&mut self, id: &str, value: &Value) {
        let Some((name, version)) = id.strip_prefix("npm:").and_then(split_id) else { return };
        let wanted = value.get("dependencies").and_then(Value::as_array);
        let dependencies = wanted.into_iter().flatten().filter_map(Value::as_str).filter_map(|text| {
            let text = as_npm(text)?;
            let req = text.strip_prefix("npm:")?;
            let (name, version) = name_and_rest(req);
            // Without a version, the lock has one of that name.
            let of_name =
                || self.roots.iter().find(|(root, _)| name_and_rest(root).0 == name).map(|(_, id)| id);
            let target = if version.is_empty() { of_name() } else { self.roots.get(req) };
            Some((name.to_owned(), target?.clone()))
        });
        let package = LockedPackage {
            name: name.to_owned(),
            version: version.to_owned(),
            manifest: value.get("integrity").and_then(Value::as_str).map(str::to_owned),
            dependencies: dependencies.collect(),
            ..LockedPackage::default()
        };
        self.packages.insert(format!("{name}@{version}"), package);
    }

    /// The locked `name@version` for a requirement.
    pub(crate) fn find(&self, wanted: &NpmRef) -> Option<&str> {
        let known = |id: &&String| self.packages.contains_key(*id);
        if let Some(id) = self.roots.get(&wanted.requirement()).filter(known) {
            return Some(id);
        }
        // The lock may spell the same requirement otherwise (`^4.0.0` as `4`).
        let same = self.roots.iter().find(|(req, _)| {
            let (name, version) = name_and_rest(req);
            name == wanted.name
                && VersionReq::parse_from_npm(version).is_ok_and(|version| version == wanted.req)
        });
        same.map(|(_, id)| id).filter(known).map(String::as_str)
    }

    /// All locked versions of `name`.
    pub(crate) fn versions<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (Version, &'a str)> {
        self.packages
            .iter()
            .filter(move |(_, package)| package.name == name)
            .filter_map(|(id, package)| Some((Version::parse_from_npm(&package.version).ok()?, id.as_str())))
    }
}

/// What `npm:` and `jsr:` specifiers are called among npm packages.
fn as_npm(specifier: &str) -> Option<String> {
    if specifier.starts_with("npm:") { Some(specifier.to_owned()) } else { jsr::as_npm(specifier) }
}

/// Version 3 writes an object, alias to id; later ones a list of `name`, `name@version` and `alias@npm:name@version`.
fn dependencies(value: Option<&Value>, npm: &Map<String, Value>) -> Vec<(String, String)> {
    match value {
        Some(Value::Object(map)) => map
            .iter()
            .filter_map(|(alias, id)| {
                let (name, version) = split_id(id.as_str()?)?;
                Some((alias.clone(), format!("{name}@{version}")))
            })
            .collect(),
        Some(Value::Array(list)) => {
            list.iter().filter_map(Value::as_str).filter_map(|text| dependency(text, npm)).collect()
        }
        _ => Vec::new(),
    }
}

fn dependency(text: &str, npm: &Map<String, Value>) -> Option<(String, String)> {
    let (alias, id) = match text.split_once("@npm:") {
        Some((alias, id)) => (alias, id),
        None => (name_and_rest(text).0, text),
    };
    if let Some((name, version)) = split_id(id) {
        return Some((alias.to_owned(), format!("{name}@{version}")));
    }
    // The name alone: there is one version of it in the lock.
    let (name, version) = npm.keys().filter_map(|key| split_id(key)).find(|(name, _)| *name == id)?;
    Some((alias.to_owned(), format!("{name}@{version}")))
}

/// `@scope/name@1.0.0_peer@2.0.0` to (`@scope/name`, `1.0.0`).
fn split_id(id: &str) -> Option<(&str, &str)> {
    let (name, rest) = name_and_rest(id);
    (!rest.is_empty()).then(|| (name, without_peers(rest)))
}

/// At the `@` that ends the name; the rest is empty if there is none.
fn name_and_rest(text: &str) -> (&str, &str) {
    let from = usize::from(text.starts_with('@'));
    match text[from..].find('@') {
        Some(at) => (&text[..from + at], &text[from + at + 1..]),
        None => (split_bare(text).0, ""),
    }
}

fn without_peers(version: &str) -> &str {
    version.split('_').next().unwrap_or(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(name: &str, req: &str) -> NpmRef {
        NpmRef { name: name.into(), req: VersionReq::parse_from_npm(req).unwrap(), sub: String::new() }
    }

    #[test]
    fn version_5() {
        let lock = Lock::parse(&serde_json::json!({
            "version": "5",
            "specifiers": { "npm:a@4": "4.1.0_p@1.0.0", "npm:@s/b@*": "2.0.0", "jsr:@std/x@1": "1.0.0" },
            "npm": {
                "a@4.1.0_p@1.0.0": { "integrity": "sha512-A", "dependencies": ["@s/b", "old@npm:c@1.0.0", "p"] },
                "@s/b@2.0.0": { "integrity": "sha512-B", "tarball": "https://example.org/b.tgz" },
                "c@1.0.0": { "integrity": "sha512-C1" },
                "c@2.0.0": { "integrity": "sha512-C2" },
                "p@1.0.0": {}
            }
        }))
        .unwrap();
        assert_eq!(lock.find(&wanted("a", "4")), Some("a@4.1.0"));
        assert_eq!(lock.find(&wanted("a", "^4.0.0")), Some("a@4.1.0"), "the same range, spelled otherwise");
        assert_eq!(lock.find(&wanted("a", "5")), None);
        assert_eq!(lock.find(&wanted("@s/b", "*")), Some("@s/b@2.0.0"));
        let deps: Vec<_> = lock.packages["a@4.1.0"].dependencies.clone().into_iter().collect();
        assert_eq!(
            deps,
            [("@s/b", "@s/b@2.0.0"), ("old", "c@1.0.0"), ("p", "p@1.0.0")].map(|(a, b)| (a.into(), b.into()))
        );
        assert_eq!(lock.packages["@s/b@2.0.0"].tarball.as_deref(), Some("https://example.org/b.tgz"));
        assert_eq!(lock.versions("c").count(), 2);
    }

    #[test]
    fn jsr_packages_are_among_the_others() {
        let lock = Lock::parse(&serde_json::json!({
            "version": "5",
            "specifiers": {
                "jsr:@std/path@1": "1.1.4", "jsr:@std/internal@^1.0.12": "1.0.12", "npm:a@1": "1.0.0"
            },
            "jsr": {
                "@std/path@1.1.4": { "integrity": "00ff", "dependencies": ["jsr:@std/internal", "npm:a@1"] },
                "@std/internal@1.0.12": { "integrity": "00ff" }
            },
            "npm": { "a@1.0.0": { "integrity": "sha512-A" } }
        }))
        .unwrap();
        assert_eq!(lock.find(&wanted("@jsr/std__path", "1")), Some("@jsr/std__path@1.1.4"));
        let path = &lock.packages["@jsr/std__path@1.1.4"];
        assert_eq!(path.dependencies["@jsr/std__internal"], "@jsr/std__internal@1.0.12");
        assert_eq!(path.dependencies["a"], "a@1.0.0");
        assert_eq!((path.integrity.as_deref(), path.manifest.as_deref()), (None, Some("00ff")));
    }

    #[test]
    fn version_3() {
        let lock = Lock::parse(&serde_json::json!({
            "version": "3",
            "packages": {
                "specifiers": { "npm:a@^1.0": "npm:a@1.2.0" },
                "npm": {
                    "a@1.2.0": { "integrity": "sha512-A", "dependencies": { "b": "b@1.0.0_a@1.2.0" } },
                    "b@1.0.0_a@1.2.0": { "integrity": "sha512-B", "dependencies": {} }
                }
            }
        }))
        .unwrap();
        assert_eq!(lock.find(&wanted("a", "^1.0")), Some("a@1.2.0"));
        assert_eq!(lock.packages["a@1.2.0"].dependencies["b"], "b@1.0.0");
    }

    #[test]
    fn modules_and_redirects() {
        let lock = Lock::parse(&serde_json::json!({
            "version": "5",
            "redirects": { "https://x.org/a": "https://x.org/a@1.ts" },
            "remote": { "https://x.org/a@1.ts": "00ff" }
        }))
        .unwrap();
        assert_eq!(lock.redirects["https://x.org/a"], "https://x.org/a@1.ts");
        assert_eq!(lock.remote["https://x.org/a@1.ts"], "00ff");
    }

    #[test]
    fn other_versions_are_refused() {
        assert!(Lock::parse(&serde_json::json!({ "version": "2" })).is_err());
        assert!(Lock::parse(&serde_json::json!({})).is_err());
    }
}
