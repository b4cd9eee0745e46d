//! The command line, as data.

pub mod agent;
pub mod audit;
pub mod auth;
pub mod completions;
pub mod data;
pub mod datastore;
pub mod doctor;
pub mod engine;
pub mod examples;
pub mod extension;
mod global;
mod output;
pub mod preferences;
pub mod publish;
pub mod registry;
pub mod report;
pub mod run;
mod run_options;
pub mod serve;
mod set;
pub mod vault;
mod workflow;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

use crate::unsupported::Words;

pub use data::DataCommand;
pub use doctor::DoctorCommand;
pub use extension::{ExtensionCommand, SearchArgs};
pub use global::Global;
pub use output::{HistoryArgs, MethodHistoryCommand, ModelCancelArgs, OutputArgs, OutputCommand};
pub use run_options::RunArgs;
pub use set::SetArgs;
pub use workflow::{
    CancelArgs, DecideArgs, EvaluateArgs, HistoryCommand, ReportArgs, ResumeArgs, RunSearchArgs,
    StatusFilter, SummariseArgs, TriggerCommand, WorkflowCommand, WorkflowHistoryArgs, WorkflowRunArgs,
};

#[derive(Debug, Parser)]
#[command(
    name = "marsh",
    version,
    about = "Run TypeScript automation extensions, and workflows over them",
    long_about = "marsh runs TypeScript models and workflows over them: one binary, no Deno and no Node to install.\n\n\
        A repository holds definitions (`models/`), workflows (`workflows/`) and extension sources (`extensions/`); \
        `marsh init` creates one.",
    after_help = "Start here:\n  \
        marsh init                                        create a repository in this directory\n  \
        marsh model type search                           list the available types\n  \
        marsh model create <type> <name>                  create a definition\n  \
        marsh model method run <name> <method>            run a method\n  \
        marsh workflow run <name>                         run a workflow\n\n\
        `marsh help` prints all commands, arguments and options as JSON.\n\n\
        Exit codes: 0 done, 1 failed, 2 usage, 75 locked by another process, 130 interrupted",
    disable_help_subcommand = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

impl Cli {
    /// Every command with everything below it. A command line builds only the commands that it names: the tree is large,
    /// and each process would pay for all of it.
    pub fn tree() -> clap::Command {
        let program = <Self as clap::CommandFactory>::command();
        let mut command = crate::persona::Persona::current().command(program);
        command.build();
        command
    }
}

