//! `marsh extension push`, `version`, and what is done to published versions.

use std::path::Path;
use std::process::ExitCode;

use marsh_api::publish::{
    ChannelVersion, DeclaredTypes, DeprecatedExtension, ExtensionDeprecated, ExtensionPromoted,
    ExtensionPushed, ExtensionUndeprecated, ExtensionUnyanked, ExtensionVersion, ExtensionYanked,
    PublishContents, PublishDryRun, PublishedSkill, PublishedVersion, PushStatus, TypeCounts,
    UndeprecatedExtension, Yank,
};
use marsh_extension::publish::{self, Prepared, Shipped};
use marsh_repo::Repo;
use marsh_types::{CalVer, Channel, Kind};

use super::extension::documents::{text, texts};
use super::{done, failed};
use crate::app;
use crate::args::Cli;
use crate::args::publish::{CurateCommand, PushArgs, VersionArgs, YankArgs};
use crate::error::CliError;
use crate::ui::{GOOD, NAME, Ui};

pub fn push(cli: &Cli, ui: &Ui, arguments: &PushArgs) -> Result<ExitCode, CliError> {
    let lifecycle = app::lifecycle(cli, &arguments.set, "push")?;
    let path = app::current_dir()?.join(&arguments.manifest);
    let version = match &arguments.version_suffix {
        Some(_) => Some(publish::epoch_version(publish::read_manifest(&path)?.version)),
        None => None,
    };
    let prepared = publish::prepare(lifecycle.repo(), &path, version)?;
    for warning in &prepared.files.warnings {
        ui.warn(warning);
    }
    let registry = lifecycle.registry();
    publish::check_registry(registry, &prepared.manifest)?;
    let manifest = &prepared.manifest;
    let label = format!("{NAME}{}{NAME:#} {}", manifest.name, manifest.version);
    if arguments.dry_run {
        // Not in the repository: a dry run writes nothing there.
        let scratch = marsh_fs::StagedDir::new(&std::env::temp_dir())?;
        let shipped = shipped(cli, ui, lifecycle.repo(), &prepared, arguments, scratch.path())?;
        let packed = publish::pack(&prepared, &shipped, std::io::sink())?;
        let document = ExtensionPushed::DryRun(Box::new(PublishDryRun {
            contents: contents(&prepared, arguments.release_notes.as_deref()),
            archive_size: packed.bytes,
            checksum: packed.sha256.to_string(),
            status: PushStatus::DryRun,
        }));
        ui.result(&document, || {
            format!("{label} can be published: {} files, {} bytes", prepared.files.files.len(), packed.bytes)
        });
        return done();
    }
    if !arguments.yes && !arguments.force && ui.can_ask() {
        let question = format!("publish {}@{} to {}?", manifest.name, manifest.version, registry.location());
        if !ui.confirm(&question) {
            ui.say("nothing was published");
            return failed();
        }
    }
    // Where trees are unpacked, so that what a push that dies leaves is swept as theirs is.
    let staging = lifecycle.installation().trees().stage()?;
    let notes = arguments.release_notes.as_deref();
    let scratch = staging.tree();
    let shipped = shipped(cli, ui, lifecycle.repo(), &prepared, arguments, &scratch)?;
    let (published, packed) =
        publish::publish(registry, &prepared, &shipped, arguments.channel, notes, &scratch)?;
    let count = |kind: Kind| prepared.types.iter().filter(|(found, ..)| *found == kind).count();
    let channel = arguments.channel.unwrap_or(Channel::Stable);
    let document = ExtensionPushed::Published(Box::new(PublishedVersion {
        contents: contents(&prepared, notes),
        extension_id: published.extension_id,
        archive_size: packed.bytes,
        checksum: packed.sha256.to_string(),
        workflow_count: prepared.files.workflows.len(),
        bundle_count: shipped.bundles,
        skill_count: prepared.files.skills.len(),
        channel: channel.to_string(),
        status: PushStatus::Published,
        type_counts: TypeCounts::new(count),
    }));
    ui.result(&document, || format!("{GOOD}published{GOOD:#} {label} on {channel}, {} bytes", packed.bytes));
    done()
}

