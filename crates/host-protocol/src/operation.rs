//! What the shim can do with a module: one operation for each thing that marsh asks of an export.
//!
//! The operations of models and modules are here. Those of the other kinds come from the table of kinds
//! ([`KindOperation`]); their parameters and answers are types of the wrapper of the kind
//! (`crates/extension/src/kinds`), because the host hands parameters to the shim as they are.

use std::fmt;
use std::path::PathBuf;

use marsh_types::{KINDS, Kind, KindOperation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::Nothing;

macro_rules! operations {
    ($( $(#[$doc:meta])* $Name:ident = $text:literal -> $Answer:ty, )*) => {
        /// The name of an operation.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum OperationName {
            $( $(#[$doc])* $Name, )*
            /// An operation of a kind beside models.
            Kind(KindOperation),
        }

        impl OperationName {
            /// Every name, in the order of the tables.
            pub fn all() -> impl Iterator<Item = OperationName> {
                let kinds = KINDS.iter().flat_map(|row| row.operations).copied().map(OperationName::Kind);
                [$( OperationName::$Name ),*].into_iter().chain(kinds)
            }

            /// The name on the wire.
            pub fn as_str(self) -> &'static str {
                match self {
                    $( OperationName::$Name => $text, )*
                    OperationName::Kind(operation) => operation.as_str(),
                }
            }

            /// The operation of a name on the wire.
            pub fn parse(text: &str) -> Option<OperationName> {
                match text {
                    $( $text => Some(OperationName::$Name), )*
                    _ => KindOperation::parse(text).map(OperationName::Kind),
                }
            }
        }

        $( impl Ask for $Name {
            const NAME: OperationName = OperationName::$Name;
            type Answer = $Answer;
        } )*
    };
}

operations! {
    /// Checks an export of a kind and describes it. Answer: the description as JSON text.
    Describe = "describe" -> Box<RawValue>,
    /// Waits for the module to load.
    Load = "load" -> Nothing,
    /// Answer: the names of the module's exports.
    Exports = "exports" -> Vec<String>,
    /// Upgrades and checks arguments for a method that runs elsewhere. Answer: [`Prepared`].
    Prepare = "prepare" -> Prepared,
    /// Runs pre-flight checks without a method. Answer: a [`CheckResult`] each.
    Check = "check" -> Vec<CheckResult>,
    /// Runs a method. Answer: [`Returned`].
    Run = "run" -> Returned,
}

impl OperationName {
    /// The name without the kind: `get` of `vault.get`.
    pub fn member(self) -> &'static str {
        match self {
            OperationName::Kind(operation) => operation.member(),
            other => other.as_str(),
        }
    }
}

impl fmt::Display for OperationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for OperationName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for OperationName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<OperationName, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        OperationName::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format_args!("unknown operation `{text}`")))
    }
}

/// The parameters of one operation, which fix the type of its answer.
pub trait Ask: Serialize + Send + Sync + 'static {
    /// The operation.
    const NAME: OperationName;
    /// What the shim answers.
    type Answer: DeserializeOwned;
}

/// An operation and its parameters.
pub struct Operation {
    name: OperationName,
    params: Box<dyn Params>,
}

/// Parameters of any operation.
trait Params: Send + Sync {
    fn to_json(&self) -> Result<Box<RawValue>, serde_json::Error>;
}

impl<A: Ask> Params for A {
    fn to_json(&self) -> Result<Box<RawValue>, serde_json::Error> {
        serde_json::value::to_raw_value(self)
    }
}

impl<A: Ask> From<A> for Operation {
    fn from(params: A) -> Operation {
        Operation { name: A::NAME, params: Box::new(params) }
    }
}

impl Operation {
    /// Which operation this is.
    pub fn name(&self) -> OperationName {
        self.name
    }

    /// The parameters as JSON text.
    ///
    /// # Errors
    /// When they have no JSON form, such as a path that is not UTF-8.
    pub fn params(&self) -> Result<Box<RawValue>, serde_json::Error> {
        self.params.to_json()
    }
}

