//! Collection: it deletes expired data and surplus versions.
//!
//! The decision is repeated under the model's latch, where no version can appear: data that another process writes meanwhile
//! are judged by their newest version, which a collection never deletes (`tests/collect.rs`).

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use marsh_types::TypeName;

use crate::pending::{advance_latest, trash};
use crate::read::{latest_in, read_version, version_numbers};
use crate::{DataError, DataStore, GarbageCollection, Lifetime, Metadata};

/// Tells whether the record of a workflow run exists, by workflow id and run id.
pub type RunExists<'a> = &'a dyn Fn(&str, &str) -> bool;

/// A request to collect.
pub struct CollectRequest<'a> {
    /// The current time.
    pub now: Timestamp,
    /// Whether a workflow run exists.
    pub run_exists: RunExists<'a>,
    /// One model; `None`: all.
    pub model: Option<(&'a TypeName, &'a str)>,
    /// Only report what would be deleted.
    pub dry_run: bool,
}

/// What was deleted, or would be.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Collected {
    /// Expired data.
    pub expired: Vec<Expired>,
    /// Surplus versions of other data.
    pub versions: usize,
    /// Bytes of content, including that of `expired`.
    pub bytes: u64,
}

/// Data that expired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expired {
    /// The type of the model.
    pub type_path: TypeName,
    /// The id of the model.
    pub model_id: String,
    /// The name of the data.
    pub name: String,
    /// Why the data expired.
    pub reason: String,
    /// How many versions there were.
    pub versions: usize,
}

impl DataStore {
    /// Deletes expired data, then surplus versions.
    ///
    /// # Errors
    ///
    /// A file cannot be read or removed, or a latch was not free in time.
    pub fn collect(&self, request: &CollectRequest<'_>) -> Result<Collected, DataError> {
        let models = match request.model {
            Some((ty, id)) => vec![(ty.clone(), id.to_owned())],
            None => self.list_models()?,
        };
        let mut collected = Collected::default();
        for (ty, id) in models {
            for metadata in self.list_model(&ty, &id)? {
                self.collect_name(request, &ty, &id, &metadata.name, &mut collected)?;
            }
        }
        Ok(collected)
    }

    /// Deletes surplus versions of a name. Returns how many were deleted.
    ///
    /// # Errors
    ///
    /// A file cannot be read or removed, or the latch was not free in time.
    pub fn prune(
        &self,
        ty: &TypeName,
        model_id: &str,
        name: &str,
        now: Timestamp,
    ) -> Result<usize, DataError> {
        let mut collected = Collected::default();
        let request = CollectRequest { now, run_exists: &|_, _| true, model: None, dry_run: false };
        self.prune_versions(&request, ty, model_id, name, &mut collected)?;
        Ok(collected.versions)
    }

    fn collect_name(
        &self,
        request: &CollectRequest<'_>,
        ty: &TypeName,
        id: &str,
        name: &str,
        collected: &mut Collected,
    ) -> Result<(), DataError> {
        let name_dir = self.name_dir(ty, id, name)?;
        let outlived = |latest: Option<&Metadata>| latest.and_then(|latest| expired(latest, request));
        // Most data stay: decide without the latch first, so that writers need not wait.
        if outlived(latest_in(&name_dir)?.as_ref()).is_none() {
            return self.prune_versions(request, ty, id, name, collected);
        }
        let latch = if request.dry_run { None } else { self.latch(ty, id)? };
        let Some(reason) = outlived(latest_in(&name_dir)?.as_ref()) else { return Ok(()) };
        let versions = version_numbers(&name_dir)?;
        collected.bytes += versions.iter().map(|version| size(&name_dir, *version)).sum::<u64>();
        collected.expired.push(Expired {
            type_path: ty.clone(),
            model_id: id.to_owned(),
            name: name.to_owned(),
            reason,
            versions: versions.len(),
        });
        if request.dry_run {
            return Ok(());
        }
        let gone = trash(&self.model_dir(ty, id)?);
        marsh_fs::rename(&name_dir, &gone)?;
        drop(latch);
        marsh_fs::remove_tree(&gone)?;
        Ok(())
    }

