//! `marsh datastore …`.

use std::time::Duration;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum DatastoreCommand {
    /// Show where data are, and whether the datastore works
    Status,
    /// Pull remote changes, push local ones
    Sync {
        /// Pull without pushing
        #[arg(long, conflicts_with = "push")]
        pull: bool,
        /// Push without pulling
        #[arg(long)]
        push: bool,
        /// Time limit of each direction: 30, 30s, 5m (default: 5m)
        #[arg(long, value_name = "DURATION", value_parser = super::parse_duration)]
        timeout: Option<Duration>,
    },
    /// Show or release the datastore's lock
    #[command(subcommand)]
    Lock(DatastoreLockCommand),
    /// List datastore types from sources and extensions
    #[command(subcommand)]
    Type(DatastoreTypeCommand),
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum DatastoreLockCommand {
    /// Show who holds the lock
    Status,
    /// Release the lock of a process that died
    Release {
        /// Release it even if its holder is alive
        #[arg(long, required = true)]
        force: bool,
    },
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum DatastoreTypeCommand {
    /// List datastore types
    #[command(visible_alias = "list")]
    Search {
        /// Text that the type's name contains
        query: Option<String>,
    },
}
