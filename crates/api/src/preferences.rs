//! Documents about the user's settings and the program's updates.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The user's settings, by key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PreferenceList(pub BTreeMap<String, String>);

/// One of the user's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Preference {
    /// The key.
    pub key: String,
    /// The value.
    pub value: String,
}

/// Whether there is a newer version of the program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpdateCheck {
    /// The answer.
    pub status: UpdateState,
    /// The version of this program.
    pub current_version: String,
    /// What the answer does not cover.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warning: Option<String>,
}

/// Whether a program is the newest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum UpdateState {
    /// No newer version is known.
    UpToDate,
}

/// The program's documentation on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ProgramSource {
    /// `found`, `not_found` or `cleaned`.
    pub status: ProgramSourceState,
    /// The directory; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The version of the program.
    pub version: String,
    /// Where the documentation is, for people.
    pub message: String,
}

/// Whether the program's sources are on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProgramSourceState {
    /// They are.
    Found,
    /// They are not.
    NotFound,
}
