//! Pull and update.

use std::collections::HashMap;

use marsh_registry::ExtensionInfo;
use marsh_store::{Facts, Lease, Snapshot};
use marsh_types::time::iso_millis;
use marsh_types::{
    Channel, Digest, ExtensionName, ExtensionRef, LockEntry, Lockfile, Manifest, TypeName, near,
};

use super::Lifecycle;
use super::check::{Waive, check};
use super::error::LifecycleError;
use super::pick::{Pick, Wanted};
use super::report::{Event, ItemReport, ItemStatus, Outcome, Reporter};
use super::resolve::Resolver;
use crate::installed::{RULES, read_facts};

/// How often a change is resolved again because another process changed the set meanwhile.
const ATTEMPTS: usize = 5;

/// What to pull.
#[derive(Debug, Clone)]
pub struct PullRequest {
    /// Names and version constraints.
    pub references: Vec<ExtensionRef>,
    /// The least stable channel that is accepted; `None`: stable.
    pub channel: Option<Channel>,
    /// Replace damaged and edited trees.
    pub force: bool,
}

/// How a pick is applied to the set as it is under the lock.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mode {
    /// A requested extension replaces any version.
    Pull,
    /// A requested extension replaces only the version that it was chosen to replace.
    Update,
}

impl Lifecycle {
    /// Installs extensions with their dependencies, in one commit. Extensions that need no change are reported as such.
    ///
    /// # Errors
    ///
    /// An extension cannot be found, fetched or combined with the installed ones. Nothing has changed then.
    pub fn pull(&self, request: &PullRequest, reporter: &dyn Reporter) -> Result<Outcome, LifecycleError> {
        let wanted: Vec<Wanted> = request
            .references
            .iter()
            .map(|reference| Wanted {
                reference: reference.clone(),
                channel: request.channel,
                provides: None,
            })
            .collect();
        let mut outcome = self.change(&wanted, Mode::Pull, request.force, reporter)?;
        for item in outcome.items.iter_mut().filter(|item| !item.dependency) {
            // A registry that does not answer here costs the deprecation notice, not the pull.
            if let Ok(info) = self.registry.info(&item.name) {
                item.description = Some(info.description.clone()).filter(|text| !text.is_empty());
                item.warnings.extend(deprecation(&info));
            }
        }
        self.derive(&mut outcome);
        Ok(outcome)
    }

    /// Brings installed extensions to the newest version of their channel, in one commit; all of them if none is named.
    /// An extension that cannot be looked up or fetched fails alone. With `only_look` nothing is changed.
    ///
    /// # Errors
    ///
    /// A named extension is not installed, or the store cannot be used.
    pub fn update(
        &self,
        names: &[ExtensionName],
        only_look: bool,
        reporter: &dyn Reporter,
    ) -> Result<Outcome, LifecycleError> {
        let snapshot = self.installation.snapshot()?;
        let lockfile = &snapshot.lockfile;
        if let Some(name) = names.iter().find(|name| lockfile.get(name).is_none()) {
            return Err(self.not_installed(name, lockfile));
        }
        let mut outcome = Outcome::default();
        let mut wanted = Vec::new();
        let chosen = lockfile.entries.iter().filter(|(name, _)| names.is_empty() || names.contains(name));
        for ((name, entry), looked_up) in self.look_up(chosen.collect()) {
            let mut item = ItemReport {
                name: name.clone(),
                version: Some(entry.version),
                channel: entry.channel,
                status: ItemStatus::UpToDate,
                dependency: false,
                files: Vec::new(),
                tree: None,
                description: None,
                warnings: Vec::new(),
            };
            match looked_up {
                Ok((latest, info)) => {
                    if latest.is_some_and(|latest| latest > entry.version) {
                        if let (true, Some(latest)) = (only_look, latest) {
                            item.status = ItemStatus::UpdateAvailable { latest };
                            outcome.items.push(item);
                            continue;
                        }
                        wanted.push(Wanted {
                            reference: ExtensionRef::any(name.clone()),
                            channel: entry.channel,
                            provides: None,
                        });
                        continue;
                    }
                    if let Some(info) = info.filter(|info| info.deprecated_at.is_some()) {
                        item.status = ItemStatus::Deprecated {
                            reason: info.deprecation_reason.clone(),
                            superseded_by: info.superseded_by.as_ref().map(ToString::to_string),
                        };
                    }
                }
                Err(error) => item.status = ItemStatus::Failed { error },
            }
            outcome.items.push(item);
        }
        if !wanted.is_empty() {
            self.update_each(&wanted, &mut outcome, reporter)?;
        }
        outcome.items.sort_by(|a, b| a.name.cmp(&b.name));
        if !only_look {
            self.derive(&mut outcome);
        }
        Ok(outcome)
    }

