//! Which failures of a model command are worth another try.
//!
//! The variant of an error decides, through every crate below; codes and messages play no part. Held by the tests below.

use marsh_data::DataError;
use marsh_extension::LoadError;
use marsh_extension::kinds::KindError;
use marsh_host_client::{CallError, ErrorKind, HostError};
use marsh_types::RetryClass;
use marsh_vault::VaultError;

use crate::error::ModelError;

impl ModelError {
    /// What another try of the failed work can achieve.
    pub fn retry_class(&self) -> RetryClass {
        match self {
            ModelError::Cancelled(_) => RetryClass::Cancelled,
            ModelError::Deadline(_) => RetryClass::Timeout,
            ModelError::Host(error) => of_host(error),
            ModelError::Kind(error) => of_kind(error),
            ModelError::Load(error) => of_load(error),
            ModelError::Vault(error) => of_vault(error),
            ModelError::Data(error) => of_data(error),
            ModelError::ModelNotFound { .. }
            | ModelError::AlreadyExists { .. }
            | ModelError::UnknownMethod { .. }
            | ModelError::DefinitionYaml { .. }
            | ModelError::InvalidDefinition { .. }
            | ModelError::Validation { .. }
            | ModelError::TypeMismatch { .. }
            | ModelError::LiteralSensitive { .. }
            | ModelError::NoVault { .. }
            | ModelError::SecretExposed { .. }
            | ModelError::Expression { .. }
            | ModelError::NotEvaluated { .. }
            | ModelError::Deleted { .. }
            | ModelError::InvalidReports { .. }
            | ModelError::InvalidReport { .. }
            | ModelError::DamagedData { .. }
            | ModelError::ReportScope { .. }
            | ModelError::InvalidDriver { .. }
            | ModelError::Query { .. }
            | ModelError::UnknownField { .. }
            | ModelError::Name(_)
            | ModelError::CorruptData { .. }
            | ModelError::NestedRun { .. }
            | ModelError::YamlWrite(_) => RetryClass::Permanent,
            ModelError::Held { .. }
            | ModelError::CommandFailed { .. }
            | ModelError::DriverProgram { .. }
            | ModelError::DriverFailed { .. }
            | ModelError::Catalog(_)
            | ModelError::Fs(_)
            | ModelError::Lock(_)
            | ModelError::CancelIgnored { .. }
            | ModelError::Io { .. } => RetryClass::Transient,
        }
    }
}

pub(crate) fn of_kind(error: &KindError) -> RetryClass {
    match error {
        KindError::Load(error) => of_load(error),
        KindError::Call { source, .. } => of_host(source),
        KindError::Answer { .. } => RetryClass::Permanent,
    }
}

pub(crate) fn of_load(error: &LoadError) -> RetryClass {
    match error {
        LoadError::Host { source, .. } => of_host(source),
        LoadError::UnknownType { .. }
        | LoadError::NotRestored { .. }
        | LoadError::TreeChanged { .. }
        | LoadError::DuplicateType { .. }
        | LoadError::BrokenSource { .. }
        | LoadError::TypeChanged { .. }
        | LoadError::PinGone { .. }
        | LoadError::Description { .. }
        | LoadError::Mount { .. }
        | LoadError::Yaml { .. }
        | LoadError::Name { .. }
        | LoadError::NoCacheDir => RetryClass::Permanent,
        // Bundling may download; a source may be on its way back; what failed before may succeed by now.
        _ => RetryClass::Transient,
    }
}

fn of_host(error: &HostError) -> RetryClass {
    match error {
        HostError::Call(error) => of_call(error),
        _ => RetryClass::Crash,
    }
}

