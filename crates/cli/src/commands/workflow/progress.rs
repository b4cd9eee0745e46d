//! The progress of a run: a tree of jobs and steps on a terminal, lines elsewhere.

use std::collections::HashMap;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use marsh_api::event::EventSink;
use marsh_api::workflow::event::{JobEnd, StepRef, WorkflowEvent};
use marsh_types::ignore;

use super::text::{millis, reason_text};
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN, shown};

/// Why a failure to draw is ignored.
const TERMINAL: &str = "the run does not depend on its presentation";
/// Rows that stay after their step has ended. With more rows, only running steps are shown.
const ROWS: usize = 24;

pub struct Progress<'a> {
    ui: &'a Ui,
    tree: Option<Mutex<Tree>>,
}

struct Tree {
    all: MultiProgress,
    jobs: HashMap<String, ProgressBar>,
    /// The last row of each job: the next one goes below it.
    last: HashMap<String, ProgressBar>,
    /// By job and step of the file: the items of a `forEach` share a row.
    steps: HashMap<(String, String), Row>,
    keeps: bool,
}

struct Row {
    bar: ProgressBar,
    name: String,
    ended: usize,
    failed: usize,
    items: Option<usize>,
}

impl<'a> Progress<'a> {
    pub fn new(ui: &'a Ui) -> Progress<'a> {
        let on_terminal = std::io::stderr().is_terminal() && !ui.is_json() && !ui.is_quiet();
        Progress { ui, tree: on_terminal.then(|| Mutex::new(Tree::new())) }
    }

    /// Removes the tree, before the result is shown. The next run draws its own.
    pub fn end(&self) {
        if let Some(tree) = &self.tree {
            let mut tree = tree.lock().unwrap_or_else(PoisonError::into_inner);
            ignore(std::mem::replace(&mut *tree, Tree::new()).all.clear(), TERMINAL);
        }
    }

    /// A line above the tree, or alone.
    fn say(&self, line: String) {
        match &self.tree {
            Some(tree) => ignore(
                tree.lock().unwrap_or_else(PoisonError::into_inner).all.println(shown(&line)),
                TERMINAL,
            ),
            None => self.ui.say(line),
        }
    }

    fn plain(&self, event: &WorkflowEvent, inside: &str) {
        let ui = self.ui;
        let name = |at: &StepRef| format!("{inside}{}/{}", at.job_id, at.step_id);
        match event {
            WorkflowEvent::Started { workflow_name, run_id, resumed, .. } => {
                let word = if *resumed { "resumes run" } else { "run" };
                ui.say(format_args!("{inside}{NAME}{workflow_name}{NAME:#} {DIM}{word} {run_id}{DIM:#}"));
            }
            WorkflowEvent::StepStarted { step: at, .. } => ui.say(format_args!("{DIM}·{DIM:#} {}", name(at))),
            WorkflowEvent::StepExpanded { step: at, items } => {
                ui.say(format_args!("{DIM}·{DIM:#} {} {DIM}{items} items{DIM:#}", name(at)));
            }
            WorkflowEvent::StepRetrying { step: at, attempt, error, pause_ms } => ui.say(format_args!(
                "{WARN}↻{WARN:#} {} {DIM}try {attempt}, next in {}{DIM:#}: {error}",
                name(at),
                millis(*pause_ms)
            )),
            WorkflowEvent::StepCompleted { step: at, duration_ms, .. } => {
                let time = millis(*duration_ms);
                ui.say(format_args!("{GOOD}✓{GOOD:#} {} {DIM}{time}{DIM:#}", name(at)));
            }
            WorkflowEvent::StepFailed { step: at, error, allowed_failure: allowed, duration_ms } => {
                let (mark, note) = if *allowed { (WARN, " (allowed)") } else { (BAD, "") };
                let time = millis(*duration_ms);
                ui.say(format_args!("{mark}✗{mark:#} {} {DIM}{time}{DIM:#}{note}: {error}", name(at)));
            }
            WorkflowEvent::StepSkipped { step: at, reason } => {
                ui.say(format_args!("{DIM}- {} skipped: {}{DIM:#}", name(at), reason_text(*reason)));
            }
            WorkflowEvent::JobSkipped { job_id: job, reason } => {
                ui.say(format_args!("{DIM}- {inside}{job} skipped: {}{DIM:#}", reason_text(*reason)));
            }
            WorkflowEvent::ApprovalRequested { step: at, prompt, .. } => {
                ui.say(format_args!("{WARN}?{WARN:#} {} waits for an approval: {prompt}", name(at)));
            }
            WorkflowEvent::ApprovalDecided { step: at, approved } => {
                let word = if *approved { "approved" } else { "rejected" };
                ui.say(format_args!("{WARN}?{WARN:#} {} {word}", name(at)));
            }
            WorkflowEvent::Nested { step: at, event } => self.plain(event, &format!("{}/", name(at))),
            _ => {}
        }
    }
}

impl EventSink<WorkflowEvent> for Progress<'_> {
    fn event(&self, event: WorkflowEvent) {
        match &event {
            WorkflowEvent::MethodOutput { step, line, .. } => {
                self.say(format!("{DIM}│ {}:{DIM:#} {line}", step.step_id));
            }
            WorkflowEvent::DefinitionUpgraded { step, name, to_version } => {
                self.say(format!("{DIM}│ {}:{DIM:#} upgraded {name} to {to_version}", step.step_id));
            }
            WorkflowEvent::Warning { step, message, .. } => {
                let place = step.as_ref().map(|step| format!("{}: ", step.step_id)).unwrap_or_default();
                match &self.tree {
                    Some(_) => self.say(format!("{WARN}warning{WARN:#}: {place}{message}")),
                    None => self.ui.warn(format_args!("{place}{message}")),
                }
            }
            other => match &self.tree {
                Some(tree) => tree.lock().unwrap_or_else(PoisonError::into_inner).event(other),
                None => self.plain(other, ""),
            },
        }
    }
}