    /// All at once; if that fails, one after the other, so that one that cannot be updated does not stop the others.
    fn update_each(
        &self,
        wanted: &[Wanted],
        outcome: &mut Outcome,
        reporter: &dyn Reporter,
    ) -> Result<(), LifecycleError> {
        match self.change(wanted, Mode::Update, false, reporter) {
            Ok(changed) => merge(outcome, changed),
            Err(error @ LifecycleError::Store(_)) => return Err(error),
            Err(error) if wanted.len() == 1 => {
                outcome.items.push(ItemReport::failed(&wanted[0].reference.name, error));
            }
            Err(_) => {
                for one in wanted {
                    match self.change(std::slice::from_ref(one), Mode::Update, false, reporter) {
                        Ok(changed) => merge(outcome, changed),
                        Err(error @ LifecycleError::Store(_)) => return Err(error),
                        Err(error) => outcome.items.push(ItemReport::failed(&one.reference.name, error)),
                    }
                }
            }
        }
        Ok(())
    }

    /// The newest version on the channel of each entry, with what the registry says of the extension; several at once.
    #[expect(clippy::type_complexity, reason = "each answer stands beside the entry that it is about")]
    fn look_up<'a>(
        &self,
        entries: Vec<(&'a ExtensionName, &'a LockEntry)>,
    ) -> Vec<(
        (&'a ExtensionName, &'a LockEntry),
        Result<(Option<marsh_types::CalVer>, Option<ExtensionInfo>), LifecycleError>,
    )> {
        let ask = |name: &ExtensionName, entry: &LockEntry| {
            let error = |source| LifecycleError::Registry { name: name.clone(), source };
            let least = entry.channel.unwrap_or(Channel::Stable);
            let versions = self.registry.versions(name).map_err(error)?;
            if versions.is_empty() {
                // No versions, or no such extension: only asking tells.
                self.registry.info(name).map_err(error)?;
            }
            let newest = versions
                .iter()
                .filter(|version| !version.yanked && version.channel >= least)
                .map(|version| version.version)
                .max();
            let info = match newest {
                Some(newest) if newest > entry.version => None,
                _ => self.registry.info(name).ok(),
            };
            Ok((newest, info))
        };
        let chunk = entries.len().div_ceil(self.options.jobs.max(1)).max(1);
        std::thread::scope(|scope| {
            let workers: Vec<_> = entries
                .chunks(chunk)
                .map(|entries| {
                    scope.spawn(move || {
                        entries
                            .iter()
                            .map(|(name, entry)| ((*name, *entry), ask(name, entry)))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
        })
    }

    /// Resolve, fetch, commit; again when the set moved on in a way that the resolution does not fit.
    pub(crate) fn change(
        &self,
        wanted: &[Wanted],
        mode: Mode,
        force: bool,
        reporter: &dyn Reporter,
    ) -> Result<Outcome, LifecycleError> {
        let mut attempt = 1;
        loop {
            let snapshot = self.installation.snapshot()?;
            let error = match self.change_once(&snapshot, wanted, mode, force, reporter) {
                Err(error) if !matches!(error, LifecycleError::Store(_)) => error,
                result => return result,
            };
            // No process changed the set: the result would be the same again.
            if attempt == ATTEMPTS || self.installation.snapshot()?.digest == snapshot.digest {
                return Err(error);
            }
            attempt += 1;
        }
    }

    fn change_once(
        &self,
        snapshot: &Snapshot,
        wanted: &[Wanted],
        mode: Mode,
        force: bool,
        reporter: &dyn Reporter,
    ) -> Result<Outcome, LifecycleError> {
        let mut facts = self.facts_of(&snapshot.lockfile);
        let picks = Resolver::new(self, snapshot, &facts, reporter).resolve(wanted)?;
        if !force {
            self.refuse_edits(&picks, &snapshot.lockfile)?;
        }
        let leases: Vec<Lease> =
            self.acquire(&picks, force, reporter)?.into_iter().collect::<Result<_, _>>()?;
        self.learn(&mut facts, &leases);
        for one in wanted {
            self.check_provides(one, &picks, &facts)?;
        }
        let entries = self.entries(&picks, &leases)?;
        let mut now_facts = facts;
        let mut on_wait = |holder: &marsh_fs::Holder| reporter.event(Event::Waiting { holder });
        let committed = self.installation.commit(self.request(&leases, &mut on_wait), |now| {
            if now.digest != snapshot.digest {
                now_facts.extend(self.facts_of(&now.lockfile));
            }
            let after = apply(&now.lockfile, &snapshot.lockfile, &picks, &entries, mode);
            check(&now.lockfile, &after, &now_facts, Waive::default())?;
            Ok(after)
        });
        let committed = committed.map_err(LifecycleError::from)?;
        let before = &committed.before.lockfile;
        let mut outcome = Outcome {
            generation: committed.generation.as_ref().map(|generation| generation.number),
            held: committed.held,
            ..Outcome::default()
        };
        for (pick, lease) in picks.iter().zip(&leases) {
            let Some(entry) = committed.after.lockfile.get(&pick.name) else { continue };
            let was = before.get(&pick.name);
            let status = match was {
                None => ItemStatus::Installed,
                Some(was) if was.version != entry.version => ItemStatus::Updated { from: was.version },
                Some(was) if was.checksum != entry.checksum => ItemStatus::Restored,
                Some(_) => ItemStatus::UpToDate,
            };
            if pick.dependency && matches!(status, ItemStatus::UpToDate) {
                continue;
            }
            outcome.items.push(ItemReport {
                name: pick.name.clone(),
                version: Some(entry.version),
                channel: entry.channel,
                status,
                dependency: pick.dependency,
                files: entry.files.clone(),
                tree: Some(lease.tree().to_owned()),
                description: None,
                warnings: pick.warnings.clone(),
            });
        }
        let changed: Vec<&ExtensionName> = outcome.items.iter().map(|item| &item.name).collect();
        outcome.shadowed = self.shadowed_among(&changed, &now_facts, &committed.after.lockfile)?;
        Ok(outcome)
    }

    /// An extension that was fetched for a type must declare it.
    fn check_provides(
        &self,
        wanted: &Wanted,
        picks: &[Pick],
        facts: &HashMap<Digest, Facts>,
    ) -> Result<(), LifecycleError> {
        let Some(type_name) = &wanted.provides else { return Ok(()) };
        let pick = picks.iter().find(|pick| pick.name == wanted.reference.name);
        let declares = pick.and_then(|pick| facts.get(&pick.checksum)).is_some_and(|facts| {
            facts.provided.iter().any(|provided| {
                provided
                    .raw
                    .as_deref()
                    // A computed type may be any.
                    .is_none_or(|raw| TypeName::parse(raw).is_ok_and(|found| found == *type_name))
            })
        });
        if declares {
            return Ok(());
        }
        Err(LifecycleError::NotProvided { name: wanted.reference.name.clone(), type_name: type_name.clone() })
    }

    /// Reads the facts of new trees, so that no tree is read under the lock.
    pub(crate) fn learn(&self, facts: &mut HashMap<Digest, Facts>, leases: &[Lease]) {
        let digests: Vec<Digest> =
            leases.iter().map(Lease::digest).filter(|digest| !facts.contains_key(digest)).collect();
        let trees = self.installation.trees();
        facts.extend(self.installation.catalog().facts(&digests, RULES, |digest| read_facts(trees, digest)));
    }

    /// The lockfile entry of each pick.
    fn entries(&self, picks: &[Pick], leases: &[Lease]) -> Result<Vec<LockEntry>, LifecycleError> {
        let now = iso_millis(jiff::Timestamp::now());
        picks.iter().zip(leases).map(|(pick, lease)| self.entry(pick, lease, &now)).collect()
    }

    pub(crate) fn entry(&self, pick: &Pick, lease: &Lease, now: &str) -> Result<LockEntry, LifecycleError> {
        let path = lease.tree().join("manifest.yaml");
        let text = marsh_fs::read_to_string(&path)
            .map_err(|source| LifecycleError::Read { path: path.clone(), source })?;
        let manifest = Manifest::parse(&text).map_err(|source| LifecycleError::Archive {
            name: pick.name.clone(),
            version: pick.version,
            source: source.into(),
        })?;
        let view = format!(".swamp/pulled-extensions/{}", pick.name);
        // Bundles and skills are not part of the tree that other implementations list.
        let listed = lease.record().files.iter().filter(|file| {
            let top = file.path.segments().next().unwrap_or_default();
            !(top == "bundles" || top.ends_with("-bundles") || top == "skills")
        });
        let mut files: Vec<String> = listed.map(|file| format!("{view}/{}", file.path)).collect();
        files.sort();
        Ok(LockEntry {
            version: pick.version,
            pulled_at: now.to_owned(),
            files,
            include: manifest.include.iter().map(|path| format!("{view}/models/{path}")).collect(),
            checksum: Some(pick.checksum),
            files_checksum: Some(lease.record().files_checksum),
            server_url: Some(pick.server_url.clone().unwrap_or_else(|| self.registry.location().to_string())),
            channel: pick.channel,
            rest: serde_json::Map::new(),
        })
    }

    pub(crate) fn not_installed(&self, name: &ExtensionName, lockfile: &Lockfile) -> LifecycleError {
        let near = near::did_you_mean(name.as_str(), lockfile.entries.keys().map(|known| known.as_str()));
        LifecycleError::NotInstalled { name: name.clone(), near }
    }
}

/// The set with the picks in it. A requested extension is set; a dependency is added where the installed version is
/// unsuitable.
fn apply(now: &Lockfile, seen: &Lockfile, picks: &[Pick], entries: &[LockEntry], mode: Mode) -> Lockfile {
    let mut after = now.clone();
    for (pick, entry) in picks.iter().zip(entries) {
        let there = now.get(&pick.name);
        let wants = match (mode, pick.dependency) {
            (Mode::Pull, false) => true,
            // If another process removed or updated it meanwhile, the later change wins.
            (Mode::Update, false) => {
                there.is_some()
                    && there.map(|entry| entry.version) == seen.get(&pick.name).map(|entry| entry.version)
            }
            (_, true) => !there.is_some_and(|there| {
                there.checksum.is_some()
                    && pick.requirements.iter().all(|requirement| requirement.matches(there.version))
            }),
        };
        if !wants {
            continue;
        }
        let mut entry = entry.clone();
        if let Some(there) = there {
            entry.rest = there.rest.clone();
            if there.version == entry.version && there.checksum == entry.checksum {
                entry.pulled_at = there.pulled_at.clone();
                entry.server_url = there.server_url.clone();
                // Another implementation may have listed other files: they stay.
                entry.files = there.files.clone();
                entry.files_checksum = there.files_checksum;
                entry.include = there.include.clone();
                if mode == Mode::Update || pick.dependency {
                    entry.channel = there.channel;
                }
            }
        }
        after.entries.insert(pick.name.clone(), entry);
    }
    after
}

fn deprecation(info: &ExtensionInfo) -> Option<String> {
    info.deprecated_at.as_ref()?;
    let mut text = format!("{} is deprecated", info.name);
    if let Some(reason) = &info.deprecation_reason {
        text.push_str(&format!(": {reason}"));
    }
    if let Some(other) = &info.superseded_by {
        text.push_str(&format!("; {other} replaces it"));
    }
    Some(text)
}

fn merge(outcome: &mut Outcome, changed: Outcome) {
    outcome.generation = changed.generation.or(outcome.generation);
    outcome.items.extend(changed.items);
    outcome.shadowed.extend(changed.shadowed);
    outcome.warnings.extend(changed.warnings);
    outcome.held = outcome.held.max(changed.held);
}
