//! The newest version of each source that code was loaded from.
//!
//! A *line* is the sequence of versions of one entry point. When it advances, the version before is superseded, unless
//! another line stands at the very same one (two equal files are one version). Nothing else is remembered of what was:
//! there is no list of attached things to keep in step.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

#[derive(Debug, Default)]
pub struct Lines {
    lines: Mutex<HashMap<String, Line>>,
    clock: AtomicU64,
}

/// The order in which inputs were looked at: the later look is right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// Where a line stands.
#[derive(Debug, Clone)]
pub struct Line {
    /// The host of its versions.
    pub host_key: String,
    /// The newest module version.
    pub url: String,
    /// How often the newest version changed since the line began.
    pub reloads: u64,
    /// Superseded versions that may still be alive.
    pub before: Vec<String>,
    ticket: Ticket,
}

impl Lines {
    pub fn ticket(&self) -> Ticket {
        Ticket(self.clock.fetch_add(1, Ordering::Relaxed))
    }

    /// The line now stands at this version. `superseded` is called with the one before and `newest` for this one, under the
    /// lock, so that two that advance one line cannot end up each with the other's half.
    pub fn advance(
        &self,
        name: &str,
        ticket: Ticket,
        (host_key, url): (&str, &str),
        newest: impl FnOnce(),
        superseded: impl FnOnce(&str, &str),
        holds: impl Fn(&str, &str) -> bool,
    ) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = lines.get_mut(name) else {
            newest();
            let (host_key, url) = (host_key.to_owned(), url.to_owned());
            let line = Line { host_key, url, reloads: 0, before: Vec::new(), ticket };
            lines.insert(name.to_owned(), line);
            return;
        };
        if line.ticket > ticket {
            return;
        }
        line.ticket = ticket;
        if line.url == url && line.host_key == host_key {
            return;
        }
        newest();
        let old_key = std::mem::replace(&mut line.host_key, host_key.to_owned());
        let old_url = std::mem::replace(&mut line.url, url.to_owned());
        line.reloads += 1;
        line.before.retain(|before| before != url && holds(&old_key, before));
        line.before.push(old_url.clone());
        if !lines.values().any(|other| other.host_key == old_key && other.url == old_url) {
            superseded(&old_key, &old_url);
        }
    }

    /// The source is gone.
    pub fn close(&self, name: &str, superseded: impl FnOnce(&str, &str)) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(line) = lines.remove(name) else { return };
        if !lines.values().any(|other| other.host_key == line.host_key && other.url == line.url) {
            superseded(&line.host_key, &line.url);
        }
    }

    pub fn get(&self, name: &str) -> Option<Line> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    pub fn names(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}
