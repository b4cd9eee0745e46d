//! The live version of each type in this process: the one that was resolved last.
//!
//! A *line* is the sequence of versions of one type of one kind, method extensions included: which parts a version has
//! follows from its module URL. A version that is superseded is named nowhere in this process, so its host drops it with
//! its last call (the binary's `tests/serve`).

use std::sync::Arc;

use marsh_host_client::{Hosts, Line, Ticket};
use marsh_types::{Kind, TypeName};

/// The lines of this process.
#[derive(Debug)]
pub(super) struct LiveVersions {
    hosts: Arc<Hosts>,
}

fn line_name(kind: Kind, type_name: &TypeName) -> String {
    format!("{kind} {type_name}")
}

impl LiveVersions {
    pub(super) fn new(hosts: Arc<Hosts>) -> LiveVersions {
        LiveVersions { hosts }
    }

    /// Taken before the sources are read: of two loads, the one with the later ticket saw the newer sources.
    pub(super) fn ticket(&self) -> Ticket {
        self.hosts.ticket()
    }

    /// Makes a version the live one, unless a later ticket has already done so.
    pub(super) fn advance(
        &self,
        kind: Kind,
        type_name: &TypeName,
        ticket: Ticket,
        host_key: &str,
        url: &str,
    ) {
        self.hosts.advance(&line_name(kind, type_name), ticket, host_key, url);
    }

    /// The line of a type; `None` if this process never loaded it.
    pub(super) fn line(&self, kind: Kind, type_name: &TypeName) -> Option<Line> {
        self.hosts.line(&line_name(kind, type_name))
    }

    /// The types that have a live version.
    pub(super) fn types(&self) -> Vec<(Kind, TypeName)> {
        let parse = |name: String| {
            let (kind, type_name) = name.split_once(' ')?;
            Some((Kind::from_export(kind)?, TypeName::parse(type_name).ok()?))
        };
        self.hosts.line_names().into_iter().filter_map(parse).collect()
    }

    /// Drops the live version once no call uses it; the next call loads it again.
    pub(super) fn evict(&self, kind: Kind, type_name: &TypeName) -> bool {
        self.hosts.evict(&line_name(kind, type_name))
    }

    /// Ends the line of a type that is gone: its last version goes with its last call.
    pub(super) fn close(&self, kind: Kind, type_name: &TypeName) {
        self.hosts.close_line(&line_name(kind, type_name));
    }
}
