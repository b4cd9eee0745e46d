//! The kinds of extension code, as one table, and where such code comes from.
//!
//! [`Kind::ALL`], [`KINDS`] and the enum itself come from the rows of one macro call, so they cannot disagree.
//! Discovery, manifests, archives, the type catalog, `doctor`, publishing, environment variables and the shim iterate
//! over the table; no other list of kinds exists (`crates/extension/tests/it/kinds_table.rs`).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::code::ErrorCode;

/// One row of the table of kinds: everything about a kind that is not code.
#[derive(Debug)]
pub struct KindSpec {
    /// The kind that the row describes.
    pub kind: Kind,
    /// The name of the export that declares it: `export const model = …`. Also its name in JSON.
    pub export: &'static str,
    /// What messages call it: `vault type`.
    pub noun: &'static str,
    /// The directory below `extensions/` and in an archive, and the key in a manifest.
    pub directory: &'static str,
    /// The directory of an archive that holds the bundles.
    pub bundles: &'static str,
    /// The kind whose types an export of this kind adds to. Such a kind has no directory and declares no types.
    pub extends: Option<Kind>,
    /// The field of the export that names the type.
    pub name_field: &'static str,
    /// The key below which registries list declarations of the kind.
    pub registry_key: &'static str,
    /// The key of the type's name in a registry's list.
    pub registry_name_field: &'static str,
    /// The error code of a type that no source declares.
    pub unknown_code: ErrorCode,
    /// How a user moves the source directory.
    pub source_dir: SourceDirSetting,
    /// The file of the shim that checks the contract or implements the operations (`crates/host-server/src/shim`). The
    /// operations themselves are types of the host protocol (`crates/host-protocol/src/operation.rs`).
    pub contract: &'static str,
}

/// The settings that move the source directory of a kind.
#[derive(Debug, Clone, Copy)]
pub struct SourceDirSetting {
    /// marsh's environment variable.
    pub variable: &'static str,
    /// The environment variable of existing set-ups, read when `variable` is unset.
    pub fallback: &'static str,
    /// The key of the repository's marker.
    pub marker_key: &'static str,
    /// What `docs/reference/environment.md` says about the variable.
    pub meaning: &'static str,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident { $($field:ident: $value:expr,)* })*) => {
        /// What an exported declaration is. Each kind is a row of [`KINDS`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// All kinds, in the order of the table.
            pub const ALL: [Kind; [$(Kind::$kind),*].len()] = [$(Kind::$kind),*];
        }

        /// The table: one row for each kind, in the order of [`Kind::ALL`].
        pub static KINDS: [KindSpec; Kind::ALL.len()] =
            [$(KindSpec { kind: Kind::$kind, $($field: $value),* }),*];
    };
}

