//! What a change did, and what is heard of it while it happens.

use std::path::PathBuf;

use marsh_types::{CalVer, Channel, ExtensionName};

use super::error::LifecycleError;
use super::inspect::Shadowed;

/// What happens, for whoever shows progress.
#[derive(Debug)]
pub enum Event<'a> {
    /// Looking an extension up in the registry.
    Resolving {
        name: &'a ExtensionName,
    },
    /// Bytes of an archive have arrived.
    Downloading {
        name: &'a ExtensionName,
        version: CalVer,
        done: u64,
        total: Option<u64>,
    },
    /// An archive is in the store.
    Stored {
        name: &'a ExtensionName,
        version: CalVer,
    },
    /// Somebody else holds the lock.
    Waiting {
        holder: &'a marsh_fs::Holder,
    },
    /// Files that somebody changed are about to be replaced.
    Overwriting {
        name: &'a ExtensionName,
        files: &'a [String],
    },
    Warning {
        message: &'a str,
    },
}

/// Hears of events, from several threads.
pub trait Reporter: Sync {
    fn event(&self, event: Event<'_>);
}

/// Nobody listens.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Reporter for Silent {
    fn event(&self, _event: Event<'_>) {}
}

/// What became of one extension.
#[derive(Debug)]
pub enum ItemStatus {
    Installed,
    Updated {
        from: CalVer,
    },
    /// What is there is what was asked for.
    UpToDate,
    /// The set names it already; its tree was brought back or mended.
    Restored,
    /// The registry has a newer one; only looked.
    UpdateAvailable {
        latest: CalVer,
    },
    /// A version that nothing newer replaces, of an extension that its authors gave up.
    Deprecated {
        reason: Option<String>,
        superseded_by: Option<String>,
    },
    Failed {
        error: LifecycleError,
    },
}

#[derive(Debug)]
pub struct ItemReport {
    pub name: ExtensionName,
    /// Installed after the change.
    pub version: Option<CalVer>,
    pub channel: Option<Channel>,
    pub status: ItemStatus,
    /// Came along as a dependency.
    pub dependency: bool,
    /// Repository-relative, as the lockfile lists them.
    pub files: Vec<String>,
    /// Where the tree is.
    pub tree: Option<PathBuf>,
    pub description: Option<String>,
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

/// What a change did as a whole.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The generation that it made; `None`: nothing changed.
    pub generation: Option<u64>,
    pub items: Vec<ItemReport>,
    /// Installed types that a source of the repository hides.
    pub shadowed: Vec<Shadowed>,
    pub warnings: Vec<String>,
    /// How long the commit kept others waiting.
    pub held: std::time::Duration,
}

impl Outcome {
    pub fn failed(&self) -> usize {
        self.items.iter().filter(|item| matches!(item.status, ItemStatus::Failed { .. })).count()
    }

    pub fn changed(&self) -> bool {
        self.generation.is_some()
    }
}
