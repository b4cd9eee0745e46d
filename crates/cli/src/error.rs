//! The one place where errors become messages, hints, stable codes and exit codes.

use marsh_data::DataError;
use marsh_datastore::DatastoreError;
use marsh_extension::LoadError;
use marsh_extension::lifecycle::LifecycleError;
use marsh_extension::publish::PublishError;
use marsh_model::ModelError;
use marsh_registry::RegistryError;
use marsh_registry_server::{ServeError, TokenError};
use marsh_repo::RepoError;
use marsh_store::StoreError;
use marsh_types::{ErrorCode, Explain};
use marsh_vault::VaultError;
use marsh_workflow::WorkflowError;
use serde_json::{Map, Value, json};

#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error(transparent)]
    Repo(#[from] RepoError),
    #[error(transparent)]
    Model(#[from] ModelError),
    #[error(transparent)]
    Workflow(#[from] WorkflowError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error(transparent)]
    Datastore(#[from] DatastoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Lifecycle(#[from] LifecycleError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error(transparent)]
    Server(#[from] marsh_serve::ServeError),
    #[error(transparent)]
    Trigger(#[from] marsh_trigger::TriggerError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
    /// Something that was asked for is not there.
    #[error("{message}")]
    NotFound { message: String, hint: Option<String> },
    #[error("{message}")]
    Refused { message: String, hint: Option<String> },
    #[error("cannot read {what}: {source}")]
    Read { what: String, source: std::io::Error },
    #[error("cannot write {what}: {source}")]
    Write { what: String, source: std::io::Error },
    #[error("{editor} ended with {status}")]
    Editor { editor: String, status: String },
}

impl CliError {
    pub fn usage(message: impl Into<String>) -> CliError {
        CliError::Usage { message: message.into(), hint: None }
    }

    fn explain(&self) -> Option<&dyn Explain> {
        match self {
            CliError::Repo(error) => Some(error),
            CliError::Model(error) => Some(error),
            CliError::Workflow(error) => Some(error),
            CliError::Data(error) => Some(error),
            CliError::Datastore(error) => Some(error),
            CliError::Vault(error) => Some(error),
            CliError::Load(error) => Some(error),
            CliError::Lifecycle(error) => Some(error),
            CliError::Store(error) => Some(error),
            CliError::Registry(error) => Some(error),
            CliError::Publish(error) => Some(error),
            CliError::Serve(error) => Some(error),
            CliError::Server(error) => Some(error),
            CliError::Trigger(error) => Some(error),
            CliError::Token(error) => Some(error),
            _ => None,
        }
    }

    /// Part of the public contract of `--json`.
    pub fn code(&self) -> ErrorCode {
        match self {
            CliError::Usage { .. } => ErrorCode::Usage,
            CliError::NotFound { .. } => ErrorCode::NotFound,
            CliError::Refused { .. } => ErrorCode::Refused,
            CliError::Fs(_) | CliError::Read { .. } | CliError::Write { .. } => ErrorCode::Io,
            CliError::Editor { .. } => ErrorCode::EditorFailed,
            _ => self.explain().map_or(ErrorCode::Internal, Explain::code),
        }
    }

    pub fn hint(&self) -> Option<String> {
        match self {
            CliError::Usage { hint, .. }
            | CliError::NotFound { hint, .. }
            | CliError::Refused { hint, .. } => hint.clone(),
            _ => self.explain().and_then(Explain::hint),
        }
    }

    pub fn exit_code(&self) -> u8 {
        self.code().class().exit_code()
    }

    /// An error of a part of a command, in the shape that [`CliError::to_json`] gives the whole.
    pub fn part(error: &dyn Explain) -> Value {
        let mut map = Map::new();
        map.insert("code".into(), json!(error.code()));
        map.insert("message".into(), json!(error.to_string()));
        if let Some(hint) = error.hint() {
            map.insert("hint".into(), json!(hint));
        }
        if let Some(Value::Object(details)) = error.details() {
            map.insert("details".into(), Value::Object(details));
        }
        Value::Object(map)
    }

    /// `{"error": {code, message, hint?, …}}`
    pub fn to_json(&self) -> Value {
        let mut error = Map::new();
        error.insert("code".into(), json!(self.code()));
        error.insert("message".into(), json!(self.to_string()));
        if let Some(hint) = self.hint() {
            error.insert("hint".into(), json!(hint));
        }
        if let Some(Value::Object(details)) = self.explain().and_then(Explain::details) {
            error.insert("details".into(), Value::Object(details));
        }
        json!({ "error": error })
    }

    /// What the message points at: source lines below it, as a compiler shows them.
    pub fn source_excerpt(&self) -> Vec<String> {
        let details = self.explain().and_then(Explain::details);
        let Some(details) = details else { return Vec::new() };
        let mut lines = Vec::new();
        if let Some(Value::Array(diagnostics)) = details.get("diagnostics") {
            for diagnostic in diagnostics {
                let message = diagnostic.get("message").and_then(Value::as_str).unwrap_or_default();
                lines.push(
                    format!("{message}\n{}", excerpt(diagnostic).unwrap_or_default()).trim_end().to_owned(),
                );
            }
        } else if let Some(text) = excerpt(&details) {
            lines.push(text);
        }
        lines
    }
}

/// `  --> file:line:column` and the source line with a caret.
pub fn excerpt(place: &Value) -> Option<String> {
    let line = place.get("line").and_then(Value::as_u64)?;
    let column = place.get("column").and_then(Value::as_u64);
    let file = place.get("file").and_then(Value::as_str).unwrap_or("input");
    let source_line = place.get("sourceLine").and_then(Value::as_str);
    Some(source_excerpt(file, line, column, source_line))
}

/// `  --> file:line:column` and, when it is known, the source line with a caret. Lines and columns count from 1.
pub fn source_excerpt(file: &str, line: u64, column: Option<u64>, source_line: Option<&str>) -> String {
    let column = column.unwrap_or(1);
    let width = line.to_string().len();
    let mut text = format!("{:>width$}--> {file}:{line}:{column}", "");
    if let Some(source) = source_line {
        let offset = usize::try_from(column.saturating_sub(1)).unwrap_or(0).min(source.chars().count());
        // Tabs keep their width in the line above, so the caret must be moved by the same characters.
        let pad: String = source.chars().take(offset).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        text.push_str(&format!("\n{:>width$} |\n{line} | {source}\n{:>width$} | {pad}^", "", ""));
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::excerpt;

    #[test]
    fn an_excerpt_points_at_the_column() {
        let place = json!({"file": "a.yaml", "line": 12, "column": 3, "sourceLine": "b: ["});
        assert_eq!(excerpt(&place).unwrap(), "  --> a.yaml:12:3\n   |\n12 | b: [\n   |   ^");
    }
}
