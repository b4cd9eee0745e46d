//! Publishing, and changes of published versions.

use std::path::{Path, PathBuf};

use marsh_api::event::{EventSink, InstallEvent};
use marsh_api::publish::{
    ChannelVersion, DeclaredTypes, DeprecatedExtension, ExtensionDeprecated, ExtensionPromoted,
    ExtensionPushed, ExtensionUndeprecated, ExtensionUnyanked, ExtensionVersion, ExtensionYanked,
    PublishContents, PublishDryRun, PublishedSkill, PublishedVersion, PushStatus, TypeCounts,
    UndeprecatedExtension, Yank,
};
use marsh_extension::lifecycle::Lifecycle;
use marsh_extension::publish::{self, Prepared, Shipped};
use marsh_repo::Repo;
use marsh_types::{CalVer, Channel, ExtensionName, Kind};

use crate::error::AppError;
use crate::extension::Extensions;
use crate::extension::documents::{text, texts};
use crate::install_events::Events;

/// What to publish.
#[derive(Debug, Clone, Default)]
pub struct PushRequest {
    /// The manifest file, against the caller's directory.
    pub manifest: PathBuf,
    /// The directory of the sources, in place of the repository.
    pub extensions_dir: Option<PathBuf>,
    /// The channel; `None`: stable.
    pub channel: Option<Channel>,
    /// The release notes; `None`: the manifest's.
    pub release_notes: Option<String>,
    /// Whether the Unix time replaces the last part of the version.
    pub epoch_version: bool,
    /// Whether the sources are published alone, so that bundles are built at install.
    pub without_bundles: bool,
}

/// An extension that passed all checks and is not published yet.
#[derive(Debug)]
pub struct PreparedPush<'a> {
    extensions: &'a Extensions,
    repo: Repo,
    lifecycle: Lifecycle,
    request: PushRequest,
    prepared: Prepared,
}

/// Published versions of an extension.
#[derive(Debug, Clone)]
pub struct VersionSelection {
    /// The extension.
    pub name: ExtensionName,
    /// The version; `None`: all.
    pub version: Option<CalVer>,
    /// The channel; `None`: all.
    pub channel: Option<Channel>,
}

/// Whose versions to look up.
#[derive(Debug, Clone)]
pub enum VersionTarget {
    /// This extension.
    Name(ExtensionName),
    /// The extension of this manifest, against the caller's directory.
    Manifest(PathBuf),
}

