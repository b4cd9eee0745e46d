//! How operations fail.

use marsh_api::{ErrorClass, ErrorCode, ErrorReport};
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
use marsh_trigger::TriggerError;
use marsh_types::{Diagnostic, DiagnosticCode, Explain};
use marsh_vault::VaultError;
use marsh_workflow::WorkflowError;
use serde_json::Value;

/// Why an operation failed. [`ErrorReport::of`] makes the public document.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "a variant wraps the error of the crate that it names")]
pub enum AppError {
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
    Trigger(#[from] TriggerError),
    #[error(transparent)]
    RegistryServer(#[from] ServeError),
    #[error(transparent)]
    Token(#[from] TokenError),
    #[error(transparent)]
    Fs(#[from] marsh_fs::FsError),
    /// The request is malformed.
    #[error("{message}")]
    Usage { message: String, hint: Option<String> },
    /// Something that the request names does not exist.
    #[error("{message}")]
    NotFound { message: String, hint: Option<String> },
    /// The request needs credentials that are missing.
    #[error("{message}")]
    NotAuthenticated { message: String, hint: Option<String> },
    /// The current state or a policy forbids the request.
    #[error("{message}")]
    Refused { message: String, hint: Option<String> },
    /// The secret of a webhook is missing or cannot be read.
    #[error("the secret of webhook `{route}`: {message}")]
    WebhookSecret { route: String, message: String },
    /// A package of the npm registry cannot be fetched, or is not what it states.
    #[error("{}", diagnostic.message)]
    Package { diagnostic: Box<Diagnostic> },
    #[error("cannot read {what}: {source}")]
    Read { what: String, source: std::io::Error },
}

impl From<Diagnostic> for AppError {
    fn from(diagnostic: Diagnostic) -> AppError {
        AppError::Package { diagnostic: Box::new(diagnostic) }
    }
}

impl AppError {
    /// A malformed request.
    pub fn usage(message: impl Into<String>) -> AppError {
        AppError::Usage { message: message.into(), hint: None }
    }

    /// Something that does not exist.
    pub fn not_found(message: impl Into<String>, hint: impl Into<String>) -> AppError {
        AppError::NotFound { message: message.into(), hint: Some(hint.into()) }
    }

    /// The user interrupted a question.
    pub fn interrupted() -> AppError {
        ModelError::Cancelled("interrupted".into()).into()
    }

    /// The public document of this error.
    pub fn report(&self) -> ErrorReport {
        ErrorReport::of(self)
    }

    fn inner(&self) -> Option<&dyn Explain> {
        Some(match self {
            AppError::Repo(error) => error,
            AppError::Model(error) => error,
            AppError::Workflow(error) => error,
            AppError::Data(error) => error,
            AppError::Datastore(error) => error,
            AppError::Vault(error) => error,
            AppError::Load(error) => error,
            AppError::Lifecycle(error) => error,
            AppError::Store(error) => error,
            AppError::Registry(error) => error,
            AppError::Publish(error) => error,
            AppError::Trigger(error) => error,
            AppError::RegistryServer(error) => error,
            AppError::Token(error) => error,
            AppError::Fs(_)
            | AppError::Usage { .. }
            | AppError::NotFound { .. }
            | AppError::NotAuthenticated { .. }
            | AppError::Refused { .. }
            | AppError::WebhookSecret { .. }
            | AppError::Package { .. }
            | AppError::Read { .. } => return None,
        })
    }
}

impl Explain for AppError {
    fn code(&self) -> ErrorCode {
        match self {
            AppError::Usage { .. } => ErrorCode::Usage,
            AppError::NotFound { .. } => ErrorCode::NotFound,
            AppError::NotAuthenticated { .. } => ErrorCode::Unauthorized,
            AppError::Refused { .. } => ErrorCode::Refused,
            AppError::WebhookSecret { .. } => ErrorCode::WebhookSecret,
            AppError::Fs(_) | AppError::Read { .. } => ErrorCode::Io,
            AppError::Package { diagnostic } => match diagnostic.code {
                DiagnosticCode::Offline => ErrorCode::Offline,
                DiagnosticCode::Network => ErrorCode::RegistryUnreachable,
                DiagnosticCode::MissingPackage => ErrorCode::NotFound,
                _ => ErrorCode::RegistryError,
            },
            _ => self.inner().map_or(ErrorCode::Internal, Explain::code),
        }
    }

    fn class(&self) -> ErrorClass {
        self.inner().map_or_else(|| self.code().class(), Explain::class)
    }

    fn hint(&self) -> Option<String> {
        match self {
            AppError::Usage { hint, .. }
            | AppError::NotFound { hint, .. }
            | AppError::NotAuthenticated { hint, .. }
            | AppError::Refused { hint, .. } => hint.clone(),
            AppError::Package { diagnostic } => diagnostic.hint.clone(),
            _ => self.inner().and_then(Explain::hint),
        }
    }

    fn details(&self) -> Option<Value> {
        self.inner().and_then(Explain::details)
    }
}
