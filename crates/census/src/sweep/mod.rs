//! `marsh-census sweep`: every method of every type, and every workflow, of a folder of repositories, run with made-up
//! arguments against stubs.
//!
//! ```sh
//! cargo build --release -p marsh -p marsh-census
//! target/release/marsh-census sweep DIR --cache CACHE --describe
//! bwrap --ro-bind / / --tmpfs /tmp --bind CACHE CACHE --dev /dev --proc /proc --unshare-net --unshare-pid --die-with-parent \
//!   target/release/marsh-census sweep DIR --cache CACHE --json CACHE/sweep.json
//! ```
//!
//! The first command describes each type and so brings the packages into `CACHE`. The second one runs foreign code: it
//! refuses to, unless the loopback interface is the only one. There each HTTP request gets `{}`, each program that the
//! sources name prints `{}`, and nothing outside of the scratch directory can be written.
//!
//! Most methods fail, as a made-up argument or `{}` is not what they expect. What counts is the cause: an error of the
//! extension's own code is its answer to a stub; one of marsh is a defect or a limit, and is listed.

mod cause;
mod example;
mod unit;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};

use self::cause::Cause;
use self::unit::Unit;

/// What the command line asks for.
#[derive(Debug, Default)]
pub struct Options {
    pub dir: PathBuf,
    pub cache: PathBuf,
    pub marsh: PathBuf,
    pub matching: Option<String>,
    pub json: Option<PathBuf>,
    /// Describe types only.
    pub describe: bool,
    /// The most types of a package whose files a program wrote.
    pub generated: usize,
}

/// What ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A type was described.
    Type,
    /// A method of a new definition of a type.
    Method,
    /// A definition of the repository was validated.
    Definition,
    /// A workflow of the repository was validated.
    Validation,
    /// A workflow of the repository ran.
    Workflow,
}

/// One run and its outcome.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub repository: String,
    pub unit: String,
    pub what: What,
    /// The type, definition or workflow.
    pub name: String,
    pub method: Option<String>,
    pub exit: Option<i32>,
    pub cause: Cause,
    pub code: Option<String>,
    pub message: Option<String>,
    pub ms: u64,
}

/// Runs everything and prints the tables.
pub fn run(options: &Options) -> Result<(), String> {
    if !options.describe {
        only_loopback()?;
    }
    let units = unit::find(&options.dir, options.matching.as_deref())?;
    eprintln!("{} repositories and packages", units.len());
    let next = AtomicUsize::new(0);
    let rows: Mutex<Vec<Row>> = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(unit) = units.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = sweep(options, unit);
                    eprintln!("{}: {} runs", unit.name, found.len());
                    if let Ok(mut rows) = rows.lock() {
                        rows.extend(found);
                    }
                }
            });
        }
    });
    let mut rows = rows.into_inner().map_err(|_| "a worker panicked")?;
    rows.sort_by(|one, other| {
        (&one.unit, one.what, &one.name, &one.method).cmp(&(
            &other.unit,
            other.what,
            &other.name,
            &other.method,
        ))
    });
    print!("{}", table(&rows));
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&rows).map_err(|error| error.to_string())?;
        crate::write(path, &text)?;
    }
    Ok(())
}

fn sweep(options: &Options, unit: &Unit) -> Vec<Row> {
    match unit::Running::start(options, unit) {
        Ok(running) => running.everything(),
        Err(error) => {
            let cause = Cause::Tool;
            vec![unit.row(What::Type, "", None).with(None, cause, None, Some(error))]
        }
    }
}

/// Foreign code with made-up arguments must not reach another machine.
fn only_loopback() -> Result<(), String> {
    let path = "/proc/net/dev";
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    let names = text.lines().skip(2).filter_map(|line| line.split(':').next().map(str::trim));
    match names.into_iter().find(|name| *name != "lo") {
        None => Ok(()),
        Some(name) => Err(format!(
            "the network interface {name} is there; run methods in a network namespace of their own (see the source's head)"
        )),
    }
}

fn table(rows: &[Row]) -> String {
    let mut text = String::from("| what | all |");
    for cause in Cause::ALL {
        text.push_str(&format!(" {cause} |"));
    }
    text.push_str(&format!("\n|---|{}\n", "---|".repeat(Cause::ALL.len() + 1)));
    let mut counts: BTreeMap<What, BTreeMap<Cause, usize>> = BTreeMap::new();
    for row in rows {
        *counts.entry(row.what).or_default().entry(row.cause).or_default() += 1;
    }
    for (what, causes) in &counts {
        text.push_str(&format!("| {what:?} | {} |", causes.values().sum::<usize>()));
        for cause in Cause::ALL {
            text.push_str(&format!(" {} |", causes.get(&cause).copied().unwrap_or(0)));
        }
        text.push('\n');
    }
    let mut repositories: Vec<&str> = rows.iter().map(|row| row.repository.as_str()).collect();
    repositories.dedup();
    text.push_str(&format!("\n{} repositories\n", repositories.len()));
    let of_marsh =
        |row: &&Row| matches!(row.cause, Cause::Marsh | Cause::Unsupported | Cause::Suspect | Cause::Tool);
    for row in rows.iter().filter(of_marsh) {
        let first = row.message.as_deref().and_then(|message| message.lines().next()).unwrap_or_default();
        let method = row.method.as_deref().unwrap_or_default();
        text.push_str(&format!("  {} {} {method} [{}] {first}\n", row.unit, row.name, row.cause));
    }
    text
}
