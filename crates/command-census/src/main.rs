//! Which command lines of existing repositories marsh understands.
//!
//! ```sh
//! cargo run -p marsh-command-census -- DIR [--json FILE] [--run MARSH]
//! ```
//!
//! Every directory in `DIR` is a repository. The command lines that call `swamp` in its scripts, CI files, hooks, agent files
//! and other Markdown are parsed with the definition of the real command line, as `swamp`. Placeholders (`<name>`, `$VAR`)
//! count as words. `--json` keeps every row; `--run` also runs those that only read, in the repository that they belong to
//! and without the network. That writes caches into `DIR`, which should be a copy.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool for developers that prints a report")]

mod collect;
mod judge;
mod report;
mod run;
mod shell;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::report::{Report, Row};
use crate::run::Runner;

/// What the command line asks for.
#[derive(Debug)]
struct Options {
    dir: PathBuf,
    json: Option<PathBuf>,
    marsh: Option<PathBuf>,
}

fn main() -> ExitCode {
    match options().and_then(|options| take(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Result<Options, String> {
    let mut arguments = std::env::args_os().skip(1);
    let (mut dir, mut json, mut marsh) = (None, None, None);
    while let Some(argument) = arguments.next() {
        let slot = match argument.to_str() {
            Some("--json") => &mut json,
            Some("--run") => &mut marsh,
            _ => {
                dir = Some(PathBuf::from(argument));
                continue;
            }
        };
        *slot = Some(PathBuf::from(arguments.next().ok_or("missing value of the last option")?));
    }
    // Commands run in the directories of their repositories.
    let marsh =
        marsh.map(std::path::absolute).transpose().map_err(|error| format!("invalid path: {error}"))?;
    Ok(Options { dir: dir.ok_or("missing directory of repositories")?, json, marsh })
}

fn take(options: &Options) -> Result<(), String> {
    let cannot = |what: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", what.display());
    let entries = std::fs::read_dir(&options.dir).map_err(|error| cannot(&options.dir, &error))?;
    let mut roots: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.is_dir()).collect();
    roots.sort();
    let home = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut runner =
        options.marsh.as_deref().map(|marsh| Runner { marsh, home: home.path(), done: HashMap::new() });
    let mut rows = Vec::new();
    let mut with_lines = 0;
    for root in &roots {
        let found = collect::collect(root).map_err(|error| cannot(root, &error))?;
        with_lines += usize::from(!found.is_empty());
        for found in found {
            let verdict = judge::judge(&found);
            let run = match &mut runner {
                Some(runner) => {
                    runner.run(root, &found, &verdict).map_err(|error| cannot(runner.marsh, &error))?
                }
                None => None,
            };
            rows.push(Row {
                repository: root.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                place: found.place,
                file: found.file.display().to_string(),
                line: found.line,
                words: found.words.into_iter().map(|word| word.text).collect(),
                verdict,
                run,
            });
        }
    }
    let report = Report { repositories: roots.len(), repositories_with_command_lines: with_lines, rows };
    if let Some(path) = &options.json {
        let text = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
        marsh_fs::atomic_write(path, text.as_bytes(), marsh_fs::Durability::Atomic)
            .map_err(|error| error.to_string())?;
    }
    print!("{}", report.markdown());
    Ok(())
}
