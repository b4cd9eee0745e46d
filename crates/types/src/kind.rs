//! The kinds of extension code, as one table, and where such code comes from.
//!
//! [`Kind::ALL`], [`KINDS`], [`KindOperation`] and the enum itself come from the rows of one macro call, so they cannot
//! disagree. Discovery, manifests, archives, the type catalog, `doctor`, publishing, environment variables, error codes,
//! the host protocol, the shim and `docs/reference` iterate over the table; no other list of kinds exists
//! (`crates/extension/tests/it/kinds_table.rs`).
//!
//! A kind is a row here, its contract in the shim (`crates/host-server/src/shim/kinds/<export>.js`), and a typed wrapper
//! (`crates/extension/src/kinds/<export>.rs`), which holds the parameters and answers of the row's operations.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

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
    /// The text of the error code of a type that no source declares ([`ErrorCode::unknown_type`](crate::ErrorCode)).
    pub unknown_code: &'static str,
    /// How a user moves the source directory.
    pub source_dir: SourceDirSetting,
    /// The fields that an export must have, for `docs/reference/kinds.md`.
    pub required_fields: &'static str,
    /// What marsh does with it, for `docs/reference/kinds.md`.
    pub purpose: &'static str,
    /// What marsh can ask of an export.
    pub operations: &'static [KindOperation],
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
    ($(
        $(#[$doc:meta])* $kind:ident = $export:literal {
            $($field:ident: $value:expr,)*
        } operations {
            $($(#[$op_doc:meta])* $op:ident = $member:literal,)*
        }
    )*) => {
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
        pub static KINDS: [KindSpec; Kind::ALL.len()] = [$(KindSpec {
            kind: Kind::$kind,
            export: $export,
            $($field: $value,)*
            operations: &[$(KindOperation::$op),*],
        }),*];

        /// What marsh can ask of an export, for the kinds beside models.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum KindOperation {
            $($($(#[$op_doc])* $op,)*)*
        }

        impl KindOperation {
            /// The name in the host protocol: `vault.get`.
            pub const fn as_str(self) -> &'static str {
                match self { $($(KindOperation::$op => concat!($export, ".", $member),)*)* }
            }

            /// The name without the kind: `get` of `vault.get`.
            pub const fn member(self) -> &'static str {
                match self { $($(KindOperation::$op => $member,)*)* }
            }

            /// The operation of a name in the host protocol.
            pub fn parse(text: &str) -> Option<KindOperation> {
                KINDS.iter().flat_map(|row| row.operations).copied().find(|one| one.as_str() == text)
            }
        }
    };
}

kinds! {
    /// A type with methods.
    Model = "model" {
        noun: "model type",
        directory: "models",
        bundles: "bundles",
        extends: None,
        name_field: "type",
        registry_key: "models",
        registry_name_field: "type",
        unknown_code: "unknown_model_type",
        source_dir: SourceDirSetting {
            variable: "MARSH_MODELS_DIR",
            fallback: "SWAMP_MODELS_DIR",
            marker_key: "modelsDir",
            meaning: "directory of model extension sources",
        },
        required_fields: "`type`, `version`, `methods`",
        purpose: "its methods run (`marsh model method run`)",
    } operations {}
    /// A method extension: methods, checks and resources for a model type that another source declares.
    Extension = "extension" {
        noun: "model type",
        directory: "models",
        bundles: "bundles",
        extends: Some(Kind::Model),
        name_field: "type",
        registry_key: "extensions",
        registry_name_field: "extendsType",
        unknown_code: "unknown_model_type",
        source_dir: SourceDirSetting {
            variable: "MARSH_MODELS_DIR",
            fallback: "SWAMP_MODELS_DIR",
            marker_key: "modelsDir",
            meaning: "directory of model extension sources",
        },
        required_fields: "`type` (the target), `methods`: an array of objects",
        purpose: "a method extension: adds methods, `checks` and `resources` to a model type",
    } operations {}
    /// A provider of secrets.
    Vault = "vault" {
        noun: "vault type",
        directory: "vaults",
        bundles: "vault-bundles",
        extends: None,
        name_field: "type",
        registry_key: "vaults",
        registry_name_field: "type",
        unknown_code: "unknown_vault_type",
        source_dir: SourceDirSetting {
            variable: "MARSH_VAULTS_DIR",
            fallback: "SWAMP_VAULTS_DIR",
            marker_key: "vaultsDir",
            meaning: "directory of vault extension sources",
        },
        required_fields: "`type`, `name`, `description`, `createProvider(name, config)`",
        purpose: "`marsh vault put/read-secret/list-keys`, `vault.get(…)` in expressions",
    } operations {
        /// Answer: the value of a key.
        VaultGet = "get",
        /// Stores the value of a key.
        VaultPut = "put",
        /// Answer: the keys.
        VaultList = "list",
        /// Removes a key.
        VaultDelete = "delete",
        /// Answer: which of the optional members the provider has.
        VaultMembers = "members",
        /// Answer: the annotation of a key.
        VaultGetAnnotation = "getAnnotation",
        /// Stores the annotation of a key.
        VaultPutAnnotation = "putAnnotation",
        /// Removes the annotation of a key.
        VaultDeleteAnnotation = "deleteAnnotation",
        /// Answer: all annotations by key.
        VaultListAnnotations = "listAnnotations",
    }
    /// A place where methods run.
    Driver = "driver" {
        noun: "driver",
        directory: "drivers",
        bundles: "driver-bundles",
        extends: None,
        name_field: "type",
        registry_key: "drivers",
        registry_name_field: "type",
        unknown_code: "unknown_driver_type",
        source_dir: SourceDirSetting {
            variable: "MARSH_DRIVERS_DIR",
            fallback: "SWAMP_DRIVERS_DIR",
            marker_key: "driversDir",
            meaning: "directory of driver extension sources",
        },
        required_fields: "`type`, `name`, `description`, `createDriver(config)`",
        purpose: "runs methods elsewhere: `--driver` ([below](#drivers))",
    } operations {
        /// Prepares a driver.
        DriverInitialize = "initialize",
        /// Runs a method through a driver. Answer: how the run ended.
        DriverExecute = "execute",
    }
    /// A store for the repository's data.
    Datastore = "datastore" {
        noun: "datastore type",
        directory: "datastores",
        bundles: "datastore-bundles",
        extends: None,
        name_field: "type",
        registry_key: "datastores",
        registry_name_field: "type",
        unknown_code: "unknown_datastore_type",
        source_dir: SourceDirSetting {
            variable: "MARSH_DATASTORES_DIR",
            fallback: "SWAMP_DATASTORES_DIR",
            marker_key: "datastoresDir",
            meaning: "directory of datastore extension sources",
        },
        required_fields: "`type`, `name`, `description`, `createProvider(config)`",
        purpose: "holds a repository's data: lock, verifier, synchronization ([datastores](../guides/datastores.md))",
    } operations {
        /// Answer: the health.
        DatastoreVerify = "verify",
        /// Answer: where the data are.
        DatastorePlace = "place",
        /// Answer: the path of the data.
        DatastoreResolvePath = "resolvePath",
        /// Answer: the path of the local copy, if the extension chooses it.
        DatastoreResolveCachePath = "resolveCachePath",
        /// Holds the lock while the caller works (`datastore/locked`).
        DatastoreWithLock = "withLock",
        /// Answer: the lock's information, if it is held.
        DatastoreInspectLock = "inspectLock",
        /// Releases a lock of another holder.
        DatastoreForceReleaseLock = "forceReleaseLock",
        /// Copies remote changes. Answer: how many files, if the extension counts them.
        DatastorePull = "pull",
        /// Copies local changes. Answer: how many files, if the extension counts them.
        DatastorePush = "push",
        /// Announces that a file is about to change.
        DatastoreMarkDirty = "markDirty",
        /// Answer: what the sync service can do.
        DatastoreCapabilities = "capabilities",
    }
    /// Text and JSON about a run.
    Report = "report" {
        noun: "report",
        directory: "reports",
        bundles: "report-bundles",
        extends: None,
        name_field: "name",
        registry_key: "reports",
        registry_name_field: "name",
        unknown_code: "unknown_report",
        source_dir: SourceDirSetting {
            variable: "MARSH_REPORTS_DIR",
            fallback: "SWAMP_REPORTS_DIR",
            marker_key: "reportsDir",
            meaning: "directory of report extension sources",
        },
        required_fields: "`name`, `description`, `scope` (`method`, `model`, `workflow`), `execute(context)`",
        purpose: "follows a run; `marsh report run`",
    } operations {
        /// Runs a report. Answer: text and JSON.
        ReportExecute = "execute",
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

    use super::{KINDS, Kind, KindOperation};

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
    fn operation_is_in_the_row_of_its_kind_and_parses_back() {
        let mut seen = HashSet::new();
        for row in &KINDS {
            for operation in row.operations {
                assert_eq!(operation.as_str(), format!("{}.{}", row.export, operation.member()));
                assert_eq!(KindOperation::parse(operation.as_str()), Some(*operation));
                assert!(seen.insert(operation.as_str()), "{}", operation.as_str());
            }
        }
        assert_eq!(KindOperation::parse("vault.unknown"), None);
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
