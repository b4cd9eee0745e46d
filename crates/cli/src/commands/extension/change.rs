//! Commands that change the installed set or the store.

use std::process::ExitCode;

use marsh_api::extension::{ExtensionItem, ExtensionsCollected, RemovedExtension, SetChange, UnusedTree};
use marsh_app::{CollectRequest, Extensions, InstallRequest, PullRequest, RemoveRequest, UpdateRequest};
use marsh_types::Digest;

use super::item_line;
use super::show::change_row;
use crate::app;
use crate::args::{Cli, ExtensionCommand};
use crate::commands::progress::Progress;
use crate::commands::{done, failed};
use crate::error::CliError;
use crate::persona::Persona;
use crate::ui::{DIM, GOOD, NAME, Ui, columns};

pub fn run(cli: &Cli, ui: &Ui, command: &ExtensionCommand) -> Result<ExitCode, CliError> {
    match command {
        ExtensionCommand::Pull { extensions, channel, force, allow_missing_checksum, set, .. } => {
            let request = PullRequest {
                extensions: extensions.clone(),
                channel: *channel,
                force: *force,
                allow_missing_checksum: *allow_missing_checksum,
            };
            pull(ui, &app::extensions(cli, set)?, &request)
        }
        ExtensionCommand::Rm { extensions, force, yes, set } => {
            if !yes && !force && ui.can_ask() {
                let names: Vec<&str> = extensions.iter().map(|name| name.as_str()).collect();
                if !ui.confirm(&format!("remove {}?", names.join(", "))) {
                    ui.say("nothing was removed");
                    return failed();
                }
            }
            let request = RemoveRequest { extensions: extensions.clone(), force: *force };
            remove(ui, &app::extensions(cli, set)?, &request)
        }
        ExtensionCommand::Update { extensions, check, set } => {
            let request = UpdateRequest { extensions: extensions.clone(), check: *check };
            update(ui, &app::extensions(cli, set)?, &request)
        }
        ExtensionCommand::Install { extension: Some(extension), .. } => Err(CliError::Usage {
            message: "`extension install` installs what the lockfile names".into(),
            hint: Some(format!("`marsh extension pull {extension}` installs another extension")),
        }),
        ExtensionCommand::Install { frozen, verify, set, .. } => {
            let request = InstallRequest { frozen: *frozen, verify: *verify };
            install(ui, &app::extensions(cli, set)?, request)
        }
        ExtensionCommand::Rollback { generation, set } => {
            rollback(ui, &app::extensions(cli, set)?, *generation)
        }
        ExtensionCommand::Gc { apply, keep, set } => {
            let request = CollectRequest { apply: *apply, keep: *keep };
            let document = app::extensions(cli, set)?.collect(request)?;
            ui.result(&document, || collected(&document));
            done()
        }
        _ => Err(CliError::usage("this command changes nothing")),
    }
}

fn pull(ui: &Ui, extensions: &Extensions, request: &PullRequest) -> Result<ExitCode, CliError> {
    let pulled = extensions.pull(request, &Progress::new(ui))?;
    ui.result(&pulled.document, || lines(&pulled.extensions));
    tell(ui, pulled.document.change(), &pulled.extensions);
    done()
}

fn remove(ui: &Ui, extensions: &Extensions, request: &RemoveRequest) -> Result<ExitCode, CliError> {
    let changed = extensions.remove(request, &Progress::new(ui))?;
    let removed = changed.document.removed.as_slice();
    let line =
        |one: &RemovedExtension| format!("{GOOD}removed{GOOD:#} {NAME}{}{NAME:#} {}", one.name, one.version);
    ui.result(&changed.document, || removed.iter().map(line).collect::<Vec<_>>().join("\n"));
    for one in removed.iter().filter(|one| !one.left_without.is_empty()) {
        ui.warn(format_args!("{} is needed by {}", one.name, one.left_without.join(", ")));
    }
    tell(ui, &changed.document.change, &changed.extensions);
    done()
}

fn update(ui: &Ui, extensions: &Extensions, request: &UpdateRequest) -> Result<ExitCode, CliError> {
    let updated = extensions.update(request, &Progress::new(ui))?;
    let document = &updated.document;
    ui.result(document, || {
        if document.extensions.is_empty() {
            "no extension is installed".into()
        } else {
            lines(&document.extensions)
        }
    });
    tell(ui, &document.change, &updated.extensions);
    if document.summary.failed > 0 { failed() } else { done() }
}

fn install(ui: &Ui, extensions: &Extensions, request: InstallRequest) -> Result<ExitCode, CliError> {
    let installed = extensions.install(request, &Progress::new(ui))?;
    let document = &installed.document;
    ui.result(document, || match &document.warning {
        Some(warning) => format!("{warning}; nothing to restore"),
        None => lines(&document.entries),
    });
    tell(ui, &document.change, &installed.extensions);
    if document.failed > 0 { failed() } else { done() }
}

fn rollback(ui: &Ui, extensions: &Extensions, generation: Option<u64>) -> Result<ExitCode, CliError> {
    let changed = extensions.rollback(generation, &Progress::new(ui))?;
    let document = &changed.document;
    let number = document.restored;
    ui.result(document, || match document.change.generation {
        None => format!("the installed set is that of generation {number} already"),
        Some(made) => {
            let rows: Vec<Vec<String>> = document.changes.iter().map(change_row).collect();
            format!(
                "{GOOD}rolled back{GOOD:#} to generation {number}, as generation {made}\n{}",
                columns(&rows)
            )
        }
    });
    tell(ui, &document.change, &changed.extensions);
    done()
}

fn collected(document: &ExtensionsCollected) -> String {
    let row = |what: &str, tree: &UnusedTree| {
        let digest = tree.digest.parse::<Digest>().map_or_else(|_| tree.digest.clone(), Digest::short);
        vec![
            what.to_owned(),
            tree.name.clone().unwrap_or_else(|| "(damaged)".into()),
            tree.version.clone().unwrap_or_default(),
            format!("{DIM}{digest}{DIM:#}"),
        ]
    };
    let ExtensionsCollected { removed, in_use, kept, bytes, .. } = document;
    let verb = if document.applied { "removed" } else { "unused" };
    let mut rows: Vec<Vec<String>> = removed.iter().map(|one| row(verb, one)).collect();
    rows.extend(in_use.iter().map(|one| row("in use", one)));
    let count = removed.len();
    let summary = if document.applied {
        format!("{count} trees removed, {bytes} bytes; {kept} kept")
    } else if removed.is_empty() {
        format!("nothing to remove; {kept} trees are needed")
    } else {
        let program = Persona::current().name;
        format!("{count} trees are not needed, {bytes} bytes; `{program} extension gc --apply` removes them")
    };
    format!("{}{summary}", columns(&rows))
}

fn lines(items: &[ExtensionItem]) -> String {
    items.iter().map(item_line).collect::<Vec<_>>().join("\n")
}

/// Shadowed types and warnings, for people.
fn tell(ui: &Ui, change: &SetChange, extensions: &[ExtensionItem]) {
    for shadowed in &change.shadowed_types {
        ui.warn(format_args!(
            "the {} `{}` of {} is hidden by {}, which wins",
            shadowed.kind, shadowed.type_name, shadowed.extension, shadowed.local_source_path
        ));
    }
    for warning in &change.warnings {
        ui.warn(warning);
    }
    for item in extensions {
        for warning in &item.warnings {
            ui.warn(format_args!("{}: {warning}", item.name));
        }
    }
}
