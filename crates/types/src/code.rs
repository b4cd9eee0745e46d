//! The stable codes of errors, and the class that each belongs to.
//!
//! A code names one condition (`model_not_found`); scripts compare it. A class says what kind of failure it is; the
//! class alone decides the exit code, the HTTP status and whether trying again can help. Both are part of the public
//! contract of `--json`: a code is never renamed, and a condition has one code in all crates.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::Kind;

/// What kind of failure an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// The command line or the request is malformed.
    Usage,
    /// Something that the request names does not exist.
    NotFound,
    /// A file, a value or an extension is invalid, or a method failed.
    Invalid,
    /// The request contradicts the current state.
    Conflict,
    /// Another process holds a lock, a run or a quota. Trying again later can help.
    Busy,
    /// A policy or a permission forbids the request.
    Denied,
    /// A signal or a request ended the work.
    Cancelled,
    /// The deadline passed.
    Timeout,
    /// The process that ran extension code ended abnormally.
    Crash,
    /// A service, a file or a device did not answer. Trying again can help.
    Unavailable,
    /// A defect of marsh.
    Internal,
}

impl ErrorClass {
    /// All classes, in the order in which documents list them.
    pub const ALL: [ErrorClass; 11] = [
        ErrorClass::Usage,
        ErrorClass::NotFound,
        ErrorClass::Invalid,
        ErrorClass::Conflict,
        ErrorClass::Busy,
        ErrorClass::Denied,
        ErrorClass::Cancelled,
        ErrorClass::Timeout,
        ErrorClass::Crash,
        ErrorClass::Unavailable,
        ErrorClass::Internal,
    ];

    /// Exit code of a command, HTTP status of an answer, and whether trying again can help.
    const fn row(self) -> (u8, u16, bool) {
        match self {
            ErrorClass::Usage => (2, 400, false),
            ErrorClass::NotFound => (1, 404, false),
            ErrorClass::Invalid => (1, 422, false),
            ErrorClass::Conflict => (1, 409, false),
            ErrorClass::Busy => (75, 503, true),
            ErrorClass::Denied => (1, 403, false),
            ErrorClass::Cancelled => (130, 499, false),
            ErrorClass::Timeout => (1, 504, true),
            ErrorClass::Crash => (1, 502, true),
            ErrorClass::Unavailable => (1, 503, true),
            ErrorClass::Internal => (1, 500, false),
        }
    }

    /// The exit code of a command that fails with this class.
    pub const fn exit_code(self) -> u8 {
        self.row().0
    }

    /// The HTTP status of an answer that fails with this class.
    pub const fn http_status(self) -> u16 {
        self.row().1
    }

    /// Whether the same request can succeed later without a change.
    pub const fn is_retryable(self) -> bool {
        self.row().2
    }
}

macro_rules! codes {
    ($($variant:ident = $text:literal => $class:ident,)*) => {
        /// The stable code of an error.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "the text of a code says what it stands for")]
        pub enum ErrorCode {
            $($variant,)*
            /// No source declares a type of the kind. The row of the kind has the text. [`ErrorCode::unknown_type`] makes it.
            UnknownType(Kind),
        }

        impl ErrorCode {
            /// All codes: those that do not depend on a kind, then those that do.
            pub fn all() -> impl Iterator<Item = ErrorCode> {
                [$(ErrorCode::$variant,)*].into_iter().chain(Kind::with_directory().map(ErrorCode::UnknownType))
            }

            /// The text of the code, in snake case.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(ErrorCode::$variant => $text,)*
                    ErrorCode::UnknownType(kind) => kind.spec().unknown_code,
                }
            }

            /// The class of the code.
            pub const fn class(self) -> ErrorClass {
                match self {
                    $(ErrorCode::$variant => ErrorClass::$class,)*
                    ErrorCode::UnknownType(_) => ErrorClass::NotFound,
                }
            }

            /// The code with this text.
            pub fn parse(text: &str) -> Option<ErrorCode> {
                match text {
                    $($text => Some(ErrorCode::$variant),)*
                    _ => Kind::with_directory()
                        .find(|kind| kind.spec().unknown_code == text)
                        .map(ErrorCode::UnknownType),
                }
            }

            /// The code of a type of this kind that no source declares. A method extension is a model type.
            pub fn unknown_type(kind: Kind) -> ErrorCode {
                ErrorCode::UnknownType(kind.home())
            }
        }
    };
}

