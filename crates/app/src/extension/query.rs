//! Queries: what is installed, what the registry has, what changed.

use marsh_api::event::{EventSink, InstallEvent};
use marsh_api::extension::{
    ExtensionHistory, ExtensionInfo, ExtensionItem, ExtensionList, ExtensionRow, ExtensionSearch,
    ExtensionStatus, ExtensionsOutdated, InstalledExtension,
};
use marsh_extension::lifecycle::{ItemStatus, Outcome};
use marsh_registry::SearchQuery;
use marsh_types::{Channel, ExtensionName};

use super::Extensions;
use super::documents::{self, extension_info, generation, install_state, items, path_text, status, text};
use crate::error::AppError;
use crate::install_events::Events;

pub use marsh_registry::SearchSort;

/// What is installed.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtensionListing {
    /// The document.
    pub document: ExtensionList,
    /// What the registry answered of each extension, when it was asked.
    pub updates: Vec<ExtensionItem>,
}

/// What to look for in a registry. An empty list or text matches everything; several values of a list are alternatives.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// Words, all of which must occur.
    pub text: String,
    /// A collective, with or without `@`.
    pub collective: Option<String>,
    /// The order.
    pub sort: SearchSort,
    /// Platforms.
    pub platforms: Vec<String>,
    /// Labels.
    pub labels: Vec<String>,
    /// Kinds of content.
    pub content_types: Vec<String>,
    /// Channels.
    pub channels: Vec<Channel>,
    /// The number of entries in a page, 1 to 100.
    pub per_page: u32,
    /// The number of the page, from 1.
    pub page: u32,
}

impl Extensions {
    /// The collectives of the extensions that the lockfile names.
    ///
    /// # Errors
    ///
    /// When the lockfile cannot be read.
    pub(crate) fn locked_collectives(&self) -> Result<Vec<String>, AppError> {
        let snapshot = self.lifecycle("upgrade").installation().snapshot()?;
        let mut names: Vec<String> =
            snapshot.lockfile.entries.keys().map(|name| name.collective().to_owned()).collect();
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// What is installed, from the lockfile and one look at the store; trees are not opened. The registry is asked only
    /// with `check_updates`. Invalid entries of the lockfile cause warnings.
    ///
    /// # Errors
    ///
    /// When the lockfile or the store cannot be read.
    pub fn list(
        &self,
        check_updates: bool,
        sink: &dyn EventSink<InstallEvent>,
    ) -> Result<ExtensionListing, AppError> {
        let lifecycle = self.lifecycle("list");
        let snapshot = lifecycle.installation().snapshot()?;
        let events = Events(sink);
        let latest = match check_updates {
            true => lifecycle.update(&[], true, &events)?,
            false => Outcome::default(),
        };
        let mut extensions = Vec::new();
        for (name, entry) in &snapshot.lockfile.entries {
            let found = latest.items.iter().find(|item| item.name == *name).map(|item| &item.status);
            extensions.push(ExtensionRow {
                name: name.to_string(),
                version: entry.version.to_string(),
                pulled_at: entry.pulled_at.clone(),
                files: entry.files.clone(),
                state: install_state(lifecycle.install_state(name, entry)?),
                channel: text(entry.channel.as_ref()),
                update_status: found.map(status),
                latest_version: match found {
                    Some(ItemStatus::UpdateAvailable { latest }) => Some(latest.to_string()),
                    _ => None,
                },
            });
        }
        for refused in &snapshot.lockfile.refused {
            events.warn(format!("the lockfile's entry `{}` is not used: {}", refused.key, refused.reason));
        }
        Ok(ExtensionListing { document: ExtensionList { extensions }, updates: items(&latest) })
    }

    /// What the registry has newer versions of, and what is deprecated. `Ok` also when the registry does not answer: the
    /// document says so.
    ///
    /// # Errors
    ///
    /// When the lockfile or the store cannot be read.
    pub fn outdated(&self, sink: &dyn EventSink<InstallEvent>) -> Result<ExtensionsOutdated, AppError> {
        let outcome = self.lifecycle("outdated").update(&[], true, &Events(sink))?;
        let extensions = items(&outcome);
        let any = |status: ExtensionStatus| extensions.iter().any(|item| item.status == status);
        Ok(ExtensionsOutdated {
            has_update_available: any(ExtensionStatus::UpdateAvailable),
            has_deprecated: any(ExtensionStatus::Deprecated),
            failed: outcome.failed(),
            extensions,
        })
    }

    /// What the registry says of an extension, and what is installed of it. Of an installed extension the answer comes
    /// also when the registry does not answer, which causes a warning.
    ///
    /// # Errors
    ///
    /// When the extension is not installed and the registry does not know it or does not answer.
    pub fn info(
        &self,
        name: &ExtensionName,
        sink: &dyn EventSink<InstallEvent>,
    ) -> Result<ExtensionInfo, AppError> {
        let lifecycle = self.lifecycle("info");
        let snapshot = lifecycle.installation().snapshot()?;
        let installed = snapshot.lockfile.get(name);
        let mut document = match (lifecycle.registry().info(name), installed) {
            (Ok(info), _) => extension_info(info),
            (Err(error), Some(_)) => {
                Events(sink).warn(&error);
                ExtensionInfo { name: name.to_string(), ..ExtensionInfo::default() }
            }
            (Err(error), None) => return Err(error.into()),
        };
        if let Some(entry) = installed {
            let tree = entry.checksum.map(|digest| lifecycle.installation().trees().tree(&digest));
            document.installed = Some(InstalledExtension {
                version: entry.version.to_string(),
                pulled_at: entry.pulled_at.clone(),
                checksum: text(entry.checksum.as_ref()),
                server_url: entry.server_url.clone(),
                channel: text(entry.channel.as_ref()),
                path: tree.as_deref().map(path_text),
                state: install_state(lifecycle.install_state(name, entry)?),
            });
        }
        Ok(document)
    }

    /// Searches the registry.
    ///
    /// # Errors
    ///
    /// When the registry does not answer or cannot search.
    pub fn search(&self, request: &SearchRequest) -> Result<ExtensionSearch, AppError> {
        let query = SearchQuery {
            text: request.text.clone(),
            collective: request.collective.clone(),
            sort: request.sort,
            per_page: request.per_page,
            page: request.page,
            platforms: request.platforms.clone(),
            labels: request.labels.clone(),
            content_types: request.content_types.clone(),
            channels: request.channels.clone(),
        };
        let page = self.lifecycle("search").registry().search(&query)?;
        Ok(documents::search(&request.text, page))
    }

    /// The generations of the installed set, newest first; at most `limit`.
    ///
    /// # Errors
    ///
    /// When the history or the lockfile cannot be read.
    pub fn history(&self, limit: Option<usize>) -> Result<ExtensionHistory, AppError> {
        let lifecycle = self.lifecycle("history");
        let mut generations = lifecycle.installation().history()?;
        let current = lifecycle.installation().snapshot()?.digest.to_string();
        generations.reverse();
        generations.truncate(limit.unwrap_or(usize::MAX));
        Ok(ExtensionHistory { generations: generations.iter().map(generation).collect(), current })
    }
}