/// Without the parameters, which can hold secrets.
impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Declares parameter structs: documentation, name, fields.
macro_rules! params {
    ($( $(#[$doc:meta])* $Name:ident { $( $(#[$field_doc:meta])* $field:ident: $ty:ty ),* $(,)? } )*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "camelCase")]
        pub struct $Name { $( $(#[$field_doc])* pub $field: $ty ),* }
    )* };
}

params! {
    /// Parameters of `describe`.
    Describe {
        /// The kind of export.
        kind: Kind,
    }
    /// Parameters of `load`.
    Load {}
    /// Parameters of `exports`.
    Exports {}
    /// The definition that a method runs on.
    RunDefinition {
        /// Its id.
        id: String,
        /// Its name.
        name: String,
        /// Its version.
        version: Value,
        /// Its tags.
        tags: Value,
        /// The version of its type that it was made for, if known.
        type_version: Option<String>,
    }
    /// Parameters of `run` and `prepare`.
    RunParams {
        /// The method's name.
        method: String,
        /// The type, normalized.
        r#type: String,
        /// The definition.
        definition: RunDefinition,
        /// Evaluated global arguments, with secrets.
        global_arguments: Value,
        /// Global arguments as the definition holds them.
        stored_global_arguments: Value,
        /// Global arguments that could not be evaluated, with the reasons.
        #[serde(default)]
        unresolved_globals: Value,
        /// Evaluated method arguments, with secrets.
        method_arguments: Value,
        /// Method arguments without secrets.
        #[serde(default)]
        unresolved_method_arguments: Value,
        /// Which checks run.
        #[serde(default)]
        checks: RunChecks,
        /// The repository, when the host can read it at this path.
        repo_dir: Option<PathBuf>,
    }
    /// Parameters of `check`.
    Check {
        /// The definition and its arguments. Its method may be empty.
        run: RunParams,
        /// The checks.
        names: Vec<String>,
    }
    /// What one check answered.
    CheckResult {
        /// The name of the check.
        name: String,
        /// What it found; absent: it passed.
        error: Option<String>,
    }
    /// The answer to `prepare`.
    Prepared {
        /// Parsed global arguments.
        global_arguments: Value,
        /// Parsed method arguments.
        method_arguments: Value,
        /// The method's kind.
        kind: Option<String>,
    }
    /// The answer to `run`.
    Returned {
        /// The results that the method returned, or all that it wrote.
        handles: Vec<ReturnedHandle>,
        /// The method's kind.
        kind: Option<String>,
    }
    /// A result that a method returned.
    ReturnedHandle {
        /// The name that the code gave it, if it is a text.
        name: Option<String>,
        /// The id of the data, if it is a text.
        data_id: Option<String>,
    }
}

/// Which pre-flight checks run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RunChecks {
    /// Checks that the definition requires.
    pub require: Vec<String>,
    /// Checks that the definition skips.
    pub skip: Vec<String>,
    /// Skips every check that is not required.
    pub skip_all: bool,
    /// Skips checks by name.
    pub skip_names: Vec<String>,
    /// Skips checks by label.
    pub skip_labels: Vec<String>,
}

/// Parameters of `run`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Run(pub RunParams);

/// Parameters of `prepare`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prepare(pub RunParams);

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    #[test]
    fn operation_names_parse_back_and_unknown_ones_are_refused() {
        for name in OperationName::all() {
            assert_eq!(serde_json::from_str::<OperationName>(&format!("\"{name}\"")).unwrap(), name);
        }
        let error = serde_json::from_str::<OperationName>("\"vault.steal\"").unwrap_err();
        assert_eq!(error.to_string(), "unknown operation `vault.steal`");
    }

    #[test]
    fn operation_in_a_log_hides_its_parameters() {
        #[derive(Serialize)]
        struct Put {
            value: &'static str,
        }
        impl Ask for Put {
            const NAME: OperationName = OperationName::Kind(KindOperation::VaultPut);
            type Answer = Nothing;
        }
        let operation = Operation::from(Put { value: "hunter2" });
        assert_eq!(operation.params().unwrap().get(), r#"{"value":"hunter2"}"#);
        assert!(!format!("{operation:?}").contains("hunter2"), "{operation:?}");
    }

    #[test]
    fn operation_with_a_path_that_is_not_utf8_is_refused() {
        #[derive(Serialize)]
        struct At {
            path: PathBuf,
        }
        impl Ask for At {
            const NAME: OperationName = OperationName::Load;
            type Answer = Nothing;
        }
        let path = PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"/\xff"));
        assert!(Operation::from(At { path }).params().is_err());
    }
}
