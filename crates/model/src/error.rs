//! Errors of models and their runs.

use std::path::PathBuf;

use marsh_data::DataError;
use marsh_extension::kinds::KindError;
use marsh_extension::{LoadError, unsupported_hint};
use marsh_host_client::{CallError, ErrorKind, HostError};
use marsh_types::yaml::{YamlError, YamlWriteError};
use marsh_types::{ErrorCode, Explain, NameError, TypeName, near};
use marsh_vault::{Secrets, VaultError};
use serde_json::{Value, json};

/// Why an operation on models failed.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant documents it")]
pub enum ModelError {
    #[error("unknown model `{name}`")]
    ModelNotFound { name: String, known: Vec<String> },
    #[error("model `{name}` exists already: {path}", path = path.display())]
    AlreadyExists { name: String, path: PathBuf },
    #[error("`{type_name}` has no method `{method}`")]
    UnknownMethod { type_name: TypeName, method: String, available: Vec<String> },
    #[error("{path}: {source}", path = path.display())]
    DefinitionYaml { path: PathBuf, source: YamlError },
    #[error("{path}: {reason}", path = path.display())]
    InvalidDefinition { path: PathBuf, reason: String },
    #[error("{what}: {summary}", summary = summary(issues))]
    Validation { what: String, issues: Vec<Issue> },
    #[error("the definition `{name}` has the type `{found}`, expected `{wanted}`")]
    TypeMismatch { name: String, found: TypeName, wanted: TypeName },
    #[error("`{field}` of `{name}` is sensitive: a definition must not hold its value")]
    LiteralSensitive { name: String, field: String },
    #[error("`{method}` of `{type_name}` stores sensitive values, and this repository has no vault for them")]
    NoVault { type_name: TypeName, method: String },
    #[error("output `{what}` holds a secret in {place}, where it cannot be masked")]
    SecretExposed { what: String, place: &'static str },
    #[error("cannot evaluate {place}: {source}")]
    Expression { place: String, source: marsh_expr::ExprError },
    #[error("`{name}` has no evaluated copy: it was never run")]
    NotEvaluated { name: String },
    #[error("`{method}` did not run: {reason}")]
    Held { method: String, reason: String },
    #[error("every result of `{name}` was deleted{at}", at = at.as_ref().map(|at| format!(" (at {at})")).unwrap_or_default())]
    Deleted { name: String, at: Option<String> },
    #[error("run {run} did not end when it was asked to: process {pid} still runs it", pid = pid.map_or_else(|| "?".to_owned(), |pid| pid.to_string()))]
    CancelIgnored { run: String, pid: Option<u32> },
    #[error("command exited with code {code}")]
    CommandFailed { code: i32, stderr: String },
    #[error("{0}")]
    Cancelled(String),
    #[error("{0}")]
    Deadline(String),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("invalid `reports` of `{name}`: {reason}")]
    InvalidReports { name: String, reason: String },
    #[error("`{name}` reports on a {scope}, expected a report on a workflow")]
    ReportScope { name: String, scope: String },
    #[error("invalid driver `{driver}`: {reason}")]
    InvalidDriver { driver: String, reason: String },
    #[error("cannot start the container program `{program}`: {source}")]
    DriverProgram { program: String, source: std::io::Error },
    #[error("the driver `{driver}` failed: {message}")]
    DriverFailed { driver: String, message: String },
    #[error(transparent)]
    Kind(#[from] KindError),
    #[error(transparent)]
    Host(#[from] HostError),
    #[error(transparent)]
    Data(#[from] DataError),
    #[error("cannot read the {what}: {source}")]
    Query { what: &'static str, source: marsh_expr::ExprError },
    #[error("version {version} of `{name}` ({type_name}, model {model_id}) is damaged: {reason}")]
    DamagedData { type_name: String, model_id: String, name: String, version: u32, reason: String },
    #[error("the report `{name}` returned invalid JSON: {source}")]
    InvalidReport { name: String, source: serde_json::Error },
    #[error("the {what} names `{name}`, an unknown field of a record")]
    UnknownField { what: &'static str, name: String },
    #[error(transparent)]
    Catalog(#[from] marsh_data::CatalogError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error(transparent)]
    Name(#[from] NameError),
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    #[error(transparent)]
    Lock(#[from] marsh_fs::LockError),
    #[error(transparent)]
    YamlWrite(#[from] YamlWriteError),
    #[error("the content of `{name}` version {version} is not valid JSON: {reason}")]
    CorruptData { name: String, version: u32, reason: String },
    #[error("cannot run `{target}` from here: {reason}")]
    NestedRun { target: String, reason: String },
    #[error("cannot read {path}: {source}", path = path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

/// A violation in a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// Dotted path of the field; empty for the value itself.
    pub field: String,
    /// What is wrong, without the field.
    pub message: String,
}

impl Issue {
    /// A violation of this field.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Issue {
        Issue { field: field.into(), message: message.into() }
    }
}

fn summary(issues: &[Issue]) -> String {
    let lines: Vec<String> = issues
        .iter()
        .map(|issue| {
            if issue.field.is_empty() {
                issue.message.clone()
            } else {
                format!("`{}`: {}", issue.field, issue.message)
            }
        })
        .collect();
    lines.join("; ")
}

impl ModelError {
    /// The error with secrets masked: extension code may have put some into it.
    #[must_use]
    pub fn redacted(mut self, secrets: &Secrets) -> ModelError {
        let mask = |text: &mut String| {
            if let std::borrow::Cow::Owned(masked) = secrets.redact(text) {
                *text = masked;
            }
        };
        match &mut self {
            ModelError::Host(HostError::Call(error))
            | ModelError::Kind(KindError::Call { source: HostError::Call(error), .. })
            | ModelError::Load(LoadError::Host { source: HostError::Call(error), .. }) => {
                mask(&mut error.message);
                error.stack.iter_mut().for_each(mask);
                error.data.iter_mut().for_each(|data| secrets.redact_value(data));
            }
            ModelError::Host(HostError::Died { stderr, .. }) => mask(stderr),
            ModelError::Host(HostError::Garbage { line }) => mask(line),
            ModelError::CommandFailed { stderr, .. } => mask(stderr),
            ModelError::Validation { issues, .. } => {
                issues.iter_mut().for_each(|issue| mask(&mut issue.message));
            }
            ModelError::Cancelled(message)
            | ModelError::Deadline(message)
            | ModelError::DriverFailed { message, .. } => mask(message),
            _ => {}
        }
        self
    }

    /// The error of extension code, if it caused this one.
    pub fn call_error(&self) -> Option<&CallError> {
        match self {
            ModelError::Host(HostError::Call(error))
            | ModelError::Kind(KindError::Call { source: HostError::Call(error), .. })
            | ModelError::Load(LoadError::Host { source: HostError::Call(error), .. }) => Some(error),
            _ => None,
        }
    }

    /// Whether the caller stopped the work.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, ModelError::Cancelled(_))
            || self.call_error().is_some_and(|error| error.kind == ErrorKind::Cancelled)
    }
}

impl Explain for ModelError {
    fn code(&self) -> ErrorCode {
        match self {
            ModelError::ModelNotFound { .. } => ErrorCode::ModelNotFound,
            ModelError::AlreadyExists { .. } => ErrorCode::AlreadyExists,
            ModelError::UnknownMethod { .. } => ErrorCode::UnknownMethod,
            ModelError::DefinitionYaml { .. } => ErrorCode::InvalidYaml,
            ModelError::InvalidDefinition { .. } => ErrorCode::InvalidDefinition,
            ModelError::Validation { .. } => ErrorCode::ValidationFailed,
            ModelError::TypeMismatch { .. } => ErrorCode::TypeMismatch,
            ModelError::LiteralSensitive { .. } => ErrorCode::LiteralSensitiveGlobalArg,
            ModelError::NoVault { .. } => ErrorCode::VaultNotFound,
            ModelError::Vault(error) => error.code(),
            ModelError::Catalog(error) => error.code(),
            ModelError::DamagedData { .. } => ErrorCode::FileDamaged,
            ModelError::InvalidReport { .. } => ErrorCode::ContractViolation,
            ModelError::Query { source, .. } => source.code(),
            ModelError::UnknownField { .. } => ErrorCode::UnknownField,
            ModelError::SecretExposed { .. } => ErrorCode::SecretExposed,
            ModelError::Expression { .. } => ErrorCode::ExpressionFailed,
            ModelError::NotEvaluated { .. } => ErrorCode::NoEvaluatedDefinition,
            ModelError::Deleted { .. } => ErrorCode::ResourceDeleted,
            ModelError::Cancelled(_) => ErrorCode::Cancelled,
            ModelError::CancelIgnored { .. } => ErrorCode::OwnerSilent,
            ModelError::Deadline(_) => ErrorCode::DeadlineExceeded,
            ModelError::CommandFailed { .. } => ErrorCode::MethodExecutionFailed,
            ModelError::Load(error) => error.code(),
            ModelError::Kind(error) => error.code(),
            ModelError::InvalidReports { .. } => ErrorCode::InvalidDefinition,
            ModelError::ReportScope { .. } => ErrorCode::WrongScope,
            ModelError::InvalidDriver { .. } => ErrorCode::InvalidDriver,
            ModelError::DriverProgram { .. } => ErrorCode::DriverProgramMissing,
            ModelError::DriverFailed { .. } => ErrorCode::DriverFailed,
            ModelError::Host(HostError::Call(error)) => call_code(error),
            ModelError::Host(_) => ErrorCode::HostFailed,
            ModelError::Data(error) => error.code(),
            ModelError::CorruptData { .. } => ErrorCode::FileDamaged,
            ModelError::NestedRun { .. } => ErrorCode::Refused,
            ModelError::Name(_) => ErrorCode::InvalidName,
            ModelError::Lock(error) => error.code(),
            ModelError::Held { .. }
            | ModelError::Fs(_)
            | ModelError::YamlWrite(_)
            | ModelError::Io { .. } => ErrorCode::Io,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            ModelError::ModelNotFound { name, known } => {
                near::did_you_mean(name, known.iter().map(String::as_str)).or_else(|| {
                    Some(if known.is_empty() {
                        "create one: `marsh model create <type> <name>`".into()
                    } else {
                        "`marsh model search` lists the models".into()
                    })
                })
            }
            ModelError::UnknownMethod { method, available, .. } => {
                near::did_you_mean(method, available.iter().map(String::as_str))
                    .or_else(|| Some(format!("available: {}", available.join(", "))))
            }
            ModelError::CancelIgnored { .. } => {
                Some("end the process; `marsh run doctor --fix` notes the end of its runs then".into())
            }
            ModelError::LiteralSensitive { .. } => {
                Some("write an expression, for example `${{ vault.get('main', 'name') }}`".into())
            }
            ModelError::NoVault { .. } => {
                Some("create one: `marsh vault create local_encryption main`".into())
            }
            ModelError::Vault(error) => error.hint(),
            ModelError::Query { source, .. } => source.hint(),
            ModelError::UnknownField { name, .. } => near::did_you_mean(name, crate::data_record::FIELDS)
                .or_else(|| Some(format!("known fields: {}", crate::data_record::FIELDS.join(", ")))),
            ModelError::DamagedData { type_name, model_id, name, .. } => Some(format!(
                "restore the file `raw` in `.swamp/data/{type_name}/{model_id}/{name}`, or delete the data: \
                 `marsh data delete <model> {name}`"
            )),
            ModelError::DriverProgram { .. } => Some(
                "install it, or name a program with the same options: --driver-config '{\"program\": …}'"
                    .into(),
            ),
            ModelError::Load(error) => error.hint(),
            ModelError::Kind(error) => error.hint(),
            ModelError::Data(error) => error.hint(),
            _ => match self.call_error() {
                Some(error) if error.kind == ErrorKind::Unsupported => unsupported_hint(error),
                Some(error) if error.kind == ErrorKind::Deadline => {
                    Some("`--timeout` sets how long a method may run".into())
                }
                _ => None,
            },
        }
    }

    fn details(&self) -> Option<Value> {
        match self {
            ModelError::ModelNotFound { name, known } => {
                Some(json!({ "near": near::nearest(name, known.iter().map(String::as_str)) }))
            }
            ModelError::UnknownMethod { method, available, .. } => Some(json!({
                "available": available,
                "near": near::nearest(method, available.iter().map(String::as_str)),
            })),
            ModelError::DefinitionYaml { path, source } => Some(json!({
                "file": path, "line": source.line, "column": source.column, "sourceLine": source.source_line,
            })),
            ModelError::Validation { issues, .. } => Some(json!({
                "issues": issues.iter().map(|i| json!({"field": i.field, "message": i.message})).collect::<Vec<_>>(),
            })),
            ModelError::Load(error) => error.details(),
            ModelError::Kind(error) => error.details(),
            ModelError::Data(error) => error.details(),
            _ => self.call_error().map(CallError::details),
        }
    }
}

/// The stable code of an error that extension code ended with.
fn call_code(error: &CallError) -> ErrorCode {
    match error.kind {
        ErrorKind::Deadline => ErrorCode::DeadlineExceeded,
        ErrorKind::Cancelled => ErrorCode::Cancelled,
        ErrorKind::OutOfMemory => ErrorCode::OutOfMemory,
        ErrorKind::StackOverflow => ErrorCode::StackOverflow,
        ErrorKind::Exit => ErrorCode::ExitCalled,
        ErrorKind::UnhandledRejection => ErrorCode::UnhandledRejection,
        ErrorKind::Unsupported => ErrorCode::Unsupported,
        ErrorKind::Syntax | ErrorKind::Load => ErrorCode::LoadFailed,
        ErrorKind::Internal => ErrorCode::Internal,
        ErrorKind::Threw => match error.code.as_deref() {
            Some("validation_failed") => ErrorCode::ValidationFailed,
            Some("check_failed") => ErrorCode::CheckFailed,
            Some("contract_violation") => ErrorCode::ContractViolation,
            Some("unknown_method") => ErrorCode::UnknownMethod,
            Some("upgrade_failed") => ErrorCode::UpgradeFailed,
            Some("unresolved_expression") => ErrorCode::ExpressionFailed,
            Some("vault_not_found") => ErrorCode::VaultNotFound,
            Some("unsupported") => ErrorCode::Unsupported,
            _ => ErrorCode::MethodExecutionFailed,
        },
    }
}
