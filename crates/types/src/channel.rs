//! Release channels.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How finished a published version is. Promotion only moves a version up: beta, rc, stable. Files and requests omit
/// `stable`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// For trying out.
    Beta,
    /// A candidate for a stable version.
    Rc,
    /// For everyone; the default.
    #[default]
    Stable,
}

/// A text is not the name of a channel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown channel `{text}`: expected beta, rc or stable")]
pub struct ChannelError {
    /// The text.
    pub text: String,
}

impl Channel {
    /// All channels, least finished first.
    pub const ALL: [Channel; 3] = [Channel::Beta, Channel::Rc, Channel::Stable];

    /// The name: `beta`, `rc` or `stable`.
    pub fn as_str(self) -> &'static str {
        match self {
            Channel::Beta => "beta",
            Channel::Rc => "rc",
            Channel::Stable => "stable",
        }
    }

    /// The channel, or `None` if it is stable, which files and requests omit.
    pub fn unless_stable(self) -> Option<Channel> {
        (self != Channel::Stable).then_some(self)
    }
}

impl FromStr for Channel {
    type Err = ChannelError;

    fn from_str(text: &str) -> Result<Channel, ChannelError> {
        let found = Channel::ALL.into_iter().find(|channel| channel.as_str() == text);
        found.ok_or_else(|| ChannelError { text: text.to_owned() })
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
