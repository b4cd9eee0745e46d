//! The command line of `marsh doctor`.

use clap::Subcommand;

use super::SetArgs;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum DoctorCommand {
    /// Check whether an AI tool's commands are recorded
    Audit {
        /// The tool (default: the repository's first one)
        #[arg(long, value_name = "NAME")]
        tool: Option<String>,
    },
    /// Check the datastore and the catalog of data
    Datastores {
        /// Make the catalog again from the data
        #[arg(long)]
        repair: bool,
        /// Do not ask for confirmation
        #[arg(short, long)]
        yes: bool,
    },
    /// Check installed extensions, and repair with --repair
    Extensions {
        /// Verify every byte of every tree
        #[arg(long)]
        verify: bool,
        /// Restore missing or edited trees and rebuild derived files
        #[arg(long)]
        repair: bool,
        /// Show what a repair would do, without doing it
        #[arg(long)]
        dry_run: bool,
        /// Do not ask for confirmation
        #[arg(short, long)]
        yes: bool,
        /// The same as --yes
        #[arg(short, long)]
        force: bool,
        #[command(flatten)]
        set: SetArgs,
    },
    /// Check the installed program
    Install,
    /// Find definitions that hold secrets in clear
    Secrets,
    /// Find definitions whose results need a vault
    Vaults,
    /// Check whether workflow files can be read
    Workflows,
}
