//! Where output goes: data to standard output, messages to standard error, colours only where they are wanted.

use std::borrow::Cow;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use marsh_api::ErrorReport;
use marsh_api::error::BareError;
use marsh_types::{Explain as _, ignore};
use marsh_vault::Secrets;
use serde::Serialize;
use serde_json::Value;

use crate::args::Global;
use crate::error::{CliError, source_excerpts};
use crate::exit;
use crate::harmless::{harmless, harmless_json};
use crate::persona::{JsonErrors, Persona};

pub const GOOD: Style = AnsiColor::Green.on_default();
pub const BAD: Style = AnsiColor::Red.on_default().bold();
pub const WARN: Style = AnsiColor::Yellow.on_default();
pub const NAME: Style = Style::new().bold();
pub const DIM: Style = Style::new().dimmed();
pub const HINT: Style = AnsiColor::Cyan.on_default();

/// The secrets of the command's session. Everything that a command prints is masked here, so that no other part of the
/// binary has to do it.
static HIDDEN: OnceLock<Secrets> = OnceLock::new();

/// Why standard output could not be written, the first time. The command has failed then, whatever it did.
static OUTPUT_FAILED: OnceLock<std::io::Error> = OnceLock::new();

/// Whether [`Ui::confirm`] waits for an answer.
static ASKING: AtomicBool = AtomicBool::new(false);

/// Keeps the failure of a write to standard output, for [`Ui::finish`]. A closed pipe (`| head`) is the reader's choice
/// and no failure.
pub fn written(result: std::io::Result<()>) {
    if let Err(error) = result
        && error.kind() != std::io::ErrorKind::BrokenPipe
    {
        tracing::debug!(%error, "cannot write to standard output");
        OUTPUT_FAILED.get_or_init(|| error);
    }
}

/// Standard error has nowhere to report its own failure to.
fn said(result: std::io::Result<()>) {
    ignore(result, "standard error cannot be written");
}

fn masked(text: &str) -> Cow<'_, str> {
    HIDDEN.get().map_or(Cow::Borrowed(text), |secrets| secrets.redact(text))
}

/// The text as it may be sent to a terminal: without secrets, and without what a terminal obeys.
pub fn shown(text: &str) -> String {
    harmless(&masked(text)).into_owned()
}

/// What the user wants to see.
#[derive(Debug, Clone, Copy)]
pub struct Ui {
    /// `--json`: results and errors are documents.
    json: bool,
    /// Results are documents.
    json_results: bool,
    quiet: bool,
    verbose: bool,
}

impl Ui {
    /// `command`: the words of the command, e.g. `model search`.
    pub fn new(global: &Global, command: &str) -> Ui {
        if global.no_color {
            anstream::ColorChoice::Never.write_global();
        }
        let alone = Persona::current().prints_json(command, std::io::stdout().is_terminal());
        Ui {
            json: global.json,
            json_results: global.json || alone,
            quiet: global.is_quiet(),
            verbose: global.is_verbose(),
        }
    }

    /// For errors before the command line is understood.
    pub fn json_only() -> Ui {
        Ui { json: true, json_results: true, quiet: true, verbose: false }
    }

    /// For help and version, which are printed before there are options.
    pub fn plain() -> Ui {
        Ui { json: false, json_results: false, quiet: false, verbose: false }
    }

    /// Masks these in everything that is printed from now on.
    pub fn hide(secrets: &Secrets) {
        // A command opens one repository; a second set of secrets is the same one.
        HIDDEN.get_or_init(|| secrets.clone());
    }

    pub fn is_json(&self) -> bool {
        self.json_results
    }

    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    pub fn is_verbose(&self) -> bool {
        self.verbose && !self.json_results
    }

    /// Whether a terminal can answer a question.
    pub fn can_ask(&self) -> bool {
        !self.json_results && std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
    }

    /// The command's one JSON document, or its text.
    pub fn result(&self, document: &impl Serialize, text: impl FnOnce() -> String) {
        if self.json_results {
            match document_text(document) {
                Ok(text) => self.print(&text),
                Err(error) => written(Err(error.into())),
            }
        } else {
            self.print(&shown(text().trim_end_matches('\n')));
        }
    }

    /// A document that is JSON with and without `--json`.
    pub fn json(&self, document: &impl Serialize) {
        match document_text(document) {
            Ok(text) => self.print(&text),
            Err(error) => written(Err(error.into())),
        }
    }

