//! How much of a folder of extension sources marsh can bundle, load and describe.
//!
//! ```sh
//! cargo build --release -p marsh && cargo run --release -p marsh-census -- DIR [--json FILE] [--compare FILE] [--match TEXT] [--limit N]
//! ```
//!
//! Every entry point below `DIR` (a `.ts` file that exports a kind, outside of tests and private directories) goes
//! through the product's own path: parsed, bundled in a worker, loaded and described in a host. Nothing is written into
//! `DIR`. The table counts by kind; exceptions are listed by name and cause; `--json` keeps every row, and `--compare`
//! shows what changed since such a file was made.
//!
//! What the index reads off the syntax of each entry point (kind, type, version, names of methods, upgrades) is compared
//! with what the code says of itself, both ways; see [`agree`].
//!
//! `marsh-census sweep` runs every method and workflow of a folder of repositories against stubs; see [`sweep`].
//!
//! `marsh-census run` runs methods end to end against local stubs, by a plan; see [`run`].
//!
//! Describing is not running: a member of the surface that only a method uses shows here as a used capability, not as
//! a failure.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for developers that prints a report")]

mod agree;
mod entry;
mod report;
mod run;
mod sweep;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use marsh_host_client::{HostCommand, Hosts};

use crate::entry::{Census, Row};

/// What the command line asks for.
#[derive(Debug, Default)]
struct Options {
    dir: PathBuf,
    json: Option<PathBuf>,
    compare: Option<PathBuf>,
    matching: Option<String>,
    limit: Option<usize>,
    marsh: Option<PathBuf>,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).peekable();
    let outcome = if arguments.next_if(|first| first == "run").is_some() {
        parse_run(arguments).and_then(|options| run::run(&options))
    } else if arguments.next_if(|first| first == "sweep").is_some() {
        parse_sweep(arguments).and_then(|options| sweep::run(&options)).map(|()| true)
    } else {
        parse(arguments).and_then(|options| take(&options)).map(|()| true)
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options::default();
    let mut dir = None;
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--json" => options.json = Some(value()?.into()),
            "--compare" => options.compare = Some(value()?.into()),
            "--match" => options.matching = Some(value()?),
            "--marsh" => options.marsh = Some(value()?.into()),
            "--limit" => options.limit = Some(value()?.parse().map_err(|_| "--limit needs a number")?),
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
            path => dir = Some(PathBuf::from(path)),
        }
    }
    options.dir = dir.ok_or("which folder of extension sources?")?;
    Ok(options)
}

fn parse_run(mut arguments: impl Iterator<Item = String>) -> Result<run::Options, String> {
    let mut options = run::Options::default();
    let (mut checkout, mut plan, mut binary) = (None, None, None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--plan" => plan = Some(PathBuf::from(value()?)),
            "--match" => options.matching = Some(value()?),
            "--marsh" => binary = Some(PathBuf::from(value()?)),
            "--verbose" => options.loud = true,
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
            path => checkout = Some(PathBuf::from(path)),
        }
    }
    options.checkout = checkout.ok_or("which checkout of the plan's repository?")?;
    options.plan = plan.ok_or("which plan? --plan FILE")?;
    options.marsh = marsh(binary.as_ref())?;
    Ok(options)
}

fn parse_sweep(mut arguments: impl Iterator<Item = String>) -> Result<sweep::Options, String> {
    let mut options = sweep::Options { generated: 3, ..sweep::Options::default() };
    let (mut dir, mut cache, mut binary) = (None, None, None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "--cache" => cache = Some(PathBuf::from(value()?)),
            "--match" => options.matching = Some(value()?),
            "--json" => options.json = Some(value()?.into()),
            "--marsh" => binary = Some(PathBuf::from(value()?)),
            "--generated" => {
                options.generated = value()?.parse().map_err(|_| "--generated needs a number")?;
            }
            "--describe" => options.describe = true,
            flag if flag.starts_with('-') => return Err(format!("unknown option {flag}")),
            path => dir = Some(PathBuf::from(path)),
        }
    }
    options.dir = dir.ok_or("which folder of repositories?")?;
    options.cache = cache.ok_or("where are packages kept? --cache DIR")?;
    options.marsh = marsh(binary.as_ref())?;
    Ok(options)
}

/// The marsh binary that was built beside this one.
fn marsh(given: Option<&PathBuf>) -> Result<PathBuf, String> {
    if let Some(path) = given {
        return Ok(path.clone());
    }
    let this = std::env::current_exe().map_err(|error| error.to_string())?;
    let beside = this.with_file_name(format!("marsh{}", std::env::consts::EXE_SUFFIX));
    if beside.is_file() { Ok(beside) } else { Err("build it first: cargo build --release -p marsh".into()) }
}

fn take(options: &Options) -> Result<(), String> {
    let program = marsh(options.marsh.as_ref())?;
    let scratch = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut entries = entry::find(&options.dir, options.matching.as_deref());
    if let Some(limit) = options.limit {
        entries.truncate(limit);
    }
    eprintln!("{} entry points", entries.len());
    let next = AtomicUsize::new(0);
    let rows: Mutex<Vec<Row>> = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                let hosts = Hosts::new(HostCommand {
                    program: program.clone(),
                    args: vec![marsh_host_client::SUBCOMMAND.to_owned()],
                    bytecode_cache: Some(scratch.path().join("bytecode")),
                    cwd: None,
                });
                let census = Census { program: &program, scratch: scratch.path(), root: &options.dir, hosts };
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(entry) = entries.get(index) else { break };
                    let row = census.take(index, entry);
                    if let Ok(mut rows) = rows.lock() {
                        rows.push(row);
                        if rows.len().is_multiple_of(100) {
                            eprintln!("{} of {}", rows.len(), entries.len());
                        }
                    }
                }
            });
        }
    });
    let mut rows = rows.into_inner().map_err(|_| "a worker panicked")?;
    rows.sort_by(|a, b| a.path.cmp(&b.path));
    print!("{}", report::table(&rows));
    if let Some(path) = &options.compare {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let before: Vec<Row> = serde_json::from_str(&text).map_err(|error| error.to_string())?;
        print!("{}", report::comparison(&before, &rows));
    }
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&rows).map_err(|error| error.to_string())?;
        write(path, &text)?;
    }
    Ok(())
}

fn write(path: &std::path::Path, text: &str) -> Result<(), String> {
    marsh_fs::atomic_write(path, text.as_bytes(), marsh_fs::Durability::Atomic)
        .map_err(|error| error.to_string())
}
