//! The command line of `marsh registry`.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum RegistryCommand {
    /// Make a directory a registry
    Init { dir: PathBuf },
    /// Serve a registry over HTTP until interrupted
    Serve {
        dir: PathBuf,
        #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8787")]
        listen: SocketAddr,
    },
    /// Who may change what of a served registry
    #[command(subcommand)]
    Token(TokenCommand),
}

#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; it is shown this once
    Add {
        dir: PathBuf,
        /// Whose it is
        username: String,
        /// A collective that it may change, without `@`; default: the user's name
        #[arg(long = "collective", value_name = "NAME")]
        collectives: Vec<String>,
        /// publish or manage; default: both
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
    },
    /// List tokens, without their secrets
    List { dir: PathBuf },
    /// Remove a token by its id; it stops working at once
    Rm { dir: PathBuf, id: String },
}
