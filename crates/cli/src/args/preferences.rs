//! The command line of `marsh config`, `marsh update` and `marsh source`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum ConfigCommand {
    /// List the user's settings
    List,
    /// Show a setting
    Get {
        /// update.auto or update.cadence
        key: String,
    },
    /// Change a setting
    Set {
        /// update.auto (enabled, disabled) or update.cadence (daily, weekly)
        key: String,
        /// The value
        value: String,
    },
}

#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// Only check, as without the option: no release channel is configured
    #[arg(long)]
    pub check: bool,
    /// Accepted for existing scripts: nothing runs in the background
    #[arg(long, hide = true)]
    pub background: bool,
    /// Not supported: marsh installs no scheduler
    #[arg(long, hide = true, value_name = "ACTION", num_args = 0..=1, default_missing_value = "enable")]
    pub setup_auto: Option<String>,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum SourceCommand {
    /// Say where the documentation is; nothing is downloaded
    Fetch {
        /// The version; only this program's own
        #[arg(long, value_name = "VERSION")]
        version: Option<String>,
    },
    /// Say where the documentation is
    Path,
    /// Remove downloaded sources; there are none
    Clean,
}
