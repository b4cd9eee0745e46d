//! `marsh doctor …`. `extensions` is a report. It runs no code, and changes files only with `--repair`, which repairs first and
//! reports then.

mod document;

use std::process::ExitCode;

use marsh_extension::lifecycle::{Inspection, InstallState, ItemStatus, Repaired};
use marsh_types::Diagnostic;

use super::extension::Progress;
use super::{done, failed};
use crate::app;
use crate::args::{Cli, DoctorCommand};
use crate::error::CliError;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN};

pub fn run(cli: &Cli, ui: &Ui, command: &DoctorCommand) -> Result<ExitCode, CliError> {
    let DoctorCommand::Extensions { verify, repair, set } = command else {
        return super::datastore::status(ui, app::open(cli)?.read());
    };
    let lifecycle = app::lifecycle(cli, set, if *repair { "doctor --repair" } else { "doctor" })?;
    let repaired = match repair {
        true => Some(lifecycle.repair(&Progress::new(ui))?),
        false => None,
    };
    let inspection = lifecycle.inspect(*verify || *repair)?;
    let local = marsh_extension::local_problems(lifecycle.repo())?;
    let loads = marsh_extension::load_states(lifecycle.repo());
    let pass = super::extension::is_sound(&inspection)
        && local.is_empty()
        && problems(&inspection).is_empty()
        && loads.is_empty();
    let document = document::report(&inspection, &local, &loads, repaired.as_ref(), pass);
    if let Some(repaired) = &repaired {
        for item in &repaired.outcome.items {
            if let ItemStatus::Failed { error } = &item.status {
                ui.warn(format_args!("{} could not be restored: {error}", item.name));
            }
        }
        for warning in &repaired.outcome.warnings {
            ui.warn(warning);
        }
    }
    ui.result(&document, || {
        let done = repaired.iter().map(repair_line);
        done.chain([text(&inspection, &local, &loads, pass)]).collect::<Vec<_>>().join("\n")
    });
    if pass { done() } else { failed() }
}

fn repair_line(repaired: &Repaired) -> String {
    let restored: Vec<&str> = repaired.restored.iter().map(|name| name.as_str()).collect();
    let trees = if restored.is_empty() { "no tree".to_owned() } else { restored.join(", ") };
    format!(
        "{GOOD}repaired{GOOD:#} restored {trees}; read {} trees again; views {}; {} leftovers removed",
        repaired.catalogued,
        if repaired.views { "rebuilt" } else { "were right" },
        repaired.swept
    )
}

/// The sources of installed extensions that cannot be read: extension, path, diagnostic.
fn problems(inspection: &Inspection) -> Vec<(String, String, Diagnostic)> {
    let mut found = Vec::new();
    for one in &inspection.extensions {
        let Some(facts) = one.entry.checksum.and_then(|digest| inspection.facts.get(&digest)) else {
            continue;
        };
        for (path, diagnostic) in &facts.problems {
            found.push((one.name.to_string(), path.to_string(), diagnostic.clone()));
        }
    }
    found
}

fn text(
    inspection: &Inspection,
    local: &[marsh_extension::SourceProblem],
    loads: &[marsh_extension::LoadState],
    pass: bool,
) -> String {
    let mut lines = Vec::new();
    let mut bad = |line: String| lines.push(format!("{BAD}x{BAD:#} {line}"));
    for refused in &inspection.refused {
        bad(format!("the lockfile's entry `{}` is not used: {}", refused.key, refused.reason));
    }
    for one in &inspection.extensions {
        match &one.state {
            InstallState::Stored | InstallState::Foreign => {}
            InstallState::Missing => bad(format!(
                "{} {} is not restored; `marsh extension install` brings it",
                one.name, one.entry.version
            )),
            InstallState::Damaged { files } => bad(format!(
                "{} {} was changed in the store ({}); `marsh extension install` repairs it",
                one.name,
                one.entry.version,
                files.join(", ")
            )),
        }
    }
    for unsatisfied in &inspection.unsatisfied {
        bad(unsatisfied.to_string());
    }
    for duplicate in &inspection.duplicates {
        bad(duplicate.to_string());
    }
    for problem in local {
        bad(format!("{}: {}", problem.path.display(), problem.diagnostic.message));
    }
    for load in loads {
        let failure = &load.failure;
        let serving = match &load.serving {
            Some(_) => "the version before it serves meanwhile",
            None => "nothing serves it",
        };
        let name = format!("{} {}", failure.kind, failure.type_name);
        bad(format!("{name} ({}): {}; {serving}", failure.state, failure.message));
    }
    for (name, path, diagnostic) in problems(inspection) {
        bad(format!("{name}: {path}: {}", diagnostic.message));
    }
    let mut note = |line: String| lines.push(format!("{WARN}!{WARN:#} {line}"));
    for shadowed in &inspection.shadowed {
        note(format!(
            "the {} `{}` of {} is hidden by {}",
            shadowed.kind,
            shadowed.type_name,
            shadowed.extension,
            shadowed.local_source_path.display()
        ));
    }
    for orphan in &inspection.orphans {
        note(format!("{} belongs to no installed extension", orphan.display()));
    }
    if inspection.views.stale {
        note("the views below .swamp/pulled-extensions are behind; the next change brings them up".into());
    }
    let count = inspection.extensions.len();
    let word = if pass { format!("{GOOD}sound{GOOD:#}") } else { format!("{BAD}not sound{BAD:#}") };
    lines.push(format!("{NAME}{count}{NAME:#} installed extensions {DIM}|{DIM:#} {word}"));
    lines.join("\n")
}
