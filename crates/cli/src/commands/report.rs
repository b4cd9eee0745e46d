//! `marsh report …`.

use std::process::ExitCode;

use marsh_api::report::ReportResult;
use marsh_app::{MarkdownWidth, Read, ReportFilter, Session, fit_markdown};
use marsh_repo::env::{REPORT_MAX_COL_WIDTH, REPORT_MAX_WIDTH, Variable};

use super::console::ConsoleObserver;
use super::{done, failed};
use crate::app;
use crate::args::report::{ReportCommand, ReportTypeCommand};
use crate::error::{CliError, source_excerpts};
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, columns};

fn filter(model: Option<&String>, workflow: Option<&String>) -> ReportFilter {
    ReportFilter { model: model.cloned(), workflow: workflow.cloned(), ..ReportFilter::default() }
}

pub fn run(ui: &Ui, session: &Session, command: &ReportCommand) -> Result<ExitCode, CliError> {
    let read = session.read();
    match command {
        ReportCommand::Search { query, model, workflow, scope, report, labels } => {
            let filter = ReportFilter {
                scope: scope.clone(),
                report: report.clone(),
                labels: labels.clone(),
                ..filter(model.as_ref(), workflow.as_ref())
            };
            search(ui, &read, query.as_deref().unwrap_or_default(), &filter)
        }
        ReportCommand::Get {
            name,
            model,
            workflow,
            version,
            variant,
            markdown,
            max_width,
            max_col_width,
        } => {
            let filter =
                ReportFilter { variant: variant.clone(), ..filter(model.as_ref(), workflow.as_ref()) };
            let document = read.report(name, &filter, *version)?;
            let width = MarkdownWidth {
                line: max_width.map(usize::from).or_else(|| width_of(ui, &read, REPORT_MAX_WIDTH, 20)),
                cell: max_col_width.map(usize::from).or_else(|| width_of(ui, &read, REPORT_MAX_COL_WIDTH, 5)),
            };
            let text = match width == MarkdownWidth::default() {
                true => document.markdown.clone(),
                false => fit_markdown(&document.markdown, width),
            };
            if *markdown {
                ui.raw(text.as_bytes());
            } else {
                ui.result(&document, || text);
            }
            done()
        }
        ReportCommand::Run { name, model, workflow, run, timeout } => app::change(ui, session, |write| {
            let filter = filter(model.as_ref(), workflow.as_ref());
            let observer = ConsoleObserver { ui };
            let document = write.run_report(name, &filter, run.as_deref(), *timeout, &observer)?;
            ui.result(&document, || result_text(&document));
            if document.success { done() } else { failed() }
        }),
        ReportCommand::Describe { name } => describe(ui, &read, name),
        ReportCommand::Type(ReportTypeCommand::Search { query }) => {
            types(ui, &read, query.as_deref().unwrap_or_default())
        }
    }
}

/// The width that a variable sets. One that is invalid causes a warning and sets none.
fn width_of(ui: &Ui, read: &Read<'_>, variable: Variable, least: usize) -> Option<usize> {
    let text = read.variable(variable)?;
    match text.trim().parse::<usize>() {
        Ok(width) if width >= least => Some(width),
        _ => {
            ui.warn(format!("{} is ignored: expected a number from {least}, found `{text}`", variable.name));
            None
        }
    }
}

/// A report that ran, as text.
pub fn result_text(report: &ReportResult) -> String {
    match &report.error {
        None => {
            let markdown = report.markdown.as_deref().unwrap_or_default().trim_end();
            format!("{NAME}{}{NAME:#} {GOOD}done{GOOD:#}\n{markdown}\n", report.name)
        }
        Some(error) => {
            let mut text = format!("{NAME}{}{NAME:#} {BAD}failed{BAD:#}: {}\n", report.name, error.message);
            for excerpt in source_excerpts(error) {
                text.push_str(&format!("{excerpt}\n"));
            }
            text
        }
    }
}

fn search(ui: &Ui, read: &Read<'_>, query: &str, filter: &ReportFilter) -> Result<ExitCode, CliError> {
    let document = read.search_reports(query, filter)?;
    ui.result(&document, || {
        if document.results.is_empty() {
            return "no reports".to_owned();
        }
        let rows: Vec<Vec<String>> = document
            .results
            .iter()
            .map(|row| {
                vec![
                    format!("{NAME}{}{NAME:#}", row.name),
                    row.model_name.clone(),
                    format!("{DIM}v{} {}{DIM:#}", row.version, row.created_at),
                ]
            })
            .collect();
        columns(&rows)
    });
    done()
}

fn describe(ui: &Ui, read: &Read<'_>, name: &str) -> Result<ExitCode, CliError> {
    let document = read.describe_report(name)?;
    ui.result(&document, || {
        format!(
            "{NAME}{}{NAME:#} {DIM}{}{DIM:#}\n  {}\n",
            document.name,
            document.scope.as_deref().unwrap_or("method"),
            document.description.as_deref().unwrap_or_default()
        )
    });
    done()
}

fn types(ui: &Ui, read: &Read<'_>, query: &str) -> Result<ExitCode, CliError> {
    let document = read.search_report_types(query)?;
    ui.result(&document, || {
        let rows: Vec<Vec<String>> = document
            .results
            .iter()
            .map(|row| vec![format!("{NAME}{}{NAME:#}", row.name), row.origin.to_string()])
            .collect();
        columns(&rows)
    });
    done()
}
