//! The kinds of extension code and where such code comes from.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an exported declaration is. One row per kind: adding a kind adds a row here and a driver in the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    Model,
    /// A graft of methods onto another model type.
    Extension,
    Vault,
    Driver,
    Datastore,
    Report,
}

impl Kind {
    pub const ALL: [Kind; 6] =
        [Kind::Model, Kind::Extension, Kind::Vault, Kind::Driver, Kind::Datastore, Kind::Report];

    /// The name of the export that declares it: `export const model = …`.
    pub fn export_name(self) -> &'static str {
        match self {
            Kind::Model => "model",
            Kind::Extension => "extension",
            Kind::Vault => "vault",
            Kind::Driver => "driver",
            Kind::Datastore => "datastore",
            Kind::Report => "report",
        }
    }

    pub fn from_export(name: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|kind| kind.export_name() == name)
    }

    /// The directory below `extensions/` that holds sources of this kind. Grafts live among the models.
    pub fn directory(self) -> &'static str {
        match self {
            Kind::Model | Kind::Extension => "models",
            Kind::Vault => "vaults",
            Kind::Driver => "drivers",
            Kind::Datastore => "datastores",
            Kind::Report => "reports",
        }
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
