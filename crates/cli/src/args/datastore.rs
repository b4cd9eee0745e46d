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
        /// Accepted for existing scripts: nothing is asked
        #[arg(short, long, hide = true)]
        yes: bool,
        /// Accepted for existing scripts: nothing is asked
        #[arg(long, hide = true)]
        confirm: bool,
    },
    /// Move the data to a directory or the store of an extension
    #[command(subcommand)]
    Setup(DatastoreSetupCommand),
    /// Share a directory with other repositories
    #[command(subcommand)]
    Namespace(NamespaceCommand),
    /// Make the catalog of data as small as possible
    Compact,
    /// Bring the index of an extension's datastore up to date
    MigrateIndex,
    /// Pull catalogs of other namespaces
    #[command(subcommand)]
    Catalog(CatalogCommand),
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
        /// Only the lock of this model: TYPE/ID
        #[arg(long, value_name = "MODEL")]
        model: Option<String>,
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

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum DatastoreSetupCommand {
    /// Move the data to a directory
    Filesystem {
        /// The directory, relative to the repository; `~` and $NAME are replaced
        #[arg(long, value_name = "DIR")]
        path: String,
        /// The trees that it takes, e.g. data,outputs (default: all)
        #[arg(long, value_name = "NAMES", value_delimiter = ',')]
        directories: Vec<String>,
        /// Leave the data where they are, out of view
        #[arg(long)]
        skip_migration: bool,
    },
    /// Move the data to the datastore of an extension
    Extension {
        /// The datastore type, e.g. @acme/bucket
        #[arg(value_name = "TYPE")]
        type_name: String,
        /// Its configuration, e.g. {"bucket": "data"}
        #[arg(long, value_name = "JSON")]
        config: String,
        /// Not supported for extensions
        #[arg(long, hide = true)]
        namespace: Option<String>,
        /// full, or lazy, which copies everything, too
        #[arg(long, value_name = "NAME")]
        hydration_strategy: Option<String>,
        /// Leave the data where they are, out of view
        #[arg(long)]
        skip_migration: bool,
        /// Time limit of pull and push, in seconds
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=21_600))]
        timeout: Option<u64>,
    },
    /// Name the general form: `datastore setup extension`
    #[command(hide = true)]
    S3 {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum NamespaceCommand {
    /// Move this repository's data into a namespace
    Set {
        /// Lower-case letters, digits and `-`
        name: String,
    },
    /// Move the data out of the namespace, and remove it
    Unset {
        /// Accepted for existing scripts: data always move
        #[arg(long, hide = true)]
        migrate: bool,
        /// Do not ask for confirmation
        #[arg(short, long, visible_alias = "confirm")]
        yes: bool,
    },
    /// Move data that lie beside the namespace into it
    Migrate {
        /// Move the data out, and remove the namespace
        #[arg(long)]
        reverse: bool,
        /// Do not ask for confirmation
        #[arg(short, long, visible_alias = "confirm")]
        yes: bool,
    },
    /// List the namespaces of the datastore
    List,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum CatalogCommand {
    /// Pull the datastore, with the data of other namespaces
    Pull {
        /// The namespaces, e.g. team-a,team-b
        #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
        namespaces: Vec<String>,
    },
}
