//! Command lines as child processes, under limits of time and output.
//!
//! [`Executor`] is the interface: a command line, its limits, a way to stop it, and a receiver for what it prints.
//! [`LocalExecutor`] implements it with processes of this machine; another place to run commands implements the same.
//!
//! Invariants:
//! * Output is read in chunks of at most 16 KB through a queue of 16, whatever its lines are, so a command can print
//!   without end and take no memory (`a_flood_of_output_is_dropped_beyond_the_limit`, `an_endless_line_takes_no_memory`).
//! * The deadline and the request to stop are looked at before each chunk, so output cannot delay them
//!   (`a_flood_of_output_does_not_delay_the_deadline`).
//! * A command that is stopped ends with everything that it started, sessions of their own included: its process group
//!   everywhere, and on Linux every process that descends from it or carries its mark in the environment
//!   (`a_child_in_a_session_of_its_own_is_killed`). A process that changes its user or clears its environment after its
//!   parent has ended escapes.
//! * A signal goes to a number only while its process is not reaped or held by a pidfd, so it cannot reach a process that
//!   was given the number later.

#![warn(missing_docs)]

mod local;
// cfg: survivors are found in /proc; elsewhere the process group is all that is killed
// cfg: survivors are found in /proc; elsewhere the process group is all that is killed
// cfg: survivors are found in /proc; elsewhere the process group is all that is killed
#[cfg(target_os = "linux")]
mod survivors;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

pub use local::{LocalExecutor, kill_all};

/// A command line for `sh -c`.
#[derive(Debug, Clone, Default)]
pub struct CommandLine {
    /// The text that the shell runs.
    pub script: String,
    /// Where it runs; `None`: the current directory.
    pub directory: Option<PathBuf>,
    /// Variables beside those of this process.
    pub env: BTreeMap<String, String>,
    /// Whether standard error goes nowhere.
    pub discard_stderr: bool,
}

/// What a command may take.
#[derive(Debug, Clone, Copy)]
pub struct CommandLimits {
    /// How long it may run.
    pub deadline: Duration,
    /// Bytes of output that are handed on, both streams together. The rest is read and dropped.
    pub output_bytes: u64,
}

impl CommandLimits {
    /// Bytes of output that one call keeps, as for calls into a host.
    pub const OUTPUT_BYTES: u64 = 8 << 20;
}

/// Where a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl OutputStream {
    /// `stdout` or `stderr`.
    pub fn as_str(self) -> &'static str {
        match self {
            OutputStream::Stdout => "stdout",
            OutputStream::Stderr => "stderr",
        }
    }
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this code; 128 and its number for a signal.
    Code(i32),
    /// It was stopped at its deadline.
    TimedOut,
    /// It was stopped on request, for this reason.
    Stopped(String),
}

/// A command that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// How it ended.
    pub exit: Exit,
    /// How long it ran, until its output was read.
    pub duration: Duration,
    /// Bytes of standard output that were dropped beyond the limit.
    pub dropped_stdout: u64,
    /// Bytes of standard error that were dropped beyond the limit.
    pub dropped_stderr: u64,
}

/// Runs command lines under limits.
pub trait Executor: std::fmt::Debug + Send + Sync {
    /// Runs a command line to its end. `output` gets what it prints, in chunks that end anywhere; while it works, the
    /// command waits.
    ///
    /// # Errors
    ///
    /// The command could not be started, or its end could not be waited for.
    fn execute(
        &self,
        command: &CommandLine,
        limits: &CommandLimits,
        stop: &Stop,
        output: &mut dyn FnMut(OutputStream, &[u8]),
    ) -> io::Result<Ended>;
}

/// A request to stop one command, from any thread, before or while it runs. The first reason counts.
#[derive(Default)]
pub struct Stop {
    state: Mutex<StopState>,
}

#[derive(Default)]
struct StopState {
    reason: Option<String>,
    wake: Option<Box<dyn Fn() + Send>>,
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stop").field("reason", &self.reason()).finish_non_exhaustive()
    }
}

impl Stop {
    /// A request that was not made yet.
    pub fn new() -> Stop {
        Stop::default()
    }

    /// Asks the command to stop. Returns at once.
    pub fn request(&self, reason: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.reason.get_or_insert_with(|| reason.to_owned());
        if let Some(wake) = &state.wake {
            wake();
        }
    }

    /// Why the command is to stop, if it is.
    pub fn reason(&self) -> Option<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).reason.clone()
    }

    /// Calls `wake` at each request. It must not wait: it runs under the lock of the request.
    fn on_request(&self, wake: impl Fn() + Send + 'static) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).wake = Some(Box::new(wake));
    }
}
