//! The command line of `marsh registry`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum RegistryCommand {
    /// Create a registry in a directory
    Init { dir: PathBuf },
    /// Serve a registry over HTTP until interrupted
    Serve {
        dir: PathBuf,
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
        listen: SocketAddr,
    },
    /// Manage tokens of a served registry
    #[command(subcommand)]
    Token(TokenCommand),
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum TokenCommand {
    /// Create a token, which is shown once
    Add {
        dir: PathBuf,
        /// The user of the token
        username: String,
        /// A collective that the token may change, without `@`; default: the user's name
        #[arg(long = "collective", value_name = "NAME")]
        collectives: Vec<String>,
        /// What the token may do: publish or manage (default: both)
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
    },
    /// List tokens, without their secrets
    List { dir: PathBuf },
    /// Remove a token by its id; it stops working at once
    Rm { dir: PathBuf, id: String },
}
