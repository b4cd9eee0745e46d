//! Which result a command means: by its place among the arguments, or by `--model` and `--name`.

use marsh_app::WorkflowDataRequest;

use crate::args::data::{DataRunArgs, DatumArgs};
use crate::error::CliError;

fn missing(what: &str, command: &str, rest: &str) -> CliError {
    let rest = if rest.is_empty() { String::new() } else { format!(" {rest}") };
    CliError::Usage {
        message: format!("missing {what}"),
        hint: Some(format!(
            "`marsh data {command} MODEL{rest}` or `marsh data {command} --model MODEL{rest}`"
        )),
    }
}

/// The model. `rest`: what else a call has, for the hint.
pub fn model<'a>(model: Option<&'a str>, command: &str, rest: &str) -> Result<&'a str, CliError> {
    model.ok_or_else(|| missing("the model", command, rest))
}

/// The model and the result.
pub fn datum<'a>(datum: &'a DatumArgs, command: &str) -> Result<(&'a str, &'a str), CliError> {
    let rest = if command == "rename" { "NAME NEW" } else { "NAME" };
    let missing = |what: &str| CliError::Usage {
        message: format!("missing {what}"),
        hint: Some(format!(
            "`marsh data {command} MODEL {rest}` or `marsh data {command} --model MODEL --name NAME{}`",
            if command == "rename" { " --new-name NEW" } else { "" }
        )),
    };
    let model = datum.model().ok_or_else(|| missing("the model"))?;
    Ok((model, datum.name().ok_or_else(|| missing("the name of the result"))?))
}

/// The name that a result gets.
pub fn new_name(new: Option<&str>) -> Result<&str, CliError> {
    new.ok_or_else(|| CliError::Usage {
        message: "missing the new name of the result".into(),
        hint: Some("`marsh data rename MODEL NAME NEW`, or `--new-name NEW`".into()),
    })
}

/// The workflow run whose results are meant, if one is.
pub fn run(run: &DataRunArgs) -> Option<WorkflowDataRequest> {
    let named = run.workflow.is_some() || run.run.is_some();
    named.then(|| WorkflowDataRequest { workflow: run.workflow.clone(), run: run.run.clone() })
}

/// The model, if one is named, and the result of a workflow run. With `--workflow` the first place is the result's; with
/// `--run` alone it is if there is no second one.
pub fn datum_of_run<'a>(
    datum: &'a DatumArgs,
    run: &DataRunArgs,
) -> Result<(Option<&'a str>, &'a str), CliError> {
    let (first, second) = (datum.model.as_deref(), datum.name.as_deref());
    let (model, name) = match (first, second) {
        (Some(_), Some(extra)) if run.workflow.is_some() => {
            return Err(CliError::Usage {
                message: format!(
                    "unexpected argument `{extra}`: with --workflow, the first one is the result"
                ),
                hint: Some("choose the model with --model".into()),
            });
        }
        (model, Some(name)) => (model, Some(name)),
        (name, None) => (None, name),
    };
    let name = datum.name_flag.as_deref().or(name).ok_or_else(|| CliError::Usage {
        message: "missing the name of the result".into(),
        hint: Some("`marsh data get --workflow WORKFLOW NAME`; `marsh data list` lists the names".into()),
    })?;
    Ok((datum.model_flag.as_deref().or(model), name))
}
