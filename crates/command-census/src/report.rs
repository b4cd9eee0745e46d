//! The counts, as a document and as a table.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::collect::Place;
use crate::judge::Verdict;
use crate::run::RunEnd;

/// A command line and what became of it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub repository: String,
    pub place: Place,
    pub file: String,
    pub line: usize,
    pub words: Vec<String>,
    #[serde(flatten)]
    pub verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunEnd>,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub repositories: usize,
    pub repositories_with_command_lines: usize,
    pub rows: Vec<Row>,
}

/// The command lines of one place.
#[derive(Default)]
struct Counts<'a> {
    /// Understood, refused, not understood, in variables.
    lines: [usize; 4],
    /// Different command lines, without those in variables, and the understood ones of them.
    different: BTreeSet<&'a [String]>,
    understood: BTreeSet<&'a [String]>,
}

impl<'a> Counts<'a> {
    fn add(&mut self, row: &'a Row) {
        let column = match row.verdict {
            Verdict::Parsed { .. } => 0,
            Verdict::Refused { .. } => 1,
            Verdict::Failed { .. } => 2,
            Verdict::Open => 3,
        };
        self.lines[column] += 1;
        if column < 3 {
            self.different.insert(&row.words);
        }
        if column == 0 {
            self.understood.insert(&row.words);
        }
    }
}

impl Report {
    /// Tables of counts and causes, without names of repositories.
    pub fn markdown(&self) -> String {
        let mut places: BTreeMap<Option<Place>, Counts<'_>> = BTreeMap::new();
        for row in &self.rows {
            places.entry(Some(row.place)).or_default().add(row);
            places.entry(None).or_default().add(row);
        }
        let mut text = format!(
            "{} repositories, {} of them with command lines.\n\n\
             | where | command lines | understood | refused by name | not understood | in variables | different ones, understood |\n\
             |---|---|---|---|---|---|---|\n",
            self.repositories, self.repositories_with_command_lines
        );
        let total = places.remove(&None);
        let all = places.into_iter().chain(total.map(|counts| (None, counts)));
        for (place, counts) in all {
            let [parsed, refused, failed, open] = counts.lines;
            let name = match place {
                Some(Place::Script) => "scripts and task files",
                Some(Place::Ci) => "CI",
                Some(Place::Hook) => "hooks",
                Some(Place::Agent) => "agent files",
                Some(Place::Document) => "other Markdown",
                Some(Place::Data) => "workflows and other YAML and JSON",
                None => "**all**",
            };
            let sum = parsed + refused + failed + open;
            let judged = (parsed + refused + failed).max(1);
            let share = 100.0 * (parsed as f64) / (judged as f64);
            let (understood, different) = (counts.understood.len(), counts.different.len());
            text.push_str(&format!(
                "| {name} | {sum} | {parsed} ({share:.1} %) | {refused} | {failed} | {open} | {understood} of {different} |\n"
            ));
        }
        let failed = self.rows.iter().filter_map(|row| match &row.verdict {
            Verdict::Failed { cause, .. } => Some((cause.as_str(), row)),
            _ => None,
        });
        text.push_str(&causes("not understood: cause", failed));
        let refused = self.rows.iter().filter_map(|row| match &row.verdict {
            Verdict::Refused { reason, .. } => Some((reason.as_str(), row)),
            _ => None,
        });
        text.push_str(&causes("refused: reason", refused));
        let ran: Vec<(&RunEnd, &Row)> =
            self.rows.iter().filter_map(|row| Some((row.run.as_ref()?, row))).collect();
        if !ran.is_empty() {
            let succeeded = ran.iter().filter(|(end, _)| end.succeeded).count();
            text.push_str(&format!(
                "\n{} command lines that only read were run, {succeeded} succeeded.\n",
                ran.len()
            ));
            let ends = ran.iter().filter_map(|(end, row)| Some((end.code.as_deref()?, *row)));
            text.push_str(&causes("run: why it failed", ends));
        }
        text
    }
}

fn causes<'a>(title: &str, rows: impl Iterator<Item = (&'a str, &'a Row)>) -> String {
    let mut counts: BTreeMap<&str, (usize, BTreeSet<&str>)> = BTreeMap::new();
    for (cause, row) in rows {
        let (count, repositories) = counts.entry(cause).or_default();
        *count += 1;
        repositories.insert(&row.repository);
    }
    if counts.is_empty() {
        return String::new();
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(b.0)));
    let mut text = format!("\n| {title} | command lines | repositories |\n|---|---|---|\n");
    for (cause, (count, repositories)) in sorted {
        text.push_str(&format!("| {} | {count} | {} |\n", cause.replace('|', "\\|"), repositories.len()));
    }
    text
}
