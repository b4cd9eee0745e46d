//! The names that sources import by: packages with their requirements, and built-in modules.

use deno_semver::VersionReq;
use deno_semver::npm::NpmPackageReqReference;

use crate::jsr;

/// A package requirement with the path inside the package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NpmRef {
    pub name: String,
    pub req: VersionReq,
    /// Empty, or `sub/path`.
    pub sub: String,
}

impl NpmRef {
    pub(crate) fn parse(specifier: &str) -> Option<Self> {
        let reference = NpmPackageReqReference::from_str(specifier).ok()?.into_inner();
        Some(Self {
            name: reference.req.name.to_string(),
            req: reference.req.version_req,
            sub: reference.sub_path.map(|sub| sub.to_string()).unwrap_or_default(),
        })
    }

    /// `name@req`, the requirement alone.
    pub(crate) fn requirement(&self) -> String {
        format!("{}@{}", self.name, self.req.version_text())
    }
}

impl std::fmt::Display for NpmRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match jsr::original(&self.name) {
            Some(name) => write!(f, "jsr:{name}@{}", self.req.version_text())?,
            None => write!(f, "npm:{}", self.requirement())?,
        }
        if self.sub.is_empty() { Ok(()) } else { write!(f, "/{}", self.sub) }
    }
}

/// `@scope/name/sub/path` to (`@scope/name`, `sub/path`).
pub(crate) fn split_bare(specifier: &str) -> (&str, &str) {
    let slashes = if specifier.starts_with('@') { 2 } else { 1 };
    match specifier.match_indices('/').nth(slashes - 1) {
        Some((at, _)) => (&specifier[..at], &specifier[at + 1..]),
        None => (specifier, ""),
    }
}

/// Modules of node that need no prefix. Those that came later (`node:test`, `node:sqlite`) have no other name.
const BUILTINS: [&str; 42] = [
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "repl",
    "stream",
    "string_decoder",
    "sys",
    "timers",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
];

const BUILTIN_PARTS: [&str; 12] = [
    "assert/strict",
    "dns/promises",
    "fs/promises",
    "inspector/promises",
    "path/posix",
    "path/win32",
    "readline/promises",
    "stream/consumers",
    "stream/promises",
    "stream/web",
    "timers/promises",
    "util/types",
];

pub(crate) fn is_builtin(specifier: &str) -> bool {
    BUILTINS.contains(&specifier) || BUILTIN_PARTS.contains(&specifier)
}
