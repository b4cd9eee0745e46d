//! From requirements to exact versions.
//!
//! The lock decides where it knows a requirement; the rest is resolved against the registry's metadata with npm's
//! ranges. The answer is recorded in the cache under the requirements and the lock, so that the next run gives the same
//! answer, without the network and whatever has been published since.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use deno_semver::{Version, VersionReq};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::client::{Client, Metadata, VersionInfo, no_version};
use super::store::Store;
use super::{Closure, NpmError, Package, in_parallel, integrity};
use crate::diagnostic::DiagnosticCode;
use crate::hex::hex;
use crate::lock::Lock;
use crate::specifier::NpmRef;

pub(super) fn closure(
    roots: &[NpmRef],
    lock: Option<&Lock>,
    client: &Client,
    store: &Store,
    warnings: &mut Vec<String>,
) -> Result<Closure, NpmError> {
    let mut resolver = Resolver { client, lock, closure: Closure::default(), metadata: BTreeMap::new() };
    let mut open = Vec::new();
    for root in roots {
        match lock.and_then(|lock| lock.find(root)) {
            Some(id) => {
                resolver.closure.roots.insert(root.requirement(), id.to_owned());
                resolver.take_locked(id);
            }
            None => open.push(root),
        }
    }
    let unverifiable: Vec<String> = resolver.without_integrity();
    if open.is_empty() && unverifiable.is_empty() {
        return Ok(resolver.closure);
    }
    let key = key(roots, &resolver.closure);
    if let Some(recorded) = store.recorded(&key) {
        return Ok(recorded);
    }
    if lock.is_some() {
        warnings.extend(open.iter().map(|root| {
            format!("npm:{} is not in deno.lock: the version was chosen by marsh", root.requirement())
        }));
    }
    for id in unverifiable {
        resolver
            .add_integrity(&id)
            .map_err(|error| NpmError { root: resolver.closure.root_of(&id), ..error })?;
    }
    resolver.resolve(&open)?;
    store.record(&key, &resolver.closure)?;
    Ok(resolver.closure)
}

/// Over the requirements and what the lock says of them.
fn key(roots: &[NpmRef], locked: &Closure) -> String {
    let mut wanted: Vec<String> = roots.iter().map(NpmRef::requirement).collect();
    wanted.sort();
    wanted.dedup();
    let locked: Vec<String> =
        locked.packages.values().map(|one| format!("{} {}", one.id(), one.integrity)).collect();
    hex(&Sha256::digest(format!("{}\n\n{}", wanted.join("\n"), locked.join("\n"))))
}

struct Resolver<'r> {
    client: &'r Client,
    lock: Option<&'r Lock>,
    closure: Closure,
    metadata: BTreeMap<String, Metadata>,
}

/// A name and range that is required: `by` is the id of a package, or a root.
struct Wanted {
    by: Option<String>,
    /// The name it is imported under.
    alias: String,
    name: String,
    req: VersionReq,
    optional: bool,
    /// The requirement in the source that led here.
    root: String,
}

