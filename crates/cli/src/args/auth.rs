//! The command line of `marsh auth`.

use clap::Subcommand;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum AuthCommand {
    /// Log in to a registry with a token
    ///
    /// --server URL names the registry (default: that of the environment or the repository). The token is the value of
    /// --password, the answer to a question, or the last line of standard input. The registry's operator creates it.
    Login {
        /// The user whose token it is
        #[arg(long, value_name = "NAME")]
        username: Option<String>,
        /// The token
        #[arg(long, value_name = "TOKEN")]
        password: Option<String>,
        /// Accepted for existing scripts: no browser is opened
        #[arg(long, hide = true)]
        no_browser: bool,
    },
    /// Forget the token of the registry
    Logout,
    /// Show the user, as the registry knows them
    #[command(visible_alias = "status")]
    Whoami,
    /// Create tokens
    #[command(subcommand)]
    Token(AuthTokenCommand),
    /// Keep the token of a server: --server URL --token NAME.SECRET
    ServerLogin,
}

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum AuthTokenCommand {
    /// Create a token for a collective
    Create {
        /// The collective
        #[arg(long, value_name = "NAME")]
        collective: String,
        /// The scopes: publish, manage
        #[arg(long, value_name = "NAMES", value_delimiter = ',', required = true)]
        scopes: Vec<String>,
        /// A name for it
        #[arg(long)]
        name: Option<String>,
    },
}
