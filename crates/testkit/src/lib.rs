//! A harness for tests of the shipped binary: scratch repositories, runs of `marsh` in a clean environment, stable
//! snapshots of the output, and checks for processes and files that are left.
//!
//! Tests run the binary that users run. This crate links only the parts of marsh that pack and publish, to make extensions
//! that the binary then installs. Cargo sets `CARGO_BIN_EXE_marsh` only for the integration tests of the crate that builds
//! the binary, so they pass the path:
//!
//! ```text
//! let repo = Scratch::repo(env!("CARGO_BIN_EXE_marsh"));
//! repo.write("extensions/models/a.ts", "export const model = …");
//! let run = repo.marsh(&["--json", "model", "type", "search"]).ok();
//! assert_eq!(run.json()["results"][0]["normalized"], "@me/a");
//! ```
//!
//! Every failure is a panic: if the harness fails, the test fails.

#![warn(missing_docs)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "test harness: a failure here is a failure of the test, and scratch files need no durability"
)]

mod data;
mod data_stress;
#[cfg(feature = "documents")]
mod documents;
mod extensions;
mod filter;
mod fresh;
mod kinds;
mod power;
mod process;
mod registry;
mod run;
mod scratch;
mod serve;
mod stress;
mod workflow_kill;

pub use data::assert_no_half_written;
pub use data_stress::{DataReport, DataStress};
#[cfg(feature = "documents")]
pub use documents::{ALIASES, WITHOUT_DOCUMENT, command_words, documents_of, schema_errors};
pub use extensions::{ExtensionRegistry, Package, stress_packages};
pub use filter::Filters;
pub use fresh::{Freshness, FreshnessReport, client as freshness_client};
pub use kinds::{EVERY_KIND, KindSource, write_surroundings};
pub use power::{Disk, Loss};
pub use process::{Running, kill, processes_with_marker};
pub use registry::EmptyRegistry;
pub use run::Run;
pub use scratch::{Scratch, Seen};
pub use serve::{
    Connection, Expect, ExtensionProcess, Memory, ModuleVersion, ballast, large_model, resident_bytes,
};
pub use stress::{Stress, StressReport, look_at};
pub use workflow_kill::{KillReport, WorkflowKills};

use std::time::{Duration, Instant};

/// How long a test waits for an event on the slowest machine. Only failing tests wait this long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Calls `look` until it returns `Some`. A sleep would hide a race or waste time.
///
/// # Panics
/// If `look` still returns `None` after [`PATIENCE`].
pub fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what}: nothing after {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(5));
    }
}
