//! The command line of `marsh audit`.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct AuditArgs {
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
    /// Hours before now
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..))]
    pub hours: u32,
    /// List commands that only look, too
    #[arg(long)]
    pub all: bool,
    /// Only commands of this session
    #[arg(long, value_name = "ID")]
    pub session: Option<String>,
    /// List the commands of `doctor audit`, too
    #[arg(long)]
    pub include_diagnostic: bool,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum AuditCommand {
    /// Record the command of an AI tool's event; called by hooks
    #[command(hide = true)]
    Record {
        /// The event is on standard input
        #[arg(long, required = true)]
        from_hook: bool,
        /// The tool
        #[arg(long, value_name = "NAME", default_value = "claude")]
        tool: String,
    },
}
