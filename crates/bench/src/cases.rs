//! The measured commands, and their targets.

use std::cell::Cell;

use crate::error::BenchError;
use crate::fixture::{BATCH, Fixture, MANY, TRIVIAL, trivial_source, write};
use crate::measure::Job;

/// The command whose one run is subtracted from [`BATCHED`].
pub const SINGLE: &str = "`model method run`, trivial zod model, warm";
pub const BATCHED: &str = "`model method run --stdin`, 11 runs in one command";

/// The output of a run of the trivial model.
const GREETED: &str = "trivial greet succeeded";

/// A command in one condition.
pub struct Case<'a> {
    pub name: &'static str,
    /// Targets and the reference's result. A case without them is measured to explain the others.
    pub target: Option<Target>,
    pub warm_up: u32,
    /// A text in the output of a successful run, because an exit code alone proves little.
    pub says: &'static str,
    /// The number of runs of `--runs` for which this case runs once.
    pub part: u32,
    /// Creates the condition and returns the command. This is not timed.
    pub prepare: Box<dyn Fn() -> Result<Job, BenchError> + 'a>,
}

#[derive(Debug, Clone, Copy)]
pub struct Target {
    pub ratio: f64,
    pub rss_mb: Option<f64>,
    /// The reference's time, in D.
    pub reference: f64,
}

fn target(ratio: f64, rss_mb: Option<f64>, reference: f64) -> Option<Target> {
    Some(Target { ratio, rss_mb, reference })
}

pub fn all(fixture: &Fixture) -> Vec<Case<'_>> {
    let mut cases = budgeted(fixture);
    cases.extend(explaining(fixture));
    cases.extend(cold(fixture));
    cases
}

fn warm<'a>(name: &'static str, says: &'static str, target: Option<Target>, job: Job) -> Case<'a> {
    Case { name, target, says, warm_up: 3, part: 1, prepare: Box::new(move || Ok(job.clone())) }
}

/// The commands with a target.
fn budgeted(fixture: &Fixture) -> Vec<Case<'_>> {
    let (top, many, trivial) = (fixture.top(), fixture.many(), fixture.trivial());
    const { assert!(MANY == 500 && BATCH == 11, "the names of cases say so") };
    let search = fixture.job(&many, &["model", "type", "search"]);
    let run = fixture.job(&trivial, &["model", "method", "run", "trivial", "greet"]);
    let tour = fixture.job(&fixture.quickstart(), &["workflow", "run", "tour"]);
    vec![
        warm("`--version`", "marsh ", target(0.3, Some(15.0), 34.0), fixture.job(top, &["--version"])),
        warm(
            "`model type search`, 500 local models, warm",
            "@bench/model-499",
            target(1.0, None, 42.0),
            search,
        ),
        warm(SINGLE, GREETED, target(2.5, Some(80.0), 39.0), run),
        warm("`workflow run`, three steps, warm", "tour succeeded", target(4.0, Some(80.0), 52.0), tour),
    ]
}

/// Warm commands that explain the time of the others.
fn explaining(fixture: &Fixture) -> Vec<Case<'_>> {
    let (many, trivial) = (fixture.many(), fixture.trivial());
    let mut batch = fixture.job(&trivial, &["model", "method", "run", "trivial", "greet", "--stdin"]);
    batch.stdin = Some(fixture.batch_input());
    let shell = ["model", "method", "run", "shell", "execute", "--input", "run=true"];
    vec![
        warm(
            "`model type search`, 1 local model, warm",
            "@bench/trivial",
            None,
            fixture.job(&trivial, &["model", "type", "search"]),
        ),
        warm(
            "`data get`",
            "hello, world",
            None,
            fixture.job(&trivial, &["data", "get", "trivial", "greeting"]),
        ),
        warm(
            "`model method run`, `command/shell` (no host)",
            "succeeded",
            None,
            fixture.job(&trivial, &shell),
        ),
        warm(BATCHED, GREETED, None, batch),
        warm(
            "`model method run`, among 500 local models, warm",
            "one list succeeded",
            None,
            fixture.job(&many, &["model", "method", "run", "one", "list"]),
        ),
    ]
}

/// Commands with a cold or partial cache.
fn cold(fixture: &Fixture) -> Vec<Case<'_>> {
    let count = Cell::new(0_u32);
    let next = move || {
        count.set(count.get() + 1);
        count.get()
    };
    let edits = next.clone();
    let run = ["model", "method", "run", "trivial", "greet"];
    let case = |name, says, part, prepare| Case { name, target: None, says, warm_up: 1, part, prepare };
    vec![
        case(
            "`init`",
            "initialized",
            1,
            Box::new(move || {
                let dir = fixture.inits().join(next().to_string());
                marsh_fs::create_dir_all(&dir)?;
                Ok(fixture.job(&dir, &["init"]))
            }),
        ),
        case(
            "`model type search`, 500 local models, no index",
            "@bench/model-499",
            2,
            Box::new(move || {
                marsh_fs::remove_tree(&fixture.many().join(".swamp").join("marsh"))?;
                Ok(fixture.job(&fixture.many(), &["model", "type", "search"]))
            }),
        ),
        case(
            "`model method run`, after an edit of the model",
            GREETED,
            2,
            Box::new(move || {
                let repo = fixture.edited();
                write(&trivial_source(&repo), &format!("{TRIVIAL}// edit {}\n", edits()))?;
                Ok(fixture.job(&repo, &run))
            }),
        ),
        case(
            "`model method run`, first in a clone (zod in the user's cache)",
            GREETED,
            2,
            Box::new(move || {
                marsh_fs::remove_tree(&fixture.fresh().join(".swamp").join("marsh"))?;
                Ok(fixture.job(&fixture.fresh(), &run))
            }),
        ),
        case(
            "`model method run`, nothing cached (downloads zod)",
            GREETED,
            5,
            Box::new(move || {
                let cache = fixture.uncached_cache();
                marsh_fs::remove_tree(&cache)?;
                marsh_fs::remove_tree(&fixture.uncached().join(".swamp").join("marsh"))?;
                let mut job = fixture.job(&fixture.uncached(), &run);
                job.env.push(("MARSH_CACHE_DIR".into(), cache.into()));
                Ok(job)
            }),
        ),
    ]
}