impl Resolver<'_> {
    fn take_locked(&mut self, id: &str) {
        let Some(lock) = self.lock else { return };
        let mut pending = vec![id.to_owned()];
        while let Some(id) = pending.pop() {
            let Some(locked) = lock.packages.get(&id) else { continue };
            if self.closure.packages.contains_key(&id) {
                continue;
            }
            pending.extend(locked.dependencies.values().cloned());
            let package = Package {
                name: locked.name.clone(),
                version: locked.version.clone(),
                integrity: locked
                    .integrity
                    .as_deref()
                    .and_then(integrity::strongest)
                    .unwrap_or_default()
                    .to_owned(),
                tarball: locked.tarball.clone(),
                dependencies: locked.dependencies.clone(),
            };
            self.closure.packages.insert(id, package);
        }
    }

    /// A lock can leave integrity out (for a registry that states none).
    fn without_integrity(&self) -> Vec<String> {
        let packages = self.closure.packages.iter();
        packages.filter(|(_, package)| package.integrity.is_empty()).map(|(id, _)| id.clone()).collect()
    }

    fn add_integrity(&mut self, id: &str) -> Result<(), NpmError> {
        let Some((name, version)) =
            self.closure.packages.get(id).map(|one| (one.name.clone(), one.version.clone()))
        else {
            return Ok(());
        };
        self.fetch(&BTreeSet::from([name.clone()]))?;
        let Some(metadata) = self.metadata.get(&name) else { return Ok(()) };
        let info = metadata.versions.get(&version).ok_or_else(|| no_version(&name, &version, metadata))?;
        let integrity = stated_integrity(&name, &version, info)?;
        let tarball = info.dist.tarball.clone();
        if let Some(package) = self.closure.packages.get_mut(id) {
            package.integrity = integrity;
            package.tarball = package.tarball.take().or(tarball);
        }
        Ok(())
    }

    /// Breadth first, a level at a time: its metadata are fetched in parallel. Within a level in the order of names, so
    /// that the answer depends on the requirements and the registry alone.
    fn resolve(&mut self, roots: &[&NpmRef]) -> Result<(), NpmError> {
        let mut level: VecDeque<Wanted> = roots
            .iter()
            .map(|root| Wanted {
                by: None,
                alias: root.requirement(),
                name: root.name.clone(),
                req: root.req.clone(),
                optional: false,
                root: root.requirement(),
            })
            .collect();
        while !level.is_empty() {
            let names: BTreeSet<String> = level
                .iter()
                .filter(|wanted| self.chosen(wanted).is_none())
                .map(|wanted| wanted.name.clone())
                .collect();
            if let Err((name, mut error)) = self.fetch_for(&names, &level) {
                let wanted = level.iter().find(|wanted| wanted.name == name);
                error.root = wanted.map(|wanted| wanted.root.clone());
                return Err(error);
            }
            let mut next = VecDeque::new();
            for wanted in level {
                match self.choose(&wanted, &mut next) {
                    Ok(Some(id)) => match &wanted.by {
                        None => {
                            self.closure.roots.insert(wanted.alias, id);
                        }
                        Some(by) => {
                            if let Some(package) = self.closure.packages.get_mut(by) {
                                package.dependencies.insert(wanted.alias, id);
                            }
                        }
                    },
                    Ok(None) => {}
                    Err(_) if wanted.optional => {}
                    Err(mut error) => {
                        error.root = Some(wanted.root);
                        return Err(error);
                    }
                }
            }
            next.make_contiguous().sort_by(|a, b| (&a.name, &a.by).cmp(&(&b.name, &b.by)));
            level = next;
        }
        Ok(())
    }

    fn fetch(&mut self, names: &BTreeSet<String>) -> Result<(), NpmError> {
        self.fetch_for(names, &VecDeque::new()).map_err(|(_, error)| error)
    }

    /// The names that only optional dependencies want may be missing.
    fn fetch_for(
        &mut self,
        names: &BTreeSet<String>,
        level: &VecDeque<Wanted>,
    ) -> Result<(), (String, NpmError)> {
        let missing: Vec<&String> = names.iter().filter(|name| !self.metadata.contains_key(*name)).collect();
        let answers = in_parallel(&missing, |name| ((*name).clone(), self.client.metadata(name)));
        for (name, answer) in answers {
            match answer {
                Ok(metadata) => {
                    self.metadata.insert(name, metadata);
                }
                Err(error) => {
                    let mut wanting = level.iter().filter(|wanted| wanted.name == name).peekable();
                    if wanting.peek().is_none() || wanting.any(|wanted| !wanted.optional) {
                        return Err((name, error));
                    }
                }
            }
        }
        Ok(())
    }

    /// A version that is in the closure or in the lock already: one copy of a package serves as many as it can.
    fn chosen(&self, wanted: &Wanted) -> Option<String> {
        if wanted.req.tag().is_some() {
            return None;
        }
        let here = self.closure.packages.iter().filter(|(_, package)| package.name == wanted.name);
        let here = here
            .filter_map(|(id, package)| Some((Version::parse_from_npm(&package.version).ok()?, id.as_str())));
        let locked = self.lock.into_iter().flat_map(|lock| lock.versions(&wanted.name));
        let best = |candidates: &mut dyn Iterator<Item = (Version, &str)>| {
            candidates.filter(|(version, _)| wanted.req.matches(version)).max().map(|(_, id)| id.to_owned())
        };
        best(&mut { here }).or_else(|| best(&mut { locked }))
    }

    fn choose(&mut self, wanted: &Wanted, next: &mut VecDeque<Wanted>) -> Result<Option<String>, NpmError> {
        if let Some(id) = self.chosen(wanted) {
            self.take_locked(&id);
            for id in self.without_integrity() {
                self.add_integrity(&id)?;
            }
            return Ok(Some(id));
        }
        let Some(metadata) = self.metadata.get(&wanted.name) else { return Ok(None) };
        let Some(version) = best_version(&wanted.req, metadata) else {
            return Err(no_version(&wanted.name, wanted.req.version_text(), metadata));
        };
        let info = &metadata.versions[&version];
        // Optional and for one platform: native code, which no bundle can hold.
        if wanted.optional && (info.os.is_some() || info.cpu.is_some()) {
            return Ok(None);
        }
        let package = Package {
            name: wanted.name.clone(),
            integrity: stated_integrity(&wanted.name, &version, info)?,
            tarball: info.dist.tarball.clone(),
            version,
            dependencies: BTreeMap::new(),
        };
        let id = package.id();
        next.extend(dependencies(info, &id, &wanted.root));
        self.closure.packages.insert(id.clone(), package);
        Ok(Some(id))
    }
}

