//! The state of each installed extension. Reads only.

use std::collections::HashMap;
use std::path::PathBuf;

use marsh_store::{Facts, Snapshot, TreeState, ViewReport};
use marsh_types::lockfile::RefusedEntry;
use marsh_types::{Digest, ExtensionName, Kind, LockEntry, Lockfile, Origin, TypeName};
use serde::Serialize;

use super::Lifecycle;
use super::error::LifecycleError;
use super::findings::{DuplicateType, Unsatisfied};
use super::pick::Pick;
use crate::catalog::TypeCatalog;

/// The state of the tree of an installed extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum InstallState {
    /// In the store, and names and sizes are right.
    Stored,
    /// Unpacked by another implementation, below `.swamp/pulled-extensions`.
    Foreign,
    /// Nowhere: `install` restores it.
    Missing,
    /// In the store, but changed.
    Damaged {
        /// The files that were changed, relative to the tree.
        files: Vec<String>,
    },
}

/// An extension that the lockfile names.
#[derive(Debug, Clone)]
pub struct InstalledExtension {
    /// Its name.
    pub name: ExtensionName,
    /// Its entry in the lockfile.
    pub entry: LockEntry,
    /// The state of its tree.
    pub state: InstallState,
    /// The directory of the tree, if there is one.
    pub tree: Option<PathBuf>,
}

/// An installed type that a source of the repository hides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shadowed {
    /// The installed extension.
    pub extension: ExtensionName,
    /// The kind of the type.
    pub kind: Kind,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: TypeName,
    /// The source that hides it.
    pub local_source_path: PathBuf,
}

/// The state of the installed set.
#[derive(Debug)]
pub struct Inspection {
    /// The lockfile as it was read.
    pub snapshot: Snapshot,
    /// Every extension that the lockfile names.
    pub extensions: Vec<InstalledExtension>,
    /// Entries of the lockfile that are invalid.
    pub refused: Vec<RefusedEntry>,
    /// The state of the views below `.swamp/pulled-extensions`.
    pub views: ViewReport,
    /// Installed types that sources of the repository hide.
    pub shadowed: Vec<Shadowed>,
    /// Dependencies that are missing or unsuitable.
    pub unsatisfied: Vec<Unsatisfied>,
    /// Types that two installed extensions declare.
    pub duplicates: Vec<DuplicateType>,
    /// Trees below `.swamp/pulled-extensions` that no entry of the lockfile explains.
    pub orphans: Vec<PathBuf>,
    /// What each stored tree declares.
    pub facts: HashMap<Digest, Facts>,
}

impl Lifecycle {
    /// Reads the whole installed set; with `contents`, every byte of every tree. Changes nothing.
    ///
    /// # Errors
    ///
    /// The lockfile or the store cannot be read.
    pub fn inspect(&self, contents: bool) -> Result<Inspection, LifecycleError> {
        let snapshot = self.installation.snapshot()?;
        let mut extensions = Vec::new();
        for (name, entry) in &snapshot.lockfile.entries {
            let state = match entry.checksum {
                Some(digest) => match self.installation.trees().check(&digest, contents)? {
                    TreeState::Whole => InstallState::Stored,
                    TreeState::Damaged { files } => {
                        InstallState::Damaged { files: files.iter().map(ToString::to_string).collect() }
                    }
                    TreeState::Missing => self.install_state(name, entry)?,
                },
                None => self.install_state(name, entry)?,
            };
            let tree = match &state {
                InstallState::Stored | InstallState::Damaged { .. } => {
                    entry.checksum.map(|digest| self.installation.trees().tree(&digest))
                }
                InstallState::Foreign => crate::discover::foreign_tree(&self.repo, name),
                InstallState::Missing => None,
            };
            extensions.push(InstalledExtension { name: name.clone(), entry: entry.clone(), state, tree });
        }
        let facts = self.facts_of(&snapshot.lockfile);
        let names: Vec<&ExtensionName> = snapshot.lockfile.entries.keys().collect();
        let (unsatisfied, duplicates) = super::check::problems(&snapshot.lockfile, &facts);
        Ok(Inspection {
            refused: snapshot.lockfile.refused.clone(),
            views: self.installation.check_views(&snapshot)?,
            shadowed: self.shadowed_among(&names, &facts, &snapshot.lockfile)?,
            orphans: crate::discover::foreign_trees(&self.repo)
                .into_iter()
                .filter(|(name, _)| name.as_ref().is_none_or(|name| snapshot.lockfile.get(name).is_none()))
                .map(|(_, dir)| dir)
                .collect(),
            unsatisfied,
            duplicates,
            extensions,
            facts,
            snapshot,
        })
    }

    /// The state of an installed extension, without reading its tree.
    ///
    /// # Errors
    ///
    /// The store cannot be read.
    pub fn install_state(
        &self,
        name: &ExtensionName,
        entry: &LockEntry,
    ) -> Result<InstallState, LifecycleError> {
        if entry.checksum.is_some_and(|digest| self.installation.trees().contains(&digest)) {
            return Ok(InstallState::Stored);
        }
        Ok(match crate::discover::foreign_tree(&self.repo, name) {
            Some(_) => InstallState::Foreign,
            None => InstallState::Missing,
        })
    }

    /// Which of the types that these extensions declare are hidden by sources of the repository.
    pub(crate) fn shadowed_among(
        &self,
        names: &[&ExtensionName],
        facts: &HashMap<Digest, Facts>,
        lockfile: &Lockfile,
    ) -> Result<Vec<Shadowed>, LifecycleError> {
        let local = TypeCatalog::load_unpulled(&self.repo)?;
        let mut shadowed = Vec::new();
        for name in names {
            let Some(facts) = lockfile.get(name).and_then(|entry| entry.checksum).and_then(|d| facts.get(&d))
            else {
                continue;
            };
            for provided in facts.provided.iter().filter(|provided| provided.kind.declares_types()) {
                let Some(type_name) = provided.raw.as_deref().and_then(|raw| TypeName::parse(raw).ok())
                else {
                    continue;
                };
                let hides = local.types.iter().find(|indexed| {
                    indexed.kind == provided.kind
                        && indexed.type_name == type_name
                        && indexed.root.origin < Origin::Pulled
                });
                if let Some(indexed) = hides {
                    shadowed.push(Shadowed {
                        extension: (*name).clone(),
                        kind: provided.kind,
                        type_name,
                        local_source_path: self.repo.layout.display(&indexed.path).to_owned(),
                    });
                }
            }
        }
        Ok(shadowed)
    }

    /// Refuses to replace a tree of another implementation that was edited.
    pub(crate) fn refuse_edits(&self, picks: &[Pick], lockfile: &Lockfile) -> Result<(), LifecycleError> {
        for pick in picks {
            let Some(entry) = lockfile.get(&pick.name) else { continue };
            let Some(dir) = crate::discover::foreign_tree(&self.repo, &pick.name) else { continue };
            let Some(recorded) = entry.files_checksum else { continue };
            let found = marsh_archive::digest_dir(&dir).map_err(|source| LifecycleError::Archive {
                name: pick.name.clone(),
                version: entry.version,
                source,
            })?;
            if found.is_some_and(|found| found != recorded)
                && self.install_state(&pick.name, entry)? == InstallState::Foreign
            {
                return Err(LifecycleError::Edited {
                    name: pick.name.clone(),
                    files: vec![self.repo.layout.display(&dir).display().to_string()],
                });
            }
        }
        Ok(())
    }
}
