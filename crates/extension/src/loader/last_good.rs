//! Loading as a transaction: build, load, validate, and only then switch.
//!
//! For each type there are two derived records: the parts of the version that loaded last (`good`), and what went wrong
//! since (`failed`). They are read at the moment of use and never kept in memory, so that every process serves the same.
//! Deleting them forgets history, never an answer that the sources give.
//!
//! * A version is recorded as good only after it was built, loaded and validated, under its own fingerprint: a failure
//!   never attaches a name to other bytes.
//! * With [`OnFailure::LastGood`] whatever fails leaves the good version serving. The same inputs are not tried again,
//!   unless the cause may have gone by itself; then at most once per waiting time, which doubles up to a minute.
//! * Who removes a type on purpose removes it: a source that can be read and does not declare it, an extension that is not
//!   in the lockfile, a mount that is not mounted. A file that vanished is not that, until
//!   [`Loader::accept_removals`] says so.
//!
//! Tests: the binary's `tests/it/kinds_failures.rs`, and the server's `tests/serve/failures.rs`.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use marsh_types::time::iso_millis;
use marsh_types::{Digest, ErrorCode, Explain as _, Kind, Origin, TypeName};
use serde::{Deserialize, Serialize};

use super::Loader;
use super::failure::{LoadFailure, Reason};
use super::files::{read_json, write_json};
use super::unit::{Part, Unit};
use crate::catalog::{SourceProblem, TypeCatalog};
use crate::error::LoadError;
use crate::stat::Stat;

const RECORD_VERSION: u32 = 1;

/// What a load that fails leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFailure {
    /// The error. Right for commands, which run once and are read by people.
    Report,
    /// The version that loaded last, and the failure beside it. Right for processes that live long.
    LastGood,
}

#[derive(Debug, Serialize, Deserialize)]
struct GoodRecord {
    version: u32,
    since: String,
    unit: Unit,
}

#[derive(Debug, Serialize, Deserialize)]
struct FailureRecord {
    version: u32,
    failure: LoadFailure,
}

impl Loader {
    /// What loads that fail leave behind.
    #[must_use]
    pub fn on_failure(self, policy: OnFailure) -> Loader {
        self.last_good.store(policy == OnFailure::LastGood, Ordering::Relaxed);
        self
    }

    fn serves_last_good(&self) -> bool {
        self.last_good.load(Ordering::Relaxed)
    }

    /// Finds, builds and loads a type under the policy. `find` says what it is made of now; `open` builds (when told that
    /// it may) and loads. The failure is `Some` when what is served is not what the sources say now.
    pub(super) fn transact<T>(
        &self,
        kind: Kind,
        type_name: &TypeName,
        find: impl Fn(&TypeCatalog) -> Result<Option<Unit>, LoadError>,
        open: impl Fn(&Unit, bool) -> Result<(Unit, T), LoadError>,
    ) -> Result<Option<(T, Option<LoadFailure>)>, LoadError> {
        let records = Records::of(self, kind, type_name);
        let good = records.good(self);
        let (catalog, unreadable) = match self.catalog() {
            Ok(catalog) => (Some(catalog), None),
            Err(error) => (None, Some(error)),
        };
        let claims = Claims { loader: self, catalog: catalog.as_ref() };
        let found = match (&catalog, unreadable) {
            (_, Some(error)) => Err(error),
            (None, None) => Ok(None),
            (Some(catalog), None) => find(catalog),
        };
        let found = match found {
            // Nothing declares the type. Was it removed, or is its source broken?
            Err(error @ LoadError::UnknownType { .. }) => {
                match good.as_ref().and_then(|good| claims.broken_base(good)) {
                    Some(broken) if self.serves_last_good() => Err(broken),
                    Some(LoadError::Vanished { .. }) => return Err(error),
                    Some(broken) => {
                        records.failed(&broken, None);
                        return Err(error);
                    }
                    None => {
                        records.forget();
                        return Err(error);
                    }
                }
            }
            found => found,
        };
        let found = match (found, &good) {
            (Ok(unit), Some(good)) if self.serves_last_good() => {
                match claims.lost_method_extension(good, unit.as_ref()) {
                    Some(error) => Err(error),
                    None => Ok(unit),
                }
            }
            (found, _) => found,
        };
        let unit = match found {
            Ok(Some(unit)) => Ok(unit),
            Ok(None) => return Ok(None),
            Err(error) => Err(error),
        };
        let mut failing = unit.as_ref().ok().cloned();
        let attempt = unit.and_then(|unit| {
            if self.serves_last_good()
                && let Some(failure) = records.failure()
                && !failure.may_be_tried(&unit.fingerprint())
            {
                return Err(LoadError::StillFailing { failure: Box::new(failure) });
            }
            open(&unit, true)
        });
        let error = match attempt {
            Ok((unit, opened)) => {
                records.succeeded(self, good.as_ref(), &unit);
                return Ok(Some((opened, None)));
            }
            Err(error) if error.code() == ErrorCode::Cancelled => return Err(error),
            Err(error) => error,
        };
        let failure = match &error {
            LoadError::StillFailing { failure } => (**failure).clone(),
            error => records.failed(error, failing.take()),
        };
        if self.serves_last_good()
            && let Some(good) = &good
            && let Ok((_, opened)) = open(good, false)
        {
            return Ok(Some((opened, Some(failure))));
        }
        Err(error)
    }

