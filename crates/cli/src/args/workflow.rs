//! Arguments of commands about runs of workflows.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::report::ReportSelectionArgs;
use super::{InputArgs, RunArgs, parse_duration};

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Graph {
    Text,
    Mermaid,
}

impl From<Graph> for marsh_workflow::GraphFormat {
    fn from(graph: Graph) -> marsh_workflow::GraphFormat {
        match graph {
            Graph::Text => marsh_workflow::GraphFormat::Text,
            Graph::Mermaid => marsh_workflow::GraphFormat::Mermaid,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Severity {
    Low,
    Medium,
    High,
}

impl From<Severity> for marsh_workflow::schema::Severity {
    fn from(severity: Severity) -> marsh_workflow::schema::Severity {
        match severity {
            Severity::Low => marsh_workflow::schema::Severity::Low,
            Severity::Medium => marsh_workflow::schema::Severity::Medium,
            Severity::High => marsh_workflow::schema::Severity::High,
        }
    }
}

#[derive(Debug, Args)]
pub struct WorkflowRunArgs {
    /// Name or id
    pub name: String,
    #[command(flatten)]
    pub inputs: InputArgs,
    #[command(flatten)]
    pub run: RunArgs,
    /// Asserts that fail below this severity do not fail the run
    #[arg(long, value_name = "SEVERITY", default_value = "low")]
    pub fail_on: Severity,
    #[command(flatten)]
    pub report: ReportArgs,
    #[command(flatten)]
    pub reports: ReportSelectionArgs,
}

/// How a run is shown.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Print events, one JSON object a line
    #[arg(long)]
    pub events: bool,
    /// Report asserts as JUnit XML
    #[arg(long, conflicts_with_all = ["events"])]
    pub junit: bool,
    /// The file for `--junit`; default: standard output
    #[arg(long, value_name = "FILE", requires = "junit")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The workflow, by name or id
    pub name: String,
    /// The run, by id or the start of it; default: the only one that can be resumed
    #[arg(value_name = "RUN", conflicts_with = "run_flag")]
    pub run_place: Option<String>,
    #[arg(long = "run", value_name = "ID", id = "run_flag")]
    pub run_flag: Option<String>,
    /// Repeat this step and everything after it (`step`, or `job/step`)
    #[arg(long, value_name = "STEP")]
    pub from: Option<String>,
    #[command(flatten)]
    pub inputs: InputArgs,
    #[command(flatten)]
    pub run: RunArgs,
    #[command(flatten)]
    pub report: ReportArgs,
    #[command(flatten)]
    pub reports: ReportSelectionArgs,
}

impl ResumeArgs {
    pub fn run_id(&self) -> Option<&str> {
        self.run_flag.as_deref().or(self.run_place.as_deref())
    }
}

#[derive(Debug, Args)]
pub struct DecideArgs {
    /// The workflow, by name or id
    pub workflow: String,
    /// The step
    pub step: String,
    /// The run, by id or the start of it; default: the only one that waits
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
    /// The reason, stored with the decision
    #[arg(long)]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct CancelArgs {
    /// The workflow, by name or id: its open run
    pub workflow: Option<String>,
    /// The run, by id or the start of it
    #[arg(long, value_name = "ID", conflicts_with = "workflow")]
    pub run: Option<String>,
    /// All open runs
    #[arg(long, conflicts_with = "run")]
    pub all: bool,
    /// The reason, stored with the run
    #[arg(long)]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct RunSearchArgs {
    /// Part of a workflow's name
    pub query: Option<String>,
    /// Runs of this workflow only, by name or id
    #[arg(long, value_name = "NAME")]
    pub workflow: Option<String>,
    /// Runs with this status only
    #[arg(long, value_name = "STATUS", value_parser = ["pending", "running", "suspended", "succeeded", "failed", "cancelled"])]
    pub status: Option<String>,
    /// Runs that started within this time: 30m, 12h, 7d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub since: Option<Duration>,
    /// Runs with this tag
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub tags: Vec<String>,
    /// Runs with this input
    #[arg(long = "input", value_name = "KEY=VALUE")]
    pub inputs: Vec<String>,
    /// The maximum number
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}

#[derive(Debug, Args)]
pub struct SummariseArgs {
    /// How far back: 12h, 7d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "7d")]
    pub since: Duration,
    /// The maximum number of failures
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: usize,
}