impl Extensions {
    /// Reads and checks an extension, and asks the registry whether it would take it. Publishes nothing.
    ///
    /// # Errors
    ///
    /// When a file is missing, a check refuses the extension, or the registry would refuse the version.
    pub fn prepare_push(
        &self,
        request: PushRequest,
        sink: &dyn EventSink<InstallEvent>,
    ) -> Result<PreparedPush<'_>, AppError> {
        let lifecycle = self.lifecycle("push");
        let (repo, path) = self.sources(&request.manifest, request.extensions_dir.as_deref())?;
        let version = match request.epoch_version {
            true => Some(publish::epoch_version(publish::read_manifest(&path)?.version)),
            false => None,
        };
        let prepared = publish::prepare(&repo, &path, version)?;
        for warning in &prepared.files.warnings {
            Events(sink).warn(warning);
        }
        publish::check_registry(lifecycle.registry(), &prepared.manifest)?;
        Ok(PreparedPush { extensions: self, repo, lifecycle, request, prepared })
    }

    /// The published version of an extension, and the next one.
    ///
    /// # Errors
    ///
    /// When the manifest cannot be read, or the registry does not answer.
    pub fn version(&self, target: &VersionTarget) -> Result<ExtensionVersion, AppError> {
        let name = match target {
            VersionTarget::Name(name) => name.clone(),
            VersionTarget::Manifest(file) => publish::read_manifest(&self.absolute(file))?.name,
        };
        let versions = publish::published_versions(self.lifecycle("version").registry(), &name)?;
        let newest = |channel: Channel| -> Option<CalVer> {
            versions.iter().filter(|(_, found)| *found == channel).map(|(version, _)| *version).max()
        };
        let next = CalVer::next_after(versions.iter().map(|(version, _)| *version).max(), publish::today());
        let channels = [Channel::Beta, Channel::Rc].into_iter().filter_map(|channel| {
            let latest = newest(channel)?.to_string();
            Some((channel.to_string(), ChannelVersion { latest }))
        });
        Ok(ExtensionVersion {
            extension_name: name.to_string(),
            current_published: text(newest(Channel::Stable).as_ref()),
            published_at: None,
            next_version: next.to_string(),
            channels: channels.collect(),
        })
    }

    /// Withdraws versions.
    ///
    /// # Errors
    ///
    /// When there is no such version, the user may not change it, or the registry does not answer.
    pub fn yank(&self, what: &VersionSelection, reason: &str) -> Result<ExtensionYanked, AppError> {
        let message =
            self.lifecycle("curate").registry().yank(&what.name, what.version, what.channel, reason)?;
        Ok(ExtensionYanked { yanked: yank(what, Some(reason)), message })
    }

    /// Offers withdrawn versions again.
    ///
    /// # Errors
    ///
    /// Those of [`Extensions::yank`].
    pub fn unyank(
        &self,
        what: &VersionSelection,
        reason: Option<&str>,
    ) -> Result<ExtensionUnyanked, AppError> {
        let message =
            self.lifecycle("curate").registry().unyank(&what.name, what.version, what.channel, reason)?;
        Ok(ExtensionUnyanked { unyanked: yank(what, reason), message })
    }

    /// Tells users to stop using an extension.
    ///
    /// # Errors
    ///
    /// When there is no such extension, the user may not change it, or the registry does not answer.
    pub fn deprecate(
        &self,
        name: &ExtensionName,
        reason: &str,
        superseded_by: Option<&ExtensionName>,
    ) -> Result<ExtensionDeprecated, AppError> {
        let message = self.lifecycle("curate").registry().deprecate(name, reason, superseded_by)?;
        let deprecated = DeprecatedExtension {
            name: name.to_string(),
            reason: reason.to_owned(),
            superseded_by: text(superseded_by),
        };
        Ok(ExtensionDeprecated { deprecated, message })
    }

    /// Revokes a deprecation.
    ///
    /// # Errors
    ///
    /// Those of [`Extensions::deprecate`].
    pub fn undeprecate(&self, name: &ExtensionName) -> Result<ExtensionUndeprecated, AppError> {
        let message = self.lifecycle("curate").registry().undeprecate(name)?;
        let undeprecated = UndeprecatedExtension { name: name.to_string() };
        Ok(ExtensionUndeprecated { undeprecated, message })
    }

    /// Moves a version to a higher channel.
    ///
    /// # Errors
    ///
    /// When there is no such version, its channel is not lower, the user may not change it, or the registry does not
    /// answer.
    pub fn promote(
        &self,
        name: &ExtensionName,
        version: CalVer,
        channel: Channel,
    ) -> Result<ExtensionPromoted, AppError> {
        let promoted = self.lifecycle("curate").registry().promote(name, version, channel)?;
        Ok(ExtensionPromoted {
            name: promoted.name.to_string(),
            version: promoted.version.to_string(),
            previous_channel: promoted.previous_channel.to_string(),
            channel: promoted.channel.to_string(),
            message: promoted.message,
        })
    }
}