    /// Takes files that vanished for removed: types whose sources are gone are served no longer. Answers which those were.
    pub fn accept_removals(&self) -> Vec<(Kind, TypeName)> {
        let mut removed = Vec::new();
        for good in all_records::<GoodRecord>(&self.records_dir(), "good") {
            let unit = good.unit;
            if unit.parts().any(|part| !part.entry.exists()) {
                Records::of(self, unit.kind, &unit.type_name).forget();
                removed.push((unit.kind, unit.type_name));
            }
        }
        removed
    }

    fn records_dir(&self) -> PathBuf {
        records_dir(&self.repo)
    }
}

fn records_dir(repo: &marsh_repo::Repo) -> PathBuf {
    repo.layout.derived().join("loads")
}

fn all_records<T: serde::de::DeserializeOwned>(dir: &Path, what: &str) -> Vec<T> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let suffix = format!(".{what}.json");
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.to_string_lossy().ends_with(&suffix));
    paths.sort();
    paths.iter().filter_map(|path| read_json(path)).collect()
}

/// A load that failed, as far as its inputs are still the ones that failed. Nothing is built and no code runs.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadState {
    #[serde(flatten)]
    pub failure: LoadFailure,
    /// The version that a long-lived process serves meanwhile.
    pub serving: Option<String>,
}

/// The failures that stand.
pub fn load_states(repo: &marsh_repo::Repo) -> Vec<LoadState> {
    let dir = records_dir(repo);
    let good = all_records::<GoodRecord>(&dir, "good");
    let catalog = TypeCatalog::load(repo).ok();
    let serving = |failure: &LoadFailure| {
        let of = good
            .iter()
            .find(|good| good.unit.kind == failure.kind && good.unit.type_name == failure.type_name);
        of.map(|good| good.unit.fingerprint())
    };
    all_records::<FailureRecord>(&dir, "failed")
        .into_iter()
        .filter(|record| record.version == RECORD_VERSION && record.failure.stands(catalog.as_ref()))
        .map(|record| LoadState { serving: serving(&record.failure), failure: record.failure })
        .collect()
}

/// The two records of a type.
struct Records {
    kind: Kind,
    type_name: TypeName,
    good: PathBuf,
    failed: PathBuf,
}

impl Records {
    fn of(loader: &Loader, kind: Kind, type_name: &TypeName) -> Records {
        let name = Digest::of(format!("{kind} {type_name}").as_bytes()).to_hex();
        let dir = loader.records_dir();
        Records {
            kind,
            type_name: type_name.clone(),
            good: dir.join(format!("{}.good.json", &name[..32])),
            failed: dir.join(format!("{}.failed.json", &name[..32])),
        }
    }

    /// The version that loaded last. Read anew whenever its file is another one.
    fn good(&self, loader: &Loader) -> Option<Unit> {
        let stat = Stat::of(&self.good)?;
        let key = (self.kind, self.type_name.clone());
        let mut known = loader.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, unit)) = known.get(&key)
            && *then == stat
        {
            return Some(unit.clone());
        }
        let record = read_json::<GoodRecord>(&self.good)?;
        let ours = record.unit.kind == self.kind && record.unit.type_name == self.type_name;
        if record.version != RECORD_VERSION || !ours {
            return None;
        }
        known.insert(key, (stat, record.unit.clone()));
        Some(record.unit)
    }

    fn failure(&self) -> Option<LoadFailure> {
        let record = read_json::<FailureRecord>(&self.failed)?;
        let ours = record.failure.kind == self.kind && record.failure.type_name == self.type_name;
        (record.version == RECORD_VERSION && ours).then_some(record.failure)
    }

    fn succeeded(&self, loader: &Loader, before: Option<&Unit>, unit: &Unit) {
        // Another thread may have loaded the same at the same moment.
        if before != Some(unit) && self.good(loader).as_ref() != Some(unit) {
            let since = iso_millis(jiff::Timestamp::now());
            write_json(&self.good, &GoodRecord { version: RECORD_VERSION, since, unit: unit.clone() });
            // Read it again: another process may have written between the two.
            self.good(loader);
        }
        if self.failed.exists() {
            drop(marsh_fs::remove_file_if_exists(&self.failed));
        }
    }

    /// Notes a failure; once for the same inputs and the same cause, unless it is due for another try.
    fn failed(&self, error: &LoadError, unit: Option<Unit>) -> LoadFailure {
        let parts = unit.as_ref().map(|unit| unit.parts().cloned().collect::<Vec<Part>>());
        let fingerprint = unit.map(|unit| unit.fingerprint());
        let mut failure =
            LoadFailure::new(self.kind, &self.type_name, error, fingerprint, parts.unwrap_or_default());
        match self.failure() {
            Some(before) if before.is_same_cause(&failure) => {
                failure.since.clone_from(&before.since);
                failure.attempts = before.attempts.saturating_add(1);
                failure.wait();
                if failure.retry_at_ms.is_none() {
                    return before;
                }
            }
            _ => failure.wait(),
        }
        write_json(&self.failed, &FailureRecord { version: RECORD_VERSION, failure: failure.clone() });
        failure
    }

    fn forget(&self) {
        // They are derived; one that cannot be removed is looked at again, and is wrong then too.
        drop(marsh_fs::remove_file_if_exists(&self.good));
        drop(marsh_fs::remove_file_if_exists(&self.failed));
    }
}

