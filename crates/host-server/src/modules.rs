//! The module versions of one host: which runtime serves which URL.
//!
//! * One URL, one runtime, for as long as it is loaded and healthy. A runtime has an instance number that no other one
//!   of this process has, so that "the very same module version" can be asked from outside.
//! * `unload` drops a runtime; it ends when its last call does. Until its thread has ended it is listed as draining, so
//!   no living runtime can hide (`tests/versions.rs`).

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use marsh_host_protocol::{CallError, ErrorKind, HostStats, Limits, ModuleRef, ModuleState, ModuleStats};

use crate::engine::{Bridge, Done, Engine, OpName, Probe, Runtime, Shim};
use crate::locked;

pub struct Modules {
    engine: Arc<dyn Engine>,
    bridge: Arc<dyn Bridge>,
    bytecode_cache: Option<PathBuf>,
    shim: Shim,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    versions: HashMap<String, Version>,
    /// Every runtime whose thread has not ended, or had not at the last look.
    alive: Vec<Alive>,
    started: u64,
    ended: u64,
    /// Bytes that ended engines had not freed. Anything but zero is a leak.
    leaked_bytes: u64,
}

struct Version {
    module: ModuleRef,
    runtime: Option<Arc<dyn Runtime>>,
}

struct Alive {
    url: String,
    instance: u64,
    probe: Box<dyn Probe>,
}

impl State {
    /// Forgets the runtimes whose threads have ended.
    fn reap(&mut self) {
        let (mut ended, mut leaked) = (0, 0);
        self.alive.retain(|alive| {
            if !alive.probe.has_ended() {
                return true;
            }
            ended += 1;
            leaked += alive.probe.heap_bytes();
            false
        });
        self.ended += ended;
        self.leaked_bytes += leaked;
    }
}

impl Modules {
    pub fn new(
        engine: Arc<dyn Engine>,
        bridge: Arc<dyn Bridge>,
        bytecode_cache: Option<PathBuf>,
        shim: Shim,
    ) -> Modules {
        Modules { engine, bridge, bytecode_cache, shim, state: Mutex::default() }
    }

    /// Makes a module version known and starts loading it.
    pub fn declare(&self, module: ModuleRef) {
        let mut state = locked(&self.state);
        state
            .versions
            .entry(module.url.clone())
            .and_modify(|version| version.module = module.clone())
            .or_insert(Version { module: module.clone(), runtime: None });
        if self.runtime(&mut state, &module.url).is_err() {
            // The first call of the version tries again and answers with the error.
        }
    }

    /// Starts a call; `done` is called exactly once if this returns `Ok`, and not at all otherwise.
    pub fn call(
        &self,
        url: &str,
        call_id: &str,
        op: OpName<'_>,
        params: &str,
        done: impl FnOnce(Result<String, CallError>, Limits) + Send + 'static,
    ) -> Result<Arc<dyn Runtime>, CallError> {
        let (runtime, limits) = self.runtime(&mut locked(&self.state), url)?;
        let done: Done = Box::new(move |outcome| done(outcome, limits));
        runtime.call(call_id, op, params, done);
        Ok(runtime)
    }

    /// The healthy runtime of a version. One that was interrupted takes no new calls: what its heap holds is unknown.
    fn runtime(&self, state: &mut State, url: &str) -> Result<(Arc<dyn Runtime>, Limits), CallError> {
        let Some(version) = state.versions.get_mut(url) else {
            return Err(CallError::new(ErrorKind::Internal, format!("module {url} was never loaded")));
        };
        let limits = version.module.limits;
        if let Some(runtime) = &version.runtime
            && !runtime.is_tainted()
        {
            return Ok((Arc::clone(runtime), limits));
        }
        let bridge = Arc::clone(&self.bridge);
        let runtime = self.engine.start(&version.module, self.shim, self.bytecode_cache.clone(), bridge)?;
        // The old runtime, if any, goes when its last call ends and lets go of it.
        version.runtime = Some(Arc::clone(&runtime));
        state.reap();
        state.started += 1;
        state.alive.push(Alive { url: url.to_owned(), instance: state.started, probe: runtime.probe() });
        Ok((runtime, limits))
    }

    pub fn unload(&self, url: &str) {
        let version = locked(&self.state).versions.remove(url);
        drop(version);
    }

    pub fn stats(&self) -> HostStats {
        let mut state = locked(&self.state);
        state.reap();
        let mut modules: Vec<ModuleStats> = state
            .alive
            .iter()
            .map(|alive| {
                let serving =
                    state.versions.get(&alive.url).and_then(|version| version.runtime.as_ref()).is_some()
                        && !alive.probe.is_closing()
                        && state.newest(&alive.url) == Some(alive.instance);
                ModuleStats {
                    url: alive.url.clone(),
                    instance: alive.instance,
                    state: if serving { ModuleState::Serving } else { ModuleState::Draining },
                    heap_bytes: alive.probe.heap_bytes(),
                    calls: alive.probe.calls(),
                    in_flight: alive.probe.in_flight() as u64,
                }
            })
            .collect();
        modules.sort_by(|a, b| (&a.url, a.instance).cmp(&(&b.url, b.instance)));
        HostStats {
            engine: self.engine.version(),
            pid: std::process::id(),
            rss_bytes: crate::memory::resident_bytes(),
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
