//! Arguments of `marsh workflow …` and `marsh summarise`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use marsh_api::workflow::RunStatus;
use marsh_app::GraphFormat;

use super::report::ReportSelectionArgs;
use super::{InputArgs, RunArgs, parse_duration};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum WorkflowCommand {
    /// Create a workflow file with one job and one step
    #[command(after_help = "Example:\n  marsh workflow create nightly")]
    Create {
        /// The name of the new workflow
        name: String,
    },
    /// Show a workflow, or its graph
    #[command(
        after_help = "Examples:\n  marsh workflow get nightly\n  marsh workflow get nightly --graph=mermaid > graph.mmd"
    )]
    Get {
        /// The workflow, by name or id
        name: String,
        /// Draw the jobs and steps
        #[arg(long, value_name = "FORMAT", num_args = 0..=1, require_equals = true, default_missing_value = "text")]
        graph: Option<Graph>,
    },
    /// List workflows
    #[command(visible_alias = "list", after_help = "Example:\n  marsh workflow search night")]
    Search {
        /// Part of a name
        query: Option<String>,
    },
    /// Edit a workflow in $EDITOR, or replace it from stdin
    #[command(
        after_help = "Examples:\n  marsh workflow edit nightly\n  marsh workflow edit nightly < workflow.yaml"
    )]
    Edit {
        /// The workflow, by name or id
        name: String,
    },
    /// Delete a workflow and its runs
    #[command(after_help = "Example:\n  marsh workflow delete nightly --yes")]
    Delete {
        /// The workflow, by name or id
        name: String,
        /// Delete without asking
        #[arg(short, long, visible_short_alias = 'f', visible_alias = "force")]
        yes: bool,
    },
    /// Check workflows without running them
    #[command(after_help = "Examples:\n  marsh workflow validate\n  marsh workflow validate nightly --json")]
    Validate {
        /// The workflow, by name or id (default: all workflows)
        name: Option<String>,
    },
    /// Run a workflow
    #[command(
        after_help = "Examples:\n  marsh workflow run nightly\n  marsh workflow run nightly --input region=eu-west-1 --events\n  marsh workflow run checks --fail-on high --junit --out report.xml"
    )]
    Run(Box<WorkflowRunArgs>),
    /// Continue a suspended, abandoned or failed run
    #[command(
        after_help = "Examples:\n  marsh workflow resume nightly\n  marsh workflow resume nightly --run 3fa8 --from deploy"
    )]
    Resume(Box<ResumeArgs>),
    /// Approve a step that waits for an approval
    #[command(after_help = "Example:\n  marsh workflow approve release ship --reason 'tests pass'")]
    Approve(DecideArgs),
    /// Reject a step that waits for an approval
    #[command(after_help = "Example:\n  marsh workflow reject release ship --reason 'wrong branch'")]
    Reject(DecideArgs),
    /// List steps that wait for an approval
    #[command(after_help = "Example:\n  marsh workflow approvals")]
    Approvals,
    /// Cancel runs
    #[command(
        after_help = "Examples:\n  marsh workflow cancel nightly\n  marsh workflow cancel --run 3fa8 --reason 'disk is full'\n  marsh workflow cancel --all"
    )]
    Cancel(CancelArgs),
    /// Print the JSON Schemas of workflow files
    #[command(after_help = "Example:\n  marsh workflow schema --json > workflow.schema.json")]
    Schema {
        #[arg(hide = true, value_parser = ["get"])]
        get: Option<String>,
    },
    /// Show past runs
    #[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
    History(WorkflowHistoryArgs),
}

