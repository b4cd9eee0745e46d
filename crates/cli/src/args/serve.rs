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
    /// Run no workflow at the times of its `trigger.schedule`
    #[arg(long, conflicts_with = "stdio")]
    pub no_schedule: bool,
    /// Start a workflow when a signed request comes: <route>:<workflow>:<secret>[:<scheme>[:<header>[:<prefix>]]]. The secret
    /// may be @env=NAME, @file=PATH or @vault=VAULT:KEY; schemes: github (default), linear, stripe, slack, generic
    #[arg(long, value_name = "WEBHOOK", conflicts_with = "stdio")]
    pub webhook: Vec<String>,
    /// Where to listen for webhooks; default: 127.0.0.1:9090 if there are any
    #[arg(long, value_name = "ADDR", conflicts_with = "stdio")]
    pub http: Option<std::net::SocketAddr>,
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