impl PreparedPush<'_> {
    /// The name of the extension.
    pub fn name(&self) -> &ExtensionName {
        &self.prepared.manifest.name
    }

    /// The version that is published.
    pub fn version(&self) -> CalVer {
        self.prepared.manifest.version
    }

    /// Bundles and packs without publishing, and without writing to the repository.
    ///
    /// # Errors
    ///
    /// When a bundle cannot be built, or the archive breaks a limit.
    pub fn dry_run(self, sink: &dyn EventSink<InstallEvent>) -> Result<ExtensionPushed, AppError> {
        let scratch = marsh_fs::StagedDir::new(&std::env::temp_dir())?;
        let shipped = self.shipped(scratch.path(), sink)?;
        let packed = publish::pack(&self.prepared, &shipped, std::io::sink())?;
        Ok(ExtensionPushed::DryRun(Box::new(PublishDryRun {
            contents: contents(&self.prepared, self.request.release_notes.as_deref()),
            archive_size: packed.bytes,
            checksum: packed.sha256.to_string(),
            status: PushStatus::DryRun,
        })))
    }

    /// Bundles, packs and publishes.
    ///
    /// # Errors
    ///
    /// When a bundle cannot be built, the archive breaks a limit, or the registry refuses the version.
    pub fn publish(self, sink: &dyn EventSink<InstallEvent>) -> Result<ExtensionPushed, AppError> {
        // Where trees are unpacked, so that what a push that dies leaves is swept as theirs is.
        let staging = self.lifecycle.installation().trees().stage()?;
        let notes = self.request.release_notes.as_deref();
        let scratch = staging.tree();
        let shipped = self.shipped(&scratch, sink)?;
        let (prepared, channel) = (&self.prepared, self.request.channel);
        let (published, packed) =
            publish::publish(self.lifecycle.registry(), prepared, &shipped, channel, notes, &scratch)?;
        let count = |kind: Kind| prepared.types.iter().filter(|(found, ..)| *found == kind).count();
        Ok(ExtensionPushed::Published(Box::new(PublishedVersion {
            contents: contents(prepared, notes),
            extension_id: published.extension_id,
            archive_size: packed.bytes,
            checksum: packed.sha256.to_string(),
            workflow_count: prepared.files.workflows.len(),
            bundle_count: shipped.bundles,
            skill_count: prepared.files.skills.len(),
            channel: channel.unwrap_or(Channel::Stable).to_string(),
            status: PushStatus::Published,
            type_counts: TypeCounts::new(count),
        })))
    }

    /// The bundles of what is to be published.
    fn shipped(&self, scratch: &Path, sink: &dyn EventSink<InstallEvent>) -> Result<Shipped, AppError> {
        if self.request.without_bundles {
            return Ok(publish::without_bundles(&self.prepared.files)?);
        }
        let shipped = publish::build(&self.repo, &self.prepared.files, self.extensions.builder(), scratch)?;
        for warning in &shipped.warnings {
            Events(sink).warn(warning);
        }
        Ok(shipped)
    }
}

/// What is to be published, as the manifest and its files say.
fn contents(prepared: &Prepared, notes: Option<&str>) -> PublishContents {
    let manifest = &prepared.manifest;
    let skills = prepared.files.skills.iter();
    PublishContents {
        name: manifest.name.to_string(),
        version: manifest.version.to_string(),
        description: manifest.description.clone(),
        repository: manifest.repository.clone(),
        release_notes: notes.map(str::to_owned).or_else(|| manifest.release_notes.clone()),
        workflow_files: texts(&prepared.files.workflows),
        skills: skills
            .map(|(name, count)| PublishedSkill { name: name.clone(), file_count: *count })
            .collect(),
        additional_files: texts(&manifest.additional_files),
        platforms: manifest.platforms.clone(),
        labels: manifest.labels.clone(),
        dependencies: texts(&manifest.dependencies),
        files: texts(prepared.files.files.keys()),
        warnings: prepared.files.warnings.clone(),
        types: DeclaredTypes::new(|kind| prepared.content[kind.spec().registry_key].clone()),
    }
}

fn yank(what: &VersionSelection, reason: Option<&str>) -> Yank {
    Yank {
        name: what.name.to_string(),
        version: text(what.version.as_ref()),
        channel: text(what.channel.as_ref()),
        reason: reason.map(str::to_owned),
    }
}
