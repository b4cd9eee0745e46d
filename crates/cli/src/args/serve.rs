//! The command line of `marsh serve`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::parse_duration;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ServeArgs {
    #[command(subcommand)]
    pub command: Option<ServeCommand>,
    /// Watch sources, so that the next call after an edit finds its code ready
    #[arg(long)]
    pub watch: bool,
    /// Serve one client on standard input and output
    #[arg(long, conflicts_with = "socket")]
    pub stdio: bool,
    /// Where to listen; default: below `.swamp/marsh/serve`
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// How long a module may take to load before its last good version goes on serving; at most 30s, the default
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub load_timeout: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ServeCommand {
    /// Show what the server of this repository holds
    Status,
    /// Bring what is loaded up to date; returns when every later call runs the new code
    Reload,
    /// Let what runs finish, and end the server
    Stop,
}
