//! What a long-lived process keeps of what it has loaded: the newest version of each type, and nothing else.
//!
//! A *line* is the sequence of versions of one type of one kind, method_extensions included: which parts a version has follows from
//! its module URL. Everything here is derived from what was resolved last. A version that is not the newest any more is
//! named nowhere in this process, so its host drops it with its last call (the binary's `tests/serve`).

use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::Duration;

use marsh_host::supervisor::NoCallbacks;
use marsh_host::{Call, Line, ModuleRef, Ticket};
use marsh_types::{Kind, TypeName};

use super::Loader;
use crate::catalog::TypeCatalog;
use crate::error::LoadError;

fn name(kind: Kind, type_name: &TypeName) -> String {
    format!("{kind} {type_name}")
}

impl Loader {
    /// The type stands at this version now.
    pub(super) fn stand(&self, kind: Kind, type_name: &TypeName, ticket: Ticket, host_key: &str, url: &str) {
        self.hosts.advance(&name(kind, type_name), ticket, host_key, url);
    }

    /// Where the versions of a type stand; `None` if it was never loaded by this process.
    pub fn line(&self, kind: Kind, type_name: &TypeName) -> Option<Line> {
        self.hosts.line(&name(kind, type_name))
    }

    /// Has a host load a module version now, so that the next call does not wait for it.
    pub fn prepare(&self, host_key: &str, module: &ModuleRef) -> Result<(), LoadError> {
        let host_error = |source| LoadError::Host { entry: module.path.clone(), source };
        let host = self.hosts.get(host_key).map_err(host_error)?;
        if host.versions().holds(&module.url) {
            return Ok(());
        }
        let call = Call {
            op: "load",
            params: serde_json::Value::Null,
            deadline: self.loading_limit(),
            cancel: &self.options.cancel,
            grace: Duration::ZERO,
        };
        host.call(module, &call, &NoCallbacks).map(drop).map_err(host_error)
    }

    /// Lets the loaded version of a type go once no call uses it; the next call loads it anew.
    pub fn evict(&self, kind: Kind, type_name: &TypeName) -> bool {
        self.hosts.evict(&name(kind, type_name))
    }

    /// The types that stand somewhere.
    pub fn lines(&self) -> Vec<(Kind, TypeName)> {
        let parse = |name: String| {
            let (kind, type_name) = name.split_once(' ')?;
            Some((Kind::from_export(kind)?, TypeName::parse(type_name).ok()?))
        };
        self.hosts.line_names().into_iter().filter_map(parse).collect()
    }

    /// The type is gone: nothing of it stays once its calls have ended.
    pub fn close_line(&self, kind: Kind, type_name: &TypeName) {
        self.hosts.close_line(&name(kind, type_name));
    }

    /// Gives back the trees of extensions that are not installed any more, and ends hosts that hold no version.
    pub fn sweep(&self, catalog: &TypeCatalog) {
        let wanted: HashSet<_> = catalog
            .types
            .iter()
            .filter_map(|indexed| indexed.root.digest)
            .chain(catalog.computed.iter().filter_map(|computed| computed.root.digest))
            .collect();
        self.leases
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|digest, _| wanted.contains(digest));
        self.hosts.end_idle();
    }
}
