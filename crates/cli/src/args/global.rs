//! The options that every command takes.

use std::path::PathBuf;

use clap::Args;
use marsh_types::EngineKind;

/// The heading of the options that every command takes; they come last in the help of each.
const GLOBAL: &str = "Global options";

#[derive(Debug, Args)]
pub struct Global {
    /// Print one JSON document on standard output, also for errors
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    /// The repository to use [env: MARSH_REPO_DIR]
    #[arg(long, global = true, value_name = "DIR", help_heading = GLOBAL)]
    pub repo_dir: Option<PathBuf>,
    /// What runs extension code: `embedded` or `deno` [env: MARSH_ENGINE]
    #[arg(long, global = true, value_name = "ENGINE", help_heading = GLOBAL)]
    pub engine: Option<EngineKind>,
    /// Print results only
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    pub quiet: bool,
    /// Print more about what happens
    #[arg(short, long, global = true, conflicts_with = "quiet", help_heading = GLOBAL)]
    pub verbose: bool,
    /// Disable colours [env: NO_COLOR]
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub no_color: bool,
    /// Output is line-oriented anyway; accepted for existing scripts
    #[arg(long, global = true, hide = true)]
    pub log: bool,
    /// There is no telemetry; accepted for existing scripts
    #[arg(long, global = true, hide = true)]
    pub no_telemetry: bool,
    /// Log lines show everything that they have; accepted for existing scripts
    #[arg(long, global = true, hide = true)]
    pub show_properties: bool,
    /// How much to print: trace and debug as `--verbose`, warning and above as `--quiet`
    #[arg(long, global = true, hide = true, value_name = "LEVEL")]
    pub log_level: Option<LogLevel>,
    /// A server to run the command on; not supported
    #[arg(long, global = true, hide = true, value_name = "URL")]
    pub server: Option<String>,
    /// The token for that server; not supported
    #[arg(long, global = true, hide = true, value_name = "TOKEN")]
    pub token: Option<String>,
    /// The certificate authority of that server; not supported
    #[arg(long, global = true, hide = true, value_name = "FILE")]
    pub ca_cert: Option<String>,
}

impl Global {
    /// Whether only results are printed.
    pub fn is_quiet(&self) -> bool {
        self.quiet || matches!(self.log_level, Some(LogLevel::Warning | LogLevel::Error | LogLevel::Fatal))
    }

    /// Whether more is printed about what happens.
    pub fn is_verbose(&self) -> bool {
        self.verbose || matches!(self.log_level, Some(LogLevel::Trace | LogLevel::Debug))
    }
}

/// How much to print, as existing scripts say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    #[value(alias = "warn")]
    Warning,
    Error,
    Fatal,
}
