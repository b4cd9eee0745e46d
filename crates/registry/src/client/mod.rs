//! The client: requests to a registry in a directory or behind HTTP.

pub(crate) mod download;
mod http;
mod redirect;
mod remote;
mod retry;

use std::path::Path;
use std::time::Duration;

use marsh_types::{CalVer, Channel, Digest, ExtensionName};
use serde_json::Value;

use crate::directory::Directory;
use crate::error::RegistryError;
use crate::location::Location;
use crate::protocol::{
    CreatedToken, ExtensionInfo, Identity, Promoted, Published, PushMetadata, SearchPage, SearchQuery,
    VersionInfo,
};
use remote::Remote;

/// The options of a client.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Whether to use only the archive cache and directories.
    pub offline: bool,
    /// The header `User-Agent`.
    pub user_agent: String,
    /// The registry's token.
    pub api_key: Option<String>,
    /// The longest time of one request, except transfers of archives.
    pub timeout: Duration,
    /// The longest time of one try to transfer an archive.
    pub transfer_timeout: Duration,
    /// The largest archive, in bytes.
    pub max_archive_bytes: u64,
    /// The number of tries after the first one.
    pub retries: u32,
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions {
            offline: false,
            user_agent: concat!("marsh/", env!("CARGO_PKG_VERSION")).to_owned(),
            api_key: None,
            timeout: Duration::from_secs(15),
            transfer_timeout: Duration::from_secs(120),
            max_archive_bytes: 64 << 20,
            retries: 3,
        }
    }
}

/// A registry. Several threads may use one value.
///
/// All requests fail with [`RegistryError::Unreachable`] if the registry does not answer, and with
/// [`RegistryError::Offline`] if they need the network and the client is offline.
#[derive(Debug)]
pub struct Registry {
    location: Location,
    options: ClientOptions,
    backend: Backend,
}

#[derive(Debug)]
enum Backend {
    Directory(Directory),
    Remote(Box<Remote>),
}

impl Registry {
    /// A client for the registry at `location`. Sends no request.
    pub fn open(location: Location, options: ClientOptions) -> Registry {
        let backend = match &location {
            Location::Directory(path) => Backend::Directory(Directory::new(path)),
            Location::Http(url) => Backend::Remote(Box::new(Remote::new(url, &options))),
        };
        Registry { location, options, backend }
    }

