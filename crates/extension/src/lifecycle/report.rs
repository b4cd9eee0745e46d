//! The result of a change, and the events while it happens.

use std::path::PathBuf;

use marsh_types::{CalVer, Channel, ExtensionName};

use super::error::LifecycleError;
use super::inspect::Shadowed;

/// Progress of a change.
#[derive(Debug)]
pub enum Event<'a> {
    /// Looking an extension up in the registry.
    Resolving {
        /// The extension.
        name: &'a ExtensionName,
    },
    /// Bytes of an archive have arrived.
    Downloading {
        /// The extension.
        name: &'a ExtensionName,
        /// The version.
        version: CalVer,
        /// Bytes so far.
        done: u64,
        /// Bytes in all, if the registry says so.
        total: Option<u64>,
    },
    /// An archive is in the store.
    Stored {
        /// The extension.
        name: &'a ExtensionName,
        /// The version.
        version: CalVer,
    },
    /// Another process holds the lock.
    Waiting {
        /// That process.
        holder: &'a marsh_fs::Holder,
    },
    /// Changed files are about to be replaced.
    Overwriting {
        /// The extension.
        name: &'a ExtensionName,
        /// The files, relative to the tree.
        files: &'a [String],
    },
    /// A warning.
    Warning {
        /// Its text.
        message: &'a str,
    },
}

/// Receives events, from several threads.
pub trait Reporter: Sync {
    /// Receives one event.
    fn event(&self, event: Event<'_>);
}

/// Ignores all events.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Reporter for Silent {
    fn event(&self, _event: Event<'_>) {}
}

/// What a change did to one extension.
#[derive(Debug)]
pub enum ItemStatus {
    /// It was not installed before.
    Installed,
    /// Another version was installed before.
    Updated {
        /// That version.
        from: CalVer,
    },
    /// Nothing had to change.
    UpToDate,
    /// The lockfile named it already; its tree was missing or damaged.
    Restored,
    /// The registry has a newer version; nothing was changed.
    UpdateAvailable {
        /// That version.
        latest: CalVer,
    },
    /// The newest version of an extension that its authors deprecated.
    Deprecated {
        /// Why.
        reason: Option<String>,
        /// The extension to use instead.
        superseded_by: Option<String>,
    },
    /// It could not be changed.
    Failed {
        /// Why.
        error: LifecycleError,
    },
}

/// One extension of a change.
#[derive(Debug)]
pub struct ItemReport {
    /// Its name.
    pub name: ExtensionName,
    /// Installed after the change.
    pub version: Option<CalVer>,
    /// The channel that updates follow.
    pub channel: Option<Channel>,
    /// What the change did.
    pub status: ItemStatus,
    /// Whether it was installed as a dependency.
    pub dependency: bool,
    /// Repository-relative, as the lockfile lists them.
    pub files: Vec<String>,
    /// The directory of the tree.
    pub tree: Option<PathBuf>,
    /// The registry's description.
    pub description: Option<String>,
    /// Warnings about the extension.
    pub warnings: Vec<String>,
}

impl ItemReport {
    /// An extension that a change failed for.
    pub(crate) fn failed(name: &ExtensionName, error: LifecycleError) -> ItemReport {
        ItemReport {
            name: name.clone(),
            version: None,
            channel: None,
            status: ItemStatus::Failed { error },
            dependency: false,
            files: Vec::new(),
            tree: None,
            description: None,
            warnings: Vec::new(),
        }
    }
}

/// The result of a change.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The generation that it made; `None`: nothing changed.
    pub generation: Option<u64>,
    /// The extensions of the change.
    pub items: Vec<ItemReport>,
    /// Installed types that a source of the repository hides.
    pub shadowed: Vec<Shadowed>,
    /// Warnings about the set.
    pub warnings: Vec<String>,
    /// How long the commit held the lock.
    pub held: std::time::Duration,
}

impl Outcome {
    /// How many extensions failed.
    pub fn failed(&self) -> usize {
        self.items.iter().filter(|item| matches!(item.status, ItemStatus::Failed { .. })).count()
    }

    /// Whether the lockfile changed.
    pub fn changed(&self) -> bool {
        self.generation.is_some()
    }
}
