//! The pipes between a host and its Deno: three named ones in a private directory, which both open by path.
//!
//! Deno cannot take over a descriptor, and only files have operations that wait for their end (`readSync`), which the
//! shim's synchronous requests need. Named pipes are opened without a descriptor that children could inherit, and the
//! directory is gone before the module's first call.
//!
//! | pipe | direction | read |
//! |---|---|---|
//! | `in` | to Deno: start, calls, cancellations, answers | as the event loop turns |
//! | `answers` | to Deno: answers of synchronous requests | at once |
//! | `out` | from Deno: everything | by a thread of the host |

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

/// The host's ends.
#[derive(Debug)]
pub struct Pipes {
    pub input: File,
    pub answers: File,
    pub output: File,
    /// Both ends of each pipe, so that no open waits for the other side. Dropped when Deno has opened its ends, or has
    /// ended: from then on the end of one side is seen by the other.
    pub held: Vec<File>,
}

impl Pipes {
    #[expect(clippy::disallowed_methods, reason = "pipes are opened here, no file is written")]
    /// Makes the pipes in a private directory and opens the host's ends.
    pub fn create(dir: &Path) -> io::Result<Pipes> {
        make_pipes(dir)?;
        let mut held = Vec::new();
        let mut open = |name: &str, options: &OpenOptions| {
            let path = dir.join(name);
            held.push(OpenOptions::new().read(true).write(true).open(&path)?);
            options.open(&path)
        };
        let (mut reading, mut writing) = (OpenOptions::new(), OpenOptions::new());
        reading.read(true);
        writing.write(true);
        let input = open("in", &writing)?;
        let answers = open("answers", &writing)?;
        let output = open("out", &reading)?;
        Ok(Pipes { input, answers, output, held })
    }
}

const NAMES: [&str; 3] = ["in", "answers", "out"];

#[cfg(target_os = "linux")]
fn make_pipes(dir: &Path) -> io::Result<()> {
    for name in NAMES {
        rustix::fs::mkfifoat(rustix::fs::CWD, dir.join(name), rustix::fs::Mode::from_raw_mode(0o600))?;
    }
    Ok(())
}

/// The system call has no safe wrapper here; the program is part of every system.
#[cfg(not(target_os = "linux"))]
fn make_pipes(dir: &Path) -> io::Result<()> {
    let mut command = std::process::Command::new("mkfifo");
    command.args(["-m", "600"]).args(NAMES.map(|name| dir.join(name)));
    match command.status()? {
        status if status.success() => Ok(()),
        status => Err(io::Error::other(format!("mkfifo: {status}"))),
    }
}
