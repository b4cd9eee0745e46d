//! Which module versions a host holds, and when each of them goes.
//!
//! * A version is unloaded when it is superseded, evicted, or beyond the number of idle versions, and in each case only
//!   once no call uses it. Loading, counting calls and unloading happen under one lock, in the order in which the host
//!   reads them, so a call never meets a version that was just unloaded: no call fails because of a reload.
//! * A call of a superseded version (it was resolved a moment before) still runs that version, and the version is
//!   unloaded again right after.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use marsh_host_protocol::ModuleRef;

use crate::error::HostError;

/// What the table of versions sends to the host.
pub trait SendLine: Send + Sync {
    /// Announces a module version ahead of its first call, whose answer carries a failure to load.
    ///
    /// # Errors
    /// The host is gone.
    fn send_load(&self, module: &ModuleRef) -> Result<(), HostError>;

    /// Ends a module version.
    ///
    /// # Errors
    /// The host is gone.
    fn send_unload(&self, url: &str) -> Result<(), HostError>;
}

/// How many idle versions a host keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Versions without a call in flight; the least recently used go first.
    pub idle_versions: usize,
    /// Engine heap of all versions together, above which idle ones go, least recently used first.
    pub heap_bytes: u64,
    /// Whether heaps are weighed at all: it costs a request after a load, which a single command does without.
    pub weigh: bool,
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { idle_versions: 64, heap_bytes: 1 << 30, weigh: false }
    }
}

/// How many superseded versions are remembered as such after they are gone.
const REMEMBERED: usize = 256;

/// The module versions that one host holds.
#[derive(Debug, Default)]
pub struct Versions {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_url: HashMap<String, Version>,
    /// Late calls of these do not keep them.
    superseded: VecDeque<String>,
    clock: u64,
    loads: u64,
}

#[derive(Debug, Default)]
struct Version {
    calls_in_flight: usize,
    used_at: u64,
    /// It is unloaded when it is idle, even when it is the newest.
    evicted: bool,
    /// The host said that it is loaded, or answered a call of it.
    loaded: bool,
}

impl Versions {
    /// Counts a call in, and has the version loaded if the host does not hold it.
    ///
    /// # Errors
    /// The host is gone.
    pub fn enter<'a>(&'a self, module: &ModuleRef, host: &'a dyn SendLine) -> Result<InUse<'a>, HostError> {
        let mut state = self.lock();
        if !state.by_url.contains_key(&module.url) {
            host.send_load(module)?;
            tracing::debug!(url = module.url, "module version loads");
            state.loads += 1;
            state.by_url.insert(module.url.clone(), Version::default());
        }
        state.clock += 1;
        let now = state.clock;
        let mut was_loaded = false;
        if let Some(version) = state.by_url.get_mut(&module.url) {
            version.calls_in_flight += 1;
            version.used_at = now;
            was_loaded = version.loaded;
        }
        Ok(InUse { versions: self, host, url: module.url.clone(), was_loaded })
    }

    /// Unloads a version as soon as no call uses it, and again after late calls.
    pub fn supersede(&self, url: &str, host: &dyn SendLine) {
        let mut state = self.lock();
        if !state.superseded.iter().any(|known| known == url) {
            if state.superseded.len() == REMEMBERED {
                state.superseded.pop_front();
            }
            state.superseded.push_back(url.to_owned());
        }
        state.drop_if_done(url, host);
    }

    /// Unloads a version as soon as no call uses it, once: the next call after that loads it anew. Says whether it was
    /// loaded.
    pub fn evict(&self, url: &str, host: &dyn SendLine) -> bool {
        let mut state = self.lock();
        let Some(version) = state.by_url.get_mut(url) else { return false };
        version.evicted = true;
        state.drop_if_done(url, host);
        true
    }

    /// The version is the newest again: an edit was taken back.
    pub fn reinstate(&self, url: &str) {
        self.lock().superseded.retain(|known| known != url);
    }

    /// Whether the host holds a version.
    pub fn holds(&self, url: &str) -> bool {
        self.lock().by_url.contains_key(url)
    }

    /// Whether the host holds no version.
    pub fn is_empty(&self) -> bool {
        self.lock().by_url.is_empty()
    }

    /// How many loads there were.
    pub fn loads(&self) -> u64 {
        self.lock().loads
    }

    /// Unloads idle versions beyond a number, least recently used first.
    pub fn keep_idle(&self, most: usize, host: &dyn SendLine) {
        let mut state = self.lock();
        for url in state.idle().into_iter().rev().skip(most) {
            state.unload(&url, host);
        }
    }

