//! The command line of the comparison; see the library.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for developers that prints a report")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use marsh_conformance::cases;
use marsh_conformance::compare::{self, Known};
use marsh_conformance::error::Error;
use marsh_conformance::server::Servers;
use marsh_conformance::{deno, engine, report, through_host};
use marsh_types::EngineKind;

#[derive(Debug, Parser)]
#[command(name = "marsh-conformance", about = "Run the same scripts under marsh and under Deno, and compare")]
struct Args {
    /// Only cases whose `area/name` contains this
    only: Option<String>,
    /// Keep what Deno says in `expected/`
    #[arg(long)]
    record: bool,
    /// Compare with what was recorded, without a Deno
    #[arg(long, conflicts_with_all = ["record", "deno"])]
    recorded: bool,
    /// Print the tables of docs/internals/conformance.md
    #[arg(long)]
    markdown: bool,
    /// The engine of marsh: embedded, or deno for the host with Deno as its engine
    #[arg(long, value_name = "ENGINE", default_value = "embedded", conflicts_with_all = ["record", "recorded", "markdown"])]
    engine: EngineKind,
    /// The Deno to compare with; default: one that npm installs into a cache
    #[arg(long, value_name = "PATH")]
    deno: Option<PathBuf>,
}

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(through_host::HOST) {
        return marsh_host_server::main();
    }
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether every difference is listed, and every listed one is there.
fn run(args: &Args) -> Result<bool, Error> {
    let found = cases::find(args.only.as_deref())?;
    let binary = if args.recorded { None } else { Some(marsh_bench::deno::find(args.deno.clone())?) };
    let version = match &binary {
        Some(binary) => marsh_bench::deno::version(binary),
        None => deno::recorded_version()?,
    };
    let servers = Servers::start()?;
    let mut known = Known::read(args.engine)?;
    let mut compared = Vec::new();
    for case in &found {
        let theirs = match &binary {
            Some(binary) => cases::scratch(|dir, module| deno::run(binary, case, &servers, dir, module))?,
            None => deno::recorded(case)?,
        };
        if args.record {
            deno::record(case, &theirs)?;
        }
        let ours = cases::scratch(|dir, module| match (args.engine, &binary) {
            (EngineKind::Deno, Some(binary)) => through_host::run(binary, case, &servers, dir, module),
            _ => engine::run(case, &servers, dir, module),
        })?;
        compared.push(compare::compare(case, &ours, &theirs, &mut known));
    }
    if args.record {
        deno::record_version(&version)?;
    }
    if args.markdown {
        print!("{}", report::markdown(&compared, &version));
    } else {
        print!("{}", report::text(&compared));
    }
    let vanished = known.vanished(&found);
    for known in &vanished {
        eprintln!("differences.json lists a difference that does not exist: {known}");
    }
    Ok(vanished.is_empty() && report::differences(&compared).all(|difference| difference.reason.is_some()))
}
