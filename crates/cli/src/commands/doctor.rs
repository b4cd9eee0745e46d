//! `marsh doctor …`.

use std::process::ExitCode;

use marsh_api::doctor::{
    CheckStatus, DuplicateType, ExtensionsReport, RepairMode, RepairReport, TypeDeclaration,
    UnsatisfiedDependency,
};
use marsh_api::extension::InstallState;
use marsh_app::DoctorRequest;

use super::progress::Progress;
use super::{done, failed};
use crate::app;
use crate::args::{Cli, DoctorCommand, SetArgs};
use crate::error::CliError;
use crate::persona::Persona;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN};

pub fn run(cli: &Cli, ui: &Ui, command: &DoctorCommand) -> Result<ExitCode, CliError> {
    match command {
        DoctorCommand::Audit { tool } => super::audit::check(cli, ui, tool.as_deref()),
        DoctorCommand::Datastores { repair, yes } => super::checkup::datastore(cli, ui, *repair, *yes),
        DoctorCommand::Install => super::checkup::installation(cli, ui),
        DoctorCommand::Secrets => super::checkup::secrets(cli, ui),
        DoctorCommand::Vaults => super::checkup::vaults(cli, ui),
        DoctorCommand::Workflows => super::checkup::workflows(cli, ui),
        DoctorCommand::Extensions { verify, repair, dry_run, yes, force, set } => {
            let asks = *repair && !*dry_run && !*yes && !*force && ui.can_ask();
            let question = "restore missing and edited extensions? Local edits in them are lost";
            if asks && !ui.confirm(question) {
                return Err(marsh_app::AppError::interrupted().into());
            }
            let request = DoctorRequest { verify: *verify, repair: *repair, dry_run: *dry_run };
            extensions(cli, ui, request, set)
        }
    }
}

fn extensions(cli: &Cli, ui: &Ui, request: DoctorRequest, set: &SetArgs) -> Result<ExitCode, CliError> {
    // What nothing has loaded yet may be broken, too.
    let sources = app::app(cli)?.own_sources()?;
    app::cancel_on_signal(sources.canceller());
    sources.load()?;
    let diagnosis = app::extensions(cli, set)?.diagnose(request, &Progress::new(ui))?;
    let report = &diagnosis.report;
    for failed in report.repair_report.iter().flat_map(|repair| &repair.failed) {
        ui.warn(format_args!("{} could not be restored: {}", failed.name, failed.error.message));
    }
    for warning in &diagnosis.warnings {
        ui.warn(warning);
    }
    ui.result(report, || {
        let done = report.repair_report.iter().map(repair_line);
        done.chain([text(report)]).collect::<Vec<_>>().join("\n")
    });
    if report.overall_status == CheckStatus::Pass { done() } else { failed() }
}

fn repair_line(repaired: &RepairReport) -> String {
    let restored = &repaired.restored;
    let trees = if restored.is_empty() { "no tree".to_owned() } else { restored.join(", ") };
    if repaired.mode == RepairMode::DryRun {
        let views = if repaired.views_rebuilt { "; views are rebuilt" } else { "" };
        return format!("{NAME}dry run{NAME:#} a repair restores {trees}{views}");
    }
    format!(
        "{GOOD}repaired{GOOD:#} restored {trees}; read {} trees again; views {}; {} leftovers removed",
        repaired.catalogued_trees,
        if repaired.views_rebuilt { "rebuilt" } else { "were right" },
        repaired.swept
    )
}

fn text(report: &ExtensionsReport) -> String {
    let installed = &report.aggregate_state.aggregates;
    let mut lines = Vec::new();
    let persona = Persona::current();
    let mut bad = |line: String| lines.push(format!("{BAD}x{BAD:#} {}", persona.words(&line)));
    for refused in &report.lockfile.refused_entries {
        bad(format!("the lockfile's entry `{}` is not used: {}", refused.key, refused.reason));
    }
    for one in installed {
        match &one.state {
            InstallState::Stored | InstallState::Foreign => {}
            InstallState::Missing => bad(format!(
                "{} {} is not restored; `marsh extension install` brings it",
                one.name, one.version
            )),
            InstallState::Damaged { files } => bad(format!(
                "{} {} was changed in the store ({}); `marsh extension install` repairs it",
                one.name,
                one.version,
                files.join(", ")
            )),
        }
    }
    report.unsatisfied_dependencies.iter().map(unsatisfied).for_each(&mut bad);
    report.duplicate_types.iter().map(duplicate).for_each(&mut bad);
    // Those of the repository first, as the document lists them.
    for error in report.loader_errors.iter().filter(|error| error.extension_name.is_none()) {
        bad(format!("{}: {}", error.path, error.diagnostic.message));
    }
    for load in &report.load_states {
        let serving = match &load.serving {
            Some(_) => "the version before it serves meanwhile",
            None => "nothing serves it",
        };
        let name = format!("{} {}", load.kind, load.type_name);
        bad(format!("{name} ({}): {}; {serving}", load.state.as_str(), load.message));
    }
    for error in &report.loader_errors {
        if let Some(name) = &error.extension_name {
            bad(format!("{name}: {}: {}", error.path, error.diagnostic.message));
        }
    }
    let mut note = |line: String| lines.push(format!("{WARN}!{WARN:#} {line}"));
    for shadowed in &report.shadowed_types {
        note(format!(
            "the {} `{}` of {} is hidden by {}",
            shadowed.kind, shadowed.type_name, shadowed.extension, shadowed.local_source_path
        ));
    }
    for orphan in &report.orphan_files {
        note(format!("{} belongs to no installed extension", orphan.path));
    }
    if report.views.stale {
        note("the views below .swamp/pulled-extensions are behind; the next change brings them up".into());
    }
    let word = match report.overall_status {
        CheckStatus::Pass => format!("{GOOD}sound{GOOD:#}"),
        CheckStatus::Fail => format!("{BAD}not sound{BAD:#}"),
    };
    let count = installed.len();
    lines.push(format!("{NAME}{count}{NAME:#} installed extensions {DIM}|{DIM:#} {word}"));
    lines.join("\n")
}

fn unsatisfied(one: &UnsatisfiedDependency) -> String {
    match &one.found {
        Some(found) => format!("{} needs {}, and {found} would be installed", one.by, one.dependency),
        None => format!("{} needs {}", one.by, one.dependency),
    }
}

fn duplicate(one: &DuplicateType) -> String {
    let declared = |by: &TypeDeclaration| {
        format!("{}@{} ({})", by.extension_name, by.extension_version, by.canonical_path)
    };
    format!(
        "the {} `{}` is declared by the installed {} and by {}",
        one.kind,
        one.type_name,
        declared(&one.existing),
        declared(&one.conflicting)
    )
}