codes! {
    // Usage
    BadRequest = "bad_request" => Usage,
    Usage = "usage" => Usage,
    // NotFound
    DataNotFound = "data_not_found" => NotFound,
    DriverProgramMissing = "driver_program_missing" => NotFound,
    EntryMissing = "entry_missing" => NotFound,
    ModelNotFound = "model_not_found" => NotFound,
    NoEvaluatedDefinition = "no_evaluated_definition" => NotFound,
    NoSuchGeneration = "no_such_generation" => NotFound,
    NoVersion = "no_version" => NotFound,
    NotARepository = "not_a_repository" => NotFound,
    NotFound = "not_found" => NotFound,
    NotInStore = "not_in_store" => NotFound,
    NotInstalled = "not_installed" => NotFound,
    NotRestored = "not_restored" => NotFound,
    NotRunning = "not_running" => NotFound,
    NotWaiting = "not_waiting" => NotFound,
    NothingToRollBack = "nothing_to_roll_back" => NotFound,
    PinnedCodeGone = "pinned_code_gone" => NotFound,
    ResourceDeleted = "resource_deleted" => NotFound,
    RunNotFound = "run_not_found" => NotFound,
    SecretNotFound = "secret_not_found" => NotFound,
    StepNotFound = "step_not_found" => NotFound,
    TypeNotProvided = "type_not_provided" => NotFound,
    UnknownField = "unknown_field" => NotFound,
    UnknownMethod = "unknown_method" => NotFound,
    VaultNotFound = "vault_not_found" => NotFound,
    WorkflowNotFound = "workflow_not_found" => NotFound,
    // Invalid
    WebhookSecret = "webhook_secret" => Invalid,
    ReportFailed = "report_failed" => Invalid,
    Failed = "failed" => Invalid,
    InvalidTypeName = "invalid_type_name" => Invalid,
    ArchiveAbsolutePath = "archive_absolute_path" => Invalid,
    ArchiveBadManifest = "archive_bad_manifest" => Invalid,
    ArchiveBadName = "archive_bad_name" => Invalid,
    ArchiveBomb = "archive_bomb" => Invalid,
    ArchiveCaseCollision = "archive_case_collision" => Invalid,
    ArchiveCorrupt = "archive_corrupt" => Invalid,
    ArchiveDevice = "archive_device" => Invalid,
    ArchiveDuplicateEntry = "archive_duplicate_entry" => Invalid,
    ArchiveFileAndDirectory = "archive_file_and_directory" => Invalid,
    ArchiveLink = "archive_link" => Invalid,
    ArchiveNoManifest = "archive_no_manifest" => Invalid,
    ArchiveOutsideTop = "archive_outside_top" => Invalid,
    ArchiveTooLarge = "archive_too_large" => Invalid,
    ArchiveTooManyEntries = "archive_too_many_entries" => Invalid,
    ArchiveTraversal = "archive_traversal" => Invalid,
    BadTokensFile = "bad_tokens_file" => Invalid,
    BrokenSource = "broken_source" => Invalid,
    BundleFailed = "bundle_failed" => Invalid,
    BundleMismatch = "bundle_mismatch" => Invalid,
    CheckFailed = "check_failed" => Invalid,
    ChecksumMismatch = "checksum_mismatch" => Invalid,
    ComputedType = "computed_type" => Invalid,
    ContractViolation = "contract_violation" => Invalid,
    Damaged = "damaged" => Invalid,
    DataUnreadable = "data_unreadable" => Invalid,
    DependenciesTooDeep = "dependencies_too_deep" => Invalid,
    DownloadTooLarge = "download_too_large" => Invalid,
    DriverFailed = "driver_failed" => Invalid,
    EditorFailed = "editor_failed" => Invalid,
    EphemeralBudgetExceeded = "ephemeral_budget_exceeded" => Invalid,
    ExpressionArgument = "expression_argument" => Invalid,
    ExpressionArithmetic = "expression_arithmetic" => Invalid,
    ExpressionFailed = "expression_failed" => Invalid,
    ExpressionNoSuchKey = "expression_no_such_key" => Invalid,
    ExpressionNotAvailable = "expression_not_available" => Invalid,
    ExpressionNotFinite = "expression_not_finite" => Invalid,
    ExpressionOutOfBounds = "expression_out_of_bounds" => Invalid,
    ExpressionSyntax = "expression_syntax" => Invalid,
    ExpressionTooLarge = "expression_too_large" => Invalid,
    ExpressionType = "expression_type" => Invalid,
    ExpressionUnknownFunction = "expression_unknown_function" => Invalid,
    ExpressionUnknownVariable = "expression_unknown_variable" => Invalid,
    ExtensionCallFailed = "extension_call_failed" => Invalid,
    FileDamaged = "file_damaged" => Invalid,
    IdTooShort = "id_too_short" => Invalid,
    InputValidationFailed = "input_validation_failed" => Invalid,
    InvalidArgument = "invalid_argument" => Invalid,
    InvalidDataName = "invalid_data_name" => Invalid,
    InvalidDataPolicy = "invalid_data_policy" => Invalid,
    InvalidDatastore = "invalid_datastore" => Invalid,
    InvalidDefinition = "invalid_definition" => Invalid,
    InvalidDriver = "invalid_driver" => Invalid,
    InvalidDuration = "invalid_duration" => Invalid,
    InvalidExtension = "invalid_extension" => Invalid,
    InvalidLockfile = "invalid_lockfile" => Invalid,
    InvalidManifest = "invalid_manifest" => Invalid,
    InvalidMarker = "invalid_marker" => Invalid,
    InvalidName = "invalid_name" => Invalid,
    InvalidSchedule = "invalid_schedule" => Invalid,
    InvalidServeConfig = "invalid_serve_config" => Invalid,
    InvalidSettings = "invalid_settings" => Invalid,
    InvalidSkill = "invalid_skill" => Invalid,
    InvalidSource = "invalid_source" => Invalid,
    InvalidUpgrades = "invalid_upgrades" => Invalid,
    InvalidVaultConfig = "invalid_vault_config" => Invalid,
    InvalidWebhook = "invalid_webhook" => Invalid,
    InvalidYaml = "invalid_yaml" => Invalid,
    LoadFailed = "load_failed" => Invalid,
    ManifestMismatch = "manifest_mismatch" => Invalid,
    MethodExecutionFailed = "method_execution_failed" => Invalid,
    MissingChecksum = "missing_checksum" => Invalid,
    NestedCycle = "nested_cycle" => Invalid,
    NotAFile = "not_a_file" => Invalid,
    NotAManifest = "not_a_manifest" => Invalid,
    NotBuilt = "not_built" => Invalid,
    NotLoaded = "not_loaded" => Invalid,
    NotText = "not_text" => Invalid,
    NothingDeclared = "nothing_declared" => Invalid,
    PathTooLong = "path_too_long" => Invalid,
    PrefixTooShort = "prefix_too_short" => Invalid,
    RequestFailed = "request_failed" => Invalid,
    SyntaxError = "syntax_error" => Invalid,
    TriggerFailed = "trigger_failed" => Invalid,
    TypeMismatch = "type_mismatch" => Invalid,
    Unsupported = "unsupported" => Invalid,
    UpgradeFailed = "upgrade_failed" => Invalid,
    ValidationFailed = "validation_failed" => Invalid,
    VaultKeyUnusable = "vault_key_unusable" => Invalid,
    VaultUnsupported = "vault_unsupported" => Invalid,
    WorkflowLoadFailed = "workflow_load_failed" => Invalid,
    WrongScope = "wrong_scope" => Invalid,
    // Conflict
    AlreadyExists = "already_exists" => Conflict,
    AlreadyPublished = "already_published" => Conflict,
    AlreadyServed = "already_served" => Conflict,
    AmbiguousId = "ambiguous_id" => Conflict,
    AmbiguousStep = "ambiguous_step" => Conflict,
    ApprovalExpired = "approval_expired" => Conflict,
    DataExists = "data_exists" => Conflict,
    DataOwnerMismatch = "data_owner_mismatch" => Conflict,
    DataVersionExhausted = "data_version_exhausted" => Conflict,
    DependencyUnsatisfied = "dependency_unsatisfied" => Conflict,
    DuplicateFile = "duplicate_file" => Conflict,
    DuplicateType = "duplicate_type" => Conflict,
    Edited = "edited" => Conflict,
    ForeignType = "foreign_type" => Conflict,
    Frozen = "frozen" => Conflict,
    GraftConflict = "graft_conflict" => Conflict,
    IdAmbiguous = "id_ambiguous" => Conflict,
    InvalidLockEntry = "invalid_lock_entry" => Conflict,
    NotPushed = "not_pushed" => Conflict,
    ReadOnly = "read_only" => Conflict,
    SeveralRuns = "several_runs" => Conflict,
    SourceChanged = "source_changed" => Conflict,
    Unsatisfiable = "unsatisfiable" => Conflict,
    WorkflowResumeFailed = "workflow_resume_failed" => Conflict,
    // Busy
    LockTimeout = "lock_timeout" => Busy,
    RateLimited = "rate_limited" => Busy,
    RunOwned = "run_owned" => Busy,
    // Denied
    CollectiveNotOwned = "collective_not_owned" => Denied,
    ExtensionYanked = "extension_yanked" => Denied,
    Forbidden = "forbidden" => Denied,
    LiteralSensitiveGlobalArg = "literal_sensitive_global_arg" => Denied,
    OutsideBase = "outside_base" => Denied,
    Refused = "refused" => Denied,
    SafetyRefused = "safety_refused" => Denied,
    SecretExposed = "secret_exposed" => Denied,
    SymlinkRefused = "symlink_refused" => Denied,
    Unauthorized = "unauthorized" => Denied,
    UnsafeRedirect = "unsafe_redirect" => Denied,
    VaultWrongKey = "vault_wrong_key" => Denied,
    // Cancelled
    Cancelled = "cancelled" => Cancelled,
    // Timeout
    DeadlineExceeded = "deadline_exceeded" => Timeout,
    OwnerSilent = "owner_silent" => Timeout,
    // Crash
    ExitCalled = "exit_called" => Crash,
    HostFailed = "host_failed" => Crash,
    OutOfMemory = "out_of_memory" => Crash,
    StackOverflow = "stack_overflow" => Crash,
    UnhandledRejection = "unhandled_rejection" => Crash,
    // Unavailable
    ShuttingDown = "shutting_down" => Unavailable,
    BadResponse = "bad_response" => Unavailable,
    CannotListen = "cannot_listen" => Unavailable,
    CannotWatch = "cannot_watch" => Unavailable,
    ConnectionLost = "connection_lost" => Unavailable,
    DatastoreLockFailed = "datastore_lock_failed" => Unavailable,
    Io = "io" => Unavailable,
    LockUnsupported = "lock_unsupported" => Unavailable,
    NotServed = "not_served" => Unavailable,
    Offline = "offline" => Unavailable,
    RegistryError = "registry_error" => Unavailable,
    RegistryUnreachable = "registry_unreachable" => Unavailable,
    SourceVanished = "source_vanished" => Unavailable,
    VaultFailed = "vault_failed" => Unavailable,
    // Internal
    DamagedStore = "damaged_store" => Internal,
    Internal = "internal" => Internal,
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Reads a code. A code that this version does not know, as of a newer server, reads as [`ErrorCode::Internal`].
impl<'de> Deserialize<'de> for ErrorCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Ok(ErrorCode::parse(&text).unwrap_or(ErrorCode::Internal))
    }
}

