//! `marsh datastore …`.

use std::time::Duration;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum DatastoreCommand {
    /// Show the datastore's location and health
    Status,
    /// Pull remote changes, push local ones
    Sync {
        /// Pull only
        #[arg(long, conflicts_with = "push")]
        pull: bool,
        /// Push only
        #[arg(long)]
        push: bool,
        /// How long each way may take: 30, 30s, 5m (default: 5m)
        #[arg(long, value_name = "DURATION", value_parser = super::parse_duration)]
        timeout: Option<Duration>,
    },
    /// Show or release the datastore's lock
    #[command(subcommand)]
    Lock(DatastoreLockCommand),
    /// List the datastore types of sources and extensions
    #[command(subcommand)]
    Type(DatastoreTypeCommand),
}

#[derive(Debug, Subcommand)]
pub enum DatastoreLockCommand {
    /// Show the holder of the lock
    Status,
    /// Take the lock from a process that died
    Release {
        /// Take it from a living process too
        #[arg(long, required = true)]
        force: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum DatastoreTypeCommand {
    /// List the types
    #[command(visible_alias = "list")]
    Search {
        /// Part of a type's name
        query: Option<String>,
    },
}
