//! Chooses versions: the closure of dependencies of the requested extensions, with all constraints.
//!
//! There is one version of each extension. The newest that satisfies every installed and every chosen extension wins; when
//! a later dependency is not satisfied, the version is chosen again with that constraint too. An installed version that
//! satisfies all stays. Cycles settle in the same way, as no extension loads another.

use std::collections::{BTreeMap, HashMap, VecDeque};

use marsh_registry::VersionInfo;
use marsh_store::{Facts, Snapshot};
use marsh_types::{CalVer, Channel, Digest, ExtensionName, ExtensionRef, Requirement};

use super::Lifecycle;
use super::error::LifecycleError;
use super::pick::{Pick, Wanted};
use super::report::{Event, Reporter};

/// Depth of a chain of dependencies.
const MAX_DEPTH: usize = 10;
/// How often one extension is chosen again before it counts as unsettled.
const MAX_CHOICES: usize = 50;

/// Chooses versions for a change.
pub(crate) struct Resolver<'a> {
    lifecycle: &'a Lifecycle,
    before: &'a Snapshot,
    facts: &'a HashMap<Digest, Facts>,
    reporter: &'a dyn Reporter,
    versions: HashMap<ExtensionName, Vec<VersionInfo>>,
    dependencies: HashMap<(ExtensionName, CalVer), Vec<ExtensionRef>>,
    picks: BTreeMap<ExtensionName, Pick>,
    choices: HashMap<ExtensionName, usize>,
}

