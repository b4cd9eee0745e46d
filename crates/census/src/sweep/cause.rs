//! Why a run ended as it did.

use std::fmt;

use marsh_types::{ErrorClass, ErrorCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the engine says of a member that is not there: most often of one that `{}` lacks, perhaps of one of the surface.
const GAPS: [&str; 6] = [
    "not a function",
    "is not defined",
    "not a constructor",
    "cannot read property",
    "cannot read properties",
    "not iterable",
];

/// Who is behind an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The run succeeded.
    Success,
    /// The extension's own code refused the stub's answer or the made-up argument.
    Extension,
    /// A schema or a check refused the made-up argument, or a reference of a workflow has no data yet.
    Input,
    /// An extension, a model, a vault or a package is missing on this machine.
    Missing,
    /// The file or the source is invalid, for every reader of the format.
    Invalid,
    /// The deadline passed.
    Timeout,
    /// marsh says by name that it lacks something.
    Unsupported,
    /// The extension's code failed in a way that a gap of the engine's surface would show.
    Suspect,
    /// marsh failed.
    Marsh,
    /// This tool failed.
    Tool,
}

impl Cause {
    pub const ALL: [Cause; 10] = [
        Cause::Success,
        Cause::Extension,
        Cause::Input,
        Cause::Missing,
        Cause::Invalid,
        Cause::Timeout,
        Cause::Unsupported,
        Cause::Suspect,
        Cause::Marsh,
        Cause::Tool,
    ];

    /// The cause of a failure, by the code and the text of its error.
    pub fn of(code: &str, message: &str) -> Cause {
        let says = |parts: &[&str]| parts.iter().any(|part| message.contains(part));
        if code.contains("unsupported") || says(&["not available in marsh's engine", "MARSH_UNSUPPORTED"]) {
            return Cause::Unsupported;
        }
        let Some(code) = ErrorCode::parse(code) else { return Cause::Marsh };
        // The error of a step is a text.
        if code == ErrorCode::Failed {
            if says(&["unknown model", "unknown workflow", "has no vaults", "has no secret"]) {
                return Cause::Missing;
            }
            if says(&["cannot evaluate `"]) {
                return Cause::Input;
            }
            if says(&["cannot bundle", "cannot load"]) {
                return Cause::Invalid;
            }
        }
        match code {
            ErrorCode::MethodExecutionFailed | ErrorCode::Failed | ErrorCode::ExtensionCallFailed
                if says(&GAPS) =>
            {
                Cause::Suspect
            }
            ErrorCode::MethodExecutionFailed | ErrorCode::Failed | ErrorCode::ExtensionCallFailed => {
                Cause::Extension
            }
            ErrorCode::InputValidationFailed
            | ErrorCode::InvalidArgument
            | ErrorCode::CheckFailed
            | ErrorCode::ValidationFailed
            | ErrorCode::LiteralSensitiveGlobalArg => Cause::Input,
            code if code.as_str().starts_with("expression_") => Cause::Input,
            code => match code.class() {
                ErrorClass::Usage => Cause::Input,
                ErrorClass::NotFound | ErrorClass::Unavailable => Cause::Missing,
                ErrorClass::Timeout => Cause::Timeout,
                ErrorClass::Invalid | ErrorClass::Conflict | ErrorClass::Denied => Cause::Invalid,
                _ => Cause::Marsh,
            },
        }
    }
}

impl Cause {
    /// The cause of a validation that found something, by what it found.
    pub fn of_validation(found: &str) -> Cause {
        let says = |parts: &[&str]| parts.iter().any(|part| found.contains(part));
        if says(&["does not support", "not available in marsh's engine"]) {
            Cause::Unsupported
        } else if says(&["unknown model type", "has no vaults", "could not be evaluated", "not installed"]) {
            Cause::Missing
        } else {
            Cause::Invalid
        }
    }
}

/// The code and text of the error of a document, wherever it stands.
pub fn error_of(document: &Value) -> Option<(String, String)> {
    let error = document.get("error").filter(|error| error.is_object())?;
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    Some((text("code"), text("message")))
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Cause::Success => "succeeded",
            Cause::Extension => "the extension's own error",
            Cause::Input => "made-up input refused",
            Cause::Missing => "something is missing",
            Cause::Invalid => "invalid source",
            Cause::Timeout => "deadline",
            Cause::Unsupported => "unsupported by name",
            Cause::Suspect => "to look at",
            Cause::Marsh => "marsh",
            Cause::Tool => "this tool",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Cause;

    #[test]
    fn cause_of_a_failure_is_read_from_its_code_and_text() {
        let cases = [
            ("unsupported", "labels", Cause::Unsupported),
            ("failed", "Intl.X is not available in marsh's engine", Cause::Unsupported),
            ("method_execution_failed", "TypeError: not a function", Cause::Suspect),
            ("method_execution_failed", "no token", Cause::Extension),
            ("failed", "unknown model `x`; `marsh model search` lists the models", Cause::Missing),
            ("validation_failed", "arguments of `a`", Cause::Input),
            ("vault_not_found", "no vault", Cause::Missing),
            ("deadline_exceeded", "20 s", Cause::Timeout),
            ("bundle_failed", "cannot bundle", Cause::Invalid),
            ("host_failed", "the host died", Cause::Marsh),
            ("a code of no version", "", Cause::Marsh),
        ];
        for (code, message, cause) in cases {
            assert_eq!(Cause::of(code, message), cause, "{code}: {message}");
        }
    }
}