    /// Unloads idle versions, least recently used first, until the heap of all is below a limit.
    pub fn keep_heap(&self, most: u64, heap_by_url: &HashMap<String, u64>, host: &dyn SendLine) {
        let mut state = self.lock();
        let mut total: u64 = heap_by_url.values().sum();
        for url in state.idle() {
            if total <= most {
                return;
            }
            total = total.saturating_sub(heap_by_url.get(&url).copied().unwrap_or(0));
            state.unload(&url, host);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked left counts behind that are off by one call at most.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Versions without a call, least recently used first.
    fn idle(&self) -> Vec<String> {
        let mut idle: Vec<(&String, &Version)> =
            self.by_url.iter().filter(|(_, version)| version.calls_in_flight == 0).collect();
        idle.sort_by_key(|(_, version)| version.used_at);
        idle.into_iter().map(|(url, _)| url.clone()).collect()
    }

    fn drop_if_done(&mut self, url: &str, host: &dyn SendLine) {
        let Some(version) = self.by_url.get(url) else { return };
        let unwanted = version.evicted || self.superseded.iter().any(|known| known == url);
        if unwanted && version.calls_in_flight == 0 {
            self.unload(url, host);
        }
    }

    fn unload(&mut self, url: &str, host: &dyn SendLine) {
        self.by_url.remove(url);
        if host.send_unload(url).is_err() {
            // A host that cannot be written to is dead, and its versions with it.
        }
    }
}

/// A call in flight. When it is dropped, the version may be unloaded.
pub struct InUse<'a> {
    versions: &'a Versions,
    host: &'a dyn SendLine,
    url: String,
    was_loaded: bool,
}

impl InUse<'_> {
    /// Whether the version was known to be loaded when the call began.
    pub fn is_loaded(&self) -> bool {
        self.was_loaded
    }

    /// The host has shown that the version is loaded.
    pub fn loaded(&self) {
        if !self.was_loaded
            && let Some(version) = self.versions.lock().by_url.get_mut(&self.url)
        {
            version.loaded = true;
        }
    }
}

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        let mut state = self.versions.lock();
        if let Some(version) = state.by_url.get_mut(&self.url) {
            version.calls_in_flight = version.calls_in_flight.saturating_sub(1);
        }
        state.drop_if_done(&self.url, self.host);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::sync::Mutex;

    use marsh_host_protocol::{Limits, ModuleEngine, ModuleRef};

    use super::{SendLine, Versions};
    use crate::error::HostError;

    #[derive(Default)]
    struct Sent(Mutex<Vec<String>>);

    impl SendLine for Sent {
        fn send_load(&self, module: &ModuleRef) -> Result<(), HostError> {
            self.0.lock().unwrap().push(format!("+{}", module.url));
            Ok(())
        }

        fn send_unload(&self, url: &str) -> Result<(), HostError> {
            self.0.lock().unwrap().push(format!("-{url}"));
            Ok(())
        }
    }

    impl Sent {
        fn take(&self) -> String {
            std::mem::take(&mut *self.0.lock().unwrap()).join(" ")
        }
    }

    fn module(url: &str) -> ModuleRef {
        ModuleRef {
            url: url.into(),
            sha256: String::new(),
            path: "/m".into(),
            externals: Vec::new(),
            limits: Limits::default(),
            engine: ModuleEngine::default(),
        }
    }

    #[test]
    fn superseded_version_is_unloaded_after_its_last_call() {
        let (versions, sent) = (Versions::default(), Sent::default());
        let one = versions.enter(&module("a"), &sent).unwrap();
        let two = versions.enter(&module("a"), &sent).unwrap();
        versions.supersede("a", &sent);
        drop(one);
        assert_eq!(sent.take(), "+a");
        drop(two);
        assert_eq!(sent.take(), "-a");
        // A call that resolved it before the edit still gets it, and then it is unloaded again.
        drop(versions.enter(&module("a"), &sent).unwrap());
        assert_eq!(sent.take(), "+a -a");
    }

    #[test]
    fn superseded_version_that_is_the_newest_again_stays() {
        let (versions, sent) = (Versions::default(), Sent::default());
        let call = versions.enter(&module("a"), &sent).unwrap();
        versions.supersede("a", &sent);
        versions.reinstate("a");
        drop(call);
        assert_eq!(sent.take(), "+a");
    }

    #[test]
    fn idle_versions_beyond_the_limits_are_unloaded_least_recently_used_first() {
        let (versions, sent) = (Versions::default(), Sent::default());
        for url in ["a", "b", "c", "a"] {
            drop(versions.enter(&module(url), &sent).unwrap());
        }
        let busy = versions.enter(&module("b"), &sent).unwrap();
        sent.take();
        versions.keep_idle(1, &sent);
        assert_eq!(sent.take(), "-c", "`b` is in use, `a` was used after `c`");
        let heap = HashMap::from([("a".to_owned(), 60), ("b".to_owned(), 60)]);
        versions.keep_heap(100, &heap, &sent);
        assert_eq!(sent.take(), "-a", "a version in use stays, whatever it weighs");
        drop(busy);
    }
}
