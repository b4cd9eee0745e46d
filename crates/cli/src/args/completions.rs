//! `marsh completions …`.

use clap::{Args, Subcommand};
use clap_complete::Shell;

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum CompletionsCommand {
    /// Print the script for bash
    Bash(CompletionsArgs),
    /// Print the script for zsh
    Zsh(CompletionsArgs),
    /// Print the script for fish
    Fish(CompletionsArgs),
    /// Print the script for elvish
    Elvish(CompletionsArgs),
    /// Print the script for PowerShell
    Powershell(CompletionsArgs),
    /// Print nothing: marsh has no dynamic completions
    #[command(hide = true)]
    Complete(crate::unsupported::Words),
}

#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The command to complete; default: this program's name
    #[arg(short, long, value_name = "COMMAND")]
    pub name: Option<String>,
}

impl CompletionsCommand {
    /// The shell, and the name of the command to complete. `None`: nothing to print.
    pub fn script(&self) -> Option<(Shell, Option<&str>)> {
        let (shell, arguments) = match self {
            CompletionsCommand::Bash(arguments) => (Shell::Bash, arguments),
            CompletionsCommand::Zsh(arguments) => (Shell::Zsh, arguments),
            CompletionsCommand::Fish(arguments) => (Shell::Fish, arguments),
            CompletionsCommand::Elvish(arguments) => (Shell::Elvish, arguments),
            CompletionsCommand::Powershell(arguments) => (Shell::PowerShell, arguments),
            CompletionsCommand::Complete(_) => return None,
        };
        Some((shell, arguments.name.as_deref()))
    }
}
