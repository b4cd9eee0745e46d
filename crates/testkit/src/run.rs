//! One finished run of the binary.

use std::process::Output;

use serde_json::Value;

use crate::Filters;

/// What a run printed and how it ended.
#[derive(Debug, Clone)]
pub struct Run {
    pub stdout: String,
    pub stderr: String,
    /// `None`: a signal ended it.
    pub code: Option<i32>,
    filters: Filters,
}

impl Run {
    /// Of a finished process that was started with [`Scratch::command`](crate::Scratch::command).
    pub fn from_output(output: Output, filters: Filters) -> Run {
        Run {
            stdout: String::from_utf8(output.stdout).expect("standard output is UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("standard error is UTF-8"),
            code: output.status.code(),
            filters,
        }
    }

    /// The run again, if it ended with exit code 0.
    #[track_caller]
    pub fn ok(self) -> Run {
        self.exits(0)
    }

    /// The run again, if it ended with this exit code.
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

    /// Success, exit code and both streams, with what varies between runs filtered out.
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
