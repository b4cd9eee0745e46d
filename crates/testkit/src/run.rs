//! One finished run of the binary.

use std::process::Output;

use serde_json::Value;

use crate::Filters;

/// The output and the end of a run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Standard output, whole.
    pub stdout: String,
    /// Standard error, whole.
    pub stderr: String,
    /// The exit code; `None` if a signal ended the process.
    pub code: Option<i32>,
    filters: Filters,
}

impl Run {
    /// The run of a finished process that [`Scratch::command`](crate::Scratch::command) started.
    pub fn from_output(output: Output, filters: Filters) -> Run {
        Run {
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
            code: output.status.code(),
            filters,
        }
    }

    /// The same; with the feature `documents`, fails the test if `--json` printed a document that is invalid against
    /// the schemas of the command.
    #[track_caller]
    #[cfg_attr(not(feature = "documents"), expect(unused_variables, reason = "only documents need them"))]
    pub fn of(arguments: &[&str], output: Output, filters: Filters) -> Run {
        let run = Run::from_output(output, filters);
        #[cfg(feature = "documents")]
        crate::documents::check(arguments, &run);
        run
    }

    /// Returns the run if its exit code is 0, else panics.
    #[track_caller]
    pub fn ok(self) -> Run {
        self.exits(0)
    }

    /// Returns the run if it has this exit code, else panics.
    #[track_caller]
    pub fn exits(self, code: i32) -> Run {
        assert!(self.code == Some(code), "expected exit code {code}\n{}", self.snapshot());
        self
    }

    /// Standard output as the one JSON document that `--json` promises.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("standard output is not one JSON document: {error}\n{}", self.snapshot())
        })
    }

    /// The `error` of a `--json` document.
    #[track_caller]
    pub fn error(&self) -> Value {
        self.json().get("error").cloned().unwrap_or_else(|| panic!("no error in\n{}", self.snapshot()))
    }

    /// Success, exit code and both streams, filtered.
    pub fn snapshot(&self) -> String {
        let code = self.code.map_or_else(|| "none (signal)".to_owned(), |code| code.to_string());
        let success = self.code == Some(0);
        format!(
            "success: {success}\nexit_code: {code}\n----- stdout -----\n{}\n----- stderr -----\n{}",
            self.filters.apply(&self.stdout).trim_end(),
            self.filters.apply(&self.stderr).trim_end(),
        )
    }

    /// Standard output, filtered.
    pub fn shown(&self) -> String {
        self.filters.apply(&self.stdout)
    }

    /// Standard error, filtered.
    pub fn told(&self) -> String {
        self.filters.apply(&self.stderr)
    }
}
