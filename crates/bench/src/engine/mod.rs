//! Measures the engine: the start of hosts, memory, bundling, and computing kernels beside Deno.
//!
//! The bench calls hosts over the protocol, without the rest of a command. Times are in D, which is measured between the runs
//! of each row. "First answer" is the time from before the spawn until the description of the model arrives, with compiled
//! code on disk; the very first run does not count. The kernels run in Deno and in a host in turn, and each reports its best
//! times.

mod hosts;
mod models;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use marsh_host_client::ModuleRef;

use crate::engine::hosts::OneHost;
use crate::engine::models::Models;
use crate::error::BenchError;
use crate::fixture::Fixture;
use crate::measure::Runner;
use crate::quiet;
use crate::stats::Series;

/// The number of runtimes that are created and dropped in one host.
const RUNTIMES: usize = 200;

/// One line of the first table.
struct Row {
    name: &'static str,
    wall: Series,
    deno: Series,
    target: f64,
}

/// The state of the bench: everything that a row is measured with.
struct Bench<'a> {
    fixture: &'a Fixture,
    runner: &'a Runner,
    patience: Duration,
    rows: Vec<Row>,
    notes: Vec<String>,
}

/// Measures everything and returns a report in Markdown.
pub fn run(fixture: &Fixture, runner: &Runner, runs: u32, patience: Duration) -> Result<String, BenchError> {
    let models = Models::make(fixture)?;
    let mut bench = Bench { fixture, runner, patience, rows: Vec::new(), notes: Vec::new() };
    let (small, _, _) = models.bundle("small")?;
    let (git, _, _) = models.bundle("git")?;
    let (aws, _, aws_bytes) = models.bundle("aws")?;
    bench.note(format!("The bundle of the AWS model has {:.0} kB.", as_f64(aws_bytes) / 1e3));
    bench.first_answer("host spawn to first answer, small model, zod ready", &small, 0.6, runs)?;
    bench.first_answer("first answer of a model that drives git", &git, 1.0, runs)?;
    bench.first_answer("first answer of an AWS model", &aws, 1.5, runs)?;
    bench.second_call(&small, runs)?;
    let few = (runs / 3).max(3);
    bench.row("bundling a small model, packages in the cache", 2.0, few, || {
        models.bundle("small").map(|(_, wall, _)| wall)
    })?;
    bench.row("bundling an AWS model, packages in the cache", 30.0, few, || {
        models.bundle("aws").map(|(_, wall, _)| wall)
    })?;
    bench.memory(&small, &[&aws, &git, &small])?;
    let (kernels, _, _) = models.bundle("kernels")?;
    let computed = bench.kernels(&models, &kernels)?;
    Ok(bench.text() + &computed)
}

