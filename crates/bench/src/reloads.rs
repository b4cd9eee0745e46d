//! Measures memory and latency over many reloads in one server, and beside it Deno's `import("…?fp=")` of the same bundles.
//!
//! The sources are of every kind (models, method extensions, vaults, datastores, drivers, reports) and of realistic size, and
//! are edited in turn. Each edit changes the source's word to another of a few words, so that the disk has little influence.
//! After each reload, a call checks the word. Meanwhile calls of a type that no edit changes are in flight.
//!
//! Deno imports the bundles that marsh built, including zod, each time under a new `?fp=`, as a process that reloads by such
//! imports. It builds nothing, compares no sources and makes no calls, so its latency is that of the import alone. Its heap
//! is measured after a garbage collection. The run of Deno is stopped at [`ENOUGH`].

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use marsh_testkit::{EVERY_KIND, ExtensionProcess, KindSource, Memory, Scratch, ballast, write_surroundings};
use serde::Deserialize;
use serde_json::json;

use crate::error::BenchError;
use crate::stats::Series;

/// Different contents of each source, in turn.
const WORDS: usize = 4;
/// Rounds through all sources before the measurement.
const WARM: usize = 2 * WORDS;
/// Measurements of memory at a mark, and the time between them.
const SAMPLES: usize = 20;
const SAMPLE_EVERY: Duration = Duration::from_millis(100);
/// Deno's resident memory at which its run is stopped.
const ENOUGH: u64 = 3 << 30;

/// The parameters of the measurement.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub reloads: usize,
    pub schemas: usize,
    pub bytes: usize,
    /// Whether each source constructs a client of the AWS SDK.
    pub aws: bool,
}

/// A type with short calls, so that some are always in flight.
const BUSY: &str = "const any = { _def: { type: 'any' }, parse: (x) => x, safeParse: (x) => ({ success: true, data: x }) };
export const model = { type: '@bench/busy', version: '2026.01.01.1', resources: {}, methods: { wait: {
  description: 'Wait', kind: 'read', arguments: any, execute: () => new Promise((done) => setTimeout(done, 20)) } } };
";