impl Tree {
    fn new() -> Tree {
        Tree {
            all: MultiProgress::new(),
            jobs: HashMap::new(),
            last: HashMap::new(),
            steps: HashMap::new(),
            keeps: true,
        }
    }

    fn bar(&self, below: Option<&ProgressBar>, template: &str) -> ProgressBar {
        let bar = ProgressBar::new_spinner();
        let bar = match below {
            Some(below) => self.all.insert_after(below, bar),
            None => self.all.add(bar),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.tick_chars("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏ "));
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        bar
    }

    fn row(&mut self, at: &StepRef) -> &mut Row {
        let step = at.template().to_owned();
        let key = (at.job_id.clone(), step.clone());
        if !self.steps.contains_key(&key) {
            let below = self.last.get(&at.job_id).cloned();
            let bar = self.bar(below.as_ref(), "  {spinner} {msg} {elapsed:.dim}");
            bar.set_message(shown(&step));
            self.last.insert(at.job_id.clone(), bar.clone());
            self.steps.insert(key.clone(), Row { bar, name: step, ended: 0, failed: 0, items: None });
            self.keeps = self.steps.len() <= ROWS;
        }
        self.steps.entry(key).or_insert_with(|| Row {
            bar: ProgressBar::hidden(),
            name: String::new(),
            ended: 0,
            failed: 0,
            items: None,
        })
    }

    fn end_row(&mut self, at: &StepRef, mark: &str, rest: &str, failed: bool) {
        let keeps = self.keeps;
        let row = self.row(at);
        row.ended += 1;
        row.failed += usize::from(failed);
        match row.items {
            Some(items) if row.ended < items => {
                let failures =
                    if row.failed > 0 { format!(", {} failed", row.failed) } else { String::new() };
                row.bar.set_message(shown(&format!("{} {}/{items}{failures}", row.name, row.ended)));
            }
            _ => {
                let count = row.items.map(|items| format!(" {items} items")).unwrap_or_default();
                row.bar.disable_steady_tick();
                if let Ok(style) = ProgressStyle::with_template("  {msg}") {
                    row.bar.set_style(style);
                }
                row.bar.finish_with_message(shown(&format!("{mark} {}{count} {rest}", row.name)));
                if !keeps && !failed {
                    row.bar.finish_and_clear();
                }
            }
        }
    }