impl Bench<'_> {
    fn note(&mut self, text: String) {
        eprintln!("{text}");
        self.notes.push(text);
    }

    /// Measures `one`, which returns its milliseconds, and D in between.
    fn row(
        &mut self,
        name: &'static str,
        target: f64,
        runs: u32,
        mut one: impl FnMut() -> Result<f64, BenchError>,
    ) -> Result<(), BenchError> {
        eprint!("{name} ...");
        let deno = self.fixture.deno_job();
        self.runner.timed(&deno)?;
        one()?;
        let (mut walls, mut denos) = (Vec::new(), Vec::new());
        for _ in 0..runs {
            quiet::wait(self.patience);
            denos.push(self.runner.timed(&deno)?.wall_ms);
            walls.push(one()?);
        }
        let row =
            Row { name, wall: Series::of(walls.into_iter()), deno: Series::of(denos.into_iter()), target };
        eprintln!(" {:.2} ms, {:.3} D", row.wall.median, row.wall.median / row.deno.median);
        self.rows.push(row);
        Ok(())
    }

    fn first_answer(
        &mut self,
        name: &'static str,
        module: &ModuleRef,
        target: f64,
        runs: u32,
    ) -> Result<(), BenchError> {
        let fixture = self.fixture;
        self.row(name, target, runs, || {
            let start = Instant::now();
            let host = OneHost::start(fixture)?;
            host.describe(module)?;
            let wall = start.elapsed();
            drop(host);
            Ok(millis(wall))
        })
    }

    /// Measures calls back to back, as a workflow makes them. Between two batches Deno runs, which empties the processor's
    /// caches, so the first call of each batch has its own row.
    fn second_call(&mut self, module: &ModuleRef, runs: u32) -> Result<(), BenchError> {
        const BATCH: u32 = 50;
        let host = OneHost::start(self.fixture)?;
        host.describe(module)?;
        host.run(module)?;
        self.row("a further call in the same host, back to back", 0.01, runs.max(10), || {
            host.run(module)?;
            let start = Instant::now();
            for _ in 0..BATCH {
                host.run(module)?;
            }
            Ok(millis(start.elapsed()) / f64::from(BATCH))
        })?;
        self.row("a call after the host rested while another program ran", 0.1, runs.max(10), || {
            let start = Instant::now();
            host.run(module)?;
            Ok(millis(start.elapsed()))
        })
    }

    /// Measures a host with one model, and one after many models.
    fn memory(&mut self, small: &ModuleRef, large: &[&ModuleRef]) -> Result<(), BenchError> {
        let host = OneHost::start(self.fixture)?;
        host.describe(small)?;
        host.run(small)?;
        let Some(one) = host.settled_mb() else {
            self.note("Memory is not measured on this system.".to_owned());
            return Ok(());
        };
        self.note(format!(
            "RSS of a host with a zod model: {one:.1} MB (target ≤ 20 MB: {}).",
            verdict(one <= 20.0)
        ));
        host.evict(small);
        let before = host.settled_mb().unwrap_or_default();
        let mut most = before;
        for round in 0..RUNTIMES {
            let Some(module) = large.get(round % large.len()) else { continue };
            let version = ModuleRef { url: format!("{}-{round}", module.url), ..(*module).clone() };
            host.describe(&version)?;
            most = most.max(host.rss_mb().unwrap_or_default());
            host.evict(&version);
        }
        let after = host.settled_mb().unwrap_or_default();
        self.note(format!(
            "{RUNTIMES} runtimes over the models above, one after another, then idle: RSS {before:.1} MB before, at most \
             {most:.1} MB, {after:.1} MB after, {:+.1} MB (target within 10 MB: {}).",
            after - before,
            verdict(after - before <= 10.0)
        ));
        Ok(())
    }

    /// The table of the kernels.
    fn kernels(&self, models: &Models<'_>, module: &ModuleRef) -> Result<String, BenchError> {
        let (mut ours, mut theirs) = (BTreeMap::new(), BTreeMap::new());
        for _ in 0..3 {
            eprintln!("kernels ...");
            quiet::wait(self.patience);
            best(&mut theirs, &self.kernels_of_deno(models)?);
            quiet::wait(self.patience);
            let host = OneHost::start(self.fixture)?;
            let printed = host.run(module)?;
            best(&mut ours, printed.first().map(String::as_str).unwrap_or_default());
        }
        let mut text =
            String::from("\n| kernel | marsh ms | Deno ms | ratio |\n| --- | ---: | ---: | ---: |\n");
        for (name, own) in &ours {
            let other = theirs.get(name).copied().unwrap_or(f64::NAN);
            text.push_str(&format!("| {name} | {own:.2} | {other:.2} | {:.1} |\n", own / other));
        }
        Ok(text)
    }

    fn kernels_of_deno(&self, models: &Models<'_>) -> Result<String, BenchError> {
        let job = self.fixture.deno_job();
        let output = Command::new(&job.program)
            .arg("run")
            .arg(models.kernels_for_deno())
            .env_clear()
            .envs(job.env.iter().map(|(name, value)| (name, value)))
            .output()
            .map_err(|source| BenchError::io("start Deno", source))?;
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        if output.status.success() {
            return Ok(said);
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(BenchError::Command { what: "deno run kernels".to_owned(), said })
    }

    fn text(&self) -> String {
        let mut text = String::from("| what | wall ms | min–p90 | D | target |  |\n");
        text.push_str("| --- | ---: | ---: | ---: | --- | --- |\n");
        for Row { name, wall, deno, target } in &self.rows {
            let ratio = wall.median / deno.median;
            text.push_str(&format!(
                "| {name} | {:.2} | {:.2}–{:.2} | {ratio:.3} | ≤ {target} D | {} |\n",
                wall.median,
                wall.min,
                wall.p90,
                verdict(ratio <= *target)
            ));
        }
        let d = Series::of(self.rows.iter().map(|row| row.deno.median)).median;
        text.push_str(&format!("\n* D is {d:.1} ms.\n"));
        for note in &self.notes {
            text.push_str(&format!("* {note}\n"));
        }
        text
    }
}

fn verdict(holds: bool) -> &'static str {
    if holds { "pass" } else { "above" }
}

/// Keeps the smallest of several results.
fn best(into: &mut BTreeMap<String, f64>, json: &str) {
    let times: BTreeMap<String, f64> = serde_json::from_str(json.trim()).unwrap_or_default();
    for (name, ms) in times {
        into.entry(name).and_modify(|known| *known = known.min(ms)).or_insert(ms);
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "sizes of files")]
fn as_f64(bytes: u64) -> f64 {
    bytes as f64
}
