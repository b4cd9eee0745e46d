//! A load that failed, as it is recorded and shown.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use marsh_bundle::{BundleError, Diagnostic};
use marsh_host::{ErrorKind, HostError};
use marsh_types::time::iso_millis;
use marsh_types::{ErrorCode, Explain as _, Kind, TypeName};
use serde::{Deserialize, Serialize};

use super::unit::Part;
use crate::error::LoadError;

/// The first and the longest wait before a cause that may go by itself is tried again.
const FIRST_WAIT_MS: u64 = 1_000;
const LONGEST_WAIT_MS: u64 = 60_000;

/// Why a version could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadFailure {
    pub kind: Kind,
    #[serde(rename = "type")]
    pub type_name: TypeName,
    /// `BundleBuildFailed`, `ValidationFailed`, `EntryPointUnreadable` or `SourceVanished`.
    pub state: String,
    /// The error's stable code.
    pub code: ErrorCode,
    /// The error's words.
    pub message: String,
    /// The source that it is about.
    pub entry: PathBuf,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// When these inputs failed first.
    pub since: String,
    pub attempts: u32,
    /// When it is tried again although nothing changed; never, without a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at_ms: Option<u64>,
    /// What failed; without one there was nothing to give a fingerprint to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    pub(super) reason: Reason,
    #[serde(default)]
    pub(super) parts: Vec<Part>,
    transient: bool,
}

/// What a failure depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Reason {
    /// The code of the parts.
    Parts,
    /// A source that cannot be read.
    Source,
    /// A source that is gone.
    Vanished,
    /// The index of everything.
    Index,
}

impl LoadFailure {
    pub(super) fn new(
        kind: Kind,
        type_name: &TypeName,
        error: &LoadError,
        fingerprint: Option<String>,
        parts: Vec<Part>,
    ) -> LoadFailure {
        let diagnostic = diagnostic(error);
        let reason = match error {
            LoadError::Vanished { .. } => Reason::Vanished,
            LoadError::BrokenSource { .. } => Reason::Source,
            _ if fingerprint.is_some() => Reason::Parts,
            _ => Reason::Index,
        };
        let entry = entry(error).or_else(|| parts.first().map(|part| part.entry.clone()));
        LoadFailure {
            kind,
            type_name: type_name.clone(),
            state: state(error).to_owned(),
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
            parts,
            transient: is_transient(error),
        }
    }

    /// Whether the cause may go without a change of the inputs.
    pub fn is_transient(&self) -> bool {
        self.transient
    }

    /// Whether these inputs may be tried: other inputs at once, the same ones when their wait is over.
    pub(super) fn may_be_tried(&self, fingerprint: &str) -> bool {
        self.fingerprint.as_deref() != Some(fingerprint) || self.retry_at_ms.is_some_and(|at| at <= now_ms())
    }

    pub(super) fn is_same_cause(&self, other: &LoadFailure) -> bool {
        (&self.fingerprint, &self.code, &self.message) == (&other.fingerprint, &other.code, &other.message)
    }

    /// Sets when the next try is due.
    pub(super) fn wait(&mut self) {
        if self.transient {
            let doubled = FIRST_WAIT_MS << (self.attempts.saturating_sub(1)).min(10);
            self.retry_at_ms = Some(now_ms() + doubled.min(LONGEST_WAIT_MS));
        }
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn diagnostic(error: &LoadError) -> Option<&Diagnostic> {
    match error {
        LoadError::BrokenSource { diagnostic, .. } => Some(diagnostic),
        error => error.diagnostics().first(),
    }
}

fn entry(error: &LoadError) -> Option<PathBuf> {
    match error {
        LoadError::Bundle { entry, .. }
        | LoadError::Host { entry, .. }
        | LoadError::Description { entry, .. } => Some(entry.clone()),
        LoadError::BrokenSource { path, .. }
        | LoadError::Vanished { path }
        | LoadError::TypeChanged { path, .. }
        | LoadError::Yaml { path, .. }
        | LoadError::Read { path, .. } => Some(path.clone()),
        LoadError::DuplicateType { second, .. } | LoadError::MethodConflict { second, .. } => {
            Some(second.clone())
        }
        _ => None,
    }
}

fn state(error: &LoadError) -> &'static str {
    match error {
        LoadError::Vanished { .. } => "SourceVanished",
        LoadError::BrokenSource { diagnostic, .. } if diagnostic.is_unreadable() => "EntryPointUnreadable",
        LoadError::NotRestored { .. } | LoadError::Read { .. } => "EntryPointUnreadable",
        LoadError::Host { .. }
        | LoadError::Description { .. }
        | LoadError::TypeChanged { .. }
        | LoadError::MethodConflict { .. }
        | LoadError::DuplicateType { .. } => "ValidationFailed",
        _ => "BundleBuildFailed",
    }
}

/// Whether a cause may go without an edit: the network, the disk, the machine; never what the code itself does.
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
