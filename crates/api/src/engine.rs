//! Documents about the engines that run extension code.

use std::path::PathBuf;

use marsh_types::EngineKind;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The engines on this machine, and how one is chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EngineList {
    /// The embedded engine, then every Deno in the order in which they are used.
    pub engines: Vec<EngineRow>,
    /// The engine that the command, its environment or the repository asks for; absent: chosen by need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<EngineKind>,
    /// Who asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected_by: Option<EngineSelector>,
    /// The oldest Deno that marsh runs code with.
    pub minimum_deno: String,
}

/// Who asks for an engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EngineSelector {
    /// `--engine` or `MARSH_ENGINE`.
    Command,
    /// The marker of the repository.
    Repository,
}

/// An engine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EngineRow {
    /// Which one.
    pub engine: EngineKind,
    /// Its version; null: the program does not say one.
    pub version: Option<String>,
    /// Where it comes from.
    pub origin: EngineOrigin,
    /// The program; absent for the embedded engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
    /// Whether marsh can run code with it.
    pub usable: bool,
    /// Whether marsh uses it where an engine of this name is wanted.
    pub used: bool,
}

/// Where an engine comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EngineOrigin {
    /// It is part of marsh.
    Embedded,
    /// `marsh engine install` brought it.
    Installed,
    /// It is on `PATH`.
    Path,
}

/// A Deno was installed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct EngineInstalled {
    /// Its version.
    pub version: String,
    /// The program.
    pub program: PathBuf,
    /// `false`: it was installed already.
    pub installed: bool,
    /// The npm package that it came from.
    pub package: String,
    /// The digest of that package, which was verified; absent when nothing was fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub integrity: Option<String>,
}

/// Denos that marsh had installed were removed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct EnginesRemoved {
    /// Their versions.
    pub removed: Vec<String>,
}
