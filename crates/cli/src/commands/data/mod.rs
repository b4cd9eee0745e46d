//! `marsh data …`: showing the results of a model. Searches: `find`. Changes: `change`.

mod change;
mod find;
mod place;

use std::process::ExitCode;

use marsh_api::data::DataItem;
use marsh_app::{Read, Session, WorkflowDataRequest};
use serde_json::Value;

use super::done;
use crate::app;
use crate::args::DataCommand;
use crate::args::data::{DataRunArgs, DatumArgs};
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns, value_lines};

pub fn run(ui: &Ui, session: &Session, command: &DataCommand) -> Result<ExitCode, CliError> {
    let read = session.read();
    match command {
        DataCommand::Get { datum, run, version, no_content } => {
            get(ui, read, datum, run, *version, !no_content)
        }
        DataCommand::List { model, model_flag, run, kind } => {
            let model = model_flag.as_deref().or(model.as_deref());
            match (model, place::run(run)) {
                (None, Some(request)) => list_of_run(ui, read, &request, kind.as_deref()),
                (Some(_), Some(_)) => Err(CliError::Usage {
                    message: "name a model or a workflow run, not both".into(),
                    hint: Some("`marsh data list MODEL` or `marsh data list --workflow WORKFLOW`".into()),
                }),
                (model, None) => list(ui, read, place::model(model, "list", "")?, kind.as_deref()),
            }
        }
        DataCommand::Versions { datum } => {
            let (model, name) = place::datum(datum, "versions")?;
            versions(ui, read, model, name)
        }
        DataCommand::Search(arguments) => find::search(ui, read, arguments),
        DataCommand::Query { predicate, select, limit } => {
            find::query(ui, read, predicate.as_deref(), select.as_deref(), *limit)
        }
        DataCommand::Rename { datum, new, new_name } => {
            let (model, old) = place::datum(datum, "rename")?;
            let new = place::new_name(new_name.as_deref().or(new.as_deref()))?;
            app::change(ui, session, |write| change::rename(ui, write, model, old, new))
        }
        DataCommand::Delete(arguments) => {
            app::change(ui, session, |write| change::delete(ui, write, arguments))
        }
        DataCommand::Gc { removal } => app::change(ui, session, |write| change::gc(ui, write, removal)),
        DataCommand::Prune { removal } => app::change(ui, session, |write| change::prune(ui, write, removal)),
    }
}

fn get(
    ui: &Ui,
    read: Read<'_>,
    datum: &DatumArgs,
    run: &DataRunArgs,
    version: Option<u32>,
    with_content: bool,
) -> Result<ExitCode, CliError> {
    let data = match place::run(run) {
        None => {
            let (model, name) = place::datum(datum, "get")?;
            read.get_data(model, name, version, with_content)?
        }
        Some(request) => {
            let (model, name) = place::datum_of_run(datum, run)?;
            let (data, warning) = read.get_workflow_data(&request, model, name, version, with_content)?;
            if let Some(warning) = warning {
                ui.warn(warning);
            }
            data
        }
    };
    ui.result(&data, || {
        let mut text = format!(
            "{NAME}{}{NAME:#} {DIM}v{} of {}, {}, {}{DIM:#}\n",
            data.name, data.version, data.model_name, data.content_type, data.created_at
        );
        match &data.content {
            Some(Value::String(content)) => text.push_str(content),
            Some(value) => text.push_str(&value_lines(value, 2)),
            None => {}
        }
        text
    });
    done()
}

fn list(ui: &Ui, read: Read<'_>, model: &str, kind: Option<&str>) -> Result<ExitCode, CliError> {
    let list = read.list_data(model, kind)?;
    ui.result(&list, || {
        if list.total == 0 {
            return format!("`{}` has no results yet", list.model_name);
        }
        let mut items: Vec<&DataItem> = list.groups.iter().flat_map(|group| &group.items).collect();
        items.sort_by(|a, b| a.name.cmp(&b.name));
        let rows: Vec<Vec<String>> = items
            .iter()
            .map(|item| {
                vec![
                    format!("{NAME}{}{NAME:#}", item.name),
                    format!("v{}", item.version),
                    item.kind.clone(),
                    item.content_type.clone(),
                    item.size.map_or_else(String::new, |size| format!("{size} B")),
                    format!("{DIM}{}{DIM:#}", item.created_at),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

fn list_of_run(
    ui: &Ui,
    read: Read<'_>,
    request: &WorkflowDataRequest,
    kind: Option<&str>,
) -> Result<ExitCode, CliError> {
    let list = read.list_workflow_data(request, kind)?;
    ui.result(&list, || {
        if list.total == 0 {
            return format!("run {} of `{}` wrote no results", list.run_id, list.workflow_name);
        }
        let items = list.groups.iter().flat_map(|group| &group.items);
        let rows: Vec<Vec<String>> = items
            .map(|found| {
                vec![
                    format!("{NAME}{}{NAME:#}", found.item.name),
                    format!("v{}", found.item.version),
                    found.item.kind.clone(),
                    found.model_name.clone(),
                    found.step_name.clone().unwrap_or_default(),
                    format!("{DIM}{}{DIM:#}", found.item.created_at),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

fn versions(ui: &Ui, read: Read<'_>, model: &str, name: &str) -> Result<ExitCode, CliError> {
    let versions = read.data_versions(model, name)?;
    ui.result(&versions, || {
        let rows: Vec<Vec<String>> = versions
            .versions
            .iter()
            .map(|row| {
                vec![
                    format!("v{}", row.version),
                    row.created_at.clone(),
                    row.size.map_or_else(String::new, |size| format!("{size} B")),
                    if row.is_latest { "latest".to_owned() } else { String::new() },
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}
