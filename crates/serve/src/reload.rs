//! Bringing what is loaded up to date, ahead of the next call.
//!
//! A reload asks of every type that is loaded what a call would ask, builds, loads and validates what is new, and drops
//! what is gone. It decides nothing: a call that starts in the middle of it asks for itself. A type that fails is
//! reported; the version that loaded last serves on, by the loader's rules, and it is tried again when its inputs change.

use std::collections::{BTreeSet, HashSet};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use marsh_app::{AppError, NewestCode, Session};
use marsh_extension::TypeCatalog;
use marsh_types::{Kind, TypeName};

use crate::protocol::{FailedType, Reloaded};
use crate::service::Service;
use marsh_api::ErrorReport;

#[derive(Debug, Default)]
pub struct Reloader {
    /// The entry points that were there at the last look, once there was one.
    known: Mutex<Option<HashSet<PathBuf>>>,
    /// One reload at a time: two at once would do the same work twice.
    turn: Mutex<()>,
}

/// Who asks for a reload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A request, which also confirms that vanished files were removed.
    Asked,
    /// Files that changed. Sources that appeared since the last look are built and described, so that their first call
    /// finds them ready. A file that vanished may be about to come back.
    Seen,
}

impl Service {
    /// Everything that is loaded is what its sources are now, or the reason why not is in the result.
    pub fn reload(&self, cause: Cause) -> Result<Reloaded, ErrorReport> {
        let _turn = self.reloader.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let started = Instant::now();
        let session = self.session()?;
        if cause == Cause::Asked {
            self.loader().accept_removals();
        }
        let catalog = self.loader().catalog().map_err(|error| ErrorReport::of(&error))?;
        let appeared = self.reloader.look(&catalog);
        let mut reloaded = Reloaded {
            types: catalog.types.len() + catalog.computed.len(),
            changed: Vec::new(),
            removed: Vec::new(),
            failed: Vec::new(),
            duration_ms: 0,
        };
        let mut due: BTreeSet<(Kind, TypeName)> = self.loader().lines().into_iter().collect();
        due.extend(self.counters.types().into_iter().map(|type_name| (Kind::Model, type_name)));
        if cause == Cause::Seen {
            let new = catalog.types.iter().filter(|indexed| appeared.contains(&indexed.path));
            let callable = new.filter(|indexed| indexed.kind != Kind::Extension);
            due.extend(callable.map(|indexed| (indexed.kind, indexed.type_name.clone())));
        }
        for (kind, type_name) in due {
            self.renew(&session, kind, &type_name, &mut reloaded);
        }
        self.loader().sweep(&catalog);
        reloaded.duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if reloaded.changed.len() + reloaded.removed.len() + reloaded.failed.len() > 0 {
            tracing::info!(
                changed = reloaded.changed.len(),
                removed = reloaded.removed.len(),
                failed = reloaded.failed.len(),
                duration_ms = reloaded.duration_ms,
                "reloaded"
            );
        }
        self.reloads.fetch_add(1, Ordering::Relaxed);
        Ok(reloaded)
    }

    fn renew(&self, session: &Session, kind: Kind, type_name: &TypeName, reloaded: &mut Reloaded) {
        let before = self.loader().line(kind, type_name).map(|line| line.url);
        let failed = |failure: ErrorReport| FailedType { type_name: type_name.to_string(), error: failure };
        let prepared = session.read().newest_code(kind, type_name).and_then(|newest| {
            // What has not changed was loaded before. If it was evicted meanwhile, its next call loads it.
            if let NewestCode::Module { host_key, module, .. } = &newest
                && before.as_ref() != Some(&module.url)
            {
                self.loader().prepare(host_key, module).map_err(AppError::from)?;
            }
            Ok(newest)
        });
        match prepared {
            Ok(NewestCode::Module { module, failure, .. }) => {
                reloaded.failed.extend(failure.as_deref().map(of_load).map(failed));
                if before.as_ref() != Some(&module.url) {
                    reloaded.changed.push(type_name.to_string());
                }
            }
            // Without method extensions now.
            Ok(NewestCode::BuiltIn) => self.loader().close_line(kind, type_name),
            Ok(NewestCode::Unknown) => {
                self.loader().close_line(kind, type_name);
                self.counters.forget(type_name);
                reloaded.removed.push(type_name.to_string());
            }
            Err(error) => reloaded.failed.push(failed(error.report())),
        }
    }
}

/// A recorded failure as clients see it.
pub fn of_load(failure: &marsh_extension::LoadFailure) -> ErrorReport {
    let report = ErrorReport::new(failure.code, failure.message.clone());
    // A failure that cannot be written as JSON still has its code and its message.
    let report = report.with_details(serde_json::to_value(failure).ok());
    ErrorReport { hint: failure.hint.clone(), ..report }
}

impl Reloader {
    /// The entry points that appeared since the last look. At the first look, none.
    fn look(&self, catalog: &TypeCatalog) -> HashSet<PathBuf> {
        let now: HashSet<PathBuf> = catalog.types.iter().map(|indexed| indexed.path.clone()).collect();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let appeared = match &*known {
            Some(known) => now.difference(known).cloned().collect(),
            None => HashSet::new(),
        };
        *known = Some(now);
        appeared
    }
}