/// The digest that a registry states, in SRI form.
fn stated_integrity(name: &str, version: &str, info: &VersionInfo) -> Result<String, NpmError> {
    let sri = info.dist.integrity.as_deref().and_then(integrity::strongest).map(str::to_owned);
    sri.or_else(|| info.dist.shasum.as_deref().and_then(integrity::from_shasum)).ok_or_else(|| {
        let message = format!("the registry states no digest for npm package {name}@{version}");
        NpmError::new(DiagnosticCode::IntegrityMismatch, message)
    })
}

/// npm's choice: the tag; else `latest` if it is in the range; else the highest in the range, deprecated ones last.
fn best_version(req: &VersionReq, metadata: &Metadata) -> Option<String> {
    let tagged =
        |tag: &str| metadata.tags.get(tag).filter(|version| metadata.versions.contains_key(*version));
    if let Some(tag) = req.tag() {
        return tagged(tag).cloned();
    }
    let matches = |text: &str| Version::parse_from_npm(text).is_ok_and(|version| req.matches(&version));
    if let Some(latest) = tagged("latest").filter(|latest| matches(latest)) {
        return Some(latest.clone());
    }
    let candidates = metadata.versions.iter().filter_map(|(text, info)| {
        let version = Version::parse_from_npm(text).ok().filter(|version| req.matches(version))?;
        Some((!is_deprecated(info), version, text))
    });
    candidates.max_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1))).map(|(_, _, text)| text.clone())
}

fn is_deprecated(info: &VersionInfo) -> bool {
    match &info.deprecated {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    }
}

fn dependencies(info: &VersionInfo, by: &str, root: &str) -> Vec<Wanted> {
    let bundled = |name: &str| match &info.bundle_dependencies {
        Some(Value::Bool(all)) => *all,
        Some(Value::Array(names)) => names.iter().any(|one| one.as_str() == Some(name)),
        _ => false,
    };
    let optional = info.optional_dependencies.iter().map(|(name, range)| (name, range, true));
    let regular = info
        .dependencies
        .iter()
        .filter(|(name, _)| !info.optional_dependencies.contains_key(*name))
        .map(|(name, range)| (name, range, false));
    let peers = info
        .peer_dependencies
        .iter()
        .filter(|(name, _)| {
            !info.dependencies.contains_key(*name)
                && !info.peer_dependencies_meta.get(*name).is_some_and(|meta| meta.optional)
        })
        .map(|(name, range)| (name, range, false));
    regular
        .chain(optional)
        .chain(peers)
        .filter(|(name, _, _)| !bundled(name))
        .filter_map(|(alias, range, optional)| {
            let (name, range) = match range.strip_prefix("npm:") {
                Some(target) => match target[usize::from(target.starts_with('@'))..].find('@') {
                    Some(at) => target.split_at(at + usize::from(target.starts_with('@'))),
                    None => (target, "@*"),
                },
                None => (alias.as_str(), range.as_str()),
            };
            let range = range.strip_prefix('@').unwrap_or(range);
            // A git or file address: nothing a registry has. Importing it will say so.
            let req = VersionReq::parse_from_npm(range).ok()?;
            Some(Wanted {
                by: Some(by.to_owned()),
                alias: alias.clone(),
                name: name.to_owned(),
                req,
                optional,
                root: root.to_owned(),
            })
        })
        .collect()
}
