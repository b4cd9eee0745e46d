//! Hosts that run in a place of their own, such as a container.
//!
//! * Process ids that a host tells of mean nothing outside of its place, so nothing is killed by them.
//! * Killing the process that we started may leave the place alive, so whoever is killed is ended in its place, too.
//!
//! Held by the binary's `tests/it/drivers.rs`.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long ending a place may take before we stop waiting for it.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Where a host runs, when that is not beside us.
#[derive(Debug, Clone)]
pub struct Place {
    pub program: OsString,
    /// The arguments with which the program ends whatever runs in the place.
    pub end: Vec<OsString>,
    /// How long the place may take to go by itself, once its host has ended.
    pub grace: Duration,
}

impl Place {
    /// Ends what runs in the place. A place that is gone already is no error.
    pub fn end(&self) -> Result<(), String> {
        let mut command = Command::new(&self.program);
        command.args(&self.end).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let until = Instant::now() + END_LIMIT;
        let mut pause = Duration::from_millis(1);
        loop {
            match child.try_wait() {
                Ok(Some(_)) => return Ok(()),
                Ok(None) if Instant::now() < until => std::thread::sleep(pause),
                Ok(None) => {
                    drop(child.kill());
                    drop(child.wait());
                    return Err(format!("it takes more than {} s", END_LIMIT.as_secs()));
                }
                Err(error) => return Err(error.to_string()),
            }
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}