impl<'a> Resolver<'a> {
    pub(crate) fn new(
        lifecycle: &'a Lifecycle,
        before: &'a Snapshot,
        facts: &'a HashMap<Digest, Facts>,
        reporter: &'a dyn Reporter,
    ) -> Resolver<'a> {
        Resolver {
            lifecycle,
            before,
            facts,
            reporter,
            versions: HashMap::new(),
            dependencies: HashMap::new(),
            picks: BTreeMap::new(),
            choices: HashMap::new(),
        }
    }

    /// Looks up many extensions at once. A question that fails is asked again when its answer is needed, and fails there.
    fn prefetch(&mut self, names: &[ExtensionName]) {
        let jobs = self.lifecycle.options.jobs.max(1);
        if names.len() < 2 {
            return;
        }
        let registry = &self.lifecycle.registry;
        let chunk = names.len().div_ceil(jobs);
        let found: Vec<(ExtensionName, Vec<VersionInfo>)> = std::thread::scope(|scope| {
            let workers: Vec<_> = names
                .chunks(chunk)
                .map(|names| {
                    scope.spawn(move || {
                        names
                            .iter()
                            .filter_map(|name| Some((name.clone(), registry.versions(name).ok()?)))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
        });
        self.versions.extend(found);
    }

    /// The closure of the requested extensions, each new or kept.
    ///
    /// # Errors
    ///
    /// The registry does not answer, or no version satisfies all constraints.
    pub(crate) fn resolve(mut self, wanted: &[Wanted]) -> Result<Vec<Pick>, LifecycleError> {
        let names: Vec<ExtensionName> = wanted.iter().map(|one| one.reference.name.clone()).collect();
        self.prefetch(&names);
        let mut work: VecDeque<(ExtensionName, Vec<ExtensionName>)> =
            names.iter().map(|name| (name.clone(), Vec::new())).collect();
        while let Some((name, chain)) = work.pop_front() {
            if chain.len() > MAX_DEPTH {
                return Err(LifecycleError::TooDeep { limit: MAX_DEPTH, chain });
            }
            let asked = wanted.iter().find(|one| one.reference.name == name);
            let constraints = self.constraints(&name, wanted);
            if self.picks.get(&name).is_some_and(|pick| satisfies(&constraints, pick.version)) {
                if let Some(pick) = self.picks.get_mut(&name) {
                    pick.requirements = constraints.into_iter().map(|(_, requirement)| requirement).collect();
                }
                continue;
            }
            let count = self.choices.entry(name.clone()).or_default();
            *count += 1;
            if *count > MAX_CHOICES {
                return Err(LifecycleError::Unsettled { name });
            }
            let pick = self.choose(&name, asked, &constraints).map_err(|source| match chain.last() {
                Some(by) => LifecycleError::Dependency {
                    by: by.clone(),
                    dependency: ExtensionRef {
                        name: name.clone(),
                        requirement: constraints.first().map(|(_, one)| one.clone()).unwrap_or_default(),
                    },
                    source: Box::new(source),
                },
                None => source,
            })?;
            let below = self.dependencies_of(&pick)?;
            let mut chain = chain;
            chain.push(name.clone());
            work.extend(below.into_iter().map(|dependency| (dependency.name, chain.clone())));
            self.picks.insert(name, pick);
        }
        // An extension that was chosen again may have other dependencies: the picks that no extension needs now are dropped.
        let needed = self.reachable(&names)?;
        Ok(self.picks.into_values().filter(|pick| needed.contains(&pick.name)).collect())
    }

    fn reachable(
        &mut self,
        roots: &[ExtensionName],
    ) -> Result<std::collections::HashSet<ExtensionName>, LifecycleError> {
        let mut seen = std::collections::HashSet::new();
        let mut work = roots.to_vec();
        while let Some(name) = work.pop() {
            if !seen.insert(name.clone()) {
                continue;
            }
            if let Some(pick) = self.picks.get(&name).cloned() {
                work.extend(self.dependencies_of(&pick)?.into_iter().map(|dependency| dependency.name));
            }
        }
        Ok(seen)
    }

    /// The constraints on `name` of every installed and every chosen extension, each with its source.
    fn constraints(&self, name: &ExtensionName, wanted: &[Wanted]) -> Vec<(String, Requirement)> {
        let mut constraints = Vec::new();
        for one in wanted.iter().filter(|one| one.reference.name == *name) {
            constraints.push(("requested".to_owned(), one.reference.requirement.clone()));
        }
        let mut add = |by: &ExtensionName, version: CalVer, dependencies: &[ExtensionRef]| {
            for dependency in dependencies.iter().filter(|dependency| dependency.name == *name) {
                constraints.push((format!("needed by {by}@{version}"), dependency.requirement.clone()));
            }
        };
        for pick in self.picks.values() {
            if let Some(dependencies) = self.dependencies.get(&(pick.name.clone(), pick.version)) {
                add(&pick.name, pick.version, dependencies);
            }
        }
        for (other, entry) in &self.before.lockfile.entries {
            // A requested extension is chosen later, and adds its constraints then.
            if self.picks.contains_key(other) || wanted.iter().any(|one| one.reference.name == *other) {
                continue;
            }
            if let Some(facts) = entry.checksum.and_then(|digest| self.facts.get(&digest)) {
                add(other, entry.version, &facts.dependencies);
            }
        }
        constraints.retain(|(_, requirement)| !requirement.is_any());
        constraints
    }

    fn choose(
        &mut self,
        name: &ExtensionName,
        asked: Option<&Wanted>,
        constraints: &[(String, Requirement)],
    ) -> Result<Pick, LifecycleError> {
        let requirements = constraints.iter().map(|(_, requirement)| requirement.clone()).collect();
        let installed = self.before.lockfile.get(name);
        if asked.is_none()
            && let Some(entry) = installed
            && let Some(checksum) = entry.checksum
            && satisfies(constraints, entry.version)
        {
            return Ok(Pick {
                name: name.clone(),
                version: entry.version,
                channel: entry.channel,
                checksum,
                server_url: entry.server_url.clone(),
                dependency: true,
                warnings: Vec::new(),
                requirements,
            });
        }
        let versions = self.versions_of(name)?;
        let suitable = |version: &&VersionInfo| !version.yanked && satisfies(constraints, version.version);
        let channel = asked.and_then(|one| one.channel);
        let pinned = constraints.iter().any(|(_, requirement)| requirement.pinned().is_some());
        let on = |least: Channel| {
            let candidates = versions.iter().filter(suitable).filter(|version| version.channel >= least);
            candidates.max_by_key(|version| version.version)
        };
        let found = match channel {
            _ if pinned => on(Channel::Beta),
            Some(channel) => on(channel),
            None if asked.is_some() => on(Channel::Stable),
            None => on(Channel::Stable).or_else(|| on(Channel::Rc)).or_else(|| on(Channel::Beta)),
        };
        let Some(found) = found else {
            if constraints.is_empty() {
                let available = versions.iter().filter(suitable).map(|version| version.channel).max();
                return Err(LifecycleError::NoVersion {
                    name: name.clone(),
                    available: available.map(|channel| channel.to_string()),
                });
            }
            // A yanked version exists and cannot be installed, which is another answer than "none".
            let withdrawn = |one: &&VersionInfo| one.yanked && satisfies(constraints, one.version);
            if let Some(one) = versions.iter().filter(withdrawn).max_by_key(|one| one.version) {
                let what = format!("{name}@{}", one.version);
                let source = marsh_registry::RegistryError::Yanked { what, reason: None };
                return Err(LifecycleError::Registry { name: name.clone(), source });
            }
            let mut published: Vec<CalVer> = versions.iter().map(|version| version.version).collect();
            published.sort();
            return Err(LifecycleError::NoneSatisfies {
                name: name.clone(),
                wanted: constraints.iter().map(|(by, one)| (by.clone(), one.to_string())).collect(),
                published,
            });
        };
        let (version, of_channel) = (found.version, found.channel);
        if let Some(dependencies) = found.dependencies.clone() {
            self.dependencies.insert((name.clone(), version), dependencies);
        }
        let stated = match found.checksum {
            Some(checksum) => Some(checksum),
            None => match self.lifecycle.registry.checksum(name, version, of_channel) {
                Ok(stated) => stated,
                Err(error) if error.is_not_found() && self.lifecycle.options.allow_missing_checksum => None,
                Err(source) => return Err(LifecycleError::Registry { name: name.clone(), source }),
            },
        };
        let mut warnings = Vec::new();
        let checksum = match stated {
            Some(checksum) => checksum,
            None if self.lifecycle.options.allow_missing_checksum => {
                let checksum = self.lifecycle.unverified(name, version, of_channel, self.reporter)?;
                warnings.push(format!(
                    "{name}@{version} is UNVERIFIED: the registry states no checksum of it, and \
                     --allow-missing-checksum takes whatever came; the lockfile now pins {checksum}"
                ));
                checksum
            }
            None => return Err(LifecycleError::MissingChecksum { name: name.clone(), version }),
        };
        Ok(Pick {
            name: name.clone(),
            version,
            channel: channel.or(of_channel.unless_stable()).and_then(Channel::unless_stable),
            checksum,
            server_url: None,
            dependency: asked.is_none(),
            warnings,
            requirements,
        })
    }

    fn versions_of(&mut self, name: &ExtensionName) -> Result<Vec<VersionInfo>, LifecycleError> {
        if let Some(versions) = self.versions.get(name) {
            return Ok(versions.clone());
        }
        self.reporter.event(Event::Resolving { name });
        let versions = self
            .lifecycle
            .registry
            .versions(name)
            .map_err(|source| LifecycleError::Registry { name: name.clone(), source })?;
        self.versions.insert(name.clone(), versions.clone());
        Ok(versions)
    }

    /// The dependencies of a version: from the registry, or from its own manifest.
    fn dependencies_of(&mut self, pick: &Pick) -> Result<Vec<ExtensionRef>, LifecycleError> {
        let key = (pick.name.clone(), pick.version);
        if let Some(dependencies) = self.dependencies.get(&key) {
            return Ok(dependencies.clone());
        }
        let dependencies = match self.facts.get(&pick.checksum) {
            Some(facts) => facts.dependencies.clone(),
            None => self.lifecycle.manifest_of(pick, self.reporter)?.dependencies,
        };
        self.dependencies.insert(key, dependencies.clone());
        Ok(dependencies)
    }
}

fn satisfies(constraints: &[(String, Requirement)], version: CalVer) -> bool {
    constraints.iter().all(|(_, requirement)| requirement.matches(version))
}
