//! The options of commands on the installed set.

use std::time::Duration;

use clap::Args;

use super::parse_duration;

// What every command that asks a registry or changes the installed set takes.
// A `///` comment here would become the help text of each of these commands.
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
