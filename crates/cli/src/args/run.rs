//! Arguments of `marsh run …`.

use std::time::Duration;

use clap::{Args, Subcommand};
use marsh_api::run::HistoryScope;

use super::data::Removal;
use super::parse_duration;

#[derive(Debug, Subcommand)]
pub enum RunCommand {
    /// List runs of methods and workflows, newest first
    #[command(after_help = "Examples:\n  marsh run history\n  marsh run history --active --json")]
    History(RunHistoryArgs),
    /// Find runs whose process is gone
    #[command(after_help = "Examples:\n  marsh run doctor\n  marsh run doctor --fix")]
    Doctor {
        /// Record such runs as failed
        #[arg(long)]
        fix: bool,
    },
    /// Delete old records and logs of runs; data stay
    #[command(after_help = "Examples:\n  marsh run gc --dry-run\n  marsh run gc --older-than 7d --yes")]
    Gc {
        /// Delete what ended longer ago than this: 12h, 30d; 0d for everything
        #[arg(long, value_name = "DURATION", value_parser = parse_age, default_value = "30d")]
        older_than: Duration,
        #[command(flatten)]
        removal: Removal,
    },
}

#[derive(Debug, Args)]
pub struct RunHistoryArgs {
    /// List only runs that are recorded as running
    #[arg(long, conflicts_with = "all")]
    pub active: bool,
    /// List every run, not only those of the last 24 hours
    #[arg(long)]
    pub all: bool,
}

impl RunHistoryArgs {
    pub fn scope(&self) -> HistoryScope {
        match (self.active, self.all) {
            (true, _) => HistoryScope::Active,
            (false, true) => HistoryScope::All,
            (false, false) => HistoryScope::Day,
        }
    }
}

/// A duration that may be zero: `0d`.
fn parse_age(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    if !digits.is_empty() && digits.bytes().all(|byte| byte == b'0') {
        return parse_duration(&text.replacen(digits, "1", 1)).map(|_| Duration::ZERO);
    }
    parse_duration(text)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::parse_age;

    #[test]
    fn age_of_zero_needs_a_known_unit() {
        assert_eq!(parse_age("0d"), Ok(Duration::ZERO));
        assert_eq!(parse_age("0"), Ok(Duration::ZERO));
        assert_eq!(parse_age("2h"), Ok(Duration::from_secs(7200)));
        assert!(parse_age("0x").is_err() && parse_age("d").is_err() && parse_age("-1d").is_err());
    }
}
