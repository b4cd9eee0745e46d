//! Bundles the deepest text that the parser takes, for every construct that nests, and prints how long it takes. A crash of
//! the bundler would show as `worker died`.
//!
//! `cargo run --release -p marsh-bundle --example nesting [LEVELS]`

#![expect(clippy::print_stdout, clippy::disallowed_methods, reason = "an example that prints, with fixtures")]

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use marsh_bundle::{BundleRequest, Worker, bundle_in_worker, declarations, worker_main};

#[path = "../src/parse/constructs.rs"]
mod constructs;

/// The argument under which this program is the worker.
const WORKER: &str = "--worker";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some(WORKER) {
        return Ok(worker_main());
    }
    let levels = argument.map(|text| text.parse::<usize>()).transpose()?;
    let dir = tempfile::tempdir()?;
    let worker = Worker::new(std::env::current_exe()?, [WORKER]);
    for (name, file, text) in constructs::CONSTRUCTS {
        let n = levels.unwrap_or_else(|| largest(file, *text));
        let root = tempfile::tempdir_in(dir.path())?;
        let (src, out, cache) = (root.path().join("src"), root.path().join("out"), root.path().join("cache"));
        for dir in [&src, &out, &cache] {
            std::fs::create_dir(dir)?;
        }
        std::fs::write(src.join(file), text(n))?;
        let request =
            BundleRequest { entry: src.join(file), root: src, out_dir: out, cache_dir: cache, offline: true };
        let start = Instant::now();
        let outcome = match bundle_in_worker(&worker, &request, Duration::from_secs(600)) {
            Ok(_) => "bundled".to_owned(),
            Err(error) => format!("{:.100}", error.to_string().replace('\n', " ")),
        };
        println!("{name}, {n} levels: {outcome} in {:?}", start.elapsed());
    }
    Ok(ExitCode::SUCCESS)
}

/// The largest number of levels that the parser's entry lets through.
fn largest(file: &str, text: fn(usize) -> String) -> usize {
    let (mut low, mut high) = (1_usize, 101_000);
    while low + 1 < high {
        let middle = low.midpoint(high);
        let refused = declarations(&text(middle), Path::new(file))
            .is_err_and(|diagnostic| diagnostic.code.to_string() == "nesting_too_deep");
        if refused { high = middle } else { low = middle }
    }
    low
}
