//! The living process: memory over many reloads, and how soon an edit answers.
//!
//! `--reloads N` replaces the source of a model of realistic size N times by other content, in turn from a few, so that
//! every time another version than the loaded one is built, loaded, called, and the one before is dropped. Calls of
//! another type are in flight all the while. Memory is that of the server and its host, and the engines' own count.
//!
//! `--serve` measures latency and size: from the rename of an edited file to the answer of a call that ran it, with
//! `--watch`; a reload of a thousand types without an edit; and the idle server with a thousand types.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use marsh_testkit::{ExtensionProcess, Memory, Scratch, large_model};
use serde_json::json;

use crate::error::BenchError;
use crate::fixture::Fixture;
use crate::measure::Runner;
use crate::stats::Series;

const SOURCE: &str = "extensions/models/large.ts";
/// Different contents in turn.
const CONTENTS: usize = 8;
const WARM: usize = 2 * CONTENTS;

/// A type whose calls last for a moment, so that some are always in flight.
const BUSY: &str = "const any = { _def: { type: 'any' }, parse: (x) => x, safeParse: (x) => ({ success: true, data: x }) };
export const model = { type: '@bench/busy', version: '2026.01.01.1', resources: {}, methods: { wait: {
  description: 'Wait', kind: 'read', arguments: any, execute: () => new Promise((done) => setTimeout(done, 20)) } } };
";

pub fn reloads(marsh: &Path, reloads: usize, schemas: usize, bytes: usize) -> Result<String, BenchError> {
    let repo = Scratch::repo(marsh);
    let contents: Vec<String> =
        (0..CONTENTS).map(|i| large_model("@bench/large", &format!("word {i}"), schemas, bytes)).collect();
    repo.write(SOURCE, &contents[0]);
    repo.write("extensions/models/busy.ts", BUSY);
    let process = repo.spawn_extension_process(&[]);
    let (over, busy_calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut rows = Vec::new();
    let mut took = Vec::new();
    let outcome = std::thread::scope(|scope| {
        for client in 0..4 {
            let (process, over, busy_calls) = (&process, &over, &busy_calls);
            scope.spawn(move || {
                let mut connection = process.connect();
                let name = format!("busy-{client}");
                let params = json!({ "target": "@bench/busy", "name": name, "method": "wait" });
                while !over.load(Ordering::Relaxed) {
                    if connection.ask("call", params.clone()).is_ok() {
                        busy_calls.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let mut marks = vec![0, 100, 1000, reloads];
        marks.retain(|mark| *mark <= reloads);
        marks.dedup();
        let mut reload = |i: usize| -> Result<(), BenchError> {
            let new = repo.write("large.new", &contents[i % CONTENTS]);
            let started = Instant::now();
            marsh_fs::rename(&new, &repo.path(SOURCE))?;
            process.trigger_reload();
            let said = process.run("@bench/large", "run")["word"].clone();
            took.push(started.elapsed().as_secs_f64() * 1e3);
            if said == format!("word {}", i % CONTENTS) {
                return Ok(());
            }
            Err(BenchError::Command { what: format!("reload {i}"), said: said.to_string() })
        };
        let mut work = || -> Result<(), BenchError> {
            for i in 0..WARM {
                reload(i)?;
            }
            for i in 0..=reloads {
                if marks.contains(&i) {
                    process.assert_one_version_alive("@bench/large");
                    rows.push((i, process.memory()));
                }
                reload(WARM + i)?;
            }
            Ok(())
        };
        let outcome = work();
        over.store(true, Ordering::Relaxed);
        outcome
    });
    outcome?;
    let calls = process.type_status("@bench/busy")["failedCalls"].clone();
    process.stop();
    Ok(reload_table(&rows, &Series::of(took.into_iter()), contents[0].len(), busy_calls.into_inner(), &calls))
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

fn reload_table(
    rows: &[(usize, Memory)],
    took: &Series,
    bytes: usize,
    calls: u64,
    failed: &serde_json::Value,
) -> String {
    let mut text = String::from(
        "| reloads | server RSS, MB | host RSS, MB | engine heap, MB | leaked, bytes | versions alive |\n|---|---|---|---|---|---|\n",
    );
    for (reloads, memory) in rows {
        // Writing to a string cannot fail.
        writeln!(
            text,
            "| {reloads} | {:.1} | {:.1} | {:.2} | {} | {} |",
            megabytes(memory.server_rss),
            megabytes(memory.hosts_rss),
            megabytes(memory.heap),
            memory.leaked,
            memory.versions_alive
        )
        .ok();
    }
    writeln!(
        text,
        "\nbundle {} KB; from rename to the answer of the new code, with a reload in between: median {:.1} ms, p90 {:.1} ms; \
         {calls} calls of another type meanwhile, {failed} failed",
        bytes >> 10,
        took.median,
        took.p90
    )
    .ok();
    text
}

/// Latency and size, beside Deno on an empty script.
pub fn latency(marsh: &Path, runner: &Runner, fixture: &Fixture, runs: u32) -> Result<String, BenchError> {
    let mut text = String::from("| what | median | p90 | D | ratio |\n|---|---|---|---|---|\n");
    let mut row = |what: &str, values: Vec<f64>, deno: Vec<f64>| {
        let (values, deno) = (Series::of(values.into_iter()), Series::of(deno.into_iter()));
        let ratio = values.median / deno.median;
        writeln!(
            text,
            "| {what} | {:.1} ms | {:.1} ms | {:.1} ms | {ratio:.2} |",
            values.median, values.p90, deno.median
        )
        .ok();
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
    row("save to answer of the new code, small zod model, `--watch`", values, of_deno);
    process.stop();

    let process = thousand_types(&repo);
    let (mut values, mut of_deno) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        of_deno.push(deno()?);
        let started = Instant::now();
        process.trigger_reload();
        values.push(started.elapsed().as_secs_f64() * 1e3);
    }
    row("reload of 1,000 types without an edit", values, of_deno);
    let idle = megabytes(process.memory().server_rss);
    process.stop();
    writeln!(text, "\nidle server with 1,000 indexed types: {idle:.1} MB").ok();
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
    process
}
