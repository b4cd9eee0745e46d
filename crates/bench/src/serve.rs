//! Measures a server: the latency of edits, and its memory. [`crate::reloads`] measures memory over time.
//!
//! `--serve` measures the time from the rename of an edited file to the answer of a call that ran it, with `--watch`; a
//! reload of a thousand types without an edit; and the memory of an idle server with a thousand types.

use std::path::Path;
use std::time::{Duration, Instant};

use marsh_testkit::{ExtensionProcess, Scratch, large_model};

use crate::error::BenchError;
use crate::fixture::Fixture;
use crate::measure::Runner;
use crate::stats::Series;

/// How long a file counts as just written, with a margin.
const YOUNG: Duration = Duration::from_millis(2_200);
const SOURCE: &str = "extensions/models/large.ts";

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// Measures latency and memory, beside Deno on an empty script.
pub fn latency(marsh: &Path, runner: &Runner, fixture: &Fixture, runs: u32) -> Result<String, BenchError> {
    let mut text = String::from(
        "| what | median | p95 | D | median in D | target | | p95 in D | target | |\n|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut row = |what: &str, values: Vec<f64>, deno: Vec<f64>, most: (f64, f64)| {
        let (values, deno) = (Series::of(values.into_iter()), Series::of(deno.into_iter()));
        let (median, p95) = (values.median / deno.median, values.p95 / deno.median);
        let word = |ratio: f64, most: f64| if ratio <= most { "pass" } else { "above" };
        text.push_str(&format!("| {what} | {:.1} ms | {:.1} ms | {:.1} ms | {median:.2} | ≤ {} D | {} | {p95:.2} | ≤ {} D | {} |\n",
            values.median,
            values.p95,
            deno.median,
            most.0,
            word(median, most.0),
            most.1,
            word(p95, most.1)));
    };
    let deno = || runner.timed(&fixture.deno_job()).map(|sample| sample.wall_ms);

    let repo = Scratch::repo(marsh);
    let small = |number: u32| large_model("@bench/large", &format!("word {number}"), 3, 0);
    repo.write(SOURCE, small(0));
    let process = repo.spawn_extension_process(&["--watch"]);
    process.run("@bench/large", "run");
    let (mut values, mut of_deno) = (Vec::new(), Vec::new());
    for number in 1..=runs {
        of_deno.push(deno()?);
        let new = repo.write("large.new", small(number));
        let started = Instant::now();
        marsh_fs::rename(&new, &repo.path(SOURCE))?;
        let said = process.run("@bench/large", "run")["word"].clone();
        values.push(started.elapsed().as_secs_f64() * 1e3);
        if said != format!("word {number}") {
            return Err(BenchError::Command { what: "an edited source".into(), said: said.to_string() });
        }
    }
    row("save to answer of the new code, small zod model, `--watch`", values, of_deno, (1.5, 3.0));
    process.stop();

    let process = thousand_types(&repo);
    let (mut values, mut of_deno) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        of_deno.push(deno()?);
        let started = Instant::now();
        process.trigger_reload();
        values.push(started.elapsed().as_secs_f64() * 1e3);
    }
    row("reload of 1,000 types without an edit", values, of_deno, (0.8, 0.8));
    let idle = megabytes(process.memory().server_rss);
    process.stop();
    text.push_str(&format!("\nidle server with 1,000 indexed types: {idle:.1} MB\n"));
    Ok(text)
}

fn thousand_types(repo: &Scratch) -> ExtensionProcess {
    for i in 0..1000 {
        let text = format!(
            "export const model = {{ type: '@many/t{i}', version: '2026.01.01.1', methods: {{}} }};\n"
        );
        repo.write(&format!("extensions/models/t{i}.ts"), text);
    }
    let process = repo.spawn_extension_process(&[]);
    process.trigger_reload();
    // A file that is younger than the resolution of time stamps is read again at every check (`extension::stat`).
    std::thread::sleep(YOUNG);
    process.trigger_reload();
    process
}
