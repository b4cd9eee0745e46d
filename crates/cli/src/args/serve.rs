//! The command line of `marsh serve`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::parse_duration;
use crate::unsupported::{ServeOptions, Words};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ServeArgs {
    #[command(subcommand)]
    pub command: Option<ServeCommand>,
    /// Watch sources and build edited code in advance
    #[arg(long, alias = "hot-reload")]
    pub watch: bool,
    /// Serve one client on standard input and output
    #[arg(long, conflicts_with = "socket")]
    pub stdio: bool,
    /// Where to listen; default: below `.swamp/marsh/serve`
    #[arg(long, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Ignore the schedules of workflows
    #[arg(long, conflicts_with = "stdio")]
    pub no_schedule: bool,
    /// Start a workflow on a signed request: <route>:<workflow>:<secret>[:<scheme>[:<header>[:<prefix>]]]. The secret
    /// may be @env=NAME, @file=PATH or @vault=VAULT:KEY; schemes: github (default), linear, stripe, slack, generic
    #[arg(long, value_name = "WEBHOOK", conflicts_with = "stdio")]
    pub webhook: Vec<String>,
    /// Where to listen for webhooks; default: 127.0.0.1:9090 if there are any
    #[arg(long, value_name = "ADDR", conflicts_with = "stdio")]
    pub http: Option<std::net::SocketAddr>,
    /// Time limit for loading a module, after which the last good version keeps serving (default and maximum: 30s)
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    pub load_timeout: Option<Duration>,
    /// The address of `--http` alone
    #[arg(long, hide = true, conflicts_with_all = ["http", "stdio"], value_parser = parse_host)]
    pub host: Option<std::net::IpAddr>,
    /// The port of `--http` alone
    #[arg(long, hide = true, conflicts_with_all = ["http", "stdio"])]
    pub port: Option<u16>,
    #[command(flatten)]
    pub unsupported: ServeOptions,
}

impl ServeArgs {
    /// Where to listen for webhooks.
    pub fn http(&self) -> Option<std::net::SocketAddr> {
        let parts = (self.host.is_some() || self.port.is_some()).then(|| {
            let host = self.host.unwrap_or(std::net::Ipv4Addr::LOCALHOST.into());
            (host, self.port.unwrap_or(9090)).into()
        });
        self.http.or(parts)
    }
}

/// An address, or the name of this machine.
fn parse_host(text: &str) -> Result<std::net::IpAddr, std::net::AddrParseError> {
    if text == "localhost" { Ok(std::net::Ipv4Addr::LOCALHOST.into()) } else { text.parse() }
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum ServeCommand {
    /// Show loaded types, failures, schedules and memory
    Status,
    /// Reload changed code; returns when every later call runs it
    Reload,
    /// Finish running calls and stop the server
    Stop,
    /// Services of the system; not supported
    #[command(hide = true)]
    Daemon(Words),
}
