//! The daily commands of marsh's developers: `cargo xtask <command>`.
//!
//! Each check reads the files that git tracks and prints one line for each finding, with file and line. A check that finds
//! something exits 1. `.ci/run` runs the same checks; `CONTRIBUTING.md` says when to run which.

mod cite;
mod files;
mod intl;
mod language;
mod platform;
mod spell;

use std::fmt::Display;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use files::Tree;

const USAGE: &str = "\
The daily commands of marsh's developers.

Usage: cargo xtask <command>

Commands:
  ci [STEP…]               Run .ci/run, or only some of its steps
  lint-language            Report banned phrases (xtask/banned.txt)
  spell                    Report misspelled words (typos when it is installed, and a built-in list)
  cite                     Report cited files and tests that do not exist
  platform                 Report cfg branches without a counterpart
  schemas [--check]        Write docs/reference/schemas and the tables of kinds and variables, or compare them
  intl-data [--check]      Write the tables of crates/intl from the CLDR, or compare them; needs npm
  check-macos              Type-check the workspace for aarch64-apple-darwin; needs that target, but no Apple SDK

Examples:
  cargo xtask ci format lints
  cargo xtask lint-language
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or_else(|| Path::new("."));
    let outcome = match arguments.first().map(String::as_str) {
        Some("ci") => run(Command::new("bash").arg(".ci/run").args(&arguments[1..]).current_dir(root)),
        Some("lint-language") => Tree::open(root).and_then(|tree| {
            let (found, limit) = language::check(&tree)?;
            let count = found.len();
            findings("banned phrases", Ok(found)).map(|clean| clean || count <= limit)
        }),
        Some("spell") => Tree::open(root).and_then(|tree| {
            let ours = spell::check(&tree);
            Ok(findings("misspelled words", ours)? & spell::typos(root)?)
        }),
        Some("cite") => findings("missing citations", Tree::open(root).and_then(|tree| cite::check(&tree))),
        Some("platform") => {
            findings("lone cfg branches", Tree::open(root).and_then(|tree| platform::check(&tree)))
        }
        Some("schemas") => schemas(root, arguments.iter().any(|argument| argument == "--check")),
        Some("intl-data") => intl::run(root, arguments.iter().any(|argument| argument == "--check")),
        Some("check-macos") => run(Command::new("bash").arg(".ci/check-macos").current_dir(root)),
        Some("help" | "--help" | "-h") => {
            print(USAGE);
            return ExitCode::SUCCESS;
        }
        _ => {
            complain(USAGE);
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            complain(format!("error: {message}\n"));
            ExitCode::FAILURE
        }
    }
}

/// Prints what a check found and a closing line with the count. `true`: nothing.
fn findings(noun: &str, found: Result<Vec<files::Finding>, String>) -> Result<bool, String> {
    let found = found?;
    for finding in &found {
        print(format!("{finding}\n"));
    }
    print(format!("{noun}: {}\n", found.len()));
    Ok(found.is_empty())
}

/// Runs a command that talks to the terminal itself. `true`: it succeeded.
fn run(command: &mut Command) -> Result<bool, String> {
    let status = command.status().map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    Ok(status.success())
}

/// The tests that compare parts of `docs/reference` with the code, by package. With `UPDATE_SCHEMAS` they write them.
const REFERENCE_TESTS: [(&str, &str); 2] = [("marsh-api", "schemas"), ("marsh-repo", "reference")];

/// Writes the generated parts of `docs/reference`, or fails when they differ from the code.
fn schemas(root: &Path, check: bool) -> Result<bool, String> {
    for (package, test) in REFERENCE_TESTS {
        let mut command = Command::new(env!("CARGO"));
        command.args(["test", "--quiet", "-p", package, "--test", test]).current_dir(root);
        if !check {
            command.env("UPDATE_SCHEMAS", "1");
        }
        if !run(&mut command)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Writes to standard output; a closed pipe is the reader's choice.
fn print(text: impl Display) {
    if write!(std::io::stdout().lock(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// Writes to standard error; without one there is nowhere left to report to.
fn complain(text: impl Display) {
    if write!(std::io::stderr().lock(), "{text}").is_err() {
        std::process::exit(1);
    }
}
