//! `marsh workflow run` and `marsh workflow resume`.

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use marsh_api::ErrorClass;
use marsh_api::event::EventSink;
use marsh_api::workflow::RunStatus;
use marsh_api::workflow::event::WorkflowEvent;
use marsh_app::{
    AppError, RunInitiator, WorkflowResumeRequest, WorkflowRunRequest, WorkflowRunResult, WorkflowRuns,
    Write, is_built_in_report,
};
use marsh_fs::Durability;
use serde_json::Map;

use super::events::Lines;
use super::progress::Progress;
use super::text::run_text;
use crate::args::{ReportArgs, ResumeArgs, WorkflowRunArgs};
use crate::commands::{input, report};
use crate::error::CliError;
use crate::exit;
use crate::persona::Persona;
use crate::ui::Ui;

pub fn run(ui: &Ui, write: &Write<'_>, arguments: &WorkflowRunArgs) -> Result<ExitCode, CliError> {
    let span = arguments.run.trace_span();
    let _traced = span.as_ref().map(tracing::Span::enter);
    let items = input::items(&arguments.inputs)?;
    let request = WorkflowRunRequest {
        workflow: arguments.name.clone(),
        inputs: Map::new(),
        options: input::options(&arguments.run)?,
        last_evaluated: arguments.last_evaluated,
        fail_on: arguments.fail_on.into(),
        initiator: RunInitiator::Command,
        reports: input::reports(&arguments.reports),
    };
    let runner = Runner { ui, write, report: &arguments.report };
    runner.follow(|sink, ended| write.run_workflow_for_each(&request, &items, sink, ended))
}

pub fn resume(ui: &Ui, write: &Write<'_>, arguments: &ResumeArgs) -> Result<ExitCode, CliError> {
    let span = arguments.run.trace_span();
    let _traced = span.as_ref().map(tracing::Span::enter);
    let request = WorkflowResumeRequest {
        workflow: arguments.name.clone(),
        run: arguments.run_id().map(str::to_owned),
        from: arguments.from.clone(),
        inputs: write.inputs_of_one_run(&input::items(&arguments.inputs)?)?,
        options: input::options(&arguments.run)?,
        reports: input::reports(&arguments.reports),
    };
    let runner = Runner { ui, write, report: &arguments.report };
    runner.follow(|sink, ended| {
        let run = write.resume_workflow(&request, sink)?;
        ended(&run);
        Ok(WorkflowRuns::one(run))
    })
}

/// The part that `run` and `resume` share: the presentation.
struct Runner<'a> {
    ui: &'a Ui,
    write: &'a Write<'a>,
    report: &'a ReportArgs,
}

impl Runner<'_> {
    fn follow(
        &self,
        work: impl FnOnce(
            &dyn EventSink<WorkflowEvent>,
            &mut dyn FnMut(&WorkflowRunResult),
        ) -> Result<WorkflowRuns, AppError>,
    ) -> Result<ExitCode, CliError> {
        let (ui, report) = (self.ui, self.report);
        if report.junit && report.out.is_none() && ui.is_json() {
            return Err(CliError::Usage {
                message: "`--junit` and `--json` both write to standard output".into(),
                hint: Some("add `--out FILE`".into()),
            });
        }
        let (lines, progress) = (Lines::default(), Progress::new(ui));
        let mut ended = |run: &WorkflowRunResult| {
            progress.end();
            if !(ui.is_json() || report.events || report.junit && report.out.is_none()) {
                self.show(run);
            }
        };
        let done = if report.events { work(&lines, &mut ended) } else { work(&progress, &mut ended) };
        progress.end();
        let runs = match done? {
            // In text, the runs before it have been shown.
            WorkflowRuns { error: Some(error), .. } if !ui.is_json() => return Err(error.into()),
            runs => runs,
        };
        if report.junit {
            self.junit(&runs.junit())?;
        }
        if ui.is_json() && !report.events {
            ui.result(&runs.document(), String::new);
        }
        lines.end()?;
        let failed = runs.error.as_ref().map(|_| exit::FAILED);
        let codes = runs.runs.iter().map(|run| exit_code(run.document.status)).chain(failed);
        Ok(ExitCode::from(codes.max().unwrap_or(exit::DONE)))
    }

    fn show(&self, run: &WorkflowRunResult) {
        let ui = self.ui;
        ui.result(&(), || run_text(self.write, run, ui.is_verbose()));
        let reports = run.document.reports.iter().flatten().filter(|(name, _)| !is_built_in_report(name));
        for (_, made) in reports {
            ui.result(&(), || report::result_text(made));
        }
    }

    fn junit(&self, text: &str) -> Result<(), CliError> {
        if let Some(path) = &self.report.out {
            return Ok(marsh_fs::atomic_write(path, text.as_bytes(), Durability::Atomic)?);
        }
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            // The reader closed the pipe: it has what it wanted.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            Err(source) => Err(CliError::Write { what: "the report to standard output".into(), source }),
            Ok(()) => Ok(()),
        }
    }
}

fn exit_code(status: RunStatus) -> u8 {
    match status {
        RunStatus::Succeeded | RunStatus::Suspended => exit::DONE,
        RunStatus::Cancelled => Persona::current().exit_code(ErrorClass::Cancelled),
        RunStatus::Failed | RunStatus::Pending | RunStatus::Running => exit::FAILED,
    }
}
