//! `marsh extension push`, `version`, and what is done to published versions.

use std::process::ExitCode;

use marsh_api::publish::{ExtensionPushed, FormatStatus, QualityFactorStatus};
use marsh_app::{PushRequest, QualityRequest, VersionSelection, VersionTarget};

use super::progress::Progress;
use super::{done, failed};
use crate::app;
use crate::args::publish::{CurateCommand, FormatArgs, PushArgs, QualityArgs, VersionArgs, YankArgs};
use crate::args::{Cli, SetArgs};
use crate::error::CliError;
use crate::persona::Persona;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN};

pub fn push(cli: &Cli, ui: &Ui, arguments: &PushArgs) -> Result<ExitCode, CliError> {
    let extensions = app::extensions(cli, &arguments.set)?;
    let request = PushRequest {
        manifest: arguments.manifest.clone(),
        extensions_dir: arguments.extensions_dir.clone(),
        channel: arguments.channel,
        release_notes: arguments.release_notes.clone(),
        epoch_version: arguments.version_suffix.is_some(),
        without_bundles: arguments.no_bundles,
    };
    let progress = Progress::new(ui);
    let push = extensions.prepare_push(request, &progress)?;
    let (name, version) = (push.name().clone(), push.version());
    let document = if arguments.dry_run {
        push.dry_run(&progress)?
    } else {
        if !arguments.yes && ui.can_ask() {
            let question = format!("publish {name}@{version} to {}?", extensions.registry());
            if !ui.confirm(&question) {
                ui.say("nothing was published");
                return failed();
            }
        }
        push.publish(&progress)?
    };
    let label = format!("{NAME}{name}{NAME:#} {version}");
    ui.result(&document, || match &document {
        ExtensionPushed::DryRun(made) => {
            let files = made.contents.files.len();
            format!("{label} can be published: {files} files, {} bytes", made.archive_size)
        }
        ExtensionPushed::Published(made) => {
            format!("{GOOD}published{GOOD:#} {label} on {}, {} bytes", made.channel, made.archive_size)
        }
    });
    done()
}

fn request(arguments: &QualityArgs) -> QualityRequest {
    QualityRequest { manifest: arguments.manifest.clone(), extensions_dir: arguments.extensions_dir.clone() }
}

pub fn format(cli: &Cli, ui: &Ui, arguments: &FormatArgs) -> Result<ExitCode, CliError> {
    let extensions = app::extensions(cli, &SetArgs::default())?;
    let document = extensions.format(&request(&arguments.what), arguments.check)?;
    let is_formatted = matches!(document.status, FormatStatus::Passed | FormatStatus::Fixed);
    ui.result(&document, || {
        let found = document.issues.iter().chain(&document.remaining_issues).flatten();
        let mut lines: Vec<String> = found.map(|issue| format!("{}\n", issue.output)).collect();
        lines.push(match is_formatted {
            true => format!("{GOOD}formatted{GOOD:#} {} files", document.file_count),
            false => format!("{BAD}not formatted{BAD:#} {} files were checked", document.file_count),
        });
        lines.join("\n")
    });
    if is_formatted { done() } else { failed() }
}

pub fn quality(cli: &Cli, ui: &Ui, arguments: &QualityArgs) -> Result<ExitCode, CliError> {
    let extensions = app::extensions(cli, &SetArgs::default())?;
    let (document, warnings) = extensions.quality(&request(arguments))?;
    warnings.iter().for_each(|warning| ui.warn(warning));
    ui.result(&document, || {
        let mut lines = vec![format!(
            "rubric {}: {}/{} points, {} %",
            document.rubric_version,
            document.earned_points,
            document.max_client_earnable_points,
            document.percentage
        )];
        for row in &document.factors {
            let mark = match row.status {
                QualityFactorStatus::Earned => format!("{GOOD}ok{GOOD:#}"),
                QualityFactorStatus::Missing => format!("{BAD}x{BAD:#} "),
                QualityFactorStatus::Provisional => format!("{WARN}~{WARN:#} "),
            };
            lines.push(format!("{mark} {} [{}/{}] {}", row.id, row.earned_points, row.max_points, row.label));
            lines.extend(row.remediation.iter().map(|text| format!("   {DIM}{text}{DIM:#}")));
        }
        lines.push(format!("archive: {} bytes", document.archive_size));
        lines.join("\n")
    });
    if document.all_passed || !Persona::current().quality_fails { done() } else { failed() }
}

pub fn version(cli: &Cli, ui: &Ui, arguments: &VersionArgs) -> Result<ExitCode, CliError> {
    let target = match (&arguments.name, &arguments.manifest) {
        (Some(name), _) => VersionTarget::Name(name.clone()),
        (None, Some(file)) => VersionTarget::Manifest(file.clone()),
        (None, None) => VersionTarget::Manifest("manifest.yaml".into()),
    };
    let document = app::extensions(cli, &arguments.set)?.version(&target)?;
    let (name, next) = (&document.extension_name, &document.next_version);
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
    let extensions = app::extensions(cli, set)?;
    if asks && ui.can_ask() && !ui.confirm(&format!("{what} in {}?", extensions.registry())) {
        ui.say("nothing was changed");
        return failed();
    }
    match command {
        CurateCommand::Yank { what, reason } => {
            let document = extensions.yank(&selection(what), reason)?;
            ui.result(&document, || document.message.clone());
        }
        CurateCommand::Unyank { what, reason } => {
            let document = extensions.unyank(&selection(what), reason.as_deref())?;
            ui.result(&document, || document.message.clone());
        }
        CurateCommand::Deprecate { name, reason, superseded_by, .. } => {
            let document = extensions.deprecate(name, reason, superseded_by.as_ref())?;
            ui.result(&document, || document.message.clone());
        }
        CurateCommand::Undeprecate { name, .. } => {
            let document = extensions.undeprecate(name)?;
            ui.result(&document, || document.message.clone());
        }
        CurateCommand::Promote { name, version, channel, .. } => {
            let document = extensions.promote(name, *version, *channel)?;
            ui.result(&document, || document.message.clone());
        }
    }
    done()
}

fn selection(what: &YankArgs) -> VersionSelection {
    VersionSelection { name: what.name.clone(), version: what.version, channel: what.channel }
}
