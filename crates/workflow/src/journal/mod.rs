//! The journal of a run: everything that happened to it, one line per fact, and nothing else.
//!
//! **The state of a run is the fold of its journal.** The scheduler ([`crate::machine`]) and the record
//! ([`crate::record`]) are two folds of the same facts, so a run that was killed at any moment goes on from what its
//! journal says: replay is resumption. From this follow the invariants, each with its test:
//!
//! * A fact counts when its line is whole. What a killed writer left behind the last line break never happened
//!   (`file.rs`: `line_without_its_end_is_cut_off`).
//! * The end of a step is on disk before code runs of anything that depends on it, so no finished step runs again
//!   (`sync.rs`, `machine/tests.rs`: `a_run_that_stopped_anywhere_goes_on_and_repeats_nothing_finished`; the binary's
//!   `tests/it/workflow_kill.rs`).
//! * One process writes: the holder of the kernel lock of the run. No other process changes it, so a status is
//!   never guessed by an observer (`tests/it/resume.rs`).
//! * Facts name jobs and steps as the file does. A run resumed with an edited file keeps what was decided about the steps
//!   that are still there.

mod fact;
mod file;
mod sync;

pub use fact::{
    ApprovalDecision, AssertResult, Fact, Item, JobOutline, Line, Output, SkipReason, Started, StepCode,
    StepEnd, StepKey,
};
pub(crate) use file::{Journal, read};
pub(crate) use sync::OnDisk;
