//! The one document of a failure.

use std::borrow::Cow;
use std::fmt;

use marsh_types::{ErrorClass, ErrorCode, Explain};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Why a request failed. Commands, the server's answers and parts of larger documents carry the same shape.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorReport {
    /// The stable name of the condition.
    pub code: ErrorCode,
    /// What kind of failure it is; decides exit code, HTTP status and retry.
    pub class: ErrorClass,
    /// What happened, for people. Not stable.
    pub message: String,
    /// What the user can do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// More about this condition; its fields depend on the code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Where in a file the cause is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<SourceLocation>,
}

/// A position in a source file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceLocation {
    /// The path, relative to the repository where that is possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Counted from 1.
    pub line: u64,
    /// Counted from 1, in characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// The text of the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_line: Option<String>,
}

impl SourceLocation {
    /// The location that the details of an error carry (`file`, `line`, `column`, `sourceLine`).
    pub fn of_details(details: &Map<String, Value>) -> Option<SourceLocation> {
        let text = |key: &str| details.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(SourceLocation {
            file: text("file"),
            line: details.get("line")?.as_u64()?,
            column: details.get("column").and_then(Value::as_u64),
            source_line: text("sourceLine"),
        })
    }
}

impl ErrorReport {
    /// A report without hint and details.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> ErrorReport {
        ErrorReport {
            code,
            class: code.class(),
            message: message.into(),
            hint: None,
            details: None,
            location: None,
        }
    }

    /// The report of a library's error.
    pub fn of(error: &dyn Explain) -> ErrorReport {
        let report = ErrorReport {
            class: error.class(),
            hint: error.hint(),
            ..ErrorReport::new(error.code(), error.to_string())
        };
        report.with_details(error.details())
    }

    /// The same report with these details, and the location that they carry.
    pub fn with_details(mut self, details: Option<Value>) -> ErrorReport {
        // Details that are not an object have no field names to depend on.
        self.details = details.filter(Value::is_object);
        self.location = self.details.as_ref().and_then(Value::as_object).and_then(SourceLocation::of_details);
        self
    }

    /// The same report with this hint.
    pub fn with_hint(mut self, hint: impl Into<String>) -> ErrorReport {
        self.hint = Some(hint.into());
        self
    }

    /// The report with message and hint in other words.
    pub fn map_words<'a>(&'a self, change: impl Fn(&'a str) -> Cow<'a, str>) -> ErrorReport {
        ErrorReport {
            message: change(&self.message).into_owned(),
            hint: self.hint.as_deref().map(|hint| change(hint).into_owned()),
            ..self.clone()
        }
    }

    /// The report with every text passed through `change`, as to mask secrets.
    pub fn map_texts(self, change: impl Fn(Value) -> Value) -> ErrorReport {
        let text = |text: String| match change(Value::String(text)) {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let location = self
            .location
            .map(|location| SourceLocation { source_line: location.source_line.map(text), ..location });
        ErrorReport {
            message: text(self.message),
            hint: self.hint.map(text),
            details: self.details.map(&change),
            location,
            ..self
        }
    }
}

impl fmt::Display for ErrorReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// What a command prints with `--json` when it could not do its work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorDocument {
    /// Why.
    pub error: ErrorReport,
}

/// The same as other programs of this format print it on standard error (`docs/guides/existing-users.md`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BareError {
    /// What happened, to what, where and why.
    pub error: String,
    /// The stable name of the condition.
    pub code: ErrorCode,
    /// What to do, with a command that works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl BareError {
    /// The short form of a report.
    pub fn of(report: &ErrorReport) -> BareError {
        BareError { error: report.message.clone(), code: report.code, hint: report.hint.clone() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn report_with_details_of_a_file_has_its_location() {
        let details = json!({"file": "a.yaml", "line": 3, "column": 7, "sourceLine": "a: ["});
        let report = ErrorReport::new(ErrorCode::InvalidYaml, "invalid YAML").with_details(Some(details));
        let location = report.location.unwrap();
        assert_eq!((location.file.as_deref(), location.line, location.column), (Some("a.yaml"), 3, Some(7)));
    }

    #[test]
    fn report_of_a_newer_version_reads_with_an_internal_code() {
        let text = r#"{"code": "of_tomorrow", "class": "busy", "message": "wait"}"#;
        let report: ErrorReport = serde_json::from_str(text).unwrap();
        assert_eq!((report.code, report.class), (ErrorCode::Internal, ErrorClass::Busy));
    }
}
