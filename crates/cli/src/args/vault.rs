//! `marsh vault …`.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
pub enum VaultCommand {
    /// Create a vault
    Create {
        /// The type, e.g. local_encryption
        #[arg(value_name = "TYPE")]
        vault_type: String,
        /// Its name; default: the last part of the type
        name: Option<String>,
        /// The configuration, as JSON
        #[arg(long, value_name = "JSON")]
        config: Option<String>,
        /// Record every read of a secret in the audit trail
        #[arg(long)]
        audit_reads: bool,
    },
    /// List types of vaults
    #[command(subcommand)]
    Type(VaultTypeCommand),
    /// List vaults
    #[command(visible_alias = "list")]
    Search {
        /// Part of a name or type
        query: Option<String>,
    },
    /// Show a vault's configuration
    #[command(visible_alias = "describe")]
    Get {
        /// Name or id
        vault: String,
        /// Only if it has this type
        #[arg(short = 't', long = "type", value_name = "TYPE")]
        vault_type: Option<String>,
    },
    /// Edit a vault in $EDITOR or from standard input
    Edit {
        /// Name or id
        vault: String,
        /// Only if it has this type
        #[arg(short = 't', long = "type", value_name = "TYPE")]
        vault_type: Option<String>,
    },
    /// Store a secret, from a prompt or from standard input
    #[command(visible_alias = "write-secret")]
    Put(PutArgs),
    /// Print a secret
    ReadSecret { vault: String, key: String },
    /// List the keys of the secrets in a vault
    ListKeys { vault: String },
    /// Show a secret's metadata, but not the secret
    Inspect { vault: String, key: String },
    /// Delete a secret
    Delete {
        vault: String,
        key: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// Do not ask, and succeed without the secret
        #[arg(short, long)]
        force: bool,
    },
    /// Annotate a secret
    Annotate {
        vault: String,
        key: String,
        #[arg(long)]
        url: Option<String>,
        #[arg(long)]
        notes: Option<String>,
        /// A label to set
        #[arg(long = "label", value_name = "KEY=VALUE")]
        labels: Vec<String>,
        /// A label to remove
        #[arg(long = "remove-label", value_name = "KEY")]
        remove_labels: Vec<String>,
        /// Remove earlier annotations
        #[arg(long)]
        clear: bool,
    },
    /// Move all secrets of a vault to another type
    Migrate {
        vault: String,
        #[arg(long, value_name = "TYPE")]
        to_type: String,
        /// The new configuration, as JSON
        #[arg(long, value_name = "JSON")]
        config: Option<String>,
        /// Show the changes and make none
        #[arg(long)]
        dry_run: bool,
        /// Do not ask
        #[arg(short, long, visible_short_alias = 'f')]
        yes: bool,
    },
    /// Show the audit trail, newest first
    AuditTrail {
        #[arg(long)]
        vault: Option<String>,
        #[arg(long)]
        key: Option<String>,
        #[arg(long, value_enum)]
        action: Option<AuditAction>,
        /// Since this time, as 2026-08-22 or 2026-08-22T10:15:00Z
        #[arg(long)]
        since: Option<String>,
        #[arg(long)]
        until: Option<String>,
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
}

#[derive(Debug, Args)]
pub struct PutArgs {
    pub vault: String,
    pub key: String,
    /// The secret. Every process on the machine can read an argument; prefer standard input
    pub value: Option<String>,
    /// Do not ask before a secret is replaced
    #[arg(short, long, visible_short_alias = 'f')]
    pub yes: bool,
    /// A command whose output replaces an expired secret
    #[arg(long, value_name = "COMMAND", requires = "refresh_ttl")]
    pub refresh_from: Option<String>,
    /// The lifetime of the secret: 30m, 12h
    #[arg(long, value_name = "DURATION", requires = "refresh_from")]
    pub refresh_ttl: Option<String>,
    /// Stop refreshing the secret
    #[arg(long, conflicts_with = "refresh_from")]
    pub clear_refresh: bool,
    /// A label
    #[arg(long = "label", value_name = "KEY=VALUE")]
    pub labels: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub enum VaultTypeCommand {
    /// List all types
    #[command(visible_alias = "list")]
    Search {
        /// Part of a type's name
        query: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum AuditAction {
    Get,
    Put,
    Delete,
    Annotate,
}
