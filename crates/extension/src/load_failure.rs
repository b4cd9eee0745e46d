//! A load that failed, as records keep it and listings show it. Data only: `loader/history.rs` makes it from an error.

use std::fmt;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use marsh_types::{ErrorCode, Kind, TypeName};
use serde::{Deserialize, Serialize};

use crate::part::Part;

/// The first and the longest wait before a cause that can disappear by itself is tried again.
const FIRST_WAIT_MS: u64 = 1_000;
const LONGEST_WAIT_MS: u64 = 60_000;

/// Why a version could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadFailure {
    /// The kind of the type.
    pub kind: Kind,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: TypeName,
    /// Which stage failed.
    pub state: LoadFailureState,
    /// The error's code.
    pub code: ErrorCode,
    /// The error's message.
    pub message: String,
    /// The source file that the error is about.
    pub entry: PathBuf,
    /// The file of the first diagnostic.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The line of the first diagnostic, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// What the author can do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// When these inputs failed first, in ISO 8601 with milliseconds.
    pub since: String,
    /// How often these inputs were tried.
    pub attempts: u32,
    /// When a load tries the same inputs again, in milliseconds since 1970; `None`: only after an edit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at_ms: Option<u64>,
    /// The version that failed; `None`: the sources gave no version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    pub(crate) reason: FailureInputs,
    #[serde(default)]
    pub(crate) parts: Vec<Part>,
    pub(crate) transient: bool,
}

/// Which stage of a load failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoadFailureState {
    /// The bundler refused the sources.
    BundleBuildFailed,
    /// The code cannot be loaded, breaks its contract, or two sources declare one name.
    ValidationFailed,
    /// A source or the tree of an installed extension cannot be read.
    EntryPointUnreadable,
    /// A source that was there is gone.
    SourceVanished,
}

impl LoadFailureState {
    /// The name of the state, as JSON has it.
    pub fn as_str(self) -> &'static str {
        match self {
            LoadFailureState::BundleBuildFailed => "BundleBuildFailed",
            LoadFailureState::ValidationFailed => "ValidationFailed",
            LoadFailureState::EntryPointUnreadable => "EntryPointUnreadable",
            LoadFailureState::SourceVanished => "SourceVanished",
        }
    }
}

impl fmt::Display for LoadFailureState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The inputs that a failure depends on: while they are the same, it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FailureInputs {
    /// The code of the parts.
    Parts,
    /// A source that cannot be read.
    Source,
    /// A source that is gone.
    Vanished,
    /// Two sources that declare the type.
    Duplicate,
    /// An installed extension without its tree.
    Unrestored,
    /// Files that all types depend on; nothing to compare.
    Everything,
}

impl LoadFailure {
    /// Whether the cause can disappear without a change of the inputs.
    pub fn is_transient(&self) -> bool {
        self.transient
    }

    /// The inputs that the failure depends on.
    pub fn inputs(&self) -> FailureInputs {
        self.reason
    }

    /// The entry points of the version that failed.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Whether these inputs may be tried: other inputs at once, the same ones when their wait is over.
    pub(crate) fn may_be_tried(&self, fingerprint: &str) -> bool {
        self.fingerprint.as_deref() != Some(fingerprint) || self.retry_at_ms.is_some_and(|at| at <= now_ms())
    }

    pub(crate) fn has_cause_of(&self, other: &LoadFailure) -> bool {
        (&self.fingerprint, &self.code, &self.message) == (&other.fingerprint, &other.code, &other.message)
    }

    /// Sets when the next try is due.
    pub(crate) fn schedule_retry(&mut self) {
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
