//! Arguments of `marsh workflow …` and `marsh summarise`.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::{Args, Subcommand, ValueEnum};
use marsh_api::workflow::RunStatus;
use marsh_app::GraphFormat;

use super::report::ReportSelectionArgs;
use super::{InputArgs, RunArgs, parse_duration};
use crate::persona::{Persona, UnknownStatus};

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
    /// Write the evaluated copies of workflows
    ///
    /// Puts the values of inputs into the expressions of a workflow and writes the copy that `workflow run --last-evaluated`
    /// runs. Expressions that use data, a vault, the environment or an input without a value stay as written.
    #[command(
        after_help = "Examples:\n  marsh workflow evaluate nightly --input region=eu-west-1\n  marsh workflow evaluate --all --json"
    )]
    Evaluate(Box<EvaluateArgs>),
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
    /// Change when a server starts a workflow
    #[command(subcommand, arg_required_else_help = true)]
    Trigger(TriggerCommand),
    /// Show past runs
    #[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
    History(WorkflowHistoryArgs),
}

#[derive(Debug, Args)]
pub struct EvaluateArgs {
    /// The workflow, by name or id (default: all workflows)
    #[arg(conflicts_with = "all")]
    pub name: Option<String>,
    /// Evaluate all workflows
    #[arg(long)]
    pub all: bool,
    /// An input: key=value, a.b=value, key:json=…, key=@file, or one JSON object
    #[arg(short, long = "input", visible_alias = "arg", value_name = "KEY=VALUE")]
    pub input: Vec<String>,
    /// A YAML or JSON file of inputs; `--input` wins over it
    #[arg(long, value_name = "FILE")]
    pub input_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum TriggerCommand {
    /// Set a schedule in place of the workflow's own
    ///
    /// Writes `triggers` of .swamp/serve.yaml. A running server reads the change by itself.
    #[command(
        after_help = "Example:\n  marsh workflow trigger set nightly --schedule '0 3 * * *' --input region=eu-west-1"
    )]
    Set {
        /// The name of the workflow
        workflow: String,
        /// When: a cron expression of five or six fields
        #[arg(long, value_name = "CRON")]
        schedule: String,
        /// An input of the runs, in place of the workflow's own of that name
        #[arg(long = "input", value_name = "KEY=VALUE", value_parser = parse_pair)]
        inputs: Vec<(String, String)>,
    },
    /// Show when a server starts a workflow, and with which inputs
    #[command(after_help = "Example:\n  marsh workflow trigger get nightly --json")]
    Get {
        /// The name of the workflow
        workflow: String,
    },
    /// Return to the workflow's own schedule
    #[command(after_help = "Example:\n  marsh workflow trigger remove nightly")]
    Remove {
        /// The name of the workflow
        workflow: String,
    },
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

/// The runs that `--status` selects.
#[derive(Debug, Clone, Copy)]
pub enum StatusFilter {
    Is(RunStatus),
    /// A status that no run can have.
    Nothing,
}

/// Reads `--status` as the persona does.
#[derive(Debug, Clone)]
struct StatusParser;

impl TypedValueParser for StatusParser {
    type Value = StatusFilter;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<StatusFilter, clap::Error> {
        match EnumValueParser::<Status>::new().parse_ref(command, argument, value) {
            Ok(status) => Ok(StatusFilter::Is(status.into())),
            Err(_) if Persona::current().unknown_status == UnknownStatus::SelectsNothing => {
                Ok(StatusFilter::Nothing)
            }
            Err(error) => Err(error),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Status::value_variants().iter().filter_map(ValueEnum::to_possible_value)))
    }
}

/// The status of a run, as an argument.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Status {
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
    /// Run the copy that `workflow evaluate` or the last run wrote
    #[arg(long)]
    pub last_evaluated: bool,
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
    #[arg(long, value_name = "STATUS", value_parser = StatusParser)]
    pub status: Option<StatusFilter>,
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