    fn event(&mut self, event: &WorkflowEvent) {
        match event {
            WorkflowEvent::Started { workflow_name, run_id, .. } => {
                let line = format!("{NAME}{workflow_name}{NAME:#} {DIM}run {run_id}{DIM:#}");
                ignore(self.all.println(shown(&line)), TERMINAL);
            }
            WorkflowEvent::JobStarted { job_id: job } => {
                let bar = self.bar(None, "{spinner} {msg} {elapsed:.dim}");
                bar.set_message(shown(&format!("{NAME}{job}{NAME:#}")));
                self.last.insert(job.clone(), bar.clone());
                self.jobs.insert(job.clone(), bar);
            }
            WorkflowEvent::JobCompleted { job_id: job, status, duration_ms } => {
                let Some(bar) = self.jobs.get(job) else { return };
                let (style, mark) = if *status == JobEnd::Succeeded { (GOOD, "✓") } else { (BAD, "✗") };
                bar.disable_steady_tick();
                if let Ok(template) = ProgressStyle::with_template("{msg}") {
                    bar.set_style(template);
                }
                let time = millis(*duration_ms);
                bar.finish_with_message(shown(&format!(
                    "{style}{mark}{style:#} {NAME}{job}{NAME:#} {DIM}{time}{DIM:#}"
                )));
            }
            WorkflowEvent::JobSkipped { job_id: job, reason } => {
                let bar = self.bar(None, "{msg}");
                bar.finish_with_message(shown(&format!(
                    "{DIM}- {job} skipped: {}{DIM:#}",
                    reason_text(*reason)
                )));
            }
            WorkflowEvent::StepStarted { step: at, .. } => {
                self.row(at);
            }
            WorkflowEvent::StepExpanded { step: at, items } => {
                let row = self.row(at);
                row.items = Some(*items);
                row.bar.set_message(shown(&format!("{} 0/{items}", row.name)));
                if *items == 0 {
                    self.end_row(at, "-", "", false);
                }
            }
            WorkflowEvent::StepRetrying { step: at, attempt, error, .. } => {
                let row = self.row(at);
                row.bar
                    .set_message(shown(&format!("{} {WARN}try {attempt} failed{WARN:#}: {error}", row.name)));
            }
            WorkflowEvent::StepCompleted { step: at, duration_ms, .. } => {
                let (mark, time) = (format!("{GOOD}✓{GOOD:#}"), millis(*duration_ms));
                self.end_row(at, &mark, &format!("{DIM}{time}{DIM:#}"), false);
            }
            WorkflowEvent::StepFailed { step: at, error, allowed_failure: allowed, .. } => {
                let style = if *allowed { WARN } else { BAD };
                self.end_row(at, &format!("{style}✗{style:#}"), error, true);
            }
            WorkflowEvent::StepSkipped { step: at, reason } => {
                self.end_row(at, "-", &format!("{DIM}skipped: {}{DIM:#}", reason_text(*reason)), false);
            }
            WorkflowEvent::ApprovalRequested { step: at, prompt, .. } => {
                let row = self.row(at);
                row.bar.set_message(shown(&format!(
                    "{} {WARN}waits for an approval{WARN:#}: {prompt}",
                    row.name
                )));
            }
            WorkflowEvent::ApprovalDecided { step: at, approved } => {
                let (mark, word) = if *approved { ("✓", "approved") } else { ("✗", "rejected") };
                self.end_row(at, mark, word, !approved);
            }
            WorkflowEvent::Nested { step: at, event } => {
                if let Some(inner) = event.step() {
                    let row = self.row(at);
                    row.bar.set_message(shown(&format!(
                        "{} {DIM}> {}/{}{DIM:#}",
                        row.name, inner.job_id, inner.step_id
                    )));
                }
            }
            _ => {}
        }
    }
}
