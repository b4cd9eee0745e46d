//! The command line of publishing, trust and mounted sources, all below `marsh extension`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use marsh_types::{CalVer, Channel, ExtensionName};

use super::SetArgs;

#[derive(Debug, Args)]
pub struct PushArgs {
    /// The manifest.yaml
    pub manifest: PathBuf,
    /// The directory of manifest and sources, in place of the repository
    #[arg(long, value_name = "DIR")]
    pub extensions_dir: Option<PathBuf>,
    /// Check and pack, but do not publish
    #[arg(long)]
    pub dry_run: bool,
    /// Channel to publish to: beta, rc or stable (default: stable)
    #[arg(long)]
    pub channel: Option<Channel>,
    /// The release notes; default: the manifest's `releaseNotes`
    #[arg(long, value_name = "TEXT")]
    pub release_notes: Option<String>,
    /// `epoch`: replace the version's last part by the Unix time
    #[arg(long, value_name = "SUFFIX", value_parser = ["epoch"])]
    pub version_suffix: Option<String>,
    /// Publish the sources alone; bundles are built at install
    #[arg(long)]
    pub no_bundles: bool,
    /// Do not ask for confirmation
    #[arg(short, long, visible_short_alias = 'f', alias = "force")]
    pub yes: bool,
    /// Versions without an `upgrades` entry cause no warning; accepted for existing scripts
    #[arg(long, hide = true)]
    pub skip_upgrade_check: bool,
    #[command(flatten)]
    pub set: SetArgs,
}

#[derive(Debug, Args)]
pub struct QualityArgs {
    /// The manifest.yaml
    pub manifest: PathBuf,
    /// The directory of manifest and sources, in place of the repository
    #[arg(long, value_name = "DIR")]
    pub extensions_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct FormatArgs {
    #[command(flatten)]
    pub what: QualityArgs,
    /// Write nothing; exit 1 if a file is not formatted
    #[arg(long)]
    pub check: bool,
}

#[derive(Debug, Args)]
pub struct VersionArgs {
    /// The extension; default: that of the manifest
    pub name: Option<ExtensionName>,
    /// Read the name from this manifest
    #[arg(long, value_name = "FILE", conflicts_with = "name")]
    pub manifest: Option<PathBuf>,
    #[command(flatten)]
    pub set: SetArgs,
}

#[derive(Debug, Args)]
pub struct YankArgs {
    pub name: ExtensionName,
    /// The version; default: all versions
    pub version: Option<CalVer>,
    #[arg(long)]
    pub channel: Option<Channel>,
    /// Do not ask for confirmation
    #[arg(short, long, visible_short_alias = 'f', alias = "force")]
    pub yes: bool,
    #[command(flatten)]
    pub set: SetArgs,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum CurateCommand {
    /// Withdraw a version, or all of them
    Yank {
        #[command(flatten)]
        what: YankArgs,
        #[arg(long)]
        reason: String,
    },
    /// Offer a withdrawn version again
    Unyank {
        #[command(flatten)]
        what: YankArgs,
        #[arg(long)]
        reason: Option<String>,
    },
    /// Tell users to stop using an extension
    Deprecate {
        name: ExtensionName,
        #[arg(long)]
        reason: String,
        /// The extension to use instead
        #[arg(long, value_name = "EXTENSION")]
        superseded_by: Option<ExtensionName>,
        /// Do not ask for confirmation
        #[arg(short, long, visible_short_alias = 'f', alias = "force")]
        yes: bool,
        #[command(flatten)]
        set: SetArgs,
    },
    /// Revoke a deprecation
    Undeprecate {
        name: ExtensionName,
        /// Do not ask for confirmation
        #[arg(short, long, visible_short_alias = 'f', alias = "force")]
        yes: bool,
        #[command(flatten)]
        set: SetArgs,
    },
    /// Move a version to a higher channel
    Promote {
        name: ExtensionName,
        version: CalVer,
        /// Channel to move to: rc or stable
        #[arg(long, default_value = "stable")]
        channel: Channel,
        /// The channel that the version is on; the registry knows it
        #[arg(long, hide = true)]
        from_channel: Option<Channel>,
        #[command(flatten)]
        set: SetArgs,
    },
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum TrustCommand {
    /// List trusted collectives
    List,
    /// Trust a collective
    Add { collective: String },
    /// Stop trusting a collective
    Rm { collective: String },
    /// Trust the collectives that you are a member of: on or off
    AutoTrust {
        #[arg(value_parser = ["on", "off"])]
        state: String,
    },
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum SourceCommand {
    /// List mounted directories
    List,
    /// Mount a directory of extension sources
    Add {
        path: String,
        /// Mount only these kinds: models, vaults, drivers, datastores, reports
        #[arg(long, value_delimiter = ',', value_name = "KINDS")]
        only: Vec<String>,
    },
    /// Unmount a directory, by its path in `source list`
    Rm { path: String },
}
