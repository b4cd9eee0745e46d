//! Documents about the commands that AI tools ran.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The commands that AI tools ran in a repository, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditTimeline {
    /// The commands.
    pub entries: Vec<AuditTimelineEntry>,
    /// How many of the recorded commands called this program, those that are not listed included.
    pub total_swamp: usize,
    /// How many called others.
    pub total_direct: usize,
    /// The hours before now that were read.
    pub hours_analyzed: u32,
    /// Why there are no entries, for people; absent when there are some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A command that an AI tool ran.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditTimelineEntry {
    /// When it ended, ISO 8601.
    pub timestamp: String,
    /// Whether it called this program.
    pub source: CommandSource,
    /// The command.
    pub summary: String,
    /// Whether it succeeded.
    pub status: CommandStatus,
    /// The tool's session; absent when the tool names none, and for calls of this program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// The exit code of a command that failed, if the tool reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// Why it failed, on one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What a command called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommandSource {
    /// This program, under any of its names.
    Swamp,
    /// Another program.
    Direct,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum CommandStatus {
    /// It succeeded.
    Success,
    /// It failed.
    Error,
}

/// Whether the commands of an AI tool are recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditCheckup {
    /// The AI tool.
    pub tool: String,
    /// `fail` if a check failed, `skip` if the tool cannot record.
    pub overall_status: AuditCheckStatus,
    /// The checks, in a fixed order.
    pub checks: Vec<AuditCheck>,
}

/// A check of [`AuditCheckup`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AuditCheck {
    /// `binary-on-path`, `swamp-binary-on-path`, `agent-config-loadable`, `default-agent-set` or `recording-smoke-test`.
    pub name: String,
    /// The outcome.
    pub status: AuditCheckStatus,
    /// What was found.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The file or program that was checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<String>,
}

/// The outcome of a check that may not apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuditCheckStatus {
    /// No problem was found.
    Pass,
    /// A problem was found.
    Fail,
    /// The check does not apply.
    Skip,
}