    fn prune_versions(
        &self,
        request: &CollectRequest<'_>,
        ty: &TypeName,
        id: &str,
        name: &str,
        collected: &mut Collected,
    ) -> Result<(), DataError> {
        let name_dir = self.name_dir(ty, id, name)?;
        if superfluous(&name_dir, request.now)?.is_empty() {
            return Ok(());
        }
        let latch = if request.dry_run { None } else { self.latch(ty, id)? };
        let versions = superfluous(&name_dir, request.now)?;
        collected.bytes += versions.iter().map(|version| size(&name_dir, *version)).sum::<u64>();
        collected.versions += versions.len();
        if request.dry_run {
            return Ok(());
        }
        let mut gone: Vec<PathBuf> = Vec::new();
        for version in versions {
            // The newest stays, so `latest` is right before and after.
            let place = trash(&self.model_dir(ty, id)?);
            marsh_fs::rename(&name_dir.join(version.to_string()), &place)?;
            gone.push(place);
        }
        advance_latest(&name_dir)?;
        drop(latch);
        gone.iter().try_for_each(|place| marsh_fs::remove_tree(place))?;
        Ok(())
    }
}

/// Why data expired; `None`: they did not. Tombstones do not expire.
fn expired(latest: &Metadata, request: &CollectRequest<'_>) -> Option<String> {
    if latest.is_deleted() {
        return None;
    }
    match &latest.lifetime {
        Lifetime::Infinite | Lifetime::Ephemeral => None,
        Lifetime::Workflow | Lifetime::Job => {
            let workflow =
                latest.tags.get("workflowId").or(latest.owner_definition.workflow_id.as_deref())?;
            let run =
                latest.tags.get("workflowRunId").or(latest.owner_definition.workflow_run_id.as_deref())?;
            (!(request.run_exists)(workflow, run)).then(|| format!("workflow run {run} is gone"))
        }
        Lifetime::After(age) => {
            let created: Timestamp = latest.created_at.parse().ok()?;
            let lived = request.now.as_second().saturating_sub(created.as_second());
            let limit = i64::try_from(age.duration().as_secs()).unwrap_or(i64::MAX);
            (lived >= limit).then(|| format!("older than {}", age.as_str()))
        }
    }
}

/// Surplus versions by the policy of the newest one, oldest first. Neither the newest nor unfinished ones.
fn superfluous(name_dir: &Path, now: Timestamp) -> Result<Vec<u32>, DataError> {
    let mut versions = version_numbers(name_dir)?;
    versions.retain(|version| name_dir.join(version.to_string()).join("metadata.yaml").is_file());
    let Some(latest) = latest_in(name_dir)? else { return Ok(Vec::new()) };
    versions.retain(|version| *version < latest.version);
    match &latest.garbage_collection {
        GarbageCollection::Keep(keep) => {
            let others = usize::try_from(*keep).unwrap_or(usize::MAX).saturating_sub(1);
            versions.truncate(versions.len().saturating_sub(others));
        }
        GarbageCollection::OlderThan(age) => {
            let limit = i64::try_from(age.duration().as_secs()).unwrap_or(i64::MAX);
            let mut old = Vec::new();
            for version in versions {
                let Some(metadata) = read_version(name_dir, version)? else { continue };
                let created = metadata.created_at.parse::<Timestamp>();
                if created.is_ok_and(|at| now.as_second().saturating_sub(at.as_second()) >= limit) {
                    old.push(version);
                }
            }
            versions = old;
        }
    }
    Ok(versions)
}

fn size(name_dir: &Path, version: u32) -> u64 {
    let raw = name_dir.join(version.to_string()).join("raw");
    std::fs::metadata(raw).map_or(0, |metadata| metadata.len())
}