    /// The registry's location.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// The properties of an extension.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] if the registry does not have it.
    pub fn info(&self, name: &ExtensionName) -> Result<ExtensionInfo, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => Ok(directory.record(name)?.info()),
            Backend::Remote(remote) => remote.info(name),
        }
    }

    /// Every version on every channel, newest first.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] if the registry does not have the extension.
    pub fn versions(&self, name: &ExtensionName) -> Result<Vec<VersionInfo>, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => Ok(directory.record(name)?.version_infos()),
            Backend::Remote(remote) => remote.versions(name),
        }
    }

    /// The newest version on a channel, or `None` if the channel has none.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] if the registry does not have the extension.
    pub fn latest(
        &self,
        name: &ExtensionName,
        channel: Channel,
    ) -> Result<Option<VersionInfo>, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => {
                let record = directory.record(name)?;
                Ok(record.latest(channel).map(|version| record.version_info(version)))
            }
            Backend::Remote(remote) => remote.latest(name, channel),
        }
    }

    /// The checksum of a version, or `None` if the registry has the version and states no checksum.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`] if the registry does not have the version.
    pub fn checksum(
        &self,
        name: &ExtensionName,
        version: CalVer,
        channel: Channel,
    ) -> Result<Option<Digest>, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => {
                let record = directory.record(name)?;
                let found =
                    record.version(version).ok_or_else(|| directory.not_found(name, Some(version)))?;
                Ok(Some(found.checksum))
            }
            Backend::Remote(remote) => remote.checksum(name, version, channel),
        }
    }

    /// The checksum of a version.
    ///
    /// # Errors
    /// [`RegistryError::MissingChecksum`] if the registry states none, or as [`checksum`](Registry::checksum).
    pub fn required_checksum(
        &self,
        name: &ExtensionName,
        version: CalVer,
        channel: Channel,
    ) -> Result<Digest, RegistryError> {
        self.checksum(name, version, channel)?.ok_or_else(|| RegistryError::MissingChecksum {
            name: name.clone(),
            version,
            registry: self.location.to_string(),
        })
    }

    /// Searches for extensions.
    ///
    /// # Errors
    /// The registry is unreachable or its answer is invalid.
    pub fn search(&self, query: &SearchQuery) -> Result<SearchPage, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => directory.search(query),
            Backend::Remote(remote) => remote.search(query),
        }
    }

    /// Publishes an archive. `content` is the content metadata.
    ///
    /// # Errors
    /// [`RegistryError::AlreadyExists`], [`RegistryError::ValidationFailed`], [`RegistryError::TooLarge`],
    /// [`RegistryError::Unauthorized`] or [`RegistryError::Forbidden`].
    pub fn publish(
        &self,
        metadata: &PushMetadata,
        content: &Value,
        archive: &Path,
    ) -> Result<Published, RegistryError> {
        let limit = self.options.max_archive_bytes;
        match &self.backend {
            Backend::Directory(directory) => directory.publish(metadata, content, archive, limit),
            Backend::Remote(remote) => remote.publish(metadata, content, archive, limit),
        }
    }

    /// Withdraws a version, or all versions. Returns a sentence for the user.
    ///
    /// # Errors
    /// [`RegistryError::NotFound`], [`RegistryError::Unauthorized`] or [`RegistryError::Forbidden`].
    pub fn yank(
        &self,
        name: &ExtensionName,
        version: Option<CalVer>,
        channel: Option<Channel>,
        reason: &str,
    ) -> Result<String, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => directory.yank(name, version, channel, reason),
            Backend::Remote(remote) => remote.yank(name, version, channel, reason),
        }
    }

    /// Takes back a yank. Returns a sentence for the user.
    ///
    /// # Errors
    /// As [`yank`](Registry::yank).
    pub fn unyank(
        &self,
        name: &ExtensionName,
        version: Option<CalVer>,
        channel: Option<Channel>,
        reason: Option<&str>,
    ) -> Result<String, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => directory.unyank(name, version, channel),
            Backend::Remote(remote) => remote.unyank(name, version, channel, reason),
        }
    }

    /// Marks an extension as deprecated, optionally with the extension to use instead. Returns a sentence for the user.
    ///
    /// # Errors
    /// As [`yank`](Registry::yank), or [`RegistryError::ValidationFailed`].
    pub fn deprecate(
        &self,
        name: &ExtensionName,
        reason: &str,
        superseded_by: Option<&ExtensionName>,
    ) -> Result<String, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => directory.deprecate(name, reason, superseded_by),
            Backend::Remote(remote) => remote.deprecate(name, reason, superseded_by),
        }
    }

    /// Takes back a deprecation. Returns a sentence for the user.
    ///
    /// # Errors
    /// As [`yank`](Registry::yank).
    pub fn undeprecate(&self, name: &ExtensionName) -> Result<String, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => directory.undeprecate(name),
            Backend::Remote(remote) => remote.undeprecate(name),
        }
    }

    /// Moves a version to a more finished channel.
    ///
    /// # Errors
    /// As [`yank`](Registry::yank), or [`RegistryError::ValidationFailed`] if the version's channel is `to` or more finished.
    pub fn promote(
        &self,
        name: &ExtensionName,
        version: CalVer,
        to: Channel,
    ) -> Result<Promoted, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => directory.promote(name, version, to),
            Backend::Remote(remote) => remote.promote(name, version, to),
        }
    }

    /// The owner of the token. A directory registry has no users: the file system decides who may write to it.
    ///
    /// # Errors
    /// The registry is unreachable or its answer is invalid.
    pub fn whoami(&self) -> Result<Identity, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => {
                directory.check()?;
                Ok(Identity {
                    authenticated: false,
                    username: String::new(),
                    organizations: Vec::new(),
                    scopes: None,
                })
            }
            Backend::Remote(remote) => remote.whoami(),
        }
    }

    /// Creates a token for a collective.
    ///
    /// # Errors
    /// The registry is a directory, is unreachable, or refuses the token of this client.
    pub fn create_token(
        &self,
        collective: &str,
        scopes: &[String],
        name: Option<&str>,
    ) -> Result<CreatedToken, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => Err(RegistryError::ValidationFailed {
                message: format!("{} is a directory, which has no tokens", directory.shown()),
            }),
            Backend::Remote(remote) => remote.create_token(collective, scopes, name),
        }
    }

    /// Fails if `what` needs the network and the client is offline.
    pub(crate) fn check_offline(&self, what: impl FnOnce() -> String) -> Result<(), RegistryError> {
        match self.backend {
            Backend::Remote(_) if self.options.offline => Err(RegistryError::Offline { what: what() }),
            _ => Ok(()),
        }
    }

    /// How long to wait for another process to download the same archive.
    pub(crate) fn longest_download(&self) -> Duration {
        self.options.transfer_timeout.saturating_mul(self.options.retries.saturating_add(1))
    }
}
