//! What must hold after a change. Pure: a lockfile before, one after, and the facts of their trees.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use marsh_store::Facts;
use marsh_types::{CalVer, Digest, ExtensionName, ExtensionRef, Kind, LockEntry, Lockfile, TypeName};
use serde::Serialize;

use super::error::LifecycleError;

/// Who declares a type, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Occupant {
    #[serde(rename = "extensionName")]
    pub extension: ExtensionName,
    #[serde(rename = "extensionVersion")]
    pub version: CalVer,
    /// The entry point, relative to the extension.
    #[serde(rename = "canonicalPath")]
    pub path: String,
}

/// Two extensions declare one type. The existing one was installed first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DuplicateType {
    pub kind: Kind,
    #[serde(rename = "type")]
    pub type_name: TypeName,
    pub existing: Occupant,
    pub conflicting: Occupant,
}

impl fmt::Display for DuplicateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the {} `{}` is declared by {}@{} ({}), which is installed, and by {}@{} ({})",
            self.kind,
            self.type_name,
            self.existing.extension,
            self.existing.version,
            self.existing.path,
            self.conflicting.extension,
            self.conflicting.version,
            self.conflicting.path,
        )
    }
}

/// A dependency that does not hold after a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unsatisfied {
    pub by: ExtensionName,
    pub dependency: ExtensionRef,
    /// The version that would be there; `None`: nothing would.
    pub found: Option<CalVer>,
}

impl fmt::Display for Unsatisfied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found {
            Some(found) => write!(f, "{} needs {}, and {found} would be installed", self.by, self.dependency),
            None => write!(f, "{} needs {}", self.by, self.dependency),
        }
    }
}

impl Unsatisfied {
    pub(crate) fn hint(&self) -> String {
        match self.found {
            Some(_) => format!("`marsh extension update {}` may lift the constraint", self.by),
            None => format!(
                "`marsh extension rm {}` first, or `--force` to leave it without its dependency",
                self.by
            ),
        }
    }
}

/// Which of the rules a caller may waive.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Waive {
    /// Dependents that stay may lose what they need.
    pub dependents: bool,
}

fn is_new(before: &Lockfile, name: &ExtensionName, entry: &LockEntry) -> bool {
    before.get(name).is_none_or(|was| was.checksum != entry.checksum || was.version != entry.version)
}

/// Refuses a state that must not come to be. Only what the change brings is judged: a state that was wrong before, by a
/// merge of two lockfiles say, can still be mended step by step.
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
    // What was there comes first, so that it is the existing one of a pair.
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
            // What did not hold before is not this change's doing.
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

/// Everything that is wrong with a state as such, for reports.
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
