//! The command line as data, for scripts and coding agents.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What `help` prints: a command with everything below it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HelpDocument {
    /// The version of marsh.
    pub version: String,
    /// The command that was asked for; without one, the program.
    pub root: HelpCommand,
}

/// A command, its arguments and the commands below it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HelpCommand {
    /// The last word of the command.
    pub name: String,
    /// What it does; may have several lines.
    pub description: String,
    /// Positional arguments, in order.
    pub arguments: Vec<HelpArgument>,
    /// Options of this command; those of the program are its global options.
    pub options: Vec<HelpOption>,
    /// Options that every command takes, only in `root`, and only when a command was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global_options: Option<Vec<HelpOption>>,
    /// Commands below this one, without hidden ones.
    pub subcommands: Vec<HelpCommand>,
}

/// A positional argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HelpArgument {
    /// Its name in lower case.
    pub name: String,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it takes several values.
    pub variadic: bool,
}

/// An option.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct HelpOption {
    /// All spellings, short ones first: `-y, --yes`.
    pub flags: String,
    /// What it does; may have several lines.
    pub description: String,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it may be given several times.
    pub collect: bool,
    /// What its value is, e.g. `KEY=VALUE`; absent for a switch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The value without the option; absent when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
}
