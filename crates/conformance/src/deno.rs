//! A case under Deno, in a process of its own; and what was recorded of that.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cases::{self, Case, Outcome};
use crate::error::Error;
use crate::server::Servers;

/// Starts the checks, and hands the results back through a file: standard output belongs to the case.
const START: &str = r#"import { runChecks } from "./case.mjs";
const results = await runChecks();
Deno.writeTextFileSync(new URL("./results.json", import.meta.url), JSON.stringify(results));
Deno.exit(0);
"#;

pub fn run(
    deno: &Path,
    case: &Case,
    servers: &Servers,
    dir: &Path,
    module: &Path,
) -> Result<Vec<Outcome>, Error> {
    let code = cases::compose(case, servers, dir)?;
    let start = module.with_file_name("start.mjs");
    let results = module.with_file_name("results.json");
    marsh_fs::atomic_write(module, code.as_bytes(), marsh_fs::Durability::Atomic)?;
    marsh_fs::atomic_write(&start, START.as_bytes(), marsh_fs::Durability::Atomic)?;
    let output = Command::new(deno)
        .args([
            "run",
            "--allow-all",
            "--quiet",
            "--no-config",
            "--no-lock",
            "--no-remote",
            "--no-npm",
            "--unstable-kv",
        ])
        .arg(&start)
        .args(["one", "two"])
        .current_dir(dir)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Error::io(format!("run {}", deno.display()), error))?;
    let Ok(text) = std::fs::read_to_string(&results) else {
        let said = String::from_utf8_lossy(&output.stderr);
        return Ok(cases::broken(format!("{}: {}", output.status, said.trim())));
    };
    serde_json::from_str(&text).map_err(|source| Error::Json { path: results, source })
}

/// Keep what Deno said, one check a line so that a change of one is a change of one line.
pub fn record(case: &Case, outcomes: &[Outcome]) -> Result<(), Error> {
    let path = case.expected();
    if let Some(dir) = path.parent() {
        marsh_fs::create_dir_all(dir)?;
    }
    let lines = outcomes.iter().map(|outcome| {
        // A message may name a path of this machine, and is not compared.
        let outcome = Outcome { message: None, ..outcome.clone() };
        serde_json::to_string(&outcome).map_err(|source| Error::Json { path: path.clone(), source })
    });
    let lines: Result<Vec<String>, Error> = lines.collect();
    let text = format!("[\n{}\n]\n", lines?.join(",\n"));
    Ok(marsh_fs::atomic_write(&path, text.as_bytes(), marsh_fs::Durability::Atomic)?)
}

pub fn recorded(case: &Case) -> Result<Vec<Outcome>, Error> {
    let path = case.expected();
    let Ok(text) = std::fs::read_to_string(&path) else {
        return Err(Error::NotRecorded { case: case.id(), path });
    };
    serde_json::from_str(&text).map_err(|source| Error::Json { path, source })
}

/// Which Deno the recorded results are of.
pub fn recorded_version() -> Result<String, Error> {
    let path = crate::folder::root().join("expected").join("version.json");
    let text = std::fs::read_to_string(&path)
        .map_err(|error| Error::io(format!("read {}", path.display()), error))?;
    let value: Value = serde_json::from_str(&text).map_err(|source| Error::Json { path, source })?;
    Ok(value.as_str().unwrap_or_default().to_owned())
}

pub fn record_version(version: &str) -> Result<(), Error> {
    let path = crate::folder::root().join("expected").join("version.json");
    let text = format!("{}\n", Value::from(version));
    Ok(marsh_fs::atomic_write(&path, text.as_bytes(), marsh_fs::Durability::Atomic)?)
}
