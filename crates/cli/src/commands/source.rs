//! `marsh extension source …`: directories of extension sources outside of the repository.

use std::path::PathBuf;
use std::process::ExitCode;

use marsh_api::source::{ListAction, SourceChanged, SourceList, SourceRow, SourceStatus};
use marsh_extension::mounts::{self, Mount};
use marsh_repo::{Environment, Repo};
use marsh_types::Kind;

use super::done;
use crate::app;
use crate::args::Cli;
use crate::args::publish::SourceCommand;
use crate::error::CliError;
use crate::ui::{GOOD, NAME, Ui, columns};

pub fn run(cli: &Cli, ui: &Ui, command: &SourceCommand) -> Result<ExitCode, CliError> {
    let environment = Environment::from_process();
    let repo = Repo::find(cli.global.repo_dir.as_deref(), &environment, &app::current_dir()?)?;
    match command {
        SourceCommand::List => list(ui, &repo),
        SourceCommand::Add { path, only } => add(ui, &repo, &environment, path, only),
        SourceCommand::Rm { path } => {
            let _lock = lock(&repo, &environment)?;
            let mut all = mounts::read_mounts(&repo)?;
            let before = all.len();
            all.retain(|mount| mount.path() != path);
            if all.len() == before {
                return Err(CliError::NotFound {
                    message: format!("`{path}` is not mounted"),
                    hint: Some("`marsh extension source list` shows the paths as they are written".into()),
                });
            }
            let total = all.len();
            mounts::write_mounts(&repo, all)?;
            let document = SourceChanged {
                action: ListAction::Rm,
                path: path.clone(),
                only: None,
                total_sources: total,
            };
            ui.result(&document, || format!("{GOOD}removed{GOOD:#} {path}; {total} sources are mounted"));
            done()
        }
    }
}

fn list(ui: &Ui, repo: &Repo) -> Result<ExitCode, CliError> {
    let mut sources = Vec::new();
    for mount in mounts::read_mounts(repo)? {
        let dirs = mounts::mounted_dirs(repo, mount.path());
        let is_set = dirs.is_ok();
        let dirs = dirs.unwrap_or_default();
        let kinds = kinds_in(&dirs);
        let status = match (dirs.is_empty(), kinds.is_empty()) {
            _ if !is_set => SourceStatus::VariableNotSet,
            (true, _) => SourceStatus::PathNotFound,
            (false, true) => SourceStatus::NoExtensions,
            (false, false) => SourceStatus::Valid,
        };
        sources.push(SourceRow {
            path: mount.path().to_owned(),
            only: mount.only().cloned(),
            expanded_paths: dirs.iter().map(|dir| dir.display().to_string()).collect(),
            status,
            resolved_kinds: kinds.iter().map(|kind| kind.directory().to_owned()).collect(),
        });
    }
    let document = SourceList { sources };
    ui.result(&document, || {
        if document.sources.is_empty() {
            return "no sources are mounted".into();
        }
        let rows = document.sources.iter().map(|row| {
            let path = format!("{NAME}{}{NAME:#}", row.path);
            vec![path, row.status.as_str().into(), row.resolved_kinds.join(", ")]
        });
        columns(&rows.collect::<Vec<_>>())
    });
    done()
}

/// What all of these contribute together.
fn kinds_in(dirs: &[PathBuf]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = dirs.iter().flat_map(|dir| marsh_extension::kinds_in(dir)).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

fn add(
    ui: &Ui,
    repo: &Repo,
    environment: &Environment,
    path: &str,
    only: &[String],
) -> Result<ExitCode, CliError> {
    let refuse = |message: String, hint: &str| {
        Err(CliError::Refused { message, hint: Some(hint.to_owned()).filter(|hint| !hint.is_empty()) })
    };
    if path.trim().is_empty() {
        return Err(CliError::usage("the path is empty"));
    }
    let mut wanted = Vec::new();
    for name in only {
        let kind = Kind::ALL.into_iter().find(|kind| name == kind.directory() || name == kind.export_name());
        match kind {
            Some(kind) => wanted.push(kind),
            None => return Err(CliError::usage(format!("unknown kind of extension `{name}`"))),
        }
    }
    let dirs = mounts::mounted_dirs(repo, path)?;
    let is_pattern = mounts::is_pattern(path);
    if dirs.is_empty() && !is_pattern {
        return Err(CliError::NotFound {
            message: format!("`{path}` is not a directory"),
            hint: Some("paths start from the repository".into()),
        });
    }
    let own = Kind::ALL.into_iter().map(|kind| repo.layout.extension_sources(&repo.marker, kind));
    if own.filter_map(|own| own.canonicalize().ok()).any(|own| dirs.contains(&own)) {
        return refuse(format!("`{path}` is read anyway: it is this repository's own"), "");
    }
    let kinds = kinds_in(&dirs);
    if dirs.is_empty() {
        ui.warn(format_args!("`{path}` matches nothing yet"));
    } else if !kinds.iter().any(|kind| wanted.is_empty() || wanted.contains(kind)) {
        return refuse(
            format!("`{path}` holds no extensions of the kinds that are wanted"),
            "a source holds `extensions/models` and the like, or entry points",
        );
    }
    let _lock = lock(repo, environment)?;
    let mut all = mounts::read_mounts(repo)?;
    if all.iter().any(|mount| mount.path() == path) {
        return refuse(format!("`{path}` is mounted already"), "");
    }
    all.push(Mount::new(path, &wanted));
    let total = all.len();
    mounts::write_mounts(repo, all)?;
    let document = SourceChanged {
        action: ListAction::Add,
        path: path.to_owned(),
        only: (!wanted.is_empty()).then(|| only.to_vec()),
        total_sources: total,
    };
    ui.result(&document, || format!("{GOOD}mounted{GOOD:#} {path}; {total} sources are mounted"));
    done()
}

/// Reading and writing of the file are one step to everybody else.
fn lock(repo: &Repo, environment: &Environment) -> Result<marsh_fs::LockFile, CliError> {
    let path = repo.layout.locks().join("sources.lock");
    let timeout = environment.lock_timeout();
    Ok(marsh_fs::lock_exclusive(&path, timeout, "marsh extension source", &mut |_| {})
        .map_err(marsh_registry::RegistryError::from)?)
}