const AWS: &str = "import { ListBucketsCommand, S3Client } from \"npm:@aws-sdk/client-s3@3\";
globalThis.aws = [new S3Client({ region: \"eu-central-1\" }), ListBucketsCommand];
";

/// One line of the table.
struct Row {
    engine: &'static str,
    reloads: usize,
    /// The memory of the server and its hosts, or of Deno.
    rss: u64,
    heap: u64,
    leaked: Option<u64>,
    versions_alive: Option<u64>,
    /// The times since the line before, in milliseconds.
    took: Series,
}

pub fn run(marsh: &Path, deno: &Path, plan: Plan) -> Result<String, BenchError> {
    let repo = Scratch::repo(marsh);
    let mut report = served(&repo, plan)?;
    let bundles = bundles(&repo, plan.bytes)?;
    let (rows, note) = deno_imports(&repo, deno, &bundles, plan.reloads)?;
    report.rows.extend(rows);
    report.notes.push(note);
    Ok(report.text())
}

struct Report {
    rows: Vec<Row>,
    notes: Vec<String>,
}

fn marks(reloads: usize) -> Vec<usize> {
    let mut marks: Vec<usize> = [0, 100, 1000].into_iter().filter(|mark| *mark < reloads).collect();
    marks.push(reloads);
    marks
}

fn served(repo: &Scratch, plan: Plan) -> Result<Report, BenchError> {
    let aws = if plan.aws { AWS } else { "" };
    let top = format!("{aws}{}", ballast(plan.schemas, plan.bytes));
    write_surroundings(repo);
    repo.write("extensions/models/busy.ts", BUSY);
    let process = repo.spawn_extension_process(&["--watch"]);
    let (over, busy_calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut rows, mut took) = (Vec::new(), Vec::new());
    let reload = |i: usize, took: &mut Vec<f64>| -> Result<(), BenchError> {
        let source = EVERY_KIND[i % EVERY_KIND.len()];
        let word = format!("word {}", (i / EVERY_KIND.len()) % WORDS);
        // Written outside the root, which the server watches.
        let new = repo.write("edits/next.ts", source.source(repo, &top, &format!("'{word}'")));
        let started = Instant::now();
        marsh_fs::rename(&new, &repo.path(source.file))?;
        let reloaded = process.trigger_reload();
        let said = source.said(repo, &process);
        took.push(started.elapsed().as_secs_f64() * 1e3);
        if said == word {
            return Ok(());
        }
        let said = format!("expected `{word}`, found `{said}`: {reloaded}");
        Err(BenchError::Command { what: format!("reload {i}, a {}", source.kind), said })
    };
    let mut work = || -> Result<(), BenchError> {
        // The first version of each source is loaded by its first call, or by the watch.
        for source in EVERY_KIND {
            repo.replace(source.file, source.source(repo, &top, "'first'"));
            is_loaded(repo, &process, source)?;
        }
        let warm = WARM * EVERY_KIND.len();
        eprintln!("marsh: warming up with {warm} reloads");
        for i in 0..warm {
            reload(i, &mut Vec::new())?;
        }
        let mut done = 0;
        for mark in marks(plan.reloads) {
            for i in done..mark {
                reload(warm + i, &mut took)?;
            }
            done = mark;
            for source in EVERY_KIND {
                process.assert_one_version_alive(source.type_name);
            }
            let memory = settled(&process);
            eprintln!("marsh: {mark} reloads, {memory:?}");
            rows.push(row(mark, &memory, &mut took));
        }
        Ok(())
    };
    let outcome = std::thread::scope(|scope| {
        for client in 0..4 {
            let (process, over, busy_calls) = (&process, &over, &busy_calls);
            scope.spawn(move || {
                let mut connection = process.connect();
                let params =
                    json!({ "target": "@bench/busy", "name": format!("busy-{client}"), "method": "wait" });
                while !over.load(Ordering::Relaxed) {
                    if connection.ask("call", params.clone()).is_ok() {
                        busy_calls.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        let outcome = work();
        over.store(true, Ordering::Relaxed);
        outcome
    });
    outcome?;
    let failed = process.type_status("@bench/busy")["failedCalls"].clone();
    process.stop();
    let note = format!(
        "Sources of {} KB with {} zod schemas each{}; {} calls of another type were in flight meanwhile, {failed} failed.",
        top.len() >> 10,
        plan.schemas,
        if plan.aws { " and a client of the AWS SDK" } else { "" },
        busy_calls.into_inner(),
    );
    Ok(Report { rows, notes: vec![note] })
}

fn is_loaded(repo: &Scratch, process: &ExtensionProcess, source: KindSource) -> Result<(), BenchError> {
    if source.is_called() {
        source.said(repo, process);
        return Ok(());
    }
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let status = process.status();
        let mut rows = status["types"].as_array().into_iter().flatten();
        if rows.any(|row| row["type"] == source.type_name && row["state"] == "serving") {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(BenchError::Command {
                what: format!("load a {}", source.kind),
                said: status.to_string(),
            });
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The smallest resident memory while only the calls in flight run, because memory that a load uses briefly is not growth.
fn settled(process: &ExtensionProcess) -> Memory {
    let look = || {
        std::thread::sleep(SAMPLE_EVERY);
        process.memory()
    };
    let samples = std::iter::repeat_with(look).take(SAMPLES);
    samples.min_by_key(|memory| memory.server_rss + memory.hosts_rss).unwrap_or_else(|| process.memory())
}

fn row(reloads: usize, memory: &Memory, took: &mut Vec<f64>) -> Row {
    Row {
        engine: "marsh",
        reloads,
        rss: memory.server_rss + memory.hosts_rss,
        heap: memory.heap,
        leaked: Some(memory.leaked),
        versions_alive: Some(memory.versions_alive),
        took: Series::of(took.drain(..)),
    }
}

/// The bundles that marsh built for the sources, and zod.
#[derive(Debug)]
struct Bundles {
    files: Vec<PathBuf>,
    zod: Option<(String, PathBuf)>,
}

fn bundles(repo: &Scratch, bytes: usize) -> Result<Bundles, BenchError> {
    #[derive(Deserialize)]
    struct Meta {
        externals: Vec<External>,
    }
    #[derive(Deserialize)]
    struct External {
        specifier: String,
        path: PathBuf,
    }
    let top = repo.path(".swamp/marsh/v1/bundles");
    let read = |source| BenchError::io(format!("read {}", top.display()), source);
    let mut found = Bundles { files: Vec::new(), zod: None };
    for entry in std::fs::read_dir(&top).map_err(read)? {
        let dir = entry.map_err(read)?.path();
        let file = dir.join("bundle.js");
        // The small bundles are of the sources that are not edited.
        if std::fs::metadata(&file).is_ok_and(|metadata| metadata.len() > bytes as u64 / 2) {
            found.files.push(file);
            let meta = std::fs::read(dir.join("bundle.json")).map_err(read)?;
            let meta: Option<Meta> = serde_json::from_slice(&meta).ok();
            let external = meta.and_then(|meta| meta.externals.into_iter().next());
            found.zod = found.zod.or(external.map(|external| (external.specifier, external.path)));
        }
    }
    found.files.sort();
    if found.files.is_empty() {
        return Err(BenchError::Command {
            what: "find the bundles".into(),
            said: format!("{} has none of that size", top.display()),
        });
    }
    Ok(found)
}

const DENO_SCRIPT: &str = r#"const { bundles, warm, marks, enough } = JSON.parse(Deno.args[0]);
let took = [];
const tell = (reloads) => {
  globalThis.gc();
  const { rss, heapUsed } = Deno.memoryUsage();
  console.log(JSON.stringify({ reloads, rss, heap: heapUsed, took }));
  took = [];
};
let n = 0;
const reload = async () => {
  const started = performance.now();
  await import(`${bundles[n % bundles.length]}?fp=${n}`);
  took.push(performance.now() - started);
  n += 1;
};
while (n < warm) await reload();
took = [];
for (const mark of marks) {
  while (n < warm + mark) {
    await reload();
    if (Deno.memoryUsage().rss > enough) { tell(n - warm); Deno.exit(0); }
  }
  tell(mark);
}
"#;

/// The line that Deno printed at a mark.
#[derive(Deserialize)]
struct Told {
    reloads: usize,
    rss: u64,
    heap: u64,
    took: Vec<f64>,
}

fn deno_imports(
    repo: &Scratch,
    deno: &Path,
    bundles: &Bundles,
    reloads: usize,
) -> Result<(Vec<Row>, String), BenchError> {
    let script = repo.write("reloads.mjs", DENO_SCRIPT);
    let imports: serde_json::Map<String, serde_json::Value> =
        bundles.zod.iter().map(|(name, path)| (name.clone(), json!(file_url(path)))).collect();
    let map = repo.write("import-map.json", json!({ "imports": imports }).to_string());
    let urls: Vec<String> = bundles.files.iter().map(|path| file_url(path)).collect();
    let plan = json!({ "bundles": urls, "warm": WARM * EVERY_KIND.len(), "marks": marks(reloads), "enough": ENOUGH });
    eprintln!("Deno: {reloads} imports of {} bundles", bundles.files.len());
    let output = Command::new(deno)
        .args(["run", "--allow-all", "--no-check", "--no-config", "--v8-flags=--expose-gc", "--import-map"])
        .args([&map, &script])
        .arg(plan.to_string())
        .output()
        .map_err(|source| BenchError::io("start Deno", source))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let told: Vec<Told> = printed.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    let error = String::from_utf8_lossy(&output.stderr);
    let Some(last) = told.last().map(|told| told.reloads) else {
        return Err(BenchError::Command { what: "reload in Deno".into(), said: error.trim().to_owned() });
    };
    let end = if !output.status.success() {
        let line = error.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        format!(" It died after the {last}th at the earliest ({}): {line}", output.status)
    } else if last < reloads {
        format!(" It was stopped after {last}, at {:.0} MB.", megabytes(ENOUGH))
    } else {
        String::new()
    };
    let rows = told.into_iter().map(|told| Row {
        engine: "Deno",
        reloads: told.reloads,
        rss: told.rss,
        heap: told.heap,
        leaked: None,
        versions_alive: None,
        took: Series::of(told.took.into_iter()),
    });
    let note = format!(
        "Deno imports the same {} bundles under a new `?fp=` each time, and does nothing else.{end}",
        bundles.files.len()
    );
    Ok((rows.collect(), note))
}

fn file_url(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl Report {
    fn text(&self) -> String {
        let mut text = String::from(
            "| engine | reloads | RSS, MB | growth, MB | heap, MB | growth, MB | leaked, bytes | versions alive | reload ms, median | p90 |\n\
             |---|---:|---:|---:|---:|---:|---:|---:|---:|---:|\n",
        );
        for row in &self.rows {
            let first = self.rows.iter().find(|first| first.engine == row.engine).unwrap_or(row);
            let count = |count: Option<u64>| count.map_or_else(|| "–".to_owned(), |count| count.to_string());
            let time = |ms: f64| if row.took.median > 0.0 { format!("{ms:.1}") } else { "–".to_owned() };
            text.push_str(&format!(
                "| {} | {} | {:.1} | {:+.1} | {:.2} | {:+.2} | {} | {} | {} | {} |\n",
                row.engine,
                row.reloads,
                megabytes(row.rss),
                megabytes(row.rss) - megabytes(first.rss),
                megabytes(row.heap),
                megabytes(row.heap) - megabytes(first.heap),
                count(row.leaked),
                count(row.versions_alive),
                time(row.took.median),
                time(row.took.p90)
            ));
        }
        text.push('\n');
        for note in &self.notes {
            text.push_str(&format!("* {note}\n"));
        }
        text.push_str(&format!("* marsh's times are from the rename of an edited source to the answer of a call that ran it, with a reload in \
             between; its memory is that of the server and its host, the least of {SAMPLES} looks within two seconds; the heap \
             is that of all living engines.\n"));
        text
    }
}
