//! The command line of `marsh extension`, `marsh registry` and `marsh doctor`.

use std::time::Duration;

use clap::{Args, Subcommand};
use marsh_types::{Channel, ExtensionName, ExtensionRef};

use super::parse_duration;
use super::publish::{CurateCommand, PushArgs, SourceCommand, TrustCommand, VersionArgs};

/// What every command that asks a registry or changes the installed set takes.
#[derive(Debug, Args, Clone, Default)]
pub struct SetArgs {
    /// The registry: a URL, or the directory of one [env: MARSH_REGISTRY]
    #[arg(long, value_name = "LOCATION")]
    pub registry: Option<String>,
    /// Use only what is in the cache, and registries that are directories [env: MARSH_OFFLINE]
    #[arg(long)]
    pub offline: bool,
    /// How long to wait while another process changes the installed set (default: 1m)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub lock_timeout: Option<Duration>,
}

#[derive(Debug, Subcommand)]
pub enum ExtensionCommand {
    /// Install extensions, with what they need
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
        /// Do not ask
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
        /// Remove what others need, too, and leave those without
        #[arg(short, long)]
        force: bool,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        #[command(flatten)]
        set: SetArgs,
    },
    /// Bring extensions to the newest version of their channel; default: all of them
    Update {
        #[arg(value_name = "EXTENSION")]
        extensions: Vec<ExtensionName>,
        /// Only look
        #[arg(long)]
        check: bool,
        #[command(flatten)]
        set: SetArgs,
    },
    /// Restore what the lockfile names
    Install {
        /// Fail when anything would have to change
        #[arg(long)]
        frozen: bool,
        /// Verify every byte of the installed trees
        #[arg(long)]
        verify: bool,
        #[command(flatten)]
        set: SetArgs,
    },
    /// List what is installed
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
    /// Show what is newer in the registry; exits 1 when something is
    Outdated {
        #[command(flatten)]
        set: SetArgs,
    },
    /// Show what a registry says of an extension, and what is installed of it
    Info {
        extension: ExtensionName,
        #[command(flatten)]
        set: SetArgs,
    },
    /// Search a registry
    Search(SearchArgs),
    /// Publish an extension
    Push(PushArgs),
    /// Show the published version of an extension, and what the next one would be
    Version(VersionArgs),
    #[command(flatten)]
    Curate(CurateCommand),
    /// Whose extensions may be installed without being asked for
    #[command(subcommand)]
    Trust(TrustCommand),
    /// Directories of extension sources outside of the repository
    #[command(subcommand)]
    Source(SourceCommand),
    /// List the generations of the installed set, newest first
    History {
        /// The newest N only
        #[arg(long, value_name = "N")]
        limit: Option<usize>,
    },
    /// Go back to an earlier generation of the installed set; default: the one before
    Rollback {
        generation: Option<u64>,
        #[command(flatten)]
        set: SetArgs,
    },
    /// Show what of the store nothing needs; remove it with --apply
    Gc {
        /// Remove it
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
    /// relevance, new, updated or name
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

#[derive(Debug, Subcommand)]
pub enum DoctorCommand {
    /// Ask the datastore whether all is well
    Datastores,
    /// Look at installed extensions: trees, views, types, dependencies. Without --repair, changes nothing
    Extensions {
        /// Look at every byte of every tree
        #[arg(long)]
        verify: bool,
        /// Restore trees that are missing or edited, and make everything anew that is derived from them
        #[arg(long)]
        repair: bool,
        #[command(flatten)]
        set: SetArgs,
    },
}
