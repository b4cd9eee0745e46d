//! `marsh workflow trigger …`.

use std::process::ExitCode;

use marsh_api::workflow::TriggerInputs;
use marsh_app::{Read, TriggerChange};

use crate::args::TriggerCommand;
use crate::commands::done;
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui, value_lines};

pub fn run(ui: &Ui, read: &Read<'_>, command: &TriggerCommand) -> Result<ExitCode, CliError> {
    match command {
        TriggerCommand::Set { workflow, schedule, inputs } => {
            let change = TriggerChange {
                workflow: workflow.clone(),
                schedule: schedule.clone(),
                inputs: inputs.iter().map(|(key, value)| (key.clone(), value.as_str().into())).collect(),
            };
            let document = read.set_trigger(&change)?;
            ui.result(&document, || {
                let name = &document.workflow_name;
                let entry = schedule_text(document.entry.schedule.as_deref());
                format!("{NAME}{name}{NAME:#} runs at {entry}\n")
            });
        }
        TriggerCommand::Get { workflow } => {
            let document = read.trigger(workflow)?;
            ui.result(&document, || {
                let mut text = match (&document.built_in, &document.overriding) {
                    (None, _) => format!("there is no workflow {NAME}{workflow}{NAME:#}\n"),
                    (Some(_), None) => String::new(),
                    (Some(own), Some(_)) => {
                        let own = schedule_text(own.schedule.as_deref());
                        format!("{DIM}in place of the workflow's own schedule: {own}{DIM:#}\n")
                    }
                };
                let effective = &document.effective;
                text.push_str(&format!("schedule: {}\n", schedule_text(effective.schedule.as_deref())));
                text.push_str(&inputs_text(&effective.inputs));
                text
            });
        }
        TriggerCommand::Remove { workflow } => {
            let document = read.remove_trigger(workflow)?;
            ui.result(&document, || {
                format!("{NAME}{}{NAME:#} runs at its own schedule again\n", document.workflow_name)
            });
        }
    }
    done()
}

fn schedule_text(schedule: Option<&str>) -> &str {
    schedule.unwrap_or("no time")
}

fn inputs_text(inputs: &TriggerInputs) -> String {
    if inputs.is_empty() {
        return String::new();
    }
    format!("inputs:\n{}", value_lines(&inputs.clone().into(), 1))
}
