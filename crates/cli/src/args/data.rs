//! `marsh data …`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{parse_duration, parse_pair};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum DataCommand {
    /// Show a result: metadata and content
    Get {
        #[command(flatten)]
        datum: DatumArgs,
        #[command(flatten)]
        run: DataRunArgs,
        /// Show this version instead of the newest
        #[arg(long, value_name = "N")]
        version: Option<u32>,
        /// Show metadata only
        #[arg(long)]
        no_content: bool,
    },
    /// List the results of a model or of a workflow run
    List {
        /// Name or id of the model
        model: Option<String>,
        /// The same as MODEL
        #[arg(long = "model", id = "model_flag", value_name = "MODEL")]
        model_flag: Option<String>,
        #[command(flatten)]
        run: DataRunArgs,
        /// List results of this kind only: resource, file or report
        #[arg(long = "type", value_name = "KIND")]
        kind: Option<String>,
    },
    /// List the versions of a result
    Versions {
        #[command(flatten)]
        datum: DatumArgs,
    },
    /// Search the results of all models
    Search(DataSearchArgs),
    /// Query the results of all models with a predicate
    ///
    /// Without a predicate, lists the newest version of every result, at most 50 unless `--limit` says otherwise.
    #[command(after_help = "Examples:\n  \
        marsh data query 'modelName == \"disk\" && attributes.usedPercent > 90.0'\n  \
        marsh data query 'tags.team == \"storage\"' --select attributes.path")]
    Query {
        /// Predicate over one record, a CEL expression (default: every newest version)
        predicate: Option<String>,
        /// Print the value of this expression for each record
        #[arg(long, value_name = "EXPRESSION")]
        select: Option<String>,
        /// Return at most this many records
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Rename a result; the old name leads to the new one
    Rename {
        #[command(flatten)]
        datum: DatumArgs,
        /// New name of the result
        new: Option<String>,
        /// The same as NEW
        #[arg(long, value_name = "NEW")]
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

// A result of a model. The flags win over the places, each over its own: places do not shift.
// A `///` comment here would become the help text of each of these commands.
#[derive(Debug, Args)]
pub struct DatumArgs {
    /// Name or id of the model
    pub model: Option<String>,
    /// Name of the result
    pub name: Option<String>,
    /// The same as MODEL
    #[arg(long = "model", id = "model_flag", value_name = "MODEL")]
    pub model_flag: Option<String>,
    /// The same as NAME
    #[arg(long = "name", id = "name_flag", value_name = "NAME")]
    pub name_flag: Option<String>,
}

impl DatumArgs {
    /// The model that the user named.
    pub fn model(&self) -> Option<&str> {
        self.model_flag.as_deref().or(self.model.as_deref())
    }

    /// The result that the user named.
    pub fn name(&self) -> Option<&str> {
        self.name_flag.as_deref().or(self.name.as_deref())
    }
}

// A workflow run whose results are meant.
// A `///` comment here would become the help text of each of these commands.
#[derive(Debug, Args)]
pub struct DataRunArgs {
    /// Look only at what the last run of this workflow wrote
    #[arg(long, value_name = "WORKFLOW")]
    pub workflow: Option<String>,
    /// Look only at what this workflow run wrote, by the start of its id
    #[arg(long, value_name = "ID")]
    pub run: Option<String>,
}

#[derive(Debug, Args)]
pub struct DataDeleteArgs {
    #[command(flatten)]
    pub datum: DatumArgs,
    /// Delete this version only
    #[arg(long, conflicts_with_all = ["prefix", "all"], value_name = "N")]
    pub version: Option<u32>,
    /// Delete all results whose names begin with this text
    #[arg(long, conflicts_with_all = ["name", "name_flag", "all"])]
    pub prefix: Option<String>,
    /// Delete all results of the model
    #[arg(long, conflicts_with_all = ["name", "name_flag"])]
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
    #[arg(short, long, visible_short_alias = 'f', visible_alias = "force")]
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
