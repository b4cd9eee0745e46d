//! The measurements of `docs/internals/performance.md`.
//!
//! ```text
//! cargo build --release -p marsh
//! cargo run --release -p marsh-bench -- --markdown
//! ```
//!
//! **What is measured.** Whole commands of the release binary, as a user starts them: [`cases`] lists them, [`fixture`]
//! makes the repositories that they run in, below one temporary directory and with a cache of their own.
//!
//! **How.** Machines differ and drift, so each time is also given in D, the wall time of `deno run` on an empty script.
//! A case is N pairs: one run of Deno, one of the command, and so on; both medians come from the same pairs, so what
//! slows the machine for a while slows both. Warm-up runs come first and are thrown away. A pair starts after a moment
//! in which nothing else used the machine ([`quiet`]), or when patience for that has ended. Each run has a process of
//! this program as its parent ([`measure`]), which reports:
//!
//! * *wall*: from before the spawn until the command has exited, as a shell sees it;
//! * *CPU*: user and system time of the command and of everything it started. marsh does not wait for its host to exit,
//!   so the parent adopts it (Linux) and waits, outside the wall time;
//! * *peak RSS*: in runs that are not timed, the tree of processes is sampled without a pause: the largest sum of the
//!   high-water marks (`VmHWM`) of the processes that lived at one moment ([`memory`]). For commands of one process,
//!   and where there is no `/proc`, the kernel's own maximum of the timed runs is used where it is larger.
//!
//! **How not to read it.** A sum of high-water marks counts pages that two processes share (the binary's code) twice,
//! so it is an upper bound. On systems without `/proc` it is the largest single process, which is less than the sum.
//! Peak RSS of a process is at least that of its parent at the time of the fork; the parent is this small program, and
//! the floor is printed. A ratio to D is comparable between machines only as far as Deno and marsh respond to them
//! alike: slow disks hurt a command that writes durably and do not touch D. Numbers from a busy machine are useless:
//! the report says how far D itself was spread, and how many pairs found the machine in use.
//!
//! A bench is not a test: the exit code is 0 whatever the numbers are, and 1 if a case could not be run.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a bench prints its results")]

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
    /// Timed runs of each command; slow cases take a part of that
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
    /// The Deno to compare with; default: one that npm installs into a cache
    #[arg(long, value_name = "PATH")]
    deno: Option<PathBuf>,
    /// The binary to measure; default: the one next to this program
    #[arg(long, value_name = "PATH")]
    marsh: Option<PathBuf>,
    /// Only cases whose name contains this
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Print the table of docs/internals/performance.md
    #[arg(long)]
    markdown: bool,
    /// Measure the lifecycle of extensions instead (docs/internals/concurrency.md)
    #[arg(long)]
    lifecycle: bool,
    /// Measure the engine instead: hosts, bundling, memory, computing kernels
    #[arg(long)]
    engine: bool,
    /// Measure stored data instead (docs/guides/data.md)
    #[arg(long, conflicts_with = "lifecycle")]
    data: bool,
    /// How many versions `--data` measures with
    #[arg(long, default_value_t = 1_000_000, value_name = "N")]
    records: usize,
    /// Reload sources of every kind this often in one server, with calls in flight, and import the same bundles as often
    /// in Deno; print memory and latency (docs/guides/hot-reload.md)
    #[arg(long, value_name = "N")]
    reloads: Option<usize>,
    /// The size of those sources in KB, and how many zod schemas each has
    #[arg(long, value_name = "KB,SCHEMAS", default_value = "100,40", value_parser = size)]
    size: (usize, usize),
    /// Measure workflows instead, beside another runner of workflows
    #[arg(long, conflicts_with = "lifecycle")]
    workflow: bool,
    /// Let those sources construct a client of the AWS SDK as well
    #[arg(long)]
    aws: bool,
    /// Measure the latency and the size of a server instead (docs/guides/hot-reload.md)
    #[arg(long)]
    serve: bool,
    /// Seconds to wait before each pair of runs for a moment in which nothing else uses the machine
    #[arg(long, default_value_t = 1, value_name = "SECONDS")]
    patience: u64,
    /// Where scratch repositories are made; default: the directory for temporary files
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

/// Whether every case could be run.
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

/// The release binary: given, or next to this program.
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
