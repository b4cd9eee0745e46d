//! `marsh agent …`.

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub enum AgentCommand {
    /// Describe an AI tool that is not built in
    ///
    /// Asks for what the options do not say, on a terminal. Without a terminal and with --json, options that are missing
    /// have the values that the files of the repository suggest.
    Setup(SetupArgs),
    /// List the AI tools that the repository describes
    #[command(visible_alias = "ls")]
    List,
    /// Remove the description of an AI tool
    #[command(visible_alias = "remove")]
    Rm {
        /// The tool's name
        name: String,
        /// Do not ask for confirmation
        #[arg(short, long)]
        yes: bool,
    },
}

#[derive(Debug, Args)]
pub struct SetupArgs {
    /// The tool's name: letters, digits and `-`
    #[arg(long)]
    pub name: Option<String>,
    /// The directory of skills, e.g. .acme/skills
    #[arg(long, value_name = "DIR")]
    pub skills_dir: Option<String>,
    /// The file of instructions, e.g. AGENTS.md
    #[arg(long, value_name = "FILE")]
    pub instructions_file: Option<String>,
    /// shared: a section of the user's file; owned: the whole file
    #[arg(long, value_enum)]
    pub instructions_mode: Option<Mode>,
    /// How instructions name skills
    #[arg(long, value_enum)]
    pub skill_reference_style: Option<Style>,
    /// A line for .gitignore; may be given several times
    #[arg(long = "gitignore", value_name = "LINE")]
    pub gitignore: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Mode {
    Shared,
    Owned,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Style {
    Name,
    Path,
}
