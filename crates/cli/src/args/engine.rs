//! The command line of `marsh engine`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum EngineCommand {
    /// List the engines on this machine, and which are used
    #[command(visible_alias = "status")]
    List,
    /// Install a Deno from the npm registry
    Install {
        /// A version, or a tag such as latest; default: the one that marsh was tested with
        #[arg(long, value_name = "VERSION")]
        version: Option<String>,
    },
    /// Remove a Deno that marsh installed
    #[command(visible_alias = "rm")]
    Remove {
        /// The version
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        version: Option<String>,
        /// Remove every Deno that marsh installed
        #[arg(long)]
        all: bool,
    },
}
