//! Versions that were chosen: the language between resolving, fetching and committing.

use marsh_types::{CalVer, Channel, Digest, ExtensionName, ExtensionRef, LockEntry, Requirement, TypeName};

/// One extension that a request names.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// Name and version constraint.
    pub reference: ExtensionRef,
    /// The least stable channel that is accepted.
    pub channel: Option<Channel>,
    /// A type that it must declare.
    pub provides: Option<TypeName>,
}

/// The version of an extension that a change installs.
#[derive(Debug, Clone)]
pub(crate) struct Pick {
    pub name: ExtensionName,
    pub version: CalVer,
    pub channel: Option<Channel>,
    pub checksum: Digest,
    /// The registry that the lockfile names; `None`: the configured one.
    pub server_url: Option<String>,
    /// Whether another extension needs it and no request names it.
    pub dependency: bool,
    pub warnings: Vec<String>,
    /// The constraints of all extensions that need it.
    pub requirements: Vec<Requirement>,
}

/// The very version that a lockfile names.
pub(crate) fn locked_pick(name: &ExtensionName, entry: &LockEntry, checksum: Digest) -> Pick {
    Pick {
        name: name.clone(),
        version: entry.version,
        channel: entry.channel,
        checksum,
        server_url: entry.server_url.clone(),
        dependency: false,
        warnings: Vec::new(),
        requirements: Vec::new(),
    }
}
