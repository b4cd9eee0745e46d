//! Two lists of outcomes become a list of differences; a list of known differences says which of them are meant.

use std::collections::BTreeMap;

use marsh_types::EngineKind;
use serde_json::Value;

use crate::cases::{Case, Outcome};
use crate::error::Error;

#[derive(Clone, Debug)]
pub struct Difference {
    /// `fetch/redirect: follows a relative location`.
    pub check: String,
    pub marsh: String,
    pub deno: String,
    /// Why it is meant to be so, from `differences.json`.
    pub reason: Option<String>,
}

/// What came of one case.
#[derive(Clone, Debug)]
pub struct Compared {
    pub area: String,
    pub checks: usize,
    pub differences: Vec<Difference>,
}

/// Known differences: a check's full name, or its beginning and a `*`, and the reason.
#[derive(Debug)]
pub struct Known {
    reasons: BTreeMap<String, String>,
    seen: BTreeMap<String, usize>,
}

impl Known {
    /// Those of an engine of marsh.
    pub fn read(engine: EngineKind) -> Result<Known, Error> {
        let path = crate::folder::root().join(match engine {
            EngineKind::Embedded => "differences.json",
            EngineKind::Deno => "differences-deno.json",
        });
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Error::io(format!("read {}", path.display()), error))?;
        let reasons = serde_json::from_str(&text).map_err(|source| Error::Json { path, source })?;
        Ok(Known::new(reasons))
    }

    pub fn new(reasons: BTreeMap<String, String>) -> Known {
        Known { reasons, seen: BTreeMap::new() }
    }

    fn reason(&mut self, check: &str) -> Option<String> {
        let matches = |known: &str| match known.strip_suffix('*') {
            Some(start) => check.starts_with(start),
            None => check == known,
        };
        let (known, reason) = self.reasons.iter().find(|(known, _)| matches(known))?;
        *self.seen.entry(known.clone()).or_default() += 1;
        Some(reason.clone())
    }

    /// Listed differences of the given cases that no longer exist.
    pub fn vanished(&self, cases: &[Case]) -> Vec<String> {
        let of_these = |known: &&String| {
            cases.iter().any(|case| known.strip_prefix(&case.id()).is_some_and(|rest| rest.starts_with(':')))
        };
        self.reasons
            .keys()
            .filter(of_these)
            .filter(|known| !self.seen.contains_key(*known))
            .cloned()
            .collect()
    }
}

pub fn compare(case: &Case, marsh: &[Outcome], deno: &[Outcome], known: &mut Known) -> Compared {
    let mut differences = Vec::new();
    let mut differ = |name: &str, marsh: Option<&Outcome>, deno: Option<&Outcome>| {
        let check = format!("{}: {name}", case.id());
        let reason = known.reason(&check);
        differences.push(Difference { check, marsh: said(marsh), deno: said(deno), reason });
    };
    for theirs in deno {
        let ours = marsh.iter().find(|ours| ours.name == theirs.name);
        if !ours.is_some_and(|ours| equal(case, ours, theirs)) {
            differ(&theirs.name, ours, Some(theirs));
        }
    }
    for ours in marsh {
        if !deno.iter().any(|theirs| theirs.name == ours.name) {
            differ(&ours.name, Some(ours), None);
        }
    }
    Compared { area: case.area.clone(), checks: deno.len(), differences }
}

fn equal(case: &Case, one: &Outcome, other: &Outcome) -> bool {
    // Programs switch on the codes of Node's and Deno's errors. Those that Deno puts on errors of the web's interfaces
    // are in no standard.
    let codes = matches!(case.area.as_str(), "node" | "deno");
    // A case that does not run at all agrees with nothing.
    one.value == other.value
        && one.threw == other.threw
        && (!codes || one.code == other.code)
        && one.name != "(the case)"
        && !never_ends(one)
}

fn never_ends(outcome: &Outcome) -> bool {
    outcome.value.as_ref().is_some_and(|value| value["$"] == "never ends")
}

fn said(outcome: Option<&Outcome>) -> String {
    let Some(outcome) = outcome else { return "nothing".to_owned() };
    match (&outcome.value, &outcome.threw) {
        (Some(value), _) => Value::to_string(value),
        (None, Some(name)) => {
            let code = outcome.code.as_ref().map(|code| format!(" ({code})")).unwrap_or_default();
            let message = outcome.message.as_ref().map(|text| format!(": {text}")).unwrap_or_default();
            format!("throws {name}{code}{message}")
        }
        (None, None) => "nothing".to_owned(),
    }
}
