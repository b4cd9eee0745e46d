//! The table of host operations: one row for each, with what a permission, a recording or a metric needs to know of it.
//!
//! A row can only be made by [`plain`] or [`start`], which take every column. The gate finds operations in
//! [`crate::host::TABLES`], those of a call in `host::calls::OWN`, and nowhere else.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::gate::{Args, Completer, Env, HostError, HostResult};
use crate::host;

/// What an operation can touch outside of its runtime, in the terms of Deno's permissions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Capability {
    /// The network.
    Net,
    /// Content and metadata of files.
    Read,
    /// Changes of files.
    Write,
    /// Environment variables.
    Env,
    /// Child processes, and signals to processes.
    Run,
    /// Facts about the machine and the process.
    Sys,
}

/// Operations that stay within their runtime, or speak to marsh alone, which has its own checks.
pub(crate) const NONE: &[Capability] = &[];
pub(crate) const NET: &[Capability] = &[Capability::Net];
pub(crate) const READ: &[Capability] = &[Capability::Read];
pub(crate) const WRITE: &[Capability] = &[Capability::Write];
/// The arguments decide which of the two, or both.
pub(crate) const READ_WRITE: &[Capability] = &[Capability::Read, Capability::Write];
pub(crate) const ENV: &[Capability] = &[Capability::Env];
pub(crate) const RUN: &[Capability] = &[Capability::Run];
pub(crate) const SYS: &[Capability] = &[Capability::Sys];

/// Whether an operation gives the same result for the same arguments in the same state of its runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Determinism {
    /// It does, and nothing outside of the runtime changes.
    Pure,
    /// It depends on the world: files, network, clock, random numbers.
    ReadsWorld,
    /// It changes the world, or tells it something.
    ChangesWorld,
}

/// What an operation spends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cost {
    /// Next to nothing.
    Instant,
    /// Processor time and memory that grow with its arguments.
    Compute,
    /// A call of the file system, which can block.
    Disk,
    /// Time in which something else works: the network, a child, the other side of the protocol.
    Wait,
}

pub(crate) type PlainFn = fn(&Env, &Args) -> HostResult;
pub(crate) type StartFn = fn(&Arc<Env>, Args, Completer) -> Result<(), HostError>;

/// How an operation runs.
#[derive(Clone, Copy)]
pub(crate) enum Run {
    /// To the end, on the calling thread; asynchronously on the blocking pool.
    Plain(PlainFn),
    /// Starts something that completes later.
    Start(StartFn),
}

/// A row of the table.
pub struct Operation {
    name: &'static str,
    capabilities: &'static [Capability],
    determinism: Determinism,
    cost: Cost,
    run: Run,
}

impl Operation {
    /// The name by which the surface calls it: `fs.readFile`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Everything that it may touch; empty for an operation that touches nothing.
    pub const fn capabilities(&self) -> &'static [Capability] {
        self.capabilities
    }

    /// Whether it can be repeated.
    pub const fn determinism(&self) -> Determinism {
        self.determinism
    }

    /// What it spends.
    pub const fn cost(&self) -> Cost {
        self.cost
    }

    pub(crate) const fn run(&self) -> Run {
        self.run
    }
}

impl std::fmt::Debug for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Operation")
            .field("name", &self.name)
            .field("capabilities", &self.capabilities)
            .field("determinism", &self.determinism)
            .field("cost", &self.cost)
            .finish_non_exhaustive()
    }
}

/// A row whose operation runs to its end.
pub(crate) const fn plain(
    name: &'static str,
    capabilities: &'static [Capability],
    determinism: Determinism,
    cost: Cost,
    run: PlainFn,
) -> Operation {
    Operation { name, capabilities, determinism, cost, run: Run::Plain(run) }
}

/// A row whose operation starts something.
pub(crate) const fn start(
    name: &'static str,
    capabilities: &'static [Capability],
    determinism: Determinism,
    cost: Cost,
    run: StartFn,
) -> Operation {
    Operation { name, capabilities, determinism, cost, run: Run::Start(run) }
}

/// Every operation, table by table; the operations of a call come last.
pub fn operations() -> impl Iterator<Item = &'static Operation> {
    shared().chain(host::calls::OWN)
}

/// The operations that all code of a runtime shares; those of a call are bound to it (`gate::bind`).
fn shared() -> impl Iterator<Item = &'static Operation> {
    host::TABLES.iter().flat_map(|table| table.iter())
}

