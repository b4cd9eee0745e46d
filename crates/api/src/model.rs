//! Documents about models: types, definitions, method runs and their records.

mod definition;
mod output;
mod run;
mod types;

pub use definition::{
    EditStatus, ModelCreated, ModelDeleted, ModelDocument, ModelEdited, ModelRow, ModelSearch,
    ModelValidateRequest, ModelValidation, ModelValidationDocument, ModelValidations, ValidationCheck,
    ValidationWarning,
};
pub use output::{LogLines, OutputDocument, OutputLog, OutputRow, OutputSearch};
pub use run::{DataArtifact, FailedRun, MethodRun, MethodRunDocument, MethodRunItem, MethodRunStatus};
pub use types::{
    CheckDescription, CompactMethod, CompactTypeDescription, FullTypeDescription, MethodDescribed,
    MethodDescription, OutputKind, OutputSpec, TypeDescription, TypeNames, TypeRow, TypeSearch, type_word,
};
