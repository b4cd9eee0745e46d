//! `marsh data …`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::parse_duration;

#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Show a result: metadata and content
    Get {
        /// Name or id of a definition
        model: String,
        name: String,
        #[arg(long)]
        version: Option<u32>,
        /// Only metadata
        #[arg(long)]
        no_content: bool,
    },
    /// List a model's results
    List {
        /// Name or id of a definition
        model: String,
        /// resource, file or report
        #[arg(long = "type", value_name = "KIND")]
        kind: Option<String>,
    },
    /// List the versions of a result
    Versions {
        /// Name or id of a definition
        model: String,
        name: String,
    },
    /// Search all results
    Search(DataSearchArgs),
    /// Find results by a predicate
    #[command(
        after_help = "Example:\n  marsh data query 'modelName == \"disk\" && attributes.usedPercent > 90.0' \
                            --select attributes.path"
    )]
    Query {
        /// A predicate over one record: modelName == "disk" && tags.team == "a"
        predicate: String,
        /// What to show of each record, an expression
        #[arg(long, value_name = "EXPRESSION")]
        select: Option<String>,
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Rename a result; the old name leads to the new one
    Rename {
        /// Name or id of a definition
        model: String,
        old: String,
        #[arg(required_unless_present = "new_name")]
        new: Option<String>,
        #[arg(long, value_name = "NAME", conflicts_with = "new")]
        new_name: Option<String>,
    },
    /// Delete results
    Delete {
        /// Name or id of a definition
        model: String,
        #[arg(required_unless_present_any = ["prefix", "all"])]
        name: Option<String>,
        /// This version only
        #[arg(long, requires = "name")]
        version: Option<u32>,
        /// All results whose names start with this
        #[arg(long, conflicts_with_all = ["name", "all"])]
        prefix: Option<String>,
        /// All of the model
        #[arg(long, conflicts_with = "name")]
        all: bool,
        #[command(flatten)]
        removal: Removal,
    },
    /// Delete expired results and surplus versions
    Gc {
        #[command(flatten)]
        removal: Removal,
    },
    /// Delete results of models without a definition
    Prune {
        #[command(flatten)]
        removal: Removal,
    },
}

#[derive(Debug, Args)]
pub struct Removal {
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask
    #[arg(short, long, visible_short_alias = 'f')]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct DataSearchArgs {
    /// Part of a result's or a model's name
    pub query: Option<String>,
    /// resource, file or report
    #[arg(long = "type", value_name = "KIND")]
    pub kind: Option<String>,
    #[arg(long)]
    pub lifetime: Option<String>,
    #[arg(long)]
    pub owner_type: Option<String>,
    /// Name or id of a workflow
    #[arg(long)]
    pub workflow: Option<String>,
    /// Name or id of a definition
    #[arg(long)]
    pub model: Option<String>,
    #[arg(long)]
    pub content_type: Option<String>,
    /// Written within this time: 30m, 7d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub since: Option<Duration>,
    /// The id of a method run
    #[arg(long, value_name = "ID")]
    pub output: Option<String>,
    /// The id of a workflow run
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
    /// A tag
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub tags: Vec<String>,
    /// Streams only
    #[arg(long)]
    pub streaming: bool,
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub limit: usize,
}