/// Whether what was loaded last is still meant to be there.
struct Claims<'a> {
    loader: &'a Loader,
    /// `None`: not even the index can be made, so nothing is known to be removed.
    catalog: Option<&'a TypeCatalog>,
}

impl Claims<'_> {
    /// Why nothing declares a type that was there, unless it was removed on purpose.
    fn broken_base(&self, unit: &Unit) -> Option<LoadError> {
        unit.base.as_ref().and_then(|part| self.broken(part))
    }

    /// Why a graft that was there is missing from what is there now, unless it was removed on purpose.
    fn lost_method_extension(&self, before: &Unit, now: Option<&Unit>) -> Option<LoadError> {
        let is_there = |part: &&Part| {
            now.is_some_and(|now| now.method_extensions.iter().any(|one| one.entry == part.entry))
        };
        before.method_extensions.iter().filter(|part| !is_there(part)).find_map(|part| self.broken(part))
    }

    fn broken(&self, part: &Part) -> Option<LoadError> {
        let catalog = self.catalog?;
        match (part.root.origin, &part.root.extension) {
            (Origin::Pulled, Some(extension)) => self.broken_pulled(catalog, part, extension),
            _ => {
                let roots = crate::discover::source_roots(&self.loader.repo, part.root.kind).ok()?;
                if !roots.iter().any(|root| root.dir == part.root.dir) {
                    return None;
                }
                if let Some(problem) = problem_of(catalog, &part.entry) {
                    return Some(problem);
                }
                if std::fs::symlink_metadata(&part.entry).is_err() {
                    return Some(LoadError::Vanished { path: part.entry.clone() });
                }
                // A directory, or a link that leads nowhere.
                (!part.entry.is_file()).then(|| LoadError::BrokenSource {
                    path: part.entry.clone(),
                    diagnostic: Box::new(marsh_types::Diagnostic::unreadable(
                        &part.entry,
                        "expected a file, found a directory or a broken link",
                    )),
                })
            }
        }
    }

    fn broken_pulled(&self, catalog: &TypeCatalog, part: &Part, extension: &str) -> Option<LoadError> {
        if catalog.unrestored.iter().any(|name| name.as_str() == extension) {
            return Some(LoadError::NotRestored { extension: extension.to_owned() });
        }
        let installation = crate::lifecycle::installation(&self.loader.repo);
        let snapshot = installation.snapshot().ok()?;
        let name = marsh_types::ExtensionName::parse(extension).ok()?;
        let tree = installation.trees().tree(&snapshot.lockfile.get(&name)?.checksum?);
        problem_of(catalog, &tree.join(part.entry.strip_prefix(&part.root.base).ok()?))
    }
}

fn problem_of(catalog: &TypeCatalog, path: &Path) -> Option<LoadError> {
    let SourceProblem { path, diagnostic } = catalog.problems.iter().find(|problem| problem.path == path)?;
    Some(LoadError::BrokenSource { path: path.clone(), diagnostic: Box::new(diagnostic.clone()) })
}

impl LoadFailure {
    /// Whether the inputs that failed are still the inputs.
    fn stands(&self, catalog: Option<&TypeCatalog>) -> bool {
        let has_problem = |path: &Path| catalog.is_none_or(|catalog| problem_of(catalog, path).is_some());
        match &self.reason {
            Reason::Vanished => !self.entry.exists(),
            Reason::Source => has_problem(&self.entry) || (self.entry.exists() && !self.entry.is_file()),
            Reason::Parts => {
                !self.parts.is_empty()
                    && self.parts.iter().all(|part| {
                        let graph = marsh_bundle::import_graph(&part.entry, &part.root.base);
                        part.entry.exists() && marsh_bundle::fingerprint(&graph) == part.fingerprint
                    })
            }
            Reason::Index => catalog.is_none_or(|catalog| match self.code {
                ErrorCode::DuplicateType => catalog.find(self.kind, &self.type_name).len() > 1,
                ErrorCode::NotRestored => !catalog.unrestored.is_empty(),
                _ => false,
            }),
        }
    }
}
