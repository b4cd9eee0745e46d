//! `marsh datastore setup|namespace|compact|migrate-index|catalog`.

use std::process::ExitCode;
use std::time::Duration;

use marsh_api::datastore::DatastoreMoved;
use marsh_app::{DirectorySetupRequest, ExtensionSetupRequest, Session};

use crate::app;
use crate::args::Cli;
use crate::args::datastore::{DatastoreSetupCommand, NamespaceCommand};
use crate::commands::done;
use crate::error::CliError;
use crate::ui::{DIM, GOOD, NAME, Ui, columns};

pub fn run(cli: &Cli, ui: &Ui, command: &DatastoreSetupCommand) -> Result<ExitCode, CliError> {
    let moved = match command {
        DatastoreSetupCommand::Filesystem { path, directories, skip_migration } => {
            let request = DirectorySetupRequest {
                path: path.clone(),
                directories: directories.clone(),
                skip_migration: *skip_migration,
            };
            app::app(cli)?.setup_directory(&request)?
        }
        DatastoreSetupCommand::Extension {
            type_name,
            config,
            namespace,
            hydration_strategy,
            skip_migration,
            timeout,
        } => {
            if let Some(namespace) = namespace {
                return Err(CliError::Refused {
                    message: format!(
                        "`--namespace {namespace}` is not supported for the datastore of an extension"
                    ),
                    hint: Some("give each repository a location of its own in `--config`".into()),
                });
            }
            match hydration_strategy.as_deref() {
                None | Some("full") => {}
                Some("lazy") => {
                    ui.warn("`lazy` copies everything, too: marsh does not work on partial copies")
                }
                Some(other) => {
                    return Err(CliError::usage(format!(
                        "invalid hydration strategy `{other}`: expected full or lazy"
                    )));
                }
            }
            let request = ExtensionSetupRequest {
                type_name: type_name.clone(),
                config: config.clone(),
                skip_migration: *skip_migration,
                timeout: timeout.map(Duration::from_secs),
            };
            app::app(cli)?.setup_extension(&request)?
        }
        DatastoreSetupCommand::S3 { .. } => {
            return Err(CliError::Usage {
                message: "`setup s3` is not a command any more: the datastore of an extension takes the data"
                    .into(),
                hint: Some("`marsh datastore setup extension <type> --config '{…}'`".into()),
            });
        }
    };
    show(ui, &moved);
    done()
}

fn show(ui: &Ui, moved: &DatastoreMoved) {
    moved.warnings.iter().for_each(|warning| ui.warn(warning));
    ui.result(moved, || {
        format!(
            "{GOOD}moved{GOOD:#} {} files, {} bytes\n  {DIM}from{DIM:#} {}\n  {DIM}to{DIM:#}   {}",
            moved.files_copied, moved.bytes_copied, moved.source_path, moved.destination_path
        )
    });
}

pub fn namespace(cli: &Cli, ui: &Ui, command: &NamespaceCommand) -> Result<ExitCode, CliError> {
    let app = app::app(cli)?;
    let agreed = |yes: bool, question: &str| match (yes, ui.can_ask()) {
        (true, _) => Ok(()),
        (false, true) if ui.confirm(question) => Ok(()),
        (false, true) => Err(marsh_app::AppError::interrupted().into()),
        (false, false) => Err(CliError::Refused {
            message: "the command moves data, and nothing can be asked without a terminal".into(),
            hint: Some("add `--yes`".into()),
        }),
    };
    match command {
        NamespaceCommand::Set { name } => {
            let set = app.set_namespace(name)?;
            set.warning.iter().for_each(|warning| ui.warn(warning));
            ui.result(&set, || {
                format!(
                    "{GOOD}set{GOOD:#} {NAME}{name}{NAME:#} in {}; {} files moved",
                    set.datastore_path, set.total_files
                )
            });
        }
        NamespaceCommand::Unset { yes, migrate } => {
            agreed(*yes || !*migrate, "move the data out of the namespace, and remove it?")?;
            let unset = app.unset_namespace()?;
            unset.warnings.iter().for_each(|warning| ui.warn(warning));
            ui.result(&unset, || {
                format!(
                    "{GOOD}removed{GOOD:#} {}; {} files moved",
                    unset.previous_namespace, unset.total_files
                )
            });
        }
        NamespaceCommand::Migrate { reverse, yes } => {
            agreed(*yes, "move the data?")?;
            let migrated = app.migrate_namespace(*reverse)?;
            migrated.warnings.iter().for_each(|warning| ui.warn(warning));
            ui.result(&migrated, || {
                let way = if migrated.reverse { "out of" } else { "into" };
                format!("{GOOD}moved{GOOD:#} {} files {way} {}", migrated.total_files, migrated.namespace)
            });
        }
        NamespaceCommand::List => {
            let list = app.namespaces()?;
            ui.result(&list, || {
                let rows: Vec<Vec<String>> = list
                    .namespaces
                    .iter()
                    .map(|row| {
                        let mark = if row.is_current { "*" } else { " " };
                        vec![format!("{mark} {NAME}{}{NAME:#}", row.namespace), row.repo_id.clone()]
                    })
                    .collect();
                if rows.is_empty() { "no namespaces".to_owned() } else { columns(&rows) }
            });
        }
    }
    done()
}

pub fn compact(ui: &Ui, session: &Session) -> Result<ExitCode, CliError> {
    let compacted = session.compact_datastore()?;
    ui.result(&compacted, || match compacted.vacuum_skipped {
        true => "another process holds the catalog of data".to_owned(),
        false => format!("{GOOD}compacted{GOOD:#} {} bytes reclaimed", compacted.db_bytes_reclaimed),
    });
    done()
}

pub fn migrate_index(ui: &Ui, session: &Session) -> Result<ExitCode, CliError> {
    let migrated = session.migrate_datastore_index()?;
    ui.result(&migrated, || migrated.message.clone());
    done()
}

pub fn pull_catalogs(ui: &Ui, session: &Session, namespaces: &[String]) -> Result<ExitCode, CliError> {
    app::cancel_on_signal(session.canceller());
    let pulled = session.pull_catalogs(namespaces)?;
    ui.result(&pulled, || format!("{GOOD}pulled{GOOD:#} {} files", pulled.files_pulled));
    done()
}
