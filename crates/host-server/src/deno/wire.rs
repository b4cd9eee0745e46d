//! The lines between a host and its Deno, each a JSON object. Lines from Deno begin with the key of the process.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The first line to Deno.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Start<'a> {
    /// What every line from Deno begins with.
    pub key: &'a str,
    /// The URL of the shim.
    pub shim: &'a str,
    /// The URL of the module.
    pub url: &'a str,
    /// The specifiers of the packages that the module imports.
    pub externals: Vec<&'a str>,
    /// The file for which `require` resolves.
    pub require: &'a str,
    /// Name and version of the engine.
    pub engine_version: &'a str,
    /// Environment variables that marsh set for Deno itself, with the values that the module sees.
    pub env: BTreeMap<&'a str, Option<String>>,
}

/// A line to Deno after the first.
#[derive(Debug, Serialize)]
#[serde(tag = "word", rename_all = "snake_case")]
pub enum ToDeno<'a> {
    /// Starts a call.
    Call {
        /// Its id.
        id: &'a str,
        /// What the shim does.
        op: &'a str,
        /// The operation's parameters.
        params: &'a RawValue,
    },
    /// Aborts the signal of a call.
    Cancel {
        /// The call.
        id: &'a str,
        /// The reason of the signal.
        reason: &'a str,
    },
    /// Asks whether the event loop turns.
    Ping {
        /// Returned in the answer.
        n: u64,
    },
    /// Answers a request of the shim.
    Answer {
        /// The request.
        n: u64,
        /// The answer.
        #[serde(skip_serializing_if = "Option::is_none")]
        ok: Option<&'a RawValue>,
        /// Why there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<Refusal<'a>>,
    },
}

/// The error of a request.
#[derive(Debug, Serialize)]
pub struct Refusal<'a> {
    /// Its stable code.
    pub code: &'a str,
    /// For people.
    pub message: &'a str,
    /// Structured details.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<&'a serde_json::Value>,
}

/// What a line from Deno is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Word {
    /// The module is loaded.
    Loaded,
    /// The module could not be loaded.
    LoadFailed,
    /// A request of the shim.
    Request,
    /// A report of the shim.
    Notify,
    /// Text that code printed.
    Output,
    /// A call has its result.
    Done,
    /// A call failed.
    Failed,
    /// A promise was rejected and nothing handled it.
    Rejected,
    /// A callback threw and nothing caught it.
    Uncaught,
    /// The code ends the process.
    Exit,
    /// The answer to [`ToDeno::Ping`].
    Pong,
}

/// A line from Deno, without the key. Which fields are there depends on the word.
#[derive(Debug, Deserialize)]
pub struct FromDeno<'a> {
    /// What it is about.
    pub word: Word,
    /// The call; empty when there is none.
    #[serde(default, borrow)]
    pub call: Cow<'a, str>,
    /// The number of a request or ping.
    #[serde(default)]
    pub n: u64,
    /// Whether the code waits without giving up its thread.
    #[serde(default)]
    pub sync: bool,
    /// The method of a request or report.
    #[serde(default, borrow)]
    pub method: Cow<'a, str>,
    /// `stdout` or `stderr`.
    #[serde(default, borrow)]
    pub stream: Cow<'a, str>,
    /// What was printed.
    #[serde(default, borrow)]
    pub text: Cow<'a, str>,
    /// The exit code.
    #[serde(default)]
    pub code: i64,
    /// The parameters, the result or the description of the error.
    #[serde(default, borrow)]
    pub json: Option<&'a RawValue>,
}

/// A line with its end.
///
/// # Errors
/// The message has no JSON form.
pub fn line<T: Serialize>(message: &T) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}
