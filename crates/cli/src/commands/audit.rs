//! `marsh audit`, and `marsh doctor audit`.

use std::io::Read as _;
use std::process::ExitCode;

use marsh_api::audit::{AuditCheckStatus, AuditTimelineEntry, CommandSource, CommandStatus};
use marsh_app::AuditTimelineRequest;

use super::{done, failed};
use crate::app;
use crate::args::Cli;
use crate::args::audit::{AuditArgs, AuditCommand};
use crate::error::CliError;
use crate::ui::{BAD, DIM, GOOD, NAME, Ui, WARN, columns};

/// More than any tool reports about one command.
const EVENT_LIMIT: u64 = 16 * 1024 * 1024;

pub fn run(cli: &Cli, ui: &Ui, arguments: &AuditArgs) -> Result<ExitCode, CliError> {
    if let Some(AuditCommand::Record { tool, .. }) = &arguments.command {
        record(cli, tool);
        return done();
    }
    let request = AuditTimelineRequest {
        hours: arguments.hours,
        all: arguments.all,
        session: arguments.session.clone(),
        include_diagnostic: arguments.include_diagnostic,
    };
    let timeline = app::app(cli)?.audit_timeline(&request)?;
    ui.result(&timeline, || {
        let rows: Vec<Vec<String>> = timeline.entries.iter().map(row).collect();
        let totals = format!(
            "{DIM}{} calls of marsh, {} other commands in {} hours{DIM:#}",
            timeline.total_swamp, timeline.total_direct, timeline.hours_analyzed
        );
        match &timeline.message {
            Some(message) => message.clone(),
            None => format!("{}{totals}", columns(&rows)),
        }
    });
    done()
}

/// A hook must not disturb its tool: it prints nothing and always succeeds.
fn record(cli: &Cli, tool: &str) {
    let Ok(app) = app::app(cli) else { return };
    // Kiro passes the event in a variable.
    let prompt = app.settings().environment.raw("USER_PROMPT");
    let mut event = prompt.filter(|prompt| tool == "kiro" && prompt.starts_with('{')).map(str::to_owned);
    if event.is_none() {
        let mut text = String::new();
        let read = std::io::stdin().lock().take(EVENT_LIMIT).read_to_string(&mut text);
        event = read.ok().map(|_| text);
    }
    let Some(event) = event else { return };
    if let Err(error) = app.record_command(tool, &event) {
        tracing::debug!(%error, "the command was not recorded");
    }
}

fn row(entry: &AuditTimelineEntry) -> Vec<String> {
    let status = match entry.status {
        CommandStatus::Success => format!("{GOOD}ok{GOOD:#}"),
        CommandStatus::Error => match entry.exit_code {
            Some(code) => format!("{BAD}failed ({code}){BAD:#}"),
            None => format!("{BAD}failed{BAD:#}"),
        },
    };
    let summary = entry.summary.replace('\n', "\\n");
    let summary = match entry.source {
        CommandSource::Swamp => format!("{NAME}{summary}{NAME:#}"),
        CommandSource::Direct => summary,
    };
    vec![entry.timestamp.clone(), status, summary]
}

pub fn check(cli: &Cli, ui: &Ui, tool: Option<&str>) -> Result<ExitCode, CliError> {
    let checkup = app::app(cli)?.check_audit(tool)?;
    ui.result(&checkup, || {
        let mut lines = Vec::new();
        for check in &checkup.checks {
            let mark = match check.status {
                AuditCheckStatus::Pass => format!("{GOOD}ok{GOOD:#}"),
                AuditCheckStatus::Fail => format!("{BAD}x{BAD:#} "),
                AuditCheckStatus::Skip => format!("{WARN}-{WARN:#} "),
            };
            lines.push(format!("{mark} {}: {}", check.name, check.message));
            lines.extend(check.hint.iter().map(|hint| format!("   {DIM}{hint}{DIM:#}")));
        }
        lines.join("\n")
    });
    if checkup.overall_status == AuditCheckStatus::Fail { failed() } else { done() }
}
