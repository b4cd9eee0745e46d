//! The command line of `marsh extension`.

use clap::{Args, Subcommand};
use marsh_types::{Channel, ExtensionName, ExtensionRef};

use super::SetArgs;
use super::publish::{
    CurateCommand, FormatArgs, PushArgs, QualityArgs, SourceCommand, TrustCommand, VersionArgs,
};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum ExtensionCommand {
    /// Install extensions and their dependencies
    Pull {
        /// @collective/name, @collective/name@VERSION, or with a constraint: '@collective/name@>=2026.01.01.1'
        #[arg(required = true, value_name = "EXTENSION")]
        extensions: Vec<ExtensionRef>,
        /// The channel to take the newest version from: beta, rc or stable
        #[arg(long)]
        channel: Option<Channel>,
        /// Reinstall damaged files, listing local edits before overwriting them
        #[arg(short, long)]
        force: bool,
        /// Install versions without a checksum in the registry, unverified
        #[arg(long)]
        allow_missing_checksum: bool,
        /// Do not ask for confirmation
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        set: SetArgs,
    },
    /// Remove extensions
    #[command(visible_alias = "remove")]
    Rm {
        #[arg(required = true, value_name = "EXTENSION")]
        extensions: Vec<ExtensionName>,
        /// Remove extensions that others need, too
        #[arg(short, long)]
        force: bool,
        /// Do not ask for confirmation
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        set: SetArgs,
    },
    /// Update extensions to the newest version of their channel
    Update {
        #[arg(value_name = "EXTENSION")]
        extensions: Vec<ExtensionName>,
        /// Check for updates without installing them
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        set: SetArgs,
    },
    /// Install the versions of the lockfile
    Install {
        /// Fail if anything has to change
        #[arg(long)]
        frozen: bool,
        /// Verify every byte of the installed trees
        #[arg(long)]
        verify: bool,
        /// An extension, which `pull` installs
        #[arg(hide = true)]
        extension: Option<String>,
        #[command(flatten)]
        set: SetArgs,
    },
    /// List installed extensions
    #[command(visible_alias = "ls")]
    List {
        /// Ask the registry for newer versions
        #[arg(long, overrides_with = "no_check_updates")]
        check_updates: bool,
        /// Do not ask the registry (the default)
        #[arg(long)]
        no_check_updates: bool,
        #[command(flatten)]
        set: SetArgs,
    },
    /// List outdated extensions; exits 1 when there are any
    Outdated {
        #[command(flatten)]
        set: SetArgs,
    },
    /// Show an extension: registry entry and installed version
    Info {
        extension: ExtensionName,
        #[command(flatten)]
        set: SetArgs,
    },
    /// Search a registry
    Search(SearchArgs),
    /// Publish an extension
    Push(PushArgs),
    /// Format and lint an extension's sources with Deno
    ///
    /// Needs `deno` on the PATH. Uses the nearest deno.json of the repository, else Deno's defaults.
    Fmt(FormatArgs),
    /// Judge an extension by the rubric of registries
    ///
    /// Asks no registry and no service. Exits 1 if a row is missing.
    Quality(QualityArgs),
    /// Show the published and the next version
    Version(VersionArgs),
    #[command(flatten)]
    Curate(CurateCommand),
    /// Manage collectives that are installed on demand
    #[command(subcommand)]
    Trust(TrustCommand),
    /// Mount extension sources outside the repository
    #[command(subcommand)]
    Source(SourceCommand),
    /// List the generations of the installed set, newest first
    History {
        /// Show at most N generations
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Return to an earlier installed set; default: the last one
    Rollback {
        generation: Option<u64>,
        #[command(flatten)]
        set: SetArgs,
    },
    /// List unneeded trees of the store; delete with --apply
    Gc {
        /// Delete the listed trees
        #[arg(long)]
        apply: bool,
        /// Generations of each lockfile whose trees are kept
        #[arg(long, value_name = "N", default_value_t = 50)]
        keep: usize,
        #[command(flatten)]
        set: SetArgs,
    },
}

#[derive(Debug, Args)]
pub struct SearchArgs {
    #[arg(default_value = "")]
    pub query: String,
    #[arg(long)]
    pub collective: Option<String>,
    #[arg(long)]
    pub platform: Vec<String>,
    #[arg(long)]
    pub label: Vec<String>,
    #[arg(long)]
    pub content_type: Vec<String>,
    /// Sort by relevance, new, updated or name
    #[arg(long, default_value = "relevance")]
    pub sort: String,
    #[arg(long)]
    pub channel: Vec<Channel>,
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub per_page: u32,
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub page: u32,
    #[command(flatten)]
    pub set: SetArgs,
}
