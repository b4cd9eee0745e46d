//! The threads behind asynchronous host operations, shared by all runtimes of the process: one that drives sockets,
//! pipes and children, and tokio's blocking pool for files. JavaScript never runs here.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::values::{ErrorClass, HostError};

static IO: OnceLock<Option<Runtime>> = OnceLock::new();

pub(crate) fn handle() -> Result<&'static Handle, HostError> {
    let build = || {
        Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(16)
            .thread_name("marsh-io")
            .enable_all()
            .build()
            .ok()
    };
    match IO.get_or_init(build) {
        Some(runtime) => Ok(runtime.handle()),
        None => Err(HostError::new(ErrorClass::Error, "the process cannot start its I/O thread")),
    }
}
