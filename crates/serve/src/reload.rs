//! Bringing what is loaded up to date, ahead of the next call.
//!
//! A reload asks of every type that is loaded what a call would ask, builds, loads and validates what is new, and drops
//! what is gone. It decides nothing: a call that starts in the middle of it asks for itself. A type that fails is
//! reported; whatever served it goes on serving as the loader's own rules have it, and the next call or reload tries
//! again when its inputs have changed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use marsh_extension::{Catalog, IndexedType, LoadError};
use marsh_types::{Kind, TypeName};

use crate::error::Failure;
use crate::protocol::{FailedType, Reloaded};
use crate::service::Service;

#[derive(Debug, Default)]
pub struct Reloader {
    /// The entry points that were there at the last look, once there was one.
    known: Mutex<Option<BTreeSet<PathBuf>>>,
    /// One reload at a time: two at once would do the same work twice.
    turn: Mutex<()>,
}

/// Which types a reload prepares besides those that are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newcomers {
    /// Sources that nobody has called stay as they are on disk.
    Leave,
    /// Sources that appeared since the last look are built and described, so that their first call finds them ready.
    Prepare,
}

impl Service {
    /// Everything that is loaded is what its sources are now, or the reason why not is in the result.
    pub fn reload(&self, newcomers: Newcomers) -> Result<Reloaded, Failure> {
        let _turn = self.reloader.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let started = Instant::now();
        let catalog = self.loader().catalog().map_err(|error| Failure::of(&error))?;
        let appeared = self.reloader.look(&catalog);
        let removed = self.drop_removed(&catalog);
        let mut reloaded = Reloaded {
            types: catalog.types.len() + catalog.computed.len(),
            changed: Vec::new(),
            removed,
            failed: Vec::new(),
            duration_ms: 0,
        };
        let mut seen = BTreeSet::new();
        for indexed in catalog.types.iter().filter(|indexed| indexed.kind == Kind::Model) {
            let line = self.loader().line(Kind::Model, &indexed.type_name);
            let is_new = newcomers == Newcomers::Prepare && appeared.contains(&indexed.path);
            let failing = self.tally.get(&indexed.type_name).last_error.is_some();
            if (line.is_some() || is_new || failing) && seen.insert(indexed.type_name.clone()) {
                self.renew(indexed, &mut reloaded);
            }
        }
        // What cannot be parsed declares nothing; its type fails where it is known to have been served.
        for type_name in self.tally.types() {
            let is_bare = !seen.contains(&type_name) && catalog.find(Kind::Model, &type_name).is_empty();
            if is_bare {
                self.ask(&type_name, &mut reloaded);
            }
        }
        reloaded.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.reloads.fetch_add(1, Ordering::Relaxed);
        Ok(reloaded)
    }

    fn drop_removed(&self, catalog: &Catalog) -> Vec<String> {
        let gone = |type_name: &TypeName| {
            catalog.find(Kind::Model, type_name).is_empty() && catalog.computed.is_empty()
        };
        let removed: Vec<TypeName> = if catalog.problems.is_empty() {
            self.tally.types().into_iter().filter(gone).collect()
        } else {
            Vec::new()
        };
        for type_name in &removed {
            self.tally.forget(type_name);
        }
        self.loader().sweep(catalog);
        removed.into_iter().map(|type_name| type_name.to_string()).collect()
    }

    fn renew(&self, indexed: &IndexedType, reloaded: &mut Reloaded) {
        let before = self.loader().line(Kind::Model, &indexed.type_name).map(|line| line.url);
        let prepared = self
            .loader()
            .resolve(&indexed.type_name)
            .and_then(|loaded| self.loader().prepare(&loaded.host_key, &loaded.module).map(|()| loaded));
        match prepared {
            Ok(loaded) => {
                self.tally.sound(&indexed.type_name);
                if before.is_none_or(|before| before != loaded.module.url) {
                    reloaded.changed.push(indexed.type_name.to_string());
                }
            }
            Err(error) => self.failed(&indexed.type_name, &error, reloaded),
        }
    }

    fn ask(&self, type_name: &TypeName, reloaded: &mut Reloaded) {
        match self.loader().resolve(type_name) {
            Ok(_) => self.tally.sound(type_name),
            Err(error) => self.failed(type_name, &error, reloaded),
        }
    }

    fn failed(&self, type_name: &TypeName, error: &LoadError, reloaded: &mut Reloaded) {
        let failure = Failure::of(error);
        self.tally.unsound(type_name, failure.clone());
        reloaded.failed.push(FailedType { type_name: type_name.to_string(), error: failure });
    }
}

impl Reloader {
    /// The entry points that appeared since the last look. At the first look, none.
    fn look(&self, catalog: &Catalog) -> BTreeSet<PathBuf> {
        let now: BTreeSet<PathBuf> = catalog.types.iter().map(|indexed| indexed.path.clone()).collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let appeared = match &*known {
            Some(known) => now.difference(known).cloned().collect(),
            None => BTreeSet::new(),
        };
        *known = Some(now);
        appeared
    }
}
