//! Module versions: the code that a host loads, and its report about the code that it holds.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A package that the bundle leaves to the host, e.g. zod in the pinned version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct External {
    /// The specifier that the bundle imports, such as `npm:zod@4.3.6`.
    pub specifier: String,
    /// The SHA-256 of the module's text, in hexadecimal digits.
    pub sha256: String,
    /// A file that should hold the package as one module: a hint, which the host verifies by the digest.
    pub path: PathBuf,
}

/// What one module version may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Bytes of JavaScript heap, array buffers included.
    pub memory_bytes: u64,
    /// Bytes of native stack for JavaScript.
    pub stack_bytes: u64,
    /// Bytes of output, log messages, events and result of one call.
    pub output_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { memory_bytes: 512 << 20, stack_bytes: 1 << 20, output_bytes: 8 << 20 }
    }
}

/// The engine of a module version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleEngine {
    /// The engine that every host has.
    #[default]
    Embedded,
    /// A Deno process for the module version.
    Deno(DenoProgram),
}

impl ModuleEngine {
    /// Whether it is the engine that every host has.
    pub fn is_embedded(&self) -> bool {
        matches!(self, ModuleEngine::Embedded)
    }

    /// Name and version of an engine that is not the embedded one: `deno 2.9.6`.
    pub fn other_name(&self) -> Option<String> {
        match self {
            ModuleEngine::Embedded => None,
            ModuleEngine::Deno(deno) => Some(format!("deno {}", deno.version)),
        }
    }
}

/// A Deno on the machine of the parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DenoProgram {
    /// The program. A host elsewhere that has no such file uses the one on its own `PATH`.
    pub program: PathBuf,
    /// Its version, such as `2.9.6`.
    pub version: String,
}

/// A module version. The URL is its identity everywhere; its code is named by digest. A host that finds no file with that
/// digest asks for the bytes (`module/get`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModuleRef {
    /// `file:///…/bundle.js?fp=<fingerprint>`
    pub url: String,
    /// The SHA-256 of the module's text, in hexadecimal digits.
    pub sha256: String,
    /// A file that should hold the module: a hint, which the host verifies by the digest.
    pub path: PathBuf,
    /// Packages that the module imports from the host.
    #[serde(default)]
    pub externals: Vec<External>,
    /// What its runtime may use.
    #[serde(default)]
    pub limits: Limits,
    /// What runs it.
    #[serde(default, skip_serializing_if = "ModuleEngine::is_embedded")]
    pub engine: ModuleEngine,
}

impl ModuleRef {
    /// The file that should hold the code of this digest, if it is part of the module version.
    pub fn path_of(&self, sha256: &str) -> Option<&Path> {
        if self.sha256 == sha256 {
            return Some(&self.path);
        }
        self.externals
            .iter()
            .find(|external| external.sha256 == sha256)
            .map(|external| external.path.as_path())
    }
}

/// The answer to `stats`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostStats {
    /// Name and version of the engine.
    pub engine: String,
    /// The host's process id, in its own name space.
    pub pid: u32,
    /// Bytes of memory that are resident, where the system tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rss_bytes: Option<u64>,
    /// Runtimes since the host's start.
    pub runtimes_started: u64,
    /// Runtimes whose threads have ended.
    pub runtimes_ended: u64,
    /// Bytes that ended engines had not freed.
    pub leaked_bytes: u64,
    /// Every living runtime, draining ones included.
    pub modules: Vec<ModuleStats>,
}

/// One living runtime.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModuleStats {
    /// The URL of its module version.
    pub url: String,
    /// The runtime's number in this host. Equal numbers are the very same module version.
    pub instance: u64,
    /// Whether it takes new calls.
    pub state: ModuleState,
    /// Bytes of JavaScript heap.
    pub heap_bytes: u64,
    /// Calls since its start.
    pub calls: u64,
    /// Calls without an answer yet.
    pub in_flight: u64,
}

/// Whether a runtime takes new calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModuleState {
    /// It takes the new calls of its URL.
    Serving,
    /// It takes no new calls and ends with its last one.
    Draining,
}
