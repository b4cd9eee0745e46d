//! Stage 5: the record of what loaded last and of what failed since.
//!
//! For each type there are two derived files: the parts of the version that loaded last (`good`), and what went wrong
//! since (`failed`). They are read at the moment of use, so that every process serves the same. Deleting them forgets
//! history, never an answer that the sources give. A version is recorded as good only after it was built, loaded and
//! checked, under its own fingerprint: a failure never attaches a name to other bytes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use marsh_bundle::BundleError;
use marsh_host_client::{ErrorKind, HostError};
use marsh_repo::Layout;
use marsh_types::time::iso_millis;
use marsh_types::{Diagnostic, Digest, Explain as _, Kind, TypeName, ignore};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::files::{read_json, write_json};
use super::parts::VersionParts;
use crate::error::LoadError;
use crate::load_failure::{FailureInputs, LoadFailure, LoadFailureState};
use crate::stat::Stat;

/// The version of good records.
const GOOD_VERSION: u32 = 1;
/// The version of records of failures.
const FAILURE_VERSION: u32 = 2;

#[derive(Debug, Serialize, Deserialize)]
struct GoodRecord {
    version: u32,
    since: String,
    unit: VersionParts,
}

#[derive(Debug, Serialize, Deserialize)]
struct FailureRecord {
    version: u32,
    failure: LoadFailure,
}

/// The good records of a process, each with the stat of its file when it was read.
type ReadRecords = Mutex<HashMap<(Kind, TypeName), (Stat, VersionParts)>>;

/// The load records of a repository.
#[derive(Debug)]
pub(super) struct History {
    dir: PathBuf,
    read: ReadRecords,
}

impl History {
    pub(super) fn of(layout: &Layout) -> History {
        History { dir: layout.derived().join("loads"), read: Mutex::default() }
    }

    /// The records of one type.
    pub(super) fn of_type(&self, kind: Kind, type_name: &TypeName) -> TypeHistory<'_> {
        let name = Digest::of(format!("{kind} {type_name}").as_bytes()).to_hex();
        TypeHistory {
            history: self,
            kind,
            type_name: type_name.clone(),
            good: self.dir.join(format!("{}.good.json", &name[..32])),
            failed: self.dir.join(format!("{}.failed.json", &name[..32])),
        }
    }

    /// The versions that loaded last, of all types.
    pub(super) fn good_versions(&self) -> Vec<VersionParts> {
        let records = self.all::<GoodRecord>("good");
        records
            .into_iter()
            .filter(|record| record.version == GOOD_VERSION)
            .map(|record| record.unit)
            .collect()
    }

    /// The failures since then, of all types.
    pub(super) fn failures(&self) -> Vec<LoadFailure> {
        let records = self.all::<FailureRecord>("failed");
        records
            .into_iter()
            .filter(|record| record.version == FAILURE_VERSION)
            .map(|record| record.failure)
            .collect()
    }

    fn all<T: DeserializeOwned>(&self, what: &str) -> Vec<T> {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return Vec::new() };
        let suffix = format!(".{what}.json");
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.retain(|path| path.to_string_lossy().ends_with(&suffix));
        paths.sort();
        paths.iter().filter_map(|path| read_json(path)).collect()
    }
}

/// The two records of a type.
#[derive(Debug)]
pub(super) struct TypeHistory<'a> {
    history: &'a History,
    kind: Kind,
    type_name: TypeName,
    good: PathBuf,
    failed: PathBuf,
}