pub(crate) fn find(name: &str) -> Option<&'static Operation> {
    static BY_NAME: LazyLock<HashMap<&'static str, &'static Operation>> =
        LazyLock::new(|| shared().map(|operation| (operation.name, operation)).collect());
    BY_NAME.get(name).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use super::*;

    fn source() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
    }

    fn files(dir: &Path, ending: &str, found: &mut Vec<(String, String)>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, ending, found);
            } else if path.extension().is_some_and(|own| own == ending) {
                let name = path.strip_prefix(source()).unwrap().to_string_lossy().into_owned();
                found.push((name, std::fs::read_to_string(&path).unwrap()));
            }
        }
    }

    fn sources(ending: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        files(&source(), ending, &mut found);
        found
    }

    #[test]
    fn operations_have_names_of_their_own() {
        let names: Vec<&str> = operations().map(Operation::name).collect();
        let distinct: BTreeSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), distinct.len());
    }

    #[test]
    fn capabilities_and_determinism_of_an_operation_agree() {
        for operation in operations() {
            let (capabilities, determinism) = (operation.capabilities(), operation.determinism());
            let topic = operation.name().split('.').next().unwrap();
            match topic {
                "fs" | "file" => assert!(
                    capabilities.iter().all(|one| matches!(one, Capability::Read | Capability::Write))
                        && (!capabilities.is_empty() || operation.name() == "file.close"),
                    "{operation:?}"
                ),
                "fetch" | "socket" | "dns" | "websocket" | "serve" => {
                    assert_eq!(capabilities, NET, "{operation:?}")
                }
                "sqlite" => assert!(capabilities == READ_WRITE || capabilities == NONE, "{operation:?}"),
                "process" => assert_eq!(capabilities, RUN, "{operation:?}"),
                "env" => assert_eq!(capabilities, ENV, "{operation:?}"),
                "os" => assert_eq!(capabilities, SYS, "{operation:?}"),
                _ => assert_eq!(capabilities, NONE, "{operation:?}"),
            }
            if capabilities.contains(&Capability::Write) {
                assert_eq!(determinism, Determinism::ChangesWorld, "{operation:?}");
            }
            if determinism == Determinism::Pure {
                assert!(capabilities.is_empty(), "{operation:?}");
                assert!(matches!(operation.cost(), Cost::Instant | Cost::Compute), "{operation:?}");
            }
        }
    }

    /// Native functions: two of the gate, two that it binds to each call, and the one that evaluates parts of the surface.
    #[test]
    fn native_functions_are_made_by_the_gate_alone() {
        let makers =
            ["Function::new(", "Func::new(", "Func::from(", "MutFn::", "OnceFn::", "Async(", "JS_NewC"];
        let mut made = Vec::new();
        for (name, text) in sources("rs") {
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            let count: usize = makers.iter().map(|maker| text.matches(maker).count()).sum();
            if count > 0 {
                made.push((name, count));
            }
        }
        made.sort();
        assert_eq!(made, [("gate/mod.rs".to_owned(), 4), ("thread.rs".to_owned(), 1)]);
    }

    #[test]
    fn rows_are_made_in_the_tables_alone() {
        for (name, text) in sources("rs") {
            let made = text.contains("Operation {") && !name.starts_with("gate/");
            assert!(!made, "{name} makes a row without its columns");
            let table = text.contains("OPERATIONS: &[Operation]");
            let module = name.trim_start_matches("host/").trim_end_matches(".rs");
            if table && name.starts_with("host/") && name != "host/mod.rs" {
                let tables = std::fs::read_to_string(source().join("host/mod.rs")).unwrap();
                assert!(tables.contains(&format!("{module}::OPERATIONS,")), "{name} is not in TABLES");
            }
        }
    }

    /// Names that the surface passes to `call` and `start` as literals.
    #[test]
    fn the_surface_calls_operations_of_the_table() {
        let mut called = BTreeSet::new();
        let mut all = String::new();
        for (_, text) in sources("js") {
            for opening in ["call(\"", "start(\""] {
                for (at, _) in text.match_indices(opening) {
                    // Methods named `call` and `start` are others.
                    let own = text[..at]
                        .chars()
                        .next_back()
                        .is_none_or(|before| !matches!(before, '.' | '_') && !before.is_alphanumeric());
                    let name = text[at + opening.len()..].split('"').next().unwrap_or_default();
                    if own {
                        called.insert(name.to_owned());
                    }
                }
            }
            all.push_str(&text);
        }
        for name in &called {
            let known = operations().any(|operation| operation.name() == name);
            assert!(known, "the surface calls {name}, which is not in the table");
        }
        for operation in operations() {
            let quoted = format!("\"{}\"", operation.name());
            let (topic, rest) = operation.name().split_once('.').unwrap_or((operation.name(), ""));
            let built = all.contains(&format!("`{topic}.${{")) || all.contains(&format!("\"{rest}\""));
            assert!(all.contains(&quoted) || built, "{} is not called by the surface", operation.name());
        }
    }
}