    fn print(&self, text: &str) {
        if text.is_empty() {
            return;
        }
        let mut out = anstream::stdout().lock();
        written(writeln!(out, "{text}").and_then(|()| out.flush()));
    }

    /// Bytes as they are, except that a terminal gets nothing that it would obey.
    pub fn raw(&self, bytes: &[u8]) {
        let mut out = std::io::stdout().lock();
        let text = if out.is_terminal() { std::str::from_utf8(bytes).ok() } else { None };
        let text = text.map(harmless);
        let bytes = text.as_ref().map_or(bytes, |text| text.as_bytes());
        written(out.write_all(bytes).and_then(|()| out.flush()));
    }

    /// A message: progress, output of methods. Silent with `--quiet`, and under `--json` too, where it would only disturb.
    pub fn say(&self, line: impl std::fmt::Display) {
        if !self.quiet && !self.json_results {
            let line = line.to_string();
            said(writeln!(anstream::stderr().lock(), "{}", shown(&line)));
        }
    }

    /// Something that marsh did without a request and that the user must see.
    pub fn note(message: &str) {
        let message = Persona::current().words(message);
        said(writeln!(anstream::stderr().lock(), "{HINT}note{HINT:#}: {}", shown(&message)));
    }

    /// Something the user should know even when quiet.
    pub fn warn(&self, message: impl std::fmt::Display) {
        let message = message.to_string();
        let message = Persona::current().words(&message);
        said(writeln!(anstream::stderr().lock(), "{WARN}warning{WARN:#}: {}", shown(&message)));
    }

    /// What went wrong with something whose result has been shown already.
    pub fn problem(&self, message: &str, hint: Option<&str>) {
        let mut text = format!("{BAD}error{BAD:#}: {message}\n");
        if let Some(hint) = hint {
            text.push_str(&format!("\n{HINT}hint{HINT:#}: {hint}\n"));
        }
        Ui::failure(&text);
    }

    /// The text of a failure.
    fn failure(text: &str) {
        let text = Persona::current().words(text);
        said(anstream::stderr().lock().write_all(shown(&text).as_bytes()));
    }

    /// A question with a yes-or-no answer; no is the default.
    pub fn confirm(&self, question: &str) -> bool {
        ASKING.store(true, Ordering::SeqCst);
        said(write!(anstream::stderr().lock(), "{} [y/N] ", shown(question)));
        let mut answer = String::new();
        let agreed =
            std::io::stdin().read_line(&mut answer).is_ok() && matches!(answer.trim(), "y" | "Y" | "yes");
        ASKING.store(false, Ordering::SeqCst);
        agreed
    }

    /// A question with a text as its answer; an empty answer is the default. `None`: there is no answer.
    pub fn ask(&self, question: &str, default: Option<&str>) -> Option<String> {
        let default_text = default.map(|default| format!(" [{default}]")).unwrap_or_default();
        ASKING.store(true, Ordering::SeqCst);
        said(write!(anstream::stderr().lock(), "{}: ", shown(&format!("{question}{default_text}"))));
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        ASKING.store(false, Ordering::SeqCst);
        let answer = read.ok().map(|_| answer.trim().to_owned()).filter(|answer| !answer.is_empty());
        answer.or_else(|| default.map(str::to_owned))
    }

    /// Whether the command waits for the answer to a question. No cancellation wakes it then.
    pub fn is_asking() -> bool {
        ASKING.load(Ordering::SeqCst)
    }

    /// Shows an error and returns the exit code of its class.
    pub fn fail(&self, error: &CliError) -> ExitCode {
        let persona = Persona::current();
        if self.json {
            match persona.json_errors {
                JsonErrors::Document => self.result(&error.document(), String::new),
                JsonErrors::Bare => {
                    let report = ErrorReport::of(error);
                    let bare = BareError::of(&report.map_words(|text| persona.words(text)));
                    match document_text(&bare) {
                        Ok(text) => said(writeln!(anstream::stderr().lock(), "{text}")),
                        Err(error) => self.problem(&error.to_string(), None),
                    }
                }
            }
        } else {
            let report = ErrorReport::of(error);
            let mut text = format!("{BAD}error{BAD:#}: {error}\n");
            let mut cause = std::error::Error::source(error);
            let excerpts = source_excerpts(&report);
            while let Some(source) = cause
                && excerpts.is_empty()
            {
                let message = source.to_string();
                // Messages that carry their cause already need it only once.
                if !text.contains(&message) {
                    text.push_str(&format!("  caused by: {message}\n"));
                }
                cause = source.source();
            }
            for excerpt in excerpts {
                text.push_str(&format!("{excerpt}\n"));
            }
            if let Some(hint) = &report.hint {
                text.push_str(&format!("\n{HINT}hint{HINT:#}: {hint}\n"));
            }
            Ui::failure(&text);
        }
        ExitCode::from(persona.exit_code(error.class()))
    }

