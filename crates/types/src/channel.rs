//! Release channels.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How finished a published version is. A version can only be promoted upwards. Files and requests leave `stable` out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    Beta,
    Rc,
    #[default]
    Stable,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no channel; use beta, rc or stable")]
pub struct ChannelError {
    pub text: String,
}

impl Channel {
    pub const ALL: [Channel; 3] = [Channel::Beta, Channel::Rc, Channel::Stable];

    pub fn as_str(self) -> &'static str {
        match self {
            Channel::Beta => "beta",
            Channel::Rc => "rc",
            Channel::Stable => "stable",
        }
    }

    /// The channel as files and requests name it: stable goes without saying.
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