#[derive(Debug, Args)]
pub struct WorkflowHistoryArgs {
    /// Show this run: three or more digits of its id, or a workflow for its last run
    pub run: Option<String>,
    #[command(subcommand)]
    pub command: Option<HistoryCommand>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum HistoryCommand {
    /// Show the record of a run
    #[command(
        after_help = "Examples:\n  marsh workflow history get nightly\n  marsh workflow history get 3fa8 --json"
    )]
    Get {
        /// The run, by three or more digits of its id, or a workflow for its last run
        run: String,
    },
    /// List runs, newest first
    #[command(
        visible_alias = "list",
        after_help = "Example:\n  marsh workflow history search --status failed --since 7d --input region=eu-west-1"
    )]
    Search(RunSearchArgs),
    /// Print the log of a run
    #[command(after_help = "Example:\n  marsh workflow history logs nightly --tail 20")]
    Logs {
        /// The run, by three or more digits of its id, or a workflow for its last run
        run: String,
        /// Print only the last N lines
        #[arg(long, value_name = "N")]
        tail: Option<usize>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Graph {
    /// A tree for a terminal
    Text,
    /// Mermaid source for a document
    Mermaid,
}

impl From<Graph> for GraphFormat {
    fn from(graph: Graph) -> GraphFormat {
        match graph {
            Graph::Text => GraphFormat::Text,
            Graph::Mermaid => GraphFormat::Mermaid,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Severity {
    Low,
    Medium,
    High,
}

impl From<Severity> for marsh_api::workflow::Severity {
    fn from(severity: Severity) -> marsh_api::workflow::Severity {
        match severity {
            Severity::Low => marsh_api::workflow::Severity::Low,
            Severity::Medium => marsh_api::workflow::Severity::Medium,
            Severity::High => marsh_api::workflow::Severity::High,
        }
    }
}

/// The status of a run, as an argument.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Status {
    Pending,
    Running,
    Suspended,
    Succeeded,
    Failed,
    Cancelled,
}

impl From<Status> for RunStatus {
    fn from(status: Status) -> RunStatus {
        match status {
            Status::Pending => RunStatus::Pending,
            Status::Running => RunStatus::Running,
            Status::Suspended => RunStatus::Suspended,
            Status::Succeeded => RunStatus::Succeeded,
            Status::Failed => RunStatus::Failed,
            Status::Cancelled => RunStatus::Cancelled,
        }
    }
}

/// A `key=value` pair.
fn parse_pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected key=value")?;
    Ok((key.to_owned(), value.to_owned()))
}

#[derive(Debug, Args)]
pub struct WorkflowRunArgs {
    /// The workflow, by name or id
    pub name: String,
    #[command(flatten)]
    pub inputs: InputArgs,
    #[command(flatten)]
    pub run: RunArgs,
    /// Fail the run only for asserts of this severity or above
    #[arg(long, value_name = "SEVERITY", default_value = "low")]
    pub fail_on: Severity,
    #[command(flatten)]
    pub report: ReportArgs,
    #[command(flatten)]
    pub reports: ReportSelectionArgs,
}

// How a command reports a run.
// A `///` comment here would become the help text of each of these commands.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Print each event as one line of JSON
    #[arg(long)]
    pub events: bool,
    /// Report asserts as JUnit XML
    #[arg(long, conflicts_with_all = ["events"])]
    pub junit: bool,
    /// Write the JUnit report to FILE (default: standard output)
    #[arg(long, value_name = "FILE", requires = "junit")]
    pub out: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// The workflow, by name or id
    pub name: String,
    /// The run, by the start of its id (default: the only run that can be resumed)
    #[arg(value_name = "RUN", conflicts_with = "run_flag")]
    pub run_place: Option<String>,
    /// The same as RUN
    #[arg(long = "run", value_name = "ID", id = "run_flag")]
    pub run_flag: Option<String>,
    /// Repeat this step and every step after it (`step` or `job/step`)
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
    /// The run that the user named.
    pub fn run_id(&self) -> Option<&str> {
        self.run_flag.as_deref().or(self.run_place.as_deref())
    }
}

#[derive(Debug, Args)]
pub struct DecideArgs {
    /// The workflow, by name or id
    pub workflow: String,
    /// The step that waits (`step` or `job/step`)
    pub step: String,
    /// The run, by the start of its id (default: the only run that waits)
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
    /// Record this reason with the decision
    #[arg(long)]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct CancelArgs {
    /// The workflow, by name or id
    pub workflow: Option<String>,
    /// The run, by the start of its id
    #[arg(long, value_name = "ID", conflicts_with = "workflow")]
    pub run: Option<String>,
    /// Cancel every open run
    #[arg(long, conflicts_with = "run")]
    pub all: bool,
    /// Record this reason with the run
    #[arg(long)]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct RunSearchArgs {
    /// Part of a workflow's name
    pub query: Option<String>,
    /// Show only runs of this workflow, by name or id
    #[arg(long, value_name = "NAME")]
    pub workflow: Option<String>,
    /// Show only runs with this status
    #[arg(long, value_name = "STATUS")]
    pub status: Option<Status>,
    /// Show only runs that started within this time: 30m, 12h, 7d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub since: Option<Duration>,
    /// Show only runs with this tag
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub tags: Vec<(String, String)>,
    /// Show only runs with this input
    #[arg(long = "input", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub inputs: Vec<(String, String)>,
    /// Show at most N runs
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  marsh summarise --since 24h")]
pub struct SummariseArgs {
    /// The period: 12h, 7d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "7d")]
    pub since: Duration,
    /// Show at most N failures
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub limit: usize,
}