/// The bundles of what is to be published.
fn shipped(
    cli: &Cli,
    ui: &Ui,
    repo: &Repo,
    prepared: &Prepared,
    arguments: &PushArgs,
    scratch: &Path,
) -> Result<Shipped, CliError> {
    if arguments.no_bundles {
        return Ok(Shipped::default());
    }
    let shipped = publish::build(repo, &prepared.files, &app::builder(cli, &arguments.set)?, scratch)?;
    for warning in &shipped.warnings {
        ui.warn(warning);
    }
    Ok(shipped)
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

pub fn version(cli: &Cli, ui: &Ui, arguments: &VersionArgs) -> Result<ExitCode, CliError> {
    let lifecycle = app::lifecycle(cli, &arguments.set, "version")?;
    let name = match (&arguments.name, &arguments.manifest) {
        (Some(name), _) => name.clone(),
        (None, manifest) => {
            let file = manifest.clone().unwrap_or_else(|| "manifest.yaml".into());
            publish::read_manifest(&app::current_dir()?.join(file))?.name
        }
    };
    let versions = publish::published_versions(lifecycle.registry(), &name)?;
    let newest = |channel: Channel| -> Option<CalVer> {
        versions.iter().filter(|(_, found)| *found == channel).map(|(version, _)| *version).max()
    };
    let next = CalVer::next_after(versions.iter().map(|(version, _)| *version).max(), publish::today());
    let channels = [Channel::Beta, Channel::Rc].into_iter().filter_map(|channel| {
        let latest = newest(channel)?.to_string();
        Some((channel.to_string(), ChannelVersion { latest }))
    });
    let document = ExtensionVersion {
        extension_name: name.to_string(),
        current_published: text(newest(Channel::Stable).as_ref()),
        published_at: None,
        next_version: next.to_string(),
        channels: channels.collect(),
    };
    ui.result(&document, || match &document.current_published {
        Some(current) => format!("{NAME}{name}{NAME:#} {current}; next: {next}"),
        None => format!("{NAME}{name}{NAME:#} has no stable version; next: {next}"),
    });
    done()
}

pub fn curate(cli: &Cli, ui: &Ui, command: &CurateCommand) -> Result<ExitCode, CliError> {
    let (set, asks, what) = match command {
        CurateCommand::Yank { what, .. } => (&what.set, !what.yes, format!("withdraw {}", what.name)),
        CurateCommand::Unyank { what, .. } => (&what.set, false, String::new()),
        CurateCommand::Deprecate { set, yes, name, .. } => (set, !yes, format!("deprecate {name}")),
        CurateCommand::Undeprecate { set, .. } | CurateCommand::Promote { set, .. } => {
            (set, false, String::new())
        }
    };
    let lifecycle = app::lifecycle(cli, set, "curate")?;
    let registry = lifecycle.registry();
    if asks && ui.can_ask() && !ui.confirm(&format!("{what} in {}?", registry.location())) {
        ui.say("nothing was changed");
        return failed();
    }
    match command {
        CurateCommand::Yank { what, reason } => {
            let message = registry.yank(&what.name, what.version, what.channel, reason)?;
            let document = ExtensionYanked { yanked: yank(what, Some(reason)), message };
            ui.result(&document, || document.message.clone());
        }
        CurateCommand::Unyank { what, reason } => {
            let message = registry.unyank(&what.name, what.version, what.channel, reason.as_deref())?;
            let document = ExtensionUnyanked { unyanked: yank(what, reason.as_ref()), message };
            ui.result(&document, || document.message.clone());
        }
        CurateCommand::Deprecate { name, reason, superseded_by, .. } => {
            let message = registry.deprecate(name, reason, superseded_by.as_ref())?;
            let deprecated = DeprecatedExtension {
                name: name.to_string(),
                reason: reason.clone(),
                superseded_by: text(superseded_by.as_ref()),
            };
            let document = ExtensionDeprecated { deprecated, message };
            ui.result(&document, || document.message.clone());
        }
        CurateCommand::Undeprecate { name, .. } => {
            let message = registry.undeprecate(name)?;
            let undeprecated = UndeprecatedExtension { name: name.to_string() };
            let document = ExtensionUndeprecated { undeprecated, message };
            ui.result(&document, || document.message.clone());
        }
        CurateCommand::Promote { name, version, channel, .. } => {
            let promoted = registry.promote(name, *version, *channel)?;
            let document = ExtensionPromoted {
                name: promoted.name.to_string(),
                version: promoted.version.to_string(),
                previous_channel: promoted.previous_channel.to_string(),
                channel: promoted.channel.to_string(),
                message: promoted.message,
            };
            ui.result(&document, || document.message.clone());
        }
    }
    done()
}

fn yank(what: &YankArgs, reason: Option<&String>) -> Yank {
    Yank {
        name: what.name.to_string(),
        version: text(what.version.as_ref()),
        channel: text(what.channel.as_ref()),
        reason: reason.cloned(),
    }
}
