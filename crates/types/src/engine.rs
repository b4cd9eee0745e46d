//! The engines that run extension code.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What runs the code of an extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// The engine inside marsh.
    Embedded,
    /// A Deno on this machine.
    Deno,
}

/// A text is not the name of an engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown engine `{text}`: expected embedded or deno")]
pub struct EngineError {
    /// The text.
    pub text: String,
}

impl EngineKind {
    /// Both engines.
    pub const ALL: [EngineKind; 2] = [EngineKind::Embedded, EngineKind::Deno];

    /// The name: `embedded` or `deno`.
    pub fn as_str(self) -> &'static str {
        match self {
            EngineKind::Embedded => "embedded",
            EngineKind::Deno => "deno",
        }
    }
}

impl FromStr for EngineKind {
    type Err = EngineError;

    fn from_str(text: &str) -> Result<EngineKind, EngineError> {
        let found = EngineKind::ALL.into_iter().find(|engine| engine.as_str() == text);
        found.ok_or_else(|| EngineError { text: text.to_owned() })
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
