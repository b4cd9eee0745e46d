//! `marsh datastore …`.

use std::time::Duration;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum DatastoreCommand {
    /// Say where the data are, and ask there whether all is well
    Status,
    /// Bring what changed in the datastore, and take there what changed here
    Sync {
        /// Only bring
        #[arg(long, conflicts_with = "push")]
        pull: bool,
        /// Only take
        #[arg(long)]
        push: bool,
        /// How long each way may take: 30, 30s, 5m (default: 5m)
        #[arg(long, value_name = "DURATION", value_parser = super::parse_duration)]
        timeout: Option<Duration>,
    },
    /// The datastore's lock
    #[command(subcommand)]
    Lock(DatastoreLockCommand),
    /// The datastores that sources and installed extensions declare
    #[command(subcommand)]
    Type(DatastoreTypeCommand),
}

#[derive(Debug, Subcommand)]
pub enum DatastoreLockCommand {
    /// Say who holds it
    Status,
    /// Take it from a holder that is gone
    Release {
        /// A holder that is alive loses it, too
        #[arg(long, required = true)]
        force: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum DatastoreTypeCommand {
    /// List them
    #[command(visible_alias = "list")]
    Search {
        /// Part of a type's name
        query: Option<String>,
    },
}