kinds! {
    /// A type with methods.
    Model {
        export: "model",
        noun: "model type",
        directory: "models",
        bundles: "bundles",
        extends: None,
        name_field: "type",
        registry_key: "models",
        registry_name_field: "type",
        unknown_code: ErrorCode::UnknownModelType,
        source_dir: SourceDirSetting {
            variable: "MARSH_MODELS_DIR",
            fallback: "SWAMP_MODELS_DIR",
            marker_key: "modelsDir",
            meaning: "directory of model extension sources",
        },
        contract: "contract.js",
    }
    /// A method extension: methods, checks and resources for a model type that another source declares.
    Extension {
        export: "extension",
        noun: "model type",
        directory: "models",
        bundles: "bundles",
        extends: Some(Kind::Model),
        name_field: "type",
        registry_key: "extensions",
        registry_name_field: "extendsType",
        unknown_code: ErrorCode::UnknownModelType,
        source_dir: SourceDirSetting {
            variable: "MARSH_MODELS_DIR",
            fallback: "SWAMP_MODELS_DIR",
            marker_key: "modelsDir",
            meaning: "directory of model extension sources",
        },
        contract: "method_extension.js",
    }
    /// A provider of secrets.
    Vault {
        export: "vault",
        noun: "vault type",
        directory: "vaults",
        bundles: "vault-bundles",
        extends: None,
        name_field: "type",
        registry_key: "vaults",
        registry_name_field: "type",
        unknown_code: ErrorCode::UnknownVaultType,
        source_dir: SourceDirSetting {
            variable: "MARSH_VAULTS_DIR",
            fallback: "SWAMP_VAULTS_DIR",
            marker_key: "vaultsDir",
            meaning: "directory of vault extension sources",
        },
        contract: "vault.js",
    }
    /// A place where methods run.
    Driver {
        export: "driver",
        noun: "driver",
        directory: "drivers",
        bundles: "driver-bundles",
        extends: None,
        name_field: "type",
        registry_key: "drivers",
        registry_name_field: "type",
        unknown_code: ErrorCode::UnknownDriverType,
        source_dir: SourceDirSetting {
            variable: "MARSH_DRIVERS_DIR",
            fallback: "SWAMP_DRIVERS_DIR",
            marker_key: "driversDir",
            meaning: "directory of driver extension sources",
        },
        contract: "execute.js",
    }
    /// A store for the repository's data.
    Datastore {
        export: "datastore",
        noun: "datastore type",
        directory: "datastores",
        bundles: "datastore-bundles",
        extends: None,
        name_field: "type",
        registry_key: "datastores",
        registry_name_field: "type",
        unknown_code: ErrorCode::UnknownDatastoreType,
        source_dir: SourceDirSetting {
            variable: "MARSH_DATASTORES_DIR",
            fallback: "SWAMP_DATASTORES_DIR",
            marker_key: "datastoresDir",
            meaning: "directory of datastore extension sources",
        },
        contract: "datastore.js",
    }
    /// Text and JSON about a run.
    Report {
        export: "report",
        noun: "report",
        directory: "reports",
        bundles: "report-bundles",
        extends: None,
        name_field: "name",
        registry_key: "reports",
        registry_name_field: "name",
        unknown_code: ErrorCode::UnknownReport,
        source_dir: SourceDirSetting {
            variable: "MARSH_REPORTS_DIR",
            fallback: "SWAMP_REPORTS_DIR",
            marker_key: "reportsDir",
            meaning: "directory of report extension sources",
        },
        contract: "report.js",
    }
}

impl Kind {
    /// The row of the kind.
    pub fn spec(self) -> &'static KindSpec {
        &KINDS[self as usize]
    }

    /// The name of the export that declares it.
    pub fn export_name(self) -> &'static str {
        self.spec().export
    }

    /// The kind that an export of this name declares.
    pub fn from_export(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.export_name() == name)
    }

    /// The directory below `extensions/` that holds sources of this kind.
    pub fn directory(self) -> &'static str {
        self.spec().directory
    }

    /// Whether exports of the kind declare types of their own, and have a directory and a manifest key.
    pub fn declares_types(self) -> bool {
        self.spec().extends.is_none()
    }

    /// The kinds that have a directory and a manifest key, in the order of the table.
    pub fn with_directory() -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(|kind| kind.declares_types())
    }

    /// The kind whose directory holds exports of this kind: a method extension stands among the models.
    pub fn home(self) -> Kind {
        self.spec().extends.unwrap_or(self)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.export_name())
    }
}

/// Where a source comes from. Earlier origins win over later ones that claim the same `(kind, type)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Origin {
    /// Compiled into marsh.
    Builtin,
    /// Under the repository's own `extensions/<kind>s/`.
    Local,
    /// Mounted by `.swamp-sources.yaml`.
    Source,
    /// Installed from a registry.
    Pulled,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Builtin => "builtin",
            Origin::Local => "local",
            Origin::Source => "source",
            Origin::Pulled => "pulled",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{KINDS, Kind};

    #[test]
    fn every_row_describes_its_own_kind() {
        for (kind, row) in Kind::ALL.into_iter().zip(&KINDS) {
            assert_eq!(row.kind, kind);
            assert_eq!(kind.spec().export, row.export);
            assert_eq!(Kind::from_export(row.export), Some(kind));
            assert_eq!(
                serde_json::to_value(kind).unwrap(),
                row.export,
                "the name in JSON is the export's name"
            );
        }
    }

    #[test]
    fn only_kinds_that_extend_another_share_its_directory() {
        for row in &KINDS {
            let home = row.kind.home().spec();
            assert_eq!((row.directory, row.bundles), (home.directory, home.bundles), "{}", row.export);
            assert!(home.extends.is_none(), "{}", row.export);
        }
        let directories: HashSet<&str> = Kind::with_directory().map(Kind::directory).collect();
        assert_eq!(directories.len(), Kind::with_directory().count());
    }
}
