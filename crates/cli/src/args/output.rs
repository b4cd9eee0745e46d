//! Arguments of commands about method runs: `marsh model output …`, `marsh model method history …`, `marsh model cancel`.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct ModelCancelArgs {
    /// Name or id of a definition, or the start of the id of a run
    #[arg(required_unless_present = "all")]
    pub name: Option<String>,
    /// Cancel every running method
    #[arg(long, conflicts_with = "name")]
    pub all: bool,
    /// Record this reason with the run
    #[arg(long)]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Show this run: its id, at least three digits of it, or a model (its last run)
    pub output: Option<String>,
    #[command(subcommand)]
    pub command: Option<MethodHistoryCommand>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum MethodHistoryCommand {
    /// Show the record of a run
    Get {
        /// Its id, at least three digits of it, or a model (its last run)
        output: String,
    },
    /// List runs, newest first
    #[command(visible_alias = "list")]
    Search {
        /// Part of a model's name, a type or a method
        query: Option<String>,
    },
    /// Print the log of a run
    Logs {
        /// Its id, at least three digits of it, or a model (its last run)
        output: String,
        /// The last lines only
        #[arg(long, value_name = "N")]
        tail: Option<usize>,
    },
}

#[derive(Debug, Args)]
pub struct OutputArgs {
    /// Show this run: its id, at least three digits of it, or a model (its last run)
    pub output: Option<String>,
    #[command(subcommand)]
    pub command: Option<OutputCommand>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum OutputCommand {
    /// Show the record of a run
    Get {
        /// Its id, at least three digits of it, or a model (its last run)
        output: String,
    },
    /// List runs, newest first
    #[command(visible_alias = "list")]
    Search {
        /// Part of a model's name, a type or a method
        query: Option<String>,
    },
    /// Print the log of a run
    Logs {
        /// Its id, at least three digits of it, or a model (its last run)
        output: String,
        /// The last lines only
        #[arg(long, value_name = "N")]
        tail: Option<usize>,
    },
    /// Print what a run wrote, or one field of it
    Data {
        /// Its id, at least three digits of it, or a model (its last run)
        output: String,
        /// The result; default: the first one that a report did not make
        #[arg(long, value_name = "RESULT")]
        name: Option<String>,
        /// Print only the value of this key
        #[arg(long, value_name = "KEY")]
        field: Option<String>,
    },
}