    /// The exit code of a command that ended with `code`: a failure when its output could not be written.
    pub fn finish(&self, code: ExitCode) -> ExitCode {
        match OUTPUT_FAILED.get() {
            None => code,
            Some(error) => {
                self.problem(&format!("cannot write to standard output: {error}"), None);
                ExitCode::from(exit::FAILED)
            }
        }
    }
}

/// A document as indented JSON, its secrets masked.
fn document_text(document: &impl Serialize) -> serde_json::Result<String> {
    let text = match HIDDEN.get().filter(|secrets| !secrets.is_empty()) {
        None => serde_json::to_string_pretty(document),
        Some(secrets) => {
            let mut document = serde_json::to_value(document)?;
            secrets.redact_value(&mut document);
            serde_json::to_string_pretty(&document)
        }
    };
    text.map(harmless_json)
}

/// Rows of cells in aligned columns, two spaces apart; no row, no text.
pub fn columns(rows: &[Vec<String>]) -> String {
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..count)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell)).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            line.push_str(cell);
            if column + 1 < row.len() {
                line.extend(std::iter::repeat_n(' ', widths[column] - width(cell) + 2));
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

fn width(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().chars().count()
}

/// A value as indented `key: value` lines, long or nested parts below their key.
pub fn value_lines(value: &Value, indent: usize) -> String {
    const LIMIT: usize = 40;
    let pad = " ".repeat(indent);
    let mut text = String::new();
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::Object(inner) if !inner.is_empty() => {
                        text.push_str(&format!("{pad}{DIM}{key}{DIM:#}\n{}", value_lines(value, indent + 2)));
                    }
                    Value::Array(items) if !items.is_empty() => {
                        text.push_str(&format!("{pad}{DIM}{key}{DIM:#}\n"));
                        for item in items.iter().take(LIMIT) {
                            text.push_str(&format!("{pad}  - {}\n", inline(item)));
                        }
                        if items.len() > LIMIT {
                            text.push_str(&format!("{pad}  … {} more\n", items.len() - LIMIT));
                        }
                    }
                    Value::String(string) if string.trim_end().contains('\n') => {
                        text.push_str(&format!("{pad}{DIM}{key}{DIM:#}\n"));
                        for line in string.trim_end().lines().take(LIMIT) {
                            text.push_str(format!("{pad}  {line}").trim_end());
                            text.push('\n');
                        }
                        let more = string.trim_end().lines().count().saturating_sub(LIMIT);
                        if more > 0 {
                            text.push_str(&format!("{pad}  … {more} more lines\n"));
                        }
                    }
                    scalar => text.push_str(&format!("{pad}{DIM}{key}{DIM:#}  {}\n", inline(scalar))),
                }
            }
        }
        other => text.push_str(&format!("{pad}{}\n", inline(other))),
    }
    text
}

/// A value on one line.
pub fn inline(value: &Value) -> String {
    match value {
        Value::String(text) if text.trim().is_empty() => format!("{text:?}"),
        Value::String(text) => text.trim_end().to_owned(),
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Object(map) => {
            let fields: Vec<String> =
                map.iter().map(|(key, value)| format!("{key}={}", inline(value))).collect();
            fields.join("  ")
        }
        Value::Array(items) => items.iter().map(inline).collect::<Vec<_>>().join(", "),
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{columns, value_lines};

    #[test]
    fn columns_align_by_their_widest_cell() {
        let rows = vec![vec!["a".into(), "b".into()], vec!["long".into(), "c".into()]];
        assert_eq!(columns(&rows), "a     b\nlong  c\n");
    }

    #[test]
    fn values_read_as_lines() {
        let text = value_lines(&json!({"n": 1, "list": [{"a": 1}], "text": "x\ny"}), 2);
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(plain, "  n  1\n  list\n    - a=1\n  text\n    x\n    y\n");
    }
}
