//! When which timer of a runtime is due. The callbacks themselves stay in JavaScript (`js/timers.js`).

use std::collections::{BTreeMap, HashMap};
use std::time::Instant;

use crate::shared::Owner;

#[derive(Default)]
pub(crate) struct Timers {
    due: BTreeMap<(Instant, u64), Owner>,
    at: HashMap<u64, Instant>,
}

impl Timers {
    pub(crate) fn set(&mut self, id: u64, when: Instant, owner: Owner) {
        self.clear(id);
        self.due.insert((when, id), owner);
        self.at.insert(id, when);
    }

    pub(crate) fn clear(&mut self, id: u64) {
        if let Some(when) = self.at.remove(&id) {
            self.due.remove(&(when, id));
        }
    }

    pub(crate) fn next(&self) -> Option<Instant> {
        self.due.keys().next().map(|(when, _)| *when)
    }

    pub(crate) fn take_due(&mut self, now: Instant) -> Option<(u64, Owner)> {
        if self.next()? > now {
            return None;
        }
        let ((_, id), owner) = self.due.pop_first()?;
        self.at.remove(&id);
        Some((id, owner))
    }
}
