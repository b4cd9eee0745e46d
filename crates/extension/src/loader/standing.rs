//! What a long-lived process keeps of what it has loaded: the newest version of each entry point, and nothing else.
//!
//! Everything here is derived from what was resolved last. A version that is not the newest any more is named nowhere
//! in this process, so its host drops it with its last call, its description goes, and so does the lease on its tree.

use std::collections::HashSet;
use std::path::Path;
use std::sync::PoisonError;

use marsh_host::supervisor::NoCallbacks;
use marsh_host::{Call, Line, Ticket};

use super::{LoadedModel, Loader};
use crate::catalog::Catalog;
use crate::error::LoadError;

/// The fingerprint in a module URL.
pub(super) fn fingerprint_of(url: &str) -> Option<&str> {
    url.rsplit_once("?fp=").map(|(_, fingerprint)| fingerprint)
}

fn name(entry: &Path) -> String {
    entry.display().to_string()
}

impl Loader {
    /// The entry point stands at this version now.
    pub(super) fn stand(&self, entry: &Path, ticket: Ticket, host_key: &str, url: &str) {
        let name = name(entry);
        let before = self.hosts.line(&name);
        self.hosts.advance(&name, ticket, host_key, url);
        if let Some(before) = before.filter(|before| before.url != url) {
            self.forget_description(&before.url);
        }
    }

    fn forget_description(&self, url: &str) {
        if let Some(fingerprint) = fingerprint_of(url) {
            // It may be the description of an equal file as well, which then is read from disk again.
            self.described.lock().unwrap_or_else(PoisonError::into_inner).remove(fingerprint);
        }
    }

    /// Where the versions of an entry point stand; `None` if it was never loaded by this process.
    pub fn line(&self, entry: &Path) -> Option<Line> {
        self.hosts.line(&name(entry))
    }

    /// Has the host load the code of a model now, so that the next call does not wait for it.
    pub fn prepare(&self, loaded: &LoadedModel) -> Result<(), LoadError> {
        let host_error = |source| LoadError::Host { entry: loaded.entry.clone(), source };
        let host = self.hosts.get(&loaded.host_key).map_err(host_error)?;
        if host.versions().holds(&loaded.module.url) {
            return Ok(());
        }
        let call = Call {
            op: "load",
            params: serde_json::Value::Null,
            deadline: super::DESCRIBE_DEADLINE,
            cancel: &self.options.cancel,
            grace: std::time::Duration::ZERO,
        };
        host.call(&loaded.module, &call, &NoCallbacks).map(drop).map_err(host_error)
    }

    /// Lets the loaded versions of an entry point go once no call uses them; the next call loads it anew.
    pub fn evict(&self, entry: &Path) -> bool {
        self.hosts.evict(&name(entry))
    }

    /// Lets go of what belongs to entry points that are not there any more.
    pub fn sweep(&self, catalog: &Catalog) {
        let there: HashSet<String> = catalog
            .types
            .iter()
            .map(|indexed| name(&indexed.path))
            .chain(catalog.computed.iter().map(|(path, _)| name(path)))
            // What does not parse now is still there; its last version may serve.
            .chain(catalog.problems.iter().map(|problem| name(&problem.path)))
            .collect();
        for line in self.hosts.line_names() {
            if !there.contains(&line) {
                if let Some(before) = self.hosts.line(&line) {
                    self.forget_description(&before.url);
                }
                self.hosts.close_line(&line);
            }
        }
        let wanted: HashSet<_> = catalog
            .types
            .iter()
            .filter_map(|indexed| indexed.root.digest)
            .chain(catalog.computed.iter().filter_map(|(_, root)| root.digest))
            .collect();
        // A call in flight keeps its tree by a lease of its own.
        self.leases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|digest, _| wanted.contains(digest));
        self.hosts.end_idle();
    }
}