fn of_call(error: &CallError) -> RetryClass {
    match error.kind {
        ErrorKind::Cancelled => RetryClass::Cancelled,
        ErrorKind::Deadline => RetryClass::Timeout,
        ErrorKind::OutOfMemory => RetryClass::OutOfMemory,
        ErrorKind::StackOverflow | ErrorKind::Exit => RetryClass::Crash,
        ErrorKind::Syntax | ErrorKind::Unsupported => RetryClass::Permanent,
        ErrorKind::Threw if is_refusal(error) => RetryClass::Permanent,
        ErrorKind::Load | ErrorKind::Threw | ErrorKind::UnhandledRejection | ErrorKind::Internal => {
            RetryClass::Transient
        }
    }
}

/// Whether the shim refused the request before or after the method itself ran: the protocol says so with a code.
fn is_refusal(error: &CallError) -> bool {
    matches!(
        error.code.as_deref(),
        Some(
            "validation_failed"
                | "contract_violation"
                | "unknown_method"
                | "unresolved_expression"
                | "unsupported"
                | "vault_not_found"
        )
    )
}

fn of_vault(error: &VaultError) -> RetryClass {
    match error {
        VaultError::Provider { retry, .. } => *retry,
        VaultError::Read { .. } | VaultError::Types { .. } | VaultError::Fs(_) | VaultError::Random(_) => {
            RetryClass::Transient
        }
        _ => RetryClass::Permanent,
    }
}

fn of_data(error: &DataError) -> RetryClass {
    match error {
        DataError::Read { .. } | DataError::Fs(_) | DataError::Lock(_) | DataError::NoFreeVersion { .. } => {
            RetryClass::Transient
        }
        _ => RetryClass::Permanent,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use marsh_extension::LoadError;
    use marsh_extension::kinds::KindError;
    use marsh_host_client::{CallError, ErrorKind, HostError};
    use marsh_types::{Kind, RetryClass};

    use crate::error::ModelError;
    use crate::vaults::extension_error;

    fn host(kind: ErrorKind) -> HostError {
        HostError::Call(CallError::new(kind, "boom"))
    }

    fn vault_call(kind: ErrorKind) -> ModelError {
        let error = KindError::Call {
            kind: Kind::Vault,
            name: "@me/vault".into(),
            operation: "get",
            entry: PathBuf::from("vault.ts"),
            source: host(kind),
        };
        extension_error("main", &error).into()
    }

    #[test]
    fn a_method_call_that_fails_is_classified_by_the_kind_of_its_error() {
        for (kind, expected) in [
            (ErrorKind::Threw, RetryClass::Transient),
            (ErrorKind::UnhandledRejection, RetryClass::Transient),
            (ErrorKind::Deadline, RetryClass::Timeout),
            (ErrorKind::Cancelled, RetryClass::Cancelled),
            (ErrorKind::OutOfMemory, RetryClass::OutOfMemory),
            (ErrorKind::StackOverflow, RetryClass::Crash),
            (ErrorKind::Exit, RetryClass::Crash),
            (ErrorKind::Syntax, RetryClass::Permanent),
        ] {
            assert_eq!(ModelError::Host(host(kind)).retry_class(), expected, "{kind:?}");
        }
        let died = HostError::Died { status: "signal: 9".into(), stderr: String::new() };
        assert_eq!(ModelError::Host(died).retry_class(), RetryClass::Crash);
    }

    #[test]
    fn a_vault_call_that_fails_keeps_its_class() {
        for (kind, expected) in [
            (ErrorKind::OutOfMemory, RetryClass::OutOfMemory),
            (ErrorKind::Deadline, RetryClass::Timeout),
            (ErrorKind::Threw, RetryClass::Transient),
        ] {
            assert_eq!(vault_call(kind).retry_class(), expected, "{kind:?}");
        }
    }

    #[test]
    fn a_load_that_runs_out_of_memory_is_not_an_ordinary_failure() {
        let error = LoadError::Host { entry: PathBuf::from("m.ts"), source: host(ErrorKind::OutOfMemory) };
        assert_eq!(ModelError::Load(error).retry_class(), RetryClass::OutOfMemory);
    }
}
