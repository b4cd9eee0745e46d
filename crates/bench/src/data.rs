//! Measures stored data: building the catalog of many versions, and queries.
//!
//! This program writes the versions in the format of the data store, a hundred versions of a name and ten names of a model.
//! They are older than the catalog's limit for new files when the clock starts.

use std::path::Path;
use std::time::Instant;

use marsh_fs::NewFile;

use crate::error::BenchError;
use crate::fixture::Fixture;
use crate::lifecycle::timed;
use crate::stats::Series;

const NAMES: usize = 10;
const VERSIONS: usize = 100;

/// Runs all and prints a table in Markdown.
pub fn run(fixture: &Fixture, records: usize, runs: u32) -> Result<String, BenchError> {
    let repo = fixture.top().join("data-bench");
    let init = repo.to_string_lossy().into_owned();
    timed(&fixture.job(fixture.top(), &["init", "--quiet", &init]))?;
    let models = (records / (NAMES * VERSIONS)).max(1);
    let records = models * NAMES * VERSIONS;
    eprint!("writing {records} versions ...");
    let start = Instant::now();
    for model in 0..models {
        write_model(&repo, model)?;
    }
    eprintln!(" {:.0} s", start.elapsed().as_secs_f64());
    // Every query reads younger files again, which would be measured too.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let asked = models / 2;
    let predicate = format!("modelName == \"m{asked}\" && name == \"n3\"");
    let query = fixture.job(&repo, &["--json", "data", "query", &predicate]);
    eprint!("catalog from nothing ...");
    let (rebuild, said) = timed(&query)?;
    eprintln!(" {rebuild:.0} ms");
    if !said.contains("\"total\": 1") {
        return Err(BenchError::Command { what: "data query".into(), said });
    }
    let deno = fixture.deno_job();
    timed(&deno)?;
    timed(&query)?;
    let (mut walls, mut denos) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        denos.push(timed(&deno)?.0);
        walls.push(timed(&query)?.0);
    }
    let (wall, d) = (Series::of(walls.into_iter()), Series::of(denos.into_iter()));
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = records as f64 / rebuild * 1e3;
    let ratio = wall.median / d.median;
    Ok(format!(
        "| what | measured | target | |\n|---|---|---|---|\n\
         | catalog of {records} records from nothing | {rate:.0} records/s | ≥ 20,000 records/s | {} |\n\
         | `data query` by an indexed predicate over {records} records | {:.1} ms ({:.1}–{:.1}), {ratio:.2} D of {:.1} ms \
         | ≤ 2 D | {} |\n",
        if rate >= 20_000.0 { "pass" } else { "below" },
        wall.median,
        wall.min,
        wall.p90,
        d.median,
        if ratio <= 2.0 { "pass" } else { "above" },
    ))
}

fn write_model(repo: &Path, model: usize) -> Result<(), BenchError> {
    let id = format!("{model:08x}-8f6e-4c0e-9d9f-1b1f3a7f0001");
    let dir = repo.join(".swamp/data/@bench/thing").join(&id);
    for name in 0..NAMES {
        let dir = dir.join(format!("n{name}"));
        for version in 1..=VERSIONS {
            let dir = dir.join(version.to_string());
            marsh_fs::create_dir_all(&dir)?;
            let raw = format!("{{\"model\":{model},\"name\":{name},\"version\":{version}}}");
            put(&dir.join("metadata.yaml"), &metadata(&id, model, name, version, raw.len()))?;
            put(&dir.join("raw"), &raw)?;
        }
        put(&dir.join("latest"), &VERSIONS.to_string())?;
    }
    Ok(())
}

fn put(path: &Path, text: &str) -> Result<(), BenchError> {
    let mut file = NewFile::create(path)?;
    file.write(text.as_bytes())?;
    Ok(file.finish(marsh_fs::Durability::Atomic)?)
}

fn metadata(model_id: &str, model: usize, name: usize, version: usize, size: usize) -> String {
    let id = format!("{model:08x}-{name:04x}-4d1b-8b7e-{version:012x}");
    let checksum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    format!(
        "id: {id}\nname: n{name}\nversion: {version}\ncontentType: application/json\nlifetime: infinite\n\
         garbageCollection: 100\nstreaming: false\ntags:\n  type: resource\n  specName: result\n  modelName: m{model}\n\
         ownerDefinition:\n  ownerType: model-method\n  ownerRef: {model_id}\n\
         createdAt: \"2026-08-22T10:15:00.123Z\"\nsize: {size}\nchecksum: {checksum}\n"
    )
}
