//! `marsh data …`: showing the results of a model. Searches: `find`. Changes: `change`.

mod change;
mod find;

use std::process::ExitCode;

use marsh_api::data::DataItem;
use marsh_app::{Read, Session};
use serde_json::Value;

use super::done;
use crate::app;
use crate::args::DataCommand;
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, columns, value_lines};

pub fn run(ui: &Ui, session: &Session, command: &DataCommand) -> Result<ExitCode, CliError> {
    let read = session.read();
    match command {
        DataCommand::Get { model, name, version, no_content } => {
            get(ui, read, model, name, *version, !no_content)
        }
        DataCommand::List { model, kind } => list(ui, read, model, kind.as_deref()),
        DataCommand::Versions { model, name } => versions(ui, read, model, name),
        DataCommand::Search(arguments) => find::search(ui, read, arguments),
        DataCommand::Query { predicate, select, limit } => {
            find::query(ui, read, predicate, select.as_deref(), *limit)
        }
        DataCommand::Rename { model, old, new, new_name } => {
            let new = new.as_ref().or(new_name.as_ref()).map_or("", String::as_str);
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
    model: &str,
    name: &str,
    version: Option<u32>,
    with_content: bool,
) -> Result<ExitCode, CliError> {
    let data = read.get_data(model, name, version, with_content)?;
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