impl TypeHistory<'_> {
    /// The version that loaded last. Read again whenever its file changed.
    pub(super) fn good(&self) -> Option<VersionParts> {
        let stat = Stat::of(&self.good)?;
        let key = (self.kind, self.type_name.clone());
        let mut known = self.history.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((then, parts)) = known.get(&key)
            && *then == stat
        {
            return Some(parts.clone());
        }
        let record = read_json::<GoodRecord>(&self.good)?;
        let ours = record.unit.kind == self.kind && record.unit.type_name == self.type_name;
        if record.version != GOOD_VERSION || !ours {
            return None;
        }
        known.insert(key, (stat, record.unit.clone()));
        Some(record.unit)
    }

    /// What failed since.
    pub(super) fn failure(&self) -> Option<LoadFailure> {
        let record = read_json::<FailureRecord>(&self.failed)?;
        let ours = record.failure.kind == self.kind && record.failure.type_name == self.type_name;
        (record.version == FAILURE_VERSION && ours).then_some(record.failure)
    }

    /// Commits a version that loaded. `before` is what the record named when the load began.
    pub(super) fn commit(&self, before: Option<&VersionParts>, parts: &VersionParts) {
        // Another thread may have loaded the same at the same moment.
        if before != Some(parts) && self.good().as_ref() != Some(parts) {
            let since = iso_millis(jiff::Timestamp::now());
            write_json(&self.good, &GoodRecord { version: GOOD_VERSION, since, unit: parts.clone() });
            // Read it again: another process may have written between the two.
            self.good();
        }
        if self.failed.exists() {
            remove(&self.failed);
        }
    }

    /// Records a failure; once for the same inputs and the same cause, unless it is due for another try.
    pub(super) fn record_failure(&self, error: &LoadError, parts: Option<&VersionParts>) -> LoadFailure {
        let mut failure = failure_of(self.kind, &self.type_name, error, parts);
        match self.failure() {
            Some(before) if before.has_cause_of(&failure) => {
                failure.since.clone_from(&before.since);
                failure.attempts = before.attempts.saturating_add(1);
                failure.schedule_retry();
                if failure.retry_at_ms.is_none() {
                    return before;
                }
            }
            _ => failure.schedule_retry(),
        }
        write_json(&self.failed, &FailureRecord { version: FAILURE_VERSION, failure: failure.clone() });
        failure
    }

    /// Forgets the type.
    pub(super) fn forget(&self) {
        remove(&self.good);
        remove(&self.failed);
    }
}

fn remove(record: &Path) {
    ignore(
        marsh_fs::remove_file_if_exists(record),
        "a load record is derived: one that stays is compared with the sources at its next use",
    );
}

/// The failure that an error is recorded as.
fn failure_of(
    kind: Kind,
    type_name: &TypeName,
    error: &LoadError,
    parts: Option<&VersionParts>,
) -> LoadFailure {
    let diagnostic = error.diagnostics().first();
    let fingerprint = parts.map(VersionParts::fingerprint);
    let reason = match error {
        LoadError::Vanished { .. } => FailureInputs::Vanished,
        LoadError::BrokenSource { .. } => FailureInputs::Source,
        _ if fingerprint.is_some() => FailureInputs::Parts,
        LoadError::DuplicateType { .. } => FailureInputs::Duplicate,
        LoadError::NotRestored { .. } => FailureInputs::Unrestored,
        _ => FailureInputs::Everything,
    };
    let entry = error.entry().or_else(|| parts.map(VersionParts::main_entry));
    LoadFailure {
        kind,
        type_name: type_name.clone(),
        state: state_of(error),
        code: error.code(),
        message: match diagnostic {
            Some(diagnostic) => format!("{error}: {diagnostic}"),
            None => error.to_string(),
        },
        entry: entry.unwrap_or_default(),
        file: diagnostic.and_then(|diagnostic| diagnostic.file.clone()),
        line: diagnostic.and_then(|diagnostic| diagnostic.line),
        hint: error.hint(),
        since: iso_millis(jiff::Timestamp::now()),
        attempts: 1,
        retry_at_ms: None,
        fingerprint,
        reason,
        parts: parts.map(|parts| parts.parts().cloned().collect()).unwrap_or_default(),
        transient: is_transient(error),
    }
}

fn state_of(error: &LoadError) -> LoadFailureState {
    match error {
        LoadError::Vanished { .. } => LoadFailureState::SourceVanished,
        LoadError::BrokenSource { diagnostic, .. } if diagnostic.is_unreadable() => {
            LoadFailureState::EntryPointUnreadable
        }
        LoadError::NotRestored { .. } | LoadError::Read { .. } => LoadFailureState::EntryPointUnreadable,
        LoadError::TreeChanged { .. } | LoadError::TreeChangedMeanwhile { .. } => {
            LoadFailureState::ValidationFailed
        }
        LoadError::Host { .. }
        | LoadError::Description { .. }
        | LoadError::TypeChanged { .. }
        | LoadError::MethodConflict { .. }
        | LoadError::DuplicateType { .. } => LoadFailureState::ValidationFailed,
        _ => LoadFailureState::BundleBuildFailed,
    }
}

/// Whether a cause can disappear without an edit: the network, the disk, the machine; never what the code itself does.
fn is_transient(error: &LoadError) -> bool {
    match error {
        LoadError::Bundle { source: BundleError::Diagnostics(list), .. } => {
            list.iter().any(Diagnostic::is_transient)
        }
        LoadError::Bundle { .. } => true,
        LoadError::Host { source: HostError::Call(error), .. } => error.kind == ErrorKind::Internal,
        LoadError::Host { .. } | LoadError::Fs(_) | LoadError::Read { .. } | LoadError::Store(_) => true,
        _ => false,
    }
}
