//! Every error that a command can end with, and how a terminal shows where it is.

use marsh_api::{ErrorClass, ErrorCode, ErrorDocument, ErrorReport, SourceLocation};
use marsh_app::AppError;
use marsh_types::Explain;
use serde_json::Value;

/// Why a command failed: an operation's error, or one of the command line itself.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    App(#[from] AppError),
    #[error(transparent)]
    Server(#[from] marsh_serve::ServeError),
    #[error(transparent)]
    Trigger(#[from] marsh_trigger::TriggerError),
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
    /// Something that the command line names does not exist.
    #[error("{message}")]
    NotFound { message: String, hint: Option<String> },
    #[error("{message}")]
    Refused { message: String, hint: Option<String> },
    /// See [`crate::unsupported`].
    #[error("{message}")]
    Unsupported { message: String },
    #[error("cannot read {what}: {source}")]
    Read { what: String, source: std::io::Error },
    #[error("cannot write {what}: {source}")]
    Write { what: String, source: std::io::Error },
    #[error("{editor} ended with {status}")]
    Editor { editor: String, status: String },
}

/// Errors of libraries become those of the application.
macro_rules! through_app {
    ($($error:ty),* $(,)?) => {
        $(impl From<$error> for CliError {
            fn from(error: $error) -> CliError {
                CliError::App(error.into())
            }
        })*
    };
}

through_app!(marsh_repo::RepoError, marsh_vault::VaultError, marsh_fs::FsError,);

impl CliError {
    pub fn usage(message: impl Into<String>) -> CliError {
        CliError::Usage { message: message.into(), hint: None }
    }

    fn inner(&self) -> Option<&dyn Explain> {
        Some(match self {
            CliError::App(error) => error,
            CliError::Server(error) => error,
            CliError::Trigger(error) => error,
            CliError::Usage { .. }
            | CliError::NotFound { .. }
            | CliError::Refused { .. }
            | CliError::Unsupported { .. }
            | CliError::Read { .. }
            | CliError::Write { .. }
            | CliError::Editor { .. } => return None,
        })
    }

    /// The public document.
    pub fn document(&self) -> ErrorDocument {
        ErrorDocument { error: ErrorReport::of(self) }
    }
}

impl Explain for CliError {
    fn code(&self) -> ErrorCode {
        match self {
            CliError::Usage { .. } => ErrorCode::Usage,
            CliError::NotFound { .. } => ErrorCode::NotFound,
            CliError::Refused { .. } => ErrorCode::Refused,
            CliError::Unsupported { .. } => ErrorCode::Unsupported,
            CliError::Read { .. } | CliError::Write { .. } => ErrorCode::Io,
            CliError::Editor { .. } => ErrorCode::EditorFailed,
            _ => self.inner().map_or(ErrorCode::Internal, Explain::code),
        }
    }

    fn class(&self) -> ErrorClass {
        self.inner().map_or_else(|| self.code().class(), Explain::class)
    }

    fn hint(&self) -> Option<String> {
        match self {
            CliError::Usage { hint, .. }
            | CliError::NotFound { hint, .. }
            | CliError::Refused { hint, .. } => hint.clone(),
            _ => self.inner().and_then(Explain::hint),
        }
    }

    fn details(&self) -> Option<Value> {
        self.inner().and_then(Explain::details)
    }
}

/// What a message points at: source lines below it, as a compiler shows them.
pub fn source_excerpts(report: &ErrorReport) -> Vec<String> {
    let diagnostics = report.details.as_ref().and_then(|details| details.get("diagnostics"));
    if let Some(Value::Array(diagnostics)) = diagnostics {
        return diagnostics
            .iter()
            .map(|diagnostic| {
                let message = diagnostic.get("message").and_then(Value::as_str).unwrap_or_default();
                let place = diagnostic.as_object().and_then(SourceLocation::of_details);
                let place = place.as_ref().map(location_excerpt).unwrap_or_default();
                format!("{message}\n{place}").trim_end().to_owned()
            })
            .collect();
    }
    report.location.as_ref().map(location_excerpt).into_iter().collect()
}

/// `  --> file:line:column` and the source line with a caret.
pub fn location_excerpt(location: &SourceLocation) -> String {
    let line = location.line;
    let column = location.column.unwrap_or(1);
    let file = location.file.as_deref().unwrap_or("input");
    let width = line.to_string().len();
    let mut text = format!("{:>width$}--> {file}:{line}:{column}", "");
    if let Some(source) = &location.source_line {
        let offset = usize::try_from(column.saturating_sub(1)).unwrap_or(0).min(source.chars().count());
        // Tabs keep their width in the line above, so the caret must be moved by the same characters.
        let pad: String = source.chars().take(offset).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        text.push_str(&format!("\n{:>width$} |\n{line} | {source}\n{:>width$} | {pad}^", "", ""));
    }
    text
}

/// The same for the parts of a location.
pub fn source_excerpt(file: &str, line: u64, column: Option<u64>, source_line: Option<&str>) -> String {
    location_excerpt(&SourceLocation {
        file: Some(file.to_owned()),
        line,
        column,
        source_line: source_line.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpt_points_at_the_column() {
        let location = SourceLocation {
            file: Some("a.yaml".into()),
            line: 12,
            column: Some(3),
            source_line: Some("b: [".into()),
        };
        assert_eq!(location_excerpt(&location), "  --> a.yaml:12:3\n   |\n12 | b: [\n   |   ^");
    }
}
