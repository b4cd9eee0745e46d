//! `marsh data …`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{parse_duration, parse_pair};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum DataCommand {
    /// Show a result: metadata and content
    Get {
        /// Name or id of the model
        model: String,
        /// Name of the result
        name: String,
        /// Show this version instead of the newest
        #[arg(long, value_name = "N")]
        version: Option<u32>,
        /// Show metadata only
        #[arg(long)]
        no_content: bool,
    },
    /// List the results of a model
    List {
        /// Name or id of the model
        model: String,
        /// List results of this kind only: resource, file or report
        #[arg(long = "type", value_name = "KIND")]
        kind: Option<String>,
    },
    /// List the versions of a result
    Versions {
        /// Name or id of the model
        model: String,
        /// Name of the result
        name: String,
    },
    /// Search the results of all models
    Search(DataSearchArgs),
    /// Query the results of all models with a predicate
    #[command(after_help = "Examples:\n  \
        marsh data query 'modelName == \"disk\" && attributes.usedPercent > 90.0'\n  \
        marsh data query 'tags.team == \"storage\"' --select attributes.path")]
    Query {
        /// Predicate over one record, a CEL expression
        predicate: String,
        /// Print the value of this expression for each record
        #[arg(long, value_name = "EXPRESSION")]
        select: Option<String>,
        /// Return at most this many records
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Rename a result; the old name leads to the new one
    Rename {
        /// Name or id of the model
        model: String,
        /// Current name of the result
        old: String,
        /// New name of the result
        #[arg(required_unless_present = "new_name")]
        new: Option<String>,
        /// New name of the result
        #[arg(long, value_name = "NAME", conflicts_with = "new")]
        new_name: Option<String>,
    },
    /// Delete results of a model, or one version
    Delete(DataDeleteArgs),
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
pub struct DataDeleteArgs {
    /// Name or id of the model
    pub model: String,
    /// Name of the result
    #[arg(required_unless_present_any = ["prefix", "all"])]
    pub name: Option<String>,
    /// Delete this version only
    #[arg(long, requires = "name", value_name = "N")]
    pub version: Option<u32>,
    /// Delete all results whose names begin with this text
    #[arg(long, conflicts_with_all = ["name", "all"])]
    pub prefix: Option<String>,
    /// Delete all results of the model
    #[arg(long, conflicts_with = "name")]
    pub all: bool,
    #[command(flatten)]
    pub removal: Removal,
}

#[derive(Debug, Args)]
pub struct Removal {
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask for confirmation
    #[arg(short, long, visible_short_alias = 'f')]
    pub yes: bool,
}

#[derive(Debug, Args)]
pub struct DataSearchArgs {
    /// Text that the name of the result or of its model contains
    pub query: Option<String>,
    /// Kind: resource, file or report
    #[arg(long = "type", value_name = "KIND")]
    pub kind: Option<String>,
    /// Lifetime as the type declares it: infinite, workflow, 30d
    #[arg(long)]
    pub lifetime: Option<String>,
    /// Kind of writer: model-method
    #[arg(long, value_name = "TYPE")]
    pub owner_type: Option<String>,
    /// Name or id of the workflow that wrote the result
    #[arg(long)]
    pub workflow: Option<String>,
    /// Name or id of the model
    #[arg(long)]
    pub model: Option<String>,
    /// Media type: application/json
    #[arg(long, value_name = "TYPE")]
    pub content_type: Option<String>,
    /// Written within this time: 30m, 7d
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub since: Option<Duration>,
    /// Id of the method run that wrote the result
    #[arg(long, value_name = "ID")]
    pub output: Option<String>,
    /// Id of the workflow run that wrote the result
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
    /// Tag of the result; may be given several times
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub tags: Vec<(String, String)>,
    /// Show only streams
    #[arg(long)]
    pub streaming: bool,
    /// Return at most this many results
    #[arg(long, default_value_t = 50, value_name = "N")]
    pub limit: usize,
}
