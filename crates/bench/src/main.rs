//! The measurements of `docs/internals/performance.md`.
//!
//! ```text
//! cargo build --release -p marsh
//! cargo run --release -p marsh-bench -- --markdown
//! ```
//!
//! **Subject.** The bench measures whole commands of the release binary, as a user starts them. [`cases`] lists them;
//! [`fixture`] creates their repositories, below one temporary directory and with a separate cache.
//!
//! **Method.** Machines differ and their speed changes, so each time is also given in D, the wall time of `deno run` on an
//! empty script. A case has N pairs of one run of Deno and one of the command. Both medians come from the same pairs, so a
//! slow phase of the machine slows both. Warm-up runs come first and do not count. A pair starts after a moment in which
//! nothing else used the machine ([`quiet`]), or after a timeout. Each run has a process of this program as its parent
//! ([`measure`]), which reports:
//!
//! * *wall*: from before the spawn until the command has exited, as a shell sees it;
//! * *CPU*: user and system time of the command and of everything it started. marsh does not wait for its host to exit,
//!   so the parent adopts it (Linux) and waits, outside the wall time;
//! * *peak RSS*: in runs that are not timed, the tree of processes is sampled without a pause: the largest sum of the
//!   high-water marks (`VmHWM`) of the processes that existed at one moment ([`memory`]). For commands of one process, and
//!   on systems without `/proc`, the kernel's maximum of the timed runs is used if it is larger.
//!
//! **Limits.** A sum of high-water marks counts pages that two processes share (the binary's code) twice, so it is an upper
//! bound. On systems without `/proc` it is the largest single process, which is less than the sum. Peak RSS of a process is
//! at least that of its parent at the time of the fork; the parent is this small program, and the report prints the minimum.
//! A ratio to D is comparable between machines only if Deno and marsh respond to them alike: a slow disk slows a command
//! that writes durably and does not change D. Results from a busy machine are worthless: the report states the spread of D
//! and the number of pairs that began on a busy machine.
//!
//! A bench is not a test: the exit code is 0 whatever the results are, and 1 if a case cannot be run.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its results")]

mod against;
mod cases;
mod data;
mod engine;
mod fixture;
mod lifecycle;
mod measure;
mod memory;
mod quiet;
mod reloads;
mod report;
mod serve;
mod stats;
mod workflow;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use marsh_bench::{deno, error};

use crate::cases::Case;
use crate::error::BenchError;
use crate::fixture::Fixture;
use crate::measure::{Job, Runner};
use crate::report::{Row, Rows};

