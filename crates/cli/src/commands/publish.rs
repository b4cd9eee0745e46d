//! `marsh extension push`, `version`, and what is done to published versions.

use std::path::Path;
use std::process::ExitCode;

use marsh_extension::publish::{self, Prepared, Shipped};
use marsh_repo::Repo;
use marsh_types::{CalVer, Channel, Kind};
use serde_json::{Map, Value, json};

use super::{done, failed};
use crate::app;
use crate::args::Cli;
use crate::args::publish::{CurateCommand, PushArgs, VersionArgs};
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
        let mut document = resolved(&prepared, arguments.release_notes.as_deref());
        document.insert("archiveSize".into(), json!(packed.bytes));
        document.insert("checksum".into(), json!(packed.sha256));
        document.insert("status".into(), json!("dry_run"));
        ui.result(&Value::Object(document), || {
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
    let mut document = resolved(&prepared, notes);
    let count = |kind: Kind| prepared.types.iter().filter(|(found, ..)| *found == kind).count();
    let channel = arguments.channel.unwrap_or(Channel::Stable);
    let fields = json!({
        "extensionId": published.extension_id, "archiveSize": packed.bytes, "checksum": packed.sha256,
        "workflowCount": prepared.files.workflows.len(), "bundleCount": shipped.bundles,
        "skillCount": prepared.files.skills.len(), "channel": channel, "status": "published",
    });
    if let Value::Object(fields) = fields {
        document.extend(fields);
    }
    document.extend(Kind::with_directory().map(|kind| (format!("{kind}Count"), json!(count(kind)))));
    ui.result(&Value::Object(document), || {
        format!("{GOOD}published{GOOD:#} {label} on {channel}, {} bytes", packed.bytes)
    });
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
fn resolved(prepared: &Prepared, notes: Option<&str>) -> Map<String, Value> {
    let manifest = &prepared.manifest;
    let document = json!({
        "name": manifest.name, "version": manifest.version, "description": manifest.description,
        "repository": manifest.repository,
        "releaseNotes": notes.map(str::to_owned).or_else(|| manifest.release_notes.clone()),
        "workflowFiles": prepared.files.workflows,
        "skills": prepared.files.skills.iter()
            .map(|(name, count)| json!({ "name": name, "fileCount": count })).collect::<Vec<_>>(),
        "additionalFiles": manifest.additional_files, "platforms": manifest.platforms,
        "labels": manifest.labels, "dependencies": manifest.dependencies,
        "files": prepared.files.files.keys().collect::<Vec<_>>(),
        "warnings": prepared.files.warnings,
    });
    match document {
        Value::Object(mut map) => {
            for kind in Kind::with_directory() {
                map.insert(kind.directory().into(), prepared.content[kind.spec().registry_key].clone());
            }
            map
        }
        _ => Map::new(),
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
    let mut channels = Map::new();
    for channel in [Channel::Beta, Channel::Rc] {
        if let Some(version) = newest(channel) {
            channels.insert(channel.as_str().to_owned(), json!({ "latest": version }));
        }
    }
    let current = newest(Channel::Stable);
    let document = json!({
        "extensionName": name, "currentPublished": current, "publishedAt": null, "nextVersion": next,
        "channels": channels,
    });
    ui.result(&document, || match current {
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
    let (document, message) = match command {
        CurateCommand::Yank { what, reason } => {
            let message = registry.yank(&what.name, what.version, what.channel, reason)?;
            let fields = json!({ "name": what.name, "version": what.version, "channel": what.channel, "reason": reason });
            (json!({ "yanked": fields, "message": message }), message)
        }
        CurateCommand::Unyank { what, reason } => {
            let message = registry.unyank(&what.name, what.version, what.channel, reason.as_deref())?;
            let fields = json!({ "name": what.name, "version": what.version, "channel": what.channel, "reason": reason });
            (json!({ "unyanked": fields, "message": message }), message)
        }
        CurateCommand::Deprecate { name, reason, superseded_by, .. } => {
            let message = registry.deprecate(name, reason, superseded_by.as_ref())?;
            let fields = json!({ "name": name, "reason": reason, "supersededBy": superseded_by });
            (json!({ "deprecated": fields, "message": message }), message)
        }
        CurateCommand::Undeprecate { name, .. } => {
            let message = registry.undeprecate(name)?;
            (json!({ "undeprecated": { "name": name }, "message": message }), message)
        }
        CurateCommand::Promote { name, version, channel, .. } => {
            let promoted = registry.promote(name, *version, *channel)?;
            let message = promoted.message.clone();
            (json!(promoted), message)
        }
    };
    ui.result(&document, || message);
    done()
}
