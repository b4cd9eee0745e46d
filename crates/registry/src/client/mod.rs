//! Asking a registry, wherever it is.

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
    ExtensionInfo, Identity, Promoted, Published, PushMetadata, SearchPage, SearchQuery, VersionInfo,
};
use remote::Remote;

#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// Answer from the archive cache and from directories only.
    pub offline: bool,
    pub user_agent: String,
    pub api_key: Option<String>,
    /// Of one question.
    pub timeout: Duration,
    /// Of one try to move an archive.
    pub transfer_timeout: Duration,
    pub max_archive_bytes: u64,
    /// After the first try.
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

/// A registry, used from as many threads as wanted.
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
    /// Asks nothing yet.
    pub fn open(location: Location, options: ClientOptions) -> Registry {
        let backend = match &location {
            Location::Directory(path) => Backend::Directory(Directory::new(path)),
            Location::Http(url) => Backend::Remote(Box::new(Remote::new(url, &options))),
        };
        Registry { location, options, backend }
    }

    pub fn location(&self) -> &Location {
        &self.location
    }

    pub fn info(&self, name: &ExtensionName) -> Result<ExtensionInfo, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => Ok(directory.record(name)?.info()),
            Backend::Remote(remote) => remote.info(name),
        }
    }

    /// Every version of every channel, newest first.
    pub fn versions(&self, name: &ExtensionName) -> Result<Vec<VersionInfo>, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => Ok(directory.record(name)?.version_infos()),
            Backend::Remote(remote) => remote.versions(name),
        }
    }

    /// The newest version that a channel offers. `None`: it offers none; that there is no such extension is an error.
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

    /// `None`: the registry has the version and states no checksum of it.
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

    /// [`checksum`](Registry::checksum) where a missing one is an error.
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

    pub fn search(&self, query: &SearchQuery) -> Result<SearchPage, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => directory.search(query),
            Backend::Remote(remote) => remote.search(query),
        }
    }

    /// Publishes the archive, whose digest is computed here. `content` is the content metadata.
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

    /// Withdraws a version, or all of them. Answers with a sentence for the user, as the other changes do.
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

    pub fn undeprecate(&self, name: &ExtensionName) -> Result<String, RegistryError> {
        match &self.backend {
            Backend::Directory(directory) => directory.undeprecate(name),
            Backend::Remote(remote) => remote.undeprecate(name),
        }
    }

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

    /// Who the API key belongs to. A directory knows nobody: who may write to it, the file system says.
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

    /// `what` is not to be had without the network.
    pub(crate) fn check_offline(&self, what: impl FnOnce() -> String) -> Result<(), RegistryError> {
        match self.backend {
            Backend::Remote(_) if self.options.offline => Err(RegistryError::Offline { what: what() }),
            _ => Ok(()),
        }
    }

    /// How long one who waits for another's download waits.
    pub(crate) fn longest_download(&self) -> Duration {
        self.options.transfer_timeout.saturating_mul(self.options.retries.saturating_add(1))
    }
}