impl Command {
    /// How long one module may take to load, where the command bounds it.
    pub fn load_timeout(&self) -> Option<Duration> {
        match self {
            Command::Model(ModelCommand::Method(MethodCommand::Run(arguments))) => arguments.run.timeout,
            Command::Workflow(WorkflowCommand::Run(arguments)) => arguments.run.timeout,
            Command::Workflow(WorkflowCommand::Resume(arguments)) => arguments.run.timeout,
            Command::Serve(arguments) => arguments.load_timeout,
            _ => None,
        }
    }
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum Command {
    /// Create a repository in a directory
    Init(InitArgs),
    /// Manage repositories
    #[command(subcommand)]
    Repo(RepoCommand),
    /// Describe further AI tools for `init --tool`
    #[command(subcommand)]
    Agent(agent::AgentCommand),
    /// Manage definitions and types; run methods
    #[command(subcommand)]
    Model(ModelCommand),
    /// List, show and run reports
    #[command(subcommand)]
    Report(report::ReportCommand),
    /// Query, show and delete results
    #[command(subcommand)]
    Data(DataCommand),
    /// Manage external datastores
    #[command(subcommand)]
    Datastore(datastore::DatastoreCommand),
    /// Manage vaults and their secrets
    #[command(subcommand)]
    Vault(vault::VaultCommand),
    /// Create, run and inspect workflows
    #[command(subcommand)]
    Workflow(WorkflowCommand),
    /// List runs, find abandoned ones, delete old records
    #[command(subcommand)]
    Run(run::RunCommand),
    /// Summarise recent runs and open approvals
    #[command(visible_alias = "summarize")]
    Summarise(SummariseArgs),
    /// Install, update, remove and publish extensions
    #[command(subcommand)]
    Extension(ExtensionCommand),
    /// Manage the engines that run extension code
    #[command(subcommand)]
    Engine(engine::EngineCommand),
    /// Create and serve registries
    #[command(subcommand)]
    Registry(registry::RegistryCommand),
    /// Check extensions, data, secrets and setup for problems
    #[command(subcommand)]
    Doctor(DoctorCommand),
    /// List the commands that AI tools ran
    Audit(audit::AuditArgs),
    /// Log in to registries and servers
    #[command(subcommand)]
    Auth(auth::AuthCommand),
    /// Show and change the user's settings
    #[command(subcommand)]
    Config(preferences::ConfigCommand),
    /// Check for a newer version
    Update(preferences::UpdateArgs),
    /// Say where sources and documentation are
    #[command(subcommand)]
    Source(preferences::SourceCommand),
    /// Run a server: schedules, webhooks, hot reload
    Serve(serve::ServeArgs),
    /// Print the JSON Schemas of all documents
    Schema {
        /// The document, e.g. method-run; default: list all
        name: Option<String>,
        /// Print all schemas, as one object by document
        #[arg(long, conflicts_with = "name")]
        all: bool,
    },
    /// Print the version
    Version,
    /// Print commands, arguments and options as JSON
    #[command(hide = true)]
    Help {
        /// The words of a command; default: the whole program
        #[arg(value_name = "COMMAND", trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Print a completion script for a shell
    #[command(subcommand)]
    Completions(completions::CompletionsCommand),
    /// Statistics of use, which marsh does not collect
    #[command(hide = true, subcommand)]
    Telemetry(TelemetryCommand),
    /// Users and their rights on a server; not supported
    #[command(hide = true)]
    Access(Words),
    /// Remote workers; not supported
    #[command(hide = true)]
    Worker(Words),
    /// An issue tracker; not supported
    #[command(hide = true)]
    Issue(Words),
    /// Progress of an account; not supported
    #[command(hide = true)]
    Quest(Words),
}

#[derive(Debug, Subcommand)]
pub enum TelemetryCommand {
    /// Say that there are none
    Stats {
        /// How many days to count
        #[arg(long, default_value_t = 2, value_name = "N")]
        days: u32,
    },
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum RepoCommand {
    /// Create a repository in a directory
    Init(InitArgs),
    /// Bring a repository of a former layout to the present one
    ///
    /// Moves definitions, workflows and vaults out of .swamp, removes the links to them, writes the files of AI tools again,
    /// and installs the extensions of the lockfile. Run again, it changes nothing.
    Upgrade(UpgradeArgs),
}

#[derive(Debug, Args)]
pub struct UpgradeArgs {
    /// The repository; default: the current directory
    pub path: Option<PathBuf>,
    /// An AI tool to set up; `none` clears the list; may be given several times (default: as before)
    #[arg(short, long, value_name = "NAME")]
    pub tool: Vec<String>,
    /// Keep the managed section of .gitignore
    #[arg(long)]
    pub include_gitignore: bool,
}

#[derive(Debug, Args)]
pub struct InitArgs {
    /// The directory; default: the current one
    pub path: Option<PathBuf>,
    /// Write marker and directories again; the repository keeps its id
    #[arg(short, long)]
    pub force: bool,
    /// An AI tool to set up: claude, cursor, opencode, codex, copilot, kiro, one of `agent list`, or none; may be given
    /// several times (default: claude)
    #[arg(short, long, value_name = "NAME")]
    pub tool: Vec<String>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum ModelCommand {
    /// Create a definition of a type
    Create {
        /// The type, e.g. command/shell
        #[arg(value_name = "TYPE")]
        type_name: String,
        name: String,
        /// A global argument: key=value, a.b=value, key:json=…, key=@file
        #[arg(long = "global-arg", value_name = "KEY=VALUE")]
        global_args: Vec<String>,
    },
    /// Show a definition
    Get {
        /// Name or id
        name: String,
    },
    /// List definitions
    #[command(visible_alias = "list")]
    Search {
        /// Part of a name or type
        query: Option<String>,
        /// List definitions that runs made, and those of internal types, too
        #[arg(long)]
        all: bool,
    },
    /// Edit a definition in $EDITOR or from standard input
    Edit {
        /// Name or id
        name: String,
    },
    /// Delete a definition
    Delete {
        /// Name or id
        name: String,
        /// Delete its data too
        #[arg(short, long)]
        force: bool,
        /// Do not ask for confirmation
        #[arg(short, long)]
        yes: bool,
    },
    /// Write the evaluated copies of definitions
    ///
    /// Evaluates the expressions of a definition and writes the copy that `--last-evaluated` uses. Expressions that use a
    /// vault, the environment or an input that has no value stay as written.
    Evaluate {
        /// Name or id; default: all
        #[arg(conflicts_with = "all")]
        name: Option<String>,
        /// Evaluate all definitions
        #[arg(long)]
        all: bool,
    },
    /// Check definitions, and run their pre-flight checks
    Validate {
        /// Name or id; default: all
        name: Option<String>,
        /// Run only checks with this label; may be given several times
        #[arg(long = "label", value_name = "LABEL")]
        labels: Vec<String>,
        /// Run only checks that precede this method
        #[arg(long, value_name = "METHOD")]
        method: Option<String>,
    },
    /// Cancel a running method; its run leaves a record
    #[command(arg_required_else_help = true)]
    Cancel(ModelCancelArgs),
    /// List and describe types
    #[command(subcommand)]
    Type(TypeCommand),
    /// Run and describe methods
    #[command(subcommand)]
    Method(MethodCommand),
    /// Show records of method runs
    #[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
    Output(OutputArgs),
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum TypeCommand {
    /// List all types
    #[command(visible_alias = "list")]
    Search {
        /// Part of a type's name
        query: Option<String>,
    },
    /// Show a type's methods, arguments and outputs as JSON Schema
    #[command(visible_alias = "get")]
    Describe {
        #[arg(value_name = "TYPE")]
        type_name: String,
        /// Names and types only
        #[arg(long)]
        compact: bool,
    },
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum MethodCommand {
    /// Run a method
    Run(Box<MethodRunArgs>),
    /// Show one method's arguments
    Describe {
        /// Name or id of a definition
        name: String,
        /// The method's name
        method: String,
    },
    /// Show past runs of methods
    #[command(args_conflicts_with_subcommands = true, arg_required_else_help = true)]
    History(HistoryArgs),
}

#[derive(Debug, Args)]
pub struct MethodRunArgs {
    /// Name or id of a definition, or @type
    pub target: String,
    /// The method's name
    pub method: String,
    /// The definition's name when the target is a type; made if there is none
    pub name: Option<String>,
    #[command(flatten)]
    pub inputs: InputArgs,
    #[command(flatten)]
    pub run: RunArgs,
    /// Reuse the arguments that the last run evaluated
    #[arg(long)]
    pub last_evaluated: bool,
    #[command(flatten)]
    pub reports: report::ReportSelectionArgs,
}

#[derive(Debug, Args)]
pub struct InputArgs {
    /// An input: key=value, a.b=value, key:json=…, key=@file, or one JSON object
    #[arg(short, long = "input", visible_alias = "arg", value_name = "KEY=VALUE")]
    pub input: Vec<String>,
    /// A YAML or JSON file of inputs; `--input` wins over it
    #[arg(long, value_name = "FILE", conflicts_with = "stdin")]
    pub input_file: Option<PathBuf>,
    /// Read inputs from standard input: a JSON object, an array or lines of objects (one run each), or YAML
    #[arg(long)]
    pub stdin: bool,
}

/// `30`, `30s`, `500ms`, `5m`, `1h`, `7d`, `2w`, `1mo`, `1y`; a bare number is seconds.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| format!("invalid duration `{text}`; try 30s, 5m or 1h"))?;
    let millis = match unit {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 7 * 86_400_000,
        "mo" => 30 * 86_400_000,
        "y" => 365 * 86_400_000,
        _ => return Err(format!("unknown unit `{unit}`; use ms, s, m, h, d, w, mo or y")),
    };
    match number.checked_mul(millis) {
        Some(0) | None => Err(format!("`{text}` is out of range")),
        Some(millis) => Ok(Duration::from_millis(millis)),
    }
}

/// `key=value`, for tags and labels.
pub fn parse_pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::{Path, PathBuf};
    use std::time::Duration;

    use marsh_api::schema::DOCUMENTS;

    use super::{Cli, parse_duration};

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::tree().debug_assert();
    }

    /// The words of every command that prints something, and of its visible aliases, each with the command's.
    fn leaves(command: &clap::Command, words: &str, found: &mut BTreeMap<String, String>) {
        let canonical = format!("{words} {}", command.get_name()).trim().to_owned();
        let mut below = command.get_subcommands().filter(|command| !command.is_hide_set()).peekable();
        if below.peek().is_none() || !command.is_subcommand_required_set() {
            for name in std::iter::once(command.get_name()).chain(command.get_visible_aliases()) {
                found.insert(format!("{words} {name}").trim().to_owned(), canonical.clone());
            }
        }
        below.for_each(|command| leaves(command, &canonical, found));
    }

    #[test]
    fn every_command_has_a_document() {
        let mut commands = BTreeMap::new();
        let is_there = |command: &&clap::Command| !crate::unsupported::COMMANDS.contains(&command.get_name());
        for command in Cli::tree().get_subcommands().filter(is_there) {
            leaves(command, "", &mut commands);
        }
        let (commands, aliases): (BTreeMap<_, _>, BTreeMap<_, _>) =
            commands.iter().partition(|(name, canonical)| name == canonical);
        // `rewrite.rs` makes one of them, not clap.
        let known: BTreeMap<_, _> = marsh_testkit::ALIASES
            .iter()
            .copied()
            .filter(|(alias, _)| *alias != "workflow run search")
            .collect();
        let aliases: BTreeMap<_, _> = aliases.iter().map(|(name, of)| (name.as_str(), of.as_str())).collect();
        assert_eq!(aliases, known);
        let commands: BTreeSet<&str> = commands.keys().map(|name| name.as_str()).collect();
        let printed: Vec<String> = DOCUMENTS
            .iter()
            .flat_map(|document| document.commands)
            .map(|command| marsh_testkit::command_words(command).join(" "))
            .collect();
        let printed: BTreeSet<&str> = printed.iter().map(String::as_str).collect();
        let without: Vec<&str> = commands.difference(&printed).copied().collect();
        assert_eq!(without, marsh_testkit::WITHOUT_DOCUMENT);
        let unknown: Vec<&str> = printed.difference(&commands).copied().collect();
        assert_eq!(unknown, [""; 0], "the table names commands that do not exist");
    }

    /// The commands in backticks below a directory, with the files that name them.
    fn named_commands(dir: &Path, found: &mut Vec<(PathBuf, String)>) {
        for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            let is_text = path.extension().is_some_and(|extension| extension == "rs" || extension == "md");
            if path.is_dir() {
                named_commands(&path, found);
            } else if is_text {
                let text = std::fs::read_to_string(&path).unwrap();
                // A line that ends with `\` goes on in the next one.
                let joined = text.replace("\\\n", "\n").split_whitespace().collect::<Vec<_>>().join(" ");
                let quoted = joined.split('`').skip(1).step_by(2);
                let commands = quoted.filter_map(|text| text.strip_prefix("marsh ").map(str::to_owned));
                found.extend(commands.map(|command| (path.clone(), command)));
            }
        }
    }

    /// A hint names a command that works; clap knows which exist.
    #[test]
    fn commands_that_messages_and_documents_name_exist() {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut named = Vec::new();
        named_commands(crates, &mut named);
        named_commands(&crates.parent().unwrap().join("docs"), &mut named);
        assert!(named.len() > 100, "{}", named.len());
        let mut unknown = Vec::new();
        for (path, text) in named {
            let mut command = Cli::tree();
            for word in text.split(' ').filter(|word| !word.starts_with('-')) {
                // What follows the last subcommand is an argument, and a placeholder or a list ends the words.
                if !command.has_subcommands() || !word.chars().all(|c| c.is_ascii_lowercase() || c == '-') {
                    break;
                }
                match command.find_subcommand(word) {
                    Some(found) => command = found.clone(),
                    None => {
                        unknown.push(format!("{}: marsh {text}", path.display()));
                        break;
                    }
                }
            }
        }
        assert_eq!(unknown, [""; 0]);
    }

    #[test]
    fn durations() {
        assert_eq!(parse_duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("1mo"), Ok(Duration::from_secs(30 * 86_400)));
        for bad in ["", "s", "5x", "-1", "0", "99999999999999999999", "18446744073709551615y"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
