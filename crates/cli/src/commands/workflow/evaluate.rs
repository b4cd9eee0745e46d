//! `marsh workflow evaluate`.

use std::process::ExitCode;

use marsh_api::workflow::WorkflowEvaluationDocument;
use marsh_app::Write;

use crate::args::{EvaluateArgs, InputArgs};
use crate::commands::{done, input};
use crate::error::CliError;
use crate::ui::{DIM, NAME, Ui};

pub fn evaluate(ui: &Ui, write: &Write<'_>, arguments: &EvaluateArgs) -> Result<ExitCode, CliError> {
    let inputs =
        InputArgs { input: arguments.input.clone(), input_file: arguments.input_file.clone(), stdin: false };
    let inputs = write.inputs_of_one_run(&input::items(&inputs)?)?;
    let document = write.evaluate_workflows(arguments.name.as_deref(), &inputs)?;
    ui.result(&document, || {
        let items = match &document {
            WorkflowEvaluationDocument::One(one) => std::slice::from_ref(one.as_ref()),
            WorkflowEvaluationDocument::All(all) => all.items.as_slice(),
        };
        let mut text = String::new();
        for item in items {
            let what = if item.had_expressions { "evaluated" } else { "nothing to evaluate" };
            text.push_str(&format!("{NAME}{}{NAME:#} {what} {DIM}{}{DIM:#}\n", item.name, item.output_path));
        }
        text
    });
    done()
}
