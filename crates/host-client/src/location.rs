//! Where a host runs, and how its process is controlled.
//!
//! Process ids that a host elsewhere reports mean nothing on this machine, so no signal is sent by them. A host in a
//! container is ended by its container's program too, because killing that program may leave the container alive. Held
//! by the binary's `tests/it/drivers.rs`.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long the program that ends a container may take.
const END_LIMIT: Duration = Duration::from_secs(10);
/// How long a host beside marsh may take to end by itself.
const LOCAL_GRACE: Duration = Duration::from_millis(500);

/// Where a host runs.
#[derive(Debug, Clone, Default)]
pub enum HostLocation {
    /// On this machine, as a child of this process.
    #[default]
    Local,
    /// Behind a program that starts it elsewhere.
    Container(ContainerControl),
}

impl HostLocation {
    /// Whether the host sees this machine's processes and files.
    pub fn is_local(&self) -> bool {
        matches!(self, HostLocation::Local)
    }

    /// How long a host may take to end once its input has ended.
    pub fn grace(&self) -> Duration {
        match self {
            HostLocation::Local => LOCAL_GRACE,
            HostLocation::Container(container) => container.grace,
        }
    }
}

/// How a container is ended.
#[derive(Debug, Clone)]
pub struct ContainerControl {
    /// The container program.
    pub program: OsString,
    /// The arguments with which the program ends the container.
    pub end: Vec<OsString>,
    /// How long the container may take to end by itself, once its host has ended.
    pub grace: Duration,
}

impl ContainerControl {
    /// Ends the container. One that has ended already counts as ended.
    ///
    /// # Errors
    /// The program cannot be started, or takes too long.
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
                    let killed = child.kill().and_then(|()| child.wait());
                    let reason = killed.err().map(|error| format!(", and cannot be killed: {error}"));
                    let reason = reason.unwrap_or_default();
                    return Err(format!("it takes more than {} s{reason}", END_LIMIT.as_secs()));
                }
                Err(error) => return Err(error.to_string()),
            }
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }
}
