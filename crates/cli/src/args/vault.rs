//! `marsh vault …`.

use clap::{Args, Subcommand, ValueEnum};

use super::parse_pair;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum VaultCommand {
    /// Create a vault
    Create {
        /// Type of the vault, for example local_encryption
        #[arg(value_name = "TYPE")]
        vault_type: String,
        /// Name of the vault; default: the last part of the type
        name: Option<String>,
        /// Configuration, a JSON object
        #[arg(long, value_name = "JSON")]
        config: Option<String>,
        /// Record each reading of a secret in the audit trail
        #[arg(long)]
        audit_reads: bool,
    },
    /// List vault types, built-in and from extensions
    #[command(subcommand)]
    Type(VaultTypeCommand),
    /// List vaults
    #[command(visible_alias = "list")]
    Search {
        /// Text that name or type contain
        query: Option<String>,
    },
    /// Show the configuration of a vault
    #[command(visible_alias = "describe")]
    Get {
        /// Name or id of the vault
        vault: String,
        /// The key of a secret, which `read-secret` prints
        #[arg(hide = true)]
        key: Option<String>,
        /// Fail unless the vault has this type
        #[arg(short = 't', long = "type", value_name = "TYPE")]
        vault_type: Option<String>,
    },
    /// Edit the configuration of a vault
    ///
    /// Opens the file in $EDITOR; when standard input is not a terminal, its YAML replaces the file.
    Edit {
        /// Name or id of the vault
        vault: String,
        /// Fail unless the vault has this type
        #[arg(short = 't', long = "type", value_name = "TYPE")]
        vault_type: Option<String>,
    },
    /// Store a secret: typed on a terminal, or from standard input
    ///
    /// `KEY VALUE` and `KEY=VALUE` pass the value as an argument, which other processes can see. Standard input is read
    /// whole; the line break after a single line is removed.
    #[command(visible_alias = "write-secret")]
    Put(PutArgs),
    /// Print a secret
    ReadSecret {
        /// Name or id of the vault
        vault: String,
        /// Key of the secret
        key: String,
        /// Nothing is asked; accepted for existing scripts
        #[arg(short, long, short_alias = 'f', alias = "force", hide = true)]
        yes: bool,
    },
    /// List the keys of the secrets in a vault
    ListKeys {
        /// Name or id of the vault
        vault: String,
    },
    /// Describe a secret without printing it
    Inspect {
        /// Name or id of the vault
        vault: String,
        /// Key of the secret
        key: String,
    },
    /// Delete a secret
    Delete {
        /// Name or id of the vault
        vault: String,
        /// Key of the secret
        key: String,
        /// Do not ask for confirmation
        #[arg(short, long)]
        yes: bool,
        /// Do not ask, and succeed if there is no such secret
        #[arg(short, long)]
        force: bool,
    },
    /// Annotate a secret: address, notes, labels
    Annotate(AnnotateArgs),
    /// Move all secrets to a vault of another type
    Migrate(MigrateArgs),
    /// Show the audit trail of secrets, newest first
    AuditTrail {
        /// Name of the vault
        #[arg(long)]
        vault: Option<String>,
        /// Key of the secret
        #[arg(long)]
        key: Option<String>,
        /// Show only this action
        #[arg(long, value_enum)]
        action: Option<AuditAction>,
        /// Show entries since this time: 2026-08-22 or 2026-08-22T10:15:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// Show entries until this time
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
        /// Show at most this many entries
        #[arg(long, default_value_t = 100, value_name = "N")]
        limit: usize,
    },
}

#[derive(Debug, Args)]
pub struct PutArgs {
    /// Name or id of the vault
    pub vault: String,
    /// Key of the secret, or KEY=VALUE
    #[arg(value_name = "KEY[=VALUE]")]
    pub key: String,
    /// The secret; other processes can see it here, so prefer standard input
    pub value: Option<String>,
    /// Replace an existing secret without asking
    #[arg(short, long, visible_short_alias = 'f', alias = "force")]
    pub yes: bool,
    /// Command whose output replaces the secret when it is too old
    #[arg(long, value_name = "COMMAND", requires = "refresh_ttl")]
    pub refresh_from: Option<String>,
    /// How old the secret may become: 30m, 12h
    #[arg(long, value_name = "DURATION", requires = "refresh_from")]
    pub refresh_ttl: Option<String>,
    /// Stop refreshing the secret
    #[arg(long, conflicts_with = "refresh_from")]
    pub clear_refresh: bool,
    /// Label to set; may be given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub labels: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub struct AnnotateArgs {
    /// Name or id of the vault
    pub vault: String,
    /// Key of the secret
    pub key: String,
    /// Address where people find out more
    #[arg(long)]
    pub url: Option<String>,
    /// Text about the secret
    #[arg(long)]
    pub notes: Option<String>,
    /// Label to set; may be given several times
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = parse_pair)]
    pub labels: Vec<(String, String)>,
    /// Label to remove; may be given several times
    #[arg(long = "remove-label", value_name = "KEY")]
    pub remove_labels: Vec<String>,
    /// Remove the whole annotation first
    #[arg(long)]
    pub clear: bool,
}

#[derive(Debug, Args)]
pub struct MigrateArgs {
    /// Name or id of the vault
    pub vault: String,
    /// New type
    #[arg(long, value_name = "TYPE")]
    pub to_type: String,
    /// New configuration, a JSON object
    #[arg(long, value_name = "JSON")]
    pub config: Option<String>,
    /// Show what would be moved, and move nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask for confirmation
    #[arg(short, long, visible_short_alias = 'f', alias = "force")]
    pub yes: bool,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum VaultTypeCommand {
    /// List vault types
    #[command(visible_alias = "list")]
    Search {
        /// Text that the type's name contains
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
