//! Inputs and options of runs, as the command line gives them.

use std::io::Read as _;

use marsh_app::{InputItems, ReportSelection, RunOptions, parse_tags};

use crate::args::report::ReportSelectionArgs;
use crate::args::{InputArgs, RunArgs};
use crate::error::CliError;

/// The texts of inputs; reads the file or standard input that holds them.
pub fn items(arguments: &InputArgs) -> Result<InputItems, CliError> {
    let text = match (&arguments.input_file, arguments.stdin) {
        (Some(path), _) => {
            let what = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|source| CliError::Read { what: what.clone(), source })?;
            Some((text, what))
        }
        (None, true) => Some((standard_input()?, "standard input".to_owned())),
        (None, false) => None,
    };
    Ok(InputItems { given: arguments.input.clone(), text, several: arguments.stdin })
}

/// All of standard input.
pub fn standard_input() -> Result<String, CliError> {
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|source| CliError::Read { what: "standard input".into(), source })?;
    Ok(text)
}

pub fn options(arguments: &RunArgs) -> Result<RunOptions, CliError> {
    Ok(RunOptions {
        tags: parse_tags(&arguments.tags)?,
        skip_checks: arguments.skip_checks,
        skip_check_names: arguments.skip_check.clone(),
        skip_check_labels: arguments.skip_check_label.clone(),
        timeout: arguments.timeout,
        driver: arguments.driver.clone(),
        driver_config: arguments.driver_config.clone(),
        cancel: None,
    })
}

pub fn reports(arguments: &ReportSelectionArgs) -> ReportSelection {
    ReportSelection {
        skip_all: arguments.skip_reports,
        skip_names: arguments.skip_report.clone(),
        skip_labels: arguments.skip_report_label.clone(),
        names: arguments.report.clone(),
        labels: arguments.report_label.clone(),
    }
}
