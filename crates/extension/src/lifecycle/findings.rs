//! What can be wrong with an installed set, as data: for errors, `doctor` and `restore`.

use std::fmt;

use marsh_types::{CalVer, ExtensionName, ExtensionRef, Kind, TypeName};
use serde::Serialize;

/// The declaration of a type by an installed extension.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Occupant {
    /// The extension.
    #[serde(rename = "extensionName")]
    pub extension: ExtensionName,
    /// Its version.
    #[serde(rename = "extensionVersion")]
    pub version: CalVer,
    /// The entry point, relative to the extension.
    #[serde(rename = "canonicalPath")]
    pub path: String,
}

/// A type that two extensions declare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DuplicateType {
    /// The kind of the type.
    pub kind: Kind,
    /// The type.
    #[serde(rename = "type")]
    pub type_name: TypeName,
    /// The declaration that was installed first.
    pub existing: Occupant,
    /// The other declaration.
    pub conflicting: Occupant,
}

impl fmt::Display for DuplicateType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the {} `{}` is declared by the installed {}@{} ({}) and by {}@{} ({})",
            self.kind,
            self.type_name,
            self.existing.extension,
            self.existing.version,
            self.existing.path,
            self.conflicting.extension,
            self.conflicting.version,
            self.conflicting.path,
        )
    }
}

/// A dependency that is missing or of an unsuitable version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unsatisfied {
    /// The extension that needs it.
    pub by: ExtensionName,
    /// What it needs.
    pub dependency: ExtensionRef,
    /// The version that is or would be installed; `None`: the dependency is not installed.
    pub found: Option<CalVer>,
}

impl fmt::Display for Unsatisfied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.found {
            Some(found) => write!(f, "{} needs {}, and {found} would be installed", self.by, self.dependency),
            None => write!(f, "{} needs {}", self.by, self.dependency),
        }
    }
}

impl Unsatisfied {
    pub(crate) fn hint(&self) -> String {
        match self.found {
            Some(_) => format!("run `marsh extension update {}`: a newer version may accept it", self.by),
            None => format!(
                "run `marsh extension rm {}` first, or add `--force` to leave it without its dependency",
                self.by
            ),
        }
    }
}