#[derive(Debug, Parser)]
#[command(name = "marsh-bench", about = "Measure the release binary (docs/internals/performance.md)")]
struct Args {
    /// Number of timed runs of each command; slow cases take fewer
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// Deno to compare with; default: one that npm installs into a cache
    #[arg(long, value_name = "PATH")]
    deno: Option<PathBuf>,
    /// Binary to measure; default: the one next to this program
    #[arg(long, value_name = "PATH")]
    marsh: Option<PathBuf>,
    /// Compare with this binary, from before a change: both in one run, case by case
    #[arg(long, value_name = "PATH")]
    against: Option<PathBuf>,
    /// Measure only cases whose name contains this text
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Print the table of docs/internals/performance.md
    #[arg(long)]
    markdown: bool,
    /// Measure the lifecycle of extensions (docs/internals/concurrency.md)
    #[arg(long)]
    lifecycle: bool,
    /// Measure the engine: hosts, bundling, memory, computing kernels
    #[arg(long)]
    engine: bool,
    /// Measure stored data (docs/guides/data.md)
    #[arg(long, conflicts_with = "lifecycle")]
    data: bool,
    /// Number of versions for `--data`
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    records: usize,
    /// Reload sources of every kind this many times in one server, with calls in flight, and import the same bundles as often
    /// in Deno; print memory and latency (docs/guides/hot-reload.md)
    #[arg(long, value_name = "N")]
    reloads: Option<usize>,
    /// The size of those sources in KB, and how many zod schemas each has
    #[arg(long, value_name = "KB,SCHEMAS", default_value = "100,40", value_parser = size)]
    size: (usize, usize),
    /// Measure workflows, beside another workflow runner
    #[arg(long, conflicts_with = "lifecycle")]
    workflow: bool,
    /// Make those sources construct a client of the AWS SDK too
    #[arg(long)]
    aws: bool,
    /// Measure the latency and memory of a server (docs/guides/hot-reload.md)
    #[arg(long)]
    serve: bool,
    /// Longest wait for an idle machine before each pair of runs, in seconds
    #[arg(long, default_value_t = 1, value_name = "SECONDS")]
    patience: u64,
    /// Directory for scratch repositories; default: the directory for temporary files
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().collect();
    if arguments.get(1).is_some_and(|argument| argument == measure::SUBCOMMAND) {
        return measure::main(&arguments[2..]);
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

fn size(text: &str) -> Result<(usize, usize), String> {
    let parsed =
        text.split_once(',').and_then(|(kb, schemas)| Some((kb.parse().ok()?, schemas.parse().ok()?)));
    parsed.ok_or_else(|| format!("`{text}`: expected KB,SCHEMAS, as in 100,40"))
}

/// Runs all cases. Returns whether every case could be run.
fn run(args: &Args) -> Result<bool, BenchError> {
    let marsh = marsh_binary(args.marsh.clone())?;
    let deno = deno::find(args.deno.clone())?;
    if let Some(reloads) = args.reloads {
        let (kilobytes, schemas) = args.size;
        let plan = reloads::Plan { reloads, schemas, bytes: kilobytes << 10, aws: args.aws };
        print!("{}", reloads::run(&marsh, &deno, plan)?);
        return Ok(true);
    }
    eprintln!("marsh {}", marsh.display());
    eprintln!("deno  {}", deno.display());
    let runner = Runner::new()?;
    let fixture = Fixture::make(args.dir.as_deref(), &marsh, &deno)?;
    if let Some(before) = args.against.clone() {
        let before = marsh_binary(Some(before))?;
        let patience = Duration::from_secs(args.patience);
        let plan = against::Plan { before: &before, runs: args.runs, patience, only: args.only.as_deref() };
        print!("{}", against::run(&runner, &fixture, &deno, plan)?);
        return Ok(true);
    }
    let wanted = |case: &&Case| args.only.as_ref().is_none_or(|only| case.name.contains(only.as_str()));
    if args.lifecycle {
        print!("{}", lifecycle::run(&fixture, args.runs)?);
        return Ok(true);
    }
    if args.engine {
        print!("{}", engine::run(&fixture, &runner, args.runs, Duration::from_secs(args.patience))?);
        return Ok(true);
    }
    if args.data {
        print!("{}", data::run(&fixture, args.records, args.runs)?);
        return Ok(true);
    }
    if args.workflow {
        print!("{}", workflow::run(&fixture, &runner, args.runs)?);
        return Ok(true);
    }
    if args.serve {
        print!("{}", serve::latency(&marsh, &runner, &fixture, args.runs)?);
        return Ok(true);
    }
    let cases = cases::all(&fixture);
    let mut rows = Rows::new(report::machine(&fixture, &deno));
    for case in cases.iter().filter(wanted) {
        eprint!("{} ...", case.name);
        let row = measure_case(&runner, &fixture, case, args);
        match &row {
            Ok(row) => eprintln!(" {:.1} ms, {:.2} D", row.wall.median, row.ratio()),
            Err(error) => eprintln!(" {error}"),
        }
        rows.push(case, row);
    }
    rows.floor = runner.floor()?;
    print!("{}", if args.markdown { rows.markdown() } else { rows.plain() });
    Ok(rows.complete())
}

fn measure_case(runner: &Runner, fixture: &Fixture, case: &Case, args: &Args) -> Result<Row, BenchError> {
    let runs = (args.runs / case.part).max(args.runs.min(3));
    let patience = Duration::from_secs(args.patience);
    let d = fixture.deno_job();
    runner.check(&prepared(case)?, case.says)?;
    for _ in 0..case.warm_up {
        runner.timed(&d)?;
        runner.timed(&prepared(case)?)?;
    }
    let (mut of_deno, mut of_case, mut disturbed) = (Vec::new(), Vec::new(), 0);
    for _ in 0..runs {
        let job = prepared(case)?;
        disturbed += u32::from(!quiet::wait(patience));
        of_deno.push(runner.timed(&d)?);
        of_case.push(runner.timed(&job)?);
    }
    let mut peaks = Vec::new();
    for _ in 0..runs.min(5) {
        peaks.push(runner.sampled(&prepared(case)?)?);
    }
    Ok(Row::new(&of_deno, &of_case, &peaks, disturbed))
}

fn prepared(case: &Case) -> Result<Job, BenchError> {
    (case.prepare)()
}

/// The release binary: the given one, or the one next to this program.
fn marsh_binary(given: Option<PathBuf>) -> Result<PathBuf, BenchError> {
    let path = match given {
        Some(path) => path,
        None => {
            let own =
                std::env::current_exe().map_err(|source| BenchError::io("find this program", source))?;
            own.with_file_name(format!("marsh{}", std::env::consts::EXE_SUFFIX))
        }
    };
    path.canonicalize().map_err(|_| BenchError::NoBinary { path })
}
