//! The engines of a host. A module version names the one that runs it.

use std::path::PathBuf;
use std::sync::Arc;

use marsh_host_protocol::{CallError, ModuleEngine, ModuleRef};

use crate::deno;
use crate::engine::{Bridge, Engine, Runtime, Shim};
use crate::quickjs::QuickJs;

/// The embedded engine, and Deno for the module versions that ask for it.
#[derive(Debug, Clone, Copy)]
pub struct Engines;

impl Engine for Engines {
    /// That of the embedded engine, which every host has.
    fn version(&self) -> String {
        QuickJs.version()
    }

    fn start(
        &self,
        module: &ModuleRef,
        shim: Shim,
        bytecode_cache: Option<PathBuf>,
        bridge: Arc<dyn Bridge>,
    ) -> Result<Arc<dyn Runtime>, CallError> {
        match &module.engine {
            ModuleEngine::Embedded => QuickJs.start(module, shim, bytecode_cache, bridge),
            ModuleEngine::Deno(deno) => deno::start(deno, module, shim, bytecode_cache.as_deref(), bridge),
        }
    }
}
