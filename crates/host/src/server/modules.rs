//! The module versions of one host: which runtime serves which URL.
//!
//! * One URL, one runtime, for as long as it is loaded and healthy. A runtime has an instance number that no other one
//!   of this process has, so that "the very same module version" can be asked from outside.
//! * `unload` lets go of a runtime; it ends when its last call does. Until its thread has ended it is listed as
//!   draining, so nothing that is still alive can hide (`tests/versions.rs`).

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use marsh_engine::{Bridge, Driver, ModuleRuntime, Options, Probe, Source};

use super::{Output, call_error, locked};
use crate::error::{CallError, ErrorKind};
use crate::protocol::{HostStats, ModuleRef, ModuleState, ModuleStats};

/// The JavaScript between a module and its calls: contracts, validation, the context object.
pub const DRIVER: Driver = Driver {
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
    driver: Driver,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    versions: HashMap<String, Version>,
    /// Every runtime whose thread has not ended, or had not when somebody last looked.
    alive: Vec<Alive>,
    started: u64,
    ended: u64,
    /// What engines that ended had not freed. Anything but zero is a leak.
    leaked_bytes: u64,
}

struct Version {
    module: ModuleRef,
    runtime: Option<ModuleRuntime>,
}

struct Alive {
    url: String,
    instance: u64,
    probe: Probe,
}

impl State {
    /// Forgets the runtimes whose threads have ended.
    fn bury(&mut self) {
        let (mut ended, mut leaked) = (0, 0);
        self.alive.retain(|alive| {
            if !alive.probe.ended() {
                return true;
            }
            ended += 1;
            leaked += alive.probe.heap_bytes() as u64;
            false
        });
        self.ended += ended;
        self.leaked_bytes += leaked;
    }
}

impl Modules {
    pub fn new(output: Arc<Output>, bytecode_cache: Option<PathBuf>, driver: Driver) -> Modules {
        Modules { output, bytecode_cache, driver, state: Mutex::default() }
    }

    /// Makes a module version known and starts loading it.
    pub fn declare(&self, module: ModuleRef) {
        let mut state = locked(&self.state);
        state
            .versions
            .entry(module.url.clone())
            .and_modify(|version| version.module = module.clone())
            .or_insert(Version { module: module.clone(), runtime: None });
        // A failure to start is told to the call that wants the runtime, which tries again.
        drop(self.runtime(&mut state, &module.url));
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
        let runtime = self.runtime(&mut locked(&self.state), url)?;
        runtime.call(
            call_id.to_owned(),
            op.to_owned(),
            params.to_owned(),
            Box::new(move |outcome| done(outcome.map_err(call_error))),
        );
        Ok(runtime)
    }

    /// The healthy runtime of a version. One that was interrupted takes no new calls: what its heap holds is unknown.
    fn runtime(&self, state: &mut State, url: &str) -> Result<ModuleRuntime, CallError> {
        let Some(version) = state.versions.get_mut(url) else {
            return Err(CallError::new(ErrorKind::Internal, format!("module {url} was never loaded")));
        };
        if let Some(runtime) = &version.runtime
            && !runtime.tainted()
        {
            return Ok(runtime.clone());
        }
        let bridge: Arc<dyn Bridge> = Arc::clone(&self.output) as Arc<dyn Bridge>;
        let runtime = spawn(&version.module, self.bytecode_cache.clone(), self.driver, bridge)?;
        // The old runtime, if any, goes when its last call ends and lets go of it.
        version.runtime = Some(runtime.clone());
        state.bury();
        state.started += 1;
        state.alive.push(Alive { url: url.to_owned(), instance: state.started, probe: runtime.probe() });
        Ok(runtime)
    }

    pub fn unload(&self, url: &str) {
        let version = locked(&self.state).versions.remove(url);
        drop(version);
    }

    pub fn stats(&self) -> HostStats {
        let mut state = locked(&self.state);
        state.bury();
        let mut modules: Vec<ModuleStats> = state
            .alive
            .iter()
            .map(|alive| {
                let stats = alive.probe.stats();
                let serving =
                    state.versions.get(&alive.url).and_then(|version| version.runtime.as_ref()).is_some()
                        && !alive.probe.closing()
                        && state.newest(&alive.url) == Some(alive.instance);
                ModuleStats {
                    url: alive.url.clone(),
                    instance: alive.instance,
                    state: if serving { ModuleState::Serving } else { ModuleState::Draining },
                    heap_bytes: alive.probe.heap_bytes() as u64,
                    calls: stats.calls_total,
                    in_flight: alive.probe.in_flight() as u64,
                }
            })
            .collect();
        modules.sort_by(|a, b| (&a.url, a.instance).cmp(&(&b.url, b.instance)));
        HostStats {
            engine: marsh_engine::engine_version(),
            pid: std::process::id(),
            rss_bytes: super::memory::resident_bytes(),
            runtimes_started: state.started,
            runtimes_ended: state.ended,
            leaked_bytes: state.leaked_bytes,
            modules,
        }
    }

    /// Ends what still runs and kills what it started. Runtimes without a call in flight own nothing outside the
    /// process, which is about to end, so their heaps are not taken apart first.
    pub fn close(&self) {
        let versions: Vec<Version> =
            locked(&self.state).versions.drain().map(|(_, version)| version).collect();
        for version in versions {
            if let Some(runtime) = version.runtime.filter(|runtime| runtime.in_flight() > 0) {
                runtime.close();
            }
        }
    }
}

impl State {
    /// The instance that serves a URL: the one started last.
    fn newest(&self, url: &str) -> Option<u64> {
        self.alive.iter().filter(|alive| alive.url == url).map(|alive| alive.instance).max()
    }
}

/// A runtime of its own for a module version.
fn spawn(
    module: &ModuleRef,
    bytecode_cache: Option<PathBuf>,
    driver: Driver,
    bridge: Arc<dyn Bridge>,
) -> Result<ModuleRuntime, CallError> {
    let limits = marsh_engine::Limits {
        memory_bytes: size(module.limits.memory_bytes),
        stack_bytes: size(module.limits.stack_bytes),
        output_bytes: size(module.limits.output_bytes),
    };
    let options = Options { limits, bytecode_cache, driver, args: Vec::new(), cwd: None };
    let externals = module
        .externals
        .iter()
        .map(|external| marsh_engine::External {
            specifier: external.specifier.clone(),
            path: external.path.clone(),
        })
        .collect();
    let source = Source { url: module.url.clone(), path: module.path.clone() };
    ModuleRuntime::spawn(source, externals, options, bridge).map_err(call_error)
}

fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