impl JsonSchema for ErrorCode {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ErrorCode".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let texts: Vec<&str> = ErrorCode::all().map(ErrorCode::as_str).collect();
        schemars::json_schema!({ "type": "string", "enum": texts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kind::KINDS;

    #[test]
    fn code_text_parsed_is_the_same_code() {
        for code in ErrorCode::all() {
            assert_eq!(ErrorCode::parse(code.as_str()), Some(code));
        }
    }

    #[test]
    fn code_text_is_unique_and_snake_case() {
        let mut texts: Vec<&str> = ErrorCode::all().map(ErrorCode::as_str).collect();
        texts.sort_unstable();
        let all = texts.len();
        texts.dedup();
        assert_eq!(texts.len(), all);
        assert!(texts.iter().all(|text| text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
    }

    #[test]
    fn code_of_an_unknown_type_is_that_of_the_row() {
        for row in &KINDS {
            let code = ErrorCode::unknown_type(row.kind);
            assert_eq!((code.as_str(), code.class()), (row.unknown_code, ErrorClass::NotFound));
            assert_eq!(ErrorCode::parse(row.unknown_code), Some(code), "{}", row.export);
        }
    }

    #[test]
    fn unknown_code_reads_as_internal() {
        let code: ErrorCode = serde_json::from_str("\"of_a_newer_version\"").unwrap();
        assert_eq!(code, ErrorCode::Internal);
    }

    #[test]
    fn exit_codes_of_busy_usage_and_cancelled_differ_from_failed() {
        let special: Vec<(ErrorClass, u8)> = ErrorClass::ALL
            .into_iter()
            .map(|class| (class, class.exit_code()))
            .filter(|(_, code)| *code != 1)
            .collect();
        assert_eq!(special, [(ErrorClass::Usage, 2), (ErrorClass::Busy, 75), (ErrorClass::Cancelled, 130)]);
    }
}
