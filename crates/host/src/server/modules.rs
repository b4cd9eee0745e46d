//! The module versions of one host: which runtime serves which URL.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use marsh_engine::{Bridge, Driver, ModuleRuntime, Options, Source};
use serde_json::{Value, json};

use super::{Output, call_error, locked};
use crate::error::{CallError, ErrorKind};
use crate::protocol::ModuleRef;

/// The JavaScript between a module and its calls: contracts, validation, the context object.
const DRIVER: Driver = Driver {
    name: "marsh:driver",
    code: concat!(
        include_str!("../driver/zod.js"),
        include_str!("../driver/contract.js"),
        include_str!("../driver/graft.js"),
        include_str!("../driver/describe.js"),
        include_str!("../driver/kinds.js"),
        include_str!("../driver/data.js"),
        include_str!("../driver/context.js"),
        include_str!("../driver/run.js"),
        include_str!("../driver/vault.js"),
        include_str!("../driver/datastore.js"),
        include_str!("../driver/report.js"),
        include_str!("../driver/execute.js"),
        include_str!("../driver/dispatch.js"),
    ),
};

pub struct Modules {
    output: Arc<Output>,
    bytecode_cache: Option<PathBuf>,
    versions: Mutex<HashMap<String, Version>>,
}

struct Version {
    module: ModuleRef,
    runtime: Option<ModuleRuntime>,
}

impl Modules {
    pub fn new(output: Arc<Output>, bytecode_cache: Option<PathBuf>) -> Modules {
        Modules { output, bytecode_cache, versions: Mutex::new(HashMap::new()) }
    }

    /// Makes a module version known and starts loading it.
    pub fn declare(&self, module: ModuleRef) {
        let mut versions = locked(&self.versions);
        let version =
            versions.entry(module.url.clone()).or_insert(Version { module: module.clone(), runtime: None });
        version.module = module;
        // A failure to start is told to the call that wants the runtime, which tries again.
        drop(self.runtime(version));
    }

    /// Starts a call; `done` is called exactly once if this returns `Ok`, and not at all otherwise.
    pub fn call(
        &self,
        url: &str,
        call_id: &str,
        op: &str,
        params: &str,
        done: impl FnOnce(Result<String, CallError>) + Send + 'static,
    ) -> Result<ModuleRuntime, CallError> {
        let mut versions = locked(&self.versions);
        let Some(version) = versions.get_mut(url) else {
            return Err(CallError::new(ErrorKind::Internal, format!("module {url} was never loaded")));
        };
        let runtime = self.runtime(version)?;
        drop(versions);
        runtime.call(
            call_id.to_owned(),
            op.to_owned(),
            params.to_owned(),
            Box::new(move |outcome| done(outcome.map_err(call_error))),
        );
        Ok(runtime)
    }

    /// The healthy runtime of a version. One that was interrupted takes no new calls: what its heap holds is unknown.
    fn runtime(&self, version: &mut Version) -> Result<ModuleRuntime, CallError> {
        if let Some(runtime) = &version.runtime
            && !runtime.tainted()
        {
            return Ok(runtime.clone());
        }
        let module = &version.module;
        let limits = marsh_engine::Limits {
            memory_bytes: size(module.limits.memory_bytes),
            stack_bytes: size(module.limits.stack_bytes),
            output_bytes: size(module.limits.output_bytes),
        };
        let options = Options {
            limits,
            bytecode_cache: self.bytecode_cache.clone(),
            driver: DRIVER,
            args: Vec::new(),
            cwd: None,
        };
        let externals = module
            .externals
            .iter()
            .map(|external| marsh_engine::External {
                specifier: external.specifier.clone(),
                path: external.path.clone(),
            })
            .collect();
        let source = Source { url: module.url.clone(), path: module.path.clone() };
        let bridge: Arc<dyn Bridge> = Arc::clone(&self.output) as Arc<dyn Bridge>;
        let runtime = ModuleRuntime::spawn(source, externals, options, bridge).map_err(call_error)?;
        // The old runtime, if any, goes when its last call ends and lets go of it.
        version.runtime = Some(runtime.clone());
        Ok(runtime)
    }

    pub fn unload(&self, url: &str) {
        locked(&self.versions).remove(url);
    }

    pub fn stats(&self) -> Value {
        let versions = locked(&self.versions);
        let mut modules: Vec<Value> = versions
            .iter()
            .map(|(url, version)| {
                let stats = version.runtime.as_ref().map(|runtime| runtime.stats());
                json!({
                    "url": url,
                    "loaded": stats.is_some(),
                    "heapBytes": stats.as_ref().map(|stats| stats.heap_bytes),
                    "calls": stats.as_ref().map(|stats| stats.calls_total),
                    "inFlight": version.runtime.as_ref().map(|runtime| runtime.in_flight()),
                })
            })
            .collect();
        modules.sort_by_key(|module| module["url"].as_str().unwrap_or_default().to_owned());
        json!({ "engine": marsh_engine::engine_version(), "pid": std::process::id(), "modules": modules })
    }

    /// Ends what still runs and kills what it started. Runtimes without a call in flight own nothing outside the
    /// process, which is about to end, so their heaps are not taken apart first.
    pub fn close(&self) {
        let versions: Vec<Version> = locked(&self.versions).drain().map(|(_, version)| version).collect();
        for version in versions {
            if let Some(runtime) = version.runtime.filter(|runtime| runtime.in_flight() > 0) {
                runtime.close();
            }
        }
    }
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
