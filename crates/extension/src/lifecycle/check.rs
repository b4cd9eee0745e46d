//! The rules that a change of the installed set must keep. Pure: a lockfile before, one after, and the facts of their trees.

use std::collections::{BTreeMap, HashMap};

use marsh_store::Facts;
use marsh_types::{Digest, ExtensionName, Kind, LockEntry, Lockfile, TypeName};

use super::error::LifecycleError;
use super::findings::{DuplicateType, Occupant, Unsatisfied};

/// Which of the rules a caller may waive.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Waive {
    /// Extensions that stay may lose a dependency.
    pub dependents: bool,
}

fn is_new(before: &Lockfile, name: &ExtensionName, entry: &LockEntry) -> bool {
    before.get(name).is_none_or(|was| was.checksum != entry.checksum || was.version != entry.version)
}

/// Refuses a change that breaks a rule. Only what the change adds is judged: a set that was invalid before, after a merge
/// of two lockfiles for example, can still be repaired step by step.
pub(crate) fn check(
    before: &Lockfile,
    after: &Lockfile,
    facts: &HashMap<Digest, Facts>,
    waive: Waive,
) -> Result<(), LifecycleError> {
    check_types(before, after, facts)?;
    check_dependencies(before, after, facts, waive)
}

fn check_types(
    before: &Lockfile,
    after: &Lockfile,
    facts: &HashMap<Digest, Facts>,
) -> Result<(), LifecycleError> {
    let mut declared: BTreeMap<(Kind, TypeName), (bool, Occupant)> = BTreeMap::new();
    // Installed extensions come first, so that each is the existing one of a pair.
    let mut entries: Vec<(bool, &ExtensionName, &LockEntry)> =
        after.entries.iter().map(|(name, entry)| (is_new(before, name, entry), name, entry)).collect();
    entries.sort_by_key(|(new, name, _)| (*new && before.get(name).is_none(), *new));
    for (new, name, entry) in entries {
        let Some(facts) = entry.checksum.and_then(|digest| facts.get(&digest)) else { continue };
        for provided in facts.provided.iter().filter(|provided| provided.kind.declares_types()) {
            let Some(type_name) = provided.raw.as_deref().and_then(|raw| TypeName::parse(raw).ok()) else {
                continue;
            };
            if new && type_name.collective() != Some(name.collective()) {
                return Err(LifecycleError::ForeignType {
                    name: name.clone(),
                    kind: provided.kind,
                    type_name: type_name.to_string(),
                });
            }
            let occupant =
                Occupant { extension: name.clone(), version: entry.version, path: provided.path.to_string() };
            match declared.get(&(provided.kind, type_name.clone())) {
                Some((other_new, existing)) if new || *other_new => {
                    return Err(LifecycleError::DuplicateType(Box::new(DuplicateType {
                        kind: provided.kind,
                        type_name,
                        existing: existing.clone(),
                        conflicting: occupant,
                    })));
                }
                Some(_) => {}
                None => {
                    declared.insert((provided.kind, type_name), (new, occupant));
                }
            }
        }
    }
    Ok(())
}

fn check_dependencies(
    before: &Lockfile,
    after: &Lockfile,
    facts: &HashMap<Digest, Facts>,
    waive: Waive,
) -> Result<(), LifecycleError> {
    let mut unsatisfied = Vec::new();
    for (name, entry) in &after.entries {
        let new = is_new(before, name, entry);
        if !new && waive.dependents {
            continue;
        }
        let Some(facts) = entry.checksum.and_then(|digest| facts.get(&digest)) else { continue };
        for dependency in &facts.dependencies {
            let holds = |lockfile: &Lockfile| {
                lockfile
                    .get(&dependency.name)
                    .is_some_and(|there| dependency.requirement.matches(there.version))
            };
            // A dependency that was broken before is not this change's fault.
            if !holds(after) && (new || holds(before)) {
                unsatisfied.push(Unsatisfied {
                    by: name.clone(),
                    dependency: dependency.clone(),
                    found: after.get(&dependency.name).map(|there| there.version),
                });
            }
        }
    }
    if unsatisfied.is_empty() { Ok(()) } else { Err(LifecycleError::Unsatisfied { unsatisfied }) }
}

/// Every rule that a set breaks, for listings.
pub(crate) fn problems(
    lockfile: &Lockfile,
    facts: &HashMap<Digest, Facts>,
) -> (Vec<Unsatisfied>, Vec<DuplicateType>) {
    let mut unsatisfied = Vec::new();
    let mut duplicates = Vec::new();
    let mut declared: BTreeMap<(Kind, TypeName), Occupant> = BTreeMap::new();
    for (name, entry) in &lockfile.entries {
        let Some(facts) = entry.checksum.and_then(|digest| facts.get(&digest)) else { continue };
        for dependency in &facts.dependencies {
            let found = lockfile.get(&dependency.name).map(|there| there.version);
            if !found.is_some_and(|found| dependency.requirement.matches(found)) {
                unsatisfied.push(Unsatisfied { by: name.clone(), dependency: dependency.clone(), found });
            }
        }
        for provided in facts.provided.iter().filter(|provided| provided.kind.declares_types()) {
            let Some(type_name) = provided.raw.as_deref().and_then(|raw| TypeName::parse(raw).ok()) else {
                continue;
            };
            let occupant =
                Occupant { extension: name.clone(), version: entry.version, path: provided.path.to_string() };
            match declared.get(&(provided.kind, type_name.clone())) {
                Some(existing) => duplicates.push(DuplicateType {
                    kind: provided.kind,
                    type_name,
                    existing: existing.clone(),
                    conflicting: occupant,
                }),
                None => {
                    declared.insert((provided.kind, type_name), occupant);
                }
            }
        }
    }
    (unsatisfied, duplicates)
}
