//! Deno as an engine: each module version runs in a Deno process of its own.
//!
//! The host stays marsh's: protocol, watchdog, limits and context requests are the same as with the embedded engine. A
//! process is started for a module version and ends with its last reference, so a reload is a new process and the old one
//! is drained (`tests/deno.rs`).
//!
//! # Invariants
//!
//! * No Deno outlives its host: its input ends, the kernel kills it (Linux), and marsh kills the host's session
//!   (`tests/deno.rs`).
//! * A line that does not begin with the key of the process ends it: what the module prints is never taken for the
//!   protocol.
//! * Every call is answered once, however the process ends.
//!
//! # What is weaker than in the embedded engine
//!
//! * The call that code runs for follows Deno's asynchronous context. Where that is lost, for instance in an exception of
//!   a timer, it is the only call in flight, or none.
//! * A call that never waits can be stopped with its process alone: the other calls of that module version fail with it.
//! * Children of a call are killed with the process of their module version, not with the call.
//! * The limit of memory is that of V8's old space; beyond it, the memory of the whole process is looked at four times a
//!   second (Linux).

mod calls;
mod channel;
mod errors;
mod files;
mod process;
mod runtime;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Once};

use marsh_host_protocol::{CallError, DenoProgram, ErrorKind, ModuleRef};

use crate::engine::{Bridge, Runtime, Shim};
use files::Home;
use runtime::{DenoRuntime, Parts};

/// Starts a process for a module version.
pub fn start(
    deno: &DenoProgram,
    module: &ModuleRef,
    shim: Shim,
    bytecode_cache: Option<&Path>,
    bridge: Arc<dyn Bridge>,
) -> Result<Arc<dyn Runtime>, CallError> {
    static SWEEP: Once = Once::new();
    let home = Home::beside(bytecode_cache);
    SWEEP.call_once(|| home.sweep());
    let program = program(&deno.program).ok_or_else(|| missing(&deno.program))?;
    let prepared = home.prepare(module, shim, &bridge)?;
    let version = format!("deno {}", deno.version);
    let parts = Parts { program: &program, version: &version, home: &home, module, prepared, bridge };
    Ok(Arc::new(DenoRuntime::start(parts)?))
}

/// The program as the parent names it. A host elsewhere, which has no file of that name, uses the one on its own `PATH`.
fn program(named: &Path) -> Option<PathBuf> {
    if named.is_file() {
        return Some(named.to_owned());
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join("deno")).find(|file| file.is_file())
}

fn missing(named: &Path) -> CallError {
    let message = format!("there is no Deno at {}, and none on PATH", named.display());
    let mut error = CallError::new(ErrorKind::Unsupported, message);
    error.code = Some("no_deno".to_owned());
    error
}
