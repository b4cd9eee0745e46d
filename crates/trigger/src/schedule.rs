//! Which workflow is due at a time.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use croner::Cron;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::error::TriggerError;

/// The most times that are counted as missed; a schedule of every second that slept for a week has more.
const MAX_MISSED: u64 = 10_000;

/// A cron expression: five fields, or six with seconds first; also names of months and days, `L`, `#` and `@daily`.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    cron: Cron,
}

impl Pattern {
    /// Reads a cron pattern of five or six fields.
    ///
    /// # Errors
    ///
    /// The pattern is invalid.
    pub fn parse(text: &str) -> Result<Pattern, TriggerError> {
        let cron = Cron::from_str(text).map_err(|error| TriggerError::Pattern {
            pattern: text.to_owned(),
            message: error.to_string(),
        })?;
        Ok(Pattern { text: text.to_owned(), cron })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The first time after `after`; `None`: there is none any more, as of the 30th of February.
    pub fn next(&self, after: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let after = after.to_zoned(zone.clone());
        self.cron.find_next_occurrence(&after, false).ok().map(|next| next.timestamp())
    }
}

/// A workflow whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The name of the workflow.
    pub workflow: String,
    /// The time that it was planned for, the last one if several have passed.
    pub at: Timestamp,
    /// How many earlier times passed without a check.
    pub missed: u64,
}

/// A workflow with its schedule and its next time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The name of the workflow.
    pub workflow: String,
    /// Its cron pattern.
    pub schedule: String,
    /// When it starts next; none if the pattern has no further time.
    pub next: Option<Timestamp>,
}

/// The scheduled workflows, each with its next time.
#[derive(Debug)]
pub struct Timetable {
    zone: TimeZone,
    entries: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    pattern: Pattern,
    next: Option<Timestamp>,
}

impl Timetable {
    /// An empty timetable, whose patterns hold in `zone`.
    pub fn new(zone: TimeZone) -> Timetable {
        Timetable { zone, entries: BTreeMap::new() }
    }

    /// Replaces the scheduled workflows. A workflow whose schedule did not change keeps its next time; the first time of a
    /// new one is after `now`.
    pub fn set(&mut self, wanted: impl IntoIterator<Item = (String, Pattern)>, now: Timestamp) {
        let mut before = std::mem::take(&mut self.entries);
        for (workflow, pattern) in wanted {
            let entry = match before.remove(&workflow) {
                Some(entry) if entry.pattern.text == pattern.text => entry,
                _ => Entry { next: pattern.next(now, &self.zone), pattern },
            };
            self.entries.insert(workflow, entry);
        }
    }

    /// What is due, by name; each once.
    pub fn due(&mut self, now: Timestamp) -> Vec<Due> {
        let mut due = Vec::new();
        for (workflow, entry) in &mut self.entries {
            let Some(mut at) = entry.next.filter(|next| *next <= now) else { continue };
            let mut missed = 0;
            let mut next = entry.pattern.next(at, &self.zone);
            while let Some(passed) = next.filter(|next| *next <= now) {
                (at, missed) = (passed, missed + 1);
                let after = if missed < MAX_MISSED { passed } else { now };
                next = entry.pattern.next(after, &self.zone);
            }
            entry.next = next;
            due.push(Due { workflow: workflow.clone(), at, missed });
        }
        due
    }

    /// When something is due next.
    pub fn next(&self) -> Option<Timestamp> {
        self.entries.values().filter_map(|entry| entry.next).min()
    }

    /// All workflows with a schedule, and when they start next.
    pub fn planned(&self) -> Vec<Planned> {
        let planned = self.entries.iter().map(|(workflow, entry)| Planned {
            workflow: workflow.clone(),
            schedule: entry.pattern.text.clone(),
            next: entry.next,
        });
        planned.collect()
    }
}
